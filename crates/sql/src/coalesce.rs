//! `coalesce` of times and texts: a text beside a day or a time is one, as in PostgreSQL and DuckDB; and a truth value beside a number is
//! 0 or 1, as in DuckDB: a column without a value is one of integers.
//!
//! The engine finds no type for them. All else is the engine's own.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions::core::coalesce::CoalesceFunc;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

/// The function, over the engine's own.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Coalesce {
    engine: CoalesceFunc,
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engine.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_truth = |data_type: &DataType| *data_type == DataType::Boolean;
        if let Some(number) = types.iter().find(|data_type| data_type.is_numeric())
            && types.iter().any(is_truth)
        {
            let of = |data_type: &DataType| if is_truth(data_type) { number } else { data_type }.clone();
            return self.engine.coerce_types(&types.iter().map(of).collect::<Vec<_>>());
        }
        if !types.iter().any(is_time) || !types.iter().any(is_text) {
            return self.engine.coerce_types(types);
        }
        let time = types.iter().find(|data_type| is_time(data_type)).cloned().unwrap_or(DataType::Null);
        let of = |data_type: &DataType| if is_text(data_type) { time.clone() } else { data_type.clone() };
        self.engine.coerce_types(&types.iter().map(of).collect::<Vec<_>>())
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.engine.simplify(arguments, info)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.engine.invoke_with_args(arguments)
    }

    fn conditional_arguments<'a>(&self, arguments: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.engine.conditional_arguments(arguments)
    }

    fn short_circuits(&self) -> bool {
        self.engine.short_circuits()
    }
}
