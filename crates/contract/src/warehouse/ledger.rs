//! The ledger: what each piece of a table was built from.
//!
//! A version is derived, not counted: it is a hash of the fingerprint of what made the content and of the versions of
//! everything that it was made from. So whether a partition is dirty is one comparison, and a full refresh of the same
//! inputs comes to the same versions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::column_versions::ColumnVersions;
use super::input_key::InputKey;
use mep_core::fingerprint::{Fingerprint, Hex, Structure, hash};
use mep_core::time_range::TimeRanges;

/// Names one run. Sorts by time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Option<Hex>);

impl RunId {
    /// A new run's id, which no other run has.
    pub fn generate() -> Self {
        Self(Some(Hex::of_bytes(uuid::Uuid::now_v7().into_bytes())))
    }

    /// Stands for the run of a table that none has published content of.
    pub fn none() -> Self {
        Self(None)
    }

    /// The id that a text is, as mep writes it or with the dashes of a UUID.
    pub fn of_text(text: &str) -> Option<Self> {
        let id = uuid::Uuid::try_parse(text).ok()?;
        Some(Self(Some(Hex::of_bytes(id.into_bytes()))))
    }

    /// When the run began: its id holds the time. `None` for a name that was not generated.
    pub fn began(&self) -> Option<DateTime<Utc>> {
        let (seconds, nanos) = uuid::Uuid::try_parse(self.as_str()).ok()?.get_timestamp()?.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    }

    /// Whether a folder's name is one that a run gives: its id, perhaps with more behind it.
    pub fn names(folder: &str) -> bool {
        let id = folder.split('.').next().unwrap_or_default();
        id.len() == 32 && uuid::Uuid::parse_str(id).is_ok()
    }

    /// The id as text, fit for a folder's name.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", Hex::as_str)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = RunId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a run")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RunId, E> {
                let id = Hex::of_text(text);
                let is_id = id.is_some() || text.is_empty();
                is_id.then_some(RunId(id)).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Stands for the content of a partition or table: equal versions mean that the same was made of the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(Hex);

impl Version {
    /// The version of what `fingerprint` makes of `inputs`.
    pub fn derive(fingerprint: &Fingerprint, inputs: &Inputs) -> Self {
        Self(hash([fingerprint.as_str(), inputs.digest().as_str()]))
    }

    /// The version of these parts, for content that comes from outside.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(hash(parts))
    }

    /// The hash in hex.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// The versions of the input partitions that content is made from, by table name as SQL shows it. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs(pub Arc<BTreeMap<String, BTreeMap<InputKey, Version>>>);

impl Inputs {
    /// Notes what was read of a table.
    pub fn add(&mut self, table: &str, key: InputKey, version: &Version) {
        let inputs = Arc::make_mut(&mut self.0);
        if !inputs.contains_key(table) {
            inputs.insert(table.to_owned(), BTreeMap::new());
        }
        if let Some(partitions) = inputs.get_mut(table) {
            partitions.insert(key, version.clone());
        }
    }

    /// Notes that a table was read, of which there may be no partition at all.
    pub fn add_table(&mut self, table: &str) {
        Arc::make_mut(&mut self.0).entry(table.to_owned()).or_default();
    }

    fn digest(&self) -> Fingerprint {
        let mut parts = Structure::default();
        parts.count(self.0.len());
        for (table, partitions) in self.0.iter() {
            parts.text(table).count(partitions.len());
            for (key, version) in partitions {
                parts.text(key.as_str()).text(version.as_str());
            }
        }
        parts.fingerprint()
    }
}

impl Serialize for Inputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Inputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::new(BTreeMap::deserialize(deserializer)?)))
    }
}

/// What a partition was built from, kept with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The run that built it.
    pub run: RunId,
    /// What made it.
    pub fingerprint: Fingerprint,
    /// What it was made from.
    pub inputs: Inputs,
    /// Derived of both.
    pub version: Version,
    /// For a table that is built batch by batch: the event time that is done, as far as this partition knows.
    #[serde(default, skip_serializing_if = "TimeRanges::is_empty")]
    pub done: TimeRanges,
    /// The versions of its columns: what reads some of them depends on these.
    #[serde(default, skip_serializing_if = "ColumnVersions::is_empty")]
    pub columns: ColumnVersions,
}

/// What one landing brought in: published in the same step as its rows, so that each unit lands exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The run that landed it.
    pub run: RunId,
    /// Of the declared schema that its rows were read with.
    pub fingerprint: Fingerprint,
    /// The units, each with the version that was read.
    pub units: Vec<LandedUnit>,
}

/// A unit of a source as it was when it was landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedUnit {
    /// The unit's id: a file's path, a day.
    pub id: String,
    /// The unit's version when it was read.
    pub version: String,
    /// Rows that were read.
    pub read: u64,
    /// Rows that were landed. `read` is the sum of this and the next two.
    pub landed: u64,
    /// Rows that could not be read.
    pub rejected: u64,
    /// Rows of days after the run's logical date: a unit with such rows is landed anew by a later run.
    pub withheld: u64,
    /// What the source noted of the unit's end, to know it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The schemas that its rows were read by, where these do not stand with the declared columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schemas: Option<String>,
    /// Where rows were rejected: the rules of reading that rejected them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<u32>,
    /// Whether the source was found to give fewer rows of it than were landed: it is not read again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_short: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::PartitionKey;

    #[test]
    fn a_run_tells_when_it_began() {
        let before = Utc::now().timestamp_millis();
        let began = RunId::generate().began().unwrap().timestamp_millis();
        assert!((before..=Utc::now().timestamp_millis()).contains(&began));
        assert_eq!(RunId::none().began(), None);
        let id = RunId::generate();
        assert!(RunId::names(&format!("{id}.0.kept")) && !RunId::names("empty") && !RunId::names(""));
    }

    #[test]
    fn a_version_changes_with_the_model_and_with_each_input_and_with_nothing_else() {
        let key = InputKey::of(&PartitionKey::new(vec![Some("2018-11-03".into())]));
        let inputs = |version: &str| {
            let mut inputs = Inputs::default();
            inputs.add("music.raw", key.clone(), &Version::of([version]));
            inputs
        };
        let a = Fingerprint::of(["select 1"]);
        let version = Version::derive(&a, &inputs("1"));
        assert_eq!(version, Version::derive(&a, &inputs("1")));
        assert_ne!(version, Version::derive(&a, &inputs("2")));
        assert_ne!(version, Version::derive(&Fingerprint::of(["select 2"]), &inputs("1")));
    }
}
