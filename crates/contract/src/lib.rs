//! What the stages agree on with what lies outside: the traits that connectors implement, and the values that pass between.
//!
//! Owns `Source` and its units, `Warehouse` and what a table and its ledger are, `Sink` and its epochs, `ServingStore` and its deliveries,
//! `Executor` and what it is handed. Must not know: any one connector or engine, models, how anything is planned or carried out.

pub mod executor;
pub mod serving;
pub mod sink;
pub mod source;
pub mod warehouse;
