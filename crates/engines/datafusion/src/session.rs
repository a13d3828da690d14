//! Running plans within a bound on memory, and writing what they give.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Column, DataFusionError, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream, execute_stream_partitioned};
use futures::StreamExt;

use super::bounded_pruning::BoundedPruning;
use super::published::PublishedTable;
use mep_contract::warehouse::BuildFolder;
use mep_contract::warehouse::{
    Content, PartitionWriter, TableFolder, TableVersion, Warehouse, WriteError, WriteTarget, WrittenFiles,
};
use mep_core::guard::Panicked;
use mep_core::relation::Relation;
use mep_sql::{Failure, Scope};

/// Why SQL could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Planning or running it.
    #[error("{}", why_it_failed(.0))]
    Query(#[from] DataFusionError),
    /// Writing what it gave.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A thread that ran it panicked, or was told to end.
    #[error("{0}")]
    Worker(String),
}

impl From<tokio::task::JoinError> for EngineError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Worker(match error.try_into_panic() {
            Ok(panic) if Panicked::new(panic.as_ref()).to_string().contains("offset overflow") => {
                "the texts or lists of some thousand rows take more than 2 GiB: make them shorter, or make fewer rows of them at once"
                    .to_owned()
            }
            Ok(panic) => format!(
                "the query met what it was not made for ({}); where a file of the warehouse is damaged, build its table anew with --full-refresh",
                Panicked::new(panic.as_ref())
            ),
            Err(error) => format!("the query was ended: {error}"),
        })
    }
}

impl From<arrow::error::ArrowError> for EngineError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Query(error.into())
    }
}

/// What failed, and how to go on, in one line.
fn why_it_failed(error: &DataFusionError) -> String {
    let failure = Failure::of(error);
    match failure.help {
        Some(help) => format!("{}: {help}", failure.message),
        None => failure.message,
    }
}

/// What an engine may use.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Threads that one query runs on.
    pub threads: usize,
    /// Bytes that all queries together may hold; past it they spill to disk.
    pub memory: usize,
}

/// The embedded engine over the tables of one warehouse.
#[derive(Clone)]
pub struct Engine {
    scope: Scope,
    warehouse: Arc<dyn Warehouse>,
}

/// Where the rows of a plan go.
#[derive(Clone, Debug)]
pub struct Output {
    /// The table's folder.
    pub table_folder: TableFolder,
    /// The new folder below it.
    pub folder: BuildFolder,
    /// The schema to store, partition columns last.
    pub schema: SchemaRef,
    /// The partition columns.
    pub partition_columns: Vec<String>,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// The files, by partition.
    pub files: WrittenFiles,
}

impl Engine {
    /// An engine over the tables of `warehouse`, none of which it knows yet.
    ///
    /// # Errors
    /// Where the place for spilling cannot be had.
    pub fn new(warehouse: Arc<dyn Warehouse>, options: EngineOptions) -> Result<Self, EngineError> {
        let top = std::num::NonZeroUsize::MIN.saturating_add(4);
        let pool = TrackConsumersPool::new(FairSpillPool::new(options.memory), top);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()?;
        let storage = warehouse.storage();
        let url = ObjectStoreUrl::parse(storage.url())?;
        runtime.register_object_store(url.as_ref(), storage.object_store());
        let scope = Scope::new(options.threads, runtime).with_physical_rule(Arc::new(BoundedPruning));
        Ok(Self { scope, warehouse })
    }

    /// The folder of a table.
    pub(super) fn folder(&self, relation: &Relation) -> TableFolder {
        self.warehouse.table_folder(relation)
    }

    /// What SQL can see.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Makes a table version known under its relation's name, in place of an older one. A view is planned anew.
    ///
    /// # Errors
    /// Where a view's SQL cannot be planned.
    pub fn register(
        &self,
        relation: &Relation,
        table: impl Into<Arc<TableVersion>>,
    ) -> Result<(), EngineError> {
        let table = table.into();
        match &table.content {
            Content::Table { .. } => {
                let folder = self.warehouse.table_folder(relation);
                self.scope.register(relation, Arc::new(PublishedTable::new(folder, table)))?;
            }
            Content::View { sql, .. } => {
                let plan = self
                    .scope
                    .plan_over_views(sql)
                    .map_err(|problem| DataFusionError::Plan(problem.message))?;
                self.scope.register_view(relation, plan)?;
            }
        }
        Ok(())
    }

    /// Makes a relation unknown again.
    ///
    /// # Errors
    /// Where the catalog refuses, which in-memory catalogs do not.
    pub fn forget(&self, relation: &Relation) -> Result<(), EngineError> {
        Ok(self.scope.forget(relation)?)
    }

    /// The rows of a plan, all of them in memory.
    ///
    /// # Errors
    /// Where the plan fails.
    pub async fn collect(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>, EngineError> {
        let rows = self.scope.context().execute_logical_plan(plan).await?;
        // A task of its own, so that a panic ends the query and not the run.
        Ok(tokio::spawn(rows.collect()).await??)
    }

    /// Runs a plan and writes its rows, each thread its own files.
    ///
    /// # Errors
    /// Where the plan fails or a file cannot be written. Files that were begun stay behind, and nothing points at them.
    pub async fn write(&self, plan: LogicalPlan, output: &Output) -> Result<Written, EngineError> {
        let plan = shaped(plan, &output.schema)?;
        let state = self.scope.state();
        let physical = state.create_physical_plan(&plan).await?;
        let threads = physical.output_partitioning().partition_count();
        let streams = execute_stream_partitioned(physical, state.task_ctx())?;
        let mut workers = tokio::task::JoinSet::new();
        for (index, stream) in streams.into_iter().enumerate() {
            let name = if threads == 1 { "part".to_owned() } else { format!("part{index}") };
            workers.spawn(write_all(stream, output.target(None), name));
        }
        let mut files: WrittenFiles = BTreeMap::new();
        while let Some(worker) = workers.join_next().await {
            for (key, mut written) in worker?? {
                files.entry(key).or_default().append(&mut written);
            }
        }
        for written in files.values_mut() {
            written.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(Written { files })
    }

    /// Runs a plan and writes its rows into as few files as there can be of a size, one after another.
    ///
    /// # Errors
    /// Where the plan fails or a file cannot be written. Files that were begun stay behind, and nothing points at them.
    pub async fn write_in_files_of(
        &self,
        plan: LogicalPlan,
        output: &Output,
        file_bytes: u64,
    ) -> Result<Written, EngineError> {
        let state = self.scope.state();
        let physical = state.create_physical_plan(&shaped(plan, &output.schema)?).await?;
        let rows = execute_stream(physical, state.task_ctx())?;
        let files =
            tokio::spawn(write_all(rows, output.target(Some(file_bytes)), "part".to_owned())).await??;
        Ok(Written { files })
    }
}

impl Output {
    fn target(&self, file_bytes: Option<u64>) -> WriteTarget {
        WriteTarget {
            table_folder: self.table_folder.clone(),
            folder: self.folder.clone(),
            schema: self.schema.clone(),
            partition_columns: self.partition_columns.clone(),
            file_bytes,
        }
    }
}

/// Writes the rows of one stream.
async fn write_all(
    mut rows: SendableRecordBatchStream,
    target: WriteTarget,
    name: String,
) -> Result<WrittenFiles, EngineError> {
    let mut writer = PartitionWriter::new(target, name)?;
    while let Some(batch) = rows.next().await {
        writer.write(&batch?)?;
    }
    // Where files take their time to end, other queries go on meanwhile.
    Ok(tokio::task::spawn_blocking(move || writer.finish()).await??)
}

/// The plan with its columns in the order and the types of `schema`; a column that it lacks is NULL.
pub(super) fn shaped(plan: LogicalPlan, schema: &SchemaRef) -> Result<LogicalPlan, DataFusionError> {
    let mut columns = Vec::new();
    for field in schema.fields() {
        if !plan.schema().has_column_with_unqualified_name(field.name()) {
            columns.push(lit(ScalarValue::try_new_null(field.data_type())?).alias(field.name()));
            continue;
        }
        let (qualifier, found) = plan.schema().qualified_field_with_unqualified_name(field.name())?;
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let column = if found.data_type() == field.data_type() {
            column
        } else {
            cast(column, field.data_type().clone())
        };
        columns.push(column.alias(field.name()));
    }
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}
