//! What was published of a table, and when, as far as its files are still there.
//!
//! A folder of a build is deleted as a whole, by a clean-up or, of a stream's table, by a later epoch: so a content is there as long as each
//! folder that it names is.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::manifest::ManifestHead;
use super::{DATA, LocalWarehouse, at, folders, former, unreadable};
use mep_contract::warehouse::build_folder::build_of;
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::{Publication, TableVersion};
use mep_core::relation::Relation;

/// What a manifest that was replaced says.
pub(super) struct FormerContent {
    path: PathBuf,
    /// When it was published, where that stands in it.
    published: Option<DateTime<Utc>>,
    pub(super) table: TableVersion,
}

impl LocalWarehouse {
    /// What the table in a folder was, the latest first, up to the first of which entries are gone; each is read when it is asked for.
    ///
    /// # Errors
    /// Where the manifests cannot be listed, or one of them not read.
    pub(super) fn former_contents(
        &self,
        folder: PathBuf,
    ) -> Result<impl Iterator<Item = Result<FormerContent, WarehouseError>> + '_, WarehouseError> {
        let paths = former::latest(&folder)?.into_iter();
        Ok(paths.map_while(move |path| self.former_content(&folder, path).transpose()))
    }

    fn former_content(&self, folder: &Path, path: PathBuf) -> Result<Option<FormerContent>, WarehouseError> {
        let text = fs::read(&path).map_err(at("reading", &path))?;
        let (head, own) = ManifestHead::read(&text).map_err(|error| unreadable(&path, error))?;
        let published = head.published();
        // Its parts may be gone by now, and those before it with it.
        let table = self.table_of(folder, head, &own).ok();
        Ok(table.map(|table| FormerContent { path, published, table }))
    }

    /// What was published of a relation, the latest first, up to the first of which something is gone.
    pub(super) fn published(&self, relation: &Relation) -> Result<Vec<Publication>, WarehouseError> {
        let Some((head, own)) = self.manifest(relation)? else { return Ok(Vec::new()) };
        let folder = self.folder(relation)?;
        let published = time_of(head.published(), &self.manifest_path(relation)?)?;
        let mut found =
            vec![Publication { at: published, table: self.table_of(&folder, head, &own)?.into() }];
        let there = folders(&folder.join(DATA))?;
        let there: HashSet<OsString> =
            there.iter().filter_map(|folder| folder.file_name()).map(OsString::from).collect();
        for one in self.former_contents(folder)? {
            let FormerContent { path, published, table } = one?;
            if !is_there(&table, &there) {
                break;
            }
            found.push(Publication { at: time_of(published, &path)?, table: table.into() });
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
fn time_of(said: Option<DateTime<Utc>>, path: &Path) -> Result<DateTime<Utc>, WarehouseError> {
    if let Some(time) = said {
        return Ok(time);
    }
    let written = fs::metadata(path).and_then(|data| data.modified()).map_err(at("reading", path))?;
    Ok(written.into())
}
