//! completions: what makes a shell complete mep's words.

use clap::CommandFactory as _;

use super::arguments::{Arguments, CompletionsArguments};
use super::error::CommandError;
use super::exit::Exit;
use super::print;

/// Prints the shell's script.
///
/// # Errors
/// Where standard output cannot be written.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "mep", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
