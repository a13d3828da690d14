//! Why a warehouse cannot be read or written.

use std::io;
use std::path::PathBuf;

use mep_core::os_error::OsMessage;
use mep_core::path_name::NotAName;
use mep_core::root::Outside;

/// Why the warehouse cannot be read or written. Nothing is published when this is returned.
#[derive(Debug, thiserror::Error)]
pub enum WarehouseError {
    /// A file or folder cannot be used.
    #[error("{action} {path}: {}", OsMessage(.error))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A name or a link would lead out of the warehouse.
    #[error(transparent)]
    Outside(#[from] Outside),
    /// The name of a table is none that a folder can have.
    #[error("`{name}` cannot be the name of a schema or table: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: NotAName,
    },
    /// A manifest is not what mep wrote. mep stops here rather than take the table for missing.
    #[error("the manifest {path} cannot be read: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest was written by a newer mep.
    #[error("the manifest {path} is of format {found}, this mep reads format {expected}: use a newer mep")]
    Format {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format that is read.
        expected: u32,
    },
    /// A service cannot be reached.
    #[error("{what} cannot be reached: {reason}")]
    Unreachable {
        /// Which.
        what: &'static str,
        /// What was said.
        reason: String,
    },
    /// The metastore said no, or gave no clear answer. mep stops here rather than guess.
    #[error("{action} {object}: the hive metastore says: {reason}")]
    Metastore {
        /// What was tried.
        action: &'static str,
        /// On what.
        object: String,
        /// What it says.
        reason: String,
    },
    /// HDFS said no.
    #[error("{action} {path}: hdfs says: {reason}")]
    Hdfs {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: String,
        /// What it says.
        reason: String,
    },
    /// A service took too long: whether a change was carried out is not known, and the next run finds out.
    #[error("{action} {object}: {}", no_answer(service, *seconds))]
    Silent {
        /// What was tried.
        action: &'static str,
        /// On what.
        object: String,
        /// Which, and where it is.
        service: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A service cannot be reached any more: whether a change was carried out is not known, and the next run finds out.
    #[error("{action} {object}: {}", no_connection(service, reason))]
    Lost {
        /// What was tried.
        action: &'static str,
        /// On what.
        object: String,
        /// Which, and where it is.
        service: String,
        /// What the system says.
        reason: String,
    },
    /// Hive cannot have such a column.
    #[error("column `{column}`: {reason}")]
    HiveColumn {
        /// The column.
        column: String,
        /// Why not.
        reason: String,
    },
    /// Readers of Hive could not read what is stored by what is to be published. Nothing was changed.
    #[error(
        "{relation} cannot be changed like that in hive: {reason}; drop the table first, or give the model another name"
    )]
    HiveChange {
        /// The table.
        relation: String,
        /// What would change.
        reason: String,
    },
    /// A table that others publish cannot be read where it is.
    #[error("{relation} cannot be read where it is: {reason}")]
    InPlace {
        /// The table.
        relation: String,
        /// What is in the way, and how to go on.
        reason: String,
    },
    /// A file of a table that others publish is another one than it was when the run began.
    #[error(
        "{path} of {relation} was written anew while it was read, so what was read of it does not count: run again"
    )]
    FileChanged {
        /// The table.
        relation: String,
        /// The file.
        path: String,
    },
    /// A file of a table that others publish cannot be read as what the table says that it is.
    #[error("{path} of {relation} cannot be read: {reason}")]
    File {
        /// The table.
        relation: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another run took the lease while this one was silent.
    #[error("the lease on the warehouse was lost to another run, so nothing more is published: run again")]
    LeaseLost,
}

/// What is said of a service that cannot be reached any more.
pub fn no_connection(service: &str, reason: &str) -> String {
    format!("no connection to {service} ({reason}); run again once it is up")
}

/// What is said of a service that took too long.
pub fn no_answer(service: &str, seconds: u64) -> String {
    format!(
        "no answer from {service} within {seconds} s; \
         see whether it is up, then run again, or raise the target's `timeout`"
    )
}
