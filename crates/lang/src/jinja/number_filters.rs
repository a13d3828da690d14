//! Filters of numbers that the engine has otherwise than Jinja2.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, Value};

use super::filters::add;
use super::given::{GivenArguments, described};
use super::problem::invalid;

/// Makes the filters known.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    add(environment, "int", |_, value, arguments| whole(value, arguments));
    add(environment, "float", |_, value, arguments| broken(value, arguments));
    add(environment, "round", |_, value, arguments| rounded(value, arguments));
    add(environment, "abs", |_, value, _| absolute(value));
}

fn number(value: &Value) -> Result<f64, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()),
        _ => Err(invalid(format!("a number was expected, found {}", described(value)))),
    }
}

/// `int(default=0, base=10)`.
fn whole(value: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("int", arguments)?;
    let default = given.next("default")?.unwrap_or_else(|| Value::from(0));
    let base = given.number("base")?.unwrap_or(10);
    given.end()?;
    if let Some(text) = value.as_str() {
        return Ok(whole_of_text(text.trim(), base).unwrap_or(default));
    }
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(u8::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => Ok(value.clone()),
        ValueKind::Number => Ok(of_float(f64::try_from(value.clone())?).unwrap_or(default)),
        _ => Ok(default),
    }
}

/// The number without what stands after its point.
fn of_float(number: f64) -> Option<Value> {
    (number.is_finite() && number.abs() < 1e38).then(|| Value::from(number.trunc() as i128))
}

fn whole_of_text(text: &str, base: i64) -> Option<Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixes = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)];
    let prefix =
        prefixes.iter().find(|(prefix, of)| (base == *of || base == 0) && digits.starts_with(prefix));
    let (digits, base) = match prefix {
        Some((prefix, of)) => (&digits[prefix.len()..], *of),
        None => (digits, if base == 0 { 10 } else { base }),
    };
    let radix = u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?;
    let plain = digits.replace('_', "");
    let is_number = plain.starts_with(|c: char| c.is_digit(radix));
    match i128::from_str_radix(&plain, radix) {
        Ok(number) if is_number => Some(Value::from(sign * number)),
        // Python then reads the text as a number with a point.
        _ => float_of_text(text).and_then(of_float),
    }
}

fn float_of_text(text: &str) -> Option<f64> {
    text.trim().replace('_', "").parse().ok()
}

/// `float(default=0.0)`.
fn broken(value: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("float", arguments)?;
    let default = given.next("default")?.unwrap_or_else(|| Value::from(0.0));
    given.end()?;
    let found = match value.as_str() {
        Some(text) => float_of_text(text),
        None => number(value).ok(),
    };
    Ok(found.map_or(default, Value::from))
}

/// `round(precision=0, method='common')`.
fn rounded(value: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("round", arguments)?;
    let precision = given.number("precision")?.unwrap_or(0);
    let method = given.word("method")?.unwrap_or_else(|| "common".to_owned());
    given.end()?;
    let places = i32::try_from(precision.clamp(-400, 400)).unwrap_or(0);
    let exact = number(value)?;
    match method.as_str() {
        // Whole numbers stay whole.
        "common" if value.is_integer() && places >= 0 => Ok(value.clone()),
        "common" if value.is_integer() => {
            let unit = 10_f64.powi(-places);
            Ok(Value::from(((exact / unit).round_ties_even() * unit) as i128))
        }
        "common" => Ok(Value::from(nearest(exact, places))),
        "ceil" => Ok(Value::from((exact * 10_f64.powi(places)).ceil() / 10_f64.powi(places))),
        "floor" => Ok(Value::from((exact * 10_f64.powi(places)).floor() / 10_f64.powi(places))),
        other => Err(invalid(format!("round() has no method `{other}`: expected common, ceil or floor"))),
    }
}

/// The nearest number with so many digits after its point, by the digits that the number really has.
fn nearest(exact: f64, places: i32) -> f64 {
    if let Ok(places) = usize::try_from(places) {
        return format!("{exact:.places$}").parse().unwrap_or(exact);
    }
    let unit = 10_f64.powi(-places);
    (exact / unit).round_ties_even() * unit
}

fn absolute(value: &Value) -> Result<Value, Error> {
    match i128::try_from(value.clone()) {
        Ok(whole) if value.is_integer() || value.kind() == ValueKind::Bool => Ok(Value::from(whole.abs())),
        _ => number(value).map(|number| Value::from(number.abs())),
    }
}
