//! Tables that are declared rather than selected: what a source lands in, and what a seed's file holds.

use std::ops::Range;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray};

use super::attached_tests::tested_relation;
use super::compiled::{SeedRows, SeedTable};
use super::node::Node;
use mep_contract::source::{LandingTable, RowSchema, SchemaError};
use mep_core::fingerprint::Structure;
use mep_core::os_error::OsMessage;
use mep_core::warnings::WarningKind;
use mep_decode::seed;
use mep_lang::project::{Problem, Problems, Project, SourceTable, SourceText, Span};
use mep_sql::{stored_schema, structure};

pub(super) fn schema_problem(node: &Node, error: &SchemaError) -> Problem {
    let problem = Problem::new(error.to_string());
    match &node.place {
        Some(place) => problem.at(place),
        None => problem,
    }
}

/// The table that a source lands in, from its declaration.
pub(super) fn landing_table(
    project: &Project,
    table: &SourceTable,
    node: &Node,
) -> Result<LandingTable, Problems> {
    let mut problems = Problems::default();
    let columns = &table.properties.columns;
    if columns.is_empty() {
        let problem = Problem::new(format!("the source table `{}` declares no columns", table.name));
        problems.push(problem.at(&table.place).help("list its columns, each with a `data_type`; of files and of PostgreSQL `mep source infer` writes them"));
    }
    let mut declared = Vec::new();
    for column in columns {
        if let Some(data_type) = &column.data_type {
            declared.push((column.name.value.as_str(), data_type.value.as_str(), column.is_not_null()));
        } else {
            let problem = Problem::new(format!("column `{}` has no `data_type`", column.name.value));
            problems.push(
                problem.at(&column.name.place).help("say how it is read: bigint, varchar, double, ..."),
            );
        }
    }
    problems.none_or(())?;
    let event_time = table.event_time.as_ref();
    let schema = RowSchema::new(declared, event_time.map(|name| name.value.as_str())).map_err(|error| {
        let type_of = |name: &str| {
            columns
                .iter()
                .find(|column| column.name.value == name)
                .and_then(|column| column.data_type.as_ref())
        };
        let place = match &error {
            SchemaError::Type(error) => type_of(error.column()).map(|found| &found.place),
            SchemaError::NoSuchEventTime(_) | SchemaError::NotATime { .. } => {
                event_time.map(|found| &found.place)
            }
            SchemaError::ReservedColumn(_) | SchemaError::Unstorable(_) => None,
        };
        Problem::new(error.to_string()).at(place.unwrap_or(&table.place))
    })?;
    let raw = tested_relation(node);
    let rejects = raw.rejects();
    let reading = project.files_reading(table)?;
    Ok(LandingTable { raw, rejects, schema, reading })
}

/// Columns of a seed that are numbers in dbt, which drops their leading zeros.
pub(super) fn zeros_kept(node: &Node, seed: &SeedTable) -> Option<Problem> {
    let SeedRows::Read(rows) = &seed.rows else { return None };
    let named = rows.schema_ref().fields().iter().zip(rows.columns());
    let is_number = |column: &ArrayRef| {
        let Some(texts) = column.as_string_opt::<i32>() else { return false };
        let mut values = texts.iter().flatten();
        texts.null_count() < texts.len() && values.all(|text| text.trim().parse::<f64>().is_ok())
    };
    let is_declared = |name: &str| node.config.seed().column_types.contains_key(name);
    let found = named.filter(|(field, column)| !is_declared(field.name()) && is_number(column));
    let names: Vec<String> = found.map(|(field, _)| format!("`{}`", field.name())).collect();
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "{} of the seed `{}` keeps its digits as text; dbt makes numbers of them",
        names.join(", "),
        node.name
    );
    let problem = Problem::new(message).kind(WarningKind::OtherThanDbt);
    let problem = problem.help("say which it is under `column_types`: varchar, or bigint as in dbt");
    Some(match &node.place {
        Some(place) => problem.at(place),
        None => problem,
    })
}

pub(super) fn read_seed(root: &Path, node: &Node) -> Result<SeedTable, Problem> {
    let problem = |message: String, text: &str, place: Range<usize>| {
        Problem::new(message)
            .at(&SourceText::new(node.path.clone(), text).at(Span::range(place.start, place.end)))
    };
    let bytes = std::fs::read(root.join(&node.path));
    let bytes = bytes.map_err(|error| problem(format!("cannot read it: {}", OsMessage(&error)), "", 0..0))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let (before, found) = error.as_bytes().split_at(at);
        let byte = found.first().copied().unwrap_or_default();
        let message = format!("expected a file in UTF-8, found the byte 0x{byte:02X}: save it as UTF-8");
        problem(message, &String::from_utf8_lossy(before), at..at)
    })?;
    let types = node.config.places.get("column_types");
    let of_several = types.is_some_and(|place| place.text.path().ends_with("dbt_project.yml"));
    let rows = seed::read(&text, node.config.seed().delimiter, &node.config.seed().column_types, of_several)
        .map_err(|error| {
            let declared = types.filter(|_| error.is_of_declaration());
            match declared {
                Some(place) => Problem::new(error.to_string()).at(place),
                None => problem(error.to_string(), &text, error.place(&text)),
            }
        })?;
    let schema = stored_schema(&rows.schema(), &[])
        .map_err(|unstorable| problem(unstorable.to_string(), &text, 0..0).help(unstorable.help()))?;
    let mut parts = Structure::default();
    structure::columns(parts.text(&text), &schema);
    let fingerprint = parts.fingerprint();
    Ok(SeedTable { rows: SeedRows::Read(rows), schema, fingerprint })
}
