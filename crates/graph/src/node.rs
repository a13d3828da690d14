//! Nodes: what the graph is made of.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::config::{Materialization, NodeConfig};
use mep_core::relation::Relation;
use mep_lang::jinja::Parsed;
use mep_lang::project::{Column, Place, TestUse};

/// A node's unique id, in dbt's form: `model.<project>.<name>`, `seed.<project>.<name>`, `snapshot.<project>.<name>`,
/// `source.<project>.<source>.<table>`, `test.<project>.<name>`, `exposure.<project>.<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The id with this text.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that a node needs, and where it says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// What is needed.
    pub id: NodeId,
    /// The `ref()` or `source()`, where it stands in a file.
    pub place: Option<Place>,
}

/// What the text of a node names, for the artifacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Package and name of every `ref()`.
    pub refs: Vec<(Option<String>, String)>,
    /// Source and table of every `source()`.
    pub sources: Vec<(String, String)>,
    /// The unique ids of the macros that it calls.
    pub macros: Vec<String>,
}

impl Mentions {
    /// What the first pass found.
    pub(super) fn of(parsed: &Parsed) -> Self {
        Self {
            refs: parsed.refs.iter().map(|used| (used.package.clone(), used.name.clone())).collect(),
            sources: parsed.sources.iter().map(|used| (used.source.clone(), used.table.clone())).collect(),
            macros: parsed.macros.clone(),
        }
    }
}

impl Mentions {
    /// Adds what a test is of.
    pub(super) fn tests(&mut self, node: &Node) {
        if let NodeKind::Source { source, .. } = &node.kind {
            let named = (source.clone(), node.name.clone());
            if !self.sources.contains(&named) {
                self.sources.push(named);
            }
        } else if self.refs.iter().all(|(_, name)| *name != node.name) {
            self.refs.push((None, node.name.clone()));
        }
    }
}

/// A part of the project that can be selected.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The unique id.
    pub id: NodeId,
    /// The name; of a source table the table's alone.
    pub name: String,
    /// The project's name, the folders, the name. A source's: the project's name, the folders, the source, the table.
    pub fqn: Vec<String>,
    /// The file, relative to the project's root.
    pub path: PathBuf,
    /// Where its name or file stands.
    pub place: Option<Place>,
    /// Its relation in the warehouse; tests, exposures and ephemeral models have none there.
    pub relation: Option<Relation>,
    /// How it is configured.
    pub config: NodeConfig,
    /// What it needs, each once, in the order in which it is named.
    pub depends_on: Vec<Dependency>,
    /// What its text names, as it names it.
    pub mentions: Mentions,
    /// Markdown for the docs.
    pub description: Option<String>,
    /// The columns that the properties describe.
    pub columns: Vec<Column>,
    /// What is particular to its kind.
    pub kind: NodeKind,
}

/// The kinds of nodes, each with what it alone has.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A SELECT that becomes a relation; its index among the project's models.
    Model {
        /// Index into `Project::models`.
        index: usize,
        /// Whether its SQL asks `is_incremental()`, and so keeps its own increments.
        uses_is_incremental: bool,
    },
    /// A CSV file that becomes a table.
    Seed {
        /// Index into `Project::seeds`.
        index: usize,
    },
    /// A SELECT whose rows' versions are kept.
    Snapshot {
        /// Index into `Project::snapshots`.
        index: usize,
    },
    /// A table that comes from outside and is landed.
    Source {
        /// The source's name.
        source: String,
        /// Index into `Project::sources`.
        index: usize,
    },
    /// A SELECT of rows that should not be.
    Test(TestDetail),
    /// Something that uses the models.
    Exposure {
        /// Index into `Project::exposures`.
        index: usize,
    },
}

/// What a test is.
#[derive(Clone, Debug, PartialEq)]
pub enum TestDetail {
    /// A file in `tests/`.
    Singular {
        /// Index into `Project::tests`.
        index: usize,
    },
    /// A use of a generic test.
    Generic {
        /// The use as written: the test's name, its arguments.
        test: Box<TestUse>,
        /// The node that is tested.
        attached: NodeId,
        /// The column that is tested, where it is one.
        column: Option<String>,
    },
}

impl Node {
    /// dbt's word for the kind: `model`, `seed`, `snapshot`, `source`, `test`, `exposure`.
    pub fn resource_type(&self) -> &'static str {
        match self.kind {
            NodeKind::Model { .. } => "model",
            NodeKind::Seed { .. } => "seed",
            NodeKind::Snapshot { .. } => "snapshot",
            NodeKind::Source { .. } => "source",
            NodeKind::Test(_) => "test",
            NodeKind::Exposure { .. } => "exposure",
        }
    }

    /// Whether it is a model that is inlined where it is read.
    pub fn is_inlined(&self) -> bool {
        let is_view = matches!(self.config.materialized, Materialization::View | Materialization::Ephemeral);
        is_view && matches!(self.kind, NodeKind::Model { .. })
    }

    /// How it is called where people read: a source's table with the source's name before it.
    pub fn shown_name(&self) -> String {
        match &self.kind {
            NodeKind::Source { source, .. } => format!("{source}.{}", self.name),
            _ => self.name.clone(),
        }
    }

    /// What it is called beside its name: how a model is materialized, what else it is.
    pub fn shown_kind(&self) -> &'static str {
        match self.kind {
            NodeKind::Model { .. } => self.config.materialized.as_str(),
            _ => self.resource_type(),
        }
    }

    /// Whether it is a source table that another node of the project builds.
    pub fn is_filled(&self) -> bool {
        matches!(self.kind, NodeKind::Source { .. }) && !self.depends_on.is_empty()
    }

    /// Whether it is a test.
    pub fn is_test(&self) -> bool {
        matches!(self.kind, NodeKind::Test(_))
    }
}
