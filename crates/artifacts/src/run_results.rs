//! What came of the last run: `run_results.json`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::manifest::{self, Described};
use super::{files, test_results};
use mep_core::secrets;
use mep_graph::NodeId;
use mep_run::event::{NodeResult, Status};

/// What a run was called with, so that it can be done again.
#[derive(Clone, Debug, Default)]
pub struct CallArguments<'a> {
    /// The command.
    pub command: &'a str,
    /// Whether everything is built anew.
    pub full_refresh: bool,
    /// Whether the rows that fail a test are kept, where its config does not say.
    pub store_failures: bool,
    /// `--vars`.
    pub vars: Option<Json>,
    /// The logical date, as `--date` has it.
    pub date: Option<String>,
    /// Where what is not selected was read from: the folder of a manifest, and whether it is favoured.
    pub deferred_to: Option<DeferredTo>,
}

/// The earlier state that a call defers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeferredTo {
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// Whether its tables are read where this target has them too.
    pub is_favored: bool,
}

/// Writes the manifest, the results, and what the tests among them found.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_run(
    described: Described<'_>,
    results: &[NodeResult],
    elapsed: Duration,
    arguments: &CallArguments<'_>,
) -> io::Result<()> {
    let Described { project, graph, compiled, .. } = described;
    manifest::write_manifest(described)?;
    super::write_compiled(project, graph, compiled)?;
    let mut json = json!({
        "metadata": manifest::metadata("run-results/v6", described),
        "results": results.iter().map(|one| result(described, one)).collect::<Vec<_>>(),
        "elapsed_time": elapsed.as_secs_f64(),
        "args": {
            "which": arguments.command,
            "target": project.target.name,
            "full_refresh": arguments.full_refresh,
            "store_failures": arguments.store_failures,
            "vars": arguments.vars.as_ref().unwrap_or(&Json::Object(serde_json::Map::new())),
            "date": arguments.date,
            "defer": arguments.deferred_to.is_some(),
            "defer_state": arguments.deferred_to.as_ref().map(|to| to.folder.to_string_lossy()),
            "favor_state": arguments.deferred_to.as_ref().is_some_and(|to| to.is_favored),
        },
    });
    secrets::mask_json(&mut json);
    files::write(&project.artifact("run_results.json")?, &serde_json::to_vec(&json)?)?;
    test_results::note(&project.artifact("")?, &project.target.name, graph, results)
}

fn result(described: Described<'_>, one: &NodeResult) -> Json {
    let Described { graph, compiled, .. } = described;
    let index = graph.position(&NodeId::new(&one.unique_id));
    let sql = index.and_then(|index| compiled.sql(index));
    let node = index.map(|index| graph.node(index));
    let failures = matches!(one.status, Status::Pass | Status::Warn | Status::Fail).then_some(one.rows);
    // dbt has no word for what was left as it is: to its readers it is a success.
    let status = match one.status {
        Status::Current => "success".to_owned(),
        Status::Interrupted => Status::Error.word(),
        other => other.word(),
    };
    json!({
        "status": status,
        "timing": [],
        "thread_id": "main",
        "execution_time": one.seconds,
        "adapter_response": {
            "rows_affected": one.rows,
            "bytes": one.bytes,
            "partitions": one.partitions,
            "rejected": one.rejected,
            "rejected_by_now": one.rejected_by_now,
            "current": one.status == Status::Current,
            "served": one.served,
        },
        "message": one.message,
        "failures": failures,
        "unique_id": one.unique_id,
        "compiled": sql.is_some(),
        "compiled_code": sql,
        "relation_name": node.and_then(|node| node.relation.as_ref()).map(ToString::to_string),
    })
}
