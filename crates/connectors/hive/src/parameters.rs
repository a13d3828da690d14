//! Values in the parameters of the metastore's tables and partitions.
//!
//! A metastore keeps at most 4,000 characters in a partition's parameter, and some keep them in Latin-1: so a value is
//! written as JSON of ASCII, cut into pieces.

use pilota::{AHashMap, FastStr};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The parameters of a table or partition.
pub(super) type Parameters = AHashMap<FastStr, FastStr>;

/// Characters of a piece.
const PIECE: usize = 3_900;

/// Sets a plain value.
pub(super) fn set(parameters: &mut Parameters, key: &str, value: impl AsRef<str>) {
    parameters.insert(FastStr::new(key), FastStr::new(value.as_ref()));
}

/// Sets a value as JSON.
///
/// # Errors
/// Where it has no form in JSON.
pub(super) fn set_json(
    parameters: &mut Parameters,
    key: &str,
    value: &impl Serialize,
) -> Result<(), serde_json::Error> {
    let text = ascii(&serde_json::to_string(value)?);
    if text.len() <= PIECE {
        set(parameters, key, text);
        return Ok(());
    }
    let pieces: Vec<&str> =
        (0..text.len()).step_by(PIECE).map(|at| &text[at..text.len().min(at + PIECE)]).collect();
    set(parameters, &format!("{key}.pieces"), pieces.len().to_string());
    for (index, piece) in pieces.iter().enumerate() {
        set(parameters, &format!("{key}.{index}"), piece);
    }
    Ok(())
}

/// Reads a value back; `None` where there is none.
///
/// # Errors
/// What is wrong with it.
pub(super) fn get_json<T: DeserializeOwned>(parameters: &Parameters, key: &str) -> Result<Option<T>, String> {
    let text = match (parameters.get(key), parameters.get(format!("{key}.pieces").as_str())) {
        (Some(text), _) => text.to_string(),
        (None, Some(pieces)) => {
            let pieces: usize = pieces.parse().map_err(|_| format!("`{key}.pieces` is no number"))?;
            let piece = |index| {
                let name = format!("{key}.{index}");
                parameters
                    .get(name.as_str())
                    .map(FastStr::as_str)
                    .ok_or_else(|| format!("`{name}` is missing"))
            };
            (0..pieces).map(piece).collect::<Result<String, String>>()?
        }
        (None, None) => return Ok(None),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| format!("`{key}`: {error}"))
}

/// JSON with escapes for all that is not ASCII: outside of strings JSON has nothing else.
fn ascii(json: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_of_any_characters_comes_back() {
        let mut parameters = Parameters::default();
        let value: Vec<String> = (0..1000).map(|index| format!("{index} é 🎵 \"'")).collect();
        set_json(&mut parameters, "mep.ledger", &value).unwrap();
        assert!(parameters.len() > 2);
        assert!(parameters.values().all(|piece| piece.len() <= PIECE && piece.is_ascii()));
        assert_eq!(get_json(&parameters, "mep.ledger"), Ok(Some(value)));
        assert_eq!(get_json::<String>(&parameters, "mep.files"), Ok(None));
        parameters.remove("mep.ledger.1");
        assert_eq!(
            get_json::<Vec<String>>(&parameters, "mep.ledger"),
            Err("`mep.ledger.1` is missing".to_owned())
        );
    }
}
