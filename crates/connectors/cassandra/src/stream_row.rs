//! `mep_streams`: where each model stands, and which instance may say so.
//!
//! A row is changed by conditional updates alone, each of which names the holder and the epoch that it found: what an older instance
//! or a late packet asks for is declined. Every update that uses a checkpoint's id up notes the one that comes after it, so that
//! chunks are written only under an id that the row knows, and can be found and deleted whatever happens.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use scylla::DeserializeRow;
use uuid::Uuid;

use super::client::Decision;
use super::connection::CassandraSession;
use super::shape::quoted;
use mep_contract::sink::{Epoch, SinkError};

/// The table's name.
pub(super) const STREAMS: &str = "mep_streams";

/// How often a row is read anew because somebody else changed it in between.
const ATTEMPTS: u32 = 5;

/// The row of a model.
#[derive(Clone, Debug, DeserializeRow)]
pub(super) struct StreamRow {
    pub(super) holder: String,
    pub(super) holder_since: DateTime<Utc>,
    /// The last committed epoch; 0: none.
    pub(super) epoch: i64,
    pub(super) checkpoint: Option<Uuid>,
    pub(super) chunks: Option<i32>,
    pub(super) bytes: Option<i64>,
    pub(super) prepared_epoch: Option<i64>,
    pub(super) prepared_cut: Option<Vec<u8>>,
    /// The id that the next checkpoint's chunks are written under.
    pub(super) next_checkpoint: Uuid,
    /// Checkpoints that nothing points at any more, and of which chunks may be left.
    pub(super) stale_checkpoints: Option<Vec<Uuid>>,
    /// Whether the rows of the model's table are to be dropped before anything is written.
    pub(super) clearing: bool,
    /// When the epoch was committed, in microseconds since 1970.
    pub(super) committed_at: i64,
}

impl StreamRow {
    /// The ids of all chunks that are there but for the committed checkpoint.
    fn to_be_deleted(&self) -> Vec<Uuid> {
        let mut ids = self.stale_checkpoints.clone().unwrap_or_default();
        ids.push(self.next_checkpoint);
        ids
    }
}

/// What this instance knows of its model's row.
#[derive(Clone, Debug)]
pub(super) struct KnownRow {
    pub(super) epoch: i64,
    pub(super) checkpoint: Option<Uuid>,
    pub(super) next_checkpoint: Uuid,
    pub(super) stale_checkpoints: Vec<Stale>,
}

/// A checkpoint that nothing points at any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stale {
    pub(super) id: Uuid,
    /// When it may be deleted: a crash of nodes might bring the pointer to it back.
    pub(super) from: Instant,
}

/// The rows of a keyspace, as one model's instance sees them.
pub(super) struct StreamRows<'a> {
    pub(super) session: &'a CassandraSession,
    pub(super) keyspace: &'a str,
    pub(super) model: &'a str,
    pub(super) holder: &'a str,
    /// How long a crash may take back what was acknowledged.
    pub(super) settles_after: Duration,
}

/// `CREATE TABLE`.
pub(super) fn create(keyspace: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{STREAMS} (
    model text PRIMARY KEY,
    holder text,
    holder_since timestamp,
    epoch bigint,
    checkpoint uuid,
    chunks int,
    bytes bigint,
    prepared_epoch bigint,
    prepared_cut blob,
    next_checkpoint uuid,
    stale_checkpoints frozen<set<uuid>>,
    clearing boolean
) WITH comment = 'where the streaming models of mep stand; changed by mep alone'",
        quoted(keyspace)
    )
}

impl StreamRows<'_> {
    fn table(&self) -> String {
        format!("{}.{STREAMS}", quoted(self.keyspace))
    }

    /// The row, after all that was decided before.
    pub(super) async fn read(&self) -> Result<Option<StreamRow>, SinkError> {
        let cql = format!(
            "SELECT holder, holder_since, epoch, checkpoint, chunks, bytes, prepared_epoch, prepared_cut, next_checkpoint, \
             stale_checkpoints, clearing, WRITETIME(epoch) AS committed_at FROM {} WHERE model = ?",
            self.table()
        );
        let consistency = self.session.serial_read();
        let rows = self.session.rows("read where the model stands", &cql, (self.model,), consistency).await?;
        Ok(rows.into_iter().next())
    }

    /// Makes this instance the holder; from then on all others are declined. With `anew` the model stands at the beginning
    /// and is to be cleared. The lease must be held.
    pub(super) async fn take_over(&self, since: DateTime<Utc>, anew: bool) -> Result<StreamRow, SinkError> {
        for _ in 0..ATTEMPTS {
            let decision = match self.read().await? {
                None => self.insert(since).await?,
                Some(row) if anew => self.update_anew(&row, since).await?,
                Some(row) => self.update_holder(&row, since).await?,
            };
            if let Decision::Unknown(error) = decision {
                return Err(error);
            }
            // What it is now decides: between the reading and the update the one before may have noted more.
            if let Decision::Applied = decision
                && let Some(row) = self.read().await?
                && row.holder == self.holder
            {
                return Ok(row);
            }
        }
        Err(SinkError::Passing(format!("cassandra: several instances want to stream {} at once", self.model)))
    }

    async fn insert(&self, since: DateTime<Utc>) -> Result<Decision, SinkError> {
        let cql = format!(
            "INSERT INTO {} (model, holder, holder_since, epoch, next_checkpoint, clearing) VALUES (?, ?, ?, 0, ?, false) IF NOT EXISTS",
            self.table()
        );
        let values = (self.model, self.holder, since, Uuid::now_v7());
        self.session.decide("take the model", &cql, values).await
    }

    async fn update_holder(&self, row: &StreamRow, since: DateTime<Utc>) -> Result<Decision, SinkError> {
        let cql = format!(
            "UPDATE {} SET holder = ?, holder_since = ?, next_checkpoint = ?, stale_checkpoints = ? \
             WHERE model = ? IF holder = ? AND epoch = ?",
            self.table()
        );
        let values = (
            self.holder,
            since,
            Uuid::now_v7(),
            row.to_be_deleted(),
            self.model,
            row.holder.as_str(),
            row.epoch,
        );
        self.session.decide("take the model", &cql, values).await
    }

    async fn update_anew(&self, row: &StreamRow, since: DateTime<Utc>) -> Result<Decision, SinkError> {
        let cql = format!(
            "UPDATE {} SET holder = ?, holder_since = ?, next_checkpoint = ?, stale_checkpoints = ?, epoch = 0, checkpoint = null, \
             chunks = null, bytes = null, prepared_epoch = null, prepared_cut = null, clearing = true \
             WHERE model = ? IF holder = ? AND epoch = ?",
            self.table()
        );
        let mut stale = row.to_be_deleted();
        stale.extend(row.checkpoint);
        let holder = row.holder.as_str();
        let values = (self.holder, since, Uuid::now_v7(), stale, self.model, holder, row.epoch);
        self.session.decide("begin the model anew", &cql, values).await
    }

    /// Notes that the model's table was made anew.
    pub(super) async fn cleared(&self) -> Result<(), SinkError> {
        let cql = format!(
            "UPDATE {} SET clearing = false WHERE model = ? IF holder = ? AND epoch = 0",
            self.table()
        );
        let decision = self.session.decide("begin the model anew", &cql, (self.model, self.holder)).await?;
        self.settled(decision, 0, |row| !row.clearing).await
    }

    /// Notes how far an epoch reads.
    pub(super) async fn prepare(&self, known: &KnownRow, epoch: Epoch, cut: &[u8]) -> Result<(), SinkError> {
        let number = number(epoch)?;
        if number <= known.epoch {
            return Err(self.out_of_order(epoch, known.epoch));
        }
        let cql = format!(
            "UPDATE {} SET prepared_epoch = ?, prepared_cut = ? WHERE model = ? IF holder = ? AND epoch = ?",
            self.table()
        );
        let values = (number, cut, self.model, self.holder, known.epoch);
        let decision = self.session.decide("prepare an epoch", &cql, values).await?;
        self.settled(decision, known.epoch, |row| {
            row.epoch == known.epoch
                && row.prepared_epoch == Some(number)
                && row.prepared_cut.as_deref().unwrap_or_default() == cut
        })
        .await
    }

    /// Points at the chunks that were written under the noted id. Gives what is known from then on.
    pub(super) async fn commit(
        &self,
        known: &KnownRow,
        epoch: Epoch,
        chunks: i32,
        bytes: i64,
    ) -> Result<KnownRow, SinkError> {
        let number = number(epoch)?;
        if number <= known.epoch {
            return Err(self.out_of_order(epoch, known.epoch));
        }
        let mut stale = known.stale_checkpoints.clone();
        let from = Instant::now() + self.settles_after;
        stale.extend(known.checkpoint.map(|id| Stale { id, from }));
        let stale_ids: Vec<Uuid> = stale.iter().map(|stale| stale.id).collect();
        let next = Uuid::now_v7();
        let cql = format!(
            "UPDATE {} SET epoch = ?, checkpoint = ?, chunks = ?, bytes = ?, prepared_epoch = null, prepared_cut = null, \
             next_checkpoint = ?, stale_checkpoints = ?, clearing = false WHERE model = ? IF holder = ? AND epoch = ?",
            self.table()
        );
        let written = known.next_checkpoint;
        let values = (number, written, chunks, bytes, next, stale_ids, self.model, self.holder, known.epoch);
        match self.session.decide("commit an epoch", &cql, values).await? {
            Decision::Applied => Ok(KnownRow {
                epoch: number,
                checkpoint: Some(written),
                next_checkpoint: next,
                stale_checkpoints: stale,
            }),
            // It may have been applied by this call, or by the one that this one repeats.
            decision => {
                let is_there = |row: &StreamRow| row.epoch == number && row.checkpoint == Some(written);
                self.settled(decision, known.epoch, is_there).await?;
                match self.read().await? {
                    Some(row) if row.holder == self.holder => Ok(self.known(&row)),
                    _ => Err(self.lost(None)),
                }
            }
        }
    }

    /// What the row says, to its holder.
    pub(super) fn known(&self, row: &StreamRow) -> KnownRow {
        let age = Utc::now().timestamp_micros().saturating_sub(row.committed_at);
        let settles =
            self.settles_after.saturating_sub(Duration::from_micros(u64::try_from(age).unwrap_or(0)));
        let from = Instant::now() + settles;
        let stale = row.stale_checkpoints.iter().flatten().map(|id| Stale { id: *id, from });
        KnownRow {
            epoch: row.epoch,
            checkpoint: row.checkpoint,
            next_checkpoint: row.next_checkpoint,
            stale_checkpoints: stale.collect(),
        }
    }

    /// Whether an epoch must be repeated: not where it is committed already.
    ///
    /// # Errors
    /// [`SinkError::Refused`] where earlier ones are not committed any more.
    pub(super) async fn is_to_be_repeated(&self, known: &KnownRow, epoch: Epoch) -> Result<bool, SinkError> {
        match self.read().await? {
            Some(row) if row.holder == self.holder && row.epoch == known.epoch => Ok(true),
            Some(row) if row.holder == self.holder && row.epoch == number(epoch)? => Ok(false),
            Some(row) if row.holder == self.holder => Err(self.elsewhere(&row, known.epoch)),
            row => Err(self.lost(row.as_ref())),
        }
    }

    /// Whether this instance is still the holder.
    pub(super) async fn confirm(&self) -> Result<(), SinkError> {
        match self.read().await? {
            Some(row) if row.holder == self.holder => Ok(()),
            row => Err(self.lost(row.as_ref())),
        }
    }

    /// What a decision means: where it was declined or is unknown, the row tells whether it is as was wanted.
    async fn settled(
        &self,
        decision: Decision,
        expected: i64,
        is_wanted: impl Fn(&StreamRow) -> bool,
    ) -> Result<(), SinkError> {
        if let Decision::Applied = decision {
            return Ok(());
        }
        match (self.read().await?, decision) {
            (Some(row), _) if row.holder == self.holder && is_wanted(&row) => Ok(()),
            (Some(row), Decision::Unknown(error)) if row.holder == self.holder => Err(error),
            (Some(row), _) if row.holder == self.holder => Err(self.elsewhere(&row, expected)),
            (row, _) => Err(self.lost(row.as_ref())),
        }
    }

    fn elsewhere(&self, row: &StreamRow, expected: i64) -> SinkError {
        SinkError::Refused(format!(
            "{} stands at epoch {} in cassandra, expected {expected}: nodes lost in a crash what they had acknowledged, or it was \
             changed by hand; start the stream again, and it goes on from there",
            self.model, row.epoch
        ))
    }

    fn lost(&self, row: Option<&StreamRow>) -> SinkError {
        let by = row.map_or_else(
            || "its entry in mep_streams is gone".to_owned(),
            |row| format!("it is streamed by {}", words(&row.holder, row.holder_since)),
        );
        SinkError::Lost(format!("{} was taken over: {by}", self.model))
    }

    fn out_of_order(&self, epoch: Epoch, committed: i64) -> SinkError {
        SinkError::Refused(format!(
            "{}: epoch {epoch} is not after epoch {committed}, which is committed",
            self.model
        ))
    }
}

/// An epoch as Cassandra keeps it: a number of an epoch is also the write timestamp of its rows.
pub(super) fn number(epoch: Epoch) -> Result<i64, SinkError> {
    i64::try_from(epoch.0)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| SinkError::Refused(format!("expected an epoch from 1 to 2^63-1, found {epoch}")))
}

/// A holder, in words.
pub(super) fn words(holder: &str, since: DateTime<Utc>) -> String {
    format!("{holder}, since {}", since.format("%Y-%m-%dT%H:%M:%SZ"))
}
