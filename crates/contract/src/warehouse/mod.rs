//! Where tables live.
//!
//! Owns the content of tables as immutable folders, the atomic step that points a table at them (publish), what each
//! piece of content was built from (the ledger), and the lease that lets one run at a time write. Comes in: finished
//! folders and their ledger. Goes out: table versions that never show half a table. Must not know: models, SQL, the
//! graph, how rows were made.

pub mod build_folder;
mod column_versions;
pub mod columns;
pub mod durable;
pub mod error;
mod in_place;
pub mod input_key;
pub mod lease;
pub mod ledger;
pub mod partition;
pub mod presentation;
pub mod publication;
pub mod shared;
pub mod span;
pub mod storage;
pub mod table;
pub mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mep_core::relation::Relation;

pub use build_folder::BuildFolder;
pub use column_versions::ColumnVersions;
pub use durable::replace_durably;
pub use error::WarehouseError;
pub use in_place::{FileBatches, InPlaceTable, ReadsFiles};
pub use input_key::InputKey;
pub use lease::{Holder, Lease, LeaseError, Taken, take_within};
pub use ledger::{Batch, Inputs, LandedUnit, Ledger, RunId, Version};
pub use partition::PartitionKey;
pub use presentation::{Presentation, ViewText};
pub use publication::Publication;
pub use shared::{SHARED_BYTES, SharedFiles, SharedWriter, replace_files};
pub use span::{KeySpan, may_hold};
pub use storage::{NewFile, Storage, TableFolder};
pub use table::{Content, DataFile, KeptGroups, Partition, TableVersion, Within};
pub use writer::{PartitionWriter, Spread, WriteError, WriteTarget, WrittenFiles};

/// Where tables live.
///
/// ```
/// use mep_contract::warehouse::{Warehouse, WarehouseError};
///
/// /// The rows of every table, each as it was last published.
/// fn rows(warehouse: &dyn Warehouse) -> Result<Vec<(String, u64)>, WarehouseError> {
///     let mut counted = Vec::new();
///     for relation in warehouse.relations()? {
///         if let Some(table) = warehouse.read(&relation)? {
///             let rows = table.partitions().map(|(_, partition)| partition.rows()).sum();
///             counted.push((relation.to_string(), rows));
///         }
///     }
///     Ok(counted)
/// }
/// ```
pub trait Warehouse: fmt::Debug + Send + Sync {
    /// Where it is, for people.
    fn describe(&self) -> String;

    /// Takes the right to write.
    ///
    /// # Errors
    /// Where another run has it.
    fn lease(&self, holder: &Holder) -> Result<Lease, LeaseError>;

    /// The catalog by which Trino knows the warehouse, where other engines read its views too.
    fn trino_catalog(&self) -> Option<&str> {
        None
    }

    /// Whether all files of a partition must lie in one folder that holds nothing else.
    fn has_one_folder_a_partition(&self) -> bool {
        false
    }

    /// The file system that tables lie in.
    fn storage(&self) -> Arc<dyn Storage>;

    /// The folder of a table.
    fn table_folder(&self, relation: &Relation) -> TableFolder;

    /// What the warehouse holds of a relation; `None` where it is known to hold nothing.
    ///
    /// # Errors
    /// Where the answer is not clear: what cannot be read is not a missing table.
    fn read(&self, relation: &Relation) -> Result<Option<TableVersion>, WarehouseError>;

    /// What is there of a table that others publish, to be read where it is; `None` where it is known that there is none.
    ///
    /// # Errors
    /// Where the answer is not clear, or the table is one that mep does not read.
    fn read_in_place(&self, relation: &Relation) -> Result<Option<TableVersion>, WarehouseError>;

    /// What it held of a relation before, the latest first, as far as that is known and its files may still be there.
    ///
    /// # Errors
    /// Where what is known cannot be read.
    fn read_former(&self, _relation: &Relation) -> Result<Vec<TableVersion>, WarehouseError> {
        Ok(Vec::new())
    }

    /// What was published under a relation's name, the latest first, as far as all of it is still there: the first is what it holds.
    /// `None` where the warehouse keeps nothing but that.
    ///
    /// # Errors
    /// Where what is known cannot be read.
    fn publications(&self, _relation: &Relation) -> Result<Option<Vec<Publication>>, WarehouseError> {
        Ok(None)
    }

    /// Points the relation at `table`: the one atomic step by which readers come to see new content.
    ///
    /// The files of the run that publishes last through a power cut before readers see them.
    ///
    /// # Errors
    /// Where it cannot be published; the old content is then still in place.
    fn publish(
        &self,
        relation: &Relation,
        table: &TableVersion,
        presentation: &Presentation,
    ) -> Result<(), WarehouseError>;

    /// Takes a relation away, and its files with it.
    ///
    /// # Errors
    /// Where something cannot be deleted.
    fn drop_relation(&self, relation: &Relation) -> Result<(), WarehouseError>;

    /// Every relation that is there, by schema and name.
    ///
    /// # Errors
    /// Where they cannot be listed.
    fn relations(&self) -> Result<Vec<Relation>, WarehouseError>;

    /// Deletes folders that no table points at and that are older than `retention`. Call it with the lease held.
    ///
    /// # Errors
    /// Where what a table points at cannot be read (then nothing of it is deleted) or a folder cannot be deleted.
    fn clean(&self, retention: Duration) -> Result<Cleaned, WarehouseError>;
}

/// Folders that a clean-up took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// How many folders.
    pub folders: usize,
    /// Bytes of the files in them.
    pub bytes: u64,
}
