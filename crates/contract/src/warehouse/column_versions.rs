//! The versions of a partition's columns.
//!
//! A long history holds thousands of them, and nearly all are of the same names: these are kept once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ledger::Version;

thread_local! {
    /// The names that this thread read last: the ledgers of a table have the same ones.
    static NAMES_READ: RefCell<Arc<[String]>> = RefCell::default();
}

/// The version of each column alone, by its name, and under the empty name that of which rows there are; empty where columns
/// are not told apart. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnVersions {
    /// In order, each once.
    names: Arc<[String]>,
    /// As many.
    versions: Arc<[Version]>,
}

impl ColumnVersions {
    /// Whether columns are not told apart.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many columns have a version.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The version of a column.
    pub fn get(&self, name: &str) -> Option<&Version> {
        let place = self.names.binary_search_by(|other| other.as_str().cmp(name)).ok()?;
        self.versions.get(place)
    }

    /// All names with their versions.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.names.iter().map(String::as_str).zip(self.versions.iter())
    }
}

impl FromIterator<(String, Version)> for ColumnVersions {
    fn from_iter<T: IntoIterator<Item = (String, Version)>>(versions: T) -> Self {
        let by_name: BTreeMap<String, Version> = versions.into_iter().collect();
        let (names, versions): (Vec<String>, Vec<Version>) = by_name.into_iter().unzip();
        Self { names: names.into(), versions: versions.into() }
    }
}

impl Serialize for ColumnVersions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for ColumnVersions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = NAMES_READ.with_borrow(Clone::clone);
        let read = deserializer.deserialize_map(ColumnsVisitor { names: &names })?;
        if !Arc::ptr_eq(&read.names, &names) {
            NAMES_READ.set(read.names.clone());
        }
        Ok(read)
    }
}

/// Reads columns, which most likely have these names.
struct ColumnsVisitor<'a> {
    names: &'a Arc<[String]>,
}

impl<'de> Visitor<'de> for ColumnsVisitor<'_> {
    type Value = ColumnVersions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the versions of columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ColumnVersions, A::Error> {
        let mut versions = Vec::with_capacity(self.names.len());
        loop {
            match map.next_key_seed(Name { likely: self.names.get(versions.len()) })? {
                Some(None) => versions.push(map.next_value()?),
                None if versions.len() == self.names.len() => {
                    return Ok(ColumnVersions { names: self.names.clone(), versions: versions.into() });
                }
                other => {
                    let mut all: Vec<(String, Version)> = self.names.iter().cloned().zip(versions).collect();
                    if let Some(Some(name)) = other {
                        all.push((name, map.next_value()?));
                        while let Some(entry) = map.next_entry()? {
                            all.push(entry);
                        }
                    }
                    return Ok(all.into_iter().collect());
                }
            }
        }
    }
}

/// Reads a name; gives none where it is the likely one.
struct Name<'a> {
    likely: Option<&'a String>,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<String>, E> {
        Ok((self.likely.map(String::as_str) != Some(name)).then(|| name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(names: &[&str]) -> ColumnVersions {
        names.iter().map(|name| ((*name).to_owned(), Version::of([*name]))).collect()
    }

    #[test]
    fn versions_are_read_back_whatever_was_read_before() {
        let cases: [&[&str]; 8] = [
            &["", "a", "b"],
            &["", "a", "b"],
            &["", "a"],
            &["", "a", "b"],
            &["", "a", "c"],
            &[],
            &["z"],
            &["a", "z"],
        ];
        for names in cases {
            let text = serde_json::to_string(&versions(names)).unwrap();
            assert_eq!(serde_json::from_str::<ColumnVersions>(&text).unwrap(), versions(names), "{names:?}");
        }
        let version = serde_json::to_string(&Version::of(["a"])).unwrap();
        let other = format!("{{\"z\": {version}, \"a\": {version}}}");
        let read: ColumnVersions = serde_json::from_str(&other).unwrap();
        assert_eq!((read.get("a"), read.get("b"), read.len()), (Some(&Version::of(["a"])), None, 2));
    }

    #[test]
    fn what_has_the_same_names_shares_them() {
        let text = serde_json::to_string(&[versions(&["", "a"]), versions(&["", "a"])]).unwrap();
        let read: Vec<ColumnVersions> = serde_json::from_str(&text).unwrap();
        assert!(Arc::ptr_eq(&read[0].names, &read[1].names));
    }
}
