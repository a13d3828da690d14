//! plan: what a run would do, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::arguments::{Global, PlanArguments, TextOrJson};
use super::exit::Exit;
use super::explain::{explained, inputs, is_at_most};
use super::rejected::RejectedOf;
use super::terminal::{Palette, Terminal, bytes, count, plural};
use mep_app::AppError;
use mep_app::RunCommand;
use mep_app::connect::connect;
use mep_app::is_streaming;
use mep_app::{Rendering, Workspace, cores, runtime};
use mep_core::relation::Relation;
use mep_core::time_range::TimeRange;
use mep_graph::{Compiled, Graph, NodeKind};
use mep_plan::{
    Action, Asked, BatchPlan, BatchReason, LandingPlan, PartitionBuild, Plan, Rejects, ShortUnit,
    UnitContent, after_landing,
};
use mep_run::landing::content_of;
use mep_run::landings::why;
use mep_run::rejects::TooManyRejected;
use mep_run::{RunOptions, Session, TestsRun, held, in_short as reasons_in_short, plan_landings, shown_kind};

/// Shows the plan.
///
/// # Errors
/// Where a plan cannot be made.
pub(super) fn plan(global: &Global, arguments: &PlanArguments) -> Result<Exit, AppError> {
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: arguments.date };
    let workspace = Workspace::open(&global.opening(), "plan", rendering)?;
    // A run leaves snapshots out, as in dbt; what a build would do with them is told where they are asked for.
    let is_asked_for = !arguments.selecting.select.is_empty();
    let selected = workspace.select(arguments.selecting.selectors(), |node| {
        RunCommand::Run.works_on(node) || is_asked_for && matches!(node.kind, NodeKind::Snapshot { .. })
    })?;
    let (streaming, nodes): (BTreeSet<usize>, BTreeSet<usize>) =
        selected.iter().partition(|index| is_streaming(workspace.graph.node(**index)));
    let compiled = workspace.compile(&selected)?;
    let sources = connect(&workspace.project, &workspace.graph, &compiled, nodes.iter().copied())?;
    let warehouse = workspace.warehouse()?;
    let engine = workspace.engine(&warehouse)?;
    let runtime = runtime()?;
    let terminal = Terminal::new(global.log_format, true);
    let options = RunOptions {
        full_refresh: arguments.full_refresh,
        fail_fast: false,
        threads: 1,
        cores: cores(),
        until: arguments.date,
        event_times: arguments.event_times.range()?,
        tests: TestsRun::BeforePublish,
        views_of_project: true,
    };
    let known = held(&workspace.graph, warehouse.as_ref(), &nodes)?;
    let session = Session::new(
        &workspace.graph,
        &compiled,
        warehouse.as_ref(),
        &engine,
        &runtime,
        &workspace.run,
        options,
        &terminal,
        known,
    );
    session.register_held(&nodes);
    let stored = |relation: &Relation| session.stored(relation);
    let mut landings = BTreeMap::new();
    let asked = Asked { full_refresh: arguments.full_refresh, until: arguments.date, run: &workspace.run };
    let mut notes = Vec::new();
    for (node, landing) in plan_landings(&sources, &stored, asked) {
        let mut landing = landing.map_err(|error| {
            mep_lang::project::Problem::new(format!("{}: {error}", workspace.graph.node(node).shown_name()))
        })?;
        let Some(connected) = sources.iter().find(|connected| connected.node == node) else { continue };
        let mut contents: BTreeMap<String, Option<UnitContent>> = BTreeMap::new();
        let mut content = |unit: &mep_contract::source::Unit| {
            if let Some(day) = unit.day {
                return Some(UnitContent { days: BTreeSet::from([day]), ..UnitContent::default() });
            }
            let read = || content_of(&connected.table, connected.source.as_ref(), unit).ok();
            contents.entry(unit.id.clone()).or_insert_with(read).clone()
        };
        let name = workspace.graph.node(node).shown_name();
        let landed = stored(&connected.table.raw);
        let mut read = |unit: &mep_contract::source::Unit| match unit.day {
            Some(_) => None,
            None => content(unit).map(|content| content.read),
        };
        let short = landing.find_short(landed.as_deref(), &mut read);
        notes.extend(ShortUnit::told(&short).map(|told| format!("{name}: {told}")));
        landing = landing.without(short);
        notes.extend(landing.kept_notes(arguments.full_refresh).map(|note| format!("{name}: {note}")));
        let after =
            after_landing(&connected.table, landed.as_deref(), &landing, arguments.date, &mut content);
        let rejects = Rejects::after(landed.as_deref(), &landing, &contents);
        notes.extend(connected.max_rejected.and_then(|limit| {
            let (landing, all) = rejects?;
            let text = TooManyRejected::expected(limit, landing, all)?;
            Some(format!("{name}: a run fails here: {text}"))
        }));
        landings.insert(node, (landing, after));
    }
    let mut tables = session.tables();
    let planned = session.with_planner(|planner| planner.plan(&nodes, &landings, &mut tables));
    // A run leaves streaming models out too, where they are not asked for.
    let (streaming, left_out) =
        if is_asked_for { (streaming, 0) } else { (BTreeSet::new(), streaming.len()) };
    let plan = Planned {
        graph: &workspace.graph,
        compiled: &compiled,
        plan: &planned,
        streaming: &streaming,
        rejected: &RejectedOf::by_now(&session, &compiled, &nodes),
        notes: &notes,
    };
    let text = match arguments.output {
        TextOrJson::Json => format!("{:#}\n", plan.as_json()),
        TextOrJson::Text => {
            let mut text = plan.as_text(arguments.explain, Palette::of_stdout());
            if left_out > 0 {
                let models = plural(left_out as u64, "streaming model");
                text.push_str(&format!("{models} of the project follow their sources with: mep stream\n"));
            }
            text
        }
    };
    super::print(&text)?;
    Ok(Exit::Success)
}

/// What is to be done with a node, as words.
fn words(action: &Action) -> (&'static str, String) {
    match action {
        Action::Current => ("current", String::new()),
        Action::Land(plan) => ("land", plural(plan.land.len() as u64, "unit")),
        Action::LoadSeed(_) => ("load", String::new()),
        Action::CreateView(_) => ("create", String::new()),
        Action::BuildWhole(_) => ("build", "all of it".to_owned()),
        Action::BuildPartitions(plan) if plan.is_of_columns() => ("build", "its columns".to_owned()),
        Action::BuildPartitions(plan) => {
            let mut words = plural(plan.build.len() as u64, "partition");
            if !plan.remove.is_empty() {
                words.push_str(&format!(", {} to go", count(plan.remove.len() as u64)));
            }
            ("build", words)
        }
        Action::Increment => ("increment", String::new()),
        Action::Snapshot(_) => ("snapshot", String::new()),
        Action::RunBatches(plan) => ("build", batches(plan)),
        Action::AfterInputs => ("build", "what its inputs will ask for".to_owned()),
        Action::Missing(_) => ("blocked", String::new()),
        Action::Test => ("test", String::new()),
    }
}

fn batches(plan: &BatchPlan) -> String {
    match plan.batches.len() {
        1 => "1 batch".to_owned(),
        several => format!("{} batches", count(several as u64)),
    }
}

fn reason(action: &Action) -> String {
    match action {
        Action::Land(plan) => why(plan),
        Action::LoadSeed(reason) | Action::CreateView(reason) => reason.to_string(),
        Action::BuildWhole(build) | Action::Snapshot(build) => build.reason.to_string(),
        Action::BuildPartitions(plan) if plan.is_of_columns() => "the stored ones are others".to_owned(),
        Action::BuildPartitions(plan) if plan.build.is_empty() => "no input gives them any more".to_owned(),
        Action::BuildPartitions(plan) => reasons_in_short(&plan.build),
        Action::Increment => "it keeps its own increments".to_owned(),
        Action::RunBatches(plan) => plan.why(),
        Action::AfterInputs => "an input's content shows only once it is built".to_owned(),
        Action::Missing(relations) => {
            let names: Vec<String> = relations.iter().map(ToString::to_string).collect();
            format!("it reads {}, not built yet and not selected", names.join(", "))
        }
        Action::Current | Action::Test => String::new(),
    }
}

/// Rows and bytes of the inputs.
fn reads(action: &Action) -> (u64, u64) {
    let sum = |builds: &[PartitionBuild]| {
        let rows = builds.iter().map(|build| build.input_rows).sum();
        (rows, builds.iter().map(|build| build.input_bytes).sum())
    };
    match action {
        Action::Land(plan) => (0, plan.land.iter().filter_map(|(unit, _)| unit.bytes).sum()),
        Action::BuildWhole(build) | Action::Snapshot(build) => (build.input_rows, build.input_bytes),
        Action::BuildPartitions(plan) => sum(&plan.build),
        _ => (0, 0),
    }
}

/// What a run would do.
struct Planned<'a> {
    graph: &'a Graph,
    compiled: &'a Compiled,
    plan: &'a Plan,
    /// The streaming models that it would carry on.
    streaming: &'a BTreeSet<usize>,
    /// The rows of its sources that are rejected by now.
    rejected: &'a [RejectedOf],
    /// What else the user should know.
    notes: &'a [String],
}

/// What a run does with a streaming model.
const STREAM: [&str; 2] = ["stream", "up to what its source holds when it runs"];

impl Planned<'_> {
    fn as_text(&self, explains: bool, palette: Palette) -> String {
        let Self { graph, compiled, plan, streaming, rejected, notes } = self;
        let mut lines: Vec<[String; 4]> = Vec::new();
        let mut explanations: Vec<Vec<String>> = Vec::new();
        let mut current = 0;
        for step in &plan.steps {
            let node = graph.node(step.node);
            let model = compiled.models.get(&step.node).filter(|_| explains);
            let explanation = model.map(|model| explained(node, model, &step.action)).unwrap_or_default();
            if step.action == Action::Current {
                current += 1;
                if explanation.is_empty() {
                    continue;
                }
            }
            explanations.push(explanation);
            let (verb, mut what) = words(&step.action);
            if let Action::BuildPartitions(plan) = &step.action
                && is_at_most(compiled.models.get(&step.node), plan)
            {
                what.insert_str(0, "up to ");
            }
            let (rows, read) = reads(&step.action);
            let mut why = reason(&step.action);
            if rows > 0 {
                why.push_str(&format!(" [reads {}, {}]", plural(rows, "row"), bytes(read)));
            }
            lines.push([verb.to_owned(), format!("{} {}", shown_kind(node), node.shown_name()), what, why]);
        }
        for node in streaming.iter().map(|index| graph.node(*index)) {
            let [verb, why] = STREAM.map(str::to_owned);
            lines.push([verb, format!("{} {}", shown_kind(node), node.shown_name()), String::new(), why]);
            explanations.push(Vec::new());
        }
        let mut text = String::new();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for ([verb, name, what, why], explanation) in lines.iter().zip(&explanations) {
            let verb = palette.good(&format!("{verb:<width$}", width = widths[0]));
            let name = palette.strong(&format!("{name:<width$}", width = widths[1]));
            let line = format!("{verb}  {name}  {what:<width$}  {}", palette.faint(why), width = widths[2]);
            text.push_str(line.trim_end());
            text.push('\n');
            for line in explanation {
                text.push_str(&format!("    {line}\n"));
            }
        }
        let steps = plan.steps.len() - current + streaming.len();
        for note in *notes {
            text.push_str(&format!("{}  {note}\n", palette.warning("warning")));
        }
        for of in *rejected {
            text.push_str(&format!("{}  {of}\n", palette.warning("rejected")));
        }
        let current = match (steps, current) {
            (0, _) if !rejected.is_empty() || !notes.is_empty() => "nothing to do".to_owned(),
            (0, _) => "nothing to do: everything is as it should be".to_owned(),
            (steps, 0) => plural(steps as u64, "step"),
            (steps, current) => {
                format!("{}, {} current", plural(steps as u64, "step"), count(current as u64))
            }
        };
        text.push_str(&current);
        text.push('\n');
        text
    }

    fn as_json(&self) -> Json {
        let Self { graph, compiled, plan, streaming, rejected, notes } = self;
        let steps = plan.steps.iter().map(|step| {
        let node = graph.node(step.node);
        let (rows, bytes) = reads(&step.action);
        let mut json = json!({
            "unique_id": node.id.as_str(),
            "name": node.shown_name(),
            "kind": shown_kind(node),
            "action": words(&step.action).0,
            "reason": reason(&step.action),
            "reads": {"rows": rows, "bytes": bytes},
        });
        match &step.action {
            Action::Land(landing) => json["units"] = units(landing),
            Action::BuildPartitions(plan) => {
                let partition = |build: &PartitionBuild| {
                    json!({
                        "partition": build.key.to_string(),
                        "reason": build.reason,
                        "why": build.reason.to_string(),
                        "reads": {"rows": build.input_rows, "bytes": build.input_bytes},
                    })
                };
                json["partitions"] = plan.build.iter().map(partition).collect();
                json["remove"] = plan.remove.iter().map(ToString::to_string).collect();
                json["current"] = plan.current.into();
                json["at_most"] = is_at_most(compiled.models.get(&step.node), plan).into();
            }
            Action::RunBatches(plan) => {
                let batch = |(range, reason): &(TimeRange, BatchReason)| {
                    json!({"batch": range.to_string(), "reason": reason})
                };
                json["batches"] = plan.batches.iter().map(batch).collect();
            }
            _ => {}
        }
        if let Some(model) = compiled.models.get(&step.node) {
            json["inputs"] = inputs(node, model);
        }
        json
    });
        let streams = streaming.iter().map(|index| {
            let node = graph.node(*index);
            let [action, reason] = STREAM;
            json!({
                "unique_id": node.id.as_str(),
                "name": node.shown_name(),
                "kind": shown_kind(node),
                "action": action,
                "reason": reason,
            })
        });
        let steps = steps.chain(streams).collect::<Vec<_>>();
        json!({"steps": steps, "rejected": rejected, "warnings": notes})
    }
}

/// The plan in a few lines, for the start of a run.
pub(super) fn in_short(graph: &Graph, plan: &Plan) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut partitions = 0;
    for step in plan.steps.iter().filter(|step| step.action != Action::Test) {
        let kind = match &step.action {
            Action::Current => "current",
            _ => shown_kind(graph.node(step.node)),
        };
        if let Action::BuildPartitions(plan) = &step.action {
            partitions += plan.build.len() + plan.remove.len();
        }
        *counts.entry(kind).or_default() += 1;
    }
    let current = counts.remove("current").unwrap_or(0);
    if counts.is_empty() {
        return Vec::new();
    }
    let mut parts: Vec<String> = counts.iter().map(|(kind, number)| plural(*number as u64, kind)).collect();
    if partitions > 0 {
        parts.push(plural(partitions as u64, "partition"));
    }
    let mut line = format!("{:>8}  {}", "plan", parts.join(", "));
    if current > 0 {
        line.push_str(&format!("; {current} current"));
    }
    vec![line]
}

fn units(landing: &LandingPlan) -> Json {
    landing
        .land
        .iter()
        .map(|(unit, reason)| json!({"unit": unit.id, "reason": reason, "bytes": unit.bytes}))
        .collect()
}
