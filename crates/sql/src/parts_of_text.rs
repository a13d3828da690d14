//! Functions of texts that projects call and the engine has not, with DuckDB's meaning.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListBuilder, StringBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;
use regex::Regex;

use super::bounded::{MOST_OF_A_CALL, PART};
use super::per_row::PerRow;
use super::times::{is_text, is_whole, two_texts};

/// All of them, in the order of [`super::functions::ADDED`].
pub(super) fn all() -> Vec<ScalarUDF> {
    let functions = [
        PerRow {
            name: "string_split",
            call: "string_split(text, ',')",
            takes: two_texts,
            returns: |_, _| Ok(list_of_texts()),
            evaluate: |arguments| {
                split(arguments, |text, between, part| {
                    if between.is_empty() {
                        text.split_inclusive(|_: char| true).for_each(part);
                    } else {
                        text.split(between).for_each(part);
                    }
                    Ok(())
                })
            },
        },
        PerRow {
            name: "regexp_split_to_array",
            call: "regexp_split_to_array(text, '[,;]')",
            takes: two_texts,
            returns: |_, _| Ok(list_of_texts()),
            evaluate: |arguments| {
                let mut patterns = Patterns::default();
                split(arguments, move |text, pattern, part| {
                    patterns.get(pattern)?.split(text).for_each(part);
                    Ok(())
                })
            },
        },
        PerRow {
            name: "regexp_extract",
            call: "regexp_extract(text, '[a-z]+', 0)",
            takes: |types| match types {
                [text, pattern] if is_text(text) && is_text(pattern) => two_texts(types),
                [text, pattern, group] if is_text(text) && is_text(pattern) && is_whole(group) => {
                    Some(vec![DataType::Utf8View, DataType::Utf8View, DataType::Int64])
                }
                _ => None,
            },
            returns: |_, _| Ok(DataType::Utf8View),
            evaluate: extracted,
        },
        PerRow {
            name: "len",
            call: "len(text), or len(list)",
            takes: |types| match types {
                [text] if is_text(text) => Some(vec![DataType::Utf8View]),
                [DataType::List(field)] => Some(vec![DataType::List(field.clone())]),
                [DataType::LargeList(field) | DataType::FixedSizeList(field, _)] => {
                    Some(vec![DataType::List(field.clone())])
                }
                _ => None,
            },
            returns: |_, _| Ok(DataType::Int64),
            evaluate: |arguments| {
                let counts: Int64Array = match arguments[0].data_type() {
                    DataType::Utf8View => {
                        let texts = arguments[0].as_string_view().iter();
                        texts.map(|text| text.map(|text| count(text.chars().count()))).collect()
                    }
                    DataType::List(_) => {
                        let lists = arguments[0].as_list::<i32>().iter();
                        lists.map(|list| list.map(|list| count(list.len()))).collect()
                    }
                    other => return plan_err!("len takes a text or a list, found {other}"),
                };
                Ok(Arc::new(counts))
            },
        },
    ];
    functions.into_iter().map(PerRow::function).collect()
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn list_of_texts() -> DataType {
    DataType::List(Field::new_list_field(DataType::Utf8, true).into())
}

/// The pattern that was asked for last: it is one for all rows, as a rule.
#[derive(Default)]
struct Patterns(Option<(String, Regex)>);

impl Patterns {
    fn get(&mut self, pattern: &str) -> Result<&Regex> {
        if self.0.as_ref().is_none_or(|(of, _)| of != pattern) {
            let compiled = Regex::new(pattern)
                .map_err(|error| exec_datafusion_err!("`{pattern}` is no regular expression: {error}"))?;
            self.0 = Some((pattern.to_owned(), compiled));
        }
        let compiled = self.0.as_ref().map(|(_, compiled)| compiled);
        compiled.ok_or_else(|| exec_datafusion_err!("`{pattern}` is no regular expression"))
    }
}

/// Lists of the parts of texts. With NULL between them, a text is one part.
fn split(
    arguments: &[ArrayRef],
    mut parts: impl FnMut(&str, &str, &mut dyn FnMut(&str)) -> Result<()>,
) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(StringBuilder::new());
    let mut bytes = 0.0;
    for (text, between) in arguments[0].as_string_view().iter().zip(arguments[1].as_string_view()) {
        match (text, between) {
            (Some(text), Some(between)) => {
                parts(text, between, &mut |part| {
                    bytes += part.len() as f64 + PART;
                    lists.values().append_value(part);
                })?;
                lists.append(true);
                if bytes > MOST_OF_A_CALL {
                    return exec_err!(
                        "the parts of texts would make values of more than the {MOST_OF_A_CALL} bytes that they may have at once"
                    );
                }
            }
            (Some(text), None) => {
                lists.values().append_value(text);
                lists.append(true);
            }
            (None, _) => lists.append(false),
        }
    }
    Ok(Arc::new(lists.finish()))
}

fn extracted(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let mut patterns = Patterns::default();
    let groups = arguments.get(2).map(|groups| groups.as_primitive::<Int64Type>());
    let rows = arguments[0].as_string_view().iter().zip(arguments[1].as_string_view());
    let mut found = StringViewBuilder::with_capacity(arguments[0].len());
    for (row, (text, pattern)) in rows.enumerate() {
        let group = groups.map_or(Some(0), |groups| groups.is_valid(row).then(|| groups.value(row)));
        let (Some(text), Some(pattern), Some(group)) = (text, pattern, group) else {
            found.append_null();
            continue;
        };
        let pattern = patterns.get(pattern)?;
        let group = match usize::try_from(group) {
            Ok(group) if group < pattern.captures_len() => group,
            _ => return exec_err!("the pattern `{pattern}` has no group {group}"),
        };
        let part = pattern.captures(text).and_then(|captures| captures.get(group));
        found.append_value(part.map_or("", |part| part.as_str()));
    }
    Ok(Arc::new(found.finish()))
}
