//! A table of the warehouse, written once more under another name.
//!
//! The rows and the ledger of each partition are what they were, so that what keeps its own history goes on from there. What it is
//! made of is another input under its new name, and so the next run makes a table of it that follows from its inputs anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::BuildError;
use super::compact::check_rows;
use mep_contract::executor::Executor;
use mep_contract::warehouse::{
    BuildFolder, Partition, PartitionKey, Presentation, RunId, Spread, TableVersion, Warehouse, WriteTarget,
};
use mep_core::relation::Relation;

/// Partitions that are written by one query.
const CHUNK: usize = 32;

/// What is needed to clone tables.
#[derive(Clone, Copy)]
pub struct Cloner<'a> {
    /// Reads and writes rows.
    pub engine: &'a dyn Executor,
    /// Where the tables live; its lease is held.
    pub warehouse: &'a dyn Warehouse,
    /// The run, which names the new folders.
    pub run: &'a RunId,
}

impl Cloner<'_> {
    /// Writes the rows of a table as another one, and says how many there are.
    ///
    /// # Errors
    /// Where files cannot be read or written, or rows would be lost; what stood under the name is then still in place.
    pub async fn clone_table(
        &self,
        from: &Relation,
        table: &TableVersion,
        to: &Relation,
        presentation: &Presentation,
    ) -> Result<u64, BuildError> {
        let all: Vec<(&PartitionKey, &Partition)> = table.partitions().collect();
        let mut partitions = BTreeMap::new();
        for (number, chunk) in all.chunks(CHUNK).enumerate() {
            let old = chunk.iter().map(|(key, partition)| ((*key).clone(), (*partition).clone()));
            let name = to.aside("clone");
            let folder = self.warehouse.table_folder(from);
            self.engine.register_aside(&name, folder, table.rewritten(old.collect(), self.run))?;
            let target = WriteTarget {
                table_folder: self.warehouse.table_folder(to),
                folder: BuildFolder::part(self.run, &number.to_string()),
                schema: table.schema.clone(),
                partition_columns: table.partition_columns().to_vec(),
                spread: Spread::Threads,
            };
            let mut written = self.engine.write(self.engine.scope().scan(&name)?, &target).await?;
            for (key, partition) in chunk {
                let files = written.remove(*key).unwrap_or_default();
                check_rows(to, key, &partition.files, &files)?;
                let cloned = Partition { files: Arc::new(files), ledger: partition.ledger.clone() };
                partitions.insert((*key).clone(), cloned);
            }
        }
        // Kept groups lie in files of the table that is cloned.
        let cloned = TableVersion { groups: Vec::new(), ..table.rewritten(partitions, self.run) };
        self.warehouse.publish(to, &cloned, presentation)?;
        let files = cloned.partitions().flat_map(|(_, partition)| partition.files.iter());
        Ok(files.map(|file| file.rows).sum())
    }
}
