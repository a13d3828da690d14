//! Deleting folders that the metastore no longer points at.

use std::collections::HashSet;
use std::time::Duration;

use super::HiveWarehouse;
use super::entry::{EMPTY_FOLDER, location};
use crate::warehouse::Cleaned;
use crate::warehouse::error::WarehouseError;

/// Deletes the folders of builds that nothing points at and that are older than `retention`.
///
/// The folders are listed before the pointers are read: a folder that is not there yet when they are listed is not
/// touched. A table that is not mep's is left alone.
///
/// # Errors
/// Where the metastore or HDFS does not answer; nothing more is deleted then.
pub(super) fn clean(warehouse: &HiveWarehouse, retention: Duration) -> Result<Cleaned, WarehouseError> {
    let mut cleaned = Cleaned::default();
    for relation in super::Warehouse::relations(warehouse)? {
        let data = format!("{}/data", warehouse.folder(&relation));
        let Some(builds) = warehouse.hdfs.list(&data)? else { continue };
        let Some(table) = warehouse.metastore.table(&relation)? else { continue };
        let partitions = warehouse.metastore.partitions_of(&relation, &table)?;
        let prefix = format!("{}/data/", warehouse.location(&relation));
        let pointers = std::iter::once(location(table.sd.as_ref()))
            .chain(partitions.iter().map(|partition| location(partition.sd.as_ref())));
        let current: HashSet<&str> =
            pointers.filter_map(|pointer| pointer.strip_prefix(&prefix)?.split('/').next()).collect();
        for build in builds.into_iter().filter(|build| build.is_folder) {
            let name = build.path.rsplit('/').next().unwrap_or_default();
            if current.contains(name) || EMPTY_FOLDER.ends_with(&format!("/{name}")) {
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
