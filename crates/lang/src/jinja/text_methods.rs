//! Methods of Python's texts, lists and mappings on the engine's own values.

use minijinja::value::{Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::List;
use super::problem::{invalid, invalid_with_help};
use super::widths;

/// Calls a method that the engine does not know.
pub(super) fn unknown_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if method == "format"
        && let Some(text) = value.as_str()
    {
        widths::check(text, widths::Style::Braces, arguments.iter())?;
    }
    let changes = ["append", "extend", "insert", "pop", "remove", "update", "setdefault", "clear"];
    match minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments) {
        Err(error) if error.kind() != ErrorKind::UnknownMethod => Err(error),
        Err(error) => match value.as_str() {
            Some(text) => text_method(text, method, arguments),
            None if value.as_object().is_some() && changes.contains(&method) => Err(invalid_with_help(
                format!("`{method}()` cannot change this {}", value.kind()),
                "give it a name by `{% set %}`, and change that",
            )),
            None => Err(error),
        },
        found => found,
    }
}

fn text_method(text: &str, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    Ok(match method {
        "ljust" | "rjust" | "center" => {
            let (width, fill): (usize, Option<char>) = from_args(arguments)?;
            let fill = fill.unwrap_or(' ');
            let padding = padding(text, width, fill)?;
            match method {
                "ljust" => format!("{text}{padding}").into(),
                "rjust" => format!("{padding}{text}").into(),
                _ => centered(text, width, fill)?.into(),
            }
        }
        "zfill" => {
            let (width,): (usize,) = from_args(arguments)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            format!("{sign}{}{digits}", padding(text, width, '0')?).into()
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(arguments)?;
            text.strip_prefix(prefix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(arguments)?;
            text.strip_suffix(suffix).unwrap_or(text).into()
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(arguments)?;
            let found =
                if method == "partition" { text.split_once(separator) } else { text.rsplit_once(separator) };
            let parts = match found {
                Some((before, after)) => [before, separator, after],
                None if method == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            Tuple::from(parts.map(Value::from)).into()
        }
        "rsplit" => {
            let (separator, most): (&str, Option<usize>) = from_args(arguments)?;
            let mut parts: Vec<Value> = match most {
                Some(most) => text.rsplitn(most + 1, separator).map(Value::from).collect(),
                None => text.rsplit(separator).map(Value::from).collect(),
            };
            parts.reverse();
            List::of(parts)
        }
        "swapcase" => {
            let swap = |c: char| {
                if c.is_uppercase() {
                    c.to_lowercase().collect::<String>()
                } else {
                    c.to_uppercase().collect()
                }
            };
            text.chars().map(swap).collect::<String>().into()
        }
        "casefold" => text.to_lowercase().into(),
        "index" => {
            let (wanted,): (&str,) = from_args(arguments)?;
            let found = text.find(wanted).ok_or_else(|| invalid(format!("`{wanted}` is not in `{text}`")))?;
            text[..found].chars().count().into()
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

/// No text is padded to more than this: a slip of the pen should not fill the memory.
const MOST_WIDTH: usize = 1_000_000;

fn padding(text: &str, width: usize, fill: char) -> Result<String, Error> {
    if width > MOST_WIDTH {
        return Err(invalid(format!("expected a width of at most {MOST_WIDTH}, found {width}")));
    }
    Ok(std::iter::repeat_n(fill, width.saturating_sub(text.chars().count())).collect())
}

/// A text in the middle of its width; Python puts an odd space on the left where the width is odd.
pub(super) fn centered(text: &str, width: usize, fill: char) -> Result<String, Error> {
    let padding = padding(text, width, fill)?;
    let more = padding.chars().count();
    let left = more / 2 + (more & width & 1);
    let (left, right) = padding.split_at(left * fill.len_utf8());
    Ok(format!("{left}{text}{right}"))
}
