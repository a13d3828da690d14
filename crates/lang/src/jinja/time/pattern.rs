//! `strftime`.

use chrono::NaiveDateTime;
use chrono::format::{Item, StrftimeItems};
use minijinja::Error;

use super::super::problem::invalid;
use super::zone::ZoneAt;

/// A time in a format of Python's.
pub(super) fn formatted(pattern: &str, local: NaiveDateTime, zone: Option<&ZoneAt>) -> Result<String, Error> {
    let mut formatted = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        formatted.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let directive: String = after.chars().take(if after.starts_with('-') { 2 } else { 1 }).collect();
        rest = &after[directive.len()..];
        match directive.as_str() {
            "f" => formatted.push_str(&local.format("%6f").to_string()),
            "z" => formatted.push_str(&zone.map(|zone| zone.shown("")).unwrap_or_default()),
            "Z" => formatted.push_str(zone.map_or("", |zone| zone.name.as_str())),
            "c" => formatted.push_str(&local.format("%a %b %e %H:%M:%S %Y").to_string()),
            "" => return Err(unknown(pattern)),
            _ => {
                let directive = format!("%{directive}");
                let items: Vec<Item<'_>> = StrftimeItems::new(&directive).collect();
                if items.contains(&Item::Error) {
                    return Err(unknown(pattern));
                }
                formatted.push_str(&local.format_with_items(items.iter()).to_string());
            }
        }
    }
    formatted.push_str(rest);
    Ok(formatted)
}

fn unknown(pattern: &str) -> Error {
    invalid(format!("strftime does not know the format `{pattern}`"))
}
