//! A streaming model's plans, ready to run on batches of events: rows, and the states of groups by this engine's partial aggregates.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::catalog::memory::{DataSourceExec, MemTable, MemorySourceConfig};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::{ExecutionPlan, collect};

use super::session::Engine;
use mep_contract::executor::{EngineError, Executor};
use mep_core::relation::Relation;
use mep_sql::SqlError;
use mep_sql::rules::overflow::checked;
use mep_sql::streaming::{OFFSET, StreamQuery, Windowed};

/// Rows of a stream, of which a plan reads some columns.
pub trait StreamedRows {
    /// The columns of these numbers (all of them), as the schema has them.
    ///
    /// # Errors
    /// Where a value does not fit its type.
    fn projected(&self, projection: Option<&[usize]>, schema: &SchemaRef) -> Result<RecordBatch, ArrowError>;
}

/// A streaming model's plans.
pub struct RunningQuery {
    state: SessionState,
    rows: Arc<dyn ExecutionPlan>,
    groups: Option<Grouping>,
}

/// How rows become groups, and groups rows of the model.
struct Grouping {
    by: PhysicalGroupBy,
    aggregates: Vec<Arc<AggregateFunctionExpr>>,
    filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
    rows: SchemaRef,
    states: SchemaRef,
    finish: Arc<dyn ExecutionPlan>,
}

impl RunningQuery {
    /// Reads the joined tables and plans all parts.
    ///
    /// # Errors
    /// Where a joined table cannot be read, or a plan cannot run.
    pub async fn new(engine: &Engine, query: &StreamQuery, stream: &Relation) -> Result<Self, EngineError> {
        let full = engine.scope().state();
        let mut tables = Vec::new();
        for relation in &query.tables {
            let plan = engine.scope().scan(relation)?;
            let schema = plan.output();
            let batches = engine.collect(plan).await?;
            let table = MemTable::try_new(schema, vec![batches]).map_err(SqlError::from)?;
            let table: Arc<dyn TableProvider> = Arc::new(table);
            tables.push((relation.clone(), table));
        }
        // One thread works on a share of the events by itself.
        let mut config = full.config().clone();
        config = config.with_target_partitions(1);
        let state = SessionStateBuilder::new_from_existing(full).with_config(config).build();
        let rows = bound(&query.rows, &tables, stream).map_err(SqlError::from)?;
        let rows = state.create_physical_plan(&rows).await.map_err(SqlError::from)?;
        let groups = match &query.windowed {
            Some(windowed) => Some(Grouping::new(&state, windowed).await?),
            None => None,
        };
        Ok(Self { state, rows, groups })
    }

    /// The rows of events; behind the model's columns, or those of the groups, which event each is of.
    ///
    /// # Errors
    /// Where the model's SQL fails on a value.
    pub async fn rows<R: StreamedRows>(&self, events: &[Arc<R>]) -> Result<Vec<RecordBatch>, EngineError> {
        let fed = fed(&self.rows, OFFSET, &|projection, schema| {
            events.iter().map(|batch| batch.projected(projection, schema)).collect()
        });
        self.collect(fed).await
    }

    /// The states of the groups that rows fall into.
    ///
    /// # Errors
    /// Where an aggregate fails on a value.
    pub async fn states_of(&self, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, EngineError> {
        let Some(groups) = &self.groups else { return Ok(rows) };
        let input = memory(rows, &groups.rows).map_err(SqlError::from)?;
        self.aggregate(groups, AggregateMode::Partial, groups.by.clone(), input).await
    }

    /// States with those of the same group made one.
    ///
    /// # Errors
    /// Where there is no memory for them.
    pub async fn merged(&self, states: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, EngineError> {
        let Some(groups) = &self.groups else { return Ok(states) };
        let input = memory(states, &groups.states).map_err(SqlError::from)?;
        self.aggregate(groups, AggregateMode::PartialReduce, groups.by.as_final(), input).await
    }

    /// The model's rows of groups, each of which has one state.
    ///
    /// # Errors
    /// Where an expression over the aggregates fails on a value.
    pub async fn finished(&self, states: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, EngineError> {
        let Some(groups) = &self.groups else { return Ok(states) };
        let input = memory(states, &groups.states).map_err(SqlError::from)?;
        let values = self.aggregate(groups, AggregateMode::Final, groups.by.as_final(), input).await?;
        let finish = fed(&groups.finish, "c0", &|projection, schema| {
            let named = values.iter().map(|batch| {
                let columns = match projection {
                    Some(projection) => projection.iter().map(|index| batch.column(*index).clone()).collect(),
                    None => batch.columns().to_vec(),
                };
                RecordBatch::try_new(schema.clone(), columns)
            });
            named.collect()
        });
        self.collect(finish).await
    }

    async fn aggregate(
        &self,
        groups: &Grouping,
        mode: AggregateMode,
        by: PhysicalGroupBy,
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        let (aggregates, filters) = (groups.aggregates.clone(), groups.filters.clone());
        let aggregate = AggregateExec::try_new(mode, by, aggregates, filters, input, groups.rows.clone());
        self.collect(aggregate.map(|aggregate| Arc::new(aggregate) as Arc<dyn ExecutionPlan>)).await
    }

    async fn collect(
        &self,
        plan: Result<Arc<dyn ExecutionPlan>, DataFusionError>,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        let rows = collect(plan.map_err(SqlError::from)?, self.state.task_ctx()).await;
        Ok(rows.map_err(SqlError::from)?)
    }
}

impl Grouping {
    async fn new(state: &SessionState, windowed: &Windowed) -> Result<Self, SqlError> {
        // Optimizing would take the two steps, to states and from states, for one.
        let plain = SessionStateBuilder::new_from_existing(state.clone())
            .with_physical_optimizer_rules(Vec::new())
            .build();
        let aggregate = checked(bound(&windowed.aggregate, &[], &windowed.rows)?)?;
        let planned = plain.query_planner().create_physical_plan(&aggregate, &plain).await?;
        let first = first_step(&planned)
            .ok_or_else(|| DataFusionError::Internal("an aggregate was planned in one step".to_owned()))?;
        let finish = state.create_physical_plan(&bound(&windowed.finish, &[], &windowed.values)?).await?;
        Ok(Self {
            by: first.group_expr().clone(),
            aggregates: first.aggr_expr().to_vec(),
            filters: first.filter_expr().to_vec(),
            rows: first.input_schema(),
            states: first.schema(),
            finish,
        })
    }
}

fn first_step(plan: &Arc<dyn ExecutionPlan>) -> Option<&AggregateExec> {
    let found = plan.downcast_ref::<AggregateExec>().filter(|found| *found.mode() == AggregateMode::Partial);
    found.or_else(|| plan.children().into_iter().find_map(first_step))
}

/// The plan with its tables: those that are joined, and an empty one in place of what is fed.
fn bound(
    plan: &LogicalPlan,
    tables: &[(Relation, Arc<dyn TableProvider>)],
    fed: &Relation,
) -> Result<LogicalPlan, DataFusionError> {
    let bound = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let name = Relation {
            schema: scan.table_name.schema().map(str::to_owned),
            name: scan.table_name.table().to_owned(),
        };
        let table: Arc<dyn TableProvider> = if name == *fed {
            let schema = scan.source.schema();
            Arc::new(MemTable::try_new(schema, vec![Vec::new()])?)
        } else if let Some((_, table)) = tables.iter().find(|(relation, _)| *relation == name) {
            table.clone()
        } else {
            return Ok(Transformed::no(node));
        };
        let source = provider_as_source(table);
        let scan = LogicalPlanBuilder::scan(scan.table_name.clone(), source, scan.projection.clone())?;
        Ok(Transformed::yes(scan.build()?))
    });
    bound.map(|bound| bound.data)
}

/// What gives the batches for a scan: of these columns of the table (of all), which have this schema.
type BatchFeed<'a> = dyn Fn(Option<&[usize]>, &SchemaRef) -> Result<Vec<RecordBatch>, ArrowError> + 'a;

/// The plan, which holds nothing of an earlier run, with batches in place of the empty table, which is told from joined ones
/// by a column.
fn fed(
    plan: &Arc<dyn ExecutionPlan>,
    column: &str,
    feed: &BatchFeed<'_>,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let transformed = plan.clone().transform_up(|node| {
        let memory = node
            .downcast_ref::<DataSourceExec>()
            .and_then(|scan| scan.data_source().downcast_ref::<MemorySourceConfig>());
        let Some(memory) = memory.filter(|memory| memory.original_schema().index_of(column).is_ok()) else {
            return Ok(Transformed::no(node));
        };
        let schema = node.schema();
        let batches = feed(memory.projection().as_deref(), &schema)?;
        Ok(Transformed::yes(self::memory(batches, &schema)?))
    });
    transformed.map(|transformed| transformed.data)
}

fn memory(batches: Vec<RecordBatch>, schema: &SchemaRef) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let source = MemorySourceConfig::try_new(&[batches], schema.clone(), None)?;
    Ok(DataSourceExec::from_data_source(source))
}
