//! Functions of JSON that a text holds, with DuckDB's meaning.
//!
//! JSON is a text here: what a function gives of it is a text, minified. A path is `$.a.b[0]`, `/a/b`, or the name of a key.
//! Must not know: any type but texts and numbers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::ScalarUDF;
use serde_json::Value as Json;

use super::per_row::PerRow;
use super::times::{is_text, is_whole};

/// How many digits a whole number has at most, whose digits are all kept.
const DIGITS: usize = 19;

/// All of them, in the order of [`super::functions::ADDED`].
pub(super) fn all() -> Vec<ScalarUDF> {
    let functions = [
        PerRow {
            name: "json_extract",
            call: "json_extract(text, '$.a')",
            takes: text_and_path,
            returns: |_, _| Ok(DataType::Utf8View),
            evaluate: |arguments| texts(arguments, |found| Some(found.to_string())),
        },
        PerRow {
            name: "json_extract_string",
            call: "json_extract_string(text, '$.a')",
            takes: text_and_path,
            returns: |_, _| Ok(DataType::Utf8View),
            evaluate: |arguments| {
                texts(arguments, |found| match found {
                    Json::Null => None,
                    Json::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                })
            },
        },
        PerRow {
            name: "json_array_length",
            call: "json_array_length(text), or json_array_length(text, '$.a')",
            takes: text_and_perhaps_path,
            returns: |_, _| Ok(DataType::Int64),
            evaluate: |arguments| {
                let length = |json: &Json| json.as_array().map_or(0, Vec::len);
                let counts = (0..arguments[0].len()).map(|row| {
                    let found = found(arguments, row, length)?;
                    Ok(found.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
                });
                Ok(Arc::new(counts.collect::<Result<Int64Array>>()?))
            },
        },
        PerRow {
            name: "json_valid",
            call: "json_valid(text)",
            takes: |types| match types {
                [text] if is_text(text) => Some(vec![DataType::Utf8View]),
                _ => None,
            },
            returns: |_, _| Ok(DataType::Boolean),
            evaluate: |arguments| {
                let texts = arguments[0].as_string_view().iter();
                let valid = texts.map(|text| text.map(|text| serde_json::from_str::<Json>(text).is_ok()));
                Ok(Arc::new(valid.collect::<BooleanArray>()))
            },
        },
    ];
    functions.into_iter().map(PerRow::function).collect()
}

fn text_and_path(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [text, path] if is_text(text) && is_text(path) => Some(vec![DataType::Utf8View; 2]),
        [text, at] if is_text(text) && is_whole(at) => Some(vec![DataType::Utf8View, DataType::Int64]),
        _ => None,
    }
}

fn text_and_perhaps_path(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [text] if is_text(text) => Some(vec![DataType::Utf8View]),
        both => text_and_path(both),
    }
}

/// The texts of what the paths lead to.
fn texts(arguments: &[ArrayRef], text: impl Fn(&Json) -> Option<String>) -> Result<ArrayRef> {
    let mut texts = StringViewBuilder::with_capacity(arguments[0].len());
    for row in 0..arguments[0].len() {
        texts.append_option(found(arguments, row, &text)?.flatten());
    }
    Ok(Arc::new(texts.finish()))
}

/// What a function makes of what the path of a row leads to; `None` where it leads nowhere.
fn found<T>(arguments: &[ArrayRef], row: usize, of: impl Fn(&Json) -> T) -> Result<Option<T>> {
    if arguments.iter().any(|argument| argument.is_null(row)) {
        return Ok(None);
    }
    let json = parsed(arguments[0].as_string_view().value(row))?;
    let Some(path) = arguments.get(1) else { return Ok(Some(of(&json))) };
    let path = match path.data_type() {
        DataType::Int64 => vec![Step::At(path.as_primitive::<Int64Type>().value(row))],
        _ => steps(path.as_string_view().value(row))?,
    };
    Ok(path.iter().try_fold(&json, |json, step| step.of(json)).map(of))
}

fn parsed(text: &str) -> Result<Json> {
    let json =
        serde_json::from_str(text).map_err(|error| exec_datafusion_err!("`{text}` is no JSON: {error}"))?;
    let longest = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
    if longest > DIGITS && has_large_number(&json) {
        return Err(exec_datafusion_err!(
            "a number of the JSON `{text}` has more digits than {DIGITS}: write it as a text"
        ));
    }
    Ok(json)
}

/// Whether a whole number was read as another one.
fn has_large_number(json: &Json) -> bool {
    match json {
        Json::Number(number) => number.as_f64().is_some_and(|value| number.is_f64() && value.abs() >= 1e18),
        Json::Array(items) => items.iter().any(has_large_number),
        Json::Object(entries) => entries.values().any(has_large_number),
        _ => false,
    }
}

/// A step of a path.
#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    /// Counted from the end where it is negative.
    At(i64),
}

impl Step {
    fn of<'j>(&self, json: &'j Json) -> Option<&'j Json> {
        match self {
            Self::Key(key) => json.as_object()?.get(key),
            Self::At(at) => {
                let items = json.as_array()?;
                let at = if *at < 0 { at.checked_add(i64::try_from(items.len()).ok()?)? } else { *at };
                items.get(usize::try_from(at).ok()?)
            }
        }
    }
}

/// The steps of a path; one that does not begin with `$` or `/` is the name of a key.
fn steps(path: &str) -> Result<Vec<Step>> {
    let refused = || exec_datafusion_err!("`{path}` is no path that mep reads: write it as `$.key[0]`");
    if let Some(rest) = path.strip_prefix('/') {
        let step = |part: &str| {
            part.parse().map_or_else(|_| Step::Key(part.replace("~1", "/").replace("~0", "~")), Step::At)
        };
        return Ok(rest.split('/').map(step).collect());
    }
    let Some(mut rest) = path.strip_prefix('$') else { return Ok(vec![Step::Key(path.to_owned())]) };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(".\"") {
            let end = after.find('"').ok_or_else(refused)?;
            steps.push(Step::Key(after[..end].to_owned()));
            rest = &after[end + 1..];
        } else if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let key = &after[..end];
            if key.is_empty() || key.contains('*') {
                return Err(refused());
            }
            steps.push(Step::Key(key.to_owned()));
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = after.find(']').ok_or_else(refused)?;
            let inner = after[..end].trim();
            let quoted =
                ['\'', '"'].iter().find_map(|quote| inner.strip_prefix(*quote)?.strip_suffix(*quote));
            steps.push(match quoted {
                Some(key) => Step::Key(key.to_owned()),
                None => Step::At(inner.parse().map_err(|_| refused())?),
            });
            rest = &after[end + 1..];
        } else {
            return Err(refused());
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows;

    #[test]
    fn what_a_path_leads_to_is_what_duckdb_finds() {
        let found = |expression: &str| rows(&format!("select {expression} as r"));
        let of = [
            r#"json_extract_string('{"a":null}', '$.a')"#,
            r#"json_extract_string('{"a":"x"}', 'a')"#,
            r#"json_extract('{"a":"x"}', 'a')"#,
            r#"json_extract('{"b": {"z":1.50, "y":[1, 2]}}', '$.b')"#,
            "json_extract_path_text('[1,2]', '$[-1]')",
            r#"json_extract_string('{"a":{"b":true}}', '/a/b')"#,
            r#"json_extract_string('{"a":{"b":1}}', 'a.b')"#,
            r#"'{"a b":1}' ->> '$."a b"'"#,
            r#"json_array_length('{"a":[1]}', '$.a')"#,
            "json_valid('x')",
        ];
        insta::assert_snapshot!(of.map(found).join("\n"), @r#"

        x
        "x"
        {"z":1.5,"y":[1,2]}
        2
        true

        1
        1
        false
        "#);
    }
}
