//! What was published of a table, and when, as far as its files are still there.
//!
//! A folder of a build is deleted as a whole, by a clean-up or, of a stream's table, by a later epoch: so a content is there as long as each
//! folder that it names is.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::manifest::ManifestHead;
use super::{DATA, LocalWarehouse, at, folders, former, unreadable};
use mep_contract::warehouse::build_folder::build_of;
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::{Publication, TableVersion};
use mep_core::relation::Relation;

impl LocalWarehouse {
    /// What was published of a relation, the latest first, up to the first of which something is gone.
    pub(super) fn published(&self, relation: &Relation) -> Result<Vec<Publication>, WarehouseError> {
        let Some((head, own)) = self.manifest(relation)? else { return Ok(Vec::new()) };
        let folder = self.folder(relation)?;
        let published = time_of(&head, &self.manifest_path(relation)?)?;
        let mut found =
            vec![Publication { at: published, table: self.table_of(&folder, head, &own)?.into() }];
        let there = folders(&folder.join(DATA))?;
        let there: HashSet<OsString> =
            there.iter().filter_map(|folder| folder.file_name()).map(OsString::from).collect();
        for path in former::latest(&folder)? {
            let text = fs::read(&path).map_err(at("reading", &path))?;
            let (head, own) = ManifestHead::read(&text).map_err(|error| unreadable(&path, error))?;
            let published = time_of(&head, &path)?;
            // Its parts may be gone by now, and those before it with it.
            let Ok(table) = self.table_of(&folder, head, &own) else { break };
            if !is_there(&table, &there) {
                break;
            }
            found.push(Publication { at: published, table: table.into() });
        }
        Ok(found)
    }
}

fn is_there(table: &TableVersion, folders: &HashSet<OsString>) -> bool {
    let builds = table.partitions().flat_map(|(_, partition)| partition.files.iter());
    let builds: HashSet<&str> = builds.filter_map(|file| build_of(&file.path)).collect();
    builds.iter().all(|build| folders.contains(std::ffi::OsStr::new(build)))
}

/// When a manifest was published. Of one that does not say, it is when its file was written: a file keeps its time where it takes another name.
fn time_of(head: &ManifestHead, path: &Path) -> Result<DateTime<Utc>, WarehouseError> {
    if let Some(time) = head.published() {
        return Ok(time);
    }
    let written = fs::metadata(path).and_then(|data| data.modified()).map_err(at("reading", path))?;
    Ok(written.into())
}
