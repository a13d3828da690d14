//! Publishing: from what the metastore holds of a relation to a table version, with one call that readers can notice.
//!
//! A view or unpartitioned table is one entry, so one call changes all of it. A partitioned table changes with one
//! `add_partitions` where partitions only come, and with one `alter_partitions` otherwise: those that are to come
//! are added before, pointing at an empty folder, and those that are to go point at it from then on and are dropped
//! after. So a reader sees the old partitions or the new ones. Wherever the process is killed, what is left behind are
//! partitions without rows, which mep takes for absent, and the next publish puts in order.

use std::collections::{BTreeMap, BTreeSet};

use hive_metastore::{FieldSchema, Partition as HivePartition, Table};
use pilota::FastStr;

use super::HiveWarehouse;
use super::columns::unreadable_change;
use super::entry::{EMPTY_FOLDER, RelationEntry, is_empty, key_of, location, records_batch};
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::partition::NULL_FOLDER;
use mep_contract::warehouse::presentation::Presentation;
use mep_contract::warehouse::{Batch, Content, PartitionKey, TableVersion};
use mep_core::fail_point;
use mep_core::relation::Relation;

/// One publish.
pub(super) struct Publish<'a> {
    pub(super) warehouse: &'a HiveWarehouse,
    pub(super) relation: &'a Relation,
    pub(super) table: &'a TableVersion,
    pub(super) presentation: &'a Presentation,
}

/// What is to be done with the partitions.
#[derive(Default)]
struct PartitionChanges {
    /// Not in the metastore yet, in their final form.
    add: Vec<HivePartition>,
    /// In the metastore, in their final form.
    alter: Vec<HivePartition>,
    /// In the metastore and of no table version any more: emptied, then dropped.
    remove: Vec<HivePartition>,
    /// Left over from a publish that was killed: without rows, and of no use.
    drop: Vec<HivePartition>,
}

impl PartitionChanges {
    /// Notes that a partition is to be as `new` says, where it is `old` by now.
    fn note(&mut self, old: Option<&HivePartition>, new: HivePartition) {
        match old {
            None => self.add.push(new),
            Some(old) if is_same(old, &new) => {}
            Some(_) => self.alter.push(new),
        }
    }
}

impl Publish<'_> {
    /// Publishes.
    ///
    /// # Errors
    /// Where readers could not read what is there any more, or a call fails.
    pub(super) fn run(&self) -> Result<(), WarehouseError> {
        for (key, _) in self.table.partitions() {
            check_values(key, self.table.partition_columns())?;
        }
        let metastore = &self.warehouse.metastore;
        let location = self.warehouse.location(self.relation);
        let entry = RelationEntry { relation: self.relation, location: &location };
        let new = entry.table(self.table, self.presentation)?;
        let stored = metastore.table(self.relation)?;
        if let Some(stored) = &stored {
            // A table that is not mep's is neither changed nor taken for missing.
            entry.read(stored, &[])?;
            self.check_change(stored, &new)?;
        } else {
            self.warehouse.create_schema(self.relation.schema.as_deref().unwrap_or("default"))?;
        }
        let needs_empty_folder = !self.table.partition_columns().is_empty() || self.table.rows() == 0;
        if needs_empty_folder && matches!(self.table.content, Content::Table { .. }) {
            let folder = self.warehouse.folder(self.relation);
            self.warehouse.hdfs.create_folder(&format!("{folder}/{EMPTY_FOLDER}"))?;
        }
        fail_point::reached("hive-before-table");
        match &stored {
            None => metastore.create_table(self.relation, &new)?,
            Some(stored) if is_same_entry(stored, &new) => {}
            Some(stored) => metastore.alter_table(self.relation, &onto(stored, new.clone()))?,
        }
        fail_point::reached("hive-after-table");
        if self.table.partition_columns().is_empty() {
            return Ok(());
        }
        let columns = new.sd.as_ref().and_then(|sd| sd.cols.as_deref()).unwrap_or_default();
        let there = match &stored {
            Some(stored) => metastore.partitions_of(self.relation, stored)?,
            None => Vec::new(),
        };
        let changes = self.changes(&entry, columns, there)?;
        self.apply(&entry, columns, changes)
    }

    /// Refuses a change that would leave readers with what they cannot read.
    fn check_change(&self, stored: &Table, new: &Table) -> Result<(), WarehouseError> {
        let refuse =
            |reason: String| Err(WarehouseError::HiveChange { relation: self.relation.to_string(), reason });
        let kind = |table: &Table| (is_view(table), names(table.partition_keys.as_deref()));
        let ((was_view, keys), (is_view, new_keys)) = (kind(stored), kind(new));
        if keys != new_keys || (was_view != is_view && !(keys.is_empty() && new_keys.is_empty())) {
            let form = |is_view: bool, keys: &[String]| match (is_view, keys) {
                (true, _) => "a view".to_owned(),
                (false, []) => "a table without partitions".to_owned(),
                (false, keys) => format!("a table partitioned by {}", keys.join(", ")),
            };
            return refuse(format!(
                "it is {} there and becomes {}",
                form(was_view, &keys),
                form(is_view, &new_keys)
            ));
        }
        // All of an unpartitioned table changes in one step, so that no stored file is read by other columns.
        if keys.is_empty() {
            return Ok(());
        }
        let changed = unreadable_change(columns_of(stored), columns_of(new)).or_else(|| {
            unreadable_change(
                stored.partition_keys.as_deref().unwrap_or_default(),
                new.partition_keys.as_deref().unwrap_or_default(),
            )
        });
        changed.map_or(Ok(()), refuse)
    }

    fn changes(
        &self,
        entry: &RelationEntry<'_>,
        columns: &[FieldSchema],
        there: Vec<HivePartition>,
    ) -> Result<PartitionChanges, WarehouseError> {
        let Content::Table { partitions, batches, .. } = &self.table.content else {
            return Ok(PartitionChanges::default());
        };
        let mut there: BTreeMap<PartitionKey, HivePartition> =
            there.into_iter().map(|partition| (key_of(&partition), partition)).collect();
        let mut changes = PartitionChanges::default();
        let mut recorded: BTreeSet<&str> = BTreeSet::new();
        for (key, partition) in partitions {
            let batch = batch_of(key, batches);
            recorded.extend(batch.map(|(name, _)| name.as_str()));
            let new = entry.partition(key, partition, columns, batch)?;
            changes.note(there.remove(key).as_ref(), new);
        }
        // A batch that brought no rows has no partition to be recorded with.
        for batch in batches.iter().filter(|(name, _)| !recorded.contains(name.as_str())) {
            let mut values = vec![None; self.table.partition_columns().len().saturating_sub(1)];
            values.push(Some(batch.0.clone()));
            let key = PartitionKey::new(values);
            let new = entry.empty_partition(&key, columns, Some(batch))?;
            changes.note(there.remove(&key).as_ref(), new);
        }
        for (key, partition) in there {
            if is_empty(&partition) && !records_batch(&partition) {
                changes.drop.push(partition);
            } else {
                changes.remove.push(entry.empty_partition(&key, columns, None)?);
            }
        }
        Ok(changes)
    }

    fn apply(
        &self,
        entry: &RelationEntry<'_>,
        columns: &[FieldSchema],
        changes: PartitionChanges,
    ) -> Result<(), WarehouseError> {
        let metastore = &self.warehouse.metastore;
        let PartitionChanges { add, mut alter, remove, mut drop } = changes;
        if alter.is_empty() && remove.is_empty() {
            if !add.is_empty() {
                fail_point::reached("hive-before-add");
                metastore.add_partitions(self.relation, &add)?;
                fail_point::reached("hive-after-add");
            }
        } else {
            if !add.is_empty() {
                let to_come: Result<Vec<HivePartition>, WarehouseError> = add
                    .iter()
                    .map(|partition| entry.empty_partition(&key_of(partition), columns, None))
                    .collect();
                metastore.add_partitions(self.relation, &to_come?)?;
                fail_point::reached("hive-after-to-come");
                alter.extend(add);
            }
            alter.extend(remove.iter().cloned());
            fail_point::reached("hive-before-swap");
            metastore.alter_partitions(self.relation, &alter)?;
            fail_point::reached("hive-after-swap");
            drop.extend(remove);
        }
        if !drop.is_empty() {
            let keys = drop.iter().map(|partition| key_of(partition).path(self.table.partition_columns()));
            let keys: Vec<String> = keys.map(|key| hive_name(&key)).collect();
            metastore.drop_partitions(self.relation, &keys)?;
            fail_point::reached("hive-after-drop");
        }
        Ok(())
    }
}

/// A partition's name as the metastore has it: the columns' names in lower case.
fn hive_name(path: &str) -> String {
    let part = |part: &str| match part.split_once('=') {
        Some((column, value)) => format!("{}={value}", column.to_lowercase()),
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<String>>().join("/")
}

/// Hive has one name for the partitions of NULL, of the empty text, and of the text that stands for NULL in names: readers
/// would take all of them for NULL, and the metastore would have one partition for several.
fn check_values(key: &PartitionKey, columns: &[String]) -> Result<(), WarehouseError> {
    for (column, value) in columns.iter().zip(key.values()) {
        let shown = match value.as_deref() {
            Some("") => "the empty text",
            Some(NULL_FOLDER) => NULL_FOLDER,
            Some(_) | None => continue,
        };
        return Err(WarehouseError::HiveColumn {
            column: column.clone(),
            reason: format!(
                "hive takes a partition of {shown} for one of NULL; give it another value in the SELECT, such as coalesce(nullif({column}, ''), 'none')"
            ),
        });
    }
    Ok(())
}

/// The batch that a landed table's partition belongs to: the last of its values names it.
fn batch_of<'a>(key: &PartitionKey, batches: &'a BTreeMap<String, Batch>) -> Option<(&'a String, &'a Batch)> {
    batches.get_key_value(key.batch()?)
}

fn is_view(table: &Table) -> bool {
    table.table_type.as_deref() == Some("VIRTUAL_VIEW")
}

fn columns_of(table: &Table) -> &[FieldSchema] {
    table.sd.as_ref().and_then(|sd| sd.cols.as_deref()).unwrap_or_default()
}

fn names(columns: Option<&[FieldSchema]>) -> Vec<String> {
    let name = |column: &FieldSchema| column.name.as_deref().unwrap_or_default().to_owned();
    columns.unwrap_or_default().iter().map(name).collect()
}

/// Whether a table's entry says already what the new one says. Hive adds parameters of its own.
fn is_same_entry(stored: &Table, new: &Table) -> bool {
    let text = |text: &Option<FastStr>| text.as_deref().unwrap_or_default().to_owned();
    columns_of(stored) == columns_of(new)
        && stored.partition_keys.as_deref().unwrap_or_default()
            == new.partition_keys.as_deref().unwrap_or_default()
        && stored.table_type == new.table_type
        && location(stored.sd.as_ref()) == location(new.sd.as_ref())
        && text(&stored.view_expanded_text) == text(&new.view_expanded_text)
        && text(&stored.view_original_text) == text(&new.view_original_text)
        && has_all(stored.parameters.as_ref(), new.parameters.as_ref())
}

fn is_same(stored: &HivePartition, new: &HivePartition) -> bool {
    location(stored.sd.as_ref()) == location(new.sd.as_ref())
        && has_all(stored.parameters.as_ref(), new.parameters.as_ref())
        && mep_keys(stored.parameters.as_ref()) == mep_keys(new.parameters.as_ref())
}

fn has_all(
    stored: Option<&super::parameters::Parameters>,
    new: Option<&super::parameters::Parameters>,
) -> bool {
    let mut new = new.into_iter().flatten().filter(|(key, _)| key.as_str() != "DO_NOT_UPDATE_STATS");
    new.all(|(key, value)| stored.and_then(|stored| stored.get(key)) == Some(value))
}

fn mep_keys(parameters: Option<&super::parameters::Parameters>) -> usize {
    parameters.into_iter().flatten().filter(|(key, _)| key.starts_with("mep.")).count()
}

/// The new entry, with what the stored one has beyond mep's knowledge.
fn onto(stored: &Table, mut new: Table) -> Table {
    new.create_time = stored.create_time;
    new.owner.clone_from(&stored.owner);
    let own = |key: &str| key.starts_with("mep.") || key == "presto_view" || key == "comment";
    let statistics = ["numRows", "numFiles", "totalSize", "rawDataSize", "COLUMN_STATS_ACCURATE"];
    let parameters = new.parameters.get_or_insert_default();
    for (key, value) in stored.parameters.iter().flatten() {
        if !own(key) && !statistics.contains(&key.as_str()) && !parameters.contains_key(key) {
            parameters.insert(key.clone(), value.clone());
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_hive_takes_for_null_are_refused_by_name() {
        let check = |value: Option<&str>| {
            let key = PartitionKey::new(vec![Some("x".to_owned()), value.map(str::to_owned)]);
            check_values(&key, &["a".to_owned(), "b".to_owned()]).map_err(|error| error.to_string())
        };
        assert_eq!([check(None), check(Some("null")), check(Some("a/b"))], [Ok(()), Ok(()), Ok(())]);
        assert!(check(Some("__HIVE_DEFAULT_PARTITION__")).is_err());
        insta::assert_snapshot!(check(Some("")).unwrap_err(), @"column `b`: hive takes a partition of the empty text for one of NULL; give it another value in the SELECT, such as coalesce(nullif(b, ''), 'none')");
    }
}
