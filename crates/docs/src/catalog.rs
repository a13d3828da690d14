//! What the warehouse holds, in the words of dbt's `catalog.json`.

use serde_json::{Map, Value as Json, json};

use super::gather::SiteInputs;
use super::site::{NodeEntry, Site, Stored};
use mep_graph::{Node, NodeIndex, NodeKind, NodeSet};

/// `nodes` and `sources` of a catalog: those of a site that are built.
pub fn catalog(known: SiteInputs<'_>, nodes: &NodeSet, site: &Site) -> Json {
    let shown = nodes
        .iter()
        .copied()
        .filter(|index| !matches!(known.graph.node(*index).kind, NodeKind::Test(_) | NodeKind::Semantic(_)));
    let (mut of_nodes, mut of_sources) = (Map::new(), Map::new());
    for (index, entry) in shown.zip(&site.nodes) {
        let node = known.graph.node(index);
        let Some(json) = table(known, index, node, entry) else { continue };
        let section =
            if matches!(node.kind, NodeKind::Source { .. }) { &mut of_sources } else { &mut of_nodes };
        section.insert(node.id.as_str().to_owned(), json);
    }
    json!({ "nodes": of_nodes, "sources": of_sources })
}

/// A table or view as it is; `None` where it is not built, or not known.
fn table(known: SiteInputs<'_>, index: NodeIndex, node: &Node, entry: &NodeEntry) -> Option<Json> {
    let relation = known.graph.node(index).relation.as_ref()?;
    let (kind, stats) = match &entry.stored {
        Stored::View { .. } => {
            ("VIEW", json!({ "has_stats": stat("has_stats", "Has Stats?", false, false) }))
        }
        Stored::Table(table) => {
            let stats = json!({
                "num_rows": stat("num_rows", "# Rows", table.rows, true),
                "bytes": stat("bytes", "Approximate Size", table.bytes, true),
                "has_stats": stat("has_stats", "Has Stats?", true, false),
            });
            ("BASE TABLE", stats)
        }
        Stored::Nowhere
        | Stored::Unread
        | Stored::Unreadable { .. }
        | Stored::Elsewhere { .. }
        | Stored::Absent => {
            return None;
        }
    };
    let there = entry.columns.iter().filter_map(|column| Some((column, column.data_type.as_ref()?)));
    let columns: Map<String, Json> = there
        .enumerate()
        .map(|(at, (column, data_type))| {
            let json = json!({ "type": data_type, "index": at + 1, "name": column.name, "comment": null });
            (column.name.clone(), json)
        })
        .collect();
    Some(json!({
        "metadata": {
            "type": kind,
            "schema": relation.schema.clone().unwrap_or_default(),
            "name": relation.name,
            "database": null,
            "comment": null,
            "owner": null,
        },
        "columns": columns,
        "stats": stats,
        "unique_id": node.id.as_str(),
    }))
}

fn stat(id: &str, label: &str, value: impl Into<Json>, include: bool) -> Json {
    json!({ "id": id, "label": label, "value": value.into(), "include": include, "description": null })
}
