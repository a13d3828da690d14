//! Rows told apart by the columns of their key, and rows in the types of a schema.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};

/// The columns of a key, in batches of one schema.
pub struct KeyColumns {
    /// Their numbers.
    pub columns: Vec<usize>,
    converter: RowConverter,
}

impl KeyColumns {
    /// The key of these columns.
    ///
    /// # Errors
    /// Where a column is of a type that cannot be compared.
    pub fn new(schema: &Schema, columns: Vec<usize>) -> Result<Self, ArrowError> {
        let fields = columns.iter().map(|column| SortField::new(schema.field(*column).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        Ok(Self { columns, converter })
    }

    /// The key of each row.
    ///
    /// # Errors
    /// Where the rows are of another schema.
    pub fn of(&self, batch: &RecordBatch) -> Result<Vec<OwnedRow>, ArrowError> {
        let arrays: Vec<ArrayRef> = self.columns.iter().map(|column| batch.column(*column).clone()).collect();
        let rows = self.converter.convert_columns(&arrays)?;
        Ok(rows.iter().map(|row| row.owned()).collect())
    }
}

/// Rows in the types of a schema, whose columns are found by name, as one batch.
///
/// # Errors
/// Where they have no such column, or a value does not fit its type.
pub fn as_one(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let mut all = Vec::new();
    for batch in batches {
        let columns = schema.fields().iter().map(|field| {
            let column = batch.column_by_name(field.name()).ok_or_else(|| {
                ArrowError::SchemaError(format!("the rows have no column `{}`", field.name()))
            })?;
            cast(column, field.data_type())
        });
        all.push(RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?);
    }
    concat_batches(schema, &all)
}
