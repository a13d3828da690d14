//! The end of a landing: what was written becomes visible in one step, with the record of it, unless too little of it could be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::share::{LandingCounts, Share};
use super::{Landed, Landing, LandingError};
use crate::rejects::{FirstRejects, TooManyRejected};
use mep_contract::source::{BATCH, LandingTable, READING_RULES, RejectedRows, SchemaError};
use mep_contract::warehouse::BuildFolder;
use mep_contract::warehouse::{
    Batch, ColumnVersions, Content, Inputs, LandedUnit, Ledger, Partition, PartitionKey, Presentation,
    SharedFiles, TableVersion, WrittenFiles,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRanges;
use mep_plan::rejects::{Rejects, is_past};
use mep_plan::{BatchVersions, ShortUnit, content_version, cut_version, kept_columns, kept_version};
use mep_sql::stored_schema;

/// Of so many rows, some can be read where a unit is what is declared.
const ENOUGH_ROWS: u64 = 10;

impl Landing<'_> {
    pub(super) fn publish(
        &self,
        share: Share,
        short: Vec<ShortUnit>,
    ) -> Result<(Landed, TableVersion), LandingError> {
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

    /// Writes anew what is left of the files that partitions shared with some that are gone.
    pub(super) fn settle(
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
