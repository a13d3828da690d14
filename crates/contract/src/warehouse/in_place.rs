//! Tables that others publish, read where they are.
//!
//! Owns what is known of such a table without reading a row: its partitions, each with a version that follows from its files, and what reads
//! them. Must not know: which forms files have.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::error::WarehouseError;
use super::partition::PartitionKey;
use super::table::{DataFile, Partition};
use mep_core::relation::Relation;

/// The rows of a file, one batch after another. Ends after the first error.
pub type FileBatches = Box<dyn Iterator<Item = Result<RecordBatch, WarehouseError>> + Send>;

/// What reads the files of a table, whatever form they have.
pub trait ReadsFiles: fmt::Debug + Send + Sync {
    /// Begins to read a file: these columns of the table, by their places and in this order, none of which names partitions.
    ///
    /// The rows are those of the file as it was when it was listed. Where it is another one by now, or becomes so while it is read, the
    /// last item is an error.
    ///
    /// # Errors
    /// Where the file cannot be opened, or is another one by now.
    fn rows(&self, file: &DataFile, columns: &[usize]) -> Result<FileBatches, WarehouseError>;
}

/// A table that others publish. How many rows its files have is not known: each says 0.
#[derive(Clone, Debug)]
pub struct InPlaceTable {
    /// The columns whose values name the partitions; none for an unpartitioned table.
    pub partition_columns: Vec<String>,
    /// The partitions that have files; an unpartitioned table has one with an empty key.
    pub partitions: BTreeMap<PartitionKey, Partition>,
    /// What reads their files.
    pub reader: Arc<dyn ReadsFiles>,
}

impl InPlaceTable {
    /// Why a relation of this content is not published.
    ///
    /// # Errors
    /// Always: others publish it.
    pub fn not_published<T>(relation: &Relation) -> Result<T, WarehouseError> {
        let reason = "others publish it, and mep only reads it".to_owned();
        Err(WarehouseError::InPlace { relation: relation.to_string(), reason })
    }
}

/// What is read follows from the files.
impl PartialEq for InPlaceTable {
    fn eq(&self, other: &Self) -> bool {
        self.partition_columns == other.partition_columns && self.partitions == other.partitions
    }
}
