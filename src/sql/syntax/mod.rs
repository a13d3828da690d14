//! What is done to parsed SQL before it is planned.
//!
//! Owns rewrites of the syntax tree that keep its meaning. Must not know schemas or plans.

mod chains;
mod nesting;

pub(super) use chains::{DEPTH, balance};
pub(super) use nesting::{NESTING, Nesting, deepest_bracket};
