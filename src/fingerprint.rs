//! What makes content, as a hash.
//!
//! Owns the one way in which mep hashes meaning. Must not know what is hashed.

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// A hash of what makes content: a model's compiled SQL and the views within it, a seed's text, a source's schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of these parts; parts cannot run into each other.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(hash(parts))
    }

    /// The hash in hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The MD5 of the parts, each with its length before it, in hex. Guards against accidents, not against malice.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part.len().to_le_bytes());
        md5.update(part.as_bytes());
    }
    md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_fingerprint_do_not_run_into_each_other() {
        assert_ne!(Fingerprint::of(["ab", "c"]), Fingerprint::of(["a", "bc"]));
    }
}
