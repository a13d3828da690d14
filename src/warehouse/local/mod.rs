//! The local warehouse: Parquet in a folder.
//!
//! Layout, below the warehouse's folder:
//! ```text
//! .lease                                      who is writing
//! <schema>/<table>/manifest.json              the one file that says what the table is
//! <schema>/<table>/parts/<id>.json            immutable files that the manifest of a long table points at
//! <schema>/<table>/data/<run>/…/*.parquet     immutable folders, one for each build
//! ```
//! Publishing writes the new manifest beside the old one, syncs it and renames it: readers see the old table or the new
//! one. What no manifest points at is left for the retention, so that a reader that has begun can end.

mod manifest;
mod parts;

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, FileType};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use self::manifest::{FORMAT, Head, MANIFEST, Part, Unreadable};
use self::parts::Division;
use super::durable;
use super::error::WarehouseError;
use super::lease::{Holder, Lease, LeaseError, lock_file};
use super::storage::{LocalFiles, Storage, TableFolder};
use super::table::{Content, TableVersion};
use super::{Cleaned, Presentation, RunId, Warehouse};
use crate::relation::Relation;

/// The folder of parts, below that of the table.
const PARTS: &str = "parts";
/// From this many parts on, threads read them.
const MANY_PARTS: usize = 4;

/// Parquet tables in a folder.
#[derive(Clone, Debug)]
pub struct LocalWarehouse {
    root: PathBuf,
    /// Parts that this process has read or written, by path: they never change.
    parts: Arc<Mutex<HashMap<PathBuf, Arc<Part>>>>,
}

impl LocalWarehouse {
    /// The warehouse in this folder, which need not be there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), parts: Arc::default() }
    }

    fn folder(&self, relation: &Relation) -> PathBuf {
        self.root.join(relation.schema.as_deref().unwrap_or("default")).join(&relation.name)
    }

    /// Takes the right to stream into one table, which goes on beside runs.
    ///
    /// # Errors
    /// Where another process has it.
    pub fn lease_table(&self, relation: &Relation, holder: &Holder) -> Result<Lease, LeaseError> {
        lock_file(&self.folder(relation).join("stream/.lease"), holder)
    }

    /// What has a folder where tables have theirs, published or not.
    fn folders_of_tables(&self) -> Result<Vec<Relation>, WarehouseError> {
        let mut relations = Vec::new();
        for schema in folders(&self.root)? {
            for table in folders(&schema)? {
                if let (Some(schema), Some(name)) = (text(schema.file_name()), text(table.file_name())) {
                    relations.push(Relation::new(schema, name));
                }
            }
        }
        relations.sort();
        Ok(relations)
    }

    fn manifest_path(&self, relation: &Relation) -> PathBuf {
        self.folder(relation).join(MANIFEST)
    }

    fn known_parts(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Part>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part that a manifest points at.
    fn part(&self, path: PathBuf) -> Result<Arc<Part>, WarehouseError> {
        if let Some(part) = self.known_parts().get(&path) {
            return Ok(part.clone());
        }
        let text = fs::read(&path).map_err(at("reading", &path))?;
        let part = Arc::new(Part::read(&text).map_err(|error| unreadable(&path, error))?);
        self.known_parts().insert(path, part.clone());
        Ok(part)
    }

    /// The parts that a manifest points at, in its order.
    fn parts(&self, paths: Vec<PathBuf>) -> Result<Vec<Arc<Part>>, WarehouseError> {
        if paths.len() < MANY_PARTS {
            return paths.into_iter().map(|path| self.part(path)).collect();
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = paths.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let read = |paths: Vec<PathBuf>| paths.into_iter().map(|path| self.part(path)).collect();
            let workers: Vec<_> = paths
                .chunks(share)
                .map(<[_]>::to_vec)
                .map(|paths| scope.spawn(move || read(paths)))
                .collect();
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
        let folder = self.folder(relation);
        let Ok(Some((head, _))) = self.manifest(relation) else { return Vec::new() };
        let names = head.parts.into_iter().filter(|name| name != MANIFEST);
        names.filter_map(|name| Some((name.clone(), self.part(folder.join(&name)).ok()?))).collect()
    }

    /// Writes new parts of a table, of which nothing is visible yet. Gives the head of its manifest and the entries that stand
    /// in it, with the paths of all files that are not synced.
    fn write_parts(
        &self,
        relation: &Relation,
        table: &TableVersion,
    ) -> Result<(Head, Part, Vec<PathBuf>), WarehouseError> {
        let folder = self.folder(relation);
        let Content::Table { partitions, batches, .. } = &table.content else {
            return Ok((Head::of(table, vec![MANIFEST.to_owned()]), Part::default(), Vec::new()));
        };
        let before = self.published_parts(relation);
        let of_partitions: Vec<&[_]> = before.iter().map(|(_, part)| part.partitions.as_slice()).collect();
        let of_batches: Vec<&[_]> = before.iter().map(|(_, part)| part.batches.as_slice()).collect();
        let partitions = Division::of(partitions, &of_partitions);
        let batches = Division::of(batches, &of_batches);
        let new_files = partitions.written().flat_map(|(_, partition)| partition.files.iter());
        let mut unsynced: Vec<PathBuf> = new_files
            .filter(|file| file.path.split(['/', '.']).nth(1) == Some(table.run.as_str()))
            .map(|file| folder.join(&file.path))
            .collect();
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
        known.extend(current.iter().map(|(name, part)| (folder.join(name), part.clone())));
        drop(known);
        let names = current.into_iter().map(|(name, _)| name).chain([MANIFEST.to_owned()]).collect();
        let part = Part { partitions: owned(&partitions.in_manifest), batches: owned(&batches.in_manifest) };
        Ok((Head::of(table, names), part, unsynced))
    }

    /// Deletes parts that the table no longer points at, once they are of that age, and says how many bytes they had.
    ///
    /// # Errors
    /// Where what the table points at cannot be read (then nothing is deleted), or a part cannot be deleted.
    pub fn clean_parts(&self, relation: &Relation, retention: Duration) -> Result<u64, WarehouseError> {
        let folder = self.folder(relation);
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

    /// The manifest of a relation, where there is one.
    fn manifest(&self, relation: &Relation) -> Result<Option<(Head, Part)>, WarehouseError> {
        let path = self.manifest_path(relation);
        match fs::read(&path) {
            Ok(text) => Head::read(&text).map(Some).map_err(|error| unreadable(&path, error)),
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
        self.root.display().to_string()
    }

    fn lease(&self, holder: &Holder) -> Result<Lease, LeaseError> {
        lock_file(&self.root.join(".lease"), holder)
    }

    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(LocalFiles)
    }

    fn table_folder(&self, relation: &Relation) -> TableFolder {
        TableFolder::new(self.storage(), self.folder(relation))
    }

    fn read(&self, relation: &Relation) -> Result<Option<TableVersion>, WarehouseError> {
        let Some((mut head, own)) = self.manifest(relation)? else { return Ok(None) };
        let folder = self.folder(relation);
        let names = std::mem::take(&mut head.parts).into_iter().filter(|name| name != MANIFEST);
        let parts = self.parts(names.map(|name| folder.join(name)).collect())?;
        let parts: Vec<&Part> = parts.iter().map(AsRef::as_ref).chain([&own]).collect();
        head.into_table(&parts).map(Some).map_err(|error| unreadable(&self.manifest_path(relation), error))
    }

    fn publish(
        &self,
        relation: &Relation,
        table: &TableVersion,
        _: &Presentation,
    ) -> Result<(), WarehouseError> {
        let path = self.manifest_path(relation);
        let folder = self.folder(relation);
        fs::create_dir_all(&folder).map_err(at("creating", &folder))?;
        let (head, part, unsynced) = self.write_parts(relation, table)?;
        durable::sync(&folder, &unsynced)?;
        let text = head.text(&part).map_err(|error| unreadable(&path, error.into()))?;
        let next = folder.join(".manifest.json.next");
        let mut file = File::create(&next).map_err(at("writing", &next))?;
        file.write_all(&text).map_err(at("writing", &next))?;
        file.sync_all().map_err(at("syncing", &next))?;
        crate::fail_point::reached("publish-before-rename");
        fs::rename(&next, &path).map_err(at("publishing", &path))?;
        crate::fail_point::reached("publish-after-rename");
        sync_folder(&folder)
    }

    fn drop_relation(&self, relation: &Relation) -> Result<(), WarehouseError> {
        let path = self.manifest_path(relation);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(WarehouseError::Io { action: "dropping", path, error }),
        }
        let folder = self.folder(relation);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("deleting", &folder)(error)),
            _ => Ok(()),
        }
    }

    fn relations(&self) -> Result<Vec<Relation>, WarehouseError> {
        let mut relations = self.folders_of_tables()?;
        relations.retain(|relation| self.manifest_path(relation).exists());
        Ok(relations)
    }

    fn clean(&self, retention: Duration) -> Result<Cleaned, WarehouseError> {
        let mut cleaned = Cleaned::default();
        for relation in self.folders_of_tables()? {
            // A first build that was not published has a folder, and nothing that points at it.
            let table = self.read(&relation)?;
            let current: HashSet<&str> = table
                .iter()
                .flat_map(TableVersion::partitions)
                .flat_map(|(_, partition)| partition.files.iter())
                .filter_map(|file| file.path.split('/').nth(1))
                .collect();
            for folder in folders(&self.folder(&relation).join("data"))? {
                let is_current = text(folder.file_name()).is_some_and(|name| current.contains(name.as_str()));
                if !is_current && age(&folder)? >= retention {
                    cleaned.bytes += size(&folder)?;
                    cleaned.folders += 1;
                    fs::remove_dir_all(&folder).map_err(at("deleting", &folder))?;
                }
            }
            cleaned.bytes += self.clean_parts(&relation, retention)?;
        }
        Ok(cleaned)
    }
}

/// Makes the entries of a folder last through a power cut.
///
/// # Errors
/// Where the folder cannot be synced.
pub(super) fn sync_folder(folder: &Path) -> Result<(), WarehouseError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("syncing", folder))
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WarehouseError + use<> {
    let path = path.to_owned();
    move |error| WarehouseError::Io { action, path, error }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

    use super::*;
    use crate::time_range::TimeRanges;
    use crate::warehouse::{
        Batch, ColumnVersions, Content, DataFile, Fingerprint, Inputs, Ledger, Partition, PartitionKey,
        RunId, Version,
    };

    fn table(run: &RunId) -> TableVersion {
        let fingerprint = Fingerprint::of(["select 1"]);
        let inputs = Inputs::default();
        let version = Version::derive(&fingerprint, &inputs);
        let (columns, done) = (ColumnVersions::default(), TimeRanges::default());
        let ledger = Ledger { run: run.clone(), fingerprint, inputs, version, columns, done };
        let path = format!("data/{run}/event_date=2018-11-03/0.parquet");
        let partition = Partition { files: vec![DataFile { path, rows: 3, bytes: 4 }].into(), ledger };
        let key = PartitionKey::new(vec![Some("2018-11-03".into())]);
        let fields = vec![
            Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("price", DataType::Decimal128(10, 2), true),
            Field::new("event_date", DataType::Date32, true),
        ];
        TableVersion {
            schema: Arc::new(Schema::new(fields)),
            content: Content::Table {
                partition_columns: vec!["event_date".into()],
                partitions: BTreeMap::from([(key, partition)]),
                batches: BTreeMap::new(),
            },
            run: run.clone(),
            sql: None,
        }
    }

    fn write_files(warehouse: &LocalWarehouse, relation: &Relation, table: &TableVersion) {
        for file in table.partitions().flat_map(|(_, partition)| partition.files.iter()) {
            let path = warehouse.folder(relation).join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "1234").unwrap();
        }
    }

    #[test]
    fn what_is_published_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = LocalWarehouse::new(folder.path());
        let relation = Relation::new("music", "fact_listen");
        assert_eq!(warehouse.read(&relation).unwrap(), None);
        let table = table(&RunId::generate());
        write_files(&warehouse, &relation, &table);
        warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
        assert_eq!(warehouse.read(&relation).unwrap(), Some(table));
        assert_eq!(warehouse.relations().unwrap(), vec![relation]);
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_not_a_missing_table() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = LocalWarehouse::new(folder.path());
        let relation = Relation::new("music", "fact_listen");
        let table = table(&RunId::generate());
        write_files(&warehouse, &relation, &table);
        warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
        let manifest = folder.path().join("music/fact_listen/manifest.json");
        fs::write(&manifest, "{\"format\": 1, ").unwrap();
        assert!(matches!(warehouse.read(&relation), Err(WarehouseError::Manifest { .. })));
        fs::write(&manifest, "{\"format\": 9}").unwrap();
        assert!(matches!(warehouse.read(&relation), Err(WarehouseError::Format { found: 9, .. })));
    }

    #[test]
    fn cleaning_spares_what_the_manifest_points_at_and_what_is_young() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = LocalWarehouse::new(folder.path());
        let relation = Relation::new("music", "fact_listen");
        let (old, new) = (RunId::generate(), RunId::generate());
        let data = folder.path().join("music/fact_listen/data");
        for run in [&old, &new] {
            let partition = data.join(run.as_str()).join("event_date=2018-11-03");
            fs::create_dir_all(&partition).unwrap();
            fs::write(partition.join("0.parquet"), "1234").unwrap();
        }
        warehouse.publish(&relation, &table(&new), &Presentation::default()).unwrap();
        assert_eq!(warehouse.clean(Duration::from_hours(1)).unwrap(), Cleaned::default());
        assert_eq!(warehouse.clean(Duration::ZERO).unwrap(), Cleaned { folders: 1, bytes: 4 });
        assert!(data.join(new.as_str()).exists() && !data.join(old.as_str()).exists());
    }

    fn long_table(days: usize, run: &RunId) -> TableVersion {
        let mut table = table(run);
        let Content::Table { partitions, batches, .. } = &mut table.content else { return table };
        let (_, one) = partitions.pop_first().unwrap();
        for day in 0..days {
            let key = PartitionKey::new(vec![Some(format!("day {day:04}"))]);
            partitions.insert(key, one.clone());
            let batch =
                Batch { run: run.clone(), fingerprint: one.ledger.fingerprint.clone(), units: Vec::new() };
            batches.insert(format!("batch {day:04}"), batch);
        }
        table
    }

    fn parts(warehouse: &LocalWarehouse, relation: &Relation) -> Vec<PathBuf> {
        files(&warehouse.folder(relation).join(PARTS)).unwrap()
    }

    #[test]
    fn a_long_table_is_read_back_from_its_parts_by_another_process_too() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = LocalWarehouse::new(folder.path());
        let relation = Relation::new("music", "fact_listen");
        let run = RunId::generate();
        let mut table = long_table(1000, &run);
        warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
        let before = parts(&warehouse, &relation);
        assert!(before.len() > 2);
        let other = LocalWarehouse::new(folder.path());
        assert_eq!(other.read(&relation).unwrap(), Some(table.clone()));
        // A day more is written to the manifest alone, whichever process does it.
        let Content::Table { partitions, .. } = &mut table.content else { return };
        let (_, mut last) = partitions.pop_last().unwrap();
        last.ledger.run = RunId::generate();
        partitions.insert(PartitionKey::new(vec![Some("day 1000".into())]), last);
        other.publish(&relation, &table, &Presentation::default()).unwrap();
        assert_eq!(parts(&warehouse, &relation), before);
        assert_eq!(warehouse.read(&relation).unwrap(), Some(table));
    }

    #[test]
    fn a_part_that_is_missing_or_damaged_is_an_error_and_not_a_shorter_table() {
        let folder = tempfile::tempdir().unwrap();
        let relation = Relation::new("music", "fact_listen");
        let warehouse = LocalWarehouse::new(folder.path());
        let table = long_table(300, &RunId::generate());
        warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
        let part = parts(&warehouse, &relation).remove(0);
        let text = fs::read_to_string(&part).unwrap();
        let read = || LocalWarehouse::new(folder.path()).read(&relation);
        for damaged in [
            &text[..text.len() / 2],
            &text.replacen("[[3,4]]", "[[3,4],[3,4]]", 1),
            &text.replacen(".parquet\",", "\",\"b\",", 1),
        ] {
            fs::write(&part, damaged).unwrap();
            assert!(matches!(read(), Err(WarehouseError::Manifest { .. })), "{:?}", read());
        }
        let other = parts(&warehouse, &relation).remove(1);
        fs::write(&part, fs::read(&other).unwrap()).unwrap();
        assert!(matches!(read(), Err(WarehouseError::Manifest { .. })));
        fs::remove_file(&part).unwrap();
        assert!(matches!(read(), Err(WarehouseError::Io { .. })));
    }

    #[test]
    fn parts_that_no_manifest_points_at_are_cleaned_once_they_are_old() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = LocalWarehouse::new(folder.path());
        let relation = Relation::new("music", "fact_listen");
        warehouse.publish(&relation, &long_table(300, &RunId::generate()), &Presentation::default()).unwrap();
        let first = parts(&warehouse, &relation);
        let table = long_table(300, &RunId::generate());
        warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
        assert!(first.iter().all(|path| path.exists()));
        warehouse.clean(Duration::from_hours(1)).unwrap();
        assert!(first.iter().all(|path| path.exists()));
        assert!(warehouse.clean(Duration::ZERO).unwrap().bytes > 0);
        assert!(first.iter().all(|path| !path.exists()));
        assert_eq!(LocalWarehouse::new(folder.path()).read(&relation).unwrap(), Some(table));
    }

    #[test]
    fn a_manifest_of_before_there_were_parts_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = LocalWarehouse::new(folder.path());
        let relation = Relation::new("music", "fact_listen");
        let run = RunId::generate();
        let table = table(&run);
        let (_, partition) = table.partitions().next().unwrap();
        let path = &partition.files[0].path;
        let earlier = serde_json::json!({
            "format": 1,
            "files": [path],
            "run": run,
            "columns": [
                {"name": "ts", "type": "Timestamp(µs)", "nullable": true},
                {"name": "price", "type": "Decimal128(10, 2)", "nullable": true},
                {"name": "event_date", "type": "Date32", "nullable": true},
            ],
            "partition_columns": ["event_date"],
            "partitions": [{
                "key": ["2018-11-03"],
                "partition": {"files": [{"path": path, "rows": 3, "bytes": 4}], "ledger": partition.ledger},
            }],
        });
        fs::create_dir_all(warehouse.folder(&relation)).unwrap();
        fs::write(warehouse.manifest_path(&relation), earlier.to_string()).unwrap();
        assert_eq!(warehouse.read(&relation).unwrap(), Some(table));
    }
}
