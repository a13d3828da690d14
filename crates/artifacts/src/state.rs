//! An earlier state of a project, as its artifacts tell it, beside what the project is now: what `state:`, `result:` and
//! `source_status:` select by.
//!
//! Two manifests are compared as dbt compares them: a node is modified where its text, its config, its names, its macros
//! or its contract are others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::manifest::{self, Described};
use super::run_results::DeferredTo;
use mep_core::relation::Relation;
use mep_graph::{Beside, StateWords};

/// Why an earlier state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is nothing of it.
    #[error("there is no manifest.json, run_results.json or sources.json in {}", .0.display())]
    Nothing(PathBuf),
    /// There is no manifest.
    #[error("there is no manifest.json in {}", .0.display())]
    NoManifest(PathBuf),
    /// A file cannot be read.
    #[error("{} cannot be read: {}", .0.display(), mep_core::os_error::OsMessage(.1))]
    Read(PathBuf, #[source] io::Error),
    /// It is no artifact.
    #[error("{} is no artifact: {}", .0.display(), .1)]
    Form(PathBuf, #[source] serde_json::Error),
}

/// Config that says nothing of what a node is.
const NOT_COMPARED: [&str; 5] = ["alias", "database", "group", "schema", "tags"];

/// What the artifacts in a folder say beside the project as it is now; `now` is the folder of the present ones.
///
/// # Errors
/// Where there are none, or they cannot be read.
pub fn beside(described: Described<'_>, folder: &Path, now: &Path) -> Result<Beside, StateError> {
    let earlier = read(&folder.join("manifest.json"))?;
    let results = read(&folder.join("run_results.json"))?;
    let sources = read(&folder.join("sources.json"))?;
    if earlier.is_none() && results.is_none() && sources.is_none() {
        return Err(StateError::Nothing(folder.to_owned()));
    }
    let states = earlier.map(|earlier| {
        let mut present = manifest::manifest(described);
        mep_core::secrets::mask_json(&mut present);
        states(&earlier, &present)
    });
    let fresher = match (sources, read(&now.join("sources.json"))?) {
        (Some(earlier), Some(present)) => Some(fresher(&earlier, &present)),
        _ => None,
    };
    Ok(Beside { states, results: results.map(|results| statuses(&results)), fresher })
}

/// What each model, seed and snapshot of a manifest was built as.
///
/// # Errors
/// Where there is none, or it cannot be read.
pub fn relations_of(folder: &Path) -> Result<BTreeMap<String, Relation>, StateError> {
    let earlier = read(&folder.join("manifest.json"))?;
    earlier.as_ref().map(relations).ok_or_else(|| StateError::NoManifest(folder.to_owned()))
}

fn relations(manifest: &Json) -> BTreeMap<String, Relation> {
    let relation = |(id, node): (&String, &Json)| {
        let is_built = ["model", "seed", "snapshot"].contains(&node["resource_type"].as_str()?);
        node["relation_name"].as_str().filter(|_| is_built)?;
        Some((id.clone(), Relation::new(node["schema"].as_str()?, node["alias"].as_str()?)))
    };
    manifest["nodes"].as_object().into_iter().flatten().filter_map(relation).collect()
}

fn read(path: &Path) -> Result<Option<Json>, StateError> {
    match std::fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text).map(Some).map_err(|error| StateError::Form(path.to_owned(), error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::Read(path.to_owned(), error)),
    }
}

/// The last run, as its results tell it.
#[derive(Clone, Debug, Default)]
pub struct LastRun {
    /// `run`, `build`, `test`, …
    pub command: String,
    /// The target that it worked on.
    pub target: Option<String>,
    /// Its `--vars`, as YAML.
    pub vars: Option<String>,
    /// Whether it built everything anew.
    pub full_refresh: bool,
    /// Whether the rows that fail a test were kept, where its config does not say.
    pub store_failures: bool,
    /// Its logical date.
    pub date: Option<String>,
    /// The earlier state that it deferred to.
    pub deferred_to: Option<DeferredTo>,
    /// What failed, and what was not begun because of that, by unique id.
    pub unfinished: Vec<String>,
}

/// What the results in a folder say of the run that left them.
///
/// # Errors
/// Where there are none, or they cannot be read.
pub fn last_run(folder: &Path) -> Result<LastRun, StateError> {
    const UNFINISHED: [&str; 5] = ["error", "fail", "skipped", "runtime error", "partial success"];
    let Some(results) = read(&folder.join("run_results.json"))? else {
        return Err(StateError::Nothing(folder.to_owned()));
    };
    let arguments = &results["args"];
    let text = |key: &str| arguments[key].as_str().map(str::to_owned);
    let vars = &arguments["vars"];
    let mut unfinished: Vec<String> = statuses(&results)
        .into_iter()
        .filter(|(_, status)| UNFINISHED.contains(&status.as_str()))
        .map(|(id, _)| id)
        .collect();
    unfinished.sort();
    Ok(LastRun {
        command: text("which").unwrap_or_default(),
        target: text("target"),
        vars: vars.as_object().filter(|vars| !vars.is_empty()).map(|_| vars.to_string()),
        full_refresh: arguments["full_refresh"] == Json::Bool(true),
        store_failures: arguments["store_failures"] == Json::Bool(true),
        date: text("date"),
        deferred_to: text("defer_state").map(|folder| DeferredTo {
            folder: folder.into(),
            is_favored: arguments["favor_state"] == Json::Bool(true),
        }),
        unfinished,
    })
}

/// How each node ended, by unique id.
pub(super) fn statuses(results: &Json) -> HashMap<String, String> {
    let results = results["results"].as_array().into_iter().flatten();
    let status = |result: &Json| {
        Some((result["unique_id"].as_str()?.to_owned(), result["status"].as_str()?.to_owned()))
    };
    results.filter_map(status).collect()
}

/// The source tables whose latest row is later than it was, or that were not looked at before.
fn fresher(earlier: &Json, present: &Json) -> BTreeSet<String> {
    let latest = |sources: &Json| -> HashMap<String, String> {
        let results = sources["results"].as_array().into_iter().flatten();
        let loaded = |result: &Json| {
            Some((result["unique_id"].as_str()?.to_owned(), result["max_loaded_at"].as_str()?.to_owned()))
        };
        results.filter_map(loaded).collect()
    };
    let before = latest(earlier);
    let is_fresher = |(id, loaded): &(String, String)| before.get(id).is_none_or(|before| loaded > before);
    latest(present).into_iter().filter(is_fresher).map(|(id, _)| id).collect()
}

/// How each node of the present manifest stands to the earlier one.
fn states(earlier: &Json, present: &Json) -> HashMap<String, StateWords> {
    let macros = MacroChanges::of(earlier, present);
    let mut states = HashMap::new();
    for section in
        ["nodes", "sources", "exposures", "unit_tests", "semantic_models", "metrics", "saved_queries"]
    {
        for (id, node) in present[section].as_object().into_iter().flatten() {
            let before = earlier[section].get(id);
            states.insert(id.clone(), words(section, before, node, &macros));
        }
    }
    states
}

fn words(section: &str, before: Option<&Json>, node: &Json, macros: &MacroChanges<'_>) -> StateWords {
    let is_macro_changed = macros.reach(node);
    let Some(before) = before else {
        let mut words = StateWords::from(["new", "modified"]);
        if section == "nodes" {
            words.extend(["modified.body", "modified.configs", "modified.relation"]);
            words.extend(["modified.persisted_descriptions", "modified.contract"]);
        }
        if is_macro_changed {
            words.insert("modified.macros");
        }
        return words;
    };
    let mut words = StateWords::from(["old"]);
    let mut is_modified = is_macro_changed;
    let mut changed = |word: &'static str, is_changed: bool, words: &mut StateWords| {
        if is_changed {
            words.insert(word);
            is_modified = true;
        }
    };
    let differs = |keys: &[&str]| keys.iter().any(|key| before.get(key) != node.get(key));
    if section == "nodes" {
        changed("modified.body", body(before, node), &mut words);
        changed("modified.configs", config(before, node), &mut words);
        let of_config = |key: &&str| value(&before["config"], key) != value(&node["config"], key);
        changed("modified.relation", ["alias", "database", "schema"].iter().any(of_config), &mut words);
        changed("modified.persisted_descriptions", descriptions(before, node), &mut words);
        let is_enforced = |node: &Json| node["config"]["contract"]["enforced"] == Json::Bool(true);
        let of_contract = is_enforced(before) != is_enforced(node)
            || before["contract"]["checksum"] != node["contract"]["checksum"];
        changed("modified.contract", of_contract, &mut words);
        is_modified |= differs(&["fqn"]);
    } else if section == "sources" {
        let keys = ["fqn", "loader", "freshness", "loaded_at_field", "identifier", "schema", "external"];
        is_modified |= differs(&keys) || config(before, node);
    } else if section == "unit_tests" {
        is_modified |= differs(&["model", "versions", "given", "expect", "overrides"]);
    } else if ["semantic_models", "metrics", "saved_queries"].contains(&section) {
        let keys = ["description", "label", "group"];
        let of_models = ["model", "defaults", "entities", "dimensions", "measures", "primary_entity"];
        let of_others = ["type", "type_params", "filter", "query_params", "exports"];
        is_modified |= differs(&keys) || differs(&of_models) || differs(&of_others) || config(before, node);
    } else {
        let keys = ["fqn", "owner", "maturity", "type", "url", "description", "label", "depends_on"];
        is_modified |= differs(&keys) || config(before, node);
    }
    if is_macro_changed {
        words.insert("modified.macros");
    }
    words.insert(if is_modified { "modified" } else { "unmodified" });
    words
}

/// Whether the text is another; of a seed, its file.
fn body(before: &Json, node: &Json) -> bool {
    if node["resource_type"] == "seed" {
        return before["checksum"] != node["checksum"];
    }
    before["raw_code"] != node["raw_code"]
}

/// Whether the config is another. What one manifest does not say is nothing.
fn config(before: &Json, node: &Json) -> bool {
    let nothing = Map::new();
    let of = |json: &'_ Json| json["config"].as_object().cloned().unwrap_or_else(|| nothing.clone());
    let (before, now) = (of(before), of(node));
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let is_said = |key: &&&String| !NOT_COMPARED.contains(&key.as_str());
    keys.iter()
        .filter(is_said)
        .any(|key| before.get(*key).unwrap_or(&Json::Null) != now.get(*key).unwrap_or(&Json::Null))
}

fn value<'j>(json: &'j Json, key: &str) -> &'j Json {
    json.get(key).unwrap_or(&Json::Null)
}

/// Whether descriptions are others that config asks to keep in the warehouse.
fn descriptions(before: &Json, node: &Json) -> bool {
    let is_kept = |what: &str| node["config"]["persist_docs"][what] == Json::Bool(true);
    let of_columns = |node: &Json| -> Vec<(String, Json)> {
        let columns = node["columns"].as_object().into_iter().flatten();
        columns.map(|(name, column)| (name.clone(), column["description"].clone())).collect()
    };
    is_kept("relation") && before["description"] != node["description"]
        || is_kept("columns") && of_columns(before) != of_columns(node)
}

/// The macros that are others than they were, and which of them a node calls.
struct MacroChanges<'m> {
    present: &'m Json,
    changed: HashSet<&'m str>,
}

impl<'m> MacroChanges<'m> {
    fn of(earlier: &'m Json, present: &'m Json) -> Self {
        let sides = [(earlier, present), (present, earlier)];
        let changed = sides.into_iter().flat_map(|(one, other)| {
            let macros = one["macros"].as_object().into_iter().flatten();
            macros.filter(move |(id, text)| other["macros"][id.as_str()]["macro_sql"] != text["macro_sql"])
        });
        // What is built in is as it is in a version of the tool: the manifest of another tool has others.
        let is_own = |id: &&str| !id.starts_with("macro.dbt");
        Self { present, changed: changed.map(|(id, _)| id.as_str()).filter(is_own).collect() }
    }

    /// Whether a changed macro is called by a node, by itself or by way of others.
    fn reach(&self, node: &Json) -> bool {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut open: Vec<&str> = called(node).collect();
        while let Some(id) = open.pop() {
            if self.changed.contains(id) {
                return true;
            }
            if seen.insert(id) {
                open.extend(called(&self.present["macros"][id]));
            }
        }
        false
    }
}

fn called(json: &Json) -> impl Iterator<Item = &str> {
    json["depends_on"]["macros"].as_array().into_iter().flatten().filter_map(Json::as_str)
}
