//! The loop of a stream: events of one source into the models that read it, an epoch at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::events::PartitionNumbers;
use super::group_commits::GroupCommits;
use super::job::{Job, JobError, JobOptions, Until};
use super::model::{LiveModel, StreamModel, WrittenEpoch};
use super::progress::Progress;
use super::reader::SourceReader;
use super::writing::Writing;
use mep_contract::executor::EngineError;
use mep_contract::sink::{LEASE_BEAT, SinkError, Standing};
use mep_contract::source::SourceError;
use mep_contract::source::tail::{Offsets, StreamPartition, Stretch, UnreadableEvent};
use mep_datafusion::{Engine, RunningQuery};

/// How long a look at the source waits for events.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// When a lease is renewed again that could not be.
const NEXT_TRY: Duration = Duration::from_millis(500);

/// How often it is noted where the source ends.
const NOTE_ENDS: Duration = Duration::from_secs(1);

/// About how many bytes of states and rows wait to be written, before that is waited for.
const WAITING_BYTES: usize = 256 << 20;

/// A stream that goes on.
pub(super) struct Running<'j> {
    pub(super) job: &'j Job,
    pub(super) options: JobOptions,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) progress: Arc<Progress>,
    /// How many events were read before this epoch.
    read_before: u64,
    pub(super) places: PartitionNumbers,
    pub(super) models: Vec<LiveModel>,
    writing: Writing,
    group_commits: Option<GroupCommits>,
    /// Tasks that keep the leases of the models that are open.
    beats: Mutex<JoinSet<()>>,
}

impl<'j> Running<'j> {
    /// A stream that has not begun.
    pub(super) fn new(
        job: &'j Job,
        options: JobOptions,
        stop: watch::Receiver<bool>,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            job,
            options,
            stop,
            progress,
            read_before: 0,
            places: PartitionNumbers::default(),
            models: Vec::new(),
            writing: Writing::default(),
            group_commits: None,
            beats: Mutex::default(),
        }
    }
}

impl Running<'_> {
    /// Opens the models and streams, and keeps their leases meanwhile.
    pub(super) async fn all(&mut self, engine: &Engine) -> Result<(), JobError> {
        let (loses, mut lost) = mpsc::channel(1);
        let outcome = tokio::select! {
            outcome = self.open_and_stream(engine, loses) => outcome,
            Some(lost) = lost.recv() => Err(lost),
        };
        self.beats().abort_all();
        outcome
    }

    fn beats(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.beats.lock()
    }

    async fn open_and_stream(
        &mut self,
        engine: &Engine,
        loses: mpsc::Sender<JobError>,
    ) -> Result<(), JobError> {
        let Some(opened) = self.open_all(&loses).await? else { return Ok(()) };
        let has_stood_by = opened.iter().any(|(_, after_another)| *after_another);
        let standings: Vec<Standing> = opened.into_iter().map(|(standing, _)| standing).collect();
        if has_stood_by {
            self.reload().await?;
        }
        let mut prepared: Vec<Option<Offsets>> = Vec::new();
        for (model, standing) in self.job.models.iter().zip(&standings) {
            let query = RunningQuery::new(engine, &model.spec.query, &self.job.relation).await;
            let query = query.map_err(|error| named(&model.spec.name, error))?;
            let (live, begun) = LiveModel::new(model, Arc::new(query), standing)
                .map_err(|reason| JobError::Checkpoint { model: model.spec.name.clone(), reason })?;
            self.models.push(live);
            prepared.push(begun);
        }
        drop(standings);
        self.show();
        self.group_commits = Some(GroupCommits::start(self.job.source.clone(), self.job.group.clone()));
        self.stream(engine, prepared).await
    }

    /// Where each model stands, and whether another instance had it before; `None` where this one was stopped while it stood by. Of
    /// instances that begin at once, the one that has the first model has all; one that stands by takes each after the one before, so that
    /// no two wait for each other.
    async fn open_all(
        &self,
        loses: &mpsc::Sender<JobError>,
    ) -> Result<Option<Vec<(Standing, bool)>>, JobError> {
        let all = &self.job.models;
        let alone = if self.options.stands_by { all.len() } else { all.len().min(1) };
        let (one_by_one, together) = all.split_at(alone);
        let open = async |model: &StreamModel| {
            let opened = self.open(model).await?;
            if opened.is_some() {
                self.keep_lease(model, loses.clone());
            }
            Ok::<_, JobError>(opened)
        };
        let mut opened = Vec::with_capacity(all.len());
        for model in one_by_one {
            let Some(standing) = open(model).await? else { return Ok(None) };
            opened.push(standing);
        }
        let rest: Option<Vec<_>> = try_join_all(together.iter().map(open)).await?.into_iter().collect();
        Ok(rest.map(|rest| {
            opened.extend(rest);
            opened
        }))
    }

    /// What kept it from ending in time.
    pub(super) fn unfinished(&self) -> JobError {
        let waiting = self.progress.now().waiting;
        if let Some(why) = waiting.get(&self.job.source.describe()) {
            return SourceError::Away(why.clone()).into();
        }
        let writing = self.job.models.iter().filter(|model| self.writing.is_under_way(&model.spec.name));
        let mut writing: Vec<&StreamModel> = writing.collect();
        // One that says why it waits comes first.
        writing.sort_by_key(|model| !waiting.contains_key(&model.spec.name));
        let Some(model) = writing.first() else {
            return match (&self.group_commits, self.job.models.first()) {
                (None, Some(model)) => JobError::NotBegun(model.sink.describe()),
                _ => JobError::Unfinished(self.job.source.describe()),
            };
        };
        match waiting.get(&model.spec.name) {
            Some(why) => {
                JobError::Sink { model: model.spec.name.clone(), error: SinkError::Passing(why.clone()) }
            }
            None => JobError::Unfinished(model.sink.describe()),
        }
    }

    /// Stops what is being written where it is.
    pub(super) async fn stop_writing(&mut self) {
        self.writing.stop().await;
    }

    /// Ends group_commits the source how far models are.
    pub(super) async fn end_group_commits(&mut self) {
        if let Some(group_commits) = self.group_commits.take() {
            group_commits.end().await;
        }
    }

    /// Keeps the lease of a model, beside all else; says when it is lost.
    fn keep_lease(&self, model: &StreamModel, loses: mpsc::Sender<JobError>) {
        let model = model.clone();
        self.beats().spawn(async move {
            let mut pause = LEASE_BEAT;
            loop {
                tokio::time::sleep(pause).await;
                pause = match model.sink.renew().await {
                    Err(error @ (SinkError::Lost(_) | SinkError::Held { .. })) => {
                        let lost = JobError::Sink { model: model.spec.name.clone(), error };
                        let _ = loses.send(lost).await;
                        return;
                    }
                    // The time until the next one is what is left of its life.
                    Err(SinkError::Passing(_)) => NEXT_TRY,
                    _ => LEASE_BEAT,
                };
            }
        });
    }

    async fn stream(&mut self, engine: &Engine, prepared: Vec<Option<Offsets>>) -> Result<(), JobError> {
        self.ask_source(async || self.know_source_again().await).await?;
        // An epoch that was begun is ended first, just as far as it was to read, each model's by itself.
        for (index, cut) in prepared.into_iter().enumerate() {
            if let Some(cut) = cut {
                self.replay(index, &cut).await?;
            }
        }
        let models: Vec<usize> = (0..self.models.len()).collect();
        let from = self.common_start();
        let mut cuts: BTreeMap<StreamPartition, Vec<i64>> = BTreeMap::new();
        for model in &self.models {
            for (partition, next) in &model.cut {
                cuts.entry(partition.clone()).or_default().push(*next);
            }
        }
        let reader = async || SourceReader::start(self.job.source.clone(), from.clone(), cuts.clone()).await;
        let mut reader = self.ask_source(reader).await?;
        for model in &mut self.models {
            model.begin_at(&reader.starts);
            if let Some(group_commits) = &self.group_commits {
                group_commits.commit(&model.spec.name, &model.committed);
            }
        }
        self.show();
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
        let marks: Vec<(StreamPartition, String)> = marks.into_iter().collect();
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
        let cuts: BTreeMap<StreamPartition, Vec<i64>> =
            cut.iter().map(|(partition, next)| (partition.clone(), vec![*next])).collect();
        let from = self.models[index].cut.clone();
        let reader = async || SourceReader::start(self.job.source.clone(), from.clone(), cuts.clone()).await;
        let mut reader = self.ask_source(reader).await?;
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
        reader: &mut SourceReader,
        goal: Option<&Offsets>,
    ) -> Result<(), JobError> {
        let mut letters = Vec::new();
        let (mut began, mut refreshed) = (Instant::now(), Instant::now());
        let mut noted = Instant::now();
        self.progress_of(reader);
        let mut heard: BTreeMap<StreamPartition, Instant> = BTreeMap::new();
        loop {
            let stretches = reader.some(LOOK).await?;
            for stretch in &stretches {
                heard.insert(stretch.partition.clone(), Instant::now());
            }
            letters.extend(self.take(models, stretches).await?);
            self.look_at_writing()?;
            if noted.elapsed() >= NOTE_ENDS {
                noted = Instant::now();
                self.progress_of(reader);
            }
            let is_last = self.is_stopped()
                || goal.is_some_and(|goal| self.models.iter().all(|model| model.has_reached(goal)));
            // While the epoch before is being written, this one goes on: what changes once more is written once.
            let is_due = began.elapsed() >= self.length_of_epoch(reader) && self.writing.is_over();
            if is_last || is_due || self.is_full() {
                let idle = self.idle(&heard, reader);
                self.end_epoch(models, &mut letters, &idle).await?;
                began = Instant::now();
                self.read_before = self.progress.lock().read;
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
    fn idle(
        &self,
        heard: &BTreeMap<StreamPartition, Instant>,
        reader: &SourceReader,
    ) -> BTreeSet<StreamPartition> {
        let known = self.models.iter().flat_map(|model| model.cut.keys());
        let is_idle = |partition: &&StreamPartition| {
            heard.get(*partition).map_or(reader.began, |heard| *heard).elapsed() >= self.options.idle_after
        };
        known.filter(is_idle).cloned().collect()
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Makes the tables that models join known as they are now; whether that could be done.
    async fn reload(&self) -> Result<bool, JobError> {
        let Some(reload) = self.job.reload.clone() else { return Ok(false) };
        let reloaded = tokio::task::spawn_blocking(move || reload()).await?;
        if let Err(why) = &reloaded {
            tracing::warn!("the joined tables stay as they were read before: {why}");
        }
        Ok(reloaded.is_ok())
    }

    /// Reads the tables that models join again, between two epochs. Where they cannot be read, those that are known stay.
    async fn refresh(&mut self, engine: &Engine) -> Result<(), JobError> {
        if !self.reload().await? {
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
        letters: &mut Vec<(StreamPartition, UnreadableEvent)>,
        idle: &BTreeSet<StreamPartition>,
    ) -> Result<(), JobError> {
        self.written().await?;
        if let Some(dead) = &self.job.dead_letters
            && !letters.is_empty()
        {
            self.send_dead_letters(dead, std::mem::take(letters)).await?;
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

    fn goes_on(&mut self, (index, written): (usize, WrittenEpoch)) {
        let model = &mut self.models[index];
        let shown = model.go_on(written);
        let name = model.spec.name.clone();
        if let Some(group_commits) = &self.group_commits {
            group_commits.commit(&name, &model.committed);
        }
        let mut now = self.progress.lock();
        now.committed.insert(name.clone(), model.committed.clone());
        now.models.insert(name, shown);
    }

    /// How long an epoch is: longer while much waits to be read, since what changes many times is then written once.
    fn length_of_epoch(&self, reader: &SourceReader) -> Duration {
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

    fn show(&self) {
        let mut now = self.progress.lock();
        for model in &self.models {
            now.models.insert(model.spec.name.clone(), model.begun());
            now.committed.insert(model.spec.name.clone(), model.committed.clone());
        }
    }

    fn progress_of(&self, reader: &SourceReader) {
        if !self.job.source.counts_by_offset() {
            return;
        }
        let mut now = self.progress.lock();
        for (partition, end) in reader.latest_ends() {
            now.partitions.entry(partition).or_default().end = Some(end);
        }
    }
}

pub(super) fn named(model: &str, error: EngineError) -> JobError {
    JobError::Model { model: model.to_owned(), error }
}
