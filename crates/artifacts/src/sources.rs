//! How old the rows of source tables are: `sources.json`.

use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::files;
use super::manifest::{self, Described, time};
use mep_core::secrets;
use mep_graph::NodeIndex;

/// What was found of a source table.
#[derive(Clone, Debug)]
pub struct FreshnessResult {
    /// The table.
    pub node: NodeIndex,
    /// How long it took.
    pub took: Duration,
    /// When the latest row was loaded, when that was asked, and `pass`, `warn` or `error`; or why it is not known.
    pub found: Result<(DateTime<Utc>, DateTime<Utc>, &'static str), String>,
}

/// Writes the ages of the rows of sources to a file.
///
/// # Errors
/// Where it cannot be written.
pub fn write_sources(
    described: Described<'_>,
    results: &[FreshnessResult],
    elapsed: Duration,
    path: &Path,
) -> io::Result<()> {
    let mut json = json!({
        "metadata": manifest::metadata("sources/v3", described),
        "results": results.iter().map(|one| result(described, one)).collect::<Vec<_>>(),
        "elapsed_time": elapsed.as_secs_f64(),
    });
    secrets::mask_json(&mut json);
    files::write(path, &serde_json::to_vec(&json)?)
}

fn result(described: Described<'_>, one: &FreshnessResult) -> Json {
    let node = described.graph.node(one.node);
    match &one.found {
        Err(error) => json!({ "unique_id": node.id.as_str(), "error": error, "status": "runtime error" }),
        Ok((at, asked, status)) => json!({
            "unique_id": node.id.as_str(),
            "max_loaded_at": time(*at),
            "snapshotted_at": time(*asked),
            "max_loaded_at_time_ago_in_s": (*asked - *at).as_seconds_f64(),
            "status": status,
            "criteria": manifest::freshness(node.config.raw.get("freshness")),
            "adapter_response": {},
            "timing": [],
            "thread_id": "main",
            "execution_time": one.took.as_secs_f64(),
        }),
    }
}
