//! Carrying steps out, each as its plan says, and telling what came of it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::build::{BuildCounts, BuildError, Built, TableBuild, own_plan};
use super::event::{Event, NodeResult, Status};
use super::order::dependencies;
use super::schedule::{Outcome, StepWeight, Steps, work_through};
use super::session::Session;
use mep_contract::warehouse::{self, Content, Presentation, TableVersion};
use mep_core::guard::Panicked;
use mep_core::interrupt;
use mep_core::relation::Relation;
use mep_graph::{CompiledModel, Late, Node, NodeIndex, NodeKind, NodeSet, When, tested_relation};
use mep_plan::{Action, PartitionBuild, PartitionPlan, Plan, Reason, Step, TableChange};
use mep_quality as quality;
use mep_quality::Verdict;
use mep_sql::dialect::TranslatedView;
use parking_lot::Mutex;

/// What other readers of the warehouse are told of a node.
pub fn presentation(node: &Node) -> Presentation {
    let columns = node.columns.iter().filter_map(|column| {
        Some((column.name.value.clone(), column.description.as_ref()?.trim().to_owned()))
    });
    let description = node.description.as_ref().map(|text| text.trim().to_owned());
    Presentation { description, columns: columns.collect(), view: None }
}

impl Session<'_> {
    /// Carries a plan out. Steps that depend on one of `failed` are skipped.
    pub fn carry_out(&self, plan: &Plan, failed: &NodeSet) -> Vec<NodeResult> {
        let results: Mutex<BTreeMap<usize, NodeResult>> = Mutex::new(BTreeMap::new());
        let keep = |step: usize, result: NodeResult| {
            self.reporter.report(Event::Ended(&result));
            results.lock().insert(step, result);
        };
        let is_cut_off = |step: &Step| {
            if failed.is_empty() {
                return None;
            }
            self.cut_off(step.node, failed)
        };
        let dependencies = dependencies(self.graph, plan);
        let weights: Vec<StepWeight> = plan.steps.iter().map(|step| weight(&step.action)).collect();
        work_through(
            &Steps { dependencies: &dependencies, weights: &weights },
            self.options.threads,
            self.options.fail_fast,
            |index| {
                let step = &plan.steps[index];
                let node = self.graph.node(step.node);
                if interrupt::is_requested() {
                    keep(index, not_begun(node));
                    return false;
                }
                if let Some(failed) = is_cut_off(step) {
                    keep(index, skipped(node, &self.graph.node(failed).shown_name()));
                    return false;
                }
                let result = self.step(step, node);
                let goes_on = !result.cuts_off();
                keep(index, result);
                goes_on
            },
            |index, outcome| {
                let node = self.graph.node(plan.steps[index].node);
                keep(
                    index,
                    match outcome {
                        _ if interrupt::is_requested() => not_begun(node),
                        Outcome::Skipped { because_of } => {
                            skipped(node, &self.graph.node(plan.steps[because_of].node).shown_name())
                        }
                        _ => result_of(node, Status::Skipped).saying("the run was ended after a failure"),
                    },
                );
            },
        );
        results.into_inner().into_values().collect()
    }

    /// Which of the nodes that failed a node depends on: one that it needs, or a test of all that it needs.
    fn cut_off(&self, node: NodeIndex, failed: &NodeSet) -> Option<NodeIndex> {
        let graph = self.graph;
        let above = graph.ancestors(&NodeSet::from([node]), None);
        let is_tested = |test: NodeIndex| {
            let tested = graph.parents(test);
            !tested.is_empty() && tested.iter().all(|one| *one != node && above.contains(one))
        };
        let cuts = |failed: &NodeIndex| {
            if graph.node(*failed).is_unit_test() {
                // It is run before its model.
                let tested = |one: &NodeIndex| *one == node || above.contains(one);
                let of = graph.parents(*failed);
                !graph.node(node).is_test() && !of.is_empty() && of.iter().all(tested)
            } else if graph.node(*failed).is_test() {
                !graph.node(node).is_test() && is_tested(*failed)
            } else {
                above.contains(failed)
            }
        };
        failed.iter().copied().find(cuts)
    }

    /// The results of nodes whose SQL never came to be known: each with what it waited for, or with what is wrong with it.
    pub fn never_rendered(
        &self,
        nodes: &NodeSet,
        failed: &NodeSet,
        problems: &BTreeMap<NodeIndex, String>,
    ) -> Vec<NodeResult> {
        let mut failed = failed.clone();
        let mut results = Vec::new();
        for index in nodes {
            let node = self.graph.node(*index);
            let result = match (problems.get(index), self.cut_off(*index, &failed)) {
                _ if interrupt::is_requested() => not_begun(node),
                (Some(problem), _) => result_of(node, Status::Error).saying(problem),
                (None, Some(cause)) => skipped(node, &self.graph.node(cause).shown_name()),
                (None, None) if self.options.fail_fast && !failed.is_empty() => {
                    result_of(node, Status::Skipped).saying("the run was ended after a failure")
                }
                (None, None) => self.never_answered(*index, node),
            };
            failed.insert(*index);
            self.reporter.report(Event::Ended(&result));
            results.push(result);
        }
        results
    }

    fn never_answered(&self, index: NodeIndex, node: &Node) -> NodeResult {
        match self.compiled.late.get(&index) {
            Some(Late::Asks(relations)) if !relations.is_empty() => {
                let relations: Vec<Relation> = relations.iter().cloned().collect();
                self.missing(node, &relations)
            }
            Some(Late::Reads(parent)) => {
                let name = self.graph.node(*parent).shown_name();
                result_of(node, Status::Error).saying(format!(
                    "it reads {name}, whose SQL depends on what is not built yet: build that first, as in mep run --select +{}",
                    node.name
                ))
            }
            _ => result_of(node, Status::Error).saying("its SQL depends on what is not built yet"),
        }
    }

    /// What comes of a step. A panic in it is a fault of mep's: it has been printed, and is this node's error, so that the run goes on with
    /// what does not need the node.
    fn step(&self, step: &Step, node: &Node) -> NodeResult {
        let began = Instant::now();
        let stepped = catch_unwind(AssertUnwindSafe(|| self.stepped(step, node)));
        let stepped =
            stepped.unwrap_or_else(|panic| Err(BuildError::Panicked(Panicked::new(panic.as_ref()))));
        let result = match stepped {
            Ok(None) => return result_of(node, Status::Current),
            Ok(Some(result)) => result,
            Err(error @ (BuildError::Interrupted | BuildError::InterruptedBatches { .. })) => {
                result_of(node, Status::Interrupted).saying(error.to_string())
            }
            Err(error) => result_of(node, Status::Error).saying(self.why(step.node, &error)),
        };
        result.in_time(began.elapsed())
    }

    /// Does what a step asks for; `None` where that is nothing.
    fn stepped(&self, step: &Step, node: &Node) -> Result<Option<NodeResult>, BuildError> {
        let (name, kind) = (node.shown_name(), node.shown_kind());
        let mut planned = step.action.clone();
        if planned == Action::AfterInputs {
            let mut tables = self.tables();
            planned = self.with_planner(|planner| planner.node(step.node, &mut tables));
        }
        if planned == Action::Current {
            return Ok(self.serving_what_stands(step.node, node));
        }
        self.reporter.report(Event::Started { name: &name, kind });
        self.called(node, When::Before, "before")?;
        let result = self.act(step.node, node, &planned)?;
        self.called(node, When::After, "after")?;
        Ok(Some(self.then_served(step.node, node, result)))
    }

    /// Calls the hooks of a node.
    fn called(&self, node: &Node, when: When, word: &str) -> Result<(), BuildError> {
        let called = self.hooks.call(node, when);
        called.map_err(|failure| BuildError::Plan(format!("a hook {word} it failed: {failure}")))
    }

    fn act(&self, index: NodeIndex, node: &Node, action: &Action) -> Result<NodeResult, BuildError> {
        match action {
            Action::Current | Action::AfterInputs | Action::Land(_) => Ok(result_of(node, Status::Current)),
            Action::AfterAnswers => Err(BuildError::Plan("its SQL is not known yet".to_owned())),
            Action::Missing(relations) => Ok(self.missing(node, relations)),
            Action::LoadSeed(reason) => {
                let Some(seed) = self.compiled.seeds.get(&index) else {
                    return Ok(result_of(node, Status::Current));
                };
                let built = self.block_on(super::seed::load(self, node, seed))?;
                self.built(index, node, built, &reason.to_string())
            }
            Action::Test => self.test(index, node),
            Action::CreateView(reason) => self.create_view(index, node, reason),
            Action::BuildWhole(build) => {
                let relation = tested_relation(node);
                let model = self.model(index)?;
                let table = self.table_build(&relation, model);
                let changed = self.stored(&relation).and_then(|stored| self.changed_inputs(model, &stored));
                let divided = self.divided_once(&relation, model, changed.as_deref());
                if let Some((built, by_key)) = self.by_key(&table, &divided, build, changed.as_deref())? {
                    return self.built(index, node, built, &format!("{}; {by_key}", build.reason));
                }
                let built = self.whole(&table, &divided, build)?;
                let is_whole = model.partition_columns.is_empty();
                let looked_at = if is_whole { std::slice::from_ref(build) } else { &[] };
                let built = self.keeping_same_rows(&table, built, (looked_at, &[]));
                self.built(index, node, built, &build.reason.to_string())
            }
            Action::BuildPartitions(plan) => {
                let relation = tested_relation(node);
                let stored = self.stored(&relation);
                let model = self.model(index)?;
                let table = self.table_build(&relation, model);
                let plan = self.narrowed(node, model, plan);
                let built = self.block_on(table.partitions(&plan, stored.as_deref()))?;
                let built = self.keeping_same_rows(&table, built, (&plan.build, &plan.by));
                let why = match (why_built(&plan), &stored) {
                    (why, _) if !why.is_empty() => why,
                    (_, None) => Reason::FirstRun.to_string(),
                    (_, Some(_)) if plan.is_of_columns() => "its columns changed".to_owned(),
                    (_, Some(_)) => "some of it is given by no input any more".to_owned(),
                };
                self.built(index, node, built, &why)
            }
            Action::Increment => self.increment(index, node),
            Action::Snapshot(build) => self.snapshot(index, node, build),
            Action::RunBatches(plan) => self.run_batches(index, node, plan),
        }
    }

    pub(super) fn table_build<'b>(
        &'b self,
        relation: &'b Relation,
        model: &'b CompiledModel,
    ) -> TableBuild<'b> {
        TableBuild {
            engine: self.engine,
            warehouse: self.warehouse,
            run: self.run,
            relation,
            sql: &model.sql,
            rendered: &model.rendered.sql,
            schema: &model.schema,
            partition_columns: &model.partition_columns,
            fingerprint: &model.fingerprint,
        }
    }

    pub(super) fn model(&self, index: NodeIndex) -> Result<&CompiledModel, BuildError> {
        let missing = || BuildError::Plan("the model was not compiled".to_owned());
        self.compiled.models.get(&index).ok_or_else(missing)
    }

    fn built(
        &self,
        index: NodeIndex,
        node: &Node,
        built: Built,
        why: &str,
    ) -> Result<NodeResult, BuildError> {
        self.publish(index, node, built.table)?;
        Ok(success(node, built.written, why))
    }

    fn create_view(&self, index: NodeIndex, node: &Node, reason: &Reason) -> Result<NodeResult, BuildError> {
        let model = self.model(index)?;
        let relation = tested_relation(node);
        self.publish_view(&relation, self.view_of(model), &model.sql, presentation(node))?;
        Ok(result_of(node, Status::Success).saying(reason.to_string()))
    }

    /// Points readers at a view.
    pub(super) fn publish_view(
        &self,
        relation: &Relation,
        view: TableVersion,
        sql: &str,
        mut presentation: Presentation,
    ) -> Result<(), BuildError> {
        if let Some(catalog) = self.warehouse.trino_catalog() {
            let plan = own_plan(self.engine, sql)?;
            let text = TranslatedView::of(self.engine.scope(), &plan)?;
            let schema = relation.schema.as_deref().unwrap_or_default();
            let (hive, trino) = (text.hive.clone(), text.presto_view(catalog, schema));
            presentation.view = Some(warehouse::ViewText { hive, trino });
        }
        self.warehouse.publish(relation, &view, &presentation)?;
        Ok(self.published(relation, Arc::new(view))?)
    }

    fn increment(&self, index: NodeIndex, node: &Node) -> Result<NodeResult, BuildError> {
        let relation = tested_relation(node);
        let model = self.model(index)?;
        let (Some(stored), Some(increment)) = (self.stored(&relation), &model.increment) else {
            return Err(BuildError::Plan("there is nothing to add an increment to".to_owned()));
        };
        let columns = super::increment::columns_over(node, model, &stored)?;
        let table =
            TableBuild { sql: &increment.sql, schema: &columns, ..self.table_build(&relation, model) };
        let built = self.block_on(table.increment(&stored, node.config.model()))?;
        let why = Reason::Increment.to_string();
        match built {
            Some(built) => self.built(index, node, built, &why),
            None => Ok(success(node, BuildCounts::default(), &why)),
        }
    }

    fn snapshot(
        &self,
        index: NodeIndex,
        node: &Node,
        build: &PartitionBuild,
    ) -> Result<NodeResult, BuildError> {
        let missing = || BuildError::Plan("the snapshot was not compiled".to_owned());
        let snapshot = self.compiled.snapshots.get(&index).ok_or_else(missing)?;
        let relation = tested_relation(node);
        let stored = self.stored(&relation).filter(|table| matches!(table.content, Content::Table { .. }));
        let table = TableBuild {
            engine: self.engine,
            warehouse: self.warehouse,
            run: self.run,
            relation: &relation,
            sql: &snapshot.query.source,
            rendered: &snapshot.rendered.sql,
            schema: &snapshot.schema,
            partition_columns: &[],
            fingerprint: &snapshot.fingerprint,
        };
        let built = self.block_on(table.snapshot(&snapshot.query, build, stored.as_deref()))?;
        let why = build.reason.to_string();
        match built {
            Some(built) => self.built(index, node, built, &why),
            None => Ok(success(node, BuildCounts::default(), &why)),
        }
    }

    fn test(&self, index: NodeIndex, node: &Node) -> Result<NodeResult, BuildError> {
        let Some(test) = self.compiled.tests.get(&index) else { return Ok(result_of(node, Status::Current)) };
        if let Some(unit) = &test.unit {
            let difference = self.unit_difference(node, unit)?;
            return Ok(match difference {
                None => result_of(node, Status::Pass),
                Some(difference) => {
                    let mut result = result_of(node, Status::Fail).saying(difference);
                    result.rows = 1;
                    result
                }
            });
        }
        let tested =
            self.graph.parents(index).iter().filter_map(|parent| self.graph.node(*parent).relation.clone());
        // What streams keep outside the warehouse is known to the engine alone.
        let is_there =
            |relation: &Relation| self.stored(relation).is_some() || self.engine.scope().knows(relation);
        let not_there: Vec<Relation> = tested.filter(|relation| !is_there(relation)).collect();
        if !not_there.is_empty() {
            return Ok(self.missing(node, &not_there));
        }
        let kept = self.keep_failures(node, &test.sql)?;
        let finding = match (self.tried(index), kept) {
            (Some(finding), _) => finding,
            (None, Some(kept)) => {
                let kept = format!("select * from {kept}");
                self.block_on(quality::run(self.engine, &kept, node.config.test()))?
            }
            (None, None) => self.block_on(quality::run(self.engine, &test.sql, node.config.test()))?,
        };
        let mut result = result_of(
            node,
            match finding.verdict {
                Verdict::Pass => Status::Pass,
                Verdict::Warn => Status::Warn,
                Verdict::Fail => Status::Fail,
            },
        );
        result.rows = finding.failures.unsigned_abs();
        if finding.verdict != Verdict::Pass {
            result = result.saying(match kept {
                Some(kept) => format!("they are kept: mep show --inline \"select * from {kept}\""),
                None => format!("see them with: mep show --select {} --limit 20", self.told_apart(node)),
            });
        }
        Ok(result)
    }

    /// The name of a node, or its id where another one has the same name.
    fn told_apart<'n>(&self, node: &'n Node) -> &'n str {
        let of_name = self.graph.indexed().filter(|(_, other)| other.name == node.name);
        if of_name.count() > 1 { node.id.as_str() } else { &node.name }
    }

    fn missing(&self, node: &Node, relations: &[Relation]) -> NodeResult {
        let names: Vec<String> = relations.iter().map(ToString::to_string).collect();
        let (verb, pronoun) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
        let is_snapshot = |of: &Node| {
            matches!(of.kind, NodeKind::Snapshot { .. })
                && of.relation.as_ref().is_some_and(|relation| relations.contains(relation))
        };
        let command = if self.graph.nodes().iter().any(is_snapshot) { "build" } else { "run" };
        result_of(node, Status::Error).saying(format!(
            "it reads {}, which {verb} not built yet: build {pronoun} first, as in mep {command} --select +{}",
            names.join(", "),
            node.name
        ))
    }
}

/// Why a node is skipped once the run was asked to end.
pub(super) const NOT_BEGUN: &str = "the run was interrupted before it began";

/// Bytes of input, as stored, from which on a query keeps all cores busy by itself.
const HEAVY_BYTES: u64 = 16 << 20;

fn weight(action: &Action) -> StepWeight {
    let reads = match action {
        Action::BuildWhole(build) | Action::Snapshot(build) => build.input_bytes,
        Action::BuildPartitions(plan) => plan.build.iter().map(|build| build.input_bytes).sum(),
        _ => 0,
    };
    if reads >= HEAVY_BYTES { StepWeight::Heavy } else { StepWeight::Light }
}

/// Why partitions are built, each reason once.
pub fn in_short(build: &[PartitionBuild]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let mut changed: BTreeMap<String, TableChange> = BTreeMap::new();
    for partition in build {
        match &partition.reason {
            Reason::InputsChanged { tables } => {
                for (table, change) in tables {
                    changed.entry(table.clone()).or_default().extend(change.clone());
                }
            }
            reason => {
                let reason = reason.to_string();
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
    }
    if !changed.is_empty() {
        reasons.push(Reason::InputsChanged { tables: changed }.to_string());
    }
    reasons.join("; ")
}

/// Why partitions were built, and how many were found not to need it.
fn why_built(plan: &PartitionPlan) -> String {
    let confirmed = match plan.confirm.len() {
        0 => return in_short(&plan.build),
        1 => "1 partition contains nothing that changed".to_owned(),
        many => format!("{many} partitions contain nothing that changed"),
    };
    if plan.build.is_empty() { confirmed } else { format!("{}; {confirmed}", in_short(&plan.build)) }
}

fn result_of(node: &Node, status: Status) -> NodeResult {
    NodeResult::new(node.id.as_str(), &node.shown_name(), node.shown_kind(), status)
}

/// The result of a node that was built.
pub(super) fn success(node: &Node, written: BuildCounts, why: &str) -> NodeResult {
    let mut result = result_of(node, Status::Success).saying(why);
    result.rows = written.rows;
    result.bytes = written.bytes;
    result.partitions = written.partitions;
    result
}

fn not_begun(node: &Node) -> NodeResult {
    result_of(node, Status::Skipped).saying(NOT_BEGUN)
}

fn skipped(node: &Node, because_of: &str) -> NodeResult {
    result_of(node, Status::Skipped).saying(format!("because of {because_of}"))
}
