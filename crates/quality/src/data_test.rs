//! Data tests: a SELECT of rows that should not be, and how many of them are too many.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use mep_contract::executor::{EngineError, Executor};
use mep_graph::{Severity, TestConfig};
use mep_sql::failing_rows;

/// What a number of failing rows means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Pass,
    /// The user is told.
    Warn,
    /// The run has failed.
    Fail,
}

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Rows that fail the test, by its `fail_calc`.
    pub failures: i64,
    /// What that means.
    pub verdict: Verdict,
}

/// Runs a test, whose SQL stands alone.
///
/// # Errors
/// Where the SQL cannot be planned over the tables as they are, or fails.
pub async fn run(engine: &dyn Executor, sql: &str, config: &TestConfig) -> Result<Finding, EngineError> {
    let counting = engine.planned(&failing_rows(sql, &config.fail_calc, config.limit))?;
    let batches = engine.collect(counting).await?;
    let mut failures = 0;
    for batch in &batches {
        let counted = cast(batch.column(0), &DataType::Int64)?;
        failures += counted.as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
    }
    Ok(Finding { failures, verdict: verdict(failures, config) })
}

/// dbt's rule: `error_if` decides where the severity is `error`, else `warn_if`.
fn verdict(failures: i64, config: &TestConfig) -> Verdict {
    if config.severity == Severity::Error && config.error_if.holds(failures) {
        Verdict::Fail
    } else if config.warn_if.holds(failures) {
        Verdict::Warn
    } else {
        Verdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_decides_what_failing_rows_mean() {
        let error = TestConfig::default();
        let warn = TestConfig { severity: Severity::Warn, ..TestConfig::default() };
        assert_eq!([verdict(0, &error), verdict(1, &error)], [Verdict::Pass, Verdict::Fail]);
        assert_eq!([verdict(0, &warn), verdict(1, &warn)], [Verdict::Pass, Verdict::Warn]);
    }
}
