//! Taking a snapshot: what changed since the last look at the source becomes versions of rows.
//!
//! The versions that end and begin are written first, and then the stored ones without those that end; one publish
//! points the table at both. Where nothing changed, no row is written, and the ledger alone notes what was looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use chrono::Utc;

use super::build::{BuildCounts, BuildError, Built, TableBuild};
use super::increment::{joined, partitions};
use mep_contract::warehouse::{Ledger, Partition, PartitionKey, TableVersion, Version};
use mep_core::relation::Relation;
use mep_plan::PartitionBuild;
use mep_sql::snapshot::{SnapshotQuery, StoredVersions};

impl TableBuild<'_> {
    /// Looks at the source and keeps what changed.
    ///
    /// # Errors
    /// Where the query fails, or a key is there twice; the old table is then still there.
    pub async fn snapshot(
        &self,
        query: &SnapshotQuery,
        build: &PartitionBuild,
        stored: Option<&TableVersion>,
    ) -> Result<Option<Built>, BuildError> {
        let now = Utc::now().timestamp_micros();
        let table = self.relation.to_string();
        let changes = match stored {
            Some(stored) => {
                let columns: Vec<String> =
                    stored.schema.fields().iter().map(|field| field.name().clone()).collect();
                query.changes(StoredVersions { table: &table, columns: &columns }, now)
            }
            None => query.first(now),
        };
        // What such a table holds depends on its own past, and so does its version.
        let version = Version::of([self.run.as_str(), &table]);
        let ledger = self.ledger(build.inputs.clone(), version);
        let mut new = self.written(&changes, "new", &ledger).await?;
        let written = BuildCounts::of(&new);
        let Some(stored) = stored else {
            self.check_keys(query, &new).await?;
            new.entry(PartitionKey::whole())
                .or_insert(Partition { files: Arc::default(), ledger: ledger.into() });
            return Ok(Some(self.built(new, written)));
        };
        if written.rows == 0 {
            return Ok(self.looked_at(build, stored));
        }
        let changes = self.check_keys(query, &new).await?;
        let kept = self.written(&query.kept(&table, &changes.to_string()), "kept", &ledger).await?;
        let all = joined(kept, new);
        let all = if self.warehouse.has_one_folder_a_partition() {
            self.gathered(all, "gathered").await?
        } else {
            all
        };
        Ok(Some(self.built(all, written)))
    }

    async fn written(
        &self,
        sql: &str,
        part: &str,
        ledger: &Ledger,
    ) -> Result<BTreeMap<PartitionKey, Partition>, BuildError> {
        Ok(partitions(self.engine.write(self.planned(sql)?, &self.output_of_part(part)).await?, ledger))
    }

    /// The rows are as they were: the same files, and a ledger of what they were compared with; `None` where that is noted.
    fn looked_at(&self, build: &PartitionBuild, stored: &TableVersion) -> Option<Built> {
        let looked_at = stored.partitions().map(|(key, partition)| {
            let mut partition = partition.clone();
            let ledger = Arc::make_mut(&mut partition.ledger);
            ledger.inputs = build.inputs.clone();
            ledger.fingerprint = self.fingerprint.clone();
            (key.clone(), partition)
        });
        let looked_at: BTreeMap<PartitionKey, Partition> = looked_at.collect();
        let is_noted = stored.partitions().all(|(key, partition)| looked_at.get(key) == Some(partition));
        if is_noted && stored.schema == *self.schema {
            return None;
        }
        Some(self.built(looked_at, BuildCounts::default()))
    }

    /// Makes what changed known to SQL, in which no key may have two current versions.
    async fn check_keys(
        &self,
        query: &SnapshotQuery,
        new: &BTreeMap<PartitionKey, Partition>,
    ) -> Result<Relation, BuildError> {
        let changes = self.register_aside("new", new.clone())?;
        let doubled = self.planned(&query.doubled(&changes.to_string()))?;
        let batches = self.engine.collect(doubled).await?;
        let keys: i64 = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().iter().flatten())
            .sum();
        match keys {
            0 => Ok(changes),
            _ => Err(BuildError::DoubledRow { columns: query.key.join(", "), keys: keys.unsigned_abs() }),
        }
    }
}
