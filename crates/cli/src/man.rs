//! man: the manual pages, which packages bring along.

use std::path::Path;
use std::{fs, io};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::arguments::{Arguments, ManArguments};
use super::exit::Exit;
use mep_app::AppError;

/// Writes `mep.1` and `mep-<command>.1`.
///
/// # Errors
/// Where the folder cannot be written.
pub(super) fn man(arguments: &ManArguments) -> Result<Exit, AppError> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder)
        .and_then(|()| {
            let mut mep = Arguments::command().disable_help_subcommand(true);
            mep.build();
            write_pages(&mep, folder)
        })
        .map_err(AppError::io(format!("writing manual pages to {}", folder.display())))?;
    Ok(Exit::Success)
}

/// The page of a command, and those of the commands in it.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write_pages(inner, folder)?;
    }
    let page =
        Man::new(command.clone()).source(concat!("mep ", env!("CARGO_PKG_VERSION"))).manual("Manual of mep");
    let mut text = Vec::new();
    page.render(&mut text)?;
    // What stands there is the end of the help: exit codes and environment.
    let text = String::from_utf8_lossy(&text).replace("\n.SH EXTRA\n", "\n.SH EXIT CODES AND ENVIRONMENT\n");
    fs::write(folder.join(page.get_filename()), text)
}
