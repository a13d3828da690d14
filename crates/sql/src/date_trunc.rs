//! `date_trunc(grain, time)` of any year.
//!
//! The engine's own multiplies by nanoseconds and is an error before 1677 and after 2262. This one takes a grain for the window of
//! its length, in the unit of the time. Times of a zone are the engine's.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime::date_trunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::date_bin::{NANOSECONDS_A_DAY, Stride, windows};

/// The function, under the name of the engine's own.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateTrunc {
    /// What says which types there are, and which grains.
    engine: Arc<ScalarUDF>,
}

impl DateTrunc {
    pub(super) fn new() -> Self {
        Self { engine: date_trunc() }
    }
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &'static str {
        "date_trunc"
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.inner().return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engine.inner().return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [ColumnarValue::Scalar(grain), time]
                if matches!(time.data_type(), DataType::Timestamp(_, None)) =>
            {
                match window(grain) {
                    Some((stride, origin)) => windows(time, stride, origin),
                    None => self.engine.invoke_with_args(arguments),
                }
            }
            _ => self.engine.invoke_with_args(arguments),
        }
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.engine.inner().output_ordering(inputs)
    }
}

/// The window that a grain is, and where one begins.
fn window(grain: &ScalarValue) -> Option<(Stride, i128)> {
    let grain = grain.try_as_str().flatten()?.to_lowercase();
    let of_length = |nanoseconds: i128| (Stride::Nanoseconds(nanoseconds), 0);
    Some(match grain.as_str() {
        "microsecond" => of_length(1_000),
        "millisecond" => of_length(1_000_000),
        "second" => of_length(1_000_000_000),
        "minute" => of_length(60_000_000_000),
        "hour" => of_length(3_600_000_000_000),
        "day" => of_length(NANOSECONDS_A_DAY),
        // 1970 began on a Thursday, and a week begins on Monday.
        "week" => (Stride::Nanoseconds(7 * NANOSECONDS_A_DAY), -3 * NANOSECONDS_A_DAY),
        "month" => (Stride::Months(1), 0),
        "quarter" => (Stride::Months(3), 0),
        "year" => (Stride::Months(12), 0),
        _ => return None,
    })
}
