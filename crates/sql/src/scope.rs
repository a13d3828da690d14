//! The relations that SQL can see, and planning against them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{MemorySchemaProvider, Session, TableProvider};
use datafusion::common::{DataFusionError, TableReference, exec_datafusion_err};
use datafusion::config::ConfigNonZeroUsize;
use datafusion::datasource::TableType;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan, TableProviderFilterPushDown};
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::ObjectName;

use super::event_day::EventDay;
use super::exact_mean::ExactMean;
use super::exact_sum::ExactSum;
use super::extremes::{Greatest, Least};
use super::failure::Failure;
use super::outside_rows::OutsideRows;
use super::planned::{PlannedQuery, SqlError};
use super::problem::{self, SqlProblem};
use super::rules::{
    self, date_interval::DateAndInterval, division::Meanings, intervals::Intervals,
    microseconds::Microseconds,
};
use super::truth_numbers::TruthsBesideNumbers;
use super::view::{self, View};
use super::{bounded, functions, lateral, pushed_filters, surely_fails, syntax, trial};
use mep_core::guard::guarded;
use mep_core::relation::Relation;

/// How the names of columns are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// As SQL reads them: in small letters, unless they stand in quotes.
    Exact,
    /// In any case, and as the alias of an earlier expression of the SELECT.
    Lenient,
}

/// What planning gives; where the engine panics over SQL that its author did not think of, that is an error of this SQL.
fn unpanicked<T>(work: impl FnOnce() -> Result<T, DataFusionError>) -> Result<T, DataFusionError> {
    guarded(work).unwrap_or_else(|panicked| {
        let said = panicked.to_string();
        let said = said.lines().next().unwrap_or_default();
        Err(exec_datafusion_err!("the engine cannot plan this, and says: {said}"))
    })
}

/// A set of relations that SQL is planned against.
///
/// Clones share the relations.
#[derive(Clone)]
pub struct Scope {
    context: SessionContext,
    /// The state for planning, which knows the same relations: the context copies all its functions at each asking.
    planning: Arc<SessionState>,
    /// What SQL means where engines read it otherwise.
    reading: Meanings,
    /// What optimizes plans that are looked at and not run: their arithmetic stays in the operators of the SQL.
    as_written: Arc<Optimizer>,
    /// What optimizes plans of which parts are run by themselves.
    as_meant: Arc<Optimizer>,
    /// What says which columns and partitions a plan reads whose parts are optimized already.
    as_read: Arc<Optimizer>,
}

impl Scope {
    /// An empty scope whose queries run on `threads` threads with the resources of `runtime`.
    pub fn new(threads: usize, runtime: Arc<RuntimeEnv>) -> Self {
        let mut config = SessionConfig::new().with_target_partitions(threads.max(1));
        let options = config.options_mut();
        options.sql_parser.collect_spans = true;
        if let Ok(levels) = ConfigNonZeroUsize::try_new(syntax::NESTING) {
            options.sql_parser.recursion_limit = levels;
        }
        options.execution.parquet.pushdown_filters = false;
        // The engine says of `a is true` that it is never NULL where it plans, and that it may be where it executes: it refused
        // to group by it.
        options.execution.skip_physical_aggregate_schema_check = true;
        // Facts have a group for each row: the sooner that is noticed, the fewer rows are grouped twice.
        options.execution.skip_partial_aggregation_probe_rows_threshold = 16_384;
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_analyzer_rule(Arc::new(DateAndInterval))
            .with_analyzer_rule(Arc::new(Microseconds))
            .with_analyzer_rule(Arc::new(Intervals))
            .with_optimizer_rules(rules::of_execution())
            .with_physical_optimizer_rules(pushed_filters::rules());
        state.expr_planners().get_or_insert_default().push(Arc::new(TruthsBesideNumbers));
        let context = SessionContext::new_with_state(state.build());
        for function in bounded::all(&context.state()) {
            context.register_udf(function);
        }
        for function in functions::all().into_iter().chain(functions::mended()) {
            context.register_udf(function.as_ref().clone());
        }
        context.register_udf(rules::apart::function());
        context.register_udaf(AggregateUDF::new_from_impl(ExactSum::default()));
        context.register_udaf(AggregateUDF::new_from_impl(ExactMean::default()));
        context.register_udaf(AggregateUDF::new_from_impl(Least::default()));
        context.register_udaf(AggregateUDF::new_from_impl(Greatest::default()));
        let planning = Arc::new(context.state());
        Self {
            context,
            planning,
            reading: Meanings::default(),
            as_written: Arc::new(Optimizer::with_rules(rules::of_reading())),
            as_meant: Arc::new(Optimizer::with_rules(rules::of_meaning())),
            as_read: Arc::new(Optimizer::with_rules(rules::of_scans())),
        }
    }

    /// A scope for planning alone.
    pub fn for_planning() -> Self {
        Self::new(1, Arc::new(RuntimeEnv::default()))
    }

    /// The scope whose SQL is read so.
    #[must_use]
    pub fn reading(mut self, reading: Meanings) -> Self {
        self.reading = reading;
        self
    }

    /// The scope whose plans are mended by one more rule once they are made.
    #[must_use]
    pub fn with_physical_rule(mut self, rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>) -> Self {
        let state = SessionStateBuilder::new_from_existing(self.context.state());
        let context = SessionContext::new_with_state(state.with_physical_optimizer_rule(rule).build());
        self.planning = Arc::new(context.state());
        self.context = context;
        self
    }

    /// The state that plans are optimized and executed with.
    pub fn state(&self) -> SessionState {
        self.context.state()
    }

    /// The context, for executing.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Makes a relation known, in place of what was known by its name.
    ///
    /// # Errors
    /// Where the catalog refuses, which in-memory catalogs do not.
    pub fn register(&self, relation: &Relation, table: Arc<dyn TableProvider>) -> Result<(), SqlError> {
        let reference = self.reference(relation)?;
        self.context.deregister_table(reference.clone())?;
        self.context.register_table(reference, table)?;
        Ok(())
    }

    /// Makes a relation unknown again.
    ///
    /// # Errors
    /// Where the catalog refuses, which in-memory catalogs do not.
    pub fn forget(&self, relation: &Relation) -> Result<(), SqlError> {
        self.context.deregister_table(self.reference(relation)?)?;
        Ok(())
    }

    /// Whether a relation is known.
    pub fn knows(&self, relation: &Relation) -> bool {
        self.reference(relation).is_ok_and(|name| self.context.table_exist(name).unwrap_or(false))
    }

    /// Makes a view known: what reads it has its SELECT put in. Of a stack of views each is best planned by
    /// [`Self::plan_over_views`], so that it is looked at by itself.
    ///
    /// # Errors
    /// Where the catalog refuses, which in-memory catalogs do not.
    pub fn register_view(&self, relation: &Relation, query: PlannedQuery) -> Result<(), SqlError> {
        self.register(relation, Arc::new(View::new(query.into_plan())))
    }

    /// Plans one SELECT, and checks types: the plan says those that its rows will have. The SELECTs of views stand in it.
    ///
    /// # Errors
    /// Where the SQL is not one SELECT, or means nothing over these relations: an unknown table, column or function,
    /// types that do not fit; or where there are too many ways through its views.
    pub fn plan(&self, sql: &str) -> Result<PlannedQuery, SqlProblem> {
        let plan = self.plan_over_views(sql)?.into_plan();
        let nodes = view::nodes(&plan);
        if nodes > view::NODES {
            let (of_views, help) = if view::reads_views(&plan) {
                (
                    "with the SELECTs of its views put in, ",
                    "make a table of one of the views that several ways lead through: materialized='table'",
                )
            } else {
                ("", "make several models of it, or give rows as a seed or as VALUES")
            };
            return Err(SqlProblem {
                message: format!(
                    "{of_views}the plan has {nodes} nodes; at most {} can be planned",
                    view::NODES
                ),
                range: None,
                help: Some(help.to_owned()),
            });
        }
        let plan = view::expand(plan).map_err(|error| problem(&self.planning, &error, sql))?;
        Ok(plan.into())
    }

    /// Plans one SELECT in which views are scanned as if they were tables, as [`Self::plan`] does.
    ///
    /// # Errors
    /// Where the SQL is not one SELECT, means nothing over these relations, or is nested too deep.
    pub fn plan_over_views(&self, sql: &str) -> Result<PlannedQuery, SqlProblem> {
        let read = |spelling: Spelling| {
            let statement = self.read_as(sql, spelling)?;
            self.checked(statement).map_err(|error| problem(&self.planning, &error, sql))
        };
        let plan = read(Spelling::Exact).or_else(|exact| {
            // Names in any case, and of other expressions, are looked for only where there is something amiss.
            let problem = match read(Spelling::Lenient) {
                Ok(plan) => return Ok(plan),
                Err(lenient) if lenient.message == exact.message => exact,
                Err(lenient) => lenient,
            };
            let problem = lateral::placed(problem, sql);
            Err(self.located(problem, sql, &|statement| self.checked(statement).err()))
        });
        Ok(plan?.into())
    }

    /// What the planner and the analyzer make of a statement.
    fn checked(&self, statement: Statement) -> Result<LogicalPlan, DataFusionError> {
        unpanicked(|| self.planned(statement))
    }

    fn planned(&self, statement: Statement) -> Result<LogicalPlan, DataFusionError> {
        let state = self.planning.as_ref();
        let has_pipes = syntax::has_pipes(&statement);
        // Planning is asynchronous only for catalogs that answer over a network; this one is in memory.
        let mut plan = futures::executor::block_on(state.statement_to_plan(statement))?;
        if has_pipes {
            plan = syntax::without_beginnings(plan)?;
        }
        let plan = rules::mended(plan, self.reading)?;
        // Types are first checked when operands are coerced, which is the analyzer's work. Those of a view were checked
        // when it was planned.
        let analyzed = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
        surely_fails::check_aggregates(&analyzed)?;
        rules::coerced::with_types(plan, analyzed.schema())
    }

    /// The problem with its place, where it has none: that of the smallest expression without which it is not there.
    fn located(
        &self,
        mut problem: SqlProblem,
        sql: &str,
        failure: &dyn Fn(Statement) -> Option<DataFusionError>,
    ) -> SqlProblem {
        if problem.range.is_none()
            && let Ok(statement) = self.read(sql)
        {
            let mut still_fails = |statement| {
                failure(statement).is_some_and(|error| Failure::of(&error).message == problem.message)
            };
            problem.range = trial::range(sql, &statement, &mut still_fails);
        }
        if problem.range.is_none() {
            problem.range = problem::named_range(&problem.message, sql);
        }
        problem
    }

    /// The one SELECT of a text, as it is to be planned.
    fn read(&self, sql: &str) -> Result<Statement, SqlProblem> {
        self.read_as(sql, Spelling::Exact)
    }

    fn read_as(&self, sql: &str, spelling: Spelling) -> Result<Statement, SqlProblem> {
        let state = self.planning.as_ref();
        let mut statement =
            syntax::statement(sql, syntax::NESTING).map_err(|error| problem(state, &error, sql))?;
        if let Statement::Statement(tree) = &mut statement
            && let Err(nesting) = syntax::balance(tree)
        {
            // To drop what is nested so deep takes as much stack as to walk it.
            std::mem::forget(statement);
            return Err(SqlProblem::nested_too_deep(nesting, sql, syntax::DEPTH));
        }
        syntax::write_types_out(&mut statement);
        if let Some(unclear) = syntax::write_synonyms_out(&mut statement, sql) {
            return Err(unclear);
        }
        let Some(query) = syntax::query(&statement) else {
            return Err(SqlProblem {
                message: "expected a SELECT, found another statement".to_owned(),
                range: None,
                help: Some("a model is one SELECT; mep makes the table or view itself".to_owned()),
            });
        };
        let is_scalar = |name: &str| state.scalar_functions().contains_key(name);
        if let Some(refused) = syntax::ignored(query, sql, &is_scalar) {
            return Err(refused);
        }
        if spelling == Spelling::Lenient {
            syntax::write_as_meant(&mut statement, &|table| self.columns_of(table));
        }
        syntax::write_as_membership(&mut statement);
        if let Some(refused) = syntax::write_row_memberships(&mut statement, sql) {
            return Err(refused);
        }
        syntax::leave_out_needless_order(&mut statement);
        if let Some(refused) = syntax::write_out_joined(&mut statement, &|table| self.columns_of(table), sql)
        {
            return Err(refused);
        }
        syntax::name_joined(&mut statement);
        syntax::name_unnamed(&mut statement);
        syntax::write_apart(&mut statement, &is_scalar);
        let width = |table: &ObjectName| self.schema_of(table).map_or(0, |schema| schema.fields().len());
        syntax::write_wide_as_pipes(&mut statement, &is_scalar, &width);
        Ok(statement)
    }

    /// The columns of a relation that SQL names, where there is one.
    fn columns_of(&self, table: &ObjectName) -> Option<Vec<String>> {
        let schema = self.schema_of(table)?;
        Some(schema.fields().iter().map(|field| field.name().clone()).collect())
    }

    /// The schema of a relation that SQL names, where there is one.
    fn schema_of(&self, table: &ObjectName) -> Option<SchemaRef> {
        let reference = object_name_to_table_reference(table.clone(), true).ok()?;
        let schema = self.planning.schema_for_ref(reference.clone()).ok()?;
        Some(futures::executor::block_on(schema.table(reference.table())).ok()??.schema())
    }

    /// Makes sure that a plan of this SQL, made by [`Self::plan`], can run: the optimizer and the physical planner know
    /// constructs that they cannot execute, and say so before any data is read; and some constants fail for every row.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn check_executable(&self, plan: &LogicalPlan, sql: &str) -> Result<(), SqlProblem> {
        if !super::executable::is_plain(plan) {
            let state = self.context.state();
            let execution = |plan: &LogicalPlan| {
                unpanicked(|| {
                    let execution = futures::executor::block_on(state.create_physical_plan(plan))?;
                    super::executable::check_accumulators(&execution)
                })
            };
            if let Err(error) = execution(plan) {
                let described = super::executable::problem(&error, problem(&state, &error, sql), sql);
                return Err(self.located(described, sql, &|statement| {
                    let planned = self.checked(statement).and_then(view::expand);
                    planned.and_then(|plan| execution(&plan)).err()
                }));
            }
        }
        let failing = |plan: &LogicalPlan| {
            unpanicked(|| surely_fails::error(&self.planning, plan).map_or(Ok(()), Err)).err()
        };
        let Some(error) = failing(plan) else { return Ok(()) };
        let mut described = problem(&self.planning, &error, sql);
        let culprit = Failure::of(&error).culprit;
        if let Some([only]) = culprit.map(|culprit| culprit.ranges(sql)).as_deref() {
            described.range = Some(only.clone());
        }
        Err(self.located(described, sql, &|statement| {
            self.checked(statement).and_then(view::expand).ok().and_then(|plan| failing(&plan))
        }))
    }

    /// Whether SQL calls a function that gives another value on another run, also where a plan does not tell.
    pub fn calls_volatile(&self, sql: &str) -> bool {
        super::volatility::calls_volatile(&self.context.state_ref().read(), sql)
    }

    /// A plan that reads all of a relation.
    ///
    /// # Errors
    /// Where it is not known.
    pub fn scan(&self, relation: &Relation) -> Result<PlannedQuery, SqlError> {
        let table = futures::executor::block_on(self.context.table(self.reference(relation)?))?;
        Ok(view::expand(table.into_unoptimized_plan())?.into())
    }

    /// A query that gives these rows.
    ///
    /// # Errors
    /// None of its own; making a plan returns a `Result`.
    pub fn rows(&self, rows: RecordBatch) -> Result<PlannedQuery, SqlError> {
        Ok(self.context.read_batch(rows)?.into_unoptimized_plan().into())
    }

    /// A query that gives rows from outside.
    ///
    /// # Errors
    /// None of its own; making a plan returns a `Result`.
    pub fn outside_rows(&self, rows: OutsideRows) -> Result<PlannedQuery, SqlError> {
        let schema = PartitionStream::schema(&rows).clone();
        let table = StreamingTable::try_new(schema, vec![Arc::new(rows)])?;
        Ok(self.context.read_table(Arc::new(table))?.into_unoptimized_plan().into())
    }

    /// The plan with filters pushed down and all that the optimizer knows, to be looked at.
    ///
    /// # Errors
    /// Where the optimizer finds that the plan cannot run.
    pub fn optimize(&self, plan: &LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        unpanicked(|| self.optimized_by(&self.as_written, plan))
    }

    /// The plan with filters pushed down and all that the optimizer knows, of which each part can be run by itself and gives the rows that it
    /// gives in the whole.
    ///
    /// # Errors
    /// Where the optimizer finds that the plan cannot run.
    pub fn optimize_in_parts(&self, plan: &LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        unpanicked(|| self.optimized_by(&self.as_meant, plan))
    }

    /// A plan that is made of optimized ones, with filters and columns pushed down to what it scans, to see what it reads.
    ///
    /// # Errors
    /// Where the optimizer finds that the plan cannot run.
    pub fn with_scans_optimized(&self, plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        unpanicked(|| self.as_read.optimize(plan, &self.context.state(), |_, _| {}))
    }

    fn optimized_by(&self, rules: &Optimizer, plan: &LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
        let state = self.context.state();
        let analyzed = state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
        rules.optimize(analyzed, &state, |_, _| {})
    }

    /// The name by which plans know the relation.
    fn reference(&self, relation: &Relation) -> Result<TableReference, DataFusionError> {
        let Some(schema) = &relation.schema else {
            return Ok(TableReference::bare(relation.name.clone()));
        };
        let catalog = self
            .context
            .catalog("datafusion")
            .ok_or_else(|| DataFusionError::Internal("the session has no catalog `datafusion`".to_owned()))?;
        if catalog.schema(schema).is_none() {
            catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
        }
        Ok(TableReference::partial(schema.clone(), relation.name.clone()))
    }
}

fn problem(state: &SessionState, error: &DataFusionError, sql: &str) -> SqlProblem {
    let mut problem = SqlProblem::of(error, sql);
    let functions = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
    problem.suggest_function(&functions.cloned().collect::<Vec<_>>());
    problem
}

/// A table of which the schema is known, and the data not yet there or not needed.
#[derive(Debug)]
pub struct DeclaredTable {
    schema: SchemaRef,
    partition_columns: Vec<String>,
    event_day: Option<EventDay>,
}

impl DeclaredTable {
    /// A table of this schema, partitioned by these of its columns.
    pub fn new(schema: SchemaRef, partition_columns: Vec<String>) -> Self {
        Self { schema, partition_columns, event_day: None }
    }

    /// The table, of which a partition column holds the day of another column.
    #[must_use]
    pub fn by_day(self, event_day: Option<EventDay>) -> Self {
        Self { event_day, ..self }
    }

    /// Which column holds the day of which time.
    pub(crate) fn event_day(&self) -> Option<&EventDay> {
        self.event_day.as_ref()
    }
}

#[async_trait]
impl TableProvider for DeclaredTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        Ok(filters.iter().map(|filter| exact_on_partitions(filter, &self.partition_columns)).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        Ok(Arc::new(EmptyExec::new(schema)))
    }
}

/// How well a scan that prunes partitions applies a filter: exactly, where it speaks of partition columns alone.
pub fn exact_on_partitions(filter: &Expr, partition_columns: &[String]) -> TableProviderFilterPushDown {
    let columns = filter.column_refs();
    let all = !columns.is_empty() && columns.iter().all(|column| partition_columns.contains(&column.name));
    if all && !filter.is_volatile() {
        TableProviderFilterPushDown::Exact
    } else {
        TableProviderFilterPushDown::Inexact
    }
}
