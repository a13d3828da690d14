//! Where rows come from.
//!
//! Owns reading rows of the outside world into Arrow batches of a declared schema, and telling what there is to read.
//! Comes in: a connection and a declared schema. Goes out: units, batches, and rejects with their reason.
//! Must not know: models, SQL, the graph, where rows go.

pub mod declared_type;
pub mod landed;
mod nested_type;
pub mod reading;
pub mod schema;
pub mod tail;
pub mod unit;
pub mod whole;

pub use declared_type::TypeError;
pub use landed::{BATCH, EVENT_DATE, LandingTable};
pub use reading::{Piece, ReceiveError, RowReceiver, Source, SourceError, SourceItem, UnitReader};
pub use schema::{RowSchema, SchemaError};
pub use unit::{Holding, MessagePlace, READING_RULES, Recorded, Reject, RejectedRows, Unit};
pub use whole::{WholeRows, WholeTable};
