//! run-operation: a macro, called by itself.

use super::arguments::{Global, RunOperationArguments};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::{AppError, Rendering, Workspace};
use mep_lang::project::mapping_of_yaml;

/// Calls a macro.
///
/// # Errors
/// Where there is none, it fails, or it writes.
pub(super) fn run_operation(global: &Global, arguments: &RunOperationArguments) -> Result<Exit, AppError> {
    let workspace = Workspace::open(&global.opening_in_part(), "run-operation", Rendering::default())?;
    let given = mapping_of_yaml("--args", arguments.args.as_deref())?;
    let without_effect = workspace.run_operation(&arguments.name, given.into_iter().collect())?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    for said in without_effect {
        terminal.warn(&format!("without effect here: {said}"));
    }
    terminal.say(&format!("called {}", arguments.name));
    Ok(Exit::Success)
}
