//! run, build, test, seed and snapshot.

use std::time::{Duration, Instant};

use chrono::Utc;

use super::arguments::{Global, RunArguments, TextOrJson};
use super::exit::Exit;
use super::interrupted::{Recorder, interruptible};
use super::stream::shown_run;
use super::terminal::{Terminal, rejected_lines, summary};
use mep_app::run::{LeftOut, Run, RunOutcome, RunRequest};
use mep_app::streams::catching_up;
use mep_app::{AppError, Opening, Rendering, RunCommand, Workspace};
use mep_artifacts::openlineage::{self, Ended};
use mep_artifacts::{self as artifacts, CallArguments};
use mep_core::interrupt;
use mep_core::quantity::plural;
use mep_lang::project::{Problem, yaml_of};
use mep_run::Loads;

/// Runs.
///
/// # Errors
/// Where the run cannot begin; what fails in it is told by its results.
pub(super) fn run(global: &Global, arguments: &RunArguments, command: RunCommand) -> Result<Exit, AppError> {
    let began = Instant::now();
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: arguments.date };
    let loads = if arguments.trying.empty { Loads::NoRows } else { Loads::AllRows };
    if arguments.trying.empty && matches!(command, RunCommand::Test | RunCommand::Seed) {
        let problem = Problem::new(format!("mep {} has no use for --empty", command.word()));
        return Err(problem.help("try a project over no rows with: mep build --empty").into());
    }
    let store_failures = arguments.store_failures;
    let opening = Opening { store_failures, loads, ..global.opening_in_part() };
    let workspace = super::opened_as(&opening, &arguments.selecting, command.word(), rendering)?;
    let request = RunRequest {
        command,
        full_refresh: arguments.full_refresh,
        date: arguments.date,
        fail_fast: arguments.fail_fast,
        wait: Duration::from_secs(arguments.wait),
        event_times: arguments.event_times.range()?,
    };
    let run = Run::of(&workspace, arguments.selecting.selectors(), request)?;
    let compiled = run.compile()?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    let recorder = Recorder::new(&terminal);
    let told = || recorder.told(&workspace.graph, run.nodes());
    let mut built = interruptible(&terminal, told, || run.build(compiled, &recorder))?;
    if let Some(streams) = run.streams(&built) {
        let began = Instant::now();
        let counts = shown_run(&streams, catching_up(arguments.full_refresh), None, None, &terminal)?;
        let mut results = streams.results(&counts, began.elapsed());
        built.results.append(&mut results);
        let mut results = run.test_streams(&built, &recorder)?;
        built.results.append(&mut results);
    }
    terminal.end();
    let elapsed = began.elapsed();
    if let Some(left_out) = left_out(run.left_out()) {
        terminal.say(&left_out);
    }
    // What failed is told first: on a full disk the artifacts cannot be written either.
    let mut exit = finish(&terminal, arguments.output, &built, elapsed)?;
    if interrupt::is_requested() {
        terminal.result(&format!("interrupted: {}", told()), true);
        exit = Exit::Interrupted;
    }
    if workspace.is_tried() {
        terminal.say("nothing is published: this was tried over no rows, in a warehouse of its own");
        return Ok(exit);
    }
    artifacts::write_run(
        super::described(&workspace, &built.compiled),
        &built.results,
        elapsed,
        &CallArguments {
            command: command.word(),
            full_refresh: arguments.full_refresh,
            store_failures: arguments.store_failures,
            vars: global.vars.as_deref().and_then(|vars| yaml_of(vars).ok()),
            date: arguments.date.map(|date| date.to_string()),
            deferred_to: arguments.selecting.deferred_to(),
        },
    )
    .map_err(AppError::io("writing the artifacts"))?;
    send_lineage(&workspace, &built, command.word());
    Ok(exit)
}

/// Sends what was done as OpenLineage events, where the target says so. A run is no other for a receiver that is away.
fn send_lineage(workspace: &Workspace, built: &RunOutcome, command: &str) {
    let Some(config) = &workspace.project.target.openlineage else { return };
    let ended = Ended { command, results: &built.results, at: Utc::now() };
    let events = openlineage::events(super::described(workspace, &built.compiled), &config.namespace, ended);
    if let Err(error) = openlineage::send(&config.receiver, &workspace.project.root, &events) {
        tracing::warn!("openlineage events are lost: {error}");
    }
}

/// What a run leaves out, and how it is done.
fn left_out(LeftOut { streaming, tests }: LeftOut) -> Option<String> {
    let streams = plural(streaming as u64, "streaming model");
    let tests = if tests == 0 { "" } else { "; their tests run with: mep test" };
    (streaming > 0).then(|| format!("{streams} of the project follow their sources with: mep stream{tests}"))
}

fn finish(
    terminal: &Terminal,
    output: TextOrJson,
    built: &RunOutcome,
    elapsed: Duration,
) -> Result<Exit, AppError> {
    let RunOutcome { results, rejected, broken, .. } = built;
    let failed = built.has_failed();
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
    terminal.result(&summary(results, broken, rejected, elapsed, terminal.palette()), failed);
    // Whoever calls mep again after a failure need not, where only the project's files can mend it.
    Ok(match failed {
        false => Exit::Success,
        true if built.fails_by_the_project_alone() => Exit::Usage,
        true => Exit::Failed,
    })
}
