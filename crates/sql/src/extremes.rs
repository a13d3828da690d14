//! `min` and `max` of floats: NaN is above all numbers, whatever the order of rows.
//!
//! In groups the engine takes whatever comes after a NaN for the extreme, so that the order of rows decides. All else is
//! the engine's own.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::min_max::{Max, Min};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
    StatisticsArgs,
};

use super::comparable::{as_floats, as_integers, comparable};

/// The function, over the engine's own.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Extreme<Engine> {
    engine: Engine,
}

pub(super) type Least = Extreme<Min>;
pub(super) type Greatest = Extreme<Max>;

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

impl<Engine: AggregateUDFImpl + PartialEq + Eq + std::hash::Hash> AggregateUDFImpl for Extreme<Engine> {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.return_type(types)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.engine.coerce_types(types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let is_float = is_float(arguments.return_field.data_type());
        let engine = self.engine.accumulator(arguments)?;
        Ok(if is_float { Box::new(OfComparable(engine)) } else { engine })
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let is_float = is_float(arguments.return_field.data_type());
        let engine = self.engine.create_sliding_accumulator(arguments)?;
        Ok(if is_float { Box::new(OfComparable(engine)) } else { engine })
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.engine.state_fields(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.engine.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let floats = arguments.return_field.data_type().clone();
        if !is_float(&floats) {
            return self.engine.create_groups_accumulator(arguments);
        }
        let integers = Arc::new(Field::new(arguments.return_field.name(), DataType::Int64, true));
        let integers = AccumulatorArgs { return_field: integers, ..arguments };
        Ok(Box::new(OfIntegers { engine: self.engine.create_groups_accumulator(integers)?, floats }))
    }

    fn is_descending(&self) -> Option<bool> {
        self.engine.is_descending()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.engine.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn value_from_stats(&self, arguments: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.engine.value_from_stats(arguments)
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.engine.set_monotonicity(data_type)
    }
}

/// The extreme of all rows, or of a window that slides over them.
#[derive(Debug)]
struct OfComparable(Box<dyn Accumulator>);

fn all(columns: &[ArrayRef], made: fn(&ArrayRef) -> ArrayRef) -> Vec<ArrayRef> {
    columns.iter().map(made).collect()
}

impl Accumulator for OfComparable {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&all(columns, comparable))
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&all(columns, comparable))
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(&all(states, comparable))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.evaluate()
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

/// The extremes of groups, found among integers.
struct OfIntegers {
    engine: Box<dyn GroupsAccumulator>,
    floats: DataType,
}

impl GroupsAccumulator for OfIntegers {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.engine.update_batch(&all(columns, as_integers), groups, filter, total)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.engine.merge_batch(&all(states, as_integers), groups, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(as_floats(&self.engine.evaluate(emit)?, &self.floats))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.engine.state(emit)?;
        Ok(states.iter().map(|state| as_floats(state, &self.floats)).collect())
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let states = self.engine.convert_to_state(&all(columns, as_integers), filter)?;
        Ok(states.iter().map(|state| as_floats(state, &self.floats)).collect())
    }

    fn size(&self) -> usize {
        self.engine.size()
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows;

    #[test]
    fn nan_is_above_all_numbers_whatever_the_order_of_rows() {
        for order in ["", " desc"] {
            let t = format!(
                "(select * from (values (1, 'a', cast('nan' as double)), (2, 'a', cast('-inf' as double)), (3, 'a', 2.5), (4, 'b', -7.25), (5, 'b', null)) v(n, k, d) order by n{order})"
            );
            assert_eq!(
                rows(&format!("select k, min(d), max(d) from {t} group by k order by k")),
                "a-infNaN b-7.25-7.25"
            );
            assert_eq!(rows(&format!("select min(d), max(d), max(d - d) from {t}")), "-infNaNNaN");
            assert_eq!(
                rows(&format!(
                    "select n, max(d) over (order by n rows between 1 preceding and current row) from {t} order by n"
                )),
                "1NaN 2NaN 32.5 42.5 5-7.25"
            );
        }
    }
}
