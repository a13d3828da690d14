//! Which value a column takes of text and JSON that comes from outside.
//!
//! Owns the one rule of it for all that is read: landed rows (`rows`) and seeds (`seed`), also of
//! several texts (`csv_table`), the grammar of CSV (`csv_records`), and how
//! schemas of Avro are read (`avro_schema`). Must not know: where bytes come from,
//! where rows go.

pub mod avro_schema;
pub mod csv_records;
pub mod csv_table;
pub mod rows;
pub mod seed;
