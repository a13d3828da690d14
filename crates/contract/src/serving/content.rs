//! The content of a table as a store notes it: its columns, and the files that hold its rows.
//!
//! Files never change, so that the list of them is the content, for as long as the warehouse keeps them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::warehouse::columns::{ColumnText, UnknownType, columns_of, schema_of};
use crate::warehouse::{
    ColumnVersions, Content, DataFile, Inputs, Ledger, Partition, PartitionKey, RunId, TableVersion, Version,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::time_range::TimeRanges;

/// The form of the note that this mep writes.
const FORMAT: u32 = 1;

/// Why a note cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// It is no JSON of this form.
    #[error("the note of a served content cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A column of it is of no type.
    #[error("the note of a served content cannot be read: {0}")]
    Column(#[from] UnknownType),
    /// Another mep wrote it.
    #[error("the note of a served content is of format {0}, this mep reads format {FORMAT}")]
    Format(u32),
}

#[derive(Serialize, Deserialize)]
struct ContentNote {
    format: u32,
    run: RunId,
    columns: Vec<ColumnText>,
    partition_columns: Vec<String>,
    partitions: Vec<(PartitionKey, Vec<DataFile>)>,
}

/// The note of a table's content.
///
/// # Errors
/// Where it has no text.
pub fn note_of(table: &TableVersion) -> Result<Vec<u8>, ContentError> {
    let partitions = table.partitions().filter(|(_, partition)| !partition.files.is_empty());
    let note = ContentNote {
        format: FORMAT,
        run: table.run.clone(),
        columns: columns_of(&table.schema),
        partition_columns: table.partition_columns().to_vec(),
        partitions: partitions.map(|(key, partition)| (key.clone(), partition.files.to_vec())).collect(),
    };
    Ok(serde_json::to_vec(&note)?)
}

/// The content that was noted. Its ledgers say nothing.
///
/// # Errors
/// Where mep did not write it, or one of another format did.
pub fn noted(note: &[u8]) -> Result<TableVersion, ContentError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let Head { format } = serde_json::from_slice(note)?;
    if format != FORMAT {
        return Err(ContentError::Format(format));
    }
    let note: ContentNote = serde_json::from_slice(note)?;
    let ledger = Arc::new(no_ledger(&note.run));
    let partitions: BTreeMap<PartitionKey, Partition> = note
        .partitions
        .into_iter()
        .map(|(key, files)| (key, Partition { files: files.into(), ledger: ledger.clone() }))
        .collect();
    let content =
        Content::Table { partition_columns: note.partition_columns, partitions, batches: BTreeMap::new() };
    Ok(TableVersion::new(Arc::new(schema_of(note.columns)?), content, note.run))
}

fn no_ledger(run: &RunId) -> Ledger {
    let (fingerprint, inputs) = (Fingerprint::of(["served"]), Inputs::default());
    let version = Version::derive(&fingerprint, &inputs);
    Ledger {
        run: run.clone(),
        fingerprint,
        inputs,
        version,
        done: TimeRanges::default(),
        columns: ColumnVersions::default(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

    use super::*;
    use crate::warehouse::Within;

    fn table(files: &[(&str, Option<&str>)]) -> TableVersion {
        let run = RunId::generate();
        let ledger = Arc::new(no_ledger(&run));
        let mut partitions: BTreeMap<PartitionKey, Partition> = BTreeMap::new();
        for (path, day) in files {
            let key = PartitionKey::new(vec![day.map(str::to_owned)]);
            let within = Within { first: 1, rows: 5, bytes: 100 };
            let files = vec![DataFile::new(*path, 3, 70), DataFile::shared(format!("{path}.2"), 2, within)];
            partitions.insert(key, Partition { files: files.into(), ledger: ledger.clone() });
        }
        let schema = Schema::new(vec![
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("price", DataType::Decimal128(10, 2), false),
            Field::new("day", DataType::Date32, true),
        ]);
        let content =
            Content::Table { partition_columns: vec!["day".into()], partitions, batches: BTreeMap::new() };
        TableVersion::new(Arc::new(schema), content, run)
    }

    #[test]
    fn a_content_comes_back_as_the_files_that_it_was() {
        let table = table(&[("data/a/day=1/part.parquet", Some("2018-11-01")), ("data/a/n.parquet", None)]);
        let back = noted(&note_of(&table).unwrap()).unwrap();
        assert_eq!(back.schema, table.schema);
        assert_eq!(back.partition_columns(), table.partition_columns());
        let files = |table: &TableVersion| -> Vec<(PartitionKey, Vec<DataFile>)> {
            table.partitions().map(|(key, one)| (key.clone(), one.files.to_vec())).collect()
        };
        assert_eq!(files(&back), files(&table));
    }

    #[test]
    fn what_is_no_note_or_of_another_mep_is_an_error() {
        insta::assert_snapshot!(noted(b"{\"format\": 9}").unwrap_err(), @"the note of a served content is of format 9, this mep reads format 1");
        assert!(matches!(noted(b"nothing"), Err(ContentError::Json(_))));
    }
}
