//! Which files of a table are worth writing anew, as fewer and larger ones.

use std::collections::BTreeMap;

use mep_contract::warehouse::{DataFile, PartitionKey, TableVersion};

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
        Self { partitions }
    }

    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.partitions.is_empty()
    }

    /// How many files are to be replaced.
    pub fn files(&self) -> usize {
        self.partitions.values().map(Vec::len).sum()
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.partitions.values().flatten().map(|file| file.bytes).sum()
    }
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
        let file = |(index, bytes): (usize, &u64)| DataFile {
            path: format!("data/r/{index}"),
            rows: 1,
            bytes: *bytes,
        };
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
}
