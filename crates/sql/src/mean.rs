//! A mean made of a total and a number of values as `avg` makes it: of decimals cut off after as many digits as its type has, of whole numbers
//! divided once.

use std::sync::Arc;

use crate::exact_mean::mean_of;
use arrow::array::{Array, AsArray, Decimal128Array, Float64Array};
use arrow::datatypes::{DataType, Decimal128Type, DecimalType, Int64Type};
use datafusion::common::{Result, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// The function, which no SQL can call.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mean {
    signature: Signature,
    of: DataType,
}

impl Mean {
    /// One that gives means of this type.
    pub(crate) fn new(of: DataType) -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable), of }
    }
}

impl ScalarUDFImpl for Mean {
    fn name(&self) -> &'static str {
        "__mean"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (types, &self.of) {
            ([DataType::Decimal128(_, 0), DataType::Int64], DataType::Float64) => Ok(DataType::Float64),
            ([DataType::Decimal128(_, scale), DataType::Int64], DataType::Decimal128(_, digits))
                if digits >= scale =>
            {
                Ok(self.of.clone())
            }
            _ => plan_err!("a mean is made of a decimal total and a count, not of {types:?}"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [totals, counts] = arrays.as_slice() else { return internal_err!("a mean has two arguments") };
        let (of_total, of_mean) = (totals.data_type().clone(), self.of.clone());
        let totals = totals.as_primitive::<Decimal128Type>();
        let counts = counts.as_primitive::<Int64Type>();
        let (DataType::Decimal128(_, scale), DataType::Decimal128(precision, digits)) = (of_total, of_mean)
        else {
            let means = totals.iter().zip(counts.iter()).map(|(total, count)| mean_of(total?, count?));
            return Ok(ColumnarValue::Array(Arc::new(means.collect::<Float64Array>())));
        };
        let times = 10_i128.pow(u32::from((digits - scale).unsigned_abs()));
        let mean = |(total, count): (Option<i128>, Option<i64>)| {
            let (Some(total), Some(count @ 1..)) = (total, count) else { return Ok(None) };
            let Some(total) = total.checked_mul(times) else {
                return exec_err!("a mean of decimals has more than 38 digits on its way");
            };
            let mean = total / i128::from(count);
            Decimal128Type::validate_decimal_precision(mean, precision, digits)?;
            Ok(Some(mean))
        };
        let means = totals.iter().zip(counts.iter()).map(mean).collect::<Result<Vec<_>>>()?;
        let means = Decimal128Array::from(means).with_precision_and_scale(precision, digits)?;
        Ok(ColumnarValue::Array(Arc::new(means)))
    }
}
