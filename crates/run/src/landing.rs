//! Landing: bringing units of a source into its raw table, each exactly once.
//!
//! Threads take pieces of units and write them by partition (event date, batch); small ones share files. Then one publish makes all of it
//! visible together with the record of what was landed. Rejects are published just before: a batch that is not in the
//! record does not count, and the next landing takes its rejects away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, Scalar, StringArray,
};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::lt_eq;
use arrow::datatypes::{Date32Type, SchemaRef};
use chrono::NaiveDate;
use parking_lot::Mutex;

use super::landed_columns::LandedColumns;
use super::landed_files::{LandedFiles, sharing};
use super::rejects::{FirstRejects, TooManyRejected};
use mep_contract::source::{
    BATCH, EVENT_DATE, LandingTable, READING_RULES, ReceiveError, Reject, RejectedRows, SchemaError, Source,
    SourceError, SourceItem, Unit, UnitReader,
};
use mep_contract::warehouse::BuildFolder;
use mep_contract::warehouse::{
    Batch, ColumnVersions, Content, Inputs, LandedUnit, Ledger, Partition, PartitionKey, Presentation, RunId,
    SharedFiles, Spread, TableVersion, Warehouse, WarehouseError, WriteError, WriteTarget, WrittenFiles,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRanges;
use mep_lang::project::{Column, MaxRejected};
use mep_plan::rejects::{Rejects, is_past};
use mep_plan::{
    BatchVersions, ShortUnit, UnitContent, content_version, cut_version, kept_columns, kept_version,
    short_units,
};
use mep_sql::stored_schema;

/// Rejects are written in batches of this many.
const REJECT_ROWS: usize = 4096;

/// Of so many rows, some can be read where a unit is what is declared.
const ENOUGH_ROWS: u64 = 10;

/// Why a landing failed. Nothing of it is visible then.
#[derive(Debug, thiserror::Error)]
pub enum LandingError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The rows cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The warehouse cannot be read or written.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// Rows are not of the declared schema.
    #[error("rows do not fit the declared schema: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Rows were lost or doubled on the way, which is a defect of mep: nothing was published.
    #[error(
        "`{unit}`: {read} rows were read, but {landed} landed, {rejected} were rejected and {withheld} wait"
    )]
    Miscounted {
        /// The unit.
        unit: String,
        /// Rows read.
        read: u64,
        /// Rows landed.
        landed: u64,
        /// Rows rejected.
        rejected: u64,
        /// Rows of later days.
        withheld: u64,
    },
    /// The landed table cannot be read back.
    #[error("the landed table cannot be read: {0}")]
    Unreadable(String),
    /// The declared schema cannot be landed.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// More rows are rejected than the project lets pass.
    #[error("{0}")]
    TooManyRejected(#[from] TooManyRejected),
    /// No row of a unit can be read, so that it is most likely something else than what is declared.
    #[error(
        "none of the {rows} rows of {unit} can be read, so that it is hardly what is declared; line {line}: {reason}. Nothing was landed. Say what the files are (`format: csv`, ...) or mend the columns; to let such files pass as rejects, say `max_rejected: 100%` at the source table"
    )]
    NothingReadable {
        /// The unit.
        unit: String,
        /// Its rows.
        rows: u64,
        /// The first row that is rejected.
        line: u64,
        /// Why it is.
        reason: String,
    },
    /// Rows that waited for a later run are no longer there.
    #[error(
        "{withheld} rows of {unit} waited for a later --date, and the source gives {now} of its {before} rows by now. Nothing was landed. To go on without them, run once with `on_lost_offsets: accept` at the source table"
    )]
    WaitedInVain {
        /// The unit.
        unit: String,
        /// Rows that waited.
        withheld: u64,
        /// Rows that are read by now.
        now: u64,
        /// Rows that were read.
        before: u64,
    },
    /// The user asked the run to end.
    #[error("interrupted; nothing of it was landed")]
    Interrupted,
}

/// What a landing brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Landed {
    /// Units landed.
    pub units: usize,
    /// Rows read.
    pub read: u64,
    /// Rows landed.
    pub landed: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// Rows of later days, left for a later run.
    pub withheld: u64,
    /// Bytes of the new files.
    pub bytes: u64,
    /// Units that gave fewer rows than were landed of them, so that their batches stay as they are.
    pub short: Vec<ShortUnit>,
}

/// One landing.
pub struct Landing<'a> {
    /// Where to.
    pub warehouse: &'a dyn Warehouse,
    /// The tables.
    pub table: &'a LandingTable,
    /// Where from.
    pub source: &'a dyn Source,
    /// What.
    pub units: &'a [Unit],
    /// The columns as they are declared, for messages.
    pub declared: &'a [Column],
    /// What other readers are shown beside the landed rows.
    pub presentation: &'a Presentation,
    /// What the warehouse holds of the landed table.
    pub landed: Option<&'a TableVersion>,
    /// The run.
    pub run: &'a RunId,
    /// The last day of which rows are landed, where there is one.
    pub until: Option<NaiveDate>,
    /// How many rows may be rejected.
    pub max_rejected: Option<MaxRejected>,
    /// How many threads.
    pub threads: usize,
    /// Told of the rows as they come.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// The units as threads share them: each is opened once, and read by one thread at a time.
struct UnitQueue<'a> {
    source: &'a dyn Source,
    units: &'a [Unit],
    next: Mutex<usize>,
    open: Mutex<Vec<(usize, SharedReader)>>,
}

/// A unit that is being read; `None` once it has ended.
type SharedReader = Arc<Mutex<Option<Box<dyn UnitReader>>>>;

impl<'a> UnitQueue<'a> {
    fn new(source: &'a dyn Source, units: &'a [Unit]) -> Self {
        Self { source, units, next: Mutex::new(0), open: Mutex::new(Vec::new()) }
    }

    /// A unit that no thread has begun, else one that another thread is reading.
    fn take(&self) -> Result<Option<(usize, SharedReader)>, SourceError> {
        let begun = {
            let mut next = self.next.lock();
            let index = *next;
            *next += usize::from(index < self.units.len());
            index
        };
        if let Some(unit) = self.units.get(begun) {
            let reader: SharedReader = Arc::new(Mutex::new(Some(self.source.open(unit)?)));
            self.open.lock().push((begun, reader.clone()));
            return Ok(Some((begun, reader)));
        }
        Ok(self.open.lock().first().cloned())
    }

    fn done(&self, index: usize) {
        self.open.lock().retain(|(open, _)| *open != index);
    }
}

#[derive(Clone, Copy, Default)]
struct LandingCounts {
    read: u64,
    landed: u64,
    rejected: u64,
    rejected_rows: RejectedRows,
    withheld: u64,
}

/// What one thread wrote.
#[derive(Default)]
struct Share {
    rows: WrittenFiles,
    rejects: WrittenFiles,
    counts: BTreeMap<usize, LandingCounts>,
    columns: LandedColumns,
    /// What the readers of units that ended here said of their end.
    marks: BTreeMap<usize, String>,
    /// The schemas that the readers of such units read by.
    schemas: BTreeMap<usize, String>,
    first_rejects: FirstRejects,
    /// Of each unit, the rejected row that comes first.
    first_of_unit: BTreeMap<usize, (u64, String)>,
}

impl Share {
    /// This row of a unit was rejected.
    fn note_first(&mut self, unit: usize, line: u64, reason: &str) {
        if self.first_of_unit.get(&unit).is_none_or(|(first, _)| line < *first) {
            self.first_of_unit.insert(unit, (line, reason.to_owned()));
        }
    }
}

impl Landing<'_> {
    /// Lands the units and publishes them. Says what the user should know of the rows, too.
    ///
    /// # Errors
    /// Where something fails; nothing is visible then.
    pub fn land(&self) -> Result<(Landed, TableVersion, Vec<String>), LandingError> {
        mep_core::fail_point::reached("landing-before-read");
        let feed = UnitQueue::new(self.source, self.units);
        let sharing = sharing(self.units, self.warehouse);
        let shares: Vec<Result<Share, LandingError>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads.max(1))
                .map(|index| {
                    let (feed, sharing) = (&feed, &sharing);
                    scope.spawn(move || self.work(feed, sharing, index))
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut all = Share::default();
        for share in shares {
            let share = share?;
            merge(&mut all.rows, share.rows);
            merge(&mut all.rejects, share.rejects);
            all.marks.extend(share.marks);
            all.schemas.extend(share.schemas);
            all.first_rejects.add_all(share.first_rejects);
            all.columns.merge(&share.columns);
            for (unit, (line, reason)) in &share.first_of_unit {
                all.note_first(*unit, *line, reason);
            }
            for (unit, counts) in share.counts {
                let total = all.counts.entry(unit).or_default();
                total.read += counts.read;
                total.landed += counts.landed;
                total.rejected += counts.rejected;
                total.rejected_rows.add_all(counts.rejected_rows);
                total.withheld += counts.withheld;
            }
        }
        let is_new = match self.landed {
            Some(landed) => landed.schema != self.table.table_schema()?,
            None => true,
        };
        let undeclared = self.source.undeclared();
        let beside = self.source.beside_a_row();
        let warnings = all.columns.warnings(&self.table.schema, self.declared, is_new, &undeclared, beside);
        let short = self.leave_out_short(&mut all)?;
        let (landed, table) = self.publish(all, short)?;
        Ok((landed, table, warnings))
    }

    /// Finds the units that gave fewer rows than were landed of them. What was written of their batches is left out: the
    /// batches stay as they are.
    fn leave_out_short(&self, all: &mut Share) -> Result<Vec<ShortUnit>, LandingError> {
        let index_of: BTreeMap<&str, usize> =
            self.units.iter().enumerate().map(|(index, unit)| (unit.id.as_str(), index)).collect();
        let mut read = |unit: &Unit| {
            let index = index_of.get(unit.id.as_str())?;
            Some(all.counts.get(index).copied().unwrap_or_default().read)
        };
        let short = short_units(self.units.iter(), self.landed, &mut read);
        if let Some(unit) = short.iter().find(|unit| unit.withheld > 0 && !self.source.accepts_lost()) {
            let ShortUnit { id, withheld, now, before, .. } = unit.clone();
            return Err(LandingError::WaitedInVain { unit: id, withheld, now, before });
        }
        let batches: BTreeSet<&str> = short.iter().map(|unit| unit.batch.as_str()).collect();
        let is_landed = |key: &PartitionKey| !batches.contains(key.batch().unwrap_or_default());
        all.rows.retain(|key, _| is_landed(key));
        all.rejects.retain(|key, _| is_landed(key));
        let kept = self.units.iter().filter(|unit| batches.contains(self.batch_of(unit)));
        all.first_rejects.leave_out(&kept.map(|unit| unit.id.as_str()).collect());
        Ok(short)
    }

    /// Lands units until none are left. Those that are `sharing` have files together.
    fn work(&self, feed: &UnitQueue<'_>, sharing: &[bool], index: usize) -> Result<Share, LandingError> {
        let mut rows = self.writer(
            &self.table.raw,
            self.table.written_schema()?,
            self.table.partition_columns(),
            index,
        )?;
        let mut rejects =
            self.writer(&self.table.rejects, LandingTable::reject_schema(), vec![BATCH.to_owned()], index)?;
        let mut share = Share::default();
        let mut pending: Vec<Reject> = Vec::new();
        while let Some((unit, reader)) = feed.take()? {
            let batch = self.batch_of(&self.units[unit]);
            let is_shared = sharing.get(unit).copied().unwrap_or_default();
            loop {
                let piece = {
                    let mut guard = reader.lock();
                    match guard.as_mut() {
                        None => None,
                        Some(open) => {
                            let piece = open.next()?;
                            if piece.is_none() {
                                share.marks.extend(open.mark().map(|mark| (unit, mark)));
                                share.schemas.extend(open.schemas().map(|schemas| (unit, schemas)));
                                *guard = None;
                            }
                            piece
                        }
                    }
                };
                let Some(piece) = piece else { break };
                let mut first: Option<(u64, String)> = None;
                let counts = share.counts.entry(unit).or_default();
                let first_rejects = &mut share.first_rejects;
                counts.read += piece.read(&mut |item| {
                    match item {
                        SourceItem::Rows(batch_rows) => {
                            share.columns.add(&batch_rows, &self.table.schema);
                            let written = self.write_rows(&mut rows, &batch_rows, batch, is_shared);
                            let landed = *written.as_ref().unwrap_or(&0);
                            counts.landed += landed;
                            counts.withheld += batch_rows.num_rows() as u64 - landed;
                            (self.progress)(landed);
                            written.map(|_| ())
                        }
                        SourceItem::Reject(reject) => {
                            counts.rejected += 1;
                            counts.rejected_rows.add(&reject);
                            first_rejects.add(&reject);
                            let line = reject.line.unwrap_or_default();
                            if first.as_ref().is_none_or(|(first, _)| line < *first) {
                                first = Some((line, reject.reason.clone()));
                            }
                            pending.push(reject);
                            if pending.len() < REJECT_ROWS {
                                return Ok(());
                            }
                            write_rejects(&mut rejects, &mut pending, batch, is_shared)
                        }
                    }
                    .map_err(|error| ReceiveError(Box::new(error)))
                })?;
                if let Some((line, reason)) = first {
                    share.note_first(unit, line, &reason);
                }
                mep_core::fail_point::reached("landing-after-piece");
                if mep_core::interrupt::is_requested() {
                    return Err(LandingError::Interrupted);
                }
            }
            write_rejects(&mut rejects, &mut pending, batch, is_shared)?;
            feed.done(unit);
            share.counts.entry(unit).or_default();
        }
        share.rows = rows.finish()?;
        share.rejects = rejects.finish()?;
        Ok(share)
    }

    fn batch_of<'u>(&'u self, unit: &'u Unit) -> &'u str {
        unit.batch.as_deref().unwrap_or_else(|| self.run.as_str())
    }

    fn writer(
        &self,
        relation: &Relation,
        schema: SchemaRef,
        partition_columns: Vec<String>,
        index: usize,
    ) -> Result<LandedFiles, LandingError> {
        let target = WriteTarget {
            table_folder: self.warehouse.table_folder(relation),
            folder: BuildFolder::of(self.run),
            schema,
            partition_columns,
            spread: Spread::Threads,
        };
        Ok(LandedFiles::new(target, index)?)
    }

    /// Writes anew what is left of the files that partitions shared with some that are gone.
    fn settle(
        &self,
        relation: &Relation,
        partition_columns: Vec<String>,
        partitions: &mut BTreeMap<PartitionKey, Partition>,
    ) -> Result<u64, LandingError> {
        let files = SharedFiles {
            table_folder: self.warehouse.table_folder(relation),
            folder: BuildFolder::of(self.run),
            partition_columns,
            name: "rest".to_owned(),
        };
        Ok(files.settle(partitions)?)
    }

    /// Writes the rows that are not of a day after the last one, and says how many those are.
    fn write_rows(
        &self,
        writer: &mut LandedFiles,
        rows: &RecordBatch,
        batch: &str,
        is_shared: bool,
    ) -> Result<u64, LandingError> {
        let mut columns = rows.columns().to_vec();
        columns.extend(self.table.partition_arrays(rows, batch)?);
        let mut landed = RecordBatch::try_new(self.table.written_schema()?, columns)?;
        if let (Some(until), Some(days)) = (self.until, landed.column_by_name(EVENT_DATE)) {
            let last = Scalar::new(Date32Array::from(vec![Date32Type::from_naive_date(until)]));
            let is_due = lt_eq(days, &last)?;
            landed = filter_record_batch(&landed, &is_due)?;
        }
        writer.write(&landed, batch, is_shared)?;
        Ok(landed.num_rows() as u64)
    }

    fn publish(&self, share: Share, short: Vec<ShortUnit>) -> Result<(Landed, TableVersion), LandingError> {
        let fingerprint = self.table.fingerprint();
        let mut landed = Landed::default();
        let kept_batches: BTreeSet<&str> = short.iter().map(|unit| unit.batch.as_str()).collect();
        let mut batches: BTreeMap<String, Batch> = BTreeMap::new();
        let mut rejected_rows: BTreeMap<&str, RejectedRows> = BTreeMap::new();
        let units = self.units.iter().enumerate();
        for (index, unit) in units.filter(|(_, unit)| !kept_batches.contains(self.batch_of(unit))) {
            landed.units += 1;
            let LandingCounts { read, landed: rows, rejected, rejected_rows: of_unit, withheld } =
                share.counts.get(&index).copied().unwrap_or_default();
            rejected_rows.insert(&unit.id, of_unit);
            if read != rows + rejected + withheld {
                let unit = unit.id.clone();
                return Err(LandingError::Miscounted { unit, read, landed: rows, rejected, withheld });
            }
            landed.read += read;
            landed.landed += rows;
            landed.rejected += rejected;
            landed.withheld += withheld;
            let version = match self.until.filter(|_| withheld > 0) {
                Some(until) => cut_version(&unit.version, until),
                None => unit.version.clone(),
            };
            let id = unit.id.clone();
            let mark = share.marks.get(&index).cloned();
            let schemas = share.schemas.get(&index).cloned();
            let rejected_by = (rejected > 0).then_some(READING_RULES);
            let record = LandedUnit {
                id,
                version,
                read,
                landed: rows,
                rejected,
                withheld,
                mark,
                schemas,
                rejected_by,
                is_short: false,
            };
            let batch = batches.entry(self.batch_of(unit).to_owned()).or_insert_with(|| Batch {
                run: self.run.clone(),
                fingerprint: fingerprint.clone(),
                units: Vec::new(),
            });
            batch.units.push(record);
        }
        self.check_readable(&share)?;
        let record = self.record(&batches, &short);
        self.check_rejected(&landed, &record, &share.first_rejects)?;
        let (rows, rejects) = (share.rows, share.rejects);
        landed.bytes = rows.values().chain(rejects.values()).flatten().map(|file| file.bytes).sum();
        let known = self.landed;
        let landed_before: BTreeSet<&str> =
            known.into_iter().flat_map(TableVersion::batches).map(|(name, _)| name.as_str()).collect();
        let versions: BTreeMap<&str, BatchVersions> = batches
            .iter()
            .map(|(name, batch)| {
                let units: Vec<(&str, String, RejectedRows)> = batch
                    .units
                    .iter()
                    .map(|unit| {
                        let rejected = rejected_rows.get(unit.id.as_str()).copied().unwrap_or_default();
                        let version = content_version(&unit.version, unit.schemas.as_deref());
                        (unit.id.as_str(), version, rejected)
                    })
                    .collect();
                let units = units.iter().map(|(id, version, rejected)| (*id, version.as_str(), *rejected));
                (name.as_str(), BatchVersions::of(self.table, units))
            })
            .collect();
        let rejects_before = self.warehouse.read(&self.table.rejects)?;
        if !rejects.is_empty() || rejects_before.is_some() {
            let kept = Self::kept(rejects_before.as_ref(), |batch| {
                landed_before.contains(batch) && !batches.contains_key(batch)
            });
            // Why a row is rejected, any declared column may decide.
            let versions = versions.iter().map(|(name, versions)| {
                (*name, BatchVersions { columns: ColumnVersions::default(), ..versions.clone() })
            });
            let mut partitions = self.partitions(kept, rejects, &versions.collect(), &fingerprint);
            landed.bytes += self.settle(&self.table.rejects, vec![BATCH.to_owned()], &mut partitions)?;
            let schema = LandingTable::reject_schema();
            let schema = stored_schema(&schema, &[BATCH.to_owned()]).map_err(SchemaError::Unstorable)?;
            let content = Content::Table {
                partition_columns: vec![BATCH.to_owned()],
                partitions,
                batches: BTreeMap::new(),
            };
            let table = TableVersion::new(schema, content, self.run.clone());
            self.warehouse.publish(&self.table.rejects, &table, &Presentation::default())?;
        }
        mep_core::fail_point::reached("landing-before-publish");
        let schema = self.table.table_schema()?;
        let mut kept = Self::kept(known, |batch| !batches.contains_key(batch));
        if let Some(before) = known.filter(|known| known.schema != schema) {
            for partition in kept.values_mut() {
                let ledger = Arc::make_mut(&mut partition.ledger);
                ledger.columns = kept_columns(&ledger.columns, &before.schema, &schema);
                ledger.version = kept_version(&ledger.version, &before.schema, &schema);
            }
        }
        let mut partitions = self.partitions(kept, rows, &versions, &fingerprint);
        landed.bytes += self.settle(&self.table.raw, self.table.partition_columns(), &mut partitions)?;
        let content =
            Content::Table { partition_columns: self.table.partition_columns(), partitions, batches: record };
        let table = TableVersion::new(schema, content, self.run.clone());
        self.warehouse.publish(&self.table.raw, &table, self.presentation)?;
        landed.short = short;
        Ok((landed, table))
    }

    /// What will have been landed: what was before, with these batches in place of theirs, and a note at what cannot be read
    /// again.
    fn record(&self, batches: &BTreeMap<String, Batch>, short: &[ShortUnit]) -> BTreeMap<String, Batch> {
        let before = self.landed.into_iter().flat_map(TableVersion::batches);
        let mut record: BTreeMap<String, Batch> =
            before.map(|(name, batch)| (name.clone(), batch.clone())).collect();
        for unit in short {
            let units = record.get_mut(&unit.batch).into_iter().flat_map(|batch| &mut batch.units);
            for noted in units.filter(|noted| noted.id == unit.id) {
                noted.is_short = true;
            }
        }
        record.extend(batches.iter().map(|(name, batch)| (name.clone(), batch.clone())));
        record
    }

    /// Where no limit is said, a unit of some size has rows that can be read.
    fn check_readable(&self, share: &Share) -> Result<(), LandingError> {
        if self.max_rejected.is_some() || !self.source.refuses_all_rejected() {
            return Ok(());
        }
        for (index, counts) in &share.counts {
            let nothing_is_read = counts.read >= ENOUGH_ROWS && counts.rejected == counts.read;
            if let (true, Some(unit)) = (nothing_is_read, self.units.get(*index)) {
                let (line, reason) = share.first_of_unit.get(index).cloned().unwrap_or_default();
                let (unit, rows) = (unit.id.clone(), counts.read);
                return Err(LandingError::NothingReadable { unit, rows, line, reason });
            }
        }
        Ok(())
    }

    fn check_rejected(
        &self,
        landed: &Landed,
        record: &BTreeMap<String, Batch>,
        first: &FirstRejects,
    ) -> Result<(), TooManyRejected> {
        let Some(limit) = self.max_rejected else { return Ok(()) };
        let landing = Rejects { read: landed.read, rejected: landed.rejected };
        let all = Rejects::of_units(record.values().flat_map(|batch| &batch.units));
        if is_past(limit, landing, all) {
            return Err(TooManyRejected::landing(limit, landing, all, first));
        }
        Ok(())
    }

    /// The stored partitions whose batch, the last of their values, is kept.
    fn kept(table: Option<&TableVersion>, keep: impl Fn(&str) -> bool) -> BTreeMap<PartitionKey, Partition> {
        table
            .iter()
            .flat_map(|table| table.partitions())
            // What was loaded as a whole, before its columns were declared, has no batch.
            .filter(|(key, _)| key.batch().is_some_and(&keep))
            .map(|(key, partition)| (key.clone(), partition.clone()))
            .collect()
    }

    fn partitions(
        &self,
        mut partitions: BTreeMap<PartitionKey, Partition>,
        written: WrittenFiles,
        versions: &BTreeMap<&str, BatchVersions>,
        fingerprint: &Fingerprint,
    ) -> BTreeMap<PartitionKey, Partition> {
        for (key, files) in written {
            let batch = key.batch().unwrap_or_default();
            let Some(BatchVersions { version, columns }) = versions.get(batch) else { continue };
            let ledger = Ledger {
                run: self.run.clone(),
                fingerprint: fingerprint.clone(),
                inputs: Inputs::default(),
                version: version.clone(),
                done: TimeRanges::default(),
                columns: columns.clone(),
            };
            partitions.insert(key, Partition { files: files.into(), ledger: ledger.into() });
        }
        partitions
    }
}

fn merge(all: &mut WrittenFiles, more: WrittenFiles) {
    for (key, mut files) in more {
        all.entry(key).or_default().append(&mut files);
    }
}

fn write_rejects(
    writer: &mut LandedFiles,
    pending: &mut Vec<Reject>,
    batch: &str,
    is_shared: bool,
) -> Result<(), LandingError> {
    if pending.is_empty() {
        return Ok(());
    }
    let rejects = || pending.iter();
    let messages = || rejects().map(|reject| reject.message.as_ref());
    let text =
        |of: fn(&Reject) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rejects().map(of))) };
    let lines: Int64Array = rejects().map(|reject| reject.line.map(|line| line as i64)).collect();
    let topics: StringArray = messages().map(|message| message.map(|message| &*message.topic)).collect();
    let partitions: Int32Array = messages().map(|message| message.map(|message| message.partition)).collect();
    let offsets: Int64Array = messages().map(|message| message.map(|message| message.offset)).collect();
    let columns: Vec<ArrayRef> = vec![
        text(|reject| &reject.unit),
        Arc::new(lines),
        Arc::new(topics),
        Arc::new(partitions),
        Arc::new(offsets),
        text(|reject| &reject.reason),
        text(|reject| &reject.text),
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(batch, pending.len()))),
    ];
    writer.write(&RecordBatch::try_new(LandingTable::reject_schema(), columns)?, batch, is_shared)?;
    pending.clear();
    Ok(())
}

/// What a unit holds, for a plan that must name what it touches without landing it.
///
/// # Errors
/// Where the source cannot be read.
pub fn content_of(
    table: &LandingTable,
    source: &dyn Source,
    unit: &Unit,
) -> Result<UnitContent, LandingError> {
    let mut days = BTreeSet::new();
    let (mut rejected, mut rejects, mut read) = (RejectedRows::default(), 0, 0);
    let mut reader = source.open(unit)?;
    while let Some(piece) = reader.next()? {
        read += piece.read(&mut |item| {
            match item {
                SourceItem::Rows(rows) => {
                    let dates = table.schema.event_dates(&rows);
                    let dates = dates.map_err(|error| ReceiveError(Box::new(error)))?;
                    if let Some(dates) = dates {
                        days.extend(dates.as_primitive::<Date32Type>().iter().flatten());
                    }
                }
                SourceItem::Reject(reject) => {
                    rejected.add(&reject);
                    rejects += 1;
                }
            }
            Ok(())
        })?;
    }
    let days = days.into_iter().filter_map(Date32Type::to_naive_date_opt).collect();
    Ok(UnitContent { days, rejected, rejects, read, schemas: reader.schemas() })
}
