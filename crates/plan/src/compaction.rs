//! Which files of a table are worth writing anew, as fewer and larger ones.

use std::collections::{BTreeMap, BTreeSet};

use mep_contract::warehouse::{DataFile, PartitionKey, SHARED_BYTES, TableVersion};

/// What files should be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSizes {
    /// Bytes at which a file is full. One of less than half of that is small.
    pub target: u64,
    /// How many small files a partition must have for them to be written anew.
    pub fewest: usize,
}

/// The files to write anew, by partition. What they hold stays the same, and so do the versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// For each partition, the files that are to be replaced.
    pub partitions: BTreeMap<PartitionKey, Vec<DataFile>>,
    /// Whether files of several partitions become one: those of partitions that differ in the last partition column alone.
    pub is_shared: bool,
}

impl Compaction {
    /// Of a table as it is. With `one_folder` all files of a partition are written anew where some are, since they must lie
    /// together.
    pub fn of(table: &TableVersion, sizes: FileSizes, one_folder: bool) -> Self {
        let mut partitions = BTreeMap::new();
        for (key, partition) in table.partitions() {
            let is_small = |file: &&DataFile| file.bytes < sizes.target.div_ceil(2);
            let small: Vec<DataFile> = partition.files.iter().filter(is_small).cloned().collect();
            if small.len() >= sizes.fewest.max(2) {
                let files = if one_folder { partition.files.to_vec() } else { small };
                partitions.insert(key.clone(), files);
            }
        }
        Self { partitions, is_shared: false }
    }

    /// Of a landed table, whose small batches of a day can have files together.
    pub fn of_batches(table: &TableVersion, sizes: FileSizes) -> Self {
        let full = sizes.target.min(SHARED_BYTES);
        let is_small =
            |file: &&DataFile| file.within.map_or(file.bytes, |within| within.bytes) < full.div_ceil(2);
        let mut by_day: BTreeMap<PartitionKey, BTreeMap<PartitionKey, Vec<DataFile>>> = BTreeMap::new();
        for (key, partition) in table.partitions() {
            let small: Vec<DataFile> = partition.files.iter().filter(is_small).cloned().collect();
            if !small.is_empty() {
                by_day.entry(key.without_last()).or_default().insert(key.clone(), small);
            }
        }
        let paths = |of_day: &BTreeMap<PartitionKey, Vec<DataFile>>| paths(of_day.values().flatten()).len();
        by_day.retain(|_, of_day| paths(of_day) >= sizes.fewest.max(2));
        Self { partitions: by_day.into_values().flatten().collect(), is_shared: true }
    }

    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.partitions.is_empty()
    }

    /// How many files are to be replaced.
    pub fn files(&self) -> usize {
        paths(self.partitions.values().flatten()).len()
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.partitions.values().flatten().map(|file| file.bytes).sum()
    }
}

fn paths<'a>(files: impl Iterator<Item = &'a DataFile>) -> BTreeSet<&'a str> {
    files.map(|file| file.path.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;
    use mep_contract::warehouse::{ColumnVersions, Content, Inputs, Ledger, Partition, RunId, Version};
    use mep_core::fingerprint::Fingerprint;
    use mep_core::time_range::TimeRanges;

    fn table(sizes: &[u64]) -> TableVersion {
        let file = |(index, bytes): (usize, &u64)| DataFile::new(format!("data/r/{index}"), 1, *bytes);
        let ledger = Ledger {
            run: RunId::none(),
            fingerprint: Fingerprint::of(["f"]),
            inputs: Inputs::default(),
            version: Version::of(["v"]),
            columns: ColumnVersions::default(),
            done: TimeRanges::default(),
        };
        let partition = Partition {
            files: Arc::new(sizes.iter().enumerate().map(file).collect()),
            ledger: ledger.into(),
        };
        let content = Content::Table {
            partition_columns: Vec::new(),
            partitions: BTreeMap::from([(PartitionKey::whole(), partition)]),
            batches: BTreeMap::new(),
        };
        TableVersion::new(Arc::new(Schema::empty()), content, RunId::none())
    }

    #[test]
    fn partitions_with_several_small_files_are_written_anew_and_no_others() {
        let files = |sizes: &[u64], fewest, one_folder| {
            Compaction::of(&table(sizes), FileSizes { target: 100, fewest }, one_folder).files()
        };
        assert_eq!(files(&[10, 20, 80], 2, false), 2);
        assert_eq!(files(&[10, 20, 80], 2, true), 3);
        assert_eq!(files(&[10, 20, 80], 3, false), 0);
        assert_eq!(files(&[10, 50], 0, false), 0);
        assert_eq!(files(&[], 2, false), 0);
    }

    #[test]
    fn small_files_of_batches_are_written_together_day_by_day() {
        let batches = |files: &[(&str, &str, u64)], fewest| {
            let mut table = table(&[1]);
            let Content::Table { partitions, .. } = &mut table.content else { return Vec::new() };
            let ledger = partitions.values().next().unwrap().ledger.clone();
            partitions.clear();
            for (day, batch, bytes) in files {
                let key = PartitionKey::new(vec![Some((*day).to_owned()), Some((*batch).to_owned())]);
                let files = vec![DataFile::new(format!("{day}/{batch}"), 1, *bytes)];
                partitions.insert(key, Partition { files: files.into(), ledger: ledger.clone() });
            }
            let compaction = Compaction::of_batches(&table, FileSizes { target: 100, fewest });
            compaction.partitions.keys().map(ToString::to_string).collect()
        };
        let files = [("1", "a", 10), ("1", "b", 20), ("1", "c", 80), ("2", "a", 10)];
        assert_eq!(batches(&files, 2), ["1/a", "1/b"]);
        assert_eq!(batches(&files, 3), Vec::<String>::new());
    }
}
