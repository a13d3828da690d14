//! The local warehouse: Parquet in a folder.
//!
//! Layout, below the warehouse's folder:
//! ```text
//! .lease                                      who is writing
//! <schema>/<table>/manifest.json              the one file that says what the table is
//! <schema>/<table>/parts/<id>.json            immutable files that the manifest of a long table points at
//! <schema>/<table>/former/<id>.json           what the manifest was before
//! <schema>/<table>/data/<run>/…/*.parquet     immutable folders, one for each build
//! ```
//! Publishing writes the new manifest beside the old one, syncs it and renames it: readers see the old table or the new
//! one. What no manifest points at is left for the retention, so that a reader that has begun can end.

mod checksum;
mod former;
mod manifest;
mod parts;
mod published;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use self::manifest::{FORMAT, MANIFEST, ManifestHead, Part, Unreadable};
use self::parts::EntriesBySlice;
use mep_contract::warehouse::build_folder::{DATA, build_of, is_of_run};
use mep_contract::warehouse::durable;
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::lease::{Holder, Lease, LeaseError, lock_file};
use mep_contract::warehouse::storage::{LocalFiles, Storage, TableFolder};
use mep_contract::warehouse::table::{Content, TableVersion};
use mep_contract::warehouse::{Cleaned, InPlaceTable, Presentation, Publication, RunId, Warehouse};
use mep_core::path_name::PathName;
use mep_core::relation::Relation;
use mep_core::root::Root;
use parking_lot::{Mutex, MutexGuard};

/// The folder of parts, below that of the table.
const PARTS: &str = "parts";
/// The file by which one stream at a time writes to a table.
const STREAM_LEASE: &str = "stream/.lease";
/// Of what has no schema.
const DEFAULT_SCHEMA: &str = "default";
/// From this many parts on, threads read them.
const MANY_PARTS: usize = 4;

/// Parquet tables in a folder.
#[derive(Clone, Debug)]
pub struct LocalWarehouse {
    root: Root,
    /// Parts that this process has read or written, by path: they never change.
    parts: Arc<Mutex<HashMap<PathBuf, KnownPart>>>,
}

/// A part, once it was read; whoever wants it meanwhile waits.
type KnownPart = Arc<Mutex<Option<Arc<Part>>>>;

impl LocalWarehouse {
    /// The warehouse in this folder, which need not be there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: Root::new(root), parts: Arc::default() }
    }

    /// The folder of a table, where it and what mep keeps in it lie in the warehouse.
    fn folder(&self, relation: &Relation) -> Result<PathBuf, WarehouseError> {
        let part = |name: &str| {
            PathName::new(name).map_err(|reason| WarehouseError::Name { name: name.to_owned(), reason })
        };
        let schema = part(relation.schema.as_deref().unwrap_or(DEFAULT_SCHEMA))?;
        let below = Path::new(schema.as_str()).join(part(&relation.name)?.as_str());
        for kept in [DATA, PARTS, STREAM_LEASE] {
            self.root.join(below.join(kept))?;
        }
        Ok(self.root.join(below)?)
    }

    /// Takes the right to stream into one table, which goes on beside runs.
    ///
    /// # Errors
    /// Where another process has it.
    pub fn lease_table(&self, relation: &Relation, holder: &Holder) -> Result<Lease, LeaseError> {
        let folder = self.folder(relation).map_err(|error| LeaseError::Warehouse(error.into()))?;
        lock_file(&folder.join(STREAM_LEASE), holder)
    }

    /// What has a folder where tables have theirs, published or not.
    fn folders_of_tables(&self) -> Result<Vec<Relation>, WarehouseError> {
        let mut relations = Vec::new();
        for schema in folders(self.root.path())? {
            for table in folders(&schema)? {
                if let (Some(schema), Some(name)) = (name(schema.file_name()), name(table.file_name())) {
                    relations.push(Relation::new(schema, name));
                }
            }
        }
        relations.sort();
        Ok(relations)
    }

    fn manifest_path(&self, relation: &Relation) -> Result<PathBuf, WarehouseError> {
        Ok(self.folder(relation)?.join(MANIFEST))
    }

    fn known_parts(&self) -> MutexGuard<'_, HashMap<PathBuf, KnownPart>> {
        self.parts.lock()
    }

    /// A part that a manifest points at.
    fn part(&self, path: &Path) -> Result<Arc<Part>, WarehouseError> {
        let known = self.known_parts().entry(path.to_owned()).or_default().clone();
        let mut known = known.lock();
        if let Some(part) = known.as_ref() {
            return Ok(part.clone());
        }
        let text = fs::read(path).map_err(at("reading", path))?;
        let part = Arc::new(Part::read(&text).map_err(|error| unreadable(path, error))?);
        *known = Some(part.clone());
        Ok(part)
    }

    /// The parts that a manifest points at, in its order.
    fn parts(&self, paths: &[PathBuf]) -> Result<Vec<Arc<Part>>, WarehouseError> {
        if paths.len() < MANY_PARTS {
            return paths.iter().map(|path| self.part(path)).collect();
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = paths.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let read = |paths: &[PathBuf]| paths.iter().map(|path| self.part(path)).collect();
            let workers: Vec<_> = paths.chunks(share).map(|paths| scope.spawn(move || read(paths))).collect();
            let mut parts = Vec::new();
            for worker in workers {
                let read: Result<Vec<Arc<Part>>, WarehouseError> =
                    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                parts.extend(read?);
            }
            Ok(parts)
        })
    }

    /// The parts that the published manifest points at, by name. What cannot be read is not built upon.
    fn published_parts(&self, relation: &Relation) -> Vec<(String, Arc<Part>)> {
        let Ok(folder) = self.folder(relation) else { return Vec::new() };
        let Ok(Some((head, _))) = self.manifest(relation) else { return Vec::new() };
        let names = head.parts.into_iter().filter(|name| name != MANIFEST);
        names.filter_map(|name| Some((name.clone(), self.part(&folder.join(&name)).ok()?))).collect()
    }

    /// Writes new parts of a table, of which nothing is visible yet. Gives the head of its manifest and the entries that stand
    /// in it, with the paths of all files that are not synced.
    fn write_parts(
        &self,
        relation: &Relation,
        table: &TableVersion,
    ) -> Result<(ManifestHead, Part, Vec<PathBuf>), WarehouseError> {
        let folder = self.folder(relation)?;
        let Content::Table { partitions, batches, .. } = &table.content else {
            return Ok((ManifestHead::of(table, vec![MANIFEST.to_owned()]), Part::default(), Vec::new()));
        };
        let before = self.published_parts(relation);
        let of_partitions: Vec<&[_]> = before.iter().map(|(_, part)| part.partitions.as_slice()).collect();
        let of_batches: Vec<&[_]> = before.iter().map(|(_, part)| part.batches.as_slice()).collect();
        let partitions = EntriesBySlice::of(partitions, &of_partitions);
        let batches = EntriesBySlice::of(batches, &of_batches);
        let of_groups = table.groups.iter().flat_map(|groups| groups.files.iter());
        let new_files =
            partitions.written().flat_map(|(_, partition)| partition.files.iter()).chain(of_groups);
        let new_paths = new_files.map(|file| file.path.as_str()).filter(|path| is_of_run(path, &table.run));
        // Several partitions may share a file.
        let new_paths: HashSet<&str> = new_paths.collect();
        let mut unsynced: Vec<PathBuf> = new_paths.into_iter().map(|path| folder.join(path)).collect();
        let kept = partitions.kept.iter().chain(&batches.kept).map(|part| &before[*part]);
        let mut current: Vec<(String, Arc<Part>)> = kept.cloned().collect();
        let of_partitions =
            partitions.new.iter().map(|entries| Part { partitions: owned(entries), ..Part::default() });
        let of_batches =
            batches.new.iter().map(|entries| Part { batches: owned(entries), ..Part::default() });
        for part in of_partitions.chain(of_batches) {
            let name = format!("{PARTS}/{}.json", RunId::generate());
            let path = folder.join(&name);
            let text = part.text().map_err(|error| unreadable(&path, error.into()))?;
            fs::create_dir_all(folder.join(PARTS)).map_err(at("creating", &path))?;
            fs::write(&path, text).map_err(at("writing", &path))?;
            unsynced.push(path);
            current.push((name, Arc::new(part)));
        }
        let mut known = self.known_parts();
        known.retain(|path, _| !path.starts_with(&folder));
        let of_part = |part: &Arc<Part>| Arc::new(Mutex::new(Some(part.clone())));
        known.extend(current.iter().map(|(name, part)| (folder.join(name), of_part(part))));
        drop(known);
        let names = current.into_iter().map(|(name, _)| name).chain([MANIFEST.to_owned()]).collect();
        let part = Part { partitions: owned(&partitions.in_manifest), batches: owned(&batches.in_manifest) };
        Ok((ManifestHead::of(table, names), part, unsynced))
    }

    /// Deletes parts that the table no longer points at, once they are of that age, and says how many bytes they had.
    ///
    /// # Errors
    /// Where what the table points at cannot be read (then nothing is deleted), or a part cannot be deleted.
    pub fn clean_parts(&self, relation: &Relation, retention: Duration) -> Result<u64, WarehouseError> {
        let folder = self.folder(relation)?;
        let parts = self.manifest(relation)?.map(|(head, _)| head.parts).unwrap_or_default();
        let current: HashSet<PathBuf> = parts.iter().map(|name| folder.join(name)).collect();
        let mut bytes = 0;
        for path in files(&folder.join(PARTS))? {
            if !current.contains(&path) && age(&path)? >= retention {
                bytes += size(&path)?;
                fs::remove_file(&path).map_err(at("deleting", &path))?;
            }
        }
        Ok(bytes)
    }

    /// The table of a manifest and of the parts that it points at.
    fn table_of(
        &self,
        folder: &Path,
        mut head: ManifestHead,
        own: &Part,
    ) -> Result<TableVersion, WarehouseError> {
        let names = std::mem::take(&mut head.parts).into_iter().filter(|name| name != MANIFEST);
        let paths: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
        let parts = self.parts(&paths)?;
        let parts: Vec<&Part> = parts.iter().map(AsRef::as_ref).chain([own]).collect();
        head.into_table(&parts).map_err(|error| unreadable(&folder.join(MANIFEST), error))
    }

    /// The manifest of a relation, where there is one.
    fn manifest(&self, relation: &Relation) -> Result<Option<(ManifestHead, Part)>, WarehouseError> {
        let path = self.manifest_path(relation)?;
        match fs::read(&path) {
            Ok(text) => ManifestHead::read(&text).map(Some).map_err(|error| unreadable(&path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(WarehouseError::Io { action: "reading", path, error }),
        }
    }
}

fn owned<K: Clone, V: Clone>(entries: &[(&K, &V)]) -> Vec<(K, V)> {
    entries.iter().map(|(key, value)| ((*key).clone(), (*value).clone())).collect()
}

/// What is said of a file that is not what it should be.
fn unreadable(path: &Path, error: Unreadable) -> WarehouseError {
    let path = path.to_owned();
    match error {
        Unreadable::Format(found) => WarehouseError::Format { path, found, expected: FORMAT },
        Unreadable::Text(reason) => WarehouseError::Manifest { path, reason },
    }
}

impl Warehouse for LocalWarehouse {
    fn describe(&self) -> String {
        self.root.path().display().to_string()
    }

    fn lease(&self, holder: &Holder) -> Result<Lease, LeaseError> {
        let path = self.root.join(".lease").map_err(|error| LeaseError::Warehouse(Box::new(error.into())))?;
        lock_file(&path, holder)
    }

    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(LocalFiles(self.root.clone()))
    }

    fn table_folder(&self, relation: &Relation) -> TableFolder {
        // Files are made by the storage, which refuses what would lie elsewhere.
        let schema = relation.schema.as_deref().unwrap_or(DEFAULT_SCHEMA);
        TableFolder::new(self.storage(), self.root.path().join(schema).join(&relation.name))
    }

    fn read(&self, relation: &Relation) -> Result<Option<TableVersion>, WarehouseError> {
        let Some((head, own)) = self.manifest(relation)? else { return Ok(None) };
        self.table_of(&self.folder(relation)?, head, &own).map(Some)
    }

    fn read_in_place(&self, relation: &Relation) -> Result<Option<TableVersion>, WarehouseError> {
        let found = self.read(relation)?;
        if found.as_ref().is_some_and(|table| matches!(table.content, Content::View { .. })) {
            return Err(WarehouseError::InPlace {
                relation: relation.to_string(),
                reason: "it is a view, which is read where its own project is: have that project build it as a table"
                    .to_owned(),
            });
        }
        Ok(found)
    }

    fn read_former(&self, relation: &Relation) -> Result<Vec<TableVersion>, WarehouseError> {
        self.former_contents(self.folder(relation)?)?.map(|one| Ok(one?.table)).collect()
    }

    fn publications(&self, relation: &Relation) -> Result<Option<Vec<Publication>>, WarehouseError> {
        self.published(relation).map(Some)
    }

    fn publish(
        &self,
        relation: &Relation,
        table: &TableVersion,
        _: &Presentation,
    ) -> Result<(), WarehouseError> {
        if matches!(table.content, Content::InPlace(_)) {
            return InPlaceTable::not_published(relation);
        }
        let path = self.manifest_path(relation)?;
        let folder = self.folder(relation)?;
        fs::create_dir_all(&folder).map_err(at("creating", &folder))?;
        let (head, part, unsynced) = self.write_parts(relation, table)?;
        durable::sync(&folder, &unsynced)?;
        let text = head.text(&part).map_err(|error| unreadable(&path, error.into()))?;
        let next = folder.join(".manifest.json.next");
        let mut file = durable::create_anew(&next).map_err(at("writing", &next))?;
        file.write_all(&text).map_err(at("writing", &next))?;
        file.sync_all().map_err(at("syncing", &next))?;
        former::keep(&folder)?;
        mep_core::fail_point::reached("publish-before-rename");
        fs::rename(&next, &path).map_err(at("publishing", &path))?;
        mep_core::fail_point::reached("publish-after-rename");
        durable::sync_folder(&folder)
    }

    fn drop_relation(&self, relation: &Relation) -> Result<(), WarehouseError> {
        let path = self.manifest_path(relation)?;
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(WarehouseError::Io { action: "dropping", path, error }),
        }
        let folder = self.folder(relation)?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("deleting", &folder)(error)),
            _ => Ok(()),
        }
    }

    fn relations(&self) -> Result<Vec<Relation>, WarehouseError> {
        let mut relations = self.folders_of_tables()?;
        relations.retain(|relation| self.manifest_path(relation).is_ok_and(|path| path.exists()));
        Ok(relations)
    }

    fn clean(&self, retention: Duration) -> Result<Cleaned, WarehouseError> {
        let mut cleaned = Cleaned::default();
        for relation in self.folders_of_tables()? {
            // A first build that was not published has a folder, and nothing that points at it.
            let table = self.read(&relation)?;
            let current: HashSet<&str> =
                table.iter().flat_map(TableVersion::files).filter_map(|file| build_of(&file.path)).collect();
            for folder in folders(&self.folder(&relation)?.join(DATA))? {
                let is_current = text(folder.file_name()).is_some_and(|name| current.contains(name.as_str()));
                if !is_current && age(&folder)? >= retention {
                    cleaned.bytes += size(&folder)?;
                    cleaned.folders += 1;
                    fs::remove_dir_all(&folder).map_err(at("deleting", &folder))?;
                }
            }
            former::clean(&self.folder(&relation)?, retention)?;
            cleaned.bytes += self.clean_parts(&relation, retention)?;
        }
        Ok(cleaned)
    }
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WarehouseError + use<> {
    let path = path.to_owned();
    move |error| WarehouseError::Io { action, path, error }
}

/// The name of a folder, where it is one that a schema or table can have.
fn name(name: Option<&OsStr>) -> Option<String> {
    text(name).and_then(|name| PathName::new(name).ok()).map(String::from)
}

fn text(name: Option<&OsStr>) -> Option<String> {
    name.and_then(OsStr::to_str).map(str::to_owned)
}

/// The folders in a folder; none where it is not there.
fn folders(path: &Path) -> Result<Vec<PathBuf>, WarehouseError> {
    within(path, FileType::is_dir)
}

/// The files in a folder; none where it is not there.
fn files(path: &Path) -> Result<Vec<PathBuf>, WarehouseError> {
    within(path, FileType::is_file)
}

fn within(path: &Path, is_meant: fn(&FileType) -> bool) -> Result<Vec<PathBuf>, WarehouseError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at("listing", path)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at("listing", path))?;
        if is_meant(&entry.file_type().map_err(at("listing", path))?) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// How long ago the newest file below a folder was written.
fn age(folder: &Path) -> Result<Duration, WarehouseError> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in walkdir::WalkDir::new(folder) {
        let modified = entry.and_then(|entry| entry.metadata()).map_err(io::Error::from);
        newest = newest.max(modified.and_then(|data| data.modified()).map_err(at("reading", folder))?);
    }
    Ok(newest.elapsed().unwrap_or_default())
}

fn size(folder: &Path) -> Result<u64, WarehouseError> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(folder) {
        let data = entry.and_then(|entry| entry.metadata()).map_err(io::Error::from);
        let data = data.map_err(at("reading", folder))?;
        if data.is_file() {
            bytes += data.len();
        }
    }
    Ok(bytes)
}
