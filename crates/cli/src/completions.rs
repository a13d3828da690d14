//! completions: what makes a shell complete mep's words.

use clap::CommandFactory as _;

use super::arguments::{Arguments, CompletionsArguments};
use super::exit::Exit;
use super::print;
use mep_app::AppError;

/// Prints the shell's script.
///
/// # Errors
/// Where standard output cannot be written.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<Exit, AppError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "mep", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
