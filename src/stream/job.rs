//! The loop of a stream: events of one source into the models that read it, an epoch at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::events::{EventBatch, Places, latest};
use super::model::{LiveModel, StreamModel, Taken, Taking, Written};
use super::progress::Progress;
use super::query::RunningQuery;
use super::reader::Reader;
use super::sink::{LEASE_BEAT, SinkError, Standing};
use super::writing::{PAUSE, Writing};
use crate::engine::{Engine, EngineError};
use crate::relation::Relation;
use crate::source::kafka::DeadLetters;
use crate::source::tail::{Offsets, Partition, Stream, Stretch, Unreadable};
use crate::source::{RowSchema, SourceError};

/// How long a look at the source waits for events.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// How long to go on trying to write once the stream is to stop. With what is done after it, a stream ends within ten seconds.
const LAST_TRY: Duration = Duration::from_secs(6);

/// About how many bytes of states and rows wait to be written, before that is waited for.
const WAITING_BYTES: usize = 256 << 20;

/// How long to try to give the leases back.
const RELEASE: Duration = Duration::from_secs(2);

/// Events of one source, and the models that read them.
pub struct Job {
    /// The source.
    pub source: Arc<dyn Stream>,
    /// The table that it lands in, by which SQL knows it.
    pub relation: Relation,
    /// The columns of its events.
    pub schema: RowSchema,
    /// The models.
    pub models: Vec<StreamModel>,
    /// Where events go that cannot be read.
    pub dead_letters: Option<Arc<DeadLetters>>,
    /// Makes the tables that models join known to the engine as they are now.
    pub reload: Option<Arc<Reload>>,
}

/// Makes tables known as they are now, or says why that cannot be.
pub type Reload = dyn Fn() -> Result<(), String> + Send + Sync;

/// How a stream is run.
#[derive(Clone, Copy, Debug)]
pub struct JobOptions {
    /// How long an epoch is.
    pub interval: Duration,
    /// How long it is while more waits to be read than an epoch of that length reads.
    pub interval_behind: Duration,
    /// After how long without events a partition no longer holds the watermark back.
    pub idle_after: Duration,
    /// Threads that take events.
    pub threads: usize,
    /// When it ends.
    pub until: Until,
    /// Whether to begin anew, with empty tables.
    pub anew: bool,
    /// After how long the tables that models join are read again.
    pub refresh_after: Duration,
}

/// When a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is told to.
    Stopped,
    /// When it has read what the source held as it began.
    CaughtUp,
}

/// Why a stream ended early. What was committed stays, and the next one goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A model's sink.
    #[error("{model}: {error}")]
    Sink {
        /// The model.
        model: String,
        /// What the sink says.
        error: SinkError,
    },
    /// A model's SQL.
    #[error("{model}: {error}")]
    Model {
        /// The model.
        model: String,
        /// What is wrong.
        error: EngineError,
    },
    /// A model's checkpoint.
    #[error("{model}: {reason}")]
    Checkpoint {
        /// The model.
        model: String,
        /// What is wrong.
        reason: String,
    },
    /// It was told to stop while something that it needs was away.
    #[error(
        "stopped while there was no answer from {0}: what was read last is not written, and the next stream reads it again"
    )]
    Unfinished(String),
    /// A thread that ended early.
    #[error("a worker ended early: {0}")]
    Worker(#[from] tokio::task::JoinError),
}

impl Job {
    /// Streams until it has caught up, or `stop` becomes true.
    ///
    /// # Errors
    /// Where the source cannot be read, a model fails, or its sink refuses or was taken over.
    pub async fn run(
        &self,
        engine: &Engine,
        options: JobOptions,
        stop: watch::Receiver<bool>,
        progress: Arc<Progress>,
    ) -> Result<(), JobError> {
        let given_up = given_up(stop.clone());
        let mut running = Running {
            job: self,
            options,
            stop,
            progress,
            read_before: 0,
            places: Places::default(),
            models: Vec::new(),
            writing: Writing::default(),
        };
        let outcome = tokio::select! {
            outcome = running.all(engine) => outcome,
            // Whatever it waits for: each call has patience of its own, and many may follow one another.
            () = given_up => Err(running.unfinished()),
        };
        // Who has no lease writes nothing.
        running.writing.stop().await;
        let leases = self.models.iter().map(|model| model.sink.release());
        // A lease that cannot be given back ends by itself.
        let _ = tokio::time::timeout(RELEASE, futures::future::join_all(leases)).await;
        outcome
    }
}

/// Ends when the stream was to stop, and had time to write.
async fn given_up(mut stop: watch::Receiver<bool>) {
    match stop.wait_for(|is_to_stop| *is_to_stop).await {
        Ok(_) => {}
        // Nobody is left who could stop it.
        Err(_) => std::future::pending().await,
    }
    tokio::time::sleep(LAST_TRY).await;
}

struct Running<'j> {
    job: &'j Job,
    options: JobOptions,
    stop: watch::Receiver<bool>,
    progress: Arc<Progress>,
    /// How many events were read before this epoch.
    read_before: u64,
    places: Places,
    models: Vec<LiveModel>,
    writing: Writing,
}

impl Running<'_> {
    async fn all(&mut self, engine: &Engine) -> Result<(), JobError> {
        let mut prepared: Vec<Option<Offsets>> = Vec::new();
        for model in &self.job.models {
            let standing = self.open(model).await?;
            let query = RunningQuery::new(engine, &model.spec.query, &self.job.relation).await;
            let query = query.map_err(|error| named(&model.spec.name, error))?;
            let (live, begun) = LiveModel::new(model, Arc::new(query), &standing)
                .map_err(|reason| JobError::Checkpoint { model: model.spec.name.clone(), reason })?;
            self.models.push(live);
            prepared.push(begun);
        }
        self.show();
        let mut beats = self.beats();
        let outcome = tokio::select! {
            outcome = self.stream(engine, prepared) => outcome,
            Some(lost) = beats.join_next() => Err(lost?),
        };
        beats.abort_all();
        outcome
    }

    async fn open(&self, model: &StreamModel) -> Result<Standing, JobError> {
        let opened = if self.options.anew {
            model.sink.open_anew().await.map(|()| Standing::default())
        } else {
            model.sink.open().await
        };
        opened.map_err(|error| JobError::Sink { model: model.spec.name.clone(), error })
    }

    /// What kept it from ending in time.
    fn unfinished(&self) -> JobError {
        let waiting = self.progress.now().waiting;
        if let Some(why) = waiting.get(&self.job.source.describe()) {
            return SourceError::Away(why.clone()).into();
        }
        let writing = self.job.models.iter().filter(|model| self.writing.is_under_way(&model.spec.name));
        let mut writing: Vec<&StreamModel> = writing.collect();
        // One that says why it waits comes first.
        writing.sort_by_key(|model| !waiting.contains_key(&model.spec.name));
        let Some(model) = writing.first() else { return JobError::Unfinished(self.job.source.describe()) };
        match waiting.get(&model.spec.name) {
            Some(why) => {
                JobError::Sink { model: model.spec.name.clone(), error: SinkError::Passing(why.clone()) }
            }
            None => JobError::Unfinished(model.sink.describe()),
        }
    }

    /// Keeps the leases, beside all else; ends when one is lost.
    fn beats(&self) -> JoinSet<JobError> {
        let mut beats = JoinSet::new();
        for model in &self.job.models {
            let model = model.clone();
            beats.spawn(async move {
                loop {
                    tokio::time::sleep(LEASE_BEAT).await;
                    if let Err(error @ (SinkError::Lost(_) | SinkError::Held { .. })) =
                        model.sink.renew().await
                    {
                        return JobError::Sink { model: model.spec.name.clone(), error };
                    }
                }
            });
        }
        beats
    }

    async fn stream(&mut self, engine: &Engine, prepared: Vec<Option<Offsets>>) -> Result<(), JobError> {
        self.know_source_again().await?;
        // An epoch that was begun is ended first, just as far as it was to read, each model's by itself.
        for (index, cut) in prepared.into_iter().enumerate() {
            if let Some(cut) = cut {
                self.replay(index, &cut).await?;
            }
        }
        let models: Vec<usize> = (0..self.models.len()).collect();
        let from = self.common_start();
        let mut cuts: BTreeMap<Partition, Vec<i64>> = BTreeMap::new();
        for model in &self.models {
            for (partition, next) in &model.cut {
                cuts.entry(partition.clone()).or_default().push(*next);
            }
        }
        let mut reader = Reader::start(self.job.source.clone(), from, cuts).await?;
        for model in &mut self.models {
            model.begin_at(&reader.starts);
        }
        let goal = match self.options.until {
            Until::CaughtUp => Some(reader.ends.clone()),
            Until::Stopped => None,
        };
        let outcome = self.go(engine, &models, &mut reader, goal.as_ref()).await;
        reader.end().await;
        outcome
    }

    /// Whether the source is the one that the models have read.
    async fn know_source_again(&self) -> Result<(), JobError> {
        let source = self.job.source.clone();
        let marks = self.models.iter().flat_map(|model| model.marks.clone()).collect::<BTreeSet<_>>();
        let marks: Vec<(Partition, String)> = marks.into_iter().collect();
        if marks.is_empty() {
            return Ok(());
        }
        tokio::task::spawn_blocking(move || source.know_again(&marks)).await??;
        Ok(())
    }

    /// For each partition, the first offset that some model has not read; none where a model begins with the partition.
    fn common_start(&self) -> Offsets {
        let mut from: Offsets = BTreeMap::new();
        for (partition, next) in self.models.iter().flat_map(|model| &model.cut) {
            from.entry(partition.clone()).and_modify(|first| *first = (*first).min(*next)).or_insert(*next);
        }
        from.retain(|partition, _| self.models.iter().all(|model| model.cut.contains_key(partition)));
        from
    }

    /// Ends an epoch that an earlier stream began.
    async fn replay(&mut self, index: usize, cut: &Offsets) -> Result<(), JobError> {
        let cuts = cut.iter().map(|(partition, next)| (partition.clone(), vec![*next])).collect();
        let from = self.models[index].cut.clone();
        let mut reader = Reader::start(self.job.source.clone(), from, cuts).await?;
        self.models[index].begin_at(&reader.starts);
        let mut letters = Vec::new();
        let outcome = loop {
            if self.models[index].has_reached(cut) {
                let ended = self.end_epoch(&[index], &mut letters, &BTreeSet::new()).await;
                break match ended {
                    Ok(()) => self.written().await,
                    Err(error) => Err(error),
                };
            }
            if self.is_stopped() {
                break Ok(());
            }
            let stretches = match reader.some(LOOK).await {
                Ok(stretches) => stretches,
                Err(error) => break Err(error),
            };
            let within =
                |stretch: &Stretch| cut.get(&stretch.partition).is_some_and(|end| stretch.to <= *end);
            let stretches = stretches.into_iter().filter(within).collect();
            match self.take(&[index], stretches).await {
                Ok(dead) => letters.extend(dead),
                Err(error) => break Err(error),
            }
        };
        reader.end().await;
        outcome
    }

    async fn go(
        &mut self,
        engine: &Engine,
        models: &[usize],
        reader: &mut Reader,
        goal: Option<&Offsets>,
    ) -> Result<(), JobError> {
        let mut letters = Vec::new();
        let (mut began, mut refreshed) = (Instant::now(), Instant::now());
        let mut heard: BTreeMap<Partition, Instant> = BTreeMap::new();
        loop {
            let stretches = reader.some(LOOK).await?;
            for stretch in &stretches {
                heard.insert(stretch.partition.clone(), Instant::now());
            }
            letters.extend(self.take(models, stretches).await?);
            self.look_at_writing()?;
            let is_last = self.is_stopped()
                || goal.is_some_and(|goal| self.models.iter().all(|model| model.has_reached(goal)));
            // While the epoch before is being written, this one goes on: what changes once more is written once.
            let is_due = began.elapsed() >= self.length_of_epoch(reader) && self.writing.is_over();
            if is_last || is_due || self.is_full() {
                let idle = self.idle(&heard, reader);
                self.end_epoch(models, &mut letters, &idle).await?;
                began = Instant::now();
                self.read_before = self.progress.lock().read;
                self.progress_of(reader);
                if is_last {
                    return self.written().await;
                }
                if refreshed.elapsed() >= self.options.refresh_after {
                    self.refresh(engine).await?;
                    refreshed = Instant::now();
                }
            }
        }
    }

    /// The partitions of which nothing came for a while, though nothing waits to be read either.
    fn idle(&self, heard: &BTreeMap<Partition, Instant>, reader: &Reader) -> BTreeSet<Partition> {
        let known = self.models.iter().flat_map(|model| model.cut.keys());
        let is_idle = |partition: &&Partition| {
            heard.get(*partition).map_or(reader.began, |heard| *heard).elapsed() >= self.options.idle_after
        };
        known.filter(is_idle).cloned().collect()
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Takes stretches into models, and gives what cannot be read.
    async fn take(
        &mut self,
        models: &[usize],
        stretches: Vec<Stretch>,
    ) -> Result<Vec<(Partition, Unreadable)>, JobError> {
        if stretches.is_empty() {
            return Ok(Vec::new());
        }
        let decoded = self.decode(stretches).await?;
        let mut letters = Vec::new();
        let mut is_sent: BTreeSet<(Partition, i64)> = BTreeSet::new();
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
            let nameless = model.add(rows, taken, &self.places).await;
            let nameless = nameless.map_err(|error| named(&model.spec.name, error))?;
            for ((place, offset), column) in nameless {
                let Some(partition) = self.places.partition(place) else { continue };
                let reason = format!("`{column}`, a column of the key of {}, is null", model.spec.name);
                letters.push(((**partition).clone(), Unreadable { offset, reason, payload: None }));
            }
            for one in wanted {
                model.counts.read += one.read;
                model.counts.dead += one.unreadable.len() as u64;
                if let Some(time) = one.latest {
                    model.latest.saw(&one.partition, time, chrono::Utc::now().timestamp_millis());
                }
                model.cut.insert(one.partition.clone(), one.to);
                if let Some(mark) = &one.mark {
                    model.marks.insert(one.partition.clone(), mark.clone());
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

    /// Reads the tables that models join again, between two epochs. Where they cannot be read, those that are known stay.
    async fn refresh(&mut self, engine: &Engine) -> Result<(), JobError> {
        let Some(reload) = &self.job.reload else { return Ok(()) };
        let reload = reload.clone();
        if let Err(why) = tokio::task::spawn_blocking(move || reload()).await? {
            tracing::warn!("the joined tables stay as they were read before: {why}");
            return Ok(());
        }
        for model in self.models.iter_mut().filter(|model| !model.spec.query.tables.is_empty()) {
            match RunningQuery::new(engine, &model.spec.query, &self.job.relation).await {
                Ok(query) => model.query = Arc::new(query),
                Err(error) => {
                    tracing::warn!(
                        "{}: joined tables stay as they were read before: {error}",
                        model.spec.name
                    );
                }
            }
        }
        Ok(())
    }

    /// Ends the epoch of models: what it gave is written beside the next one, once the one before is.
    async fn end_epoch(
        &mut self,
        models: &[usize],
        letters: &mut Vec<(Partition, Unreadable)>,
        idle: &BTreeSet<Partition>,
    ) -> Result<(), JobError> {
        self.written().await?;
        if let Some(dead) = &self.job.dead_letters
            && !letters.is_empty()
        {
            self.bury(dead, Arc::new(std::mem::take(letters))).await?;
        }
        letters.clear();
        for index in models {
            if self.models[*index].has_read() {
                let ended = self.models[*index].end_epoch(idle);
                self.writing.begin(*index, ended, self.progress.clone());
            }
        }
        Ok(())
    }

    /// Waits until the epochs that ended are written.
    async fn written(&mut self) -> Result<(), JobError> {
        while let Some(written) = self.writing.next().await {
            self.goes_on(written?);
        }
        Ok(())
    }

    /// Notes what has been written meanwhile.
    fn look_at_writing(&mut self) -> Result<(), JobError> {
        while let Some(written) = self.writing.try_next() {
            self.goes_on(written?);
        }
        Ok(())
    }

    fn goes_on(&mut self, (index, written): (usize, Written)) {
        let shown = self.models[index].go_on(written);
        self.progress.lock().models.insert(self.models[index].spec.name.clone(), shown);
    }

    /// How long an epoch is: longer while much waits to be read, since what changes many times is then written once.
    fn length_of_epoch(&self, reader: &Reader) -> Duration {
        let now = self.progress.lock();
        let left: i64 = reader
            .latest_ends()
            .iter()
            .map(|(partition, end)| {
                (end - now.partitions.get(partition).map_or(*end, |known| known.next)).max(0)
            })
            .sum();
        let is_far_behind = self.job.source.counts_by_offset() && left as u64 > now.read - self.read_before;
        drop(now);
        if is_far_behind {
            self.options.interval.max(self.options.interval_behind)
        } else {
            self.options.interval
        }
    }

    /// Whether so much waits to be written that nothing more is read before it is.
    fn is_full(&self) -> bool {
        self.models.iter().map(LiveModel::waiting_bytes).sum::<usize>() > WAITING_BYTES
    }

    /// Sends dead letters until they are safe: brokers that are away are waited for, as where events are read.
    async fn bury(
        &self,
        dead: &Arc<DeadLetters>,
        letters: Arc<Vec<(Partition, Unreadable)>>,
    ) -> Result<(), JobError> {
        let source = self.job.source.describe();
        loop {
            let (sender, sending) = (dead.clone(), letters.clone());
            match tokio::task::spawn_blocking(move || sender.send(&sending)).await? {
                Ok(()) => {
                    self.progress.lock().waiting.remove(&source);
                    return Ok(());
                }
                Err(SourceError::Away(why)) => {
                    tracing::warn!("{why}; trying again");
                    self.progress.lock().waiting.insert(source.clone(), why);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn show(&self) {
        let mut now = self.progress.lock();
        for model in &self.models {
            now.models.insert(model.spec.name.clone(), model.begun());
        }
    }

    fn progress_of(&self, reader: &Reader) {
        if !self.job.source.counts_by_offset() {
            return;
        }
        let mut now = self.progress.lock();
        for (partition, end) in reader.latest_ends() {
            now.partitions.entry(partition).or_default().end = Some(end);
        }
    }
}

fn named(model: &str, error: EngineError) -> JobError {
    JobError::Model { model: model.to_owned(), error }
}

/// Takes events on several threads.
async fn take_parallel(
    taking: &Taking,
    events: Vec<Arc<EventBatch>>,
    threads: usize,
) -> Result<Vec<Taken>, EngineError> {
    let share = events.len().div_ceil(threads.max(1)).max(1);
    let mut tasks = JoinSet::new();
    for share in events.chunks(share) {
        let (taking, share) = (taking.clone(), share.to_vec());
        tasks.spawn(async move { taking.take(&share).await });
    }
    let mut taken = Vec::new();
    while let Some(done) = tasks.join_next().await {
        taken.push(done??);
    }
    Ok(taken)
}

/// A stretch, decoded.
struct DecodedStretch {
    partition: Partition,
    from: i64,
    to: i64,
    mark: Option<String>,
    batches: Vec<Arc<EventBatch>>,
    unreadable: Vec<Unreadable>,
    read: u64,
    latest: Option<i64>,
}

impl DecodedStretch {
    fn of(stretch: Stretch, place: i32, schema: &RowSchema) -> Result<Self, SourceError> {
        let Stretch { partition, from, to, mark, events } = stretch;
        let decoded = events.decode()?;
        let wrong = |error: arrow::error::ArrowError| SourceError::unreadable(error.to_string());
        let (mut batches, mut latest_time) = (Vec::new(), None);
        for (rows, offsets) in decoded.batches {
            latest_time = latest_time.max(latest(schema, &rows).map_err(wrong)?);
            batches.push(Arc::new(EventBatch::new(schema, rows, place, offsets).map_err(wrong)?));
        }
        let (unreadable, read) = (decoded.unreadable, decoded.read);
        Ok(Self { partition, from, to, mark, batches, unreadable, read, latest: latest_time })
    }

    /// Whether a model that has read up to `cut` has not read this. No stretch goes across where a model began.
    fn is_news_to(&self, cut: &Offsets) -> bool {
        cut.get(&self.partition).is_none_or(|next| self.from >= *next)
    }
}
