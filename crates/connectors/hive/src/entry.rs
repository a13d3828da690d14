//! A table version as the metastore holds it: the table's and the partitions' entries, with the ledger in their
//! parameters.
//!
//! | parameter | of | holds |
//! |---|---|---|
//! | `mep.format` | table | the form of these parameters; a reader stops at one that it does not know |
//! | `mep.columns` | table | the columns with Arrow's types and their case |
//! | `mep.sql` | table | the SQL that last built content of it |
//! | `mep.view` | view | the SELECT in mep's dialect, its fingerprint and run |
//! | `mep.ledger` | partition, unpartitioned table | what it was built from |
//! | `mep.files` | partition, unpartitioned table | name, rows and bytes of each file in its folder |
//! | `mep.batch` | partition of a landed table | what its batch brought in |
//! | `mep.state` | partition | `empty`: readers find no rows in it, and mep takes it for absent |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Schema;
use hive_metastore::{FieldSchema, Partition as HivePartition, SerDeInfo, StorageDescriptor, Table};
use pilota::FastStr;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::columns::hive_columns;
use super::metastore::database;
use super::parameters::{Parameters, get_json, set, set_json};
use super::user;
use mep_contract::warehouse::columns::{ColumnText, columns_of, schema_of};
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::partition::NULL_FOLDER;
use mep_contract::warehouse::presentation::Presentation;
use mep_contract::warehouse::{
    Batch, Content, DataFile, InPlaceTable, Ledger, Partition, PartitionKey, RunId, TableVersion,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;

const FORMAT: &str = "1";
/// A folder below the table's that never holds a file.
pub(super) const EMPTY_FOLDER: &str = "data/empty";

/// How Hive names files of Parquet, and what reads them.
pub(super) const PARQUET_INPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat";
const PARQUET_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat";
pub(super) const PARQUET_SERDE: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";

/// The words for tables that are not mep's.
const FOREIGN: &str = "it was not made by mep: drop it, or give the model another name";

#[derive(Serialize, Deserialize)]
struct HiveView {
    sql: String,
    fingerprint: Fingerprint,
    run: RunId,
}

/// A file's name, rows and bytes.
#[derive(Serialize, Deserialize)]
struct StoredFile(String, u64, u64);

#[derive(Serialize, Deserialize)]
struct NamedBatch {
    name: String,
    #[serde(flatten)]
    batch: Batch,
}

/// Where a relation's entry is, and where its files are.
#[derive(Clone, Copy)]
pub(super) struct RelationEntry<'a> {
    /// The relation.
    pub(super) relation: &'a Relation,
    /// The URL of the table's folder.
    pub(super) location: &'a str,
}

impl RelationEntry<'_> {
    fn unwritable(&self, reason: impl fmt::Display) -> WarehouseError {
        WarehouseError::Metastore {
            action: "describing",
            object: self.relation.to_string(),
            reason: reason.to_string(),
        }
    }

    fn unreadable(&self, reason: impl fmt::Display) -> WarehouseError {
        WarehouseError::Metastore {
            action: "reading",
            object: self.relation.to_string(),
            reason: reason.to_string(),
        }
    }

    fn put(
        &self,
        parameters: &mut Parameters,
        key: &str,
        value: &impl Serialize,
    ) -> Result<(), WarehouseError> {
        set_json(parameters, key, value).map_err(|error| self.unwritable(error))
    }

    fn put_batch(
        &self,
        parameters: &mut Parameters,
        batch: Option<(&String, &Batch)>,
    ) -> Result<(), WarehouseError> {
        let Some((name, batch)) = batch else { return Ok(()) };
        self.put(parameters, "mep.batch", &NamedBatch { name: name.clone(), batch: batch.clone() })
    }

    fn get<T: DeserializeOwned>(
        &self,
        parameters: &Parameters,
        key: &str,
    ) -> Result<Option<T>, WarehouseError> {
        get_json(parameters, key).map_err(|error| self.unreadable(error))
    }

    /// The entry of a table or view. An unpartitioned table's says where its content is.
    ///
    /// # Errors
    /// Where Hive cannot have such a table.
    pub(super) fn table(
        &self,
        table: &TableVersion,
        presentation: &Presentation,
    ) -> Result<Table, WarehouseError> {
        let (columns, partition_keys) = hive_columns(&table.schema, table.partition_columns(), presentation)?;
        let mut parameters = Parameters::default();
        set(&mut parameters, "mep.format", FORMAT);
        self.put(&mut parameters, "mep.columns", &columns_of(&table.schema))?;
        if let Some(sql) = &table.sql {
            self.put(&mut parameters, "mep.sql", sql)?;
        }
        if let Some(description) = &presentation.description {
            set(&mut parameters, "comment", description.trim());
        }
        let mut entry = Table {
            table_name: Some(FastStr::new(&self.relation.name)),
            db_name: Some(database(self.relation)),
            owner: Some(FastStr::from_string(user())),
            partition_keys: Some(partition_keys),
            ..Table::default()
        };
        match &table.content {
            Content::View { sql, fingerprint } => {
                let view =
                    HiveView { sql: sql.clone(), fingerprint: fingerprint.clone(), run: table.run.clone() };
                self.put(&mut parameters, "mep.view", &view)?;
                let text = presentation
                    .view
                    .as_ref()
                    .ok_or_else(|| self.unwritable("a view needs its SELECT in Hive's dialect"))?;
                // Trino takes for its own view what bears both of these words.
                set(&mut parameters, "presto_view", "true");
                set(&mut parameters, "comment", "Presto View");
                entry.table_type = Some(FastStr::from_static_str("VIRTUAL_VIEW"));
                entry.view_expanded_text = Some(FastStr::new(&text.hive));
                entry.view_original_text = Some(FastStr::new(&text.trino));
                entry.sd = Some(StorageDescriptor { cols: Some(columns), ..descriptor("") });
            }
            Content::InPlace(_) => return InPlaceTable::not_published(self.relation),
            Content::Table { partition_columns, partitions, .. } => {
                set(&mut parameters, "EXTERNAL", "TRUE");
                entry.table_type = Some(FastStr::from_static_str("EXTERNAL_TABLE"));
                let mut location = self.location.to_owned();
                if partition_columns.is_empty()
                    && let Some(partition) = partitions.get(&PartitionKey::whole())
                {
                    location = self.write_partition(&mut parameters, partition)?;
                }
                entry.sd = Some(StorageDescriptor { cols: Some(columns), ..descriptor(&location) });
            }
        }
        entry.parameters = Some(parameters);
        Ok(entry)
    }

    /// The entry of a partition.
    ///
    /// # Errors
    /// Where its files are not in one folder of their own.
    pub(super) fn partition(
        &self,
        key: &PartitionKey,
        partition: &Partition,
        columns: &[FieldSchema],
        batch: Option<(&String, &Batch)>,
    ) -> Result<HivePartition, WarehouseError> {
        let mut parameters = Parameters::default();
        let location = self.write_partition(&mut parameters, partition)?;
        self.put_batch(&mut parameters, batch)?;
        Ok(self.at(key, &location, columns, parameters))
    }

    /// The entry of a partition without rows that mep takes for absent: one that is to come or to go, or one that
    /// records a batch that brought no rows.
    ///
    /// # Errors
    /// Where a batch cannot be written as JSON.
    pub(super) fn empty_partition(
        &self,
        key: &PartitionKey,
        columns: &[FieldSchema],
        batch: Option<(&String, &Batch)>,
    ) -> Result<HivePartition, WarehouseError> {
        let mut parameters = Parameters::default();
        set(&mut parameters, "mep.state", "empty");
        statistics(&mut parameters, &[]);
        self.put_batch(&mut parameters, batch)?;
        Ok(self.at(key, &format!("{}/{EMPTY_FOLDER}", self.location), columns, parameters))
    }

    fn at(
        &self,
        key: &PartitionKey,
        location: &str,
        columns: &[FieldSchema],
        parameters: Parameters,
    ) -> HivePartition {
        let value = |value: &Option<String>| FastStr::new(value.as_deref().unwrap_or(NULL_FOLDER));
        HivePartition {
            values: Some(key.values().iter().map(value).collect()),
            db_name: Some(database(self.relation)),
            table_name: Some(FastStr::new(&self.relation.name)),
            sd: Some(StorageDescriptor { cols: Some(columns.to_vec()), ..descriptor(location) }),
            parameters: Some(parameters),
            ..HivePartition::default()
        }
    }

    /// Writes ledger, files and statistics; gives the folder's URL.
    fn write_partition(
        &self,
        parameters: &mut Parameters,
        partition: &Partition,
    ) -> Result<String, WarehouseError> {
        self.put(parameters, "mep.ledger", partition.ledger.as_ref())?;
        let mut folder: Option<&str> = None;
        let mut files = Vec::new();
        for file in partition.files.iter() {
            let (parent, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            if folder.is_some_and(|folder| folder != parent) {
                return Err(self.unwritable(format!(
                    "its files are in two folders, {} and {parent}",
                    folder.unwrap_or_default()
                )));
            }
            folder = Some(parent);
            files.push(StoredFile(name.to_owned(), file.rows, file.bytes));
        }
        self.put(parameters, "mep.files", &files)?;
        statistics(parameters, &partition.files);
        Ok(format!("{}/{}", self.location, folder.unwrap_or(EMPTY_FOLDER)))
    }

    /// The table version that entries stand for.
    ///
    /// # Errors
    /// Where the entries are not mep's, or of a form that this mep does not know.
    pub(super) fn read(
        &self,
        table: &Table,
        partitions: &[HivePartition],
    ) -> Result<TableVersion, WarehouseError> {
        let parameters = parameters(table.parameters.as_ref());
        match parameters.get("mep.format").map(FastStr::as_str) {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(self.unreadable(format!(
                    "it is of format {other}, this mep reads format {FORMAT}: use a newer mep"
                )));
            }
            None => return Err(self.unreadable(FOREIGN)),
        }
        let schema = self.schema(parameters)?;
        if let Some(view) = self.get::<HiveView>(parameters, "mep.view")? {
            let content = Content::View { sql: view.sql, fingerprint: view.fingerprint };
            return Ok(TableVersion::new(schema.into(), content, view.run));
        }
        let keys = table.partition_keys.as_deref().unwrap_or_default().len();
        let columns = schema.fields().len().checked_sub(keys);
        let columns =
            columns.ok_or_else(|| self.unreadable("it has fewer columns than partition columns"))?;
        let partition_columns: Vec<String> =
            schema.fields()[columns..].iter().map(|field| field.name().clone()).collect();
        let mut known = BTreeMap::new();
        let mut batches = BTreeMap::new();
        if keys == 0 {
            let location = location(table.sd.as_ref());
            known.insert(PartitionKey::whole(), self.read_partition(parameters, location)?);
        }
        for partition in partitions {
            let parameters = self::parameters(partition.parameters.as_ref());
            if let Some(named) = self.get::<NamedBatch>(parameters, "mep.batch")? {
                batches.insert(named.name, named.batch);
            }
            if !is_empty(partition) {
                let location = location(partition.sd.as_ref());
                known.insert(key_of(partition), self.read_partition(parameters, location)?);
            }
        }
        let runs = known.values().map(|partition| &partition.ledger.run);
        let runs = runs.chain(batches.values().map(|batch| &batch.run));
        let run = runs.max().cloned().unwrap_or_else(RunId::none);
        let content = Content::Table { partition_columns, partitions: known, batches };
        let sql = self.get(parameters, "mep.sql")?;
        Ok(TableVersion { schema: schema.into(), content, run, sql, groups: Vec::new() })
    }

    fn schema(&self, parameters: &Parameters) -> Result<Schema, WarehouseError> {
        let columns: Option<Vec<ColumnText>> = self.get(parameters, "mep.columns")?;
        let columns = columns.ok_or_else(|| self.unreadable("`mep.columns` is missing"))?;
        schema_of(columns).map_err(|error| self.unreadable(error.to_string()))
    }

    fn read_partition(&self, parameters: &Parameters, location: &str) -> Result<Partition, WarehouseError> {
        let ledger: Option<Ledger> = self.get(parameters, "mep.ledger")?;
        let files: Option<Vec<StoredFile>> = self.get(parameters, "mep.files")?;
        let (Some(ledger), Some(files)) = (ledger, files) else {
            return Err(
                self.unreadable(format!("its content at {location} was not put there by mep: drop it"))
            );
        };
        let folder = location.strip_prefix(self.location).map(|below| below.trim_matches('/'));
        let folder = folder.ok_or_else(|| {
            self.unreadable(format!("its content at {location} is not below {}", self.location))
        })?;
        let file = |StoredFile(name, rows, bytes)| DataFile::new(format!("{folder}/{name}"), rows, bytes);
        Ok(Partition { files: Arc::new(files.into_iter().map(file).collect()), ledger: ledger.into() })
    }
}

/// The key of a partition's entry.
pub(super) fn key_of(partition: &HivePartition) -> PartitionKey {
    let values = partition.values.as_deref().unwrap_or_default();
    let value = |value: &FastStr| (value != NULL_FOLDER).then(|| value.to_string());
    PartitionKey::new(values.iter().map(value).collect())
}

/// Whether an entry is one that mep takes for absent.
pub(super) fn is_empty(partition: &HivePartition) -> bool {
    parameters(partition.parameters.as_ref()).get("mep.state").map(FastStr::as_str) == Some("empty")
}

/// Whether an entry only records a batch that brought no rows.
pub(super) fn records_batch(partition: &HivePartition) -> bool {
    let parameters = parameters(partition.parameters.as_ref());
    parameters.contains_key("mep.batch") || parameters.contains_key("mep.batch.pieces")
}

/// The folder that an entry points at.
pub(super) fn location(descriptor: Option<&StorageDescriptor>) -> &str {
    descriptor.and_then(|descriptor| descriptor.location.as_deref()).unwrap_or_default()
}

/// The parameters of an entry.
pub(super) fn parameters(parameters: Option<&Parameters>) -> &Parameters {
    static NONE: std::sync::LazyLock<Parameters> = std::sync::LazyLock::new(Parameters::default);
    parameters.unwrap_or(&NONE)
}

/// Hive's own statistics, which are exact: it may answer `count(*)` from them.
fn statistics(parameters: &mut Parameters, files: &[DataFile]) {
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    set(parameters, "numRows", rows.to_string());
    set(parameters, "numFiles", files.len().to_string());
    set(parameters, "totalSize", bytes.to_string());
    set(parameters, "rawDataSize", bytes.to_string());
    set(parameters, "COLUMN_STATS_ACCURATE", r#"{"BASIC_STATS":"true"}"#);
    set(parameters, "DO_NOT_UPDATE_STATS", "true");
}

fn descriptor(location: &str) -> StorageDescriptor {
    StorageDescriptor {
        location: (!location.is_empty()).then(|| FastStr::new(location)),
        input_format: Some(FastStr::from_static_str(PARQUET_INPUT)),
        output_format: Some(FastStr::from_static_str(PARQUET_OUTPUT)),
        compressed: Some(false),
        num_buckets: Some(-1),
        serde_info: Some(SerDeInfo {
            name: None,
            serialization_lib: Some(FastStr::from_static_str(PARQUET_SERDE)),
            parameters: Some(
                [(FastStr::from_static_str("serialization.format"), FastStr::from_static_str("1"))]
                    .into_iter()
                    .collect(),
            ),
        }),
        bucket_cols: Some(Vec::new()),
        sort_cols: Some(Vec::new()),
        parameters: Some(Parameters::default()),
        stored_as_sub_directories: Some(false),
        ..StorageDescriptor::default()
    }
}
