//! Exposures: what uses the models.

use indexmap::IndexMap;

use super::docs::Docs;
use super::item::Mapping;
use super::{Exposure, Problem, Problems};
use mep_core::keys::{Key, Section, Shape, accepted, key};

const KEYS: [Key; 12] = [
    key("name", "name", "needed", "The exposure's name.").of(Shape::Text),
    key("label", "text", "", "Its name for people.").of(Shape::Text),
    key("type", "", "needed", "What it is.").of(Shape::Words(|| KINDS.to_vec())),
    key("maturity", "", "", "How far others may rely on it.")
        .of(Shape::Words(|| vec!["high", "medium", "low"])),
    key("url", "text", "", "Where it is.").of(Shape::Text),
    key("description", "text", "", "What it shows.").of(Shape::Text),
    key("depends_on", "list of ref() and source()", "", "What it uses.").of(Shape::List(&Shape::Text)),
    key("owner", "mapping", "", "Who looks after it: `name`, `email`.").of(Shape::Mapping(&Shape::Any)),
    key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text)),
    key("meta", "mapping", "", "Data of your own; `charts` are drawn in the docs.")
        .of(Shape::Mapping(&Shape::Any)),
    key("config", "mapping", "", "`tags`, `meta` and `enabled`.").of(Shape::Mapping(&Shape::Any)),
    accepted("docs", "Of dbt's own docs."),
];
const CONFIG_KEYS: [Key; 3] = [
    key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text)),
    key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any)),
    key("enabled", "true or false", "true", "Whether it takes part at all.").of(Shape::Boolean),
];
const KINDS: [&str; 5] = ["dashboard", "notebook", "analysis", "ml", "application"];

/// The keys of an exposure.
pub(super) fn reference() -> Section {
    Section::of("An exposure", &[&KEYS])
}

/// Reads an entry of `exposures:`.
pub(super) fn read_exposure(exposure: Mapping<'_>, docs: &Docs, problems: &mut Problems) -> Option<Exposure> {
    exposure.check_keys("an exposure", &[&KEYS], problems);
    let mut tags = exposure.get("tags").map(|item| item.words(problems)).unwrap_or_default();
    let mut meta = exposure.get("meta").map_or_else(IndexMap::new, |item| item.data(problems));
    if let Some(config) = exposure.get("config") {
        let config = config.mapping(problems);
        config.check_keys("the config of an exposure", &[&CONFIG_KEYS], problems);
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
    let label = exposure.get("label").and_then(|item| item.text(problems));
    let maturity = exposure.get("maturity").and_then(|item| item.text(problems));
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
        label,
        kind: kind?.value,
        maturity,
        description,
        url,
        depends_on: depends_on.unwrap_or_default(),
        owner,
        tags,
        meta,
        place: name.place,
    })
}
