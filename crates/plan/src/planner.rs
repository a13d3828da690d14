//! Planning the nodes of a graph, one after another, each from what the earlier ones will leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::batches::{BatchPlan, BatchTimes};
use super::changed::first_changed_line;
use super::landing::{
    BatchVersions, LandingPlan, LandingReason, content_version, cut_version, kept_columns, kept_version,
    lies_by_day,
};
use super::partitions::{Basis, by_partition, whole};
use super::reason::{ModelChange, Reason};
use super::step::{Action, Plan, Step};
use super::table_state::{PartitionState, TableState};
use super::table_states::TableStates;
use mep_contract::source::{LandingTable, RejectedRows, Unit};
use mep_contract::warehouse::{Content, PartitionKey, RunId, TableVersion, Version};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_graph::{
    Compiled, CompiledModel, CompiledSnapshot, Graph, Materialization, Node, NodeIndex, NodeKind, NodeSet,
    OnCodeChange, OnSchemaChange, tested_relation,
};
use mep_sql::{Alignment, Scope};

/// What the tables are like at a point of a plan.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// What is known.
    known: TableStates,
    /// What will be there, with content that shows only when it is.
    open: BTreeSet<Relation>,
}

impl Tables {
    /// Notes a table as the warehouse holds it.
    pub fn note(&mut self, relation: &Relation, table: &Arc<TableVersion>) {
        self.open.remove(relation);
        if matches!(table.content, Content::Table { .. } | Content::InPlace(_)) {
            self.known.note(relation, table.clone());
        }
    }

    /// What is read and not there.
    fn missing(&self, alignment: &Alignment) -> Vec<Relation> {
        let reads = alignment.scans.iter().map(|scan| &scan.relation);
        let is_missing = |read: &&Relation| !self.known.has(read) && !self.open.contains(*read);
        let mut missing: Vec<Relation> = reads.filter(is_missing).cloned().collect();
        missing.dedup();
        missing
    }

    fn are_open(&self, alignment: &Alignment) -> bool {
        alignment.scans.iter().any(|scan| self.open.contains(&scan.relation))
    }

    fn expect(&mut self, relation: &Relation, after: Option<TableState>) {
        match after {
            Some(known) => {
                self.open.remove(relation);
                self.known.expect(relation, known);
            }
            None => {
                self.open.insert(relation.clone());
            }
        }
    }
}

/// Plans nodes.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use mep_graph::NodeSet;
/// use mep_plan::{Action, Planner, Tables};
///
/// /// How many of these nodes have something to do, where no source has anything new.
/// fn due(planner: &Planner<'_>, nodes: &NodeSet, mut tables: Tables) -> usize {
///     let plan = planner.plan(nodes, &BTreeMap::new(), &mut tables);
///     plan.steps.iter().filter(|step| step.action != Action::Current).count()
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// Its compiled nodes.
    pub compiled: &'a Compiled,
    /// For evaluating partition values.
    pub scope: &'a Scope,
    /// The run that is planned.
    pub run: &'a RunId,
    /// Whether everything is to be built anew.
    pub full_refresh: bool,
    /// What batches are due by.
    pub times: BatchTimes,
    /// What the warehouse holds of a relation.
    pub stored: &'a dyn Fn(&Relation) -> Option<Arc<TableVersion>>,
}

impl Planner<'_> {
    /// The plan for these nodes. `landings` are the landing plans of those that are sources, with what they leave.
    pub fn plan(
        &self,
        nodes: &NodeSet,
        landings: &BTreeMap<NodeIndex, (LandingPlan, Option<TableState>)>,
        tables: &mut Tables,
    ) -> Plan {
        let mut plan = Plan::default();
        for node in nodes {
            let action = match landings.get(node) {
                Some((landing, after)) => {
                    tables.expect(&tested_relation(self.graph.node(*node)), after.clone());
                    if landing.is_nothing() { Action::Current } else { Action::Land(landing.clone()) }
                }
                None => self.node(*node, tables),
            };
            plan.steps.push(Step { node: *node, action });
        }
        plan
    }

    /// What is to be done with one node, as the tables are; `tables` comes to be as the step leaves them.
    pub fn node(&self, index: NodeIndex, tables: &mut Tables) -> Action {
        let node = self.graph.node(index);
        if self.compiled.late.contains_key(&index) && !node.is_test() {
            tables.expect(&tested_relation(node), None);
            return Action::AfterAnswers;
        }
        match &node.kind {
            NodeKind::Seed { .. } | NodeKind::Source { .. } => self.seed(index, node, tables),
            NodeKind::Model { uses_is_incremental, .. } => match self.compiled.models.get(&index) {
                Some(model) => self.model(index, model, *uses_is_incremental, tables),
                None => Action::Current,
            },
            NodeKind::Snapshot { .. } => match self.compiled.snapshots.get(&index) {
                Some(snapshot) => self.snapshot(node, snapshot, tables),
                None => Action::Current,
            },
            NodeKind::Test(_) => Action::Test,
            NodeKind::Semantic(_) | NodeKind::Exposure { .. } => Action::Current,
        }
    }

    fn is_full_refresh(&self, node: &Node) -> bool {
        node.config.full_refresh.unwrap_or(self.full_refresh)
    }

    fn seed(&self, index: NodeIndex, node: &Node, tables: &mut Tables) -> Action {
        let Some(seed) = self.compiled.seeds.get(&index) else { return Action::Current };
        let relation = tested_relation(node);
        let version = seed_version(&seed.fingerprint);
        let partition =
            PartitionState::of_version(version.clone(), 0, seed.rows.count().unwrap_or_default() as u64);
        let after = TableState {
            schema: seed.schema.clone(),
            partition_columns: Vec::new(),
            partitions: BTreeMap::from([(PartitionKey::whole(), partition)]),
        };
        let stored = (self.stored)(&relation);
        let stored_version = stored.as_ref().and_then(|table| table.versions().next());
        let action = match stored_version {
            _ if self.is_full_refresh(node) => Action::LoadSeed(Reason::FullRefresh),
            None => Action::LoadSeed(Reason::FirstRun),
            Some((_, stored)) if *stored == version => return Action::Current,
            Some(_) => Action::LoadSeed(Reason::FileChanged),
        };
        tables.expect(&relation, Some(after));
        action
    }

    fn model(
        &self,
        index: NodeIndex,
        model: &CompiledModel,
        uses_is_incremental: bool,
        tables: &mut Tables,
    ) -> Action {
        let node = self.graph.node(index);
        let relation = tested_relation(node);
        let missing = tables.missing(&model.alignment);
        match node.config.materialized() {
            Materialization::Ephemeral | Materialization::Streaming => return Action::Current,
            _ if !missing.is_empty() => return Action::Missing(missing),
            Materialization::View => return self.view(&relation, model),
            Materialization::Table | Materialization::Incremental | Materialization::History => {}
        }
        if tables.are_open(&model.alignment) {
            tables.expect(&relation, None);
            return Action::AfterInputs;
        }
        let stored = (self.stored)(&relation).filter(|table| matches!(table.content, Content::Table { .. }));
        let full_refresh = self.is_full_refresh(node);
        let backfills = node.config.model().on_schema_change == OnSchemaChange::Backfill
            && stored.as_ref().is_some_and(|stored| stored.schema != model.schema);
        if let Some(batches) = &model.batches {
            let plan = BatchPlan::new(batches, stored.as_deref(), full_refresh || backfills, self.times);
            if plan.batches.is_empty() {
                return Action::Current;
            }
            tables.expect(&relation, None);
            return Action::RunBatches(plan);
        }
        if uses_is_incremental && stored.is_some() && !full_refresh && !backfills {
            tables.expect(&relation, None);
            return Action::Increment;
        }
        let changed = match &stored {
            Some(_) if backfills => ModelChange { what: Some("its columns".to_owned()), line: None },
            Some(stored) => self.what_changed(index, model, stored),
            None => ModelChange::default(),
        };
        let basis = Basis {
            scope: self.scope,
            model,
            keeps: node.config.model().on_code_change == OnCodeChange::Keep,
            inputs: &tables.known,
            stored: stored.as_deref(),
            full_refresh,
            volatile_run: model.is_volatile.then_some(self.run),
            changed: &changed,
        };
        let is_by_partition =
            model.is_built_by_partition(node.config.materialized()) && self.lie_by_day(&model.alignment);
        // A partition's value may fail for rows that the model's own filters leave out. So what fails says nothing of the model,
        // and it is built as one whose partitions are known only when all of it is.
        let by_partition = is_by_partition.then(|| by_partition(basis));
        if let Some(Ok(plan)) = by_partition {
            // Which partitions there will be of values that are told in part, their rows say.
            let is_known = !plan.is_by_some || (plan.build.is_empty() && stored.is_some());
            let after = is_known.then(|| TableState::after_partitions(model, stored.as_deref(), &plan));
            tables.expect(&relation, after);
            // What is kept from before a change has the columns of that time.
            let has_columns = stored.as_ref().is_some_and(|stored| stored.schema == model.schema);
            let nothing = plan.build.is_empty() && plan.remove.is_empty() && has_columns;
            return if nothing { Action::Current } else { Action::BuildPartitions(plan) };
        }
        let Some(build) = whole(basis) else { return Action::Current };
        let after = model
            .partition_columns
            .is_empty()
            .then(|| TableState::after_whole(model, &build, stored.as_deref()));
        tables.expect(&relation, after);
        Action::BuildWhole(build)
    }

    /// Whether the rows of all tables that are told apart by the day of their event time lie by it.
    fn lie_by_day(&self, alignment: &Alignment) -> bool {
        alignment.scans.iter().filter(|scan| scan.by_event_day).all(|scan| {
            let landed = self.compiled.sources.values().find(|table| table.raw == scan.relation);
            let stored = (self.stored)(&scan.relation);
            landed.is_some_and(|landed| stored.is_none_or(|stored| lies_by_day(landed, &stored)))
        })
    }

    fn snapshot(&self, node: &Node, snapshot: &CompiledSnapshot, tables: &mut Tables) -> Action {
        let relation = tested_relation(node);
        let missing = tables.missing(&snapshot.alignment);
        if !missing.is_empty() {
            return Action::Missing(missing);
        }
        if tables.are_open(&snapshot.alignment) {
            tables.expect(&relation, None);
            return Action::AfterInputs;
        }
        let stored = (self.stored)(&relation);
        let Some(look) = self.look(snapshot, &tables.known, stored.as_deref()) else {
            return Action::Current;
        };
        tables.expect(&relation, None);
        Action::Snapshot(look)
    }

    fn view(&self, relation: &Relation, model: &CompiledModel) -> Action {
        let Some(stored) = (self.stored)(relation) else { return Action::CreateView(Reason::FirstRun) };
        match &stored.content {
            Content::View { fingerprint, sql }
                if *fingerprint == model.fingerprint
                    && *sql == model.sql
                    && stored.schema == model.schema =>
            {
                Action::Current
            }
            Content::View { sql, .. } => {
                let line = first_changed_line(sql, &model.rendered);
                Action::CreateView(Reason::ModelChanged(ModelChange { what: None, line }))
            }
            Content::Table { .. } | Content::InPlace(_) => {
                Action::CreateView(Reason::ModelChanged(ModelChange::default()))
            }
        }
    }
}

/// The version of a loaded seed.
pub fn seed_version(fingerprint: &Fingerprint) -> Version {
    Version::of(["seed", fingerprint.as_str()])
}

/// What a unit holds, as far as a plan needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitContent {
    /// The days of its rows.
    pub days: BTreeSet<NaiveDate>,
    /// Those that are rejected.
    pub rejected: RejectedRows,
    /// How many that are.
    pub rejects: u64,
    /// How many rows it has.
    pub read: u64,
    /// The schemas that it was read by.
    pub schemas: Option<String>,
}

/// What a landed table will be like once these units are landed in it, where their content is known.
pub fn after_landing(
    table: &LandingTable,
    stored: Option<&TableVersion>,
    landing: &LandingPlan,
    until: Option<NaiveDate>,
    content_of: &mut dyn FnMut(&Unit) -> Option<UnitContent>,
) -> Option<TableState> {
    let mut batches: BTreeMap<&str, Vec<(&Unit, LandingReason)>> = BTreeMap::new();
    for (unit, reason) in &landing.land {
        batches.entry(unit.batch.as_deref().unwrap_or_default()).or_default().push((unit, *reason));
    }
    let mut known = match stored {
        Some(stored) => TableState::of(stored),
        None => TableState {
            schema: table.table_schema().ok()?,
            partition_columns: table.partition_columns(),
            partitions: BTreeMap::new(),
        },
    };
    known.partitions.retain(|key, _| key.batch().is_none_or(|batch| !batches.contains_key(batch)));
    if landing.reshapes {
        let schema = table.table_schema().ok()?;
        for partition in known.partitions.values_mut() {
            partition.columns = kept_columns(&partition.columns, &known.schema, &schema);
            partition.version = kept_version(&partition.version, &known.schema, &schema);
        }
        known.schema = schema;
    }
    for (batch, units) in batches {
        let mut days = BTreeSet::new();
        let mut versions = Vec::new();
        let is_withheld = |day: &NaiveDate| until.is_some_and(|until| *day > until);
        for (unit, reason) in &units {
            // What was never landed is new to all that reads it, whatever its content.
            let is_read = table.schema.event_time.is_some() || *reason != LandingReason::New;
            let UnitContent { days: of_unit, rejected, schemas, .. } =
                if is_read { content_of(unit)? } else { UnitContent::default() };
            let version = match until.filter(|_| of_unit.iter().any(is_withheld)) {
                Some(until) => cut_version(&unit.version, until),
                None => unit.version.clone(),
            };
            let version = content_version(&version, schemas.as_deref());
            versions.push((unit.id.as_str(), version, rejected));
            days.extend(of_unit.into_iter().filter(|day| !is_withheld(day)));
        }
        let versions = versions.iter().map(|(id, version, rejected)| (*id, version.as_str(), *rejected));
        let BatchVersions { version, columns } = BatchVersions::of(table, versions);
        let bytes: u64 = units.iter().filter_map(|(unit, _)| unit.bytes).sum();
        let partition =
            |bytes| PartitionState { version: version.clone(), columns: columns.clone(), bytes, rows: 0 };
        if table.schema.event_time.is_none() {
            known.partitions.insert(PartitionKey::new(vec![Some(batch.to_owned())]), partition(bytes));
            continue;
        }
        let share = bytes / days.len().max(1) as u64;
        for day in days {
            let key = PartitionKey::new(vec![Some(day.to_string()), Some(batch.to_owned())]);
            known.partitions.insert(key, partition(share));
        }
    }
    Some(known)
}
