//! Compiling one node after another: each at its time, and what is broken set apart.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mep_core::relation::Relation;
use mep_lang::jinja::silently;
use mep_lang::project::{Problem, Problems, Span};
use mep_sql::{DeclaredTable, EventDay, Scope};
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::Compiler;
use crate::asked::{Answers, Late, Questions};
use crate::attached_tests::tested_relation;
use crate::compiled::Compiled;
use crate::declared::{read_seed, zeros_kept};
use crate::hooks::Hook;
use crate::inline::Ephemeral;
use crate::late;
use crate::names::Names;
use crate::node::{Node, NodeKind};
use crate::node_index::{NodeIndex, NodeSet};
use crate::unbuilt::Unbuilt;

/// What is known so far, while one node after another is compiled.
pub(super) struct CompileWork<'a> {
    pub(super) compiler: &'a Compiler<'a>,
    /// Where a view is known by its columns. SQL is checked here: each text by itself, however views stack.
    pub(super) checking: Scope,
    /// Where a view is its SELECT, which shows what a stored table depends on.
    pub(super) scope: Scope,
    /// What these two know in different ways. An ephemeral model is its SELECT in both, as in the SQL that runs.
    pub(super) views: HashMap<Relation, NodeIndex>,
    pub(super) names: Arc<Names>,
    pub(super) compiled: Compiled,
    /// What came of the questions of the node that is compiled.
    pub(super) questions: Arc<Mutex<Questions>>,
    pub(super) ephemerals: Arc<HashMap<NodeIndex, Ephemeral>>,
    pub(super) unbuilt: Unbuilt,
    /// Source tables of which no columns are known: that stops what reads them, and nothing else.
    pub(super) unknown: HashMap<NodeIndex, Problems>,
    /// All of these, told or not.
    pub(super) nowhere: NodeSet,
    pub(super) warned_of_division: bool,
}

impl CompileWork<'_> {
    /// What is wrong with a node, as far as that is known before it is rendered: that its text cannot be read, or that mep has no way
    /// to build it.
    pub(super) fn refused(&self, index: NodeIndex) -> Problems {
        let Compiler { project, graph, .. } = self.compiler;
        if let Some(problem) = graph.unreadable(index) {
            return problem.clone().into();
        }
        let node = graph.node(index);
        let mut problems: Problems = refused_keys(node).collect();
        if let NodeKind::Model { index: of, .. } = &node.kind
            && let file = &project.models[*of]
            && file.is_python()
        {
            let place = file.text.at(Span::range(0, 0));
            let problem = Problem::new("a model in Python is not supported by mep").at(&place);
            problems.push(problem.help("write it as a SELECT, or leave it and what reads it to dbt"));
        }
        problems
    }

    /// Compiles a node, or notes that it is late.
    pub(super) fn at_its_time(&mut self, index: NodeIndex) -> Result<(), Problems> {
        let graph = self.compiler.graph;
        let above = graph.parents(index).iter().find(|parent| self.compiled.late.contains_key(parent));
        let (done, late) = if let Some(above) = above {
            (self.check_hooks(index), Some(Late::Reads(*above)))
        } else {
            *self.questions.lock() = Questions::default();
            let done = self.check_hooks(index).and_then(|()| self.node(index));
            let questions = std::mem::take(&mut *self.questions.lock());
            if questions.are_there {
                self.compiled.asking.insert(index);
                late::check(graph, index, true)?;
            }
            let late = questions.open.map(Late::Asks);
            (if late.is_some() { Ok(()) } else { done }, late)
        };
        done?;
        let Some(late) = late else { return Ok(()) };
        late::check(graph, index, false)?;
        self.compiled.late.insert(index, late);
        Ok(())
    }

    /// What hooks do that can be told before a run.
    pub(super) fn check_hooks(&mut self, index: NodeIndex) -> Result<(), Problems> {
        let node = self.compiler.graph.node(index);
        let mut problems = Problems::default();
        let nobody: Arc<dyn Answers> = Arc::new(());
        for text in node.config.hooks.before.iter().chain(&node.config.hooks.after) {
            let hook = Hook { node: Some(node), text, sees: &[] };
            match silently(|| self.compiler.call_with(&self.names, hook, &nobody)) {
                Ok(called) => self.compiled.without_effect.extend(called.without_effect),
                Err(problem) => problems.push(problem),
            }
        }
        problems.none_or(())
    }

    pub(super) fn node(&mut self, index: NodeIndex) -> Result<(), Problems> {
        let node = self.compiler.graph.node(index);
        match &node.kind {
            NodeKind::Source { index: of, .. } => {
                if !node.is_filled()
                    && let Err(problems) = self.source(index, node, &self.compiler.project.sources[*of])
                {
                    self.unknown.insert(index, problems);
                    self.nowhere.insert(index);
                }
            }
            NodeKind::Seed { .. } => {
                let seed = read_seed(&self.compiler.project.root, node)?;
                self.compiled.warnings.extend(zeros_kept(node, &seed));
                self.declare(&tested_relation(node), &seed.schema, &[], None);
                self.compiled.seeds.insert(index, seed);
            }
            NodeKind::Model { index: of, uses_is_incremental, .. } => {
                self.check_streams_read(index, node)?;
                let text = &self.compiler.project.models[*of].text;
                let model = self.model(index, node, text, *uses_is_incremental)?;
                self.compiled.models.insert(index, model);
            }
            NodeKind::Snapshot { index: of } => {
                self.check_streams_read(index, node)?;
                let snapshot = self.snapshot(index, node, &self.compiler.project.snapshots[*of])?;
                self.declare(&tested_relation(node), &snapshot.schema, &[], None);
                self.compiled.snapshots.insert(index, snapshot);
            }
            NodeKind::Test(detail) => {
                let test = self.test(index, node, detail)?;
                self.compiled.tests.insert(index, test);
            }
            NodeKind::Semantic(_) | NodeKind::Exposure { .. } => {}
        }
        Ok(())
    }

    pub(super) fn declare(
        &self,
        relation: &Relation,
        schema: &SchemaRef,
        partition_columns: &[String],
        event_day: Option<EventDay>,
    ) {
        let table = DeclaredTable::new(schema.clone(), partition_columns.to_vec()).by_day(event_day);
        let table = Arc::new(table);
        // A catalog in memory takes every table.
        let _ = self.checking.register(relation, table.clone());
        let _ = self.scope.register(relation, table);
    }
}

/// Tells of keys of config without which the node would be another.
fn refused_keys(node: &Node) -> impl Iterator<Item = Problem> {
    node.config.refused.iter().map(|key| {
        let problem = if key == "materialized" {
            let found = node.config.raw.get(key).and_then(Json::as_str).unwrap_or_default();
            Problem::new(format!(
                "`materialized` is `{found}`, and mep makes relations in ways of its own alone"
            ))
            .help("write one of view, table, incremental, ephemeral, streaming, history")
        } else {
            Problem::new(format!("config key `{key}` is not supported by mep"))
                .help("take it away: leaving it out silently would change the result")
        };
        match node.config.places.get(key).or(node.place.as_ref()) {
            Some(place) => problem.at(place),
            None => problem,
        }
    })
}
