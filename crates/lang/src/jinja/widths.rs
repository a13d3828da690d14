//! Formats and indents that ask for a width: no text is padded to more than a text can be.
//!
//! What is too wide is refused before it is made.

use minijinja::{Error, Value};

use super::problem::invalid_with_help;

/// The most that all widths of one format, or all indents of one text, come to.
const MOST: usize = 1_000_000;

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

/// # Errors
/// Where so much padding is more than there can be.
pub(super) fn within(width: usize) -> Result<(), Error> {
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
