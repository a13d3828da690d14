//! The command line.
//!
//! Owns arguments, exit codes, and what the terminal shows. Comes in: words. Goes out: an exit code. Must not know how
//! anything is done: it calls the stages and shows what they return.

mod airflow;
pub mod arguments;
mod clean;
mod clone;
mod compact;
mod compile;
mod completions;
mod dbt_flags;
mod debug;
mod deps;
mod docs;
pub mod error;
pub mod exit;
mod explain;
mod export;
mod generate;
mod generate_live;
mod generate_to_kafka;
mod init;
mod interrupted;
mod lineage;
mod logging;
mod ls;
mod man;
mod operation;
mod plan;
mod reconcile;
mod record;
mod retry;
mod run;
mod schema;
mod show;
mod source;
mod stream;
mod stream_metrics;
mod stream_view;
pub mod terminal;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use arguments::Arguments;
pub use dbt_flags::reference_of_dbt_flags;
pub use exit::Exit;
pub use schema::reference_of_yaml;

use arguments::{AirflowCommand, Command, Global, Selecting, SourceCommand};
use mep_app::deferred::Favor;
use mep_app::{AppError, Opening, Rendering, RunCommand, Workspace};
use mep_artifacts::Described;
use terminal::Palette;

use mep_core::quantity::plural;
use mep_core::relation::Relation;
use mep_core::{secrets, warnings};
use mep_graph::Compiled;
use mep_lang::project::{Problem, nearest, warn_options_of_words};

/// Does what the words of the command line say. The version is what `--version` prints.
pub fn main(version: &'static str) -> ExitCode {
    let (words, told) = match dbt_flags::settled(std::env::args_os()) {
        Ok(settled) => settled,
        Err(problem) => {
            let shown = error::shown(&problem.into(), Palette::of_stderr());
            let _ = write!(std::io::stderr(), "{}", secrets::masked(&shown));
            return Exit::Usage.into();
        }
    };
    let matches = Arguments::command().version(version).try_get_matches_from(words);
    let mut arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are printed by way of an error that is none.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            let _ = error.print();
            return exit.into();
        }
    };
    logging::start(&arguments.global);
    for said in told {
        tracing::warn!("{said}");
    }
    let options = arguments.global.warn_error_options.as_deref();
    let said = warn_options_of_words(arguments.global.warn_error, options);
    let ended = said.map_err(AppError::from).and_then(|said| {
        arguments.global.warn_options = said;
        dispatch(&arguments.global, &arguments.command)
    });
    match ended {
        Ok(exit) => with_warnings(exit).into(),
        Err(error) => {
            let shown = error::shown(&error, Palette::of_stderr());
            let _ = write!(std::io::stderr(), "{}", secrets::masked(&shown));
            error::exit_of(&error).into()
        }
    }
}

/// The exit code, where warnings that no one stopped at are errors.
fn with_warnings(exit: Exit) -> Exit {
    let failed = warnings::failed();
    if failed == 0 {
        return exit;
    }
    let (count, verb) =
        (plural(failed as u64, "warning"), if failed == 1 { "is an error" } else { "are errors" });
    let _ = writeln!(std::io::stderr(), "{count} {verb} by --warn-error, --warn-error-options or `flags`");
    if exit == Exit::Success { Exit::Failed } else { exit }
}

fn dispatch(global: &Global, command: &Command) -> Result<Exit, AppError> {
    match command {
        Command::Run(arguments) => run::run(global, arguments, RunCommand::Run),
        Command::Build(arguments) => run::run(global, arguments, RunCommand::Build),
        Command::Test(arguments) => record::test(global, arguments),
        Command::Seed(arguments) => run::run(global, arguments, RunCommand::Seed),
        Command::Snapshot(arguments) => run::run(global, arguments, RunCommand::Snapshot),
        Command::Stream(arguments) => stream::stream(global, arguments),
        Command::Reconcile(arguments) => reconcile::reconcile(global, arguments),
        Command::Plan(arguments) => plan::plan(global, arguments),
        Command::RunOperation(arguments) => operation::run_operation(global, arguments),
        Command::Show(arguments) => show::show(global, arguments),
        Command::Export(arguments) => export::export(global, arguments),
        Command::Retry(arguments) => retry::retry(global, arguments),
        Command::Source(SourceCommand::Freshness(arguments)) => source::freshness(global, arguments),
        Command::Source(SourceCommand::Infer(arguments)) => source::infer(global, arguments),
        Command::Lineage(arguments) => lineage::lineage(global, arguments),
        Command::Ls(arguments) => ls::ls(global, arguments),
        Command::Docs(command) => docs::docs(global, command),
        Command::Compile(arguments) => compile::compile(global, arguments),
        Command::Parse => compile::parse(global),
        Command::Init(arguments) => init::init(global, arguments),
        Command::Debug => debug::debug(global),
        Command::Deps(arguments) => deps::deps(global, arguments),
        Command::Clone(arguments) => clone::clone(global, arguments),
        Command::Compact(arguments) => compact::compact(global, arguments),
        Command::Clean(arguments) => clean::clean(global, arguments),
        Command::Generate(arguments) => generate::generate(global, arguments),
        Command::Airflow(AirflowCommand::Export(arguments)) => airflow::export(global, arguments),
        Command::Schema(arguments) => schema::schema(*arguments),
        Command::Completions(arguments) => completions::completions(arguments),
        Command::Man(arguments) => man::man(arguments),
    }
}

/// Opens the project, with the earlier state that a selection may ask for.
///
/// # Errors
/// All that is wrong with the project's files, and where the state cannot be read.
fn opened(
    global: &Global,
    selecting: &Selecting,
    command: &str,
    rendering: Rendering,
) -> Result<Workspace, AppError> {
    opened_as(&global.opening(), selecting, command, rendering)
}

/// The same, where more is said of how it is opened.
///
/// # Errors
/// As above.
fn opened_as(
    opening: &Opening,
    selecting: &Selecting,
    command: &str,
    rendering: Rendering,
) -> Result<Workspace, AppError> {
    check_types(selecting)?;
    let mut workspace = Workspace::open(opening, command, rendering)?;
    if let Some(state) = &selecting.state {
        let folder = workspace.project.root.join(state);
        let now = workspace.project.root.join(&workspace.project.target_path);
        let compiled = Compiled::default();
        let found = mep_artifacts::beside(described(&workspace, &compiled), &folder, &now);
        workspace.beside = Some(found.map_err(|error| {
            Problem::new(error.to_string()).help("give --state and a folder with copies of earlier artifacts")
        })?);
    }
    if selecting.defer {
        defer(&mut workspace, selecting)?;
    }
    Ok(workspace)
}

/// Has what is not selected read where an earlier state has it.
fn defer(workspace: &mut Workspace, selecting: &Selecting) -> Result<(), AppError> {
    let Some(to) = selecting.deferred_to() else {
        let problem = Problem::new("--defer needs the manifest.json of the state that it defers to");
        return Err(problem.help("give --state and the folder that holds a copy of it").into());
    };
    let relations = relations_of(workspace, &to.folder)?;
    let favor = if to.is_favored { Favor::State } else { Favor::Target };
    workspace.defer(selecting.selectors(), &relations, favor)
}

/// What each model, seed and snapshot of an earlier state was built as, by unique id.
fn relations_of(workspace: &Workspace, state: &Path) -> Result<BTreeMap<String, Relation>, Problem> {
    let relations = mep_artifacts::relations_of(&workspace.project.root.join(state));
    relations.map_err(|error| Problem::new(error.to_string()))
}

/// Refuses types of nodes that there are not.
fn check_types(selecting: &Selecting) -> Result<(), Problem> {
    const TYPES: [&str; 12] = [
        "model",
        "seed",
        "snapshot",
        "source",
        "test",
        "unit_test",
        "exposure",
        "semantic_model",
        "metric",
        "saved_query",
        "all",
        "default",
    ];
    let mut words = selecting.resource_type.iter().chain(&selecting.exclude_resource_type);
    let Some(unknown) = words.find(|word| !TYPES.contains(&word.as_str())) else { return Ok(()) };
    let problem = Problem::new(format!("unknown resource type `{unknown}`"));
    Err(match nearest(unknown, TYPES) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the types are {}", TYPES.join(", "))),
    })
}

/// What artifacts are made of.
fn described<'a>(workspace: &'a Workspace, compiled: &'a Compiled) -> Described<'a> {
    let Workspace { project, templates, graph, run, .. } = workspace;
    Described { project, templates, graph, compiled, run }
}

/// Prints to standard output. A reader that has gone away, such as `head`, is no reason to fail.
fn print(text: &str) -> Result<(), AppError> {
    match std::io::stdout().lock().write_all(secrets::masked(text).as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(AppError::io("writing to standard output")(error))
        }
        _ => Ok(()),
    }
}
