//! What came of the last run: `run_results.json`.

use std::io;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::compiled_sql::compiled_path;
use super::{files, manifest, test_results};
use mep_contract::warehouse::RunId;
use mep_core::secrets;
use mep_graph::{Compiled, Graph, NodeId};
use mep_lang::project::Project;
use mep_run::event::{NodeResult, Status};

/// Writes the manifest, the results, and what the tests among them found.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_run(
    project: &Project,
    graph: &Graph,
    compiled: &Compiled,
    run: &RunId,
    results: &[NodeResult],
    elapsed: Duration,
    command: &str,
) -> io::Result<()> {
    manifest::write_manifest(project, graph, compiled, run)?;
    super::write_compiled(project, graph, compiled)?;
    let mut json = json!({
        "metadata": manifest::metadata("https://schemas.getdbt.com/dbt/run-results/v6.json", run),
        "results": results.iter().map(|one| result(project, graph, compiled, one)).collect::<Vec<_>>(),
        "elapsed_time": elapsed.as_secs_f64(),
        "args": {"which": command, "target": project.target.name},
    });
    secrets::mask_json(&mut json);
    files::write(&project.artifact("run_results.json")?, &serde_json::to_vec(&json)?)?;
    test_results::note(&project.artifact("")?, &project.target.name, graph, results)
}

fn result(project: &Project, graph: &Graph, compiled: &Compiled, one: &NodeResult) -> Json {
    let index = graph.position(&NodeId::new(&one.unique_id));
    let sql = index.and_then(|index| {
        let model = compiled.models.get(&index).map(|model| &model.sql);
        model.or(compiled.tests.get(&index).map(|test| &test.sql))
    });
    let node = index.map(|index| graph.node(index));
    let compiled_at = node
        .filter(|_| sql.is_some())
        .map(|node| project.target_path.join(compiled_path(project, node)).to_string_lossy().into_owned());
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
        },
        "message": one.message,
        "failures": failures,
        "unique_id": one.unique_id,
        "compiled": sql.is_some(),
        "compiled_code": sql,
        "relation_name": node.and_then(|node| node.relation.as_ref()).map(ToString::to_string),
        "compiled_path": compiled_at,
    })
}
