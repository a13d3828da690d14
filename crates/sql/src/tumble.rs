//! `tumble(time, interval) -> TIMESTAMP`: the beginning of the window of this length that a time falls into. Windows follow one
//! another without gaps, and one begins in 1970.

use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::date_bin::binned;

/// The function: `date_bin` with its arguments in the order of a stream's window.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Tumble {
    signature: Signature,
}

impl Tumble {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Tumble {
    fn name(&self) -> &'static str {
        "tumble"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let [time @ DataType::Timestamp(_, _), DataType::Interval(_)] = types {
            return Ok(time.clone());
        }
        plan_err!("tumble takes a timestamp and an interval: tumble(ts, interval '1 minute')")
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time, stride] = arguments.args.as_slice() else {
            return exec_err!("tumble takes a timestamp and an interval");
        };
        binned(stride, time, None)
    }
}
