//! Landing: bringing units of a source into its raw table, each exactly once.
//!
//! Threads take pieces of units and write them by partition (event date, batch); small ones share files. Then one publish makes all of it
//! visible together with the record of what was landed. Rejects are published just before: a batch that is not in the
//! record does not count, and the next landing takes its rejects away.

mod error;
mod publishing;
mod reading;
mod seen;
mod share;
mod unit_queue;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::landed_files::sharing;
use mep_contract::source::{LandingTable, Source, Unit};
use mep_contract::warehouse::{PartitionKey, Presentation, RunId, TableVersion, Warehouse};
use mep_lang::project::{Column, MaxRejected};
use mep_plan::{ShortUnit, short_units};

pub use error::LandingError;
pub use seen::content_of;
use share::{Share, merge};
use unit_queue::UnitQueue;

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

    fn batch_of<'u>(&'u self, unit: &'u Unit) -> &'u str {
        unit.batch.as_deref().unwrap_or_else(|| self.run.as_str())
    }
}
