//! Groups: the parts of a project, each with who looks after it, whose private models are for themselves alone.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::docs::Docs;
use super::item::Mapping;
use super::{Located, Problems};
use mep_core::keys::{Key, Section, Shape, key};

/// A group of models.
#[derive(Clone, Debug)]
pub struct ModelGroup {
    /// The name.
    pub name: Located<String>,
    /// `owner:` as written.
    pub owner: IndexMap<String, Json>,
    /// Markdown for the docs.
    pub description: Option<String>,
    /// Free data.
    pub meta: IndexMap<String, Json>,
}

const KEYS: [Key; 5] = [
    key("name", "name", "needed", "The group's name.").of(Shape::Text),
    key("owner", "mapping", "needed", "Who looks after it: `name`, `email`.").of(Shape::Mapping(&Shape::Any)),
    key("description", "text", "", "What it is.").of(Shape::Text),
    key("config", "mapping", "", "`meta`.").of(Shape::Mapping(&Shape::Any)),
    key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any)),
];

/// The keys of a group.
pub(super) fn reference() -> Section {
    Section::of("A group of models", &[&KEYS])
}

/// Reads an entry of `groups:`.
pub(super) fn read_group(group: Mapping<'_>, docs: &Docs, problems: &mut Problems) -> Option<ModelGroup> {
    group.check_keys("a group", &[&KEYS], problems);
    let owner = group.get("owner").filter(|item| !item.is_null());
    if owner.is_none() {
        problems.push(group.item.problem("a group needs `owner`").help("write owner: {name: a_team}"));
    }
    let config = group.get("config").map(|item| item.mapping(problems));
    let meta = config.and_then(|config| config.get("meta")).or_else(|| group.get("meta"));
    Some(ModelGroup {
        owner: owner.map_or_else(IndexMap::new, |item| item.data(problems)),
        description: docs.description(group.get("description"), problems),
        meta: meta.map_or_else(IndexMap::new, |item| item.data(problems)),
        name: group.required("name", "a group", problems)?,
    })
}
