//! Planning snapshots: whether what one is taken of is what it looked at last.

use super::changed::first_changed_line;
use super::partitions::{NOTED_ONE_BY_ONE, PartitionBuild, note_run};
use super::planner::Planner;
use super::reason::{ModelChange, Reason};
use super::table_states::TableStates;
use mep_contract::warehouse::{ColumnVersions, InputKey, Inputs, PartitionKey, TableVersion, Version};
use mep_graph::CompiledSnapshot;

impl Planner<'_> {
    /// The look that a snapshot has to take; `None` where it would see what it saw last. Its past cannot be built anew, so
    /// that a full refresh is none to it.
    pub(super) fn look(
        &self,
        snapshot: &CompiledSnapshot,
        known: &TableStates,
        stored: Option<&TableVersion>,
    ) -> Option<PartitionBuild> {
        let inputs = self.looked_at(snapshot, known);
        let noted = stored.and_then(|table| Some((table, &table.partitions().next()?.1.ledger)));
        let reason = match noted {
            None => Reason::FirstRun,
            Some(_) if snapshot.is_volatile => Reason::Volatile,
            Some((table, ledger)) if ledger.fingerprint != snapshot.fingerprint => {
                let before = table.sql.as_deref();
                let line = before.and_then(|sql| first_changed_line(sql, &snapshot.rendered));
                Reason::ModelChanged(ModelChange { what: None, line })
            }
            Some((_, ledger)) if ledger.inputs == inputs => return None,
            Some((_, ledger)) => Reason::changes(&ledger.inputs, &inputs, false),
        };
        let tables = snapshot.alignment.scans.iter().filter_map(|scan| known.get(&scan.relation));
        let (input_bytes, input_rows) =
            tables.fold((0, 0), |(bytes, rows), table| (bytes + table.bytes(), rows + table.rows()));
        Some(PartitionBuild {
            key: PartitionKey::whole(),
            columns: ColumnVersions::default(),
            version: Version::derive(&snapshot.fingerprint, &inputs),
            inputs,
            reason,
            input_bytes,
            input_rows,
        })
    }

    fn looked_at(&self, snapshot: &CompiledSnapshot, known: &TableStates) -> Inputs {
        let mut inputs = Inputs::default();
        for scan in &snapshot.alignment.scans {
            let name = scan.relation.to_string();
            inputs.add_table(&name);
            let Some(table) = known.get(&scan.relation) else { continue };
            if table.partitions.len() > NOTED_ONE_BY_ONE {
                inputs.add(&name, InputKey::all(), &table.digest(None));
                continue;
            }
            for (key, partition) in &table.partitions {
                inputs.add(&name, InputKey::of(key), &partition.version);
            }
        }
        if snapshot.is_volatile {
            note_run(&mut inputs, self.run);
        }
        inputs
    }
}
