//! What each thread of a landing does: it takes pieces of units, and writes their rows and rejects.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch, Scalar, StringArray};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::lt_eq;
use arrow::datatypes::{Date32Type, SchemaRef};

use super::share::Share;
use super::unit_queue::UnitQueue;
use super::{Landing, LandingError};
use crate::landed_files::LandedFiles;
use mep_contract::source::{BATCH, EVENT_DATE, LandingTable, ReceiveError, Reject, SourceItem};
use mep_contract::warehouse::BuildFolder;
use mep_contract::warehouse::{Spread, WriteTarget};
use mep_core::relation::Relation;

/// Rejects are written in batches of this many.
const REJECT_ROWS: usize = 4096;

impl Landing<'_> {
    /// Lands units until none are left. Those that are `sharing` have files together.
    pub(super) fn work(
        &self,
        feed: &UnitQueue<'_>,
        sharing: &[bool],
        index: usize,
    ) -> Result<Share, LandingError> {
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
