//! Deleting folders that the metastore no longer points at.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::HiveWarehouse;
use super::entry::{EMPTY_FOLDER, location};
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::{Cleaned, RunId};
use mep_core::relation::Relation;

/// Deletes the folders of builds that nothing points at and that are older than `retention`.
///
/// The folders are listed before the pointers are read: a folder that is not there yet when they are listed is not
/// touched. A table that is not mep's is left alone.
///
/// # Errors
/// Where the metastore or HDFS does not answer; nothing more is deleted then.
pub(super) fn clean(warehouse: &HiveWarehouse, retention: Duration) -> Result<Cleaned, WarehouseError> {
    let mut cleaned = Cleaned::default();
    for relation in with_folders(warehouse)? {
        let data = format!("{}/data", warehouse.folder(&relation));
        let Some(builds) = warehouse.hdfs.list(&data)? else { continue };
        let table = warehouse.metastore.table(&relation)?;
        let partitions = match &table {
            Some(table) => warehouse.metastore.partitions_of(&relation, table)?,
            None => Vec::new(),
        };
        let prefix = format!("{}/data/", warehouse.location(&relation));
        let pointers = table
            .iter()
            .map(|table| location(table.sd.as_ref()))
            .chain(partitions.iter().map(|partition| location(partition.sd.as_ref())));
        let current: HashSet<&str> =
            pointers.filter_map(|pointer| pointer.strip_prefix(&prefix)?.split('/').next()).collect();
        for build in builds.into_iter().filter(|build| build.is_folder) {
            let name = build.path.rsplit('/').next().unwrap_or_default();
            // A first build that was not published has a folder and no table; what is not named by a run is not mep's.
            if (table.is_none() && !RunId::names(name))
                || current.contains(name)
                || EMPTY_FOLDER.ends_with(&format!("/{name}"))
            {
                continue;
            }
            let below = warehouse.hdfs.walk(&build.path)?;
            let age = below.iter().map(|entry| entry.age).chain([build.age]).min().unwrap_or_default();
            if age >= retention {
                warehouse.held.confirm(&warehouse.metastore)?;
                warehouse.hdfs.delete_folder(&build.path)?;
                cleaned.folders += 1;
                cleaned.bytes += below.iter().map(|entry| entry.bytes).sum::<u64>();
            }
        }
    }
    Ok(cleaned)
}

/// The tables that the metastore knows, and whatever else has a folder where tables have theirs.
fn with_folders(warehouse: &HiveWarehouse) -> Result<BTreeSet<Relation>, WarehouseError> {
    let mut relations: BTreeSet<Relation> = super::Warehouse::relations(warehouse)?.into_iter().collect();
    let folders = warehouse.hdfs.list(&warehouse.schema_folder(&warehouse.schema))?.unwrap_or_default();
    let names =
        folders.iter().filter(|folder| folder.is_folder).filter_map(|folder| folder.path.rsplit('/').next());
    relations.extend(names.map(|name| Relation::new(&warehouse.schema, name)));
    Ok(relations)
}
