//! Floats of which equal ones have the same bits, in the order that SQL has them.
//!
//! The engine compares, groups and sorts floats by their bits, where -0.0 and 0.0 differ and a NaN with a sign, which `inf - inf` is,
//! comes before all numbers. In PostgreSQL and DuckDB there is one zero and one NaN, which is above all numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// The function that gives a float as it compares.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Comparable {
    signature: Signature,
}

impl Default for Comparable {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Comparable {
    fn name(&self) -> &'static str {
        "comparable"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [one] = types else { return exec_err!("comparable takes one number") };
        Ok(one.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [ColumnarValue::Array(column)] => Ok(ColumnarValue::Array(comparable(column))),
            [ColumnarValue::Scalar(value)] => {
                let column = comparable(&value.to_array()?);
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?))
            }
            _ => exec_err!("comparable takes one number"),
        }
    }
}

/// A column of floats with one zero and one NaN; any other column as it is.
pub(super) fn comparable(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float64 => {
            let floats = column.as_primitive::<Float64Type>();
            Arc::new(floats.unary::<_, Float64Type>(|one| if one.is_nan() { f64::NAN } else { one + 0.0 }))
        }
        DataType::Float32 => {
            let floats = column.as_primitive::<Float32Type>();
            Arc::new(floats.unary::<_, Float32Type>(|one| if one.is_nan() { f32::NAN } else { one + 0.0 }))
        }
        _ => column.clone(),
    }
}

/// A column of floats as integers that are ordered as SQL orders the floats.
pub(super) fn as_integers(column: &ArrayRef) -> ArrayRef {
    let column = comparable(column);
    let integers: Int64Array = match column.data_type() {
        DataType::Float32 => {
            column.as_primitive::<Float32Type>().unary(|one| folded(f64::from(one).to_bits()))
        }
        _ => column.as_primitive::<Float64Type>().unary(|one| folded(one.to_bits())),
    };
    Arc::new(integers)
}

/// The floats that [`as_integers`] made integers of.
pub(super) fn as_floats(integers: &ArrayRef, floats: &DataType) -> ArrayRef {
    let integers = integers.as_primitive::<Int64Type>();
    let float = |one: i64| f64::from_bits(folded(one.cast_unsigned()).cast_unsigned());
    if *floats == DataType::Float32 {
        // It was made of one of these.
        #[expect(clippy::cast_possible_truncation)]
        let floats: PrimitiveArray<Float32Type> = integers.unary(|one| float(one) as f32);
        return Arc::new(floats);
    }
    Arc::new(integers.unary::<_, Float64Type>(float))
}

/// The bits of a float so that integers order them, and back.
fn folded(bits: u64) -> i64 {
    let bits = bits.cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}
