//! run, build, test, seed and snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use super::arguments::{Global, RunArguments, TextOrJson};
use super::doing::Doing;
use super::error::CommandError;
use super::exit::Exit;
use super::loaded::{Loaded, Rendering, cores, runtime};
use super::plan::in_short;
use super::stream::{Streams, is_streaming, register_streamed};
use super::terminal::{Terminal, plural, summary};
use crate::artifacts;
use crate::graph::{Compiled, Node, NodeKind};
use crate::plan::{self, Asked, connect, plan_landings};
use crate::run::event::{Event, NodeResult, Reporter};
use crate::run::{RunOptions, Session, TestsRun, held};

/// Runs.
///
/// # Errors
/// Where the run cannot begin; what fails in it is told by its results.
pub(super) fn run(global: &Global, arguments: &RunArguments, doing: Doing) -> Result<Exit, CommandError> {
    let began = Instant::now();
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: arguments.date };
    let loaded = Loaded::new(global, doing.word(), rendering)?;
    let selected = loaded.select(&arguments.selecting, |node| doing.works_on(node))?;
    let selected = match doing {
        Doing::Snapshot if arguments.selecting.select.is_empty() => needed_by_snapshots(&loaded, selected),
        _ => selected,
    };
    let (streaming, nodes): (BTreeSet<usize>, BTreeSet<usize>) =
        selected.iter().partition(|index| is_streaming(loaded.graph.node(**index)));
    // Nightly runs build tables; streams are carried on when they are asked for.
    let left_out = if arguments.selecting.select.is_empty() { streaming.len() } else { 0 };
    let streaming = if left_out > 0 { BTreeSet::new() } else { streaming };
    loaded.read_ahead(&selected);
    let compiled = loaded.compile(&loaded.with_tests_before_publish(&selected))?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    if nodes.is_empty() && !streaming.is_empty() {
        // Streams alone need no warehouse, and no lease of it.
        let streams = Streams { loaded: &loaded, compiled: &compiled, nodes: &streaming };
        let results = streams.catch_up(arguments.full_refresh, &terminal)?;
        let elapsed = began.elapsed();
        let exit = finish(&terminal, arguments.output, &results, elapsed)?;
        write_artifacts(&loaded, &compiled, &results, elapsed, doing)?;
        return Ok(exit);
    }
    let sources = connect(&loaded.project, &loaded.graph, &compiled, nodes.iter().copied())?;
    let warehouse = loaded.warehouse()?;
    // Tests alone write nothing, so they may run beside a run.
    let patience = Duration::from_secs(arguments.wait);
    let lease = || loaded.lease_within(warehouse.as_ref(), patience, &terminal);
    let taken = if doing == Doing::Test { None } else { Some(lease()?) };
    // Which tables are there, and with which columns, decides what models compile to.
    let is_old = taken.as_ref().is_some_and(|taken| taken.after_waiting);
    let compiled = if is_old { loaded.compile(&selected)? } else { compiled };
    let engine = loaded.engine(&warehouse)?;
    let runtime = runtime()?;
    let options = RunOptions {
        full_refresh: arguments.full_refresh,
        fail_fast: arguments.fail_fast,
        threads: loaded.project.target.threads,
        cores: cores(),
        until: arguments.date,
        event_times: arguments.event_times.range()?,
        tests: match doing {
            Doing::Build | Doing::Test => TestsRun::AsNodes,
            Doing::Run | Doing::Seed | Doing::Snapshot => TestsRun::BeforePublish,
        },
        views_of_project: doing != Doing::Test,
    };
    let read = loaded.with_tests_before_publish(&nodes);
    let known = held(&loaded.graph, warehouse.as_ref(), &read)?;
    // The process ends with it: what it holds need not be taken apart piece by piece.
    let session = ManuallyDrop::new(Session::new(
        &loaded.graph,
        &compiled,
        warehouse.as_ref(),
        &engine,
        &runtime,
        &loaded.run,
        options,
        &terminal,
        known,
    ));
    session.register_held(&read);
    register_streamed(&loaded, &compiled, &tested(&loaded, &nodes), &engine, &runtime)?;
    terminal.report(Event::Began { nodes: nodes.len() });
    if arguments.full_refresh {
        warn_of_snapshots(&loaded, &nodes, &terminal);
    }
    if !sources.is_empty() {
        for (path, folders) in plan::unread_folders(&loaded.project) {
            terminal.report(Event::Warning(&format!(
                "no source table reads {} in {}: declare it under `sources:`, or move it away",
                folders.join(", "),
                path.display()
            )));
        }
    }
    let stored = |relation: &crate::relation::Relation| session.stored(relation);
    let asked = Asked { full_refresh: arguments.full_refresh, until: arguments.date, run: &loaded.run };
    let landing_plans = plan_landings(&sources, &stored, asked);
    let landings = session.land(&sources, landing_plans);
    let mut results = landings.results;
    if !arguments.fail_fast || landings.failed.is_empty() {
        let rest = nodes
            .iter()
            .copied()
            .filter(|index| !matches!(loaded.graph.node(*index).kind, NodeKind::Source { .. }));
        let rest = rest.collect();
        let mut tables = session.tables();
        let planned = session.with_planner(|planner| planner.plan(&rest, &BTreeMap::new(), &mut tables));
        let planned: plan::Plan = planned.map_err(crate::engine::EngineError::from)?;
        for line in in_short(&loaded.graph, &planned) {
            terminal.say(&line);
        }
        results.extend(session.carry_out(&planned, &landings.failed));
    }
    let failed = results.iter().any(|result| result.status.is_failure());
    let is_over = failed && arguments.fail_fast;
    if !streaming.is_empty() && !is_over {
        let streams = Streams { loaded: &loaded, compiled: &compiled, nodes: &streaming };
        results.extend(streams.catch_up(arguments.full_refresh, &terminal)?);
    }
    terminal.end();
    let elapsed = began.elapsed();
    if left_out > 0 {
        terminal.say(&format!(
            "{} of the project follow their sources with: mep stream",
            plural(left_out as u64, "streaming model")
        ));
    }
    // What failed is told first: on a full disk the artifacts cannot be written either.
    let exit = finish(&terminal, arguments.output, &results, elapsed)?;
    write_artifacts(&loaded, &compiled, &results, elapsed, doing)?;
    Ok(exit)
}

/// What the tests among these nodes read.
fn tested(loaded: &Loaded, nodes: &BTreeSet<usize>) -> BTreeSet<usize> {
    let tests = nodes.iter().filter(|index| loaded.graph.node(**index).is_test());
    tests.flat_map(|index| loaded.graph.parents(*index)).copied().collect()
}

/// The snapshots among these nodes, and the sources that they are taken of.
fn needed_by_snapshots(loaded: &Loaded, selected: BTreeSet<usize>) -> BTreeSet<usize> {
    let is_snapshot = |index: &usize| is_snapshot(loaded.graph.node(*index));
    let snapshots: BTreeSet<usize> = selected.iter().copied().filter(is_snapshot).collect();
    let needed = loaded.graph.ancestors(&snapshots, None);
    selected.into_iter().filter(|index| needed.contains(index)).collect()
}

fn is_snapshot(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Snapshot { .. })
}

fn warn_of_snapshots(loaded: &Loaded, nodes: &BTreeSet<usize>, terminal: &Terminal) {
    let snapshots = nodes.iter().map(|index| loaded.graph.node(*index)).filter(|node| is_snapshot(node));
    let names: Vec<&str> = snapshots.map(|node| node.name.as_str()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        let text =
            format!("--full-refresh leaves snapshots as they are, since their past is nowhere else: {names}");
        terminal.report(Event::Warning(&text));
    }
}

fn write_artifacts(
    loaded: &Loaded,
    compiled: &Compiled,
    results: &[NodeResult],
    elapsed: Duration,
    doing: Doing,
) -> Result<(), CommandError> {
    let word = doing.word();
    artifacts::write_run(&loaded.project, &loaded.graph, compiled, &loaded.run, results, elapsed, word)
        .map_err(CommandError::io("writing the artifacts"))
}

fn finish(
    terminal: &Terminal,
    output: TextOrJson,
    results: &[NodeResult],
    elapsed: Duration,
) -> Result<Exit, CommandError> {
    let failed = results.iter().any(|result| result.status.is_failure());
    if output == TextOrJson::Json {
        let json = serde_json::json!({
            "success": !failed,
            "elapsed": elapsed.as_secs_f64(),
            "results": results,
        });
        super::print(&format!("{json:#}\n"))?;
    }
    terminal.result(&summary(results, elapsed, terminal.palette()), failed);
    Ok(if failed { Exit::Failed } else { Exit::Success })
}
