//! Making new files last through a power cut, before anything points at them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::WarehouseError;

/// From this many files on, one call for the whole file system costs less than one for each file and folder.
const MANY: usize = 8;

/// Syncs files below a table's folder, and the folders that lead to them.
///
/// # Errors
/// Where the system cannot promise that they last.
pub fn sync(table_folder: &Path, files: &[PathBuf]) -> Result<(), WarehouseError> {
    if files.len() >= MANY && sync_file_system(table_folder)? {
        return Ok(());
    }
    let mut folders = BTreeSet::new();
    for path in files {
        File::open(path).and_then(|file| file.sync_all()).map_err(|error| WarehouseError::Io {
            action: "syncing",
            path: path.clone(),
            error,
        })?;
        folders.extend(path.ancestors().skip(1).take_while(|folder| *folder != table_folder));
    }
    folders.into_iter().try_for_each(sync_folder)
}

/// Makes a file in place of whatever bears its name: of a link, not of what it leads to.
///
/// # Errors
/// Where it cannot be made.
pub fn create_anew(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create_new(path)
}

/// Puts a file in place of the one with its name, or makes it: readers find the old content or the new one, through a power cut
/// too.
///
/// # Errors
/// Where it cannot be written.
pub fn replace_durably(path: &Path, content: &[u8]) -> Result<(), WarehouseError> {
    let io = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error| WarehouseError::Io { action, path, error }
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io("creating", folder))?;
    let next = path.with_extension("next");
    let mut file = create_anew(&next).map_err(io("writing", &next))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io("writing", &next))?;
    std::fs::rename(&next, path).map_err(io("publishing", path))?;
    sync_folder(folder)
}

/// Syncs all that was written to the file system of a folder, where the platform can; says whether it did.
#[cfg(target_os = "linux")]
fn sync_file_system(folder: &Path) -> Result<bool, WarehouseError> {
    let synced = File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
    let io = |error| WarehouseError::Io { action: "syncing", path: folder.to_owned(), error };
    synced.map(|()| true).map_err(io)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> Result<bool, WarehouseError> {
    Ok(false)
}

/// Makes the entries of a folder last through a power cut.
///
/// # Errors
/// Where the folder cannot be synced.
pub fn sync_folder(folder: &Path) -> Result<(), WarehouseError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| WarehouseError::Io {
        action: "syncing",
        path: folder.to_owned(),
        error,
    })
}
