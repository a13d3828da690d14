//! Writing small files of a table anew as fewer and larger ones, with one publish.
//!
//! The rows and the ledger of each partition stay what they are, so nothing that was built from them becomes dirty, and
//! nothing lands twice. The old files stay for the retention, as those of any superseded build do.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::build::BuildError;
use mep_contract::executor::Executor;
use mep_contract::warehouse::{
    BuildFolder, DataFile, Partition, PartitionKey, Presentation, RunId, SharedFiles, Spread, TableVersion,
    Warehouse, WriteTarget, WrittenFiles, replace_files,
};
use mep_core::relation::Relation;
use mep_plan::{Compaction, FileSizes};

/// Partitions that are written by one query.
const CHUNK: usize = 32;

/// What is needed to compact tables.
#[derive(Clone, Copy)]
pub struct Compactor<'a> {
    /// Reads and writes rows.
    pub engine: &'a dyn Executor,
    /// Where the tables live; its lease is held.
    pub warehouse: &'a dyn Warehouse,
    /// The run, which names the new folders.
    pub run: &'a RunId,
    /// What files should be like.
    pub sizes: FileSizes,
}

/// What came of compacting a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Partitions whose files were replaced.
    pub partitions: usize,
    /// Files that were replaced.
    pub files_before: usize,
    /// Files in their place.
    pub files_after: usize,
    /// Bytes of the files that were replaced.
    pub bytes_before: u64,
    /// Bytes of those in their place.
    pub bytes_after: u64,
}

impl Compactor<'_> {
    /// Compacts a table. A partition that would come to no fewer files stays as it is.
    ///
    /// # Errors
    /// Where files cannot be read or written, or rows would be lost; the old files are then still in place.
    pub async fn compact(
        &self,
        relation: &Relation,
        table: &TableVersion,
        compaction: &Compaction,
        presentation: &Presentation,
    ) -> Result<Compacted, BuildError> {
        let mut partitions: BTreeMap<PartitionKey, Partition> =
            table.partitions().map(|(key, partition)| (key.clone(), partition.clone())).collect();
        let compacted = if compaction.is_shared {
            self.gather(relation, table, compaction, &mut partitions)?
        } else {
            self.rewrite(relation, table, compaction, &mut partitions).await?
        };
        if compacted.partitions > 0 {
            self.warehouse.publish(relation, &table.rewritten(partitions, self.run), presentation)?;
        }
        Ok(compacted)
    }

    /// Writes files of each partition into fewer ones.
    async fn rewrite(
        &self,
        relation: &Relation,
        table: &TableVersion,
        compaction: &Compaction,
        partitions: &mut BTreeMap<PartitionKey, Partition>,
    ) -> Result<Compacted, BuildError> {
        let mut compacted = Compacted::default();
        let all: Vec<(&PartitionKey, &Vec<DataFile>)> = compaction.partitions.iter().collect();
        for (number, chunk) in all.chunks(CHUNK).enumerate() {
            let mut written = self.write(relation, table, chunk, number).await?;
            for (key, old) in chunk {
                let new = written.remove(*key).unwrap_or_default();
                check_rows(relation, key, old, &new)?;
                if new.len() >= old.len() {
                    continue;
                }
                let Some(partition) = partitions.get_mut(*key) else { continue };
                compacted.add(old, &new);
                let replaced: HashSet<&str> = old.iter().map(|file| file.path.as_str()).collect();
                let files = Arc::make_mut(&mut partition.files);
                files.retain(|file| !replaced.contains(file.path.as_str()));
                files.extend(new);
            }
        }
        Ok(compacted)
    }

    /// Writes files of several partitions into files that these share.
    fn gather(
        &self,
        relation: &Relation,
        table: &TableVersion,
        compaction: &Compaction,
        partitions: &mut BTreeMap<PartitionKey, Partition>,
    ) -> Result<Compacted, BuildError> {
        let files = SharedFiles {
            table_folder: self.warehouse.table_folder(relation),
            folder: BuildFolder::of(self.run),
            partition_columns: table.partition_columns().to_vec(),
            name: "together".to_owned(),
        };
        // Day by day, so that no day is written anew that comes to no fewer files.
        let mut by_day: BTreeMap<PartitionKey, Vec<(PartitionKey, DataFile)>> = BTreeMap::new();
        for (key, old) in &compaction.partitions {
            let pieces = old.iter().map(|file| (key.clone(), file.clone()));
            by_day.entry(key.without_last()).or_default().extend(pieces);
        }
        let mut compacted = Compacted::default();
        for (number, old) in by_day.into_values().enumerate() {
            let files = SharedFiles { name: format!("{}{number}-", files.name), ..files.clone() };
            let keys: HashSet<PartitionKey> = old.iter().map(|(key, _)| key.clone()).collect();
            let paths: BTreeSet<String> = old.iter().map(|(_, file)| file.path.clone()).collect();
            let bytes = |file: &DataFile| file.bytes;
            let bytes_before = old.iter().map(|(_, file)| bytes(file)).sum::<u64>();
            let new = files.gather(old)?;
            let files_after: HashSet<&str> = new.values().flatten().map(|file| file.path.as_str()).collect();
            let files_after = files_after.len();
            if files_after >= paths.len() {
                continue;
            }
            compacted.partitions += keys.len();
            compacted.files_before += paths.len();
            compacted.files_after += files_after;
            compacted.bytes_before += bytes_before;
            compacted.bytes_after += new.values().flatten().map(bytes).sum::<u64>();
            replace_files(partitions, &paths, new)?;
        }
        Ok(compacted)
    }

    /// The rows of some files, in new ones.
    async fn write(
        &self,
        relation: &Relation,
        table: &TableVersion,
        chunk: &[(&PartitionKey, &Vec<DataFile>)],
        number: usize,
    ) -> Result<WrittenFiles, BuildError> {
        let known: BTreeMap<&PartitionKey, &Partition> = table.partitions().collect();
        let old = chunk.iter().filter_map(|(key, files)| {
            let ledger = known.get(key)?.ledger.clone();
            Some(((*key).clone(), Partition { files: Arc::new((*files).clone()), ledger }))
        });
        let old = table.rewritten(old.collect(), self.run);
        let folder = self.warehouse.table_folder(relation);
        let name = Relation { schema: None, name: format!("__mep_small_{}", relation.name) };
        self.engine.register_aside(&name, folder.clone(), old)?;
        let target = WriteTarget {
            table_folder: folder,
            folder: BuildFolder::part(self.run, &number.to_string()),
            schema: table.schema.clone(),
            partition_columns: table.partition_columns().to_vec(),
            spread: Spread::InOrder { file_bytes: self.sizes.target, by: 0 },
        };
        let rows = self.engine.scope().scan(&name)?;
        Ok(self.engine.write(rows, &target).await?)
    }
}

impl Compacted {
    fn add(&mut self, old: &[DataFile], new: &[DataFile]) {
        let bytes = |files: &[DataFile]| files.iter().map(|file| file.bytes).sum::<u64>();
        self.partitions += 1;
        self.files_before += old.len();
        self.files_after += new.len();
        self.bytes_before += bytes(old);
        self.bytes_after += bytes(new);
    }
}

/// No row may get lost on the way, or be doubled.
pub(super) fn check_rows(
    relation: &Relation,
    key: &PartitionKey,
    old: &[DataFile],
    new: &[DataFile],
) -> Result<(), BuildError> {
    let rows = |files: &[DataFile]| files.iter().map(|file| file.rows).sum::<u64>();
    let (expected, found) = (rows(old), rows(new));
    if expected == found {
        return Ok(());
    }
    let (relation, partition) = (relation.to_string(), key.to_string());
    Err(BuildError::RowsLost { relation, partition, expected, found })
}
