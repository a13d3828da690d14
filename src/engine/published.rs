//! A published table as DataFusion reads it: the files that the manifest names, pruned by partition.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;

use crate::sql::exact_on_partitions;
use crate::warehouse::{DataFile, PartitionKey, TableFolder, TableVersion};

/// One table version, read from its files.
#[derive(Debug)]
pub struct PublishedTable {
    folder: TableFolder,
    schema: SchemaRef,
    partition_columns: Vec<String>,
    partitions: Vec<(PartitionKey, Vec<DataFile>)>,
}

/// The values of a partition's columns, and its files.
type PrunedPartition<'a> = (Vec<ScalarValue>, &'a [DataFile]);

impl PublishedTable {
    /// The table version whose files lie below `folder`.
    pub fn new(folder: TableFolder, table: &TableVersion) -> Self {
        Self {
            folder,
            schema: table.schema.clone(),
            partition_columns: table.partition_columns().to_vec(),
            partitions: table
                .partitions()
                .filter(|(_, partition)| !partition.files.is_empty())
                .map(|(key, partition)| (key.clone(), partition.files.clone()))
                .collect(),
        }
    }

    /// The values of a key in the types of the partition columns.
    fn values(&self, key: &PartitionKey) -> Result<Vec<ScalarValue>, DataFusionError> {
        let columns = self.partition_columns.iter().zip(key.values());
        columns
            .map(|(column, value)| {
                let data_type = self.schema.field_with_name(column)?.data_type();
                ScalarValue::Utf8(value.clone()).cast_to(data_type)
            })
            .collect()
    }

    /// The partitions that can hold rows for which all `filters` hold.
    fn pruned(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<PrunedPartition<'_>>, DataFusionError> {
        let mut partitions = Vec::new();
        for (key, files) in &self.partitions {
            partitions.push((self.values(key)?, files.as_slice()));
        }
        let exact: Vec<&Expr> = filters
            .iter()
            .filter(|filter| {
                exact_on_partitions(filter, &self.partition_columns) == TableProviderFilterPushDown::Exact
            })
            .collect();
        if exact.is_empty() || partitions.is_empty() {
            return Ok(partitions);
        }
        let fields: Vec<FieldRef> = self.partition_fields();
        let schema = Arc::new(Schema::new(fields));
        let columns = (0..self.partition_columns.len()).map(|column| {
            ScalarValue::iter_to_array(partitions.iter().map(|(values, _)| values[column].clone()))
        });
        let batch = arrow::array::RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?;
        let df_schema = DFSchema::try_from(schema.as_ref().clone())?;
        let mut keep = vec![true; partitions.len()];
        for filter in exact {
            let unqualified = datafusion::logical_expr::utils::split_conjunction(filter)
                .into_iter()
                .cloned()
                .reduce(Expr::and)
                .map(without_qualifiers)
                .transpose()?;
            let Some(unqualified) = unqualified else { continue };
            let physical = state.create_physical_expr(unqualified, &df_schema)?;
            let values = physical.evaluate(&batch)?.into_array(batch.num_rows())?;
            for (index, value) in as_boolean_array(&values)?.iter().enumerate() {
                keep[index] &= value == Some(true);
            }
        }
        let mut kept = keep.into_iter();
        partitions.retain(|_| kept.next() == Some(true));
        Ok(partitions)
    }

    fn partition_fields(&self) -> Vec<FieldRef> {
        let first = self.schema.fields().len() - self.partition_columns.len();
        self.schema.fields()[first..].to_vec()
    }
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
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        let files = self.partitions.iter().flat_map(|(_, files)| files);
        Some(Statistics {
            num_rows: Precision::Exact(files.clone().map(|file| file.rows as usize).sum()),
            total_byte_size: Precision::Inexact(files.map(|file| file.bytes as usize).sum()),
            column_statistics: Statistics::unknown_column(&self.schema),
        })
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        Ok(filters.iter().map(|filter| exact_on_partitions(filter, &self.partition_columns)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let mut files = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        for (values, partition) in self.pruned(state, filters)? {
            for file in partition {
                rows += file.rows as usize;
                bytes += file.bytes as usize;
                files.push(self.partitioned_file(file, values.clone())?);
            }
        }
        if files.is_empty() {
            let schema = match projection {
                Some(projection) => Arc::new(self.schema.project(projection)?),
                None => self.schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let first = self.schema.fields().len() - self.partition_columns.len();
        let file_columns: Vec<usize> = (0..first).collect();
        let file_schema = Arc::new(self.schema.project(&file_columns)?);
        let table_schema =
            TableSchema::builder(file_schema).with_table_partition_cols(self.partition_fields()).build();
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let statistics = Statistics {
            num_rows: Precision::Exact(rows),
            total_byte_size: Precision::Inexact(bytes),
            column_statistics: Statistics::unknown_column(&self.schema),
        };
        let config = FileScanConfigBuilder::new(
            ObjectStoreUrl::parse(self.folder.storage().url())?,
            Arc::new(ParquetSource::new(table_schema)),
        )
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_projection_indices(projection.cloned())?
        .with_limit(limit)
        .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl PublishedTable {
    fn partitioned_file(
        &self,
        file: &DataFile,
        values: Vec<ScalarValue>,
    ) -> Result<PartitionedFile, DataFusionError> {
        let location = self.folder.storage().object_path(&self.folder.path_of(&file.path));
        let meta = ObjectMeta {
            location: location.map_err(|error| DataFusionError::External(Box::new(error)))?,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.bytes,
            e_tag: None,
            version: None,
        };
        let mut partitioned = PartitionedFile::from(meta);
        partitioned.partition_values = values;
        Ok(partitioned)
    }
}
