//! The local warehouse: Parquet in a folder.
//!
//! Layout, below the warehouse's folder:
//! ```text
//! .lease                                      who is writing
//! <schema>/<table>/manifest.json              the one file that says what the table is
//! <schema>/<table>/data/<run>/…/*.parquet     immutable folders, one for each build
//! ```
//! Publishing writes the new manifest beside the old one, syncs it and renames it: readers see the old table or the new
//! one. A folder that no manifest points at is left for the retention, so that a reader that has begun can end.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::durable;
use super::error::WarehouseError;
use super::lease::{Holder, Lease, LeaseError, lock_file};
use super::storage::{LocalFiles, Storage, TableFolder};
use super::table::{Manifest, TableVersion};
use super::{Cleaned, Presentation, Warehouse};
use crate::relation::Relation;

/// Parquet tables in a folder.
#[derive(Clone, Debug)]
pub struct LocalWarehouse {
    root: PathBuf,
}

impl LocalWarehouse {
    /// The warehouse in this folder, which need not be there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
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
        self.folder(relation).join("manifest.json")
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
        let path = self.manifest_path(relation);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(WarehouseError::Io { action: "reading", path, error }),
        };
        let unreadable = |reason: String| WarehouseError::Manifest { path: path.clone(), reason };
        let json: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        match json.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found == u64::from(Manifest::FORMAT) => {}
            Some(found) => {
                return Err(WarehouseError::Format { path, found, expected: Manifest::FORMAT });
            }
            None => return Err(unreadable("it has no `format`".to_owned())),
        }
        let manifest: Manifest =
            serde_json::from_value(json).map_err(|error| unreadable(error.to_string()))?;
        manifest.into_table().map(Some).map_err(unreadable)
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
        let new_files: Vec<PathBuf> = table
            .partitions()
            .flat_map(|(_, partition)| &partition.files)
            .filter(|file| file.path.split(['/', '.']).nth(1) == Some(table.run.as_str()))
            .map(|file| folder.join(&file.path))
            .collect();
        durable::sync(&folder, &new_files)?;
        let text = serde_json::to_vec_pretty(&Manifest::of(table))
            .map_err(|error| WarehouseError::Manifest { path: path.clone(), reason: error.to_string() })?;
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
                .flat_map(|(_, partition)| &partition.files)
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
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at("listing", path)(error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at("listing", path))?;
        if entry.file_type().map_err(at("listing", path))?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
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
        Content, DataFile, Fingerprint, Inputs, Ledger, Partition, PartitionKey, RunId, Version,
    };

    fn table(run: &RunId) -> TableVersion {
        let fingerprint = Fingerprint::of(["select 1"]);
        let inputs = Inputs::default();
        let version = Version::derive(&fingerprint, &inputs);
        let (columns, done) = (BTreeMap::new(), TimeRanges::default());
        let ledger = Ledger { run: run.clone(), fingerprint, inputs, version, columns, done };
        let path = format!("data/{run}/event_date=2018-11-03/0.parquet");
        let partition = Partition { files: vec![DataFile { path, rows: 3, bytes: 4 }], ledger };
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
        for file in table.partitions().flat_map(|(_, partition)| &partition.files) {
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
}
