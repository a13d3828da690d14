//! show: rows of a model, of the rows that fail a test, or of a query.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::json::writer::{JsonArray, WriterBuilder};
use arrow::util::pretty::pretty_format_batches_with_options;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlanBuilder;

use super::arguments::{Global, Selecting, ShowArguments, TextOrJson};
use super::exit::Exit;
use mep_app::AppError;
use mep_app::{Rendering, Workspace, runtime};
use mep_app::{is_streaming, register_streamed};
use mep_contract::warehouse::{Content, Warehouse, WarehouseError};
use mep_core::relation::Relation;
use mep_datafusion::{Engine, EngineError};
use mep_graph::{Compiled, Graph, Node, NodeKind, tested_relation};
use mep_lang::project::{Problem, SourceText};
use mep_sql::Failure;

/// Prints rows.
///
/// # Errors
/// Where there is no such node, the query is wrong, or it fails.
pub(super) fn show(global: &Global, arguments: &ShowArguments) -> Result<Exit, AppError> {
    let workspace = Workspace::open(&global.opening(), "show", Rendering::default())?;
    let warehouse = workspace.warehouse()?;
    let engine = workspace.engine(&warehouse)?;
    let runtime = runtime()?;
    let (sql, place) = match (&arguments.inline, &arguments.select) {
        (Some(query), _) => {
            let nothing = |_: &Node| None;
            let text = SourceText::new("--inline", query.clone());
            let rendered = workspace.compiler(&nothing).query(&text)?;
            register_all(&workspace.graph, warehouse.as_ref(), &engine)?;
            let streams_elsewhere = workspace.project.target.streaming.is_some();
            let is_read = |node: &Node| match &node.relation {
                None => matches!(node.kind, NodeKind::Model { .. }),
                Some(relation) => {
                    streams_elsewhere && is_streaming(node) && rendered.sql.contains(&relation.to_string())
                }
            };
            let nodes = workspace.graph.nodes().iter().enumerate();
            let read: BTreeSet<usize> =
                nodes.filter(|(_, node)| is_read(node)).map(|(index, _)| index).collect();
            if !read.is_empty() {
                let compiled = workspace.compile(&read)?;
                register_ephemeral(&workspace.graph, &compiled, &engine);
                register_streamed(&workspace, &compiled, &read, &engine, &runtime)?;
            }
            let map = rendered.map.clone();
            (rendered.sql, map)
        }
        (None, Some(words)) => {
            let selecting = Selecting { select: vec![words.clone()], exclude: Vec::new() };
            let nodes =
                workspace.select(selecting.selectors(), |node| node.name == *words || !node.is_test())?;
            let [index] = nodes.iter().copied().collect::<Vec<_>>()[..] else {
                let names: Vec<&str> =
                    nodes.iter().map(|index| workspace.graph.node(*index).name.as_str()).collect();
                let problem =
                    Problem::new(format!("`{words}` selects {} nodes: {}", names.len(), names.join(", ")));
                return Err(problem.help("show prints one: select it by its name").into());
            };
            register_all(&workspace.graph, warehouse.as_ref(), &engine)?;
            let compiled = workspace.compile(&nodes)?;
            let read = workspace.graph.ancestors(&nodes, Some(1));
            let streamed = register_streamed(&workspace, &compiled, &read, &engine, &runtime)?;
            node_query(&workspace, &compiled, warehouse.as_ref(), &streamed, index)?
        }
        (None, None) => return Err(Problem::new("expected --select or --inline").into()),
    };
    let planned = engine.scope().plan(&sql).and_then(|plan| {
        engine.scope().check_executable(&plan, &sql)?;
        Ok(plan)
    });
    let plan = planned.map_err(|problem| {
        let placed = Problem::new(&problem.message).at(&place.place(problem.range.clone().unwrap_or(0..0)));
        match (&problem.help, problem.message.ends_with("not found")) {
            (Some(help), _) => placed.help(help),
            (None, true) => placed.help("it may not be built yet: see mep run"),
            (None, false) => placed,
        }
    })?;
    let limit = usize::try_from(arguments.limit).ok();
    let plan = LogicalPlanBuilder::from(plan).limit(0, limit).and_then(LogicalPlanBuilder::build);
    let plan = plan.map_err(EngineError::from)?;
    let schema = std::sync::Arc::new(plan.schema().as_arrow().clone());
    let collected = runtime.block_on(engine.collect(plan));
    let mut batches = collected.map_err(|error| failed(error, &sql, &place))?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    let text = match arguments.output {
        TextOrJson::Json => as_json(&batches)?,
        TextOrJson::Text => as_table(&batches)?,
    };
    super::print(&text)?;
    Ok(Exit::Success)
}

/// Why a query failed, and where in it.
fn failed(error: EngineError, sql: &str, map: &mep_lang::jinja::SourceMap) -> AppError {
    let EngineError::Query(error) = error else { return error.into() };
    let failure = Failure::of(&error);
    let ranges = failure.culprit.map(|culprit| culprit.ranges(sql)).unwrap_or_default();
    let mut problem = Problem::new(failure.message);
    if let (Some(first), Some(last)) = (ranges.first(), ranges.last()) {
        problem = problem.at(&map.place(first.start..last.end));
    }
    if let Some(help) = failure.help {
        problem = problem.help(help);
    }
    AppError::Query(Box::new(problem))
}

/// The SQL that gives a node's rows: what is published where it is what the project says, else the compiled SQL.
fn node_query(
    workspace: &Workspace,
    compiled: &Compiled,
    warehouse: &dyn Warehouse,
    streamed: &BTreeSet<Relation>,
    index: usize,
) -> Result<(String, mep_lang::jinja::SourceMap), AppError> {
    let node = workspace.graph.node(index);
    let relation = tested_relation(node);
    let whole = node.place.clone().map(mep_lang::jinja::SourceMap::whole);
    let text = SourceText::new(node.path.clone(), "");
    let whole = whole
        .unwrap_or_else(|| mep_lang::jinja::SourceMap::whole(text.at(mep_lang::project::Span::default())));
    if let Some(test) = compiled.tests.get(&index) {
        return Ok((test.sql.clone(), test.rendered.map.clone()));
    }
    let Some(model) = compiled.models.get(&index) else {
        return Ok((format!("select * from {relation}"), whole));
    };
    let is_stored = match &node.relation {
        Some(relation) if streamed.contains(relation) => true,
        Some(relation) => warehouse.read(relation)?.is_some_and(|table| match &table.content {
            Content::View { fingerprint, .. } => *fingerprint == model.fingerprint,
            Content::Table { partitions, .. } => {
                partitions.values().all(|partition| partition.ledger.fingerprint == model.fingerprint)
            }
        }),
        None => false,
    };
    if is_stored {
        return Ok((format!("select * from {relation}"), whole));
    }
    Ok((model.sql.clone(), whole))
}

/// Makes all that the warehouse holds known to SQL: in the graph's order, and then whatever else is there.
pub(super) fn register_all(
    graph: &Graph,
    warehouse: &dyn Warehouse,
    engine: &Engine,
) -> Result<(), WarehouseError> {
    let relations = warehouse.relations()?;
    let known: Vec<_> = graph.nodes().iter().filter_map(|node| node.relation.clone()).collect();
    let others = relations.iter().filter(|relation| !known.contains(relation)).cloned();
    for relation in others.chain(known.iter().filter(|known| relations.contains(known)).cloned()) {
        if let Some(table) = warehouse.read(&relation)?
            && let Err(error) = engine.register(&relation, table)
        {
            tracing::debug!("{relation} cannot be read: {error}");
        }
    }
    Ok(())
}

fn register_ephemeral(graph: &Graph, compiled: &Compiled, engine: &Engine) {
    for (index, node) in graph.nodes().iter().enumerate() {
        let Some(model) = compiled.models.get(&index).filter(|_| node.relation.is_none()) else { continue };
        let planned = engine.scope().plan_over_views(&model.sql);
        if let Ok(plan) = planned {
            let _ = engine.scope().register_view(&tested_relation(node), plan);
        }
    }
}

fn as_json(batches: &[RecordBatch]) -> Result<String, AppError> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut bytes);
    let rows: Vec<&RecordBatch> = batches.iter().filter(|batch| batch.num_rows() > 0).collect();
    let written = writer.write_batches(&rows).and_then(|()| writer.finish());
    written.map_err(EngineError::from)?;
    drop(writer);
    if bytes.is_empty() {
        bytes.extend_from_slice(b"[]");
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.push('\n');
    Ok(text)
}

fn as_table(batches: &[RecordBatch]) -> Result<String, AppError> {
    let options = arrow::util::display::FormatOptions::default().with_null("null");
    let table = pretty_format_batches_with_options(batches, &options);
    let table = table.map_err(DataFusionError::from).map_err(EngineError::from)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    Ok(format!("{table}\n{}\n", super::terminal::plural(rows as u64, "row")))
}
