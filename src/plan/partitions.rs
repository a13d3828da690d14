//! Which partitions of a model are dirty, and why.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;

use super::reason::Reason;
use crate::graph::CompiledModel;
use crate::relation::Relation;
use crate::sql::{Alignment, ScanAlignment, Scope};
use crate::warehouse::{Fingerprint, Inputs, PartitionKey, RunId, TableVersion, Version};

/// More input partitions than this are noted by one digest, so that a ledger stays small.
const NOTED_ONE_BY_ONE: usize = 400;

/// The key that stands for all partitions of a table in a ledger.
const ALL: &str = "*";

/// The name under which a ledger notes the run, for content that depends on when it was made.
const RUN: &str = "(run)";

/// What is known of a table at the point of the plan where a step reads it: as stored, or as earlier steps will leave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// All columns, partition columns last.
    pub schema: SchemaRef,
    /// The partition columns.
    pub partition_columns: Vec<String>,
    /// The partitions.
    pub partitions: BTreeMap<PartitionKey, KnownPartition>,
}

/// What is known of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPartition {
    /// Its version.
    pub version: Version,
    /// Its size in bytes as stored, or the last one that is known.
    pub bytes: u64,
    /// Its rows as stored, or the last number that is known.
    pub rows: u64,
}

impl Known {
    /// A table as it is stored.
    pub fn of(table: &TableVersion) -> Self {
        let partitions = table.partitions().map(|(key, partition)| {
            let version = partition.ledger.version.clone();
            (key.clone(), KnownPartition { version, bytes: partition.bytes(), rows: partition.rows() })
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
            partitions
                .insert(build.key.clone(), KnownPartition { version: build.version.clone(), bytes, rows });
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
        let partition = KnownPartition { version: build.version.clone(), bytes, rows };
        Self {
            schema: model.schema.clone(),
            partition_columns: Vec::new(),
            partitions: BTreeMap::from([(PartitionKey::whole(), partition)]),
        }
    }

    fn digest(&self) -> Version {
        let parts = self.partitions.iter().map(|(key, partition)| (key.to_string(), &partition.version));
        let parts: Vec<(String, &Version)> = parts.collect();
        Version::of(parts.iter().flat_map(|(key, version)| [key.as_str(), version.as_str()]))
    }
}

/// A partition that is to be built.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBuild {
    /// Which one.
    pub key: PartitionKey,
    /// What it will be made from.
    pub inputs: Inputs,
    /// The version that it will have.
    pub version: Version,
    /// Why.
    pub reason: Reason,
    /// Bytes of the input partitions that it reads.
    pub input_bytes: u64,
    /// Rows of the input partitions that it reads.
    pub input_rows: u64,
}

/// What is to be done with the partitions of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionPlan {
    /// To be built, by key.
    pub build: Vec<PartitionBuild>,
    /// Stored, and no longer given by any input.
    pub remove: Vec<PartitionKey>,
    /// How many are as they should be.
    pub current: usize,
}

/// What a model is planned from.
#[derive(Clone, Copy)]
pub struct Basis<'a> {
    /// For evaluating partition values.
    pub scope: &'a Scope,
    /// How the model's partitions come from its inputs'.
    pub alignment: &'a Alignment,
    /// Of the model.
    pub fingerprint: &'a Fingerprint,
    /// The tables that it reads.
    pub inputs: &'a BTreeMap<Relation, Known>,
    /// What is stored of it.
    pub stored: Option<&'a TableVersion>,
    /// Whether everything is to be built anew.
    pub full_refresh: bool,
    /// The run, where the same inputs can give other rows on another one.
    pub volatile_run: Option<&'a RunId>,
}

impl Basis<'_> {
    /// Notes the run as an input, where the rows depend on it.
    fn note_run(&self, inputs: &mut Inputs) {
        if let Some(run) = self.volatile_run {
            let key = PartitionKey::new(vec![Some(run.to_string())]);
            inputs.add(RUN, &key, &Version::of([run.as_str()]));
        }
    }
}

/// The inputs of one output partition as they are gathered.
#[derive(Default)]
struct Gathered {
    inputs: Inputs,
    bytes: u64,
    rows: u64,
}

impl Gathered {
    fn add(&mut self, table: &str, key: &PartitionKey, partition: &KnownPartition) {
        self.inputs.add(table, key, &partition.version);
        self.bytes += partition.bytes;
        self.rows += partition.rows;
    }

    fn add_all(&mut self, table: &str, known: &Known, digest: &Version) {
        self.inputs.add(table, &PartitionKey::new(vec![Some(ALL.to_owned())]), digest);
        self.bytes += known.partitions.values().map(|partition| partition.bytes).sum::<u64>();
        self.rows += known.partitions.values().map(|partition| partition.rows).sum::<u64>();
    }
}

/// The dirty partitions of a model whose alignment is bounded: each output partition on its own.
///
/// # Errors
/// Where a partition value of an input cannot be evaluated.
pub fn by_partition(basis: Basis<'_>) -> Result<PartitionPlan, DataFusionError> {
    let mut gathered: BTreeMap<PartitionKey, Gathered> = BTreeMap::new();
    let mut others: Vec<(&ScanAlignment, &Known)> = Vec::new();
    for scan in &basis.alignment.scans {
        let Some(known) = basis.inputs.get(&scan.relation) else { continue };
        let fully = !scan.expressions.is_empty() && scan.expressions.iter().all(Option::is_some);
        if !fully {
            others.push((scan, known));
            continue;
        }
        let table = scan.relation.to_string();
        for (key, (input_key, partition)) in
            output_keys(basis.scope, scan, known)?.into_iter().zip(&known.partitions)
        {
            gathered.entry(key).or_default().add(&table, input_key, partition);
        }
    }
    for (scan, known) in others {
        let digest = known.digest();
        let table = scan.relation.to_string();
        for output in gathered.values_mut() {
            output.add_all(&table, known, &digest);
        }
    }
    Ok(compare(basis, gathered))
}

/// The build of a whole model, of all partitions together; `None` where it is as it should be.
pub fn whole(basis: Basis<'_>) -> Option<PartitionBuild> {
    let mut gathered = Gathered::default();
    for scan in &basis.alignment.scans {
        let table = scan.relation.to_string();
        gathered.inputs.add_table(&table);
        let Some(known) = basis.inputs.get(&scan.relation) else { continue };
        if known.partitions.len() > NOTED_ONE_BY_ONE {
            gathered.add_all(&table, known, &known.digest());
        } else {
            for (key, partition) in &known.partitions {
                gathered.add(&table, key, partition);
            }
        }
    }
    let stored = basis.stored.and_then(|table| table.partitions().next()).map(|(_, partition)| partition);
    basis.note_run(&mut gathered.inputs);
    let version = Version::derive(basis.fingerprint, &gathered.inputs);
    let reason = if basis.full_refresh {
        Reason::FullRefresh
    } else {
        match stored {
            None => Reason::FirstRun,
            Some(_) if basis.volatile_run.is_some() => Reason::Volatile,
            Some(stored) if stored.ledger.version == version => return None,
            Some(stored) if stored.ledger.fingerprint != *basis.fingerprint => Reason::ModelChanged,
            Some(stored) => Reason::changes(&stored.ledger.inputs, &gathered.inputs),
        }
    };
    Some(PartitionBuild {
        key: PartitionKey::whole(),
        inputs: gathered.inputs,
        version,
        reason,
        input_bytes: gathered.bytes,
        input_rows: gathered.rows,
    })
}

/// The output partition that each partition of a fully aligned scan gives rows to.
fn output_keys(
    scope: &Scope,
    scan: &ScanAlignment,
    known: &Known,
) -> Result<Vec<PartitionKey>, DataFusionError> {
    let keys: Vec<&[Option<String>]> = known.partitions.keys().map(PartitionKey::values).collect();
    let columns = scan.output_values(scope, &known.schema, &known.partition_columns, &keys)?;
    let columns: Vec<Vec<Option<String>>> = columns.into_iter().flatten().collect();
    Ok((0..keys.len())
        .map(|row| PartitionKey::new(columns.iter().map(|column| column[row].clone()).collect()))
        .collect())
}

fn compare(basis: Basis<'_>, gathered: BTreeMap<PartitionKey, Gathered>) -> PartitionPlan {
    let stored: BTreeMap<&PartitionKey, _> =
        basis.stored.iter().flat_map(|table| table.partitions()).collect();
    let mut plan = PartitionPlan::default();
    for key in stored.keys() {
        if !gathered.contains_key(*key) {
            plan.remove.push((*key).clone());
        }
    }
    for (key, Gathered { mut inputs, bytes, rows }) in gathered {
        basis.note_run(&mut inputs);
        let version = Version::derive(basis.fingerprint, &inputs);
        let reason = match stored.get(&key) {
            _ if basis.full_refresh => Reason::FullRefresh,
            None if basis.stored.is_none() => Reason::FirstRun,
            Some(_) if basis.volatile_run.is_some() => Reason::Volatile,
            None => Reason::changes(&Inputs::default(), &inputs),
            Some(stored) if stored.ledger.version == version => {
                plan.current += 1;
                continue;
            }
            Some(stored) if stored.ledger.fingerprint != *basis.fingerprint => Reason::ModelChanged,
            Some(stored) => Reason::changes(&stored.ledger.inputs, &inputs),
        };
        plan.build.push(PartitionBuild {
            key,
            inputs,
            version,
            reason,
            input_bytes: bytes,
            input_rows: rows,
        });
    }
    plan
}
