//! run, build, test, seed and snapshot: what of a selection is landed, built, streamed and tested, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use super::connect::{connect, serving_store, unread_folders};
use super::empty;
use super::error::AppError;
use super::hooks::{ProjectHooks, in_lines};
use super::late::Answering;
use super::rejected::SourceRejects;
use super::run_command::RunCommand;
use super::streamed::{is_streaming, register_streamed};
use super::streams::Streams;
use super::workspace::{Selectors, Workspace, cores, runtime};
use mep_contract::serving::ServingStore;
use mep_contract::warehouse::Taken;
use mep_core::interrupt;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRange;
use mep_graph::{Answers, Compiled, Node, NodeIndex, NodeKind, NodeSet, tested_relation};
use mep_lang::project::Problems;
use mep_plan::Asked;
use mep_run::event::{Event, NodeResult, PlanCounts, Reporter, Status};
use mep_run::session::RunContext;
use mep_run::{RunOptions, Session, TestsRun, held, plan_landings};

/// What was asked for beside the selection.
#[derive(Clone, Copy, Debug)]
pub struct RunRequest {
    /// By which command.
    pub command: RunCommand,
    /// Build everything anew.
    pub full_refresh: bool,
    /// The logical date: the last day of which rows are landed.
    pub date: Option<NaiveDate>,
    /// Begin nothing more after a failure.
    pub fail_fast: bool,
    /// How long another run is waited for.
    pub wait: Duration,
    /// For which stretch of event time microbatch models are run.
    pub event_times: Option<TimeRange>,
}

/// A call of one of the commands.
pub struct Run<'a> {
    workspace: &'a Workspace,
    request: RunRequest,
    selected: NodeSet,
    work: SelectedWork,
}

/// What was selected, by how it is carried out.
#[derive(Default)]
struct SelectedWork {
    /// What is landed, built and tested.
    nodes: NodeSet,
    /// Streaming models that are carried on after that.
    streaming: NodeSet,
    /// Tests that read streaming models, which are run after that.
    tests_of_streams: NodeSet,
    /// What is left out, since nothing was selected.
    left_out: LeftOut,
}

/// What a call leaves out: streams are carried on where they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Streaming models.
    pub streaming: usize,
    /// Tests of these.
    pub tests: usize,
}

/// What came of landing, building and testing.
pub struct RunOutcome {
    /// A result for each node.
    pub results: Vec<NodeResult>,
    /// The rows of its sources that are rejected by now.
    pub rejected: Vec<SourceRejects>,
    /// What was built, as it is known to be with the lease.
    pub compiled: Compiled,
    /// What is wrong with those that do not compile, by their unique ids.
    pub broken: BTreeMap<String, Problems>,
    /// Those whose SQL follows from what their inputs hold, by their unique ids.
    late: BTreeSet<String>,
    /// The streaming models that can be carried on.
    streaming: NodeSet,
    /// Held until the artifacts are written.
    _lease: Option<Taken>,
}

impl RunOutcome {
    /// Whether a node failed.
    pub fn has_failed(&self) -> bool {
        self.results.iter().any(|result| result.status.is_failure())
    }

    /// Whether all that failed is what cannot be built of the project as it is written: the same call fails in the same way.
    pub fn fails_by_the_project_alone(&self) -> bool {
        // What is skipped is so because of another failure.
        let has_failed =
            |result: &&NodeResult| result.status.is_failure() && result.status != Status::Skipped;
        let mut failures = self.results.iter().filter(has_failed).peekable();
        failures.peek().is_some()
            && failures.all(|result| {
                self.broken.contains_key(&result.unique_id) && !self.late.contains(&result.unique_id)
            })
    }
}

impl<'a> Run<'a> {
    /// What is to be done with a selection.
    ///
    /// # Errors
    /// Where the words are wrong, or take nothing.
    pub fn of(
        workspace: &'a Workspace,
        selectors: Selectors<'_>,
        request: RunRequest,
    ) -> Result<Self, AppError> {
        let is_asked_for = !selectors.select.is_empty();
        let works_on = |node: &Node| request.command.works_on(node);
        let mut selected = match request.command {
            RunCommand::Run | RunCommand::Build => workspace.select_what_there_is(selectors, works_on)?,
            RunCommand::Test | RunCommand::Seed | RunCommand::Snapshot => {
                workspace.select(selectors, works_on)?
            }
        };
        if request.command == RunCommand::Snapshot && !is_asked_for {
            selected = needed_by_snapshots(workspace, selected);
        }
        if workspace.is_tried() {
            selected = empty::with_inputs(workspace, &selected);
        }
        let work = SelectedWork::of(workspace, &selected, is_asked_for && !workspace.is_tried());
        Ok(Self { workspace, request, selected, work })
    }

    /// What is landed, built and tested.
    pub fn nodes(&self) -> &NodeSet {
        &self.work.nodes
    }

    /// What is left out, since nothing was selected.
    pub fn left_out(&self) -> LeftOut {
        self.work.left_out
    }

    /// Compiles it, but for what is broken and what needs that.
    ///
    /// # Errors
    /// All that is wrong with the hooks of the run.
    pub fn compile(&self) -> Result<Compiled, AppError> {
        self.workspace.read_ahead(&self.selected);
        self.workspace.compile_unanswered(&self.workspace.with_tests_before_publish(&self.selected))
    }

    /// Lands, builds and tests.
    ///
    /// # Errors
    /// Where it cannot begin; what fails in it is told by the results.
    pub fn build(&self, compiled: Compiled, reporter: &dyn Reporter) -> Result<RunOutcome, AppError> {
        let Self { workspace, request, .. } = self;
        if self.work.nodes.is_empty() && !self.work.streaming.is_empty() {
            // Streams alone need no warehouse, and no lease of it.
            let results = self.unbuilt(&compiled, reporter);
            return Ok(self.outcome(results, Vec::new(), compiled, &NodeSet::new(), None));
        }
        let connected = |compiled: &Compiled| {
            let nodes = compiled.unbuilt.rest_of(&self.work.nodes);
            let landed = nodes.iter().copied();
            let sources = if workspace.is_tried() {
                empty::connect(workspace, compiled, landed)
            } else {
                connect(&workspace.project, &workspace.graph, compiled, landed)?
            };
            Ok::<_, AppError>((nodes, sources))
        };
        let (mut nodes, mut sources) = connected(&compiled)?;
        let warehouse = workspace.warehouse()?;
        // Tests alone write nothing but the rows that fail them, so that without these they may run beside a run.
        let lease = || workspace.lease_within(warehouse.as_ref(), request.wait, reporter);
        let keeps = |index: &NodeIndex| workspace.graph.node(*index).relation.is_some();
        let writes = request.command != RunCommand::Test || nodes.iter().any(keeps);
        let taken = if writes { Some(lease()?) } else { None };
        // Which tables are there, and with which columns, decides what models compile to.
        let is_old = taken.as_ref().is_some_and(|taken| taken.after_waiting);
        let compiled = if is_old { self.compile()? } else { compiled };
        if is_old {
            (nodes, sources) = connected(&compiled)?;
        }
        let nodes = &nodes;
        if workspace.is_tried() {
            empty::publish_in_place(workspace, &compiled, warehouse.as_ref())?;
        }
        let engine = workspace.engine(&warehouse)?;
        let runtime = runtime()?;
        let hooks = ProjectHooks::new(workspace, engine.clone(), runtime.clone());
        let context = workspace.run_context(&compiled, warehouse.as_ref(), &engine, &runtime);
        let serving = serving_store(workspace);
        let serving = serving.as_ref().map(|store| store as &dyn ServingStore);
        let session = self.session(RunContext { hooks: &hooks, serving, ..context }, nodes, reporter)?;
        hooks.before_run()?;
        reporter.report(Event::Began { nodes: nodes.len() });
        self.warn(reporter, !sources.is_empty() && !workspace.is_tried());
        let stored = |relation: &Relation| session.stored(relation);
        let asked = Asked { full_refresh: request.full_refresh, until: request.date, run: &workspace.run };
        let mut results = self.unbuilt(&compiled, reporter);
        let broken: NodeSet = compiled.unbuilt.broken.keys().copied().collect();
        if request.fail_fast && !broken.is_empty() {
            results.extend(session.never_rendered(nodes, &broken, &BTreeMap::new()));
            let rejected = SourceRejects::by_now(&session, &compiled, nodes);
            call_after(&hooks, &mut results, reporter);
            return Ok(self.outcome(results, rejected, compiled, &NodeSet::new(), taken));
        }
        let landing_plans = plan_landings(&sources, &stored, asked);
        let mut landings = session.land(&sources, landing_plans);
        let is_landed = landings.failed.is_empty();
        results.extend(landings.results);
        // What reads a model whose test is broken is not built, as after a test that fails.
        landings.failed.extend(broken);
        let (late, known): (NodeSet, NodeSet) =
            nodes.iter().partition(|index| compiled.late.contains_key(*index));
        if !request.fail_fast || is_landed {
            results.extend(self.carry_out(&session, &known, &landings.failed));
        }
        let rejected = SourceRejects::by_now(&session, &compiled, nodes);
        let mut after = None;
        if !late.is_empty() {
            let answering =
                Answering { engine: engine.clone(), runtime: runtime.clone(), built: BTreeSet::new() };
            let mut failed = landings.failed;
            failed.extend(self.failed(&results));
            let mut rounds = Rounds { answering, failed, results };
            after = self.go_on(ManuallyDrop::into_inner(session), &compiled, &mut rounds);
            results = rounds.results;
        }
        call_after(&hooks, &mut results, reporter);
        let compiled = after.unwrap_or(compiled);
        Ok(self.outcome(results, rejected, compiled, &late, taken))
    }

    fn outcome(
        &self,
        results: Vec<NodeResult>,
        rejected: Vec<SourceRejects>,
        compiled: Compiled,
        late: &NodeSet,
        lease: Option<Taken>,
    ) -> RunOutcome {
        let broken = compiled.unbuilt.broken.iter();
        let id = |index: NodeIndex| self.workspace.graph.node(index).id.as_str().to_owned();
        let broken = broken.map(|(index, problems)| (id(*index), problems.clone())).collect();
        let streaming = compiled.unbuilt.rest_of(&self.work.streaming);
        let late = late.iter().map(|index| id(*index)).collect();
        RunOutcome { results, rejected, compiled, broken, late, streaming, _lease: lease }
    }

    /// What comes of the nodes that cannot be built.
    fn unbuilt(&self, compiled: &Compiled, reporter: &dyn Reporter) -> Vec<NodeResult> {
        let graph = &self.workspace.graph;
        let unbuilt = compiled.unbuilt.told_of(&self.selected);
        let result = |index: NodeIndex, status, message: String| {
            let node = graph.node(index);
            NodeResult::new(node.id.as_str(), &node.shown_name(), node.shown_kind(), status).saying(message)
        };
        let broken = unbuilt.broken.iter();
        let broken = broken.map(|(index, problems)| result(*index, Status::Error, in_lines(problems)));
        let skipped = unbuilt.skipped.iter().map(|(index, of)| {
            result(*index, Status::Skipped, format!("because of {}", graph.node(*of).shown_name()))
        });
        let results: Vec<NodeResult> = broken.chain(skipped).collect();
        for result in &results {
            reporter.report(Event::Ended(result));
        }
        results
    }

    /// Carries out what is late: round after round, each with the SQL that the tables of the one before give. What was compiled last
    /// is given back.
    fn go_on<'x>(
        &'x self,
        session: Session<'x>,
        compiled: &'x Compiled,
        rounds: &mut Rounds,
    ) -> Option<Compiled> {
        let graph = &self.workspace.graph;
        let nodes = compiled.unbuilt.rest_of(&self.work.nodes);
        let late = nodes.iter().copied().filter(|index| compiled.late.contains_key(index));
        let late: NodeSet = late.collect();
        let ends = interrupt::is_requested() || self.request.fail_fast && !rounds.failed.is_empty();
        if late.is_empty() || ends {
            rounds.never_rendered(&session, &late, &BTreeMap::new());
            std::mem::forget(session);
            return None;
        }
        let mut built = NodeSet::new();
        for index in graph.ancestors(&self.selected, None) {
            let node = graph.node(index);
            let is_there = if node.is_inlined() {
                graph.parents(index).iter().all(|parent| built.contains(parent))
            } else {
                session.stored(&tested_relation(node)).is_some()
            };
            if is_there && !compiled.late.contains_key(&index) && !rounds.failed.contains(&index) {
                built.insert(index);
            }
        }
        let answering: Arc<dyn Answers> = Arc::new(Answering {
            built: built.iter().map(|index| tested_relation(graph.node(*index))).collect(),
            engine: rounds.answering.engine.clone(),
            runtime: rounds.answering.runtime.clone(),
        });
        let all = self.workspace.with_tests_before_publish(&self.selected);
        let next = self.workspace.compile_answered(&all, &answering);
        let problems = next.unbuilt.broken.iter();
        let problems: BTreeMap<NodeIndex, String> =
            problems.map(|(index, problems)| (*index, in_lines(problems))).collect();
        rounds.failed.extend(problems.keys());
        let is_known = |index: &NodeIndex| {
            next.models.contains_key(index)
                || next.snapshots.contains_key(index)
                || next.tests.contains_key(index)
        };
        let known: NodeSet = late.iter().copied().filter(is_known).collect();
        let still_late = |index: &NodeIndex| !known.contains(index) && next.late.contains_key(index);
        let broken: NodeSet =
            late.iter().copied().filter(|index| !known.contains(index) && !still_late(index)).collect();
        let session = session.over(&next);
        rounds.never_rendered(&session, &broken, &problems);
        if known.is_empty() && broken.is_empty() {
            rounds.never_rendered(&session, &late, &problems);
            std::mem::forget(session);
            return Some(next);
        }
        session.register_held(&known);
        let results = self.carry_out(&session, &known, &rounds.failed);
        rounds.failed.extend(self.failed(&results));
        rounds.results.extend(results);
        let after = self.go_on(session, &next, rounds);
        after.or(Some(next))
    }

    /// The nodes of results that are no success.
    fn failed(&self, results: &[NodeResult]) -> NodeSet {
        let is_failed = |result: &&NodeResult| result.cuts_off() || result.status == Status::Skipped;
        let failed: BTreeSet<&str> =
            results.iter().filter(is_failed).map(|result| result.unique_id.as_str()).collect();
        let nodes = self.workspace.graph.indexed();
        nodes.filter(|(_, node)| failed.contains(node.id.as_str())).map(|(index, _)| index).collect()
    }

    /// The streams to carry on after what was built, unless the run is over.
    pub fn streams<'s>(&'s self, built: &'s RunOutcome) -> Option<Streams<'s>> {
        let is_over = self.request.fail_fast && built.has_failed() || interrupt::is_requested();
        let streams =
            Streams { workspace: self.workspace, compiled: &built.compiled, nodes: &built.streaming };
        (!built.streaming.is_empty() && !is_over).then_some(streams)
    }

    /// Runs the tests of streams on what these have written by now; those that read what failed are left out.
    ///
    /// # Errors
    /// Where they cannot begin.
    pub fn test_streams(
        &self,
        built: &RunOutcome,
        reporter: &dyn Reporter,
    ) -> Result<Vec<NodeResult>, AppError> {
        let tests = &built.compiled.unbuilt.rest_of(&self.work.tests_of_streams);
        if tests.is_empty() {
            return Ok(Vec::new());
        }
        let failures = built.results.iter().filter(|result| result.status.is_failure());
        let failures: BTreeSet<&str> = failures.map(|result| result.unique_id.as_str()).collect();
        let nodes = self.workspace.graph.indexed();
        let is_failed = |node: &Node| !node.is_test() && failures.contains(node.id.as_str());
        let failed = nodes.filter(|(_, node)| is_failed(node)).map(|(index, _)| index).collect();
        let warehouse = self.workspace.warehouse()?;
        let (engine, runtime) = (self.workspace.engine(&warehouse)?, runtime()?);
        let context = self.workspace.run_context(&built.compiled, warehouse.as_ref(), &engine, &runtime);
        let session = self.session(context, tests, reporter)?;
        Ok(self.carry_out(&session, tests, &failed))
    }

    /// A session that knows what there is. The process ends with it: what it holds need not be taken apart piece by piece.
    fn session<'s>(
        &'s self,
        context: RunContext<'s>,
        nodes: &NodeSet,
        reporter: &'s dyn Reporter,
    ) -> Result<ManuallyDrop<Session<'s>>, AppError> {
        let Self { workspace, request, .. } = self;
        let options = RunOptions {
            full_refresh: request.full_refresh,
            fail_fast: request.fail_fast,
            threads: workspace.project.target.threads,
            cores: cores(),
            until: request.date,
            event_times: request.event_times,
            tests: match request.command {
                RunCommand::Build | RunCommand::Test => TestsRun::AsNodes,
                RunCommand::Run | RunCommand::Seed | RunCommand::Snapshot => TestsRun::BeforePublish,
            },
            views_of_project: request.command != RunCommand::Test,
            loads: workspace.loads(),
        };
        let read = workspace.with_tests_before_publish(nodes);
        let known = held(context.graph, context.warehouse, &read)?;
        let session = ManuallyDrop::new(Session::new(context, options, reporter, known));
        session.register_held(&read);
        let RunContext { compiled, engine, runtime, .. } = context;
        register_streamed(workspace, compiled, &tested(workspace, nodes), engine, runtime)?;
        Ok(session)
    }

    /// Builds and tests what is no source.
    fn carry_out(&self, session: &Session<'_>, nodes: &NodeSet, failed: &NodeSet) -> Vec<NodeResult> {
        let graph = &self.workspace.graph;
        let is_loaded = |index: &NodeIndex| session.compiled.seeds.contains_key(index);
        let is_source = |index: &NodeIndex| matches!(graph.node(*index).kind, NodeKind::Source { .. });
        let rest = nodes.iter().copied().filter(|index| is_loaded(index) || !is_source(index)).collect();
        let mut tables = session.tables();
        let planned = session.with_planner(|planner| planner.plan(&rest, &BTreeMap::new(), &mut tables));
        session.reporter.report(Event::Planned(&PlanCounts::of(graph, &planned)));
        session.carry_out(&planned, failed)
    }

    /// Tells what a user of these options, or with these folders, may not expect.
    fn warn(&self, reporter: &dyn Reporter, lands: bool) {
        let graph = &self.workspace.graph;
        if self.request.full_refresh {
            let snapshots = self.work.nodes.iter().map(|index| graph.node(*index));
            let names: Vec<&str> =
                snapshots.filter(|node| is_snapshot(node)).map(|node| node.name.as_str()).collect();
            if !names.is_empty() {
                let names = names.join(", ");
                reporter.report(Event::Warning(&format!(
                    "--full-refresh leaves snapshots as they are, since their past is nowhere else: {names}"
                )));
            }
        }
        for (path, folders) in lands.then(|| unread_folders(&self.workspace.project)).into_iter().flatten() {
            reporter.report(Event::Warning(&format!(
                "no source table reads {} in {}: declare it under `sources:`, or move it away",
                folders.join(", "),
                path.display()
            )));
        }
    }
}

impl SelectedWork {
    /// Nightly runs build tables; streams are carried on when they are asked for.
    fn of(workspace: &Workspace, selected: &NodeSet, is_asked_for: bool) -> Self {
        let is_stream = |index: &NodeIndex| is_streaming(workspace.graph.node(*index));
        let (streaming, nodes): (NodeSet, NodeSet) = selected.iter().copied().partition(is_stream);
        if streaming.is_empty() {
            return Self { nodes, ..Self::default() };
        }
        let reads_stream = |index: &NodeIndex| {
            workspace.graph.node(*index).is_test() && workspace.graph.parents(*index).iter().any(is_stream)
        };
        let (tests_of_streams, nodes): (NodeSet, NodeSet) = nodes.into_iter().partition(reads_stream);
        if is_asked_for {
            return Self { nodes, streaming, tests_of_streams, left_out: LeftOut::default() };
        }
        let left_out = LeftOut { streaming: streaming.len(), tests: tests_of_streams.len() };
        Self { nodes, left_out, ..Self::default() }
    }
}

/// What is known from one round of a run to the next.
struct Rounds {
    answering: Answering,
    /// What failed or was left out, so that what needs it is left out too.
    failed: NodeSet,
    results: Vec<NodeResult>,
}

impl Rounds {
    fn never_rendered(
        &mut self,
        session: &Session<'_>,
        nodes: &NodeSet,
        problems: &BTreeMap<NodeIndex, String>,
    ) {
        self.results.extend(session.never_rendered(nodes, &self.failed, problems));
        self.failed.extend(nodes);
    }
}

/// Calls what the project says after its runs.
fn call_after(hooks: &ProjectHooks<'_>, results: &mut Vec<NodeResult>, reporter: &dyn Reporter) {
    for result in hooks.after_run(results) {
        reporter.report(Event::Ended(&result));
        results.push(result);
    }
}

/// What the tests among these nodes read.
fn tested(workspace: &Workspace, nodes: &NodeSet) -> NodeSet {
    let tests = nodes.iter().filter(|index| workspace.graph.node(**index).is_test());
    tests.flat_map(|index| workspace.graph.parents(*index)).copied().collect()
}

/// The snapshots among these nodes, and the sources that they are taken of.
fn needed_by_snapshots(workspace: &Workspace, selected: NodeSet) -> NodeSet {
    let is_snapshot = |index: &NodeIndex| is_snapshot(workspace.graph.node(*index));
    let snapshots: NodeSet = selected.iter().copied().filter(is_snapshot).collect();
    let needed = workspace.graph.ancestors(&snapshots, None);
    selected.into_iter().filter(|index| needed.contains(index)).collect()
}

fn is_snapshot(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Snapshot { .. })
}
