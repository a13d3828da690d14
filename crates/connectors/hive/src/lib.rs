//! A Hive warehouse: Parquet on HDFS, known to a Hive metastore, read by Hive, Spark, Trino and mep alike.
//!
//! Layout, below the configured location:
//! ```text
//! <schema>.db/<table>/data/<run>/…/*.parquet     immutable folders, one for each build
//! <schema>.db/<table>/data/empty                 what partitions without rows point at
//! ```
//! The metastore says which folders a table consists of, and keeps mep's ledger in the same entries (see [`entry`]).

mod background;
mod call;
mod clean;
mod columns;
mod entry;
mod hdfs;
mod in_place;
mod lease;
mod limits;
mod located;
mod metastore;
mod parameters;
mod pause;
mod publish;
mod reads;
mod refusal;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hive_metastore::Database;
use parking_lot::Mutex;
use pilota::FastStr;

use self::background::Background;
use self::entry::RelationEntry;
use self::hdfs::Hdfs;
use self::lease::LeaseState;
use self::limits::Limits;
use self::metastore::Metastore;
use self::publish::Publish;
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::lease::{Holder, Lease, LeaseError};
use mep_contract::warehouse::storage::{Storage, TableFolder};
use mep_contract::warehouse::{Cleaned, Presentation, TableVersion, Warehouse};
use mep_core::relation::Relation;

/// The port of a NameNode where none is said.
const NAMENODE_PORT: u16 = 8020;

/// Where a Hive warehouse is.
#[derive(Clone, Debug)]
pub struct HiveLocation<'a> {
    /// The metastore's addresses, `host:port`.
    pub metastore: &'a [String],
    /// The folder on HDFS, `hdfs://host:port/path`.
    pub location: &'a str,
    /// The folder of Hadoop's configuration, where it is not what `HADOOP_CONF_DIR` says.
    pub hadoop_conf_dir: Option<&'a Path>,
    /// The schema that the lease is on.
    pub schema: &'a str,
    /// The catalog by which Trino knows the metastore.
    pub trino_catalog: &'a str,
    /// How long the metastore and HDFS may take to answer; what is known to take longer gets a multiple of it.
    pub timeout: Duration,
}

/// Parquet tables on HDFS that a Hive metastore knows.
#[derive(Debug)]
pub struct HiveWarehouse {
    metastore: Metastore,
    hdfs: Hdfs,
    /// `hdfs://host:port`.
    authority: String,
    /// The absolute path below which schemas have their folders.
    root: String,
    schema: String,
    trino_catalog: String,
    held: LeaseState,
    /// One schema is made at a time: a metastore may refuse a second one of the same name with any error.
    creating: Mutex<()>,
}

impl HiveWarehouse {
    /// Connects to the metastore and HDFS.
    ///
    /// # Errors
    /// Where one of them cannot be reached.
    pub fn connect(at: &HiveLocation<'_>) -> Result<Self, WarehouseError> {
        let background = Background::start().map_err(|error| WarehouseError::Unreachable {
            what: "the network",
            reason: error.to_string(),
        })?;
        let background = Arc::new(background);
        let (authority, root) = split(at.location).ok_or_else(|| WarehouseError::Unreachable {
            what: "hdfs",
            reason: format!(
                "expected a location such as hdfs://namenode:8020/warehouse, found {}",
                at.location
            ),
        })?;
        let limits = Limits::new(at.timeout);
        Ok(Self {
            metastore: Metastore::connect(at.metastore, limits, &background)?,
            hdfs: Hdfs::connect(&authority, at.hadoop_conf_dir, limits, &background)?,
            authority,
            root,
            schema: at.schema.to_owned(),
            trino_catalog: at.trino_catalog.to_owned(),
            held: LeaseState::default(),
            creating: Mutex::default(),
        })
    }

    /// The path of a schema's folder.
    fn schema_folder(&self, schema: &str) -> String {
        format!("{}/{}.db", self.root, schema.to_lowercase())
    }

    /// The path of a table's folder.
    fn folder(&self, relation: &Relation) -> String {
        let schema = relation.schema.as_deref().unwrap_or("default");
        format!("{}/{}", self.schema_folder(schema), relation.name)
    }

    /// The URL of a table's folder.
    fn location(&self, relation: &Relation) -> String {
        format!("{}{}", self.authority, self.folder(relation))
    }

    /// The path of a folder that an entry of the metastore names.
    ///
    /// # Errors
    /// Where it is not on the HDFS of this warehouse.
    fn path_of(&self, location: &str) -> Result<String, String> {
        if location.starts_with('/') {
            return Ok(location.trim_end_matches('/').to_owned());
        }
        let elsewhere =
            || format!("its files are in {location}, and mep reads those that are on {}", self.authority);
        let (authority, path) = split(location).ok_or_else(elsewhere)?;
        if with_port(&authority) == with_port(&self.authority) { Ok(path) } else { Err(elsewhere()) }
    }

    fn create_schema(&self, schema: &str) -> Result<(), WarehouseError> {
        let _alone = self.creating.lock();
        if self.metastore.database(schema)?.is_some() {
            return Ok(());
        }
        let folder = self.schema_folder(schema);
        self.hdfs.create_folder(&folder)?;
        self.metastore.create_database(&Database {
            name: Some(FastStr::new(schema)),
            description: Some(FastStr::from_static_str("tables of mep")),
            location_uri: Some(FastStr::from_string(format!("{}{folder}", self.authority))),
            ..Database::default()
        })
    }
}

/// The user that Hadoop's own clients would be.
fn user() -> String {
    ["HADOOP_USER_NAME", "USER"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "mep".to_owned())
}

/// `hdfs://host:port` and the path of a location.
fn split(location: &str) -> Option<(String, String)> {
    let (host, path) = location.strip_prefix("hdfs://")?.split_once('/')?;
    Some((format!("hdfs://{host}"), format!("/{}", path.trim_matches('/'))))
}

/// A NameNode's address with its port, which stands for itself where it is the usual one.
fn with_port(authority: &str) -> String {
    let has_port = authority.trim_start_matches("hdfs://").contains(':');
    if has_port { authority.to_owned() } else { format!("{authority}:{NAMENODE_PORT}") }
}

impl Warehouse for HiveWarehouse {
    fn describe(&self) -> String {
        format!("hive, metastore {}, files in {}{}", self.metastore.address(), self.authority, self.root)
    }

    fn lease(&self, holder: &Holder) -> Result<Lease, LeaseError> {
        lease::take(&self.metastore, &self.schema, holder, &self.held)
    }

    fn has_one_folder_a_partition(&self) -> bool {
        true
    }

    fn trino_catalog(&self) -> Option<&str> {
        Some(&self.trino_catalog)
    }

    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.hdfs.clone())
    }

    fn table_folder(&self, relation: &Relation) -> TableFolder {
        TableFolder::new(self.storage(), PathBuf::from(self.folder(relation)))
    }

    fn read(&self, relation: &Relation) -> Result<Option<TableVersion>, WarehouseError> {
        let Some(table) = self.metastore.table(relation)? else { return Ok(None) };
        let partitions = self.metastore.partitions_of(relation, &table)?;
        let location = self.location(relation);
        RelationEntry { relation, location: &location }.read(&table, &partitions).map(Some)
    }

    fn read_in_place(&self, relation: &Relation) -> Result<Option<TableVersion>, WarehouseError> {
        let Some(table) = self.metastore.table(relation)? else { return Ok(None) };
        let partitions = self.metastore.partitions_of(relation, &table)?;
        in_place::read(self, relation, &table, &partitions).map(Some)
    }

    fn publish(
        &self,
        relation: &Relation,
        table: &TableVersion,
        presentation: &Presentation,
    ) -> Result<(), WarehouseError> {
        self.held.confirm(&self.metastore)?;
        Publish { warehouse: self, relation, table, presentation }.run()
    }

    fn drop_relation(&self, relation: &Relation) -> Result<(), WarehouseError> {
        self.held.confirm(&self.metastore)?;
        self.metastore.drop_table(relation)?;
        self.hdfs.delete_folder(&self.folder(relation))
    }

    fn relations(&self) -> Result<Vec<Relation>, WarehouseError> {
        if self.metastore.database(&self.schema)?.is_none() {
            return Ok(Vec::new());
        }
        let names = self.metastore.tables(&self.schema)?;
        let mut relations: Vec<Relation> =
            names.iter().map(|name| Relation::new(&self.schema, name.as_str())).collect();
        relations.sort();
        Ok(relations)
    }

    fn clean(&self, retention: Duration) -> Result<Cleaned, WarehouseError> {
        clean::clean(self, retention)
    }
}
