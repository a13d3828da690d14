//! What `ref()` and `source()` stand for when SQL is rendered.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::attached_tests::tested_relation;
use super::dag::Graph;
use super::node::NodeKind;
use mep_core::relation::Relation;
use mep_lang::jinja::{Resolved, Resolver};
use mep_lang::project::Project;

/// What the names of the project stand for.
#[derive(Debug)]
pub(super) struct Names {
    project: String,
    refs: HashMap<String, Relation>,
    sources: HashMap<(String, String), Relation>,
}

impl Names {
    /// Of all nodes that can be read.
    pub(super) fn of(project: &Project, graph: &Graph) -> Self {
        let mut names = Self { project: project.name.clone(), refs: HashMap::new(), sources: HashMap::new() };
        for node in graph.nodes() {
            match &node.kind {
                NodeKind::Source { source, .. } => {
                    names.sources.insert((source.clone(), node.name.clone()), tested_relation(node));
                }
                NodeKind::Model { .. } | NodeKind::Seed { .. } | NodeKind::Snapshot { .. } => {
                    names.refs.insert(node.name.clone(), tested_relation(node));
                }
                NodeKind::Test(_) | NodeKind::Exposure { .. } => {}
            }
        }
        names
    }
}

/// The names as one node sees them.
pub(super) struct NodeNames {
    pub(super) names: Arc<Names>,
    pub(super) is_incremental: bool,
    /// For a batch: the inputs of which it reads only a part.
    pub(super) parts: Option<Parts>,
}

/// The inputs that a batch reads a part of.
pub(super) struct Parts {
    /// What stands before an input's schema in the name of its part.
    pub(super) prefix: String,
    /// The inputs.
    pub(super) of: HashSet<Relation>,
}

impl Parts {
    /// The name of an input's part.
    pub(super) fn part(&self, relation: &Relation) -> Option<Relation> {
        let schema = relation.schema.as_deref().unwrap_or_default();
        self.of.contains(relation).then(|| Relation::new(format!("{}_{schema}", self.prefix), &relation.name))
    }
}

impl NodeNames {
    fn resolved(&self, relation: &Relation) -> Resolved {
        let part = self.parts.as_ref().and_then(|parts| parts.part(relation));
        Resolved { relation: relation.clone(), part }
    }
}

impl Resolver for NodeNames {
    fn resolve_ref(&self, package: Option<&str>, name: &str) -> Result<Resolved, String> {
        if let Some(package) = package.filter(|package| *package != self.names.project) {
            return Err(format!("there is no package `{package}`"));
        }
        let found = self.names.refs.get(name).map(|relation| self.resolved(relation));
        found.ok_or_else(|| format!("there is no model or seed `{name}`"))
    }

    fn resolve_source(&self, source: &str, table: &str) -> Result<Resolved, String> {
        let found = self.names.sources.get(&(source.to_owned(), table.to_owned()));
        let found = found.map(|relation| self.resolved(relation));
        found.ok_or_else(|| format!("there is no source table `{source}.{table}`"))
    }

    fn is_incremental(&self) -> bool {
        self.is_incremental
    }
}
