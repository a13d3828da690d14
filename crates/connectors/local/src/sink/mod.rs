//! Rows of a streaming model in a local warehouse: a table of Parquet, of which each epoch writes the partitions that changed
//! anew and publishes them in one step.
//!
//! Beside the table's data lies the folder `stream` with the lease, the cut that was begun and the checkpoint.

mod merge;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};

use self::merge::{PartitionChange, changes, rows_of_files};
use crate::warehouse::LocalWarehouse;
use mep_contract::sink::keyed::as_one;
use mep_contract::sink::late::{late_events, late_rows, late_schema};
use mep_contract::sink::{Epoch, LateEvent, Sink, SinkError, SinkTable, Standing};
use mep_contract::warehouse::build_folder::{BuildFolder, DATA, build_of};
use mep_contract::warehouse::{
    ColumnVersions, Content, Holder, InputKey, Inputs, Lease, LeaseError, Ledger, Partition, PartitionKey,
    PartitionWriter, Presentation, RunId, Spread, TableVersion, Version, Warehouse, WriteTarget,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRanges;
use mep_sql::stored_schema;

/// How long files that were superseded stay, so that a reader that has begun can end.
const SUPERSEDED: Duration = Duration::from_mins(1);

/// A streaming model's table in a local warehouse.
pub struct LocalSink {
    warehouse: LocalWarehouse,
    table: SinkTable,
    late: SinkTable,
    holder: Holder,
    state: Mutex<SinkState>,
}

#[derive(Default)]
struct SinkState {
    lease: Option<Lease>,
    upserts: Vec<RecordBatch>,
    deletes: Vec<RecordBatch>,
    late: Vec<RecordBatch>,
}

impl LocalSink {
    /// The table in this warehouse, for an instance that is described by `holder`.
    pub fn new(warehouse: LocalWarehouse, table: SinkTable, holder: Holder) -> Self {
        let late = late_table(&table);
        Self { warehouse, table, late, holder, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, SinkState> {
        self.state.lock()
    }

    fn note(&self, name: &str) -> PathBuf {
        self.warehouse.table_folder(&self.table.relation).path_of("stream").join(name)
    }

    fn take_lease(&self) -> Result<(), SinkError> {
        let taken = self.warehouse.lease_table(&self.table.relation, &self.holder);
        let lease = taken.map_err(|error| match error {
            LeaseError::Held(holder) => SinkError::Held {
                model: self.table.relation.to_string(),
                holder: holder.map_or_else(|| "another process".to_owned(), |holder| holder.to_string()),
            },
            other => SinkError::Refused(other.to_string()),
        })?;
        self.state().lease = Some(lease);
        Ok(())
    }

    fn check_keys(&self) -> Result<(), SinkError> {
        let stored = self.warehouse.read(&self.table.relation).map_err(refused)?;
        let Some(stored) = stored else { return Ok(()) };
        let anew = "make the table anew with: mep stream --full-refresh";
        if stored.partition_columns() != partition_columns(&self.table) {
            return Err(SinkError::Refused(format!(
                "the table is kept by ({}), and the model asks for ({}): {anew}",
                stored.partition_columns().join(", "),
                partition_columns(&self.table).join(", ")
            )));
        }
        let wanted = schema_of(&self.table)?;
        for field in stored.schema.fields() {
            let now = wanted.field_with_name(field.name()).ok().map(Field::data_type);
            if now.is_some_and(|now| now != field.data_type()) || (now.is_none() && self.is_key(field.name()))
            {
                return Err(SinkError::Refused(format!(
                    "the stored column `{}` is {}, and the model gives {}: {anew}",
                    field.name(),
                    field.data_type(),
                    now.map_or_else(|| "none".to_owned(), ToString::to_string)
                )));
            }
        }
        Ok(())
    }

    fn is_key(&self, name: &str) -> bool {
        self.table.key().any(|key| key == name)
    }

    fn publish(
        &self,
        table: &SinkTable,
        upserts: &[RecordBatch],
        deletes: &[RecordBatch],
    ) -> Result<(), SinkError> {
        let schema = schema_of(table)?;
        let columns = partition_columns(table);
        let stored = self.warehouse.read(&table.relation).map_err(refused)?;
        let mut partitions: BTreeMap<PartitionKey, Partition> = stored
            .iter()
            .flat_map(TableVersion::partitions)
            .map(|(key, one)| (key.clone(), one.clone()))
            .collect();
        let keys: Vec<&str> = table.key().collect();
        let changes = changes(&schema, columns, &keys, upserts, deletes).map_err(refused)?;
        let run = RunId::generate();
        let folder = self.warehouse.table_folder(&table.relation);
        let target = WriteTarget {
            table_folder: folder.clone(),
            folder: BuildFolder::of(&run),
            schema: schema.clone(),
            partition_columns: columns.to_vec(),
            spread: Spread::Threads,
        };
        let mut writer = PartitionWriter::new(target, "part").map_err(refused)?;
        let touched: Vec<PartitionKey> = changes.iter().map(|change| change.partition.clone()).collect();
        for change in changes {
            let files = partitions.get(&change.partition).map(|partition| partition.files.as_slice());
            let paths = files.unwrap_or_default().iter().map(|file| folder.path_of(&file.path));
            for batch in change.over(&schema, &paths.collect::<Vec<_>>()).map_err(refused)? {
                writer.write(&batch).map_err(refused)?;
            }
        }
        let mut files = writer.finish().map_err(refused)?;
        for key in touched {
            let ledger = Ledger {
                run: run.clone(),
                fingerprint: Fingerprint::of([table.relation.name.as_str()]),
                inputs: Inputs::default(),
                version: Version::of([run.as_str(), InputKey::of(&key).as_str()]),
                done: TimeRanges::default(),
                columns: ColumnVersions::default(),
            };
            let files = files.remove(&key).unwrap_or_default();
            partitions.insert(key, Partition { files: files.into(), ledger: ledger.into() });
        }
        let content =
            Content::Table { partition_columns: columns.to_vec(), partitions, batches: BTreeMap::new() };
        let version = TableVersion::new(schema, content, run);
        self.warehouse.publish(&table.relation, &version, &Presentation::default()).map_err(refused)?;
        self.forget_superseded(&table.relation, &version);
        Ok(())
    }

    /// An epoch lasts for seconds, so that a retention of days would keep thousands of folders.
    fn forget_superseded(&self, relation: &Relation, version: &TableVersion) {
        let data = self.warehouse.table_folder(relation).path_of(DATA);
        let Ok(folders) = std::fs::read_dir(&data) else { return };
        for folder in folders.flatten() {
            let name = folder.file_name();
            let is_current = version
                .partitions()
                .flat_map(|(_, partition)| partition.files.iter())
                .any(|file| build_of(&file.path).is_some_and(|build| name.to_str() == Some(build)));
            let age = folder.metadata().and_then(|found| found.modified());
            let age = age.ok().and_then(|since| SystemTime::now().duration_since(since).ok());
            if !is_current && age.is_some_and(|age| age > SUPERSEDED) {
                // What stays is deleted by the next epoch, or by mep clean.
                let _ = std::fs::remove_dir_all(folder.path());
            }
        }
        let _ = self.warehouse.clean_parts(relation, SUPERSEDED);
    }
}

#[async_trait]
impl Sink for LocalSink {
    fn describe(&self) -> String {
        self.warehouse.describe()
    }

    fn kept_for(&self) -> Option<Duration> {
        None
    }

    async fn open(&self) -> Result<Standing, SinkError> {
        self.take_lease()?;
        self.check_keys()?;
        self.standing().await
    }

    async fn open_anew(&self) -> Result<(), SinkError> {
        self.take_lease()?;
        for name in ["checkpoint", "prepared"] {
            match std::fs::remove_file(self.note(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(refused(error)),
                _ => {}
            }
        }
        for table in [&self.table, &self.late] {
            self.publish_empty(table)?;
        }
        Ok(())
    }

    async fn renew(&self) -> Result<(), SinkError> {
        // The system's lock is held for as long as the process lives.
        Ok(())
    }

    async fn prepare(&self, epoch: Epoch, cut: &[u8]) -> Result<(), SinkError> {
        let mut state = self.state();
        state.upserts.clear();
        state.deletes.clear();
        state.late.clear();
        drop(state);
        self.write_note("prepared", epoch, cut)
    }

    async fn upsert(&self, _: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        for batch in rows {
            for key in self.table.key() {
                if batch.column_by_name(key).is_some_and(|column| column.null_count() > 0) {
                    return Err(SinkError::Refused(format!("`{key}`, a column of the key, is null")));
                }
            }
        }
        self.state().upserts.extend_from_slice(rows);
        Ok(())
    }

    async fn delete(&self, _: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.state().deletes.extend_from_slice(rows);
        Ok(())
    }

    async fn keep_late(&self, epoch: Epoch, events: &[LateEvent]) -> Result<(), SinkError> {
        let epoch = i64::try_from(epoch.0).unwrap_or(i64::MAX);
        self.state().late.push(late_rows(epoch, events).map_err(refused)?);
        Ok(())
    }

    async fn commit(&self, epoch: Epoch, checkpoint: &[u8]) -> Result<(), SinkError> {
        let mut state = self.state();
        let (upserts, deletes, late) = (
            std::mem::take(&mut state.upserts),
            std::mem::take(&mut state.deletes),
            std::mem::take(&mut state.late),
        );
        drop(state);
        if !upserts.is_empty() || !deletes.is_empty() {
            self.publish(&self.table, &upserts, &deletes)?;
        }
        if !late.is_empty() {
            self.publish(&self.late, &late, &[])?;
        }
        mep_core::fail_point::reached("local-published");
        self.write_note("checkpoint", epoch, checkpoint)
    }

    async fn standing(&self) -> Result<Standing, SinkError> {
        Ok(Standing { committed: self.read_note("checkpoint")?, prepared: self.read_note("prepared")? })
    }

    async fn rows(&self) -> Result<Vec<RecordBatch>, SinkError> {
        self.stored_rows(&self.table)
    }

    async fn late(&self) -> Result<Vec<LateEvent>, SinkError> {
        let rows = as_one(&late_schema(), &self.stored_rows(&self.late)?).map_err(refused)?;
        Ok(late_events(&rows))
    }

    async fn release(&self) -> Result<(), SinkError> {
        self.state().lease = None;
        Ok(())
    }
}

impl LocalSink {
    fn stored_rows(&self, table: &SinkTable) -> Result<Vec<RecordBatch>, SinkError> {
        let Some(stored) = self.warehouse.read(&table.relation).map_err(refused)? else {
            return Ok(Vec::new());
        };
        let folder = self.warehouse.table_folder(&table.relation);
        let mut rows = Vec::new();
        for (key, partition) in stored.partitions() {
            let paths: Vec<PathBuf> = partition.files.iter().map(|file| folder.path_of(&file.path)).collect();
            let partition = rows_of_files(&stored.schema, stored.partition_columns(), key, &paths);
            rows.extend(partition.map_err(refused)?);
        }
        Ok(rows)
    }

    fn publish_empty(&self, table: &SinkTable) -> Result<(), SinkError> {
        let content = Content::Table {
            partition_columns: partition_columns(table).to_vec(),
            partitions: BTreeMap::new(),
            batches: BTreeMap::new(),
        };
        let version = TableVersion::new(schema_of(table)?, content, RunId::generate());
        self.warehouse.publish(&table.relation, &version, &Presentation::default()).map_err(refused)
    }

    /// An epoch and bytes, as they were noted; `None` where nothing was.
    fn read_note(&self, name: &str) -> Result<Option<(Epoch, Vec<u8>)>, SinkError> {
        let path = self.note(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SinkError::Refused(format!("{}: {error}", path.display()))),
        };
        let Some((epoch, rest)) = bytes.split_first_chunk::<8>() else {
            return Err(SinkError::Refused(format!("{} is too short to be a checkpoint", path.display())));
        };
        Ok(Some((Epoch(u64::from_le_bytes(*epoch)), rest.to_vec())))
    }

    fn write_note(&self, name: &str, epoch: Epoch, bytes: &[u8]) -> Result<(), SinkError> {
        let mut content = epoch.0.to_le_bytes().to_vec();
        content.extend_from_slice(bytes);
        mep_contract::warehouse::replace_durably(&self.note(name), &content).map_err(refused)
    }
}

fn refused(error: impl std::fmt::Display) -> SinkError {
    SinkError::Refused(error.to_string())
}

/// The columns whose values name folders. A table without clustering would have a folder for each row.
fn partition_columns(table: &SinkTable) -> &[String] {
    if table.clustering.is_empty() { &[] } else { &table.partition_key }
}

fn schema_of(table: &SinkTable) -> Result<SchemaRef, SinkError> {
    stored_schema(&table.schema, partition_columns(table)).map_err(refused)
}

/// The table of what was too late.
fn late_table(table: &SinkTable) -> SinkTable {
    SinkTable {
        relation: table.relation.late(),
        schema: late_schema(),
        partition_key: ["epoch", "topic", "partition", "offset"].map(str::to_owned).to_vec(),
        clustering: Vec::new(),
        ttl: None,
        description: format!("Events that came too late for {}.", table.relation.name),
        column_descriptions: Vec::new(),
    }
}

/// The rows of a change over those that are stored.
impl PartitionChange {
    fn over(self, schema: &SchemaRef, files: &[PathBuf]) -> Result<Vec<RecordBatch>, merge::MergeError> {
        let mut batches = self.kept(schema, files)?;
        batches.push(self.rows);
        Ok(batches)
    }
}
