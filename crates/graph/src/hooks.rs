//! Hooks: texts that dbt has run before and after nodes and runs, and what macros do that are called by themselves.
//!
//! What a hook may do is all that changes no row: the logic of macros, `log`, questions, and statements that have no effect here. One
//! that writes is refused, since what it writes would be in no plan and no ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::asked::{Answers, Asking, Questions};
use super::attached_tests::tested_relation;
use super::compile::Compiler;
use super::names::{Names, NodeNames};
use super::node::Node;
use super::node_index::NodeSet;
use mep_core::relation::Relation;
use mep_lang::jinja::Subject;
use mep_lang::project::{Located, Place, Problem, SourceText};

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before its node is built.
    Before,
    /// Once it is published.
    After,
}

/// A text that is called for what it does.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// The node that it is of; `None`: the run's own.
    pub node: Option<&'a Node>,
    /// The text, and where it stands.
    pub text: &'a Located<String>,
    /// What it sees beside what all texts see.
    pub sees: &'a [(&'static str, Json)],
}

/// What came of a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// Statements that have no effect here, each with why.
    pub without_effect: BTreeSet<String>,
    /// Whether it asks for what is not there yet, so that the rest of it is not known.
    pub is_open: bool,
}

/// What the names of a project stand for in its hooks: the same in all of them.
#[derive(Clone, Debug)]
pub struct HookNames(Arc<Names>);

impl Compiler<'_> {
    /// What names stand for in hooks.
    pub fn hook_names(&self) -> HookNames {
        HookNames(Arc::new(Names::of(self.project, self.graph, &NodeSet::new())))
    }

    /// Calls a hook: renders it, and has what it asks answered.
    ///
    /// # Errors
    /// Where it cannot be rendered, writes, or asks what fails.
    pub fn call(
        &self,
        names: &HookNames,
        hook: Hook<'_>,
        answers: &Arc<dyn Answers>,
    ) -> Result<Called, Problem> {
        self.call_with(&names.0, hook, answers)
    }

    pub(super) fn call_with(
        &self,
        names: &Arc<Names>,
        hook: Hook<'_>,
        answers: &Arc<dyn Answers>,
    ) -> Result<Called, Problem> {
        let Place { text, .. } = &hook.text.place;
        let file = SourceText::new(text.path(), hook.text.value.clone());
        let target = &self.project.target.schema;
        let id = format!("operation.{}.hook", self.project.package_of(text.path()));
        let (name, unique_id, fqn, this) = match hook.node {
            Some(node) => (node.name.as_str(), node.id.as_str(), &node.fqn[..], tested_relation(node)),
            None => ("hook", id.as_str(), &[][..], Relation::new(target, "hook")),
        };
        let resource_type = hook.node.map_or("operation", Node::resource_type);
        let config = hook.node.map_or_else(IndexMap::new, |node| node.config.raw.clone());
        let description = hook.node.and_then(|node| node.description.as_deref()).unwrap_or_default();
        let columns = hook.node.map_or(&[][..], |node| &node.columns);
        let subject = Subject {
            text: &file,
            block: None,
            name,
            unique_id,
            resource_type,
            fqn,
            this,
            config,
            description,
            columns,
        };
        let noted: Arc<Mutex<Questions>> = Arc::default();
        let asking = || Asking::anything(answers.clone(), noted.clone(), names);
        let is_incremental = false;
        let resolver = NodeNames {
            names: names.clone(),
            is_incremental,
            parts: None,
            scope: None,
            asking: Some(asking()),
        };
        let rendered = self.templates.render_seeing(&subject, Arc::new(resolver), hook.sees);
        let done = rendered.map_err(|problem| at(&problem, &hook.text.place)).and_then(|rendered| {
            let done = asking().carry_out(&rendered.sql);
            done.map(drop).map_err(|refused| {
                let problem = Problem::new(refused.message).at(&hook.text.place);
                match refused.help {
                    Some(help) => problem.help(help),
                    None => problem,
                }
            })
        });
        let noted = std::mem::take(&mut *noted.lock());
        let called = Called { without_effect: noted.without_effect, is_open: noted.open.is_some() };
        if called.is_open { Ok(called) } else { done.map(|()| called) }
    }
}

/// A problem of a hook, which stands as a text in a file of config.
fn at(problem: &Problem, place: &Place) -> Problem {
    let said = Problem::new(problem.message()).at(place);
    match problem.help_text() {
        Some(help) => said.help(help),
        None => said,
    }
}
