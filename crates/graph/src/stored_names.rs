//! The names of what a project stores: each a name that becomes a folder, and no two the same table.

use std::collections::HashMap;

use super::build::package_of;
use super::config::{Materialization, ModelStore, NodeConfig, PublishWhen};
use super::node::{Node, NodeKind};
use mep_core::path_name::{self, NotAName, PathName};
use mep_core::relation::Relation;
use mep_lang::project::{Place, Problem, Problems, Project, WarehouseConfig};

/// Hive takes no longer name.
const LONGEST_IN_HIVE: usize = 128;

/// What macros of the project make of a node's names, where it has such macros.
#[derive(Default)]
pub(super) struct GeneratedNames {
    pub(super) schema: Option<String>,
    pub(super) alias: Option<String>,
}

/// Makes the relations of a project's nodes.
pub(super) struct StoredNames<'a> {
    project: &'a Project,
}

impl<'a> StoredNames<'a> {
    /// Those of this project.
    pub(super) fn of(project: &'a Project) -> Self {
        Self { project }
    }

    /// The relation of a node: a schema of its own is added to the target's, as dbt adds it, unless macros of the project make
    /// its names. A name that is none is told at the config that gives it, or else at the node.
    pub(super) fn relation(
        &self,
        config: &NodeConfig,
        name: &str,
        generated: &GeneratedNames,
        place: &Place,
        problems: &mut Problems,
    ) -> Relation {
        let target = &self.project.target.schema;
        let (schema, schema_key) = match (&config.snapshot().target_schema, &generated.schema, &config.schema)
        {
            (Some(own), ..) => (own.clone(), "target_schema"),
            (None, Some(made), _) => (made.clone(), "schema"),
            (None, None, Some(own)) => (format!("{target}_{}", own.trim()), "schema"),
            (None, None, None) => (target.clone(), "schema"),
        };
        let name = generated.alias.as_deref().or(config.alias.as_deref()).unwrap_or(name);
        for (key, text) in [(schema_key, schema.as_str()), ("alias", name)] {
            if let Some(problem) = self.problem(key, text, config.places.contains_key(key)) {
                problems.push(problem.at(config.places.get(key).unwrap_or(place)));
            }
        }
        Relation::new(schema, name)
    }

    fn is_hive(&self) -> bool {
        matches!(self.project.target.warehouse, WarehouseConfig::Hive(_))
    }

    fn problem(&self, key: &str, text: &str, is_config: bool) -> Option<Problem> {
        let what = if is_config { format!("`{key}`") } else { "the name".to_owned() };
        if let Err(reason) = PathName::new(text) {
            let message = format!("{what} cannot be `{}`: {reason}", text.escape_debug());
            return Some(Problem::new(message).help(path_name::HELP));
        }
        let fits_hive = text.len() <= LONGEST_IN_HIVE
            && text.chars().all(|found| found.is_ascii_alphanumeric() || found == '_');
        if self.is_hive() && !fits_hive {
            let message = format!("{what} cannot be `{text}`: Hive does not allow such a name");
            let help = format!(
                "Hive takes names of letters of ASCII, digits and `_`, up to {LONGEST_IN_HIVE} of them"
            );
            return Some(Problem::new(message).help(help));
        }
        None
    }

    /// No two nodes may become the same relation, nor one that mep keeps beside another.
    pub(super) fn check_all(&self, nodes: &[&Node], problems: &mut Problems) {
        let mut taken: HashMap<Relation, &Node> = HashMap::new();
        for node in nodes.iter().copied() {
            let Some(relation) = node.relation.as_ref().filter(|_| !node.is_filled() && !node.is_in_place())
            else {
                continue;
            };
            // Two nodes of one name are told of as that.
            let is_named_so = |earlier: &&Node| {
                earlier.name == node.name && package_of(&earlier.fqn) == package_of(&node.fqn)
            };
            let earlier = taken.insert(self.as_stored(relation), node);
            if let Some(earlier) = earlier.filter(|earlier| !is_named_so(earlier)) {
                let message = format!("{} and {} would both be {relation}", earlier.id, node.id);
                let problem = Problem::new(message).help(if earlier.relation == node.relation {
                    "give one of them another `alias` or `schema`"
                } else {
                    "Hive does not tell upper case from lower case: give one of them another `alias`"
                });
                problems.push(at(problem, node));
            }
        }
        check_served(nodes, problems);
        for node in nodes {
            for (beside, what) in kept_beside(node) {
                let Some(other) = taken.get(&self.as_stored(&beside)) else { continue };
                let message = format!("{} is {beside}, which keeps {what} {}", other.id, node.id);
                problems.push(at(Problem::new(message).help("give it another `alias`"), other));
            }
        }
    }

    /// The relation by which the warehouse knows it.
    fn as_stored(&self, relation: &Relation) -> Relation {
        if !self.is_hive() {
            return relation.clone();
        }
        let schema = relation.schema.as_ref().map(|schema| schema.to_lowercase());
        Relation { schema, name: relation.name.to_lowercase() }
    }
}

/// A keyspace has no schemas: of the tables that are served, and those of streams, no two may have one name.
fn check_served(nodes: &[&Node], problems: &mut Problems) {
    let mut taken: HashMap<&str, &Node> = HashMap::new();
    let is_served = |node: &&Node| node.config.model().store == ModelStore::Cassandra;
    let is_streaming = |node: &&Node| node.config.materialized() == Materialization::Streaming;
    for node in nodes.iter().copied().filter(|node| is_served(node) || is_streaming(node)) {
        let Some(relation) = &node.relation else { continue };
        let Some(earlier) = taken.insert(&relation.name, node) else { continue };
        if is_served(&earlier) || is_served(&node) {
            let (one, other, name) = (&earlier.id, &node.id, &relation.name);
            let message = format!("{one} and {other} would both be the table `{name}` of one keyspace");
            problems.push(at(Problem::new(message).help("give one of them another `alias`"), node));
        }
    }
}

fn at(problem: Problem, node: &Node) -> Problem {
    match &node.place {
        Some(place) => problem.at(place),
        None => problem,
    }
}

/// The tables that mep keeps beside a node's, and what of it they keep.
fn kept_beside(node: &Node) -> Vec<(Relation, &'static str)> {
    let Some(relation) = node.relation.as_ref().filter(|_| !node.is_filled() && !node.is_in_place()) else {
        return Vec::new();
    };
    let mut beside = Vec::new();
    if node.config.model().publish == PublishWhen::AfterTests {
        beside.push((relation.rejected(), "the rows that fail the tests of"));
    }
    if matches!(node.kind, NodeKind::Source { .. }) {
        beside.push((relation.rejects(), "what could not be read of"));
    }
    if node.config.materialized() == Materialization::Streaming {
        beside.push((relation.late(), "what came too late for"));
    }
    beside
}

/// What is wrong with the schema or the name of a table that others publish, which become a path where the warehouse is a folder.
pub(super) fn path_problem(name: &str) -> Option<Problem> {
    let reason = PathName::new(name).err()?;
    let message = format!("the name of a table cannot be `{}`: {reason}", name.escape_debug());
    Some(Problem::new(message).help(path_name::HELP))
}

/// What is wrong with the name of a test or snapshot, which becomes that of a file.
pub(super) fn file_name_problem(what: &str, name: &str) -> Option<Problem> {
    match PathName::new(name) {
        // The file's name is cut.
        Ok(_) | Err(NotAName::Long) => None,
        Err(reason) => {
            let message = format!("the name of a {what} cannot be `{}`: {reason}", name.escape_debug());
            Some(Problem::new(message).help(path_name::HELP))
        }
    }
}
