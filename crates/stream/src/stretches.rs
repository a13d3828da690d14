//! Stretches of events into models: decoded once, and taken by each model that has not read them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::events::{EventBatch, latest};
use super::job::JobError;
use super::model::{TakenEvents, Taking};
use super::running::{Running, named};
use mep_contract::executor::EngineError;
use mep_contract::source::tail::{Offsets, StreamPartition, Stretch, UnreadableEvent};
use mep_contract::source::{RowSchema, SourceError};
use mep_datafusion::ended;

impl Running<'_> {
    /// Takes stretches into models, and gives what cannot be read.
    pub(super) async fn take(
        &mut self,
        models: &[usize],
        stretches: Vec<Stretch>,
    ) -> Result<Vec<(StreamPartition, UnreadableEvent)>, JobError> {
        if stretches.is_empty() {
            return Ok(Vec::new());
        }
        let decoded = self.decode(stretches).await?;
        let mut letters = Vec::new();
        let mut is_sent: BTreeSet<(StreamPartition, i64)> = BTreeSet::new();
        for index in models {
            let model = &mut self.models[*index];
            let wanted: Vec<&DecodedStretch> =
                decoded.iter().filter(|one| one.is_news_to(&model.cut)).collect();
            if wanted.is_empty() {
                continue;
            }
            let events: Vec<Arc<EventBatch>> =
                wanted.iter().flat_map(|one| one.batches.iter().cloned()).collect();
            let rows: u64 = events.iter().map(|batch| batch.len() as u64).sum();
            let taken = take_parallel(&model.taking(), events, self.options.threads).await;
            let taken = taken.map_err(|error| named(&model.spec.name, error))?;
            let keyless = model.add(rows, taken, &self.places).await;
            let keyless = keyless.map_err(|error| named(&model.spec.name, error))?;
            for ((place, offset), column) in keyless {
                let Some(partition) = self.places.partition(place) else { continue };
                let reason = format!("`{column}`, a column of the key of {}, is null", model.spec.name);
                letters.push(((**partition).clone(), UnreadableEvent { offset, reason, payload: None }));
            }
            for one in wanted {
                model.counts.read += one.read;
                model.counts.dead += one.unreadable.len() as u64;
                if let Some(time) = one.latest {
                    model.latest.saw(&one.partition, time, chrono::Utc::now().timestamp_millis());
                }
                model.cut.insert(one.partition.clone(), one.to);
                // One that has just come to be.
                model.committed.entry(one.partition.clone()).or_insert(one.from);
                if let Some(mark) = &one.mark {
                    model.marks.insert(one.partition.clone(), mark.clone());
                }
                if let (Some(limit), Some(letter)) = (&self.job.limit, one.unreadable.first())
                    && !(limit.allows)(model.counts.dead, model.counts.read)
                {
                    return Err(JobError::Rejected {
                        model: model.spec.name.clone(),
                        rejected: model.counts.dead,
                        read: model.counts.read,
                        limit: limit.said.clone(),
                        first: format!("{}@{}: {}", one.partition, letter.offset, letter.reason),
                    });
                }
                for letter in &one.unreadable {
                    if is_sent.insert((one.partition.clone(), letter.offset)) {
                        letters.push((one.partition.clone(), letter.clone()));
                    }
                }
            }
        }
        let mut now = self.progress.lock();
        now.read += decoded.iter().map(|one| one.read).sum::<u64>();
        let early = decoded.iter().map(|one| one.early).sum::<u64>();
        if early > 0
            && let Some(time) = self.job.schema.event_time_field()
        {
            let noted = now.early.entry(self.job.relation.to_string()).or_default();
            if noted.events == 0 {
                tracing::warn!(source = %self.job.relation, "{EARLY}, since `{}` is read as milliseconds", time.name());
            }
            noted.events += early;
            noted.column.clone_from(time.name());
        }
        for one in &decoded {
            let next = &mut now.partitions.entry(one.partition.clone()).or_default().next;
            *next = (*next).max(one.to);
        }
        Ok(letters)
    }

    async fn decode(&mut self, stretches: Vec<Stretch>) -> Result<Vec<DecodedStretch>, JobError> {
        let schema = Arc::new(self.job.schema.clone());
        let mut tasks = JoinSet::new();
        for stretch in stretches {
            let place = self.places.number(&stretch.partition);
            let schema = schema.clone();
            tasks.spawn(async move { DecodedStretch::of(stretch, place, &schema) });
        }
        let mut decoded = Vec::new();
        while let Some(done) = tasks.join_next().await {
            decoded.push(done??);
        }
        decoded.sort_by(|a, b| (&a.partition, a.from).cmp(&(&b.partition, b.from)));
        Ok(decoded)
    }
}

/// Takes events on several threads.
async fn take_parallel(
    taking: &Taking,
    events: Vec<Arc<EventBatch>>,
    threads: usize,
) -> Result<Vec<TakenEvents>, EngineError> {
    let share = events.len().div_ceil(threads.max(1)).max(1);
    let mut tasks = JoinSet::new();
    for share in events.chunks(share) {
        let (taking, share) = (taking.clone(), share.to_vec());
        tasks.spawn(async move { taking.take(&share).await });
    }
    let mut taken = Vec::new();
    while let Some(done) = tasks.join_next().await {
        taken.push(done.map_err(ended)??);
    }
    Ok(taken)
}

/// A stretch, decoded.
struct DecodedStretch {
    partition: StreamPartition,
    from: i64,
    to: i64,
    mark: Option<String>,
    batches: Vec<Arc<EventBatch>>,
    unreadable: Vec<UnreadableEvent>,
    read: u64,
    latest: Option<i64>,
    /// Events of the years before 1980, whose time is a number.
    early: u64,
}

/// What is said of a time in seconds that is read as milliseconds.
const EARLY: &str = "there are events of the years before 1980";

impl DecodedStretch {
    fn of(stretch: Stretch, place: i32, schema: &RowSchema) -> Result<Self, SourceError> {
        let Stretch { partition, from, to, mark, events } = stretch;
        let decoded = events.decode()?;
        let wrong = |error: arrow::error::ArrowError| SourceError::unreadable(error.to_string());
        let (mut batches, mut latest_time, mut early) = (Vec::new(), None, 0);
        for (rows, offsets) in decoded.batches {
            latest_time = latest_time.max(latest(schema, &rows).map_err(wrong)?);
            early += schema.early_events(&rows);
            batches.push(Arc::new(EventBatch::new(schema, rows, place, offsets).map_err(wrong)?));
        }
        let (unreadable, read) = (decoded.unreadable, decoded.read);
        Ok(Self { partition, from, to, mark, batches, unreadable, read, latest: latest_time, early })
    }

    /// Whether a model that has read up to `cut` has not read this. No stretch goes across where a model began.
    fn is_news_to(&self, cut: &Offsets) -> bool {
        cut.get(&self.partition).is_none_or(|next| self.from >= *next)
    }
}
