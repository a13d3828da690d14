//! `date_bin(interval, time [, origin])`: the beginning of the window of this length that a time falls into.
//!
//! The engine's own goes by way of nanoseconds and gives NULL before 1677 and after 2262 (DataFusion issue 22251). This one computes
//! in the unit of the time; a window that begins before the first time there is, is an error.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowTimestampType, DataType, IntervalDayTime, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::temporal_conversions::as_datetime;
use chrono::{Datelike, Months, NaiveDateTime};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};

/// The function, under the name of the engine's own.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateBin {
    /// What bins times of a day, and says which types there are.
    engine: Arc<ScalarUDF>,
}

impl DateBin {
    pub(super) fn new() -> Self {
        Self { engine: date_bin() }
    }
}

/// How long a window is.
#[derive(Clone, Copy)]
pub(super) enum Stride {
    Months(i32),
    Nanoseconds(i128),
}

impl Stride {
    /// The length that a literal says; `None` for NULL.
    fn of(value: &ColumnarValue) -> Result<Option<Self>> {
        let ColumnarValue::Scalar(value) = value else {
            return exec_err!("date_bin takes its interval as a literal: date_bin(interval '5 minutes', ts)");
        };
        let stride = match value {
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano {
                months,
                days: 0,
                nanoseconds: 0,
            })) if *months != 0 => Self::Months(*months),
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano {
                months: 0,
                days,
                nanoseconds,
            })) => Self::Nanoseconds(i128::from(*days) * NANOSECONDS_A_DAY + i128::from(*nanoseconds)),
            ScalarValue::IntervalDayTime(Some(IntervalDayTime { days, milliseconds })) => Self::Nanoseconds(
                i128::from(*days) * NANOSECONDS_A_DAY + i128::from(*milliseconds) * 1_000_000,
            ),
            value if value.is_null() => return Ok(None),
            _ => return exec_err!("the interval of date_bin is of months, or of days and less, not of both"),
        };
        match stride {
            Self::Months(..=0) | Self::Nanoseconds(..=0) => {
                exec_err!("the interval of date_bin is longer than nothing")
            }
            stride => Ok(Some(stride)),
        }
    }
}

pub(super) const NANOSECONDS_A_DAY: i128 = 86_400_000_000_000;

impl ScalarUDFImpl for DateBin {
    fn name(&self) -> &'static str {
        "date_bin"
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.inner().return_type(types)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [stride, time, origin @ ..] if matches!(time.data_type(), DataType::Timestamp(_, _)) => {
                binned(stride, time, origin.first())
            }
            _ => self.engine.invoke_with_args(arguments),
        }
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.engine.inner().output_ordering(inputs)
    }
}

/// The windows of times.
///
/// # Errors
/// Where the interval or the origin is none, or a window begins before the first time there is.
pub(super) fn binned(
    stride: &ColumnarValue,
    time: &ColumnarValue,
    origin: Option<&ColumnarValue>,
) -> Result<ColumnarValue> {
    let null = |time: &ColumnarValue| Ok(ColumnarValue::Scalar(ScalarValue::try_from(time.data_type())?));
    let Some(stride) = Stride::of(stride)? else { return null(time) };
    let origin = match origin {
        None => 0,
        Some(ColumnarValue::Scalar(origin)) => match nanoseconds(origin)? {
            Some(origin) => origin,
            None => return null(time),
        },
        Some(ColumnarValue::Array(_)) => return exec_err!("date_bin takes its origin as a literal"),
    };
    windows(time, stride, origin)
}

/// The windows of times, one of which begins at `origin`, in nanoseconds since 1970.
///
/// # Errors
/// Where a window begins before the first time there is.
pub(super) fn windows(time: &ColumnarValue, stride: Stride, origin: i128) -> Result<ColumnarValue> {
    let (times, is_scalar) = match time {
        ColumnarValue::Array(times) => (times.clone(), false),
        ColumnarValue::Scalar(time) => (time.to_array()?, true),
    };
    let windows = match times.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => of_unit::<TimestampSecondType>(&times, stride, origin)?,
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            of_unit::<TimestampMillisecondType>(&times, stride, origin)?
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            of_unit::<TimestampMicrosecondType>(&times, stride, origin)?
        }
        _ => of_unit::<TimestampNanosecondType>(&times, stride, origin)?,
    };
    Ok(if is_scalar {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&windows, 0)?)
    } else {
        ColumnarValue::Array(windows)
    })
}

/// A time in nanoseconds; `None` for NULL.
fn nanoseconds(time: &ScalarValue) -> Result<Option<i128>> {
    let (value, unit) = match time {
        ScalarValue::TimestampSecond(value, _) => (value, TimeUnit::Second),
        ScalarValue::TimestampMillisecond(value, _) => (value, TimeUnit::Millisecond),
        ScalarValue::TimestampMicrosecond(value, _) => (value, TimeUnit::Microsecond),
        ScalarValue::TimestampNanosecond(value, _) => (value, TimeUnit::Nanosecond),
        other => return exec_err!("the origin of date_bin is a timestamp, found {}", other.data_type()),
    };
    Ok(value.map(|value| i128::from(value) * i128::from(length_of(unit))))
}

/// How many nanoseconds a unit has.
fn length_of(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn of_unit<T: ArrowTimestampType>(times: &ArrayRef, stride: Stride, origin: i128) -> Result<ArrayRef> {
    let times = times.as_primitive::<T>();
    let unit = i128::from(length_of(T::UNIT));
    let windows: PrimitiveArray<T> = match stride {
        Stride::Nanoseconds(stride) => match (whole(stride, unit), whole(origin, unit)) {
            (Some(stride), Some(origin)) => times.try_unary(|time| {
                let past = time.checked_sub(origin).map(|since| since.rem_euclid(stride));
                past.and_then(|past| time.checked_sub(past)).ok_or_else(|| too_early(time))
            })?,
            // The window's ends lie between two times of the unit.
            _ => times.try_unary(|time| {
                let in_nanoseconds = i128::from(time) * unit;
                let begin = in_nanoseconds - (in_nanoseconds - origin).rem_euclid(stride);
                i64::try_from(begin.div_euclid(unit)).map_err(|_| too_early(time))
            })?,
        },
        Stride::Months(months) => {
            let origin = i64::try_from(origin.div_euclid(unit)).ok().and_then(as_datetime::<T>);
            let origin =
                origin.ok_or_else(|| exec_datafusion_err!("the origin of date_bin is out of range"))?;
            times.try_unary(|time| {
                let begin = as_datetime::<T>(time).and_then(|at| month_bin(at, months, origin));
                begin.and_then(|begin| in_unit(T::UNIT, begin)).ok_or_else(|| too_early(time))
            })?
        }
    };
    Ok(Arc::new(windows.with_data_type(times.data_type().clone())))
}

/// A time in its unit since 1970.
fn in_unit(unit: TimeUnit, time: NaiveDateTime) -> Option<i64> {
    let time = time.and_utc();
    match unit {
        TimeUnit::Second => Some(time.timestamp()),
        TimeUnit::Millisecond => Some(time.timestamp_millis()),
        TimeUnit::Microsecond => Some(time.timestamp_micros()),
        TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
    }
}

/// So many of a unit, where they come out even.
fn whole(nanoseconds: i128, unit: i128) -> Option<i64> {
    (nanoseconds % unit == 0).then(|| i64::try_from(nanoseconds / unit).ok()).flatten()
}

/// The beginning of the window of so many months.
fn month_bin(time: NaiveDateTime, months: i32, origin: NaiveDateTime) -> Option<NaiveDateTime> {
    let month = |time: NaiveDateTime| time.year() * 12 + time.month0().cast_signed();
    let begin = |passed: i32| {
        let shift = Months::new(passed.unsigned_abs());
        if passed < 0 { origin.checked_sub_months(shift) } else { origin.checked_add_months(shift) }
    };
    let passed = (month(time) - month(origin)).div_euclid(months) * months;
    let found = begin(passed)?;
    // Where the origin is not the first of a month, the window may not have begun in the month of the time.
    if found > time { begin(passed - months) } else { Some(found) }
}

fn too_early(time: i64) -> DataFusionError {
    exec_datafusion_err!("the window of the time {time} begins before the first time there is")
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampMicrosecondArray;

    use super::*;

    fn window(time: &str, stride: ScalarValue) -> String {
        let time: NaiveDateTime = time.parse().unwrap();
        let times = TimestampMicrosecondArray::from(vec![time.and_utc().timestamp_micros()]);
        let time = ColumnarValue::Array(Arc::new(times));
        let windows = binned(&ColumnarValue::Scalar(stride), &time, None).unwrap().into_array(1).unwrap();
        arrow::util::display::array_value_to_string(&windows, 0).unwrap()
    }

    #[test]
    fn a_window_is_found_in_any_year() {
        let days = |days| ScalarValue::new_interval_mdn(0, days, 0);
        assert_eq!(window("9999-12-31T23:59:59.999999", days(1)), "9999-12-31T00:00:00");
        assert_eq!(window("0001-01-01T13:00:00", days(1)), "0001-01-01T00:00:00");
        assert_eq!(
            window("1600-02-29T13:07:31", ScalarValue::new_interval_mdn(0, 0, 90_000_000_000)),
            "1600-02-29T13:07:30"
        );
        assert_eq!(
            window("1969-12-31T23:59:59.5", ScalarValue::new_interval_mdn(0, 0, 1_500)),
            "1969-12-31T23:59:59.499999"
        );
        assert_eq!(
            window("9999-12-31T01:00:00", ScalarValue::new_interval_mdn(5, 0, 0)),
            "9999-08-01T00:00:00"
        );
        assert_eq!(
            window("1600-05-31T00:00:00", ScalarValue::new_interval_mdn(12, 0, 0)),
            "1600-01-01T00:00:00"
        );
    }

    #[test]
    fn an_interval_of_nothing_or_of_two_kinds_is_refused() {
        for (months, days) in [(0, 0), (0, -1), (-1, 0), (1, 1)] {
            let stride = ColumnarValue::Scalar(ScalarValue::new_interval_mdn(months, days, 0));
            let time = ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(Some(0), None));
            assert!(binned(&stride, &time, None).is_err(), "{months} months and {days} days");
        }
    }
}
