//! The command line.
//!
//! Owns arguments, exit codes, and what the terminal shows. Comes in: words. Goes out: an exit code. Must not know how
//! anything is done: it calls the stages and shows what they return.

pub mod arguments;
pub mod error;
pub mod exit;
mod explain;
pub mod terminal;

mod airflow;
mod clean;
mod compact;
mod compile;
mod completions;
mod debug;
mod deps;
mod docs;
mod generate;
mod generate_live;
mod generate_to_kafka;
mod init;
mod interrupted;
mod logging;
mod ls;
mod man;
mod operation;
mod plan;
mod reconcile;
mod run;
mod show;
mod stream;
mod stream_metrics;
mod stream_view;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use arguments::Arguments;
pub use exit::Exit;

use arguments::{AirflowCommand, Command, Global};
use mep_app::AppError;
use mep_app::RunCommand;
use terminal::Palette;

use mep_core::secrets;

/// Does what the words of the command line say. The version is what `--version` prints.
pub fn main(version: &'static str) -> ExitCode {
    let matches = Arguments::command().version(version).try_get_matches();
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are printed by way of an error that is none.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            let _ = error.print();
            return exit.into();
        }
    };
    logging::start(&arguments.global);
    match dispatch(&arguments.global, &arguments.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let shown = error::shown(&error, Palette::of_stderr());
            let _ = write!(std::io::stderr(), "{}", secrets::masked(&shown));
            error::exit_of(&error).into()
        }
    }
}

fn dispatch(global: &Global, command: &Command) -> Result<Exit, AppError> {
    match command {
        Command::Run(arguments) => run::run(global, arguments, RunCommand::Run),
        Command::Build(arguments) => run::run(global, arguments, RunCommand::Build),
        Command::Test(arguments) => run::run(global, arguments, RunCommand::Test),
        Command::Seed(arguments) => run::run(global, arguments, RunCommand::Seed),
        Command::Snapshot(arguments) => run::run(global, arguments, RunCommand::Snapshot),
        Command::Stream(arguments) => stream::stream(global, arguments),
        Command::Reconcile(arguments) => reconcile::reconcile(global, arguments),
        Command::Plan(arguments) => plan::plan(global, arguments),
        Command::RunOperation(arguments) => operation::run_operation(global, arguments),
        Command::Show(arguments) => show::show(global, arguments),
        Command::Ls(arguments) => ls::ls(global, arguments),
        Command::Docs(command) => docs::docs(global, command),
        Command::Compile(arguments) => compile::compile(global, arguments),
        Command::Parse => compile::parse(global),
        Command::Init(arguments) => init::init(global, arguments),
        Command::Debug => debug::debug(global),
        Command::Deps(arguments) => deps::deps(global, arguments),
        Command::Compact(arguments) => compact::compact(global, arguments),
        Command::Clean(arguments) => clean::clean(global, arguments),
        Command::Generate(arguments) => generate::generate(global, arguments),
        Command::Airflow(AirflowCommand::Export(arguments)) => airflow::export(global, arguments),
        Command::Completions(arguments) => completions::completions(arguments),
        Command::Man(arguments) => man::man(arguments),
    }
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
