//! retry: what failed, or was not begun, in the last run.

use super::arguments::{Global, RetryArguments, RunArguments, Selecting};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::{AppError, RunCommand};
use mep_artifacts::last_run;
use mep_lang::project::Problem;

/// Does again what the last run did, for the nodes that did not end well.
///
/// # Errors
/// Where there was no run, or it cannot begin.
pub(super) fn retry(global: &Global, arguments: &RetryArguments) -> Result<Exit, AppError> {
    let project = global.opening().project()?;
    let folder = match &arguments.state {
        Some(state) => project.root.join(state),
        None => project.root.join(&project.target_path),
    };
    let last =
        last_run(&folder).map_err(|error| Problem::new(error.to_string()).help("run something first"))?;
    let Some(command) = RunCommand::ALL.into_iter().find(|command| command.word() == last.command) else {
        let problem =
            Problem::new(format!("the last call was `{}`, which cannot be done again", last.command));
        return Err(problem.help("retry goes on with run, build, test, seed and snapshot").into());
    };
    if last.unfinished.is_empty() {
        let terminal = Terminal::new(global.log_format, global.quiet);
        terminal.say(&format!("nothing to do: all of the last `mep {}` ended well", last.command));
        return Ok(Exit::Success);
    }
    let mut global = global.clone();
    if global.vars.is_none() {
        global.vars = last.vars;
    }
    if global.target.is_none() {
        global.target = last.target;
    }
    let mut selecting = Selecting { only: Some(last.unfinished), ..Selecting::default() };
    if let Some(to) = last.deferred_to {
        (selecting.defer, selecting.favor_state) = (true, to.is_favored);
        selecting.defer_state = Some(to.folder);
    }
    let again = RunArguments {
        selecting,
        full_refresh: last.full_refresh,
        store_failures: last.store_failures,
        date: last.date.and_then(|date| date.parse().ok()),
        event_times: super::arguments::EventTimes::default(),
        fail_fast: arguments.fail_fast,
        trying: super::arguments::Trying::default(),
        wait: arguments.wait,
        output: super::arguments::TextOrJson::Text,
    };
    super::run::run(&global, &again, command)
}
