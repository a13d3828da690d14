//! Compiling: every template becomes SQL, and every SQL is planned against the schemas of what it reads, with no data.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value as Json;

use super::asked::{Answers, Asking, InputsAsked, Late, Own, Questions, Reach};
use super::attached_tests::tested_relation;
use super::compiled::{Compiled, CompiledIncrement, CompiledModel, CompiledTest, SourceRows};
use super::config::{Materialization, PublishWhen};
use super::constraints;
use super::contract::Contracted;
use super::dag::Graph;
use super::declared::{landing_table, read_seed, schema_problem, zeros_kept};
use super::hooks::Hook;
use super::incremental::{BatchInput, Batching, CompiledBatches, Input, check_increment, input_time, parts};
use super::inline::{Ephemeral, with_ephemerals};
use super::names::{Names, NodeNames, Parts};
use super::node::{Node, NodeKind, TestDetail};
use super::node_index::{NodeIndex, NodeSet};
use super::serving::{self, ServingPlace};
use super::snapshot::{self, CompiledSnapshot};
use super::tested_column::TestedColumn;
use super::unbuilt::Unbuilt;
use super::unit_tests::UnitCompiler;
use super::views::{ViewsBelow, read_through};
use super::{derived, history, in_place, inputs, late, named, streaming};
use mep_contract::source::LandingTable;
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;
use mep_core::warnings::WarningKind;
use mep_lang::jinja::{Rendered, SourceMap, Subject, Templates, TestSubject, silently};
use mep_lang::project::{Problem, Problems, Project, Snapshot, SourceTable, SourceText, Span};
use mep_sql::{
    DeclaredTable, Division, EventDay, Meanings, PlannedQuery, Recipe, Scope, SqlError, SqlProblem,
    alignment, copies, is_volatile, origins, row_uses, stored_schema_of_query, without_semicolon,
};

/// What compiling needs beside the graph.
///
/// ```
/// use std::sync::Arc;
///
/// use mep_graph::{Answers, Compiled, Compiler, Graph, Node};
/// use mep_lang::jinja::Templates;
/// use mep_lang::project::{Problems, Project};
///
/// /// All of a project as it is before the first run: nothing is stored, so `this` has no columns yet, and each source table
/// /// declares its columns.
/// fn compiled(project: &Project, templates: &Templates, graph: &Graph) -> Result<Compiled, Problems> {
///     let nothing = |_: &Node| None;
///     let (nobody, found): (Arc<dyn Answers>, _) = (Arc::new(()), &());
///     let (stored, serving) = (&nothing, &());
///     let compiler = Compiler { project, templates, graph, stored, found, answers: &nobody, serving };
///     compiler.compile(&graph.indices().collect())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Compiler<'a> {
    /// The files.
    pub project: &'a Project,
    /// The templates.
    pub templates: &'a Templates,
    /// The graph.
    pub graph: &'a Graph,
    /// The columns of `this`, where the warehouse holds it and it is not to be built anew.
    pub stored: &'a dyn Fn(&Node) -> Option<SchemaRef>,
    /// What finds the rows of source tables.
    pub found: &'a dyn FoundSources,
    /// What answers texts that ask for rows.
    pub answers: &'a Arc<dyn Answers>,
    /// What knows which tables the target can serve.
    pub serving: &'a dyn ServingPlace,
}

/// How a project's SQL is read, by the engine that it is written for.
pub fn reading(project: &Project) -> Meanings {
    let Some(dialect) = project.target.dialect else { return Meanings::default() };
    let division = if dialect.divides_in_fractions() { Division::Fraction } else { Division::Whole };
    Meanings { division, replaces_all: dialect.replaces_all() }
}

/// What finds the rows of source tables.
pub trait FoundSources {
    /// Where its rows are, and which columns these have where that is not declared.
    ///
    /// # Errors
    /// Where they are nowhere that is known, or what is said of it is wrong, or its files are.
    fn rows_of(&self, table: &SourceTable, node: &Node) -> Result<SourceRows, Problem>;
}

/// All are landed.
impl FoundSources for () {
    fn rows_of(&self, _: &SourceTable, _: &Node) -> Result<SourceRows, Problem> {
        Ok(SourceRows::Landed)
    }
}

impl Compiler<'_> {
    /// Compiles these nodes and all that they need.
    ///
    /// # Errors
    /// All that is wrong with any of them. What reads a model that is wrong is not looked at.
    pub fn compile(&self, wanted: &NodeSet) -> Result<Compiled, Problems> {
        self.compile_each(wanted).whole()
    }

    /// Compiles these nodes and all that they need, but for what is broken and what needs that.
    pub fn compile_each(&self, wanted: &NodeSet) -> Compiled {
        let mut work = CompileWork {
            compiler: self,
            checking: Scope::for_planning().reading(reading(self.project)),
            scope: Scope::for_planning().reading(reading(self.project)),
            views: HashMap::new(),
            names: Arc::new(Names::of(self.project, self.graph, wanted)),
            questions: Arc::default(),
            compiled: Compiled::default(),
            ephemerals: Arc::default(),
            unbuilt: Unbuilt::default(),
            unknown: HashMap::new(),
            nowhere: NodeSet::new(),
            warned_of_division: false,
        };
        let needed = self.graph.ancestors(wanted, None);
        for index in &needed {
            if work.does_without_sources(*index) {
                continue;
            }
            work.blame_sources(*index);
            if work.unbuilt.skip_after(self.graph.parents(*index), *index) {
                continue;
            }
            let done = work.refused(*index).none_or(()).and_then(|()| work.at_its_time(*index));
            if let Err(problems) = done {
                work.unbuilt.broken.insert(*index, problems);
            }
        }
        while self.break_untested(wanted, &mut work.unbuilt) {
            for index in &needed {
                work.unbuilt.skip_after(self.graph.parents(*index), *index);
            }
        }
        work.compiled.without(work.unbuilt)
    }

    /// Whether there are more tables that cannot be tested before they are shown.
    fn break_untested(&self, wanted: &NodeSet, unbuilt: &mut Unbuilt) -> bool {
        let open = wanted.iter().filter(|index| !unbuilt.has(**index));
        let untested = open.filter_map(|index| Some((*index, self.untested(*index, unbuilt)?.into())));
        let untested: Vec<(NodeIndex, Problems)> = untested.collect();
        let has_any = !untested.is_empty();
        unbuilt.broken.extend(untested);
        has_any
    }

    /// A table is not shown before it has passed its tests, so it needs all of them.
    fn untested(&self, index: NodeIndex, unbuilt: &Unbuilt) -> Option<Problem> {
        let node = self.graph.node(index);
        let tests = (node.config.publish == PublishWhen::AfterTests).then(|| self.graph.own_tests(index))?;
        let test = tests.into_iter().find(|test| unbuilt.has(*test))?;
        let of = unbuilt.skipped.get(&test).map_or(test, |of| *of);
        let why =
            if of == test { String::new() } else { format!(", because of `{}`", self.graph.node(of).name) };
        let message = format!(
            "`{}` is shown once it has passed its tests, and `{}` cannot be run{why}",
            node.name,
            self.graph.node(test).name
        );
        let problem = Problem::new(message).help("take `publish` away, or the test");
        Some(match node.config.places.get("publish").or(node.place.as_ref()) {
            Some(place) => problem.at(place),
            None => problem,
        })
    }

    /// Compiles a query over the project's nodes, such as `mep show --inline` is given.
    ///
    /// # Errors
    /// Where the template cannot be rendered.
    pub fn query(&self, text: &SourceText) -> Result<Rendered, Problem> {
        let other = Some(text.text());
        let names = Arc::new(Names::beside(self.project, self.graph, &NodeSet::new(), other));
        // It makes no table, so it may ask for whatever is stored.
        let asking = Asking::anything(self.answers.clone(), Arc::default(), &names);
        let subject = Subject {
            text,
            block: None,
            name: "inline",
            unique_id: "inline",
            resource_type: "operation",
            fqn: &[],
            this: Relation::new(&self.project.target.schema, "inline"),
            config: indexmap::IndexMap::new(),
            description: "",
            columns: &[],
        };
        let rendered = self.templates.render_seeing(
            &subject,
            Arc::new(NodeNames {
                names,
                is_incremental: false,
                parts: None,
                scope: None,
                asking: Some(asking),
            }),
            &[],
        )?;
        Ok(one_query(rendered))
    }
}

struct CompileWork<'a> {
    compiler: &'a Compiler<'a>,
    /// Where a view is known by its columns. SQL is checked here: each text by itself, however views stack.
    checking: Scope,
    /// Where a view is its SELECT, which shows what a stored table depends on.
    scope: Scope,
    /// What these two know in different ways. An ephemeral model is its SELECT in both, as in the SQL that runs.
    views: HashMap<Relation, NodeIndex>,
    names: Arc<Names>,
    compiled: Compiled,
    /// What came of the questions of the node that is compiled.
    questions: Arc<Mutex<Questions>>,
    ephemerals: Arc<HashMap<NodeIndex, Ephemeral>>,
    unbuilt: Unbuilt,
    /// Source tables of which no columns are known: that stops what reads them, and nothing else.
    unknown: HashMap<NodeIndex, Problems>,
    /// All of these, told or not.
    nowhere: NodeSet,
    warned_of_division: bool,
}

impl CompileWork<'_> {
    /// What is wrong with a node, as far as that is known before it is rendered: that its text cannot be read, or that mep has no way
    /// to build it.
    fn refused(&self, index: NodeIndex) -> Problems {
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
    fn at_its_time(&mut self, index: NodeIndex) -> Result<(), Problems> {
        let graph = self.compiler.graph;
        let above = graph.parents(index).iter().find(|parent| self.compiled.late.contains_key(parent));
        let (done, late) = if let Some(above) = above {
            (self.check_hooks(index), Some(Late::Reads(*above)))
        } else {
            *lock(&self.questions) = Questions::default();
            let done = self.check_hooks(index).and_then(|()| self.node(index));
            let questions = std::mem::take(&mut *lock(&self.questions));
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
    fn check_hooks(&mut self, index: NodeIndex) -> Result<(), Problems> {
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

    fn node(&mut self, index: NodeIndex) -> Result<(), Problems> {
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

    fn source(&mut self, index: NodeIndex, node: &Node, table: &SourceTable) -> Result<(), Problems> {
        self.compiler.project.files_reading(table)?;
        match self.compiler.found.rows_of(table, node)? {
            SourceRows::Landed => {}
            SourceRows::Loaded(loaded) => {
                self.declare(&tested_relation(node), &loaded.schema, &[], None);
                self.compiled.seeds.insert(index, loaded);
                return Ok(());
            }
            SourceRows::InPlace(found) => {
                in_place::check(table, &found)?;
                self.declare(&tested_relation(node), &found.schema, &found.partition_columns, None);
                self.compiled.in_place.insert(index, found);
                return Ok(());
            }
        }
        let table = landing_table(self.compiler.project, table, node)?;
        let schema = table.table_schema().map_err(|error| schema_problem(node, &error))?;
        self.declare(&table.raw, &schema, &table.partition_columns(), table.event_day());
        self.compiled.sources.insert(index, table);
        Ok(())
    }

    /// The source tables that a streaming model can be over, each as its rows would be landed. A table that others publish is none that goes
    /// on; what is over it compiles all the same, as over files, and says so when it is carried on.
    fn streamed_sources(&self, index: NodeIndex) -> HashMap<NodeIndex, LandingTable> {
        let mut sources = self.compiled.sources.clone();
        for above in self.compiler.graph.ancestors(&NodeSet::from([index]), None) {
            let node = self.compiler.graph.node(above);
            if let (true, NodeKind::Source { index: of, .. }) = (node.is_in_place(), &node.kind)
                && let Ok(table) =
                    landing_table(self.compiler.project, &self.compiler.project.sources[*of], node)
            {
                sources.entry(above).or_insert(table);
            }
        }
        sources
    }

    /// Whether a model compiles though source tables that it names are nowhere: as packages do, its text asks whether they are there, and
    /// does not read them where they are not.
    fn does_without_sources(&mut self, index: NodeIndex) -> bool {
        let graph = self.compiler.graph;
        let mut names_one = false;
        for parent in graph.parents(index) {
            let is_nowhere = self.nowhere.contains(parent);
            names_one |= is_nowhere;
            if self.unbuilt.has(*parent) && !is_nowhere {
                return false;
            }
        }
        names_one
            && matches!(graph.node(index).kind, NodeKind::Model { .. })
            && self.refused(index).is_empty()
            && self.at_its_time(index).is_ok()
    }

    /// Tells what is wrong with the source tables that a node reads, once.
    fn blame_sources(&mut self, index: NodeIndex) {
        for parent in self.compiler.graph.parents(index) {
            if let Some(problems) = self.unknown.remove(parent) {
                self.unbuilt.broken.insert(*parent, problems);
            }
        }
    }

    /// Says once that engines differ in what `/` is, where nobody says for which one the SQL is written.
    fn warn_of_division(&mut self, rendered: &Rendered, checked: &PlannedQuery) {
        let target = &self.compiler.project.target;
        if target.dialect.is_some() || self.warned_of_division || !checked.divides_whole_numbers() {
            return;
        }
        self.warned_of_division = true;
        let at = rendered.sql.find('/').unwrap_or_default();
        let problem = Problem::new(
            "`/` of two whole numbers cuts off, as in PostgreSQL and Trino; DuckDB, Snowflake, BigQuery and Spark give a fraction",
        );
        let help = format!(
            "say in profiles.yml, in the target `{}`, for which one the SQL is written: `dialect: duckdb`, or `dialect: postgres` to keep it so",
            target.name
        );
        let problem = problem.kind(WarningKind::OtherThanDbt);
        self.compiled.warnings.push(problem.at(&rendered.map.place(at..at + 1)).help(help));
    }

    /// What streaming models keep is not in the warehouse.
    fn check_streams_read(&self, index: NodeIndex, node: &Node) -> Result<(), Problem> {
        for parent in self.compiler.graph.parents(index) {
            let parent = self.compiler.graph.node(*parent);
            if parent.config.materialized != Materialization::Streaming {
                continue;
            }
            let problem = Problem::new(format!(
                "`{}` is a streaming model, which models cannot read: its rows change all the time, and lie with the dashboard's tables",
                parent.name
            ));
            let reference = node.depends_on.iter().find(|needed| needed.id == parent.id);
            let place = reference.and_then(|needed| needed.place.as_ref()).or(node.place.as_ref());
            let problem = problem.help("read what it reads, or join both where they are queried");
            return Err(match place {
                Some(place) => problem.at(place),
                None => problem,
            });
        }
        Ok(())
    }

    fn declare(
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

    /// The plan of SQL that was checked by itself, with the SELECTs of views in it; the same one where it reads no view.
    fn inlined(&self, rendered: &Rendered, checked: &PlannedQuery) -> Result<PlannedQuery, Problem> {
        if !self.reads_views(checked) {
            return Ok(checked.clone());
        }
        self.scope.plan(&rendered.sql).map_err(|problem| sql_problem(&problem, &rendered.map))
    }

    /// The plan of a view or an ephemeral model, for what reads it.
    fn over_views(&self, rendered: &Rendered, checked: &PlannedQuery) -> Result<PlannedQuery, Problem> {
        if !self.reads_views(checked) {
            return Ok(checked.clone());
        }
        self.scope.plan_over_views(&rendered.sql).map_err(|problem| sql_problem(&problem, &rendered.map))
    }

    fn reads_views(&self, checked: &PlannedQuery) -> bool {
        let reads = alignment::tables(checked);
        reads.map_or(true, |tables| tables.iter().any(|table| self.views.contains_key(table)))
    }

    /// Of a text that asks: what it reads is known before it is rendered.
    fn check_inputs(
        &self,
        index: NodeIndex,
        rendered: &Rendered,
        checked: &PlannedQuery,
    ) -> Result<(), Problem> {
        if !lock(&self.questions).are_there {
            return Ok(());
        }
        let reads = alignment::tables(checked).unwrap_or_default();
        late::check_reads(self.compiler.graph, index, &reads, &rendered.map.place(0..0))
    }

    /// Of a text that asks: its config is known before it is rendered.
    fn check_config(&self, node: &Node, rendered: &Rendered) -> Result<(), Problem> {
        if !lock(&self.questions).are_there {
            return Ok(());
        }
        late::check_config(node, rendered)
    }

    fn checked(&self, rendered: &Rendered) -> Result<PlannedQuery, Problem> {
        let problem = |problem| sql_problem(&problem, &rendered.map);
        let plan = self.checking.plan(&rendered.sql).map_err(problem)?;
        self.checking.check_executable(&plan, &rendered.sql).map_err(problem)?;
        Ok(plan)
    }

    fn names(
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

    fn render(&self, node: &Node, text: &SourceText, names: Arc<NodeNames>) -> Result<Rendered, Problem> {
        self.render_block(node, text, None, names)
    }

    fn render_block(
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

    /// A tested column, as the columns of what is tested say it.
    fn tested_column(&self, attached: NodeIndex, name: &str) -> TestedColumn {
        let described = &self.compiler.graph.node(attached).columns;
        let filler = self.compiler.graph.parents(attached).first().copied();
        let is_filled = self.compiler.graph.node(attached).is_filled();
        let attached = filler.filter(|_| is_filled).unwrap_or(attached);
        let schema = self.compiled.schema(attached);
        let quote = described.iter().any(|column| column.name.value == name && column.quote);
        TestedColumn::of(name, quote, &schema.unwrap_or_else(|| Arc::new(Schema::empty())))
    }

    fn model(
        &mut self,
        index: NodeIndex,
        node: &Node,
        text: &SourceText,
        uses_is_incremental: bool,
    ) -> Result<CompiledModel, Problems> {
        let rendered = self.render(node, text, self.names(index, false, None, Own::Nothing))?;
        let checked = self.checked(&rendered)?;
        self.check_inputs(index, &rendered, &checked)?;
        self.warn_of_division(&rendered, &checked);
        let plan = if node.is_inlined() {
            self.over_views(&rendered, &checked)?
        } else {
            self.inlined(&rendered, &checked)?
        };
        let (rendered, checked, plan) = match node.config.materialized {
            Materialization::History => {
                let (rendered, plan) = history::over_events(&self.scope, node, rendered, &plan)?;
                (rendered, plan.clone(), plan)
            }
            _ => (rendered, checked, plan),
        };
        let contracted = Contracted::of(&self.checking, node, &plan)?;
        let (rendered, checked, plan) = match contracted.over(&rendered) {
            Some(over) => self.planned_over(node, over)?,
            None => (rendered, checked, plan),
        };
        let relation = tested_relation(node);
        let is_streaming = node.config.materialized == Materialization::Streaming;
        let is_stored = is_streaming || node.config.materialized.is_table();
        let is_partitioned = is_stored && !is_streaming;
        let partition_columns = if is_partitioned { node.config.partition_by.clone() } else { Vec::new() };
        let planned = plan.schema().as_arrow().clone();
        let columns: Vec<String> = planned.fields().iter().map(|field| field.name().clone()).collect();
        named::check_columns(node, &columns, &partition_columns)?;
        check_increment(node, &planned, uses_is_incremental)?;
        let schema = if is_stored {
            stored_schema_of_query(&planned, &partition_columns).map_err(|unstorable| {
                Problem::new(unstorable.to_string())
                    .at(&rendered.map.place(0..rendered.sql.trim_end().len()))
                    .help(unstorable.help())
            })?
        } else {
            Arc::new(planned)
        };
        named::check_partition_types(node, &schema, &partition_columns)?;
        let start = rendered.map.place(0..0);
        let failed = |error: SqlError| {
            let failure = error.failure();
            let problem =
                Problem::new(format!("the SQL cannot be optimized: {}", failure.message)).at(&start);
            Problems::from(match failure.help {
                Some(help) => problem.help(help),
                None => problem,
            })
        };
        let views = ViewsBelow::of(self.compiler.graph, &self.compiled, index);
        let alignment = if node.is_inlined() {
            read_through(&checked, &self.views, &self.compiled)
        } else {
            alignment::derive(&self.scope, &plan, &partition_columns)
        };
        let alignment = alignment.map_err(failed)?;
        let recipe = if is_stored { Recipe::of(&plan, 0..schema.fields().len()) } else { None };
        let (rows, recipes) = match &recipe {
            Some(_) => derived::columns(&plan, &partition_columns),
            None => (None, BTreeMap::new()),
        };
        let reading = reading(self.compiler.project);
        let fingerprint =
            derived::fingerprint(node, (&rendered.sql, reading), &schema, recipe.as_ref(), &views);
        let is_volatile =
            is_volatile(&checked) || self.scope.calls_volatile(&rendered.sql) || views.are_volatile();
        let stream = is_streaming.then(|| {
            let sources = self.streamed_sources(index);
            streaming::compile(&self.scope, node, &rendered, &plan, &sources, &fingerprint, is_volatile)
        });
        let mut model = CompiledModel {
            sql: self.standalone(index, &rendered.sql),
            increment: None,
            batches: None,
            lineage: columns.iter().cloned().zip(origins(&checked)).collect(),
            copied: columns.into_iter().zip(copies(&checked)).collect(),
            row_uses: row_uses(&checked),
            recipe,
            rows,
            columns: recipes,
            ignored: named::ignored(self.compiler.graph, index)?,
            looked_up: derived::looked_up(&self.scope, &plan, &alignment, &partition_columns),
            fingerprint,
            stream: stream.transpose()?,
            served: serving::compile(node, &schema, self.compiler.serving)?,
            constraints: Vec::new(),
            is_volatile,
            alignment,
            partition_columns,
            schema,
            rendered,
        };
        if is_stored {
            self.declare(&relation, &model.schema, &model.partition_columns, None);
            let constraints = constraints::compile(&self.checking, self.compiler.graph, node, &model.schema)?;
            model.fingerprint = constraints::fingerprint(model.fingerprint, &constraints);
            model.constraints = constraints;
        } else {
            self.scope.register_view(&relation, plan).map_err(failed)?;
        }
        if node.config.materialized == Materialization::View {
            let table = DeclaredTable::new(model.schema.clone(), Vec::new());
            self.checking.register(&relation, Arc::new(table)).map_err(failed)?;
            self.views.insert(relation.clone(), index);
        }
        if node.config.materialized == Materialization::Ephemeral {
            self.checking.register_view(&relation, checked).map_err(failed)?;
            let name = relation.to_string();
            let sql = model.rendered.sql.clone();
            let within = self.ephemeral_parents(index);
            Arc::make_mut(&mut self.ephemerals).insert(index, Ephemeral { name, sql, within });
        }
        if node.config.is_microbatch() {
            let batching = Batching::of(node, &model.schema, uses_is_incremental)?;
            let batches = Some(self.batches(index, node, text, batching, &contracted)?);
            return Ok(CompiledModel { batches, ..model });
        }
        let increment = uses_is_incremental
            .then(|| self.increment(index, node, text, &model, &contracted))
            .transpose()?;
        Ok(CompiledModel { increment, ..model })
    }

    /// The plans of a model's SELECT within another one that was made of it.
    fn planned_over(
        &self,
        node: &Node,
        over: Rendered,
    ) -> Result<(Rendered, PlannedQuery, PlannedQuery), Problem> {
        let checked = self.checked(&over)?;
        let plan = if node.is_inlined() {
            self.over_views(&over, &checked)?
        } else {
            self.inlined(&over, &checked)?
        };
        Ok((over, checked, plan))
    }

    /// The SQL of a batch, planned over the parts that the first batch would read.
    fn batches(
        &self,
        index: NodeIndex,
        node: &Node,
        text: &SourceText,
        batching: Batching,
        contracted: &Contracted,
    ) -> Result<CompiledBatches, Problems> {
        let Batching { event_time, begin, size, lookback } = batching;
        let mut times = Vec::new();
        for parent in self.compiler.graph.parents(index) {
            let input = self.compiler.graph.node(*parent);
            let columns = match (self.compiled.sources.get(parent), self.compiled.seeds.get(parent)) {
                (Some(table), _) => Input::Landed(table),
                (None, Some(seed)) => Input::Columns(seed.schema.clone()),
                (None, None) => {
                    let placed = || self.compiled.in_place.get(parent).map(|table| table.schema.clone());
                    let model = self.compiled.models.get(parent).map(|model| model.schema.clone());
                    match model.or_else(placed) {
                        Some(schema) => Input::Columns(schema),
                        None => continue,
                    }
                }
            };
            if let Some(time) = input_time(input, &columns)? {
                times.push((tested_relation(input), time));
            }
        }
        let parts = parts(node, times.iter().map(|(relation, _)| relation.clone()));
        let mut inputs = Vec::new();
        for (relation, event_time) in times {
            let Some(part) = parts.part(&relation) else { continue };
            let input = BatchInput { relation, part, event_time };
            input.register(&self.checking, size.batch_at(begin)).map_err(|error| {
                Problem::new(format!("`{}` cannot be read by its event time: {error}", input.relation))
            })?;
            inputs.push(input);
        }
        let rendered = self.render(node, text, self.names(index, false, Some(parts), Own::Nothing))?;
        let rendered = contracted.over(&rendered).unwrap_or(rendered);
        self.checked(&rendered)?;
        let sql = self.standalone(index, &rendered.sql);
        Ok(CompiledBatches { sql, inputs, event_time, begin, size, lookback })
    }

    /// The SQL of an increment, planned with `this` as it is stored.
    fn increment(
        &self,
        index: NodeIndex,
        node: &Node,
        text: &SourceText,
        model: &CompiledModel,
        contracted: &Contracted,
    ) -> Result<CompiledIncrement, Problems> {
        let stored = (self.compiler.stored)(node);
        if let Some(stored) = &stored {
            self.declare(&tested_relation(node), stored, &model.partition_columns, None);
        }
        let own = stored.map_or_else(|| Own::Empty(model.schema.clone()), |_| Own::Stored);
        let rendered = self.render(node, text, self.names(index, true, None, own))?;
        let rendered = contracted.over(&rendered).unwrap_or(rendered);
        let planned = self.checked(&rendered);
        self.declare(&tested_relation(node), &model.schema, &model.partition_columns, None);
        planned?;
        Ok(CompiledIncrement { sql: self.standalone(index, &rendered.sql), rendered })
    }

    fn snapshot(
        &self,
        index: NodeIndex,
        node: &Node,
        snapshot: &Snapshot,
    ) -> Result<CompiledSnapshot, Problems> {
        let file = &snapshot.file;
        let names = self.names(index, false, None, Own::Nothing);
        let mut rendered = self.render_block(node, &file.text, file.block, names)?;
        if let Some(relation) = &snapshot.relation {
            rendered.map = SourceMap::whole(relation.place.clone());
        }
        let checked = self.checked(&rendered)?;
        self.check_inputs(index, &rendered, &checked)?;
        let plan = self.inlined(&rendered, &checked)?;
        let source = self.standalone(index, &rendered.sql);
        let stored = (self.compiler.stored)(node);
        let recipe = Recipe::of(&plan, 0..plan.schema().fields().len());
        let compiled = snapshot::compile(&self.scope, node, rendered, source, &plan, stored.as_ref())?;
        let (sql, schema) = (&compiled.rendered.sql, &compiled.schema);
        let views = ViewsBelow::of(self.compiler.graph, &self.compiled, index);
        let sql = derived::fingerprint(
            node,
            (sql, reading(self.compiler.project)),
            schema,
            recipe.as_ref(),
            &views,
        );
        let fingerprint = Fingerprint::of([sql.as_str(), compiled.fingerprint.as_str()]);
        let is_volatile =
            compiled.is_volatile || self.scope.calls_volatile(&compiled.rendered.sql) || views.are_volatile();
        Ok(CompiledSnapshot { fingerprint, is_volatile, ..compiled })
    }

    fn ephemeral_parents(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let parents = self.compiler.graph.parents(index).iter().copied();
        parents.filter(|parent| self.ephemerals.contains_key(parent)).collect()
    }

    fn standalone(&self, index: NodeIndex, sql: &str) -> String {
        with_ephemerals(sql, &self.ephemeral_parents(index), &self.ephemerals)
    }

    fn test(&self, index: NodeIndex, node: &Node, detail: &TestDetail) -> Result<CompiledTest, Problems> {
        let rendered = match detail {
            TestDetail::Unit { index: of, inputs } => {
                let compiler = UnitCompiler {
                    project: self.compiler.project,
                    templates: self.compiler.templates,
                    graph: self.compiler.graph,
                    scope: &self.checking,
                    names: &self.names,
                    sources: &self.compiled.sources,
                };
                let test = &self.compiler.project.unit_tests[*of];
                return Ok(compiler.compile(test, self.compiler.graph.parents(index), inputs)?);
            }
            TestDetail::Singular { index: of } => {
                let text = &self.compiler.project.tests[*of].text;
                self.render(node, text, self.names(index, false, None, Own::Nothing))?
            }
            TestDetail::Generic { test, attached, column } => {
                let Some(attached) = self.compiler.graph.position(attached) else {
                    return Err(Problem::new(format!("the test `{}` tests nothing", node.name)).into());
                };
                let column = column.as_deref().map(|name| self.tested_column(attached, name));
                let subject = TestSubject {
                    test,
                    relation: tested_relation(self.compiler.graph.node(attached)),
                    column: column.as_ref().map(|column| column.sql.as_str()),
                    is_boolean: column.as_ref().is_some_and(|column| column.is_boolean),
                    config: &node.config.raw,
                    unique_id: node.id.as_str(),
                };
                let names = self.names(index, false, None, Own::Nothing);
                one_query(self.compiler.templates.render_test(&subject, names)?)
            }
        };
        inputs::check(self.compiler.graph, node, &rendered)?;
        self.check_config(node, &rendered)?;
        let checked = self.checked(&rendered).map_err(|placed| match detail {
            TestDetail::Singular { .. } | TestDetail::Unit { .. } => placed,
            TestDetail::Generic { .. } => placed.label(format!("in the SQL of `{}`", node.name)),
        })?;
        self.check_inputs(index, &rendered, &checked)?;
        Ok(CompiledTest { sql: self.standalone(index, &rendered.sql), rendered, unit: None })
    }
}

fn lock(questions: &Mutex<Questions>) -> MutexGuard<'_, Questions> {
    questions.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A semicolon at the end is a habit of editors; the query is to stand within others.
pub(super) fn one_query(mut rendered: Rendered) -> Rendered {
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
