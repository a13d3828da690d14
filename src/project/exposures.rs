//! Exposures: what uses the models.

use indexmap::IndexMap;

use super::docs::Docs;
use super::item::Mapping;
use super::{Exposure, Problem, Problems};

const KEYS: [&str; 12] = [
    "name",
    "label",
    "type",
    "maturity",
    "url",
    "description",
    "depends_on",
    "owner",
    "tags",
    "meta",
    "config",
    "docs",
];
const KINDS: [&str; 5] = ["dashboard", "notebook", "analysis", "ml", "application"];

/// Reads an entry of `exposures:`.
pub(super) fn read_exposure(exposure: Mapping<'_>, docs: &Docs, problems: &mut Problems) -> Option<Exposure> {
    exposure.check_keys("an exposure", &KEYS, problems);
    let mut tags = exposure.get("tags").map(|item| item.words(problems)).unwrap_or_default();
    let mut meta = exposure.get("meta").map_or_else(IndexMap::new, |item| item.data(problems));
    if let Some(config) = exposure.get("config") {
        let config = config.mapping(problems);
        config.check_keys("the config of an exposure", &["tags", "meta", "enabled"], problems);
        tags.extend(config.get("tags").map(|item| item.words(problems)).unwrap_or_default());
        meta.extend(config.get("meta").map_or_else(IndexMap::new, |item| item.data(problems)));
        if config.get("enabled").and_then(|item| item.boolean(problems)) == Some(false) {
            return None;
        }
    }
    let description = docs.description(exposure.get("description"), problems);
    let url = exposure.get("url").and_then(|item| item.text(problems));
    let depends_on = exposure.get("depends_on").map(|item| {
        let items = item.list(problems);
        items.into_iter().filter_map(|item| item.located_text(problems)).collect()
    });
    let owner = exposure.get("owner").map_or_else(IndexMap::new, |item| item.data(problems));
    let kind = exposure.required("type", "an exposure", problems);
    if let Some(kind) = kind.as_ref().filter(|kind| !KINDS.contains(&kind.value.as_str())) {
        let problem = Problem::new(format!("unknown type `{}` of an exposure", kind.value)).at(&kind.place);
        let problem = problem.help(format!("the types are {}", KINDS.join(", ")));
        problems.push(problem.did_you_mean(&kind.value, KINDS));
    }
    let name = exposure.required("name", "an exposure", problems)?;
    Some(Exposure {
        name: name.value,
        kind: kind?.value,
        description,
        url,
        depends_on: depends_on.unwrap_or_default(),
        owner,
        tags,
        meta,
        place: name.place,
    })
}
