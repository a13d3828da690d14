//! Who may refer to which model: groups, access, and models that are on their way out.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime, Utc};

use super::build::{Builder, package_of};
use super::config::{Access, Materialization};
use super::node::{Dependency, Node, NodeId, NodeKind, TestDetail};
use mep_core::warnings::WarningKind;
use mep_lang::project::{Place, Problem, Weight, nearest};

impl Builder<'_> {
    /// Config names groups that there are, and what all may read is a relation.
    pub(super) fn check_groups(&mut self) {
        let groups: Vec<&str> = self.project.groups.iter().map(|group| group.name.value.as_str()).collect();
        for node in &self.nodes {
            if let Some(group) = node.config.group.as_deref().filter(|group| !groups.contains(group)) {
                let problem = at(Problem::new(format!("there is no group `{group}`")), node, "group");
                self.problems.push(match nearest(group, groups.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("declare it under `groups:`, with an `owner`"),
                });
            }
            let is_ephemeral = node.config.materialized() == Materialization::Ephemeral;
            if node.config.model().access == Access::Public && is_ephemeral {
                let message = format!(
                    "`{}` is ephemeral, and its access is public: there is no relation to read",
                    node.name
                );
                let problem = at(Problem::new(message), node, "access");
                self.problems.push(problem.help("make it a view or a table, or take `access` away"));
            }
        }
    }

    /// No node refers to a model that is not for it.
    pub(super) fn check_access(&mut self) {
        let mut problems = Vec::new();
        let restricting: HashMap<&NodeId, &Node> = self
            .nodes
            .iter()
            .filter(|node| {
                matches!(node.kind, NodeKind::Model { .. }) && node.config.model().access != Access::Public
            })
            .map(|node| (&node.id, node))
            .collect();
        for node in &self.nodes {
            // What is said of a model is its own, whoever may refer to it.
            let is_said_of_it =
                matches!(node.kind, NodeKind::Test(TestDetail::Generic { .. } | TestDetail::Unit { .. }));
            for needed in &node.depends_on {
                let Some(model) = restricting.get(&needed.id).filter(|_| !is_said_of_it) else { continue };
                problems.extend(self.refused(node, needed, model));
            }
        }
        self.problems.extend(problems);
    }

    /// Why a node may not refer to a model.
    fn refused(&self, node: &Node, needed: &Dependency, model: &Node) -> Option<Problem> {
        let (own, package) = (package_of(&node.fqn), package_of(&model.fqn));
        let restricts = self.project.packages.iter().any(|of| of.name == package && of.restricts_access);
        let is_outside = own != package && restricts;
        let (whose, help) = match model.config.model().access {
            Access::Public => return None,
            Access::Protected if !is_outside => return None,
            Access::Protected => {
                (format!("the package `{package}`"), "refer to one of its models that are public".to_owned())
            }
            Access::Private if node.config.group == model.config.group && !is_outside => {
                return None;
            }
            Access::Private => match &model.config.group {
                Some(group) => (
                    format!("the group `{group}`"),
                    format!("give `{}` the same `group`, or `{}` another `access`", node.name, model.name),
                ),
                None => {
                    ("no group".to_owned(), format!("give `{}` a `group` or another `access`", model.name))
                }
            },
        };
        let access = model.config.model().access.as_str();
        let message = format!(
            "{} refers to {}, which it may not: `{}` is {access} to {whose}",
            node.id,
            model.id,
            model.name_with_version()
        );
        let problem = Problem::new(message).help(help);
        Some(match needed.place.as_ref().or(node.place.as_ref()) {
            Some(place) => problem.at(place),
            None => problem,
        })
    }

    /// Tells of models whose day has passed, and of what refers to one that has such a day.
    pub(super) fn warn_of_deprecated(&mut self) {
        let now = Utc::now().naive_utc();
        let mut told = Vec::new();
        for model in &self.nodes {
            let NodeKind::Model { index, .. } = model.kind else { continue };
            let Some(written) = &self.project.models[index].properties.deprecation_date else { continue };
            let Some(time) = deprecation_time(&written.value) else {
                let message = format!("`deprecation_date`: expected a day, found `{}`", written.value);
                let problem = Problem::new(message).at(&written.place);
                self.problems.push(problem.help("write it as 2025-12-31"));
                continue;
            };
            let name = model.name_with_version();
            if time <= now {
                let message =
                    format!("the model `{name}` has passed its deprecation date, {}", written.value);
                told.push(Problem::new(message).at(&written.place));
            }
            for node in &self.nodes {
                for needed in node.depends_on.iter().filter(|needed| needed.id == model.id) {
                    let Some(place) = &needed.place else { continue };
                    told.push(self.reference(node, &name, time <= now, &written.value, place));
                }
            }
        }
        for problem in told {
            self.problems.push(problem.weighing(Weight::Warning).kind(WarningKind::DeprecatedReference));
        }
    }

    fn reference(&self, node: &Node, model: &str, is_past: bool, date: &str, place: &Place) -> Problem {
        let when = if is_past { "was deprecated on" } else { "is to be deprecated on" };
        let problem =
            Problem::new(format!("`{}` refers to `{model}`, which {when} {date}", node.name)).at(place);
        let later = self.nodes.iter().find(|other| {
            other.version().is_some_and(mep_lang::project::ModelVersion::is_latest)
                && model.starts_with(&format!("{}_v", other.name))
                && other.name_with_version() != model
        });
        match later.and_then(|later| Some((later, later.version()?))) {
            Some((later, version)) => {
                problem.help(format!("the latest version is ref('{}', v={})", later.name, version.version))
            }
            None => problem,
        }
    }
}

fn at(problem: Problem, node: &Node, key: &str) -> Problem {
    super::named::at(problem, node, key)
}

/// When a model is deprecated: a day, or a day and a time, as YAML writes them; `None` where it is neither.
pub fn deprecation_time(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    let day = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
    super::config::time_of(text).or_else(|| day.and_hms_opt(0, 0, 0))
}
