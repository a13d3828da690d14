//! Unit tests: a model's SQL over rows that stand in a file, and the rows that it is to give.
//!
//! The rows are CTEs in the place of what the model reads, of the types that it reads there, so that a unit test needs no warehouse.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexMap;
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
use mep_core::relation::Relation;
use mep_decode::csv_table::rows_of_text;
use mep_lang::jinja::{Asked, Refusal, Rendered, Resolved, Resolver, Subject, Templates};
use mep_lang::project::{Place, Problem, Project, UnitRows, UnitTest, nearest};
use mep_sql::{Scope, SqlProblem, quoted, sql_type};

/// What a unit test expects, compiled.
#[derive(Clone, Debug)]
pub struct CompiledUnit {
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
            for model in self.tested_models(test, package) {
                let model_id = self.nodes[model].id.clone();
                let mut inputs = Vec::new();
                for given in &test.given {
                    if given.input.value.trim() == "this" {
                        inputs.push(model_id.clone());
                    } else if let Some(id) = self.written_reference(model, &given.input) {
                        inputs.push(id);
                    }
                }
                if inputs.len() < test.given.len() {
                    continue;
                }
                let name = match self.nodes[model].version() {
                    Some(version) => with_version(&test.name.value, version),
                    None => test.name.value.clone(),
                };
                let mut config = NodeConfig { tags: test.tags.clone(), ..NodeConfig::default() };
                config.raw.insert("tags".to_owned(), test.tags.clone().into());
                config.meta = Json::Object(test.meta.clone().into_iter().collect());
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
                if matches!(self.nodes[found].kind, NodeKind::Model { .. }) {
                    return Some(found);
                }
                format!("`{name}` is a {}, and unit tests are of models", self.nodes[found].resource_type())
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

/// What compiling a unit test needs.
pub(super) struct UnitCompiler<'a> {
    pub(super) project: &'a Project,
    pub(super) templates: &'a Templates,
    pub(super) graph: &'a Graph,
    /// Where what the model reads is known by its columns.
    pub(super) scope: &'a Scope,
    pub(super) names: &'a Arc<Names>,
}

/// The names of a model while it is rendered for a unit test.
struct UnitNames {
    inner: NodeNames,
    /// The CTE that stands for a relation.
    given: HashMap<Relation, Relation>,
}

impl UnitNames {
    fn resolved(&self, resolved: &Resolved, said: &str) -> Result<Resolved, String> {
        let given = self.given.get(&resolved.relation);
        given.map(|cte| cte.clone().into()).ok_or_else(|| format!("the test gives no rows for {said}"))
    }
}

impl Resolver for UnitNames {
    fn resolve_ref(&self, package: Option<&str>, name: &str) -> Result<Resolved, String> {
        self.resolved(&self.inner.resolve_ref(package, name)?, &format!("ref('{name}')"))
    }

    fn resolve_source(&self, source: &str, table: &str) -> Result<Resolved, String> {
        let resolved = self.inner.resolve_source(source, table)?;
        self.resolved(&resolved, &format!("source('{source}', '{table}')"))
    }

    fn is_incremental(&self) -> bool {
        self.inner.is_incremental
    }

    fn columns(&self, relation: &Relation) -> Result<Vec<(String, String)>, String> {
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

    fn constant(&self, expression: &str) -> Result<Json, String> {
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
        let nothing = || Problem::new(format!("the unit test `{}` tests nothing", test.name.value));
        let index = *tested.first().ok_or_else(nothing)?;
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
        if node.config.materialized == Materialization::History {
            (rendered, plan) = history::over_events(self.scope, node, rendered, &plan)
                .map_err(|problem| Problem::new(problem.message()).at(&test.name.place))?;
        }
        let schema = plan.output();
        let expected = self.rows(&test.expect, &schema, "what is expected")?;
        let columns = self.compared(test, &schema, &expected)?;
        let listed: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let listed = listed.join(", ");
        let actual = format!("select {listed} from (\n{}\n) as dbt_internal_actual", rendered.sql);
        let expected = format!("select {listed} from (\n{expected}\n) as dbt_internal_expected");
        for sql in [&actual, &expected] {
            let planned = self.scope.plan(sql);
            let checked = planned.and_then(|plan| self.scope.check_executable(&plan, sql));
            checked.map_err(|problem| unplanned(test, &problem))?;
        }
        let sql = actual.clone();
        Ok(CompiledTest { rendered, sql, unit: Some(CompiledUnit { actual, expected }) })
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
        let rendered = self.templates.render_overriding(&subject, names, &test.overrides);
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
    fn columns(&self, input: NodeIndex, place: &Place) -> Result<SchemaRef, Problem> {
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

    /// The columns that are compared: those that the first of the expected rows has, or all.
    fn compared(&self, test: &UnitTest, schema: &SchemaRef, expected: &str) -> Result<Vec<String>, Problem> {
        let all = || schema.fields().iter().map(|field| field.name().clone()).collect();
        Ok(match &test.expect {
            UnitRows::Listed(rows) => match rows.value.first() {
                Some(_) => {
                    let written = rows.value.iter().flat_map(IndexMap::keys);
                    let mut names: Vec<String> = Vec::new();
                    for name in written.filter_map(|name| column(schema, name)) {
                        if !names.contains(name.name()) {
                            names.push(name.name().clone());
                        }
                    }
                    names
                }
                None => all(),
            },
            UnitRows::Csv(text) => {
                let header = text.value.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let names = header.split(',').map(|name| name.trim().trim_matches('"'));
                names.filter_map(|name| column(schema, name)).map(|field| field.name().clone()).collect()
            }
            UnitRows::Sql(_) => {
                let plan = self.scope.plan(expected).map_err(|problem| unplanned(test, &problem))?;
                let output = plan.output();
                let names = output.fields().iter().filter_map(|field| column(schema, field.name()));
                names.map(|field| field.name().clone()).collect()
            }
        })
    }

    /// The SELECT of rows, of the types of these columns.
    fn rows(&self, rows: &UnitRows, schema: &SchemaRef, of: &str) -> Result<String, Problem> {
        let listed = match rows {
            UnitRows::Sql(sql) => return Ok(sql.value.clone()),
            UnitRows::Listed(rows) => rows.value.clone(),
            UnitRows::Csv(text) => csv_rows(&text.value)
                .map_err(|message| Problem::new(format!("the rows of {of}: {message}")).at(&text.place))?,
        };
        let place = rows.place();
        let mut selects = Vec::new();
        for row in &listed {
            if let Some(name) = row.keys().find(|name| column(schema, name).is_none()) {
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                let message = format!("the rows of {of} have a column `{name}`, and there is no such column");
                let problem = Problem::new(message).at(place);
                return Err(match nearest(name, names.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("the columns are {}", names.join(", "))),
                });
            }
            selects.push(self.row(row, schema, of, place)?);
        }
        if selects.is_empty() {
            return Ok(format!("{} where false", self.row(&IndexMap::new(), schema, of, place)?));
        }
        Ok(selects.join("\nunion all\n"))
    }

    fn row(
        &self,
        row: &IndexMap<String, Json>,
        schema: &SchemaRef,
        of: &str,
        place: &Place,
    ) -> Result<String, Problem> {
        let mut values = Vec::new();
        for field in schema.fields() {
            let is_it = |(name, _): &(&String, &Json)| {
                column(schema, name).is_some_and(|found| found.name() == field.name())
            };
            let value = row.iter().find(is_it).map_or(&Json::Null, |(_, value)| value);
            let literal = match value {
                Json::Null => "null".to_owned(),
                Json::Bool(_) | Json::Number(_) => value.to_string(),
                Json::String(text) => text_literal(text),
                Json::Array(_) | Json::Object(_) if is_text(field.data_type()) => {
                    text_literal(&value.to_string())
                }
                Json::Array(items) => match items.iter().map(simple_literal).collect::<Option<Vec<_>>>() {
                    Some(items) => format!("[{}]", items.join(", ")),
                    None => return Err(unwritten(field, of, place)),
                },
                Json::Object(_) => return Err(unwritten(field, of, place)),
            };
            values.push(format!("{} as {}", self.cast(&literal, field.data_type()), quoted(field.name())));
        }
        Ok(format!("select {}", values.join(", ")))
    }

    /// The value as one of a type, as far as SQL has a word for it.
    fn cast(&self, literal: &str, data_type: &DataType) -> String {
        let cast = format!("cast({literal} as {})", sql_type(data_type));
        let is_sql = self.scope.plan(&format!("select cast(null as {}) as x", sql_type(data_type))).is_ok();
        if is_sql { cast } else { literal.to_owned() }
    }
}

fn unwritten(field: &Field, of: &str, place: &Place) -> Problem {
    let message = format!(
        "the rows of {of}: a value of `{}`, of type {}, cannot be written so",
        field.name(),
        sql_type(field.data_type())
    );
    Problem::new(message).at(place).help("write the rows as SQL, with format: sql")
}

fn unplanned(test: &UnitTest, problem: &SqlProblem) -> Problem {
    let said = Problem::new(format!("the unit test `{}`: {}", test.name.value, problem.message));
    let said = said.at(&test.name.place);
    match &problem.help {
        Some(help) => said.help(help),
        None => said,
    }
}

/// The column of a name, in any case where none has it as written.
fn column<'s>(schema: &'s Schema, name: &str) -> Option<&'s Field> {
    let fields = || schema.fields().iter().map(AsRef::as_ref);
    fields()
        .find(|field: &&Field| field.name() == name)
        .or_else(|| fields().find(|field: &&Field| field.name().eq_ignore_ascii_case(name)))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
}

fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn simple_literal(value: &Json) -> Option<String> {
    match value {
        Json::Null => Some("null".to_owned()),
        Json::String(text) => Some(text_literal(text)),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// The rows of a text of CSV; a value that is not there is NULL.
///
/// # Errors
/// Where it is no CSV.
pub fn csv_rows(text: &str) -> Result<Vec<IndexMap<String, Json>>, String> {
    let text = text.trim_start_matches(['\n', '\r']);
    let names: Vec<String> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_owned())
        .collect();
    let trimmed: Vec<String> = text.lines().map(|line| line.trim_start().to_owned()).collect();
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = rows_of_text(&trimmed.join("\n"), ',', &schema).map_err(|error| error.to_string())?;
    let row = |row: usize| {
        let value = |column: usize| {
            let values = batch.column(column).as_string::<i32>();
            if values.is_null(row) { Json::Null } else { values.value(row).trim().into() }
        };
        names.iter().enumerate().map(|(column, name)| (name.clone(), value(column))).collect()
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_read_as_texts_and_what_is_not_there_is_null() {
        let rows = csv_rows("\nid,name\n1,'a'\n2,\n").unwrap();
        let said: Vec<String> =
            rows.iter().map(|row| Json::Object(row.clone().into_iter().collect()).to_string()).collect();
        assert_eq!(said, [r#"{"id":"1","name":"'a'"}"#, r#"{"id":"2","name":null}"#]);
    }
}
