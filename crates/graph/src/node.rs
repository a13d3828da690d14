//! Nodes: what the graph is made of.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::config::{Materialization, NodeConfig};
use super::constraints::CheckedConstraint;
use mep_core::relation::Relation;
use mep_lang::jinja::Parsed;
use mep_lang::project::{Column, ModelVersion, Place, TestUse};

/// A node's unique id, in dbt's form: `model.<project>.<name>`, `seed.<project>.<name>`, `snapshot.<project>.<name>`,
/// `source.<project>.<source>.<table>`, `test.<project>.<name>`, `unit_test.<project>.<model>.<name>`, `exposure.<project>.<name>`, and so on.
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
    /// Package and name of every `ref()`; the name of a version is `m.v2`.
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

    /// Adds what is named beside the text: what a test is of, say.
    pub(super) fn add(&mut self, node: &Node) {
        if let NodeKind::Source { source, .. } = &node.kind {
            let named = (source.clone(), node.name.clone());
            if !self.sources.contains(&named) {
                self.sources.push(named);
            }
        } else if let Some(named) = node.reference_names().next()
            && self.refs.iter().all(|(_, name)| *name != named)
        {
            self.refs.push((None, named));
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
    /// Its own relation, where another one is read in its place.
    pub deferred: Option<Relation>,
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
    /// What is promised of its rows, and checked before they are published.
    pub constraints: Vec<CheckedConstraint>,
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
        /// Of a model with versions: which one it is.
        version: Option<ModelVersion>,
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
    /// A table that comes from outside.
    Source {
        /// The source's name.
        source: String,
        /// Index into `Project::sources`.
        index: usize,
        /// Whether it is a table of the warehouse that others publish: it is read where it is, and neither landed nor loaded.
        is_in_place: bool,
    },
    /// A SELECT of rows that should not be.
    Test(TestDetail),
    /// Something of dbt's semantic layer.
    Semantic(SemanticDetail),
    /// Something that uses the models.
    Exposure {
        /// Index into `Project::exposures`.
        index: usize,
    },
}

/// What of dbt's semantic layer a node is: an index into what `Project::semantics` has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemanticDetail {
    /// What a model's columns mean.
    Model(usize),
    /// A number over these.
    Metric(usize),
    /// A query over metrics.
    SavedQuery(usize),
}

/// What a test is.
#[derive(Clone, Debug, PartialEq)]
pub enum TestDetail {
    /// A file in `tests/`.
    Singular {
        /// Index into `Project::tests`.
        index: usize,
    },
    /// Rows in the place of what a model reads, and the rows that it is to give.
    Unit {
        /// Index into `Project::unit_tests`.
        index: usize,
        /// For each input, the node that its rows stand for.
        inputs: Vec<NodeId>,
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

/// The name of a version as a relation has it.
pub(super) fn with_version(name: &str, version: &ModelVersion) -> String {
    format!("{name}_v{}", version.version.replace('.', "_"))
}

impl Node {
    /// dbt's word for the kind: `model`, `seed`, `snapshot`, `source`, `test`, `exposure`.
    pub fn resource_type(&self) -> &'static str {
        match self.kind {
            NodeKind::Model { .. } => "model",
            NodeKind::Seed { .. } => "seed",
            NodeKind::Snapshot { .. } => "snapshot",
            NodeKind::Source { .. } => "source",
            NodeKind::Test(TestDetail::Unit { .. }) => "unit_test",
            NodeKind::Test(_) => "test",
            NodeKind::Semantic(SemanticDetail::Model(_)) => "semantic_model",
            NodeKind::Semantic(SemanticDetail::Metric(_)) => "metric",
            NodeKind::Semantic(SemanticDetail::SavedQuery(_)) => "saved_query",
            NodeKind::Exposure { .. } => "exposure",
        }
    }

    /// Of a model with versions, which one it is.
    pub fn version(&self) -> Option<&ModelVersion> {
        match &self.kind {
            NodeKind::Model { version, .. } => version.as_ref(),
            _ => None,
        }
    }

    /// The names that `ref()` finds it by: of a version, `m.v2`, and `m` where it is the latest one.
    pub fn reference_names(&self) -> impl Iterator<Item = String> {
        let version = self.version();
        let of_version = version.map(|version| format!("{}.v{}", self.name, version.version));
        let plain = version.is_none_or(ModelVersion::is_latest).then(|| self.name.clone());
        of_version.into_iter().chain(plain)
    }

    /// The relation that it is built as, whichever one is read in its place.
    pub fn own_relation(&self) -> Option<&Relation> {
        self.deferred.as_ref().or(self.relation.as_ref())
    }

    /// Its name as a relation has it: that of a version ends with it.
    pub fn name_with_version(&self) -> String {
        match self.version() {
            Some(version) => with_version(&self.name, version),
            None => self.name.clone(),
        }
    }

    /// Whether it is a model that is inlined where it is read.
    pub fn is_inlined(&self) -> bool {
        let is_view =
            matches!(self.config.materialized(), Materialization::View | Materialization::Ephemeral);
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
            NodeKind::Model { .. } => self.config.materialized().as_str(),
            NodeKind::Test(TestDetail::Unit { .. }) => "unit test",
            _ => self.resource_type(),
        }
    }

    /// Whether it is a source table that another node of the project builds.
    pub fn is_filled(&self) -> bool {
        matches!(self.kind, NodeKind::Source { .. }) && !self.depends_on.is_empty()
    }

    /// Whether it is a source table that others publish, and that is read where it is.
    pub fn is_in_place(&self) -> bool {
        matches!(self.kind, NodeKind::Source { is_in_place: true, .. })
    }

    /// Whether it is a test of a model on rows of the test's own, which is run before the model is built.
    pub fn is_unit_test(&self) -> bool {
        matches!(self.kind, NodeKind::Test(TestDetail::Unit { .. }))
    }

    /// Whether it is a test.
    pub fn is_test(&self) -> bool {
        matches!(self.kind, NodeKind::Test(_))
    }
}
