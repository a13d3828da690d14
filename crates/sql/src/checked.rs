//! Arithmetic of integers and decimals that never wraps around: a result that its type cannot hold is an error.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Int64Builder, Scalar};
use arrow::compute::cast;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
    ShiftLeft,
    ShiftRight,
}

impl Operation {
    /// What stands for a binary operator on operands of a type, where the engine's own would wrap around.
    pub(super) fn of(operator: Operator, operands: &DataType) -> Option<Self> {
        let is_decimal = operands.is_decimal();
        match operator {
            Operator::Plus if operands.is_integer() || is_decimal => Some(Self::Add),
            Operator::Minus if operands.is_integer() || is_decimal => Some(Self::Subtract),
            Operator::Multiply if operands.is_integer() || is_decimal => Some(Self::Multiply),
            // Of integers the engine's own is checked.
            Operator::Divide if is_decimal => Some(Self::Divide),
            Operator::BitwiseShiftLeft if operands.is_signed_integer() => Some(Self::ShiftLeft),
            Operator::BitwiseShiftRight if operands.is_signed_integer() => Some(Self::ShiftRight),
            _ => None,
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract | Self::Negate => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
        }
    }
}

/// Operations on values of types that stand already: each on what the one before it gave and the next operand.
///
/// A sum of thousands of terms is one call and not as many that lie in one another.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Checked {
    operations: Vec<Operation>,
    returns: DataType,
    signature: Signature,
}

impl Checked {
    /// The call that stands for a binary operator.
    pub(super) fn call(operation: Operation, returns: &DataType, left: Expr, right: Expr) -> ScalarFunction {
        let (mut operations, mut args) = match left {
            Expr::ScalarFunction(call) => match operations_of(&call.func, returns) {
                Some(before) => (before, call.args),
                None => (Vec::new(), vec![Expr::ScalarFunction(call)]),
            },
            left => (Vec::new(), vec![left]),
        };
        operations.push(operation);
        args.push(right);
        ScalarFunction::new_udf(Self::function(operations, args.len(), returns), args)
    }

    /// The call that stands for a minus before a value of a type.
    pub(super) fn negation(of: &DataType, value: Expr) -> ScalarFunction {
        ScalarFunction::new_udf(Self::function(vec![Operation::Negate], 1, of), vec![value])
    }

    /// What it computes, one after the other.
    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The same in words of their own.
    pub(super) fn steps(&self) -> impl Iterator<Item = &'static str> {
        self.operations.iter().map(|operation| match operation {
            Operation::Add => "add",
            Operation::Subtract => "subtract",
            Operation::Multiply => "multiply",
            Operation::Divide => "divide",
            Operation::Negate => "negate",
            Operation::ShiftLeft => "shift left",
            Operation::ShiftRight => "shift right",
        })
    }

    /// The type of what it gives.
    pub(super) fn returns(&self) -> &DataType {
        &self.returns
    }

    fn function(operations: Vec<Operation>, operands: usize, returns: &DataType) -> Arc<ScalarUDF> {
        let signature = Signature::any(operands, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { operations, returns: returns.clone(), signature }))
    }

    fn compute(&self, operation: Operation, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let computed = match operation {
            Operation::Add => numeric::add(left, right),
            Operation::Subtract => numeric::sub(left, right),
            Operation::Multiply => numeric::mul(left, right),
            Operation::Divide => numeric::div(left, right),
            Operation::Negate => numeric::neg(left.get().0),
            Operation::ShiftLeft | Operation::ShiftRight => shifted(operation, left, right, &self.returns),
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
        let detail = detail.split(" is too large to store in a ").next().unwrap_or(detail);
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

/// Bits that are shifted, of which none is lost to the left; where all leave to the right, nothing or -1 is left.
fn shifted(
    operation: Operation,
    left: &dyn Datum,
    right: &dyn Datum,
    returns: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let ((values, is_one), (places, is_one_place)) = (left.get(), right.get());
    let values = cast(values, &DataType::Int64)?;
    let places = cast(places, &DataType::Int64)?;
    let (values, places) = (values.as_primitive::<Int64Type>(), places.as_primitive::<Int64Type>());
    let bits = returns.primitive_width().map_or(64, |bytes| bytes as i64 * 8);
    let rows = if is_one { places.len() } else { values.len() };
    let mut results = Int64Builder::with_capacity(rows);
    for row in 0..rows {
        let (at, place) = (if is_one { 0 } else { row }, if is_one_place { 0 } else { row });
        if values.is_null(at) || places.is_null(place) {
            results.append_null();
            continue;
        }
        let (value, by) = (values.value(at), places.value(place));
        let result = match operation {
            Operation::ShiftRight => u32::try_from(by).ok().map(|by| value >> by.min(63)),
            _ if (0..bits).contains(&by) => i64::try_from(i128::from(value) << by)
                .ok()
                .filter(|result| (result << (64 - bits)) >> (64 - bits) == *result),
            _ => None,
        };
        let Some(result) = result else {
            let takes = if operation == Operation::ShiftRight { 0..i64::MAX } else { 0..bits };
            if !takes.contains(&by) {
                return Err(ArrowError::ComputeError(format!(
                    "the {bits} bits of a {} cannot be shifted by {by}",
                    sql_name(returns)
                )));
            }
            return Err(ArrowError::ArithmeticOverflow(format!("{value} {} {by}", operation.symbol())));
        };
        results.append_value(result);
    }
    cast(&results.finish(), returns)
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
        "checked"
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
        let Some((first, rest)) = operands.split_first() else { return Ok(self.name().to_owned()) };
        if rest.is_empty() {
            return Ok(format!("(- {})", first.schema_name()));
        }
        let mut name = first.schema_name().to_string();
        for (operation, operand) in self.operations.iter().zip(rest) {
            // Writing to a String cannot fail.
            let _ = write!(name, " {} {}", operation.symbol(), operand.schema_name());
        }
        Ok(name)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut operands = arguments.args.into_iter().map(Operand::of);
        let Some(first) = operands.next() else { return exec_err!("{} takes operands", self.name()) };
        let mut value = first?;
        let mut rest: Vec<Operand> = operands.collect::<Result<_>>()?;
        if rest.is_empty() {
            rest.push(value.clone());
        }
        for (operation, operand) in self.operations.iter().zip(&rest) {
            let computed = self.compute(*operation, value.datum(), operand.datum())?;
            value = match (&value, operand) {
                (Operand::Value(_), Operand::Value(_)) => Operand::Value(Scalar::new(computed)),
                _ => Operand::Column(computed),
            };
        }
        Ok(match value {
            Operand::Column(column) => ColumnarValue::Array(column),
            Operand::Value(value) => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&value.into_inner(), 0)?)
            }
        })
    }
}

/// What a call computes, where that is integers of this type by operations that others may follow.
fn operations_of(function: &ScalarUDF, returns: &DataType) -> Option<Vec<Operation>> {
    let checked = function.inner().downcast_ref::<Checked>()?;
    let may_follow = returns.is_integer() && checked.returns == *returns;
    (may_follow && checked.operations != [Operation::Negate]).then(|| checked.operations.clone())
}

/// A column, or one value for all rows.
#[derive(Clone)]
enum Operand {
    Column(ArrayRef),
    Value(Scalar<ArrayRef>),
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
