//! From a folder to a [`Project`]: every file is found, read and checked, and what is wrong is told at once.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use ignore::gitignore::Gitignore;
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::config_tree::{ConfigTree, overlay_all};
use super::docs::Docs;
use super::files::{FoundFile, below, in_parallel, in_root};
use super::groups::ModelGroup;
use super::ignored_files::{ignored_files, leaves_out};
use super::packages::{self, Installed};
use super::profiles;
use super::project_file::{self, ConfigTrees, Folders, ProjectFile};
use super::properties::{Entries, PropertiesEntry, PropertiesFile, PropertiesReader};
use super::semantics::Semantics;
use super::sources::share_descriptions;
use super::strings::Strings;
use super::unit_tests::UnitTest;
use super::versions::{VersionEntry, without_file};
use super::{
    Exposure, Package, Problem, Problems, Project, SeedFile, Snapshot, SourceTable, SourceText, SqlFile,
    selectors, snapshots, vars, yaml,
};
use mep_core::warnings::WarningKind;

/// Which project to read, and what the command line says of it.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The folder that holds the project.
    pub root: PathBuf,
    /// The folder of `profiles.yml`, in place of the root and `~/.dbt`.
    pub profiles_dir: Option<PathBuf>,
    /// The profile, in place of the one that the project names.
    pub profile: Option<String>,
    /// The target, in place of the one that the profile names.
    pub target: Option<String>,
    /// A YAML mapping of variables, over those of the project.
    pub vars: Option<String>,
    /// How many nodes run at once, in place of what the target says.
    pub threads: Option<usize>,
    /// Whether a key that nothing reads is an error.
    pub is_strict: bool,
    /// Whether the rows that fail a test are kept, where its config does not say.
    pub store_failures: bool,
}

/// YAML in the root that says nothing of models and sources.
const NOT_PROPERTIES: [&str; 12] = [
    project_file::FILE,
    profiles::FILE,
    "packages.yml",
    "package-lock.yml",
    "dependencies.yml",
    selectors::FILE,
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
    "mkdocs.yml",
    "dbt_cloud.yml",
];
/// The file in the root that must be about sources, whatever it says.
const SOURCES_FILE: &str = "sources.yml";

/// The nearest folder, from `from` upward, that holds a project: a `dbt_project.yml`, or a `models` folder together
/// with `profiles.yml` or `sources.yml`.
pub fn find_root(from: &Path) -> Option<PathBuf> {
    let from = std::path::absolute(from).ok()?;
    let is_root = |folder: &&Path| {
        let has = |name: &str| folder.join(name).is_file();
        has(project_file::FILE)
            || folder.join("models").is_dir() && (has(profiles::FILE) || has(SOURCES_FILE))
    };
    from.ancestors().find(is_root).map(Path::to_owned)
}

/// Reads a project.
///
/// # Errors
/// All that is wrong with its files.
pub fn load(options: &LoadOptions) -> Result<Project, Problems> {
    let mut problems = Problems::default();
    let cli_vars = vars::of_command_line(options.vars.as_deref(), &mut problems);
    let mut file = ProjectFile::read(&options.root, &cli_vars, &mut problems);
    let target = profiles::choose(options, &file, &Strings::with_secrets(&file.vars), &mut problems);
    let strings = Strings::new(&file.vars).with_target(&file.name, target.as_ref());
    let trees = file.config_trees(&strings, &mut problems);
    let wanted = packages::read_wanted(&options.root, &Strings::with_secrets(&file.vars), &mut problems);
    let installed = packages::installed(&options.root, &file.install_path, &wanted, &cli_vars, &mut problems);
    let mut warnings = Problems::default();
    let missing_packages = packages::missing(&options.root, &wanted, &installed, &mut warnings);
    let selectors = selectors::read(&options.root, &strings, &mut problems);
    let found = ProjectFiles::of(&options.root, &file.folders, &mut problems);
    let mut docs = read_docs(&found.markdown, &strings, &mut problems);
    let mut of_packages = Vec::new();
    let (mut on_run_start, mut on_run_end) = (Vec::new(), Vec::new());
    for Installed { file: of, folder } in installed {
        let version = of.version();
        let mut vars = of.vars.clone();
        vars.extend(file.vars_for(&of.name));
        vars.extend(cli_vars.clone());
        let strings = Strings::new(&vars).with_target(&file.name, target.as_ref());
        let mut wrong = Problems::default();
        let trees = of.config_trees(&strings, &mut wrong).below(&trees);
        let found = ProjectFiles::below_root(&options.root, &of.folders, &Gitignore::empty(), &mut wrong);
        let docs = read_docs(&found.markdown, &strings, &mut wrong);
        on_run_start.extend(of.on_run_start);
        on_run_end.extend(of.on_run_end);
        of_packages.push((
            InstalledFiles {
                name: of.name,
                version,
                restricts_access: of.restricts_access,
                folder,
                vars,
                found,
                trees,
                docs,
            },
            wrong,
        ));
    }
    share_docs(&mut docs, &mut of_packages.iter_mut().map(|(of, _)| &mut of.docs).collect::<Vec<_>>());
    let mut all = Contents::read(&file.name, &found, &docs, &trees, &mut problems);
    warnings.extend(std::mem::take(&mut all.warnings));
    let mut packages = Vec::new();
    let mut blocks = docs.of_package(&file.name);
    for (InstalledFiles { name, version, restricts_access, folder, vars, found, trees, docs }, mut wrong) in
        of_packages
    {
        let contents = Contents::read(&name, &found, &docs, &trees, &mut wrong);
        blocks.extend(docs.of_package(&name));
        // What a package says to no purpose is not for the project to mend.
        wrong.take_warnings(false);
        problems.extend(wrong);
        let macros = all.add(contents);
        packages.push(Package { name, version, folder, vars, restricts_access, macros });
    }
    all.warn_of_unused_config(&trees, &mut warnings);
    on_run_start.extend(std::mem::take(&mut file.on_run_start));
    on_run_end.extend(std::mem::take(&mut file.on_run_end));
    warnings.extend(problems.take_warnings(options.is_strict));
    let Some(target) = target else {
        return Err(in_order(problems).collect());
    };
    let mut sources = all.sources;
    share_descriptions(&mut sources);
    let problems: Problems = in_order(problems).collect();
    problems.none_or(Project {
        root: options.root.clone(),
        name: file.name,
        vars: file.vars,
        packages,
        missing_packages,
        own_package_first: file.own_package_first,
        dispatch: file.dispatch,
        warn_options: file.warn_options,
        packages_path: PathBuf::from(file.install_path),
        target_path: file.target_path,
        target,
        models: all.models,
        snapshots: all.snapshots,
        tests: all.tests,
        macros: all.macros,
        seeds: all.seeds,
        sources,
        exposures: all.exposures,
        docs: blocks,
        selectors,
        unit_tests: all.unit_tests,
        groups: all.groups,
        semantics: all.semantics,
        is_strict: options.is_strict,
        store_failures: options.store_failures,
        on_run_start,
        on_run_end,
        warnings: in_order(warnings).collect(),
    })
}

/// The files of a package, and how they are read.
struct InstalledFiles {
    name: String,
    restricts_access: bool,
    version: String,
    folder: String,
    vars: IndexMap<String, Json>,
    found: ProjectFiles,
    trees: ConfigTrees,
    docs: Docs,
}

/// Lets every description name the texts of all: its own first, then the project's, then those of packages.
fn share_docs(project: &mut Docs, packages: &mut [&mut Docs]) {
    let own: Vec<(String, String)> = project.texts().collect();
    let of_packages: Vec<(String, String)> = packages.iter().flat_map(|docs| docs.texts()).collect();
    project.share(of_packages.iter().cloned());
    for docs in packages {
        docs.share(own.iter().chain(&of_packages).cloned());
    }
}

/// What the files of a project or of a package hold.
#[derive(Default)]
struct Contents {
    models: Vec<SqlFile>,
    seeds: Vec<SeedFile>,
    snapshots: Vec<Snapshot>,
    tests: Vec<SqlFile>,
    macros: Vec<SourceText>,
    sources: Vec<SourceTable>,
    source_fqns: Vec<Vec<String>>,
    exposures: Vec<Exposure>,
    unit_tests: Vec<UnitTest>,
    groups: Vec<ModelGroup>,
    semantics: Semantics,
    warnings: Problems,
}

impl Contents {
    fn read(
        name: &str,
        found: &ProjectFiles,
        docs: &Docs,
        trees: &ConfigTrees,
        problems: &mut Problems,
    ) -> Self {
        let fixtures = read_texts(&found.fixtures, problems).into_iter();
        let fixtures = fixtures.map(|(file, text)| ((file.stem.clone(), file.extension.clone()), text));
        let fixtures = fixtures.collect();
        let reader =
            PropertiesReader { project: name, docs, strings: docs.strings(), trees, fixtures: &fixtures };
        let mut entries = Entries::default();
        for properties in read_properties(&found.yaml, problems) {
            reader.read(properties, &mut entries, problems);
        }
        let told = std::mem::take(problems);
        let mut assembly =
            Assembly { project: name, trees, entries, problems: told, warnings: Problems::default() };
        let models = assembly.models(&found.models);
        let seeds = assembly.seeds(&found.seeds);
        let snapshots = assembly.snapshots(&found.snapshots);
        let tests = assembly.tests(&found.tests);
        let macros = read_texts(&found.macros, &mut assembly.problems);
        assembly.warn_of_leftovers(&models, &seeds, &snapshots, &tests);
        *problems = assembly.problems;
        let entries = assembly.entries;
        Self {
            models,
            seeds,
            snapshots,
            tests,
            macros: macros.into_iter().map(|(_, text)| text).collect(),
            sources: entries.sources.into_values().collect(),
            source_fqns: entries.source_fqns,
            exposures: entries.exposures,
            unit_tests: entries.unit_tests,
            groups: entries.groups,
            semantics: entries.semantics,
            warnings: assembly.warnings,
        }
    }

    /// Adds what a package holds, but for its macros, which are a namespace of their own.
    fn add(&mut self, package: Self) -> Vec<SourceText> {
        self.models.extend(package.models);
        self.seeds.extend(package.seeds);
        self.snapshots.extend(package.snapshots);
        self.tests.extend(package.tests);
        self.sources.extend(package.sources);
        self.source_fqns.extend(package.source_fqns);
        self.exposures.extend(package.exposures);
        self.unit_tests.extend(package.unit_tests);
        self.groups.extend(package.groups);
        self.semantics.models.extend(package.semantics.models);
        self.semantics.metrics.extend(package.semantics.metrics);
        self.semantics.saved_queries.extend(package.semantics.saved_queries);
        package.macros
    }

    fn warn_of_unused_config(&self, trees: &ConfigTrees, warnings: &mut Problems) {
        let models: Vec<&[String]> = self.models.iter().map(|model| model.fqn.as_slice()).collect();
        let seeds: Vec<&[String]> = self.seeds.iter().map(|seed| seed.fqn.as_slice()).collect();
        let snapshots: Vec<&[String]> = self.snapshots.iter().map(|one| one.file.fqn.as_slice()).collect();
        let sources: Vec<&[String]> = self.source_fqns.iter().map(Vec::as_slice).collect();
        trees.models.warn_unused("model", &models, warnings);
        trees.seeds.warn_unused("seed", &seeds, warnings);
        trees.snapshots.warn_unused("snapshot", &snapshots, warnings);
        trees.sources.warn_unused("source", &sources, warnings);
    }
}

/// By file, from its top to its bottom; first what has no place.
fn in_order(problems: Problems) -> impl Iterator<Item = Problem> {
    let mut sorted: Vec<Problem> = problems.into_iter().collect();
    sorted.sort_by_cached_key(|problem| {
        problem.place().map(|place| (place.text.path().to_owned(), place.span.start))
    });
    sorted.into_iter()
}

/// The files of a project, by what they are.
#[derive(Default)]
struct ProjectFiles {
    models: Vec<FoundFile>,
    tests: Vec<FoundFile>,
    macros: Vec<FoundFile>,
    seeds: Vec<FoundFile>,
    snapshots: Vec<FoundFile>,
    /// Rows for unit tests.
    fixtures: Vec<FoundFile>,
    yaml: Vec<FoundFile>,
    markdown: Vec<FoundFile>,
}

impl ProjectFiles {
    fn of(root: &Path, folders: &Folders, problems: &mut Problems) -> Self {
        let ignored = ignored_files(root, problems);
        let mut this = Self::below_root(root, folders, &ignored, problems);
        let is_properties = |file: &FoundFile| {
            file.is_yaml()
                && !NOT_PROPERTIES.contains(&file.path.as_str())
                && !leaves_out(&ignored, &file.path)
        };
        this.yaml.extend(in_root(root, problems).into_iter().filter(is_properties));
        let mut seen = HashSet::new();
        this.yaml.retain(|file| seen.insert(file.path.clone()));
        this
    }

    /// The files in the folders of a project or of a package, relative to the root.
    fn below_root(root: &Path, folders: &Folders, ignored: &Gitignore, problems: &mut Problems) -> Self {
        let mut this = Self::default();
        let below = |folders: &[String], problems: &mut Problems| {
            let mut files = below(root, folders, problems);
            files.retain(|file| !leaves_out(ignored, &file.path));
            files
        };
        for file in below(&folders.models, problems) {
            match file.extension.as_str() {
                "sql" | "py" => this.models.push(file),
                "md" => this.markdown.push(file),
                _ if file.is_yaml() => this.yaml.push(file),
                _ => {}
            }
        }
        let mut keep = |files: Vec<FoundFile>, extension: &str, add: &mut dyn FnMut(FoundFile)| {
            for file in files {
                if file.is_yaml() {
                    this.yaml.push(file);
                } else if file.extension == extension {
                    add(file);
                }
            }
        };
        let (mut macros, mut tests, mut snapshots) = (Vec::new(), Vec::new(), Vec::new());
        keep(below(&folders.seeds, problems), "csv", &mut |file| this.seeds.push(file));
        keep(below(&folders.macros, problems), "sql", &mut |file| macros.push(file));
        keep(below(&folders.snapshots, problems), "sql", &mut |file| snapshots.push(file));
        let (fixtures, others): (Vec<FoundFile>, Vec<FoundFile>) =
            below(&folders.tests, problems).into_iter().partition(FoundFile::is_fixture);
        keep(others, "sql", &mut |file| {
            let is_generic = file.folders.first().is_some_and(|folder| folder == "generic");
            if is_generic { macros.push(file) } else { tests.push(file) }
        });
        (this.macros, this.tests, this.snapshots) = (macros, tests, snapshots);
        this.fixtures = fixtures;
        let docs = below(&folders.with_docs(), problems);
        this.markdown.extend(docs.into_iter().filter(|file| file.extension == "md"));
        for files in [&mut this.yaml, &mut this.markdown] {
            let mut seen = HashSet::new();
            files.retain(|file| seen.insert(file.path.clone()));
        }
        this
    }
}

/// Reads files, in parallel; those that cannot be read become problems.
fn read_texts<'f>(files: &'f [FoundFile], problems: &mut Problems) -> Vec<(&'f FoundFile, SourceText)> {
    let mut read = Vec::with_capacity(files.len());
    for (file, text) in files.iter().zip(in_parallel(files, FoundFile::read)) {
        match text {
            Ok(text) => read.push((file, text)),
            Err(problem) => problems.push(problem),
        }
    }
    read
}

fn read_docs(files: &[FoundFile], strings: &Strings, problems: &mut Problems) -> Docs {
    let mut docs = Docs::new(strings.clone());
    for (_, text) in read_texts(files, problems) {
        docs.add(&text, problems);
    }
    docs
}

fn read_properties(files: &[FoundFile], problems: &mut Problems) -> Vec<PropertiesFile> {
    let mut read = Vec::with_capacity(files.len());
    for (file, told) in in_parallel(files, parse_properties) {
        problems.extend(told);
        read.extend(file);
    }
    read
}

fn parse_properties(file: &FoundFile) -> (Option<PropertiesFile>, Problems) {
    let mut problems = Problems::default();
    let text = match file.read() {
        Ok(text) => text,
        Err(problem) => return (None, problem.into()),
    };
    let Some(node) = yaml::parse(&text, &mut problems) else { return (None, problems) };
    let properties = PropertiesFile { text, node, folders: file.folders.clone() };
    let is_in_root = !file.path.contains('/');
    if is_in_root && file.path != SOURCES_FILE && !properties.is_about_a_project() {
        return (None, Problems::default());
    }
    (Some(properties), problems)
}

/// Puts together what files and properties say.
struct Assembly<'a> {
    project: &'a str,
    trees: &'a ConfigTrees,
    entries: Entries,
    problems: Problems,
    warnings: Problems,
}

impl Assembly<'_> {
    fn models(&mut self, files: &[FoundFile]) -> Vec<SqlFile> {
        let texts = read_texts(files, &mut self.problems);
        let entries = &self.entries.models;
        let stems: HashSet<&str> = files.iter().map(|file| file.stem.as_str()).collect();
        let mut versions: HashMap<String, (&str, &VersionEntry)> = HashMap::new();
        for (model, version) in
            entries.values().flat_map(|entry| entry.versions.iter().map(move |one| (&entry.name.value, one)))
        {
            match version.stems(model).into_iter().find(|stem| stems.contains(stem.as_str())) {
                Some(stem) => {
                    versions.insert(stem, (model.as_str(), version));
                }
                None => self.problems.push(without_file(model, version)),
            }
        }
        let read = texts
            .into_iter()
            .map(|(file, text)| match versions.get(&file.stem) {
                Some(version) => version_file(self.project, file, text, &self.trees.models, *version),
                None => sql_file(self.project, file, text, &self.trees.models, entries),
            })
            .collect();
        self.entries.models.retain(|_, entry| entry.versions.is_empty());
        take_described(&mut self.entries.models, files);
        read
    }

    fn tests(&mut self, files: &[FoundFile]) -> Vec<SqlFile> {
        let texts = read_texts(files, &mut self.problems);
        let entries = &self.entries.tests;
        let read = texts
            .into_iter()
            .map(|(file, text)| sql_file(self.project, file, text, &self.trees.tests, entries))
            .collect();
        take_described(&mut self.entries.tests, files);
        read
    }

    fn seeds(&mut self, files: &[FoundFile]) -> Vec<SeedFile> {
        let entries = &self.entries.seeds;
        let seed = |file: &FoundFile| {
            let fqn = file.fqn(self.project);
            let mut config = self.trees.seeds.of(fqn.iter().map(String::as_str));
            let entry = entries.get(&file.stem);
            let properties = entry.map(|entry| {
                overlay_all(&mut config, &entry.config);
                entry.properties.clone()
            });
            let (name, path) = (file.stem.clone(), PathBuf::from(&file.path));
            SeedFile { name, path, fqn, properties: properties.unwrap_or_default(), config }
        };
        let read = files.iter().map(seed).collect();
        take_described(&mut self.entries.seeds, files);
        read
    }

    /// The blocks of files, then what YAML alone says.
    fn snapshots(&mut self, files: &[FoundFile]) -> Vec<Snapshot> {
        let mut found = Vec::new();
        for (file, text) in read_texts(files, &mut self.problems) {
            for block in snapshots::blocks(&text, &mut self.problems) {
                let mut fqn = file.fqn(self.project);
                fqn.push(block.name.clone());
                let mut config = self.trees.snapshots.of(fqn.iter().map(String::as_str));
                let of_file = |entry: &PropertiesEntry| entry.relation.is_none();
                let entry = self.entries.snapshots.get(&block.name).filter(|entry| of_file(entry));
                let properties = entry.map(|entry| {
                    overlay_all(&mut config, &entry.config);
                    entry.properties.clone()
                });
                let properties = properties.unwrap_or_default();
                let (name, text) = (block.name, text.clone());
                let file =
                    SqlFile { name, text, block: Some(block.body), fqn, properties, config, version: None };
                found.push(Snapshot { file, relation: None });
            }
        }
        let is_left = |name: &String| !found.iter().any(|snapshot| snapshot.file.name == *name);
        let (of_yaml, left): (IndexMap<String, PropertiesEntry>, IndexMap<String, PropertiesEntry>) =
            std::mem::take(&mut self.entries.snapshots)
                .into_iter()
                .filter(|(name, entry)| entry.relation.is_some() || is_left(name))
                .partition(|(_, entry)| entry.relation.is_some());
        self.entries.snapshots = left;
        found.extend(of_yaml.into_values().filter_map(|entry| self.snapshot_of_yaml(entry)));
        found
    }

    fn snapshot_of_yaml(&self, entry: PropertiesEntry) -> Option<Snapshot> {
        let relation = entry.relation?;
        let path = relation.place.text.path().to_owned();
        let folders = path.parent().into_iter().flat_map(Path::iter).skip(1);
        let mut fqn = vec![self.project.to_owned()];
        fqn.extend(folders.map(|folder| folder.to_string_lossy().into_owned()));
        fqn.push(entry.name.value.clone());
        let mut config = self.trees.snapshots.of(fqn.iter().map(String::as_str));
        overlay_all(&mut config, &entry.config);
        let text = SourceText::new(path, format!("select * from {{{{ {} }}}}", relation.value));
        let (name, properties) = (entry.name.value, entry.properties);
        let file = SqlFile { name, text, block: None, fqn, properties, config, version: None };
        Some(Snapshot { file, relation: Some(relation) })
    }

    /// Warns of entries that describe what does not exist.
    fn warn_of_leftovers(
        &mut self,
        models: &[SqlFile],
        seeds: &[SeedFile],
        snapshots: &[Snapshot],
        tests: &[SqlFile],
    ) {
        let models: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        let seeds: Vec<&str> = seeds.iter().map(|seed| seed.name.as_str()).collect();
        let snapshots: Vec<&str> = snapshots.iter().map(|snapshot| snapshot.file.name.as_str()).collect();
        let tests: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
        let kinds = [
            ("model", &self.entries.models, &models, ("seed", &seeds)),
            ("seed", &self.entries.seeds, &seeds, ("model", &models)),
            ("snapshot", &self.entries.snapshots, &snapshots, ("model", &models)),
            ("test", &self.entries.tests, &tests, ("test", &tests)),
        ];
        for (thing, entries, names, (other, others)) in kinds {
            for entry in entries.values() {
                let name = entry.name.value.as_str();
                let problem = Problem::new(format!("there is no {thing} `{name}`")).at(&entry.name.place);
                let problem = if others.contains(&name) {
                    problem.help(format!("it is a {other}: describe it under `{other}s:`"))
                } else if thing == "snapshot" {
                    let problem = problem.help("give it a `relation`, or write its block in snapshots/");
                    problem.did_you_mean(name, names.iter().copied())
                } else {
                    problem.did_you_mean(name, names.iter().copied())
                };
                self.warnings.push(problem.kind(WarningKind::EntryOfNothing));
            }
        }
    }
}

/// Takes out the entries of these files; of several files with one name, of which at most one is enabled, each has it.
fn take_described(entries: &mut IndexMap<String, PropertiesEntry>, files: &[FoundFile]) {
    let stems: HashSet<&str> = files.iter().map(|file| file.stem.as_str()).collect();
    entries.retain(|name, _| !stems.contains(name.as_str()));
}

fn sql_file(
    project: &str,
    file: &FoundFile,
    text: SourceText,
    tree: &ConfigTree,
    entries: &IndexMap<String, PropertiesEntry>,
) -> SqlFile {
    let fqn = file.fqn(project);
    let mut config = tree.of(fqn.iter().map(String::as_str));
    let properties = entries.get(&file.stem).map(|entry| {
        overlay_all(&mut config, &entry.config);
        entry.properties.clone()
    });
    SqlFile {
        name: file.stem.clone(),
        text,
        block: None,
        fqn,
        properties: properties.unwrap_or_default(),
        config,
        version: None,
    }
}

/// A file that is a version of a model: it is known by the model's name, and then by the version.
fn version_file(
    project: &str,
    file: &FoundFile,
    text: SourceText,
    tree: &ConfigTree,
    (model, entry): (&str, &VersionEntry),
) -> SqlFile {
    let mut fqn = file.fqn(project);
    fqn.pop();
    fqn.extend([model.to_owned(), format!("v{}", entry.version.version)]);
    let mut config = tree.of(fqn.iter().map(String::as_str));
    overlay_all(&mut config, &entry.config);
    SqlFile {
        name: model.to_owned(),
        text,
        block: None,
        fqn,
        properties: entry.properties.clone(),
        config,
        version: Some(entry.version.clone()),
    }
}
