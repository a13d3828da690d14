//! Values of the outside world into rows of a declared schema.
//!
//! Owns the one rule of which value a column takes, whether it comes as JSON or typed already. Comes in: lines, or batches
//! of another schema. Goes out: batches of the declared schema, and bad rows with their reason. Must not know: files, Kafka.

mod bad_row;
mod column;
mod convert;
mod convert_nested;
mod csv;
mod decimal;
mod decode;
mod json;
mod making;
mod nested;
mod strangers;
mod typed;

use arrow::error::ArrowError;

pub use bad_row::BadRow;
pub use column::Misfit;
pub use column::sql_name;
pub use csv::{CsvColumns, CsvDecoder};
pub use decimal::Number;
pub use decode::{Chunk, Decoded, Decoder, LineNumbers};
pub use typed::{columns_of, rows_of, undeclared};

/// Why a schema cannot be read into at all, or a batch not be built.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Rows hold no columns of this type.
    #[error("column `{column}` is of the type {data_type}, which rows cannot be read into")]
    UnsupportedType {
        /// The column.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },
    /// Arrow refuses a batch: a defect of mep.
    #[error("cannot build a batch of rows: {0}")]
    Arrow(#[from] ArrowError),
}
