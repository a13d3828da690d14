//! What each source table is in the warehouse: a table that a node of the project builds, one that others publish, or one that is landed or
//! loaded.

use std::collections::{HashMap, HashSet};

use super::build::Builder;
use super::config::NodeConfig;
use super::node::{Dependency, Node, NodeId, NodeKind};
use super::stored_names::{GeneratedNames, path_problem};
use mep_core::relation::Relation;
use mep_lang::project::{Project, SourceConnection, SourceTable};

impl Builder<'_> {
    /// Gives the nodes of source tables their relations, once all nodes are there that could fill one.
    pub(super) fn settle_sources(&mut self) {
        let project = self.project;
        let built: Vec<(NodeId, Relation)> = self
            .nodes
            .iter()
            .filter(|node| !matches!(node.kind, NodeKind::Source { .. }))
            .filter_map(|node| Some((node.id.clone(), node.relation.clone()?)))
            .collect();
        let names = LandedNames::of(self, &built);
        for at in 0..self.nodes.len() {
            let NodeKind::Source { index, .. } = self.nodes[at].kind else { continue };
            let table = &project.sources[index];
            if let Some((filler, relation)) = self.filler(table, &built) {
                let node = &mut self.nodes[at];
                node.relation = Some(relation);
                node.depends_on = vec![Dependency { id: filler.clone(), place: None }];
                self.fillers.insert(node.id.clone(), filler);
                continue;
            }
            if is_in_place(project, table) {
                let (schema, name) = (schema_of(project, table), table.found_as());
                let problem = [schema, name].into_iter().find_map(path_problem);
                self.problems.extend(problem.map(|problem| problem.at(&table.place)));
                let node = &mut self.nodes[at];
                node.relation = Some(Relation::new(schema, name));
                if let NodeKind::Source { is_in_place, .. } = &mut node.kind {
                    *is_in_place = true;
                }
                continue;
            }
            let package = project.package_of(table.place.text.path());
            let name = names.of_table(table, package);
            let none = (NodeConfig::default(), GeneratedNames::default());
            let relation = self.relation(&none.0, &name, &none.1, &table.place);
            self.nodes[at].relation = Some(relation);
        }
    }

    /// The node that is built where dbt finds the table; nothing where the project says where its rows come from.
    fn filler(&self, table: &SourceTable, built: &[(NodeId, Relation)]) -> Option<(NodeId, Relation)> {
        let is_outside = table.external_location.is_some()
            || table.land_as.is_some()
            || connection(self.project, table).is_some_and(|connection| !is_warehouse(connection));
        if is_outside {
            return None;
        }
        let (schema, name) = (schema_of(self.project, table), table.found_as());
        let is_it = |relation: &Relation| relation.schema.as_deref() == Some(schema) && relation.name == name;
        let is_alike = |relation: &Relation| {
            let of = relation.schema.as_deref().unwrap_or_default();
            of.eq_ignore_ascii_case(schema) && relation.name.eq_ignore_ascii_case(name)
        };
        let exact = built.iter().find(|(_, relation)| is_it(relation));
        exact.or_else(|| built.iter().find(|(_, relation)| is_alike(relation))).cloned()
    }
}

/// What the target says of where a source is.
fn connection<'p>(project: &'p Project, table: &SourceTable) -> Option<&'p SourceConnection> {
    project.target.sources.get(&table.source)
}

/// Whether a source table is one of the warehouse, which others publish: that is said, or nothing else is.
fn is_in_place(project: &Project, table: &SourceTable) -> bool {
    let is_of_warehouse = connection(project, table).is_none_or(is_warehouse);
    is_of_warehouse && table.external_location.is_none() && table.land_as.is_none()
}

fn is_warehouse(connection: &SourceConnection) -> bool {
    matches!(connection, SourceConnection::Warehouse { .. })
}

/// Where it is: as the target says, or else where dbt finds it.
fn schema_of<'p>(project: &'p Project, table: &'p SourceTable) -> &'p str {
    let of_target = match connection(project, table) {
        Some(SourceConnection::Warehouse { schema }) => schema.as_deref(),
        _ => None,
    };
    of_target.unwrap_or(table.found_in())
}

/// The names that landed tables have where nobody gives them one.
struct LandedNames {
    /// Names that more than one table would have, or that another node has.
    taken: HashSet<String>,
}

impl LandedNames {
    fn of(builder: &Builder<'_>, built: &[(NodeId, Relation)]) -> Self {
        let schema = Some(builder.project.target.schema.as_str());
        let mut times: HashMap<String, usize> = HashMap::new();
        let of_nodes = built.iter().filter(|(_, relation)| relation.schema.as_deref() == schema);
        for (_, relation) in of_nodes {
            *times.entry(relation.name.clone()).or_default() += 1;
        }
        let indices = builder.nodes.iter().filter_map(|node: &Node| match node.kind {
            NodeKind::Source { index, .. } => Some(index),
            _ => None,
        });
        let tables = indices.map(|index| &builder.project.sources[index]);
        for table in tables.filter(|table| !is_in_place(builder.project, table)) {
            *times.entry(table.land_as.clone().unwrap_or_else(|| short(table))).or_default() += 1;
            *times.entry(long(table)).or_default() += 1;
        }
        Self { taken: times.into_iter().filter(|(_, times)| *times > 1).map(|(name, _)| name).collect() }
    }

    fn of_table(&self, table: &SourceTable, package: &str) -> String {
        if let Some(name) = &table.land_as {
            return name.clone();
        }
        let name = short(table);
        if !self.taken.contains(&name) {
            return name;
        }
        // Of two packages.
        let long = long(table);
        if self.taken.contains(&long) {
            format!("raw_{package}_{}_{}", table.source, table.name)
        } else {
            long
        }
    }
}

fn long(table: &SourceTable) -> String {
    format!("raw_{}_{}", table.source, table.name)
}

fn short(table: &SourceTable) -> String {
    format!("raw_{}", table.name)
}
