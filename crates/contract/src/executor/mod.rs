//! What executes SQL: the trait [`Executor`], behind which an engine reads the tables of a warehouse and leaves files in new
//! folders.
//!
//! Comes in: queries that mep planned, and versions of tables. Goes out: rows, and files with their statistics. An executor points no
//! reader at anything: what was written is checked, noted and published by mep. It must not know: projects, models, when to publish.

pub mod keyed;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use async_trait::async_trait;
use futures::stream::BoxStream;

use self::keyed::{Collect, ContentChange, KeyedRows, StoredRows};
use crate::sink::{Sink, SinkTable};
use crate::warehouse::{PartitionKey, TableFolder, TableVersion, WriteError, WriteTarget, WrittenFiles};
use mep_core::relation::Relation;
use mep_sql::{EventDay, PlannedQuery, Scope, SqlError};

/// Rows as they come.
pub type RowStream = BoxStream<'static, Result<RecordBatch, EngineError>>;

/// Executes queries over the tables of one warehouse.
///
/// A query is planned by mep over [`Self::scope`], whoever executes it, so that what a SELECT means does not depend on the engine:
/// an engine in the process runs the plan, one elsewhere has it said in its own dialect.
///
/// ```
/// use mep_contract::executor::{EngineError, Executor};
/// use mep_contract::warehouse::{WriteTarget, WrittenFiles};
///
/// /// The rows of a SELECT, in files below a folder that nothing points at yet.
/// async fn built(
///     executor: &dyn Executor,
///     sql: &str,
///     target: &WriteTarget,
/// ) -> Result<WrittenFiles, EngineError> {
///     executor.write(executor.planned(sql)?, target).await
/// }
/// ```
#[async_trait]
pub trait Executor: Send + Sync {
    /// What SQL can see: the relations that were registered.
    fn scope(&self) -> &Scope;

    /// Makes a table version known under its relation's name, in place of an older one. A view is planned anew.
    ///
    /// # Errors
    /// Where a view's SQL cannot be planned.
    fn register(&self, relation: &Relation, table: Arc<TableVersion>) -> Result<(), EngineError>;

    /// Makes a landed table known as [`Self::register`] does, of which a partition column holds the day of a time: what is asked of the
    /// time is then read of these days.
    ///
    /// # Errors
    /// Where the catalog refuses.
    fn register_by_day(
        &self,
        relation: &Relation,
        table: Arc<TableVersion>,
        event_day: EventDay,
    ) -> Result<(), EngineError>;

    /// Makes a table known under a name of its own, whose files lie below the folder of another one: a part of a table, or rows that
    /// are not published.
    ///
    /// # Errors
    /// Where the catalog refuses.
    fn register_aside(
        &self,
        name: &Relation,
        folder: TableFolder,
        table: TableVersion,
    ) -> Result<(), EngineError>;

    /// Makes what a sink keeps of a table, outside the warehouse, known under its name: all of its rows, as they are when they are
    /// asked for.
    ///
    /// # Errors
    /// Where the catalog refuses.
    fn register_streamed(&self, table: &SinkTable, sink: Arc<dyn Sink>) -> Result<(), EngineError>;

    /// Makes a relation unknown again.
    ///
    /// # Errors
    /// Where the catalog refuses.
    fn forget(&self, relation: &Relation) -> Result<(), EngineError>;

    /// The rows of a query, all of them in memory.
    ///
    /// # Errors
    /// Where the query fails.
    async fn collect(&self, query: PlannedQuery) -> Result<Vec<RecordBatch>, EngineError>;

    /// The rows of a query as they come, so that not all of them are in memory.
    ///
    /// # Errors
    /// Where the query cannot be begun; what fails later is an item.
    async fn stream(&self, query: PlannedQuery) -> Result<RowStream, EngineError>;

    /// Writes the rows of a query into a new folder, with the columns in the order and the types of the target's schema; a column
    /// that the query lacks is NULL. Where the target says how large files are to be, into as few of them as there can be.
    ///
    /// # Errors
    /// Where the query fails or a file cannot be written. Files that were begun stay behind, and nothing points at them.
    async fn write(&self, query: PlannedQuery, target: &WriteTarget) -> Result<WrittenFiles, EngineError>;

    /// The values of some columns of a SELECT, in the types that they are stored with, of which rows can be others now that tables
    /// changed; `None` where that cannot be said, or takes more reading than `worth` bytes.
    ///
    /// # Errors
    /// Where what is looked at fails, which the SELECT itself need not.
    fn reached(
        &self,
        query: PlannedQuery,
        columns: &[&Field],
        changed: &[ContentChange],
        worth: u64,
        collect: &mut Collect<'_>,
    ) -> Result<Option<Vec<RecordBatch>>, EngineError>;

    /// The rows of a SELECT over tables that changed, made of those that are stored and of those that the change reaches; `None`
    /// where all are to be made.
    ///
    /// # Errors
    /// Where what is looked at fails, which the SELECT itself need not.
    fn rows_by_key(
        &self,
        query: PlannedQuery,
        stored: &StoredRows<'_>,
        changed: &[ContentChange],
        collect: &mut Collect<'_>,
    ) -> Result<Option<KeyedRows>, EngineError>;

    /// The partitions, of those that two contents of a table both have, whose rows are not the same.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn partitions_that_differ(
        &self,
        relation: &Relation,
        old: TableVersion,
        new: TableVersion,
        collect: &mut Collect<'_>,
    ) -> Result<BTreeSet<PartitionKey>, EngineError>;

    /// A SELECT, planned over what is registered.
    ///
    /// # Errors
    /// Where it cannot be.
    fn planned(&self, sql: &str) -> Result<PlannedQuery, EngineError> {
        let planned = self.scope().plan(sql);
        Ok(planned.map_err(|problem| SqlError::planning(problem.message))?)
    }
}

/// Why SQL could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Planning or running it.
    #[error(transparent)]
    Query(#[from] SqlError),
    /// Writing what it gave.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What ran it ended before its work.
    #[error("{0}")]
    Worker(String),
}

impl From<arrow::error::ArrowError> for EngineError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Query(error.into())
    }
}
