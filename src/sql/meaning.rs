//! What counts as the same SQL, and as what types its results are stored.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The SQL without what has no meaning: comments, white space, the case of keywords. SQL that cannot be parsed is
/// only trimmed.
pub fn canonical(sql: &str) -> String {
    match Parser::parse_sql(&GenericDialect {}, sql) {
        Ok(statements) => {
            let texts: Vec<String> = statements.iter().map(ToString::to_string).collect();
            texts.join("; ")
        }
        Err(_) => sql.trim().to_owned(),
    }
}

/// Whether a statement is a SELECT, perhaps with CTEs, VALUES or set operations.
pub(super) fn is_query(statement: &Statement) -> bool {
    matches!(statement, Statement::Statement(inner) if matches!(inner.as_ref(), ast::Statement::Query(_)))
}

/// Whether the same inputs can give other rows on another run: `now()`, `random()`.
pub fn is_volatile(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // The closures return no error, so neither does the walk.
    let _ = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                let volatile = matches!(part, Expr::ScalarFunction(call)
                    if call.func.signature().volatility != Volatility::Immutable
                        && CHANGES_BETWEEN_RUNS.contains(&call.func.name()));
                found |= volatile;
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    found
}

/// Functions whose value differs between runs. DataFusion also calls functions stable that merely read the session's
/// options, which are the same on every run; so they are named one by one.
const CHANGES_BETWEEN_RUNS: [&str; 8] =
    ["now", "current_timestamp", "current_date", "today", "current_time", "random", "uuid", "rand"];

/// The schema that a table of these columns is stored with: partition columns last, and types that every reader of
/// Parquet and Hive knows. `None` where a column is of a type that cannot be stored.
///
/// # Errors
/// The name of a column without a type (`select null as x`).
pub fn stored_schema(schema: &Schema, partition_columns: &[String]) -> Result<SchemaRef, String> {
    let field = |field: &Arc<Field>| match stored_type(field.data_type()) {
        Some(data_type) => Ok(Field::new(field.name(), data_type, true)),
        None => Err(field.name().clone()),
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

fn stored_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Null => return None,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::LargeBinary | DataType::Binary => DataType::BinaryView,
        DataType::Dictionary(_, value) => stored_type(value)?,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::UInt32 => DataType::Int64,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt8 => DataType::Int16,
        DataType::Date64 => DataType::Date32,
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_white_space_and_case_of_keywords_have_no_meaning() {
        let a = canonical("SELECT a, b -- the columns\nFROM t  WHERE a > 1");
        assert_eq!(a, canonical("select a,b from t where a>1"));
        assert_ne!(a, canonical("select a, b from t where a > 2"));
    }
}
