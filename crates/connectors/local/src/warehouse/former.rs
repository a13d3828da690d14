//! What a table was before: the manifests that later ones took the place of.
//!
//! They tell a run which rows came and went since something was built of the table, also where another run did so. They are kept beside the
//! manifest as files that are never changed, as many of the latest as are of use, for as long as the folders that they name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::manifest::MANIFEST;
use super::{age, at, files};
use mep_contract::warehouse::RunId;
use mep_contract::warehouse::error::WarehouseError;

/// The folder of former manifests, below that of the table.
pub(super) const FORMER: &str = "former";

/// So many are kept. A run of a single model may come some runs after that of its inputs, as in a schedule with a task for each.
const KEPT: usize = 8;

/// Keeps the manifest of a table that is about to be replaced; older ones than are of use go.
///
/// # Errors
/// Where files cannot be listed or linked.
pub(super) fn keep(table: &Path) -> Result<(), WarehouseError> {
    let (manifest, folder) = (table.join(MANIFEST), table.join(FORMER));
    if !manifest.exists() {
        return Ok(());
    }
    fs::create_dir_all(&folder).map_err(at("creating", &folder))?;
    let former = folder.join(format!("{}.json", RunId::generate()));
    // The new manifest takes the name and leaves the file, so that it need not be copied.
    if fs::hard_link(&manifest, &former).is_err() {
        fs::copy(&manifest, &former).map_err(at("keeping", &former))?;
    }
    for old in latest(table)?.into_iter().skip(KEPT) {
        fs::remove_file(&old).map_err(at("deleting", &old))?;
    }
    Ok(())
}

/// The former manifests of a table, the latest first.
///
/// # Errors
/// Where they cannot be listed.
pub(super) fn latest(table: &Path) -> Result<Vec<PathBuf>, WarehouseError> {
    let mut found = files(&table.join(FORMER))?;
    found.reverse();
    Ok(found)
}

/// Deletes those that took the place of others that long ago.
///
/// # Errors
/// Where one cannot be read or deleted.
pub(super) fn clean(table: &Path, retention: Duration) -> Result<(), WarehouseError> {
    for old in latest(table)? {
        if age(&old)? >= retention {
            fs::remove_file(&old).map_err(at("deleting", &old))?;
        }
    }
    Ok(())
}
