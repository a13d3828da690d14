//! Where tables live.
//!
//! Owns the content of tables as immutable folders, the atomic step that points a table at them (publish), what each
//! piece of content was built from (the ledger), and the lease that lets one run at a time write. Comes in: finished
//! folders and their ledger. Goes out: table versions that never show half a table. Must not know: models, SQL, the
//! graph, how rows were made.

mod durable;
pub mod lease;
pub mod ledger;
pub mod local;
pub mod partition;
pub mod table;
pub mod writer;

pub use crate::fingerprint::Fingerprint;
pub use lease::{Holder, Lease, LeaseError};
pub use ledger::{Batch, Inputs, LandedUnit, Ledger, RunId, Version};
pub use local::{LocalWarehouse, WarehouseError};
pub use partition::PartitionKey;
pub use table::{Content, DataFile, Partition, TableVersion};
pub use writer::{PartitionWriter, WriteError, WriteTarget, WrittenFiles};
