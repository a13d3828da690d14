//! compile and parse: checking without data.

use std::time::Instant;

use super::arguments::{CompileArguments, Global};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::AppError;
use mep_app::{Rendering, Workspace};
use mep_artifacts as artifacts;
use mep_core::quantity::plural;
use mep_graph::{Compiled, Graph, Late, Materialization, NodeIndex, NodeKind, NodeSet};
use mep_lang::project::SourceText;

/// Compiles, checks, and writes the SQL.
///
/// # Errors
/// All that is wrong with the selected nodes and what they need.
pub(super) fn compile(global: &Global, arguments: &CompileArguments) -> Result<Exit, AppError> {
    let began = Instant::now();
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: None };
    let workspace = super::opened_as(&global.opening_in_part(), &arguments.selecting, "compile", rendering)?;
    if let Some(query) = &arguments.inline {
        let nothing = |_: &mep_graph::Node| None;
        let text = SourceText::new("--inline", query.clone());
        let rendered = workspace.compiler(&nothing).query(&text)?;
        super::print(&format!("{}\n", rendered.sql.trim_end()))?;
        return Ok(Exit::Success);
    }
    let nodes = workspace.select_what_there_is(arguments.selecting.selectors(), |node| {
        !matches!(node.kind, NodeKind::Source { .. } | NodeKind::Semantic(_) | NodeKind::Exposure { .. })
    })?;
    let compiled = workspace.compile(&nodes)?;
    artifacts::write_manifest(super::described(&workspace, &compiled))
        .and_then(|()| artifacts::write_compiled(&workspace.project, &workspace.graph, &compiled))
        .map_err(AppError::io("writing the artifacts"))?;
    let only_one = (nodes.len() == 1).then(|| nodes.first().copied()).flatten();
    let selected_models = nodes.iter().filter(|index| compiled.models.contains_key(index));
    let one_model = selected_models.clone().count() == 1 && !arguments.selecting.select.is_empty();
    if let Some(model) = only_one.or_else(|| selected_models.clone().next().copied().filter(|_| one_model))
        && let Some(sql) = compiled
            .models
            .get(&model)
            .map(|model| &model.sql)
            .or(compiled.snapshots.get(&model).map(|snapshot| &snapshot.query.source))
            .or(compiled.tests.get(&model).map(|test| &test.sql))
    {
        super::print(&format!("{}\n", sql.trim_end()))?;
        return Ok(Exit::Success);
    }
    let terminal = Terminal::new(global.log_format, global.quiet);
    for line in waiting(&workspace.graph, &nodes, &compiled) {
        terminal.warn(&line);
    }
    let is_seed = |index: &&NodeIndex| matches!(workspace.graph.node(**index).kind, NodeKind::Seed { .. });
    let seeds = compiled.seeds.keys().filter(is_seed).count();
    let views = compiled
        .models
        .keys()
        .filter(|index| workspace.graph.node(**index).config.materialized() == Materialization::View);
    terminal.say(&format!(
        "compiled and checked {} ({} of them views), {} and {} in {:.2}s; the SQL is in {}",
        plural(compiled.models.len() as u64, "model"),
        views.count(),
        plural(compiled.tests.len() as u64, "test"),
        plural(seeds as u64, "seed"),
        began.elapsed().as_secs_f64(),
        workspace.project.target_path.join("compiled").display()
    ));
    Ok(Exit::Success)
}

/// What was not compiled, and is no error: its SQL depends on what its inputs hold.
fn waiting(graph: &Graph, nodes: &NodeSet, compiled: &Compiled) -> Vec<String> {
    let late = compiled.late.iter().filter(|(index, _)| nodes.contains(index));
    let line = |(index, late): (&NodeIndex, &Late)| {
        let node = graph.node(*index);
        let what = format!("{} {}", node.shown_kind(), node.shown_name());
        match late {
            Late::Asks(relations) => {
                let names: Vec<String> = relations.iter().map(ToString::to_string).collect();
                format!(
                    "not compiled: {what} asks what {} holds, and is rendered once that is built",
                    names.join(", ")
                )
            }
            Late::Reads(parent) => {
                format!("not compiled: {what} reads {}, which is not", graph.node(*parent).shown_name())
            }
        }
    };
    late.map(line).collect()
}

/// Reads and checks the files.
///
/// # Errors
/// All that is wrong with them.
pub(super) fn parse(global: &Global) -> Result<Exit, AppError> {
    let began = Instant::now();
    let workspace = Workspace::open(&global.opening(), "parse", Rendering::default())?;
    let compiled = mep_graph::Compiled::default();
    artifacts::write_manifest(super::described(&workspace, &compiled))
        .map_err(AppError::io("writing the artifacts"))?;
    let number = |resource_type: &str| {
        workspace.graph.nodes().iter().filter(|node| node.resource_type() == resource_type).count() as u64
    };
    let terminal = Terminal::new(global.log_format, global.quiet);
    terminal.say(&format!(
        "read {}, {}, {} and {} in {:.2}s",
        plural(number("model"), "model"),
        plural(number("test"), "test"),
        plural(number("source"), "source table"),
        plural(number("seed"), "seed"),
        began.elapsed().as_secs_f64()
    ));
    Ok(Exit::Success)
}
