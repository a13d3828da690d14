//! Reading Parquet without the least and greatest values of floating-point columns.
//!
//! They leave NaN out, which is greater than all numbers to SQL here: a row group with 1 and NaN says that it ends at 1, and
//! `x > 2` would skip it (DataFusion issue 15812). So would the order of a `limit`, and the keys of a join. Files of older
//! releases and of other writers have them too, so they are left out where files are read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    DefaultParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::basic::{LogicalType, Type};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::schema::types::ColumnDescriptor;

/// Makes readers of files that hide these bounds.
#[derive(Debug)]
pub(super) struct WithoutFloatBounds {
    files: DefaultParquetFileReaderFactory,
}

impl WithoutFloatBounds {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { files: DefaultParquetFileReaderFactory::new(store) }
    }
}

impl ParquetFileReaderFactory for WithoutFloatBounds {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let file = self.files.create_reader(partition, file, size_hint, metrics)?;
        Ok(Box::new(File { file }))
    }
}

struct File {
    file: Box<dyn AsyncFileReader + Send>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("File")
    }
}

impl AsyncFileReader for File {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.file.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.file.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move { without_bounds(self.file.get_metadata(options).await?) }.boxed()
    }
}

/// The metadata without the bounds of floating-point columns.
fn without_bounds(metadata: Arc<ParquetMetaData>) -> ParquetResult<Arc<ParquetMetaData>> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let floats: Vec<bool> = columns.iter().map(|column| is_float(column)).collect();
    if !floats.contains(&true) {
        return Ok(metadata);
    }
    let mut builder = Arc::unwrap_or_clone(metadata).into_builder();
    let groups = builder.take_row_groups().into_iter().map(|group| without_bounds_of(group, &floats));
    let groups = groups.collect::<ParquetResult<Vec<_>>>()?;
    let index = builder.take_column_index().map(|mut index| {
        for group in &mut index {
            for (column, is_float) in group.iter_mut().zip(&floats) {
                if *is_float {
                    *column = ColumnIndexMetaData::NONE;
                }
            }
        }
        index
    });
    Ok(Arc::new(builder.set_row_groups(groups).set_column_index(index).build()))
}

fn without_bounds_of(group: RowGroupMetaData, floats: &[bool]) -> ParquetResult<RowGroupMetaData> {
    let mut builder = group.into_builder();
    let columns = builder
        .take_columns()
        .into_iter()
        .zip(floats)
        .map(|(column, is_float)| if *is_float { without_statistics(column) } else { Ok(column) });
    let columns = columns.collect::<ParquetResult<Vec<_>>>()?;
    builder.set_column_metadata(columns).build()
}

fn without_statistics(column: ColumnChunkMetaData) -> ParquetResult<ColumnChunkMetaData> {
    // Without a place of its index, nobody reads it later.
    let builder = column.into_builder().clear_statistics();
    builder.set_column_index_offset(None).set_column_index_length(None).build()
}

fn is_float(column: &ColumnDescriptor) -> bool {
    matches!(column.physical_type(), Type::FLOAT | Type::DOUBLE)
        || column.logical_type_ref() == Some(&LogicalType::Float16)
}
