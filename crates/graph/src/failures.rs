//! The relations that keep the rows which fail tests.

use super::build::Builder;
use super::config::{FailuresKept, NodeConfig};
use super::node::Node;
use indexmap::IndexMap;
use mep_lang::project::{Located, SourceText, Span};

/// dbt's name for the schema, added to the target's.
const SCHEMA: &str = "dbt_test__audit";

impl Builder<'_> {
    /// Gives each test whose failing rows are kept the relation that keeps them.
    pub(super) fn keep_failures(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let kept = node.config.test().failures_kept(self.project.store_failures);
            if !node.is_test() || kept == FailuresKept::Ephemeral {
                continue;
            }
            let Node { name, fqn, config, .. } = node.clone();
            let schema = config.schema.clone().unwrap_or_else(|| SCHEMA.to_owned());
            let config = NodeConfig { schema: Some(schema), ..config };
            let place = node.place.clone();
            let place = place.unwrap_or_else(|| SourceText::new(&node.path, "").at(Span::default()));
            let raw: IndexMap<_, _> = config
                .raw
                .iter()
                .map(|(key, value)| (key.clone(), Located { value: value.clone(), place: place.clone() }))
                .collect();
            let generated = self.generated("test", &name, &fqn, &place.text, &raw, &config);
            let relation = self.relation(&config, &name, &generated, &place);
            self.nodes[index].relation = Some(relation);
        }
    }
}
