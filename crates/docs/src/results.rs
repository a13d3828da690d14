//! What came of the last run, and of the last run of each test, as their artifacts tell it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::site::{ResultEntry, RunEntry};
use mep_artifacts::{TEST_RESULTS, TestResult, TestResults};

/// What the last run did, and what each test found when it last ran.
#[derive(Debug, Default)]
pub struct Results {
    pub(super) last_run: Option<RunEntry>,
    /// By unique id.
    pub(super) by_id: HashMap<String, ResultEntry>,
}

/// Why the results cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {}", mep_core::os_error::OsMessage(.error))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is not what mep writes.
    #[error("{path} is not what a run of mep writes: {error}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Artifact {
    metadata: Metadata,
    results: Vec<One>,
    elapsed_time: f64,
    args: Args,
}

#[derive(Deserialize)]
struct Metadata {
    generated_at: String,
}

#[derive(Deserialize)]
struct Args {
    which: String,
    target: Option<String>,
}

#[derive(Deserialize)]
struct One {
    unique_id: String,
    status: String,
    execution_time: f64,
    message: Option<String>,
    failures: Option<u64>,
    adapter_response: Response,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    current: bool,
}

/// Reads what runs of this target left in this folder.
///
/// # Errors
/// Where a file cannot be read or understood.
pub fn results(folder: &Path, target: &str) -> Result<Results, ResultsError> {
    let mut results = Results::default();
    if let Some(tests) = read::<TestResults>(folder.join(TEST_RESULTS))? {
        let of_target = tests.into_iter().filter(|(name, _)| name == target).flat_map(|(_, tests)| tests);
        results.by_id.extend(of_target.map(|(id, one)| (id, test_entry(one))));
    }
    let Some(artifact) = read::<Artifact>(folder.join("run_results.json"))? else { return Ok(results) };
    if artifact.args.target.as_ref().is_some_and(|other| other != target) {
        return Ok(results);
    }
    let ended = DateTime::parse_from_rfc3339(&artifact.metadata.generated_at).ok();
    let ended = ended.map(|time| time.timestamp_millis());
    results.by_id.extend(artifact.results.into_iter().map(|one| (one.unique_id.clone(), entry(one, ended))));
    results.last_run = Some(RunEntry { command: artifact.args.which, ended, elapsed: artifact.elapsed_time });
    Ok(results)
}

/// What a file holds; `None` where there is none.
fn read<T: DeserializeOwned>(path: PathBuf) -> Result<Option<T>, ResultsError> {
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ResultsError::Read { path, error }),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| ResultsError::Form { path, error })
}

fn test_entry(one: TestResult) -> ResultEntry {
    let TestResult { status, failures, message, seconds, at } = one;
    ResultEntry { status, seconds, failures, message, at: Some(at) }
}

fn entry(one: One, at: Option<i64>) -> ResultEntry {
    ResultEntry {
        status: if one.adapter_response.current { "current".to_owned() } else { one.status },
        seconds: one.execution_time,
        failures: one.failures.filter(|failures| *failures > 0),
        message: one.message,
        at,
    }
}
