//! Cassandra, by a session and a keyspace that no other test has.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use mep_cassandra::{CassandraCluster, CassandraSink, Owner};
use mep_contract::sink::{Clustering, SinkTable};
use mep_core::connection::{CassandraConnection, CassandraConsistency, CassandraReplication};
use mep_core::relation::Relation;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::value::{CqlValue, Row};

use super::{NULL, address, double};

/// A session and the keyspace of one test.
pub(crate) struct Cassandra {
    session: Session,
    pub(crate) keyspace: String,
}

impl Cassandra {
    /// The cluster that the tests run against, without the keyspace that an earlier test of this name may have left.
    pub(crate) async fn new(name: &str) -> Self {
        let cassandra = Self::again(&format!("mep_{name}_{}", std::process::id())).await;
        cassandra.run(&format!("DROP KEYSPACE IF EXISTS {}", cassandra.keyspace)).await;
        cassandra
    }

    /// A keyspace that is there already.
    pub(crate) async fn again(keyspace: &str) -> Self {
        let session = SessionBuilder::new().known_node(address("MEP_TEST_CASSANDRA")).build().await.unwrap();
        Self { session, keyspace: keyspace.to_owned() }
    }

    /// How mep speaks to it.
    pub(crate) fn connection(&self) -> CassandraConnection {
        CassandraConnection {
            contact_points: vec![address("MEP_TEST_CASSANDRA")],
            keyspace: self.keyspace.clone(),
            replication: CassandraReplication::Simple(1),
            consistency: CassandraConsistency::LocalQuorum,
            local_dc: None,
            login: None,
            tls: None,
            timeout: Duration::from_secs(20),
            concurrency: 64,
            settles_after: Duration::ZERO,
        }
    }

    /// The sink of a model in a process of its own.
    pub(crate) fn sink(&self, table: &SinkTable, pid: u32) -> CassandraSink {
        let cluster: Arc<CassandraCluster> = CassandraCluster::connect(self.connection());
        cluster.sink(table.clone(), Owner { host: "test-host".into(), pid })
    }

    /// Carries a statement out in the keyspace.
    pub(crate) async fn run(&self, cql: &str) {
        self.rows(cql).await;
    }

    /// The rows of a query as text; `KS` stands for the keyspace.
    pub(crate) async fn rows(&self, cql: &str) -> Vec<Vec<String>> {
        let cql = cql.replace("KS.", &format!("{}.", self.keyspace));
        let answer = self.session.query_unpaged(cql.as_str(), ()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}\n{cql}"));
        if !answer.is_rows() {
            return Vec::new();
        }
        let answer = answer.into_rows_result().unwrap();
        let rows = answer.rows::<Row>().unwrap();
        rows.map(|row| row.unwrap().columns.iter().map(|value| text(value.as_ref())).collect()).collect()
    }

    /// The first value of the first row.
    pub(crate) async fn value(&self, cql: &str) -> String {
        let rows = self.rows(cql).await;
        rows.first().unwrap_or_else(|| panic!("no rows: {cql}")).first().unwrap().clone()
    }

    /// Drops the keyspace.
    pub(crate) async fn end(self) {
        self.run(&format!("DROP KEYSPACE IF EXISTS {}", self.keyspace)).await;
    }
}

/// A model's table: its partition key, and a clustering with `-` before a column whose largest comes first.
pub(crate) fn table(
    name: &str,
    schema: &SchemaRef,
    partition_key: &[&str],
    clustering: &[&str],
) -> SinkTable {
    let clustering = clustering.iter().map(|column| Clustering {
        column: column.trim_start_matches('-').to_owned(),
        descending: column.starts_with('-'),
    });
    SinkTable {
        relation: Relation::new("music", name),
        schema: Arc::clone(schema),
        partition_key: partition_key.iter().map(|column| (*column).to_owned()).collect(),
        clustering: clustering.collect(),
        ttl: None,
        description: format!("it's {name}"),
        column_descriptions: Vec::new(),
    }
}

fn text(value: Option<&CqlValue>) -> String {
    match value {
        None => NULL.to_owned(),
        Some(CqlValue::Text(text) | CqlValue::Ascii(text)) => text.clone(),
        Some(CqlValue::Double(value)) => double(*value),
        Some(CqlValue::Float(value)) => double(f64::from(*value)),
        Some(CqlValue::Blob(bytes)) => format!("{bytes:02x?}"),
        Some(CqlValue::Timestamp(of)) => of.0.to_string(),
        Some(CqlValue::Date(of)) => (i64::from(of.0) - (1 << 31)).to_string(),
        Some(CqlValue::Decimal(of)) => {
            let (bytes, scale) = of.as_signed_be_bytes_slice_and_exponent();
            let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
            let start = if negative { -1_i128 } else { 0 };
            let digits = bytes.iter().fold(start, |value, byte| (value << 8) | i128::from(*byte));
            format!("{digits}e-{scale} in {} bytes", bytes.len())
        }
        Some(CqlValue::BigInt(value)) => value.to_string(),
        Some(CqlValue::Int(value)) => value.to_string(),
        Some(CqlValue::SmallInt(value)) => value.to_string(),
        Some(CqlValue::TinyInt(value)) => value.to_string(),
        Some(CqlValue::Boolean(value)) => value.to_string(),
        Some(CqlValue::Uuid(value)) => value.to_string(),
        Some(other) => format!("{other:?}"),
    }
}
