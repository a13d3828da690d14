//! Unit tests of steps: what the inputs of a model hold before each of several runs, and what its table holds after it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use chrono::NaiveDate;
use indexmap::IndexMap;

use super::attached_tests::tested_relation;
use super::compiled::CompiledTest;
use super::config::Materialization;
use super::node::{Node, NodeId, NodeKind};
use super::node_index::NodeIndex;
use super::unit_tests::{ComparedRows, CompiledUnit, UnitCompiler, unplanned};
use mep_core::relation::Relation;
use mep_lang::jinja::{Rendered, SourceMap};
use mep_lang::project::{Problem, UnitInput, UnitTest};
use mep_sql::quoted;

/// Runs of a model, one after another, compiled.
#[derive(Clone, Debug)]
pub struct CompiledSteps {
    /// The model or snapshot that is run.
    pub model: NodeIndex,
    /// The columns of its table.
    pub columns: Vec<String>,
    /// The inputs that have rows.
    pub inputs: Vec<NodeIndex>,
    /// The runs.
    pub steps: Vec<CompiledStep>,
    /// Whether a full refresh after the last one must give the same rows.
    pub is_refreshed: bool,
}

/// A run of a model.
#[derive(Clone, Debug)]
pub struct CompiledStep {
    /// What it is called.
    pub name: String,
    /// The logical date.
    pub until: Option<NaiveDate>,
    /// What inputs get before it.
    pub given: Vec<GivenRows>,
    /// What the table is to hold after it.
    pub expected: Option<ComparedRows>,
}

/// Rows that an input gets.
#[derive(Clone, Debug)]
pub struct GivenRows {
    /// The input.
    pub input: NodeIndex,
    /// The SELECT that gives them.
    pub sql: String,
    /// Whether they stand in the place of those that it had.
    pub replaces: bool,
}

impl UnitCompiler<'_> {
    /// A test of steps, whose model has been compiled.
    pub(super) fn steps(
        &self,
        test: &UnitTest,
        model: NodeIndex,
        inputs: &[NodeId],
    ) -> Result<CompiledTest, Problem> {
        let node = self.graph.node(model);
        check_steps(test, node)?;
        let mut nodes = Vec::new();
        for (id, given) in inputs.iter().zip(test.inputs()) {
            let input = self.graph.position(id).map(|input| self.filler_of(input));
            let Some(input) = input.filter(|input| *input != model) else {
                let problem =
                    Problem::new("the steps of a unit test begin with no table, so that `this` has no rows");
                return Err(problem
                    .at(&given.input.place)
                    .help("write a first step whose rows come to these"));
            };
            nodes.push(input);
        }
        self.check_all_are_given(test, model, &nodes)?;
        let schema = self.columns(model, &test.model.place)?;
        let mut given = nodes.iter().zip(test.inputs());
        let mut take = |count: usize| -> Result<Vec<GivenRows>, Problem> {
            given.by_ref().take(count).map(|(input, of)| self.given(test, *input, of)).collect()
        };
        let mut before = take(test.given.len())?;
        let mut steps = Vec::new();
        for (at, step) in test.steps.iter().enumerate() {
            let mut given = std::mem::take(&mut before);
            given.extend(take(step.given.len())?);
            let name = match &step.name {
                Some(name) => format!("step {} ({name})", at + 1),
                None => format!("step {}", at + 1),
            };
            let of_table = tested_relation(node).to_string();
            let expected = step.expect.as_ref();
            let expected =
                expected.map(|rows| self.compared_rows(test, rows, &schema, &of_table)).transpose()?;
            if let Some(rows) = &expected {
                self.scope.plan(&rows.expected).map_err(|problem| unplanned(test, &problem))?;
            }
            let until = step.date.as_ref().map(|date| date.value);
            steps.push(CompiledStep { name, until, given, expected });
        }
        let is_snapshot = matches!(node.kind, NodeKind::Snapshot { .. });
        let sql = steps.iter().rev().find_map(|step| step.expected.as_ref());
        let sql = sql.map(|rows| rows.actual.clone()).unwrap_or_default();
        let rendered = Rendered {
            sql: sql.clone(),
            map: SourceMap::whole(test.name.place.clone()),
            refs: Vec::new(),
            sources: Vec::new(),
            config: IndexMap::new(),
        };
        nodes.sort_unstable();
        nodes.dedup();
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        // The past of a snapshot is nowhere else, so that it is never built anew.
        let is_refreshed = test.full_refresh && !is_snapshot && node.config.full_refresh != Some(false);
        let unit = CompiledSteps { model, columns, inputs: nodes, steps, is_refreshed };
        Ok(CompiledTest { rendered, sql, unit: Some(CompiledUnit::Steps(unit)) })
    }

    /// The node that builds what an input is read as.
    fn filler_of(&self, input: NodeIndex) -> NodeIndex {
        let filler = self.graph.parents(input).first().filter(|_| self.graph.node(input).is_filled());
        filler.copied().unwrap_or(input)
    }

    fn check_all_are_given(
        &self,
        test: &UnitTest,
        model: NodeIndex,
        nodes: &[NodeIndex],
    ) -> Result<(), Problem> {
        let given: HashSet<Relation> =
            nodes.iter().map(|input| tested_relation(self.graph.node(*input))).collect();
        let parents = self.graph.parents(model).iter().map(|parent| self.graph.node(*parent));
        let mut missing = parents.filter(|parent| !given.contains(&tested_relation(parent)));
        let Some(missing) = missing.next() else { return Ok(()) };
        let written = match &missing.kind {
            NodeKind::Source { source, .. } => format!("source('{source}', '{}')", missing.name),
            _ => format!("ref('{}')", missing.name),
        };
        let message = format!("the unit test `{}`: no step gives rows for {written}", test.name.value);
        let problem = Problem::new(message).at(&test.name.place);
        Err(problem.help("write an `input` for it under `given` of the first step, with `rows: []` for none"))
    }

    /// The rows of an input with the types of its columns.
    fn given(&self, test: &UnitTest, input: NodeIndex, of: &UnitInput) -> Result<GivenRows, Problem> {
        let schema = match self.sources.get(&input) {
            Some(table) => self.declared(input, &table.partition_columns(), of)?,
            None => self.columns(input, &of.input.place)?,
        };
        let rows = self.rows(&of.rows, &schema, &of.input.value)?;
        let columns = schema.fields().iter().map(|field| {
            let name = quoted(field.name());
            format!("{} as {name}", self.cast(&name, field.data_type()))
        });
        let columns: Vec<String> = columns.collect();
        let sql = format!("select {} from (\n{rows}\n) as given", columns.join(", "));
        self.scope.plan(&sql).map_err(|problem| unplanned(test, &problem))?;
        Ok(GivenRows { input, sql, replaces: of.replaces })
    }

    /// The columns that a landed table is declared with: the day and the batch of a row follow from it.
    fn declared(&self, input: NodeIndex, added: &[String], of: &UnitInput) -> Result<SchemaRef, Problem> {
        let all = self.columns(input, &of.input.place)?;
        let fields = all.fields().iter().filter(|field| !added.contains(field.name()));
        Ok(Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())))
    }
}

/// Whether runs of the model leave a table that the next one goes on from.
fn check_steps(test: &UnitTest, node: &Node) -> Result<(), Problem> {
    let is_table = match node.kind {
        NodeKind::Snapshot { .. } => true,
        _ => node.config.materialized().is_table(),
    };
    let name = &node.name;
    if node.config.materialized() == Materialization::Streaming {
        let message = format!(
            "the unit test `{}` has steps, and `{name}` is a streaming model, which has none",
            test.name.value
        );
        let help = "test its SELECT with `given` and `expect`; what its epochs come to is compared by: mep reconcile";
        return Err(Problem::new(message).at(&test.model.place).help(help));
    }
    if !is_table {
        let kind = match node.config.materialized() {
            Materialization::Ephemeral => "ephemeral",
            _ => "a view",
        };
        let message = format!(
            "the unit test `{}` has steps, and `{name}` is {kind}: no run leaves rows that the next one finds",
            test.name.value
        );
        let help = "take `steps` away: write `given`, and the rows that the SELECT gives under `expect`";
        return Err(Problem::new(message).at(&test.model.place).help(help));
    }
    let without_date = test.steps.iter().find(|step| step.date.is_none());
    if let Some(step) = without_date.filter(|_| node.config.model().is_microbatch()) {
        let message =
            format!("a step of a microbatch model needs a `date`: `{name}` is run for all batches up to it");
        return Err(Problem::new(message).at(&step.place).help("write date: 2018-11-01, or the like"));
    }
    Ok(())
}
