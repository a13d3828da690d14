//! A SELECT that was planned, as it passes between stages and to what executes it; and why one cannot be planned or run.
//!
//! How plans are made inside is known to this crate and to engines alone. Other stages ask for the columns, narrow the rows, and
//! pass the query on.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::{Column, DataFusionError};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};

use super::failure::Failure;
use super::rules::division::divides_whole_numbers;

/// A SELECT, planned over the relations of a scope.
///
/// It is read as a logical plan by this crate and by engines.
#[derive(Clone, Debug)]
pub struct PlannedQuery(LogicalPlan);

impl PlannedQuery {
    /// Whether it divides a whole number by another one.
    pub fn divides_whole_numbers(&self) -> bool {
        divides_whole_numbers(&self.0).unwrap_or(false)
    }

    /// The plan, for an engine.
    pub fn into_plan(self) -> LogicalPlan {
        self.0
    }

    /// The columns that its rows have.
    pub fn output(&self) -> SchemaRef {
        Arc::new(self.0.schema().as_arrow().clone())
    }

    /// Its first rows: so many of them, or all.
    ///
    /// # Errors
    /// None of its own; building a plan returns a `Result`.
    pub fn limited(self, rows: Option<usize>) -> Result<Self, SqlError> {
        Ok(LogicalPlanBuilder::from(self.0).limit(0, rows)?.build()?.into())
    }

    /// The values of these columns as text, in which partition keys have them, each combination once. Of no columns: a row if there
    /// are any rows.
    ///
    /// # Errors
    /// Where it has no such column.
    pub fn distinct_texts(self, columns: &[String]) -> Result<Self, SqlError> {
        let rows = LogicalPlanBuilder::from(self.0);
        if columns.is_empty() {
            return Ok(rows.limit(0, Some(1))?.project([lit(true)])?.build()?.into());
        }
        let text = |name: &String| cast(Expr::Column(Column::from_name(name)), DataType::Utf8).alias(name);
        let texts: Vec<Expr> = columns.iter().map(text).collect();
        Ok(rows.project(texts)?.distinct()?.build()?.into())
    }
}

impl From<LogicalPlan> for PlannedQuery {
    fn from(plan: LogicalPlan) -> Self {
        Self(plan)
    }
}

impl Deref for PlannedQuery {
    type Target = LogicalPlan;

    fn deref(&self) -> &LogicalPlan {
        &self.0
    }
}

/// Why SQL could not be planned or run, as the engine says it. It is shown in mep's words, with how to go on, in one line.
#[derive(Debug)]
pub struct SqlError(DataFusionError);

impl SqlError {
    /// An error of planning, in words of our own.
    pub fn planning(message: impl Into<String>) -> Self {
        Self(DataFusionError::Plan(message.into()))
    }

    /// What would take more than is allowed, in words of our own.
    pub fn exhausted(message: impl Into<String>) -> Self {
        Self(DataFusionError::ResourcesExhausted(message.into()))
    }

    /// What it means.
    pub fn failure(&self) -> Failure {
        Failure::of(&self.0)
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = self.failure();
        match failure.help {
            Some(help) => write!(f, "{}: {help}", failure.message),
            None => f.write_str(&failure.message),
        }
    }
}

impl std::error::Error for SqlError {}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        Self(error)
    }
}

impl From<ArrowError> for SqlError {
    fn from(error: ArrowError) -> Self {
        Self(error.into())
    }
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        error.0
    }
}
