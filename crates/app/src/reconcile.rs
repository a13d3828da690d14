//! reconcile: what streams have written beside what the batch side says of the same events.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta, Timelike as _, Utc};

use super::connect::{Sinks, Streaming, connect_streams};
use super::error::AppError;
use super::query::register_all;
use super::workspace::{Workspace, runtime};
use mep_contract::executor::{EngineError, Executor};
use mep_contract::source::EVENT_DATE;
use mep_graph::{CompiledModel, NodeSet};
use mep_lang::project::Problem;
use mep_sql::{EventTime, PlannedQuery};
use mep_stream::reconcile::{Reconciliation, Sides};
use mep_stream::{Job, JobError, StreamModel, streamed};

/// What the comparison of a model's two sides found.
pub struct Reconciled {
    /// The model.
    pub model: String,
    /// How they compare.
    pub outcome: Reconciliation,
    /// Whether its source counts events by offsets, so that it can be said by how many one side is ahead.
    pub counts_by_offset: bool,
}

/// Compares both sides of streaming models, of events since a time where one is given; in the order of their names.
///
/// # Errors
/// Where a side cannot be read.
pub fn reconcile(
    workspace: &Workspace,
    nodes: &NodeSet,
    since: Option<NaiveDateTime>,
) -> Result<Vec<Reconciled>, AppError> {
    let compiled = workspace.compile(nodes)?;
    let warehouse = workspace.warehouse()?;
    let engine = workspace.engine(&warehouse)?;
    register_all(&workspace.graph, warehouse.as_ref(), &engine)?;
    let runtime = runtime()?;
    let sinks = runtime.block_on(async { Sinks::of_target(workspace) })?;
    let streaming = Streaming { sink: &|table| sinks.of(table), speed: None };
    let jobs =
        connect_streams(&workspace.project, &workspace.graph, &compiled, nodes.iter().copied(), streaming)?;
    let by_name: BTreeMap<&str, &CompiledModel> = nodes
        .iter()
        .filter_map(|index| Some((workspace.graph.node(*index).name.as_str(), compiled.models.get(index)?)))
        .collect();
    let mut all = Vec::new();
    for job in &jobs {
        let Some(landed) = warehouse.read(&job.relation)? else {
            let problem =
                Problem::new(format!("{} was never landed, so there is no batch side", job.relation));
            return Err(problem.help("land it with: mep run").into());
        };
        let units = landed.batches().flat_map(|(_, batch)| &batch.units);
        let landed = job.source.landed(&mut units.map(|unit| unit.id.as_str()));
        for model in &job.models {
            let Some(compiled) = by_name.get(model.spec.name.as_str()) else { continue };
            let plan = engine.scope().plan(&compiled.sql).map_err(|problem| {
                let placed = Problem::new(format!("{}: {}", model.spec.name, problem.message))
                    .help("it may not be built yet: see mep run");
                match problem.range.filter(|_| compiled.sql == compiled.rendered.sql) {
                    Some(range) => placed.at(&compiled.rendered.map.place(range)),
                    None => placed,
                }
            })?;
            let side = SpeedSide::read(&runtime, model)?;
            let since = since.max(side.whole_since.filter(|_| job.schema.event_time.is_some()));
            let plan = match since {
                Some(since) => reading_since(plan, job, since)?,
                None => plan,
            };
            let batch = runtime.block_on(engine.collect(plan))?;
            let outcome = Reconciliation::of(&Sides {
                table: &model.spec.table,
                window: model.spec.query.window_column(),
                speed: &side.rows,
                batch: &batch,
                lateness: model.spec.lateness,
                late: &side.late,
                streamed: &side.streamed,
                landed: &landed,
                counts_by_offset: job.source.counts_by_offset(),
                since,
            });
            all.push(Reconciled {
                model: model.spec.name.clone(),
                outcome: outcome.map_err(EngineError::from)?,
                counts_by_offset: job.source.counts_by_offset(),
            });
        }
    }
    all.sort_by(|a, b| a.model.cmp(&b.model));
    Ok(all)
}

/// What a stream has written and how far it has come.
struct SpeedSide {
    rows: Vec<arrow::array::RecordBatch>,
    late: Vec<mep_contract::sink::LateEvent>,
    streamed: mep_contract::source::tail::Offsets,
    /// Where rows are kept for a while only: the rows of events from then on are still there.
    whole_since: Option<NaiveDateTime>,
}

impl SpeedSide {
    fn read(runtime: &tokio::runtime::Runtime, model: &StreamModel) -> Result<Self, AppError> {
        let name = || model.spec.name.clone();
        let failed = |error| AppError::from(JobError::Sink { model: name(), error });
        let read = runtime.block_on(async {
            let standing = model.sink.standing().await?;
            Ok((standing, model.sink.rows().await?, model.sink.late().await?))
        });
        let (standing, rows, late) = read.map_err(failed)?;
        let streamed = streamed(&standing);
        let streamed = streamed.map_err(|reason| JobError::Checkpoint { model: name(), reason })?;
        let kept_for = model.sink.kept_for().and_then(|kept_for| TimeDelta::from_std(kept_for).ok());
        // A row is written after its event, and had not expired before now where its event was later than this.
        let next_second = (Utc::now().naive_utc() + TimeDelta::seconds(1)).with_nanosecond(0);
        let whole_since = kept_for.and_then(|kept_for| next_second?.checked_sub_signed(kept_for));
        Ok(Self { rows, late, streamed, whole_since })
    }
}

/// A model's SELECT over the landed events from a time on.
fn reading_since(query: PlannedQuery, job: &Job, since: NaiveDateTime) -> Result<PlannedQuery, AppError> {
    let Some(event_time) = job.schema.event_time_field() else {
        let problem = Problem::new(format!(
            "{} has no `event_time`, so nothing says which of its rows are of events since {since}",
            job.relation
        ));
        return Err(problem
            .help("compare all of them, or name the column in the source's YAML: `event_time: ts`")
            .into());
    };
    let event_time = EventTime::of(event_time.name(), &job.schema.fields);
    let event_time = event_time.map_err(|reason| Problem::new(reason.to_string()))?.with_day(EVENT_DATE);
    Ok(event_time.reading_since(query, &job.relation, since).map_err(EngineError::from)?)
}
