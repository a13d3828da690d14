//! The Hive metastore's Thrift calls that publishing, reading and the lease need.
//!
//! Owns the connection and the words of its failures. Must not know: what mep keeps in parameters.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use hive_metastore::{
    AddPartitionsRequest, Database, DropPartitionsRequest, EnvironmentContext, GetTableRequest,
    HeartbeatRequest, LockRequest, LockResponse, Partition, RequestPartsSpec, ShowLocksRequest,
    ShowLocksResponseElement, Table, ThriftHiveMetastoreClient, ThriftHiveMetastoreClientBuilder,
    UnlockRequest,
};
use pilota::FastStr;
use volo_thrift::codec::default::DefaultMakeCodec;
use volo_thrift::{ClientError, MaybeException};

use super::background::Background;
use super::refusal::{Refusal, RefusalKind};
use crate::relation::Relation;
use crate::warehouse::error::WarehouseError;

/// How long a call may take: publishing thousands of partitions is one call.
const CALL_LIMIT: Duration = Duration::from_mins(5);
/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why a call did not give what was asked for.
#[derive(Debug)]
enum Failure {
    /// The metastore said no.
    Refused(Refusal),
    /// No answer, or none that can be understood: whether the call was carried out is not known.
    Unclear(String),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Unclear(error.to_string())
    }
}

/// A connection to a metastore.
#[derive(Clone)]
pub(super) struct Metastore {
    client: ThriftHiveMetastoreClient,
    address: String,
    background: Arc<Background>,
}

impl std::fmt::Debug for Metastore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metastore").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Awaits a call and sorts its outcome.
macro_rules! answer {
    ($call:expr) => {
        match $call.await {
            Ok(MaybeException::Ok(value)) => Ok(value),
            Ok(MaybeException::Exception(exception)) => Err(Failure::Refused(exception.into())),
            Err(error) => Err(Failure::from(error)),
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
        background: &Arc<Background>,
    ) -> Result<Self, WarehouseError> {
        let mut reasons = Vec::new();
        for address in addresses {
            match Self::try_connect(address, background) {
                Ok(metastore) => return Ok(metastore),
                Err(reason) => reasons.push(format!("{address}: {reason}")),
            }
        }
        Err(WarehouseError::Unreachable { what: "the hive metastore", reason: reasons.join("; ") })
    }

    fn try_connect(address: &str, background: &Arc<Background>) -> Result<Self, String> {
        let sockets = address.to_socket_addrs().map_err(|error| error.to_string())?;
        let mut reason = "the name has no address".to_owned();
        for socket in sockets {
            let socket: SocketAddr = socket;
            let builder = ThriftHiveMetastoreClientBuilder::new("metastore")
                .address(socket)
                .make_codec(DefaultMakeCodec::buffered())
                .connect_timeout(Some(CONNECT_LIMIT))
                .rpc_timeout(Some(CALL_LIMIT))
                .read_write_timeout(Some(CALL_LIMIT));
            // The client's pool starts a task of its own.
            let inside = background.handle().enter();
            let client = builder.build();
            drop(inside);
            let metastore = Self { client, address: address.to_owned(), background: background.clone() };
            match metastore.databases() {
                Ok(_) => return Ok(metastore),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(reason)
    }

    /// Where it is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Carries a call out in the background. A call that only reads is tried once more where the connection was lost.
    fn call<T, F>(
        &self,
        action: &'static str,
        object: &str,
        is_read: bool,
        call: impl Fn(ThriftHiveMetastoreClient) -> F,
    ) -> Result<Result<T, Refusal>, WarehouseError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let attempts = if is_read { 2 } else { 1 };
        let mut reason = "the call ended early".to_owned();
        for _ in 0..attempts {
            match self.background.wait(call(self.client.clone())) {
                Some(Ok(value)) => return Ok(Ok(value)),
                Some(Err(Failure::Refused(refusal))) => return Ok(Err(refusal)),
                Some(Err(Failure::Unclear(unclear))) => reason = unclear,
                None => {}
            }
        }
        Err(WarehouseError::Metastore { action, object: object.to_owned(), reason })
    }

    fn must<T>(action: &'static str, object: &str, outcome: Result<T, Refusal>) -> Result<T, WarehouseError> {
        outcome.map_err(|refusal| WarehouseError::Metastore {
            action,
            object: object.to_owned(),
            reason: refusal.to_string(),
        })
    }

    /// `None` where the metastore says that there is no such thing.
    fn found<T>(
        action: &'static str,
        object: &str,
        outcome: Result<T, Refusal>,
    ) -> Result<Option<T>, WarehouseError> {
        match outcome {
            Err(refusal) if refusal.kind == RefusalKind::Missing => Ok(None),
            outcome => Self::must(action, object, outcome).map(Some),
        }
    }

    fn databases(&self) -> Result<Vec<FastStr>, WarehouseError> {
        let outcome =
            self.call(
                "listing",
                "databases",
                true,
                |client| async move { answer!(client.get_all_databases()) },
            )?;
        Self::must("listing", "databases", outcome)
    }

    /// A database; `None` where there is none of this name.
    pub(super) fn database(&self, name: &str) -> Result<Option<Database>, WarehouseError> {
        let outcome = self.call("reading database", name, true, |client| {
            let name = FastStr::new(name);
            async move { answer!(client.get_database(name)) }
        })?;
        Self::found("reading database", name, outcome)
    }

    /// Creates a database; one that is there by now is as good.
    pub(super) fn create_database(&self, database: &Database) -> Result<(), WarehouseError> {
        let name = database.name.clone().unwrap_or_default();
        let outcome = self.call("creating database", &name, false, |client| {
            let database = database.clone();
            async move { answer!(client.create_database(database)) }
        })?;
        match outcome {
            Err(refusal) if refusal.kind == RefusalKind::Exists => Ok(()),
            outcome => Self::must("creating database", &name, outcome),
        }
    }

    /// The names of a database's tables and views.
    pub(super) fn tables(&self, database: &str) -> Result<Vec<FastStr>, WarehouseError> {
        let outcome = self.call("listing the tables of", database, true, |client| {
            let database = FastStr::new(database);
            async move { answer!(client.get_all_tables(database)) }
        })?;
        Self::must("listing the tables of", database, outcome)
    }

    /// A table or view; `None` where the metastore says that there is none.
    pub(super) fn table(&self, relation: &Relation) -> Result<Option<Table>, WarehouseError> {
        let request = GetTableRequest {
            db_name: database(relation),
            tbl_name: FastStr::new(&relation.name),
            ..GetTableRequest::default()
        };
        let outcome = self.call("reading table", &relation.to_string(), true, |client| {
            let request = request.clone();
            async move { answer!(client.get_table_req(request)) }
        })?;
        let found = Self::found("reading table", &relation.to_string(), outcome)?;
        Ok(found.map(|result| result.table))
    }

    /// All partitions of a table.
    pub(super) fn partitions(&self, relation: &Relation) -> Result<Vec<Partition>, WarehouseError> {
        let outcome = self.call("reading the partitions of", &relation.to_string(), true, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            async move { answer!(client.get_partitions(database, name, -1)) }
        })?;
        Self::must("reading the partitions of", &relation.to_string(), outcome)
    }

    /// Creates a table or view.
    pub(super) fn create_table(&self, relation: &Relation, table: &Table) -> Result<(), WarehouseError> {
        let outcome = self.call("creating table", &relation.to_string(), false, |client| {
            let table = table.clone();
            async move { answer!(client.create_table(table)) }
        })?;
        Self::must("creating table", &relation.to_string(), outcome)
    }

    /// Changes a table in one step; its columns in all partitions too.
    pub(super) fn alter_table(&self, relation: &Relation, table: &Table) -> Result<(), WarehouseError> {
        let context = context(&[("DO_NOT_UPDATE_STATS", "true"), ("CASCADE", "true")]);
        let outcome = self.call("changing table", &relation.to_string(), false, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            let (table, context) = (table.clone(), context.clone());
            async move { answer!(client.alter_table_with_environment_context(database, name, table, context)) }
        })?;
        Self::must("changing table", &relation.to_string(), outcome)
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
        let outcome = self.call("adding partitions to", &relation.to_string(), false, |client| {
            let request = request.clone();
            async move { answer!(client.add_partitions_req(request)) }
        })?;
        Self::must("adding partitions to", &relation.to_string(), outcome).map(|_| ())
    }

    /// Changes partitions in one step: all of them, or none.
    pub(super) fn alter_partitions(
        &self,
        relation: &Relation,
        partitions: &[Partition],
    ) -> Result<(), WarehouseError> {
        let context = context(&[("DO_NOT_UPDATE_STATS", "true")]);
        let outcome = self.call("changing partitions of", &relation.to_string(), false, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            let (partitions, context) = (partitions.to_vec(), context.clone());
            async move {
                answer!(client.alter_partitions_with_environment_context(database, name, partitions, context))
            }
        })?;
        Self::must("changing partitions of", &relation.to_string(), outcome)
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
        let outcome = self.call("dropping partitions of", &relation.to_string(), false, |client| {
            let request = request.clone();
            async move { answer!(client.drop_partitions_req(request)) }
        })?;
        Self::must("dropping partitions of", &relation.to_string(), outcome).map(|_| ())
    }

    /// Takes a table or view away; its folder stays. One that is gone is as good.
    pub(super) fn drop_table(&self, relation: &Relation) -> Result<(), WarehouseError> {
        let outcome = self.call("dropping table", &relation.to_string(), false, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            async move { answer!(client.drop_table(database, name, false)) }
        })?;
        Self::found("dropping table", &relation.to_string(), outcome).map(|_| ())
    }

    /// Asks for a lock, which is had at once or is waited for.
    pub(super) fn lock(&self, request: &LockRequest) -> Result<LockResponse, WarehouseError> {
        let outcome = self.call("locking", "the warehouse", false, |client| {
            let request = request.clone();
            async move { answer!(client.lock(request)) }
        })?;
        Self::must("locking", "the warehouse", outcome)
    }

    /// Asks whether a lock that was waited for is had by now.
    pub(super) fn check_lock(&self, id: i64) -> Result<LockResponse, WarehouseError> {
        let request = hive_metastore::CheckLockRequest { lockid: id, txnid: None, elapsed_ms: None };
        let outcome = self.call("locking", "the warehouse", false, |client| {
            let request = request.clone();
            async move { answer!(client.check_lock(request)) }
        })?;
        Self::must("locking", "the warehouse", outcome)
    }

    /// Gives a lock back; one that is gone is as good.
    pub(super) fn unlock(&self, id: i64) -> Result<(), WarehouseError> {
        let outcome = self.call("unlocking", "the warehouse", false, |client| async move {
            answer!(client.unlock(UnlockRequest { lockid: id }))
        })?;
        Self::found("unlocking", "the warehouse", outcome).map(|_| ())
    }

    /// Says that the holder of a lock lives; `false` where the lock is gone.
    pub(super) fn heartbeat(&self, id: i64) -> Result<bool, WarehouseError> {
        let outcome = self.call("keeping the lease on", "the warehouse", true, |client| async move {
            answer!(client.heartbeat(HeartbeatRequest { lockid: Some(id), txnid: None }))
        })?;
        Self::found("keeping the lease on", "the warehouse", outcome).map(|found| found.is_some())
    }

    /// The locks on a table's name.
    pub(super) fn locks(&self, relation: &Relation) -> Result<Vec<ShowLocksResponseElement>, WarehouseError> {
        let request = ShowLocksRequest {
            dbname: Some(database(relation)),
            tablename: Some(FastStr::new(&relation.name)),
            partname: None,
            is_extended: None,
        };
        let outcome = self.call("reading the locks of", "the warehouse", true, |client| {
            let request = request.clone();
            async move { Ok(client.show_locks(request).await?) }
        })?;
        let locks = Self::must("reading the locks of", "the warehouse", outcome)?;
        Ok(locks.locks.unwrap_or_default())
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
