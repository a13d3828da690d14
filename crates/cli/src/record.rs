//! test: the tests are run, or one is written.

use super::arguments::{Global, TestArguments};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::recording::RecordedTest;
use mep_app::{AppError, Rendering, RunCommand, Workspace};
use mep_core::quantity::plural;

/// Runs the tests, or writes one of a model.
///
/// # Errors
/// Where the run cannot begin, or the test cannot be written.
pub(super) fn test(global: &Global, arguments: &TestArguments) -> Result<Exit, AppError> {
    let Some(model) = &arguments.record else {
        return super::run::run(global, &arguments.run, RunCommand::Test);
    };
    let workspace = Workspace::open(&global.opening_in_part(), "test", Rendering::default())?;
    let RecordedTest { file, name, given, expected } = workspace.record(model, arguments.limit)?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    let (given, rows) = (plural(given as u64, "row"), plural(expected as u64, "row"));
    terminal.say(&format!("wrote {}: {given} of inputs, {rows} expected", file.display()));
    if expected == 0 {
        terminal.warn(
            "the model gives nothing for these rows: write a test that says more with a larger --limit",
        );
    }
    terminal.say(&format!("run it with: mep test --select unit_test:{name}"));
    Ok(Exit::Success)
}
