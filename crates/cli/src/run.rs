//! run, build, test, seed and snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use super::arguments::{Global, RunArguments, TextOrJson};
use super::exit::Exit;
use super::interrupted::{Recorder, interruptible};
use super::plan::in_short;
use super::rejected::RejectedOf;
use super::stream::Streams;
use super::terminal::{Terminal, plural, rejected_lines, summary};
use mep_app::AppError;
use mep_app::RunCommand;
use mep_app::connect::{connect, unread_folders};
use mep_app::{Rendering, Workspace, cores, runtime};
use mep_app::{is_streaming, register_streamed};
use mep_artifacts as artifacts;
use mep_contract::warehouse::{Taken, Warehouse};
use mep_core::interrupt;
use mep_datafusion::Engine;
use mep_graph::{Compiled, Node, NodeKind};
use mep_plan::Asked;
use mep_run::event::{Event, NodeResult, Reporter};
use mep_run::{RunOptions, Session, TestsRun, held, plan_landings};

/// Runs.
///
/// # Errors
/// Where the run cannot begin; what fails in it is told by its results.
pub(super) fn run(global: &Global, arguments: &RunArguments, doing: RunCommand) -> Result<Exit, AppError> {
    let began = Instant::now();
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: arguments.date };
    let workspace = Workspace::open(&global.opening(), doing.word(), rendering)?;
    let selected = workspace.select(arguments.selecting.selectors(), |node| doing.works_on(node))?;
    let selected = match doing {
        RunCommand::Snapshot if arguments.selecting.select.is_empty() => {
            needed_by_snapshots(&workspace, selected)
        }
        _ => selected,
    };
    workspace.read_ahead(&selected);
    let compiled = workspace.compile(&workspace.with_tests_before_publish(&selected))?;
    let work = Work::of(&workspace, &selected, !arguments.selecting.select.is_empty());
    let terminal = Terminal::new(global.log_format, global.quiet);
    let recorder = Recorder::new(&terminal);
    let running =
        Running { workspace: &workspace, arguments, doing, terminal: &terminal, recorder: &recorder };
    let told = || recorder.told(&workspace.graph, &work.nodes);
    let mut built = if work.nodes.is_empty() && !work.streaming.is_empty() {
        // Streams alone need no warehouse, and no lease of it.
        Built { results: Vec::new(), rejected: Vec::new(), compiled, _lease: None }
    } else {
        interruptible(&terminal, told, || running.build(&selected, &work.nodes, compiled))?
    };
    let is_over =
        |built: &Built| arguments.fail_fast && has_failed(&built.results) || interrupt::is_requested();
    if !work.streaming.is_empty() && !is_over(&built) {
        let streams = Streams { workspace: &workspace, compiled: &built.compiled, nodes: &work.streaming };
        built.results.extend(streams.catch_up(arguments.full_refresh, &terminal)?);
        if !work.tests_of_streams.is_empty() {
            let results = running.test(&built, &work.tests_of_streams)?;
            built.results.extend(results);
        }
    }
    terminal.end();
    let elapsed = began.elapsed();
    if let Some(left_out) = &work.left_out {
        terminal.say(left_out);
    }
    // What failed is told first: on a full disk the artifacts cannot be written either.
    let mut exit = finish(&terminal, arguments.output, &built, elapsed)?;
    if interrupt::is_requested() {
        terminal.result(&format!("interrupted: {}", told()), true);
        exit = Exit::Interrupted;
    }
    write_artifacts(&workspace, &built.compiled, &built.results, elapsed, doing)?;
    Ok(exit)
}

/// What was selected, by how it is carried out.
#[derive(Default)]
struct Work {
    /// What is landed, built and tested.
    nodes: BTreeSet<usize>,
    /// Streaming models that are carried on after that.
    streaming: BTreeSet<usize>,
    /// Tests that read streaming models, which are run after that.
    tests_of_streams: BTreeSet<usize>,
    /// What is left out since nothing was selected, and how it is done.
    left_out: Option<String>,
}

impl Work {
    /// Nightly runs build tables; streams are carried on when they are asked for.
    fn of(workspace: &Workspace, selected: &BTreeSet<usize>, is_asked_for: bool) -> Self {
        let is_stream = |index: &usize| is_streaming(workspace.graph.node(*index));
        let (streaming, nodes): (BTreeSet<usize>, BTreeSet<usize>) =
            selected.iter().copied().partition(is_stream);
        if streaming.is_empty() {
            return Self { nodes, ..Self::default() };
        }
        let reads_stream = |index: &usize| {
            workspace.graph.node(*index).is_test() && workspace.graph.parents(*index).iter().any(is_stream)
        };
        let (tests_of_streams, nodes): (BTreeSet<usize>, BTreeSet<usize>) =
            nodes.into_iter().partition(reads_stream);
        if is_asked_for {
            return Self { nodes, streaming, tests_of_streams, left_out: None };
        }
        let streams = plural(streaming.len() as u64, "streaming model");
        let tests = if tests_of_streams.is_empty() { "" } else { "; their tests run with: mep test" };
        let left_out = format!("{streams} of the project follow their sources with: mep stream{tests}");
        Self { nodes, left_out: Some(left_out), ..Self::default() }
    }
}

/// A call of run, build, test, seed or snapshot.
struct Running<'a> {
    workspace: &'a Workspace,
    arguments: &'a RunArguments,
    doing: RunCommand,
    terminal: &'a Terminal,
    /// Is told what happens, and passes it on to the terminal.
    recorder: &'a Recorder<'a>,
}

/// What came of landing, building and testing.
struct Built {
    results: Vec<NodeResult>,
    /// The rows of its sources that are rejected by now.
    rejected: Vec<RejectedOf>,
    /// What was built, as it is known to be with the lease.
    compiled: Compiled,
    /// Held until the artifacts are written.
    _lease: Option<Taken>,
}

impl Running<'_> {
    /// Lands, builds and tests nodes.
    fn build(
        &self,
        selected: &BTreeSet<usize>,
        nodes: &BTreeSet<usize>,
        compiled: Compiled,
    ) -> Result<Built, AppError> {
        let Self { workspace, arguments, terminal, .. } = *self;
        let sources = connect(&workspace.project, &workspace.graph, &compiled, nodes.iter().copied())?;
        let warehouse = workspace.warehouse()?;
        // Tests alone write nothing, so they may run beside a run.
        let patience = Duration::from_secs(arguments.wait);
        let lease = || workspace.lease_within(warehouse.as_ref(), patience, terminal);
        let taken = if self.doing == RunCommand::Test { None } else { Some(lease()?) };
        // Which tables are there, and with which columns, decides what models compile to.
        let is_old = taken.as_ref().is_some_and(|taken| taken.after_waiting);
        let compiled = if is_old { workspace.compile(selected)? } else { compiled };
        let engine = workspace.engine(&warehouse)?;
        let runtime = runtime()?;
        let places = Places { warehouse: warehouse.as_ref(), engine: &engine, runtime: &runtime };
        let session = self.session(&compiled, nodes, places)?;
        terminal.report(Event::Began { nodes: nodes.len() });
        if arguments.full_refresh {
            warn_of_snapshots(workspace, nodes, terminal);
        }
        if !sources.is_empty() {
            for (path, folders) in unread_folders(&workspace.project) {
                terminal.report(Event::Warning(&format!(
                    "no source table reads {} in {}: declare it under `sources:`, or move it away",
                    folders.join(", "),
                    path.display()
                )));
            }
        }
        let stored = |relation: &mep_core::relation::Relation| session.stored(relation);
        let asked =
            Asked { full_refresh: arguments.full_refresh, until: arguments.date, run: &workspace.run };
        let landing_plans = plan_landings(&sources, &stored, asked);
        let landings = session.land(&sources, landing_plans);
        let mut results = landings.results;
        if !arguments.fail_fast || landings.failed.is_empty() {
            results.extend(self.carry_out(&session, nodes, &landings.failed));
        }
        let rejected = RejectedOf::by_now(&session, &compiled, nodes);
        Ok(Built { results, rejected, compiled, _lease: taken })
    }

    /// Runs tests on what streams have written by now.
    fn test(&self, built: &Built, tests: &BTreeSet<usize>) -> Result<Vec<NodeResult>, AppError> {
        let failed: BTreeSet<&str> = built
            .results
            .iter()
            .filter(|result| result.status.is_failure())
            .map(|result| result.unique_id.as_str())
            .collect();
        let nodes = self.workspace.graph.nodes().iter().enumerate();
        let is_failed = |node: &Node| !node.is_test() && failed.contains(node.id.as_str());
        let failed = nodes.filter(|(_, node)| is_failed(node)).map(|(index, _)| index).collect();
        let warehouse = self.workspace.warehouse()?;
        let (engine, runtime) = (self.workspace.engine(&warehouse)?, runtime()?);
        let places = Places { warehouse: warehouse.as_ref(), engine: &engine, runtime: &runtime };
        let session = self.session(&built.compiled, tests, places)?;
        Ok(self.carry_out(&session, tests, &failed))
    }

    /// A session that knows what there is. The process ends with it: what it holds need not be taken apart piece by piece.
    fn session<'s>(
        &'s self,
        compiled: &'s Compiled,
        nodes: &BTreeSet<usize>,
        places: Places<'s>,
    ) -> Result<ManuallyDrop<Session<'s>>, AppError> {
        let Self { workspace, arguments, doing, recorder, .. } = *self;
        let Places { warehouse, engine, runtime } = places;
        let options = RunOptions {
            full_refresh: arguments.full_refresh,
            fail_fast: arguments.fail_fast,
            threads: workspace.project.target.threads,
            cores: cores(),
            until: arguments.date,
            event_times: arguments.event_times.range()?,
            tests: match doing {
                RunCommand::Build | RunCommand::Test => TestsRun::AsNodes,
                RunCommand::Run | RunCommand::Seed | RunCommand::Snapshot => TestsRun::BeforePublish,
            },
            views_of_project: doing != RunCommand::Test,
        };
        let read = workspace.with_tests_before_publish(nodes);
        let known = held(&workspace.graph, warehouse, &read)?;
        let (graph, run) = (&workspace.graph, &workspace.run);
        let session = ManuallyDrop::new(Session::new(
            graph, compiled, warehouse, engine, runtime, run, options, recorder, known,
        ));
        session.register_held(&read);
        register_streamed(workspace, compiled, &tested(workspace, nodes), engine, runtime)?;
        Ok(session)
    }

    /// Builds and tests what is no source.
    fn carry_out(
        &self,
        session: &Session<'_>,
        nodes: &BTreeSet<usize>,
        failed: &BTreeSet<usize>,
    ) -> Vec<NodeResult> {
        let graph = &self.workspace.graph;
        let is_source = |index: &usize| matches!(graph.node(*index).kind, NodeKind::Source { .. });
        let rest = nodes.iter().copied().filter(|index| !is_source(index)).collect();
        let mut tables = session.tables();
        let planned = session.with_planner(|planner| planner.plan(&rest, &BTreeMap::new(), &mut tables));
        for line in in_short(graph, &planned) {
            self.terminal.say(&line);
        }
        session.carry_out(&planned, failed)
    }
}

/// Where tables are read and written, and by what.
#[derive(Clone, Copy)]
struct Places<'a> {
    warehouse: &'a dyn Warehouse,
    engine: &'a Engine,
    runtime: &'a tokio::runtime::Runtime,
}

fn has_failed(results: &[NodeResult]) -> bool {
    results.iter().any(|result| result.status.is_failure())
}

/// What the tests among these nodes read.
fn tested(workspace: &Workspace, nodes: &BTreeSet<usize>) -> BTreeSet<usize> {
    let tests = nodes.iter().filter(|index| workspace.graph.node(**index).is_test());
    tests.flat_map(|index| workspace.graph.parents(*index)).copied().collect()
}

/// The snapshots among these nodes, and the sources that they are taken of.
fn needed_by_snapshots(workspace: &Workspace, selected: BTreeSet<usize>) -> BTreeSet<usize> {
    let is_snapshot = |index: &usize| is_snapshot(workspace.graph.node(*index));
    let snapshots: BTreeSet<usize> = selected.iter().copied().filter(is_snapshot).collect();
    let needed = workspace.graph.ancestors(&snapshots, None);
    selected.into_iter().filter(|index| needed.contains(index)).collect()
}

fn is_snapshot(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Snapshot { .. })
}

fn warn_of_snapshots(workspace: &Workspace, nodes: &BTreeSet<usize>, terminal: &Terminal) {
    let snapshots = nodes.iter().map(|index| workspace.graph.node(*index)).filter(|node| is_snapshot(node));
    let names: Vec<&str> = snapshots.map(|node| node.name.as_str()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        let text =
            format!("--full-refresh leaves snapshots as they are, since their past is nowhere else: {names}");
        terminal.report(Event::Warning(&text));
    }
}

fn write_artifacts(
    workspace: &Workspace,
    compiled: &Compiled,
    results: &[NodeResult],
    elapsed: Duration,
    doing: RunCommand,
) -> Result<(), AppError> {
    let word = doing.word();
    artifacts::write_run(
        &workspace.project,
        &workspace.graph,
        compiled,
        &workspace.run,
        results,
        elapsed,
        word,
    )
    .map_err(AppError::io("writing the artifacts"))
}

fn finish(
    terminal: &Terminal,
    output: TextOrJson,
    built: &Built,
    elapsed: Duration,
) -> Result<Exit, AppError> {
    let Built { results, rejected, .. } = built;
    let failed = has_failed(results);
    if output == TextOrJson::Json {
        let json = serde_json::json!({
            "success": !failed,
            "elapsed": elapsed.as_secs_f64(),
            "results": results,
            "rejected": rejected,
        });
        super::print(&format!("{json:#}\n"))?;
    }
    if terminal.is_quiet() && !failed {
        // The summary is not told, and these are warnings.
        rejected_lines(rejected, terminal.palette()).for_each(|line| terminal.warn(&line));
    }
    terminal.result(&summary(results, rejected, elapsed, terminal.palette()), failed);
    Ok(if failed { Exit::Failed } else { Exit::Success })
}
