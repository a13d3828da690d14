//! Statements and what comes of them, over the sessions of a cluster.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use scylla::deserialize::row::DeserializeRow;
use scylla::errors::ExecutionError;
use scylla::serialize::row::SerializeRow;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;
use scylla::value::{CqlValue, Row};

use super::connection::CassandraSession;
use super::failure;
use mep_contract::sink::SinkError;

/// How long before a node takes statements on a table it may list it: as long as nodes may take to agree on a schema.
const LISTED_BEFORE: Duration = Duration::from_secs(30);

/// How soon it is asked again whether it takes them.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What became of a conditional update.
#[derive(Debug)]
pub(super) enum Decision {
    /// It was applied.
    Applied,
    /// Its condition did not hold.
    Declined,
    /// Nobody knows: it may have been applied, or be applied yet.
    Unknown(SinkError),
}

impl CassandraSession {
    /// Changes the schema, and waits until all nodes know of it.
    pub(super) async fn define(&self, doing: &str, cql: &str) -> Result<(), SinkError> {
        let driver = self.driver.get_session();
        driver.query_unpaged(cql, ()).await.map_err(|error| self.failed(doing, &error))?;
        Ok(())
    }

    /// What an error of a statement means.
    pub(super) fn failed(&self, doing: &str, error: &ExecutionError) -> SinkError {
        if failure::is_of_an_end(error) {
            self.endings.fetch_add(1, Ordering::Relaxed);
        }
        failure::executing(doing, error)
    }

    /// A conditional update. It is never repeated by the driver: whether it was applied is for the caller to find out.
    pub(super) async fn decide(
        &self,
        doing: &str,
        cql: &str,
        values: impl SerializeRow,
    ) -> Result<Decision, SinkError> {
        let mut statement = Statement::new(cql);
        statement.set_consistency(self.stream);
        statement.set_serial_consistency(Some(self.serial));
        statement.set_is_idempotent(false);
        let answer = match self.control.execute_unpaged(statement, values).await {
            Ok(answer) => answer,
            Err(error) => {
                return match self.failed(doing, &error) {
                    passing @ SinkError::Passing(_) => Ok(Decision::Unknown(passing)),
                    refused => Err(refused),
                };
            }
        };
        let rows = answer.into_rows_result().map_err(|error| failure::answer(doing, &error))?;
        let row: Row = rows.first_row().map_err(|error| failure::answer(doing, &error))?;
        match row.columns.first() {
            Some(Some(CqlValue::Boolean(true))) => Ok(Decision::Applied),
            Some(Some(CqlValue::Boolean(false))) => Ok(Decision::Declined),
            _ => Err(failure::answer(doing, &"no [applied]")),
        }
    }

    /// Reads few rows.
    pub(super) async fn rows<R>(
        &self,
        doing: &str,
        cql: &str,
        values: impl SerializeRow,
        consistency: Consistency,
    ) -> Result<Vec<R>, SinkError>
    where
        R: for<'a> DeserializeRow<'a, 'a>,
    {
        let mut statement = Statement::new(cql);
        statement.set_consistency(consistency);
        statement.set_is_idempotent(true);
        let answer = self.control.execute_unpaged(statement, values).await;
        let answer = answer.map_err(|error| self.failed(doing, &error))?;
        let answer = answer.into_rows_result().map_err(|error| failure::answer(doing, &error))?;
        let rows = answer.rows::<R>().map_err(|error| failure::answer(doing, &error))?;
        rows.collect::<Result<_, _>>().map_err(|error| failure::answer(doing, &error))
    }

    /// Writes or deletes what the stream itself keeps; may be repeated.
    pub(super) async fn write(
        &self,
        doing: &str,
        cql: &str,
        values: impl SerializeRow,
    ) -> Result<(), SinkError> {
        let mut statement = Statement::new(cql);
        statement.set_consistency(self.stream);
        statement.set_is_idempotent(true);
        let written = self.driver.execute_unpaged(statement, values).await;
        written.map(|_| ()).map_err(|error| self.failed(doing, &error))
    }

    /// A statement that many rows are written with; may be repeated. A node that is slow to make a table lists it before it takes
    /// statements on it.
    pub(super) async fn prepare(&self, doing: &str, cql: &str) -> Result<PreparedStatement, SinkError> {
        let began = Instant::now();
        loop {
            match self.driver.get_session().prepare(cql).await {
                Ok(mut prepared) => {
                    prepared.set_is_idempotent(true);
                    return Ok(prepared);
                }
                Err(error) if failure::is_of_schema(&error) && began.elapsed() < LISTED_BEFORE => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                Err(error) => return Err(failure::preparing(doing, &error)),
            }
        }
    }
}
