//! `tumble(time, interval) -> TIMESTAMP`: the beginning of the window of this length that a time falls into. Windows follow one
//! another without gaps, and one begins in 1970.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function: `date_bin` with its arguments in the order of a stream's window.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Tumble {
    signature: Signature,
    bin: Arc<ScalarUDF>,
}

impl Tumble {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable), bin: date_bin() }
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

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        arguments.args.reverse();
        arguments.arg_fields.reverse();
        self.bin.invoke_with_args(arguments)
    }
}
