//! Semantic models, metrics and saved queries: what they name is there, and they can be selected. Nothing is computed of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::build::Builder;
use super::config::NodeConfig;
use super::node::{Dependency, Mentions, Node, NodeId, NodeKind, SemanticDetail};
use mep_core::warnings::WarningKind;
use mep_lang::project::{Located, Place, Problem, SemanticWords, Weight, nearest};

/// What has been named so far, and the node that it leads to.
type NamedSemantics = BTreeMap<String, NodeId>;

impl Builder<'_> {
    pub(super) fn add_semantics(&mut self) {
        let semantics = &self.project.semantics;
        let first = semantics.metrics.first().map(|metric| &metric.name.place);
        let first = first.or_else(|| semantics.saved_queries.first().map(|query| &query.name.place));
        if let Some(place) = first {
            let problem =
                Problem::new("metrics are read and checked, and none of them is computed").at(place);
            self.problems.push(problem.weighing(Weight::Once).kind(WarningKind::MetricsNotComputed));
        }
        let (mut measures, mut metrics) = (NamedSemantics::new(), NamedSemantics::new());
        let mut ids = NamedSemantics::new();
        for (index, model) in semantics.models.iter().enumerate() {
            let detail = SemanticDetail::Model(index);
            let id = self.semantic_id("semantic_model", &model.name);
            let needed = self.written_reference_of(&model.name.value, &model.model);
            for measure in &model.measures {
                if measures.insert(measure.value.clone(), id.clone()).is_some() {
                    self.named_twice("measure", measure);
                }
            }
            for name in &model.measures_as_metrics {
                metrics.insert(name.clone(), id.clone());
            }
            self.add_semantic(id, &model.name, &model.said, detail, needed.into_iter().collect(), &mut ids);
        }
        for metric in &semantics.metrics {
            let id = self.semantic_id("metric", &metric.name);
            if metrics.insert(metric.name.value.clone(), id).is_some() {
                self.named_twice("metric", &metric.name);
            }
        }
        for (index, metric) in semantics.metrics.iter().enumerate() {
            let id = self.semantic_id("metric", &metric.name);
            let mut needed = self.found("measure", &metric.measures, &measures);
            needed.extend(self.found("metric", &metric.metrics, &metrics));
            needed.retain(|one| one.id != id);
            let needs_measure = matches!(metric.kind.as_str(), "simple" | "cumulative");
            if needs_measure && metric.measures.is_empty() {
                let message = format!("a {} metric needs `measure` in its `type_params`", metric.kind);
                self.problems.push(Problem::new(message).at(&metric.name.place));
            }
            let detail = SemanticDetail::Metric(index);
            self.add_semantic(id, &metric.name, &metric.said, detail, needed, &mut ids);
        }
        for (index, query) in semantics.saved_queries.iter().enumerate() {
            let id = self.semantic_id("saved_query", &query.name);
            let needed = self.found("metric", &query.metrics, &metrics);
            let detail = SemanticDetail::SavedQuery(index);
            self.add_semantic(id, &query.name, &query.said, detail, needed, &mut ids);
        }
    }

    /// The folders of a file of YAML below the one in which files of its kind are looked for.
    fn folders(&self, path: &Path) -> Vec<String> {
        let mut packages = self.project.packages.iter();
        let within = packages.find_map(|package| path.strip_prefix(&package.folder).ok());
        let folders = within.unwrap_or(path).parent().into_iter().flat_map(Path::iter).skip(1);
        folders.map(|folder| folder.to_string_lossy().into_owned()).collect()
    }

    fn semantic_id(&self, thing: &str, name: &Located<String>) -> NodeId {
        let package = self.project.package_of(name.place.text.path());
        NodeId::new(format!("{thing}.{package}.{}", name.value))
    }

    fn named_twice(&mut self, thing: &str, name: &Located<String>) {
        let problem = Problem::new(format!("two {thing}s are named `{}`", name.value)).at(&name.place);
        self.problems.push(problem.help("give one of them another name"));
    }

    /// What these names lead to; a problem for each that leads nowhere.
    fn found(&mut self, thing: &str, names: &[Located<String>], known: &NamedSemantics) -> Vec<Dependency> {
        let mut found: Vec<Dependency> = Vec::new();
        for name in names {
            match known.get(&name.value) {
                Some(id) if found.iter().any(|one| one.id == *id) => {}
                Some(id) => found.push(Dependency { id: id.clone(), place: Some(name.place.clone()) }),
                None => {
                    let problem =
                        Problem::new(format!("there is no {thing} `{}`", name.value)).at(&name.place);
                    self.problems.push(match nearest(&name.value, known.keys().map(String::as_str)) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem,
                    });
                }
            }
        }
        found
    }

    fn add_semantic(
        &mut self,
        id: NodeId,
        name: &Located<String>,
        said: &SemanticWords,
        detail: SemanticDetail,
        depends_on: Vec<Dependency>,
        ids: &mut NamedSemantics,
    ) {
        if ids.insert(id.as_str().to_owned(), id.clone()).is_some() {
            if detail_is_new(detail) {
                let thing =
                    if matches!(detail, SemanticDetail::Model(_)) { "semantic model" } else { "saved query" };
                self.named_twice(thing, name);
            }
            return;
        }
        let place: &Place = &name.place;
        let package = self.project.package_of(place.text.path()).to_owned();
        let mut fqn = vec![package];
        fqn.extend(self.folders(place.text.path()));
        fqn.push(name.value.clone());
        let mut mentions = Mentions::default();
        if let (SemanticDetail::Model(_), [needed]) = (detail, depends_on.as_slice())
            && let Some(model) = self.nodes.iter().find(|node| node.id == needed.id)
        {
            mentions.add(model);
        }
        let mut config =
            NodeConfig { tags: said.tags.clone(), group: said.group.clone(), ..NodeConfig::default() };
        config.raw.insert("tags".to_owned(), said.tags.clone().into());
        config.meta = Json::Object(said.meta.clone().into_iter().collect());
        self.nodes.push(Node {
            id,
            name: name.value.clone(),
            fqn,
            path: place.text.path().to_owned(),
            place: Some(place.clone()),
            relation: None,
            deferred: None,
            config,
            depends_on,
            mentions,
            description: said.description.clone(),
            columns: Vec::new(),
            constraints: Vec::new(),
            kind: NodeKind::Semantic(detail),
        });
    }
}

/// Metrics that share a name are told of where they are named.
fn detail_is_new(detail: SemanticDetail) -> bool {
    !matches!(detail, SemanticDetail::Metric(_))
}
