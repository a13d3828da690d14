//! Calling hooks, and macros by themselves: what they ask is answered of what is stored when they are called.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::error::AppError;
use super::late::Answering;
use super::query::register_all;
use super::workspace::{Workspace, runtime};
use mep_core::warnings::{self, WarningFate, WarningKind};
use mep_datafusion::Engine;
use mep_graph::{Answers, Called, Hook, HookNames, Node, When, shown_node};
use mep_lang::jinja::silently;
use mep_lang::project::{Located, Problem, Problems, SourceText, Span};
use mep_run::event::{NodeResult, Status};
use mep_run::session::{CallsHooks, HookFailure};

/// The hooks of a project, in a run.
pub(super) struct ProjectHooks<'a> {
    workspace: &'a Workspace,
    engine: Engine,
    runtime: Arc<tokio::runtime::Runtime>,
    /// Made for the first hook that is called.
    names: OnceLock<HookNames>,
}

impl CallsHooks for ProjectHooks<'_> {
    fn call(&self, node: &Node, when: When) -> Result<(), HookFailure> {
        let texts = match when {
            When::Before => &node.config.hooks.before,
            When::After => &node.config.hooks.after,
        };
        for text in texts {
            let called = self.call(Hook { node: Some(node), text, sees: &[] });
            called.map_err(|problem| HookFailure(in_lines(&problem.into())))?;
        }
        Ok(())
    }
}

impl<'a> ProjectHooks<'a> {
    /// The hooks of a project over the tables that an engine knows.
    pub(super) fn new(
        workspace: &'a Workspace,
        engine: Engine,
        runtime: Arc<tokio::runtime::Runtime>,
    ) -> Self {
        Self { workspace, engine, runtime, names: OnceLock::new() }
    }

    fn call(&self, hook: Hook<'_>) -> Result<Called, Problem> {
        let (engine, runtime) = (self.engine.clone(), self.runtime.clone());
        let answers: Arc<dyn Answers> = Arc::new(Answering { engine, runtime, built: BTreeSet::new() });
        let stored = |_: &Node| None;
        let compiler = self.workspace.compiler(&stored);
        compiler.call(self.names.get_or_init(|| compiler.hook_names()), hook, &answers)
    }

    /// Calls what the project says before its runs.
    ///
    /// # Errors
    /// Where one fails; nothing is begun then.
    pub(super) fn before_run(&self) -> Result<(), Problem> {
        let texts = &self.workspace.project.on_run_start;
        texts.iter().try_for_each(|text| {
            let called = self.call(Hook { node: None, text, sees: &[] });
            self.workspace.forgiven(text, called).map(drop)
        })
    }

    /// Calls what the project says after its runs, with the results; a result of each that fails.
    pub(super) fn after_run(&self, results: &[NodeResult]) -> Vec<NodeResult> {
        let sees = seen_after_run(self.workspace, results);
        let mut failed = Vec::new();
        for (at, text) in self.workspace.project.on_run_end.iter().enumerate() {
            let called = self.call(Hook { node: None, text, sees: &sees });
            if let Err(problem) = self.workspace.forgiven(text, called) {
                let name = format!("on-run-end-{at}");
                let id = format!("operation.{}.{name}", self.workspace.project.name);
                let result = NodeResult::new(&id, &name, "operation", Status::Error);
                failed.push(result.saying(in_lines(&problem.into())));
            }
        }
        failed
    }
}

/// What texts see after a run.
fn seen_after_run(workspace: &Workspace, results: &[NodeResult]) -> Vec<(&'static str, Json)> {
    let nodes = workspace.graph.nodes();
    let shown = |result: &NodeResult| {
        let node = nodes.iter().find(|node| node.id.as_str() == result.unique_id);
        let is_test = node.is_some_and(Node::is_test);
        json!({
            "unique_id": result.unique_id,
            "node": node.map(shown_node),
            "status": result.status,
            "message": result.message,
            "execution_time": result.seconds,
            "failures": is_test.then_some(result.rows),
            "adapter_response": { "rows_affected": result.rows },
            "thread_id": "",
            "timing": [],
        })
    };
    let schemas: BTreeSet<&str> =
        nodes.iter().filter_map(|node| node.relation.as_ref()?.schema.as_deref()).collect();
    let with_database: Vec<Json> = schemas.iter().map(|schema| json!([null, schema])).collect();
    vec![
        ("results", results.iter().map(shown).collect()),
        ("schemas", schemas.iter().copied().collect()),
        ("database_schemas", with_database.into()),
    ]
}

/// Hooks of packages that were told not to be called: each is told once in a process.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Workspace {
    /// What came of a hook of the run. One of a package that writes, or that asks what a hook cannot be told, is not called, and a warning
    /// says so: what packages do around runs is to keep records of them, in tables of their own.
    fn forgiven(&self, text: &Located<String>, called: Result<Called, Problem>) -> Result<Called, Problem> {
        let Err(problem) = called else { return called };
        let is_error = warnings::fate(WarningKind::HookNotCalled) == WarningFate::Error;
        let Some(package) = self.package_of_hook(text).filter(|_| !is_error) else { return Err(problem) };
        let (file, line) = (text.place.text.path().display(), text.place.line_column().0);
        let said = format!(
            "{file}:{line}: this hook of the package `{package}` is not called, since {problem}: the package's tables have the rows \
             of their SELECTs alone"
        );
        if TOLD.lock().insert(format!("{file}:{line}")) && warnings::note(WarningKind::HookNotCalled) {
            tracing::warn!("{said}");
        }
        Ok(Called::default())
    }

    /// The package of a hook: it stands in that package's file, or is one call of a macro of that package.
    fn package_of_hook<'a>(&'a self, text: &'a Located<String>) -> Option<&'a str> {
        let project = &self.project;
        let of_file = project.package_of(text.place.text.path());
        if of_file != project.name {
            return Some(of_file);
        }
        let inner =
            text.value.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim_matches(['-', '+', ' ', '\n']);
        let (package, _) = inner.split_once('.')?;
        let is_one_call = !inner.contains("{{") && inner.ends_with(')');
        (is_one_call && project.packages.iter().any(|of| of.name == package)).then_some(package)
    }

    /// What can be told of the run's own hooks, those before it or those after it, before it begins.
    ///
    /// # Errors
    /// Where one writes, or cannot be rendered.
    pub(super) fn check_hooks(&self, when: When) -> Result<BTreeSet<String>, Problems> {
        let (mut problems, mut without_effect) = (Problems::default(), BTreeSet::new());
        let nobody: Arc<dyn Answers> = Arc::new(());
        let stored = |_: &Node| None;
        let compiler = self.compiler(&stored);
        let names = LazyCell::new(|| compiler.hook_names());
        let (texts, sees) = match when {
            When::Before => (&self.project.on_run_start, Vec::new()),
            When::After => (&self.project.on_run_end, seen_after_run(self, &[])),
        };
        for text in texts {
            let hook = Hook { node: None, text, sees: &sees };
            match self.forgiven(text, silently(|| compiler.call(&names, hook, &nobody))) {
                Ok(called) => without_effect.extend(called.without_effect),
                Err(problem) => problems.push(problem),
            }
        }
        problems.none_or(without_effect)
    }

    /// Calls a macro by itself, with these arguments; gives the statements that have no effect here.
    ///
    /// # Errors
    /// Where there is no such macro, it fails, or it writes.
    pub fn run_operation(&self, name: &str, arguments: Json) -> Result<BTreeSet<String>, AppError> {
        let called = name.rsplit('.').next().unwrap_or(name);
        if !self.templates.has_macro(called) {
            let problem = Problem::new(format!("there is no macro `{name}`"));
            return Err(problem.did_you_mean(called, self.templates.macro_names()).into());
        }
        let warehouse = self.warehouse()?;
        let (engine, runtime) = (self.engine(&warehouse)?, runtime()?);
        register_all(&self.graph, warehouse.as_ref(), &engine)?;
        let file = SourceText::new("run-operation", format!("{{{{ {name}(**__mep_arguments) }}}}"));
        let place = file.at(Span::default());
        let text = Located { value: file.text().to_owned(), place };
        let hooks = ProjectHooks::new(self, engine, runtime);
        let sees = [("__mep_arguments", arguments)];
        let called = hooks.call(Hook { node: None, text: &text, sees: &sees })?;
        Ok(called.without_effect)
    }
}

/// Problems as the message of a result, each with its place.
pub(super) fn in_lines(problems: &Problems) -> String {
    let line = |problem: &Problem| {
        let place = problem.place().map(|place| {
            let (line, column) = place.line_column();
            format!("{}:{line}:{column}: ", place.text.path().display())
        });
        let help = problem.help_text().map(|help| format!("; {help}"));
        format!("{}{problem}{}", place.unwrap_or_default(), help.unwrap_or_default())
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
