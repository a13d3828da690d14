//! The columns of a table as text, which stands with it in each kind of warehouse.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
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

/// The schema of these columns, or which of them is of no type.
pub fn schema_of(columns: Vec<ColumnText>) -> Result<Schema, String> {
    let field = |column: ColumnText| {
        let data_type: DataType =
            column.data_type.parse().map_err(|error| format!("column `{}`: {error}", column.name))?;
        Ok(Field::new(column.name, data_type, column.nullable))
    };
    Ok(Schema::new(columns.into_iter().map(field).collect::<Result<Vec<_>, String>>()?))
}
