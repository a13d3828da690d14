//! The rows that fail a test, kept under a name of their own, where the test's config asks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::{BuildError, own_plan};
use super::session::Session;
use mep_contract::warehouse::{
    BuildFolder, ColumnVersions, Content, Inputs, Ledger, Partition, PartitionKey, Presentation, Spread,
    TableVersion, Version, WriteTarget,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRanges;
use mep_graph::{FailuresKept, Node};
use mep_sql::stored_schema;

impl Session<'_> {
    /// Keeps what a test's SELECT gives in the place of what an earlier run kept. Gives the relation, where anything is kept.
    ///
    /// # Errors
    /// Where the SELECT fails, or its rows cannot be stored.
    pub(super) fn keep_failures<'n>(
        &self,
        node: &'n Node,
        sql: &str,
    ) -> Result<Option<&'n Relation>, BuildError> {
        let Some(relation) = &node.relation else { return Ok(None) };
        let plan = own_plan(self.engine, sql)?;
        let schema = stored_schema(&plan.output(), &[]);
        let schema = schema.map_err(|unstorable| {
            BuildError::Plan(format!("its failing rows cannot be kept: {unstorable}: {}", unstorable.help()))
        })?;
        let fingerprint = Fingerprint::of(["failures", sql]);
        if node.config.test().store_failures_as == Some(FailuresKept::View) {
            let content = Content::View { sql: sql.to_owned(), fingerprint };
            let view = TableVersion::new(schema, content, self.run.clone());
            self.publish_view(relation, view, sql, failing(node))?;
            return Ok(Some(relation));
        }
        let target = WriteTarget {
            table_folder: self.warehouse.table_folder(relation),
            folder: BuildFolder::of(self.run),
            schema: schema.clone(),
            partition_columns: Vec::new(),
            spread: Spread::Threads,
        };
        let mut written = self.block_on(self.engine.write(plan, &target))?;
        let files = written.remove(&PartitionKey::whole()).unwrap_or_default();
        let ledger = Ledger {
            run: self.run.clone(),
            version: Version::of([self.run.as_str(), &relation.to_string()]),
            fingerprint,
            inputs: Inputs::default(),
            columns: ColumnVersions::default(),
            done: TimeRanges::default(),
        };
        let rows = Partition { files: files.into(), ledger: Arc::new(ledger) };
        let content = Content::Table {
            partition_columns: Vec::new(),
            partitions: BTreeMap::from([(PartitionKey::whole(), rows)]),
            batches: BTreeMap::new(),
        };
        let table = Arc::new(TableVersion::new(schema, content, self.run.clone()));
        self.warehouse.publish(relation, &table, &failing(node))?;
        self.published(relation, table)?;
        Ok(Some(relation))
    }
}

fn failing(node: &Node) -> Presentation {
    let description = Some(format!("The rows that failed the test {} when it last ran.", node.name));
    Presentation { description, ..Presentation::default() }
}
