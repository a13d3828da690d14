//! The views that a model reads, as far as what is said of the model follows from what is known of them.
//!
//! Each view is looked at once, when it is compiled: where views stack, there are more ways through them than views.

use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use indexmap::IndexMap;

use super::attached_tests::tested_relation;
use super::compiled::{Compiled, CompiledModel};
use super::dag::Graph;
use crate::relation::Relation;
use crate::sql::{Alignment, alignment};

/// The compiled views and ephemeral models that a model reads itself.
pub(super) struct ViewsBelow<'a>(IndexMap<Relation, &'a CompiledModel>);

impl<'a> ViewsBelow<'a> {
    /// Those of this node.
    pub(super) fn of(graph: &Graph, compiled: &'a Compiled, index: usize) -> Self {
        let view = |parent: &usize| {
            let node = graph.node(*parent);
            let model = compiled.models.get(parent)?;
            node.is_inlined().then(|| (tested_relation(node), model))
        };
        Self(graph.parents(index).iter().filter_map(view).collect())
    }

    /// What a view reads whose SELECT has this plan: its tables, and those that the views in it read.
    ///
    /// # Errors
    /// None of its own; walking a plan returns a `Result`.
    pub(super) fn read(&self, plan: &LogicalPlan) -> Result<Alignment, DataFusionError> {
        let mut relations: Vec<Relation> = Vec::new();
        for relation in alignment::tables(plan)? {
            let behind = match self.0.get(&relation) {
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

    /// What stands for each of them, in the order of the graph.
    pub(super) fn fingerprints(&self) -> impl Iterator<Item = String> {
        self.0.values().map(|view| view.fingerprint.as_str().to_owned())
    }

    /// Whether one of them can give other rows of the same inputs on another run.
    pub(super) fn are_volatile(&self) -> bool {
        self.0.values().any(|view| view.is_volatile)
    }
}
