//! What SQL, its plans, types and values are made of, as parts of a hash.
//!
//! Owns how each of them becomes a [`Structure`](mep_core::fingerprint::Structure). Every `match` here names all variants, so
//! that one which DataFusion or arrow adds is an error of the compiler, and not a thing that two meanings share unseen.
//! Must not use the texts that these types show to people.

mod data_type;
mod expression;
mod literal;
mod tokens;

pub use data_type::{columns, data_type};
pub use tokens::text;

pub(super) use expression::{NodeParts, join_type, node, null_equality, table_reference};
