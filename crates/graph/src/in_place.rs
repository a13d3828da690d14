//! Source tables of the warehouse that others publish: what is declared of their columns is checked.
//!
//! Must not know: where tables are, how they are read.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};

use super::compiled::PlacedTable;
use mep_contract::source::declared_type::declared_row_type;
use mep_lang::project::{Column, Problem, Problems, SourceTable};
use mep_sql::{sql_type, stored_type};

/// Checks what is declared of the columns of a table.
///
/// # Errors
/// What is declared of a column and is not so.
pub(super) fn check(declared: &SourceTable, found: &PlacedTable) -> Result<(), Problems> {
    let columns = declared.properties.columns.iter();
    let problems: Problems =
        columns.filter_map(|column| problem_of(declared, column, &found.schema)).collect();
    problems.none_or(())
}

/// The name of a column as it is declared, where it is: a metastore keeps no case.
pub fn spelled_as_declared<'a>(columns: &'a [Column], name: &'a str) -> &'a str {
    let declared = || columns.iter().map(|column| column.name.value.as_str());
    let same = declared().find(|said| *said == name);
    same.or_else(|| declared().find(|said| is_same(said, name))).unwrap_or(name)
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// What is declared of a column and is not so.
fn problem_of(table: &SourceTable, column: &Column, schema: &Schema) -> Option<Problem> {
    let name = &column.name.value;
    let shown = || format!("{}.{}", table.source, table.name);
    let fields = schema.fields();
    let same = fields.iter().find(|field| field.name() == name);
    let Some(field) = same.or_else(|| fields.iter().find(|field: &&Arc<Field>| is_same(field.name(), name)))
    else {
        let message = format!("`{}` is a table of the warehouse, and has no column `{name}`", shown());
        let names = fields.iter().map(|field| field.name().as_str());
        return Some(Problem::new(message).at(&column.name.place).did_you_mean(name, names));
    };
    let said = column.data_type.as_ref()?;
    let found = sql_type(field.data_type());
    let is_so = declared_row_type(name, &said.value)
        .is_ok_and(|declared| stored_type(&declared) == stored_type(field.data_type()));
    if is_so {
        return None;
    }
    let message = format!(
        "`{}` is a table of the warehouse, in which `{name}` is {found}, and not {}",
        shown(),
        said.value
    );
    let problem = Problem::new(message).at(&said.place);
    Some(problem.help("leave its `data_type` out, and cast it in a model where another type is wanted"))
}
