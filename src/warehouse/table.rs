//! What a warehouse holds of a table.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::ledger::{Batch, Ledger, RunId, Version};
use super::partition::PartitionKey;
use crate::fingerprint::Fingerprint;

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
    /// A SELECT.
    View {
        /// The compiled SQL.
        sql: String,
        /// Of the SQL.
        fingerprint: Fingerprint,
    },
}

/// The content of one partition: an immutable folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The files, by path relative to the table's folder; none where the partition has no rows.
    pub files: Vec<DataFile>,
    /// What it was built from.
    pub ledger: Ledger,
}

/// A Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Relative to the table's folder, with forward slashes.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
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
    /// The partitions of a table; none of a view.
    pub fn partitions(&self) -> impl Iterator<Item = (&PartitionKey, &Partition)> {
        match &self.content {
            Content::Table { partitions, .. } => Some(partitions.iter()),
            Content::View { .. } => None,
        }
        .into_iter()
        .flatten()
    }

    /// The partition columns of a table; none of a view.
    pub fn partition_columns(&self) -> &[String] {
        match &self.content {
            Content::Table { partition_columns, .. } => partition_columns,
            Content::View { .. } => &[],
        }
    }

    /// The landed batches; none for what was not landed.
    pub fn batches(&self) -> impl Iterator<Item = (&String, &Batch)> {
        match &self.content {
            Content::Table { batches, .. } => Some(batches.iter()),
            Content::View { .. } => None,
        }
        .into_iter()
        .flatten()
    }

    /// The version of each partition.
    pub fn versions(&self) -> impl Iterator<Item = (&PartitionKey, &Version)> {
        self.partitions().map(|(key, partition)| (key, &partition.ledger.version))
    }

    /// Rows in the table; 0 for a view.
    pub fn rows(&self) -> u64 {
        self.partitions().map(|(_, partition)| partition.rows()).sum()
    }

    /// Bytes of the table's files; 0 for a view.
    pub fn bytes(&self) -> u64 {
        self.partitions().map(|(_, partition)| partition.bytes()).sum()
    }
}

/// A table version as the manifest file holds it.
///
/// `files` comes first and repeats what the partitions say, so that any reader of Parquet finds the current files with
/// one JSON path.
#[derive(Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The form of this file; a reader stops at one that it does not know.
    pub format: u32,
    pub files: Vec<String>,
    pub run: RunId,
    pub columns: Vec<ManifestColumn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<ManifestView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    pub partition_columns: Vec<String>,
    pub partitions: Vec<ManifestPartition>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub batches: BTreeMap<String, Batch>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ManifestColumn {
    pub name: String,
    /// Arrow's own text for the type, which parses back.
    #[serde(rename = "type")]
    pub data_type: String,
    pub nullable: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ManifestView {
    pub sql: String,
    pub fingerprint: Fingerprint,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ManifestPartition {
    pub key: PartitionKey,
    pub partition: Partition,
}

impl Manifest {
    /// The form that this version of mep writes and reads.
    pub(super) const FORMAT: u32 = 1;

    pub(super) fn of(table: &TableVersion) -> Self {
        let columns = table.schema.fields().iter().map(|field| ManifestColumn {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        });
        let view = match &table.content {
            Content::View { sql, fingerprint } => {
                Some(ManifestView { sql: sql.clone(), fingerprint: fingerprint.clone() })
            }
            Content::Table { .. } => None,
        };
        let partitions = table
            .partitions()
            .map(|(key, partition)| ManifestPartition { key: key.clone(), partition: partition.clone() });
        let files = table.partitions().flat_map(|(_, partition)| &partition.files);
        Self {
            format: Self::FORMAT,
            files: files.map(|file| file.path.clone()).collect(),
            run: table.run.clone(),
            columns: columns.collect(),
            view,
            sql: table.sql.clone(),
            partition_columns: table.partition_columns().to_vec(),
            partitions: partitions.collect(),
            batches: table.batches().map(|(name, batch)| (name.clone(), batch.clone())).collect(),
        }
    }

    /// The table version, or what is wrong with the manifest.
    pub(super) fn into_table(self) -> Result<TableVersion, String> {
        let mut fields = Vec::new();
        for column in self.columns {
            let data_type: DataType =
                column.data_type.parse().map_err(|error| format!("column `{}`: {error}", column.name))?;
            fields.push(Field::new(column.name, data_type, column.nullable));
        }
        let content = match self.view {
            Some(view) => Content::View { sql: view.sql, fingerprint: view.fingerprint },
            None => Content::Table {
                partition_columns: self.partition_columns,
                partitions: self.partitions.into_iter().map(|entry| (entry.key, entry.partition)).collect(),
                batches: self.batches,
            },
        };
        Ok(TableVersion { schema: Schema::new(fields).into(), content, run: self.run, sql: self.sql })
    }
}
