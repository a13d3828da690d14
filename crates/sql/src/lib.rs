//! What a SELECT means.
//!
//! Owns planning SQL against the schemas of its inputs with no data read, the functions that mep adds to SQL, the
//! place of an error in the SQL, which partitions of the inputs a partition of the output depends on, where columns come
//! from, and what counts as the same SQL. Comes in: SQL text and the schemas of relations. Goes out: logical plans, problems with their
//! place, alignments, fingerprints. Must not know: projects, Jinja, warehouses, what executes a plan.

pub mod alignment;
mod asked;
mod bounded;
mod calendar;
mod carried;
mod checked;
mod coalesce;
mod column_places;
mod comparable;
mod constant;
pub mod constraint;
pub mod culprit;
mod date_bin;
mod date_trunc;
pub mod dialect;
pub mod difference;
mod effect;
mod event_day;
pub mod event_time;
mod exact_mean;
mod exact_sum;
mod executable;
mod extremes;
mod failing_rows;
pub mod failure;
pub mod functions;
pub mod history;
mod joined_text;
mod json_text;
pub mod keyed;
mod lateral;
pub mod lineage;
mod mean;
mod merge;
mod named_tables;
mod names;
mod outside_rows;
mod partition_filter;
mod parts_of_text;
mod per_row;
mod planned;
pub mod problem;
mod pushed_filters;
pub mod recipe;
pub mod rules;
mod sayings;
pub mod scope;
pub mod snapshot;
pub mod stored_types;
pub mod streaming;
pub mod structure;
mod surely_fails;
mod surrogate_key;
mod syntax;
mod time_text;
mod times;
mod tree;
mod trial;
mod truth_numbers;
mod tumble;
mod types_said;
mod view;
mod volatility;
mod whole_sort_keys;
mod with_clause;

pub use alignment::{Alignment, ScanAlignment, texts};
pub use asked::{INFORMATION_SCHEMA, of_information_schema};
pub use carried::Keys;
pub use culprit::Culprit;
pub use effect::{StatementEffect, statements};
pub use event_day::EventDay;
pub use event_time::EventTime;
pub use failing_rows::failing_rows;
pub use failure::Failure;
pub use lineage::{ColumnOf, Origins, RowUses, copies, origins, row_uses};
pub use merge::KeyedMerge;
pub use named_tables::named_tables;
pub use names::{is_plain_name, quoted};
pub use outside_rows::{Batches, OutsideRows, ReadError};
pub use planned::{PlannedQuery, SqlError};
pub use problem::SqlProblem;
pub use recipe::Recipe;
pub use rules::division::{Division, Meanings};
pub use scope::{DeclaredTable, Scope, exact_on_partitions};
pub use stored_types::{
    Unstorable, offset, stored_schema, stored_schema_of_query, stored_type, without_semicolon,
};
pub use types_said::sql_type;
pub use volatility::is_volatile;
pub use with_clause::after_with;
