//! The metastore's exceptions as one type.

use std::fmt;

use hive_metastore::{
    ThriftHiveMetastoreAddPartitionsReqException as AddPartitions,
    ThriftHiveMetastoreAlterPartitionsWithEnvironmentContextException as AlterPartitions,
    ThriftHiveMetastoreAlterTableWithEnvironmentContextException as AlterTable,
    ThriftHiveMetastoreCreateDatabaseException as CreateDatabase,
    ThriftHiveMetastoreCreateTableException as CreateTable,
    ThriftHiveMetastoreDropPartitionsReqException as DropPartitions,
    ThriftHiveMetastoreDropTableException as DropTable,
    ThriftHiveMetastoreGetAllDatabasesException as GetAllDatabases,
    ThriftHiveMetastoreGetAllTablesException as GetAllTables,
    ThriftHiveMetastoreGetDatabaseException as GetDatabase,
    ThriftHiveMetastoreGetPartitionsException as GetPartitions,
    ThriftHiveMetastoreGetTableReqException as GetTable, ThriftHiveMetastoreHeartbeatException as Heartbeat,
    ThriftHiveMetastoreLockException as Lock, ThriftHiveMetastoreUnlockException as Unlock,
};

/// What the metastore said no with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MetastoreRefusal {
    /// Which of its exceptions.
    pub(super) kind: RefusalKind,
    /// Its message.
    pub(super) message: String,
}

/// The exceptions that differ in what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// There is no such thing.
    Missing,
    /// It is there already.
    Exists,
    /// Anything else.
    Other,
}

impl fmt::Display for MetastoreRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

macro_rules! refusals {
    ($($exception:ident { $($variant:ident: $kind:ident),+ })+) => {
        $(impl From<$exception> for MetastoreRefusal {
            fn from(exception: $exception) -> Self {
                match exception {
                    $($exception::$variant(said) => Self {
                        kind: RefusalKind::$kind,
                        message: said.message.map(|message| message.to_string()).unwrap_or_default(),
                    }),+
                }
            }
        })+
    };
}

refusals! {
    AddPartitions { O1: Other, O2: Exists, O3: Other }
    AlterPartitions { O1: Other, O2: Other }
    AlterTable { O1: Other, O2: Other }
    CreateDatabase { O1: Exists, O2: Other, O3: Other }
    CreateTable { O1: Exists, O2: Other, O3: Other, O4: Other }
    DropPartitions { O1: Missing, O2: Other }
    DropTable { O1: Missing, O3: Other }
    GetAllDatabases { O1: Other }
    GetAllTables { O1: Other }
    GetDatabase { O1: Missing, O2: Other }
    GetPartitions { O1: Missing, O2: Other }
    GetTable { O1: Other, O2: Missing }
    Heartbeat { O1: Missing, O2: Other, O3: Other }
    Lock { O1: Other, O2: Other }
    Unlock { O1: Missing, O2: Other }
}
