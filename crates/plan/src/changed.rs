//! What is not as it was in a model, told from the SQL that its stored content was built by.

use super::planner::Planner;
use super::reason::ModelChange;
use mep_contract::warehouse::{Content, TableVersion};
use mep_graph::{CompiledModel, NodeIndex, NodeSet, tested_relation};
use mep_lang::jinja::Rendered;

impl Planner<'_> {
    /// What changed in a model since the stored table was built: a line of its SQL, the columns that it is partitioned by,
    /// or a view that it reads. Nothing of this where it is not known.
    pub(super) fn what_changed(
        &self,
        index: NodeIndex,
        model: &CompiledModel,
        stored: &TableVersion,
    ) -> ModelChange {
        if stored.partitions().all(|(_, partition)| partition.ledger.fingerprint == model.fingerprint) {
            return ModelChange::default();
        }
        if stored.partition_columns() != model.partition_columns {
            return ModelChange { what: Some("`partition_by`".to_owned()), line: None };
        }
        let line = stored.sql.as_deref().and_then(|sql| first_changed_line(sql, &model.rendered));
        if line.is_some() {
            return ModelChange { what: None, line };
        }
        self.changed_view(index).unwrap_or_default()
    }

    /// The first view below a model that is not as it is published.
    fn changed_view(&self, index: NodeIndex) -> Option<ModelChange> {
        let mut below: NodeSet = self.graph.parents(index).iter().copied().collect();
        while let Some(index) = below.pop_last() {
            let node = self.graph.node(index);
            let (true, Some(model)) = (node.is_inlined(), self.compiled.models.get(&index)) else {
                continue;
            };
            let published = (self.stored)(&tested_relation(node));
            if let Some(Content::View { sql, fingerprint }) = published.as_ref().map(|table| &table.content)
                && *fingerprint != model.fingerprint
                && *sql != model.sql
            {
                let line = first_changed_line(sql, &model.rendered);
                return Some(ModelChange { what: Some(format!("view {}", node.name)), line });
            }
            below.extend(self.graph.parents(index));
        }
        None
    }
}

/// The line of the user's file from which on the SQL is another one; `None` where it is the same.
pub(super) fn first_changed_line(before: &str, now: &Rendered) -> Option<usize> {
    let mut old = before.lines();
    let (mut start, mut last) = (0, 0);
    for line in now.sql.split_inclusive('\n') {
        if old.next().map(str::trim) != Some(line.trim()) {
            return Some(line_in_file(now, start + line.len() - line.trim_start().len()));
        }
        if !line.trim().is_empty() {
            last = start;
        }
        start += line.len();
    }
    old.any(|line| !line.trim().is_empty()).then(|| line_in_file(now, last))
}

fn line_in_file(rendered: &Rendered, at: usize) -> usize {
    rendered.map.place(at..at).line_column().0
}
