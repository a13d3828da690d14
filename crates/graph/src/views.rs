//! The views that a model reads, as far as what is said of the model follows from what is known of them.
//!
//! Each view is looked at once, when it is compiled: where views stack, there are more ways through them than views.

use std::collections::HashMap;

use super::compiled::{Compiled, CompiledModel};
use super::dag::Graph;
use super::node_index::NodeIndex;
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_sql::{Alignment, PlannedQuery, SqlError, alignment};

/// The compiled views and ephemeral models that a model reads itself.
pub(super) struct ViewsBelow<'a>(Vec<&'a CompiledModel>);

impl<'a> ViewsBelow<'a> {
    /// Those of this node.
    pub(super) fn of(graph: &Graph, compiled: &'a Compiled, index: NodeIndex) -> Self {
        let inlined = graph.parents(index).iter().filter(|parent| graph.node(**parent).is_inlined());
        Self(inlined.filter_map(|parent| compiled.models.get(parent)).collect())
    }

    /// What stands for each of them, in the order of the graph.
    pub(super) fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.0.iter().map(|view| &view.fingerprint)
    }

    /// Whether one of them can give other rows of the same inputs on another run.
    pub(super) fn are_volatile(&self) -> bool {
        self.0.iter().any(|view| view.is_volatile)
    }
}

/// What a view reads whose SELECT has this plan: its tables, and those that the views in it read, which are given by relation.
///
/// # Errors
/// None of its own; walking a plan returns a `Result`.
pub(super) fn read_through(
    plan: &PlannedQuery,
    views: &HashMap<Relation, NodeIndex>,
    compiled: &Compiled,
) -> Result<Alignment, SqlError> {
    let mut relations: Vec<Relation> = Vec::new();
    for relation in alignment::tables(plan)? {
        let behind = match views.get(&relation).and_then(|view| compiled.models.get(view)) {
            Some(view) => view.alignment.scans.iter().map(|scan| scan.relation.clone()).collect(),
            None => vec![relation],
        };
        for table in behind {
            if !relations.contains(&table) {
                relations.push(table);
            }
        }
    }
    Ok(Alignment::of_whole(relations))
}
