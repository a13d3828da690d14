//! Which macros a text sees: each package is a namespace, and the project's macros stand before those that are built in.
//!
//! As in dbt: a name alone is looked for in the package of the text, then in the project, then among what is built in; a name after
//! a package's is that package's. `adapter.dispatch` goes through packages in an order of its own.

use std::sync::Arc;

use indexmap::IndexMap;

use super::macros::Macro;
use super::scope::OVERRIDABLE;

/// What stands before the name of a macro that `adapter.dispatch` finds, the first one first. What is written for DuckDB is nearer
/// to what mep's SQL is than what is written for every database.
pub(super) const PREFIXES: [&str; 3] = ["mep", "duckdb", "default"];

/// The package of what is built in.
pub(super) const DBT: &str = "dbt";

/// Packages that projects took macros over from: such a call finds the project's own macro.
const FOREIGN: [&str; 5] = ["dbt_utils", "dbt_expectations", "dbt_date", "audit_helper", "codegen"];

/// Macros by name.
pub(super) type Macros = IndexMap<String, Arc<Macro>>;

/// The macros of the project, of its packages, and what is built in.
#[derive(Clone, Debug)]
pub(super) struct Namespaces {
    root: String,
    /// By package; the project's own are one of them.
    packages: IndexMap<String, Macros>,
    builtin: Macros,
    /// In which packages macros of one are looked for, where the project says so.
    dispatch: IndexMap<String, Vec<String>>,
    /// Packages that the project names and that are not there.
    missing: Vec<String>,
    /// The dbt adapter of the engine that the target says its SQL is written for: its macros are taken where there are no others.
    written_for: Option<&'static str>,
}

/// Where a macro was looked for and not found.
pub(super) struct NotDispatched {
    pub(super) packages: Vec<String>,
}

impl Namespaces {
    pub(super) fn new(
        root: &str,
        packages: IndexMap<String, Macros>,
        builtin: Macros,
        dispatch: IndexMap<String, Vec<String>>,
        missing: Vec<String>,
    ) -> Self {
        Self { root: root.to_owned(), packages, builtin, dispatch, missing, written_for: None }
    }

    /// With the dbt adapter of the engine that the SQL is written for.
    pub(super) fn written_for(mut self, adapter: Option<&'static str>) -> Self {
        self.written_for = adapter;
        self
    }

    /// The project's name.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// The macro that a name alone means in a text of the project.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Macro>> {
        self.of_package(&self.root, name).or_else(|| self.builtin.get(name))
    }

    /// The macro that a name alone means in a text of a package.
    pub(super) fn seen_from(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        self.of_package(package, name).or_else(|| self.get(name))
    }

    /// A package's own macro.
    pub(super) fn of_package(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        self.packages.get(package)?.get(name)
    }

    /// The macro that a name after a package's means.
    pub(super) fn qualified(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        if package == DBT {
            // A macro that stands in for one of dbt's functions finds that one by `dbt.`, and not itself.
            let own = self.of_package(&self.root, name).filter(|_| !OVERRIDABLE.contains(&name));
            return self.builtin.get(name).or(own);
        }
        if self.is_installed(package) {
            return self.of_package(package, name);
        }
        self.get(name)
    }

    /// Whether a package is there.
    pub(super) fn is_installed(&self, package: &str) -> bool {
        self.packages.contains_key(package)
    }

    /// Whether a name is that of a package, there or not.
    pub(super) fn is_package(&self, name: &str) -> bool {
        self.is_installed(name)
            || name == DBT
            || FOREIGN.contains(&name)
            || self.missing.iter().any(|missing| missing == name)
    }

    /// The package of a node, by its unique id; the project for what has none.
    pub(super) fn package_of<'a>(&'a self, unique_id: &'a str) -> &'a str {
        let package = unique_id.split('.').nth(1).filter(|package| self.is_installed(package));
        package.unwrap_or(&self.root)
    }

    /// The macro that `adapter.dispatch` means in a text of a package.
    ///
    /// # Errors
    /// Where no package has one.
    pub(super) fn dispatched(
        &self,
        from: &str,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<&Arc<Macro>, NotDispatched> {
        let packages = self.order(from, namespace);
        let names = PREFIXES.map(|prefix| format!("{prefix}__{name}"));
        let found = |names: &[String]| {
            packages.iter().find_map(|package| {
                let of = |name: &String| match *package {
                    DBT => self.builtin.get(name),
                    // What mep answers itself, of what a package would ask a database.
                    OF_MEP => self.builtin.get(name).filter(|_| name.starts_with("mep__")),
                    package => self.of_package(package, name),
                };
                names.iter().find_map(of)
            })
        };
        let found = found(&names).or_else(|| found(&[format!("{}__{name}", self.written_for?)]));
        let is_shown = |package: &&&str| **package != OF_MEP;
        let shown = || packages.iter().filter(is_shown).map(|package| (*package).to_owned()).collect();
        found.ok_or_else(|| NotDispatched { packages: shown() })
    }

    fn order<'a>(&'a self, from: &'a str, namespace: Option<&'a str>) -> Vec<&'a str> {
        let own = (from != self.root).then_some(from);
        let without = || own.into_iter().chain([self.root.as_str(), DBT]).collect();
        let Some(namespace) = namespace else { return without() };
        if let Some(order) = self.dispatch.get(namespace) {
            let before = order.iter().position(|package| package == namespace).unwrap_or(order.len());
            let mut order: Vec<&str> = order.iter().map(String::as_str).collect();
            order.insert(before, OF_MEP);
            return order;
        }
        if self.is_installed(namespace) {
            return vec![&self.root, OF_MEP, namespace];
        }
        if namespace == DBT {
            return vec![&self.root, DBT];
        }
        // No package has this name, so it says nothing.
        without()
    }

    /// The names of all macros that a text of the project sees.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.packages.get(&self.root).into_iter().flat_map(|macros| macros.keys());
        let is_new = |name: &&String| self.of_package(&self.root, name).is_none();
        own.chain(self.builtin.keys().filter(is_new)).map(String::as_str)
    }
}

/// Stands in an order of packages for those of mep's own macros that are written for a package.
const OF_MEP: &str = "mep itself";
