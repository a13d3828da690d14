//! `sum` that never wraps around: integers are added in 128 bits and the sum is an error where its type cannot hold it; a sum of
//! decimals has at most 38 digits, or is an error too.
//!
//! What is added in another order, or in parts that are merged, comes to the same: in between, 128 bits hold any sum of
//! 64-bit integers. All else is the engine's own sum.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Int64Type,
    UInt64Type,
};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};
use datafusion::physical_expr::NullState;

/// The function.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ExactSum {
    engine: Sum,
}

/// The sum of an expression.
pub(super) fn exact_sum(of: Expr) -> Expr {
    AggregateUDF::new_from_impl(ExactSum::default()).call(vec![of])
}

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.return_type(types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match SumKind::of(arguments.return_field.data_type()) {
            Some(kind) if arguments.is_distinct => Ok(Box::new(DistinctSum { kind, values: HashSet::new() })),
            Some(kind) => Ok(Box::new(OneSum { kind, total: 0, values: 0 })),
            None => self.engine.accumulator(arguments),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match SumKind::of(arguments.return_type()) {
            Some(kind) if !arguments.is_distinct => {
                let name = format_state_name(arguments.name, "sum");
                Ok(vec![Arc::new(Field::new(name, kind.of_state(), true))])
            }
            _ => self.engine.state_fields(arguments),
        }
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.engine.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match SumKind::of(arguments.return_field.data_type()) {
            Some(kind) => Ok(Box::new(GroupSums { kind, sums: Vec::new(), seen: NullState::new() })),
            None => self.engine.create_groups_accumulator(arguments),
        }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match SumKind::of(arguments.return_field.data_type()) {
            Some(kind) if !arguments.is_distinct => Ok(Box::new(OneSum { kind, total: 0, values: 0 })),
            _ => self.engine.create_sliding_accumulator(arguments),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.engine.set_monotonicity(data_type)
    }
}

/// What is added.
#[derive(Clone, Copy, Debug)]
enum SumKind {
    Signed,
    Unsigned,
    Decimal(u8, i8),
}

impl SumKind {
    fn of(sum: &DataType) -> Option<Self> {
        Some(match sum {
            DataType::Int64 => Self::Signed,
            DataType::UInt64 => Self::Unsigned,
            DataType::Decimal128(precision, scale) => Self::Decimal(*precision, *scale),
            _ => return None,
        })
    }

    /// The type that a sum is handed on in, to be merged with others.
    fn of_state(self) -> DataType {
        match self {
            Self::Signed | Self::Unsigned => DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
        }
    }

    /// Sums as a state.
    fn states(self, sums: Vec<i128>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(Decimal128Array::new(sums.into(), nulls).with_data_type(self.of_state()))
    }

    /// The sums, in the type of the function; an error where that cannot hold one.
    fn finished(self, sums: Vec<i128>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        Ok(match self {
            Self::Signed => {
                let narrowed = sums.iter().enumerate().map(|(row, sum)| {
                    if is_null(row) { Ok(0) } else { i64::try_from(*sum).map_err(|_| self.too_large(*sum)) }
                });
                let sums: Vec<i64> = narrowed.collect::<Result<_>>()?;
                Arc::new(Int64Array::new(sums.into(), nulls))
            }
            Self::Unsigned => {
                let narrowed = sums.iter().enumerate().map(|(row, sum)| {
                    if is_null(row) { Ok(0) } else { u64::try_from(*sum).map_err(|_| self.too_large(*sum)) }
                });
                let sums: Vec<u64> = narrowed.collect::<Result<_>>()?;
                Arc::new(UInt64Array::new(sums.into(), nulls))
            }
            Self::Decimal(precision, _) => {
                let limit = 10_i128.pow(u32::from(precision));
                let too_large =
                    |(row, sum): &(usize, &i128)| !is_null(*row) && sum.unsigned_abs() >= limit as u128;
                if let Some((_, sum)) = sums.iter().enumerate().find(too_large) {
                    return Err(self.too_large(*sum));
                }
                self.states(sums, nulls)
            }
        })
    }

    fn too_large(self, sum: i128) -> DataFusionError {
        DataFusionError::Execution(match self {
            Self::Signed | Self::Unsigned => format!(
                "bigint overflow: a sum is {sum}, which does not fit; add decimals: sum(cast(x as decimal(38, 0)))"
            ),
            Self::Decimal(precision, scale) => format!(
                "decimal({precision}, {scale}) overflow: a sum does not fit 38 digits; add fewer decimals, or doubles"
            ),
        })
    }

    /// The sum of a column, and of how many values.
    fn total(self, column: &ArrayRef) -> Result<(i128, usize)> {
        let values = column.len() - column.null_count();
        let sum = match column.data_type() {
            DataType::Int64 => {
                let column = column.as_primitive::<Int64Type>();
                if column.null_count() == 0 {
                    fast_sum(column.values())
                } else {
                    column.iter().flatten().map(i128::from).sum()
                }
            }
            DataType::UInt64 => column.as_primitive::<UInt64Type>().iter().flatten().map(i128::from).sum(),
            _ => {
                let mut values = column.as_primitive::<Decimal128Type>().iter().flatten();
                let sum = values.try_fold(0_i128, i128::checked_add);
                sum.ok_or_else(|| self.too_large(i128::MAX))?
            }
        };
        Ok((sum, values))
    }
}

/// Does something with each value of a column of whole numbers, or of decimals.
pub(crate) fn each(column: &ArrayRef, mut take: impl FnMut(usize, i128)) {
    match column.data_type() {
        DataType::Int64 => each_of::<Int64Type>(column, |row, value| take(row, i128::from(value))),
        DataType::UInt64 => each_of::<UInt64Type>(column, |row, value| take(row, i128::from(value))),
        DataType::Null => {}
        _ => each_of::<Decimal128Type>(column, take),
    }
}

fn each_of<T: ArrowPrimitiveType>(column: &ArrayRef, mut take: impl FnMut(usize, T::Native)) {
    let column: &PrimitiveArray<T> = column.as_primitive();
    match column.nulls() {
        Some(nulls) => nulls.valid_indices().for_each(|row| take(row, column.value(row))),
        None => column.values().iter().enumerate().for_each(|(row, value)| take(row, *value)),
    }
}

/// The exact sum: the halves of the values are added apart, each in 64 bits that they cannot leave.
fn fast_sum(values: &[i64]) -> i128 {
    // So many values of 32 bits fit 64.
    let of_chunk = |chunk: &[i64]| {
        let high: i64 = chunk.iter().map(|value| value >> 32).sum();
        let low: i64 = chunk.iter().map(|value| value & 0xffff_ffff).sum();
        (i128::from(high) << 32) + i128::from(low)
    };
    values.chunks(1 << 30).map(of_chunk).sum()
}

/// The sum of all rows, or of a window that slides over them.
#[derive(Debug)]
struct OneSum {
    kind: SumKind,
    total: i128,
    /// How many values are added; without any the sum is NULL.
    values: usize,
}

impl OneSum {
    fn as_array(&self) -> (Vec<i128>, Option<NullBuffer>) {
        let nulls = (self.values == 0).then(|| NullBuffer::new_null(1));
        (vec![self.total], nulls)
    }
}

impl Accumulator for OneSum {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let (sum, values) = self.kind.total(&columns[0])?;
        self.total = self.total.checked_add(sum).ok_or_else(|| self.kind.too_large(sum))?;
        self.values += values;
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let (sum, values) = self.kind.total(&columns[0])?;
        self.total = self.total.checked_sub(sum).ok_or_else(|| self.kind.too_large(sum))?;
        self.values -= values;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (sums, nulls) = self.as_array();
        Ok(vec![ScalarValue::try_from_array(&self.kind.states(sums, nulls), 0)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (sums, nulls) = self.as_array();
        ScalarValue::try_from_array(&self.kind.finished(sums, nulls)?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// The sum of the values that differ.
#[derive(Debug)]
struct DistinctSum {
    kind: SumKind,
    values: HashSet<i128>,
}

impl Accumulator for DistinctSum {
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
        let values: Vec<i128> = self.values.iter().copied().collect();
        let values = self.kind.finished(values, None)?;
        let list = datafusion::common::utils::SingleRowListArrayBuilder::new(values).build_list_scalar();
        Ok(vec![list])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let nulls = self.values.is_empty().then(|| NullBuffer::new_null(1));
        let sum = self.values.iter().try_fold(0_i128, |sum, value| sum.checked_add(*value));
        let sum = sum.ok_or_else(|| self.kind.too_large(i128::MAX))?;
        ScalarValue::try_from_array(&self.kind.finished(vec![sum], nulls)?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<i128>()
    }
}

/// The sums of groups.
struct GroupSums {
    kind: SumKind,
    sums: Vec<i128>,
    /// Which groups have a value.
    seen: NullState,
}

impl GroupSums {
    fn add(
        &mut self,
        column: &ArrayRef,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, 0);
        let sums = &mut self.sums;
        match column.data_type() {
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>();
                self.seen.accumulate(groups, values, filter, total_groups, |group, value| {
                    sums[group] += i128::from(value);
                });
            }
            DataType::UInt64 => {
                let values = column.as_primitive::<UInt64Type>();
                self.seen.accumulate(groups, values, filter, total_groups, |group, value| {
                    sums[group] += i128::from(value);
                });
            }
            _ => {
                let mut overflows = false;
                let values = column.as_primitive::<Decimal128Type>();
                self.seen.accumulate(groups, values, filter, total_groups, |group, value| {
                    let (sum, overflowed) = sums[group].overflowing_add(value);
                    sums[group] = sum;
                    overflows |= overflowed;
                });
                if overflows {
                    return Err(self.kind.too_large(i128::MAX));
                }
            }
        }
        Ok(())
    }
}

impl GroupsAccumulator for GroupSums {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.add(&columns[0], groups, filter, total_groups)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.add(&states[0], groups, None, total_groups)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let sums = emit.take_needed(&mut self.sums);
        self.kind.finished(sums, self.seen.build(emit))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = emit.take_needed(&mut self.sums);
        Ok(vec![self.kind.states(sums, self.seen.build(emit))])
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = &columns[0];
        let sums: Vec<i128> = match column.data_type() {
            DataType::Int64 => {
                column.as_primitive::<Int64Type>().values().iter().map(|v| i128::from(*v)).collect()
            }
            DataType::UInt64 => {
                column.as_primitive::<UInt64Type>().values().iter().map(|v| i128::from(*v)).collect()
            }
            _ => column.as_primitive::<Decimal128Type>().values().to_vec(),
        };
        let kept = filter.map(|filter| {
            let kept = match filter.nulls() {
                Some(nulls) => nulls.inner() & filter.values(),
                None => filter.values().clone(),
            };
            NullBuffer::new(kept)
        });
        let nulls = NullBuffer::union(column.nulls(), kept.as_ref());
        Ok(vec![self.kind.states(sums, nulls)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.seen.size()
    }
}
