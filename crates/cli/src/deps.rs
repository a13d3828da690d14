//! deps: the packages that the project names.

use super::arguments::{DepsArguments, Global};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::{AppError, deps};
use mep_core::quantity::plural;
use mep_lang::project::PackageOrigin;

/// Brings packages in.
///
/// # Errors
/// Where a package cannot be had.
pub(super) fn deps(global: &Global, arguments: &DepsArguments) -> Result<Exit, AppError> {
    let options = global.opening().load_options()?;
    let brought = deps::bring_in(&options, arguments.upgrade)?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    for package in &brought {
        let version = match &package.from {
            PackageOrigin::Hub { versions, .. } => versions.join(", "),
            PackageOrigin::Git { revision, .. } => revision.clone().unwrap_or_default(),
            PackageOrigin::Local(path) => path.display().to_string(),
        };
        terminal.say(&format!("{} ({version})", package.name));
    }
    terminal.say(&format!("{} installed, as package-lock.yml says", plural(brought.len() as u64, "package")));
    Ok(Exit::Success)
}
