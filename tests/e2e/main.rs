//! The binary as a user meets it: small projects on disk, commands, what they print and what the tables then hold.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod airflow;
mod bad_input;
mod bundled;
mod cassandra_sink;
mod changes;
mod commands;
mod compact;
mod corners;
mod data_tests;
mod demo;
mod dialect;
mod docs;
mod errors;
mod handbook;
mod history;
mod hive_faults;
mod hive_outages;
mod hive_random;
mod hive_snapshots;
mod hive_tables;
mod incremental;
mod kafka;
mod lambda;
mod lease;
mod microbatch;
mod packages;
mod project;
mod promise;
mod publish;
mod python_environment;
mod random;
mod seeds;
mod selection;
mod services;
mod shapes;
mod snapshots;
mod streaming;
mod test_config;
mod voice;
