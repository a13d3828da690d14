//! plan: what a run of a selection would do, and why, with nothing written.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::connect::{connect, serving_store};
use super::error::AppError;
use super::rejected::SourceRejects;
use super::run_command::RunCommand;
use super::streamed::is_streaming;
use super::workspace::{Selectors, Workspace, cores, runtime};
use mep_contract::serving::ServingStore;
use mep_contract::source::Unit;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRange;
use mep_graph::{Compiled, NodeIndex, NodeKind, NodeSet, Unbuilt};
use mep_lang::project::Problem;
use mep_plan::{
    Action, Asked, LandingPlan, Plan, Reason, Rejects, ShortUnit, Step, TableState, UnitContent,
    after_landing,
};
use mep_run::event::SilentReporter;
use mep_run::landing::content_of;
use mep_run::rejects::TooManyRejected;
use mep_run::session::RunContext;
use mep_run::{ConnectedSource, RunOptions, ServingPlan, Session, held, plan_landings};
use mep_sql::keyed::followed;

/// What is asked for beside the selection.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreviewRequest {
    /// As for a full refresh.
    pub full_refresh: bool,
    /// The logical date: the last day of which rows are landed.
    pub date: Option<NaiveDate>,
    /// For which stretch of event time microbatch models are run.
    pub event_times: Option<TimeRange>,
}

/// What a run would do.
pub struct Preview {
    /// What was compiled for it.
    pub compiled: Compiled,
    /// The steps.
    pub plan: Plan,
    /// What of the selection, and of what it needs, cannot be built.
    pub unbuilt: Unbuilt,
    /// By which columns a change is followed in tables that are built as a whole.
    pub keys: BTreeMap<NodeIndex, FollowedKeys>,
    /// What it would bring where tables are served by key.
    pub serving: BTreeMap<NodeIndex, ServingPlan>,
    /// The streaming models that it would carry on.
    pub streaming: NodeSet,
    /// How many streaming models it leaves out, since nothing was selected.
    pub left_out: usize,
    /// The rows of its sources that are rejected by now.
    pub rejected: Vec<SourceRejects>,
    /// What else the user should know.
    pub notes: Vec<String>,
}

/// By which columns changes in the inputs of a table are followed: rows of the values that a change reaches are made, and all others
/// stay. Where it is less work, all rows are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowedKeys {
    /// For each input that changes, those of the table's columns by which its changes can be followed.
    pub by_input: BTreeMap<Relation, Vec<String>>,
}

impl FollowedKeys {
    /// The columns by which a change in any of the inputs can be followed; none where all rows have to be made.
    pub fn of_all(&self) -> Vec<&str> {
        let mut inputs = self.by_input.values();
        let first = inputs.next().map(Vec::as_slice).unwrap_or_default();
        let is_of_all = |column: &&String| self.by_input.values().all(|columns| columns.contains(column));
        first.iter().filter(is_of_all).map(String::as_str).collect()
    }

    /// Of a table that a step builds as a whole since its inputs are others.
    fn of(session: &Session<'_>, step: &Step) -> Option<Self> {
        let Action::BuildWhole(build) = &step.action else { return None };
        let Reason::InputsChanged { tables } = &build.reason else { return None };
        let model = session.compiled.models.get(&step.node)?;
        if model.is_volatile || !model.partition_columns.is_empty() {
            return None;
        }
        let scope = session.engine.scope();
        let query = scope.plan(&model.sql).ok()?;
        let columns: Vec<String> = query.output().fields().iter().map(|field| field.name().clone()).collect();
        let changed =
            model.alignment.scans.iter().filter(|scan| tables.contains_key(&scan.relation.to_string()));
        let by_input = changed.map(|scan| {
            let told = followed(scope, &query, &scan.relation, &columns).unwrap_or_default();
            (scan.relation.clone(), told)
        });
        Some(Self { by_input: by_input.collect() })
    }
}

impl Preview {
    /// What a run of a selection would do.
    ///
    /// # Errors
    /// Where a plan cannot be made.
    pub fn of(
        workspace: &Workspace,
        selectors: Selectors<'_>,
        request: PreviewRequest,
    ) -> Result<Self, AppError> {
        // A run leaves snapshots out, as in dbt; what a build would do with them is told where they are asked for.
        let is_asked_for = !selectors.select.is_empty();
        let selected = workspace.select(selectors, |node| {
            RunCommand::Run.works_on(node) || is_asked_for && matches!(node.kind, NodeKind::Snapshot { .. })
        })?;
        let (streaming, nodes): (NodeSet, NodeSet) =
            selected.iter().partition(|index| is_streaming(workspace.graph.node(**index)));
        let mut moving = NodeSet::new();
        let wanted = workspace.with_tests_before_publish(&selected);
        let (compiled, planned) = loop {
            let compiled = workspace.compile_while(&wanted, &moving)?;
            let planned = PreviewedPlan::of(workspace, request, &compiled, &nodes)?;
            // What was asked of a table that is to get new rows is asked again once it has them.
            if compiled.asking.is_empty() || planned.landing.is_subset(&moving) {
                break (compiled, planned);
            }
            moving.extend(&planned.landing);
        };
        let PreviewedPlan { plan, keys, serving, rejected, notes, .. } = planned;
        // A run leaves streaming models out too, where they are not asked for.
        let (streaming, left_out) =
            if is_asked_for { (streaming, 0) } else { (NodeSet::new(), streaming.len()) };
        let unbuilt = compiled.unbuilt.told_of(&selected);
        let streaming = unbuilt.rest_of(&streaming);
        Ok(Self { compiled, plan, unbuilt, keys, serving, streaming, left_out, rejected, notes })
    }
}

/// What a run would do with what was compiled.
struct PreviewedPlan {
    plan: Plan,
    keys: BTreeMap<NodeIndex, FollowedKeys>,
    serving: BTreeMap<NodeIndex, ServingPlan>,
    /// The source tables that it would bring new rows into.
    landing: NodeSet,
    rejected: Vec<SourceRejects>,
    notes: Vec<String>,
}

impl PreviewedPlan {
    fn of(
        workspace: &Workspace,
        request: PreviewRequest,
        compiled: &Compiled,
        nodes: &NodeSet,
    ) -> Result<Self, AppError> {
        let nodes = &compiled.unbuilt.rest_of(nodes);
        let sources = connect(&workspace.project, &workspace.graph, compiled, nodes.iter().copied())?;
        let warehouse = workspace.warehouse()?;
        let (engine, runtime) = (workspace.engine(&warehouse)?, runtime()?);
        let looking = RunOptions::looking(request.full_refresh, request.date, cores());
        let options = RunOptions { event_times: request.event_times, ..looking };
        let known = held(&workspace.graph, warehouse.as_ref(), nodes)?;
        let context = workspace.run_context(compiled, warehouse.as_ref(), &engine, &runtime);
        let store = serving_store(workspace);
        let serving = store.as_ref().map(|store| store as &dyn ServingStore);
        let session = Session::new(RunContext { serving, ..context }, options, &SilentReporter, known);
        session.register_held(nodes);
        let mut notes = Vec::new();
        let landings = landings(&session, &sources, &mut notes)?;
        let mut tables = session.tables();
        let plan = session.with_planner(|planner| planner.plan(nodes, &landings, &mut tables));
        let keys = plan.steps.iter().filter_map(|step| Some((step.node, FollowedKeys::of(&session, step)?)));
        let keys = keys.collect();
        let serving = serving_plans(&session, &plan, &mut notes);
        let rejected = SourceRejects::by_now(&session, compiled, nodes);
        let landed = landings.iter().filter(|(_, (landing, _))| !landing.is_nothing());
        let landing = landed.map(|(node, _)| *node).collect();
        Ok(Self { plan, keys, serving, landing, rejected, notes })
    }
}

/// What a run would bring where tables are served; what cannot be told is noted.
fn serving_plans(
    session: &Session<'_>,
    plan: &Plan,
    notes: &mut Vec<String>,
) -> BTreeMap<NodeIndex, ServingPlan> {
    let mut plans = BTreeMap::new();
    for step in &plan.steps {
        let node = session.graph.node(step.node);
        match session.serving_plan(step.node, node, &step.action) {
            Ok(planned) => plans.extend(planned.map(|planned| (step.node, planned))),
            Err(error) => notes.push(format!("{}: what it lacks cannot be told: {error}", node.shown_name())),
        }
    }
    plans
}

/// What is to be landed, and what the tables will hold after it.
fn landings(
    session: &Session<'_>,
    sources: &[ConnectedSource],
    notes: &mut Vec<String>,
) -> Result<BTreeMap<NodeIndex, (LandingPlan, Option<TableState>)>, AppError> {
    let RunOptions { full_refresh, until, .. } = session.options;
    let stored = |relation: &Relation| session.stored(relation);
    let asked = Asked { full_refresh, until, run: session.run };
    let mut plans = plan_landings(sources, &stored, asked);
    let mut landings = BTreeMap::new();
    for connected in sources {
        let name = session.graph.node(connected.node).shown_name();
        let Some(landing) = plans.remove(&connected.node) else { continue };
        let landing = landing.map_err(|error| Problem::new(format!("{name}: {error}")))?;
        let mut contents: BTreeMap<String, Option<UnitContent>> = BTreeMap::new();
        let mut content = |unit: &Unit| {
            if let Some(day) = unit.day {
                return Some(UnitContent { days: BTreeSet::from([day]), ..UnitContent::default() });
            }
            let read = || content_of(&connected.table, connected.source.as_ref(), unit).ok();
            contents.entry(unit.id.clone()).or_insert_with(read).clone()
        };
        let landed = stored(&connected.table.raw);
        let mut read = |unit: &Unit| match unit.day {
            Some(_) => None,
            None => content(unit).map(|content| content.read),
        };
        let short = landing.find_short(landed.as_deref(), &mut read);
        notes.extend(ShortUnit::told(&short).map(|told| format!("{name}: {told}")));
        let landing = landing.without(short);
        notes.extend(landing.kept_notes(full_refresh).map(|note| format!("{name}: {note}")));
        let after = after_landing(&connected.table, landed.as_deref(), &landing, until, &mut content);
        let rejects = Rejects::after(landed.as_deref(), &landing, &contents);
        notes.extend(connected.max_rejected.and_then(|limit| {
            let (landing, all) = rejects?;
            let text = TooManyRejected::expected(limit, landing, all)?;
            Some(format!("{name}: a run fails here: {text}"))
        }));
        landings.insert(connected.node, (landing, after));
    }
    Ok(landings)
}
