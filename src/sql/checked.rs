//! Arithmetic of integers and decimals that never wraps around: a result that its type cannot hold is an error.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Datum};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
}

/// One operation on values of types that stand already.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Checked {
    operation: Operation,
    returns: DataType,
    signature: Signature,
}

impl Checked {
    /// What stands for a binary operator on operands of a type, where the engine's own would wrap around.
    pub(super) fn of(operator: Operator, operands: &DataType, returns: &DataType) -> Option<Arc<ScalarUDF>> {
        let is_decimal = operands.is_decimal();
        let operation = match operator {
            Operator::Plus if operands.is_integer() || is_decimal => Operation::Add,
            Operator::Minus if operands.is_integer() || is_decimal => Operation::Subtract,
            Operator::Multiply if operands.is_integer() || is_decimal => Operation::Multiply,
            // Of integers the engine's own is checked.
            Operator::Divide if is_decimal => Operation::Divide,
            _ => return None,
        };
        Some(Self::function(operation, 2, returns))
    }

    /// What stands for a minus before a value of a type, where the engine's own would wrap around.
    pub(super) fn negation(of: &DataType) -> Option<Arc<ScalarUDF>> {
        (of.is_integer() || of.is_decimal()).then(|| Self::function(Operation::Negate, 1, of))
    }

    /// The type of what it gives.
    pub(super) fn returns(&self) -> &DataType {
        &self.returns
    }

    fn function(operation: Operation, operands: usize, returns: &DataType) -> Arc<ScalarUDF> {
        let signature = Signature::any(operands, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { operation, returns: returns.clone(), signature }))
    }

    fn compute(&self, operands: &[&dyn Datum]) -> Result<ArrayRef> {
        let computed = match (self.operation, operands) {
            (Operation::Add, [left, right]) => numeric::add(*left, *right),
            (Operation::Subtract, [left, right]) => numeric::sub(*left, *right),
            (Operation::Multiply, [left, right]) => numeric::mul(*left, *right),
            (Operation::Divide, [left, right]) => numeric::div(*left, *right),
            (Operation::Negate, [value]) => numeric::neg(value.get().0),
            _ => return exec_err!("{} takes other operands", self.name()),
        };
        let computed = computed.map_err(|error| self.explained(error))?;
        // A product of 38 digits and more may fit the bits of its type and not its digits.
        if let DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) = computed.data_type() {
            let decimals = computed.as_primitive::<Decimal128Type>();
            let checked = decimals.validate_decimal_precision(DECIMAL128_MAX_PRECISION);
            checked.map_err(|error| self.explained(error))?;
        }
        Ok(computed)
    }

    fn explained(&self, error: ArrowError) -> DataFusionError {
        let (detail, what) = match error {
            ArrowError::ArithmeticOverflow(detail) => (detail, "overflow"),
            ArrowError::InvalidArgumentError(detail) if self.returns.is_decimal() => (detail, "overflow"),
            other => return other.into(),
        };
        let detail = detail.trim_start_matches("Overflow happened on: ");
        let way = if self.returns.is_decimal() {
            "a decimal has at most 38 digits: cast the operands to fewer decimals, or to double"
        } else {
            "cast an operand to a wider type: bigint, or decimal(38, 0)"
        };
        DataFusionError::Execution(format!(
            "{} {what}: {detail} does not fit; {way}",
            sql_name(&self.returns)
        ))
    }
}

fn sql_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Int64 => "bigint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        other => other.to_string().to_lowercase(),
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &'static str {
        match self.operation {
            Operation::Add => "checked_add",
            Operation::Subtract => "checked_subtract",
            Operation::Multiply => "checked_multiply",
            Operation::Divide => "checked_divide",
            Operation::Negate => "checked_negate",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let is_nullable = arguments.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.returns.clone(), is_nullable)))
    }

    fn schema_name(&self, operands: &[Expr]) -> Result<String> {
        let symbol = match self.operation {
            Operation::Add => "+",
            Operation::Subtract => "-",
            Operation::Multiply => "*",
            Operation::Divide => "/",
            Operation::Negate => "-",
        };
        Ok(match operands {
            [value] => format!("({symbol} {})", value.schema_name()),
            [left, right] => format!("{} {symbol} {}", left.schema_name(), right.schema_name()),
            _ => self.name().to_owned(),
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let are_scalars = arguments.args.iter().all(|operand| matches!(operand, ColumnarValue::Scalar(_)));
        let operands: Vec<Operand> = arguments.args.into_iter().map(Operand::of).collect::<Result<_>>()?;
        let operands: Vec<&dyn Datum> = operands.iter().map(Operand::datum).collect();
        let computed = self.compute(&operands)?;
        Ok(if are_scalars {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?)
        } else {
            ColumnarValue::Array(computed)
        })
    }
}

/// A column, or one value for all rows.
enum Operand {
    Column(ArrayRef),
    Value(arrow::array::Scalar<ArrayRef>),
}

impl Operand {
    fn of(value: ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(column) => Self::Column(column),
            ColumnarValue::Scalar(value) => Self::Value(value.to_scalar()?),
        })
    }

    fn datum(&self) -> &dyn Datum {
        match self {
            Self::Column(column) => column,
            Self::Value(value) => value,
        }
    }
}
