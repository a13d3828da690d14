//! Aggregates that fail on whatever rows they are given.
//!
//! Whether the engine can aggregate values of a type, some of its aggregates know only once they are given some.

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use datafusion::common::{DataFusionError, ScalarValue, exec_datafusion_err};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use mep_core::guard::guarded;

use super::probes;

/// Makes sure that an aggregate can begin, and takes some row or other of the types that it is computed of.
///
/// # Errors
/// Where it cannot.
pub(crate) fn check_accumulates(
    function: &AggregateFunctionExpr,
    schema: &Schema,
    is_grouped: bool,
) -> Result<(), DataFusionError> {
    function.create_accumulator()?;
    let mut first = None;
    for row in 0..probes::ROWS {
        let Some(values) = values(function, schema, row) else { return Ok(()) };
        let taken = guarded(|| takes(function, &values, is_grouped));
        let taken = taken.unwrap_or_else(|panicked| {
            Err(exec_datafusion_err!(
                "`{}` cannot be computed of these values ({panicked})",
                function.fun().name()
            ))
        });
        match taken {
            Ok(()) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(()), Err)
}

fn takes(
    function: &AggregateFunctionExpr,
    values: &[ArrayRef],
    is_grouped: bool,
) -> Result<(), DataFusionError> {
    if is_grouped && function.groups_accumulator_supported() {
        return function.create_groups_accumulator()?.update_batch(values, &[0], None, 1);
    }
    let mut accumulator = function.create_accumulator()?;
    accumulator.update_batch(values)?;
    accumulator.evaluate().map(|_| ())
}

/// What an aggregate is given of a row: its arguments, and what its rows are ordered by.
fn values(function: &AggregateFunctionExpr, schema: &Schema, row: usize) -> Option<Vec<ArrayRef>> {
    let ordered_by = function.order_bys().iter().map(|sort| sort.expr.clone());
    let values = function.expressions().into_iter().chain(ordered_by).map(|argument| {
        let value: ScalarValue = match argument.downcast_ref::<Literal>() {
            Some(literal) => literal.value().clone(),
            None => probes::value(&argument.data_type(schema).ok()?, row)?,
        };
        value.to_array().ok()
    });
    values.collect()
}
