//! Parquet, with the columns that its files have.

use std::fs::File;
use std::path::Path;

use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::{FileRows, FilesError};
use crate::parquet::{check_extents, in_microseconds};
use crate::parquet_pages::check_pages;
use mep_core::guard::guarded;

const BATCH_ROWS: usize = 8192;

/// What goes wrong with a file that is no good Parquet.
fn damaged(id: &str, error: impl std::fmt::Display) -> FilesError {
    FilesError::content(id, format!("the Parquet file cannot be read ({error})"))
}

fn metadata(file: &File) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    in_microseconds(ArrowReaderMetadata::load(file, options.clone())?, options)
}

pub(super) fn schema(path: &Path, id: &str) -> Result<SchemaRef, FilesError> {
    let file = File::open(path).map_err(|error| FilesError::unreadable(path, error))?;
    match guarded(|| metadata(&file)) {
        Ok(Ok(metadata)) => Ok(metadata.schema().clone()),
        Ok(Err(error)) => Err(damaged(id, error)),
        Err(panicked) => Err(damaged(id, panicked)),
    }
}

pub(super) fn rows(path: &Path, id: &str) -> Result<FileRows, FilesError> {
    let unreadable = |error| FilesError::unreadable(path, error);
    let file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let opened = guarded(|| {
        let mut pages = file.try_clone().map_err(|error| ParquetError::External(Box::new(error)))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            file.try_clone().map_err(|error| ParquetError::External(Box::new(error)))?,
            metadata(&file)?,
        );
        check_extents(builder.metadata(), bytes)?;
        check_pages(&mut pages, builder.metadata(), &ProjectionMask::all())?;
        builder.with_batch_size(BATCH_ROWS).build()
    });
    let mut reader = match opened {
        Ok(Ok(reader)) => reader,
        Ok(Err(error)) => return Err(damaged(id, error)),
        Err(panicked) => return Err(damaged(id, panicked)),
    };
    let id = id.to_owned();
    Ok(Box::new(std::iter::from_fn(move || match guarded(|| reader.next()) {
        Ok(next) => Some(next?.map_err(|error| damaged(&id, error))),
        Err(panicked) => Some(Err(damaged(&id, panicked))),
    })))
}
