//! The loop of a stream: events of one source into the models that read it, an epoch at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::checkpoint::encode_cut;
use super::events::{EventBatch, Places, latest};
use super::model::{LiveModel, StreamModel, Taken, Taking};
use super::progress::{ModelProgress, Progress};
use super::query::RunningQuery;
use super::reader::Reader;
use super::sink::{LEASE_BEAT, SinkError, Standing};
use crate::engine::{Engine, EngineError};
use crate::fail_point;
use crate::relation::Relation;
use crate::source::kafka::DeadLetters;
use crate::source::tail::{Offsets, Partition, Stream, Stretch, Unreadable};
use crate::source::{RowSchema, SourceError};

/// How long a look at the source waits for events.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// How long to go on trying to write once the stream is to stop. With what is done after it, a stream ends within ten seconds.
const LAST_TRY: Duration = Duration::from_secs(6);

/// How long to wait before what could not be done is tried again for the first time.
const PAUSE: Duration = Duration::from_millis(100);

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
            places: Places::default(),
            models: Vec::new(),
            writing: None,
        };
        let outcome = tokio::select! {
            outcome = running.all(engine) => outcome,
            // Whatever it waits for: each call has patience of its own, and many may follow one another.
            () = given_up => Err(running.unfinished()),
        };
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
    places: Places,
    models: Vec<LiveModel>,
    /// The model that is being written.
    writing: Option<String>,
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
        let writing = self.job.models.iter().find(|model| self.writing.as_ref() == Some(&model.spec.name));
        let Some(model) = writing else { return JobError::Unfinished(self.job.source.describe()) };
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
                break self.end_epoch(&[index], &mut letters, &BTreeSet::new()).await;
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
            let is_last = self.is_stopped()
                || goal.is_some_and(|goal| self.models.iter().all(|model| model.has_reached(goal)));
            if is_last || began.elapsed() >= self.options.interval {
                let idle = self.idle(&heard, reader);
                self.end_epoch(models, &mut letters, &idle).await?;
                began = Instant::now();
                self.progress_of(reader);
                if is_last {
                    return Ok(());
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

    /// Writes what models have of this epoch, and their checkpoints.
    async fn end_epoch(
        &mut self,
        models: &[usize],
        letters: &mut Vec<(Partition, Unreadable)>,
        idle: &BTreeSet<Partition>,
    ) -> Result<(), JobError> {
        if let Some(dead) = &self.job.dead_letters
            && !letters.is_empty()
        {
            self.bury(dead, Arc::new(std::mem::take(letters))).await?;
        }
        letters.clear();
        for index in models {
            if self.models[*index].has_read() {
                self.commit(*index, idle).await?;
            }
        }
        self.show();
        Ok(())
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

    async fn commit(&mut self, index: usize, idle: &BTreeSet<Partition>) -> Result<(), JobError> {
        let model = &self.models[index];
        let (sink, name) = (model.sink.clone(), model.spec.name.clone());
        let epoch = model.epoch.next();
        let cut = encode_cut(&model.cut);
        let output = model.settle().await.map_err(|error| named(&name, error))?;
        let checkpoint = model.checkpoint(&output, model.latest.watermark(idle));
        let checkpoint = checkpoint.map_err(|error| named(&name, error))?;
        let bytes = checkpoint
            .encode()
            .map_err(|error| JobError::Checkpoint { model: name.clone(), reason: error.to_string() })?;
        self.persist(&name, async || sink.prepare(epoch, &cut).await).await?;
        fail_point::reached("stream-prepared");
        if !output.upserts.is_empty() {
            self.persist(&name, async || sink.upsert(epoch, &output.upserts).await).await?;
        }
        if !output.deletes.is_empty() {
            self.persist(&name, async || sink.delete(epoch, &output.deletes).await).await?;
        }
        fail_point::reached("stream-rows");
        if !output.late.is_empty() {
            self.persist(&name, async || sink.keep_late(epoch, &output.late).await).await?;
        }
        fail_point::reached("stream-late");
        self.persist(&name, async || sink.commit(epoch, &bytes).await).await?;
        fail_point::reached("stream-committed");
        self.models[index].go_on(checkpoint);
        Ok(())
    }

    /// Calls a sink until it has done what it was asked for.
    async fn persist(
        &mut self,
        model: &str,
        call: impl AsyncFn() -> Result<(), SinkError>,
    ) -> Result<(), JobError> {
        let mut pause = PAUSE;
        self.writing = Some(model.to_owned());
        loop {
            match call().await {
                Ok(()) => {
                    self.progress.lock().waiting.remove(model);
                    self.writing = None;
                    return Ok(());
                }
                Err(SinkError::Passing(why)) => {
                    tracing::warn!("{model}: {why}; trying again");
                    self.progress.lock().waiting.insert(model.to_owned(), why);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(error) => return Err(JobError::Sink { model: model.to_owned(), error }),
            }
        }
    }

    fn show(&self) {
        let mut now = self.progress.lock();
        for model in &self.models {
            let closed_until = Some(model.closed_until).filter(|until| *until != i64::MIN);
            let (counts, open_windows) = (model.counts, model.open_windows());
            let shown = ModelProgress { counts, closed_until, open_windows, epoch: model.epoch.0 };
            now.models.insert(model.spec.name.clone(), shown);
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
    batches: Vec<Arc<EventBatch>>,
    unreadable: Vec<Unreadable>,
    read: u64,
    latest: Option<i64>,
}

impl DecodedStretch {
    fn of(stretch: Stretch, place: i32, schema: &RowSchema) -> Result<Self, SourceError> {
        let Stretch { partition, from, to, events } = stretch;
        let decoded = events.decode()?;
        let wrong = |error: arrow::error::ArrowError| SourceError::unreadable(error.to_string());
        let (mut batches, mut latest_time) = (Vec::new(), None);
        for (rows, offsets) in decoded.batches {
            latest_time = latest_time.max(latest(schema, &rows).map_err(wrong)?);
            batches.push(Arc::new(EventBatch::new(schema, rows, place, offsets).map_err(wrong)?));
        }
        let (unreadable, read) = (decoded.unreadable, decoded.read);
        Ok(Self { partition, from, to, batches, unreadable, read, latest: latest_time })
    }

    /// Whether a model that has read up to `cut` has not read this. No stretch goes across where a model began.
    fn is_news_to(&self, cut: &Offsets) -> bool {
        cut.get(&self.partition).is_none_or(|next| self.from >= *next)
    }
}
