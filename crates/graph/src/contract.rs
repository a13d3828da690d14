//! Contracts: the columns and types that a model promises, compared with those of its SELECT before anything is built.
//!
//! A column whose type is of the same kind as the promised one (another width of whole numbers, another precision of decimals)
//! is cast to it, as a database casts what is inserted into a table of the promised columns.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field};

use super::config::Materialization;
use super::named;
use super::node::Node;
use mep_contract::source::declared_type::{DeclaredType, declared_type};
use mep_lang::jinja::Rendered;
use mep_lang::project::{Column, Problem, Problems};
use mep_sql::{PlannedQuery, Scope, quoted, sql_type, stored_type};

/// What a contract makes of a model's SELECT.
pub(super) struct Contracted {
    /// The columns to select of it; `None` where they are what it gives.
    columns: Option<String>,
}

/// How the type of a SELECT's column stands to the promised one.
enum TypeFit {
    Same,
    Cast,
    Other,
}

/// A line of dbt's table of what is not as promised.
struct Mismatch {
    column: String,
    definition: String,
    contract: String,
    reason: &'static str,
}

impl Contracted {
    /// What the contract of a model, where it has one, makes of its SELECT.
    ///
    /// # Errors
    /// Where the columns of the SELECT are not those that the contract promises.
    pub(super) fn of(scope: &Scope, node: &Node, plan: &PlannedQuery) -> Result<Self, Problems> {
        let is_ephemeral = node.config.materialized() == Materialization::Ephemeral;
        if !node.config.model().contract {
            return Ok(Self { columns: None });
        }
        if is_ephemeral {
            // As in dbt: it must list columns, and no relation is made by it of which they could be promised.
            check_listed(node)?;
            return Ok(Self { columns: None });
        }
        check_complete(node)?;
        let output = plan.output();
        let found: Vec<&Field> = output.fields().iter().map(AsRef::as_ref).collect();
        let mut mismatches = Vec::new();
        let mut selected = Vec::new();
        let mut is_cast = false;
        for promised in &node.columns {
            let contract = promised.data_type.as_ref().map_or("", |written| written.value.as_str());
            let Some(field) = field_of(&found, &promised.name.value) else {
                mismatches.push(Mismatch {
                    column: promised.name.value.clone(),
                    definition: String::new(),
                    contract: contract.to_owned(),
                    reason: "missing in definition",
                });
                continue;
            };
            let fit = match TypeFit::of(scope, field.data_type(), promised)? {
                // What streams keep is computed by the SELECT as it stands.
                TypeFit::Cast if node.config.materialized() == Materialization::Streaming => TypeFit::Other,
                fit => fit,
            };
            let name = quoted(field.name());
            match fit {
                TypeFit::Same => selected.push((field.name(), name)),
                TypeFit::Cast => {
                    is_cast = true;
                    let cast_to = cast_type(scope, promised);
                    selected.push((field.name(), format!("cast({name} as {cast_to}) as {name}")));
                }
                TypeFit::Other => mismatches.push(Mismatch {
                    column: promised.name.value.clone(),
                    definition: sql_type(field.data_type()),
                    contract: contract.to_owned(),
                    reason: "data type mismatch",
                }),
            }
        }
        let is_promised = |field: &&&Field| {
            node.columns.iter().any(|column| field_of(&[**field], &column.name.value).is_some())
        };
        for field in found.iter().filter(|field| !is_promised(field)) {
            mismatches.push(Mismatch {
                column: field.name().clone(),
                definition: sql_type(field.data_type()),
                contract: String::new(),
                reason: "missing in contract",
            });
        }
        if !mismatches.is_empty() {
            return Err(broken(node, mismatches).into());
        }
        let keeps_order =
            matches!(node.config.materialized(), Materialization::View | Materialization::Streaming);
        if keeps_order {
            selected.sort_by_key(|(name, _)| found.iter().position(|field| field.name() == *name));
        }
        let is_in_order = selected.iter().map(|(name, _)| *name).eq(found.iter().map(|field| field.name()));
        let listed: Vec<String> = selected.into_iter().map(|(_, sql)| sql).collect();
        Ok(Self { columns: (is_cast || !is_in_order).then(|| listed.join(", ")) })
    }

    /// The SELECT with the promised columns; `None` where it gives them itself.
    pub(super) fn over(&self, rendered: &Rendered) -> Option<Rendered> {
        let head = format!("select {} from (\n", self.columns.as_ref()?);
        let sql = format!("{head}{}\n) as model_contract", rendered.sql);
        let map = rendered.map.clone().within(head.len()..head.len() + rendered.sql.len());
        Some(Rendered { sql, map, ..rendered.clone() })
    }
}

/// The column of a name, which is looked for in any case where no column has it as written.
fn field_of<'f>(fields: &[&'f Field], name: &str) -> Option<&'f Field> {
    let exact = fields.iter().find(|field| field.name() == name);
    exact.or_else(|| fields.iter().find(|field| field.name().eq_ignore_ascii_case(name))).copied()
}

/// The promised type in a word that SQL has for it.
fn cast_type(scope: &Scope, promised: &Column) -> String {
    let written = promised.data_type.as_ref().map_or("", |written| written.value.trim());
    if scope.plan(&format!("select cast(null as {written}) as promised")).is_ok() {
        return written.to_owned();
    }
    let declared = declared_type(&promised.name.value, written);
    declared.map_or_else(|_| written.to_owned(), |declared| sql_type(&declared.data_type))
}

/// A contract has columns.
fn check_listed(node: &Node) -> Result<(), Problem> {
    if node.columns.is_empty() {
        let problem =
            Problem::new(format!("`{}` has an enforced contract, and no columns in YAML", node.name));
        return Err(named::at(problem.help("list its `columns`, each with a `data_type`"), node, "contract"));
    }
    Ok(())
}

/// A contract says all columns, each with its type.
fn check_complete(node: &Node) -> Result<(), Problems> {
    check_listed(node)?;
    let untyped = node.columns.iter().filter(|column| column.data_type.is_none());
    let problems = untyped.map(|column| {
        let message = format!(
            "column `{}` of `{}`, which has an enforced contract, has no `data_type`",
            column.name.value, node.name
        );
        Problem::new(message).at(&column.name.place).help("say its type: bigint, varchar, double, ...")
    });
    problems.collect::<Problems>().none_or(())
}

/// What is not as promised, as dbt shows it, at the first line of the YAML that is about it.
fn broken(node: &Node, mut mismatches: Vec<Mismatch>) -> Problem {
    mismatches.sort_by(|a, b| a.column.cmp(&b.column));
    let header = ["column_name", "definition_type", "contract_type", "mismatch_reason"].map(str::to_owned);
    let line =
        |of: &Mismatch| [of.column.clone(), of.definition.clone(), of.contract.clone(), of.reason.to_owned()];
    let lines: Vec<[String; 4]> = mismatches.iter().map(line).collect();
    let widths = [0, 1, 2, 3].map(|at| {
        lines.iter().chain([&header]).map(|line| line[at].chars().count()).max().unwrap_or_default()
    });
    let mut table = String::new();
    let rule = widths.map(|width| "-".repeat(width));
    for line in [&header, &rule].into_iter().chain(&lines) {
        table.push_str("\n|");
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(table, " {cell:width$} |");
        }
    }
    let of_yaml = node
        .columns
        .iter()
        .find(|column| mismatches.iter().any(|mismatch| mismatch.column == column.name.value));
    let place = of_yaml.map(|column| match &column.data_type {
        Some(written)
            if mismatches.iter().any(|one| one.column == column.name.value && !one.definition.is_empty()) =>
        {
            &written.place
        }
        _ => &column.name.place,
    });
    let problem = Problem::new(format!(
        "`{}` has an enforced contract, and the columns of its SELECT are not the promised ones\n{table}\n",
        node.name
    ));
    let problem = problem.help(
        "make the name, the data_type and the number of columns in the contract those of the SELECT, or the other way round",
    );
    match place.or(node.columns.first().map(|column| &column.name.place)) {
        Some(place) => problem.at(place),
        None => problem,
    }
}

impl TypeFit {
    fn of(scope: &Scope, found: &DataType, promised: &Column) -> Result<Self, Problem> {
        let Some(written) = &promised.data_type else { return Ok(Self::Other) };
        let (name, words) = (&promised.name.value, written.value.trim());
        let declared = declared_type(name, words);
        // What rows are not read into, such as lists, may still be what a SELECT gives.
        let planned = scope.plan(&format!("select cast(null as {words}) as promised")).ok();
        let planned = planned.map(|plan| plan.output().field(0).data_type().clone());
        let wanted: Vec<DataType> = declared
            .as_ref()
            .ok()
            .map(|DeclaredType { data_type, .. }| data_type)
            .into_iter()
            .chain(&planned)
            .map(stored_type)
            .collect();
        let Some(want) = wanted.first() else {
            let problem = Problem::new(declared.map_or_else(|error| error.to_string(), |_| String::new()));
            return Err(problem.at(&written.place));
        };
        if *found == DataType::Null {
            return Ok(Self::Cast);
        }
        let found = stored_type(found);
        if wanted.contains(&found) {
            return Ok(Self::Same);
        }
        Ok(fit(&found, want, &words.to_ascii_lowercase()))
    }
}

/// How a type stands to another one that is promised, by this word of it.
fn fit(found: &DataType, want: &DataType, word: &str) -> TypeFit {
    let has_digits = word.contains('(');
    let is_whole_number = |data_type: &DataType| {
        data_type.is_signed_integer() || matches!(data_type, DataType::Decimal128(_, 0))
    };
    match (found, want) {
        // Without digits, such a word means what a database takes it for.
        (DataType::Decimal128(..), DataType::Decimal128(..)) if !has_digits => TypeFit::Same,
        (DataType::Decimal128(..), DataType::Decimal128(..)) => TypeFit::Cast,
        // `number` is the only word that some warehouses have for whole numbers.
        (found, DataType::Decimal128(_, scale))
            if found.is_signed_integer() && word.starts_with("number") =>
        {
            if has_digits && *scale > 0 {
                TypeFit::Cast
            } else {
                TypeFit::Same
            }
        }
        (found, DataType::Decimal128(_, 0)) if found.is_signed_integer() && !has_digits => TypeFit::Same,
        (found, want) if want.is_signed_integer() && is_whole_number(found) => TypeFit::Cast,
        // A database takes `float` for one or the other.
        (DataType::Float32 | DataType::Float64, DataType::Float32 | DataType::Float64) if word == "float" => {
            TypeFit::Same
        }
        (DataType::Float32, DataType::Float64) => TypeFit::Cast,
        _ => TypeFit::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_lang::project::{Located, SourceText, Span};

    fn said(found: &DataType, promised: &str) -> &'static str {
        let place = SourceText::new("a.yml", "x").at(Span { start: 0, len: 1 });
        let located = |value: &str| Located { value: value.to_owned(), place: place.clone() };
        let column = Column {
            name: located("c"),
            description: None,
            data_type: Some(located(promised)),
            constraints: Vec::new(),
            tests: Vec::new(),
            tags: Vec::new(),
            quote: false,
            meta: indexmap::IndexMap::new(),
        };
        match TypeFit::of(&Scope::for_planning(), found, &column) {
            Ok(TypeFit::Same) => "same",
            Ok(TypeFit::Cast) => "cast",
            Ok(TypeFit::Other) => "other",
            Err(_) => "unknown",
        }
    }

    #[test]
    fn types_are_those_that_are_meant() {
        let decimal = DataType::Decimal128(10, 2);
        for (found, promised, fit) in [
            (&DataType::Int64, "BIGINT", "same"),
            (&DataType::Int64, "int", "cast"),
            (&DataType::Int32, "int8", "cast"),
            (&DataType::Int64, "number", "same"),
            (&DataType::Int64, "number(38,0)", "same"),
            (&DataType::Int64, "number(10,2)", "cast"),
            (&DataType::Int64, "decimal(10,2)", "other"),
            (&DataType::Int64, "double", "other"),
            (&DataType::Int64, "text", "other"),
            (&DataType::Utf8, "varchar(20)", "same"),
            (&DataType::Utf8View, "string", "same"),
            (&DataType::Utf8View, "int", "other"),
            (&decimal, "numeric", "same"),
            (&decimal, "numeric(12,2)", "cast"),
            (&decimal, "double", "other"),
            (&DataType::Float64, "float", "same"),
            (&DataType::Float64, "real", "other"),
            (&DataType::Date32, "timestamp", "other"),
            (&DataType::Null, "date", "cast"),
            (&DataType::Boolean, "bool", "same"),
            (&DataType::Boolean, "flag", "unknown"),
        ] {
            assert_eq!(said(found, promised), fit, "{found} for {promised}");
        }
    }
}
