//! The steps of a unit test: runs one after another, each with the rows that its inputs have by then.

use chrono::NaiveDate;

use super::item::Mapping;
use super::unit_tests::{Fixtures, GIVEN_KEYS, UnitInput, UnitRows, read_input, read_rows};
use super::{Located, Place, Problem, Problems};
use mep_core::keys::{Key, Section, Shape, key};

/// A step of a unit test.
#[derive(Clone, Debug)]
pub struct UnitStep {
    /// What it is called where it fails.
    pub name: Option<String>,
    /// The logical date of the run.
    pub date: Option<Located<NaiveDate>>,
    /// The rows that inputs get before it.
    pub given: Vec<UnitInput>,
    /// The rows that the table is to have after it; `None` where that is not looked at.
    pub expect: Option<UnitRows>,
    /// Where it stands.
    pub place: Place,
}

const STEP_KEYS: [Key; 4] = [
    key("name", "text", "", "What it is called where it fails: day one, a late day, a rerun.")
        .of(Shape::Text),
    key("date", "YYYY-MM-DD", "", "The logical date of the run, which a microbatch model needs.")
        .of(Shape::Text),
    key(
        "given",
        "list of inputs",
        "",
        "The rows that inputs get before the run; an input that is left out stays as it is.",
    )
    .of(Shape::List(&Shape::Keys(&["An input of a unit test; `expect` has the same but for `input`"]))),
    key(
        "expect",
        "rows",
        "",
        "The rows that the table has after the run, in any order; without it nothing is compared.",
    ),
];
const REPLACE: Key = key(
    "replace",
    "true or false",
    "false",
    "Of an input of a step: its rows stand in the place of those that it had.",
)
.of(Shape::Boolean);

/// The keys of a step.
pub(super) fn reference() -> Section {
    Section::of("A step of a unit test; its inputs have `replace` too", &[&STEP_KEYS, &[REPLACE]])
}

/// Reads `steps:`; none where there is no such key.
pub(super) fn read(test: Mapping<'_>, fixtures: &Fixtures, problems: &mut Problems) -> Option<Vec<UnitStep>> {
    let Some(listed) = test.get("steps").filter(|item| !item.is_null()) else {
        return Some(Vec::new());
    };
    if let Some(expect) = test.get("expect").filter(|item| !item.is_null()) {
        let problem = expect.problem("a unit test has `expect`, or `steps` that have one each");
        problems.push(problem.help("move it into the step after which the table has these rows"));
        return None;
    }
    if let Some(said) = ["overrides", "macro"].iter().find_map(|key| test.get(key)) {
        let problem =
            said.problem("a unit test with `steps` runs its model as it is, with nothing in its place");
        problems.push(problem.help("take it away, or test the SELECT with `given` and `expect`"));
        return None;
    }
    let mut steps = Vec::new();
    for step in listed.mappings(problems) {
        step.check_keys("a step of a unit test", &[&STEP_KEYS], problems);
        let name = step.get("name").and_then(|item| item.text(problems));
        let date = step.get("date").filter(|item| !item.is_null()).and_then(|item| {
            let text = item.located_text(problems)?;
            let Ok(value) = text.value.parse() else {
                problems.push(item.expected("a day such as 2018-11-01"));
                return None;
            };
            Some(Located { value, place: text.place })
        });
        let mut given = Vec::new();
        for input in step.get("given").map(|item| item.mappings(problems)).unwrap_or_default() {
            input.check_keys("an input of a step", &[&GIVEN_KEYS, &[REPLACE]], problems);
            let replaces = input.get("replace").and_then(|item| item.boolean(problems)).unwrap_or(false);
            given.extend(read_input(input, fixtures, problems).map(|of| UnitInput { replaces, ..of }));
        }
        let expect = step.get("expect").filter(|item| !item.is_null()).and_then(|expect| {
            let expect = expect.mapping(problems);
            expect.check_keys("what a step expects", &[&GIVEN_KEYS[1..]], problems);
            read_rows(expect, fixtures, problems)
        });
        steps.push(UnitStep { name, date, given, expect, place: step.item.place() });
    }
    if steps.iter().all(|step| step.expect.is_none()) {
        let problem: Problem = listed.problem("none of the steps says what the table has after it");
        problems.push(problem.help("write expect: {rows: [...]} in one of them"));
        return None;
    }
    Some(steps)
}
