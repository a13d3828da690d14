//! Versions of models: several files of which each is one version of the same model.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::config_tree::{Config, overlay_all};
use super::item::{Item, Mapping};
use super::properties::{ACCESS, InFile, PropertiesEntry, read_config};
use super::{Column, Problem, Problems, Properties, Weight};
use mep_core::keys::{Key, Section, Shape, accepted, key};

/// Which version of a model a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelVersion {
    /// The version, as written.
    pub version: String,
    /// The one that a reference without a version means.
    pub latest: String,
}

impl ModelVersion {
    /// Whether a reference without a version means it.
    pub fn is_latest(&self) -> bool {
        self.version == self.latest
    }

    /// Whether it comes before or after the latest one: numbers by their size, other words by their letters.
    pub fn beside_latest(&self) -> Ordering {
        compared(&self.version, &self.latest)
    }
}

fn compared(one: &str, other: &str) -> Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    }
}

/// What properties say of one version of a model.
pub(super) struct VersionEntry {
    pub(super) version: ModelVersion,
    /// The name of the file, without `.sql`, where it is said.
    pub(super) defined_in: Option<String>,
    pub(super) properties: Properties,
    pub(super) config: Config,
}

impl VersionEntry {
    /// The names that its file may have, without `.sql`, the first one first.
    pub(super) fn stems(&self, model: &str) -> Vec<String> {
        if let Some(stem) = &self.defined_in {
            return vec![stem.clone()];
        }
        let own = format!("{model}_v{}", self.version.version);
        let latest = self.version.is_latest().then(|| model.to_owned());
        [own].into_iter().chain(latest).collect()
    }
}

const KEYS: [Key; 13] = [
    key("v", "number or text", "needed", "The version.").of(Shape::Either(&[Shape::Number, Shape::Text])),
    key("defined_in", "name", "<model>_v<v>", "The file, without `.sql`.").of(Shape::Text),
    key("description", "text", "the model's", "What it is.").of(Shape::Text),
    key(
        "columns",
        "list of columns",
        "the model's",
        "Those of the model that `- include: all` or `- include: [..]` takes, without those of `exclude: [..]`, and others.",
    ).of(Shape::List(&Shape::Keys(&["A column"]))),
    key("tests", "list of tests", "the model's", "The old name of `data_tests`.").of(Shape::List(&Shape::Any)),
    key("data_tests", "list of tests", "the model's", "Tests of all of it.").of(Shape::List(&Shape::Any)),
    key("constraints", "list of constraints", "the model's", "What is promised of its rows.").of(Shape::List(&Shape::Keys(&["A constraint of a model or of a column"]))),
    key("config", "mapping", "", "Config, over that of the model.").of(Shape::Mapping(&Shape::Any)),
    key("access", "", "the model's", "Who may refer to it.").of(ACCESS),
    key("deprecation_date", "date", "", "The day from which on nothing should refer to it.").of(Shape::Text),
    key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text)),
    key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any)),
    accepted("docs", "Of dbt's own docs."),
];

/// The keys of a version.
pub(super) fn reference() -> Section {
    Section::of("A version of a model", &[&KEYS])
}

/// Reads `versions:` of a model.
pub(super) fn read_versions(
    file: &InFile<'_>,
    model: Mapping<'_>,
    entry: &PropertiesEntry,
    problems: &mut Problems,
) -> Vec<VersionEntry> {
    let Some(versions) = model.get("versions").filter(|item| !item.is_null()) else { return Vec::new() };
    let latest = model.get("latest_version").filter(|item| !item.is_null());
    let mut read: Vec<(String, Mapping<'_>)> = Vec::new();
    for version in versions.mappings(problems) {
        version.check_keys("a version of a model", &[&KEYS], problems);
        let Some(v) = version.get("v").and_then(word) else {
            problems.push(version.item.problem("a version of a model needs `v`").help("write v: 1"));
            continue;
        };
        if read.iter().any(|(known, _)| *known == v) {
            problems.push(version.item.problem(format!("version {v} is written twice")));
            continue;
        }
        read.push((v, version));
    }
    let greatest = read.iter().map(|(v, _)| v.clone()).max_by(|a, b| compared(a, b));
    let Some(greatest) = greatest else { return Vec::new() };
    let said = latest.and_then(word);
    if let (Some(said), Some(item)) = (&said, latest)
        && read.iter().all(|(v, _)| v != said)
    {
        let versions: Vec<&str> = read.iter().map(|(v, _)| v.as_str()).collect();
        let problem = item.problem(format!("`latest_version` is {said}, and there is no such version"));
        problems.push(problem.help(format!("the versions are {}", versions.join(", "))));
    }
    let latest = said.unwrap_or(greatest);
    let entries = read.into_iter().map(|(v, version)| {
        let own = read_config(version, problems);
        let mut config = entry.config.clone();
        overlay_all(&mut config, &own);
        let place = version.item.place();
        let mut properties = file.properties(place, version, &config, problems);
        let base = &entry.properties;
        properties.description = properties.description.take().or_else(|| base.description.clone());
        properties.columns = match version.get("columns") {
            Some(columns) => columns_of(columns, &base.columns, properties.columns, problems),
            None => base.columns.clone(),
        };
        if version.get("tests").is_none() && version.get("data_tests").is_none() {
            properties.tests.clone_from(&base.tests);
        }
        if version.get("constraints").is_none() {
            properties.constraints.clone_from(&base.constraints);
        }
        properties.deprecation_date =
            properties.deprecation_date.take().or_else(|| base.deprecation_date.clone());
        let defined_in = version.get("defined_in").and_then(|item| item.text(problems));
        let defined_in = defined_in.map(|stem| stem.trim_end_matches(".sql").to_owned());
        VersionEntry {
            version: ModelVersion { version: v, latest: latest.clone() },
            defined_in,
            properties,
            config,
        }
    });
    entries.collect()
}

/// A number or a text as a version writes it.
fn word(item: Item<'_>) -> Option<String> {
    match item.json().value {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The columns of a version: those of the model that it takes, and its own over them.
fn columns_of(written: Item<'_>, base: &[Column], own: Vec<Column>, problems: &mut Problems) -> Vec<Column> {
    let including = written
        .list(problems)
        .into_iter()
        .filter(|item| item.is_mapping())
        .map(|item| item.mapping(problems))
        .find(|item| item.get("include").is_some());
    let mut columns: Vec<Column> = match including {
        None => base.to_vec(),
        Some(including) => {
            let include = including.get("include").map(|item| item.words(problems)).unwrap_or_default();
            let exclude = including.get("exclude").map(|item| item.words(problems)).unwrap_or_default();
            let takes_all = include.iter().any(|word| word == "all" || word == "*");
            for name in include.iter().chain(&exclude).filter(|name| *name != "all" && *name != "*") {
                if base.iter().all(|column| column.name.value != *name) {
                    let problem = including.item.problem(format!("the model has no column `{name}`"));
                    problems.push(problem.weighing(Weight::Warning));
                }
            }
            let is_taken = |column: &&Column| {
                let name = &column.name.value;
                (takes_all || include.contains(name)) && !exclude.contains(name)
            };
            base.iter().filter(is_taken).cloned().collect()
        }
    };
    for column in own {
        match columns.iter_mut().find(|known| known.name.value == column.name.value) {
            Some(known) => *known = column,
            None => columns.push(column),
        }
    }
    columns
}

/// A version that no file is.
pub(super) fn without_file(model: &str, version: &VersionEntry) -> Problem {
    let stem = version.stems(model).swap_remove(0);
    let message =
        format!("there is no file `{stem}.sql` for version {} of `{model}`", version.version.version);
    let problem = match &version.properties.place {
        Some(place) => Problem::new(message).at(place),
        None => Problem::new(message),
    };
    problem.help("write it, or say with `defined_in` where it is")
}
