//! Unit tests of macros: a call, and the text that it is to give.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::item::{Item, Mapping};
use super::{Located, Problem, Problems};
use mep_core::keys::{Key, Section, Shape, key};

/// What a unit test of a macro calls, and expects beside rows.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitMacro {
    /// The arguments, by their names.
    pub args: IndexMap<String, Json>,
    /// The text that it is to give; `None` where the rows of its SQL are compared.
    pub text: Option<Located<String>>,
    /// Whether white space is compared too.
    pub is_exact: bool,
}

pub(super) const EXPECT_KEYS: [Key; 2] = [
    key(
        "text",
        "text",
        "",
        "The text that the macro gives. Without it, its text is a SELECT that gives the rows.",
    )
    .of(Shape::Text),
    key(
        "whitespace",
        "",
        "any",
        "Whether the white space of the text is compared: `any` takes any for one space.",
    )
    .of(Shape::Words(|| vec!["any", "exact"])),
];

/// The keys of what a test of a macro expects.
pub(super) fn reference() -> Section {
    Section::of("What a unit test of a macro expects beside rows", &[&EXPECT_KEYS])
}

/// Reads what a test of a macro has; `None` where it is of a model.
///
/// # Errors
/// Where keys do not go together.
pub(super) fn read(test: Mapping<'_>, problems: &mut Problems) -> Result<Option<UnitMacro>, Problem> {
    if test.get("macro").is_none_or(Item::is_null) {
        return match test.get("args") {
            Some(args) => {
                let problem = args.problem("only a unit test of a macro has `args`");
                Err(problem.help("write `macro: name` beside them"))
            }
            None => Ok(None),
        };
    }
    let of_models = ["model", "given", "versions"];
    if let Some((key, said)) = of_models.into_iter().find_map(|key| Some((key, test.get(key)?))) {
        let problem = said.problem(format!("a unit test of a macro has no `{key}`"));
        return Err(problem.help("a test is of a model, with rows, or of a macro, with `args`"));
    }
    let args = test.get("args").map_or_else(IndexMap::new, |item| item.data(problems));
    let expect = test.get("expect").filter(|item| item.is_mapping()).map(|item| item.mapping(problems));
    let text = expect.and_then(|of| of.get("text")).and_then(|item| item.located_text(problems));
    let is_exact = match expect.and_then(|of| of.get("whitespace")) {
        None => false,
        Some(item) => match item.as_text() {
            Some("any") => false,
            Some("exact") => true,
            _ => return Err(item.expected("any or exact")),
        },
    };
    Ok(Some(UnitMacro { args, text, is_exact }))
}
