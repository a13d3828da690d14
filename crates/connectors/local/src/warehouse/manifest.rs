//! A table version as its files hold it: the manifest, and the parts of a long one.
//!
//! Owns the forms of these files. Must not know where they lie, or when they are written.
//!
//! `parts` and `files` are for any reader of Parquet: each file that `parts` names has in `files` the current files that it
//! speaks of. The manifest is one of its own parts, and has the files that several partitions share. Of a format before parts
//! there is one file that holds all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::checksum::{check, sealed};
use mep_contract::warehouse::columns::{ColumnText, columns_of, schema_of};
use mep_contract::warehouse::{
    Batch, Content, DataFile, KeptGroups, Ledger, Partition, PartitionKey, RunId, TableVersion, Within,
};
use mep_core::fingerprint::Fingerprint;

/// The name of the one file that says what a table is.
pub(super) const MANIFEST: &str = "manifest.json";

/// The latest form that this version of mep knows. It is written where partitions share files.
pub(super) const FORMAT: u32 = 4;

/// The form of a table whose files are each of one partition.
const FORMAT_WITHOUT_SHARED: u32 = 3;

/// Why a text is none of these files.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is of a form that a later mep writes.
    Format(u64),
    /// It is not what mep writes.
    Text(String),
}

/// The manifest, as far as it says what the table is as a whole.
#[derive(Serialize, Deserialize)]
pub(super) struct ManifestHead {
    format: u32,
    /// The files that hold the entries, by path relative to the table's folder: this one, and others that never change.
    #[serde(default)]
    pub(super) parts: Vec<String>,
    run: RunId,
    /// When it was written, to be published at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<String>,
    columns: Vec<ColumnText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    view: Option<StoredView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sql: Option<String>,
    partition_columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupsText>,
    /// The files that several partitions of the table share. They stand among the manifest's own.
    #[serde(skip)]
    shared: BTreeSet<String>,
}

/// Groups that are kept with a table.
#[derive(Serialize, Deserialize)]
struct GroupsText {
    fingerprint: Fingerprint,
    columns: Vec<ColumnText>,
    files: Vec<DataFile>,
}

#[derive(Serialize, Deserialize)]
struct StoredView {
    sql: String,
    fingerprint: Fingerprint,
}

/// Some entries of a table, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) partitions: Vec<(PartitionKey, Partition)>,
    pub(super) batches: Vec<(String, Batch)>,
}

/// A part as a file holds it.
#[derive(Serialize, Deserialize)]
struct PartText {
    /// The paths of all files, partition by partition.
    files: Vec<String>,
    /// Each once: the partitions of a batch are made of the same.
    ledgers: Vec<Ledger>,
    partitions: Vec<PartitionText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    batches: BTreeMap<String, Batch>,
    /// Path, rows and bytes of each file that partitions of this part share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared: Vec<(String, u64, u64)>,
}

#[derive(Serialize, Deserialize)]
struct PartitionText {
    key: PartitionKey,
    /// Rows and bytes of each of its files.
    files: Vec<(u64, u64)>,
    /// Of each file that it shares: its place in the part's list, the first of the partition's rows, and how many these are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shared: Vec<(usize, u64, u64)>,
    /// The place of its ledger in the part's list.
    ledger: usize,
}

/// The manifest: it is a part too.
#[derive(Serialize)]
struct Manifest<'a> {
    #[serde(flatten)]
    head: &'a ManifestHead,
    #[serde(flatten)]
    part: PartText,
}

impl ManifestHead {
    /// Of a table whose entries lie in these files.
    pub(super) fn of(table: &TableVersion, parts: Vec<String>) -> Self {
        let view = match &table.content {
            Content::View { sql, fingerprint } => {
                Some(StoredView { sql: sql.clone(), fingerprint: fingerprint.clone() })
            }
            Content::Table { .. } | Content::InPlace(_) => None,
        };
        let files = table.partitions().flat_map(|(_, partition)| partition.files.iter());
        let shared: BTreeSet<String> =
            files.filter(|file| file.within.is_some()).map(|file| file.path.clone()).collect();
        Self {
            format: if shared.is_empty() { FORMAT_WITHOUT_SHARED } else { FORMAT },
            shared,
            parts,
            run: table.run.clone(),
            published: Some(Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)),
            columns: columns_of(&table.schema),
            view,
            sql: table.sql.clone(),
            partition_columns: table.partition_columns().to_vec(),
            groups: table.groups.iter().map(GroupsText::of).collect(),
        }
    }

    /// When it was published, where that stands in it.
    pub(super) fn published(&self) -> Option<DateTime<Utc>> {
        let time = DateTime::parse_from_rfc3339(self.published.as_deref()?).ok()?;
        Some(time.to_utc())
    }

    /// The text of the manifest that has this head and these entries.
    pub(super) fn text(&self, part: &Part) -> serde_json::Result<Vec<u8>> {
        let mut part = PartText::of(part);
        part.files.extend(self.shared.iter().cloned());
        serde_json::to_string(&Manifest { head: self, part }).map(|text| sealed(&text))
    }

    /// What a manifest says: its head, and the entries that it holds itself.
    pub(super) fn read(text: &[u8]) -> Result<(Self, Part), Unreadable> {
        let format = format_of(text)?;
        let mut head: Self = serde_json::from_slice(text)?;
        check(text).map_err(Unreadable::Text)?;
        head.parts.iter().try_for_each(|path| stays_below(path))?;
        if format == 1 {
            return Ok((head, earlier::read(text)?));
        }
        let (part, shared) = Part::of_text(text)?;
        head.shared = shared.into_iter().collect();
        Ok((head, part))
    }

    /// The table of this head and these entries.
    pub(super) fn into_table(self, parts: &[&Part]) -> Result<TableVersion, Unreadable> {
        let schema = schema_of(self.columns).map_err(|error| Unreadable::Text(error.to_string()))?;
        let content = if let Some(view) = self.view {
            Content::View { sql: view.sql, fingerprint: view.fingerprint }
        } else {
            let partitions = joined(parts, |part| &part.partitions)?;
            are_whole(&partitions, &self.shared)?;
            let batches = joined(parts, |part| &part.batches)?;
            Content::Table { partition_columns: self.partition_columns, partitions, batches }
        };
        let groups = self.groups.into_iter().map(GroupsText::into_groups).collect::<Result<_, _>>()?;
        Ok(TableVersion { schema: schema.into(), content, run: self.run, sql: self.sql, groups })
    }
}

impl GroupsText {
    fn of(groups: &KeptGroups) -> Self {
        Self {
            fingerprint: groups.fingerprint.clone(),
            columns: columns_of(&groups.schema),
            files: groups.files.as_ref().clone(),
        }
    }

    fn into_groups(self) -> Result<KeptGroups, Unreadable> {
        self.files.iter().try_for_each(|file| stays_below(&file.path))?;
        let schema = schema_of(self.columns).map_err(|error| Unreadable::Text(error.to_string()))?;
        Ok(KeptGroups { fingerprint: self.fingerprint, schema: schema.into(), files: self.files.into() })
    }
}

/// Partitions that share files have all rows of these between them, and of no others than are listed.
fn are_whole(
    partitions: &BTreeMap<PartitionKey, Partition>,
    listed: &BTreeSet<String>,
) -> Result<(), Unreadable> {
    let mut held: BTreeMap<&str, (u64, u64)> = listed.iter().map(|path| (path.as_str(), (0, 0))).collect();
    for file in partitions.values().flat_map(|partition| partition.files.iter()) {
        let Some(within) = file.within else { continue };
        let Some((rows, all)) = held.get_mut(file.path.as_str()) else {
            return Err(Unreadable::Text(format!("`files` does not list `{}`", file.path)));
        };
        *rows += file.rows;
        *all = within.rows;
    }
    match held.into_iter().find(|(_, (rows, all))| rows != all || *all == 0) {
        Some((path, (0, _))) => Err(Unreadable::Text(format!("no partition has the file `{path}`"))),
        Some((path, (rows, all))) => {
            Err(Unreadable::Text(format!("its partitions have {rows} rows of `{path}`, which has {all}")))
        }
        None => Ok(()),
    }
}

/// The entries of all parts.
fn joined<K: Ord + Clone, V: Clone>(
    parts: &[&Part],
    of: fn(&Part) -> &Vec<(K, V)>,
) -> Result<BTreeMap<K, V>, Unreadable> {
    let entries = parts.iter().flat_map(|part| of(part)).cloned();
    let joined: BTreeMap<K, V> = entries.collect();
    if joined.len() == parts.iter().map(|part| of(part).len()).sum::<usize>() {
        Ok(joined)
    } else {
        Err(Unreadable::Text("an entry is in two of its parts".to_owned()))
    }
}

impl Part {
    /// The text of the file that holds it alone.
    pub(super) fn text(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_string(&PartText::of(self)).map(|text| sealed(&text))
    }

    /// What the text of a part says.
    pub(super) fn read(text: &[u8]) -> Result<Self, Unreadable> {
        check(text).map_err(Unreadable::Text)?;
        match Self::of_text(text)? {
            (part, rest) if rest.is_empty() => Ok(part),
            (_, rest) => Err(Unreadable::Text(format!("no partition has the file `{}`", rest.join("`, `")))),
        }
    }

    /// The entries of a text, and the files that it lists and that none of its partitions has for itself.
    fn of_text(text: &[u8]) -> Result<(Self, Vec<String>), Unreadable> {
        let PartText { files, ledgers, partitions, batches, shared } = serde_json::from_slice(text)?;
        let all_paths = files.iter().chain(shared.iter().map(|(path, ..)| path));
        all_paths.into_iter().try_for_each(|path| stays_below(path))?;
        let mut paths = files.into_iter();
        let ledgers: Vec<Arc<Ledger>> = ledgers.into_iter().map(Arc::new).collect();
        let mut all = Vec::with_capacity(partitions.len());
        for PartitionText { key, files, shared: of_shared, ledger } in partitions {
            let count = files.len() + of_shared.len();
            let own = files.into_iter().zip(&mut paths);
            let mut files: Vec<DataFile> =
                own.map(|((rows, bytes), path)| DataFile::new(path, rows, bytes)).collect();
            files.extend(of_shared.into_iter().filter_map(|(place, first, rows)| {
                let (path, all, bytes) = shared.get(place)?;
                let within = Within { first, rows: *all, bytes: *bytes };
                Some(DataFile::shared(path.clone(), rows, within))
            }));
            let ledger = ledgers.get(ledger).cloned();
            let Some(ledger) = ledger.filter(|_| files.len() == count) else {
                return Err(Unreadable::Text(format!(
                    "the files or the ledger of partition `{key}` are missing"
                )));
            };
            all.push((key, Partition { files: files.into(), ledger }));
        }
        Ok((Self { partitions: all, batches: batches.into_iter().collect() }, paths.collect()))
    }
}

impl PartText {
    fn of<'a>(part: &'a Part) -> Self {
        let mut ledgers: Vec<Ledger> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut place_of = |ledger: &'a Arc<Ledger>| {
            let place = places.entry(ledger.version.as_str()).or_insert(ledgers.len());
            if ledgers.get(*place) != Some(&**ledger) {
                *place = ledgers.len();
                ledgers.push(Ledger::clone(ledger));
            }
            *place
        };
        let mut files = Vec::new();
        let mut shared: Vec<(String, u64, u64)> = Vec::new();
        let mut shared_places: HashMap<&str, usize> = HashMap::new();
        let mut partitions = Vec::with_capacity(part.partitions.len());
        for (key, partition) in &part.partitions {
            let (mut of_own, mut of_shared) = (Vec::new(), Vec::new());
            for file in partition.files.iter() {
                let Some(within) = file.within else {
                    files.push(file.path.clone());
                    of_own.push((file.rows, file.bytes));
                    continue;
                };
                let place = *shared_places.entry(&file.path).or_insert_with(|| {
                    shared.push((file.path.clone(), within.rows, within.bytes));
                    shared.len() - 1
                });
                of_shared.push((place, within.first, file.rows));
            }
            let ledger = place_of(&partition.ledger);
            partitions.push(PartitionText { key: key.clone(), files: of_own, shared: of_shared, ledger });
        }
        let batches = part.batches.iter().cloned().collect();
        Self { files, ledgers, partitions, batches, shared }
    }
}

/// A path that a manifest names is below the table's folder.
fn stays_below(path: &str) -> Result<(), Unreadable> {
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(Unreadable::Text(format!("it names `{path}`, which lies outside the table's folder")));
    }
    Ok(())
}

/// The form of a manifest, where it is one that is read.
fn format_of(text: &[u8]) -> Result<u64, Unreadable> {
    #[derive(Deserialize)]
    struct Format {
        format: Option<u64>,
    }
    match serde_json::from_slice::<Format>(text)?.format {
        Some(format) if (1..=u64::from(FORMAT)).contains(&format) => Ok(format),
        Some(format) => Err(Unreadable::Format(format)),
        None => Err(Unreadable::Text("it has no `format`".to_owned())),
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Text(error.to_string())
    }
}

/// The form before there were parts.
mod earlier {
    use super::{BTreeMap, Batch, DataFile, Deserialize, Ledger, Part, Partition, PartitionKey, Unreadable};

    #[derive(Deserialize)]
    struct Entries {
        partitions: Vec<Entry>,
        #[serde(default)]
        batches: BTreeMap<String, Batch>,
    }

    #[derive(Deserialize)]
    struct Entry {
        key: PartitionKey,
        partition: Content,
    }

    #[derive(Deserialize)]
    struct Content {
        files: Vec<DataFile>,
        ledger: Ledger,
    }

    pub(super) fn read(text: &[u8]) -> Result<Part, Unreadable> {
        let Entries { partitions, batches } = serde_json::from_slice(text)?;
        let partitions = partitions.into_iter().map(|Entry { key, partition }| {
            (key, Partition { files: partition.files.into(), ledger: partition.ledger.into() })
        });
        Ok(Part { partitions: partitions.collect(), batches: batches.into_iter().collect() })
    }
}
