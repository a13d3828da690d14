//! Source tables: where their rows are, and what reads those that are nowhere.

use std::collections::HashMap;

use mep_contract::source::LandingTable;
use mep_lang::project::{Problems, SourceTable};

use super::work::CompileWork;
use crate::attached_tests::tested_relation;
use crate::compiled::SourceRows;
use crate::declared::{landing_table, schema_problem};
use crate::in_place;
use crate::node::{Node, NodeKind};
use crate::node_index::{NodeIndex, NodeSet};

impl CompileWork<'_> {
    pub(super) fn source(
        &mut self,
        index: NodeIndex,
        node: &Node,
        table: &SourceTable,
    ) -> Result<(), Problems> {
        self.compiler.project.files_reading(table)?;
        match self.compiler.found.rows_of(table, node)? {
            SourceRows::Landed => {}
            SourceRows::Loaded(loaded) => {
                self.declare(&tested_relation(node), &loaded.schema, &[], None);
                self.compiled.seeds.insert(index, loaded);
                return Ok(());
            }
            SourceRows::InPlace(found) => {
                in_place::check(table, &found)?;
                self.declare(&tested_relation(node), &found.schema, &found.partition_columns, None);
                self.compiled.in_place.insert(index, found);
                return Ok(());
            }
        }
        let table = landing_table(self.compiler.project, table, node)?;
        let schema = table.table_schema().map_err(|error| schema_problem(node, &error))?;
        self.declare(&table.raw, &schema, &table.partition_columns(), table.event_day());
        self.compiled.sources.insert(index, table);
        Ok(())
    }

    /// The source tables that a streaming model can be over, each as its rows would be landed. A table that others publish is none that goes
    /// on; what is over it compiles all the same, as over files, and says so when it is carried on.
    pub(super) fn streamed_sources(&self, index: NodeIndex) -> HashMap<NodeIndex, LandingTable> {
        let mut sources = self.compiled.sources.clone();
        for above in self.compiler.graph.ancestors(&NodeSet::from([index]), None) {
            let node = self.compiler.graph.node(above);
            if let (true, NodeKind::Source { index: of, .. }) = (node.is_in_place(), &node.kind)
                && let Ok(table) =
                    landing_table(self.compiler.project, &self.compiler.project.sources[*of], node)
            {
                sources.entry(above).or_insert(table);
            }
        }
        sources
    }

    /// Whether a model compiles though source tables that it names are nowhere: as packages do, its text asks whether they are there, and
    /// does not read them where they are not.
    pub(super) fn does_without_sources(&mut self, index: NodeIndex) -> bool {
        let graph = self.compiler.graph;
        let mut names_one = false;
        for parent in graph.parents(index) {
            let is_nowhere = self.nowhere.contains(parent);
            names_one |= is_nowhere;
            if self.unbuilt.has(*parent) && !is_nowhere {
                return false;
            }
        }
        names_one
            && matches!(graph.node(index).kind, NodeKind::Model { .. })
            && self.refused(index).is_empty()
            && self.at_its_time(index).is_ok()
    }

    /// Tells what is wrong with the source tables that a node reads, once.
    pub(super) fn blame_sources(&mut self, index: NodeIndex) {
        for parent in self.compiler.graph.parents(index) {
            if let Some(problems) = self.unknown.remove(parent) {
                self.unbuilt.broken.insert(*parent, problems);
            }
        }
    }
}
