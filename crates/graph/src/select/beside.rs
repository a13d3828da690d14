//! What selections may ask beside the graph: an earlier state of the project, and what came of earlier runs.

use std::collections::{BTreeSet, HashMap};

use super::super::dag::Graph;
use super::super::node_index::NodeSet;
use super::criterion::{Criterion, Method};
use mep_lang::project::{Problem, nearest};

/// The words of `state:` that hold of a node.
pub type StateWords = BTreeSet<&'static str>;

/// What is known beside the graph, by unique id.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// How each node stands to an earlier manifest; `None` where there is none.
    pub states: Option<HashMap<String, StateWords>>,
    /// How each node ended in an earlier run; `None` where it is not known.
    pub results: Option<HashMap<String, String>>,
    /// Source tables that have newer rows than an earlier look at them; `None` where that is not known.
    pub fresher: Option<BTreeSet<String>>,
}

/// What `state:` can ask.
const STATES: [&str; 10] = [
    "modified",
    "modified.body",
    "modified.configs",
    "modified.contract",
    "modified.macros",
    "modified.persisted_descriptions",
    "modified.relation",
    "new",
    "old",
    "unmodified",
];
/// What `result:` can ask.
const RESULTS: [&str; 8] =
    ["error", "fail", "no-op", "partial success", "pass", "skipped", "success", "warn"];

/// The nodes that a criterion names by what is beside the graph; `None` for any other criterion.
///
/// # Errors
/// Where it asks for what is not known, or in a word that means nothing.
pub(super) fn matching(
    graph: &Graph,
    criterion: &Criterion,
    beside: Option<&Beside>,
) -> Result<Option<NodeSet>, Problem> {
    let value = criterion.value.as_str();
    let is_meant: Box<dyn Fn(&str) -> bool> = match criterion.method {
        Method::State => {
            known("state", value, &STATES)?;
            let states = beside.and_then(|beside| beside.states.as_ref());
            let states = states.ok_or_else(|| missing("state", "manifest.json"))?;
            Box::new(move |id| states.get(id).is_some_and(|words| words.contains(value)))
        }
        Method::Result => {
            known("result", value, &RESULTS)?;
            let results = beside.and_then(|beside| beside.results.as_ref());
            let results = results.ok_or_else(|| missing("result", "run_results.json"))?;
            Box::new(move |id| results.get(id).is_some_and(|status| status == value))
        }
        Method::SourceStatus => {
            known("source_status", value, &["fresher"])?;
            let fresher = beside.and_then(|beside| beside.fresher.as_ref());
            let fresher = fresher.ok_or_else(|| missing("source_status", "sources.json"))?;
            Box::new(move |id| fresher.contains(id))
        }
        _ => return Ok(None),
    };
    let found = graph.indexed().filter(|(_, node)| is_meant(node.id.as_str()));
    Ok(Some(found.map(|(index, _)| index).collect()))
}

fn known(method: &str, value: &str, words: &[&str]) -> Result<(), Problem> {
    if words.contains(&value) {
        return Ok(());
    }
    let problem = Problem::new(format!("the selector `{method}:{value}` asks for an unknown state"));
    Err(match nearest(value, words.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{method}:{near}`?")),
        None => problem.help(format!("it takes {}", words.join(", "))),
    })
}

fn missing(method: &str, file: &str) -> Problem {
    let problem = Problem::new(format!("the selector `{method}:` needs the {file} of an earlier call"));
    problem.help("give --state and the folder that holds a copy of it")
}
