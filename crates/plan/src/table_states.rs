//! What is known of the tables that a plan reads, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::table_state::TableState;
use mep_contract::warehouse::TableVersion;
use mep_core::relation::Relation;

/// The tables of which something is known. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct TableStates(BTreeMap<Relation, StateSource>);

#[derive(Clone, Debug)]
enum StateSource {
    /// As the warehouse holds it; looked through only where a step reads it.
    Stored(Arc<TableVersion>, Arc<OnceLock<TableState>>),
    /// As an earlier step will leave it.
    Expected(Arc<TableState>),
}

impl TableStates {
    /// Notes a table as the warehouse holds it.
    pub fn note(&mut self, relation: &Relation, table: Arc<TableVersion>) {
        self.0.insert(relation.clone(), StateSource::Stored(table, Arc::default()));
    }

    /// Notes a table as a step will leave it.
    pub fn expect(&mut self, relation: &Relation, known: TableState) {
        self.0.insert(relation.clone(), StateSource::Expected(Arc::new(known)));
    }

    /// What is known of a table.
    pub fn get(&self, relation: &Relation) -> Option<&TableState> {
        self.0.get(relation).map(|table| match table {
            StateSource::Stored(table, known) => known.get_or_init(|| TableState::of(table)),
            StateSource::Expected(known) => known.as_ref(),
        })
    }

    /// Whether something is known of a table.
    pub fn has(&self, relation: &Relation) -> bool {
        self.0.contains_key(relation)
    }
}
