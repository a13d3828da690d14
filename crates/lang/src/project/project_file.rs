//! `dbt_project.yml`: the project's name, its folders, its variables, and config by folder.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::config_tree::ConfigTree;
use super::files::{read_text, slashed};
use super::item::{Item, Mapping, unknown_key};
use super::packages::{INSTALL_PATH, read_dispatch};
use super::strings::Strings;
use super::target_path;
use super::vars::{self, Vars};
use super::warn_options;
use super::yaml::{self, YamlNode};
use super::{Located, Problem, Problems, SourceText, Weight};
use mep_core::keys::{self, Key, Section, Shape, accepted, key};
use mep_core::warnings::WarnOptions;

/// The file's name.
pub(super) const FILE: &str = "dbt_project.yml";

/// Keys that change nothing that mep does.
const HARMLESS: [Key; 27] = [
    accepted("version", "Of the project."),
    accepted("config-version", "Of dbt."),
    accepted("require-dbt-version", "Of dbt."),
    accepted("clean-targets", "`mep clean` knows what it made."),
    accepted("quoting", "mep quotes where that is needed."),
    accepted("analysis-paths", "Analyses are not read."),
    accepted("asset-paths", "Of dbt's docs."),
    accepted("function-paths", "Of dbt's functions."),
    accepted("log-path", "mep writes its log to standard error."),
    accepted("query-comment", "Of dbt."),
    accepted("description", "Of dbt's own docs."),
    key(
        "flags",
        "mapping",
        "",
        "`warn_error` and `warn_error_options` are read, as `--warn-error` and `--warn-error-options` are; other flags are of dbt.",
    ).of(Shape::Mapping(&Shape::Any)),
    key(
        "restrict-access",
        "true or false",
        "false",
        "Of a package: whether its models that are not `access: public` are for its own texts alone.",
    ).of(Shape::Boolean),
    accepted("semantic-models", "Config of semantic models, which change no table."),
    accepted("saved-queries", "Config of saved queries, which change no table."),
    accepted("metrics", "Config of metrics, which change no table."),
    accepted("unit_tests", "Config of unit tests, which change no table."),
    accepted("unit-tests", "Config of unit tests, which change no table."),
    accepted("functions", "Config of functions; a model that calls one does not compile."),
    accepted("sync", "Of dbt Cloud."),
    accepted("modules-path", "The old name of `packages-install-path`."),
    accepted("env-file", "Of dbt."),
    accepted("dbt-cloud", "Of dbt Cloud."),
    accepted("analyses", "Analyses are not read."),
    accepted("macros", "Config of macros is not read."),
    accepted("exposures", "Config of exposures is not read here."),
    accepted("groups", "Of dbt's access rules."),
];
/// Keys that mep reads.
const OWN: [Key; 20] = [
    key("name", "name", "needed", "The project's name: of letters, digits and `_`.").of(Shape::Text),
    key("profile", "name", "the only one", "The profile of `profiles.yml`.").of(Shape::Text),
    key("model-paths", "list", "models", "Where models are.").of(Shape::List(&Shape::Text)),
    key("macro-paths", "list", "macros", "Where macros are.").of(Shape::List(&Shape::Text)),
    key("test-paths", "list", "tests", "Where singular tests and, below `generic/`, generic ones are.").of(Shape::List(&Shape::Text)),
    key("seed-paths", "list", "seeds", "Where seeds are.").of(Shape::List(&Shape::Text)),
    key(
        "docs-paths",
        "list",
        "all folders",
        "Where Markdown files with `docs` blocks are, besides the models' folders.",
    ).of(Shape::List(&Shape::Text)),
    key("snapshot-paths", "list", "snapshots", "Where snapshots are.").of(Shape::List(&Shape::Text)),
    key("target-path", "path", "target", "Where artifacts go.").of(Shape::Text),
    key("vars", "mapping", "", "Variables, for `var()`; `--vars` goes over them.").of(Shape::Mapping(&Shape::Any)),
    key("models", "config by folder", "", "Config of models: `+key` of a folder and of what lies below it.").of(Shape::Mapping(&Shape::Any)),
    key("seeds", "config by folder", "", "Config of seeds.").of(Shape::Mapping(&Shape::Any)),
    key("snapshots", "config by folder", "", "Config of snapshots.").of(Shape::Mapping(&Shape::Any)),
    key("tests", "config by folder", "", "The old name of `data_tests`.").of(Shape::Mapping(&Shape::Any)),
    key("data_tests", "config by folder", "", "Config of tests.").of(Shape::Mapping(&Shape::Any)),
    key("sources", "config by folder", "", "Config of source tables.").of(Shape::Mapping(&Shape::Any)),
    key("packages-install-path", "path", "dbt_packages", "Where packages lie.").of(Shape::Text),
    key(
        "on-run-start",
        "SQL or list",
        "",
        "Texts that are rendered, and whose questions are asked, before a run. A statement that writes is refused.",
    ).of(Shape::OneOrMore(&Shape::Text)),
    key("on-run-end", "SQL or list", "", "The same after a run, with its `results`.").of(Shape::OneOrMore(&Shape::Text)),
    key(
        "dispatch",
        "list of `macro_namespace` and `search_order`",
        "the project, then the package",
        "In which packages `adapter.dispatch` looks for the macros of a package.",
    ),
];
/// Names of dbt before 1.0, which are read as the present ones.
const RENAMED: [(&str, &str); 2] = [("source-paths", "model-paths"), ("data-paths", "seed-paths")];
/// Keys whose strings are rendered once the target is known, where they are read, or never.
const RENDERED_LATER: [&str; 12] = [
    "vars",
    "models",
    "seeds",
    "tests",
    "data_tests",
    "sources",
    "on-run-start",
    "on-run-end",
    "query-comment",
    "quoting",
    "dispatch",
    "snapshots",
];

/// Where the project's files are, relative to the root.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    pub(super) models: Vec<String>,
    pub(super) macros: Vec<String>,
    pub(super) tests: Vec<String>,
    pub(super) seeds: Vec<String>,
    /// Besides the models' own folders.
    pub(super) docs: Vec<String>,
    pub(super) snapshots: Vec<String>,
}

impl Folders {
    /// As they are named from further out.
    fn move_below(&mut self, folder: &str) {
        let all = [
            &mut self.models,
            &mut self.macros,
            &mut self.tests,
            &mut self.seeds,
            &mut self.docs,
            &mut self.snapshots,
        ];
        for path in all.into_iter().flatten() {
            *path = format!("{folder}/{path}");
        }
    }

    /// Those that Markdown files with `docs` blocks may be in, besides the models' own: all, where the project says nothing.
    pub(super) fn with_docs(&self) -> Vec<String> {
        if !self.docs.is_empty() {
            return self.docs.clone();
        }
        [&self.seeds, &self.snapshots, &self.macros].into_iter().flatten().cloned().collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        let all = [&self.models, &self.macros, &self.tests, &self.seeds, &self.docs, &self.snapshots];
        all.into_iter().flatten().map(String::as_str)
    }
}

impl Default for Folders {
    fn default() -> Self {
        let one = |name: &str| vec![name.to_owned()];
        Self {
            models: one("models"),
            macros: one("macros"),
            tests: one("tests"),
            seeds: one("seeds"),
            docs: Vec::new(),
            snapshots: one("snapshots"),
        }
    }
}

/// What the project's file says, or what holds without one.
#[derive(Debug)]
pub(super) struct ProjectFile {
    pub(super) name: String,
    pub(super) profile: Option<Located<String>>,
    /// Whether the file could be read as YAML: if not, it cannot be said what it leaves out.
    pub(super) is_readable: bool,
    pub(super) folders: Folders,
    pub(super) target_path: PathBuf,
    pub(super) vars: Vars,
    /// The folder of packages.
    pub(super) install_path: String,
    /// Whether models that are not public are for the texts of this package alone.
    pub(super) restricts_access: bool,
    /// In which packages `adapter.dispatch` looks for the macros of a package.
    pub(super) dispatch: IndexMap<String, Vec<String>>,
    /// Which warnings are errors, where that is said.
    pub(super) warn_options: Option<WarnOptions>,
    /// Whether `ref()` of a package looks there first.
    pub(super) own_package_first: bool,
    /// Texts that are called before a run.
    pub(super) on_run_start: Vec<Located<String>>,
    /// Texts that are called after a run.
    pub(super) on_run_end: Vec<Located<String>>,
    content: Option<(SourceText, YamlNode)>,
}

/// Config by folder, for each kind of node.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigTrees {
    pub(super) models: ConfigTree,
    pub(super) seeds: ConfigTree,
    pub(super) snapshots: ConfigTree,
    pub(super) tests: ConfigTree,
    pub(super) sources: ConfigTree,
}

impl ConfigTrees {
    /// Those of a package, with those of the project over them.
    pub(super) fn below(self, project: &Self) -> Self {
        Self {
            models: self.models.below(&project.models),
            seeds: self.seeds.below(&project.seeds),
            snapshots: self.snapshots.below(&project.snapshots),
            tests: self.tests.below(&project.tests),
            sources: self.sources.below(&project.sources),
        }
    }
}

impl ProjectFile {
    /// Reads the file in `root`, if there is one. Its strings may use the variables of the command line.
    pub(super) fn read(root: &Path, cli_vars: &Vars, problems: &mut Problems) -> Self {
        let mut this = Self::read_as(root, FILE, cli_vars, problems);
        for (name, value) in cli_vars {
            this.vars.insert(name.clone(), value.clone());
        }
        this
    }

    /// Reads the file of a package that lies in a folder below `root`; its folders are those below the root.
    pub(super) fn of_package(root: &Path, folder: &str, cli_vars: &Vars, problems: &mut Problems) -> Self {
        let mut this = Self::read_as(&root.join(folder), &format!("{folder}/{FILE}"), cli_vars, problems);
        this.folders.move_below(folder);
        this
    }

    fn read_as(root: &Path, called: &str, cli_vars: &Vars, problems: &mut Problems) -> Self {
        let mut this = Self {
            name: name_of_folder(root),
            profile: None,
            is_readable: true,
            folders: Folders::default(),
            target_path: PathBuf::from(target_path::DEFAULT),
            vars: Vars::new(),
            install_path: INSTALL_PATH.to_owned(),
            restricts_access: false,
            dispatch: IndexMap::new(),
            warn_options: None,
            own_package_first: false,
            on_run_start: Vec::new(),
            on_run_end: Vec::new(),
            content: None,
        };
        let location = root.join(FILE);
        if location.exists() {
            this.is_readable = false;
            match read_text(&location, called) {
                Ok(text) => this.read_text(root, text, cli_vars, problems),
                Err(problem) => problems.push(problem),
            }
        }
        this
    }

    /// The version that the file says.
    pub(super) fn version(&self) -> String {
        let Some((text, node)) = &self.content else { return String::new() };
        let version = Item::file(text, node).mapping(&mut Problems::default()).get("version");
        version.and_then(|item| item.text(&mut Problems::default())).unwrap_or_default()
    }

    /// The variables that the file sets for the texts of a package.
    pub(super) fn vars_for(&self, package: &str) -> Vars {
        let Some((text, node)) = &self.content else { return Vars::new() };
        let mut told = Problems::default();
        let mapping = Item::file(text, node).mapping(&mut told);
        mapping.get("vars").map_or_else(Vars::new, |item| vars::of_project(item, package, &mut told))
    }

    fn read_text(&mut self, root: &Path, text: SourceText, cli_vars: &Vars, problems: &mut Problems) {
        let Some(mut node) = yaml::parse(&text, problems) else { return };
        self.is_readable = true;
        Strings::new(cli_vars).render(&text, &mut node, &RENDERED_LATER, problems);
        let mapping = Item::file(&text, &node).mapping(problems);
        check_keys(mapping, problems);
        if let Some(name) = mapping.required("name", "a project", problems) {
            check_identifier(&name, "a project's name", problems);
            self.name = name.value;
        }
        self.profile = mapping.get("profile").and_then(|item| item.located_text(problems));
        self.read_folders(root, mapping, problems);
        if let Some(item) = mapping.get("packages-install-path").filter(|item| !item.is_null())
            && let Some(path) = item.text(problems)
        {
            self.install_path = slashed(Path::new(&path));
        }
        let restricts = mapping.get("restrict-access").and_then(|item| item.boolean(problems));
        self.restricts_access = restricts.unwrap_or_default();
        if let Some(item) = mapping.get("dispatch").filter(|item| !item.is_null()) {
            self.dispatch = read_dispatch(item, problems);
        }
        let flags = mapping.get("flags").filter(|item| !item.is_null());
        self.warn_options = flags.and_then(|item| warn_options::of_flags(item, problems));
        let own_first = flags.and_then(|item| {
            item.mapping(&mut Problems::default())
                .get("require_ref_searches_node_package_before_root")?
                .boolean(problems)
        });
        self.own_package_first = own_first.unwrap_or_default();
        for (key, hooks) in [("on-run-start", &mut self.on_run_start), ("on-run-end", &mut self.on_run_end)] {
            if let Some(item) = mapping.get(key).filter(|item| !item.is_null()) {
                *hooks = item.located_texts(problems);
            }
        }
        if let Some(item) = mapping.get("vars") {
            self.vars = vars::of_project(item, &self.name, problems);
        }
        self.content = Some((text, node));
    }

    fn read_folders(&mut self, root: &Path, mapping: Mapping<'_>, problems: &mut Problems) {
        let folders = &mut self.folders;
        let written = |key: &str| {
            let old = RENAMED.iter().find(|(_, now)| *now == key).map(|(old, _)| *old);
            mapping.get(key).or_else(|| mapping.get(old?)).filter(|item| !item.is_null())
        };
        let keys = [
            ("model-paths", &mut folders.models),
            ("macro-paths", &mut folders.macros),
            ("test-paths", &mut folders.tests),
            ("seed-paths", &mut folders.seeds),
            ("docs-paths", &mut folders.docs),
            ("snapshot-paths", &mut folders.snapshots),
        ];
        for (key, paths) in keys {
            if let Some(item) = written(key) {
                *paths = item.words(problems).iter().map(|path| slashed(Path::new(path))).collect();
            }
        }
        if let Some(item) = mapping.get("target-path").filter(|item| !item.is_null())
            && let Some(path) = item.located_text(problems)
        {
            match target_path::within(root, &path.value, &self.folders) {
                Ok(path) => self.target_path = path,
                Err(problem) => problems.push(problem.at(&path.place)),
            }
        }
    }

    /// Config by folder; its strings may use all variables and the target.
    pub(super) fn config_trees(&self, strings: &Strings, problems: &mut Problems) -> ConfigTrees {
        let mut trees = ConfigTrees::default();
        let Some((text, node)) = &self.content else { return trees };
        let mapping = Item::file(text, node).mapping(&mut Problems::default());
        let mut read = |key: &str, skip: &[&str]| {
            let item = mapping.get(key)?;
            let mut node = item.node.clone();
            strings.render(text, &mut node, skip, problems);
            Some(ConfigTree::read(Item { node: &node, ..item }, problems))
        };
        // Jinja in hooks and in `where` belongs to the SQL that they become part of.
        let hooks = ["pre-hook", "+pre-hook", "post-hook", "+post-hook"];
        trees.models = read("models", &hooks).unwrap_or_default();
        trees.seeds = read("seeds", &hooks).unwrap_or_default();
        trees.snapshots = read("snapshots", &hooks).unwrap_or_default();
        trees.sources = read("sources", &[]).unwrap_or_default();
        let (old, new) = (read("tests", &["where", "+where"]), read("data_tests", &["where", "+where"]));
        if old.is_some() && new.is_some() {
            problems.push(both_spellings(mapping));
        }
        trees.tests = new.or(old).unwrap_or_default();
        trees
    }
}

/// Says that `tests` and `data_tests` stand beside each other.
pub(super) fn both_spellings(mapping: Mapping<'_>) -> Problem {
    let tests = mapping.items().find(|(key, _)| key.text == "tests");
    let message = "expected `data_tests` or its old name `tests`, found both";
    let problem = tests.map_or_else(|| Problem::new(message), |(key, _)| key.problem(message));
    problem.help("move all under `data_tests`")
}

fn check_keys(mapping: Mapping<'_>, problems: &mut Problems) {
    for (key, _) in mapping.items() {
        if let Some((_, now)) = RENAMED.iter().find(|(old, _)| *old == key.text) {
            let (message, help) = if mapping.get(now).is_some() {
                let message =
                    format!("`{}` is the old name of `{now}`, which is written too and counts", key.text);
                (message, "take it away".to_owned())
            } else {
                (format!("`{}` is the old name of `{now}`", key.text), format!("write `{now}`"))
            };
            problems.push(key.problem(message).help(help).weighing(Weight::Warning));
        } else if !keys::has(&OWN, key.text) && !keys::has(&HARMLESS, key.text) {
            let known = keys::names(&OWN).chain(keys::names(&HARMLESS));
            let problem = unknown_key(key, "a project", &[&OWN]).did_you_mean(key.text, known);
            problems.push(problem.weighing(Weight::Unknown));
        }
    }
}

/// The keys of the file.
pub(super) fn reference() -> Vec<Section> {
    vec![Section::of("dbt_project.yml", &[&OWN, &HARMLESS])]
}

/// Tells of a name that cannot be used without quotes everywhere.
pub(super) fn check_identifier(name: &Located<String>, thing: &str, problems: &mut Problems) {
    if !is_identifier(&name.value) {
        let message = format!("expected {thing} of letters, digits and `_`, found `{}`", name.value);
        problems.push(Problem::new(message).at(&name.place));
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// A project's name where no file gives one: its folder's, as an identifier.
fn name_of_folder(root: &Path) -> String {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = name
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
        .collect();
    if is_identifier(&name) { name } else { format!("project_{name}") }
}
