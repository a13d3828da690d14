//! Which files of a table hold rows of some keys: only these are written anew.
//!
//! A table whose rows are in the order of its keys has few such files. So that files do not become many and small, those that are small
//! are written together once there are several.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::cast::as_int64_array;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::{MemTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, lit};

use super::keyed::{RunPlan, scan_of};
use super::published::PublishedTable;
use mep_contract::executor::keyed::StoredRows;
use mep_contract::warehouse::{Content, DataFile, KeySpan, PartitionKey, TableVersion, may_hold};
use mep_sql::keyed::{KEYS_TABLE, all_of, rows_by_key};

/// Of more files it is not asked which of them hold keys.
const ASKED: usize = 256;
/// So many small files are written together.
const MANY_SMALL: usize = 8;

/// Rows of files that have no more are held in memory while they are written anew.
const HELD_BYTES: u64 = 4 * 1024 * 1024;
const HELD_ROWS: u64 = 500_000;

/// The files of a table without partitions, by whether they are written anew.
pub(super) struct FilesOfKeys {
    /// The table of those that hold rows of the keys.
    pub(super) touched: TableVersion,
    /// The rows of these.
    pub(super) rows: LogicalPlan,
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
        if !stored.keeps_files || files.len() < 2 {
            return Self::written_anew(stored, stored.table.clone(), Vec::new(), collect);
        }
        let known = known(&files, stored.schema, keys, on);
        let mut held: BTreeSet<usize> =
            (0..files.len()).filter(|at| known.get(*at) == Some(&Some(true))).collect();
        let asked: Vec<usize> =
            (0..files.len()).filter(|at| !matches!(known.get(*at), Some(Some(_)))).collect();
        if asked.len() > ASKED {
            return Self::written_anew(stored, stored.table.clone(), Vec::new(), collect);
        }
        let mut plans = Vec::new();
        for at in asked {
            let rows = of_files(stored, vec![files[at].clone()])?;
            let place = i64::try_from(at).unwrap_or(i64::MAX);
            let found = rows_by_key(rows, keys, on, JoinType::LeftSemi)?;
            plans.push(
                LogicalPlanBuilder::from(found)
                    .limit(0, Some(1))?
                    .project([lit(place).alias("file")])?
                    .build()?,
            );
        }
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
        Self::written_anew(stored, with_files(stored.table, touched), kept, collect)
    }

    fn written_anew(
        stored: &StoredRows<'_>,
        touched: TableVersion,
        kept: Vec<DataFile>,
        collect: &mut RunPlan<'_>,
    ) -> Result<Self> {
        let mut rows = scan_of(Arc::new(PublishedTable::new(stored.folder.clone(), touched.clone())))?;
        if touched.bytes() <= HELD_BYTES && touched.rows() <= HELD_ROWS {
            // They are read twice: those of the keys, and the others.
            let held = collect(rows)?;
            let schema = held.first().map_or_else(|| touched.schema.clone(), RecordBatch::schema);
            rows = scan_of(Arc::new(MemTable::try_new(schema, vec![held])?))?;
        }
        Ok(Self { touched, rows, kept })
    }

    /// How many rows there are in all files.
    pub(super) fn all_rows(&self) -> u64 {
        self.touched.rows() + self.kept.iter().map(|file| file.rows).sum::<u64>()
    }
}

/// Whether files can hold rows of some keys, by where their rows begin and end: nothing of a file of which that is not known.
fn known(
    files: &[&DataFile],
    schema: &SchemaRef,
    keys: &RecordBatch,
    on: &[(Expr, usize)],
) -> Vec<Option<bool>> {
    let spans: Vec<Option<&KeySpan>> = files.iter().map(|file| file.span.as_ref()).collect();
    let first = schema.fields().iter().map_while(|field| {
        let is_it = |row: &Expr| matches!(row, Expr::Column(column) if column.name == *field.name());
        let (_, at) = on.iter().find(|(row, _)| is_it(row))?;
        cast(keys.column(*at), field.data_type()).ok()
    });
    let first: Vec<ArrayRef> = first.collect();
    may_hold(&spans, &first).unwrap_or_default()
}

/// The plan with those files alone, of tables of which it takes the rows of some keys, that can hold such rows.
///
/// # Errors
/// Where the plan cannot be made anew.
pub(super) fn with_files_of_keys(plan: LogicalPlan) -> Result<LogicalPlan> {
    let read = plan.transform_down(|node| {
        let LogicalPlan::Join(join) = &node else { return Ok(Transformed::no(node)) };
        let Some((scan, table)) = published(&join.left) else { return Ok(Transformed::no(node)) };
        let Some(keys) = keys_of(join) else { return Ok(Transformed::no(node)) };
        let on: Vec<(Expr, usize)> = join
            .on
            .iter()
            .filter_map(|(row, key)| {
                let Expr::Column(key) = key else { return None };
                Some((row.clone(), join.right.schema().maybe_index_of_column(key)?))
            })
            .collect();
        let Some(table) = table.with_files(|files| known(files, &table.schema(), &keys, &on)) else {
            return Ok(Transformed::no(node));
        };
        let mut scan = scan.clone();
        scan.source = provider_as_source(Arc::new(table));
        let mut join = join.clone();
        join.left = Arc::new(LogicalPlan::TableScan(scan));
        Ok(Transformed::new(LogicalPlan::Join(join), true, TreeNodeRecursion::Jump))
    })?;
    Ok(read.data)
}

/// A scan of a published table.
fn published(plan: &LogicalPlan) -> Option<(&TableScan, PublishedTable)> {
    let LogicalPlan::TableScan(scan) = plan else { return None };
    let provider = source_as_provider(&scan.source).ok()?;
    Some((scan, provider.downcast_ref::<PublishedTable>()?.clone()))
}

/// The keys of which a join takes the rows.
fn keys_of(join: &Join) -> Option<RecordBatch> {
    let LogicalPlan::TableScan(scan) = join.right.as_ref() else { return None };
    if join.join_type != JoinType::LeftSemi || scan.table_name.table() != KEYS_TABLE {
        return None;
    }
    let provider = source_as_provider(&scan.source).ok()?;
    let [rows] = provider.downcast_ref::<MemTable>()?.batches.as_slice() else { return None };
    let rows = rows.try_read().ok()?;
    concat_batches(&provider.schema(), rows.iter()).ok()
}

fn of_files(stored: &StoredRows<'_>, files: Vec<DataFile>) -> Result<LogicalPlan> {
    scan_of(Arc::new(PublishedTable::new(stored.folder.clone(), with_files(stored.table, files))))
}

/// A table without partitions that has these files.
pub(super) fn with_files(table: &TableVersion, files: Vec<DataFile>) -> TableVersion {
    let mut table = table.clone();
    if let Content::Table { partitions, .. } = &mut table.content
        && let Some(partition) = partitions.get_mut(&PartitionKey::whole())
    {
        partition.files = Arc::new(files);
    }
    table
}
