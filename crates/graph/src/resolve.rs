//! What names in `ref()` and `source()` stand for.

use super::build::{Builder, package_of};
use super::node::{Dependency, Node, NodeId, NodeKind};
use mep_core::warnings::WarningKind;
use mep_lang::jinja::Parsed;
use mep_lang::project::{Place, Problem, Weight, nearest};

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Named {
    Node(NodeId),
    Disabled,
}

/// `ref()` finds models, seeds and snapshots by their names, whatever they are.
fn named_twice(first: &Node, second: &Node) -> Problem {
    let (is, thing) = (first.resource_type(), second.resource_type());
    let message = if is == thing {
        format!("two {thing}s are named `{}`", second.name)
    } else {
        format!("a {is} and a {thing} are named `{}`", second.name)
    };
    let what = if thing == "snapshot" { "name" } else { "file name" };
    let help =
        format!("the first is {}; give one of them another {what}, or disable it", first.path.display());
    let problem = Problem::new(message).help(help);
    match &second.place {
        Some(place) => problem.at(place),
        None => problem,
    }
}

impl Builder<'_> {
    /// Notes what names stand for, once all nodes are there that may be referred to.
    pub(super) fn index_names(&mut self) {
        for name in &self.disabled {
            self.refs.insert(name.clone(), Named::Disabled);
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if !matches!(
                node.kind,
                NodeKind::Model { .. } | NodeKind::Seed { .. } | NodeKind::Snapshot { .. }
            ) {
                continue;
            }
            let package = package_of(&node.fqn).to_owned();
            for name in node.reference_names() {
                let is_alike = |earlier: &&Node| {
                    earlier.reference_names().any(|other| other == name)
                        && package_of(&earlier.fqn) == package
                };
                let earlier = self.nodes[..at].iter().find(is_alike);
                let key = (package.clone(), name.clone());
                if let Some(Named::Node(_)) = self.refs.insert(key, Named::Node(node.id.clone())) {
                    self.problems.extend(earlier.map(|earlier| named_twice(earlier, node)));
                }
            }
        }
    }

    /// What a text refers to; a problem for each name that stands for nothing.
    pub(super) fn dependencies(&mut self, parsed: &Parsed) -> Vec<Dependency> {
        let mut depends_on: Vec<Dependency> = Vec::new();
        let mut add = |id: NodeId, place: &Place| {
            if !depends_on.iter().any(|known| known.id == id) {
                depends_on.push(Dependency { id, place: Some(place.clone()) });
            }
        };
        for used in &parsed.refs {
            match self.resolve_ref(used.package.as_deref(), &used.name, &used.place) {
                Ok(Some(id)) => add(id, &used.place),
                Ok(None) => {}
                Err(problem) => self.problems.push(*problem),
            }
        }
        for used in &parsed.sources {
            match self.resolve_source(&used.source, &used.table, &used.place) {
                Ok(id) => {
                    let filler = self.fillers.get(&id).cloned();
                    add(id, &used.place);
                    if let Some(filler) = filler {
                        add(filler, &used.place);
                    }
                }
                Err(problem) => self.problems.push(*problem),
            }
        }
        depends_on
    }

    /// The same of a test. As in dbt, one that names what is not there is left out with a warning.
    pub(super) fn dependencies_of_test(&mut self, parsed: &Parsed) -> Option<Vec<Dependency>> {
        let refs = parsed.refs.iter();
        let refs = refs.map(|used| self.resolve_ref(used.package.as_deref(), &used.name, &used.place).err());
        let sources = parsed.sources.iter();
        let sources = sources.map(|used| self.resolve_source(&used.source, &used.table, &used.place).err());
        let missing: Vec<Problem> = refs.chain(sources).flatten().map(|problem| *problem).collect();
        if missing.is_empty() {
            return Some(self.dependencies(parsed));
        }
        let warning = |problem: Problem| {
            let message = format!("{}: the test that names it is left out", problem.message());
            let help = problem.help_text().map(str::to_owned);
            let place = problem.place().cloned();
            let warning = Problem::new(message).weighing(Weight::Unknown).kind(WarningKind::TestOfNothing);
            let warning = place.into_iter().fold(warning, |warning, place| warning.at(&place));
            help.into_iter().fold(warning, Problem::help)
        };
        self.problems.extend(missing.into_iter().map(warning));
        None
    }

    /// The node that a `ref()` means; `None` where it means one that has a problem of its own.
    fn resolve_ref(
        &self,
        package: Option<&str>,
        name: &str,
        place: &Place,
    ) -> Result<Option<NodeId>, Box<Problem>> {
        let packages = &self.project.packages;
        if let Some(package) = package.filter(|package| *package != self.project.name)
            && packages.iter().all(|known| known.name != package)
        {
            let problem = Problem::new(format!("there is no package `{package}`")).at(place);
            let problem = if packages.is_empty() {
                problem.help(format!("the only package is this project, `{}`", self.project.name))
            } else {
                problem.did_you_mean(package, packages.iter().map(|known| known.name.as_str()))
            };
            return Err(Box::new(problem));
        }
        match self.named(package, name, place) {
            Some(Named::Node(id)) => Ok(Some(id.clone())),
            Some(Named::Disabled) => {
                let project = self.project;
                let files = project.models.iter().chain(project.snapshots.iter().map(|one| &one.file));
                let broken = files.into_iter().any(|file| file.name == name) && self.problems.has_errors();
                if broken {
                    return Ok(None);
                }
                let problem = Problem::new(format!("`{name}` is disabled")).at(place);
                Err(Box::new(problem.help("enable it, or take the reference away")))
            }
            None if self.versions_of(name).next().is_some() => {
                let (model, version) = name.split_once(".v").unwrap_or((name, ""));
                let problem = Problem::new(format!("there is no version {version} of `{model}`")).at(place);
                let versions: Vec<&str> = self.versions_of(name).collect();
                Err(Box::new(problem.help(format!("the versions are {}", versions.join(", ")))))
            }
            None => {
                let problem = Problem::new(format!("there is no model or seed `{name}`")).at(place);
                let problem = problem.did_you_mean(name, self.refs.keys().map(|(_, name)| name.as_str()));
                let source = self.sources.keys().find(|(_, table)| table == name);
                Err(Box::new(match source {
                    Some((source, table)) => problem.help(format!("write source('{source}', '{table}')")),
                    None => problem,
                }))
            }
        }
    }

    /// The versions of the model that a name with a version is of.
    fn versions_of<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b str> {
        let model = name.split_once(".v").map_or("", |(model, _)| model);
        let named = self.nodes.iter().filter(move |node| node.name == model);
        named.filter_map(|node| node.version().map(|version| version.version.as_str()))
    }

    /// What a name stands for where it is written: as in dbt in the project, then in the package of the text, then in any other; where
    /// a flag says so, in the package of the text first.
    fn named(&self, package: Option<&str>, name: &str, place: &Place) -> Option<&Named> {
        let of = |package: &str| self.refs.get(&(package.to_owned(), name.to_owned()));
        if let Some(package) = package {
            return of(package);
        }
        let own = self.project.package_of(place.text.path());
        let packages = self.project.packages.iter();
        let first = if self.project.own_package_first {
            [own, &self.project.name]
        } else {
            [&self.project.name, own]
        };
        let mut all = first.into_iter().chain(packages.map(|package| package.name.as_str())).filter_map(of);
        // What is disabled is named only where nothing else has the name.
        let first = all.next()?;
        Some(if matches!(first, Named::Disabled) {
            all.find(|named| matches!(named, Named::Node(_))).unwrap_or(first)
        } else {
            first
        })
    }

    fn resolve_source(&self, source: &str, table: &str, place: &Place) -> Result<NodeId, Box<Problem>> {
        if let Some(id) = self.sources.get(&(source.to_owned(), table.to_owned())) {
            return Ok(id.clone());
        }
        let names: Vec<String> =
            self.sources.keys().map(|(source, table)| format!("{source}.{table}")).collect();
        let wanted = format!("{source}.{table}");
        let problem = Problem::new(format!("there is no source table `{wanted}`")).at(place);
        Err(Box::new(
            match nearest(&wanted, names.iter().map(String::as_str)).and_then(|near| near.split_once('.')) {
                Some((source, table)) => problem.help(format!("did you mean source('{source}', '{table}')?")),
                None => problem.help("declare it under `sources:` in a YAML file"),
            },
        ))
    }
}
