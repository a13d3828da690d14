//! Config by folder, as `dbt_project.yml` writes it under `models:`, `seeds:`, `snapshots:`, `data_tests:` and `sources:`.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::item::Item;
use super::{Located, Place, Problem, Problems};
use mep_core::warnings::WarningKind;

/// Config keys and their values, untyped.
pub(super) type Config = IndexMap<String, Located<Json>>;

/// Config keys whose values are mappings: without a `+` they would look like folders.
const MAPPINGS: [&str; 10] = [
    "meta",
    "docs",
    "column_types",
    "persist_docs",
    "grants",
    "contract",
    "freshness",
    "quoting",
    "partition_by",
    "snapshot_meta_column_names",
];

/// The config of a folder and of what lies below it.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigTree {
    config: Config,
    below: IndexMap<String, (Place, ConfigTree)>,
    /// Of a package: what the project says, which goes over all of this.
    over: Option<Box<ConfigTree>>,
}

impl ConfigTree {
    /// Reads the mapping under `models:` or its like.
    pub(super) fn read(item: Item<'_>, problems: &mut Problems) -> Self {
        let mut tree = Self::default();
        for (key, value) in item.mapping(problems).items() {
            let name = key.text.strip_prefix('+');
            let is_config = name.is_some() || !value.is_mapping() || MAPPINGS.contains(&key.text);
            if name.is_none() && value.is_null() {
                continue;
            }
            if is_config {
                overlay(&mut tree.config, name.unwrap_or(key.text), value.json());
            } else {
                let below = Self::read(value, problems);
                tree.below.insert(key.text.to_owned(), (key.place(), below));
            }
        }
        tree
    }

    /// The config of what is named so: less to more specific, later ones win.
    pub(super) fn of<'a>(&self, fqn: impl IntoIterator<Item = &'a str> + Clone) -> Config {
        let mut config = self.of_own(fqn.clone());
        if let Some(over) = &self.over {
            overlay_all(&mut config, &over.of_own(fqn));
        }
        config
    }

    fn of_own<'a>(&self, fqn: impl IntoIterator<Item = &'a str>) -> Config {
        let mut config = self.config.clone();
        let mut tree = self;
        for part in fqn {
            let Some((_, below)) = tree.below.get(part) else { break };
            overlay_all(&mut config, &below.config);
            tree = below;
        }
        config
    }

    /// The tree of a package with that of the project over it.
    pub(super) fn below(mut self, project: &Self) -> Self {
        self.over = Some(Box::new(project.clone()));
        self
    }

    /// Warns of folders that hold none of the things named; `thing` is their word (`model`).
    pub(super) fn warn_unused(&self, thing: &str, fqns: &[&[String]], warnings: &mut Problems) {
        self.warn_below(thing, fqns, 0, warnings);
    }

    fn warn_below(&self, thing: &str, fqns: &[&[String]], depth: usize, warnings: &mut Problems) {
        for (name, (place, tree)) in &self.below {
            let inside: Vec<&[String]> =
                fqns.iter().copied().filter(|fqn| fqn.get(depth) == Some(name)).collect();
            if inside.is_empty() {
                let siblings = fqns.iter().filter_map(|fqn| fqn.get(depth)).map(String::as_str);
                let problem = Problem::new(format!("the config of `{name}` applies to no {thing}")).at(place);
                warnings.push(problem.did_you_mean(name, siblings).kind(WarningKind::UnusedConfigPath));
            } else {
                tree.warn_below(thing, &inside, depth + 1, warnings);
            }
        }
    }
}

/// Sets a key over what is there: tags and hooks add up, `meta` is merged key by key, all else is replaced.
pub(super) fn overlay(config: &mut Config, key: &str, value: Located<Json>) {
    let value = match (key, config.get(key)) {
        ("tags", Some(before)) => add_tags(before, value),
        ("meta", Some(before)) => add_meta(before, value),
        ("pre_hook" | "pre-hook" | "post_hook" | "post-hook", Some(before)) => add_hooks(before, value),
        _ => value,
    };
    config.insert(key.to_owned(), value);
}

/// Sets all keys of `over`.
pub(super) fn overlay_all(config: &mut Config, over: &Config) {
    for (key, value) in over {
        overlay(config, key, value.clone());
    }
}

fn add_tags(before: &Located<Json>, mut over: Located<Json>) -> Located<Json> {
    if let (Some(mut tags), Some(more)) = (tags_of(&before.value), tags_of(&over.value)) {
        for tag in more {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        over.value = Json::from(tags);
    }
    over
}

/// Hooks of all places are called, those of the widest one first.
fn add_hooks(before: &Located<Json>, mut over: Located<Json>) -> Located<Json> {
    over.value = hooks_after(&before.value, &over.value);
    over
}

/// The hooks of one value, and those of another one after them.
pub fn hooks_after(before: &Json, after: &Json) -> Json {
    let all = |value: &Json| match value {
        Json::Null => Vec::new(),
        Json::Array(many) => many.clone(),
        one => vec![one.clone()],
    };
    Json::Array(all(before).into_iter().chain(all(after)).collect())
}

/// The tags that a value names; `None` for what is neither a text nor a list of texts.
pub(super) fn tags_of(value: &Json) -> Option<Vec<String>> {
    match value {
        Json::String(tag) => Some(vec![tag.clone()]),
        Json::Array(tags) => tags.iter().map(|tag| tag.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn add_meta(before: &Located<Json>, mut over: Located<Json>) -> Located<Json> {
    if let (Json::Object(before), Json::Object(over)) = (&before.value, &mut over.value) {
        let mut meta = before.clone();
        meta.extend(std::mem::take(over));
        *over = meta;
    }
    over
}
