//! Making new files last through a power cut, before anything points at them.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::WarehouseError;
use super::local::sync_folder;

/// From this many files on, one call for the whole file system costs less than one for each file and folder.
const MANY: usize = 8;

/// Syncs files below a table's folder, and the folders that lead to them.
///
/// # Errors
/// Where the system cannot promise that they last.
pub(super) fn sync(table_folder: &Path, files: &[PathBuf]) -> Result<(), WarehouseError> {
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
