//! What makes content, as a hash.
//!
//! Owns the one way in which mep hashes meaning. Must not know what is hashed.

use std::fmt;

use md5::{Digest, Md5};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A hash of what makes content: a model's compiled SQL and the views within it, a seed's text, a source's schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(Hex);

impl Fingerprint {
    /// The fingerprint of these parts; parts cannot run into each other.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(hash(parts))
    }

    /// The hash in hex.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The hash as a number.
    pub fn number(&self) -> u128 {
        u128::from_str_radix(self.as_str(), 16).unwrap_or_default()
    }
}

/// What something is made of, part by part, for a hash that nothing else has.
///
/// Each part has its length before it, and whoever adds a list adds its length first: so no two things that are made in
/// different ways come to the same parts. Only what a program reads may be added, never a text made for people, which
/// may show two things in one way.
#[derive(Clone, Debug, Default)]
pub struct Structure(Md5);

impl Structure {
    /// Adds the word for what follows.
    pub fn tag(&mut self, tag: &'static str) -> &mut Self {
        self.bytes(tag.as_bytes())
    }

    /// Adds a name or text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        self.bytes(&number.into().to_le_bytes())
    }

    /// Adds how many there are of what follows.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.bytes(&count.to_le_bytes())
    }

    /// Adds whether something is so; of what may be absent, whether it is there.
    pub fn flag(&mut self, flag: bool) -> &mut Self {
        self.bytes(&[u8::from(flag)])
    }

    /// Adds a list of names.
    pub fn names<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>) -> &mut Self {
        self.count(names.len());
        for name in names {
            self.text(name);
        }
        self
    }

    /// Adds a name that may be absent.
    pub fn name(&mut self, name: Option<&str>) -> &mut Self {
        self.flag(name.is_some());
        match name {
            Some(name) => self.text(name),
            None => self,
        }
    }

    /// The hash of all that was added.
    pub fn fingerprint(self) -> Fingerprint {
        Fingerprint(hex(self.0))
    }
}

/// 128 bits as the 32 characters that stand for them everywhere, in place: ledgers hold many thousands of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex([u8; 32]);

impl Hex {
    /// What stands for these bits.
    pub fn of_bytes(bytes: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(hex)
    }

    /// These characters, where they are what stands for 128 bits.
    pub fn of_text(text: &str) -> Option<Self> {
        let hex: [u8; 32] = text.as_bytes().try_into().ok()?;
        // Without a way out at the first wrong one, all are looked at together.
        hex.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit()).then_some(Self(hex))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        // All of them are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Hex;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hash of 32 hex digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hex, E> {
                Hex::of_text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The MD5 of the parts, each with its length before it. Guards against accidents, not against malice.
pub fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> Hex {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part.len().to_le_bytes());
        md5.update(part.as_bytes());
    }
    hex(md5)
}

/// What an MD5 came to.
pub fn hex(md5: Md5) -> Hex {
    Hex::of_bytes(md5.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_fingerprint_do_not_run_into_each_other() {
        assert_ne!(Fingerprint::of(["ab", "c"]), Fingerprint::of(["a", "bc"]));
    }

    #[test]
    fn a_hash_is_read_back_from_its_text_and_from_no_other() {
        let fingerprint = Fingerprint::of(["a"]);
        let json = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(json.len(), 34);
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), fingerprint);
        assert!(serde_json::from_str::<Fingerprint>("\"abc\"").is_err());
        assert!(serde_json::from_str::<Fingerprint>("7").is_err());
    }
}
