//! stream: streaming models, kept in step with their sources; and the same until they have caught up, for run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::arguments::{Global, StreamArguments};
use super::exit::Exit;
use super::stream_metrics;
use super::stream_view::View;
use super::terminal::{Terminal, count, plural};
use mep_app::AppError;
use mep_app::connect::{Sinks, Streaming, connect_streams};
use mep_app::is_streaming;
use mep_app::{Rendering, Workspace, cores, runtime};
use mep_contract::warehouse::Warehouse;
use mep_core::relation::Relation;
use mep_datafusion::Engine;
use mep_graph::Compiled;
use mep_lang::project::Problem;
use mep_local::warehouse::LocalWarehouse;
use mep_run::event::{NodeResult, Status};
use mep_stream::{Counts, Job, JobError, JobOptions, Progress, Reload, Until};

/// How often rows are written while a stream catches up.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// How long the ends of threads are waited for once the streams have ended.
const LAST_THREADS: Duration = Duration::from_millis(500);

/// Streams until told to stop.
///
/// # Errors
/// Where the streams cannot begin, or one of them ends early.
pub(super) fn stream(global: &Global, arguments: &StreamArguments) -> Result<Exit, AppError> {
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: None };
    let workspace = Workspace::open(&global.opening(), "stream", rendering)?;
    let nodes = workspace.select(arguments.selecting.selectors(), is_streaming)?;
    let compiled = workspace.compile(&nodes)?;
    let options = JobOptions {
        interval: Duration::from_secs(arguments.interval),
        interval_behind: CATCHING_UP,
        idle_after: Duration::from_secs(arguments.idle_after),
        threads: cores(),
        until: Until::Stopped,
        anew: arguments.full_refresh,
        refresh_after: Duration::from_secs(arguments.refresh_after),
        stands_by: arguments.wait,
    };
    let terminal = Terminal::new(global.log_format, global.quiet);
    let streams = Streams { workspace: &workspace, compiled: &compiled, nodes: &nodes };
    let speed = Some(arguments.speed).filter(|speed| *speed > 0.0);
    streams.run(options, speed, arguments.metrics, &terminal)?;
    Ok(Exit::Success)
}

/// The streaming models of a selection.
pub(super) struct Streams<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) compiled: &'a Compiled,
    pub(super) nodes: &'a BTreeSet<usize>,
}

impl Streams<'_> {
    /// Carries the streams on up to what their sources hold now.
    ///
    /// # Errors
    /// Where the streams cannot begin, or one of them ends early.
    pub(super) fn catch_up(&self, anew: bool, terminal: &Terminal) -> Result<Vec<NodeResult>, AppError> {
        let options = JobOptions {
            interval: CATCHING_UP,
            interval_behind: CATCHING_UP,
            // What the source holds is all there is: no partition is waited for.
            idle_after: Duration::from_secs(30),
            threads: cores(),
            until: Until::CaughtUp,
            anew,
            refresh_after: Duration::MAX,
            stands_by: false,
        };
        let began = Instant::now();
        let counts = self.run(options, None, None, terminal)?;
        let result = |index: &usize| {
            let node = self.workspace.graph.node(*index);
            let counts = counts.get(&node.name).copied().unwrap_or_default();
            let mut result = NodeResult::new(node.id.as_str(), &node.name, "streaming", Status::Success);
            result.rows = counts.written;
            result.rejected = counts.dead;
            result.in_time(began.elapsed())
        };
        Ok(self.nodes.iter().map(result).collect())
    }

    /// Carries the streams on, and says at the end what became of the events.
    ///
    /// # Errors
    /// Where the streams cannot begin, or one of them ends early: the others are ended, too.
    pub(super) fn run(
        &self,
        options: JobOptions,
        speed: Option<f64>,
        metrics: Option<std::net::SocketAddr>,
        terminal: &Terminal,
    ) -> Result<BTreeMap<String, Counts>, AppError> {
        let (engine, reload) = self.engine()?;
        let sinks = Sinks::of_target(self.workspace)?;
        let streaming = Streaming { sink: &|table| sinks.of(table), speed };
        let nodes = self.nodes.iter().copied();
        let mut jobs =
            connect_streams(&self.workspace.project, &self.workspace.graph, self.compiled, nodes, streaming)?;
        for job in &mut jobs {
            job.reload.clone_from(&reload);
            let names: Vec<&str> = job.models.iter().map(|model| model.spec.name.as_str()).collect();
            let place = job.models.first().map(|model| model.sink.describe()).unwrap_or_default();
            terminal.say(&format!("{} into {place}: {}", job.source.describe(), names.join(", ")));
        }
        terminal.end();
        let progress = Arc::new(Progress::default());
        let runtime = runtime()?;
        let outcome = runtime.block_on(async {
            if let Some(address) = metrics {
                let listening = stream_metrics::serve(address, progress.clone()).await;
                let address = listening.map_err(AppError::io(format!("listening on {address}")))?;
                terminal.say(&format!("metrics at http://{address}/metrics"));
            }
            let view = View::start(progress.clone(), terminal.is_live());
            let outcome = carry_on(jobs, &engine, options, progress.clone()).await;
            view.end();
            outcome
        });
        // A thread may still wait for a server that does not answer, and has nothing to do any more.
        if let Some(runtime) = Arc::into_inner(runtime) {
            runtime.shutdown_timeout(LAST_THREADS);
        }
        let counts: BTreeMap<String, Counts> =
            progress.now().models.into_iter().map(|(model, shown)| (model, shown.counts)).collect();
        for (model, counts) in &counts {
            let line = format!(
                "{model}: read {} = taken {} + late {} + dead {}; {} written",
                count(counts.read),
                count(counts.taken),
                count(counts.late),
                count(counts.dead),
                plural(counts.written, "row")
            );
            // What could not be read is told to whoever wants to hear of warnings alone, too.
            if counts.dead > 0 { terminal.warn(&line) } else { terminal.say(&line) }
        }
        for (source, early) in progress.now().early {
            terminal.warn(&format!(
                "{}  {source}: {} of the years before 1980, since `{}` is read as milliseconds since 1970; if it is in seconds, let what writes it write milliseconds, or a timestamp in ISO 8601 and declare it as timestamp",
                terminal.palette().warning(" warning"),
                plural(early.events, "event"),
                early.column
            ));
        }
        outcome.map(|()| counts)
    }

    /// The engine, which knows the tables that models join, and what makes it know them anew.
    fn engine(&self) -> Result<(Engine, Option<Arc<Reload>>), AppError> {
        let models = self.nodes.iter().filter_map(|index| self.compiled.models.get(index));
        let tables: BTreeSet<Relation> = models
            .filter_map(|model| model.stream.as_ref())
            .flat_map(|stream| stream.spec.query.tables.iter().cloned())
            .collect();
        if tables.is_empty() {
            // Streams alone need no warehouse, so that they go on where it is away.
            let nowhere: Arc<dyn Warehouse> = Arc::new(LocalWarehouse::new(&self.workspace.project.root));
            return Ok((self.workspace.engine(&nowhere)?, None));
        }
        let warehouse = self.workspace.warehouse()?;
        let engine = self.workspace.engine(&warehouse)?;
        for relation in &tables {
            let Some(table) = warehouse.read(relation)? else {
                let problem =
                    Problem::new(format!("a streaming model joins {relation}, which is not built yet"));
                return Err(problem
                    .help(format!("build it with: mep run --select {}", relation.name))
                    .into());
            };
            engine.register(relation, table)?;
        }
        let known = engine.clone();
        let reload = move || {
            for relation in &tables {
                let table = warehouse.read(relation).map_err(|error| error.to_string())?;
                let table = table.ok_or_else(|| format!("{relation} is there no more"))?;
                known.register(relation, table).map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        Ok((engine, Some(Arc::new(reload))))
    }
}

/// Carries all streams on; where one ends early, the others are told to stop.
async fn carry_on(
    jobs: Vec<Job>,
    engine: &Engine,
    options: JobOptions,
    progress: Arc<Progress>,
) -> Result<(), AppError> {
    let (stop, stopped) = watch::channel(false);
    let mut terminated = signal(SignalKind::terminate()).map_err(AppError::io("listening for signals"))?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(AppError::io("listening for signals"))?;
    // Side by side on this thread: what takes time is done on threads of its own.
    let mut running: FuturesUnordered<_> =
        jobs.iter().map(|job| job.run(engine, options, stopped.clone(), progress.clone())).collect();
    let mut outcome: Result<(), JobError> = Ok(());
    loop {
        tokio::select! {
            done = running.next() => {
                let Some(done) = done else { return outcome.map_err(AppError::from) };
                if let Err(error) = done {
                    let _ = stop.send(true);
                    outcome = outcome.and(Err(error));
                }
            }
            _ = terminated.recv() => { let _ = stop.send(true); }
            _ = interrupted.recv() => { let _ = stop.send(true); }
        }
    }
}
