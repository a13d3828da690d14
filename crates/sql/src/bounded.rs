//! Functions that make long values of short words, with a bound.
//!
//! What they make is held in memory whole, and by no account of the engine's: `range(1, 10**12)` would take the machine's.
//! So how much a call is to make is reckoned from its arguments, before it makes any of it.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use regex::Regex;

/// The most bytes of one value.
const MOST_OF_A_VALUE: f64 = (64_u32 << 20) as f64;
/// The most bytes of the values that one call makes: of some thousand rows at once.
pub(super) const MOST_OF_A_CALL: f64 = (256_u32 << 20) as f64;

/// The bytes of a part of a list of texts beside its text.
pub(super) const PART: f64 = 24.0;

/// The nanoseconds of a day.
const DAY: f64 = 86_400e9;

/// How the length of what a function makes follows from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Length {
    /// A list from the first to the second in steps of the third.
    Series,
    /// The first as often as the second says.
    Repeated,
    /// As long as the second says.
    Given,
    /// All of them together.
    Joined,
    /// Twice the first.
    Doubled,
    /// The first with the third in place of each second.
    Replaced,
    /// The first with the third in place of what the second, a pattern, is found at.
    ReplacedByPattern,
    /// A list of the first's parts between the seconds.
    Split,
    /// The elements of the first, with the second between them.
    Listed,
}

const BOUNDED: [(&str, Length); 19] = [
    ("concat", Length::Joined),
    ("concat_ws", Length::Listed),
    ("overlay", Length::Joined),
    ("array_concat", Length::Joined),
    ("array_append", Length::Joined),
    ("array_prepend", Length::Joined),
    ("encode", Length::Doubled),
    ("replace", Length::Replaced),
    ("regexp_replace", Length::ReplacedByPattern),
    ("string_to_array", Length::Split),
    ("array_to_string", Length::Listed),
    ("range", Length::Series),
    ("generate_series", Length::Series),
    ("repeat", Length::Repeated),
    ("array_repeat", Length::Repeated),
    ("lpad", Length::Given),
    ("rpad", Length::Given),
    ("array_resize", Length::Given),
    ("space", Length::Given),
];

/// Functions that take a negative length for nothing, and for a number of bytes that no machine has where they make room for it.
const PADDING: [&str; 2] = ["lpad", "rpad"];

fn not_negative(length: ColumnarValue) -> ColumnarValue {
    match &length {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(..0))) => {
            ColumnarValue::Scalar(ScalarValue::Int64(Some(0)))
        }
        ColumnarValue::Array(lengths) if lengths.data_type() == &DataType::Int64 => {
            let lengths = lengths.as_primitive::<Int64Type>();
            ColumnarValue::Array(Arc::new(lengths.unary::<_, Int64Type>(|length| length.max(0))))
        }
        _ => length,
    }
}

/// The bounded forms of functions that a session has.
pub(super) fn all(state: &SessionState) -> Vec<ScalarUDF> {
    let bounded = |(name, length): &(&str, Length)| {
        let inner = state.scalar_functions().get(*name)?.clone();
        Some(ScalarUDF::new_from_impl(Bounded { inner, length: *length }))
    };
    BOUNDED.iter().filter_map(bounded).collect()
}

/// The bounded form of a function that makes a value of all its arguments.
pub(super) fn bounded(function: &Arc<ScalarUDF>) -> Option<ScalarUDF> {
    let is_bounded = function.inner().downcast_ref::<Bounded>().is_some();
    (!is_bounded)
        .then(|| ScalarUDF::new_from_impl(Bounded { inner: function.clone(), length: Length::Joined }))
}

/// A function as it is, but for what it may make.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    length: Length,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.inner().return_field_from_args(args)
    }

    fn is_strict(&self) -> bool {
        self.inner.inner().is_strict()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.inner().documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if PADDING.contains(&self.name())
            && let Some(length) = args.args.get_mut(1)
        {
            *length = not_negative(length.clone());
        }
        let rows = if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
            1
        } else {
            args.number_rows
        };
        if !self.is_small(&args.args, rows)? {
            within_bounds(self.name(), rows, |row| self.bytes(&args.args, row))?;
        }
        self.inner.inner().invoke_with_args(args)
    }
}

/// Looks how many bytes a call makes for each row, before it makes any.
///
/// # Errors
/// Where a value, or all of them, would be larger than the bounds.
pub(super) fn within_bounds(
    name: &str,
    rows: usize,
    mut bytes: impl FnMut(usize) -> Result<f64>,
) -> Result<()> {
    let mut whole = 0.0;
    for row in 0..rows {
        let of_row = bytes(row)?;
        whole += of_row;
        if of_row > MOST_OF_A_VALUE {
            return exec_err!(
                "`{name}` would make a value of {of_row:.0} bytes, more than the {MOST_OF_A_VALUE} that one may have"
            );
        }
    }
    if whole > MOST_OF_A_CALL {
        return exec_err!(
            "`{name}` would make values of {whole:.0} bytes for {rows} rows, more than the {MOST_OF_A_CALL} that they may have at once"
        );
    }
    Ok(())
}

impl Bounded {
    /// Whether all that a call could make of its arguments is within the bounds, as far as a look at each tells.
    fn is_small(&self, args: &[ColumnarValue], rows: usize) -> Result<bool> {
        let most = |arg: &ColumnarValue| -> Result<f64> {
            Ok(match arg {
                ColumnarValue::Scalar(_) => size(arg, 0)?,
                ColumnarValue::Array(array) => array.get_array_memory_size() as f64,
            })
        };
        let of_rows = |arg: &ColumnarValue| -> Result<f64> {
            let times = if matches!(arg, ColumnarValue::Scalar(_)) { rows as f64 } else { 1.0 };
            Ok(most(arg)? * times)
        };
        Ok(match self.length {
            Length::Series | Length::Repeated | Length::Given => false,
            Length::Joined => {
                args.iter().map(of_rows).sum::<Result<f64>>()? + rows as f64 * 16.0 < MOST_OF_A_VALUE
            }
            Length::Doubled => args.first().map_or(Ok(0.0), of_rows)? * 2.0 < MOST_OF_A_VALUE,
            Length::Replaced | Length::ReplacedByPattern | Length::Listed => {
                let all = args.iter().map(most).sum::<Result<f64>>()?;
                (all + 1.0) * (all + 1.0) * (rows as f64) < MOST_OF_A_VALUE
            }
            Length::Split => args.first().map_or(Ok(0.0), of_rows)? * PART < MOST_OF_A_VALUE,
        })
    }

    /// The bytes of the value of a row; 0 where it will be NULL or is refused by the function itself.
    fn bytes(&self, args: &[ColumnarValue], row: usize) -> Result<f64> {
        let number = |at: usize| args.get(at).map_or(Ok(None), |arg| number(arg, row));
        let bytes = match self.length {
            Length::Given => number(usize::from(args.len() > 1))?.unwrap_or_default(),
            Length::Repeated => {
                let size = args.first().map_or(Ok(0.0), |arg| size(arg, row))?;
                size * number(1)?.unwrap_or_default()
            }
            Length::Series => {
                let (from, to) =
                    if args.len() > 1 { (number(0)?, number(1)?) } else { (Some(0.0), number(0)?) };
                let step = if args.len() > 2 { number(2)? } else { Some(1.0) };
                match (from, to, step) {
                    (Some(from), Some(to), Some(step)) if step != 0.0 => (to - from) / step * 8.0,
                    _ => 0.0,
                }
            }
            Length::Joined => args.iter().map(|arg| size(arg, row)).sum::<Result<f64>>()?,
            Length::Doubled => args.first().map_or(Ok(0.0), |arg| size(arg, row))? * 2.0,
            Length::Replaced | Length::ReplacedByPattern => self.replaced(args, row)?,
            Length::Split => {
                let (Some(of), Some(between)) = (text(args, 0, row)?, text(args, 1, row)?) else {
                    return Ok(0.0);
                };
                of.len() as f64 + of.matches(between.as_str()).count() as f64 * PART
            }
            Length::Listed if self.name() == "concat_ws" => {
                let all = args.iter().skip(1).map(|arg| size(arg, row)).sum::<Result<f64>>()?;
                all + args.first().map_or(Ok(0.0), |arg| size(arg, row))? * args.len() as f64
            }
            Length::Listed => {
                let Some(list) = args.first() else { return Ok(0.0) };
                let between = args.get(1).map_or(Ok(0.0), |arg| size(arg, row))?;
                size(list, row)? + between * elements(list, row)?
            }
        };
        Ok(bytes.max(0.0))
    }

    /// The bytes of a text in which each place of another one holds a third.
    fn replaced(&self, args: &[ColumnarValue], row: usize) -> Result<f64> {
        let (Some(of), Some(from), Some(to)) =
            (text(args, 0, row)?, text(args, 1, row)?, text(args, 2, row)?)
        else {
            return Ok(0.0);
        };
        let is_pattern = self.length == Length::ReplacedByPattern;
        // A replacement may hold what was found, as often as it names it.
        let again = if is_pattern { to.matches(['\\', '$']).count() as f64 * of.len() as f64 } else { 0.0 };
        let most = of.len() as f64 + (of.len() as f64 + 1.0) * to.len() as f64 + again;
        if most <= MOST_OF_A_VALUE / 1024.0 {
            return Ok(most);
        }
        let places = match is_pattern.then(|| Regex::new(&from)) {
            Some(Ok(pattern)) => pattern.find_iter(&of).count(),
            // The function says what is wrong with it.
            Some(Err(_)) => return Ok(0.0),
            None if from.is_empty() => of.chars().count() + 1,
            None => of.matches(from.as_str()).count(),
        };
        Ok(of.len() as f64 + places as f64 * to.len() as f64 + again)
    }
}

/// The text that an argument is.
fn text(args: &[ColumnarValue], at: usize, row: usize) -> Result<Option<String>> {
    let Some(arg) = args.get(at) else { return Ok(None) };
    let one = cast(&value(arg, row)?, &DataType::Utf8View)?;
    Ok(one.is_valid(0).then(|| one.as_string_view().value(0).to_owned()))
}

/// How many elements a list has, with those of lists in it.
fn elements(list: &ColumnarValue, row: usize) -> Result<f64> {
    let mut found = 0_usize;
    let mut lists = vec![value(list, row)?];
    while let Some(list) = lists.pop() {
        let inner = match list.data_type() {
            DataType::List(_) => list.as_list::<i32>().iter().flatten().collect::<Vec<_>>(),
            DataType::LargeList(_) => list.as_list::<i64>().iter().flatten().collect(),
            DataType::FixedSizeList(..) => list.as_fixed_size_list().iter().flatten().collect(),
            _ => {
                found += list.len();
                continue;
            }
        };
        lists.extend(inner);
    }
    Ok(found as f64)
}

/// One value of an argument.
fn value(arg: &ColumnarValue, row: usize) -> Result<ArrayRef> {
    match arg {
        ColumnarValue::Scalar(scalar) => scalar.to_array(),
        ColumnarValue::Array(array) => Ok(array.slice(row, 1)),
    }
}

/// A number, or a time or length of time in nanoseconds.
fn number(arg: &ColumnarValue, row: usize) -> Result<Option<f64>> {
    if let ColumnarValue::Scalar(ScalarValue::Int64(number)) = arg {
        return Ok(number.map(|number| number as f64));
    }
    if let ColumnarValue::Array(array) = arg
        && let Some(numbers) = array.as_any().downcast_ref::<Int64Array>()
    {
        return Ok(numbers.is_valid(row).then(|| numbers.value(row) as f64));
    }
    let one = value(arg, row)?;
    if one.is_null(0) {
        return Ok(None);
    }
    let scale = match one.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let length = one.as_primitive::<IntervalMonthDayNanoType>().value(0);
            let days = f64::from(length.months) * 30.0 + f64::from(length.days);
            return Ok(Some(days * DAY + length.nanoseconds as f64));
        }
        DataType::Date32 => DAY,
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => 1e9,
            TimeUnit::Millisecond => 1e6,
            TimeUnit::Microsecond => 1e3,
            TimeUnit::Nanosecond => 1.0,
        },
        kind if kind.is_integer() => 1.0,
        _ => return Ok(None),
    };
    let one = if one.data_type() == &DataType::Date32 { cast(&one, &DataType::Int32)? } else { one };
    let one = cast(&one, &DataType::Int64)?;
    let one = one.as_primitive::<arrow::datatypes::Int64Type>();
    Ok(one.is_valid(0).then(|| one.value(0) as f64 * scale))
}

/// The bytes of a value.
fn size(arg: &ColumnarValue, row: usize) -> Result<f64> {
    let one = value(arg, row)?;
    let bytes = match one.data_type() {
        DataType::Utf8 => one.as_string::<i32>().value(0).len(),
        DataType::LargeUtf8 => one.as_string::<i64>().value(0).len(),
        DataType::Utf8View => one.as_string_view().value(0).len(),
        _ => one.to_data().get_slice_memory_size()?,
    };
    Ok(bytes as f64)
}

#[cfg(test)]
mod tests {
    use crate::scope::Scope;

    fn said(sql: &str) -> Result<usize, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let scope = Scope::for_planning();
        let rows = runtime.block_on(async {
            let found = scope.context().sql(sql).await?;
            found.collect().await
        });
        rows.map(|rows| rows.iter().map(|batch| batch.num_rows()).sum()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_would_take_the_machines_memory_is_refused_before_it_is_made() {
        for sql in [
            "select range(1, 1000000000000)",
            "select range(1000000000000)",
            "select * from (select unnest(range(1, value * 1000000000)) from generate_series(1, 3))",
            "select generate_series(date '1900-01-01', date '2100-01-01', interval '1 millisecond')",
            "select rpad('x', 1000000000)",
            "select lpad(cast(value as varchar), 1000000000, 'ab') from generate_series(1, 3)",
            "select rpad(cast(value as varchar), 100000) from generate_series(1, 8000)",
            "select repeat('abc', 1000000000)",
            "select array_repeat('abc', 1000000000)",
            "select repeat('a', 60000) || value from generate_series(1, 8000)",
            "select concat(repeat('a', 60000), value) from generate_series(1, 8000)",
            "select replace(repeat('a', 10000), 'a', repeat('b', 10000))",
            "select regexp_replace(repeat('a', 10000), '[a-c]', repeat('b', 10000), 'g')",
            "select regexp_replace(repeat('a', 100000), '(.*)', repeat('\\1', 1000))",
            "select array_to_string(range(1, 100000), repeat('b', 10000))",
            "select string_to_array(repeat('a,', 3000000), ',')",
        ] {
            let error = said(sql).unwrap_err();
            assert!(error.contains("would make"), "{sql}: {error}");
        }
    }

    #[test]
    fn what_people_write_is_made_as_before() {
        for sql in [
            "select max(lpad('abc', value - 5)) from generate_series(1, 3)",
            "select max(rpad(cast(value as varchar), -1, cast(value as varchar))) from generate_series(1, 3)",
            "select rpad('x', 1000), lpad('x', -1), repeat('ab', 3), repeat('ab', 0), repeat(null, 3)",
            "select range(1, 100000), range(10, 1, -1), generate_series(1, 5)",
            "select generate_series(date '2000-01-01', date '2030-01-01', interval '1 day')",
            "select array_repeat(1, 3), rpad(null, 3)",
            "select replace(repeat('a', 10000), 'b', repeat('b', 10000)), replace(null, 'a', 'b')",
            "select regexp_replace(repeat('a', 10000), 'b', repeat('b', 10000), 'g'), regexp_replace('a', null, 'b')",
            "select concat('a', null, 1), concat_ws('-', 'a', 'b'), string_to_array('a-b', '-'), array_to_string([1, 2], ',')",
            "select make_array(1, 2), named_struct('a', 1), map(['a'], [1]), encode('a', 'hex'), array_append([1], 2)",
        ] {
            assert_eq!(said(sql), Ok(1), "{sql}");
        }
        assert_eq!(said("select unnest(range(0, value)) from generate_series(1, 3)"), Ok(6));
    }
}
