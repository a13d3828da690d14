//! lineage: where the values of a column come from, and where they go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::arguments::{Global, LineageArguments, LineageOutput};
use super::exit::Exit;
use mep_app::{AppError, Rendering, Workspace};
use mep_core::relation::Relation;
use mep_graph::{Compiled, Node, NodeIndex, NodeKind, NodeSet, tested_relation};
use mep_lang::project::Problem;
use mep_sql::lineage::RowUse;

/// A column of a node.
type ColumnOfNode = (NodeIndex, String);

/// How a column comes to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// Its values are there as they are.
    Direct,
    /// Values are made of it.
    Transformed,
    /// It decides by a filter, a join or a grouping which rows there are.
    Rows(RowUse),
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Transformed => "transformed",
            Self::Rows(RowUse::Filter) => "filter",
            Self::Rows(RowUse::Join) => "join",
            Self::Rows(RowUse::Group) => "group",
        }
    }
}

/// From which column to which one, and how.
type Edges = BTreeSet<(ColumnOfNode, ColumnOfNode, Way)>;

/// Prints where a column comes from, and where it goes.
///
/// # Errors
/// Where there is no such column, or the project does not compile.
pub(super) fn lineage(global: &Global, arguments: &LineageArguments) -> Result<Exit, AppError> {
    let workspace = Workspace::open(&global.opening(), "lineage", Rendering::default())?;
    let nodes: NodeSet = workspace
        .graph
        .indexed()
        .filter(|(_, node)| {
            !node.is_test() && !matches!(node.kind, NodeKind::Semantic(_) | NodeKind::Exposure { .. })
        })
        .map(|(index, _)| index)
        .collect();
    let nothing = |_: &Node| None;
    let compiled = workspace.compiler(&nothing).compile(&nodes)?;
    let asked = column(&workspace, &compiled, &arguments.column)?;
    let edges = edges(&workspace, &compiled, arguments.rows);
    let both = !arguments.upstream && !arguments.downstream;
    let (mut kept, mut trees) = (Edges::new(), String::new());
    for (is_up, wanted) in [(true, arguments.upstream || both), (false, arguments.downstream || both)] {
        if wanted {
            let reached = reached(&edges, &asked, is_up);
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

/// The column that `node.column`, or `source.table.column`, names.
fn column(workspace: &Workspace, compiled: &Compiled, words: &str) -> Result<ColumnOfNode, AppError> {
    let Some((node, column)) = words.rsplit_once('.') else {
        let problem = Problem::new(format!("expected a column, found `{words}`"));
        return Err(problem.help("write node.column, such as fact_listen.song_id").into());
    };
    let is_named = |(_, known): &(NodeIndex, &Node)| {
        !known.is_test() && (known.shown_name() == node || known.name == node)
    };
    let Some((index, _)) = workspace.graph.indexed().find(is_named) else {
        let names: Vec<String> = workspace.graph.nodes().iter().map(Node::shown_name).collect();
        let problem = Problem::new(format!("there is no model or source table `{node}`"));
        return Err(problem.did_you_mean(node, names.iter().map(String::as_str)).into());
    };
    let columns = columns(compiled, index);
    let in_any_case = || columns.iter().find(|known| known.eq_ignore_ascii_case(column));
    let Some(found) = columns.iter().find(|known| *known == column).or_else(in_any_case) else {
        let problem = Problem::new(format!("`{node}` has no column `{column}`"));
        return Err(problem.did_you_mean(column, columns.iter().map(String::as_str)).into());
    };
    Ok((index, found.clone()))
}

fn columns(compiled: &Compiled, index: NodeIndex) -> Vec<String> {
    let schema = compiled.models.get(&index).map(|model| model.schema.clone());
    let schema = schema.or_else(|| compiled.seeds.get(&index).map(|seed| seed.schema.clone()));
    let schema = schema.or_else(|| compiled.sources.get(&index).and_then(|table| table.table_schema().ok()));
    let schema = schema.or_else(|| compiled.snapshots.get(&index).map(|snapshot| snapshot.schema.clone()));
    schema.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().clone())).collect()
}

/// All ways from columns to columns; those that decide which rows there are where they are asked for.
fn edges(workspace: &Workspace, compiled: &Compiled, with_rows: bool) -> Edges {
    let relations: BTreeMap<Relation, NodeIndex> = workspace
        .graph
        .indexed()
        .filter(|(_, node)| !node.is_test())
        .map(|(index, node)| (tested_relation(node), index))
        .collect();
    let mut edges = Edges::new();
    for (index, model) in &compiled.models {
        for (column, origins) in &model.lineage {
            for origin in origins {
                let Some(from) = relations.get(&origin.relation) else { continue };
                let is_copied = model.copied.get(column).is_some_and(|copied| copied.contains(origin));
                let way = if is_copied { Way::Direct } else { Way::Transformed };
                edges.insert(((*from, origin.column.clone()), (*index, column.clone()), way));
            }
        }
        for (origin, uses) in model.row_uses.iter().filter(|_| with_rows) {
            let Some(from) = relations.get(&origin.relation) else { continue };
            for (column, how) in
                model.lineage.keys().flat_map(|column| uses.iter().map(move |how| (column, how)))
            {
                edges.insert(((*from, origin.column.clone()), (*index, column.clone()), Way::Rows(*how)));
            }
        }
    }
    edges
}

/// The ways that lead to a column, or from it. What decides rows is a step, and not followed further.
fn reached(edges: &Edges, asked: &ColumnOfNode, is_up: bool) -> Edges {
    let (mut reached, mut open, mut seen) = (Edges::new(), vec![asked.clone()], BTreeSet::new());
    while let Some(at) = open.pop() {
        if !seen.insert(at.clone()) {
            continue;
        }
        for edge in edges.iter().filter(|(from, to, _)| if is_up { *to == at } else { *from == at }) {
            reached.insert(edge.clone());
            if !matches!(edge.2, Way::Rows(_)) {
                open.push(if is_up { edge.0.clone() } else { edge.1.clone() });
            }
        }
    }
    reached
}

fn name(workspace: &Workspace, (node, column): &ColumnOfNode) -> String {
    format!("{}.{column}", workspace.graph.node(*node).shown_name())
}

fn tree(
    workspace: &Workspace,
    edges: &Edges,
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
        let _ = writeln!(text, "{}{} ({})", "  ".repeat(depth), name(workspace, far), way.word());
        if !matches!(way, Way::Rows(_)) {
            tree(workspace, edges, far, is_up, depth + 1, above, text);
        }
    }
    above.remove(at);
}

fn as_json(workspace: &Workspace, asked: &ColumnOfNode, edges: &Edges) -> Json {
    let column = |(node, column): &ColumnOfNode| {
        let node = workspace.graph.node(*node);
        json!({ "unique_id": node.id.as_str(), "column": column })
    };
    let edge = |(from, to, way): &(ColumnOfNode, ColumnOfNode, Way)| json!({ "from": column(from), "to": column(to), "how": way.word() });
    json!({ "column": column(asked), "edges": edges.iter().map(edge).collect::<Vec<_>>() })
}

fn as_dot(workspace: &Workspace, edges: &Edges) -> String {
    let mut text = String::from("digraph lineage {\n  rankdir=LR;\n");
    for (from, to, way) in edges {
        let style = if matches!(way, Way::Rows(_)) { ", style=dashed" } else { "" };
        let (from, to) = (name(workspace, from), name(workspace, to));
        let _ = writeln!(text, "  {from:?} -> {to:?} [label=\"{}\"{style}];", way.word());
    }
    text.push_str("}\n");
    text
}

fn as_mermaid(workspace: &Workspace, edges: &Edges) -> String {
    let mut text = String::from("flowchart LR\n");
    let columns: BTreeSet<&ColumnOfNode> = edges.iter().flat_map(|(from, to, _)| [from, to]).collect();
    let places: BTreeMap<&ColumnOfNode, usize> =
        columns.iter().enumerate().map(|(at, column)| (*column, at)).collect();
    for (column, at) in &places {
        let _ = writeln!(text, "  c{at}[\"{}\"]", name(workspace, column).replace('"', "#quot;"));
    }
    for (from, to, way) in edges {
        let line = if matches!(way, Way::Rows(_)) { "-.->" } else { "-->" };
        let (Some(from), Some(to)) = (places.get(from), places.get(to)) else { continue };
        let _ = writeln!(text, "  c{from} {line}|{}| c{to}", way.word());
    }
    text
}
