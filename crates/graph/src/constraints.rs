//! Constraints of models with a contract: what is promised of their rows, and the SQL that counts those which break it.

use std::collections::HashSet;

use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;

use super::attached_tests::tested_relation;
use super::build::Builder;
use super::dag::Graph;
use super::node::{Dependency, Node, NodeId, NodeKind};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_core::warnings::WarningKind;
use mep_lang::jinja::Subject;
use mep_lang::project::{
    Constraint, ConstraintKind, Located, Place, Problem, Problems, SourceText, Weight, nearest,
};
use mep_sql::constraint::{is_false, lacks_value, rows_sharing, rows_where, rows_without};
use mep_sql::{Scope, SqlProblem};

/// A constraint of a node that is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedConstraint {
    /// As it is written.
    pub written: Constraint,
    /// Of a foreign key: the node whose rows have the values, and the columns that it has them in.
    pub to: Option<(NodeId, Vec<String>)>,
}

/// A constraint over the columns as they are stored.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledConstraint {
    /// What messages call it: its name, or its type and columns.
    pub shown: String,
    /// What is promised.
    pub promise: Promise,
}

/// What is promised of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Each row by itself: SQL that holds of those which break it.
    OfEach(String),
    /// No two rows share their values in these columns.
    OfAll(Vec<String>),
    /// A row of another table has the values.
    OfOther {
        /// The columns.
        columns: Vec<String>,
        /// The other table.
        to: Relation,
        /// Its columns.
        to_columns: Vec<String>,
    },
}

impl Promise {
    /// The SQL that counts the rows of a table which break it.
    pub fn counting(&self, table: &Relation) -> String {
        let table = table.to_string();
        match self {
            Self::OfEach(condition) => rows_where(&table, std::slice::from_ref(condition)),
            Self::OfAll(columns) => rows_sharing(&table, columns),
            Self::OfOther { columns, to, to_columns } => {
                rows_without(&table, columns, &to.to_string(), to_columns)
            }
        }
    }
}

/// What stands for constraints: content that was checked by others is to be checked anew.
pub(super) fn fingerprint(of: Fingerprint, constraints: &[CompiledConstraint]) -> Fingerprint {
    if constraints.is_empty() {
        return of;
    }
    let table = Relation::ephemeral("constrained");
    let sql: Vec<String> = constraints.iter().map(|constraint| constraint.promise.counting(&table)).collect();
    Fingerprint::of([of.as_str(), "constraints"].into_iter().chain(sql.iter().map(String::as_str)))
}

impl Builder<'_> {
    /// Notes which constraints are checked, and tells of those that are not. What a foreign key names is needed by its model.
    pub(super) fn settle_constraints(&mut self) {
        for index in 0..self.nodes.len() {
            let written = self.written_constraints(&self.nodes[index]);
            if written.is_empty() {
                continue;
            }
            if let Some((message, help)) = why_unchecked(&self.nodes[index]) {
                if let Some(first) = written.iter().find(|constraint| constraint.warns()) {
                    let problem = Problem::new(message).at(&first.place).help(help);
                    self.problems.push(problem.weighing(Weight::Once).kind(WarningKind::UncheckedConstraint));
                }
                continue;
            }
            self.check_keys(index, &written);
            let mut checked = Vec::new();
            for constraint in written {
                if constraint.kind == ConstraintKind::Custom {
                    if constraint.warns() {
                        let problem = Problem::new(
                            "a `custom` constraint is in the words of one database, and is not checked",
                        );
                        let problem =
                            problem.at(&constraint.place).help("write it as a `check` with an `expression`");
                        let problem = problem.weighing(Weight::Once);
                        self.problems.push(problem.kind(WarningKind::UncheckedConstraint));
                    }
                    continue;
                }
                let to = match constraint.kind {
                    ConstraintKind::ForeignKey => match self.other_table(index, &constraint) {
                        Some(to) => Some(to),
                        None => continue,
                    },
                    _ => None,
                };
                if let Some(named) =
                    to.as_ref().and_then(|(id, _)| self.nodes.iter().find(|node| node.id == *id))
                {
                    let mut mentions = self.nodes[index].mentions.clone();
                    mentions.add(named);
                    self.nodes[index].mentions = mentions;
                }
                if let Some((id, _)) = &to
                    && *id != self.nodes[index].id
                    && self.nodes[index].depends_on.iter().all(|needed| needed.id != *id)
                {
                    let place = Some(constraint.place.clone());
                    self.nodes[index].depends_on.push(Dependency { id: id.clone(), place });
                }
                checked.push(CheckedConstraint { written: constraint, to });
            }
            self.nodes[index].constraints = checked;
        }
    }

    /// The constraints of a node and its columns, but for those of sources, which are about what is landed.
    fn written_constraints(&self, node: &Node) -> Vec<Constraint> {
        let project = self.project;
        let of_table = match &node.kind {
            NodeKind::Model { index, .. } => &project.models[*index].properties.constraints,
            NodeKind::Seed { index } => &project.seeds[*index].properties.constraints,
            NodeKind::Snapshot { index } => &project.snapshots[*index].file.properties.constraints,
            _ => return Vec::new(),
        };
        let of_columns = node.columns.iter().flat_map(|column| &column.constraints);
        of_columns.chain(of_table).cloned().collect()
    }

    /// A table has one primary key.
    fn check_keys(&mut self, index: usize, written: &[Constraint]) {
        let mut keys = written.iter().filter(|one| one.kind == ConstraintKind::PrimaryKey);
        if let (Some(_), Some(second)) = (keys.next(), keys.next()) {
            let message = format!("`{}` has more than one primary key", self.nodes[index].name);
            let help =
                "write the key of several columns once, under `constraints` of the model, with `columns`";
            self.problems.push(Problem::new(message).at(&second.place).help(help));
        }
    }

    /// The node that a foreign key names, and its columns; nothing where that is told of.
    fn other_table(&mut self, index: usize, constraint: &Constraint) -> Option<(NodeId, Vec<String>)> {
        if let Some(to) = &constraint.to {
            let id = self.written_reference(index, to)?;
            return Some((id, constraint.to_columns.iter().map(|column| column.value.clone()).collect()));
        }
        let expression = constraint.expression.as_ref()?;
        let Some((name, columns)) = table_and_columns(&expression.value) else {
            let problem = Problem::new("expected a table and its columns").at(&expression.place);
            self.problems.push(problem.help("write them as main.customers (id), or `to` and `to_columns`"));
            return None;
        };
        let is_it = |node: &&Node| {
            let Some(relation) = &node.relation else { return false };
            let schema = relation.schema.as_deref().unwrap_or_default();
            let parts: Vec<&str> = name.rsplit('.').collect();
            let named = |part: &str, is: &str| part.trim_matches(['"', '`']).eq_ignore_ascii_case(is);
            named(parts[0], &relation.name) && parts.get(1).is_none_or(|part| named(part, schema))
        };
        let Some(node) = self.nodes.iter().find(is_it) else {
            if constraint.warns() {
                let message =
                    format!("`{name}` is no table of the project, so the foreign key is not checked");
                let problem = Problem::new(message).at(&expression.place).weighing(Weight::Warning);
                let problem = problem.kind(WarningKind::UncheckedConstraint);
                self.problems.push(problem.help("write to: ref('a_model') and to_columns: [a_column]"));
            }
            return None;
        };
        if columns.len() != constraint.columns.len() {
            let problem =
                Problem::new("a foreign key needs as many columns there as here").at(&expression.place);
            self.problems.push(problem.help("write them in brackets, as in main.customers (id)"));
            return None;
        }
        Some((node.id.clone(), columns))
    }

    /// The node that a text of YAML, such as `ref('m')`, means.
    pub(super) fn written_reference(&mut self, index: usize, written: &Located<String>) -> Option<NodeId> {
        let name = self.nodes[index].name.clone();
        self.written_reference_of(&name, written).map(|found| found.id)
    }

    /// The node that a text of YAML, which stands in the entry of something of this name, means.
    pub(super) fn written_reference_of(
        &mut self,
        name: &str,
        written: &Located<String>,
    ) -> Option<Dependency> {
        let text =
            SourceText::new(written.place.text.path().to_owned(), format!("{{{{ {} }}}}", written.value));
        let subject = Subject {
            text: &text,
            block: None,
            name,
            unique_id: name,
            resource_type: "exposure",
            fqn: &[],
            this: Relation::new(&self.project.target.schema, name),
            config: IndexMap::new(),
            description: "",
            columns: &[],
        };
        let help = "write ref('a_model') or source('a_source', 'a_table')";
        let parsed = match self.templates.parse(&subject) {
            Ok(parsed) => parsed.placed(&written.place),
            Err(problem) => {
                self.problems.push(Problem::new(problem.message()).at(&written.place).help(help));
                return None;
            }
        };
        let is_said = !parsed.refs.is_empty() || !parsed.sources.is_empty();
        let found = self.dependencies(&parsed).into_iter().next();
        if !is_said {
            let problem = Problem::new(format!("expected a table, found `{}`", written.value));
            self.problems.push(problem.at(&written.place).help(help));
        }
        found
    }
}

/// Why none of the constraints of a node is checked, and what to do about it.
fn why_unchecked(node: &Node) -> Option<(&'static str, &'static str)> {
    Some(if !matches!(node.kind, NodeKind::Model { .. }) {
        ("constraints are of models: those of a seed or snapshot are not checked", "use data tests")
    } else if !node.config.model().contract {
        (
            "constraints of a model without an enforced contract are not checked",
            "write config: {contract: {enforced: true}}, or use data tests",
        )
    } else if !node.config.materialized().is_table() {
        (
            "constraints are of tables: those of a model that is a view, ephemeral or streaming are not checked",
            "use data tests, or make the model a table",
        )
    } else {
        return None;
    })
}

/// The table and the columns of `references main.customers (id, day)`.
fn table_and_columns(expression: &str) -> Option<(String, Vec<String>)> {
    let expression = expression.trim();
    let words = match expression.get(..10) {
        Some(word) if word.eq_ignore_ascii_case("references") => expression[10..].trim_start(),
        _ => expression,
    };
    let (table, columns) = words.split_once('(')?;
    let (columns, _) = columns.split_once(')')?;
    let column = |column: &str| column.trim().trim_matches(['"', '`']).to_owned();
    let (table, columns): (&str, Vec<String>) = (table.trim(), columns.split(',').map(column).collect());
    let is_named = !table.is_empty() && columns.iter().all(|column| !column.is_empty());
    is_named.then(|| (table.to_owned(), columns))
}

/// The constraints of a model over the columns of its table, which is known to the scope.
///
/// # Errors
/// Where one names a column that is not there, or is no SQL.
pub(super) fn compile(
    scope: &Scope,
    graph: &Graph,
    node: &Node,
    schema: &SchemaRef,
) -> Result<Vec<CompiledConstraint>, Problems> {
    let mut problems = Problems::default();
    let mut compiled = Vec::new();
    let mut seen = HashSet::new();
    for constraint in &node.constraints {
        match promises(graph, node, schema, constraint) {
            Ok(promises) => {
                for one in promises {
                    let sql = one.promise.counting(&tested_relation(node));
                    let place = constraint.written.expression.as_ref().map(|expression| &expression.place);
                    let planned = scope.plan(&sql).map(drop);
                    match planned {
                        Ok(()) if seen.insert(sql) => compiled.push(one),
                        Ok(()) => {}
                        Err(problem) => {
                            problems.push(unplanned(
                                &one,
                                &problem,
                                place.unwrap_or(&constraint.written.place),
                            ));
                        }
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems.none_or(compiled)
}

fn unplanned(constraint: &CompiledConstraint, problem: &SqlProblem, place: &Place) -> Problem {
    let said = Problem::new(format!("the constraint {}: {}", constraint.shown, problem.message)).at(place);
    match &problem.help {
        Some(help) => said.help(help),
        None => said,
    }
}

/// What a constraint promises.
fn promises(
    graph: &Graph,
    node: &Node,
    schema: &SchemaRef,
    constraint: &CheckedConstraint,
) -> Result<Vec<CompiledConstraint>, Problem> {
    let written = &constraint.written;
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let columns: Result<Vec<String>, Problem> =
        written.columns.iter().map(|column| column_of(node, &names, column)).collect();
    let columns = columns?;
    let of = |kind: ConstraintKind, promise: Promise| CompiledConstraint {
        shown: match &written.name {
            Some(name) => name.clone(),
            None if kind == ConstraintKind::Check => {
                let expression = written.expression.as_ref().map_or("", |expression| expression.value.trim());
                format!("{} ({expression})", kind.as_str())
            }
            None => format!("{} ({})", written.kind.as_str(), columns.join(", ")),
        },
        promise,
    };
    Ok(match written.kind {
        ConstraintKind::NotNull => vec![of(written.kind, Promise::OfEach(lacks_value(&columns)))],
        ConstraintKind::Unique => vec![of(written.kind, Promise::OfAll(columns.clone()))],
        ConstraintKind::PrimaryKey => vec![
            of(written.kind, Promise::OfEach(lacks_value(&columns))),
            of(written.kind, Promise::OfAll(columns.clone())),
        ],
        ConstraintKind::Check => {
            let expression = written.expression.as_ref().map_or("", |expression| expression.value.as_str());
            vec![of(written.kind, Promise::OfEach(is_false(expression)))]
        }
        ConstraintKind::ForeignKey => match &constraint.to {
            Some((id, to_columns)) => {
                let to =
                    if *id == node.id { Some(node) } else { graph.position(id).map(|at| graph.node(at)) };
                to.map(|to| {
                    let promise = Promise::OfOther {
                        columns: columns.clone(),
                        to: tested_relation(to),
                        to_columns: to_columns.clone(),
                    };
                    of(written.kind, promise)
                })
                .into_iter()
                .collect()
            }
            None => Vec::new(),
        },
        ConstraintKind::Custom => Vec::new(),
    })
}

/// The column that is meant, which is looked for in any case where none has the name as written.
fn column_of(node: &Node, names: &[String], column: &Located<String>) -> Result<String, Problem> {
    let wanted = &column.value;
    let exact = names.iter().find(|name| *name == wanted);
    let found = exact.or_else(|| names.iter().find(|name| name.eq_ignore_ascii_case(wanted)));
    found.cloned().ok_or_else(|| {
        let message =
            format!("a constraint of `{}` names `{wanted}`, which is not a column of it", node.name);
        let problem = Problem::new(message).at(&column.place);
        match nearest(wanted, names.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("the columns are {}", names.join(", "))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_and_its_columns_are_read_as_sql_writes_them() {
        let read = |text: &str| {
            table_and_columns(text).map(|(table, columns)| format!("{table}: {}", columns.join("+")))
        };
        assert_eq!(read("main.customers (id)").as_deref(), Some("main.customers: id"));
        assert_eq!(read("REFERENCES a.b(x, \"y\") on delete cascade").as_deref(), Some("a.b: x+y"));
        assert_eq!([read("customers"), read("(id)"), read("a ()")], [None, None, None]);
    }
}
