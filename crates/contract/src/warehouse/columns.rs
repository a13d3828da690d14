//! The columns of a table as text, which stands with it in each kind of warehouse.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

/// A column as JSON holds it.
#[derive(Serialize, Deserialize)]
pub struct ColumnText {
    name: String,
    /// Arrow's own text for the type, which parses back.
    #[serde(rename = "type")]
    data_type: String,
    nullable: bool,
}

/// The columns of a schema.
pub fn columns_of(schema: &Schema) -> Vec<ColumnText> {
    let column = |field: &Arc<Field>| ColumnText {
        name: field.name().clone(),
        data_type: field.data_type().to_string(),
        nullable: field.is_nullable(),
    };
    schema.fields().iter().map(column).collect()
}

/// A column's type is none that is known.
#[derive(Debug, thiserror::Error)]
#[error("column `{column}`: {error}")]
pub struct UnknownType {
    column: String,
    error: ArrowError,
}

/// The schema of these columns.
///
/// # Errors
/// Where one of them is of no type.
pub fn schema_of(columns: Vec<ColumnText>) -> Result<Schema, UnknownType> {
    let field = |column: ColumnText| match column.data_type.parse::<DataType>() {
        Ok(data_type) => Ok(Field::new(column.name, data_type, column.nullable)),
        Err(error) => Err(UnknownType { column: column.name, error }),
    };
    Ok(Schema::new(columns.into_iter().map(field).collect::<Result<Vec<_>, _>>()?))
}
