//! What a stream needs to go on: how far it has read, until when windows are closed, and the states of those that are open.

use std::collections::BTreeMap;
use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use super::sets::{as_steps, from_steps};
use super::watermark::Latest;
use mep_contract::source::tail::{Offsets, StreamPartition};

/// Changes with the form of a checkpoint.
const FORM: u32 = 2;

/// The form in which sets stood as they are, which is still read.
const PLAIN_SETS: u32 = 1;

/// What a stream needs to go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Checkpoint {
    /// Of the model's SQL and the source's columns, without which the states mean nothing.
    pub(super) fingerprint: String,
    /// For each partition, the offset of the next event.
    pub(super) cut: Offsets,
    /// Windows that end until then are closed, in milliseconds since 1970.
    pub(super) closed_until: i64,
    /// By what the source knows the partitions again.
    pub(super) marks: BTreeMap<StreamPartition, String>,
    /// The latest event times.
    pub(super) latest: Latest,
    /// What became of all events until here.
    pub(super) counts: Counts,
    /// The states of the open windows.
    pub(super) open: Vec<RecordBatch>,
}

/// What became of events: `read = taken + late + dead`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events that were read.
    pub read: u64,
    /// Events that the model's SQL has seen, be it to leave them out.
    pub taken: u64,
    /// Events whose window was closed.
    pub late: u64,
    /// Events that could not be read, or name no row.
    pub dead: u64,
    /// Rows that were written.
    pub written: u64,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint cannot be read: {0}")]
pub struct Unusable(String);

/// Why a stream does not go on from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// It is of another model than this one has become.
    #[error(
        "its SQL, its keys or its source's columns changed since its checkpoint, whose states no longer fit. Begin anew with: mep stream --full-refresh"
    )]
    Changed,
}

#[derive(Serialize, Deserialize)]
struct CheckpointHead {
    form: u32,
    fingerprint: String,
    cut: Vec<(String, i32, i64)>,
    #[serde(default)]
    marks: Vec<(String, i32, String)>,
    closed_until: i64,
    latest: Latest,
    counts: Counts,
}

/// Offsets as bytes.
pub(super) fn encode_cut(cut: &Offsets) -> Vec<u8> {
    // Texts and numbers are always JSON.
    serde_json::to_vec(&pairs(cut)).unwrap_or_default()
}

/// What [`encode_cut`] gave.
pub(super) fn decode_cut(bytes: &[u8]) -> Result<Offsets, Unusable> {
    let pairs: Vec<(String, i32, i64)> = serde_json::from_slice(bytes).map_err(unusable)?;
    Ok(by_partition(pairs))
}

fn pairs<T: Clone>(of: &BTreeMap<StreamPartition, T>) -> Vec<(String, i32, T)> {
    of.iter().map(|(partition, of)| (partition.topic.to_string(), partition.number, of.clone())).collect()
}

fn by_partition<T>(pairs: Vec<(String, i32, T)>) -> BTreeMap<StreamPartition, T> {
    pairs
        .into_iter()
        .map(|(topic, number, of)| (StreamPartition { topic: topic.into(), number }, of))
        .collect()
}

fn unusable(error: impl std::fmt::Display) -> Unusable {
    Unusable(error.to_string())
}

impl Checkpoint {
    /// As bytes: a line of JSON, then the states as compressed Arrow.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Unusable> {
        let head = CheckpointHead {
            form: FORM,
            fingerprint: self.fingerprint.clone(),
            cut: pairs(&self.cut),
            marks: pairs(&self.marks),
            closed_until: self.closed_until,
            latest: self.latest.clone(),
            counts: self.counts,
        };
        let mut bytes = serde_json::to_vec(&head).map_err(unusable)?;
        bytes.push(b'\n');
        if let Some(first) = self.open.first() {
            let compressor = zstd::Encoder::new(&mut bytes, 1).map_err(unusable)?;
            let mut writer = StreamWriter::try_new(compressor, &first.schema()).map_err(unusable)?;
            for batch in &self.open {
                writer.write(&as_steps(batch.clone()).map_err(unusable)?).map_err(unusable)?;
            }
            writer.into_inner().map_err(unusable)?.finish().map_err(unusable)?;
        }
        Ok(bytes)
    }

    /// What [`Checkpoint::encode`] gave.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unusable> {
        let end = memchr::memchr(b'\n', bytes).ok_or_else(|| unusable("it has no head"))?;
        let head: CheckpointHead = serde_json::from_slice(&bytes[..end]).map_err(unusable)?;
        if ![PLAIN_SETS, FORM].contains(&head.form) {
            return Err(Unusable(format!("it has the form {}, expected {FORM}", head.form)));
        }
        let mut open = Vec::new();
        let states = &bytes[end + 1..];
        if !states.is_empty() {
            let plain = zstd::decode_all(states).map_err(unusable)?;
            for batch in StreamReader::try_new(Cursor::new(plain), None).map_err(unusable)? {
                let batch = batch.map_err(unusable)?;
                let batch = if head.form == PLAIN_SETS { Ok(batch) } else { from_steps(batch) };
                open.push(batch.map_err(unusable)?);
            }
        }
        Ok(Self {
            fingerprint: head.fingerprint,
            cut: by_partition(head.cut),
            marks: by_partition(head.marks),
            closed_until: head.closed_until,
            latest: head.latest,
            counts: head.counts,
            open,
        })
    }
}
