//! What the warehouse holds of a project's tables, as far as it can be read: what cannot be read is not taken for missing.

use std::collections::{BTreeMap, BTreeSet};

use super::site::{BatchEntry, MOST_PARTITIONS, PartitionEntry, RunShare, Stored, TableEntry};
use mep_contract::warehouse::{
    Batch, Content, InputKey, Partition, RunId, TableVersion, Version, Warehouse, WarehouseError,
};
use mep_core::relation::Relation;
use mep_graph::{Graph, NodeSet};

/// What is known of the warehouse.
#[derive(Debug)]
pub enum Holdings {
    /// Nothing.
    Unknown {
        /// Why, as a sentence without its end.
        why: String,
    },
    /// What it holds; a relation that is not among the tables is not there.
    Known {
        /// The tables, or why one cannot be read.
        tables: BTreeMap<Relation, Result<TableVersion, WarehouseError>>,
    },
}

impl Holdings {
    /// Reads what is held of these nodes.
    pub fn read(warehouse: &dyn Warehouse, graph: &Graph, nodes: &NodeSet) -> Self {
        // One question tells whether the warehouse answers at all, so that an outage is not waited for at every table.
        let there: BTreeSet<Relation> = match warehouse.relations() {
            Ok(relations) => relations.into_iter().collect(),
            Err(error) => return Self::Unknown { why: error.to_string() },
        };
        let wanted = nodes.iter().filter_map(|index| graph.node(*index).relation.as_ref());
        let tables = wanted.filter(|relation| there.contains(relation)).filter_map(|relation| {
            let read = warehouse.read(relation).transpose()?;
            Some((relation.clone(), read))
        });
        Self::Known { tables: tables.collect() }
    }

    /// What the reader must know: a sentence for each thing that could not be read.
    pub fn notices(&self) -> Vec<String> {
        match self {
            Self::Unknown { why } => vec![format!(
                "the warehouse was not read, so that whether tables are built, their rows, sizes and ages are unknown: {why}"
            )],
            Self::Known { tables } => tables
                .iter()
                .filter_map(|(relation, read)| {
                    let error = read.as_ref().err()?;
                    Some(format!("{relation} could not be read, and what it holds is unknown: {error}"))
                })
                .collect(),
        }
    }

    /// What is held of a relation.
    pub(super) fn of(&self, relation: &Relation) -> Stored {
        let Self::Known { tables } = self else { return Stored::Unread };
        match tables.get(relation) {
            None => Stored::Absent,
            Some(Err(error)) => Stored::Unreadable { why: error.to_string() },
            Some(Ok(table)) => stored(table),
        }
    }
}

/// How many partitions a ledger notes of a table.
fn partitions_of(read: &BTreeMap<InputKey, Version>) -> usize {
    read.keys().filter(|key| !key.is_types()).count()
}

fn stored(table: &TableVersion) -> Stored {
    let published = at(&table.run);
    let Content::Table { partition_columns, partitions, batches } = &table.content else {
        return Stored::View { published };
    };
    let entry = |(key, partition): (&mep_contract::warehouse::PartitionKey, &Partition)| PartitionEntry {
        key: key.to_string(),
        rows: partition.rows(),
        bytes: partition.bytes(),
        built: at(&partition.ledger.run),
        inputs: partition
            .ledger
            .inputs
            .0
            .iter()
            .map(|(name, read)| (name.clone(), partitions_of(read)))
            .collect(),
    };
    Stored::Table(TableEntry {
        published,
        rows: table.rows(),
        bytes: table.bytes(),
        partition_columns: partition_columns.clone(),
        partition_count: partitions.len(),
        partitions: partitions.iter().rev().take(MOST_PARTITIONS).map(entry).collect(),
        runs: runs(partitions.values()),
        batches: landed(batches.values()),
    })
}

/// What each run left, the latest first.
fn runs<'a>(partitions: impl Iterator<Item = &'a Partition>) -> Vec<RunShare> {
    let mut by_run: BTreeMap<&RunId, RunShare> = BTreeMap::new();
    for partition in partitions {
        let run = &partition.ledger.run;
        let share = by_run.entry(run).or_insert_with(|| RunShare { at: at(run), partitions: 0, rows: 0 });
        share.partitions += 1;
        share.rows += partition.rows();
    }
    by_run.into_values().rev().collect()
}

/// What each run landed, the latest first: a run lands one batch, or one for each unit.
fn landed<'a>(batches: impl Iterator<Item = &'a Batch>) -> Vec<BatchEntry> {
    let mut by_run: BTreeMap<&RunId, BatchEntry> = BTreeMap::new();
    for batch in batches {
        let entry = by_run.entry(&batch.run).or_insert_with(|| BatchEntry {
            at: at(&batch.run),
            units: 0,
            read: 0,
            landed: 0,
            rejected: 0,
            withheld: 0,
        });
        entry.units += batch.units.len();
        for unit in &batch.units {
            entry.read += unit.read;
            entry.landed += unit.landed;
            entry.rejected += unit.rejected;
            entry.withheld += unit.withheld;
        }
    }
    by_run.into_values().rev().collect()
}

/// When a run began, in milliseconds since 1970.
fn at(run: &RunId) -> Option<i64> {
    run.began().map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_contract::warehouse::{ColumnVersions, DataFile, Inputs, Ledger, Version};
    use mep_core::fingerprint::Fingerprint;

    fn partition(run: &str, rows: u64) -> Partition {
        let fingerprint = Fingerprint::of(["sql"]);
        let version = Version::of(["v"]);
        Partition {
            files: vec![DataFile::new("a.parquet", rows, rows * 10)].into(),
            ledger: Ledger {
                run: serde_json::from_value(run.into()).unwrap(),
                fingerprint,
                inputs: Inputs::default(),
                version,
                done: mep_core::time_range::TimeRanges::default(),
                columns: ColumnVersions::default(),
            }
            .into(),
        }
    }

    #[test]
    fn partitions_are_told_by_the_run_that_built_them_the_latest_first() {
        let (early, late) = ("019ac000000070008000000000000000", "019ac000100070008000000000000000");
        let partitions = [partition(late, 3), partition(early, 1), partition(early, 2)];
        let shares = runs(partitions.iter());
        let share = |at, partitions, rows| RunShare { at: Some(at), partitions, rows };
        assert_eq!(shares, [share(0x019a_c000_1000, 1, 3), share(0x019a_c000_0000, 2, 3)]);
    }
}
