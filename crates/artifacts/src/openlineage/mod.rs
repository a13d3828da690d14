//! What a run did, as events of OpenLineage: one job a node, with the tables that it read and wrote, their columns and where these come from.
//!
//! The form is that of OpenLineage's specification 2-0-2. Events are made when a run has ended, with the times of its nodes; what was left as it
//! was has none. Must not know: how nodes are built.

mod datasets;
mod facets;
mod send;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use self::datasets::Datasets;
use super::manifest::Described;
use mep_core::secrets;
use mep_graph::NodeId;
use mep_run::event::{NodeResult, Status};

pub use send::{NotSent, send};

const EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const PRODUCER: &str = concat!("mep/", env!("CARGO_PKG_VERSION"));

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// `run`, `build`, …
    pub command: &'a str,
    /// What came of its nodes.
    pub results: &'a [NodeResult],
    /// When it ended.
    pub at: DateTime<Utc>,
}

/// The events of a call: its own, and two of each node that was built, loaded or tested.
pub fn events(described: Described<'_>, namespace: &str, ended: Ended<'_>) -> Vec<Json> {
    let project = described.project;
    let began = described.run.began().unwrap_or(ended.at);
    let name = format!("{}.{}", project.name, ended.command);
    let call = LineageJob {
        namespace,
        name,
        run: run_id(began, &[described.run.as_str()]),
        facets: facets::job("JOB"),
    };
    let failed = ended.results.iter().any(|result| result.status.is_failure());
    let mut all = vec![call.event("START", began, &json!({}), &[], &[])];
    let datasets = Datasets::of(described);
    for result in ended.results {
        all.extend(of_node(described, &datasets, &call, result).into_iter().flatten());
    }
    let last = if failed { "FAIL" } else { "COMPLETE" };
    all.push(call.event(last, ended.at, &json!({}), &[], &[]));
    all.iter_mut().for_each(secrets::mask_json);
    all
}

/// The beginning and the end of what was done of a node.
fn of_node(
    described: Described<'_>,
    datasets: &Datasets<'_>,
    call: &LineageJob<'_>,
    result: &NodeResult,
) -> Option<[Json; 2]> {
    let last = match result.status {
        Status::Success | Status::Pass | Status::Warn => "COMPLETE",
        Status::Fail | Status::Error => "FAIL",
        Status::Interrupted => "ABORT",
        Status::Current | Status::Skipped => return None,
    };
    let ended = result.ended?;
    let began =
        ended - TimeDelta::from_std(std::time::Duration::from_secs_f64(result.seconds)).unwrap_or_default();
    let index = described.graph.position(&NodeId::new(&result.unique_id))?;
    let node = described.graph.node(index);
    let kind = if node.is_test() { "TEST" } else { "MODEL" };
    let mut facets = facets::job(kind);
    if let Some(sql) = described.compiled.sql(index) {
        facets["sql"] = facets::sql(sql);
    }
    if let Some(text) = node.description.as_deref().filter(|text| !text.is_empty()) {
        facets["documentation"] = facets::documentation(text);
    }
    let id = run_id(began, &[described.run.as_str(), &result.unique_id]);
    let job = LineageJob { namespace: call.namespace, name: result.unique_id.clone(), run: id, facets };
    let mut of_run = json!({ "parent": call.as_parent() });
    let begins = job.event("START", began, &of_run, &datasets.inputs(index), &[]);
    if let Some(message) = result.message.as_deref().filter(|_| result.status.is_failure()) {
        of_run["errorMessage"] = facets::error(message);
    }
    let (inputs, outputs) = if node.is_test() {
        (datasets.tested(index, result), Vec::new())
    } else {
        (datasets.inputs(index), datasets.output(index, (result.rows, result.bytes)).into_iter().collect())
    };
    Some([begins, job.event(last, ended, &of_run, &inputs, &outputs)])
}

/// Something that runs.
struct LineageJob<'a> {
    namespace: &'a str,
    name: String,
    run: String,
    facets: Json,
}

impl LineageJob<'_> {
    fn event(&self, kind: &str, at: DateTime<Utc>, of_run: &Json, inputs: &[Json], outputs: &[Json]) -> Json {
        json!({
            "eventType": kind,
            "eventTime": at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "run": { "runId": self.run, "facets": of_run },
            "job": { "namespace": self.namespace, "name": self.name, "facets": self.facets },
            "inputs": inputs,
            "outputs": outputs,
            "producer": PRODUCER,
            "schemaURL": EVENT,
        })
    }

    /// The facet that names it in the events of what it calls.
    fn as_parent(&self) -> Json {
        facets::parent(&self.run, self.namespace, &self.name)
    }
}

/// The id of a run: a UUID of version 7 that holds its time, and is the same for the same names.
fn run_id(began: DateTime<Utc>, names: &[&str]) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update([0]);
    }
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[..6].copy_from_slice(&began.timestamp_millis().to_be_bytes()[2..]);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_run_is_a_uuid_of_version_7_with_its_time() {
        let began = DateTime::from_timestamp_millis(1_541_030_400_123).unwrap();
        let id = run_id(began, &["run", "model.songs.plays"]);
        assert!(id.starts_with("0166cc91-d07b-7"), "{id}");
        assert!(["8", "9", "a", "b"].contains(&&id[19..20]), "{id}");
        assert_eq!(id.len(), 36);
        assert_ne!(id, run_id(began, &["run", "model.songs.listens"]));
    }
}
