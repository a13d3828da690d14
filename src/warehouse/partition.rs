//! The values that name a partition, and the folder names that carry them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The folder value that stands for NULL, in every Hive-style layout.
pub(super) const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// What NULL is shown as.
const NULL_SHOWN: &str = "null";

/// The values of a table's partition columns, in their order; `None` is NULL. The key of an unpartitioned table is empty.
///
/// Values are kept as text in the form that a cast to VARCHAR gives (a date is `2018-11-03`). Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey(Arc<[Option<String>]>);

impl PartitionKey {
    /// A key of these values.
    pub fn new(values: Vec<Option<String>>) -> Self {
        Self(values.into())
    }

    /// The one partition of an unpartitioned table.
    pub fn whole() -> Self {
        Self::default()
    }

    /// The values in the order of the partition columns.
    pub fn values(&self) -> &[Option<String>] {
        &self.0
    }

    /// Whether the key is shown as this text.
    pub fn is_shown_as(&self, text: &str) -> bool {
        let mut rest = text;
        for (index, value) in self.0.iter().enumerate() {
            let separated = if index > 0 { rest.strip_prefix('/') } else { Some(rest) };
            let value = value.as_deref().unwrap_or(NULL_SHOWN);
            match separated.and_then(|rest| rest.strip_prefix(value)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// The Hive-style path, `event_date=2018-11-03/batch=b1`, empty for an unpartitioned table.
    pub fn path(&self, columns: &[String]) -> String {
        let folders: Vec<String> = columns
            .iter()
            .zip(self.0.iter())
            .map(|(column, value)| {
                let value = value.as_deref().map_or_else(|| NULL_FOLDER.to_owned(), escape);
                format!("{}={value}", escape(column))
            })
            .collect();
        folders.join("/")
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            f.write_str(value.as_deref().unwrap_or(NULL_SHOWN))?;
        }
        Ok(())
    }
}

impl Serialize for PartitionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PartitionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(Vec::deserialize(deserializer)?))
    }
}

/// Escapes what Hive escapes in a folder's name (`FileUtils.escapePathName`): control characters and `"#%'*/:=?\{[]^`.
fn escape(value: &str) -> String {
    use fmt::Write as _;
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(c) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_hive_style_path_with_escapes_and_nulls() {
        let key = PartitionKey::new(vec![Some("a/b=c".into()), None]);
        let columns = ["x".to_owned(), "y".to_owned()];
        assert_eq!(key.path(&columns), "x=a%2Fb%3Dc/y=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(key.to_string(), "a/b=c/null");
        assert!(key.is_shown_as("a/b=c/null") && PartitionKey::whole().is_shown_as(""));
        assert!(!["a/b=c", "a/b=c/", "a/b=c/null/", "a/b=cnull"].iter().any(|text| key.is_shown_as(text)));
        assert_eq!(PartitionKey::whole().path(&[]), "");
    }
}
