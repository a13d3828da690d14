//! What `ref()` and `source()` stand for when SQL is rendered.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::asked::Asking;
use super::attached_tests::tested_relation;
use super::build::package_of;
use super::dag::Graph;
use super::information_schema::InformationSchema;
use super::node::NodeKind;
use super::node_index::NodeSet;
use super::shown_graph;
use mep_core::relation::Relation;
use mep_lang::jinja::{Asked, Refusal, Resolved, Resolver};
use mep_lang::project::Project;
use mep_sql::{Scope, sql_type};
use serde_json::Value as Json;

/// What the names of the project stand for.
#[derive(Debug)]
pub(super) struct Names {
    /// The project and its packages, in the order in which a name alone is looked for.
    packages: Vec<String>,
    /// By package and name.
    refs: HashMap<(String, String), Relation>,
    sources: HashMap<(String, String), Relation>,
    /// `graph`, where a text may look at it.
    graph: Json,
    /// The unique ids of what the command works on.
    selected: Vec<String>,
    /// What there is.
    pub(super) information_schema: Arc<InformationSchema>,
}

impl Names {
    /// Of all nodes that can be read, while a command works on some.
    pub(super) fn of(project: &Project, graph: &Graph, selected: &NodeSet) -> Self {
        Self::beside(project, graph, selected, None)
    }

    /// The same where a text is rendered that is none of the project's.
    pub(super) fn beside(project: &Project, graph: &Graph, selected: &NodeSet, other: Option<&str>) -> Self {
        let others = project.packages.iter().map(|package| package.name.clone());
        let packages = std::iter::once(project.name.clone()).chain(others).collect();
        let selected = selected.iter().map(|index| graph.node(*index).id.as_str().to_owned());
        let mut names = Self {
            packages,
            refs: HashMap::new(),
            sources: HashMap::new(),
            graph: shown_graph::of(project, graph, other),
            selected: selected.collect(),
            information_schema: Arc::new(InformationSchema::of(graph)),
        };
        for node in graph.nodes() {
            match &node.kind {
                NodeKind::Source { source, .. } => {
                    names.sources.insert((source.clone(), node.name.clone()), tested_relation(node));
                }
                NodeKind::Model { .. } | NodeKind::Seed { .. } | NodeKind::Snapshot { .. } => {
                    for name in node.reference_names() {
                        let key = (package_of(&node.fqn).to_owned(), name);
                        names.refs.insert(key, tested_relation(node));
                    }
                }
                NodeKind::Test(_) | NodeKind::Semantic(_) | NodeKind::Exposure { .. } => {}
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
    /// The columns of what was compiled before it; `None` where nothing was.
    pub(super) scope: Option<Scope>,
    /// What it may ask; `None` where nothing is asked.
    pub(super) asking: Option<Asking>,
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
    fn resolve_ref(&self, package: Option<&str>, name: &str) -> Result<Resolved, Refusal> {
        let packages = &self.names.packages;
        if let Some(package) = package.filter(|package| packages.iter().all(|known| known != package)) {
            return Err(Refusal::new(format!("there is no package `{package}`")));
        }
        let mut wanted = packages.iter().filter(|known| package.is_none_or(|package| *known == package));
        let found = wanted.find_map(|package| self.names.refs.get(&(package.clone(), name.to_owned())));
        found
            .map(|relation| self.resolved(relation))
            .ok_or_else(|| Refusal::new(format!("there is no model or seed `{name}`")))
    }

    fn resolve_source(&self, source: &str, table: &str) -> Result<Resolved, Refusal> {
        let found = self.names.sources.get(&(source.to_owned(), table.to_owned()));
        let found = found.map(|relation| self.resolved(relation));
        found.ok_or_else(|| Refusal::new(format!("there is no source table `{source}.{table}`")))
    }

    fn is_incremental(&self) -> bool {
        self.is_incremental
    }

    fn columns(&self, relation: &Relation) -> Result<Vec<(String, String)>, Refusal> {
        let scope =
            self.scope.as_ref().ok_or_else(|| Refusal::new("the columns of relations are not known here"))?;
        if !scope.knows(relation) {
            return Ok(Vec::new());
        }
        let plan = scope
            .scan(relation)
            .map_err(|error| Refusal::new(format!("the columns of {relation}: {error}")))?;
        let fields = plan.schema().fields().iter();
        Ok(fields.map(|field| (field.name().clone(), sql_type(field.data_type()))).collect())
    }

    fn is_there(&self, relation: &Relation) -> bool {
        self.names.refs.values().chain(self.names.sources.values()).any(|known| known == relation)
    }

    fn ask(&self, sql: &str) -> Result<Asked, Refusal> {
        let nobody = || Refusal::new("data cannot be asked for here");
        let asking = self.asking.as_ref().ok_or_else(nobody)?;
        asking.ask(self.scope.as_ref(), sql)
    }

    fn graph(&self) -> Json {
        self.names.graph.clone()
    }

    fn selected(&self) -> Vec<String> {
        self.names.selected.clone()
    }

    fn constant(&self, expression: &str) -> Result<Json, Refusal> {
        let scope = self
            .scope
            .as_ref()
            .ok_or_else(|| Refusal::new("an expression of SQL cannot be evaluated here"))?;
        scope.constant(expression).map_err(|problem| Refusal {
            message: format!("`{expression}`: {}", problem.message),
            help: problem.help,
        })
    }
}
