//! What a model with a contract promises of its rows, checked before they are published: readers never see a row that breaks it.
//!
//! What is promised of each row is looked for in the rows that no run has checked yet. What is promised of all rows together is looked
//! for in the table as it will be, or in its new partitions alone, where rows of two partitions cannot break it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::build::BuildError;
use super::session::Session;
use mep_contract::warehouse::{Content, Partition, PartitionKey, TableVersion};
use mep_core::relation::Relation;
use mep_graph::{CompiledConstraint, CompiledModel, NodeIndex, Promise};
use mep_sql::constraint::rows_where;

type Partitions = BTreeMap<PartitionKey, Partition>;

impl Session<'_> {
    /// Checks the constraints of a model over what is to be published.
    ///
    /// # Errors
    /// Where rows break one, each with how many do; or where they cannot be looked at.
    pub(super) fn check_constraints(
        &self,
        index: NodeIndex,
        relation: &Relation,
        table: &TableVersion,
    ) -> Result<(), BuildError> {
        let Some(model) = self.compiled.models.get(&index).filter(|model| !model.constraints.is_empty())
        else {
            return Ok(());
        };
        let unseen = unseen(model, self.stored(relation).as_deref(), table);
        if unseen.is_empty() {
            return Ok(());
        }
        let mut broken: Vec<(&CompiledConstraint, i64)> = Vec::new();
        let condition = |constraint: &'_ CompiledConstraint| match &constraint.promise {
            Promise::OfEach(condition) => Some(condition.clone()),
            _ => None,
        };
        let (of_each, others): (Vec<_>, Vec<_>) =
            model.constraints.iter().partition(|constraint| condition(constraint).is_some());
        if !of_each.is_empty() {
            let conditions: Vec<String> = of_each.iter().filter_map(|one| condition(one)).collect();
            let counts = self.counted(relation, table, "unseen", unseen.clone(), |name| {
                rows_where(&name.to_string(), &conditions)
            })?;
            broken.extend(of_each.into_iter().zip(counts));
        }
        for constraint in others {
            let is_of_partition = match &constraint.promise {
                Promise::OfAll(columns) => {
                    model.partition_columns.iter().all(|column| columns.contains(column))
                }
                _ => false,
            };
            let looked_at =
                table.partitions().filter(|(key, _)| !is_of_partition || unseen.contains_key(*key));
            let looked_at = looked_at.map(|(key, partition)| (key.clone(), partition.clone())).collect();
            let counts =
                self.counted(relation, table, "constrained", looked_at, |name| match &constraint.promise {
                    Promise::OfOther { columns, to, to_columns } if to == relation => Promise::OfOther {
                        columns: columns.clone(),
                        to: name.clone(),
                        to_columns: to_columns.clone(),
                    }
                    .counting(name),
                    promise => promise.counting(name),
                })?;
            broken.extend(counts.into_iter().map(|count| (constraint, count)));
        }
        broken.retain(|(_, rows)| *rows > 0);
        if broken.is_empty() { Ok(()) } else { Err(BuildError::Rejected(self.said(relation, &broken))) }
    }

    /// The numbers that a SELECT gives of some partitions, which it knows by a name of their own.
    fn counted(
        &self,
        relation: &Relation,
        table: &TableVersion,
        purpose: &'static str,
        partitions: Partitions,
        sql: impl FnOnce(&Relation) -> String,
    ) -> Result<Vec<i64>, BuildError> {
        let counted = self.over_partitions(relation, table, purpose, partitions, sql)?;
        let mut counts = Vec::new();
        for column in counted.iter().flat_map(|batch| batch.columns().to_vec()) {
            let whole = cast(&column, &DataType::Int64).map_err(mep_sql::SqlError::from)?;
            counts.extend(whole.as_primitive::<Int64Type>().iter().flatten());
        }
        Ok(counts)
    }

    /// The rows that a SELECT gives of some partitions, which it knows by a name of their own.
    pub(super) fn over_partitions(
        &self,
        relation: &Relation,
        table: &TableVersion,
        purpose: &'static str,
        partitions: Partitions,
        sql: impl FnOnce(&Relation) -> String,
    ) -> Result<Vec<RecordBatch>, BuildError> {
        let name = relation.aside(purpose);
        let content = Content::Table {
            partition_columns: table.partition_columns().to_vec(),
            partitions,
            batches: BTreeMap::new(),
        };
        let looked_at = TableVersion::new(table.schema.clone(), content, self.run.clone());
        self.engine.register_aside(&name, self.warehouse.table_folder(relation), looked_at)?;
        let counted = self.engine.planned(&sql(&name)).map_err(BuildError::from);
        let counted = counted.and_then(|counting| self.block_on(self.engine.collect(counting)));
        self.engine.forget(&name)?;
        counted
    }

    fn said(&self, relation: &Relation, broken: &[(&CompiledConstraint, i64)]) -> String {
        let (constraints, are) =
            if broken.len() == 1 { ("constraint", "is") } else { ("constraints", "are") };
        let stays = match self.stored(relation) {
            Some(_) => "so readers still find the old content",
            None => "so there is no table yet",
        };
        let mut text = format!("{} {constraints} of the new content {are} broken, {stays}:", broken.len());
        for (constraint, rows) in broken {
            let (what, s) = (&constraint.shown, if *rows == 1 { "" } else { "s" });
            let how = match &constraint.promise {
                Promise::OfEach(_) => String::new(),
                Promise::OfAll(_) => " that share their key with another".to_owned(),
                Promise::OfOther { to, .. } if to == relation => " without their key in it".to_owned(),
                Promise::OfOther { to, .. } => format!(" without their key in {to}"),
            };
            text.push_str(&format!("\n  {what}: {rows} row{s}{how}"));
        }
        text
    }
}

/// The files of a table that no run has checked by these constraints, by their partitions.
fn unseen(model: &CompiledModel, stored: Option<&TableVersion>, table: &TableVersion) -> Partitions {
    let checked: HashSet<&str> = stored
        .into_iter()
        .flat_map(TableVersion::partitions)
        .filter(|(_, partition)| partition.ledger.fingerprint == model.fingerprint)
        .flat_map(|(_, partition)| partition.files.iter().map(|file| file.path.as_str()))
        .collect();
    let unseen = table.partitions().filter_map(|(key, partition)| {
        let files = partition.files.iter().filter(|file| !checked.contains(file.path.as_str()));
        let files: Vec<_> = files.cloned().collect();
        let rest = Partition { files: Arc::new(files), ledger: partition.ledger.clone() };
        (!rest.files.is_empty()).then(|| (key.clone(), rest))
    });
    unseen.collect()
}
