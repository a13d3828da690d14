//! What a target says of the services that it connects: read from files by one stage, and spoken to by another.

mod cassandra;
mod files;
mod kafka;
mod postgres;
mod simulator;

pub use cassandra::{
    CassandraConnection, CassandraConsistency, CassandraLogin, CassandraReplication, CassandraTls,
    SETTLES_AFTER,
};
pub use files::{CsvDialect, CsvForm, CsvMark, FileFormat, FilesReading};
pub use kafka::{AvroWire, KafkaConnection, KafkaProperties, MessageFormat};
pub use postgres::{PostgresConnection, PostgresTls};
pub use simulator::SimulatorConfig;
