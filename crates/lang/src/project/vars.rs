//! Variables: those of `dbt_project.yml`, overlaid by those of the command line.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::item::Item;
use super::yaml;
use super::{Problems, SourceText};

/// Variables by name.
pub(super) type Vars = IndexMap<String, Json>;

/// Reads what `--vars` gives: a YAML mapping.
pub(super) fn of_command_line(text: Option<&str>, problems: &mut Problems) -> Vars {
    given("--vars", text, problems)
}

/// Reads what an option gives: a YAML mapping.
///
/// # Errors
/// Where it is none.
pub fn mapping_of_yaml(option: &str, text: Option<&str>) -> Result<IndexMap<String, Json>, Problems> {
    let mut problems = Problems::default();
    let mapping = given(option, text, &mut problems);
    problems.none_or(mapping)
}

fn given(option: &str, text: Option<&str>, problems: &mut Problems) -> Vars {
    let Some(text) = text else { return Vars::new() };
    let file = SourceText::new(option, text);
    let Some(node) = yaml::parse(&file, problems) else { return Vars::new() };
    let item = Item::file(&file, &node);
    if !item.is_null() && !item.is_mapping() {
        problems.push(item.expected("a mapping").help(format!("write {option} '{{name: value}}'")));
        return Vars::new();
    }
    item.data(problems)
}

/// Reads `vars:` of the project's file; those nested under the project's name win.
pub(super) fn of_project(item: Item<'_>, project: &str, problems: &mut Problems) -> Vars {
    let mut vars = Vars::new();
    let mut own = Vars::new();
    for (key, value) in item.mapping(problems).items() {
        if key.text == project && value.is_mapping() {
            own = value.data(problems);
        } else {
            vars.insert(key.text.to_owned(), value.node.json());
        }
    }
    vars.extend(own);
    vars
}
