//! Streaming models of a selection, carried on: until they have caught up with their sources, or until they are told to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::FusedFuture as _;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;

use super::connect::{Sinks, Streaming, connect_streams};
use super::error::AppError;
use super::workspace::{Workspace, cores};
use mep_contract::executor::Executor;
use mep_contract::warehouse::Warehouse;
use mep_core::relation::Relation;
use mep_datafusion::Engine;
use mep_graph::{Compiled, NodeIndex, NodeSet};
use mep_lang::project::Problem;
use mep_local::warehouse::LocalWarehouse;
use mep_run::event::{NodeResult, Status};
use mep_stream::{Counts, Job, JobError, JobOptions, Progress, Reload, Until};

/// How often rows are written while a stream catches up.
pub const CATCHING_UP: Duration = Duration::from_secs(10);

/// The streaming models of a selection.
#[derive(Clone, Copy)]
pub struct Streams<'a> {
    /// The project.
    pub workspace: &'a Workspace,
    /// What the models compile to.
    pub compiled: &'a Compiled,
    /// Which they are.
    pub nodes: &'a NodeSet,
}

/// Streams with their sources and places.
pub struct ConnectedStreams {
    /// One for each source.
    pub jobs: Vec<Job>,
    /// How far they are.
    pub progress: Arc<Progress>,
    engine: Engine,
}

/// How streams are carried on up to what their sources hold now.
pub fn catching_up(anew: bool) -> JobOptions {
    JobOptions {
        interval: CATCHING_UP,
        interval_behind: CATCHING_UP,
        // What the source holds is all there is: no partition is waited for.
        idle_after: Duration::from_secs(30),
        threads: cores(),
        until: Until::CaughtUp,
        anew,
        refresh_after: Duration::MAX,
        stands_by: false,
    }
}

impl Streams<'_> {
    /// Connects them; the simulator goes `speed` times as fast as the clock, or as fast as it is read.
    ///
    /// # Errors
    /// Where a source does not go on, a place of rows cannot be had, or a table that a model joins is not built yet.
    pub fn connect(&self, speed: Option<f64>) -> Result<ConnectedStreams, AppError> {
        let (engine, reload) = self.engine()?;
        let sinks = Sinks::of_target(self.workspace)?;
        let streaming = Streaming { sink: &|table| sinks.of(table), speed };
        let nodes = self.nodes.iter().copied();
        let mut jobs =
            connect_streams(&self.workspace.project, &self.workspace.graph, self.compiled, nodes, streaming)?;
        for job in &mut jobs {
            job.reload.clone_from(&reload);
        }
        Ok(ConnectedStreams { jobs, progress: Arc::default(), engine })
    }

    /// A result for each model, after they have caught up.
    pub fn results(&self, counts: &BTreeMap<String, Counts>, elapsed: Duration) -> Vec<NodeResult> {
        let result = |index: &NodeIndex| {
            let node = self.workspace.graph.node(*index);
            let counts = counts.get(&node.name).copied().unwrap_or_default();
            let mut result = NodeResult::new(node.id.as_str(), &node.name, "streaming", Status::Success);
            result.rows = counts.written;
            result.rejected = counts.dead;
            result.in_time(elapsed)
        };
        self.nodes.iter().map(result).collect()
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
            engine.register(relation, table.into())?;
        }
        let known = engine.clone();
        let reload = move || {
            for relation in &tables {
                let table = warehouse.read(relation).map_err(|error| error.to_string())?;
                let table = table.ok_or_else(|| format!("{relation} is no longer there"))?;
                known.register(relation, table.into()).map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        Ok((engine, Some(Arc::new(reload))))
    }
}

impl ConnectedStreams {
    /// Carries all of them on, until they are done or `told_to_end`; where one ends early, the others are ended too.
    ///
    /// # Errors
    /// The first reason for which one ended early.
    pub async fn carry_on(
        &self,
        options: JobOptions,
        told_to_end: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let (stop, stopped) = watch::channel(false);
        // Side by side on this thread: what takes time is done on threads of its own.
        let mut running: FuturesUnordered<_> = self
            .jobs
            .iter()
            .map(|job| job.run(&self.engine, options, stopped.clone(), self.progress.clone()))
            .collect();
        let mut outcome: Result<(), JobError> = Ok(());
        let mut told_to_end = std::pin::pin!(told_to_end.fuse());
        loop {
            tokio::select! {
                done = running.next() => {
                    let Some(done) = done else { return outcome.map_err(AppError::from) };
                    if let Err(error) = done {
                        let _ = stop.send(true);
                        outcome = outcome.and(Err(error));
                    }
                }
                () = &mut told_to_end, if !told_to_end.is_terminated() => {
                    let _ = stop.send(true);
                }
            }
        }
    }

    /// What became of the events of each model by now.
    pub fn counts(&self) -> BTreeMap<String, Counts> {
        self.progress.now().models.into_iter().map(|(model, shown)| (model, shown.counts)).collect()
    }
}
