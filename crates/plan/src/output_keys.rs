//! Which partitions of a model there are, and which partitions of its inputs each of them is made from.
//!
//! Comes in: how the model's partitions come from those of its inputs, and what these are. Goes out: the inputs of each
//! partition. Must not know: versions, ledgers, what is stored of the model.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::table_state::{PartitionState, TableState};
use super::table_states::TableStates;
use mep_contract::warehouse::PartitionKey;
use mep_core::relation::Relation;
use mep_sql::{Alignment, Keys, ScanAlignment, Scope, SqlError};

/// How many pairs of partitions of two tables are looked at to find the partitions of what joins both.
const MOST_PAIRS: usize = 1_000_000;

/// For each partition column of the output: `None` where nothing is said of it, and in it SQL's NULL or the value.
type PartialKey = Vec<Option<Option<String>>>;

/// An input partition that an output partition is made from.
pub(super) type InputPartition<'a> = (&'a Relation, &'a PartitionKey, &'a PartitionState);

/// The partitions of a model, by those of its partition columns that its inputs' partitions tell.
pub(super) struct OutputKeys<'a> {
    /// Each, or all of these values, with the input partitions that they are made from, of tables of which they read some partitions.
    pub by_key: BTreeMap<PartitionKey, Vec<InputPartition<'a>>>,
    /// The tables that each of them reads all of.
    pub whole: Vec<(&'a Relation, &'a TableState)>,
}

impl<'a> OutputKeys<'a> {
    /// Those of a model whose inputs' partitions tell some of its partition columns.
    ///
    /// # Errors
    /// Where a partition value of an input cannot be evaluated, or there may be too many partitions.
    pub(super) fn of(
        scope: &Scope,
        alignment: &'a Alignment,
        inputs: &'a TableStates,
    ) -> Result<Self, SqlError> {
        let mut whole = Vec::new();
        let mut scans = Vec::new();
        for scan in &alignment.scans {
            let known = inputs.get(&scan.relation);
            let is_aligned =
                alignment.told.iter().any(|at| scan.expressions.get(*at).is_some_and(Option::is_some));
            if let Some(known) = known.filter(|_| !is_aligned) {
                whole.push((&scan.relation, known));
            }
            scans.push(match known.filter(|_| is_aligned) {
                Some(known) => Some(ScanKeys::of(scope, scan, known)?),
                None => None,
            });
        }
        let columns = alignment.scans.iter().map(|scan| scan.expressions.len()).max().unwrap_or(0);
        let told = alignment.told.as_slice();
        let said = all_said(&alignment.keys, &scans, (columns, told))?;
        let keys = said.into_iter().filter_map(|said| told.iter().map(|at| said[*at].clone()).collect());
        let mut by_key: BTreeMap<PartitionKey, Vec<_>> =
            keys.map(|key| (PartitionKey::new(key), Vec::new())).collect();
        for scan in scans.iter().flatten() {
            scan.give(told, &mut by_key);
        }
        Ok(Self { by_key, whole })
    }
}

/// The partitions of a table that is scanned, each with what it says of those of the output.
struct ScanKeys<'a> {
    relation: &'a Relation,
    known: &'a TableState,
    /// Of which partition columns something is said.
    is_said: Vec<bool>,
    said: Vec<PartialKey>,
}

impl<'a> ScanKeys<'a> {
    fn of(scope: &Scope, scan: &'a ScanAlignment, known: &'a TableState) -> Result<Self, SqlError> {
        let keys: Vec<&[Option<String>]> = known.partitions.keys().map(PartitionKey::values).collect();
        let columns = scan.output_values(scope, &known.schema, &known.partition_columns, &keys)?;
        let of_row = |row: usize| -> PartialKey {
            columns.iter().map(|column| column.as_ref().map(|values| values[row].clone())).collect()
        };
        Ok(Self {
            relation: &scan.relation,
            known,
            is_said: scan.expressions.iter().map(Option::is_some).collect(),
            said: (0..keys.len()).map(of_row).collect(),
        })
    }

    /// Gives its partitions to those of the output that are made from them, by the columns that are told of these.
    fn give(&self, told: &[usize], by_key: &mut BTreeMap<PartitionKey, Vec<InputPartition<'a>>>) {
        let partitions = self.known.partitions.iter().zip(&self.said);
        let is_said: Vec<bool> = told.iter().map(|at| self.is_said[*at]).collect();
        if is_said.iter().all(|is_said| *is_said) {
            for ((key, partition), said) in partitions {
                let of: Vec<Option<String>> = told.iter().filter_map(|at| said[*at].clone()).collect();
                if let Some(output) = by_key.get_mut(&PartitionKey::new(of)) {
                    output.push((self.relation, key, partition));
                }
            }
            return;
        }
        let mut said_so: HashMap<PartialKey, Vec<(&'a PartitionKey, &'a PartitionState)>> = HashMap::new();
        for (partition, said) in partitions {
            let said = told.iter().map(|at| said[*at].clone()).collect();
            said_so.entry(said).or_default().push(partition);
        }
        for (key, output) in by_key {
            let values = key.values().iter().zip(&is_said);
            let said: PartialKey = values.map(|(value, is_said)| is_said.then(|| value.clone())).collect();
            let given = said_so.get(&said).into_iter().flatten();
            output.extend(given.map(|(key, partition)| (self.relation, *key, *partition)));
        }
    }
}

/// All that is said of the partitions of the output.
fn all_said(
    keys: &Keys,
    scans: &[Option<ScanKeys<'_>>],
    (columns, told): (usize, &[usize]),
) -> Result<BTreeSet<PartialKey>, SqlError> {
    let scan_of = |scan: usize| scans.get(scan).and_then(Option::as_ref);
    let nothing = || BTreeSet::from([vec![None; columns]]);
    Ok(match keys {
        Keys::Unknown => nothing(),
        Keys::Scan(scan) => scan_of(*scan).map_or_else(nothing, |scan| scan.said.iter().cloned().collect()),
        Keys::Any(any) => {
            let mut all = BTreeSet::new();
            for keys in any {
                all.extend(all_said(keys, scans, (columns, told))?);
            }
            all
        }
        Keys::Each(one, other) => {
            let is_said = |scan: usize, column: usize| scan_of(scan).is_some_and(|scan| scan.is_said[column]);
            let says_all = |keys: &Keys| told.iter().all(|column| keys.say(*column, &is_said));
            let all_said = |keys: &Keys| all_said(keys, scans, (columns, told));
            if says_all(one) {
                all_said(one)?
            } else if says_all(other) {
                all_said(other)?
            } else {
                joined(&all_said(one)?, &all_said(other)?)?
            }
        }
    })
}

/// Each of one with each of the other, where both say the same of what both speak of.
fn joined(
    one: &BTreeSet<PartialKey>,
    other: &BTreeSet<PartialKey>,
) -> Result<BTreeSet<PartialKey>, SqlError> {
    if one.len().saturating_mul(other.len()) > MOST_PAIRS {
        let message = format!("the inputs' partitions have more than {MOST_PAIRS} pairs");
        return Err(SqlError::exhausted(message));
    }
    let pairs = one.iter().flat_map(|one| other.iter().map(move |other| (one, other)));
    Ok(pairs.filter_map(|(one, other)| both(one, other)).collect())
}

fn both(one: &PartialKey, other: &PartialKey) -> Option<PartialKey> {
    let values = one.iter().zip(other).map(|(one, other)| match (one, other) {
        (Some(one), Some(other)) if one != other => None,
        (Some(said), _) | (None, Some(said)) => Some(Some(said.clone())),
        (None, None) => Some(None),
    });
    values.collect()
}
