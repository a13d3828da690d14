//! Texts that ask what tables hold: who answers them, and with which tables.
//!
//! A question is answered of a table that is built as it is to be. Before a run that is one with which the run would do nothing;
//! within a run it is one with which the run is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::error::AppError;
use super::workspace::{Workspace, cores, runtime};
use mep_contract::executor::{EngineError, Executor};
use mep_contract::warehouse::Warehouse;
use mep_core::relation::Relation;
use mep_datafusion::Engine;
use mep_graph::{Answers, Compiled, NodeSet, Question, Unanswered, When, tested_relation};
use mep_lang::project::Problems;
use mep_plan::Action;
use mep_run::event::SilentReporter;
use mep_run::{RunOptions, Session, held};

/// A text asks for no more rows than this: what is computed of many is a table's work.
const MOST_ROWS: usize = 100_000;

/// Answers questions with what an engine knows of some relations.
pub(super) struct Answering {
    pub(super) engine: Engine,
    pub(super) runtime: Arc<tokio::runtime::Runtime>,
    /// The relations that are built as they are to be.
    pub(super) built: BTreeSet<Relation>,
}

impl Answers for Answering {
    fn rows(&self, question: &Question) -> Result<Vec<RecordBatch>, Unanswered> {
        if question.reads.iter().any(|read| !self.built.contains(read)) {
            return Err(Unanswered::Later);
        }
        let failed = |error: EngineError| Unanswered::Failed(error.to_string());
        let scope = self.engine.scope();
        for (relation, rows) in &question.rows {
            scope.register_rows(relation, rows.clone()).map_err(|error| failed(error.into()))?;
        }
        let rows = self.collected(&question.sql);
        for (relation, _) in &question.rows {
            scope.forget(relation).map_err(|error| failed(error.into()))?;
        }
        let rows = rows.map_err(failed)?;
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        if count > MOST_ROWS {
            return Err(Unanswered::Failed(format!(
                "it has more than {MOST_ROWS} rows: leave to SQL what is made of so many"
            )));
        }
        Ok(rows)
    }
}

impl Answering {
    fn collected(&self, sql: &str) -> Result<Vec<RecordBatch>, EngineError> {
        let plan = self.engine.planned(sql)?.in_one_order()?.limited(Some(MOST_ROWS + 1))?;
        let schema = plan.output();
        let mut rows = self.runtime.block_on(self.engine.collect(plan))?;
        if rows.is_empty() {
            rows.push(RecordBatch::new_empty(schema));
        }
        Ok(rows)
    }
}

impl Workspace {
    /// Compiles nodes and all that they need. What they ask of tables is answered where these are built as they are to be; else
    /// they are late.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn compile(&self, nodes: &NodeSet) -> Result<Compiled, AppError> {
        let after = self.check_hooks(When::After).err().unwrap_or_default();
        let compiled = self.compile_while(nodes, &NodeSet::new());
        match compiled.and_then(|compiled| Ok(compiled.whole()?)) {
            Ok(compiled) => Ok(after.none_or(compiled)?),
            Err(AppError::Problems(found)) => {
                Err(found.into_iter().chain(after).collect::<Problems>().into())
            }
            Err(other) => Err(other),
        }
    }

    /// Compiles nodes and all that they need, but for what is broken, while a run would bring new rows into these source tables.
    ///
    /// # Errors
    /// All that is wrong with the hooks of the run, and what keeps questions from being answered.
    pub(super) fn compile_while(&self, nodes: &NodeSet, moving: &NodeSet) -> Result<Compiled, AppError> {
        let mut compiled = self.compile_unanswered(nodes)?;
        if compiled.late.is_empty() {
            return Ok(compiled);
        }
        let warehouse = match self.warehouse() {
            Ok(warehouse) => warehouse,
            Err(error) => {
                tracing::warn!("what is asked of tables is not answered: {error}");
                return Ok(compiled);
            }
        };
        let runtime = runtime()?;
        loop {
            let engine = self.engine(&warehouse)?;
            let built = self.built(&compiled, nodes, moving, warehouse.as_ref(), &engine, &runtime)?;
            let answering: Arc<dyn Answers> = Arc::new(Answering { engine, runtime: runtime.clone(), built });
            let next = self.compile_answered(nodes, &answering);
            if next.late.is_empty() || next.late.len() == compiled.late.len() {
                return Ok(next);
            }
            compiled = next;
        }
    }

    /// The relations that are as a run would leave them; all that is stored is made known to the engine.
    fn built(
        &self,
        compiled: &Compiled,
        nodes: &NodeSet,
        moving: &NodeSet,
        warehouse: &dyn Warehouse,
        engine: &Engine,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<BTreeSet<Relation>, AppError> {
        let options = RunOptions::looking(self.rendering.full_refresh, self.rendering.date, cores());
        let known = held(&self.graph, warehouse, nodes)?;
        let context = self.run_context(compiled, warehouse, engine, runtime);
        let session = Session::new(context, options, &SilentReporter, known);
        session.register_held(nodes);
        let above = compiled.unbuilt.rest_of(&self.graph.ancestors(nodes, None));
        let mut tables = session.tables();
        let plan = session.with_planner(|planner| planner.plan(&above, &BTreeMap::new(), &mut tables));
        let mut built = NodeSet::new();
        for step in &plan.steps {
            let node = self.graph.node(step.node);
            let is_there = node.is_inlined() || session.stored(&tested_relation(node)).is_some();
            let stays = matches!(step.action, Action::Current | Action::CreateView(_));
            let is_of_built = self.graph.parents(step.node).iter().all(|parent| built.contains(parent));
            if is_there && stays && is_of_built && !moving.contains(&step.node) {
                built.insert(step.node);
            }
        }
        Ok(built.iter().map(|index| tested_relation(self.graph.node(*index))).collect())
    }
}
