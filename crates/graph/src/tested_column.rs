//! The name of a tested column as the SQL of its test writes it.

use arrow::datatypes::{DataType, Schema};

use mep_sql::{is_plain_name, quoted};

/// A tested column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TestedColumn {
    /// Its name, in quotes where they are needed or asked for.
    pub(super) sql: String,
    /// Whether it holds truth values.
    pub(super) is_boolean: bool,
}

impl TestedColumn {
    /// A column of a table with these columns. What is no column of it stays as it is written: it may be an expression.
    pub(super) fn of(name: &str, asks_for_quotes: bool, table: &Schema) -> Self {
        let exact = table.field_with_name(name).ok();
        let field = exact.or_else(|| table.field_with_name(&name.to_ascii_lowercase()).ok());
        let needs_quotes =
            asks_for_quotes && !name.starts_with('"') || exact.is_some() && !is_plain_name(name);
        Self {
            sql: if needs_quotes { quoted(name) } else { name.to_owned() },
            is_boolean: field.is_some_and(|field| field.data_type() == &DataType::Boolean),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn a_name_is_quoted_where_sql_would_take_it_for_something_else() {
        let names = ["id", "Loud", "two words", "2nd", "a.b", "say\"so"];
        let table = Schema::new(names.map(|name| Field::new(name, DataType::Int64, true)).to_vec());
        let written = names.map(|name| TestedColumn::of(name, false, &table).sql).join(" ");
        assert_eq!(written, r#"id "Loud" "two words" "2nd" "a.b" "say""so""#);
        assert_eq!(TestedColumn::of("ID", false, &table).sql, "ID");
        assert_eq!(TestedColumn::of("lower(name)", false, &table).sql, "lower(name)");
        assert_eq!(TestedColumn::of("id", true, &table).sql, "\"id\"");
    }
}
