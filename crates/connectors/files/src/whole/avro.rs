//! Avro, with the columns that its files have.

use std::fs::File;
use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::{FileRows, FilesError};
use crate::avro::{AvroRecords, Unread, records};

fn unread(path: &Path, id: &str, error: Unread) -> FilesError {
    match error {
        Unread::Disk(error) => FilesError::unreadable(path, error),
        Unread::Damaged(reason) => {
            FilesError::content(id, format!("the Avro file cannot be read ({reason})"))
        }
    }
}

fn open(path: &Path, id: &str) -> Result<AvroRecords, FilesError> {
    let file = File::open(path).map_err(|error| FilesError::unreadable(path, error))?;
    records(file).map_err(|error| unread(path, id, error))
}

pub(super) fn schema(path: &Path, id: &str) -> Result<SchemaRef, FilesError> {
    Ok(open(path, id)?.schema())
}

pub(super) fn rows(path: &Path, id: &str) -> Result<FileRows, FilesError> {
    let mut reader = open(path, id)?;
    let (path, id) = (path.to_owned(), id.to_owned());
    let mut is_done = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if is_done {
            return None;
        }
        let next = reader.next().map_err(|error| unread(&path, &id, error)).transpose();
        is_done = !matches!(next, Some(Ok(_)));
        next
    })))
}
