//! A model: its SELECT, what the warehouse keeps of it, and the SELECTs of its increments and batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use mep_core::warnings::WarningKind;
use mep_lang::jinja::Rendered;
use mep_lang::project::{Problem, Problems, SourceText};
use mep_sql::{
    DeclaredTable, PlannedQuery, Recipe, SqlError, alignment, copies, is_volatile, origins, row_uses,
    stored_schema_of_query,
};

use super::reading;
use super::work::CompileWork;
use crate::asked::Own;
use crate::attached_tests::tested_relation;
use crate::compiled::{CompiledIncrement, CompiledModel};
use crate::config::Materialization;
use crate::contract::Contracted;
use crate::incremental::{BatchInput, Batching, CompiledBatches, Input, check_increment, input_time, parts};
use crate::inline::Ephemeral;
use crate::node::Node;
use crate::node_index::NodeIndex;
use crate::views::{ViewsBelow, read_through};
use crate::{constraints, derived, history, named, serving, streaming};

impl CompileWork<'_> {
    pub(super) fn model(
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
        let (rendered, checked, plan) = match node.config.materialized() {
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
        let is_streaming = node.config.materialized() == Materialization::Streaming;
        let is_stored = is_streaming || node.config.materialized().is_table();
        let is_partitioned = is_stored && !is_streaming;
        let partition_columns =
            if is_partitioned { node.config.model().partition_by.clone() } else { Vec::new() };
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
        if node.config.materialized() == Materialization::View {
            let table = DeclaredTable::new(model.schema.clone(), Vec::new());
            self.checking.register(&relation, Arc::new(table)).map_err(failed)?;
            self.views.insert(relation.clone(), index);
        }
        if node.config.materialized() == Materialization::Ephemeral {
            self.checking.register_view(&relation, checked).map_err(failed)?;
            let name = relation.to_string();
            let sql = model.rendered.sql.clone();
            let within = self.ephemeral_parents(index);
            Arc::make_mut(&mut self.ephemerals).insert(index, Ephemeral { name, sql, within });
        }
        if node.config.model().is_microbatch() {
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
    pub(super) fn planned_over(
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
    pub(super) fn batches(
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
    pub(super) fn increment(
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

    /// Says once that engines differ in what `/` is, where nobody says for which one the SQL is written.
    pub(super) fn warn_of_division(&mut self, rendered: &Rendered, checked: &PlannedQuery) {
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
    pub(super) fn check_streams_read(&self, index: NodeIndex, node: &Node) -> Result<(), Problem> {
        for parent in self.compiler.graph.parents(index) {
            let parent = self.compiler.graph.node(*parent);
            if parent.config.materialized() != Materialization::Streaming {
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
}
