//! lineage: where the values of a column come from, and where they go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::arguments::{Global, LineageArguments, LineageOutput};
use super::exit::Exit;
use mep_app::{AppError, Rendering, Workspace};
use mep_graph::{ColumnOfNode, Flow, FlowEdges, Towards};
use mep_sql::lineage::RowUse;

fn word(flow: Flow) -> &'static str {
    match flow {
        Flow::Direct => "direct",
        Flow::Transformed => "transformed",
        Flow::Rows(RowUse::Filter) => "filter",
        Flow::Rows(RowUse::Join) => "join",
        Flow::Rows(RowUse::Group) => "group",
    }
}

/// Prints where a column comes from, and where it goes.
///
/// # Errors
/// Where there is no such column, or the project does not compile.
pub(super) fn lineage(global: &Global, arguments: &LineageArguments) -> Result<Exit, AppError> {
    let workspace = Workspace::open(&global.opening(), "lineage", Rendering::default())?;
    let flows = workspace.column_flows()?;
    let asked = flows.column(&workspace.graph, &arguments.column)?;
    let both = !arguments.upstream && !arguments.downstream;
    let (mut kept, mut trees) = (FlowEdges::new(), String::new());
    let ways = [(Towards::Origins, arguments.upstream), (Towards::Uses, arguments.downstream)];
    for (towards, wanted) in ways {
        if wanted || both {
            let is_up = towards == Towards::Origins;
            let reached = flows.reached(&asked, towards, arguments.rows);
            let _ = writeln!(
                trees,
                "{} {}",
                if is_up { "comes from" } else { "goes to" },
                name(&workspace, &asked)
            );
            tree(&workspace, &reached, &asked, is_up, 1, &mut BTreeSet::new(), &mut trees);
            kept.extend(reached);
        }
    }
    let text = match arguments.output {
        LineageOutput::Tree => trees,
        LineageOutput::Json => format!("{:#}\n", as_json(&workspace, &asked, &kept)),
        LineageOutput::Dot => as_dot(&workspace, &kept),
        LineageOutput::Mermaid => as_mermaid(&workspace, &kept),
    };
    super::print(&text)?;
    Ok(Exit::Success)
}

fn name(workspace: &Workspace, (node, column): &ColumnOfNode) -> String {
    format!("{}.{column}", workspace.graph.node(*node).shown_name())
}

fn tree(
    workspace: &Workspace,
    edges: &FlowEdges,
    at: &ColumnOfNode,
    is_up: bool,
    depth: usize,
    above: &mut BTreeSet<ColumnOfNode>,
    text: &mut String,
) {
    if !above.insert(at.clone()) {
        return;
    }
    for (from, to, way) in edges {
        let (near, far) = if is_up { (to, from) } else { (from, to) };
        if near != at {
            continue;
        }
        let _ = writeln!(text, "{}{} ({})", "  ".repeat(depth), name(workspace, far), word(*way));
        if !matches!(way, Flow::Rows(_)) {
            tree(workspace, edges, far, is_up, depth + 1, above, text);
        }
    }
    above.remove(at);
}

fn as_json(workspace: &Workspace, asked: &ColumnOfNode, edges: &FlowEdges) -> Json {
    let column = |(node, column): &ColumnOfNode| {
        let node = workspace.graph.node(*node);
        json!({ "unique_id": node.id.as_str(), "column": column })
    };
    let edge = |(from, to, way): &(ColumnOfNode, ColumnOfNode, Flow)| json!({ "from": column(from), "to": column(to), "how": word(*way) });
    json!({ "column": column(asked), "edges": edges.iter().map(edge).collect::<Vec<_>>() })
}

fn as_dot(workspace: &Workspace, edges: &FlowEdges) -> String {
    let mut text = String::from("digraph lineage {\n  rankdir=LR;\n");
    for (from, to, way) in edges {
        let style = if matches!(way, Flow::Rows(_)) { ", style=dashed" } else { "" };
        let (from, to) = (name(workspace, from), name(workspace, to));
        let _ = writeln!(text, "  {from:?} -> {to:?} [label=\"{}\"{style}];", word(*way));
    }
    text.push_str("}\n");
    text
}

fn as_mermaid(workspace: &Workspace, edges: &FlowEdges) -> String {
    let mut text = String::from("flowchart LR\n");
    let columns: BTreeSet<&ColumnOfNode> = edges.iter().flat_map(|(from, to, _)| [from, to]).collect();
    let places: BTreeMap<&ColumnOfNode, usize> =
        columns.iter().enumerate().map(|(at, column)| (*column, at)).collect();
    for (column, at) in &places {
        let _ = writeln!(text, "  c{at}[\"{}\"]", name(workspace, column).replace('"', "#quot;"));
    }
    for (from, to, way) in edges {
        let line = if matches!(way, Flow::Rows(_)) { "-.->" } else { "-->" };
        let (Some(from), Some(to)) = (places.get(from), places.get(to)) else { continue };
        let _ = writeln!(text, "  c{from} {line}|{}| c{to}", word(*way));
    }
    text
}
