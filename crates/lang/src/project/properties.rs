//! Properties files (`schema.yml`): what they say of models, seeds, snapshots, singular tests, sources and exposures.

use indexmap::IndexMap;

use super::columns::read_columns;
use super::config_tree::{Config, overlay, overlay_all};
use super::constraints::read_constraints;
use super::docs::{Docs, written_twice};
use super::exposures::read_exposure;
use super::groups::{ModelGroup, read_group};
use super::item::{Item, Mapping, has_no_effect, unknown_key};
use super::project_file::ConfigTrees;
use super::semantics::{Semantics, read_metric, read_saved_query, read_semantic_model};
use super::sources::read_source;
use super::strings::Strings;
use super::test_uses::read_tests;
use super::unit_tests::{Fixtures, UnitTest, read_unit_test};
use super::versions::{VersionEntry, read_versions};
use super::yaml::{self, Value, YamlNode};
use super::{Exposure, Located, Place, Problem, Problems, Properties, SourceTable, SourceText, Weight};
use mep_core::keys::{self, Effect, Key, Section, Shape, accepted, key, without_effect};
use mep_core::warnings::WarningKind;

/// Keys at the top of a file that say what the file is.
const OWN: [Key; 13] = [
    key("models", "list of entries", "", "What is known of models.")
        .of(Shape::List(&Shape::Keys(&["The entry of a model"]))),
    key("seeds", "list of entries", "", "What is known of seeds.")
        .of(Shape::List(&Shape::Keys(&["The entry of a seed"]))),
    key(
        "snapshots",
        "list of entries",
        "",
        "What is known of snapshots; one with `relation` is the snapshot.",
    )
    .of(Shape::List(&Shape::Keys(&["The entry of a snapshot"]))),
    key("sources", "list of sources", "", "Tables that come from outside.")
        .of(Shape::List(&Shape::Keys(&["A source"]))),
    key("exposures", "list of exposures", "", "What uses the models.")
        .of(Shape::List(&Shape::Keys(&["An exposure"]))),
    key(
        "semantic_models",
        "list of semantic models",
        "",
        "What columns of models mean to metrics; read and checked.",
    )
    .of(Shape::List(&Shape::Keys(&["A semantic model"]))),
    key(
        "metrics",
        "list of metrics",
        "",
        "Numbers over semantic models; read and checked, and not computed.",
    )
    .of(Shape::List(&Shape::Keys(&["A metric"]))),
    key("saved_queries", "list of saved queries", "", "Queries over metrics; read and checked.")
        .of(Shape::List(&Shape::Keys(&["A saved query"]))),
    key("groups", "list of groups", "", "Parts of the project, each with who looks after it.")
        .of(Shape::List(&Shape::Keys(&["A group of models"]))),
    key("unit_tests", "list of unit tests", "", "Tests of models on rows that stand in the file.")
        .of(Shape::List(&Shape::Keys(&["A unit test"]))),
    key("data_tests", "list of entries", "", "What is known of singular tests.")
        .of(Shape::List(&Shape::Keys(&["The entry of a singular test"]))),
    key("tests", "list of entries", "", "The old name of `data_tests`.")
        .of(Shape::List(&Shape::Keys(&["The entry of a singular test"]))),
    accepted("macros", "Descriptions of macros are not read."),
];
/// Keys that are accepted and not read.
const HARMLESS: [Key; 3] = [
    accepted("version", "Of the file's form: 2."),
    accepted("analyses", "Analyses are not read."),
    accepted("anchors", "A place for YAML's anchors."),
];
const METRICS: &str = "Metrics are not computed, and no table is another for them.";
/// Keys whose content mep does not read, and whose Jinja has names of its own.
const NOT_READ: [Key; 2] = [
    without_effect("time_spines", METRICS),
    without_effect("functions", "No function is made; a model that calls one does not compile."),
];

// What entries of several kinds have.
const DESCRIPTION: Key =
    key("description", "text", "", "What it is; may name a `docs` block: `{{ doc('name') }}`.")
        .of(Shape::Text);
const COLUMNS: Key = key("columns", "list of columns", "", "What is known of its columns.")
    .of(Shape::List(&Shape::Keys(&["A column"])));
const TESTS: Key =
    key("tests", "list of tests", "", "The old name of `data_tests`.").of(Shape::List(&Shape::Any));
const DATA_TESTS: Key =
    key("data_tests", "list of tests", "", "Tests of all of it.").of(Shape::List(&Shape::Any));
const TAGS: Key = key("tags", "text or list", "", "Words to select by.").of(Shape::OneOrMore(&Shape::Text));
const META: Key = key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any));
const CONFIG: Key =
    key("config", "mapping", "", "Config, over that of the folder and under that of the file.")
        .of(Shape::Mapping(&Shape::Any));
const DOCS: Key = accepted("docs", "Of dbt's own docs.");

/// Who may refer to a model.
pub(super) const ACCESS: Shape = Shape::Words(|| vec!["private", "protected", "public"]);

const MODEL_KEYS: [Key; 20] = [
    key("name", "name", "needed", "The file's name without `.sql`.").of(Shape::Text),
    DESCRIPTION,
    COLUMNS,
    TESTS,
    DATA_TESTS,
    TAGS,
    META,
    CONFIG.of(Shape::Keys(&[
        "Every node",
        "Models",
        "Models, seeds and snapshots",
        "Keys of dbt's adapters and packages, of models, seeds and snapshots",
    ])),
    DOCS,
    key("access", "", "protected", "Who may refer to it: its group, its project, or all.").of(ACCESS),
    key("group", "name", "", "The group that it is of.").of(Shape::Text),
    key("versions", "list of versions", "", "Its versions, each in a file of its own.")
        .of(Shape::List(&Shape::Keys(&["A version of a model"]))),
    key(
        "latest_version",
        "number or text",
        "the greatest",
        "The version that `ref()` means where it says none.",
    )
    .of(Shape::Either(&[Shape::Number, Shape::Text])),
    key(
        "deprecation_date",
        "date",
        "",
        "The day from which on nothing should refer to it; who does is told.",
    )
    .of(Shape::Text),
    without_effect("time_spine", METRICS),
    without_effect("semantic_model", METRICS),
    without_effect("primary_entity", METRICS),
    without_effect("agg_time_dimension", METRICS),
    without_effect("metrics", METRICS),
    key(
        "constraints",
        "list of constraints",
        "",
        "Of a model with a contract: what is promised of its rows; checked before they are published.",
    )
    .of(Shape::List(&Shape::Keys(&["A constraint of a model or of a column"]))),
];
const SEED_KEYS: [Key; 9] = [
    key("name", "name", "needed", "The file's name without `.csv`.").of(Shape::Text),
    DESCRIPTION,
    COLUMNS,
    TESTS,
    DATA_TESTS,
    TAGS,
    META,
    CONFIG.of(Shape::Keys(&[
        "Every node",
        "Seeds",
        "Models, seeds and snapshots",
        "Keys of dbt's adapters and packages, of models, seeds and snapshots",
    ])),
    DOCS,
];
const SNAPSHOT_KEYS: [Key; 10] = [
    key("name", "name", "needed", "The snapshot's name.").of(Shape::Text),
    key("relation", "ref or source", "", "What the snapshot is taken of, where no file has its block.")
        .of(Shape::Text),
    DESCRIPTION,
    COLUMNS,
    TESTS,
    DATA_TESTS,
    TAGS,
    META,
    CONFIG.of(Shape::Keys(&[
        "Every node",
        "Snapshots",
        "Models, seeds and snapshots",
        "Keys of dbt's adapters and packages, of models, seeds and snapshots",
    ])),
    DOCS,
];
const TEST_KEYS: [Key; 4] = [
    key("name", "name", "needed", "The file's name without `.sql`.").of(Shape::Text),
    key("description", "text", "", "What it looks for.").of(Shape::Text),
    CONFIG.of(Shape::Keys(&["Every node", "Tests", "Keys of dbt's adapters, of tests"])),
    DOCS,
];

/// A properties file as parsed.
pub(super) struct PropertiesFile {
    pub(super) text: SourceText,
    pub(super) node: YamlNode,
    /// The folders between the project's folder and the file.
    pub(super) folders: Vec<String>,
}

impl PropertiesFile {
    /// Whether the file is about a project at all: other YAML can lie in the root.
    pub(super) fn is_about_a_project(&self) -> bool {
        let mapping = Item::file(&self.text, &self.node).mapping(&mut Problems::default());
        mapping.items().any(|(key, _)| keys::has(&OWN, key.text) || keys::has(&NOT_READ, key.text))
    }
}

/// The keys of properties files.
pub(super) fn reference() -> Vec<Section> {
    vec![
        Section::of("A properties file", &[&OWN, &HARMLESS, &NOT_READ]),
        Section::of("The entry of a model", &[&MODEL_KEYS]),
        Section::of("The entry of a seed", &[&SEED_KEYS]),
        Section::of("The entry of a snapshot", &[&SNAPSHOT_KEYS]),
        Section::of("The entry of a singular test", &[&TEST_KEYS]),
    ]
}

/// What a file says of one model, seed, snapshot or singular test.
pub(super) struct PropertiesEntry {
    pub(super) name: Located<String>,
    /// What a snapshot is taken of, where the entry is all that there is of it.
    pub(super) relation: Option<Located<String>>,
    pub(super) properties: Properties,
    pub(super) config: Config,
    /// Of a model with versions: these.
    pub(super) versions: Vec<VersionEntry>,
}

/// What all properties files say.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) models: IndexMap<String, PropertiesEntry>,
    pub(super) seeds: IndexMap<String, PropertiesEntry>,
    pub(super) snapshots: IndexMap<String, PropertiesEntry>,
    pub(super) tests: IndexMap<String, PropertiesEntry>,
    /// By the names of source and table.
    pub(super) sources: IndexMap<(String, String), SourceTable>,
    /// The names under which config of `dbt_project.yml` finds each source table.
    pub(super) source_fqns: Vec<Vec<String>>,
    pub(super) exposures: Vec<Exposure>,
    pub(super) unit_tests: Vec<UnitTest>,
    pub(super) groups: Vec<ModelGroup>,
    pub(super) semantics: Semantics,
}

/// What reading a properties file needs to know.
pub(super) struct PropertiesReader<'a> {
    pub(super) project: &'a str,
    pub(super) docs: &'a Docs,
    pub(super) strings: &'a Strings,
    pub(super) trees: &'a ConfigTrees,
    /// Files of rows for unit tests.
    pub(super) fixtures: &'a Fixtures,
}

impl PropertiesReader<'_> {
    /// Adds what a file says.
    pub(super) fn read(&self, mut file: PropertiesFile, entries: &mut Entries, problems: &mut Problems) {
        // Jinja of descriptions, tests, references and charts has its own names, and its own time.
        let skip = [
            "description",
            "tests",
            "data_tests",
            "depends_on",
            "relation",
            "macros",
            "analyses",
            "charts",
            "filter",
            "where",
        ];
        if let Value::Mapping(entries) = &mut file.node.value {
            let not_read = entries.iter_mut().filter(|entry| keys::has(&NOT_READ, &entry.key));
            for entry in not_read.filter(|entry| !is_nothing(&entry.node)) {
                entry.node.value = Value::Boolean(true);
            }
        }
        self.strings.render(&file.text, &mut file.node, &skip, problems);
        if let Value::Mapping(entries) = &mut file.node.value {
            // Entries of singular tests: the test itself stands in a file of its own.
            let of_tests = |entry: &&mut yaml::Entry| matches!(entry.key.as_str(), "tests" | "data_tests");
            for entry in entries.iter_mut().filter(of_tests) {
                leave_unattached_out(&file.text, &mut entry.node, problems);
                self.strings.render(&file.text, &mut entry.node, &["description"], problems);
            }
        }
        let top = Item::file(&file.text, &file.node);
        let mapping = top.mapping(problems);
        check_top(mapping, problems);
        let mut folders = vec![self.project.to_owned()];
        folders.append(&mut file.folders);
        let test_config = self.trees.tests.of(folders.iter().map(String::as_str));
        let inside = InFile { reader: self, folders: &folders, test_config };
        for (key, item) in mapping.items() {
            match key.text {
                "models" => inside.entries(item, "model", &MODEL_KEYS, &mut entries.models, problems),
                "seeds" => inside.entries(item, "seed", &SEED_KEYS, &mut entries.seeds, problems),
                "snapshots" => {
                    inside.entries(item, "snapshot", &SNAPSHOT_KEYS, &mut entries.snapshots, problems);
                }
                "tests" | "data_tests" => {
                    inside.entries(item, "test", &TEST_KEYS, &mut entries.tests, problems);
                }
                "sources" => {
                    for source in item.mappings(problems) {
                        read_source(&inside, source, entries, problems);
                    }
                }
                "semantic_models" => {
                    let read = item.mappings(problems).into_iter();
                    let read = read.filter_map(|one| read_semantic_model(one, self.docs, problems));
                    entries.semantics.models.extend(read);
                }
                "metrics" => {
                    let read = item.mappings(problems).into_iter();
                    let read = read.filter_map(|one| read_metric(one, self.docs, problems));
                    entries.semantics.metrics.extend(read);
                }
                "saved_queries" => {
                    let read = item.mappings(problems).into_iter();
                    let read = read.filter_map(|one| read_saved_query(one, self.docs, problems));
                    entries.semantics.saved_queries.extend(read);
                }
                "groups" => {
                    for group in item.mappings(problems) {
                        let group = read_group(group, self.docs, problems);
                        add_group(group, &mut entries.groups, problems);
                    }
                }
                "unit_tests" => {
                    for test in item.mappings(problems) {
                        let test = read_unit_test(test, &folders, self.docs, self.fixtures, problems);
                        add_unit_test(test, &mut entries.unit_tests, problems);
                    }
                }
                "exposures" => {
                    for exposure in item.mappings(problems) {
                        let exposure = read_exposure(exposure, self.docs, problems);
                        add_exposure(exposure, &mut entries.exposures, problems);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Takes uses of generic tests out of the entries of singular ones: there they test nothing, in dbt too.
fn leave_unattached_out(file: &SourceText, tests: &mut YamlNode, problems: &mut Problems) {
    let Value::List(items) = &mut tests.value else { return };
    let is_named = |item: &YamlNode| match &item.value {
        Value::Mapping(entries) => {
            entries.iter().any(|entry| entry.key == "name")
                || !entries.iter().any(|entry| entry.key.contains('.'))
        }
        _ => false,
    };
    items.retain(|item| {
        let kept = is_named(item);
        if !kept {
            let problem =
                Problem::new("a test that stands under no model, seed, snapshot or source tests nothing");
            let problem = problem.at(&file.at(item.span)).help("indent it below what it tests");
            problems.push(problem.weighing(Weight::Warning).kind(WarningKind::EntryOfNothing));
        }
        kept
    });
}

/// Whether a key has nothing behind it.
fn is_nothing(node: &YamlNode) -> bool {
    match &node.value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Mapping(entries) => entries.is_empty(),
        _ => false,
    }
}

fn check_top(mapping: Mapping<'_>, problems: &mut Problems) {
    for (key, item) in mapping.items() {
        if key.text == "version" {
            item.whole(0..=2, problems);
        } else if let Some(found) = keys::find(&NOT_READ, key.text) {
            if !item.is_empty() {
                problems.push(has_no_effect(key, found));
            }
        } else if !keys::has(&OWN, key.text) && !keys::has(&HARMLESS, key.text) {
            let problem = unknown_key(key, "a properties file", &[&OWN]);
            problems.push(problem.weighing(Weight::Unknown));
        }
    }
}

fn add_group(group: Option<ModelGroup>, groups: &mut Vec<ModelGroup>, problems: &mut Problems) {
    let Some(group) = group else { return };
    match groups.iter().find(|known| known.name.value == group.name.value) {
        Some(first) => {
            problems.push(written_twice("groups", &group.name.value, &group.name.place, &first.name.place));
        }
        None => groups.push(group),
    }
}

fn add_unit_test(test: Option<UnitTest>, tests: &mut Vec<UnitTest>, problems: &mut Problems) {
    let Some(test) = test else { return };
    let is_same =
        |known: &&UnitTest| known.name.value == test.name.value && known.model.value == test.model.value;
    match tests.iter().find(is_same) {
        Some(first) => {
            problems.push(written_twice("unit tests", &test.name.value, &test.name.place, &first.name.place));
        }
        None => tests.push(test),
    }
}

fn add_exposure(exposure: Option<Exposure>, exposures: &mut Vec<Exposure>, problems: &mut Problems) {
    let Some(exposure) = exposure else { return };
    match exposures.iter().find(|known| known.name == exposure.name) {
        Some(first) => {
            problems.push(written_twice("exposures", &exposure.name, &exposure.place, &first.place));
        }
        None => exposures.push(exposure),
    }
}

/// What reading an entry needs to know of the file that it stands in.
pub(super) struct InFile<'a> {
    pub(super) reader: &'a PropertiesReader<'a>,
    /// The project's name, then the folders of the file.
    pub(super) folders: &'a [String],
    /// Config of generic tests, from `dbt_project.yml`.
    test_config: Config,
}

impl InFile<'_> {
    fn entries(
        &self,
        items: Item<'_>,
        thing: &str,
        keys: &[Key],
        entries: &mut IndexMap<String, PropertiesEntry>,
        problems: &mut Problems,
    ) {
        for mapping in items.mappings(problems) {
            check_entry_keys(mapping, thing, keys, problems);
            let Some(name) = mapping.required("name", &format!("a {thing}"), problems) else { continue };
            let entry = self.entry(name, mapping, thing, problems);
            match entries.get(&entry.name.value) {
                Some(first) => {
                    let (second, first) = (&entry.name.place, &first.name.place);
                    let things = format!("{thing} entries");
                    problems.push(written_twice(&things, &entry.name.value, second, first));
                }
                None => {
                    entries.insert(entry.name.value.clone(), entry);
                }
            }
        }
    }

    fn entry(
        &self,
        name: Located<String>,
        mapping: Mapping<'_>,
        thing: &str,
        problems: &mut Problems,
    ) -> PropertiesEntry {
        let mut config = Config::new();
        overlay_all(&mut config, &read_config(mapping, problems));
        let is_test = thing == "test";
        let properties = if is_test {
            Properties {
                description: self.reader.docs.description(mapping.get("description"), problems),
                place: Some(name.place.clone()),
                ..Properties::default()
            }
        } else {
            self.properties(name.place.clone(), mapping, &config, problems)
        };
        let relation = mapping.get("relation").and_then(|item| item.located_text(problems));
        let mut entry = PropertiesEntry { name, relation, properties, config, versions: Vec::new() };
        if thing == "model" {
            entry.versions = read_versions(self, mapping, &entry, problems);
        }
        entry
    }

    /// What is the same for models, seeds, snapshots and source tables.
    pub(super) fn properties(
        &self,
        place: Place,
        mapping: Mapping<'_>,
        config: &Config,
        problems: &mut Problems,
    ) -> Properties {
        let docs = self.reader.docs;
        let meta = config.get("meta").and_then(|meta| meta.value.as_object());
        let meta = meta.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        Properties {
            place: Some(place),
            folders: self.folders.to_vec(),
            description: docs.description(mapping.get("description"), problems),
            columns: read_columns(mapping, &self.test_config, docs, problems),
            tests: read_tests(mapping, &self.test_config, docs, problems),
            constraints: read_constraints(mapping, None, problems),
            meta,
            deprecation_date: mapping.get("deprecation_date").and_then(|item| item.located_text(problems)),
        }
    }
}

/// The config of an entry: `tags:` and `meta:` beside it, then `config:`.
pub(super) fn read_config(mapping: Mapping<'_>, problems: &mut Problems) -> Config {
    let mut config = Config::new();
    for key in ["tags", "meta", "access", "group"] {
        let Some(item) = mapping.get(key).filter(|item| !item.is_null()) else { continue };
        if ["access", "group"].contains(&key) {
            item.text(problems);
        } else if key == "meta" {
            item.data(problems);
        } else {
            item.texts(problems);
        }
        overlay(&mut config, key, item.json());
    }
    if let Some(item) = mapping.get("config") {
        for (key, item) in item.mapping(problems).items() {
            overlay(&mut config, key.text, item.json());
        }
    }
    config
}

fn check_entry_keys(mapping: Mapping<'_>, thing: &str, known: &[Key], problems: &mut Problems) {
    let in_thing = format!("the entry of a {thing}");
    for (key, item) in mapping.items() {
        if let Some(found) = keys::find(known, key.text) {
            if found.effect == Effect::Told && !item.is_empty() {
                problems.push(has_no_effect(key, found));
            }
            continue;
        }
        let problem = match key.text {
            "materialized"
            | "schema"
            | "alias"
            | "enabled"
            | "partition_by"
            | "unique_key"
            | "severity"
            | "where"
            | "delimiter"
            | "column_types"
            | "incremental_strategy"
            | "on_schema_change"
            | "strategy"
            | "updated_at"
            | "check_cols"
            | "hard_deletes" => {
                let problem = key.problem(format!("unknown key `{}` in {in_thing}", key.text));
                problem
                    .help(format!("put it under `config:`, as in `config: {{{}: ...}}`", key.text))
                    .weighing(Weight::Unknown)
            }
            _ => unknown_key(key, &in_thing, &[known]).weighing(Weight::Unknown),
        };
        problems.push(problem);
    }
}
