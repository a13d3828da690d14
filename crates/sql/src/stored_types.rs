//! What SQL is a query, where it ends, and as what types its results are stored.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::syntax::Sql;

/// The SQL without a semicolon at its end and what follows it, so that it can stand within other SQL.
pub fn without_semicolon(sql: &str) -> &str {
    let Ok(tokens) = Tokenizer::new(&Sql, sql).tokenize_with_location() else { return sql };
    let ending = tokens
        .iter()
        .rev()
        .take_while(|token| matches!(token.token, Token::SemiColon | Token::Whitespace(_)));
    let first = ending.filter(|token| token.token == Token::SemiColon).last();
    first.map_or(sql, |semicolon| &sql[..offset(sql, semicolon.span.start)])
}

/// The byte at which a line and column of SQL, both from 1, stand.
pub fn offset(sql: &str, location: Location) -> usize {
    let before = usize::try_from(location.line).unwrap_or(usize::MAX).saturating_sub(1);
    let line: usize = sql.split_inclusive('\n').take(before).map(str::len).sum();
    let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
    sql[line..].char_indices().nth(column).map_or(sql.len(), |(at, _)| line + at)
}

/// Why a column cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    /// It is an interval, or holds one.
    #[error("column `{0}` is an interval, which a stored table cannot hold")]
    Interval(String),
}

impl Unstorable {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Interval(column) => {
                format!("make it seconds: extract(epoch from {column}); or a text: cast({column} as varchar)")
            }
        }
    }
}

/// The schema that a table of these columns is stored with: partition columns last, and types that every reader of
/// Parquet and Hive knows.
///
/// # Errors
/// Where a column is of a type that cannot be stored.
pub fn stored_schema(schema: &Schema, partition_columns: &[String]) -> Result<SchemaRef, Unstorable> {
    let field = |field: &Arc<Field>| {
        if holds_interval(field.data_type()) {
            return Err(Unstorable::Interval(field.name().clone()));
        }
        Ok(Field::new(field.name(), stored_type(field.data_type()), true))
    };
    let is_partition = |name: &String| partition_columns.contains(name);
    let mut fields = Vec::new();
    for plain in schema.fields().iter().filter(|field| !is_partition(field.name())) {
        fields.push(field(plain)?);
    }
    for name in partition_columns {
        for partition in schema.fields().iter().filter(|field| field.name() == name) {
            fields.push(field(partition)?);
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The schema that a table made by SQL is stored with. A time less a time is an interval there too: as the number of microseconds that
/// it is to the engine nobody would know it again.
///
/// # Errors
/// Where a column is of a type that cannot be stored.
pub fn stored_schema_of_query(
    schema: &Schema,
    partition_columns: &[String],
) -> Result<SchemaRef, Unstorable> {
    let is_counted = |data_type: &DataType| matches!(data_type, DataType::Duration(_));
    match schema.fields().iter().find(|field| holds(field.data_type(), &is_counted)) {
        Some(field) => Err(Unstorable::Interval(field.name().clone())),
        None => stored_schema(schema, partition_columns),
    }
}

fn holds_interval(data_type: &DataType) -> bool {
    holds(data_type, &|data_type| matches!(data_type, DataType::Interval(_)))
}

/// Whether a type, or one within it, is such a one.
fn holds(data_type: &DataType, is_one: &dyn Fn(&DataType) -> bool) -> bool {
    let holds_interval = |data_type: &DataType| holds(data_type, is_one);
    match data_type {
        one if is_one(one) => true,
        DataType::Dictionary(_, value) => holds_interval(value),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::Map(field, _) => holds_interval(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_interval(field.data_type())),
        _ => false,
    }
}

/// The type that a column of this one is stored as. One that is always NULL (`select null as x`) is an integer, as in DuckDB.
pub fn stored_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::LargeBinary | DataType::Binary => DataType::BinaryView,
        DataType::Dictionary(_, value) => stored_type(value),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::UInt32 => DataType::Int64,
        DataType::UInt16 | DataType::Null => DataType::Int32,
        DataType::UInt8 => DataType::Int16,
        DataType::Date64 => DataType::Date32,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_at_the_end_goes_with_what_follows_it() {
        assert_eq!(without_semicolon("select 'é;'\n;; -- done"), "select 'é;'\n");
        assert_eq!(without_semicolon("select 1; select 2"), "select 1; select 2");
        assert_eq!(without_semicolon("select 1 -- no; more"), "select 1 -- no; more");
    }
}
