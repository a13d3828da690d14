//! A model's sink: the instance that streams it, and what it knows for as long as it does.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::array::{
    Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

use super::checkpoint::{CHECKPOINTS, Checkpoints};
use super::connection::{Session, is_name};
use super::lease::{LEASES, Lease, Renewed};
use super::shape::{Shape, late_name};
use super::stream_row::{Known, STREAMS, StreamRow, Streams, number};
use super::writing::{RowStatement, TimestampAt, write_rows};
use super::{CassandraCluster, table};
use crate::fail_point;
use crate::stream::sink::{Epoch, LEASE_LIFE, LateEvent, Sink, SinkError, SinkTable, Standing};

/// The process that streams, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The machine.
    pub host: String,
    /// The process's id.
    pub pid: u32,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// The rows of a streaming model in Cassandra.
pub struct CassandraSink {
    cluster: Arc<CassandraCluster>,
    table: SinkTable,
    owner: Owner,
    state: Mutex<State>,
}

struct State {
    holder: Holder,
    open: Option<Arc<Open>>,
    known: Option<Known>,
    /// Whether the lease may be this instance's.
    asked: bool,
    /// When the lease was last known to be this instance's.
    renewed: Instant,
}

/// Who streams: no two are the same, not even those of one process one after the other.
#[derive(Clone)]
struct Holder {
    name: String,
    since: DateTime<Utc>,
}

impl Holder {
    fn new(owner: &Owner) -> Self {
        Self { name: format!("{owner} ({})", Uuid::now_v7()), since: Utc::now().trunc_subsecs(3) }
    }
}

/// What is made ready when a model is opened.
struct Open {
    shape: Shape,
    late: Shape,
    insert: RowStatement,
    delete: RowStatement,
    insert_late: RowStatement,
}

impl CassandraSink {
    pub(super) fn new(cluster: Arc<CassandraCluster>, table: SinkTable, owner: Owner) -> Self {
        let state = State {
            holder: Holder::new(&owner),
            open: None,
            known: None,
            asked: false,
            renewed: Instant::now(),
        };
        Self { cluster, table, owner, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing that can panic is done while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn model(&self) -> &str {
        &self.table.relation.name
    }

    fn holder(&self) -> Holder {
        self.state().holder.clone()
    }

    fn streams<'a>(&'a self, session: &'a Session, holder: &'a Holder) -> Streams<'a> {
        Streams { session, keyspace: self.cluster.keyspace(), model: self.model(), holder: &holder.name }
    }

    fn lease<'a>(&'a self, session: &'a Session, holder: &'a Holder) -> Lease<'a> {
        let (keyspace, model) = (self.cluster.keyspace(), self.model());
        Lease { session, keyspace, model, holder: &holder.name, since: holder.since }
    }

    fn checkpoints<'a>(&'a self, session: &'a Session) -> Checkpoints<'a> {
        Checkpoints { session, keyspace: self.cluster.keyspace(), model: self.model() }
    }

    fn not_open(&self) -> SinkError {
        SinkError::Refused(format!("{} is not open in cassandra", self.model()))
    }

    fn opened(&self) -> Result<Arc<Open>, SinkError> {
        self.state().open.clone().ok_or_else(|| self.not_open())
    }

    fn known(&self) -> Result<Known, SinkError> {
        self.state().known.clone().ok_or_else(|| self.not_open())
    }

    /// Once the model is lost nothing is written any more, and whoever opens it anew from here is another holder.
    fn forget(&self) {
        let mut state = self.state();
        (state.open, state.known, state.asked) = (None, None, false);
        state.holder = Holder::new(&self.owner);
    }

    fn noted<T>(&self, result: Result<T, SinkError>) -> Result<T, SinkError> {
        if let Err(SinkError::Lost(_)) = result {
            self.forget();
        }
        result
    }

    /// The lease, the model's row, and the table made ready.
    async fn take(&self, anew: bool) -> Result<StreamRow, SinkError> {
        let (shape, late) = (Shape::of(&self.table)?, Shape::of_late(self.model()));
        self.check_names(&late.name)?;
        let session = self.cluster.session().await?;
        let holder = self.holder();
        let lease = self.lease(session, &holder);
        self.state().asked = true;
        lease.take().await?;
        self.state().renewed = Instant::now();
        let taken = self.take_table(session, &holder, shape, late, anew).await;
        if let Err(SinkError::Refused(_) | SinkError::Lost(_)) = taken {
            // Others need not wait for what this instance will not do.
            let _ = lease.release().await;
            self.forget();
        }
        taken
    }

    async fn take_table(
        &self,
        session: &Session,
        holder: &Holder,
        shape: Shape,
        late: Shape,
        anew: bool,
    ) -> Result<StreamRow, SinkError> {
        let keyspace = self.cluster.keyspace();
        let streams = self.streams(session, holder);
        if streams.read().await?.is_none() {
            self.check_not_foreign(session, &[&shape, &late]).await?;
        }
        let row = streams.take_over(holder.since, anew).await?;
        {
            let _one_at_a_time = self.cluster.schema.lock().await;
            if row.clearing {
                table::drop(session, keyspace, &shape.name).await?;
                table::drop(session, keyspace, &late.name).await?;
            }
            table::make(session, keyspace, &shape).await?;
            table::make(session, keyspace, &late).await?;
        }
        if row.clearing {
            streams.cleared().await?;
        }
        let open = self.prepare_statements(session, shape, late).await?;
        let mut state = self.state();
        state.open = Some(Arc::new(open));
        state.known = Some(Known::of(&row));
        Ok(row)
    }

    fn check_names(&self, late: &str) -> Result<(), SinkError> {
        let model = self.model();
        if [STREAMS, LEASES, CHECKPOINTS].contains(&model) {
            return Err(SinkError::Refused(format!(
                "{model} is a table of mep's own in cassandra; give the model another name"
            )));
        }
        if !is_name(model) || !is_name(late) {
            return Err(SinkError::Refused(format!(
                "a table of cassandra has at most 48 letters, digits and `_`, and `{model}` needs the name `{late}` too; \
                 give the model a shorter or simpler name"
            )));
        }
        Ok(())
    }

    /// A table that mep has no note of is somebody else's.
    async fn check_not_foreign(&self, session: &Session, shapes: &[&Shape]) -> Result<(), SinkError> {
        for shape in shapes {
            if table::find(session, self.cluster.keyspace(), &shape.name).await?.is_some() {
                return Err(SinkError::Refused(format!(
                    "{}.{} is in cassandra already, and mep did not make it; drop it, or give the model another name",
                    self.cluster.keyspace(),
                    shape.name
                )));
            }
        }
        Ok(())
    }

    async fn prepare_statements(
        &self,
        session: &Session,
        shape: Shape,
        late: Shape,
    ) -> Result<Open, SinkError> {
        let keyspace = self.cluster.keyspace();
        let all = |shape: &Shape| shape.columns.iter().map(|column| column.name.clone()).collect();
        let doing = format!("write rows of {}", shape.name);
        let insert = RowStatement {
            statement: session.prepare(&doing, &shape.insert(keyspace)).await?,
            columns: all(&shape),
            timestamp_at: TimestampAt::End,
        };
        let delete = RowStatement {
            statement: session.prepare(&doing, &shape.delete(keyspace)).await?,
            columns: shape.key().into_iter().map(str::to_owned).collect(),
            timestamp_at: TimestampAt::Start,
        };
        let insert_late = RowStatement {
            statement: session.prepare(&doing, &late.insert(keyspace)).await?,
            columns: all(&late),
            timestamp_at: TimestampAt::End,
        };
        Ok(Open { shape, late, insert, delete, insert_late })
    }

    /// Deletes checkpoints that nothing points at. What cannot be deleted now is tried again after the next commit.
    async fn clean(&self, session: &Session) {
        let Ok(known) = self.known() else { return };
        for id in known.stale_checkpoints {
            match self.checkpoints(session).delete(id).await {
                Ok(()) => {
                    if let Some(known) = &mut self.state().known {
                        known.stale_checkpoints.retain(|stale| *stale != id);
                    }
                }
                Err(error) => tracing::warn!("{error}; it is tried again"),
            }
        }
    }

    /// Rows are written without a condition. An instance that slept for longer than its lease lasts asks before it writes.
    async fn confirm_awake(&self) -> Result<(), SinkError> {
        let renewed = self.state().renewed;
        if renewed.elapsed() < LEASE_LIFE { Ok(()) } else { self.renew().await }
    }
}

#[async_trait]
impl Sink for CassandraSink {
    fn describe(&self) -> String {
        format!("{}.{} in {}", self.cluster.keyspace(), self.model(), self.cluster.connection.describe())
    }

    async fn open(&self) -> Result<Standing, SinkError> {
        let row = self.take(false).await?;
        let session = self.cluster.session().await?;
        let committed = match (number_of(row.epoch), row.checkpoint) {
            (Some(epoch), Some(id)) => {
                let (chunks, bytes) = (row.chunks.unwrap_or_default(), row.bytes.unwrap_or_default());
                Some((epoch, self.checkpoints(session).read(id, chunks, bytes).await?))
            }
            _ => None,
        };
        let prepared = row.prepared_epoch.and_then(number_of);
        let prepared = prepared.map(|epoch| (epoch, row.prepared_cut.unwrap_or_default()));
        self.clean(session).await;
        Ok(Standing { committed, prepared })
    }

    async fn open_anew(&self) -> Result<(), SinkError> {
        self.take(true).await?;
        let session = self.cluster.session().await?;
        self.clean(session).await;
        Ok(())
    }

    async fn renew(&self) -> Result<(), SinkError> {
        self.opened()?;
        let session = self.cluster.session().await?;
        let holder = self.holder();
        let lease = self.lease(session, &holder);
        let asked = Instant::now();
        match lease.renew().await? {
            Renewed::Kept => {}
            Renewed::TakenAgain => {
                let confirmed = self.streams(session, &holder).confirm().await;
                if let Err(SinkError::Lost(_)) = confirmed {
                    let _ = lease.release().await;
                }
                self.noted(confirmed)?;
            }
            Renewed::Lost(by) => {
                let lost =
                    SinkError::Lost(format!("{} was taken over: it is streamed by {by}", self.model()));
                return self.noted(Err(lost));
            }
        }
        self.state().renewed = asked;
        Ok(())
    }

    async fn prepare(&self, epoch: Epoch, cut: &[u8]) -> Result<(), SinkError> {
        let known = self.known()?;
        let session = self.cluster.session().await?;
        let holder = self.holder();
        self.noted(self.streams(session, &holder).prepare(&known, epoch, cut).await)
    }

    async fn upsert(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.confirm_awake().await?;
        let open = self.opened()?;
        let session = self.cluster.session().await?;
        write_rows(session, &open.shape, &open.insert, number(epoch)?, rows).await
    }

    async fn delete(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.confirm_awake().await?;
        let open = self.opened()?;
        let session = self.cluster.session().await?;
        write_rows(session, &open.shape, &open.delete, number(epoch)?, rows).await
    }

    async fn keep_late(&self, epoch: Epoch, events: &[LateEvent]) -> Result<(), SinkError> {
        self.confirm_awake().await?;
        let open = self.opened()?;
        let session = self.cluster.session().await?;
        let number = number(epoch)?;
        let rows = late_rows(number, events)
            .map_err(|error| SinkError::Refused(format!("{}: {error}", late_name(self.model()))))?;
        write_rows(session, &open.late, &open.insert_late, number, &[rows]).await
    }

    async fn commit(&self, epoch: Epoch, checkpoint: &[u8]) -> Result<(), SinkError> {
        let known = self.known()?;
        if number(epoch)? == known.epoch {
            return Ok(());
        }
        let session = self.cluster.session().await?;
        let holder = self.holder();
        let chunks = self.checkpoints(session).write(known.next_checkpoint, checkpoint).await?;
        fail_point::reached("cassandra:checkpoint_chunks");
        let bytes = checkpoint.len() as i64;
        let committed = self.streams(session, &holder).commit(&known, epoch, chunks, bytes).await;
        let known = self.noted(committed)?;
        self.state().known = Some(known);
        self.clean(session).await;
        Ok(())
    }

    async fn release(&self) -> Result<(), SinkError> {
        if !self.state().asked {
            return Ok(());
        }
        let session = self.cluster.session().await?;
        let holder = self.holder();
        self.lease(session, &holder).release().await?;
        self.forget();
        Ok(())
    }
}

/// An epoch that Cassandra kept; 0 stands for none.
fn number_of(epoch: i64) -> Option<Epoch> {
    u64::try_from(epoch).ok().filter(|epoch| *epoch > 0).map(Epoch)
}

/// Late events as rows of their table.
fn late_rows(epoch: i64, events: &[LateEvent]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = Schema::new(vec![
        Field::new("epoch", DataType::Int64, false),
        Field::new("topic", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("window", DataType::Timestamp(TimeUnit::Millisecond, None), false),
    ]);
    RecordBatch::try_new_with_options(
        Arc::new(schema),
        vec![
            Arc::new(Int64Array::from_value(epoch, events.len())),
            Arc::new(StringArray::from_iter_values(events.iter().map(|event| &event.topic))),
            Arc::new(events.iter().map(|event| Some(event.partition)).collect::<Int32Array>()),
            Arc::new(events.iter().map(|event| Some(event.offset)).collect::<Int64Array>()),
            Arc::new(events.iter().map(|event| Some(event.window)).collect::<TimestampMillisecondArray>()),
        ],
        &RecordBatchOptions::new().with_row_count(Some(events.len())),
    )
}
