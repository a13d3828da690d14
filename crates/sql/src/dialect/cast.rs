//! Conversions between types.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::expression::{Writer, constant};
use super::{Dialect, Untranslatable, literal, time, types};

/// `cast(expr as to)`.
pub(super) fn cast(writer: &Writer<'_>, expr: &Expr, to: &DataType) -> Result<String, Untranslatable> {
    let dialect = writer.dialect;
    if let Some(value) = constant(expr) {
        let value = value.cast_to(to).map_err(|error| writer.refused(error.strip_backtrace()))?;
        return literal::constant(dialect, &value);
    }
    let from = writer.type_of(expr)?;
    if to.is_signed_integer()
        && let Some(rounded) = rounded(writer, expr)?
    {
        return Ok(format!("CAST({rounded} AS {})", types::name(dialect, to)?));
    }
    let sql = writer.expression(expr)?;
    let name = types::name(dialect, to)?;
    let plain = || Ok(format!("CAST({sql} AS {name})"));
    if types::is_same(&from, to) || types::name(dialect, &from).as_ref() == Ok(&name) && from.is_integer() {
        return Ok(sql);
    }
    match (&from, to) {
        (from, to) if from.is_integer() && to.is_signed_integer() => plain(),
        (from, DataType::Float64) if from.is_signed_integer() => plain(),
        (DataType::Float64, to) if to.is_signed_integer() => Ok(match dialect {
            Dialect::Hive => format!("CAST({sql} AS {name})"),
            // Trino rounds.
            Dialect::Trino => format!("CAST(truncate({sql}) AS {name})"),
        }),
        (from, to) if to.is_string() && (from.is_integer() || *from == DataType::Date32) => plain(),
        (DataType::Boolean, to) if to.is_string() => {
            Ok(format!("CASE WHEN {sql} THEN 'true' WHEN (NOT {sql}) THEN 'false' END"))
        }
        (DataType::Boolean, to) if to.is_signed_integer() => {
            let number = |value: i8| {
                let value = ScalarValue::Int8(Some(value)).cast_to(to);
                let value = value.map_err(|error| writer.refused(error.strip_backtrace()))?;
                literal::constant(dialect, &value)
            };
            Ok(format!("CASE WHEN {sql} THEN {} WHEN (NOT {sql}) THEN {} END", number(1)?, number(0)?))
        }
        (from, to) if from.is_string() && to.is_signed_integer() => plain(),
        (DataType::Date32, DataType::Timestamp(_, None))
        | (DataType::Timestamp(_, None), DataType::Date32) => plain(),
        (DataType::Timestamp(from, None), DataType::Timestamp(to, None)) => {
            if types::digits(*from) > types::digits(*to) && !time::has_no_fraction(expr) {
                let problem = writer.refused("a cast that cuts digits off a timestamp");
                return Err(problem.help("cut it with date_trunc first"));
            }
            match dialect {
                Dialect::Hive => Ok(sql),
                Dialect::Trino => plain(),
            }
        }
        _ => Err(writer.refused(format!("a cast of a {from} to a {to}"))),
    }
}

/// `round(x)`, which alone is not equal (it can be -0.0) but is as a whole number.
fn rounded(writer: &Writer<'_>, expr: &Expr) -> Result<Option<String>, Untranslatable> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == "round" => match call.args.as_slice() {
            [value] if writer.type_of(value)? == DataType::Float64 => {
                Ok(Some(format!("round({})", writer.expression(value)?)))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}
