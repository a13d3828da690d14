//! The Hive metastore's Thrift calls that publishing, reading and the lease need.
//!
//! Owns the connection. Must not know: what mep keeps in parameters.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use hive_metastore::{
    AddPartitionsRequest, Database, DropPartitionsRequest, EnvironmentContext, GetTableRequest,
    HeartbeatRequest, LockRequest, LockResponse, Partition, RequestPartsSpec, ShowLocksRequest,
    ShowLocksResponseElement, Table, ThriftHiveMetastoreClient, ThriftHiveMetastoreClientBuilder,
    UnlockRequest,
};
use pilota::FastStr;
use volo_thrift::MaybeException;
use volo_thrift::codec::default::DefaultMakeCodec;

use super::background::Background;
use super::call::{CallFailure, CallKind, CallResult};
use super::limits::Limits;
use super::refusal::RefusalKind;
use mep_contract::warehouse::error::{WarehouseError, no_answer};
use mep_core::relation::Relation;

/// A connection to a metastore.
#[derive(Clone)]
pub(super) struct Metastore {
    client: ThriftHiveMetastoreClient,
    address: String,
    limits: Limits,
    background: Arc<Background>,
}

impl fmt::Debug for Metastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metastore").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Awaits a call and sorts its outcome.
macro_rules! answer {
    ($call:expr) => {
        match $call.await {
            Ok(MaybeException::Ok(value)) => Ok(value),
            Ok(MaybeException::Exception(exception)) => Err(CallFailure::Refused(exception.into())),
            Err(error) => Err(CallFailure::from(error)),
        }
    };
}

impl Metastore {
    /// Connects to the first of the addresses (`host:port`) that answers.
    ///
    /// # Errors
    /// Where none does.
    pub(super) fn connect(
        addresses: &[String],
        limits: Limits,
        background: &Arc<Background>,
    ) -> Result<Self, WarehouseError> {
        let mut reasons = Vec::new();
        for address in addresses {
            match Self::try_connect(address, limits, background) {
                Ok(metastore) => return Ok(metastore),
                Err(reason) => reasons.push(format!("{address}: {reason}")),
            }
        }
        Err(WarehouseError::Unreachable { what: "the hive metastore", reason: reasons.join("; ") })
    }

    fn try_connect(address: &str, limits: Limits, background: &Arc<Background>) -> Result<Self, String> {
        let sockets = address.to_socket_addrs().map_err(|error| error.to_string())?;
        let mut reason = "the name has no address".to_owned();
        for socket in sockets {
            let socket: SocketAddr = socket;
            let builder = ThriftHiveMetastoreClientBuilder::new("metastore")
                .address(socket)
                .make_codec(DefaultMakeCodec::buffered())
                .connect_timeout(Some(limits.connecting()))
                // Each call has a limit of its own.
                .rpc_timeout(None)
                .read_write_timeout(None);
            // The client's pool starts a task of its own.
            let inside = background.handle().enter();
            let client = builder.build();
            drop(inside);
            let (address, background) = (address.to_owned(), background.clone());
            let metastore = Self { client, address, limits, background };
            match metastore.databases() {
                Ok(_) => return Ok(metastore),
                Err(WarehouseError::Lost { reason: why, .. }) => reason = why,
                Err(WarehouseError::Silent { seconds, .. }) => reason = no_answer("it", seconds),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(reason)
    }

    /// Where it is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Carries a call out in the background.
    fn call<T, F>(
        &self,
        action: &'static str,
        object: impl fmt::Display,
        kind: CallKind,
        call: impl Fn(ThriftHiveMetastoreClient) -> F,
    ) -> CallResult<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CallFailure>> + Send + 'static,
    {
        let limit = kind.limit(self.limits);
        let (mut unsent, mut lost) = (0, 0);
        let outcome = loop {
            let call = call(self.client.clone());
            let ended = self.background.wait(async move {
                tokio::time::timeout(limit, call).await.unwrap_or(Err(CallFailure::Silent(limit)))
            });
            let outcome = ended.unwrap_or_else(|| Err(CallFailure::Lost("the call ended early".to_owned())));
            let Err(failure) = &outcome else { break outcome };
            let times = if matches!(failure, CallFailure::Unsent(_)) { &mut unsent } else { &mut lost };
            *times += 1;
            if !kind.again(failure, *times) {
                break outcome;
            }
        };
        let service = format!("the hive metastore at {}", self.address);
        CallResult { action, object: object.to_string(), service, outcome }
    }

    fn databases(&self) -> Result<Vec<FastStr>, WarehouseError> {
        self.call("listing", "databases", CallKind::Question, |client| async move {
            answer!(client.get_all_databases())
        })
        .must()
    }

    /// A database; `None` where there is none of this name.
    pub(super) fn database(&self, name: &str) -> Result<Option<Database>, WarehouseError> {
        self.call("reading database", name, CallKind::Question, |client| {
            let name = FastStr::new(name);
            async move { answer!(client.get_database(name)) }
        })
        .unless(RefusalKind::Missing)
    }

    /// Creates a database; one that is there by now is as good.
    pub(super) fn create_database(&self, database: &Database) -> Result<(), WarehouseError> {
        let name = database.name.clone().unwrap_or_default();
        self.call("creating database", &name, CallKind::Change, |client| {
            let database = database.clone();
            async move { answer!(client.create_database(database)) }
        })
        .unless(RefusalKind::Exists)
        .map(|_| ())
    }

    /// The names of a database's tables and views.
    pub(super) fn tables(&self, database: &str) -> Result<Vec<FastStr>, WarehouseError> {
        self.call("listing the tables of", database, CallKind::Listing, |client| {
            let database = FastStr::new(database);
            async move { answer!(client.get_all_tables(database)) }
        })
        .must()
    }

    /// A table or view; `None` where the metastore says that there is none.
    pub(super) fn table(&self, relation: &Relation) -> Result<Option<Table>, WarehouseError> {
        let request = GetTableRequest {
            db_name: database(relation),
            tbl_name: FastStr::new(&relation.name),
            ..GetTableRequest::default()
        };
        self.call("reading table", relation, CallKind::Question, |client| {
            let request = request.clone();
            async move { answer!(client.get_table_req(request)) }
        })
        .unless(RefusalKind::Missing)
        .map(|found| found.map(|result| result.table))
    }

    fn partitions(&self, relation: &Relation) -> Result<Vec<Partition>, WarehouseError> {
        self.call("reading the partitions of", relation, CallKind::Listing, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            async move { answer!(client.get_partitions(database, name, -1)) }
        })
        .must()
    }

    /// All partitions of a table; none of what is not partitioned.
    pub(super) fn partitions_of(
        &self,
        relation: &Relation,
        table: &Table,
    ) -> Result<Vec<Partition>, WarehouseError> {
        let is_partitioned = table.partition_keys.as_ref().is_some_and(|keys| !keys.is_empty());
        if is_partitioned { self.partitions(relation) } else { Ok(Vec::new()) }
    }

    /// Creates a table or view.
    pub(super) fn create_table(&self, relation: &Relation, table: &Table) -> Result<(), WarehouseError> {
        self.call("creating table", relation, CallKind::Change, |client| {
            let table = table.clone();
            async move { answer!(client.create_table(table)) }
        })
        .must()
    }

    /// Changes a table in one step; its columns in all partitions too.
    pub(super) fn alter_table(&self, relation: &Relation, table: &Table) -> Result<(), WarehouseError> {
        let context = context(&[("DO_NOT_UPDATE_STATS", "true"), ("CASCADE", "true")]);
        self.call("changing table", relation, CallKind::Change, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            let (table, context) = (table.clone(), context.clone());
            async move { answer!(client.alter_table_with_environment_context(database, name, table, context)) }
        })
        .must()
    }

    /// Adds partitions in one step: all of them, or none.
    pub(super) fn add_partitions(
        &self,
        relation: &Relation,
        partitions: &[Partition],
    ) -> Result<(), WarehouseError> {
        let request = AddPartitionsRequest {
            db_name: database(relation),
            tbl_name: FastStr::new(&relation.name),
            parts: partitions.to_vec(),
            if_not_exists: false,
            need_result: Some(false),
            ..AddPartitionsRequest::default()
        };
        self.call("adding partitions to", relation, CallKind::Change, |client| {
            let request = request.clone();
            async move { answer!(client.add_partitions_req(request)) }
        })
        .must()
        .map(|_| ())
    }

    /// Changes partitions in one step: all of them, or none.
    pub(super) fn alter_partitions(
        &self,
        relation: &Relation,
        partitions: &[Partition],
    ) -> Result<(), WarehouseError> {
        let context = context(&[("DO_NOT_UPDATE_STATS", "true")]);
        self.call("changing partitions of", relation, CallKind::Change, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            let (partitions, context) = (partitions.to_vec(), context.clone());
            async move {
                answer!(client.alter_partitions_with_environment_context(database, name, partitions, context))
            }
        })
        .must()
    }

    /// Takes partitions, by name such as `event_date=2018-11-03`, out of a table; their folders stay.
    pub(super) fn drop_partitions(
        &self,
        relation: &Relation,
        names: &[String],
    ) -> Result<(), WarehouseError> {
        let request = DropPartitionsRequest {
            db_name: database(relation),
            tbl_name: FastStr::new(&relation.name),
            parts: RequestPartsSpec::Names(names.iter().map(FastStr::new).collect()),
            delete_data: Some(false),
            if_exists: Some(true),
            ignore_protection: None,
            environment_context: None,
            need_result: Some(false),
            cat_name: None,
        };
        self.call("dropping partitions of", relation, CallKind::Change, |client| {
            let request = request.clone();
            async move { answer!(client.drop_partitions_req(request)) }
        })
        .must()
        .map(|_| ())
    }

    /// Takes a table or view away; its folder stays. One that is gone is as good.
    pub(super) fn drop_table(&self, relation: &Relation) -> Result<(), WarehouseError> {
        self.call("dropping table", relation, CallKind::Change, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            async move { answer!(client.drop_table(database, name, false)) }
        })
        .unless(RefusalKind::Missing)
        .map(|_| ())
    }

    /// Asks for a lock, which is had at once or is waited for.
    pub(super) fn lock(&self, request: &LockRequest) -> Result<LockResponse, WarehouseError> {
        self.call("locking", "the warehouse", CallKind::Lock, |client| {
            let request = request.clone();
            async move { answer!(client.lock(request)) }
        })
        .must()
    }

    /// Gives a lock back; one that is gone is as good.
    pub(super) fn unlock(&self, id: i64) -> Result<(), WarehouseError> {
        self.call("unlocking", "the warehouse", CallKind::SignOfLife, |client| async move {
            answer!(client.unlock(UnlockRequest { lockid: id }))
        })
        .unless(RefusalKind::Missing)
        .map(|_| ())
    }

    /// Says that the holder of a lock lives; `false` where the lock is gone.
    pub(super) fn heartbeat(&self, id: i64) -> Result<bool, WarehouseError> {
        self.call("keeping the lease on", "the warehouse", CallKind::SignOfLife, |client| async move {
            answer!(client.heartbeat(HeartbeatRequest { lockid: Some(id), txnid: None }))
        })
        .unless(RefusalKind::Missing)
        .map(|found| found.is_some())
    }

    /// The locks on a table's name.
    pub(super) fn locks(&self, relation: &Relation) -> Result<Vec<ShowLocksResponseElement>, WarehouseError> {
        let request = ShowLocksRequest {
            dbname: Some(database(relation)),
            tablename: Some(FastStr::new(&relation.name)),
            partname: None,
            is_extended: None,
        };
        self.call("reading the locks of", "the warehouse", CallKind::Question, |client| {
            let request = request.clone();
            async move { Ok(client.show_locks(request).await?) }
        })
        .must()
        .map(|found| found.locks.unwrap_or_default())
    }
}

/// The database of a relation.
pub(super) fn database(relation: &Relation) -> FastStr {
    FastStr::new(relation.schema.as_deref().unwrap_or("default"))
}

fn context(properties: &[(&'static str, &'static str)]) -> EnvironmentContext {
    let properties = properties
        .iter()
        .map(|(key, value)| (FastStr::from_static_str(key), FastStr::from_static_str(value)));
    EnvironmentContext { properties: Some(properties.collect()) }
}
