//! Tables as a plan knows them: as they are stored, or as earlier steps will leave them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;

use super::partitions::{PartitionBuild, PartitionPlan};
use mep_contract::warehouse::{ColumnVersions, InputKey, PartitionKey, TableVersion, Version};
use mep_core::fingerprint::Structure;
use mep_graph::CompiledModel;
use mep_sql::structure;

/// The name under which a ledger's columns say which rows there are: no column is named so.
pub(super) const ROWS: &str = "";

/// What is known of a table at the point of the plan where a step reads it: as stored, or as earlier steps will leave it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableState {
    /// All columns, partition columns last.
    pub schema: SchemaRef,
    /// The partition columns.
    pub partition_columns: Vec<String>,
    /// The partitions.
    pub partitions: BTreeMap<PartitionKey, PartitionState>,
}

/// What is known of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// Its version.
    pub version: Version,
    /// The versions of its columns, where they are told apart.
    pub columns: ColumnVersions,
    /// Its size in bytes as stored, or the last one that is known.
    pub bytes: u64,
    /// Its rows as stored, or the last number that is known.
    pub rows: u64,
}

impl PartitionState {
    /// A partition of which the columns are not told apart.
    pub(super) fn of_version(version: Version, bytes: u64, rows: u64) -> Self {
        Self { version, columns: ColumnVersions::default(), bytes, rows }
    }

    /// Of a landed partition: the version of which rows there are, which stands for any of its columns too, beside the type
    /// that the column is stored with.
    pub(super) fn landed_rows(&self) -> Option<&Version> {
        let rows = self.columns.get(ROWS)?;
        self.columns.iter().all(|(_, version)| version == rows).then_some(rows)
    }

    /// Of a landed partition: the version of what was landed of some of its columns, whatever types they are stored with.
    pub(super) fn landed_version_of(&self, columns: &BTreeSet<String>) -> Option<&Version> {
        let rows = self.landed_rows()?;
        let are_known =
            self.columns.len() == 1 || columns.iter().all(|name| self.columns.get(name).is_some());
        Some(if are_known { rows } else { &self.version })
    }

    /// The version of some of its columns, of landed rows whatever types they are stored with; that of all of it, where columns
    /// are not told apart.
    pub(super) fn version_of(&self, columns: &BTreeSet<String>) -> Version {
        if let Some(landed) = self.landed_version_of(columns) {
            return landed.clone();
        }
        let names = columns.iter().map(String::as_str).chain(columns.is_empty().then_some(ROWS));
        let parts = names.map(|name| Some([name, self.columns.get(name)?.as_str()]));
        let parts: Option<Vec<[&str; 2]>> = parts.collect();
        parts.map_or_else(|| self.version.clone(), |parts| Version::of(parts.into_iter().flatten()))
    }
}

impl TableState {
    /// A table as it is stored.
    pub fn of(table: &TableVersion) -> Self {
        let partitions = table.partitions().map(|(key, partition)| {
            let (version, columns) = (partition.ledger.version.clone(), partition.ledger.columns.clone());
            let (bytes, rows) = (partition.bytes(), partition.rows());
            (key.clone(), PartitionState { version, columns, bytes, rows })
        });
        Self {
            schema: table.schema.clone(),
            partition_columns: table.partition_columns().to_vec(),
            partitions: partitions.collect(),
        }
    }

    /// The table as a build of these partitions will leave it.
    pub(super) fn after_partitions(
        model: &CompiledModel,
        stored: Option<&TableVersion>,
        plan: &PartitionPlan,
    ) -> Self {
        let mut partitions = stored.map(Self::of).map(|known| known.partitions).unwrap_or_default();
        for key in &plan.remove {
            partitions.remove(key);
        }
        for build in &plan.build {
            let before = partitions.get(&build.key);
            let (bytes, rows) =
                before.map_or((build.input_bytes, build.input_rows), |known| (known.bytes, known.rows));
            partitions.insert(build.key.clone(), build.leaves(bytes, rows));
        }
        Self { schema: model.schema.clone(), partition_columns: model.partition_columns.clone(), partitions }
    }

    /// The unpartitioned table as a build of all of it will leave it.
    pub(super) fn after_whole(
        model: &CompiledModel,
        build: &PartitionBuild,
        stored: Option<&TableVersion>,
    ) -> Self {
        let (bytes, rows) =
            stored.map_or((build.input_bytes, build.input_rows), |table| (table.bytes(), table.rows()));
        let partition = build.leaves(bytes, rows);
        Self {
            schema: model.schema.clone(),
            partition_columns: Vec::new(),
            partitions: BTreeMap::from([(PartitionKey::whole(), partition)]),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.partitions.values().map(|partition| partition.bytes).sum()
    }

    pub(super) fn rows(&self) -> u64 {
        self.partitions.values().map(|partition| partition.rows).sum()
    }

    /// As what types some columns are stored, and which of them are not there.
    pub(super) fn stored_as(&self, columns: &BTreeSet<String>) -> Version {
        let mut parts = Structure::default();
        for name in columns {
            let field = self.schema.field_with_name(name).ok();
            parts.text(name).flag(field.is_some());
            if let Some(field) = field {
                structure::data_type(&mut parts, field.data_type());
            }
        }
        Version::of([parts.fingerprint().as_str()])
    }

    /// Stands for these columns of all partitions, or for all of them.
    pub(super) fn digest(&self, columns: Option<&BTreeSet<String>>) -> Version {
        self.digest_by(|partition| match columns {
            Some(columns) => partition.version_of(columns),
            None => partition.version.clone(),
        })
    }

    pub(super) fn digest_by(&self, version: impl Fn(&PartitionState) -> Version) -> Version {
        let parts = self.partitions.iter().map(|(key, partition)| (InputKey::of(key), version(partition)));
        let parts: Vec<(InputKey, Version)> = parts.collect();
        Version::of(parts.iter().flat_map(|(key, version)| [key.as_str(), version.as_str()]))
    }
}
