//! reconcile: the speed side beside the batch side.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta, Timelike as _, Utc};
use datafusion::logical_expr::LogicalPlan;
use serde_json::json;

use super::arguments::{Global, ReconcileArguments, TextOrJson};
use super::exit::Exit;
use super::show::register_all;
use super::terminal::{Palette, Terminal, count, plural};
use mep_app::AppError;
use mep_app::connect::Sinks;
use mep_app::connect::{Streaming, connect_streams};
use mep_app::is_streaming;
use mep_app::{Rendering, Workspace, runtime};
use mep_contract::source::EVENT_DATE;
use mep_datafusion::EngineError;
use mep_graph::CompiledModel;
use mep_lang::project::Problem;
use mep_sql::EventTime;
use mep_stream::reconcile::{Cause, Difference, DifferenceKind, Reconciliation, Sides};
use mep_stream::{Job, JobError, StreamModel, streamed};

/// Compares, and says where both sides differ.
///
/// # Errors
/// Where a side cannot be read.
pub(super) fn reconcile(global: &Global, arguments: &ReconcileArguments) -> Result<Exit, AppError> {
    let workspace = Workspace::open(&global.opening(), "reconcile", Rendering::default())?;
    let nodes = workspace.select(arguments.selecting.selectors(), is_streaming)?;
    let compiled = workspace.compile(&nodes)?;
    let warehouse = workspace.warehouse()?;
    let engine = workspace.engine(&warehouse)?;
    register_all(&workspace.graph, warehouse.as_ref(), &engine)?;
    let runtime = runtime()?;
    let sinks = runtime.block_on(async { Sinks::of_target(&workspace) })?;
    let streaming = Streaming { sink: &|table| sinks.of(table), speed: None };
    let jobs =
        connect_streams(&workspace.project, &workspace.graph, &compiled, nodes.iter().copied(), streaming)?;
    let by_name: BTreeMap<&str, &CompiledModel> = nodes
        .iter()
        .filter_map(|index| Some((workspace.graph.node(*index).name.as_str(), compiled.models.get(index)?)))
        .collect();
    let mut outcomes = Vec::new();
    for job in &jobs {
        let Some(landed) = warehouse.read(&job.relation)? else {
            let problem =
                Problem::new(format!("{} was never landed, so there is no batch side", job.relation));
            return Err(problem.help("land it with: mep run").into());
        };
        let units = landed.batches().flat_map(|(_, batch)| &batch.units);
        let landed = job.source.landed(&mut units.map(|unit| unit.id.as_str()));
        for model in &job.models {
            let Some(sql) = by_name.get(model.spec.name.as_str()).map(|model| model.sql.as_str()) else {
                continue;
            };
            let plan = engine.scope().plan(sql).map_err(|problem| {
                Problem::new(format!("{}: {}", model.spec.name, problem.message))
                    .help("it may not be built yet: see mep run")
            })?;
            let side = SpeedSide::read(&runtime, model)?;
            let since = arguments.since.max(side.whole_since.filter(|_| job.schema.event_time.is_some()));
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
            let outcome = outcome.map_err(EngineError::from)?;
            outcomes.push((model.spec.name.clone(), outcome, job.source.counts_by_offset()));
        }
    }
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    let is_past = outcomes.iter().any(|(_, outcome, _)| outcome.share() > arguments.tolerance);
    match arguments.output {
        TextOrJson::Json => {
            let models: serde_json::Map<_, _> =
                outcomes.iter().map(|(name, outcome, _)| (name.clone(), json!(outcome))).collect();
            super::print(&format!("{:#}\n", json!({ "agrees": !is_past, "models": models })))?;
        }
        TextOrJson::Text => {
            for (name, outcome, is_counted) in &outcomes {
                super::print(&shown(name, outcome, *is_counted, arguments.limit, Palette::of_stdout()))?;
            }
            Terminal::new(global.log_format, global.quiet).result(
                if is_past {
                    "the speed side and the batch side differ"
                } else {
                    "the speed side and the batch side agree"
                },
                is_past,
            );
        }
    }
    Ok(if is_past { Exit::Failed } else { Exit::Success })
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
fn reading_since(plan: LogicalPlan, job: &Job, since: NaiveDateTime) -> Result<LogicalPlan, AppError> {
    let Some(event_time) = job.schema.event_time_field() else {
        let problem = Problem::new(format!(
            "{} has no `event_time`, so nothing says which of its rows are of events since {since}",
            job.relation
        ));
        return Err(problem
            .help("compare all of them, or name the column in the source's YAML: `event_time: ts`")
            .into());
    };
    let event_time =
        EventTime::of(event_time.name(), &job.schema.fields).map_err(Problem::new)?.with_day(EVENT_DATE);
    Ok(event_time.reading_since(plan, &job.relation, since).map_err(EngineError::from)?)
}

/// A model's comparison as lines. By how many events one side is ahead is said where the source counts events by offsets.
fn shown(name: &str, outcome: &Reconciliation, is_counted: bool, limit: usize, palette: Palette) -> String {
    let by = |events: u64| if is_counted { format!("{} ", plural(events, "event")) } else { String::new() };
    let different = outcome.different();
    let mark = if different == 0 { palette.good("agrees") } else { palette.bad("differs") };
    let mut lines = vec![format!(
        "{mark}  {name}: {}, {} equal, {} differ{}",
        plural(outcome.rows, "row"),
        count(outcome.equal),
        count(different),
        match outcome.pending {
            0 => String::new(),
            pending => format!(", {} not landed yet", count(pending)),
        }
    )];
    if let Some(since) = outcome.since {
        lines.push(format!("    compared are events since {since}"));
    }
    if outcome.not_landed > 0 {
        lines.push(format!("    the stream is {}ahead of what is landed", by(outcome.not_landed)));
    }
    if outcome.not_streamed > 0 {
        lines.push(format!("    the stream is {}behind what is landed", by(outcome.not_streamed)));
    }
    for difference in outcome.differences.iter().take(limit) {
        lines.push(format!("    {}", shown_difference(difference)));
    }
    let more = outcome.differences.len().saturating_sub(limit);
    if more > 0 {
        lines.push(palette.faint(&format!("    and {more} more; see them with --limit")));
    }
    lines.join("\n") + "\n"
}

fn shown_difference(difference: &Difference) -> String {
    let kind = match difference.kind {
        DifferenceKind::OnlySpeed => "only in the stream",
        DifferenceKind::OnlyBatch => "only in the batch",
        DifferenceKind::Values => "with other values",
    };
    let cause = match difference.cause {
        Some(Cause::Late) => "late",
        Some(Cause::NotLanded) => "not landed yet",
        Some(Cause::NotStreamed) => "not streamed yet",
        Some(Cause::Dead) => "a column of the key is null",
        None => "cause unknown",
    };
    format!(
        "{}  {} {kind} ({cause}), such as {}",
        difference.window,
        plural(difference.rows, "row"),
        difference.example
    )
}
