//! What may fail: expressions whose evaluation is an error for some values of their columns.
//!
//! Such an expression is computed only for the rows that all else leaves: see [`super::guarded`] and [`super::kept_above`]. What
//! is told here of an expression costs it nothing but that, so where it is not certain it may fail.

use arrow::datatypes::DataType;
use datafusion::common::{ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::narrowing::Narrowed;
use crate::checked::{Checked, Operation};
use crate::tree::TreeWalk;

/// Whether evaluating an expression is an error for some values.
///
/// # Errors
/// Where the expression does not fit the schema.
pub(crate) fn may_fail(expression: &Expr, schema: &dyn ExprSchema) -> Result<bool> {
    expression.any_node(&mut |part| {
        Ok(match part {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide | Operator::Modulo, right }) => {
                !is_number_but_zero(right) && !left.get_type(schema)?.is_floating()
            }
            Expr::Cast(Cast { expr, field }) if !is_literal(expr) => {
                may_not_fit(&expr.get_type(schema)?, field.data_type())
            }
            Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<Checked>() {
                Some(checked) => may_overflow(checked, &call.args, schema),
                None => match call.func.inner().downcast_ref::<Narrowed>() {
                    Some(narrowed) => narrowed_may_fail(narrowed, &call.args, schema)?,
                    None => call_may_fail(call, schema)?,
                },
            },
            _ => false,
        })
    })
}

fn narrowed_may_fail(narrowed: &Narrowed, values: &[Expr], schema: &dyn ExprSchema) -> Result<bool> {
    let Some(value) = values.first().filter(|_| !narrowed.gives_null()) else { return Ok(false) };
    Ok(!is_literal(value) && may_not_fit(&value.get_type(schema)?, narrowed.to()))
}

/// Whether a call of a function is an error for some values.
fn call_may_fail(call: &ScalarFunction, schema: &dyn ExprSchema) -> Result<bool> {
    let name = call.func.name();
    if OF_INTEGERS.contains(&name) {
        let first = call.args.first().map(|value| value.get_type(schema)).transpose()?;
        return Ok(first.is_none_or(|data_type| !data_type.is_floating()));
    }
    let is_constant: Vec<bool> = call.args.iter().map(is_literal).collect();
    Ok(name_may_fail(name, &is_constant))
}

/// Whether a function of this name is an error for some values, where those of its arguments are constants. Most functions fail of nothing
/// else than what says how to compute.
pub(crate) fn name_may_fail(name: &str, is_constant: &[bool]) -> bool {
    FALLIBLE.contains(&name)
        || OF_INTEGERS.contains(&name)
        || (OF_FIRST.contains(&name) && is_constant.first() != Some(&true))
        || (OF_OTHERS.contains(&name) && is_constant.iter().skip(1).any(|is_constant| !is_constant))
}

/// Functions that are an error for some values of what they are called for.
const FALLIBLE: [&str; 33] = [
    super::narrowing::NAME,
    super::whole_days::NAME,
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_unixtime",
    "from_unixtime",
    "to_date",
    "to_time",
    "make_date",
    "make_time",
    "make_timestamp",
    "strptime",
    "date_add",
    "multiply_interval",
    "epoch_ms",
    "factorial",
    "lcm",
    "gcd",
    "chr",
    "decode",
    "range",
    "generate_series",
    "sqrt",
    "ln",
    "log",
    "log2",
    "log10",
    "json_extract",
    "json_extract_string",
    "json_array_length",
];

/// Functions that are an error for some integers and for no doubles.
const OF_INTEGERS: [&str; 3] = ["abs", "power", "pow"];

/// Functions that are an error for some values of their first argument, which says what is taken of a time.
const OF_FIRST: [&str; 3] = ["date_bin", "date_part", "date_trunc"];

/// Functions that are an error for some values of what they take beside their first argument.
const OF_OTHERS: [&str; 19] = [
    "arrow_cast",
    "array_repeat",
    "array_resize",
    "encode",
    "lpad",
    "overlay",
    "regexp_count",
    "regexp_extract",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "regexp_split_to_array",
    "repeat",
    "rpad",
    "split_part",
    "substr",
    "substring",
    "to_char",
];

fn is_literal(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(..))
}

fn is_number_but_zero(divisor: &Expr) -> bool {
    match divisor {
        Expr::Literal(value, _) => is_nonzero(value),
        _ => false,
    }
}

/// Whether a constant is a number other than zero.
pub(crate) fn is_nonzero(value: &ScalarValue) -> bool {
    ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero != *value) && !value.is_null()
}

/// Whether a cast between types is an error for some values.
pub(crate) fn may_not_fit(from: &DataType, to: &DataType) -> bool {
    if from == to || to.is_string() || from.is_null() {
        return false;
    }
    if from.is_string() {
        return true;
    }
    if let (Some((least, greatest)), Some(held)) = (bounds_of_type(from), bounds_of_type(to)) {
        return !holds(held, (least, greatest));
    }
    match (from, to) {
        (DataType::Boolean, _) => !to.is_numeric(),
        (_, DataType::Boolean) => !from.is_numeric(),
        (DataType::Date32, DataType::Timestamp(..)) | (DataType::Timestamp(..), DataType::Date32) => false,
        (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) => from != to,
        (DataType::Decimal128(digits, scale), DataType::Decimal128(most, to_scale)) => {
            !decimal_holds((*most, *to_scale), i32::from(*digits) - i32::from(*scale), *scale)
        }
        (_, DataType::Decimal128(most, scale)) if from.is_integer() => {
            // So many digits has the greatest number of the type.
            let digits = bounds_of_type(from).map_or(20, |(_, greatest)| greatest.to_string().len() as i32);
            !decimal_holds((*most, *scale), digits, 0)
        }
        _ => !(to.is_floating() && from.is_numeric()),
    }
}

/// Whether a decimal type holds so many digits before the point and after it.
fn decimal_holds((precision, scale): (u8, i8), before: i32, after: i8) -> bool {
    scale >= after && i32::from(precision) - i32::from(scale) >= before
}

/// The least and the greatest value.
type Bounds = (i128, i128);

fn holds(of: Bounds, value: Bounds) -> bool {
    of.0 <= value.0 && value.1 <= of.1
}

fn bounds_of_type(data_type: &DataType) -> Option<Bounds> {
    Some(match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => (i64::MIN.into(), i64::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// Whether checked arithmetic has results that its type cannot hold, by the types and constants that it is made of.
fn may_overflow(checked: &Checked, operands: &[Expr], schema: &dyn ExprSchema) -> bool {
    if let DataType::Decimal128(precision, _) = checked.returns() {
        // The type of a sum and of a product is as wide as they can be, up to what there is.
        let grows = |operation: &Operation| {
            matches!(operation, Operation::Add | Operation::Subtract | Operation::Multiply)
        };
        let is_negation = checked.operations() == [Operation::Negate];
        return !is_negation && (*precision >= 38 || !checked.operations().iter().all(grows));
    }
    computed_bounds(checked, operands, schema).is_none()
}

/// The bounds of what arithmetic gives, where no step of it leaves its type.
fn computed_bounds(checked: &Checked, operands: &[Expr], schema: &dyn ExprSchema) -> Option<Bounds> {
    let held = bounds_of_type(checked.returns())?;
    let (first, rest) = operands.split_first()?;
    let mut value = bounds(first, schema)?;
    if checked.operations() == [Operation::Negate] {
        value = (-value.1, -value.0);
        return holds(held, value).then_some(value);
    }
    for (operation, operand) in checked.operations().iter().zip(rest) {
        let by = bounds(operand, schema)?;
        value = match operation {
            Operation::Add => (value.0 + by.0, value.1 + by.1),
            Operation::Subtract => (value.0 - by.1, value.1 - by.0),
            Operation::Multiply => {
                let corners = [(value.0, by.0), (value.0, by.1), (value.1, by.0), (value.1, by.1)];
                // Those of two unsigned integers of 64 bits take more than 127.
                let corners = corners.map(|(left, right)| left.checked_mul(right));
                (corners.into_iter().min()??, corners.into_iter().max()??)
            }
            _ => return None,
        };
        if !holds(held, value) {
            return None;
        }
    }
    Some(value)
}

/// The bounds of a whole number.
fn bounds(expression: &Expr, schema: &dyn ExprSchema) -> Option<Bounds> {
    let of_type = || bounds_of_type(&expression.get_type(schema).ok()?);
    match expression {
        Expr::Alias(alias) => bounds(&alias.expr, schema),
        Expr::Literal(value, _) => {
            let ScalarValue::Int64(Some(value)) = value.cast_to(&DataType::Int64).ok()? else { return None };
            Some((value.into(), value.into()))
        }
        Expr::Cast(Cast { expr, field }) => {
            let (inner, held) = (bounds(expr, schema), bounds_of_type(field.data_type())?);
            Some(inner.filter(|inner| holds(held, *inner)).unwrap_or(held))
        }
        Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<Checked>() {
            Some(checked) => computed_bounds(checked, &call.args, schema).or_else(of_type),
            None if call.func.name() == "date_part" && is_small_part(call.args.first()) => {
                Some((-PART_OF_TIME, PART_OF_TIME))
            }
            None => of_type(),
        },
        _ => of_type(),
    }
}

/// More than any year, day or second of a time is.
const PART_OF_TIME: i128 = 300_000;

fn is_small_part(part: Option<&Expr>) -> bool {
    let Some(Expr::Literal(part, _)) = part else { return false };
    let Some(Some(part)) = part.try_as_str() else { return false };
    let part = part.to_lowercase();
    let parts = [
        "year", "isoyear", "quarter", "month", "week", "day", "doy", "dow", "isodow", "hour", "minute",
        "second",
    ];
    parts.contains(&part.as_str())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema, TimeUnit};
    use std::sync::Arc;

    use super::*;
    use crate::{DeclaredTable, Scope};
    use datafusion::common::tree_node::TreeNodeRecursion;
    use mep_core::relation::Relation;

    /// Whether a condition on a table may fail, as it stands in a plan that is run in parts.
    fn fails(condition: &str) -> bool {
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let fields = [
            ("small", DataType::Int16),
            ("int", DataType::Int32),
            ("big", DataType::Int64),
            ("real", DataType::Float64),
            ("price", DataType::Decimal128(10, 2)),
            ("wide", DataType::Decimal128(38, 2)),
            ("text", DataType::Utf8View),
            ("day", DataType::Date32),
            ("ts", time),
            ("flag", DataType::Boolean),
        ];
        let schema = Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).to_vec());
        let scope = Scope::for_planning();
        let table = DeclaredTable::new(Arc::new(schema), Vec::new());
        scope.register(&Relation::new("m", "t"), Arc::new(table)).unwrap();
        let plan = scope.plan(&format!("select 1 as one from m.t where {condition}")).unwrap();
        let plan = scope.optimize_in_parts(&plan).unwrap();
        let mut any = false;
        plan.walk(&mut |node| {
            if let datafusion::logical_expr::LogicalPlan::Filter(filter) = node {
                any |= may_fail(&filter.predicate, filter.input.schema().as_ref())?;
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        any
    }

    #[test]
    fn what_no_value_makes_fail_is_told_by_types_and_constants() {
        for condition in [
            "big / 10 > 1",
            "big % 7 = 3",
            "real / real > 1",
            "cast(int as bigint) > big",
            "cast(int as double) > 0.5",
            "cast(big as decimal(20, 0)) > 1.5",
            "cast(price as decimal(12, 2)) = 1.25",
            "cast(ts as date) = date '2018-11-01'",
            "cast(day as timestamp) > ts",
            "cast(flag as int) = 1",
            "cast(big as varchar) like '%1'",
            "try_cast(text as int) > 1",
            "price + price > 1",
            "price * 3 - price > 1",
            "cast(int as bigint) * 100 + small > 7",
            "cast(small as int) * small > 7",
            "extract(year from day) * 100 + extract(month from day) = 201811",
            "-cast(small as int) > 1",
            "abs(real) > 1",
            "substr(text, 2, 3) = 'abc'",
            "split_part(text, ',', 2) = 'a'",
            "date_trunc('month', ts) = timestamp '2018-11-01'",
        ] {
            assert!(!fails(condition), "{condition}");
        }
    }

    #[test]
    fn what_some_value_makes_fail_is_told() {
        for condition in [
            "10 / big > 1",
            "10 % int > 1",
            "price / wide > 1",
            "cast(text as int) > 1",
            "cast(text as date) = day",
            "cast(big as int) % 7 = 1",
            "date_trunc(text, ts) = ts",
            "cast(real as bigint) > 1",
            "cast(price as decimal(10, 3)) = 1.125",
            "big + 1 > 7",
            "arrow_cast(big, 'UInt64') * arrow_cast(big, 'UInt64') > 7",
            "int * int > 7",
            "wide + wide > 7",
            "-big > 1",
            "abs(big) > 1",
            "substr(text, 1, int) = 'abc'",
            "split_part(text, ',', int) = 'a'",
            "to_date(text) = day",
            "sqrt(real) > 1",
        ] {
            assert!(fails(condition), "{condition}");
        }
    }
}
