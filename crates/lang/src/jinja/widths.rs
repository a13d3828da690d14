//! Formats and indents that ask for a width: no text is padded to more than a text can be.
//!
//! The engine makes the padding first and counts it afterwards, so what is too wide is refused before.

use minijinja::value::{Kwargs, Rest, StringInput, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters};

use super::problem::invalid_with_help;

/// The most that all widths of one format, or all indents of one text, come to.
const MOST: usize = 1_000_000;

/// Makes the filters known that look at widths before the engine does.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter(
        "format",
        |state: &mut State<'_, '_>, text: Value, arguments: Rest<ValueOrKwargs>| {
            let values = arguments.iter().map(|argument| &**argument);
            check(text.as_str().unwrap_or_default(), Style::Percent, values)?;
            filters::format(state, &text, arguments)
        },
    );
    environment.add_filter(
        "indent",
        |text: StringInput<'_>,
         width: Option<usize>,
         first: Option<bool>,
         blank: Option<bool>,
         named: Kwargs| {
            let asked_for = width.or(named.get("width")?).unwrap_or_default();
            let lines = text.as_str().lines().count().max(1);
            within(asked_for.saturating_mul(lines).saturating_sub(text.as_str().len()))?;
            filters::indent(text, width, first, blank, named)
        },
    );
}

/// How a text says where values go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `%5d`
    Percent,
    /// `{:>5}`
    Braces,
}

/// # Errors
/// Where a format asks for more width than there can be.
pub(super) fn check<'a>(
    format: &str,
    style: Style,
    arguments: impl Iterator<Item = &'a Value>,
) -> Result<(), Error> {
    let mut asked_for = 0_usize;
    let mut takes_widths = 0_usize;
    for spec in specs(format, style) {
        takes_widths += spec.matches(['*', '{']).count();
        for digits in spec.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()) {
            asked_for = asked_for.saturating_add(digits.parse().unwrap_or(usize::MAX));
        }
    }
    if takes_widths > 0 {
        let widest = arguments.filter_map(|value| value.as_i64()).map(i64::unsigned_abs).max();
        let widest = usize::try_from(widest.unwrap_or_default()).unwrap_or(usize::MAX);
        asked_for = asked_for.saturating_add(widest.saturating_mul(takes_widths));
    }
    within(asked_for)
}

fn within(width: usize) -> Result<(), Error> {
    if width <= MOST {
        return Ok(());
    }
    Err(invalid_with_help(
        format!("expected widths of at most {MOST} in all, found {width}"),
        "make it less wide, or pad in SQL: lpad(x, 20)",
    ))
}

/// What a format says of each value: what stands between `%` and its letter, or after the colon in braces.
fn specs(format: &str, style: Style) -> Vec<&str> {
    match style {
        Style::Percent => {
            let after = format.split('%').skip(1).map(|rest| match rest.strip_prefix('(') {
                Some(named) => named.split_once(')').map_or("", |(_, rest)| rest),
                None => rest,
            });
            let is_spec = |c: char| c.is_ascii_digit() || "-+ #.*".contains(c);
            after.map(|rest| &rest[..rest.find(|c| !is_spec(c)).unwrap_or(rest.len())]).collect()
        }
        Style::Braces => {
            let mut specs = Vec::new();
            let mut rest = format;
            while let Some(open) = rest.find('{') {
                rest = &rest[open + 1..];
                let (mut depth, mut end) = (1_usize, rest.len());
                for (at, character) in rest.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        end = at;
                        break;
                    }
                }
                specs.extend(rest[..end].split_once(':').map(|(_, spec)| spec));
                rest = &rest[end..];
            }
            specs
        }
    }
}
