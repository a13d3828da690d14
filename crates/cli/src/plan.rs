//! plan: what a run would do, and why.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::arguments::{Global, PlanArguments, TextOrJson};
use super::exit::Exit;
use super::explain::{explained, inputs, is_at_most};
use super::terminal::Palette;
use mep_app::preview::{FollowedKeys, Preview, PreviewRequest};
use mep_app::{AppError, Rendering, SourceRejects};
use mep_core::quantity::{bytes, count, plural};
use mep_core::time_range::TimeRange;
use mep_graph::{Compiled, Graph, Node, NodeIndex, NodeKind, NodeSet, Unbuilt};
use mep_lang::project::Problem;
use mep_plan::{Action, BatchPlan, BatchReason, LandingPlan, PartitionBuild, Plan};
use mep_run::landings::why;
use mep_run::{ServingPlan, difference, in_short as reasons_in_short};
use mep_sql::sql_type;

/// Shows the plan.
///
/// # Errors
/// Where a plan cannot be made.
pub(super) fn plan(global: &Global, arguments: &PlanArguments) -> Result<Exit, AppError> {
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: arguments.date };
    let workspace = super::opened_as(&global.opening_in_part(), &arguments.selecting, "plan", rendering)?;
    let request = PreviewRequest {
        full_refresh: arguments.full_refresh,
        date: arguments.date,
        event_times: arguments.event_times.range()?,
    };
    let preview = Preview::of(&workspace, arguments.selecting.selectors(), request)?;
    let plan = Planned {
        graph: &workspace.graph,
        compiled: &preview.compiled,
        plan: &preview.plan,
        unbuilt: &preview.unbuilt,
        keys: &preview.keys,
        serving: &preview.serving,
        streaming: &preview.streaming,
        rejected: &preview.rejected,
        notes: &preview.notes,
    };
    let text = match arguments.output {
        TextOrJson::Json => format!("{:#}\n", plan.as_json()),
        TextOrJson::Text => {
            let mut text = plan.as_text(arguments.explain, Palette::of_stdout());
            if preview.left_out > 0 {
                let models = plural(preview.left_out as u64, "streaming model");
                text.push_str(&format!("{models} of the project follow their sources with: mep stream\n"));
            }
            text
        }
    };
    super::print(&text)?;
    Ok(if preview.unbuilt.broken.is_empty() { Exit::Success } else { Exit::Usage })
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
            let builds = plan.build.len() as u64;
            let mut words = if plan.is_by_some {
                format!("partitions of {}", plural(builds, "value"))
            } else {
                plural(builds, "partition")
            };
            if !plan.remove.is_empty() {
                words.push_str(&format!(", {} to go", count(plan.remove.len() as u64)));
            }
            ("build", words)
        }
        Action::Increment => ("increment", String::new()),
        Action::Snapshot(_) => ("snapshot", String::new()),
        Action::RunBatches(plan) => ("build", batches(plan)),
        Action::AfterInputs => ("build", "what its inputs will ask for".to_owned()),
        Action::AfterAnswers => ("render", "once its inputs are built".to_owned()),
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
        Action::AfterInputs => "the content of an input is known only once it is built".to_owned(),
        Action::AfterAnswers => "depends on what its inputs hold".to_owned(),
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
    /// What of it cannot be built.
    unbuilt: &'a Unbuilt,
    /// By which columns changes are followed in tables that are built as a whole.
    keys: &'a BTreeMap<NodeIndex, FollowedKeys>,
    /// What it would bring where tables are served by key.
    serving: &'a BTreeMap<NodeIndex, ServingPlan>,
    /// The streaming models that it would carry on.
    streaming: &'a NodeSet,
    /// The rows of its sources that are rejected by now.
    rejected: &'a [SourceRejects],
    /// What else the user should know.
    notes: &'a [String],
}

/// The columns of a source table that is loaded as its files are, each with its type.
fn columns_of_files(node: &Node, compiled: &Compiled, index: NodeIndex) -> Option<Vec<(String, String)>> {
    if !matches!(node.kind, NodeKind::Source { .. }) {
        return None;
    }
    let fields = compiled.seeds.get(&index)?.schema.fields();
    Some(fields.iter().map(|field| (field.name().clone(), sql_type(field.data_type()))).collect())
}

/// More columns than these are counted.
const NAMED_KEYS: usize = 3;

/// Columns by name, many of them by their number.
fn named(columns: &[&str]) -> String {
    match columns.len().checked_sub(NAMED_KEYS) {
        None | Some(0) => columns.join(", "),
        Some(more) => format!("{} and {more} more", columns[..NAMED_KEYS].join(", ")),
    }
}

/// What a run does with a streaming model.
const STREAM: [&str; 2] = ["stream", "up to what its source holds when it runs"];

impl Planned<'_> {
    /// The nodes without a step: streaming models, and what cannot be built, each with what becomes of it and why.
    fn without_step(&self) -> impl Iterator<Item = (NodeIndex, &'static str, String)> {
        let [verb, why] = STREAM;
        let streams = self.streaming.iter().map(move |index| (*index, verb, why.to_owned()));
        let broken = self.unbuilt.broken.iter().map(|(index, problems)| {
            let said: Vec<String> = problems.iter().map(in_a_line).collect();
            (*index, "error", said.join("; "))
        });
        let skipped =
            self.unbuilt.skipped.iter().map(|(index, of)| {
                (*index, "skip", format!("because of {}", self.graph.node(*of).shown_name()))
            });
        streams.chain(broken).chain(skipped)
    }

    fn as_text(&self, explains: bool, palette: Palette) -> String {
        let Self { graph, compiled, plan, unbuilt, keys, serving: served, streaming, rejected, notes } = self;
        let mut lines: Vec<[String; 4]> = Vec::new();
        let mut explanations: Vec<Vec<String>> = Vec::new();
        let mut current = 0;
        for step in &plan.steps {
            let node = graph.node(step.node);
            let model = compiled.models.get(&step.node).filter(|_| explains);
            let followed = keys.get(&step.node);
            let explanation = model.map(|model| explained(node, model, &step.action, followed));
            let explanation = explanation.unwrap_or_default();
            if step.action == Action::Current {
                current += 1;
                if explanation.is_empty() {
                    continue;
                }
            }
            explanations.push(explanation);
            if let (Action::LoadSeed(_), Some(columns)) =
                (&step.action, columns_of_files(node, compiled, step.node))
                && let Some(explanation) = explanations.last_mut()
            {
                let columns: Vec<String> =
                    columns.iter().map(|(name, data_type)| format!("{name} {data_type}")).collect();
                explanation.push(format!("columns by its files: {}", columns.join(", ")));
            }
            let (verb, mut what) = words(&step.action);
            if let Action::BuildPartitions(plan) = &step.action
                && is_at_most(compiled.models.get(&step.node), plan)
            {
                what.insert_str(0, "up to ");
            }
            if let Some(columns) = followed.map(FollowedKeys::of_all).filter(|columns| !columns.is_empty()) {
                what = format!("by {}", named(&columns));
            }
            let (rows, read) = reads(&step.action);
            let mut why = reason(&step.action);
            if rows > 0 {
                why.push_str(&format!(" [reads {}, {}]", plural(rows, "row"), bytes(read)));
            }
            lines.push([verb.to_owned(), format!("{} {}", node.shown_kind(), node.shown_name()), what, why]);
        }
        for (index, planned) in *served {
            let Some((what, why)) = serving(planned) else { continue };
            let node = graph.node(*index);
            let name = format!("{} {}", node.shown_kind(), node.shown_name());
            lines.push(["serve".to_owned(), name, what, why]);
            explanations.push(Vec::new());
        }
        for (index, verb, why) in self.without_step() {
            let node = graph.node(index);
            let name = format!("{} {}", node.shown_kind(), node.shown_name());
            lines.push([verb.to_owned(), name, String::new(), why]);
            explanations.push(Vec::new());
        }
        let mut text = String::new();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for ([verb, name, what, why], explanation) in lines.iter().zip(&explanations) {
            let padded = format!("{verb:<width$}", width = widths[0]);
            let verb = match verb.as_str() {
                "error" => palette.bad(&padded),
                "skip" => palette.warning(&padded),
                _ => palette.good(&padded),
            };
            let name = palette.strong(&format!("{name:<width$}", width = widths[1]));
            let line = format!("{verb}  {name}  {what:<width$}  {}", palette.faint(why), width = widths[2]);
            text.push_str(line.trim_end());
            text.push('\n');
            for line in explanation {
                text.push_str(&format!("    {line}\n"));
            }
        }
        let served = served.values().filter(|served| serving(served).is_some()).count();
        let steps = plan.steps.len() - current + served + streaming.len();
        for note in *notes {
            text.push_str(&format!("{}  {note}\n", palette.warning("warning")));
        }
        for of in *rejected {
            text.push_str(&format!("{}  {of}\n", palette.warning("rejected")));
        }
        let is_whole = unbuilt.broken.is_empty() && rejected.is_empty() && notes.is_empty();
        let current = match (steps, current) {
            (0, _) if !is_whole => "nothing to do".to_owned(),
            (0, _) => "nothing to do: everything is as it should be".to_owned(),
            (steps, 0) => plural(steps as u64, "step"),
            (steps, current) => {
                format!("{}, {} current", plural(steps as u64, "step"), count(current as u64))
            }
        };
        text.push_str(&current);
        for (number, what) in [(unbuilt.broken.len(), "in error"), (unbuilt.skipped.len(), "skipped")] {
            if number > 0 {
                text.push_str(&format!(", {} {what}", count(number as u64)));
            }
        }
        text.push('\n');
        text
    }

    fn as_json(&self) -> Json {
        let Self { graph, compiled, plan, keys, rejected, notes, .. } = self;
        let steps = plan.steps.iter().map(|step| {
        let node = graph.node(step.node);
        let (rows, bytes) = reads(&step.action);
        let mut json = json!({
            "unique_id": node.id.as_str(),
            "name": node.shown_name(),
            "kind": node.shown_kind(),
            "action": words(&step.action).0,
            "reason": reason(&step.action),
            "reads": {"rows": rows, "bytes": bytes},
        });
        match &step.action {
            Action::Land(landing) => json["units"] = units(landing),
            Action::LoadSeed(_) => {
                if let Some(columns) = columns_of_files(node, compiled, step.node) {
                    let columns = columns.into_iter();
                    json["columns"] = columns.map(|(name, data_type)| json!({"name": name, "type": data_type})).collect();
                }
            }
            Action::BuildPartitions(plan) => {
                let partition = |build: &PartitionBuild| {
                    json!({
                        "partition": plan.shown(build),
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
        if let Some(served) = self.serving.get(&step.node) {
            json["serve"] = serving_json(served);
        }
        if let Some(followed) = keys.get(&step.node) {
            json["by"] = followed.of_all().into();
        }
        if let Some(model) = compiled.models.get(&step.node) {
            json["inputs"] = inputs(node, model);
        }
        json
    });
        let others = self.without_step().map(|(index, action, reason)| {
            let node = graph.node(index);
            json!({
                "unique_id": node.id.as_str(),
                "name": node.shown_name(),
                "kind": node.shown_kind(),
                "action": action,
                "reason": reason,
            })
        });
        let steps = steps.chain(others).collect::<Vec<_>>();
        json!({"steps": steps, "rejected": rejected, "warnings": notes})
    }
}

/// What of a served table is brought to Cassandra, and why; `None` where all of it is there.
fn serving(plan: &ServingPlan) -> Option<(String, String)> {
    Some(match plan {
        ServingPlan::Current => return None,
        ServingPlan::Difference { changed, gone } => {
            (difference(*changed, *gone), "cassandra has an earlier content of it".to_owned())
        }
        ServingPlan::Anew { why, rows } => {
            (format!("{} anew", plural(*rows, "row")), format!("into cassandra: {why}"))
        }
        ServingPlan::AfterBuild => {
            ("what the build changes".to_owned(), "into cassandra, once it is published".to_owned())
        }
    })
}

fn serving_json(plan: &ServingPlan) -> Json {
    match plan {
        ServingPlan::Current => json!({"action": "current"}),
        ServingPlan::Difference { changed, gone } => {
            json!({"action": "difference", "changed": changed, "gone": gone})
        }
        ServingPlan::Anew { why, rows } => json!({"action": "anew", "rows": rows, "reason": why}),
        ServingPlan::AfterBuild => json!({"action": "after_build"}),
    }
}

/// A problem in one line, with its place.
fn in_a_line(problem: &Problem) -> String {
    match problem.place() {
        Some(place) => format!("{problem} ({}:{})", place.text.path().display(), place.line_column().0),
        None => problem.to_string(),
    }
}

fn units(landing: &LandingPlan) -> Json {
    landing
        .land
        .iter()
        .map(|(unit, reason)| json!({"unit": unit.id, "reason": reason, "bytes": unit.bytes}))
        .collect()
}
