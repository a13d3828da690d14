//! Running plans within a bound on memory, and writing what they give.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use datafusion::common::{Column, DataFusionError, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::physical_plan::expressions::col as physical_column;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, Partitioning, execute_stream, execute_stream_partitioned,
};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::bounded_pruning::BoundedPruning;
use super::published::PublishedTable;
use super::streamed_table::StreamedTable;
use mep_contract::executor::keyed::{Collect, ContentChange, KeyedRows, StoredRows};
use mep_contract::executor::{EngineError, Executor, RowStream};
use mep_contract::sink::{Sink, SinkTable};
use mep_contract::warehouse::{
    Content, PartitionKey, PartitionWriter, Spread, TableFolder, TableVersion, Warehouse, WriteTarget,
    WrittenFiles,
};
use mep_core::guard::Panicked;
use mep_core::relation::Relation;
use mep_sql::{EventDay, Meanings, PlannedQuery, Scope, SqlError};

/// What an engine may use.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Threads that one query runs on.
    pub threads: usize,
    /// Bytes that all queries together may hold; past it they spill to disk.
    pub memory: usize,
    /// How SQL is read.
    pub reading: Meanings,
}

/// The embedded engine over the tables of one warehouse.
#[derive(Clone)]
pub struct Engine {
    scope: Scope,
    warehouse: Arc<dyn Warehouse>,
}

impl Engine {
    /// An engine over the tables of `warehouse`, none of which it knows yet.
    ///
    /// # Errors
    /// Where the place for spilling cannot be had.
    pub fn new(warehouse: Arc<dyn Warehouse>, options: EngineOptions) -> Result<Self, EngineError> {
        let top = std::num::NonZeroUsize::MIN.saturating_add(4);
        let pool = TrackConsumersPool::new(FairSpillPool::new(options.memory), top);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc();
        let runtime = runtime.map_err(SqlError::from)?;
        let storage = warehouse.storage();
        let url = ObjectStoreUrl::parse(storage.url()).map_err(SqlError::from)?;
        runtime.register_object_store(url.as_ref(), storage.object_store());
        let scope = Scope::new(options.threads, runtime).reading(options.reading);
        let scope = scope.with_physical_rule(Arc::new(BoundedPruning));
        Ok(Self { scope, warehouse })
    }

    /// The folder of a table.
    pub(super) fn folder(&self, relation: &Relation) -> TableFolder {
        self.warehouse.table_folder(relation)
    }

    /// Writes the rows of a plan, each thread its own files.
    async fn write_at_once(
        &self,
        plan: &LogicalPlan,
        target: &WriteTarget,
    ) -> Result<WrittenFiles, EngineError> {
        let state = self.scope.state();
        let physical = state.create_physical_plan(plan).await.map_err(SqlError::from)?;
        let physical = match target.spread {
            Spread::Partitions => {
                by_partition(physical, &target.partition_columns).map_err(SqlError::from)?
            }
            Spread::Threads | Spread::InOrder { .. } => physical,
        };
        let threads = physical.output_partitioning().partition_count();
        let streams = execute_stream_partitioned(physical, state.task_ctx()).map_err(SqlError::from)?;
        let mut workers = tokio::task::JoinSet::new();
        for (index, stream) in streams.into_iter().enumerate() {
            let name = if threads == 1 { "part".to_owned() } else { format!("part{index}") };
            workers.spawn(write_all(stream, target.clone(), name));
        }
        let mut files: WrittenFiles = BTreeMap::new();
        while let Some(worker) = workers.join_next().await {
            for (key, mut written) in worker.map_err(ended)?? {
                files.entry(key).or_default().append(&mut written);
            }
        }
        for written in files.values_mut() {
            written.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(files)
    }

    /// Writes the rows of a plan one after another, so that a file is begun only where the one before is full.
    async fn write_in_order(
        &self,
        plan: &LogicalPlan,
        target: &WriteTarget,
    ) -> Result<WrittenFiles, EngineError> {
        let state = self.scope.state();
        let physical = state.create_physical_plan(plan).await.map_err(SqlError::from)?;
        let rows = execute_stream(physical, state.task_ctx()).map_err(SqlError::from)?;
        tokio::spawn(write_all(rows, target.clone(), "part".to_owned())).await.map_err(ended)?
    }
}

/// Batches that may wait to be taken, while the next ones are made.
const BATCHES_AHEAD: usize = 4;

#[async_trait]
impl Executor for Engine {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn register(&self, relation: &Relation, table: Arc<TableVersion>) -> Result<(), EngineError> {
        match &table.content {
            Content::Table { .. } | Content::InPlace(_) => {
                let folder = self.warehouse.table_folder(relation);
                self.scope.register(relation, Arc::new(PublishedTable::new(folder, table)))?;
            }
            Content::View { sql, .. } => {
                let plan = self.scope.plan_over_views(sql);
                let plan = plan.map_err(|problem| SqlError::planning(problem.message))?;
                self.scope.register_view(relation, plan)?;
            }
        }
        Ok(())
    }

    fn register_by_day(
        &self,
        relation: &Relation,
        table: Arc<TableVersion>,
        event_day: EventDay,
    ) -> Result<(), EngineError> {
        let folder = self.warehouse.table_folder(relation);
        let table = PublishedTable::new(folder, table).by_day(event_day);
        Ok(self.scope.register(relation, Arc::new(table))?)
    }

    fn register_aside(
        &self,
        name: &Relation,
        folder: TableFolder,
        table: TableVersion,
    ) -> Result<(), EngineError> {
        Ok(self.scope.register(name, Arc::new(PublishedTable::new(folder, table)))?)
    }

    fn register_streamed(&self, table: &SinkTable, sink: Arc<dyn Sink>) -> Result<(), EngineError> {
        Ok(self.scope.register(&table.relation, Arc::new(StreamedTable::new(table, sink)))?)
    }

    fn forget(&self, relation: &Relation) -> Result<(), EngineError> {
        Ok(self.scope.forget(relation)?)
    }

    async fn collect(&self, query: PlannedQuery) -> Result<Vec<RecordBatch>, EngineError> {
        let rows = self.scope.context().execute_logical_plan(query.into_plan()).await;
        // A task of its own, so that a panic ends the query and not the run.
        let collected = tokio::spawn(rows.map_err(SqlError::from)?.collect()).await.map_err(ended)?;
        Ok(collected.map_err(SqlError::from)?)
    }

    async fn stream(&self, query: PlannedQuery) -> Result<RowStream, EngineError> {
        let rows = self.scope.context().execute_logical_plan(query.into_plan()).await;
        let mut rows = rows.map_err(SqlError::from)?.execute_stream().await.map_err(SqlError::from)?;
        let (hand_on, handed_on) = mpsc::channel(BATCHES_AHEAD);
        // A task of its own, so that a panic ends the query and not the process.
        let running = tokio::spawn(async move {
            while let Some(batch) = rows.next().await {
                if hand_on.send(batch).await.is_err() {
                    break;
                }
            }
        });
        let next = |(mut handed_on, running): (mpsc::Receiver<_>, Option<JoinHandle<()>>)| async move {
            if let Some(batch) = handed_on.recv().await {
                let batch: Result<_, DataFusionError> = batch;
                return Some((batch.map_err(|error| SqlError::from(error).into()), (handed_on, running)));
            }
            let error = running?.await.err()?;
            Some((Err(ended(error)), (handed_on, None)))
        };
        Ok(stream::unfold((handed_on, Some(running)), next).boxed())
    }

    async fn write(&self, query: PlannedQuery, target: &WriteTarget) -> Result<WrittenFiles, EngineError> {
        let plan = shaped(query.into_plan(), &target.schema).map_err(SqlError::from)?;
        match target.spread {
            Spread::Threads | Spread::Partitions => self.write_at_once(&plan, target).await,
            Spread::InOrder { .. } => self.write_in_order(&plan, target).await,
        }
    }

    fn reached(
        &self,
        query: PlannedQuery,
        columns: &[&Field],
        changed: &[ContentChange],
        worth: u64,
        collect: &mut Collect<'_>,
    ) -> Result<Option<Vec<RecordBatch>>, EngineError> {
        let mut collect = collecting(collect);
        let reached = self.keys_reached(&query.into_plan(), columns, changed, worth, &mut collect);
        Ok(reached.map_err(SqlError::from)?)
    }

    fn rows_by_key(
        &self,
        query: PlannedQuery,
        stored: &StoredRows<'_>,
        changed: &[ContentChange],
        collect: &mut Collect<'_>,
    ) -> Result<Option<KeyedRows>, EngineError> {
        let mut collect = collecting(collect);
        let rows = self.rows_of_keys(&query.into_plan(), stored, changed, &mut collect);
        Ok(rows.map_err(SqlError::from)?)
    }

    fn partitions_that_differ(
        &self,
        relation: &Relation,
        old: TableVersion,
        new: TableVersion,
        collect: &mut Collect<'_>,
    ) -> Result<BTreeSet<PartitionKey>, EngineError> {
        let mut collect = collecting(collect);
        Ok(self.differing_partitions(relation, old, new, &mut collect).map_err(SqlError::from)?)
    }
}

/// The rows of a plan, those of a partition in one of its streams.
fn by_partition(
    rows: Arc<dyn ExecutionPlan>,
    columns: &[String],
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let threads = rows.output_partitioning().partition_count();
    if threads == 1 || columns.is_empty() {
        return Ok(rows);
    }
    let schema = rows.schema();
    let columns = columns.iter().map(|name| physical_column(name, &schema));
    let spread = Partitioning::Hash(columns.collect::<Result<_, _>>()?, threads);
    Ok(Arc::new(RepartitionExec::try_new(rows, spread)?))
}

/// What runs a plan, as the engine's own parts ask for it.
fn collecting<'a>(
    collect: &'a mut Collect<'_>,
) -> impl FnMut(LogicalPlan) -> Result<Vec<RecordBatch>, DataFusionError> + 'a {
    move |plan| collect(PlannedQuery::from(plan)).map_err(|error| DataFusionError::External(Box::new(error)))
}

/// Why a task that ran a query has no result.
pub fn ended(error: tokio::task::JoinError) -> EngineError {
    EngineError::Worker(match error.try_into_panic() {
        Ok(panic) if Panicked::new(panic.as_ref()).to_string().contains("offset overflow") => {
            "the texts or lists of a few thousand rows take more than 2 GiB: make them shorter, or build fewer of them at once"
                .to_owned()
        }
        Ok(panic) => format!(
            "the query failed unexpectedly ({}); if a file of the warehouse is damaged, rebuild its table with --full-refresh",
            Panicked::new(panic.as_ref())
        ),
        Err(error) => format!("the query was ended: {error}"),
    })
}

/// Writes the rows of one stream.
async fn write_all(
    mut rows: SendableRecordBatchStream,
    target: WriteTarget,
    name: String,
) -> Result<WrittenFiles, EngineError> {
    let mut writer = PartitionWriter::new(target, name)?;
    while let Some(batch) = rows.next().await {
        writer.write(&batch.map_err(SqlError::from)?)?;
    }
    // Where files take their time to end, other queries go on meanwhile.
    Ok(tokio::task::spawn_blocking(move || writer.finish()).await.map_err(ended)??)
}

/// The plan with its columns in the order and the types of `schema`; a column that it lacks is NULL.
pub(super) fn shaped(plan: LogicalPlan, schema: &SchemaRef) -> Result<LogicalPlan, DataFusionError> {
    // The engine looks each name of a list of columns up among all others, at each of its rules: a list that changes nothing is left out.
    if has_shape(&plan, schema) {
        return Ok(plan);
    }
    let mut given = HashMap::new();
    for (qualifier, field) in plan.schema().iter() {
        given.entry(field.name().as_str()).or_insert((qualifier, field));
    }
    let mut columns = Vec::new();
    for field in schema.fields() {
        let Some((qualifier, found)) = given.get(field.name().as_str()) else {
            columns.push(lit(ScalarValue::try_new_null(field.data_type())?).alias(field.name()));
            continue;
        };
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

fn has_shape(plan: &LogicalPlan, schema: &SchemaRef) -> bool {
    let is = |(is, wanted): (&Arc<Field>, &Arc<Field>)| {
        is.name() == wanted.name() && is.data_type() == wanted.data_type()
    };
    let fields = plan.schema().fields();
    fields.len() == schema.fields().len() && fields.iter().zip(schema.fields()).all(is)
}
