//! The values that name a partition, and the folder names that carry them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The folder value that stands for NULL, in every Hive-style layout.
pub const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

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

    /// The key of each row, whose columns are the partition columns.
    ///
    /// # Errors
    /// Where a type has no text.
    pub fn of_rows(rows: &RecordBatch) -> Result<Vec<Self>, ArrowError> {
        let texts = rows.columns().iter().map(|column| cast(column, &DataType::Utf8));
        let texts: Vec<ArrayRef> = texts.collect::<Result<_, _>>()?;
        let value =
            |text: &ArrayRef, row| text.is_valid(row).then(|| text.as_string::<i32>().value(row).to_owned());
        let key = |row| Self::new(texts.iter().map(|text| value(text, row)).collect());
        Ok((0..rows.num_rows()).map(key).collect())
    }

    /// The one partition of an unpartitioned table.
    pub fn whole() -> Self {
        Self::default()
    }

    /// The values in the order of the partition columns.
    pub fn values(&self) -> &[Option<String>] {
        &self.0
    }

    /// The key with the values of these columns alone, by their places.
    #[must_use]
    pub fn of_columns(&self, places: &[usize]) -> Self {
        Self::new(places.iter().map(|place| self.0.get(*place).cloned().flatten()).collect())
    }

    /// Of a landed table's partition: the batch that it belongs to, the last of its values.
    pub fn batch(&self) -> Option<&str> {
        self.0.last()?.as_deref()
    }

    /// The key without the last of its values.
    #[must_use]
    pub fn without_last(&self) -> Self {
        Self::new(self.0.split_last().map(|(_, values)| values.to_vec()).unwrap_or_default())
    }

    /// The key with one more value.
    #[must_use]
    pub fn with(&self, last: &str) -> Self {
        Self(self.0.iter().cloned().chain([Some(last.to_owned())]).collect())
    }

    /// The Hive-style path, `event_date=2018-11-03/batch=b1`, empty for an unpartitioned table.
    pub fn path(&self, columns: &[String]) -> String {
        let folders: Vec<String> = columns
            .iter()
            .zip(self.0.iter())
            .map(|(column, value)| {
                let value = value.as_deref().map_or_else(|| NULL_FOLDER.to_owned(), escape_value);
                format!("{}={value}", escape(column))
            })
            .collect();
        folders.join("/")
    }
}

/// As people read it. Two keys may be shown by one text: what stands for a key is its values.
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

/// A text that reads as NULL's folder has its first character escaped, so that it has a folder of its own.
fn escape_value(value: &str) -> String {
    if value == NULL_FOLDER { format!("%5F{}", &value[1..]) } else { escape(value) }
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
        assert_eq!(PartitionKey::whole().path(&[]), "");
    }

    #[test]
    fn no_two_keys_share_a_folder() {
        let values = ["a", "a/b", "b", "", "null", "%", "%2F", "a=b", "__HIVE_DEFAULT_PARTITION__", "é", "."];
        let values: Vec<Option<String>> =
            values.into_iter().map(|value| Some(value.to_owned())).chain([None]).collect();
        let columns = ["x".to_owned(), "y".to_owned()];
        let mut folders = std::collections::BTreeSet::new();
        for one in &values {
            for other in &values {
                assert!(folders.insert(PartitionKey::new(vec![one.clone(), other.clone()]).path(&columns)));
            }
        }
    }
}
