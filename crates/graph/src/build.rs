//! From a project to its graph: every file is read by Jinja once, names become dependencies.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::attached_tests::AttachedTests;
use super::config::{self, ConfigOf, Materialization, NodeConfig, OwnConfig};
use super::dag::Graph;
use super::node::{Mentions, Node, NodeId, NodeKind, TestDetail, with_version};
use super::resolve::Named;
use super::stored_names::{GeneratedNames, StoredNames, file_name_problem};
use mep_core::relation::Relation;
use mep_lang::jinja::{GeneratedName, Parsed, Subject, Templates};
use mep_lang::project::{
    Located, Place, Problem, Problems, Project, Properties, Snapshot, SourceText, Span, SqlFile, hooks_after,
};
use mep_lang::python;

impl Graph {
    /// The graph of a project.
    ///
    /// # Errors
    /// All that is wrong: templates that cannot be read, config, names that stand for nothing, cycles.
    pub fn of(project: &Project, templates: &Templates) -> Result<Self, Problems> {
        Self::as_far_as_read(project, templates)?.wholly_read()
    }

    /// The graph of a project, of which some texts may be such that they cannot be read to their end.
    ///
    /// # Errors
    /// All that is wrong with the project as a whole: config, names that stand for nothing, cycles. Where there is anything,
    /// templates that cannot be read too.
    pub fn as_far_as_read(project: &Project, templates: &Templates) -> Result<Self, Problems> {
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
        // What makes the name of such a node may stand after what cannot be read.
        let is_read = |node: &&Node| builder.unreadable.iter().all(|(id, _)| *id != node.id);
        let named: Vec<&Node> = builder.nodes.iter().filter(is_read).collect();
        StoredNames::of(project).check_all(&named, &mut builder.problems);
        let warnings = builder.problems.take_warnings(project.is_strict);
        if !builder.problems.is_empty() {
            let unreadable = builder.unreadable.into_iter().map(|(_, problem)| problem);
            return Err(unreadable.chain(builder.problems).collect());
        }
        let graph = Graph::new(builder.nodes)?.without(builder.disabled_nodes).warning(warnings);
        Ok(graph.reading(builder.unreadable))
    }
}

pub(super) struct Builder<'a> {
    pub(super) project: &'a Project,
    pub(super) templates: &'a Templates,
    pub(super) nodes: Vec<Node>,
    pub(super) problems: Problems,
    parsed: Vec<(usize, Parsed)>,
    /// Texts that cannot be read to their end, each with why.
    pub(super) unreadable: Vec<(NodeId, Problem)>,
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
            unreadable: Vec::new(),
            disabled: Vec::new(),
            disabled_nodes: Vec::new(),
            refs: HashMap::new(),
            sources: BTreeMap::new(),
            fillers: HashMap::new(),
        }
    }

    fn add_sources(&mut self) {
        for (index, table) in self.project.sources.iter().enumerate() {
            let config = config::read(ConfigOf::Source, &table.config, &mut self.problems);
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
                deferred: None,
                config,
                depends_on: Vec::new(),
                mentions: Mentions::default(),
                description: table.properties.description.clone(),
                columns: table.properties.columns.clone(),
                constraints: Vec::new(),
                kind: NodeKind::Source { source: table.source.clone(), index, is_in_place: false },
            };
            if is_enabled { self.nodes.push(node) } else { self.disabled_nodes.push(node) }
        }
    }

    fn add_seeds(&mut self) {
        for (index, seed) in self.project.seeds.iter().enumerate() {
            let config = config::read(ConfigOf::Seed, &seed.config, &mut self.problems);
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
                deferred: None,
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
        for (index, (model, (parsed, unreadable))) in self.project.models.iter().zip(parsed).enumerate() {
            self.as_far_as_read(unreadable, |builder| builder.add_model(index, model, parsed));
        }
    }

    /// Adds a node. Where its text cannot be read to its end, that is what is wrong with it; what follows from config that was not
    /// read is not told.
    fn as_far_as_read(&mut self, unreadable: Option<Problem>, add: impl FnOnce(&mut Self)) {
        let Some(problem) = unreadable else { return add(self) };
        let (told, before) = (std::mem::take(&mut self.problems), self.nodes.len());
        add(self);
        self.problems = told;
        // None is added where the node is disabled.
        let added = self.nodes.get(before).map(|node| node.id.clone());
        self.unreadable.extend(added.map(|id| (id, problem)));
    }

    fn add_model(&mut self, index: usize, model: &SqlFile, parsed: Parsed) {
        self.problems.extend(parsed.missing.iter().cloned());
        let raw = self.settled(&model.fqn, &model.config, &parsed.config);
        let mut config = config::read(ConfigOf::Model, &raw, &mut self.problems);
        if let OwnConfig::Model(own) = &mut config.own
            && model.is_python()
        {
            own.materialized = Materialization::Table;
        }
        let kind = NodeKind::Model {
            index,
            uses_is_incremental: parsed.uses_is_incremental
                && config.materialized() == Materialization::Incremental,
            version: model.version.clone(),
        };
        if !config.enabled {
            let mut node = Self::sql_node("model", model, None, config, &model.properties, kind);
            node.mentions = Mentions::of(&parsed);
            self.disable(node);
            return;
        }
        let is_ephemeral = config.materialized() == Materialization::Ephemeral;
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

    /// Takes a node out of the graph by its config, so that what refers to it is told of that.
    fn disable(&mut self, node: Node) {
        let package = package_of(&node.fqn);
        self.disabled.extend(node.reference_names().map(|name| (package.to_owned(), name)));
        self.disabled_nodes.push(node);
    }

    fn add_snapshots(&mut self) {
        for (index, snapshot) in self.project.snapshots.iter().enumerate() {
            let (parsed, unreadable) = match (self.parse(&snapshot.file, "snapshot"), &snapshot.relation) {
                (read, None) => read,
                ((parsed, unreadable), Some(relation)) => {
                    let placed = |problem: Problem| {
                        let problem = Problem::new(problem.message()).at(&relation.place);
                        problem.help("write ref('a_model') or source('a_source', 'a_table')")
                    };
                    (parsed.placed(&relation.place), unreadable.map(placed))
                }
            };
            self.as_far_as_read(unreadable, |builder| builder.add_snapshot(index, snapshot, parsed));
        }
    }

    fn add_snapshot(&mut self, index: usize, snapshot: &Snapshot, parsed: Parsed) {
        let file = &snapshot.file;
        self.problems.extend(parsed.missing.iter().cloned());
        let raw = self.settled(&file.fqn, &file.config, &parsed.config);
        let config = config::read(ConfigOf::Snapshot, &raw, &mut self.problems);
        if !config.enabled {
            let kind = NodeKind::Snapshot { index };
            let mut node = Self::sql_node("snapshot", file, None, config, &file.properties, kind);
            node.mentions = Mentions::of(&parsed);
            self.disable(node);
            return;
        }
        let start = file.block.map_or(0, |block| block.start);
        let of_yaml = snapshot.relation.as_ref().map(|relation| relation.place.clone());
        let place = of_yaml.unwrap_or_else(|| file.text.at(Span { start, len: 0 }));
        config::check_snapshot(&config, &place, &mut self.problems);
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
            deferred: None,
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

    /// What a file says, as far as it can be read, and why that is not all of it.
    fn parse(&self, file: &SqlFile, resource_type: &str) -> (Parsed, Option<Problem>) {
        if file.is_python() {
            return (python::reads(&file.text), None);
        }
        let unique_id = format!("{resource_type}.{}.{}", package_of(&file.fqn), file.versioned_name());
        let config: IndexMap<String, Json> =
            file.config.iter().map(|(key, located)| (key.clone(), located.value.clone())).collect();
        self.templates.parse_as_far(&Subject {
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
        for (index, (test, (parsed, unreadable))) in self.project.tests.iter().zip(parsed).enumerate() {
            self.as_far_as_read(unreadable, |builder| builder.add_singular_test(index, test, &parsed));
        }
    }

    fn add_singular_test(&mut self, index: usize, test: &SqlFile, parsed: &Parsed) {
        self.problems.extend(parsed.missing.iter().cloned());
        let raw = self.settled(&test.fqn, &test.config, &parsed.config);
        let config = config::read(ConfigOf::Test, &raw, &mut self.problems);
        let kind = NodeKind::Test(TestDetail::Singular { index });
        let mut node = Self::sql_node("test", test, None, config, &test.properties, kind);
        node.mentions = Mentions::of(parsed);
        if !node.config.enabled {
            self.disabled_nodes.push(node);
            return;
        }
        // What the project's file says of all tests is meant for those that can follow it.
        let is_own = |place: &&Place| place.text.path() != Path::new("dbt_project.yml");
        if let Some(place) = node.config.places.get("where").filter(is_own)
            && node.config.test().where_sql.is_some()
        {
            let problem = Problem::new("`where` is for uses of generic tests: this test is its own SELECT");
            self.problems.push(problem.at(place).help("put the condition into its SQL"));
        }
        if let Some(depends_on) = self.dependencies_of_test(parsed) {
            node.depends_on = depends_on;
            self.nodes.push(node);
        } else {
            node.config.enabled = false;
            self.disabled_nodes.push(node);
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
