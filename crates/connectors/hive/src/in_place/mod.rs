//! Tables of Hive that others publish, read where they are.
//!
//! Owns what such a table is: its columns, the files of its partitions, and a version of each that follows from them. Comes in: what the
//! metastore and HDFS say. Goes out: a table version, with no row read. Must not know: what mep keeps in parameters.

mod avro;
mod calendar;
mod column_type;
mod csv;
mod fitted;
mod form;
mod lines;
mod listing;
mod parquet;
mod reader;
mod stored_file;
mod text;
mod text_value;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use hive_metastore::{FieldSchema, Partition as HivePartition, StorageDescriptor, Table};
use pilota::FastStr;

use self::column_type::HiveType;
use self::form::FileForm;
use self::listing::{Folder, Listing};
use self::reader::{FilesAlike, HiveColumn, HiveFiles, ListedFile};
use crate::HiveWarehouse;
use crate::entry::{key_of, location, parameters};
use mep_contract::warehouse::{
    ColumnVersions, Content, DataFile, InPlaceTable, Inputs, Ledger, Partition, PartitionKey, RunId,
    TableVersion, Version, WarehouseError,
};
use mep_core::fingerprint::{Fingerprint, Structure};
use mep_core::relation::Relation;
use mep_core::time_range::TimeRanges;

/// What a table in place is called in the versions of its partitions.
const IN_PLACE: &str = "in place";

/// A table as the metastore has it.
struct HiveTable {
    columns: Vec<HiveColumn>,
    partition_columns: Vec<HiveColumn>,
    schema: SchemaRef,
}

/// A part of a table that has a folder of its own.
struct HivePart {
    key: PartitionKey,
    folder: String,
    alike: Arc<FilesAlike>,
    /// Whether its columns are those of the table, whatever these are.
    has_columns_of_table: bool,
}

/// The table that an entry stands for.
///
/// # Errors
/// Where mep does not read such a table, or HDFS does not list its files.
pub(super) fn read(
    warehouse: &HiveWarehouse,
    relation: &Relation,
    entry: &Table,
    partitions: &[HivePartition],
) -> Result<TableVersion, WarehouseError> {
    let refused = |reason: String| WarehouseError::InPlace { relation: relation.to_string(), reason };
    check(entry).map_err(refused)?;
    let table = HiveTable::of(entry).map_err(refused)?;
    let parts = table.parts(warehouse, entry, partitions).map_err(refused)?;
    let folders: Vec<String> = parts.iter().map(|part| part.folder.clone()).collect();
    let listed = Listing::of(&warehouse.hdfs, &folders)?;
    let mut files = HashMap::new();
    let mut by_key: BTreeMap<PartitionKey, (Vec<DataFile>, Vec<Version>)> = BTreeMap::new();
    for (part, folder) in parts.into_iter().zip(listed.folders) {
        if folder.files.is_empty() && !table.partition_columns.is_empty() {
            continue;
        }
        let (of_key, versions) = by_key.entry(part.key.clone()).or_default();
        versions.push(part.version(&folder));
        for file in folder.files {
            of_key.push(DataFile::new(file.path.clone(), 0, file.bytes));
            files.insert(file.path, ListedFile { modified: file.modified, alike: part.alike.clone() });
        }
    }
    let fingerprint = Fingerprint::of([IN_PLACE]);
    let partitions = by_key.into_iter().map(|(key, (files, versions))| {
        let ledger = Ledger {
            run: RunId::none(),
            fingerprint: fingerprint.clone(),
            inputs: Inputs::default(),
            version: Version::of(versions.iter().map(Version::as_str)),
            done: TimeRanges::default(),
            columns: ColumnVersions::default(),
        };
        (key, Partition { files: Arc::new(files), ledger: Arc::new(ledger) })
    });
    let partitions = partitions.collect();
    let partition_columns = table.partition_columns.iter().map(|column| column.name.clone()).collect();
    let of_files = table.schema.project(&(0..table.columns.len()).collect::<Vec<_>>());
    let reader = HiveFiles {
        hdfs: warehouse.hdfs.clone(),
        relation: relation.clone(),
        schema: Arc::new(of_files.map_err(|error| refused(error.to_string()))?),
        columns: table.columns,
        files,
    };
    let content = Content::InPlace(InPlaceTable { partition_columns, partitions, reader: Arc::new(reader) });
    Ok(TableVersion::new(table.schema, content, RunId::none()))
}

/// Refuses what is no table of files.
fn check(entry: &Table) -> Result<(), String> {
    let set = parameters(entry.parameters.as_ref());
    let is = |key: &str, value: &str| set.get(key).is_some_and(|found| found.eq_ignore_ascii_case(value));
    match entry.table_type.as_deref() {
        Some("VIRTUAL_VIEW") => {
            return Err("it is a view, whose SQL only Hive and its like can execute; read the tables below it, write its SELECT as a model, or have it kept as a table: create table … stored as parquet as select …".to_owned());
        }
        Some("MATERIALIZED_VIEW") => {
            return Err("it is a materialized view, which Hive keeps in files of its own; read the tables below it, or have it kept as a table".to_owned());
        }
        _ => {}
    }
    if is("transactional", "true") {
        return Err("it is an ACID table (`transactional` is true), whose files hold changes that only Hive puts together; have it copied into an external table: create external table … stored as parquet as select …".to_owned());
    }
    let other = ["storage_handler", "table_type"].iter().find_map(|key| set.get(*key)).or_else(|| {
        let provider = set.get("spark.sql.sources.provider")?;
        let is_plain =
            ["parquet", "orc", "hive", "avro"].iter().any(|plain| provider.eq_ignore_ascii_case(plain));
        (!is_plain).then_some(provider)
    });
    match other {
        Some(other) => Err(format!(
            "it is kept by `{other}`, whose files only that puts together; have it copied into a table of Hive: create table … stored as parquet as select …"
        )),
        None => Ok(()),
    }
}

impl HiveTable {
    fn of(entry: &Table) -> Result<Self, String> {
        let descriptor = entry.sd.as_ref().ok_or("the metastore says of no files of it")?;
        let form = FileForm::of(descriptor, parameters(entry.parameters.as_ref()))?;
        let columns = form.columns(columns(descriptor.cols.as_deref())?);
        let partition_columns = self::columns(entry.partition_keys.as_deref())?;
        let fields = columns.iter().chain(&partition_columns);
        let fields = fields.map(|column| Field::new(&column.name, column.of.of_column(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { columns, partition_columns, schema })
    }

    /// The parts of the table: its partitions, or all of it.
    fn parts(
        &self,
        warehouse: &HiveWarehouse,
        entry: &Table,
        partitions: &[HivePartition],
    ) -> Result<Vec<HivePart>, String> {
        if self.partition_columns.is_empty() {
            let descriptor = entry.sd.as_ref().ok_or("the metastore says of no files of it")?;
            return Ok(vec![self.part(warehouse, entry, PartitionKey::whole(), descriptor)?]);
        }
        let keys: Vec<PartitionKey> = partitions.iter().map(key_of).collect();
        let keys = self.canonical(&keys)?;
        let parts = partitions.iter().zip(keys).map(|(partition, key)| {
            let named = |reason: String| format!("its partition {key}: {reason}");
            let descriptor = partition
                .sd
                .as_ref()
                .ok_or_else(|| named("the metastore says of no files of it".to_owned()))?;
            self.part(warehouse, entry, key.clone(), descriptor).map_err(named)
        });
        parts.collect()
    }

    fn part(
        &self,
        warehouse: &HiveWarehouse,
        entry: &Table,
        key: PartitionKey,
        descriptor: &StorageDescriptor,
    ) -> Result<HivePart, String> {
        let form = FileForm::of(descriptor, parameters(entry.parameters.as_ref()))?;
        let columns = form.columns(columns(descriptor.cols.as_deref())?);
        let has_columns_of_table = columns == self.columns;
        let alike = Arc::new(FilesAlike { form, columns });
        let folder = warehouse.path_of(location(Some(descriptor)))?;
        Ok(HivePart { key, folder, alike, has_columns_of_table })
    }

    /// The values of keys as text in the form that mep has for them: the metastore keeps them as somebody wrote them, so that `01` and `1`
    /// can stand for one number. What is no value of the column is NULL, as Hive has it.
    fn canonical(&self, keys: &[PartitionKey]) -> Result<Vec<PartitionKey>, String> {
        let texts = |column: usize| -> ArrayRef {
            let values = keys.iter().map(|key| key.values().get(column).and_then(Option::as_deref));
            Arc::new(values.collect::<StringArray>())
        };
        let columns = self.partition_columns.iter().enumerate().map(|(at, column)| {
            let values = cast(&texts(at), &column.of.of_column())?;
            cast(&values, &DataType::Utf8)
        });
        let columns: Vec<ArrayRef> = columns
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the values of its partitions: {error}"))?;
        let value = |column: &ArrayRef, row: usize| {
            let column = column.as_string::<i32>();
            (!arrow::array::Array::is_null(column, row)).then(|| column.value(row).to_owned())
        };
        let key = |row| PartitionKey::new(columns.iter().map(|column| value(column, row)).collect());
        Ok((0..keys.len()).map(key).collect())
    }
}

impl HivePart {
    /// Follows from what is known of its files without reading them.
    fn version(&self, folder: &Folder) -> Version {
        let mut parts = Structure::default();
        parts.tag(IN_PLACE).text(&self.folder);
        self.alike.form.add_to(&mut parts);
        // What reads a column by its name notes the type that the table has for it: other columns are nothing to it.
        let are_found_by_place = self.alike.form.is_by_place() || !self.has_columns_of_table;
        parts.flag(are_found_by_place);
        if are_found_by_place {
            parts.count(self.alike.columns.len());
            for column in &self.alike.columns {
                column.of.add_to(parts.text(&column.name));
            }
        }
        parts.count(folder.files.len());
        for file in &folder.files {
            parts.text(&file.path).number(file.bytes).number(file.modified);
        }
        Version::of([parts.fingerprint().as_str()])
    }
}

/// Columns with their types.
fn columns(of: Option<&[FieldSchema]>) -> Result<Vec<HiveColumn>, String> {
    let column = |column: &FieldSchema| {
        let name = column.name.as_deref().unwrap_or_default().to_lowercase();
        let of = column.r#type.as_ref().map(FastStr::as_str).unwrap_or_default();
        let of = HiveType::parse(of).map_err(|part| {
            format!("column `{name}` is of type {of}, and mep has no type for {part}; have it copied without that column")
        })?;
        Ok(HiveColumn { name, of })
    };
    of.unwrap_or_default().iter().map(column).collect()
}
