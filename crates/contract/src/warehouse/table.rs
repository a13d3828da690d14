//! What a warehouse holds of a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use super::in_place::InPlaceTable;
use super::ledger::{Batch, Ledger, RunId, Version};
use super::partition::PartitionKey;
use super::span::KeySpan;
use mep_core::fingerprint::Fingerprint;

/// One consistent state of a table or view, as a publish left it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableVersion {
    /// All columns; the partition columns are the last ones.
    pub schema: SchemaRef,
    /// What stands behind the name.
    pub content: Content,
    /// The run that published this state.
    pub run: RunId,
    /// The SQL of the model that last built content of a table, as rendered; a view has its own.
    pub sql: Option<String>,
    /// What the SELECT made on its way to the rows. It lies in the table's folder, and is of the inputs that the ledger says.
    pub groups: Vec<KeptGroups>,
}

/// Groups that a table's SELECT makes of its inputs, kept so that the next run can carry them on. Readers of the table never see them.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptGroups {
    /// Of what makes them.
    pub fingerprint: Fingerprint,
    /// Their columns.
    pub schema: SchemaRef,
    /// Their files, by path relative to the table's folder.
    pub files: Arc<Vec<DataFile>>,
}

impl KeptGroups {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// What stands behind a relation's name.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Rows in files.
    Table {
        /// The columns whose values name the partitions; none for an unpartitioned table.
        partition_columns: Vec<String>,
        /// The partitions; an unpartitioned table has one with an empty key.
        partitions: BTreeMap<PartitionKey, Partition>,
        /// For a landed table: what each batch brought in, by the batch's name.
        batches: BTreeMap<String, Batch>,
    },
    /// Rows that others publish, in files of any form.
    InPlace(InPlaceTable),
    /// A SELECT.
    View {
        /// The compiled SQL.
        sql: String,
        /// Of the SQL.
        fingerprint: Fingerprint,
    },
}

/// The content of one partition: an immutable folder. Clones share most of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The files, by path relative to the table's folder; none where the partition has no rows.
    pub files: Arc<Vec<DataFile>>,
    /// What it was built from.
    pub ledger: Arc<Ledger>,
}

/// A Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Relative to the table's folder, with forward slashes.
    pub path: String,
    /// Rows in it that are of the partition.
    pub rows: u64,
    /// Its size in bytes, or the share of these rows in it.
    pub bytes: u64,
    /// Where several partitions share the file: which of its rows these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Where its rows are in the order of some columns: where these begin and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<KeySpan>,
}

impl DataFile {
    /// What it takes to open a file, in bytes that could be read meanwhile.
    pub const OPENING: u64 = 32 * 1024;
}

/// The place of a partition's rows in a file that several partitions share. The partitions differ in the last partition
/// column alone, which such a file has as a column. It holds the rows of these partitions and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// The place of the first of these rows, from 0.
    pub first: u64,
    /// Rows in the whole file.
    pub rows: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
}

impl DataFile {
    /// A file of one partition.
    pub fn new(path: impl Into<String>, rows: u64, bytes: u64) -> Self {
        Self { path: path.into(), rows, bytes, within: None, span: None }
    }

    /// So many rows of a shared file.
    pub fn shared(path: impl Into<String>, rows: u64, within: Within) -> Self {
        let share = u128::from(within.bytes) * u128::from(rows) / u128::from(within.rows.max(1));
        Self {
            path: path.into(),
            rows,
            bytes: u64::try_from(share).unwrap_or(u64::MAX),
            within: Some(within),
            span: None,
        }
    }
}

impl Partition {
    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl TableVersion {
    /// What a run publishes where no model's SQL stands behind it.
    pub fn new(schema: SchemaRef, content: Content, run: RunId) -> Self {
        Self { schema, content, run, sql: None, groups: Vec::new() }
    }

    /// The same table with its partitions in files that a run has written.
    #[must_use]
    pub fn rewritten(&self, partitions: BTreeMap<PartitionKey, Partition>, run: &RunId) -> Self {
        let content = Content::Table {
            partition_columns: self.partition_columns().to_vec(),
            partitions,
            batches: self.batches().map(|(name, batch)| (name.clone(), batch.clone())).collect(),
        };
        Self { content, run: run.clone(), ..self.clone() }
    }

    /// The partitions of a table; none of a view.
    pub fn partitions(&self) -> impl Iterator<Item = (&PartitionKey, &Partition)> {
        match &self.content {
            Content::Table { partitions, .. } | Content::InPlace(InPlaceTable { partitions, .. }) => {
                Some(partitions.iter())
            }
            Content::View { .. } => None,
        }
        .into_iter()
        .flatten()
    }

    /// All files of a table and of the groups that are kept with it.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        let of_groups = self.groups.iter().flat_map(|groups| groups.files.iter());
        self.partitions().flat_map(|(_, partition)| partition.files.iter()).chain(of_groups)
    }

    /// The partition columns of a table; none of a view.
    pub fn partition_columns(&self) -> &[String] {
        match &self.content {
            Content::Table { partition_columns, .. }
            | Content::InPlace(InPlaceTable { partition_columns, .. }) => partition_columns,
            Content::View { .. } => &[],
        }
    }

    /// The landed batches; none for what was not landed.
    pub fn batches(&self) -> impl Iterator<Item = (&String, &Batch)> {
        match &self.content {
            Content::Table { batches, .. } => Some(batches.iter()),
            Content::InPlace(_) | Content::View { .. } => None,
        }
        .into_iter()
        .flatten()
    }

    /// The version of each partition.
    pub fn versions(&self) -> impl Iterator<Item = (&PartitionKey, &Version)> {
        self.partitions().map(|(key, partition)| (key, &partition.ledger.version))
    }

    /// Rows in the table; 0 for a view, and for a table that others publish, whose rows are not counted.
    pub fn rows(&self) -> u64 {
        self.partitions().map(|(_, partition)| partition.rows()).sum()
    }

    /// Bytes of the table's files; 0 for a view.
    pub fn bytes(&self) -> u64 {
        self.partitions().map(|(_, partition)| partition.bytes()).sum()
    }
}
