//! From a project to its graph: every file is read by Jinja once, names become dependencies.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::attached_tests::AttachedTests;
use super::config::{Materialization, NodeConfig};
use super::config_reader::{self, ConfigOf};
use super::dag::Graph;
use super::node::{Mentions, Node, NodeId, NodeKind, TestDetail, with_version};
use super::resolve::Named;
use super::snapshot_config;
use super::stored_names::{GeneratedNames, StoredNames, file_name_problem};
use mep_core::relation::Relation;
use mep_lang::jinja::{GeneratedName, Parsed, Subject, Templates};
use mep_lang::project::{
    Located, Place, Problem, Problems, Project, Properties, SourceText, Span, SqlFile, hooks_after,
};
use mep_lang::python;

impl Graph {
    /// The graph of a project.
    ///
    /// # Errors
    /// All that is wrong: templates that cannot be read, config, names that stand for nothing, cycles.
    pub fn of(project: &Project, templates: &Templates) -> Result<Self, Problems> {
        let mut builder = Builder::new(project, templates);
        builder.add_sources();
        builder.add_seeds();
        builder.add_models();
        builder.add_snapshots();
        builder.settle_sources();
        builder.index_names();
        builder.connect_models();
        builder.settle_constraints();
        builder.add_singular_tests();
        builder.add_attached_tests();
        builder.keep_failures();
        builder.add_unit_tests();
        builder.add_exposures();
        builder.add_semantics();
        builder.check_groups();
        builder.check_access();
        builder.warn_of_deprecated();
        StoredNames::of(project).check_all(&builder.nodes, &mut builder.problems);
        let warnings = builder.problems.take_warnings(project.is_strict);
        let nodes = builder.problems.none_or(builder.nodes)?;
        Ok(Graph::new(nodes)?.without(builder.disabled_nodes).warning(warnings))
    }
}

pub(super) struct Builder<'a> {
    pub(super) project: &'a Project,
    pub(super) templates: &'a Templates,
    pub(super) nodes: Vec<Node>,
    pub(super) problems: Problems,
    parsed: Vec<(usize, Parsed)>,
    /// By package and name.
    pub(super) disabled: Vec<(String, String)>,
    /// The same, as nodes, and what else is disabled.
    pub(super) disabled_nodes: Vec<Node>,
    pub(super) refs: HashMap<(String, String), Named>,
    pub(super) sources: BTreeMap<(String, String), NodeId>,
    /// For a source table that a node of the project fills, that node.
    pub(super) fillers: HashMap<NodeId, NodeId>,
}

impl<'a> Builder<'a> {
    fn new(project: &'a Project, templates: &'a Templates) -> Self {
        Self {
            project,
            templates,
            nodes: Vec::new(),
            problems: Problems::default(),
            parsed: Vec::new(),
            disabled: Vec::new(),
            disabled_nodes: Vec::new(),
            refs: HashMap::new(),
            sources: BTreeMap::new(),
            fillers: HashMap::new(),
        }
    }

    fn add_sources(&mut self) {
        for (index, table) in self.project.sources.iter().enumerate() {
            let config = config_reader::read(ConfigOf::Source, &table.config, &mut self.problems);
            let package = self.project.package_of(table.place.text.path());
            let id = NodeId::new(format!("source.{package}.{}.{}", table.source, table.name));
            let mut fqn = vec![package.to_owned()];
            let folders = table.place.text.path().parent();
            let folders = folders.and_then(|path| path.strip_prefix("models").ok());
            fqn.extend(
                folders.iter().flat_map(|path| path.iter()).map(|part| part.to_string_lossy().into_owned()),
            );
            fqn.extend([table.source.clone(), table.name.clone()]);
            let mut config = config;
            config.tags = unique(table.tags.iter().chain(&config.tags));
            // Only dots within names can do this: a source `a.b` with a table `c`, and `a` with `b.c`.
            let has_dot = table.source.contains('.') || table.name.contains('.');
            if has_dot && config.enabled && self.nodes.iter().any(|node| node.id == id) {
                let problem = Problem::new(format!("two source tables are both known as `{}`", id.as_str()));
                let help = "give the source or the table another name, without a dot";
                self.problems.push(problem.at(&table.place).help(help));
                continue;
            }
            let is_enabled = config.enabled;
            if is_enabled {
                self.sources.insert((table.source.clone(), table.name.clone()), id.clone());
            }
            let node = Node {
                id,
                name: table.name.clone(),
                fqn,
                path: table.place.text.path().to_owned(),
                place: Some(table.place.clone()),
                // It is known once all nodes are.
                relation: None,
                config,
                depends_on: Vec::new(),
                mentions: Mentions::default(),
                description: table.properties.description.clone(),
                columns: table.properties.columns.clone(),
                constraints: Vec::new(),
                kind: NodeKind::Source { source: table.source.clone(), index },
            };
            if is_enabled { self.nodes.push(node) } else { self.disabled_nodes.push(node) }
        }
    }

    fn add_seeds(&mut self) {
        for (index, seed) in self.project.seeds.iter().enumerate() {
            let config = config_reader::read(ConfigOf::Seed, &seed.config, &mut self.problems);
            let place = SourceText::new(seed.path.clone(), "").at(mep_lang::project::Span::default());
            let is_enabled = config.enabled;
            let relation = is_enabled.then(|| {
                let generated =
                    self.generated("seed", &seed.name, &seed.fqn, &place.text, &seed.config, &config);
                self.relation(&config, &seed.name, &generated, &place)
            });
            let node = Node {
                id: NodeId::new(format!("seed.{}.{}", package_of(&seed.fqn), seed.name)),
                name: seed.name.clone(),
                fqn: seed.fqn.clone(),
                path: seed.path.clone(),
                place: Some(place),
                relation,
                config,
                depends_on: Vec::new(),
                mentions: Mentions::default(),
                description: seed.properties.description.clone(),
                columns: seed.properties.columns.clone(),
                constraints: Vec::new(),
                kind: NodeKind::Seed { index },
            };
            if is_enabled {
                self.nodes.push(node);
            } else {
                self.disable(node);
            }
        }
    }

    fn add_models(&mut self) {
        let parsed = parse_all(&self.project.models, |model| self.parse(model, "model"));
        for (index, (model, parsed)) in self.project.models.iter().zip(parsed).enumerate() {
            let parsed = match parsed {
                Ok(parsed) => parsed,
                Err(problem) => {
                    self.problems.push(problem);
                    // What refers to it must not be told that there is no such model.
                    self.disabled.push((package_of(&model.fqn).to_owned(), model.versioned_name()));
                    continue;
                }
            };
            self.problems.extend(parsed.missing.iter().cloned());
            let raw = self.settled(&model.fqn, &model.config, &parsed.config);
            let mut config = config_reader::read(ConfigOf::Model, &raw, &mut self.problems);
            if model.is_python() {
                config.materialized = Materialization::Table;
            }
            let kind = NodeKind::Model {
                index,
                uses_is_incremental: parsed.uses_is_incremental
                    && config.materialized == Materialization::Incremental,
                version: model.version.clone(),
            };
            if !config.enabled {
                let mut node = Self::sql_node("model", model, None, config, &model.properties, kind);
                node.mentions = Mentions::of(&parsed);
                self.disable(node);
                continue;
            }
            let is_ephemeral = config.materialized == Materialization::Ephemeral;
            let place = model.text.at(Span::default());
            let relation = (!is_ephemeral).then(|| {
                let name = model.versioned_name();
                let generated = self.generated("model", &name, &model.fqn, &model.text, &raw, &config);
                let stored = model.version.as_ref().map(|version| with_version(&model.name, version));
                self.relation(&config, stored.as_ref().unwrap_or(&model.name), &generated, &place)
            });
            self.parsed.push((self.nodes.len(), parsed));
            self.nodes.push(Self::sql_node("model", model, relation, config, &model.properties, kind));
        }
    }

    /// Takes a node out of the graph by its config, so that what refers to it is told of that.
    fn disable(&mut self, node: Node) {
        let package = package_of(&node.fqn);
        self.disabled.extend(node.reference_names().map(|name| (package.to_owned(), name)));
        self.disabled_nodes.push(node);
    }

    fn add_snapshots(&mut self) {
        for (index, snapshot) in self.project.snapshots.iter().enumerate() {
            let file = &snapshot.file;
            let parsed = match (self.parse(file, "snapshot"), &snapshot.relation) {
                (Ok(parsed), None) => parsed,
                (Ok(parsed), Some(relation)) => parsed.placed(&relation.place),
                (Err(problem), relation) => {
                    self.problems.push(match relation {
                        Some(relation) => Problem::new(problem.message())
                            .at(&relation.place)
                            .help("write ref('a_model') or source('a_source', 'a_table')"),
                        None => problem,
                    });
                    self.disabled.push((package_of(&file.fqn).to_owned(), file.name.clone()));
                    continue;
                }
            };
            self.problems.extend(parsed.missing.iter().cloned());
            let raw = self.settled(&file.fqn, &file.config, &parsed.config);
            let config = config_reader::read(ConfigOf::Snapshot, &raw, &mut self.problems);
            if !config.enabled {
                let kind = NodeKind::Snapshot { index };
                let mut node = Self::sql_node("snapshot", file, None, config, &file.properties, kind);
                node.mentions = Mentions::of(&parsed);
                self.disable(node);
                continue;
            }
            let start = file.block.map_or(0, |block| block.start);
            let of_yaml = snapshot.relation.as_ref().map(|relation| relation.place.clone());
            let place = of_yaml.unwrap_or_else(|| file.text.at(Span { start, len: 0 }));
            snapshot_config::check(&config, &place, &mut self.problems);
            let named = file.properties.place.as_ref().unwrap_or(&place);
            self.problems.extend(file_name_problem("snapshot", &file.name).map(|problem| problem.at(named)));
            let generated = self.generated("snapshot", &file.name, &file.fqn, &file.text, &raw, &config);
            let relation = self.relation(&config, &file.name, &generated, named);
            let kind = NodeKind::Snapshot { index };
            let mut node = Self::sql_node("snapshot", file, Some(relation), config, &file.properties, kind);
            node.place = Some(place);
            self.parsed.push((self.nodes.len(), parsed));
            self.nodes.push(node);
        }
    }

    pub(super) fn sql_node(
        resource_type: &str,
        file: &SqlFile,
        relation: Option<Relation>,
        config: NodeConfig,
        properties: &Properties,
        kind: NodeKind,
    ) -> Node {
        Node {
            id: NodeId::new(format!("{resource_type}.{}.{}", package_of(&file.fqn), file.versioned_name())),
            name: file.name.clone(),
            fqn: file.fqn.clone(),
            path: file.text.path().to_owned(),
            place: Some(file.text.at(mep_lang::project::Span::default())),
            relation,
            config,
            depends_on: Vec::new(),
            mentions: Mentions::default(),
            description: properties.description.clone(),
            columns: properties.columns.clone(),
            constraints: Vec::new(),
            kind,
        }
    }

    /// The config of a file. Of a package's, what the project says goes over what the file itself does.
    fn settled(
        &self,
        fqn: &[String],
        files: &IndexMap<String, Located<Json>>,
        own: &IndexMap<String, Located<Json>>,
    ) -> IndexMap<String, Located<Json>> {
        let all = merged(files, own);
        if package_of(fqn) == self.project.name {
            return all;
        }
        let is_of_project =
            |located: &Located<Json>| located.place.text.path() == Path::new("dbt_project.yml");
        let over = files.iter().filter(|(_, located)| is_of_project(located));
        merged(&all, &over.map(|(key, located)| (key.clone(), located.clone())).collect())
    }

    fn parse(&self, file: &SqlFile, resource_type: &str) -> Result<Parsed, Problem> {
        if file.is_python() {
            return Ok(python::reads(&file.text));
        }
        let unique_id = format!("{resource_type}.{}.{}", package_of(&file.fqn), file.versioned_name());
        let config: IndexMap<String, Json> =
            file.config.iter().map(|(key, located)| (key.clone(), located.value.clone())).collect();
        self.templates.parse(&Subject {
            text: &file.text,
            block: file.block,
            name: &file.name,
            unique_id: &unique_id,
            resource_type,
            fqn: &file.fqn,
            this: Relation::new(&self.project.target.schema, &file.name),
            config,
            description: file.properties.description.as_deref().unwrap_or_default(),
            columns: &file.properties.columns,
        })
    }

    /// The relation of a node that stands at this place.
    pub(super) fn relation(
        &mut self,
        config: &NodeConfig,
        name: &str,
        generated: &GeneratedNames,
        place: &Place,
    ) -> Relation {
        StoredNames::of(self.project).relation(config, name, generated, place, &mut self.problems)
    }

    /// What the project's own macros make of a node's names.
    pub(super) fn generated(
        &mut self,
        resource_type: &str,
        name: &str,
        fqn: &[String],
        text: &SourceText,
        raw: &IndexMap<String, Located<Json>>,
        config: &NodeConfig,
    ) -> GeneratedNames {
        if !self.templates.generates_names() {
            return GeneratedNames::default();
        }
        let unique_id = format!("{resource_type}.{}.{name}", package_of(fqn));
        let subject = Subject {
            text,
            block: None,
            name: name.split_once(".v").map_or(name, |(name, _)| name),
            unique_id: &unique_id,
            resource_type,
            fqn,
            this: Relation::new(&self.project.target.schema, name),
            config: raw.iter().map(|(key, located)| (key.clone(), located.value.clone())).collect(),
            description: "",
            columns: &[],
        };
        let mut made = |which, custom: &Option<String>| {
            let made = self.templates.generated_name(which, custom.as_deref(), &subject);
            made.unwrap_or_else(|problem| {
                self.problems.push(problem);
                None
            })
        };
        GeneratedNames {
            schema: made(GeneratedName::Schema, &config.schema),
            alias: made(GeneratedName::Alias, &config.alias),
        }
    }

    fn connect_models(&mut self) {
        for (index, parsed) in std::mem::take(&mut self.parsed) {
            let depends_on = self.dependencies(&parsed);
            self.nodes[index].depends_on = depends_on;
            self.nodes[index].mentions = Mentions::of(&parsed);
        }
    }

    fn add_singular_tests(&mut self) {
        let parsed = parse_all(&self.project.tests, |test| self.parse(test, "test"));
        for (index, (test, parsed)) in self.project.tests.iter().zip(parsed).enumerate() {
            let parsed = match parsed {
                Ok(parsed) => parsed,
                Err(problem) => {
                    self.problems.push(problem);
                    continue;
                }
            };
            self.problems.extend(parsed.missing.iter().cloned());
            let raw = self.settled(&test.fqn, &test.config, &parsed.config);
            let config = config_reader::read(ConfigOf::Test, &raw, &mut self.problems);
            let kind = NodeKind::Test(TestDetail::Singular { index });
            let mut node = Self::sql_node("test", test, None, config, &test.properties, kind);
            node.mentions = Mentions::of(&parsed);
            if !node.config.enabled {
                self.disabled_nodes.push(node);
                continue;
            }
            // What the project's file says of all tests is meant for those that can follow it.
            let is_own = |place: &&Place| place.text.path() != Path::new("dbt_project.yml");
            if let Some(place) = node.config.places.get("where").filter(is_own)
                && node.config.where_sql.is_some()
            {
                let problem =
                    Problem::new("`where` is for uses of generic tests: this test is its own SELECT");
                self.problems.push(problem.at(place).help("put the condition into its SQL"));
            }
            if let Some(depends_on) = self.dependencies_of_test(&parsed) {
                node.depends_on = depends_on;
                self.nodes.push(node);
            } else {
                node.config.enabled = false;
                self.disabled_nodes.push(node);
            }
        }
    }

    fn add_attached_tests(&mut self) {
        let attached = AttachedTests::of(self);
        self.nodes.extend(attached);
    }
}

/// The package that a file is of, by its name in config.
pub(super) fn package_of(fqn: &[String]) -> &str {
    fqn.first().map_or("", String::as_str)
}

/// The config of the files, overlaid by what the SQL says; tags and hooks add up.
pub(super) fn merged(
    files: &IndexMap<String, Located<Json>>,
    own: &IndexMap<String, Located<Json>>,
) -> IndexMap<String, Located<Json>> {
    let mut all = files.clone();
    for (key, located) in own {
        let mut located = located.clone();
        if key == "tags"
            && let Some(before) = files.get(key)
        {
            let tags: Vec<String> = texts(&before.value).into_iter().chain(texts(&located.value)).collect();
            located.value = unique(&tags).into();
        }
        let is_hook = ["pre_hook", "pre-hook", "post_hook", "post-hook"].contains(&key.as_str());
        if let Some(before) = files.get(key).filter(|_| is_hook) {
            located.value = hooks_after(&before.value, &located.value);
        }
        all.insert(key.clone(), located);
    }
    all
}

fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::String(one) => vec![one.clone()],
        Json::Array(many) => many.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn unique<'t>(texts: impl IntoIterator<Item = &'t String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        if !seen.contains(text) {
            seen.push(text.clone());
        }
    }
    seen
}

/// What `parse` makes of each item, in their order, worked out on all cores.
pub(super) fn parse_all<T: Sync, R: Send>(items: &[T], parse: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const FEW: usize = 64;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if items.len() < FEW || threads == 1 {
        return items.iter().map(parse).collect();
    }
    let parse = &parse;
    let chunk = items.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = items
            .chunks(chunk)
            .map(|chunk| scope.spawn(move || chunk.iter().map(parse).collect::<Vec<R>>()))
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<R>>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect()
    })
}
