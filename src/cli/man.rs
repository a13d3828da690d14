//! man: the manual pages, which packages bring along.

use std::fs;

use clap::CommandFactory as _;

use super::arguments::{Arguments, ManArguments};
use super::error::CommandError;
use super::exit::Exit;

/// Writes `mep.1` and `mep-<command>.1`.
///
/// # Errors
/// Where the folder cannot be written.
pub(super) fn man(arguments: &ManArguments) -> Result<Exit, CommandError> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
        .map_err(CommandError::io(format!("writing manual pages to {}", folder.display())))?;
    Ok(Exit::Success)
}
