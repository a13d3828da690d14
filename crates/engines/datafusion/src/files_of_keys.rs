//! Which files of a table hold rows of some keys: only these are written anew.
//!
//! A table whose rows are in the order of its keys has few such files. So that files do not become many and small, those that are small
//! are written together once there are several.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::cast::as_int64_array;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit};

use super::keyed::{RunPlan, scan_of};
use super::published::PublishedTable;
use mep_contract::executor::keyed::StoredRows;
use mep_contract::warehouse::{Content, DataFile, PartitionKey, TableVersion};
use mep_sql::keyed::{all_of, rows_by_key};

/// Of more files it is not asked which of them hold keys.
const ASKED: usize = 256;
/// So many small files are written together.
const MANY_SMALL: usize = 8;

/// The files of a table without partitions, by whether they are written anew.
pub(super) struct FilesOfKeys {
    /// The table of those that hold rows of the keys.
    pub(super) touched: TableVersion,
    /// The others.
    pub(super) kept: Vec<DataFile>,
}

impl FilesOfKeys {
    /// Those of a stored table. `on` says what of a row is which column of the keys.
    ///
    /// # Errors
    /// Where the files cannot be read.
    pub(super) fn of(
        stored: &StoredRows<'_>,
        keys: &RecordBatch,
        on: &[(Expr, usize)],
        collect: &mut RunPlan<'_>,
    ) -> Result<Self> {
        let files: Vec<&DataFile> =
            stored.table.partitions().flat_map(|(_, partition)| partition.files.iter()).collect();
        if !stored.keeps_files || files.len() < 2 || files.len() > ASKED {
            return Ok(Self { touched: stored.table.clone(), kept: Vec::new() });
        }
        let mut plans = Vec::new();
        for (at, file) in files.iter().enumerate() {
            let rows = of_files(stored, vec![(*file).clone()])?;
            let place = i64::try_from(at).unwrap_or(i64::MAX);
            let held = rows_by_key(rows, keys, on, JoinType::LeftSemi)?;
            plans.push(
                LogicalPlanBuilder::from(held)
                    .limit(0, Some(1))?
                    .project([lit(place).alias("file")])?
                    .build()?,
            );
        }
        let mut held = BTreeSet::new();
        if let Some(all) = all_of(plans)? {
            for batch in collect(all)? {
                let places = as_int64_array(batch.column(0))?;
                held.extend(places.iter().flatten().filter_map(|place| usize::try_from(place).ok()));
            }
        }
        let is_small = |file: &DataFile| file.bytes < stored.small_bytes;
        let small = files.iter().filter(|file| is_small(file)).count();
        let is_touched =
            |at: usize, file: &DataFile| held.contains(&at) || (small >= MANY_SMALL && is_small(file));
        let (mut touched, mut kept) = (Vec::new(), Vec::new());
        for (at, file) in files.into_iter().enumerate() {
            if is_touched(at, file) { &mut touched } else { &mut kept }.push(file.clone());
        }
        Ok(Self { touched: with_files(stored.table, touched), kept })
    }

    /// The rows of the files that are written anew.
    pub(super) fn rows(&self, stored: &StoredRows<'_>) -> Result<LogicalPlan> {
        scan_of(Arc::new(PublishedTable::new(stored.folder.clone(), self.touched.clone())))
    }

    /// How many rows there are in all files.
    pub(super) fn all_rows(&self) -> u64 {
        self.touched.rows() + self.kept.iter().map(|file| file.rows).sum::<u64>()
    }
}

fn of_files(stored: &StoredRows<'_>, files: Vec<DataFile>) -> Result<LogicalPlan> {
    scan_of(Arc::new(PublishedTable::new(stored.folder.clone(), with_files(stored.table, files))))
}

/// A table without partitions that has these files.
fn with_files(table: &TableVersion, files: Vec<DataFile>) -> TableVersion {
    let mut table = table.clone();
    if let Content::Table { partitions, .. } = &mut table.content
        && let Some(partition) = partitions.get_mut(&PartitionKey::whole())
    {
        partition.files = Arc::new(files);
    }
    table
}
