//! `mep_checkpoints`: the bytes of checkpoints, in chunks.
//!
//! Chunks are written under an id that no other checkpoint has and that `mep_streams` knows, and count only from when that points
//! at them.

use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::connection::CassandraSession;
use super::sending::{Acknowledged, RowSender, send_rest};
use super::shape::quoted;
use mep_contract::sink::SinkError;

/// The table's name.
pub(super) const CHECKPOINTS: &str = "mep_checkpoints";

/// The bytes of a chunk.
const CHUNK: usize = 512 << 10;
/// How many chunks are under way at once.
const AT_ONCE: usize = 8;

/// `CREATE TABLE`. Of what was deleted nothing is ever asked for again, so that its tombstones need not be kept for long.
pub(super) fn create(keyspace: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{CHECKPOINTS} (
    model text,
    id uuid,
    chunk int,
    data blob,
    PRIMARY KEY ((model, id), chunk)
) WITH gc_grace_seconds = 86400 AND comment = 'the checkpoints that mep_streams points at; changed by mep alone'",
        quoted(keyspace)
    )
}

/// The checkpoints of a model.
pub(super) struct Checkpoints<'a> {
    pub(super) session: &'a CassandraSession,
    pub(super) keyspace: &'a str,
    pub(super) model: &'a str,
}

impl Checkpoints<'_> {
    fn table(&self) -> String {
        format!("{}.{CHECKPOINTS}", quoted(self.keyspace))
    }

    /// Writes those chunks of a checkpoint that were not acknowledged.
    pub(super) async fn write(
        &self,
        id: Uuid,
        checkpoint: &[u8],
        sender: &dyn RowSender,
        acknowledged: &mut Acknowledged,
    ) -> Result<(), SinkError> {
        // The timestamps are not those of clocks, which go apart: a chunk is written before it is deleted.
        let cql = format!(
            "INSERT INTO {} (model, id, chunk, data) VALUES (?, ?, ?, ?) USING TIMESTAMP 1",
            self.table()
        );
        self.count(checkpoint)?;
        let chunks: Vec<(i32, &[u8])> = (0..).zip(checkpoint.chunks(CHUNK)).collect();
        let write = |number: usize| {
            let (chunk, data) = chunks[number];
            self.session.write("write a checkpoint", &cql, (self.model, id, chunk, data))
        };
        send_rest(&self.session.pace, AT_ONCE, sender, &chunks, acknowledged, write).await
    }

    /// How many chunks a checkpoint has.
    pub(super) fn count(&self, checkpoint: &[u8]) -> Result<i32, SinkError> {
        i32::try_from(checkpoint.len().div_ceil(CHUNK))
            .map_err(|_| SinkError::Refused(format!("the checkpoint of {} is too large", self.model)))
    }

    /// Reads a checkpoint of so many chunks and bytes; `None` where it is not there as a whole.
    pub(super) async fn read(&self, id: Uuid, chunks: i32, bytes: i64) -> Result<Option<Vec<u8>>, SinkError> {
        let cql = format!("SELECT data FROM {} WHERE model = ? AND id = ? AND chunk = ?", self.table());
        let reads = (0..chunks).map(|chunk| {
            let values = (self.model, id, chunk);
            self.session.rows::<(Vec<u8>,)>("read the checkpoint", &cql, values, self.session.stream)
        });
        let read: Vec<Vec<(Vec<u8>,)>> =
            stream::iter(reads.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
        let mut checkpoint = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        for (data,) in read.iter().flatten() {
            checkpoint.extend_from_slice(data);
        }
        let is_whole = i64::try_from(checkpoint.len()) == Ok(bytes);
        Ok(is_whole.then_some(checkpoint))
    }

    /// Deletes a checkpoint, whether it is there or not.
    pub(super) async fn delete(&self, id: Uuid) -> Result<(), SinkError> {
        let cql = format!("DELETE FROM {} USING TIMESTAMP 2 WHERE model = ? AND id = ?", self.table());
        self.session.write("delete an older checkpoint", &cql, (self.model, id)).await
    }
}
