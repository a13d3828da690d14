//! stream: streaming models, kept in step with their sources; and the same until they have caught up, for run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::arguments::{Global, StreamArguments};
use super::error::CommandError;
use super::exit::Exit;
use super::loaded::{Loaded, Rendering, cores, runtime};
use super::stream_metrics;
use super::stream_view::View;
use super::terminal::{Terminal, count, plural};
use mep_app::connect::{Streaming, cassandra_connection, connect_streams};
use mep_cassandra::{CassandraCluster, Owner};
use mep_contract::sink::{Sink, SinkTable};
use mep_contract::warehouse::{Holder, Warehouse};
use mep_core::relation::Relation;
use mep_datafusion::{Engine, EngineError};
use mep_graph::{Compiled, CompiledStream, Materialization, Node};
use mep_lang::project::{Problem, StreamingConfig, WarehouseConfig};
use mep_local::sink::LocalSink;
use mep_local::warehouse::LocalWarehouse;
use mep_run::event::{NodeResult, Status};
use mep_stream::{Counts, Job, JobError, JobOptions, Progress, Reload, StreamedTable, Until};

/// How often rows are written while a stream catches up.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// How long the ends of threads are waited for once the streams have ended.
const LAST_THREADS: Duration = Duration::from_millis(500);

/// Whether a node is a streaming model.
pub(super) fn is_streaming(node: &Node) -> bool {
    node.config.materialized == Materialization::Streaming
}

/// Streams until told to stop.
///
/// # Errors
/// Where the streams cannot begin, or one of them ends early.
pub(super) fn stream(global: &Global, arguments: &StreamArguments) -> Result<Exit, CommandError> {
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: None };
    let loaded = Loaded::new(global, "stream", rendering)?;
    let nodes = loaded.select(&arguments.selecting, is_streaming)?;
    let compiled = loaded.compile(&nodes)?;
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
    let streams = Streams { loaded: &loaded, compiled: &compiled, nodes: &nodes };
    let speed = Some(arguments.speed).filter(|speed| *speed > 0.0);
    streams.run(options, speed, arguments.metrics, &terminal)?;
    Ok(Exit::Success)
}

/// The streaming models of a selection.
pub(super) struct Streams<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) compiled: &'a Compiled,
    pub(super) nodes: &'a BTreeSet<usize>,
}

impl Streams<'_> {
    /// Carries the streams on up to what their sources hold now.
    ///
    /// # Errors
    /// Where the streams cannot begin, or one of them ends early.
    pub(super) fn catch_up(&self, anew: bool, terminal: &Terminal) -> Result<Vec<NodeResult>, CommandError> {
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
            let node = self.loaded.graph.node(*index);
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
    ) -> Result<BTreeMap<String, Counts>, CommandError> {
        let (engine, reload) = self.engine()?;
        let sinks = Sinks::of_target(self.loaded)?;
        let streaming = Streaming { sink: &|table| sinks.of(table), speed };
        let nodes = self.nodes.iter().copied();
        let mut jobs =
            connect_streams(&self.loaded.project, &self.loaded.graph, self.compiled, nodes, streaming)?;
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
                let address = listening.map_err(CommandError::io(format!("listening on {address}")))?;
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
        outcome.map(|()| counts)
    }

    /// The engine, which knows the tables that models join, and what makes it know them anew.
    fn engine(&self) -> Result<(Engine, Option<Arc<Reload>>), CommandError> {
        let models = self.nodes.iter().filter_map(|index| self.compiled.models.get(index));
        let tables: BTreeSet<Relation> = models
            .filter_map(|model| model.stream.as_ref())
            .flat_map(|stream| stream.spec.query.tables.iter().cloned())
            .collect();
        if tables.is_empty() {
            // Streams alone need no warehouse, so that they go on where it is away.
            let nowhere: Arc<dyn Warehouse> = Arc::new(LocalWarehouse::new(&self.loaded.project.root));
            return Ok((self.loaded.engine(&nowhere)?, None));
        }
        let warehouse = self.loaded.warehouse()?;
        let engine = self.loaded.engine(&warehouse)?;
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

/// Where rows of streaming models go.
pub(super) enum Sinks {
    Local(LocalWarehouse, Holder),
    Cassandra(Arc<CassandraCluster>, Owner),
}

impl Sinks {
    /// Where the target says that rows go.
    ///
    /// # Errors
    /// Where it does not say.
    pub(super) fn of_target(loaded: &Loaded) -> Result<Self, CommandError> {
        if let Some(StreamingConfig::Cassandra(config)) = &loaded.project.target.streaming {
            let owner = Owner {
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                pid: std::process::id(),
            };
            return Ok(Self::Cassandra(CassandraCluster::connect(cassandra_connection(config)), owner));
        }
        match &loaded.project.target.warehouse {
            WarehouseConfig::Local { path } => Ok(Self::Local(loaded.local_warehouse(path), loaded.holder())),
            WarehouseConfig::Hive(_) => {
                let target = &loaded.project.target;
                let message =
                    format!("the target `{}` does not say where streaming models write to", target.name);
                let problem = Problem::new(message).help("add `streaming:` to it in profiles.yml");
                Err(match &target.place {
                    Some(place) => problem.at(place),
                    None => problem,
                }
                .into())
            }
        }
    }

    /// The place of a table's rows.
    pub(super) fn of(&self, table: &SinkTable) -> Arc<dyn Sink> {
        match self {
            Self::Local(warehouse, holder) => {
                Arc::new(LocalSink::new(warehouse.clone(), table.clone(), holder.clone()))
            }
            Self::Cassandra(cluster, owner) => Arc::new(cluster.sink(table.clone(), owner.clone())),
        }
    }
}

/// Makes what streams keep outside the warehouse known to SQL, of these nodes; gives the names of what is known. A model that was
/// never streamed is not.
///
/// # Errors
/// Where it cannot be asked for.
pub(super) fn register_streamed(
    loaded: &Loaded,
    compiled: &Compiled,
    nodes: &BTreeSet<usize>,
    engine: &Engine,
    runtime: &tokio::runtime::Runtime,
) -> Result<BTreeSet<Relation>, CommandError> {
    let mut known = BTreeSet::new();
    let models = nodes.iter().filter_map(|index| compiled.models.get(index));
    let streams: Vec<&CompiledStream> = models.filter_map(|model| model.stream.as_ref()).collect();
    if streams.is_empty() || loaded.project.target.streaming.is_none() {
        return Ok(known);
    }
    let sinks = runtime.block_on(async { Sinks::of_target(loaded) })?;
    for stream in streams {
        let table = &stream.spec.table;
        let sink = sinks.of(table);
        let standing = runtime.block_on(sink.standing());
        let standing = standing.map_err(|error| JobError::Sink { model: stream.spec.name.clone(), error })?;
        if standing.committed.is_some() {
            let rows = Arc::new(StreamedTable::new(table, sink));
            engine.scope().register(&table.relation, rows).map_err(EngineError::from)?;
            known.insert(table.relation.clone());
        }
    }
    Ok(known)
}

/// Carries all streams on; where one ends early, the others are told to stop.
async fn carry_on(
    jobs: Vec<Job>,
    engine: &Engine,
    options: JobOptions,
    progress: Arc<Progress>,
) -> Result<(), CommandError> {
    let (stop, stopped) = watch::channel(false);
    let mut terminated =
        signal(SignalKind::terminate()).map_err(CommandError::io("listening for signals"))?;
    let mut interrupted =
        signal(SignalKind::interrupt()).map_err(CommandError::io("listening for signals"))?;
    // Side by side on this thread: what takes time is done on threads of its own.
    let mut running: FuturesUnordered<_> =
        jobs.iter().map(|job| job.run(engine, options, stopped.clone(), progress.clone())).collect();
    let mut outcome: Result<(), JobError> = Ok(());
    loop {
        tokio::select! {
            done = running.next() => {
                let Some(done) = done else { return outcome.map_err(CommandError::from) };
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
