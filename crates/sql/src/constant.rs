//! The value of an expression that reads nothing and is the same on every run.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::array_value_to_string;
use serde_json::Value as Json;

use super::problem::SqlProblem;
use super::scope::Scope;
use super::{alignment, volatility};

impl Scope {
    /// The value of an expression of SQL: a number, truth value or NULL as such, all else as text.
    ///
    /// # Errors
    /// Where it reads a table, differs between runs, or fails.
    pub fn constant(&self, expression: &str) -> Result<Json, SqlProblem> {
        let sql = format!("select {expression} as value");
        let plan = self.plan(&sql)?;
        let refused = |message: &str, help: &str| SqlProblem {
            message: message.to_owned(),
            range: None,
            help: Some(help.to_owned()),
        };
        if alignment::tables(&plan).map_or(true, |tables| !tables.is_empty()) {
            return Err(refused(
                "it reads a table, and what is rendered is known before anything is built",
                "write the value out",
            ));
        }
        if volatility::is_volatile(&plan) || self.calls_volatile(&sql) {
            return Err(refused("it has another value on every run", "write the value out"));
        }
        let failed = |error: datafusion::common::DataFusionError| SqlProblem {
            message: super::Failure::of(&error).message,
            range: None,
            help: None,
        };
        let rows = futures::executor::block_on(async {
            self.context().execute_logical_plan(plan.into_plan()).await?.collect().await
        });
        let value = rows.map_err(failed)?.into_iter().find(|batch| batch.num_rows() > 0);
        Ok(value.map_or(Json::Null, |batch| json(batch.column(0))))
    }
}

fn json(values: &ArrayRef) -> Json {
    if values.is_null(0) || values.data_type().is_null() {
        return Json::Null;
    }
    let number = |to: &DataType| cast(values, to).ok();
    match values.data_type() {
        DataType::Boolean => values.as_boolean().value(0).into(),
        kind if kind.is_integer() => number(&DataType::Int64)
            .map_or(Json::Null, |cast| cast.as_primitive::<Int64Type>().value(0).into()),
        kind if kind.is_numeric() => number(&DataType::Float64)
            .map_or(Json::Null, |cast| cast.as_primitive::<Float64Type>().value(0).into()),
        _ => array_value_to_string(values, 0).map_or(Json::Null, Json::from),
    }
}

#[cfg(test)]
mod tests {
    use crate::Scope;

    #[test]
    fn an_expression_has_a_value_where_it_reads_nothing_and_stays_the_same() {
        let value = |expression: &str| Scope::for_planning().constant(expression);
        assert_eq!(value("date_diff('day', date '2024-01-01', date '2024-03-01')").unwrap(), 60);
        assert_eq!(value("null").unwrap(), serde_json::Value::Null);
        assert_eq!(value("1.5").unwrap(), 1.5);
        assert_eq!(value("date '2024-01-01'").unwrap(), "2024-01-01");
        assert!(value("current_date").unwrap_err().message.contains("another value on every run"));
        assert!(value("(select 1 from nowhere)").is_err());
    }
}
