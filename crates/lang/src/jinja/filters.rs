//! Filters that dbt or Jinja2 has and the engine has not, or otherwise.

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};

use super::depth::is_writable;
use super::problem::invalid;
use super::text_methods::centered;
use mep_core::keys::{Key, key};

/// The filters that are added.
pub(super) const FILTERS: [Key; 6] = [
    key("as_text", "value | as_text", "", "The value as text."),
    key("as_native", "text | as_native", "", "The number, truth value or none that a text stands for."),
    key("as_number", "text | as_number", "", "The same, and an error where it is no number."),
    key("as_bool", "text | as_bool", "", "The same, and an error where it is neither true nor false."),
    key("center", "text | center(80)", "", "The text in the middle of a width."),
    key("truncate", "text | truncate(255, false, '...')", "", "The text cut to a length, at a word."),
];

/// Makes the filters known.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("pprint", laid_out);
    environment.add_filter("as_text", |value: &Value| value.to_string());
    environment.add_filter("as_native", |value: Value| native(&value).unwrap_or(value));
    environment.add_filter("as_number", |value: &Value| match native(value) {
        Some(number) if number.is_number() => Ok(number),
        _ => Err(invalid(format!("as_number: {value:?} is not a number"))),
    });
    environment.add_filter("as_bool", |value: &Value| match native(value) {
        Some(found) if bool::try_from(found.clone()).is_ok() => Ok(found),
        _ => Err(invalid(format!("as_bool: {value:?} is neither true nor false"))),
    });
    environment
        .add_filter("center", |text: &str, width: Option<usize>| centered(text, width.unwrap_or(80), ' '));
    environment.add_filter(
        "truncate",
        |text: &str, length: Option<usize>, killwords: Option<bool>, end: Option<&str>, named: Kwargs| {
            let truncation = Truncation {
                length: length.or(named.get("length")?).unwrap_or(255),
                splits_words: killwords.or(named.get("killwords")?).unwrap_or(false),
                end: match end {
                    Some(end) => end.to_owned(),
                    None => named.get::<Option<String>>("end")?.unwrap_or_else(|| "...".to_owned()),
                },
                leeway: named.get::<Option<usize>>("leeway")?.unwrap_or(5),
            };
            named.assert_all_used()?;
            Ok::<_, Error>(truncation.of(text))
        },
    );
}

/// A value as `pprint` lays it out, over several lines. The engine's own takes time without end where values hold each other often.
fn laid_out(value: &Value) -> Result<String, Error> {
    if !is_writable(value) {
        return Err(invalid("pprint: the value is too large, or holds itself"));
    }
    Ok(format!("{value:#?}"))
}

/// What `truncate` was asked for.
struct Truncation {
    length: usize,
    splits_words: bool,
    end: String,
    leeway: usize,
}

impl Truncation {
    fn of(&self, text: &str) -> String {
        if text.chars().count() <= self.length + self.leeway {
            return text.to_owned();
        }
        let kept = self.length.saturating_sub(self.end.chars().count());
        let kept: String = text.chars().take(kept).collect();
        let kept = match kept.rsplit_once(' ') {
            Some((words, _)) if !self.splits_words => words,
            _ => &kept,
        };
        format!("{kept}{}", self.end)
    }
}

/// What a text stands for where it is the text of a number, a truth value or none.
fn native(value: &Value) -> Option<Value> {
    let Some(text) = value.as_str() else { return Some(value.clone()) };
    Some(match text.trim() {
        "true" | "True" => true.into(),
        "false" | "False" => false.into(),
        "none" | "None" | "null" => Value::from(()),
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => return None,
        },
    })
}
