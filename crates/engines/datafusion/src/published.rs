//! A published table as DataFusion reads it: the files that the manifest names, pruned by partition.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::RowSelection;

use super::counted_rows::counted;
use super::files_of_keys::with_files;
use super::float_bounds::WithoutFloatBounds;
use super::in_place::{FileOfPartition, InPlaceScan};
use mep_contract::warehouse::{
    Content, DataFile, InPlaceTable, PartitionKey, TableFolder, TableVersion, Within,
};
use mep_sql::{EventDay, exact_on_partitions};

/// One table version, read from its files.
#[derive(Clone, Debug)]
pub struct PublishedTable {
    folder: TableFolder,
    table: Arc<TableVersion>,
    event_day: Option<EventDay>,
}

/// The values of a partition's columns, and its files.
type PrunedPartition<'a> = (Vec<ScalarValue>, &'a [DataFile]);

impl PublishedTable {
    /// The table version whose files lie below `folder`.
    pub fn new(folder: TableFolder, table: impl Into<Arc<TableVersion>>) -> Self {
        Self { folder, table: table.into(), event_day: None }
    }

    /// The table, of which a partition column holds the day of a time.
    #[must_use]
    pub(super) fn by_day(self, event_day: EventDay) -> Self {
        Self { event_day: Some(event_day), ..self }
    }

    /// The table with those files alone of which it is not said that they are not read; `None` where that is all of them, or it has partitions.
    pub(super) fn with_files(&self, is_read: impl Fn(&[&DataFile]) -> Vec<Option<bool>>) -> Option<Self> {
        if !self.table.partition_columns().is_empty() {
            return None;
        }
        let files: Vec<&DataFile> = self.partitions().flat_map(|(_, files)| files).collect();
        let is_read = is_read(&files);
        let read = files.iter().enumerate().filter(|(at, _)| is_read.get(*at) != Some(&Some(false)));
        let read: Vec<DataFile> = read.map(|(_, file)| (*file).clone()).collect();
        if read.len() == files.len() {
            return None;
        }
        Some(Self { table: Arc::new(with_files(&self.table, read)), ..self.clone() })
    }

    /// Whether it has no files.
    pub(super) fn is_empty(&self) -> bool {
        self.partitions().next().is_none()
    }

    /// Whether all of these columns name the partition of a row.
    pub(super) fn has_only_partition_columns(&self, columns: &[usize]) -> bool {
        columns.iter().all(|at| *at >= self.file_columns())
    }

    /// The partitions that have files.
    fn partitions(&self) -> impl Iterator<Item = (&PartitionKey, &[DataFile])> {
        let partitions = self.table.partitions().map(|(key, partition)| (key, partition.files.as_slice()));
        partitions.filter(|(_, files)| !files.is_empty())
    }

    /// How many files, and bytes in them, a scan reads for which all `filters` hold.
    ///
    /// # Errors
    /// Where a filter on the partition columns fails.
    pub(super) fn files_and_bytes(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<(u64, u64), DataFusionError> {
        let pruned = self.pruned(state, filters)?;
        let files = || pruned.iter().flat_map(|(_, files)| files.iter());
        let paths: HashSet<&str> = files().map(|file| file.path.as_str()).collect();
        Ok((paths.len() as u64, files().map(|file| file.bytes).sum()))
    }

    /// The values of these keys in the types of the partition columns: a row for each key.
    fn values(&self, keys: &[&PartitionKey]) -> Result<RecordBatch, DataFusionError> {
        let fields = self.partition_fields();
        let columns = fields.iter().enumerate().map(|(column, field)| {
            let texts = keys.iter().map(|key| key.values().get(column).and_then(Option::as_deref));
            let texts: StringArray = texts.collect();
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(&texts, field.data_type(), &options)
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(keys.len()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)?)
    }

    /// The partitions that can hold rows for which all `filters` hold.
    fn pruned(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<PrunedPartition<'_>>, DataFusionError> {
        let partitions: Vec<(&PartitionKey, &[DataFile])> = self.partitions().collect();
        let keys: Vec<&PartitionKey> = partitions.iter().map(|(key, _)| *key).collect();
        let values = self.values(&keys)?;
        let schema = DFSchema::try_from(values.schema().as_ref().clone())?;
        let mut conditions: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
        for filter in filters {
            if exact_on_partitions(filter, self.table.partition_columns())
                == TableProviderFilterPushDown::Exact
            {
                conditions.push(state.create_physical_expr(without_qualifiers(filter.clone())?, &schema)?);
            }
        }
        let mut keep = kept_by(conditions, &values)?;
        for condition in self.of_days(state, filters, &schema) {
            // It only spares reading: where it fails, the filter that it follows from decides.
            if let Ok(held) = holds(&condition, &values) {
                keep.iter_mut().zip(held).for_each(|(keep, holds)| *keep &= holds);
            }
        }
        let kept = partitions.into_iter().enumerate().filter(|(row, _)| keep[*row]);
        kept.map(|(row, (_, files))| {
            let of_row = values.columns().iter().map(|column| ScalarValue::try_from_array(column, row));
            Ok((of_row.collect::<Result<_, _>>()?, files))
        })
        .collect()
    }

    /// What filters on a time say of its day.
    fn of_days(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        partitions: &DFSchema,
    ) -> Vec<Arc<dyn PhysicalExpr>> {
        let Some(event_day) = &self.event_day else { return Vec::new() };
        let implied = filters.iter().filter_map(|filter| event_day.implied(filter, &self.table.schema));
        let conditions = implied.filter_map(|implied| {
            state.create_physical_expr(without_qualifiers(implied).ok()?, partitions).ok()
        });
        conditions.collect()
    }

    fn partition_fields(&self) -> Vec<FieldRef> {
        self.table.schema.fields()[self.file_columns()..].to_vec()
    }

    /// How many columns are in the files; those after them name the partitions.
    fn file_columns(&self) -> usize {
        self.table.schema.fields().len() - self.table.partition_columns().len()
    }
}

/// The rows for which all conditions hold. One that fails is tried again on what the others leave: it may be what they guard it
/// from.
fn kept_by(
    mut conditions: Vec<Arc<dyn PhysicalExpr>>,
    values: &RecordBatch,
) -> Result<Vec<bool>, DataFusionError> {
    let mut keep = vec![true; values.num_rows()];
    loop {
        let mut failed = Vec::new();
        let mut why = None;
        let tried = conditions.len();
        for condition in conditions {
            let mask = BooleanArray::from(keep.clone());
            match holds(&condition, &filter_record_batch(values, &mask)?) {
                Ok(held) => {
                    let rows = keep.iter_mut().filter(|keep| **keep);
                    rows.zip(held).for_each(|(keep, holds)| *keep = holds);
                }
                Err(error) => {
                    failed.push(condition);
                    why = Some(error);
                }
            }
        }
        match why {
            None => return Ok(keep),
            Some(error) if failed.len() == tried => return Err(error),
            Some(_) => conditions = failed,
        }
    }
}

fn holds(condition: &Arc<dyn PhysicalExpr>, values: &RecordBatch) -> Result<Vec<bool>, DataFusionError> {
    let holds = condition.evaluate(values)?.into_array(values.num_rows())?;
    Ok(as_boolean_array(&holds)?.iter().map(|value| value == Some(true)).collect())
}

fn without_qualifiers(expression: Expr) -> Result<Expr, DataFusionError> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TreeNode};
    expression
        .transform(|part| {
            Ok(match part {
                Expr::Column(column) => Transformed::yes(Expr::Column(Column::from_name(column.name))),
                other => Transformed::no(other),
            })
        })
        .map(|transformed| transformed.data)
}

#[async_trait]
impl TableProvider for PublishedTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        if matches!(self.table.content, Content::InPlace(_)) {
            return None;
        }
        let files = self.partitions().flat_map(|(_, files)| files);
        let (rows, bytes) = files
            .fold((0, 0), |(rows, bytes), file| (rows + file.rows as usize, bytes + file.bytes as usize));
        Some(Statistics {
            num_rows: Precision::Exact(rows),
            total_byte_size: Precision::Inexact(bytes),
            column_statistics: Statistics::unknown_column(&self.table.schema),
        })
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        Ok(filters.iter().map(|filter| exact_on_partitions(filter, self.table.partition_columns())).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let pruned = self.pruned(state, filters)?;
        if let Content::InPlace(table) = &self.table.content {
            return self.scan_in_place(state, table, pruned, projection, limit);
        }
        if let Some(columns) = projection.filter(|columns| self.has_only_partition_columns(columns)) {
            let schema = Arc::new(self.table.schema.project(columns)?);
            let partitions = pruned.into_iter().map(|(values, files)| {
                let values = columns.iter().map(|at| values[*at - self.file_columns()].clone());
                (values.collect(), files.iter().map(|file| file.rows as usize).sum())
            });
            return counted(schema, partitions.collect(), limit);
        }
        let mut own = AlikeFiles::default();
        let mut shared: BTreeMap<&str, SharedFile<'_>> = BTreeMap::new();
        for (values, partition) in pruned {
            for file in partition {
                match file.within {
                    None => own.add(file, self.partitioned_file(&file.path, file.bytes, values.clone())?),
                    Some(within) => {
                        let of_file = shared.entry(&file.path).or_insert_with(|| {
                            let folders = values.split_last().map_or(&[][..], |(_, folders)| folders);
                            SharedFile { within, values: folders.to_vec(), pieces: Vec::new() }
                        });
                        of_file.pieces.push(file);
                    }
                }
            }
        }
        let columns: Vec<usize> = (0..self.table.schema.fields().len()).collect();
        let mut scans = Vec::new();
        if !own.files.is_empty() {
            scans.push(self.scan_of(state, own, &columns, projection.cloned(), limit)?);
        }
        if !shared.is_empty() {
            let mut files = AlikeFiles::default();
            for (path, file) in shared {
                file.pieces.iter().for_each(|piece| files.count(piece));
                let SharedFile { within, ref values, .. } = file;
                let whole = self.partitioned_file(path, within.bytes, values.clone())?;
                files.files.push(match file.selection() {
                    Some(rows) => whole.with_extension(ParquetRowSelection::new(rows)),
                    None => whole,
                });
            }
            // The last column stands in these files, before those that name their folders.
            let mut order = columns.clone();
            let last = order.pop().into_iter();
            order.splice(self.file_columns()..self.file_columns(), last);
            let place = |column: &usize| order.iter().position(|ordered| ordered == column);
            let asked = projection.unwrap_or(&columns).iter().filter_map(place).collect();
            scans.push(self.scan_of(state, files, &order, Some(asked), limit)?);
        }
        match (scans.pop(), scans.pop()) {
            (Some(scan), None) => Ok(scan),
            (Some(shared), Some(own)) => UnionExec::try_new(vec![own, shared]),
            (None, _) => {
                let schema = match projection {
                    Some(projection) => Arc::new(self.table.schema.project(projection)?),
                    None => self.table.schema.clone(),
                };
                Ok(Arc::new(EmptyExec::new(schema)))
            }
        }
    }
}

/// Files that are read alike.
#[derive(Default)]
struct AlikeFiles {
    files: Vec<PartitionedFile>,
    rows: usize,
    bytes: usize,
}

impl AlikeFiles {
    fn add(&mut self, file: &DataFile, partitioned: PartitionedFile) {
        self.files.push(partitioned);
        self.count(file);
    }

    fn count(&mut self, file: &DataFile) {
        self.rows += file.rows as usize;
        self.bytes += file.bytes as usize;
    }
}

/// A file that partitions share, with what is read of it.
struct SharedFile<'a> {
    within: Within,
    /// The values that name its folder: those of all partition columns but the last.
    values: Vec<ScalarValue>,
    pieces: Vec<&'a DataFile>,
}

impl SharedFile<'_> {
    /// Which rows are read; `None` for all of them.
    fn selection(&self) -> Option<RowSelection> {
        let rows: u64 = self.pieces.iter().map(|piece| piece.rows).sum();
        if rows == self.within.rows {
            return None;
        }
        let piece = |piece: &&DataFile| {
            let first = piece.within.map_or(0, |within| within.first);
            first as usize..(first + piece.rows) as usize
        };
        let mut ranges: Vec<_> = self.pieces.iter().map(piece).collect();
        ranges.sort_by_key(|range| range.start);
        Some(RowSelection::from_consecutive_ranges(ranges.into_iter(), self.within.rows as usize))
    }
}

impl PublishedTable {
    /// Reads files that have the columns of the table in this order, of which the last ones name their folders.
    fn scan_of(
        &self,
        state: &dyn Session,
        AlikeFiles { files, rows, bytes }: AlikeFiles,
        order: &[usize],
        projection: Option<Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let in_folders = files.first().map_or(0, |file| file.partition_values.len());
        let (in_files, in_folders) = order.split_at(order.len() - in_folders);
        let file_schema = Arc::new(self.table.schema.project(in_files)?);
        let folders: Vec<FieldRef> =
            self.table.schema.project(in_folders)?.fields().iter().cloned().collect();
        let table_schema = TableSchema::builder(file_schema).with_table_partition_cols(folders).build();
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let statistics = Statistics {
            num_rows: Precision::Exact(rows),
            total_byte_size: Precision::Inexact(bytes),
            column_statistics: Statistics::unknown_column(&self.table.schema),
        };
        let storage = self.folder.storage();
        let readers = WithoutFloatBounds::new(storage.object_store());
        let source = ParquetSource::new(table_schema).with_parquet_file_reader_factory(Arc::new(readers));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(storage.url())?, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection)?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Reads files that others publish.
    fn scan_in_place(
        &self,
        state: &dyn Session,
        table: &InPlaceTable,
        partitions: Vec<PrunedPartition<'_>>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.table.schema.fields().len()).collect());
        let files = partitions.into_iter().flat_map(|(values, files)| {
            files.iter().map(move |file| FileOfPartition { file: file.clone(), values: values.clone() })
        });
        let scan = InPlaceScan {
            reader: table.reader.clone(),
            files: files.collect(),
            schema: Arc::new(self.table.schema.project(&columns)?),
            columns,
            file_columns: self.file_columns(),
        };
        scan.plan(state.config().target_partitions(), limit)
    }

    fn partitioned_file(
        &self,
        path: &str,
        bytes: u64,
        values: Vec<ScalarValue>,
    ) -> Result<PartitionedFile, DataFusionError> {
        let location = self.folder.storage().object_path(&self.folder.path_of(path));
        let meta = ObjectMeta {
            location: location.map_err(|error| DataFusionError::External(Box::new(error)))?,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: bytes,
            e_tag: None,
            version: None,
        };
        let mut partitioned = PartitionedFile::from(meta);
        partitioned.partition_values = values;
        Ok(partitioned)
    }
}
