//! The operator `||` with a bound: what it makes is held in memory, and doubled by each step of a chain.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericStringBuilder, LargeStringBuilder, OffsetSizeTrait, StringBuilder,
    StringViewArray, StringViewBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::bounded::within_bounds;

/// Texts one after the other; NULL where one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JoinedText {
    returns: DataType,
    signature: Signature,
}

impl JoinedText {
    /// The call that stands for `left || right`, which gives this type. What is joined already is one call with it.
    pub(super) fn call(left: Expr, right: Expr, returns: &DataType) -> ScalarFunction {
        let mut args = match left {
            Expr::ScalarFunction(call)
                if call.func.inner().downcast_ref::<Self>().is_some_and(|left| left.returns == *returns) =>
            {
                call.args
            }
            left => vec![left],
        };
        args.push(right);
        let signature = Signature::any(args.len(), Volatility::Immutable);
        let function = ScalarUDF::new_from_impl(Self { returns: returns.clone(), signature });
        ScalarFunction::new_udf(Arc::new(function), args)
    }

    /// The type of what it gives.
    pub(super) fn returns(&self) -> &DataType {
        &self.returns
    }
}

impl ScalarUDFImpl for JoinedText {
    fn name(&self) -> &'static str {
        "||"
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

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_one = arguments.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_one { 1 } else { arguments.number_rows };
        let parts: Vec<TextOperand> = arguments.args.iter().map(TextOperand::of).collect::<Result<_>>()?;
        within_bounds(self.name(), rows, |row| {
            Ok(parts.iter().filter_map(|part| part.text(row)).map(|text| text.len() as f64).sum())
        })?;
        let joined: ArrayRef = match &self.returns {
            DataType::Utf8View => {
                let mut texts = StringViewBuilder::with_capacity(rows);
                let mut text = String::new();
                for row in 0..rows {
                    text.clear();
                    let all =
                        parts.iter().all(|part| part.text(row).map(|part| text.push_str(part)).is_some());
                    texts.append_option(all.then_some(text.as_str()));
                }
                Arc::new(texts.finish())
            }
            DataType::Utf8 => filled(StringBuilder::new(), &parts, rows),
            DataType::LargeUtf8 => filled(LargeStringBuilder::new(), &parts, rows),
            other => return exec_err!("texts cannot be joined to {other}"),
        };
        if is_one {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(joined))
    }
}

fn filled<O: OffsetSizeTrait>(
    mut texts: GenericStringBuilder<O>,
    parts: &[TextOperand],
    rows: usize,
) -> ArrayRef {
    let mut text = String::new();
    for row in 0..rows {
        text.clear();
        let all = parts.iter().all(|part| part.text(row).map(|part| text.push_str(part)).is_some());
        texts.append_option(all.then_some(text.as_str()));
    }
    Arc::new(texts.finish())
}

/// One operand: a text for each row, or one for all.
enum TextOperand {
    Each(StringViewArray),
    All(Option<String>),
}

impl TextOperand {
    fn of(value: &ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Scalar(value) => {
                let text = value.cast_to(&DataType::Utf8View)?;
                Self::All(text.try_as_str().flatten().map(str::to_owned))
            }
            ColumnarValue::Array(texts) => {
                Self::Each(cast(texts, &DataType::Utf8View)?.as_string_view().clone())
            }
        })
    }

    fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Each(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::All(text) => text.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows;

    #[test]
    fn texts_are_joined_as_the_engine_does_it() {
        let sql = "select a || '-' || b || cast(c as varchar), 'x' || 1 || null, 'é' || a from (values \
                   ('p', 'q', 1), (null, 'q', 2), ('', '', null)) t(a, b, c) where a || b <> 'zz' or a is null";
        assert_eq!(rows(sql), "p-q1ép  é");
    }
}
