//! What passes between a run and an engine where rows of some keys are made in place of all rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::EngineError;
use crate::warehouse::{Content, DataFile, Partition, PartitionKey, TableFolder, TableVersion};
use mep_core::relation::Relation;
use mep_sql::PlannedQuery;

/// Runs a query in the middle of making another one.
pub type Collect<'a> = dyn FnMut(PlannedQuery) -> Result<Vec<RecordBatch>, EngineError> + 'a;

/// A table whose content is another one than before.
#[derive(Clone, Debug)]
pub struct ContentChange {
    /// The table, as queries name it.
    pub relation: Relation,
    /// The folder that its files lie in, where it is not that of the table of this name.
    pub folder: Option<TableFolder>,
    /// Its old content.
    pub before: Arc<TableVersion>,
    /// Its new one.
    pub now: Arc<TableVersion>,
    /// Which rows differ, where that is known: they need not be looked for then.
    pub rows: Option<Arc<ChangedRows>>,
}

/// Rows by which two contents of a table differ, each as often as it is in one of them more than in the other.
#[derive(Clone, Debug)]
pub struct ChangedRows {
    /// Those of the old content.
    pub gone: RecordBatch,
    /// Those of the new one.
    pub come: RecordBatch,
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
        let (relation, before, now) = (relation.clone(), before.clone(), now.clone());
        let change = Self { relation, folder: None, before, now, rows: None };
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
    /// The files that hold no row of these keys: they stay.
    pub kept: Vec<DataFile>,
    /// All other rows as they are to be.
    pub rows: PlannedQuery,
    /// What of the table becomes another one by that.
    pub changed: Arc<ChangedRows>,
}

/// A stored table whose rows are to be others.
#[derive(Clone, Copy, Debug)]
pub struct StoredRows<'a> {
    /// Its content.
    pub table: &'a TableVersion,
    /// The folder that its files lie in.
    pub folder: &'a TableFolder,
    /// Its columns.
    pub schema: &'a SchemaRef,
    /// Whether files that need not be written anew may stay, beside new ones.
    pub keeps_files: bool,
    /// Files of fewer bytes are small: several of them are written together.
    pub small_bytes: u64,
}
