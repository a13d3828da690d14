//! How the places are spoken to that a target's streaming models write to.

use std::time::Duration;

use mep_cassandra::{Connection, Consistency, Login, Replication, SETTLES_AFTER, Tls};
use mep_lang::project::{CassandraConfig, CassandraConsistency, CassandraReplication};

/// How a target's Cassandra is spoken to.
pub fn cassandra_connection(config: &CassandraConfig) -> Connection {
    Connection {
        contact_points: config.contact_points.clone(),
        keyspace: config.keyspace.clone(),
        replication: match &config.replication {
            CassandraReplication::Simple(factor) => Replication::Simple(*factor),
            CassandraReplication::PerDatacenter(factors) => Replication::PerDatacenter(factors.clone()),
        },
        consistency: match config.consistency {
            CassandraConsistency::One => Consistency::One,
            CassandraConsistency::Two => Consistency::Two,
            CassandraConsistency::Three => Consistency::Three,
            CassandraConsistency::Quorum => Consistency::Quorum,
            CassandraConsistency::All => Consistency::All,
            CassandraConsistency::LocalQuorum => Consistency::LocalQuorum,
            CassandraConsistency::EachQuorum => Consistency::EachQuorum,
            CassandraConsistency::LocalOne => Consistency::LocalOne,
        },
        local_dc: config.local_dc.clone(),
        login: config
            .login
            .as_ref()
            .map(|login| Login { username: login.username.clone(), password: login.password.clone() }),
        tls: config.tls.as_ref().map(|tls| Tls {
            ca: tls.ca.clone(),
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            verifies_address: tls.verifies_address,
        }),
        timeout: Duration::from_secs(config.timeout),
        concurrency: config.concurrency,
        settles_after: SETTLES_AFTER,
    }
}
