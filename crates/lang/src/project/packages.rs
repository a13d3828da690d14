//! Packages: projects whose models, macros, tests and seeds a project takes over.
//!
//! Owns which packages the project names (`packages.yml`, `dependencies.yml`), which of them lie in its folder, and what they hold.
//! Must not know: how a package gets there.

use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::files::{read_text, slashed};
use super::item::{Item, Mapping};
use super::project_file::{FILE, ProjectFile};
use super::strings::Strings;
use super::vars::{self, Vars};
use super::yaml;
use super::{LoadOptions, Place, Problem, Problems, SourceText};

/// The files that name packages.
const FILES: [&str; 2] = ["packages.yml", "dependencies.yml"];

/// Where packages lie, unless `packages-install-path` says otherwise.
pub(super) const INSTALL_PATH: &str = "dbt_packages";

/// A package that lies in the project's folder.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name: of its own `dbt_project.yml`.
    pub name: String,
    /// Its version: of the same file.
    pub version: String,
    /// Its folder, relative to the project's root, with slashes.
    pub folder: String,
    /// The variables as its texts see them.
    pub vars: IndexMap<String, Json>,
    /// Whether its models that are not public are for its own texts alone.
    pub restricts_access: bool,
    /// Its macros and generic tests.
    pub macros: Vec<SourceText>,
}

/// A package that the project names.
#[derive(Clone, Debug)]
pub struct WantedPackage {
    /// Where it comes from.
    pub from: PackageOrigin,
    /// Where the project names it.
    pub place: Place,
}

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageOrigin {
    /// Of dbt's hub: `package: dbt-labs/dbt_utils`.
    Hub {
        /// `dbt-labs/dbt_utils`.
        name: String,
        /// `1.1.1`, or a range as `>=1.0.0`, `<2.0.0`.
        versions: Vec<String>,
    },
    /// Of a repository.
    Git {
        /// Its address.
        url: String,
        /// A tag, branch or commit.
        revision: Option<String>,
        /// The folder within it that holds the package.
        subdirectory: Option<String>,
    },
    /// Of a folder, relative to the project's root.
    Local(PathBuf),
}

impl PackageOrigin {
    /// What the package is probably called.
    pub fn likely_name(&self) -> String {
        let last = |text: &str| {
            let last = text.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(text);
            last.trim_end_matches(".git").replace('-', "_")
        };
        match self {
            Self::Hub { name, .. } => last(name),
            Self::Git { url, subdirectory, .. } => last(subdirectory.as_deref().unwrap_or(url)),
            Self::Local(path) => {
                path.file_name().map_or_else(String::new, |name| last(&name.to_string_lossy()))
            }
        }
    }
}

impl std::fmt::Display for PackageOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub { name, .. } => f.write_str(name),
            Self::Git { url, .. } => f.write_str(url),
            Self::Local(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What packages a project names, and where they are to lie.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The folder of packages, relative to the project's root.
    pub folder: PathBuf,
    /// In the order of the project's files.
    pub wanted: Vec<WantedPackage>,
}

impl Packages {
    /// What the files of a project say.
    ///
    /// # Errors
    /// All that is wrong with the files that name packages.
    pub fn read(options: &LoadOptions) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let cli_vars = vars::of_command_line(options.vars.as_deref(), &mut problems);
        // What else the project's file says is not looked at here.
        let file = ProjectFile::read(&options.root, &cli_vars, &mut Problems::default());
        let wanted = read_wanted(&options.root, &Strings::new(&file.vars), &mut problems);
        problems.none_or(Self { folder: PathBuf::from(file.install_path), wanted })
    }

    /// What the files of a package in this folder say.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn of_package(folder: &Path) -> Result<Vec<WantedPackage>, Problems> {
        let mut problems = Problems::default();
        let wanted = read_wanted(folder, &Strings::new(&Vars::new()), &mut problems);
        problems.none_or(wanted)
    }

    /// The name of the package in a folder, where there is one.
    pub fn name_of(folder: &Path) -> Option<String> {
        let is_package = folder.join(FILE).is_file();
        is_package.then(|| ProjectFile::read(folder, &Vars::new(), &mut Problems::default()).name)
    }
}

pub(super) fn read_wanted(root: &Path, strings: &Strings, problems: &mut Problems) -> Vec<WantedPackage> {
    let mut wanted = Vec::new();
    for name in FILES {
        let location = root.join(name);
        if !location.is_file() {
            continue;
        }
        let text = match read_text(&location, name) {
            Ok(text) => text,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let Some(mut node) = yaml::parse(&text, problems) else { continue };
        strings.render(&text, &mut node, &[], problems);
        let item = Item::file(&text, &node);
        if item.is_null() {
            continue;
        }
        let mapping = item.mapping(problems);
        for (key, item) in mapping.items() {
            match key.text {
                "packages" => wanted.extend(read_all(item, problems)),
                "projects" if !item.is_empty() => {
                    let problem = key.problem("projects of dbt's mesh are not supported by mep");
                    problems.push(problem.help("name the project under `packages:`, by `git` or `local`"));
                }
                _ => {}
            }
        }
    }
    wanted
}

pub(super) fn read_all(item: Item<'_>, problems: &mut Problems) -> Vec<WantedPackage> {
    item.mappings(problems).into_iter().filter_map(|package| read_one(package, problems)).collect()
}

fn read_one(package: Mapping<'_>, problems: &mut Problems) -> Option<WantedPackage> {
    let text = |key: &str, problems: &mut Problems| package.get(key).and_then(|item| item.text(problems));
    let named = |key: &str| package.items().find(|(found, _)| found.text == key).map(|(key, _)| key.place());
    if let Some(place) = named("package") {
        let name = text("package", problems)?;
        let versions = match package.get("version") {
            Some(item) => item.words(problems),
            None => Vec::new(),
        };
        return Some(WantedPackage { from: PackageOrigin::Hub { name, versions }, place });
    }
    if let Some(place) = named("git") {
        let from = PackageOrigin::Git {
            url: text("git", problems)?,
            revision: match package.get("revision") {
                Some(item) => item.words(problems).into_iter().next(),
                None => None,
            },
            subdirectory: text("subdirectory", problems),
        };
        return Some(WantedPackage { from, place });
    }
    if let Some(place) = named("local") {
        return Some(WantedPackage { from: PackageOrigin::Local(text("local", problems)?.into()), place });
    }
    let (key, _) = package.items().next()?;
    let problem = key.problem(format!("expected a `package`, `git` or `local`, found `{}`", key.text));
    problems
        .push(problem.help("fetch the package yourself into the folder of packages, and name it by `local`"));
    None
}

/// A package as it lies in the project's folder.
pub(super) struct Installed {
    pub(super) file: ProjectFile,
    /// Relative to the root.
    pub(super) folder: String,
}

/// The packages that lie in the project's folder: those in the folder of packages, and local ones within the project.
pub(super) fn installed(
    root: &Path,
    install_path: &str,
    wanted: &[WantedPackage],
    cli_vars: &Vars,
    problems: &mut Problems,
) -> Vec<Installed> {
    let mut folders: Vec<String> = Vec::new();
    if let Ok(entries) = std::fs::read_dir(root.join(install_path)) {
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        folders.extend(names.map(|name| format!("{install_path}/{name}")));
        folders.sort();
    }
    let is_within =
        |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    for package in wanted {
        if let PackageOrigin::Local(path) = &package.from
            && is_within(path)
        {
            folders.push(slashed(path));
        }
    }
    let mut found: Vec<Installed> = Vec::new();
    for folder in folders.into_iter().filter(|folder| root.join(folder).join(FILE).is_file()) {
        let file = ProjectFile::of_package(root, &folder, cli_vars, problems);
        // A local package that was copied is there twice; the copy is what dbt reads.
        if found.iter().all(|other| other.file.name != file.name) {
            found.push(Installed { file, folder });
        }
    }
    found
}

/// The packages that are named and not there, each with a warning.
pub(super) fn missing(
    root: &Path,
    wanted: &[WantedPackage],
    installed: &[Installed],
    warnings: &mut Problems,
) -> Vec<String> {
    let is_there = |package: &&WantedPackage| {
        let name = package.from.likely_name();
        let short = name.strip_prefix("dbt_").unwrap_or(&name);
        let is_folder = matches!(&package.from, PackageOrigin::Local(path) if installed.iter().any(|one| {
            let same = |path: PathBuf| path.canonicalize().ok();
            let (wanted, there) = (same(root.join(path)), same(root.join(&one.folder)));
            wanted.is_some() && wanted == there
        }));
        is_folder || installed.iter().any(|one| one.file.name == name || one.file.name == short)
    };
    let missing: Vec<&WantedPackage> = wanted.iter().filter(|package| !is_there(package)).collect();
    // A package may have another name than its repository.
    if installed.len() >= wanted.len() {
        return Vec::new();
    }
    for package in &missing {
        let problem = Problem::new(format!("the package `{}` is not installed", package.from));
        let help = "run `mep deps`; without a network, copy the package's folder into dbt_packages/";
        warnings.push(problem.at(&package.place).help(help));
    }
    missing.into_iter().map(|package| package.from.likely_name()).collect()
}

/// In which packages `adapter.dispatch` looks for the macros of a package, as `dispatch:` says.
pub(super) fn read_dispatch(item: Item<'_>, problems: &mut Problems) -> IndexMap<String, Vec<String>> {
    let mut orders = IndexMap::new();
    for entry in item.mappings(problems) {
        let namespace = entry.required("macro_namespace", "an entry of `dispatch`", problems);
        let order = entry.get("search_order").map(|item| item.words(problems));
        if let (Some(namespace), Some(order)) = (namespace, order) {
            orders.insert(namespace.value, order);
        }
    }
    orders
}
