//! What passes between a run and an engine where rows of some keys are made in place of all rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::EngineError;
use crate::warehouse::{Content, Partition, PartitionKey, TableVersion};
use mep_core::relation::Relation;
use mep_sql::PlannedQuery;

/// Runs a query in the middle of making another one.
pub type Collect<'a> = dyn FnMut(PlannedQuery) -> Result<Vec<RecordBatch>, EngineError> + 'a;

/// A table whose content is another one than before.
#[derive(Clone, Debug)]
pub struct ContentChange {
    /// The table.
    pub relation: Relation,
    /// Its old content.
    pub before: Arc<TableVersion>,
    /// Its new one.
    pub now: Arc<TableVersion>,
}

impl ContentChange {
    /// The change between two contents of a table of the same columns; `None` where their files are the same.
    ///
    /// # Errors
    /// Where the columns differ: rows cannot be compared then.
    pub fn of(
        relation: &Relation,
        before: &Arc<TableVersion>,
        now: &Arc<TableVersion>,
    ) -> Result<Option<Self>, ColumnsDiffer> {
        let is_same_table =
            before.schema == now.schema && before.partition_columns() == now.partition_columns();
        if !is_same_table || !matches!(before.content, Content::Table { .. }) {
            return Err(ColumnsDiffer);
        }
        let change = Self { relation: relation.clone(), before: before.clone(), now: now.clone() };
        let is_any =
            change.come().partitions().next().is_some() || change.gone().partitions().next().is_some();
        Ok(is_any.then_some(change))
    }

    /// The new content without what is as it was.
    pub fn come(&self) -> TableVersion {
        without(&self.now, &self.before)
    }

    /// The old content without what is as it was.
    pub fn gone(&self) -> TableVersion {
        without(&self.before, &self.now)
    }
}

/// Two contents of a table whose rows cannot be compared.
#[derive(Clone, Copy, Debug)]
pub struct ColumnsDiffer;

/// A content without the files that another one has too; partitions of no other files are left out.
fn without(table: &TableVersion, other: &TableVersion) -> TableVersion {
    let mut table = table.clone();
    let others: BTreeMap<&PartitionKey, &Partition> = other.partitions().collect();
    if let Content::Table { partitions, .. } = &mut table.content {
        partitions.retain(|key, partition| {
            let Some(other) = others.get(key) else { return !partition.files.is_empty() };
            if other.files == partition.files {
                return false;
            }
            let files = partition.files.iter().filter(|file| !other.files.contains(file)).cloned();
            partition.files = Arc::new(files.collect());
            !partition.files.is_empty()
        });
    }
    table
}

/// What became of a table of which some keys were looked at.
#[derive(Debug)]
pub enum KeyedRows {
    /// Its rows are what they were.
    Same,
    /// Rows of some keys are others.
    Replaced(Box<ReplacedRows>),
}

/// The rows of some keys.
#[derive(Debug)]
pub struct ReplacedRows {
    /// How many keys were looked at.
    pub keys: usize,
    /// The columns that they are values of.
    pub columns: Vec<String>,
    /// All rows as they are to be.
    pub rows: PlannedQuery,
}

/// A stored table whose rows are to be others.
#[derive(Clone, Copy, Debug)]
pub struct StoredRows<'a> {
    /// Its name.
    pub relation: &'a Relation,
    /// Its content.
    pub table: &'a TableVersion,
    /// Its columns.
    pub schema: &'a SchemaRef,
}
