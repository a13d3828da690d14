//! Unit tests: a model's SQL over rows that stand in a file, and the rows that it is to give.
//!
//! The rows are CTEs in the place of what the model reads, of the types that it reads there, so that a unit test needs no warehouse.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde_json::Value as Json;

use super::attached_tests::tested_relation;
use super::build::{Builder, package_of};
use super::compile::one_query;
use super::compiled::CompiledTest;
use super::config::{Materialization, NodeConfig};
use super::dag::Graph;
use super::history;
use super::inline::{Ephemeral, with_ephemerals};
use super::names::{Names, NodeNames};
use super::node::{Dependency, Mentions, Node, NodeId, NodeKind, TestDetail, with_version};
use super::node_index::NodeIndex;
use super::resolve::Named;
use super::unit_macros::ComparedText;
use super::unit_steps::CompiledSteps;
use mep_contract::source::LandingTable;
use mep_core::relation::Relation;
use mep_lang::jinja::{Asked, Refusal, Rendered, Resolved, Resolver, Subject, Templates};
use mep_lang::project::{Place, Problem, Project, UnitRows, UnitTest};
use mep_sql::{Scope, SqlProblem, quoted};

/// What a unit test expects, compiled.
#[derive(Clone, Debug)]
pub enum CompiledUnit {
    /// Rows of a SELECT.
    Rows(ComparedRows),
    /// The rows of a table after each of several runs.
    Steps(CompiledSteps),
    /// The text of a macro.
    Text(ComparedText),
}

/// Rows that are to be the same.
#[derive(Clone, Debug)]
pub struct ComparedRows {
    /// The SQL that gives the rows of the model, with the columns that are compared.
    pub actual: String,
    /// The SQL that gives the rows that it is to give.
    pub expected: String,
}

impl Builder<'_> {
    /// Adds each unit test to its model.
    pub(super) fn add_unit_tests(&mut self) {
        for (index, test) in self.project.unit_tests.iter().enumerate() {
            let package = self.project.package_of(test.name.place.text.path());
            if test.of_macro.is_some() {
                self.nodes.push(macro_node(index, test, package));
                continue;
            }
            for model in self.tested_models(test, package) {
                let model_id = self.nodes[model].id.clone();
                let mut inputs = Vec::new();
                for given in test.inputs() {
                    if given.input.value.trim() == "this" {
                        inputs.push(model_id.clone());
                    } else if let Some(id) = self.written_reference(model, &given.input) {
                        inputs.push(id);
                    }
                }
                if inputs.len() < test.inputs().count() {
                    continue;
                }
                let name = match self.nodes[model].version() {
                    Some(version) => with_version(&test.name.value, version),
                    None => test.name.value.clone(),
                };
                let config = config_of(test);
                let mut fqn = test.folders.clone();
                fqn.extend([self.nodes[model].name.clone(), name.clone()]);
                let mut id = format!("unit_test.{package}.{}.{}", self.nodes[model].name, test.name.value);
                if let Some(version) = self.nodes[model].version() {
                    id = format!("{id}_v{}", version.version);
                }
                self.nodes.push(Node {
                    id: NodeId::new(id),
                    name,
                    fqn,
                    path: test.name.place.text.path().to_owned(),
                    place: Some(test.name.place.clone()),
                    relation: None,
                    deferred: None,
                    config,
                    depends_on: vec![Dependency { id: model_id, place: Some(test.model.place.clone()) }],
                    mentions: Mentions::default(),
                    description: test.description.clone(),
                    columns: Vec::new(),
                    constraints: Vec::new(),
                    kind: NodeKind::Test(TestDetail::Unit { index, inputs }),
                });
            }
        }
    }

    /// The model that a unit test names, in those of its versions that it is of.
    fn tested_models(&mut self, test: &UnitTest, package: &str) -> Vec<usize> {
        let Some(model) = self.tested_model(test, package) else { return Vec::new() };
        if self.nodes[model].version().is_none() {
            return vec![model];
        }
        let (name, fqn) = (self.nodes[model].name.clone(), package_of(&self.nodes[model].fqn).to_owned());
        let is_meant = |node: &Node| {
            node.name == name
                && package_of(&node.fqn) == fqn
                && node.version().is_some_and(|version| {
                    let is_included = test.include.is_empty() || test.include.contains(&version.version);
                    is_included && !test.exclude.contains(&version.version)
                })
        };
        (0..self.nodes.len()).filter(|at| is_meant(&self.nodes[*at])).collect()
    }

    /// The model that a unit test names; nothing where that is told of, or where it takes no part.
    fn tested_model(&mut self, test: &UnitTest, package: &str) -> Option<usize> {
        let name = &test.model.value;
        let packages = [package, &self.project.name];
        let found = packages.iter().find_map(|of| self.refs.get(&((*of).to_owned(), name.clone())));
        let message = match found {
            Some(Named::Disabled) => return None,
            Some(Named::Node(id)) => {
                let found = self.nodes.iter().position(|node| node.id == *id)?;
                let is_snapshot = matches!(self.nodes[found].kind, NodeKind::Snapshot { .. });
                let has_steps = !test.steps.is_empty();
                if matches!(self.nodes[found].kind, NodeKind::Model { .. }) || is_snapshot && has_steps {
                    return Some(found);
                }
                let kind = self.nodes[found].resource_type();
                if is_snapshot {
                    format!("`{name}` is a snapshot, and unit tests of snapshots have `steps`")
                } else {
                    format!("`{name}` is a {kind}, and unit tests are of models")
                }
            }
            None => format!("there is no model `{name}`"),
        };
        let problem = Problem::new(message).at(&test.model.place);
        let models = self.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Model { .. }));
        let problem = problem.did_you_mean(name, models.map(|node| node.name.as_str()));
        self.problems.push(problem);
        None
    }
}

/// The config of a unit test.
fn config_of(test: &UnitTest) -> NodeConfig {
    let mut config = NodeConfig { tags: test.tags.clone(), ..NodeConfig::default() };
    config.raw.insert("tags".to_owned(), test.tags.clone().into());
    config.meta = Json::Object(test.meta.clone().into_iter().collect());
    config
}

/// A test of a macro, which depends on no node.
fn macro_node(index: usize, test: &UnitTest, package: &str) -> Node {
    let called = &test.model.value;
    let mut fqn = test.folders.clone();
    fqn.extend([called.clone(), test.name.value.clone()]);
    Node {
        id: NodeId::new(format!("unit_test.{package}.{called}.{}", test.name.value)),
        name: test.name.value.clone(),
        fqn,
        path: test.name.place.text.path().to_owned(),
        place: Some(test.name.place.clone()),
        relation: None,
        deferred: None,
        config: config_of(test),
        depends_on: Vec::new(),
        mentions: Mentions::default(),
        description: test.description.clone(),
        columns: Vec::new(),
        constraints: Vec::new(),
        kind: NodeKind::Test(TestDetail::Unit { index, inputs: Vec::new() }),
    }
}

/// What compiling a unit test needs.
pub(super) struct UnitCompiler<'a> {
    pub(super) project: &'a Project,
    pub(super) templates: &'a Templates,
    pub(super) graph: &'a Graph,
    /// Where what the model reads is known by its columns.
    pub(super) scope: &'a Scope,
    pub(super) names: &'a Arc<Names>,
    /// What sources land in.
    pub(super) sources: &'a HashMap<NodeIndex, LandingTable>,
}

/// The names of a model while it is rendered for a unit test.
struct UnitNames {
    inner: NodeNames,
    /// The CTE that stands for a relation.
    given: HashMap<Relation, Relation>,
}

impl UnitNames {
    fn resolved(&self, resolved: &Resolved, said: &str) -> Result<Resolved, Refusal> {
        let given = self.given.get(&resolved.relation);
        given
            .map(|cte| cte.clone().into())
            .ok_or_else(|| Refusal::new(format!("the test gives no rows for {said}")))
    }
}

impl Resolver for UnitNames {
    fn resolve_ref(&self, package: Option<&str>, name: &str) -> Result<Resolved, Refusal> {
        self.resolved(&self.inner.resolve_ref(package, name)?, &format!("ref('{name}')"))
    }

    fn resolve_source(&self, source: &str, table: &str) -> Result<Resolved, Refusal> {
        let resolved = self.inner.resolve_source(source, table)?;
        self.resolved(&resolved, &format!("source('{source}', '{table}')"))
    }

    fn is_incremental(&self) -> bool {
        self.inner.is_incremental
    }

    fn columns(&self, relation: &Relation) -> Result<Vec<(String, String)>, Refusal> {
        let of = self.given.iter().find(|(_, cte)| *cte == relation);
        self.inner.columns(of.map_or(relation, |(of, _)| of))
    }

    fn ask(&self, _: &str) -> Result<Asked, Refusal> {
        Err(Refusal {
            message: "a unit test asks no tables".to_owned(),
            help: Some("say what the macro that asks gives, under `overrides: macros:`".to_owned()),
        })
    }

    fn graph(&self) -> Json {
        self.inner.graph()
    }

    fn constant(&self, expression: &str) -> Result<Json, Refusal> {
        self.inner.constant(expression)
    }
}

impl UnitCompiler<'_> {
    /// A unit test of a model, which is the only node that it needs.
    ///
    /// # Errors
    /// Where its rows do not fit what they stand for, or the model cannot be rendered or planned over them.
    pub(super) fn compile(
        &self,
        test: &UnitTest,
        tested: &[NodeIndex],
        inputs: &[NodeId],
    ) -> Result<CompiledTest, Problem> {
        if let Some(of) = &test.of_macro {
            return self.macro_test(test, of);
        }
        let nothing = || Problem::new(format!("the unit test `{}` tests nothing", test.name.value));
        let index = *tested.first().ok_or_else(nothing)?;
        if !test.steps.is_empty() {
            return self.steps(test, index, inputs);
        }
        let node = self.graph.node(index);
        let NodeKind::Model { index: of, .. } = node.kind else { return Err(nothing()) };
        let mut ctes = HashMap::new();
        let mut given = HashMap::new();
        let mut order = Vec::new();
        for (id, rows) in inputs.iter().zip(&test.given) {
            let Some(input) = self.graph.position(id) else { continue };
            let sql = self.rows(&rows.rows, &self.columns(input, &rows.input.place)?, &rows.input.value)?;
            let input_node = self.graph.node(input);
            let cte = Relation::ephemeral(&match input_node.version() {
                Some(version) => with_version(&input_node.name, version),
                None => input_node.shown_name().replace('.', "__"),
            });
            given.insert(tested_relation(input_node), cte.clone());
            // A source table that a node of the project fills is that node's.
            if input_node.is_filled() {
                for filler in self.graph.parents(input) {
                    given.insert(tested_relation(self.graph.node(*filler)), cte.clone());
                }
            }
            ctes.insert(input, Ephemeral { name: cte.to_string(), sql, within: Vec::new() });
            order.push(input);
        }
        let this = given.get(&tested_relation(node)).cloned().unwrap_or_else(|| tested_relation(node));
        let rendered = self.rendered(test, node, of, given, this)?;
        let sql = with_ephemerals(&rendered.sql, &order, &ctes);
        let mut rendered = Rendered { sql, ..rendered };
        let mut plan = self.scope.plan(&rendered.sql).map_err(|problem| unplanned(test, &problem))?;
        if node.config.materialized() == Materialization::History {
            (rendered, plan) = history::over_events(self.scope, node, rendered, &plan)
                .map_err(|problem| Problem::new(problem.message()).at(&test.name.place))?;
        }
        let schema = plan.output();
        let actual = format!("(\n{}\n)", rendered.sql);
        let compared = self.compared_rows(test, &test.expect, &schema, &actual)?;
        for sql in [&compared.actual, &compared.expected] {
            let planned = self.scope.plan(sql);
            let checked = planned.and_then(|plan| self.scope.check_executable(&plan, sql));
            checked.map_err(|problem| unplanned(test, &problem))?;
        }
        let sql = compared.actual.clone();
        Ok(CompiledTest { rendered, sql, unit: Some(CompiledUnit::Rows(compared)) })
    }

    /// What is expected beside what is there: the columns that are compared, of a relation or of a SELECT in parentheses.
    pub(super) fn compared_rows(
        &self,
        test: &UnitTest,
        expect: &UnitRows,
        schema: &SchemaRef,
        actual: &str,
    ) -> Result<ComparedRows, Problem> {
        let expected = self.rows(expect, schema, "what is expected")?;
        let columns = self.compared(test, expect, schema, &expected)?;
        let listed: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let listed = listed.join(", ");
        let actual = format!("select {listed} from {actual} as dbt_internal_actual");
        let expected = format!("select {listed} from (\n{expected}\n) as dbt_internal_expected");
        Ok(ComparedRows { actual, expected })
    }

    fn rendered(
        &self,
        test: &UnitTest,
        node: &Node,
        of: usize,
        given: HashMap<Relation, Relation>,
        this: Relation,
    ) -> Result<Rendered, Problem> {
        let is_incremental = match test.overrides.macros.get("is_incremental") {
            Some(Json::Bool(said)) => *said,
            Some(Json::String(said)) => said.eq_ignore_ascii_case("true"),
            _ => false,
        };
        let subject = Subject {
            text: &self.project.models[of].text,
            block: None,
            name: &node.name,
            unique_id: node.id.as_str(),
            resource_type: node.resource_type(),
            fqn: &node.fqn,
            this,
            config: node.config.raw.clone(),
            description: node.description.as_deref().unwrap_or_default(),
            columns: &node.columns,
        };
        let inner = NodeNames {
            names: self.names.clone(),
            is_incremental,
            parts: None,
            scope: Some(self.scope.clone()),
            asking: None,
        };
        let names = Arc::new(UnitNames { inner, given });
        let rendered = self.templates.render_overriding(&subject, names, &test.overrides, &[]);
        rendered.map(one_query).map_err(|problem| {
            let said = Problem::new(format!("the unit test `{}`: {}", test.name.value, problem.message()));
            let said = said.at(&test.name.place);
            if problem.message().contains("gives no rows for") {
                return said.help("write an `input` for it under `given`, with `rows: []` for none");
            }
            match problem.help_text() {
                Some(help) => said.help(help),
                None => said,
            }
        })
    }

    /// The columns of what rows stand for.
    pub(super) fn columns(&self, input: NodeIndex, place: &Place) -> Result<SchemaRef, Problem> {
        let node = self.graph.node(input);
        let filler = self.graph.parents(input).first().filter(|_| node.is_filled());
        let relation = tested_relation(filler.map_or(node, |filler| self.graph.node(*filler)));
        if !self.scope.knows(&relation) {
            let message = format!("the columns of `{}` are not known", node.shown_name());
            let help = "declare its columns, each with a `data_type`, or write the rows as SQL";
            return Err(Problem::new(message).at(place).help(help));
        }
        let scanned = self.scope.scan(&relation);
        Ok(scanned.map_err(|error| Problem::new(error.to_string()).at(place))?.output())
    }
}

pub(super) fn unplanned(test: &UnitTest, problem: &SqlProblem) -> Problem {
    let said = Problem::new(format!("the unit test `{}`: {}", test.name.value, problem.message));
    let said = said.at(&test.name.place);
    match &problem.help {
        Some(help) => said.help(help),
        None => said,
    }
}
