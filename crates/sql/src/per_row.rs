//! Functions of SQL that are worked out row by row.

use std::hash::{Hash, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What a call gives, of the types of its arguments and of those that are constants.
type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;

/// A function whose value of a row depends on the arguments of that row alone.
pub(super) struct PerRow {
    pub(super) name: &'static str,
    /// How it is called, for messages.
    pub(super) call: &'static str,
    /// The types to which arguments of these types are cast; `None` where it does not take them.
    pub(super) takes: fn(&[DataType]) -> Option<Vec<DataType>>,
    pub(super) returns: Returns,
    pub(super) evaluate: fn(&[ArrayRef]) -> Result<ArrayRef>,
}

impl PerRow {
    /// As the engine takes it.
    pub(super) fn function(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(PerRowFunction {
            of: self,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    }
}

struct PerRowFunction {
    of: PerRow,
    signature: Signature,
}

impl std::fmt::Debug for PerRowFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.of.name)
    }
}

/// The name stands for the function: there is one of each.
impl PartialEq for PerRowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.of.name == other.of.name
    }
}

impl Eq for PerRowFunction {}

impl Hash for PerRowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.name.hash(state);
    }
}

impl ScalarUDFImpl for PerRowFunction {
    fn name(&self) -> &str {
        self.of.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if let Some(taken) = (self.of.takes)(types) {
            return Ok(taken);
        }
        let found: Vec<String> = types.iter().map(ToString::to_string).collect();
        plan_err!("{} is called so: {}; found {}", self.of.name, self.of.call, found.join(", "))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.of.returns)(types, &vec![None; types.len()])
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> =
            arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let returns = (self.of.returns)(&types, arguments.scalar_arguments)?;
        Ok(Field::new(self.of.name, returns, true).into())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let are_scalar = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if are_scalar { 1 } else { arguments.number_rows };
        let arrays = arguments.args.iter().map(|argument| argument.to_array(rows));
        let values = (self.of.evaluate)(&arrays.collect::<Result<Vec<_>>>()?)?;
        Ok(if are_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
        } else {
            ColumnarValue::Array(values)
        })
    }
}
