//! From what a target says to what is spoken to: sources, streams, and the places that streams write to.

mod loaded;
mod serving;
mod sinks;
mod sources;
mod streams;

pub use loaded::{inferred, rows_of};
pub use serving::serving_store;
pub use sinks::Sinks;
pub use sources::{connect, unread_folders};
pub use streams::{Streaming, connect_streams};
