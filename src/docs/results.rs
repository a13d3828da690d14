//! What came of the last run, as its artifact tells it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use serde::Deserialize;

use super::site::{ResultEntry, RunEntry};

/// The results of the last run, by unique id.
#[derive(Debug)]
pub struct LastRun {
    pub(super) run: RunEntry,
    pub(super) results: HashMap<String, ResultEntry>,
}

/// Why the results cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {error}")]
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

/// Reads `run_results.json` in this folder; `None` where no run has left one.
///
/// # Errors
/// Where it cannot be read or understood.
pub fn last_run(folder: &Path) -> Result<Option<LastRun>, ResultsError> {
    let path = folder.join("run_results.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ResultsError::Read { path, error }),
    };
    let artifact: Artifact =
        serde_json::from_slice(&text).map_err(|error| ResultsError::Form { path, error })?;
    let ended = DateTime::parse_from_rfc3339(&artifact.metadata.generated_at).ok();
    Ok(Some(LastRun {
        run: RunEntry {
            command: artifact.args.which,
            ended: ended.map(|time| time.timestamp_millis()),
            elapsed: artifact.elapsed_time,
        },
        results: artifact.results.into_iter().map(|one| (one.unique_id.clone(), entry(one))).collect(),
    }))
}

fn entry(one: One) -> ResultEntry {
    ResultEntry {
        status: if one.adapter_response.current { "current".to_owned() } else { one.status },
        seconds: one.execution_time,
        failures: one.failures.filter(|failures| *failures > 0),
        message: one.message,
    }
}
