//! The Hive metastore's Thrift calls that publishing, reading and the lease need.
//!
//! Owns the connection and the words of its failures. Must not know: what mep keeps in parameters.

use std::fmt;
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

/// What a call gave, with what it was about.
struct Answer<T> {
    action: &'static str,
    object: String,
    outcome: Result<T, Failure>,
}

impl<T> Answer<T> {
    /// What was asked for; all else is an error.
    fn must(self) -> Result<T, WarehouseError> {
        let Self { action, object, outcome } = self;
        outcome.map_err(|failure| {
            let reason = match failure {
                Failure::Refused(refusal) => refusal.to_string(),
                Failure::Unclear(reason) => reason,
            };
            WarehouseError::Metastore { action, object, reason }
        })
    }

    /// What was asked for; `None` where the metastore refused it with an exception of this kind.
    fn unless(self, kind: RefusalKind) -> Result<Option<T>, WarehouseError> {
        match &self.outcome {
            Err(Failure::Refused(refusal)) if refusal.kind == kind => Ok(None),
            _ => self.must().map(Some),
        }
    }
}

/// A connection to a metastore.
#[derive(Clone)]
pub(super) struct Metastore {
    client: ThriftHiveMetastoreClient,
    address: String,
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
        object: impl fmt::Display,
        is_read: bool,
        call: impl Fn(ThriftHiveMetastoreClient) -> F,
    ) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let attempts = if is_read { 2 } else { 1 };
        let mut failure = Failure::Unclear("the call ended early".to_owned());
        for _ in 0..attempts {
            match self.background.wait(call(self.client.clone())) {
                Some(Err(unclear @ Failure::Unclear(_))) => failure = unclear,
                Some(outcome) => return Answer { action, object: object.to_string(), outcome },
                None => {}
            }
        }
        Answer { action, object: object.to_string(), outcome: Err(failure) }
    }

    fn databases(&self) -> Result<Vec<FastStr>, WarehouseError> {
        self.call("listing", "databases", true, |client| async move { answer!(client.get_all_databases()) })
            .must()
    }

    /// A database; `None` where there is none of this name.
    pub(super) fn database(&self, name: &str) -> Result<Option<Database>, WarehouseError> {
        self.call("reading database", name, true, |client| {
            let name = FastStr::new(name);
            async move { answer!(client.get_database(name)) }
        })
        .unless(RefusalKind::Missing)
    }

    /// Creates a database; one that is there by now is as good.
    pub(super) fn create_database(&self, database: &Database) -> Result<(), WarehouseError> {
        let name = database.name.clone().unwrap_or_default();
        self.call("creating database", &name, false, |client| {
            let database = database.clone();
            async move { answer!(client.create_database(database)) }
        })
        .unless(RefusalKind::Exists)
        .map(|_| ())
    }

    /// The names of a database's tables and views.
    pub(super) fn tables(&self, database: &str) -> Result<Vec<FastStr>, WarehouseError> {
        self.call("listing the tables of", database, true, |client| {
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
        self.call("reading table", relation, true, |client| {
            let request = request.clone();
            async move { answer!(client.get_table_req(request)) }
        })
        .unless(RefusalKind::Missing)
        .map(|found| found.map(|result| result.table))
    }

    fn partitions(&self, relation: &Relation) -> Result<Vec<Partition>, WarehouseError> {
        self.call("reading the partitions of", relation, true, |client| {
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
        self.call("creating table", relation, false, |client| {
            let table = table.clone();
            async move { answer!(client.create_table(table)) }
        })
        .must()
    }

    /// Changes a table in one step; its columns in all partitions too.
    pub(super) fn alter_table(&self, relation: &Relation, table: &Table) -> Result<(), WarehouseError> {
        let context = context(&[("DO_NOT_UPDATE_STATS", "true"), ("CASCADE", "true")]);
        self.call("changing table", relation, false, |client| {
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
        self.call("adding partitions to", relation, false, |client| {
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
        self.call("changing partitions of", relation, false, |client| {
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
        self.call("dropping partitions of", relation, false, |client| {
            let request = request.clone();
            async move { answer!(client.drop_partitions_req(request)) }
        })
        .must()
        .map(|_| ())
    }

    /// Takes a table or view away; its folder stays. One that is gone is as good.
    pub(super) fn drop_table(&self, relation: &Relation) -> Result<(), WarehouseError> {
        self.call("dropping table", relation, false, |client| {
            let (database, name) = (database(relation), FastStr::new(&relation.name));
            async move { answer!(client.drop_table(database, name, false)) }
        })
        .unless(RefusalKind::Missing)
        .map(|_| ())
    }

    /// Asks for a lock, which is had at once or is waited for.
    pub(super) fn lock(&self, request: &LockRequest) -> Result<LockResponse, WarehouseError> {
        self.call("locking", "the warehouse", false, |client| {
            let request = request.clone();
            async move { answer!(client.lock(request)) }
        })
        .must()
    }

    /// Gives a lock back; one that is gone is as good.
    pub(super) fn unlock(&self, id: i64) -> Result<(), WarehouseError> {
        self.call("unlocking", "the warehouse", false, |client| async move {
            answer!(client.unlock(UnlockRequest { lockid: id }))
        })
        .unless(RefusalKind::Missing)
        .map(|_| ())
    }

    /// Says that the holder of a lock lives; `false` where the lock is gone.
    pub(super) fn heartbeat(&self, id: i64) -> Result<bool, WarehouseError> {
        self.call("keeping the lease on", "the warehouse", true, |client| async move {
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
        self.call("reading the locks of", "the warehouse", true, |client| {
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
