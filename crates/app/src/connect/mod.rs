//! From what a target says to what is spoken to: sources, streams, and the places that streams write to.

mod loaded;
mod sinks;
mod sources;
mod streams;

pub use loaded::loaded;
pub use sinks::Sinks;
pub use sources::{connect, unread_folders};
pub use streams::{Streaming, connect_streams};
