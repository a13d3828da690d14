//! Unit tests of models: rows in the place of what a model reads, and the rows that it is to give for them.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::docs::Docs;
use super::item::{Item, Mapping};
use super::unit_macros::{self, UnitMacro};
use super::unit_steps::{self, UnitStep};
use super::yaml::Value;
use super::{Located, Place, Problem, Problems, SourceText, Span};
use mep_core::keys::{Key, Section, Shape, accepted, key};

/// A unit test.
#[derive(Clone, Debug)]
pub struct UnitTest {
    /// Its name.
    pub name: Located<String>,
    /// The model that it tests.
    pub model: Located<String>,
    /// The rows of what the model reads.
    pub given: Vec<UnitInput>,
    /// The rows that it is to give, in any order.
    pub expect: UnitRows,
    /// What Jinja finds otherwise while the model is rendered.
    pub overrides: Overrides,
    /// Markdown for the docs.
    pub description: Option<String>,
    /// Words to select by.
    pub tags: Vec<String>,
    /// Free data.
    pub meta: IndexMap<String, Json>,
    /// Of a model with versions: those that are tested; empty: all.
    pub include: Vec<String>,
    /// Those that are not.
    pub exclude: Vec<String>,
    /// The folders of its file.
    pub folders: Vec<String>,
    /// Runs one after another, each with its own rows; empty where it is of the SELECT alone.
    pub steps: Vec<UnitStep>,
    /// Of a test of steps: whether a full refresh after the last one must give the same rows.
    pub full_refresh: bool,
    /// Where it is of a macro, whose name then stands as that of the model: what is called, and the text that it is to give.
    pub of_macro: Option<UnitMacro>,
}

impl UnitTest {
    /// All rows of inputs, those of the test and then those of its steps.
    pub fn inputs(&self) -> impl Iterator<Item = &UnitInput> {
        self.given.iter().chain(self.steps.iter().flat_map(|step| &step.given))
    }
}

/// Rows that stand in the place of what a model reads.
#[derive(Clone, Debug)]
pub struct UnitInput {
    /// `ref('m')`, `source('s', 't')` or `this`, as written.
    pub input: Located<String>,
    /// The rows.
    pub rows: UnitRows,
    /// Of a step: whether they come in the place of the rows that the input had, and not beside them.
    pub replaces: bool,
}

/// Rows as a unit test writes them.
#[derive(Clone, Debug)]
pub enum UnitRows {
    /// Mappings of columns to values.
    Listed(Located<Vec<IndexMap<String, Json>>>),
    /// A text of CSV, with the names of columns in its first line.
    Csv(Located<String>),
    /// A SELECT that gives them.
    Sql(Located<String>),
}

impl UnitRows {
    /// Where they stand.
    pub fn place(&self) -> &Place {
        match self {
            Self::Listed(rows) => &rows.place,
            Self::Csv(text) | Self::Sql(text) => &text.place,
        }
    }
}

/// What Jinja finds otherwise while a model is rendered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// What macros give, by their names, of a package's with the package's before it.
    pub macros: IndexMap<String, Json>,
    /// Variables.
    pub vars: IndexMap<String, Json>,
    /// Variables of the environment.
    pub env_vars: IndexMap<String, Json>,
}

/// The texts of files of rows, by their names and extensions.
pub(super) type Fixtures = HashMap<(String, String), SourceText>;

const KEYS: [Key; 14] = [
    key("name", "name", "needed", "The test's name.").of(Shape::Text),
    key("model", "name", "needed", "The model that is tested; with `steps` a snapshot too.").of(Shape::Text),
    key("given", "list of inputs", "", "The rows of everything that the model reads.").of(Shape::List(&Shape::Keys(&["An input of a unit test; `expect` has the same but for `input`"]))),
    key(
        "expect",
        "rows",
        "needed",
        "The rows that it is to give, in any order; columns that are left out are not compared.",
    ),
    key(
        "overrides",
        "mapping",
        "",
        "`macros`, `vars` and `env_vars`: what Jinja finds in their place. `macros: {is_incremental: true}` tests the incremental side.",
    ).of(Shape::Mapping(&Shape::Any)),
    key("description", "text", "", "What it shows.").of(Shape::Text),
    key("config", "mapping", "", "`tags`, `meta` and `enabled`.").of(Shape::Mapping(&Shape::Any)),
    key(
        "versions",
        "{include: [..]} or {exclude: [..]}",
        "all",
        "Of a model with versions: which of them are tested.",
    ),
    key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text)),
    accepted("docs", "Of dbt's own docs."),
    key(
        "steps",
        "list of steps",
        "",
        "mep's own: runs one after another in a warehouse of the test's own, by the model's real strategy, in the place of `expect`.",
    ).of(Shape::List(&Shape::Keys(&["A step of a unit test; its inputs have `replace` too"]))),
    key(
        "full_refresh",
        "true or false",
        "true",
        "Of a test with `steps`: whether a full refresh after the last one must give the same rows.",
    ).of(Shape::Boolean),
    key("macro", "name", "", "mep's own: the macro that is tested, in the place of `model`.").of(Shape::Text),
    key("args", "mapping", "", "The arguments that the macro is called with.").of(Shape::Mapping(&Shape::Any)),
];
pub(super) const GIVEN_KEYS: [Key; 4] = [
    key(
        "input",
        "ref, source or this",
        "needed",
        "What the rows stand for; `this` is what the model has stored.",
    )
    .of(Shape::Text),
    key("rows", "list of mappings, CSV or SQL", "", "The rows; a column that they leave out is NULL."),
    key("format", "", "dict", "How the rows are written.").of(Shape::Words(|| FORMATS.to_vec())),
    key("fixture", "name", "", "A file of rows in tests/fixtures, without `.csv` or `.sql`.").of(Shape::Text),
];
const CONFIG_KEYS: [Key; 3] = [
    key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text)),
    key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any)),
    key("enabled", "true or false", "true", "Whether it takes part at all.").of(Shape::Boolean),
];
const OVERRIDE_KEYS: [Key; 3] = [
    key("macros", "mapping", "", "What macros give.").of(Shape::Mapping(&Shape::Any)),
    key("vars", "mapping", "", "Variables.").of(Shape::Mapping(&Shape::Any)),
    key("env_vars", "mapping", "", "Variables of the environment.").of(Shape::Mapping(&Shape::Any)),
];
const VERSION_KEYS: [Key; 2] = [
    key("include", "list", "", "Versions.").of(Shape::List(&Shape::Text)),
    key("exclude", "list", "", "Versions.").of(Shape::List(&Shape::Text)),
];

/// How rows can be written.
const FORMATS: [&str; 3] = ["dict", "csv", "sql"];

/// The keys of a unit test.
pub(super) fn reference() -> Vec<Section> {
    vec![
        Section::of("A unit test", &[&KEYS]),
        Section::of("An input of a unit test; `expect` has the same but for `input`", &[&GIVEN_KEYS]),
        unit_steps::reference(),
        unit_macros::reference(),
    ]
}

/// Reads an entry of `unit_tests:`.
pub(super) fn read_unit_test(
    test: Mapping<'_>,
    folders: &[String],
    docs: &Docs,
    fixtures: &Fixtures,
    problems: &mut Problems,
) -> Option<UnitTest> {
    test.check_keys("a unit test", &[&KEYS], problems);
    let mut tags = test.get("tags").map(|item| item.words(problems)).unwrap_or_default();
    let mut meta = IndexMap::new();
    if let Some(config) = test.get("config") {
        let config = config.mapping(problems);
        config.check_keys("the config of a unit test", &[&CONFIG_KEYS], problems);
        tags.extend(config.get("tags").map(|item| item.words(problems)).unwrap_or_default());
        meta = config.get("meta").map_or_else(IndexMap::new, |item| item.data(problems));
        if config.get("enabled").and_then(|item| item.boolean(problems)) == Some(false) {
            return None;
        }
    }
    let description = docs.description(test.get("description"), problems);
    let mut given = Vec::new();
    for input in test.get("given").map(|item| item.mappings(problems)).unwrap_or_default() {
        input.check_keys("an input of a unit test", &[&GIVEN_KEYS], problems);
        given.extend(read_input(input, fixtures, problems));
    }
    let overrides = read_overrides(test, problems);
    let (include, exclude) = read_versions(test, problems);
    let name = test.required("name", "a unit test", problems);
    let steps = unit_steps::read(test, fixtures, problems)?;
    let full_refresh = test.get("full_refresh").and_then(|item| item.boolean(problems)).unwrap_or(true);
    let of_macro = match unit_macros::read(test, problems) {
        Ok(of_macro) => of_macro,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let model = match test.get("macro") {
        Some(named) => named.located_text(problems),
        None => test.required("model", "a unit test", problems),
    };
    let nothing = || UnitRows::Listed(Located { value: Vec::new(), place: test.item.place() });
    let expect = if steps.is_empty() { read_expected(test, fixtures, problems)? } else { nothing() };
    Some(UnitTest {
        name: name?,
        model: model?,
        given,
        expect,
        overrides,
        description,
        tags,
        meta,
        include,
        exclude,
        folders: folders.to_vec(),
        steps,
        full_refresh,
        of_macro,
    })
}

/// The rows that a test of a SELECT expects.
fn read_expected(test: Mapping<'_>, fixtures: &Fixtures, problems: &mut Problems) -> Option<UnitRows> {
    let Some(expect) = test.get("expect").filter(|item| !item.is_null()) else {
        problems.push(test.item.problem("a unit test needs `expect`").help("write expect: {rows: [...]}"));
        return None;
    };
    let expect = expect.mapping(problems);
    let of_text: &[Key] = if test.get("macro").is_some() { &unit_macros::EXPECT_KEYS } else { &[] };
    expect.check_keys("what a unit test expects", &[&GIVEN_KEYS[1..], of_text], problems);
    read_rows(expect, fixtures, problems)
}

/// Rows that stand for an input, whose keys are checked.
pub(super) fn read_input(
    input: Mapping<'_>,
    fixtures: &Fixtures,
    problems: &mut Problems,
) -> Option<UnitInput> {
    let of = input.required("input", "an input of a unit test", problems);
    let rows = read_rows(input, fixtures, problems);
    of.zip(rows).map(|(input, rows)| UnitInput { input, rows, replaces: false })
}

fn read_overrides(test: Mapping<'_>, problems: &mut Problems) -> Overrides {
    let Some(overrides) = test.get("overrides").filter(|item| !item.is_null()) else {
        return Overrides::default();
    };
    let overrides = overrides.mapping(problems);
    overrides.check_keys("the overrides of a unit test", &[&OVERRIDE_KEYS], problems);
    let mut of = |key: &str| {
        let item = overrides.get(key).filter(|item| !item.is_null());
        item.map_or_else(IndexMap::new, |item| item.data(problems))
    };
    Overrides { macros: of("macros"), vars: of("vars"), env_vars: of("env_vars") }
}

/// The versions that a test says that it is of, and those that it is not of, as texts.
fn read_versions(test: Mapping<'_>, problems: &mut Problems) -> (Vec<String>, Vec<String>) {
    let Some(versions) = test.get("versions").filter(|item| !item.is_null()) else {
        return (Vec::new(), Vec::new());
    };
    let versions = versions.mapping(problems);
    versions.check_keys("the versions of a unit test", &[&VERSION_KEYS], problems);
    let mut of = |key: &str| {
        let items = versions.get(key).map(|item| item.list(problems)).unwrap_or_default();
        let word = |item: Item<'_>| match item.json().value {
            Json::String(text) => text,
            other => other.to_string(),
        };
        items.into_iter().map(word).collect()
    };
    (of("include"), of("exclude"))
}

/// Reads `rows:` or `fixture:`, in the format that is said.
pub(super) fn read_rows(of: Mapping<'_>, fixtures: &Fixtures, problems: &mut Problems) -> Option<UnitRows> {
    let format = of.get("format").and_then(|item| item.located_text(problems));
    let is_said = format.as_ref().map_or("dict", |format| format.value.as_str());
    if let (Some(format), false) = (&format, FORMATS.contains(&is_said)) {
        let problem = Problem::new(format!("unknown format `{is_said}` of rows")).at(&format.place);
        problems.push(problem.help("the formats are dict, csv and sql"));
        return None;
    }
    if let Some(named) = of.get("fixture").and_then(|item| item.located_text(problems)) {
        let extension = if is_said == "dict" { "csv" } else { is_said };
        let Some(text) = fixtures.get(&(named.value.clone(), extension.to_owned())) else {
            let problem = Problem::new(format!("there is no file of rows `{}.{extension}`", named.value));
            problems.push(problem.at(&named.place).help("put it into tests/fixtures"));
            return None;
        };
        let place = text.at(Span { start: 0, len: text.text().len() });
        let located = Located { value: text.text().to_owned(), place };
        return Some(if is_said == "sql" { UnitRows::Sql(located) } else { UnitRows::Csv(located) });
    }
    let rows = of.get("rows").filter(|item| !item.is_null());
    let listed = |rows: Vec<IndexMap<String, Json>>, place: Place| {
        Some(UnitRows::Listed(Located { value: rows, place }))
    };
    match (rows, is_said) {
        (None, "dict") => listed(Vec::new(), of.item.place()),
        (None, _) => {
            problems.push(of.item.problem("rows of this format need `rows` or `fixture`"));
            None
        }
        (Some(rows), "dict") if !matches!(rows.node.value, Value::List(_)) => {
            let problem = rows.expected("a list of mappings");
            problems.push(problem.help("write `format: csv` or `format: sql` beside a text"));
            None
        }
        (Some(rows), "dict") => {
            let mappings = rows.mappings(problems);
            let read = mappings.into_iter().map(|row| row.item.data(problems)).collect();
            listed(read, rows.place())
        }
        (Some(rows), "csv") => rows.located_text(problems).map(UnitRows::Csv),
        (Some(rows), _) => rows.located_text(problems).map(UnitRows::Sql),
    }
}
