//! The checksum that a manifest and its parts bear, so that one that was changed by hand, or by a disk, is no other table.
//!
//! It stands first in the file, and is of all that follows. Files that an earlier mep wrote have none, and are read as they are.

use serde::Deserialize;
use serde::de::IgnoredAny;

use mep_core::fingerprint::Fingerprint;

/// The first format whose files all bear one.
const SEALED: u64 = 3;
const BEFORE: &str = "{\"checksum\":\"";
const AFTER: &str = "\",";

/// A JSON object with its checksum.
pub(super) fn sealed(json: &str) -> Vec<u8> {
    let body = json.strip_prefix('{').unwrap_or(json);
    format!("{BEFORE}{}{AFTER}{body}", Fingerprint::of([body]).as_str()).into_bytes()
}

/// Whether a file holds what was written to it.
///
/// # Errors
/// Where it does not, with what is wrong.
pub(super) fn check(text: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Sealed {
        checksum: Option<IgnoredAny>,
        format: Option<u64>,
    }
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let sealed = text.strip_prefix(BEFORE).and_then(|rest| rest.split_once(AFTER));
    let is_whole = match sealed {
        Some((checksum, body)) => Fingerprint::of([body]).as_str() == checksum,
        None => serde_json::from_str::<Sealed>(text)
            .is_ok_and(|found| found.checksum.is_none() && found.format.is_none_or(|format| format < SEALED)),
    };
    if is_whole {
        return Ok(());
    }
    Err("it is not what mep wrote, by its checksum: put it back from a backup, or delete the table's folder \
         and build it anew"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_byte_is_told() {
        let sealed = sealed(r#"{"format":3,"rows":3}"#);
        assert_eq!(check(&sealed), Ok(()));
        assert!(serde_json::from_slice::<serde_json::Value>(&sealed).unwrap()["checksum"].is_string());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] = if damaged[at] == b'1' { b'2' } else { b'1' };
            assert!(check(&damaged).is_err(), "{}", String::from_utf8_lossy(&damaged));
        }
        let spaced = String::from_utf8(sealed).unwrap().replace(':', ": ");
        assert!(check(spaced.as_bytes()).is_err());
    }

    #[test]
    fn a_file_of_before_there_were_checksums_is_read() {
        assert_eq!(check(br#"{"format": 2, "rows": 3}"#), Ok(()));
    }
}
