//! What a run works with: the graph, the warehouse with its lease held, and what the tables are like by now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{NaiveDate, NaiveTime, Utc};
use parking_lot::Mutex;

use super::build::BuildError;
use super::by_key::KnownChange;
use super::event::Reporter;
use super::in_place::stored_of;
use super::unit_steps::Scratches;
use mep_contract::executor::keyed::ContentChange;
use mep_contract::executor::{EngineError, Executor};
use mep_contract::serving::ServingStore;
use mep_contract::source::LandingTable;
use mep_contract::warehouse::{Content, PartitionKey, RunId, TableVersion, Warehouse, WarehouseError};
use mep_core::interrupt;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRange;
use mep_graph::{
    Compiled, CompiledModel, Graph, Materialization, Node, NodeIndex, NodeSet, When, tested_relation,
};
use mep_plan::{BatchTimes, Planner, Tables, lies_by_day};
use mep_quality::Finding;

/// Which tests a run runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestsRun {
    /// Those that are nodes of the run, each with a result of its own.
    AsNodes,
    /// Only those that a table must pass before it is published.
    BeforePublish,
}

/// Which rows of seeds and loaded sources a run loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loads {
    /// All of them.
    #[default]
    AllRows,
    /// None: what a run does is tried over no rows.
    NoRows,
}

/// How a run is to be done.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Build everything anew.
    pub full_refresh: bool,
    /// Begin nothing more after a failure.
    pub fail_fast: bool,
    /// How many nodes run at once.
    pub threads: usize,
    /// How many threads read a source.
    pub cores: usize,
    /// The last day of which rows are landed, where there is one.
    pub until: Option<NaiveDate>,
    /// The stretch of event time for which microbatch models are run, where the user asked for one.
    pub event_times: Option<TimeRange>,
    /// Which tests are run.
    pub tests: TestsRun,
    /// Whether views are read as the project says, even where they are published otherwise or not yet: what is built
    /// over them is then what a full refresh would build.
    pub views_of_project: bool,
    /// Which rows of seeds and loaded sources are loaded.
    pub loads: Loads,
}

impl RunOptions {
    /// Those of a run that is looked at, and not carried out.
    pub fn looking(full_refresh: bool, until: Option<NaiveDate>, cores: usize) -> Self {
        Self {
            full_refresh,
            fail_fast: false,
            threads: 1,
            cores,
            until,
            event_times: None,
            tests: TestsRun::BeforePublish,
            views_of_project: true,
            loads: Loads::AllRows,
        }
    }

    /// What batches are due by.
    fn batch_times(&self) -> BatchTimes {
        let after = self.until.and_then(|until| until.succ_opt());
        let now = after.map_or_else(|| Utc::now().naive_utc(), |day| day.and_time(NaiveTime::MIN));
        BatchTimes { asked_for: self.event_times, now }
    }
}

/// What a run is carried out on.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// Its compiled nodes.
    pub compiled: &'a Compiled,
    /// Where tables live.
    pub warehouse: &'a dyn Warehouse,
    /// Where SQL is executed.
    pub engine: &'a dyn Executor,
    /// The threads of queries.
    pub runtime: &'a tokio::runtime::Runtime,
    /// The run's id.
    pub run: &'a RunId,
    /// Calls the hooks of nodes.
    pub hooks: &'a dyn CallsHooks,
    /// Makes what unit tests of steps run in.
    pub scratches: &'a dyn Scratches,
    /// Where tables are served by key; `None`: they are not.
    pub serving: Option<&'a dyn ServingStore>,
}

/// A hook that failed: what is wrong, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HookFailure(pub String);

/// Calls the hooks of nodes.
pub trait CallsHooks: Sync {
    /// Calls those of a node.
    ///
    /// # Errors
    /// Where one fails.
    fn call(&self, node: &Node, when: When) -> Result<(), HookFailure>;
}

/// There are none.
impl CallsHooks for () {
    fn call(&self, _: &Node, _: When) -> Result<(), HookFailure> {
        Ok(())
    }
}

/// A run.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use mep_contract::warehouse::WarehouseError;
/// use mep_graph::NodeSet;
/// use mep_run::event::{NodeResult, Reporter};
/// use mep_run::session::RunContext;
/// use mep_run::{RunOptions, Session, held};
///
/// /// Brings the tables of these nodes up to date with what has been landed.
/// fn run(
///     context: RunContext<'_>,
///     options: RunOptions,
///     reporter: &dyn Reporter,
///     nodes: &NodeSet,
/// ) -> Result<Vec<NodeResult>, WarehouseError> {
///     let known = held(context.graph, context.warehouse, nodes)?;
///     let session = Session::new(context, options, reporter, known);
///     session.register_held(nodes);
///     let mut tables = session.tables();
///     let plan = session.with_planner(|planner| planner.plan(nodes, &BTreeMap::new(), &mut tables));
///     Ok(session.carry_out(&plan, &NodeSet::new()))
/// }
/// ```
pub struct Session<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// Its compiled nodes.
    pub compiled: &'a Compiled,
    /// Where tables live.
    pub warehouse: &'a dyn Warehouse,
    /// Where SQL is executed.
    pub engine: &'a dyn Executor,
    /// The threads of queries.
    pub runtime: &'a tokio::runtime::Runtime,
    /// The run's id.
    pub run: &'a RunId,
    /// How it is done.
    pub options: RunOptions,
    /// Is told what happens.
    pub reporter: &'a dyn Reporter,
    /// Calls the hooks of nodes.
    pub(super) hooks: &'a dyn CallsHooks,
    /// Makes what unit tests of steps run in.
    pub(super) scratches: &'a dyn Scratches,
    /// Where tables are served by key.
    pub(super) serving: Option<&'a dyn ServingStore>,
    /// The tables whose new files were looked at for their keys before this run published them.
    keys_checked: Mutex<BTreeSet<Relation>>,
    /// What the warehouse held when the run began.
    pub(super) before: BTreeMap<Relation, Arc<TableVersion>>,
    held: Mutex<BTreeMap<Relation, Arc<TableVersion>>>,
    same: Mutex<BTreeMap<Relation, BTreeSet<PartitionKey>>>,
    /// Which rows of tables became others.
    changes: Mutex<BTreeMap<Relation, KnownChange>>,
    tables: Mutex<Tables>,
    /// What tests found before a publish, which need not be run again after it.
    tried: Mutex<BTreeMap<NodeIndex, Finding>>,
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The warehouse cannot be read: it is not taken for empty.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// A plan could not be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What the warehouse holds of these nodes and all that they need.
///
/// # Errors
/// Where a manifest cannot be read.
pub fn held(
    graph: &Graph,
    warehouse: &dyn Warehouse,
    nodes: &NodeSet,
) -> Result<BTreeMap<Relation, Arc<TableVersion>>, WarehouseError> {
    let needed = graph.ancestors(nodes, None);
    let stored: Vec<(&Node, &Relation)> = needed
        .iter()
        .filter_map(|index| Some((graph.node(*index), graph.node(*index).relation.as_ref()?)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut held = Vec::new();
        while let Some((node, relation)) = stored.get(next.fetch_add(1, Ordering::Relaxed)) {
            let table = stored_of(warehouse, node)?;
            held.extend(table.map(|table| ((*relation).clone(), Arc::new(table))));
        }
        Ok(held)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(stored.len());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut held = BTreeMap::new();
        for worker in workers {
            let read: Result<Vec<_>, WarehouseError> =
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            held.extend(read?);
        }
        Ok(held)
    })
}

impl<'a> Session<'a> {
    /// A run over a warehouse that holds `held`.
    pub fn new(
        context: RunContext<'a>,
        options: RunOptions,
        reporter: &'a dyn Reporter,
        held: BTreeMap<Relation, Arc<TableVersion>>,
    ) -> Self {
        let RunContext { graph, compiled, warehouse, engine, runtime, run, hooks, scratches, serving } =
            context;
        let mut tables = Tables::default();
        for (relation, table) in &held {
            tables.note(relation, table);
        }
        let (before, same, keys_checked) = (held.clone(), Mutex::default(), Mutex::default());
        let changes = Mutex::default();
        let (held, tables, tried) = (Mutex::new(held), Mutex::new(tables), Mutex::default());
        Self {
            graph,
            compiled,
            warehouse,
            engine,
            runtime,
            run,
            options,
            reporter,
            hooks,
            scratches,
            serving,
            keys_checked,
            before,
            held,
            same,
            changes,
            tables,
            tried,
        }
    }

    /// The run with what was compiled of it by now; it goes on from what it has done.
    #[must_use]
    pub fn over<'b>(self, compiled: &'b Compiled) -> Session<'b>
    where
        'a: 'b,
    {
        let session: Session<'b> = self;
        Session { compiled, ..session }
    }

    /// Makes what the warehouse holds known to SQL, what is read before what reads it. A view whose inputs are gone
    /// stays unknown: what reads it says so.
    pub fn register_held(&self, nodes: &NodeSet) {
        for index in self.graph.ancestors(nodes, None) {
            self.register(index);
        }
    }

    fn register(&self, index: NodeIndex) {
        let relation = tested_relation(self.graph.node(index));
        if let Some(table) = self.read_as(index)
            && let Err(error) = self.known(index, &relation, table)
        {
            tracing::debug!("{relation} cannot be read: {error}");
        }
    }

    /// Makes a table known to SQL.
    fn known(
        &self,
        index: NodeIndex,
        relation: &Relation,
        table: Arc<TableVersion>,
    ) -> Result<(), EngineError> {
        let landed = self.compiled.sources.get(&index).filter(|landed| lies_by_day(landed, &table));
        match landed.and_then(LandingTable::event_day) {
            Some(event_day) => self.engine.register_by_day(relation, table, event_day),
            None => self.engine.register(relation, table),
        }
    }

    /// What SQL finds under a node's name.
    fn read_as(&self, index: NodeIndex) -> Option<Arc<TableVersion>> {
        let node = self.graph.node(index);
        let is_view = node.config.materialized() == Materialization::View;
        match self.compiled.models.get(&index) {
            Some(model) if is_view && self.options.views_of_project => Some(Arc::new(self.view_of(model))),
            _ => self.stored(&tested_relation(node)),
        }
    }

    /// A view as this run publishes it.
    pub(super) fn view_of(&self, model: &CompiledModel) -> TableVersion {
        TableVersion::new(
            model.schema.clone(),
            Content::View { sql: model.sql.clone(), fingerprint: model.fingerprint.clone() },
            self.run.clone(),
        )
    }

    /// Notes what was published, so that SQL and plans see it.
    ///
    /// # Errors
    /// Where a view cannot be planned.
    pub fn published(&self, relation: &Relation, table: Arc<TableVersion>) -> Result<(), EngineError> {
        let mut nodes = self.graph.indexed();
        let node = nodes.find(|(_, node)| node.relation.as_ref() == Some(relation)).map(|(index, _)| index);
        match node {
            Some(index) => self.known(index, relation, table.clone())?,
            None => self.engine.register(relation, table.clone())?,
        }
        self.tables.lock().note(relation, &table);
        self.held.lock().insert(relation.clone(), table);
        self.register_views_over(node);
        Ok(())
    }

    /// A view is planned over the tables as they are when it is registered; so those over a new table are planned anew.
    fn register_views_over(&self, node: Option<NodeIndex>) {
        let mut above: NodeSet = node.iter().flat_map(|node| self.graph.children(*node)).copied().collect();
        while let Some(index) = above.pop_first() {
            let node = self.graph.node(index);
            if !node.is_inlined() {
                continue;
            }
            self.register(index);
            above.extend(self.graph.children(index));
        }
    }

    /// Notes that the keys of what differs from the table as it was before the run are as they should be.
    pub(super) fn note_keys_checked(&self, relation: &Relation) {
        self.keys_checked.lock().insert(relation.clone());
    }

    /// Whether the keys of what differs from these contents are known to be as they should be: whoever brought them had looked at theirs.
    pub(super) fn are_keys_checked(
        &self,
        relation: &Relation,
        contents: &[Option<Arc<TableVersion>>],
    ) -> bool {
        let before = self.before.get(relation);
        let is_before = |content: &Option<Arc<TableVersion>>| match (content, before) {
            (Some(content), Some(before)) => matches!(ContentChange::of(relation, content, before), Ok(None)),
            (None, None) => true,
            _ => false,
        };
        self.keys_checked.lock().contains(relation) && contents.iter().any(is_before)
    }

    /// Notes what a test found before a publish.
    pub(super) fn note_tried(&self, test: NodeIndex, finding: Finding) {
        self.tried.lock().insert(test, finding);
    }

    /// What a test found before a publish.
    pub(super) fn tried(&self, test: NodeIndex) -> Option<Finding> {
        self.tried.lock().get(&test).copied()
    }

    /// What the warehouse holds of a relation by now.
    pub fn stored(&self, relation: &Relation) -> Option<Arc<TableVersion>> {
        self.held.lock().get(relation).cloned()
    }

    /// The partitions that were published in this run with the content that they had before.
    pub(super) fn same(&self) -> BTreeMap<Relation, BTreeSet<PartitionKey>> {
        self.same.lock().clone()
    }

    /// Notes such partitions.
    pub(super) fn note_same(&self, relation: &Relation, keys: impl Iterator<Item = PartitionKey>) {
        self.same.lock().entry(relation.clone()).or_default().extend(keys);
    }

    /// Notes which rows of a table become others.
    pub(super) fn note_change(&self, relation: &Relation, change: KnownChange) {
        self.changes.lock().insert(relation.clone(), change);
    }

    /// Which rows of a table became others in this run, where that is known.
    pub(super) fn known_change(&self, relation: &Relation) -> Option<KnownChange> {
        self.changes.lock().get(relation).cloned()
    }

    /// Waits for work, or drops it once the run is asked to end: nothing points at what it wrote.
    pub(super) fn block_on<T, E: Into<BuildError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BuildError> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = interrupt::requested() => Err(BuildError::Interrupted),
                done = work => done.map_err(Into::into),
            }
        })
    }

    /// The tables as they are by now, for a plan.
    pub fn tables(&self) -> Tables {
        self.tables.lock().clone()
    }

    /// Works with a planner over what the warehouse holds by now.
    pub fn with_planner<T>(&self, plan: impl FnOnce(Planner<'_>) -> T) -> T {
        let stored = |relation: &Relation| self.stored(relation);
        plan(Planner {
            graph: self.graph,
            compiled: self.compiled,
            scope: self.engine.scope(),
            run: self.run,
            full_refresh: self.options.full_refresh,
            times: self.options.batch_times(),
            stored: &stored,
        })
    }
}
