//! Whether tables are as they should be.
//!
//! Owns running tests and judging what they find. Comes in: compiled tests and an engine. Goes out: how many rows fail,
//! and whether that warns or fails. Must not know: how tables were built.

pub mod data_test;
pub mod unit_test;

pub use data_test::{Finding, Verdict, run};
