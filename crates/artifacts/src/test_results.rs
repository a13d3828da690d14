//! The last result of each test, whichever run had it: `test_results.json`, by target and unique id.
//!
//! `run_results.json` tells of the last run alone, and a nightly `mep run` has no tests.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::files;
use mep_core::secrets;
use mep_graph::{Graph, NodeId};
use mep_run::event::{NodeResult, Status};

/// The file's name, below the target path.
pub const TEST_RESULTS: &str = "test_results.json";

/// The results of each target's tests, by unique id.
pub type TestResults = BTreeMap<String, BTreeMap<String, TestResult>>;

/// What a test found when it last ran.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TestResult {
    /// `pass`, `warn`, `fail`, `error` or `skipped`.
    pub status: String,
    /// Rows that failed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How many seconds it took.
    pub seconds: f64,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// Notes what the tests among these results found; those of tests that the project no longer has go.
///
/// # Errors
/// Where the file cannot be written. One that is there and cannot be understood is written anew: it can be had again by `mep test`.
pub(super) fn note(folder: &Path, target: &str, graph: &Graph, results: &[NodeResult]) -> io::Result<()> {
    let position = |id: &str| graph.position(&NodeId::new(id));
    let is_test = |id: &str| position(id).is_some_and(|index| graph.node(index).is_test());
    let tested: Vec<&NodeResult> = results.iter().filter(|one| is_test(&one.unique_id)).collect();
    if tested.is_empty() {
        return Ok(());
    }
    let path = folder.join(TEST_RESULTS);
    let known = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut known: TestResults = known.unwrap_or_default();
    let at = Utc::now().timestamp_millis();
    let of_target = known.entry(target.to_owned()).or_default();
    of_target.retain(|id, _| is_test(id));
    of_target.extend(tested.into_iter().map(|one| (one.unique_id.clone(), result(one, at))));
    let mut json = serde_json::to_value(&known)?;
    secrets::mask_json(&mut json);
    files::write(&path, &serde_json::to_vec(&json)?)
}

fn result(one: &NodeResult, at: i64) -> TestResult {
    let has_rows = matches!(one.status, Status::Warn | Status::Fail);
    TestResult {
        status: one.status.word(),
        failures: has_rows.then_some(one.rows),
        message: one.message.clone(),
        seconds: one.seconds,
        at,
    }
}
