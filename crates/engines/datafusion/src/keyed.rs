//! Rows of some keys in place of all rows: which keys a change reaches, and what their rows are by now.
//!
//! Owns what is worth it: what would be read is compared before it is read. Where it is not, or where it cannot be said which keys are
//! reached, the answer is `None`, and all rows are to be made. What fails here says nothing of the model, since rows are
//! looked at that its own filters may leave out: a failure is such an answer too.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, Result, ScalarValue};
use datafusion::datasource::{MemTable, TableProvider, provider_as_source, source_as_provider};
use datafusion::logical_expr::{
    Expr, ExprSchemable, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, lit,
};

use super::files_of_keys::{FilesOfKeys, with_files_of_keys};
use super::published::PublishedTable;
use super::session::{Engine, shaped};
use mep_contract::executor::Executor;
use mep_contract::executor::keyed::{ChangedRows, ContentChange, KeyedRows, ReplacedRows, StoredRows};
use mep_contract::warehouse::{DataFile, PartitionKey, TableVersion};
use mep_core::relation::Relation;
use mep_sql::keyed::{
    CarriedOn, ChangedTable, Changes, KEYS_TABLE, Merge, Restricted, Wanted, all_columns, by_sign,
    differing_rows, is_exact_type, merged, rows_by_key,
};

/// More keys than this are not told apart.
const KEYS: usize = 200_000;

/// Tables of more bytes that are written as a whole are not compared to find which rows differ.
const LOOKED_AT: u64 = 256 * 1024 * 1024;
/// So many bytes are read without asking what for.
const LITTLE: u64 = 32 * DataFile::OPENING;
/// So few rows are looked at, whatever part of a table they are.
const FEW: usize = 1_000;

/// Runs a plan.
pub(super) type RunPlan<'a> = dyn FnMut(LogicalPlan) -> Result<Vec<RecordBatch>> + 'a;

impl Engine {
    /// The changed tables as a plan reads them. What became of a table that has no partitions is looked at: it is written as a
    /// whole, and most of its rows may be as they were.
    fn changes(
        &self,
        plan: &LogicalPlan,
        changed: &[ContentChange],
        collect: &mut RunPlan<'_>,
    ) -> Result<Changes> {
        let mut changes = Changes::default();
        for change in changed {
            let relation = &change.relation;
            let Some(read) = columns_read(plan, relation)? else { continue };
            let folder = || change.folder.clone().unwrap_or_else(|| self.folder(relation));
            let published = |version: TableVersion| Arc::new(PublishedTable::new(folder(), version));
            let before: Arc<dyn TableProvider> = published(change.before.as_ref().clone());
            if let Some(rows) = &change.rows {
                let (gone, come) = (in_memory(&rows.gone)?, in_memory(&rows.come)?);
                if let Some(table) = rows_that_differ(before, gone, come, &read, collect)? {
                    changes.0.insert(relation.clone(), table);
                }
                continue;
            }
            let (gone, come) = (change.gone(), change.come());
            let looks = change.now.partition_columns().is_empty()
                && gone.partitions().next().is_some()
                && gone.bytes() + come.bytes() <= LOOKED_AT;
            let (gone, come) = (published(gone), published(come));
            let table = if looks {
                match rows_that_differ(before, gone, come, &read, collect)? {
                    Some(table) => table,
                    None => continue,
                }
            } else {
                let content = |table: Arc<PublishedTable>| -> Option<Arc<dyn TableProvider>> {
                    if table.is_empty() { None } else { Some(table) }
                };
                ChangedTable { before, gone: content(gone), come: content(come) }
            };
            changes.0.insert(relation.clone(), table);
        }
        Ok(changes)
    }

    /// The values of some columns of a SELECT, in the types that they are stored with, of which rows can be others now that tables
    /// changed; `None` where that cannot be said, or takes more reading than `worth` bytes.
    ///
    /// # Errors
    /// Where what is looked at fails, which the SELECT itself need not.
    pub(super) fn keys_reached(
        &self,
        plan: &LogicalPlan,
        columns: &[&Field],
        changed: &[ContentChange],
        worth: u64,
        collect: &mut RunPlan<'_>,
    ) -> Result<Option<Vec<RecordBatch>>> {
        // All columns of the plan are needed: a partition is another one where any of them is.
        let plan = self.scope().optimize_in_parts(plan)?;
        let mut wanted = Wanted::new();
        for field in columns {
            let (qualifier, _) = plan.schema().qualified_field_with_unqualified_name(field.name())?;
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            wanted.push(Some(column.cast_to(field.data_type(), plan.schema())?));
        }
        let changes = self.changes(&plan, changed, collect)?;
        let Some(touched) = changes.touched(&plan, &wanted)? else { return Ok(Some(Vec::new())) };
        if touched.told.len() != columns.len() || self.cost(&touched.plan)? > worth.max(LITTLE) {
            return Ok(None);
        }
        collect(touched.plan).map(Some)
    }

    /// The rows of a SELECT over tables that changed, made of those that are stored and of those that the change reaches.
    ///
    /// # Errors
    /// Where what is looked at fails, which the SELECT itself need not.
    pub(super) fn rows_of_keys(
        &self,
        plan: &LogicalPlan,
        stored: &StoredRows<'_>,
        changed: &[ContentChange],
        collect: &mut RunPlan<'_>,
    ) -> Result<Option<KeyedRows>> {
        let plan = self.scope().optimize_in_parts(plan)?;
        let changes = self.changes(&plan, changed, collect)?;
        if changes.0.is_empty() {
            return Ok(Some(KeyedRows::Same));
        }
        let work = KeyedWork { engine: self, whole: self.cost(&plan)?, plan, stored, changes };
        match work.carried_on(collect)? {
            Some(rows) => Ok(Some(rows)),
            None => work.computed(collect),
        }
    }

    /// The partitions, of those that two contents of a table both have, whose rows are not the same.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(super) fn differing_partitions(
        &self,
        relation: &Relation,
        old: TableVersion,
        new: TableVersion,
        collect: &mut RunPlan<'_>,
    ) -> Result<BTreeSet<PartitionKey>> {
        let columns: Vec<Expr> = new.partition_columns().iter().map(|name| named(name)).collect();
        let scan =
            |version: TableVersion| scan_of(Arc::new(PublishedTable::new(self.folder(relation), version)));
        let differing = LogicalPlanBuilder::from(differing_rows(scan(old)?, scan(new)?)?);
        if columns.is_empty() {
            let differing = collect(differing.limit(0, Some(1))?.build()?)?;
            let is_any = differing.iter().any(|batch| batch.num_rows() > 0);
            return Ok(is_any.then(PartitionKey::whole).into_iter().collect());
        }
        let mut keys = BTreeSet::new();
        for batch in collect(differing.project(columns)?.distinct()?.build()?)? {
            keys.extend(PartitionKey::of_rows(&batch)?);
        }
        Ok(keys)
    }
}

/// A SELECT over changed tables, and what is stored of it.
struct KeyedWork<'a> {
    engine: &'a Engine,
    plan: LogicalPlan,
    /// What it takes to make all rows.
    whole: u64,
    stored: &'a StoredRows<'a>,
    changes: Changes,
}

impl KeyedWork<'_> {
    /// What the rows that came add to groups, merged with what is stored of these.
    fn carried_on(&self, collect: &mut RunPlan<'_>) -> Result<Option<KeyedRows>> {
        let carried = match self.changes.carried_on(&self.plan)? {
            Some(carried) => Some(carried),
            None => self.carried_on_by_key(collect)?,
        };
        let Some(carried) = carried else { return Ok(None) };
        let (to_add, stored) = (self.engine.cost(&carried.added)?, self.stored.table.bytes());
        if !is_worth(to_add + stored, self.whole) {
            tracing::debug!("carrying on reads {to_add} bytes and {stored} stored ones, of {}", self.whole);
            return Ok(None);
        }
        let schema = self.stored.schema;
        let names: Vec<String> =
            self.plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let merge_of = |name: &String| {
            let at = names.iter().position(|one| one == name)?;
            carried.columns.get(at).copied()
        };
        let merges: Option<Vec<Merge>> = schema.fields().iter().map(|field| merge_of(field.name())).collect();
        let Some(merges) = merges else { return Ok(None) };
        let columns: Vec<String> = keys_of_groups(&merges, schema);
        let added = LogicalPlanBuilder::from(carried.added).limit(0, Some(KEYS + 1))?.build()?;
        let added = batch(schema.clone(), &collect(shaped(added, schema)?)?)?;
        let keys = added.project(&positions(&columns, &added.schema())?)?;
        if keys.num_rows() > KEYS {
            return Ok(None);
        }
        let on: Vec<(Expr, usize)> = columns.iter().enumerate().map(|(at, name)| (named(name), at)).collect();
        for other in carried.others {
            let other = rows_by_key(shaped(other, schema)?, &keys, &on, JoinType::LeftSemi)?;
            if collect(other)?.iter().any(|batch| batch.num_rows() > 0) {
                return Ok(None);
            }
        }
        let files = FilesOfKeys::of(self.stored, &keys, &on, collect)?;
        let Some(old) = self.old_rows(&files, &keys, &on, collect)? else { return Ok(None) };
        let (stored, added) = (self.rows(old.clone())?, self.rows(added)?);
        let merged = merged(self.engine.scope(), stored, added, &merges)?;
        let new = batch(schema.clone(), &collect(merged)?)?;
        self.replaced(files, (old, new), &keys, &on, columns, collect)
    }

    /// The same of groups whose rows are not each made of one row of a changed table.
    fn carried_on_by_key(&self, collect: &mut RunPlan<'_>) -> Result<Option<CarriedOn>> {
        let mut find = |plan: LogicalPlan| {
            if !is_worth(self.engine.cost(&plan)?, self.whole) {
                return Ok(None);
            }
            told_apart(plan, collect)
        };
        self.changes.carried_on_by_key(&self.plan, &mut find)
    }

    /// The rows of the keys that are reached, computed of the rows of the inputs that bear them.
    fn computed(&self, collect: &mut RunPlan<'_>) -> Result<Option<KeyedRows>> {
        let schema = self.stored.schema;
        let wanted = keys_of(&self.plan, schema);
        let Some(touched) = self.changes.touched(&self.plan, &wanted)? else {
            return Ok(Some(KeyedRows::Same));
        };
        let columns = touched
            .told
            .iter()
            .map(|at| Some(self.plan.schema().fields().get(*at)?.name().clone()))
            .collect::<Option<Vec<String>>>();
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else {
            tracing::debug!("a change reaches rows of any key");
            return Ok(None);
        };
        let to_find = self.engine.cost(&touched.plan)?;
        // To find keys takes a pass over some columns; to make rows of them, all the rest of the work too, which is more where these are grouped.
        let (at_once, beside) =
            if has_groups(&self.plan)? { (to_find / 4 * 3, to_find / 4) } else { (to_find, to_find / 2) };
        if !is_worth(at_once, self.whole) {
            tracing::debug!("finding keys reads {to_find} bytes of {}", self.whole);
            return Ok(None);
        }
        let Some(keys) = told_apart(touched.plan, collect)? else {
            tracing::debug!("a change reaches more than {KEYS} keys");
            return Ok(None);
        };
        if keys.num_rows() == 0 {
            return Ok(Some(KeyedRows::Same));
        }
        let of_keys = Restricted::new(collect).plan(&self.plan, &wanted, &keys, &touched.told)?;
        let of_keys = with_files_of_keys(of_keys)?;
        let to_make = self.engine.cost(&of_keys)?;
        let stored = self.stored.table.bytes();
        let all = beside + to_make + stored;
        if !is_worth(all, self.whole) {
            let (keys, whole) = (keys.num_rows(), self.whole);
            tracing::debug!(
                "{keys} keys: {to_find} bytes to find them, {to_make} to make them, {stored} stored, of {whole}"
            );
            return Ok(None);
        }
        let on: Vec<(Expr, usize)> = columns.iter().enumerate().map(|(at, name)| (named(name), at)).collect();
        let files = FilesOfKeys::of(self.stored, &keys, &on, collect)?;
        let Some(old) = self.old_rows(&files, &keys, &on, collect)? else { return Ok(None) };
        let new = batch(schema.clone(), &collect(shaped(of_keys, schema)?)?)?;
        self.replaced(files, (old, new), &keys, &on, columns, collect)
    }

    /// A plan that gives these rows.
    fn rows(&self, rows: RecordBatch) -> Result<LogicalPlan> {
        Ok(self.engine.scope().rows(rows)?.into_plan())
    }

    /// The stored rows of some keys; `None` where they are too many.
    fn old_rows(
        &self,
        files: &FilesOfKeys,
        keys: &RecordBatch,
        on: &[(Expr, usize)],
        collect: &mut RunPlan<'_>,
    ) -> Result<Option<RecordBatch>> {
        let most = usize::try_from(files.all_rows() / 2).unwrap_or(usize::MAX).max(FEW);
        let rows = rows_by_key(files.rows.clone(), keys, on, JoinType::LeftSemi)?;
        let old = shaped(rows, self.stored.schema)?;
        let old = LogicalPlanBuilder::from(old).limit(0, Some(most + 1))?.build()?;
        let old = batch(self.stored.schema.clone(), &collect(old)?)?;
        if old.num_rows() > most {
            tracing::debug!("{} keys are those of most of {} rows", keys.num_rows(), files.all_rows());
            return Ok(None);
        }
        Ok(Some(old))
    }

    fn replaced(
        &self,
        files: FilesOfKeys,
        (old, new): (RecordBatch, RecordBatch),
        keys: &RecordBatch,
        on: &[(Expr, usize)],
        columns: Vec<String>,
        collect: &mut RunPlan<'_>,
    ) -> Result<Option<KeyedRows>> {
        let schema = self.stored.schema;
        let differing = collect(differing_rows(self.rows(old)?, self.rows(new.clone())?)?)?;
        let differing = batch(schema.clone(), &differing)?;
        if differing.num_rows() == 0 {
            return Ok(Some(KeyedRows::Same));
        }
        let (come, gone) = by_sign(schema, &differing)?;
        let changed = Arc::new(ChangedRows { gone, come });
        let others = rows_by_key(files.rows.clone(), keys, on, JoinType::LeftAnti)?;
        let others = shaped(others, schema)?;
        let rows = LogicalPlanBuilder::from(others).union(self.rows(new)?)?.build()?;
        let (keys, kept, rows) = (keys.num_rows(), files.kept, rows.into());
        let replaced = ReplacedRows { keys, columns, kept, rows, changed };
        Ok(Some(KeyedRows::Replaced(Box::new(replaced))))
    }
}

/// A plan that reads all of a content.
pub(super) fn scan_of(content: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    LogicalPlanBuilder::scan("__mep_content", provider_as_source(content), None)?.build()
}

/// A table of these rows.
fn in_memory(rows: &RecordBatch) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows.clone()]])?))
}

/// The columns that tell groups apart.
fn keys_of_groups(merges: &[Merge], schema: &SchemaRef) -> Vec<String> {
    let columns = schema.fields().iter().zip(merges).filter(|(_, merge)| **merge == Merge::Key);
    columns.map(|(field, _)| field.name().clone()).collect()
}

fn positions(columns: &[String], schema: &SchemaRef) -> Result<Vec<usize>> {
    columns.iter().map(|name| Ok(schema.index_of(name)?)).collect()
}

/// The columns of a table that a plan reads, by place; `None` where it does not read the table.
fn columns_read(plan: &LogicalPlan, relation: &Relation) -> Result<Option<BTreeSet<usize>>> {
    let mut read: Option<BTreeSet<usize>> = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && scan.table_name.schema() == relation.schema.as_deref()
            && scan.table_name.table() == relation.name
        {
            let read = read.get_or_insert_default();
            match &scan.projection {
                Some(columns) => read.extend(columns.iter().copied()),
                None => read.extend(0..scan.source.schema().fields().len()),
            }
        }
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    })?;
    Ok(read)
}

/// What of a table is not as it was in the columns that are read; `None` where all is.
fn rows_that_differ(
    before: Arc<dyn TableProvider>,
    gone: Arc<dyn TableProvider>,
    come: Arc<dyn TableProvider>,
    read: &BTreeSet<usize>,
    collect: &mut RunPlan<'_>,
) -> Result<Option<ChangedTable>> {
    let schema = before.schema();
    let of_read = |table: Arc<dyn TableProvider>| {
        let scan = scan_of(table)?;
        let columns = schema.fields().iter().enumerate().map(|(at, field)| {
            let is_read = read.contains(&at);
            let null = || Ok::<_, DataFusionError>(lit(ScalarValue::try_new_null(field.data_type())?));
            let column = Expr::Column(Column::from(scan.schema().qualified_field(at)));
            Ok(if is_read { column } else { null()? }.alias(field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(scan).project(columns)?.build()
    };
    let differing = differing_rows(of_read(gone.clone())?, of_read(come.clone())?)?;
    let differing = collect(LogicalPlanBuilder::from(differing).limit(0, Some(KEYS + 1))?.build()?)?;
    if differing.iter().map(RecordBatch::num_rows).sum::<usize>() > KEYS {
        return Ok(Some(ChangedTable { before, gone: Some(gone), come: Some(come) }));
    }
    let (mut came, mut went) = (Vec::new(), Vec::new());
    for batch in differing.iter().filter(|batch| batch.num_rows() > 0) {
        let (come, gone) = by_sign(&schema, batch)?;
        came.push(come);
        went.push(gone);
    }
    let content = |rows: Vec<RecordBatch>| -> Result<Option<Arc<dyn TableProvider>>> {
        if rows.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(None);
        }
        Ok(Some(Arc::new(MemTable::try_new(schema.clone(), vec![rows])?)))
    };
    let (gone, come) = (content(went)?, content(came)?);
    let differs = gone.is_some() || come.is_some();
    Ok(differs.then_some(ChangedTable { before, gone, come }))
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The rows of a plan, where they are not more than are told apart.
fn told_apart(plan: LogicalPlan, collect: &mut RunPlan<'_>) -> Result<Option<RecordBatch>> {
    let asked = LogicalPlanBuilder::from(plan).limit(0, Some(KEYS + 1))?.build()?;
    let rows = batch(asked.schema().as_arrow().clone().into(), &collect(asked)?)?;
    Ok((rows.num_rows() <= KEYS).then_some(rows))
}

fn batch(schema: SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch> {
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    Ok(concat_batches(&schema, batches)?)
}

/// The columns of a plan that can be a key: those that are stored as what they are, and whose values are equal only where they are
/// the same.
fn keys_of(plan: &LogicalPlan, schema: &SchemaRef) -> Wanted {
    let columns = all_columns(plan);
    let fields = plan.schema().fields().iter();
    let is_key = |(column, name, data_type): (Option<Expr>, &String, &DataType)| {
        let stored = schema.field_with_name(name).ok()?.data_type();
        let is_same = stored == data_type || (stored.is_string() && data_type.is_string());
        column.filter(|_| is_same && is_exact_type(data_type))
    };
    columns
        .into_iter()
        .zip(fields)
        .map(|(column, field)| is_key((column, field.name(), field.data_type())))
        .collect()
}

/// Whether rows are grouped or numbered, which takes more than to read them.
fn has_groups(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| {
        Ok(matches!(node, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Distinct(_)))
    })
}

/// Whether what takes so much is worth it where all takes so much.
fn is_worth(part: u64, whole: u64) -> bool {
    part <= whole / 4 * 3 || mep_core::fail_point::is_always("by-key")
}

impl Engine {
    /// What a plan that is made of optimized ones reads of published tables, in bytes, with what it takes to open files. Rows of which those of some keys are taken at once
    /// cost less: nothing is made of the others.
    fn cost(&self, plan: &LogicalPlan) -> Result<u64> {
        let plan = self.scope().with_scans_optimized(plan.clone())?;
        let state = self.scope().state();
        let mut bytes = 0;
        // A node is met before those below it, so a scan is known for one of keys by then; it is told by where it lies.
        let mut of_keys = HashSet::new();
        plan.apply_with_subqueries(|node| {
            of_keys.extend(scan_of_keys(node).map(std::ptr::from_ref::<TableScan>));
            if let LogicalPlan::TableScan(scan) = node {
                let (read, opened) = cost_of_scan(scan, &state)?;
                let less = if of_keys.contains(&std::ptr::from_ref(scan)) { read / 4 * 3 } else { 0 };
                bytes += read - less + opened;
            }
            Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
        })?;
        Ok(bytes)
    }
}

/// The scan of which a node takes the rows of some keys.
fn scan_of_keys(node: &LogicalPlan) -> Option<&TableScan> {
    let LogicalPlan::Join(join) = node else { return None };
    let are_keys =
        matches!(join.right.as_ref(), LogicalPlan::TableScan(scan) if scan.table_name.table() == KEYS_TABLE);
    let mut rows = join.left.as_ref();
    while let LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) = rows {
        rows = rows.inputs().first()?;
    }
    match rows {
        LogicalPlan::TableScan(scan) if are_keys && join.join_type == JoinType::LeftSemi => Some(scan),
        _ => None,
    }
}

/// The bytes that a scan reads, and what it takes to open the files.
fn cost_of_scan(scan: &TableScan, state: &dyn Session) -> Result<(u64, u64)> {
    let Ok(provider) = source_as_provider(&scan.source) else { return Ok((0, 0)) };
    let Some(table) = provider.downcast_ref::<PublishedTable>() else { return Ok((0, 0)) };
    let (files, bytes) = table.files_and_bytes(state, &scan.filters)?;
    let all = scan.source.schema().fields().len().max(1) as u64;
    let read = scan.projection.as_ref().map_or(all, |columns| columns.len() as u64);
    if scan.projection.as_ref().is_some_and(|columns| table.has_only_partition_columns(columns)) {
        return Ok((0, 0));
    }
    Ok((bytes.saturating_mul(read) / all, files * DataFile::OPENING))
}
