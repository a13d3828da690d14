//! Rows of what a project has: of a model, of what fails a test, of a query.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;

use super::error::AppError;
use super::late::Answering;
use super::past::{AsOf, Past, keeps_nothing};
use super::streamed::{is_streaming, register_streamed};
use super::workspace::{Workspace, runtime};
use mep_contract::executor::{EngineError, Executor};
use mep_contract::warehouse::{Content, TableVersion, Warehouse, WarehouseError};
use mep_core::relation::Relation;
use mep_datafusion::Engine;
use mep_graph::{
    Answers, Compiled, CompiledUnit, Compiler, Graph, Node, NodeIndex, NodeKind, NodeSet, tested_relation,
};
use mep_lang::jinja::SourceMap;
use mep_lang::project::{Problem, SourceText, Span, StreamingTarget};
use mep_run::stored_of;
use mep_sql::{PlannedQuery, named_tables};

/// Where the text of a node came from, as a whole.
fn map_of(node: &Node) -> SourceMap {
    let place = || SourceText::new(node.path.clone(), "").at(Span::default());
    SourceMap::whole(node.place.clone().unwrap_or_else(place))
}

/// What rows are read by.
pub struct Reader<'a> {
    workspace: &'a Workspace,
    warehouse: Arc<dyn Warehouse>,
    engine: Engine,
    runtime: Arc<tokio::runtime::Runtime>,
    /// What tables were, where these are read as such.
    past: Option<Past>,
}

/// A SELECT, and where its text came from.
pub struct Query {
    sql: String,
    map: SourceMap,
}

impl Query {
    /// SQL that was made of a node's.
    pub(super) fn of(sql: String, node: &Node) -> Self {
        Self { sql, map: map_of(node) }
    }
}

impl<'a> Reader<'a> {
    /// One that knows all that the target's warehouse holds.
    ///
    /// # Errors
    /// Where the warehouse cannot be read.
    pub fn open(workspace: &'a Workspace) -> Result<Self, AppError> {
        let warehouse = workspace.warehouse()?;
        let engine = workspace.engine(&warehouse)?;
        register_all(&workspace.graph, warehouse.as_ref(), &engine)?;
        Ok(Self { workspace, warehouse, engine, runtime: runtime()?, past: None })
    }

    /// One by which tables are read as they were.
    ///
    /// # Errors
    /// Where the warehouse cannot be read, or does not keep that.
    pub fn as_of(workspace: &'a Workspace, as_of: &AsOf) -> Result<Self, AppError> {
        let warehouse = workspace.warehouse()?;
        let engine = workspace.engine(&warehouse)?;
        let past = Some(Past::of(warehouse.clone(), as_of)?);
        Ok(Self { workspace, warehouse, engine, runtime: runtime()?, past })
    }

    /// What tables were, where these are read as such.
    pub fn past(&self) -> Option<&Past> {
        self.past.as_ref()
    }

    /// A query with Jinja. What it reads that no warehouse holds becomes known.
    ///
    /// # Errors
    /// Where it cannot be rendered, or what it reads cannot be compiled.
    pub fn inline(&self, text: &SourceText) -> Result<Query, AppError> {
        let workspace = self.workspace;
        let nothing = |_: &Node| None;
        let (engine, runtime) = (self.engine.clone(), self.runtime.clone());
        let answers: Arc<dyn Answers> = Arc::new(Answering { engine, runtime, built: BTreeSet::new() });
        let compiler = Compiler { answers: &answers, ..workspace.compiler(&nothing) };
        let rendered = compiler.query(text)?;
        let named = named_tables(&rendered.sql);
        let streams_elsewhere = workspace.project.target.streaming.is_some();
        let is_read = |node: &Node| match &node.relation {
            None => matches!(node.kind, NodeKind::Model { .. }) && named.contains(&tested_relation(node)),
            Some(relation) => streams_elsewhere && is_streaming(node) && named.contains(relation),
        };
        let nodes = workspace.graph.indexed();
        let read: NodeSet = nodes.filter(|(_, node)| is_read(node)).map(|(index, _)| index).collect();
        // A query reads few of them: what is wrong with others is nothing to it.
        let compiled =
            if read.is_empty() { None } else { Some(workspace.compile_while(&read, &NodeSet::new())?) };
        if let Some(past) = &self.past {
            self.know_past(past, &rendered.sql, compiled.as_ref())?;
        } else if let Some(compiled) = &compiled {
            register_ephemeral(&workspace.graph, compiled, &self.engine);
            register_streamed(workspace, compiled, &read, &self.engine, &self.runtime)?;
        }
        Ok(Query { sql: rendered.sql, map: rendered.map })
    }

    /// What gives a node's rows: what is published where it is what the project says, else the compiled SQL.
    ///
    /// # Errors
    /// Where it cannot be compiled, or what it reads cannot be asked for.
    pub fn node(&self, index: NodeIndex) -> Result<Query, AppError> {
        let workspace = self.workspace;
        let nodes = NodeSet::from([index]);
        if let Some(past) = &self.past {
            return self.node_as_it_was(past, index);
        }
        let compiled = workspace.compile(&nodes)?;
        if compiled.late.contains_key(&index) {
            let name = &workspace.graph.node(index).name;
            let problem = Problem::new(format!(
                "the SQL of `{name}` depends on what its inputs hold, and they are not built as they are to be"
            ));
            return Err(problem.help(format!("build them first: mep run --select +{name}")).into());
        }
        let read = workspace.graph.ancestors(&nodes, Some(1));
        let streamed = register_streamed(workspace, &compiled, &read, &self.engine, &self.runtime)?;
        let node = workspace.graph.node(index);
        let relation = tested_relation(node);
        let map = map_of(node);
        if let Some(test) = compiled.tests.get(&index) {
            if let Some(CompiledUnit::Steps(_) | CompiledUnit::Text(_)) = &test.unit {
                let problem = Problem::new(format!("the unit test `{}` is of no SELECT", node.name));
                let help = format!("what differs is shown by: mep test --select unit_test:{}", node.name);
                return Err(problem.help(help).into());
            }
            return Ok(Query { sql: test.sql.clone(), map: test.rendered.map.clone() });
        }
        let all = format!("select * from {relation}");
        let Some(model) = compiled.models.get(&index) else { return Ok(Query { sql: all, map }) };
        let is_stored = match &node.relation {
            Some(relation) if streamed.contains(relation) => true,
            Some(relation) => self.warehouse.read(relation)?.is_some_and(|table| match &table.content {
                Content::View { fingerprint, .. } => *fingerprint == model.fingerprint,
                Content::Table { partitions, .. } => {
                    partitions.values().all(|partition| partition.ledger.fingerprint == model.fingerprint)
                }
                Content::InPlace(_) => false,
            }),
            None => false,
        };
        Ok(Query { sql: if is_stored { all } else { model.sql.clone() }, map })
    }

    /// What gives the rows that a node's table had. What is not stored has its SQL of now, over tables as they were.
    fn node_as_it_was(&self, past: &Past, index: NodeIndex) -> Result<Query, AppError> {
        let node = self.workspace.graph.node(index);
        let map = map_of(node);
        let compiled = match &node.relation {
            Some(_) if !node.is_test() => None,
            _ => Some(self.workspace.compile(&NodeSet::from([index]))?),
        };
        let test = compiled.as_ref().and_then(|compiled| compiled.tests.get(&index));
        let query = match test {
            Some(test) => Query { sql: test.sql.clone(), map: test.rendered.map.clone() },
            None => Query { sql: format!("select * from {}", tested_relation(node)), map },
        };
        self.know_past(past, &query.sql, compiled.as_ref())?;
        Ok(query)
    }

    /// Makes known what a query reads, as it was.
    fn know_past(&self, past: &Past, sql: &str, compiled: Option<&Compiled>) -> Result<(), AppError> {
        let graph = &self.workspace.graph;
        let named = named_tables(sql);
        if let Some(StreamingTarget::Cassandra(_)) = &self.workspace.project.target.streaming
            && graph.nodes().iter().any(|node| is_streaming(node) && named.contains(&tested_relation(node)))
        {
            return Err(keeps_nothing("Cassandra"));
        }
        let ephemeral = |relation: &Relation| {
            let mut nodes = graph.indexed().filter(|(_, node)| node.relation.is_none());
            let (index, _) = nodes.find(|(_, node)| tested_relation(node) == *relation)?;
            Some(compiled?.models.get(&index)?.sql.clone())
        };
        past.make_known(sql, &ephemeral, &self.engine)?;
        if let Some(compiled) = compiled {
            register_ephemeral(graph, compiled, &self.engine);
        }
        Ok(())
    }

    /// The first rows of a query; where there are none, one batch without rows that says the columns.
    ///
    /// # Errors
    /// Where the query is wrong, or fails.
    pub fn rows(&self, query: &Query, limit: Option<usize>) -> Result<Vec<RecordBatch>, AppError> {
        let plan = self.planned(query)?.limited(limit).map_err(EngineError::from)?;
        let schema = plan.output();
        let collected = self.runtime.block_on(self.engine.collect(plan));
        let mut batches = collected.map_err(|error| failed(error, query))?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(batches)
    }

    /// Hands on all rows of a query that was planned, some at a time, until an error of whoever takes them or no more are asked for.
    ///
    /// # Errors
    /// Where the query fails, and the error of whoever takes its rows.
    pub(super) fn each(
        &self,
        planned: PlannedQuery,
        query: &Query,
        take: &mut dyn FnMut(RecordBatch) -> Result<ControlFlow<()>, AppError>,
    ) -> Result<(), AppError> {
        self.runtime.block_on(async {
            let rows = self.engine.stream(planned).await.map_err(|error| failed(error, query));
            let mut rows = rows?;
            while let Some(batch) = rows.next().await {
                if take(batch.map_err(|error| failed(error, query))?)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The plan of a query.
    ///
    /// # Errors
    /// Where it is wrong.
    pub(super) fn planned(&self, query: &Query) -> Result<PlannedQuery, AppError> {
        let scope = self.engine.scope();
        let planned = scope.plan(&query.sql).and_then(|plan| {
            scope.check_executable(&plan, &query.sql)?;
            Ok(plan)
        });
        let planned = planned.map_err(|problem| {
            let place = query.map.place(problem.range.clone().unwrap_or(0..0));
            let placed = Problem::new(&problem.message).at(&place);
            match (&problem.help, problem.message.ends_with("not found")) {
                (Some(help), _) => placed.help(help),
                (None, true) => placed.help("it may not be built yet: see mep run"),
                (None, false) => placed,
            }
        })?;
        Ok(planned)
    }
}

/// Why a query failed, and where in it.
fn failed(error: EngineError, query: &Query) -> AppError {
    let EngineError::Query(error) = error else { return error.into() };
    let failure = error.failure();
    let ranges = failure.culprit.map(|culprit| culprit.ranges(&query.sql)).unwrap_or_default();
    let mut problem = Problem::new(failure.message);
    if let (Some(first), Some(last)) = (ranges.first(), ranges.last()) {
        problem = problem.at(&query.map.place(first.start..last.end));
    }
    if let Some(help) = failure.help {
        problem = problem.help(help);
    }
    AppError::Query(Box::new(problem))
}

/// Makes all that the warehouse holds known to SQL: in the graph's order, and then whatever else is there.
///
/// # Errors
/// Where the warehouse cannot be read.
pub fn register_all(
    graph: &Graph,
    warehouse: &dyn Warehouse,
    engine: &dyn Executor,
) -> Result<(), WarehouseError> {
    let relations = warehouse.relations()?;
    let known: Vec<&Relation> = graph.nodes().iter().filter_map(|node| node.relation.as_ref()).collect();
    let register = |relation: &Relation, table: TableVersion| {
        if let Err(error) = engine.register(relation, table.into()) {
            tracing::debug!("{relation} cannot be read: {error}");
        }
    };
    for relation in relations.iter().filter(|relation| !known.contains(relation)) {
        if let Some(table) = warehouse.read(relation)? {
            register(relation, table);
        }
    }
    for node in graph.nodes() {
        let Some(relation) = &node.relation else { continue };
        if !node.is_in_place() && !relations.contains(relation) {
            continue;
        }
        match stored_of(warehouse, node) {
            Ok(Some(table)) => register(relation, table),
            Ok(None) => {}
            // What others publish may be none that can be read, which is nothing to those that do not read it.
            Err(error) if node.is_in_place() => tracing::debug!("{error}"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn register_ephemeral(graph: &Graph, compiled: &Compiled, engine: &dyn Executor) {
    for (index, node) in graph.indexed() {
        let Some(model) = compiled.models.get(&index).filter(|_| node.relation.is_none()) else { continue };
        let planned = engine.scope().plan_over_views(&model.sql);
        if let Ok(plan) = planned {
            let _ = engine.scope().register_view(&tested_relation(node), plan);
        }
    }
}
