//! `avg` of whole numbers as their exact total by their number, divided once: the engine adds doubles, so that of large numbers it gives what
//! the order of its rows makes of them, and no total to carry on. All else is the engine's own mean.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef};
use datafusion::common::types::{
    NativeType, logical_float64, logical_int8, logical_int16, logical_int32, logical_int64, logical_uint8,
    logical_uint16, logical_uint32, logical_uint64,
};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::average::Avg;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Coercion, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
    TypeSignature, TypeSignatureClass, Volatility,
};

use crate::exact_sum::each;

/// The mean of whole numbers by their exact total and their number; `None` of none.
pub(crate) fn mean_of(total: i128, count: i64) -> Option<f64> {
    (count > 0).then(|| total as f64 / count as f64)
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ExactMean {
    engine: Avg,
    signature: Signature,
}

impl Default for ExactMean {
    fn default() -> Self {
        let exact = |class| TypeSignature::Coercible(vec![Coercion::new_exact(class)]);
        let native = TypeSignatureClass::Native;
        let wider = |wide, narrow, of| {
            TypeSignature::Coercible(vec![Coercion::new_implicit(native(wide), narrow, of)])
        };
        let unsigned = vec![native(logical_uint8()), native(logical_uint16()), native(logical_uint32())];
        let signed = vec![native(logical_int8()), native(logical_int16()), native(logical_int32())];
        let accepted = vec![
            wider(logical_int64(), signed, NativeType::Int64),
            wider(logical_uint64(), unsigned, NativeType::UInt64),
            exact(TypeSignatureClass::Decimal),
            exact(TypeSignatureClass::Duration),
            wider(logical_float64(), vec![TypeSignatureClass::Float], NativeType::Float64),
        ];
        Self { engine: Avg::default(), signature: Signature::one_of(accepted, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for ExactMean {
    fn name(&self) -> &'static str {
        "avg"
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.return_type(types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !is_of_whole(arguments.expr_fields) {
            return self.engine.accumulator(arguments);
        }
        Ok(if arguments.is_distinct {
            Box::new(DistinctMean { values: HashSet::new() })
        } else {
            Box::new(OneMean { total: 0, count: 0 })
        })
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !is_of_whole(arguments.input_fields) {
            return self.engine.state_fields(arguments);
        }
        let field = |what: &str, of: DataType| Field::new(format_state_name(arguments.name, what), of, true);
        Ok(if arguments.is_distinct {
            let values = DataType::List(Arc::new(Field::new_list_field(of_total(), true)));
            vec![Arc::new(field("values", values))]
        } else {
            vec![Arc::new(field("count", DataType::Int64)), Arc::new(field("total", of_total()))]
        })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.engine.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_of_whole(arguments.expr_fields) {
            return self.engine.create_groups_accumulator(arguments);
        }
        Ok(Box::new(GroupMeans::default()))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Whether it is a mean of whole numbers, of which NULL alone is none.
fn is_of_whole(fields: &[FieldRef]) -> bool {
    matches!(
        fields.first().map(|field| field.data_type()),
        Some(DataType::Int64 | DataType::UInt64 | DataType::Null)
    )
}

/// The type that a total is handed on in, to be merged with others.
fn of_total() -> DataType {
    DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0)
}

fn totals(of: Vec<i128>) -> Decimal128Array {
    Decimal128Array::new(of.into(), None).with_data_type(of_total())
}

/// The mean of all rows, or of a window that slides over them.
#[derive(Debug)]
struct OneMean {
    total: i128,
    count: i64,
}

impl Accumulator for OneMean {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        each(&columns[0], |_, value| {
            self.total += value;
            self.count += 1;
        });
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        each(&columns[0], |_, value| {
            self.total -= value;
            self.count -= 1;
        });
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        each(&states[0], |_, count| self.count += count as i64);
        each(&states[1], |_, total| self.total += total);
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let total = ScalarValue::Decimal128(Some(self.total), DECIMAL128_MAX_PRECISION, 0);
        Ok(vec![ScalarValue::Int64(Some(self.count)), total])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(mean_of(self.total, self.count)))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// The mean of the values that differ.
#[derive(Debug)]
struct DistinctMean {
    values: HashSet<i128>,
}

impl Accumulator for DistinctMean {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        each(&columns[0], |_, value| {
            self.values.insert(value);
        });
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[values])?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = totals(self.values.iter().copied().collect());
        Ok(vec![SingleRowListArrayBuilder::new(Arc::new(values)).build_list_scalar()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let count = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        Ok(ScalarValue::Float64(mean_of(self.values.iter().sum(), count)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<i128>()
    }
}

/// The means of groups.
#[derive(Default)]
struct GroupMeans {
    totals: Vec<i128>,
    counts: Vec<i64>,
}

impl GroupMeans {
    fn grow(&mut self, groups: usize) {
        self.totals.resize(groups, 0);
        self.counts.resize(groups, 0);
    }
}

impl GroupsAccumulator for GroupMeans {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        each(&columns[0], |row, value| {
            if filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row)) {
                self.totals[groups[row]] += value;
                self.counts[groups[row]] += 1;
            }
        });
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.grow(total_groups);
        each(&states[0], |row, count| self.counts[groups[row]] += count as i64);
        each(&states[1], |row, total| self.totals[groups[row]] += total);
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let totals = emit.take_needed(&mut self.totals);
        let counts = emit.take_needed(&mut self.counts);
        let means = totals.into_iter().zip(counts).map(|(total, count)| mean_of(total, count));
        Ok(Arc::new(means.collect::<Float64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let counts = Int64Array::from(emit.take_needed(&mut self.counts));
        Ok(vec![Arc::new(counts), Arc::new(totals(emit.take_needed(&mut self.totals)))])
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = columns[0].len();
        let mut one_each = Self { totals: Vec::new(), counts: Vec::new() };
        let groups: Vec<usize> = (0..rows).collect();
        one_each.update_batch(columns, &groups, filter, rows)?;
        one_each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::{rows, rows_by_threads};

    const T: &str =
        "(values (1, 9007199254740993), (1, 1), (1, -9007199254740992), (2, null), (3, 3), (3, 4)) t(k, v)";

    #[test]
    fn a_mean_of_whole_numbers_is_of_their_exact_total_however_they_are_added() {
        let sql = format!("select k, avg(v), mean(v) from {T} group by k order by k");
        let expected = "10.66666666666666660.6666666666666666 2 33.53.5";
        assert_eq!(rows(&sql), expected);
        assert_eq!(rows_by_threads(&sql), expected);
        let sql = format!("select avg(v), avg(distinct v), avg(v) filter (where v > 3) from {T}");
        assert_eq!(rows(&sql), "1.81.84503599627370498.0");
    }

    #[test]
    fn means_of_all_kinds_of_whole_numbers_and_of_others_are_taken() {
        let sql = "select avg(cast(a as smallint)), avg(cast(a as integer unsigned)), avg(cast(a as double)),
            avg(cast(a as decimal(4, 2))), avg(null) from (values (1), (2)) v(a)";
        assert_eq!(rows(sql), "1.51.51.51.500000");
    }

    #[test]
    fn a_mean_over_a_window_takes_rows_out_again() {
        let sql = "select avg(a) over (order by a rows between 1 preceding and current row) from (values (1), (2), (5)) v(a)";
        assert_eq!(rows(sql), "1.0 1.5 3.5");
    }
}
