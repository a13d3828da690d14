//! Unit tests: what differs from what is expected. Those of steps run their model for each, in a warehouse of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::build::BuildError;
use super::event::SilentReporter;
use super::session::{Loads, RunContext, RunOptions, Session, TestsRun, held};
use super::unit_inputs::InputRows;
use mep_contract::executor::Executor;
use mep_contract::warehouse::{RunId, Warehouse};
use mep_graph::{
    Compiled, CompiledStep, CompiledSteps, CompiledUnit, Graph, Node, NodeIndex, NodeKind, NodeSet,
    tested_relation,
};
use mep_lang::project::Problems;
use mep_quality::unit_test;

/// A warehouse that nobody else sees, with an engine over it.
pub struct Scratch {
    /// The warehouse, which is empty.
    pub warehouse: Arc<dyn Warehouse>,
    /// The engine.
    pub engine: Box<dyn Executor>,
    /// Is dropped after both, and takes the files with it.
    pub files: Box<dyn Send + Sync>,
}

/// Makes what unit tests of steps run in.
pub trait Scratches: Sync {
    /// An empty warehouse.
    ///
    /// # Errors
    /// Where there can be none.
    fn scratch(&self) -> Result<Scratch, BuildError>;

    /// The schema of tables that have none of their own.
    fn schema(&self) -> &str;

    /// Compiles a node of a graph, over tables that are stored with these columns.
    ///
    /// # Errors
    /// What is wrong with it.
    fn compile(
        &self,
        graph: &Graph,
        node: NodeIndex,
        stored: &dyn Fn(&Node) -> Option<SchemaRef>,
    ) -> Result<Compiled, Problems>;
}

impl Session<'_> {
    /// How what a unit test gives differs from what it expects; `None` where it does not.
    pub(super) fn unit_difference(
        &self,
        node: &Node,
        unit: &CompiledUnit,
    ) -> Result<Option<String>, BuildError> {
        match unit {
            CompiledUnit::Rows(rows) => self.block_on(unit_test::difference(self.engine, rows)),
            CompiledUnit::Text(texts) => Ok(unit_test::text_difference(texts)),
            CompiledUnit::Steps(steps) => self.steps_difference(node, steps),
        }
    }

    fn steps_difference(&self, node: &Node, unit: &CompiledSteps) -> Result<Option<String>, BuildError> {
        tracing::debug!("{} runs {} steps", node.name, unit.steps.len());
        let mut graph = self.graph.clone();
        for input in &unit.inputs {
            graph.store(*input, self.scratches.schema());
        }
        let steps = StepRuns { session: self, graph: &graph, unit };
        let scratch = self.scratches.scratch()?;
        let mut rows = InputRows::default();
        for step in &unit.steps {
            for given in &step.given {
                rows.add(&step.name, given);
            }
            steps.run(&scratch, &rows, step, false)?;
            let Some(expected) = &step.expected else { continue };
            let difference = self.block_on(unit_test::difference(scratch.engine.as_ref(), expected))?;
            if let Some(difference) = difference {
                return Ok(Some(format!("after {}: {difference}", step.name)));
            }
        }
        let Some(last) = unit.steps.last().filter(|_| unit.is_refreshed) else { return Ok(None) };
        let anew = self.scratches.scratch()?;
        steps.run(&anew, &rows, last, true)?;
        let table = tested_relation(graph.node(unit.model));
        let columns: Vec<String> = unit.columns.iter().map(|column| mep_sql::quoted(column)).collect();
        let sql = format!("select {} from {table}", columns.join(", "));
        let difference =
            unit_test::difference_of((scratch.engine.as_ref(), &sql), (anew.engine.as_ref(), &sql));
        Ok(self.block_on(difference)?.map(|difference| steps.is_no_refresh(&difference)))
    }
}

/// The runs of a unit test of steps.
struct StepRuns<'a> {
    session: &'a Session<'a>,
    /// The graph, in which inputs are tables.
    graph: &'a Graph,
    unit: &'a CompiledSteps,
}

impl StepRuns<'_> {
    /// Runs the model over these rows of its inputs.
    fn run(
        &self,
        scratch: &Scratch,
        rows: &InputRows,
        step: &CompiledStep,
        full_refresh: bool,
    ) -> Result<(), BuildError> {
        let Self { session, graph, unit } = self;
        let (warehouse, engine) = (scratch.warehouse.as_ref(), scratch.engine.as_ref());
        let failed = |message: String| BuildError::Plan(format!("{}: {message}", step.name));
        let stored = |node: &Node| -> Option<SchemaRef> {
            let relation = node.relation.as_ref()?;
            warehouse.read(relation).ok().flatten().map(|table| table.schema)
        };
        let compiled = session.scratches.compile(graph, unit.model, &stored);
        let compiled = compiled.map_err(|problems| failed(problems.to_string()))?;
        let run = RunId::generate();
        for (input, given) in rows.by_input() {
            let table = session.block_on(given.table(graph.node(input), input, &compiled, scratch, &run))?;
            let relation = tested_relation(graph.node(input));
            warehouse.publish(&relation, &table, &super::carry_out::presentation(graph.node(input)))?;
        }
        let context = RunContext {
            graph,
            compiled: &compiled,
            warehouse,
            engine,
            runtime: session.runtime,
            run: &run,
            hooks: &(),
            scratches: session.scratches,
            serving: None,
        };
        let options = RunOptions {
            full_refresh,
            until: step.until,
            event_times: None,
            tests: TestsRun::BeforePublish,
            loads: Loads::AllRows,
            ..session.options
        };
        let nodes = NodeSet::from([unit.model]);
        let inner = Session::new(context, options, &SilentReporter, held(graph, warehouse, &nodes)?);
        inner.register_held(&nodes);
        let mut tables = inner.tables();
        let plan = inner.with_planner(|planner| planner.plan(&nodes, &BTreeMap::new(), &mut tables));
        let results = inner.carry_out(&plan, &NodeSet::new());
        match results.into_iter().find(|result| result.status.is_failure()) {
            Some(result) => Err(failed(result.message.unwrap_or_default())),
            None => Ok(()),
        }
    }

    /// What is told where the last step left other rows than a full refresh gives.
    fn is_no_refresh(&self, difference: &str) -> String {
        let node = self.graph.node(self.unit.model);
        let own = matches!(node.kind, NodeKind::Model { uses_is_incremental: true, .. });
        let help = if own {
            "its `is_incremental()` says itself which rows it takes: leave it to mep and take it out, or, where that is meant, write `full_refresh: false` in the test"
        } else {
            "this is what mep promises of its tables: where the model keeps by its config what its inputs no longer give, write `full_refresh: false` in the test"
        };
        let difference = difference.replacen("actual differs from expected", "differs", 1);
        format!(
            "the table after the last step, beside what a full refresh of the same inputs gives, {difference}\n\n{help}"
        )
    }
}
