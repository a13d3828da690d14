//! Which partitions of a model are dirty, and why.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::output_keys::OutputKeys;
use super::reads::{ModelPart, ReadColumns, Reads};
use super::reason::{ModelChange, Reason};
use super::table_state::{PartitionState, ROWS, TableState};
use super::table_states::TableStates;
use mep_contract::warehouse::{
    ColumnVersions, InputKey, Inputs, Ledger, Partition, PartitionKey, RunId, TableVersion, Version,
};
use mep_core::relation::Relation;
use mep_graph::CompiledModel;
use mep_sql::{Scope, SqlError};

/// More input partitions than this are noted by one digest, so that a ledger stays small.
pub(super) const NOTED_ONE_BY_ONE: usize = 400;

/// Stands for a table of which a change asks for no build.
const IGNORED: &str = "ignored";

/// The name under which a ledger notes the run, for content that depends on when it was made. SQL would quote it, so no table
/// has it.
const RUN: &str = "(run)";

/// Notes the run as an input.
pub(super) fn note_run(inputs: &mut Inputs, run: &RunId) {
    let key = InputKey::of(&PartitionKey::new(vec![Some(run.to_string())]));
    inputs.add(RUN, key, &Version::of([run.as_str()]));
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
    /// The versions that its columns will have, where they are told apart.
    pub columns: ColumnVersions,
    /// Why.
    pub reason: Reason,
    /// Bytes of the input partitions that it reads.
    pub input_bytes: u64,
    /// Rows of the input partitions that it reads.
    pub input_rows: u64,
}

impl PartitionBuild {
    /// Whether nothing but its inputs asks for it.
    pub fn is_of_inputs(&self) -> bool {
        matches!(self.reason, Reason::InputsChanged { .. })
    }

    /// The partition as the build will leave it.
    pub(super) fn leaves(&self, bytes: u64, rows: u64) -> PartitionState {
        PartitionState { version: self.version.clone(), columns: self.columns.clone(), bytes, rows }
    }
}

/// What is to be done with the partitions of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionPlan {
    /// The partition columns, by their places, whose values name what is built.
    pub by: Vec<usize>,
    /// Whether these are not all: partitions that differ in the others alone are built together.
    pub is_by_some: bool,
    /// To be built, by key.
    pub build: Vec<PartitionBuild>,
    /// Found to hold what a build would give: their ledger alone is written.
    pub confirm: Vec<PartitionBuild>,
    /// Stored, and no longer given by any input.
    pub remove: Vec<PartitionKey>,
    /// How many are as they should be.
    pub current: usize,
}

impl PartitionPlan {
    /// What a build is of, as people read it: `*` stands for any value.
    pub fn shown(&self, build: &PartitionBuild) -> String {
        let last = self.by.last().map_or(0, |last| last + 1);
        let is_any = |place: &usize| !self.by.contains(place);
        if !(0..last).any(|place| is_any(&place)) {
            return build.key.to_string();
        }
        let mut told = build.key.values().iter();
        let texts = (0..last).map(|place| {
            if is_any(&place) {
                return "*".to_owned();
            }
            PartitionKey::new(told.next().cloned().into_iter().collect()).to_string()
        });
        texts.collect::<Vec<_>>().join("/")
    }

    /// Whether the table's columns alone are to be published: no partition is built or goes.
    pub fn is_of_columns(&self) -> bool {
        self.build.is_empty() && self.remove.is_empty() && self.confirm.is_empty()
    }
}

/// What a model is planned from.
#[derive(Clone, Copy)]
pub struct Basis<'a> {
    /// For evaluating partition values.
    pub scope: &'a Scope,
    /// The model.
    pub model: &'a CompiledModel,
    /// Whether content that another form of the model built is kept as long as its inputs are.
    pub keeps: bool,
    /// The tables that it reads.
    pub inputs: &'a TableStates,
    /// What is stored of it.
    pub stored: Option<&'a TableVersion>,
    /// Whether everything is to be built anew.
    pub full_refresh: bool,
    /// The run, where the same inputs can give other rows on another one.
    pub volatile_run: Option<&'a RunId>,
    /// What is not as it was in the model, where that is known.
    pub changed: &'a ModelChange,
}

impl<'a> Basis<'a> {
    /// All of the model. Content that is kept notes all of its inputs: which columns it read, only its own SQL said.
    fn whole_part(&self) -> ModelPart<'a> {
        self.noting(match &self.model.recipe {
            None => Reads::All,
            Some(recipe) if self.keeps => Reads::AllOrSome(&recipe.reads),
            Some(recipe) => Reads::Some(&recipe.reads),
        })
    }

    /// All of the model in the other ways in which content that is kept may have noted inputs that are as they were.
    fn kept_parts(&self) -> [ModelPart<'a>; 2] {
        [self.noting(Reads::All), self.noting(Reads::AllOrRows)]
    }

    fn noting(&self, reads: Reads<'a>) -> ModelPart<'a> {
        ModelPart::of(&self.model.fingerprint, reads, self.inputs)
    }

    /// The columns, and which rows there are; this alone would say that the columns need no version.
    fn column_parts(&self) -> impl Iterator<Item = (&'a str, ModelPart<'a>)> {
        let rows = self.model.rows.iter().map(|recipe| (ROWS, recipe));
        let rows = rows.filter(|_| !self.model.columns.is_empty());
        let columns = self.model.columns.iter().map(|(name, recipe)| (name.as_str(), recipe));
        rows.chain(columns).map(|(name, recipe)| {
            (name, ModelPart::of(&recipe.fingerprint, Reads::Some(&recipe.reads), self.inputs))
        })
    }

    /// Notes the run as an input, where the rows depend on it.
    fn note_run(&self, inputs: &mut Inputs) {
        if let Some(run) = self.volatile_run {
            note_run(inputs, run);
        }
    }

    /// The version of what a part reads of a partition.
    fn read(&self, relation: &Relation, partition: &PartitionState, columns: ReadColumns<'_>) -> Version {
        if self.model.ignored.contains(relation) {
            return Version::of([IGNORED]);
        }
        columns.version(partition)
    }

    /// As what types a part reads the columns of a landed partition.
    fn stored_as<'b>(
        &self,
        relation: &Relation,
        partition: &PartitionState,
        columns: ReadColumns<'b>,
    ) -> Option<&'b Version> {
        columns.stored_as(partition).filter(|_| !self.model.ignored.contains(relation))
    }

    /// Notes all partitions of a table by one digest.
    fn note_all(
        &self,
        inputs: &mut Inputs,
        relation: &Relation,
        known: &TableState,
        columns: ReadColumns<'_>,
    ) {
        let digest = if self.model.ignored.contains(relation) {
            Version::of([IGNORED])
        } else {
            known.digest_by(|partition| columns.version(partition))
        };
        inputs.add(&relation.to_string(), InputKey::all(), &digest);
        let landed = known.partitions.values().find_map(|one| self.stored_as(relation, one, columns));
        if let Some(stored_as) = landed {
            inputs.add(&relation.to_string(), InputKey::types(), stored_as);
        }
    }
}

/// The input partitions of one output partition as they are gathered.
#[derive(Default)]
struct Gathered<'a> {
    aligned: Vec<(&'a Relation, &'a PartitionKey, &'a PartitionState)>,
    bytes: u64,
    rows: u64,
}

impl<'a> Gathered<'a> {
    fn add(&mut self, relation: &'a Relation, key: &'a PartitionKey, partition: &'a PartitionState) {
        self.aligned.push((relation, key, partition));
        self.bytes += partition.bytes;
        self.rows += partition.rows;
    }

    /// Whether a ledger notes just this as what a part of the model was made from, told without making it up: of a long history
    /// nearly all is as it was. Where it is not told, what is made up decides.
    fn is_noted(&self, basis: Basis<'_>, part: &ModelPart<'_>, ledger: &Ledger) -> bool {
        if self.aligned.is_empty() || ledger.fingerprint != *part.fingerprint {
            return false;
        }
        let mut tables = 0;
        for scan in self.aligned.chunk_by(|(one, ..), (other, ..)| one == other) {
            let [(relation, ..), ..] = scan else { continue };
            let Some(columns) = part.columns(relation) else { continue };
            let Some(noted) = ledger.inputs.0.get(&relation.to_string()) else { return false };
            let stored_as = scan.iter().find_map(|(_, _, one)| basis.stored_as(relation, one, columns));
            if noted.get(&InputKey::types()) != stored_as {
                return false;
            }
            let mut entries = scan.iter().zip(noted.iter().filter(|(name, _)| !name.is_types()));
            let are_noted = entries.all(|((_, key, partition), (name, version))| {
                name.is_of(key) && basis.read(relation, partition, columns) == *version
            });
            if noted.len() != scan.len() + usize::from(stored_as.is_some()) || !are_noted {
                return false;
            }
            tables += 1;
        }
        let shared = part.shared.0.iter();
        let are_shared = shared.clone().all(|(table, noted)| ledger.inputs.0.get(table) == Some(noted));
        are_shared && tables + shared.len() == ledger.inputs.0.len()
    }

    /// What a part of the model is made from.
    fn inputs(&self, basis: Basis<'_>, part: &ModelPart<'_>) -> Inputs {
        let mut inputs = part.shared.clone();
        for (relation, key, partition) in &self.aligned {
            if let Some(columns) = part.columns(relation) {
                let table = relation.to_string();
                inputs.add(&table, InputKey::of(key), &basis.read(relation, partition, columns));
                if let Some(stored_as) = basis.stored_as(relation, partition, columns) {
                    inputs.add(&table, InputKey::types(), stored_as);
                }
            }
        }
        basis.note_run(&mut inputs);
        inputs
    }
}

/// The dirty partitions of a model: each on its own, or those together of which nothing more is told than that they are made alike.
///
/// # Errors
/// Where a partition value of an input cannot be evaluated.
pub fn by_partition(basis: Basis<'_>) -> Result<PartitionPlan, SqlError> {
    let OutputKeys { by_key, whole: others } =
        OutputKeys::of(basis.scope, &basis.model.alignment, basis.inputs)?;
    let mut gathered: BTreeMap<PartitionKey, Gathered<'_>> = BTreeMap::new();
    for (key, partitions) in by_key {
        let output = gathered.entry(key).or_default();
        for (relation, input_key, partition) in partitions {
            output.add(relation, input_key, partition);
        }
    }
    for (_, known) in &others {
        for output in gathered.values_mut() {
            output.bytes += known.bytes();
            output.rows += known.rows();
        }
    }
    Ok(compare(basis, &gathered, &others))
}

/// Fills in what all output partitions read in the same way.
fn sharing<'a>(
    basis: Basis<'_>,
    mut part: ModelPart<'a>,
    others: &[(&Relation, &TableState)],
) -> ModelPart<'a> {
    let mut shared = std::mem::take(&mut part.shared);
    for (relation, known) in others {
        if let Some(columns) = part.columns(relation) {
            basis.note_all(&mut shared, relation, known, columns);
        }
    }
    part.shared = shared;
    part
}

/// The build of a whole model, of all partitions together; `None` where it is as it should be.
pub fn whole(basis: Basis<'_>) -> Option<PartitionBuild> {
    let all = WholeInputs::of(basis);
    let noting_tables = |part: ModelPart<'_>| all.noted(basis, part);
    let inputs = noting_tables(basis.whole_part());
    let version = Version::derive(&basis.model.fingerprint, &inputs);
    let stored = basis.stored.and_then(|table| table.partitions().next()).map(|(_, partition)| partition);
    let otherwise = || basis.kept_parts().map(noting_tables).to_vec();
    let reason = basis.reason(stored, &version, &inputs, &otherwise, false)?;
    let columns = basis.column_parts().map(|(name, part)| {
        let fingerprint = part.fingerprint;
        (name.to_owned(), Version::derive(fingerprint, &noting_tables(part)))
    });
    Some(PartitionBuild {
        key: PartitionKey::whole(),
        columns: columns.collect(),
        inputs,
        version,
        reason,
        input_bytes: all.gathered.bytes,
        input_rows: all.gathered.rows,
    })
}

/// All inputs of a model that is built as a whole.
struct WholeInputs<'a> {
    gathered: Gathered<'a>,
    /// Tables of so many partitions that they are noted by one digest.
    many: Vec<(&'a Relation, &'a TableState)>,
}

impl<'a> WholeInputs<'a> {
    fn of(basis: Basis<'a>) -> Self {
        let mut all = Self { gathered: Gathered::default(), many: Vec::new() };
        for scan in &basis.model.alignment.scans {
            let Some(known) = basis.inputs.get(&scan.relation) else { continue };
            if known.partitions.len() > NOTED_ONE_BY_ONE {
                all.many.push((&scan.relation, known));
                all.gathered.bytes += known.bytes();
                all.gathered.rows += known.rows();
            } else {
                for (key, partition) in &known.partitions {
                    all.gathered.add(&scan.relation, key, partition);
                }
            }
        }
        all
    }

    /// What a part of the model is made from, as a ledger notes it.
    fn noted(&self, basis: Basis<'_>, part: ModelPart<'_>) -> Inputs {
        let mut part = sharing(basis, part, &self.many);
        for scan in &basis.model.alignment.scans {
            if part.columns(&scan.relation).is_some() {
                part.shared.add_table(&scan.relation.to_string());
            }
        }
        self.gathered.inputs(basis, &part)
    }
}

/// Whether a table that is built as a whole was made of this content of one of its inputs.
pub fn was_made_of(
    scope: &Scope,
    model: &CompiledModel,
    stored: &TableVersion,
    relation: &Relation,
    content: &Arc<TableVersion>,
) -> bool {
    let mut inputs = TableStates::default();
    inputs.note(relation, content.clone());
    let noted = stored.partitions().next().map(|(_, partition)| &partition.ledger.inputs);
    let changed = ModelChange::default();
    let basis = Basis {
        scope,
        model,
        keeps: false,
        inputs: &inputs,
        stored: Some(stored),
        full_refresh: false,
        volatile_run: None,
        changed: &changed,
    };
    let table = relation.to_string();
    let inputs = WholeInputs::of(basis).noted(basis, basis.whole_part());
    noted.is_some_and(|noted| noted.0.get(&table) == inputs.0.get(&table))
}

impl Basis<'_> {
    /// Why a partition is built, or a whole table; `None` where it is as it should be. `otherwise`: the inputs as what is kept
    /// may have noted them otherwise; `is_past`: whether later partitions are stored.
    fn reason(
        &self,
        stored: Option<&Partition>,
        version: &Version,
        inputs: &Inputs,
        otherwise: &dyn Fn() -> Vec<Inputs>,
        is_past: bool,
    ) -> Option<Reason> {
        if self.full_refresh {
            return Some(Reason::FullRefresh);
        }
        let Some(stored) = stored else {
            let is_first = self.stored.is_none() || self.model.partition_columns.is_empty();
            let added = || Reason::changes(&Inputs::default(), inputs, is_past);
            return Some(if is_first { Reason::FirstRun } else { added() });
        };
        if self.volatile_run.is_some() {
            return Some(Reason::Volatile);
        }
        let is_changed = stored.ledger.fingerprint != self.model.fingerprint;
        let is_kept =
            || stored.ledger.inputs == *inputs || are_noted(&stored.ledger.inputs, inputs, &otherwise());
        if stored.ledger.version == *version || (self.keeps && is_kept()) {
            return None;
        }
        if is_changed && !self.keeps {
            return Some(Reason::ModelChanged(self.changed.clone()));
        }
        Some(Reason::changes(&stored.ledger.inputs, inputs, is_past))
    }
}

/// Whether a ledger noted these inputs and no others, each in one of the ways in which it may be noted.
fn are_noted(noted: &Inputs, inputs: &Inputs, otherwise: &[Inputs]) -> bool {
    let is_noted = |table: &str, key: &InputKey, version: &Version| {
        let mut ways = otherwise.iter().chain([inputs]);
        ways.any(|way| way.0.get(table).and_then(|keys| keys.get(key)) == Some(version))
    };
    // What is kept stays as the types made it that there were.
    let is_content = |key: &&InputKey| !key.is_types();
    let names = |inputs: &Inputs| -> Vec<(String, usize)> {
        let of = |keys: &BTreeMap<InputKey, Version>| keys.keys().filter(is_content).count();
        inputs.0.iter().map(|(table, keys)| (table.clone(), of(keys))).collect()
    };
    let mut entries = noted.0.iter().flat_map(|(table, keys)| {
        keys.iter().filter(|(key, _)| !key.is_types()).map(move |(key, version)| (table, key, version))
    });
    names(noted) == names(inputs) && entries.all(|(table, key, version)| is_noted(table, key, version))
}

fn compare(
    basis: Basis<'_>,
    gathered: &BTreeMap<PartitionKey, Gathered<'_>>,
    others: &[(&Relation, &TableState)],
) -> PartitionPlan {
    let by = basis.model.alignment.told.clone();
    let is_by_some = by.len() < basis.model.partition_columns.len();
    let mut stored: BTreeMap<PartitionKey, Vec<&Partition>> = BTreeMap::new();
    let mut plan = PartitionPlan { by, is_by_some, ..PartitionPlan::default() };
    for (key, partition) in basis.stored.iter().flat_map(|table| table.partitions()) {
        let told = key.of_columns(&plan.by);
        if gathered.contains_key(&told) {
            stored.entry(told).or_default().push(partition);
        } else {
            plan.remove.push(key.clone());
        }
    }
    let last =
        basis.stored.and_then(|table| table.partitions().map(|(key, _)| key.of_columns(&plan.by)).max());
    let all = sharing(basis, basis.whole_part(), others);
    let is_asked_for = basis.full_refresh || basis.volatile_run.is_some();
    // Made only where something is built: there is one for each column.
    let parts = OnceCell::new();
    let kept = OnceCell::new();
    for (key, output) in gathered {
        let before = stored.get(key).map_or(&[][..], Vec::as_slice);
        let is_current = |before: &&&Partition| output.is_noted(basis, &all, &before.ledger);
        if !before.is_empty() && !is_asked_for && before.iter().all(|before| is_current(&before)) {
            plan.current += 1;
            continue;
        }
        let inputs = output.inputs(basis, &all);
        let version = Version::derive(all.fingerprint, &inputs);
        let is_past = last.as_ref().is_some_and(|last| key < last);
        let otherwise = || {
            let kept: &[ModelPart<'_>; 2] =
                kept.get_or_init(|| basis.kept_parts().map(|part| sharing(basis, part, others)));
            kept.iter().map(|part| output.inputs(basis, part)).collect()
        };
        let reason_of = |before| basis.reason(before, &version, &inputs, &otherwise, is_past);
        let reason = match before {
            [] => reason_of(None),
            before => before.iter().find_map(|before| reason_of(Some(before))),
        };
        let Some(reason) = reason else {
            plan.current += 1;
            continue;
        };
        let parts: &Vec<(&str, ModelPart<'_>)> = parts.get_or_init(|| {
            basis.column_parts().map(|(name, part)| (name, sharing(basis, part, others))).collect()
        });
        let columns = parts.iter().map(|(name, part)| {
            ((*name).to_owned(), Version::derive(part.fingerprint, &output.inputs(basis, part)))
        });
        plan.build.push(PartitionBuild {
            key: key.clone(),
            columns: columns.collect(),
            inputs,
            version,
            reason,
            input_bytes: output.bytes,
            input_rows: output.rows,
        });
    }
    plan
}
