//! A text of a node becomes SQL, and SQL a plan: with the names that it sees, in the places where it stands.

use std::sync::Arc;

use mep_lang::jinja::{Rendered, SourceMap, Subject};
use mep_lang::project::{Problem, SourceText, Span};
use mep_sql::{PlannedQuery, Scope, SqlProblem, alignment, without_semicolon};

use super::work::CompileWork;
use crate::asked::{Asking, InputsAsked, Own, Reach};
use crate::attached_tests::tested_relation;
use crate::inline::with_ephemerals;
use crate::names::{NodeNames, Parts};
use crate::node::Node;
use crate::node_index::NodeIndex;
use crate::{inputs, late};

impl CompileWork<'_> {
    pub(super) fn checked(&self, rendered: &Rendered) -> Result<PlannedQuery, Problem> {
        let problem = |problem| sql_problem(&problem, &rendered.map);
        let plan = self.checking.plan(&rendered.sql).map_err(problem)?;
        self.checking.check_executable(&plan, &rendered.sql).map_err(problem)?;
        Ok(plan)
    }

    /// The plan of SQL that was checked by itself, with the SELECTs of views in it; the same one where it reads no view.
    pub(super) fn inlined(
        &self,
        rendered: &Rendered,
        checked: &PlannedQuery,
    ) -> Result<PlannedQuery, Problem> {
        self.planned_with_views(rendered, checked, Scope::plan)
    }

    /// The plan of a view or an ephemeral model, for what reads it.
    pub(super) fn over_views(
        &self,
        rendered: &Rendered,
        checked: &PlannedQuery,
    ) -> Result<PlannedQuery, Problem> {
        self.planned_with_views(rendered, checked, Scope::plan_over_views)
    }

    fn planned_with_views(
        &self,
        rendered: &Rendered,
        checked: &PlannedQuery,
        plan: fn(&Scope, &str) -> Result<PlannedQuery, SqlProblem>,
    ) -> Result<PlannedQuery, Problem> {
        if !self.reads_views(checked) {
            return Ok(checked.clone());
        }
        plan(&self.scope, &rendered.sql).map_err(|problem| sql_problem(&problem, &rendered.map))
    }

    fn reads_views(&self, checked: &PlannedQuery) -> bool {
        let reads = alignment::tables(checked);
        reads.map_or(true, |tables| tables.iter().any(|table| self.views.contains_key(table)))
    }

    pub(super) fn names(
        &self,
        index: NodeIndex,
        is_incremental: bool,
        parts: Option<Parts>,
        own: Own,
    ) -> Arc<NodeNames> {
        let graph = self.compiler.graph;
        let (ephemerals, within) = (self.ephemerals.clone(), self.ephemeral_parents(index));
        let inputs = InputsAsked {
            relations: late::inputs(graph, index),
            this: tested_relation(graph.node(index)),
            own,
            standalone: Arc::new(move |sql| with_ephemerals(sql, &within, &ephemerals)),
        };
        let asking = Asking {
            answers: self.compiler.answers.clone(),
            reach: Reach::Inputs(inputs),
            information_schema: self.names.information_schema.clone(),
            noted: self.questions.clone(),
        };
        Arc::new(NodeNames {
            names: self.names.clone(),
            is_incremental,
            parts,
            scope: Some(self.checking.clone()),
            asking: Some(asking),
        })
    }

    pub(super) fn render(
        &self,
        node: &Node,
        text: &SourceText,
        names: Arc<NodeNames>,
    ) -> Result<Rendered, Problem> {
        self.render_block(node, text, None, names)
    }

    pub(super) fn render_block(
        &self,
        node: &Node,
        text: &SourceText,
        block: Option<Span>,
        names: Arc<NodeNames>,
    ) -> Result<Rendered, Problem> {
        let subject = Subject {
            text,
            block,
            name: &node.name,
            unique_id: node.id.as_str(),
            resource_type: node.resource_type(),
            fqn: &node.fqn,
            this: tested_relation(node),
            config: node.config.raw.clone(),
            description: node.description.as_deref().unwrap_or_default(),
            columns: &node.columns,
        };
        let rendered = one_query(self.compiler.templates.render(&subject, names)?);
        inputs::check(self.compiler.graph, node, &rendered)?;
        self.check_config(node, &rendered)?;
        Ok(rendered)
    }

    pub(super) fn ephemeral_parents(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let parents = self.compiler.graph.parents(index).iter().copied();
        parents.filter(|parent| self.ephemerals.contains_key(parent)).collect()
    }

    pub(super) fn standalone(&self, index: NodeIndex, sql: &str) -> String {
        with_ephemerals(sql, &self.ephemeral_parents(index), &self.ephemerals)
    }

    /// Of a text that asks: what it reads is known before it is rendered.
    pub(super) fn check_inputs(
        &self,
        index: NodeIndex,
        rendered: &Rendered,
        checked: &PlannedQuery,
    ) -> Result<(), Problem> {
        if !self.questions.lock().are_there {
            return Ok(());
        }
        let reads = alignment::tables(checked).unwrap_or_default();
        late::check_reads(self.compiler.graph, index, &reads, &rendered.map.place(0..0))
    }

    /// Of a text that asks: its config is known before it is rendered.
    pub(super) fn check_config(&self, node: &Node, rendered: &Rendered) -> Result<(), Problem> {
        if !self.questions.lock().are_there {
            return Ok(());
        }
        late::check_config(node, rendered)
    }
}

/// A semicolon at the end is a habit of editors; the query is to stand within others.
pub(crate) fn one_query(mut rendered: Rendered) -> Rendered {
    rendered.sql.truncate(without_semicolon(&rendered.sql).len());
    rendered
}

/// A problem of SQL at its place in the file that the SQL came from.
fn sql_problem(problem: &SqlProblem, map: &SourceMap) -> Problem {
    let placed = Problem::new(&problem.message).at(&map.place(problem.range.clone().unwrap_or(0..0)));
    match &problem.help {
        Some(help) => placed.help(help),
        None => placed,
    }
}
