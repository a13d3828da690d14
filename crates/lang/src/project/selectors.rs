//! `selectors.yml`: selections by name. What a selection means is for the graph to say.

use std::path::Path;

use super::files::read_text;
use super::item::{Item, Mapping};
use super::strings::Strings;
use super::{Problems, SelectorDefinition, yaml};
use mep_core::keys::{Key, Section, Shape, key};

/// The file's name, in the project's root.
pub(super) const FILE: &str = "selectors.yml";

const KEYS: [Key; 4] = [
    key("name", "name", "needed", "As `--selector` and `selector:` name it.").of(Shape::Text),
    key("description", "text", "", "What it is for.").of(Shape::Text),
    key(
        "definition",
        "text or mapping",
        "needed",
        "A selector of one word, `union`, `intersection`, or `method` and `value`.",
    ),
    key("default", "true or false", "false", "Whether it is taken where nothing is selected.")
        .of(Shape::Boolean),
];

/// The keys of a selector.
pub(super) fn reference() -> Section {
    Section::of("A selector", &[&KEYS])
}

/// The selectors of a project, in their order.
pub(super) fn read(root: &Path, strings: &Strings, problems: &mut Problems) -> Vec<SelectorDefinition> {
    let location = root.join(FILE);
    if !location.is_file() {
        return Vec::new();
    }
    let text = match read_text(&location, FILE) {
        Ok(text) => text,
        Err(problem) => {
            problems.push(problem);
            return Vec::new();
        }
    };
    let Some(mut node) = yaml::parse(&text, problems) else { return Vec::new() };
    strings.render(&text, &mut node, &[], problems);
    let item = Item::file(&text, &node);
    if item.is_null() {
        return Vec::new();
    }
    let Some(selectors) = item.mapping(problems).get("selectors") else { return Vec::new() };
    let mappings = selectors.mappings(problems);
    mappings.into_iter().filter_map(|selector| read_one(selector, problems)).collect()
}

fn read_one(selector: Mapping<'_>, problems: &mut Problems) -> Option<SelectorDefinition> {
    selector.check_keys("a selector", &[&KEYS], problems);
    let name = selector.required("name", "a selector", problems)?;
    let Some(definition) = selector.get("definition") else {
        problems.push(
            super::Problem::new(format!("the selector `{}` has no definition", name.value)).at(&name.place),
        );
        return None;
    };
    Some(SelectorDefinition {
        description: selector.get("description").and_then(|item| item.text(problems)),
        definition: definition.json().value,
        is_default: selector.get("default").and_then(|item| item.boolean(problems)) == Some(true),
        name,
    })
}
