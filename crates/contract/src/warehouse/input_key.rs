//! What a ledger notes of a table, as the key of an object of JSON.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::partition::PartitionKey;

/// Stands for one partition of a table, for all of them together, or for the types of its columns: no two share a text.
///
/// The text has the values between slashes. Within a value `%` is `%25` and a slash `%2F`, so that what else begins with
/// `%` can stand for what is no such text: NULL, the empty text, all partitions, types.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InputKey(String);

const NULL: &str = "%N";
const EMPTY: &str = "%E";
const ALL: &str = "%*";
const TYPES: &str = "%T";

impl InputKey {
    /// Stands for all partitions of a table.
    pub fn all() -> Self {
        Self(ALL.to_owned())
    }

    /// Stands for the types that the columns which are read are stored with.
    pub fn types() -> Self {
        Self(TYPES.to_owned())
    }

    /// Stands for a partition.
    pub fn of(key: &PartitionKey) -> Self {
        let mut text = String::new();
        for (index, value) in key.values().iter().enumerate() {
            if index > 0 {
                text.push('/');
            }
            text.push_str(&written(value.as_deref()));
        }
        Self(text)
    }

    /// Whether it stands for all partitions.
    pub fn is_all(&self) -> bool {
        self.0 == ALL
    }

    /// Whether it stands for types.
    pub fn is_types(&self) -> bool {
        self.0 == TYPES
    }

    /// Whether it stands for this partition, told without making its text up.
    pub fn is_of(&self, key: &PartitionKey) -> bool {
        let mut rest = self.0.as_str();
        for (index, value) in key.values().iter().enumerate() {
            let separated = if index > 0 { rest.strip_prefix('/') } else { Some(rest) };
            match separated.and_then(|rest| rest.strip_prefix(written(value.as_deref()).as_ref())) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As people read it, who may see one text for two keys.
impl fmt::Display for InputKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("*");
        }
        if self.is_types() {
            return f.write_str("types");
        }
        if !self.0.contains('%') {
            return f.write_str(&self.0);
        }
        let value = |text: &str| match text {
            NULL => None,
            EMPTY => Some(String::new()),
            text => Some(text.replace("%2F", "/").replace("%25", "%")),
        };
        PartitionKey::new(self.0.split('/').map(value).collect()).fmt(f)
    }
}

fn written(value: Option<&str>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed(NULL),
        Some("") => Cow::Borrowed(EMPTY),
        Some(value) if value.contains(['%', '/']) => {
            Cow::Owned(value.replace('%', "%25").replace('/', "%2F"))
        }
        Some(value) => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[Option<&str>]) -> PartitionKey {
        PartitionKey::new(values.iter().map(|value| value.map(str::to_owned)).collect())
    }

    #[test]
    fn no_two_keys_share_a_text() {
        let values = [
            "a", "b", "a/b", "/", "", "null", "*", "%", "%N", "%E", "%*", "%T", "%2F", "%25", "a%2Fb", "=",
            "é",
        ];
        let values: Vec<Option<&str>> = values.into_iter().map(Some).chain([None]).collect();
        let mut keys = vec![PartitionKey::whole()];
        for one in &values {
            keys.push(key(&[*one]));
            for other in &values {
                keys.push(key(&[*one, *other]));
                keys.push(key(&[*one, *other, *one]));
            }
        }
        let written: Vec<InputKey> = keys.iter().map(InputKey::of).collect();
        let texts: std::collections::BTreeSet<&InputKey> = written.iter().collect();
        assert_eq!(texts.len(), keys.len());
        for (one, text) in keys.iter().zip(&written) {
            assert!(!text.is_all() && !text.is_types());
            assert_eq!(text.to_string(), one.to_string());
            for (other, _) in keys.iter().zip(&written).filter(|(other, _)| text.is_of(other)) {
                assert_eq!(one, other);
            }
            assert!(text.is_of(one));
        }
    }

    #[test]
    fn a_plain_key_is_written_as_it_is_shown() {
        assert_eq!(InputKey::of(&key(&[Some("2018-11-03"), Some("b1")])).as_str(), "2018-11-03/b1");
        assert_eq!(InputKey::of(&key(&[Some("a/b"), None])).to_string(), "a/b/null");
        assert_eq!(InputKey::all().to_string(), "*");
    }
}
