//! A streaming model as the stream takes it: what it computes, and the table that its rows are kept in.

use super::SinkTable;
use mep_sql::streaming::StreamQuery;

/// What a streaming model is.
#[derive(Clone, Debug)]
pub struct ModelSpec {
    /// Its name, for people.
    pub name: String,
    /// Of all that its states depend on.
    pub fingerprint: String,
    /// Its SQL, taken apart.
    pub query: StreamQuery,
    /// Its table.
    pub table: SinkTable,
    /// How much later than others an event may come, in milliseconds.
    pub lateness: i64,
}
