//! Casts that are functions of mep's own: those that round, and those that read a text as a time.
//!
//! A cast that rounds is not taken out of a comparison.
//! The engine makes `v = 1.0000` of `cast(v as int) = 1`, where `v` is a decimal, and so loses all rows that are rounded to 1; and the same where a decimal
//! becomes one of fewer digits behind the point. It does so with casts that it knows, wherever a filter ends up: such casts are calls of a function
//! here before it looks.
//!
//! The engine reads a time in full alone, and people write `2020-02-04 4:30`.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use arrow::util::display::{DurationFormat, FormatOptions};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::parts::replaced;
use mep_core::written_time;

/// The rule.
#[derive(Debug)]
pub struct NarrowingCasts;

impl OptimizerRule for NarrowingCasts {
    fn name(&self) -> &'static str {
        "narrowing_casts"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        replaced(plan, |part| matches!(part, Expr::Cast(_) | Expr::TryCast(_)), of_expression)
    }
}

fn of_expression(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, to, gives_null) = match &part {
        Expr::Cast(Cast { expr, field }) => (expr, field.data_type(), false),
        Expr::TryCast(TryCast { expr, field }) => (expr, field.data_type(), true),
        _ => return Ok(Transformed::no(part)),
    };
    let of = inner.get_type(schema)?;
    // A constant is read where the plan is made.
    let reads = reads_time(&of, to) && !matches!(inner.as_ref(), Expr::Literal(..));
    if !rounds(&of, to) && !reads {
        return Ok(Transformed::no(part));
    }
    let function =
        Narrowed { to: to.clone(), gives_null, signature: Signature::any(1, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::new_from_impl(function));
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(
        function,
        vec![inner.as_ref().clone()],
    ))))
}

/// Whether a cast gives one value for several, of types that the engine takes out of comparisons.
fn rounds(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale),
            DataType::Decimal128(_, kept) | DataType::Decimal256(_, kept),
        ) => kept < scale,
        (DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale), to) => {
            *scale > 0 && to.is_integer()
        }
        (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) => places(*to) < places(*from),
        _ => false,
    }
}

/// Whether a cast reads a text as a time.
fn reads_time(from: &DataType, to: &DataType) -> bool {
    is_text(from) && matches!(to, DataType::Timestamp(..) | DataType::Date32)
}

fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The texts with those in full that a cast does not read as they are; `None` where it reads all of them.
fn in_full(texts: &ArrayRef, to: &DataType) -> Result<Option<ArrayRef>> {
    let read = cast_with_options(texts, to, &CastOptions { safe: true, ..CastOptions::default() })?;
    if read.null_count() == texts.logical_null_count() {
        return Ok(None);
    }
    let texts = cast(texts, &DataType::Utf8)?;
    let full = texts.as_string::<i32>().iter().enumerate().map(|(at, text)| {
        let text = text?;
        let full = if read.is_null(at) { written_time::in_full(text) } else { None };
        Some(full.map_or(Cow::Borrowed(text), Cow::Owned))
    });
    Ok(Some(Arc::new(full.collect::<StringArray>())))
}

/// How many digits of a second a time has.
fn places(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// The name, which plans that are shown have.
pub(crate) const NAME: &str = "narrowed";

/// The cast, as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Narrowed {
    to: DataType,
    gives_null: bool,
    signature: Signature,
}

impl Narrowed {
    /// The type of what it gives.
    pub(crate) fn to(&self) -> &DataType {
        &self.to
    }

    /// Whether what does not fit is NULL, and no error.
    pub(crate) fn gives_null(&self) -> bool {
        self.gives_null
    }
}

impl ScalarUDFImpl for Narrowed {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let is_nullable = self.gives_null || arguments.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(NAME, self.to.clone(), is_nullable)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = arguments.args.as_slice() else { return exec_err!("{NAME} takes one value") };
        let options = CastOptions {
            safe: self.gives_null,
            format_options: FormatOptions::new().with_duration_format(DurationFormat::Pretty),
        };
        match value {
            ColumnarValue::Array(texts) if reads_time(texts.data_type(), &self.to) => {
                let full = in_full(texts, &self.to)?;
                ColumnarValue::Array(full.unwrap_or_else(|| texts.clone())).cast_to(&self.to, Some(&options))
            }
            ColumnarValue::Scalar(text) if reads_time(&text.data_type(), &self.to) => {
                let text = text.to_array()?;
                let full = in_full(&text, &self.to)?.unwrap_or(text);
                let full = ColumnarValue::Scalar(ScalarValue::try_from_array(&full, 0)?);
                full.cast_to(&self.to, Some(&options))
            }
            value => value.cast_to(&self.to, Some(&options)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    #[test]
    fn what_is_rounded_to_a_value_equals_it() {
        let table = "(select cast(v as decimal(10, 4)) as v from (values (-0.0040), (0.0040), (0.0), (1.006), (1.01), (null)) t(v))";
        for (condition, count) in [
            ("cast(v as decimal(10, 2)) = 0", 3),
            ("0 = cast(v as decimal(10, 2))", 3),
            ("cast(v as decimal(10, 2)) is not distinct from 0", 3),
            ("cast(v as decimal(10, 2)) = 1.01", 2),
            ("cast(v as decimal(10, 2)) < 1.01", 3),
            ("cast(v as decimal(10, 2)) > 0.00", 2),
            ("cast(v as decimal(10, 2)) in (0, 1.01, 7, 8, 9)", 5),
            ("cast(v as decimal(10, 2)) not in (0, 7, 8, 9)", 2),
            ("cast(v as decimal(10, 2)) between 0 and 1", 3),
            ("cast(v as int) = 1", 2),
            ("try_cast(v as bigint) = 1", 2),
            ("cast(v as int) <= 0", 3),
            ("cast(v as int) in (1, 5, 6, 7)", 2),
        ] {
            let direct = format!("select count(*) as n from {table} where {condition}");
            assert_eq!(rows(&direct), count.to_string(), "{condition}");
            let counted = format!("select count(case when {condition} then 1 end) as n from {table}");
            assert_eq!(rows(&counted), count.to_string(), "{condition}");
        }
        let below =
            format!("select count(*) as n from (select cast(v as int) as c from {table}) where c = 1");
        assert_eq!(rows(&below), "2");
    }

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let table =
            "(values ('2020-02-04 4:30:21'), ('2020-2-4 4:30'), ('2020-02-04 04:30:21.5'), (null)) t(v)";
        assert_eq!(
            rows(&format!(
                "select string_agg(cast(cast(v as timestamp) as varchar), ' ' order by v) as t from {table}"
            )),
            "2020-02-04T04:30:21.5002020-02-04T04:30:212020-02-04T04:30:00"
        );
        assert_eq!(
            rows(&format!("select count(*) as n from {table} where cast(v as date) = date '2020-02-04'")),
            "3"
        );
        assert_eq!(
            rows(
                "select count(try_cast(v as timestamp)) as n from (values ('2020-02-04 4'), ('2020-02-30 4:30')) t(v)"
            ),
            "0"
        );
    }

    #[test]
    fn a_time_that_is_cut_equals_what_it_is_cut_to() {
        let table = "(select arrow_cast(v, 'Timestamp(Microsecond, None)') as t from (values ('2024-01-01T10:00:00.25'), ('2024-01-01T10:00:00')) t(v))";
        let cut = "arrow_cast(t, 'Timestamp(Second, None)') = arrow_cast('2024-01-01T10:00:00', 'Timestamp(Second, None)')";
        assert_eq!(rows(&format!("select count(*) as n from {table} where {cut}")), "2");
    }
}
