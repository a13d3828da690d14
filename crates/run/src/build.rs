//! Building a table: rows into a new folder. Nothing points at it yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use mep_contract::executor::{EngineError, Executor};
use mep_contract::sink::SinkError;
use mep_contract::warehouse::BuildFolder;
use mep_contract::warehouse::{
    ColumnVersions, Content, DataFile, Inputs, Ledger, Partition, PartitionKey, RunId, Spread, TableVersion,
    Version, Warehouse, WarehouseError, WriteError, WriteTarget, WrittenFiles,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::guard::Panicked;
use mep_core::relation::Relation;
use mep_core::secrets;
use mep_core::time_range::TimeRanges;
use mep_plan::{PartitionBuild, PartitionPlan};
use mep_sql::dialect::Untranslatable;
use mep_sql::{PlannedQuery, SqlError, SqlProblem};

/// Input bytes, as stored, that one query of a chunk of partitions reads at most, where partitions are small enough.
const CHUNK_BYTES: u64 = 128 * 1024 * 1024;
/// Partitions that one query builds at most: each thread keeps a file open for each.
const CHUNK_PARTITIONS: usize = 32;
/// A partition that is made of so many bytes on average, or fewer, is written to one file: several threads would leave it in crumbs that every reader pays
/// for.
const LITTLE: u64 = 8 * 1024 * 1024;

/// Why a table was not built. What was published before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The query or the writing of its rows failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The warehouse cannot be read or written.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// Files cannot be written anew.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A view cannot be said in the words of the engines that share the warehouse.
    #[error("{0}")]
    View(#[from] Untranslatable),
    /// A query cannot be planned over the tables as they are.
    #[error("{0}")]
    Plan(String),
    /// The same of the node's own SQL, in which the place is known.
    #[error("{}", .problem.message)]
    Select {
        /// The SQL as it was to run.
        sql: String,
        /// What is wrong with it, and where.
        problem: Box<SqlProblem>,
    },
    /// A column of the model is not what the stored table has, and `on_schema_change` does not say how to go on.
    #[error("{0}")]
    SchemaChange(String),
    /// A column that is not declared has another type by what its files hold now.
    #[error(
        "the column `{column}` was {before} by the files that were loaded last, and is {now} by those that there are now; what reads it could mean something else. Declare its `data_type` at the source table (`mep source infer` writes those of all columns), or take the new type by --full-refresh"
    )]
    InferredType {
        /// The column.
        column: String,
        /// Its type as stored.
        before: String,
        /// Its type by now.
        now: String,
    },
    /// mep itself is at fault.
    #[error(
        "mep failed unexpectedly ({0}); readers find what was there before: please report it, with the model's SQL"
    )]
    Panicked(Panicked),
    /// The user asked the run to end.
    #[error("interrupted; readers find what was there before")]
    Interrupted,
    /// The same of a microbatch model, some batches of which are published.
    #[error("interrupted; {done} of {all} batches are published, and the next run goes on with the others")]
    InterruptedBatches {
        /// How many are published.
        done: usize,
        /// How many there are.
        all: usize,
    },
    /// The rows of a table that was published could not be brought where they are served.
    #[error("its rows could not be brought into cassandra: {0}")]
    Serving(#[from] SinkError),
    /// The user asked the run to end meanwhile.
    #[error("interrupted while its rows were brought into cassandra: the next run brings the rest")]
    InterruptedServing,
    /// Some batches of a microbatch model failed.
    #[error("{0}")]
    Batches(String),
    /// The new content failed tests of its model, and was not published.
    #[error("{0}")]
    Rejected(String),
    /// Compacting did not come to the rows that there were.
    #[error(
        "{found} rows were written of the {expected} in partition `{partition}` of {relation}: the files stay as they are"
    )]
    RowsLost {
        /// The table.
        relation: String,
        /// The partition.
        partition: String,
        /// Rows in the old files.
        expected: u64,
        /// Rows in the new ones.
        found: u64,
    },
    /// A merge would match a stored row with two new ones.
    #[error(
        "{rows} new rows share their unique key ({columns}) with another: make the key unique, or use incremental_strategy='delete+insert'"
    )]
    DoubledKey {
        /// The key.
        columns: String,
        /// New rows whose key occurs more than once.
        rows: u64,
    },
    /// A snapshot would not know which of two rows is the current one.
    #[error(
        "`unique_key` ({columns}) must identify one row, but the snapshot's source has several rows for {keys} of its values"
    )]
    DoubledRow {
        /// The key.
        columns: String,
        /// How many are.
        keys: u64,
    },
}

impl From<SqlError> for BuildError {
    fn from(error: SqlError) -> Self {
        Self::Engine(EngineError::Query(error))
    }
}

/// What a build left behind, for a publish to point at.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// The table as it is to be.
    pub table: TableVersion,
    /// What of it is new.
    pub written: BuildCounts,
}

/// How much a build wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildCounts {
    /// Rows.
    pub rows: u64,
    /// Bytes of the new files.
    pub bytes: u64,
    /// Partitions that were written or removed.
    pub partitions: usize,
}

impl BuildCounts {
    /// Of these partitions.
    pub(super) fn of(partitions: &BTreeMap<PartitionKey, Partition>) -> Self {
        Self {
            rows: partitions.values().map(Partition::rows).sum(),
            bytes: partitions.values().map(Partition::bytes).sum(),
            partitions: partitions.len(),
        }
    }

    /// Of one partition's new files.
    pub(super) fn of_files(files: &[DataFile]) -> Self {
        Self {
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            partitions: 1,
        }
    }

    /// So much was written for nothing.
    pub(super) fn take(&mut self, less: Self) {
        self.rows -= less.rows;
        self.bytes -= less.bytes;
        self.partitions -= less.partitions;
    }

    /// More was written.
    pub(super) fn add(&mut self, more: Self) {
        self.rows += more.rows;
        self.bytes += more.bytes;
        self.partitions += more.partitions;
    }
}

/// A table that is built from a SELECT.
#[derive(Clone)]
pub struct TableBuild<'a> {
    /// Runs the query.
    pub engine: &'a dyn Executor,
    /// Where the table lives.
    pub warehouse: &'a dyn Warehouse,
    /// The run.
    pub run: &'a RunId,
    /// The table.
    pub relation: &'a Relation,
    /// The SELECT.
    pub sql: &'a str,
    /// The model's SQL as it was rendered, to say later what changed in it.
    pub rendered: &'a str,
    /// The schema to store, partition columns last.
    pub schema: &'a SchemaRef,
    /// The partition columns.
    pub partition_columns: &'a [String],
    /// Of the model.
    pub fingerprint: &'a Fingerprint,
}

impl TableBuild<'_> {
    /// Builds all of the table with one query.
    ///
    /// # Errors
    /// Where the query fails; the old table is then still there.
    pub async fn whole(&self, build: &PartitionBuild) -> Result<Built, BuildError> {
        self.all_rows(self.plan()?, build, &self.output()).await
    }

    /// Builds all of the table of these rows.
    ///
    /// # Errors
    /// Where they cannot be had; the old table is then still there.
    pub(super) async fn all_rows(
        &self,
        rows: PlannedQuery,
        build: &PartitionBuild,
        output: &WriteTarget,
    ) -> Result<Built, BuildError> {
        let mut written = self.engine.write(rows, output).await?;
        // The ledger stands with the partitions, so a table without rows needs one too.
        if written.is_empty() {
            written.insert(PartitionKey::new(vec![None; self.partition_columns.len()]), Vec::new());
        }
        let ledger = Arc::new(self.ledger_of(build));
        let new = written
            .into_iter()
            .map(|(key, files)| (key, Partition { files: files.into(), ledger: ledger.clone() }))
            .collect();
        let written = BuildCounts::of(&new);
        Ok(self.built(new, written))
    }

    /// Builds the dirty partitions, a chunk at a time; the others stay as they are.
    ///
    /// # Errors
    /// Where a query fails; the old table is then still there.
    pub async fn partitions(
        &self,
        plan: &PartitionPlan,
        stored: Option<&TableVersion>,
    ) -> Result<Built, BuildError> {
        let query = self.plan()?;
        let columns: Vec<String> = plan.by.iter().map(|at| self.partition_columns[*at].clone()).collect();
        let mut written = WrittenFiles::new();
        for (index, chunk) in chunks(&plan.build).into_iter().enumerate() {
            let keys: Vec<&[Option<String>]> = chunk.iter().map(|build| build.key.values()).collect();
            let rows = query.clone().of_partitions(&columns, self.schema, &keys)?;
            let output = WriteTarget { spread: spread(chunk), ..self.output_of_part(&index.to_string()) };
            written.extend(self.engine.write(rows, &output).await?);
            mep_core::fail_point::reached("build-after-chunk");
        }
        let new = self.new_partitions(plan, written);
        let mut written = BuildCounts::of(&new);
        let anew: BTreeSet<&PartitionKey> = plan.build.iter().map(|build| &build.key).collect();
        let is_anew = |key: &PartitionKey| anew.contains(&key.of_columns(&plan.by));
        let stored = || stored.iter().flat_map(|table| table.partitions());
        let kept = stored().filter(|(key, _)| !plan.remove.contains(key) && !is_anew(key));
        let mut all: BTreeMap<PartitionKey, Partition> =
            kept.map(|(key, partition)| (key.clone(), partition.clone())).collect();
        for build in &plan.confirm {
            if let Some(partition) = all.get_mut(&build.key) {
                partition.ledger = Arc::new(self.ledger_of_same(build, &partition.ledger.run));
            }
        }
        all.extend(new);
        written.partitions += stored().filter(|(key, _)| !all.contains_key(*key)).count();
        Ok(self.built(all, written))
    }

    /// What was written for the builds of a plan, each partition with its ledger.
    fn new_partitions(
        &self,
        plan: &PartitionPlan,
        mut written: WrittenFiles,
    ) -> BTreeMap<PartitionKey, Partition> {
        let mut new: BTreeMap<PartitionKey, Partition> = BTreeMap::new();
        let mut keys: BTreeMap<PartitionKey, Vec<PartitionKey>> = BTreeMap::new();
        for key in written.keys() {
            keys.entry(key.of_columns(&plan.by)).or_default().push(key.clone());
        }
        for build in &plan.build {
            let ledger = Arc::new(self.ledger_of(build));
            // The ledger stands with the partitions, so what has no rows has one too.
            let without_rows = || {
                let told = |place: usize| {
                    let at = plan.by.iter().position(|by| *by == place)?;
                    build.key.values().get(at).cloned().flatten()
                };
                vec![PartitionKey::new((0..self.partition_columns.len()).map(told).collect())]
            };
            for key in keys.remove(&build.key).unwrap_or_else(without_rows) {
                let files = written.remove(&key).unwrap_or_default();
                new.insert(key, Partition { files: files.into(), ledger: ledger.clone() });
            }
        }
        new
    }

    pub(super) fn plan(&self) -> Result<PlannedQuery, BuildError> {
        own_plan(self.engine, self.sql)
    }

    /// Another SELECT over the tables as they are.
    pub(super) fn planned(&self, sql: &str) -> Result<PlannedQuery, BuildError> {
        self.engine.scope().plan(sql).map_err(|problem| BuildError::Plan(problem.message))
    }

    /// Makes some partitions of the table known to SQL by a name of their own.
    pub(super) fn register_aside(
        &self,
        purpose: &'static str,
        partitions: BTreeMap<PartitionKey, Partition>,
    ) -> Result<Relation, BuildError> {
        let name = self.relation.aside(purpose);
        let folder = self.warehouse.table_folder(self.relation);
        self.engine.register_aside(&name, folder, self.table(partitions))?;
        Ok(name)
    }

    /// Where the run writes the table.
    pub(super) fn output(&self) -> WriteTarget {
        self.output_in(BuildFolder::of(self.run))
    }

    /// Where it writes a part of it, beside others.
    pub(super) fn output_of_part(&self, part: &str) -> WriteTarget {
        self.output_in(BuildFolder::part(self.run, part))
    }

    pub(super) fn output_in(&self, folder: BuildFolder) -> WriteTarget {
        WriteTarget {
            table_folder: self.warehouse.table_folder(self.relation),
            folder,
            schema: self.schema.clone(),
            partition_columns: self.partition_columns.to_vec(),
            spread: Spread::Threads,
        }
    }

    pub(super) fn ledger(&self, inputs: Inputs, version: Version) -> Ledger {
        let (run, fingerprint) = (self.run.clone(), self.fingerprint.clone());
        Ledger {
            run,
            fingerprint,
            inputs,
            version,
            columns: ColumnVersions::default(),
            done: TimeRanges::default(),
        }
    }

    /// The ledger of content that an earlier run wrote, and that a build would come to.
    pub(super) fn ledger_of_same(&self, build: &PartitionBuild, run: &RunId) -> Ledger {
        Ledger { run: run.clone(), ..self.ledger_of(build) }
    }

    pub(super) fn ledger_of(&self, build: &PartitionBuild) -> Ledger {
        let ledger = self.ledger(build.inputs.clone(), build.version.clone());
        Ledger { columns: build.columns.clone(), ..ledger }
    }

    pub(super) fn table(&self, partitions: BTreeMap<PartitionKey, Partition>) -> TableVersion {
        TableVersion {
            schema: self.schema.clone(),
            content: Content::Table {
                partition_columns: self.partition_columns.to_vec(),
                partitions,
                batches: BTreeMap::new(),
            },
            run: self.run.clone(),
            sql: Some(secrets::masked(self.rendered).into_owned()),
            groups: Vec::new(),
        }
    }

    /// The table of these partitions, of which `written` are new or gone.
    pub(super) fn built(&self, partitions: BTreeMap<PartitionKey, Partition>, written: BuildCounts) -> Built {
        Built { table: self.table(partitions), written }
    }
}

/// The plan of a node's own SQL.
///
/// # Errors
/// Where it cannot be planned over the tables as they are.
pub(super) fn own_plan(engine: &dyn Executor, sql: &str) -> Result<PlannedQuery, BuildError> {
    engine
        .scope()
        .plan(sql)
        .map_err(|problem| BuildError::Select { sql: sql.to_owned(), problem: Box::new(problem) })
}

/// The partitions in runs that read little enough for one query.
fn chunks(build: &[PartitionBuild]) -> Vec<&[PartitionBuild]> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, partition) in build.iter().enumerate() {
        let full = bytes + partition.input_bytes > CHUNK_BYTES || index - start >= CHUNK_PARTITIONS;
        if index > start && full {
            chunks.push(&build[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += partition.input_bytes;
    }
    if start < build.len() {
        chunks.push(&build[start..]);
    }
    chunks
}

/// How the rows of these partitions are spread over files: one for each that is made of little.
fn spread(chunk: &[PartitionBuild]) -> Spread {
    let bytes: u64 = chunk.iter().map(|build| build.input_bytes).sum();
    if bytes / chunk.len().max(1) as u64 <= LITTLE { Spread::Partitions } else { Spread::Threads }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_plan::Reason;

    fn partition(bytes: u64) -> PartitionBuild {
        PartitionBuild {
            key: PartitionKey::whole(),
            inputs: Inputs::default(),
            version: Version::of([]),
            columns: ColumnVersions::default(),
            reason: Reason::FirstRun,
            input_bytes: bytes,
            input_rows: 0,
        }
    }

    #[test]
    fn partitions_that_are_made_of_little_have_a_file_each() {
        assert_eq!(spread(&[partition(1), partition(LITTLE)]), Spread::Partitions);
        assert_eq!(spread(&[partition(LITTLE), partition(LITTLE + 2)]), Spread::Threads);
    }

    #[test]
    fn chunks_hold_few_enough_bytes_and_a_large_partition_stands_alone() {
        let build: Vec<_> = [1, 2, CHUNK_BYTES, 5, CHUNK_BYTES * 2].into_iter().map(partition).collect();
        let sizes: Vec<usize> = chunks(&build).iter().map(|chunk| chunk.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert!(chunks(&[]).is_empty());
    }
}
