//! Exposures: what is made from the tables elsewhere, at the ends of the graph.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::build::Builder;
use super::config::NodeConfig;
use super::node::{Dependency, Mentions, Node, NodeId, NodeKind};
use mep_core::relation::Relation;
use mep_lang::jinja::Subject;
use mep_lang::project::{Problem, SourceText};

impl Builder<'_> {
    pub(super) fn add_exposures(&mut self) {
        for (index, exposure) in self.project.exposures.iter().enumerate() {
            let mut depends_on: Vec<Dependency> = Vec::new();
            let mut mentions = Mentions::default();
            for written in &exposure.depends_on {
                let text = SourceText::new(
                    written.place.text.path().to_owned(),
                    format!("{{{{ {} }}}}", written.value),
                );
                let subject = Subject {
                    text: &text,
                    block: None,
                    name: &exposure.name,
                    unique_id: &exposure.name,
                    resource_type: "exposure",
                    fqn: &[],
                    this: Relation::new(&self.project.target.schema, &exposure.name),
                    config: IndexMap::new(),
                    description: "",
                    columns: &[],
                };
                let parsed = match self.templates.parse(&subject) {
                    Ok(parsed) => parsed,
                    Err(problem) => {
                        let problem = Problem::new(problem.message()).at(&written.place);
                        self.problems
                            .push(problem.help("write ref('a_model') or source('a_source', 'a_table')"));
                        continue;
                    }
                };
                let named = Mentions::of(&parsed);
                mentions.refs.extend(named.refs);
                mentions.sources.extend(named.sources);
                depends_on.extend(self.dependencies(&parsed.placed(&written.place)));
            }
            let mut config = NodeConfig { tags: exposure.tags.clone(), ..NodeConfig::default() };
            config.raw.insert("tags".to_owned(), exposure.tags.clone().into());
            config.meta = Json::Object(exposure.meta.clone().into_iter().collect());
            let package = self.project.package_of(exposure.place.text.path());
            self.nodes.push(Node {
                id: NodeId::new(format!("exposure.{package}.{}", exposure.name)),
                name: exposure.name.clone(),
                fqn: vec![package.to_owned(), exposure.name.clone()],
                path: exposure.place.text.path().to_owned(),
                place: Some(exposure.place.clone()),
                relation: None,
                deferred: None,
                config,
                depends_on,
                mentions,
                description: exposure.description.clone(),
                columns: Vec::new(),
                constraints: Vec::new(),
                kind: NodeKind::Exposure { index },
            });
        }
    }
}
