//! What compiling gives: the SQL of each node, its columns, and what follows from its plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::asked::Late;
use super::config::Materialization;
use super::constraints::CompiledConstraint;
use super::incremental::CompiledBatches;
use super::node_index::{NodeIndex, NodeSet};
use super::snapshot::CompiledSnapshot;
use super::streaming::CompiledStream;
use super::unbuilt::Unbuilt;
use super::unit_tests::CompiledUnit;
use mep_contract::sink::SinkTable;
use mep_contract::source::{LandingTable, WholeTable};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_lang::jinja::Rendered;
use mep_lang::project::{Problem, Problems};
use mep_sql::{Alignment, Origins, Recipe, RowUses};

/// A model, compiled.
#[derive(Clone, Debug)]
pub struct CompiledModel {
    /// The SQL as rendered; ephemeral models are names in it.
    pub rendered: Rendered,
    /// The SQL that stands alone: ephemeral models are CTEs in it.
    pub sql: String,
    /// For a model that asks `is_incremental()`: the SQL of an increment.
    pub increment: Option<CompiledIncrement>,
    /// For a microbatch model: its batches.
    pub batches: Option<CompiledBatches>,
    /// The columns: of a table as they are stored, partition columns last.
    pub schema: SchemaRef,
    /// The columns that name partitions.
    pub partition_columns: Vec<String>,
    /// How its partitions come from those of the tables that it reads, through views.
    pub alignment: Alignment,
    /// For each of its columns, the columns of the relations that it reads whose values it takes.
    pub lineage: BTreeMap<String, Origins>,
    /// For each of its columns, those of its lineage whose values it has as they are.
    pub copied: BTreeMap<String, Origins>,
    /// The columns that decide which rows it has.
    pub row_uses: RowUses,
    /// Of its SQL, the views and ephemeral models in it, and how it is stored.
    pub fingerprint: Fingerprint,
    /// Of a stored model: what makes its rows; `None` where its SQL has parts of which that cannot be said.
    pub recipe: Option<Recipe>,
    /// What makes which rows there are in which partition; `None` where that cannot be said.
    pub rows: Option<Recipe>,
    /// What makes each column alone, with those that it is partitioned by; empty where that cannot be said.
    pub columns: BTreeMap<String, Recipe>,
    /// The tables that it reads of which a change asks for no build.
    pub ignored: BTreeSet<Relation>,
    /// The tables that it joins by keys, so that a change in one reaches no more partitions than hold a changed key.
    pub looked_up: BTreeSet<Relation>,
    /// Whether the same inputs can give other rows on another run.
    pub is_volatile: bool,
    /// Of a streaming model.
    pub stream: Option<CompiledStream>,
    /// Of a model that is served: the table by which it is.
    pub served: Option<SinkTable>,
    /// What is promised of the rows of a table.
    pub constraints: Vec<CompiledConstraint>,
}

impl Compiled {
    /// The columns of what a node is read as.
    pub fn schema(&self, index: NodeIndex) -> Option<SchemaRef> {
        let model = self.models.get(&index).map(|model| model.schema.clone());
        let seed = || self.seeds.get(&index).map(|seed| seed.schema.clone());
        let source = || self.sources.get(&index).and_then(|table| table.table_schema().ok());
        let snapshot = || self.snapshots.get(&index).map(|snapshot| snapshot.schema.clone());
        let in_place = || self.in_place.get(&index).map(|table| table.schema.clone());
        model.or_else(seed).or_else(source).or_else(snapshot).or_else(in_place)
    }

    /// The SQL of a model, snapshot or test.
    pub fn sql(&self, index: NodeIndex) -> Option<&str> {
        let model = self.models.get(&index).map(|model| model.sql.as_str());
        let snapshot = || self.snapshots.get(&index).map(|snapshot| snapshot.query.source.as_str());
        model.or_else(snapshot).or_else(|| self.tests.get(&index).map(|test| test.sql.as_str()))
    }
}

impl CompiledModel {
    /// Whether its partitions are built by themselves, where it is materialized so: each on its own, or those together that differ
    /// only in columns of which its inputs' partitions say nothing.
    pub fn is_built_by_partition(&self, materialized: Materialization) -> bool {
        matches!(materialized, Materialization::Incremental | Materialization::History)
            && !self.alignment.told.is_empty()
    }
}

/// What a model that keeps its own increments adds, compiled.
#[derive(Clone, Debug)]
pub struct CompiledIncrement {
    /// The SQL as rendered.
    pub rendered: Rendered,
    /// The SQL that stands alone.
    pub sql: String,
}

/// A test, compiled.
#[derive(Clone, Debug)]
pub struct CompiledTest {
    /// The SQL as rendered; ephemeral models are names in it.
    pub rendered: Rendered,
    /// The SQL that stands alone, which gives the rows that should not be; of a unit test, those that the model gives.
    pub sql: String,
    /// Of a unit test: what is expected.
    pub unit: Option<CompiledUnit>,
}

/// A table that is loaded as a whole: a seed, or files of a source.
#[derive(Clone, Debug)]
pub struct SeedTable {
    /// Its rows.
    pub rows: SeedRows,
    /// The columns as they are stored.
    pub schema: SchemaRef,
    /// Of its text and types.
    pub fingerprint: Fingerprint,
}

/// A table of the warehouse that others publish, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedTable {
    /// All columns; the partition columns are the last ones.
    pub schema: SchemaRef,
    /// The columns whose values name the partitions.
    pub partition_columns: Vec<String>,
}

/// What is known of a source table that says nothing of how it is landed, or nothing else.
#[derive(Clone, Debug)]
pub enum SourceRows {
    /// It is landed by its declared columns.
    Landed,
    /// It is loaded as a whole.
    Loaded(SeedTable),
    /// Others publish it, and it is read where it is.
    InPlace(PlacedTable),
}

/// The rows of a table that is loaded as a whole.
#[derive(Clone, Debug)]
pub enum SeedRows {
    /// They are read already.
    Read(RecordBatch),
    /// They are read when the table is loaded.
    Outside(Arc<dyn WholeTable>),
}

impl SeedRows {
    /// How many there are, where that is known.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Read(rows) => Some(rows.num_rows()),
            Self::Outside(_) => None,
        }
    }
}

/// The parts of a project that were compiled, by the node's index.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Models.
    pub models: HashMap<NodeIndex, CompiledModel>,
    /// Snapshots.
    pub snapshots: HashMap<NodeIndex, CompiledSnapshot>,
    /// Tests.
    pub tests: HashMap<NodeIndex, CompiledTest>,
    /// Seeds, and source tables that are loaded as they are.
    pub seeds: HashMap<NodeIndex, SeedTable>,
    /// What sources land in.
    pub sources: HashMap<NodeIndex, LandingTable>,
    /// Source tables that others publish.
    pub in_place: HashMap<NodeIndex, PlacedTable>,
    /// What is not compiled yet, since its SQL depends on what its inputs hold, and why.
    pub late: BTreeMap<NodeIndex, Late>,
    /// Statements of hooks that have no effect here, each with why.
    pub without_effect: BTreeSet<String>,
    /// What comes out otherwise than in dbt, as far as that can be told.
    pub warnings: Vec<Problem>,
    /// What asks for rows while it is rendered.
    pub asking: NodeSet,
    /// What of it is not built, since something is wrong with it or with what it needs.
    pub unbuilt: Unbuilt,
}

impl Compiled {
    /// It, where all of it is built.
    ///
    /// # Errors
    /// All that is wrong with any of it.
    pub fn whole(mut self) -> Result<Self, Problems> {
        let unbuilt = std::mem::take(&mut self.unbuilt);
        unbuilt.broken.into_values().flatten().collect::<Problems>().none_or(self)
    }

    /// It, without what came of nodes that are not built.
    pub(super) fn without(mut self, unbuilt: Unbuilt) -> Self {
        self.models.retain(|index, _| !unbuilt.has(*index));
        self.snapshots.retain(|index, _| !unbuilt.has(*index));
        self.tests.retain(|index, _| !unbuilt.has(*index));
        self.seeds.retain(|index, _| !unbuilt.has(*index));
        self.sources.retain(|index, _| !unbuilt.has(*index));
        self.in_place.retain(|index, _| !unbuilt.has(*index));
        self.late.retain(|index, _| !unbuilt.has(*index));
        Self { unbuilt, ..self }
    }
}
