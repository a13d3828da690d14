//! What most commands begin with: the project, its templates and its graph, and what its target names.

use std::cell::LazyCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use chrono::{NaiveDate, Utc};

use super::connect::rows_of;
use super::error::AppError;
use super::scratch::ScratchFolder;
use mep_contract::executor::Executor;
use mep_contract::warehouse::{Holder, Lease, RunId, Taken, Warehouse, take_within};
use mep_core::relation::Relation;
use mep_core::secrets;
use mep_core::threads::STACK_BYTES;
use mep_core::warnings::{self, WarnOptions, WarningFate, WarningKind};
use mep_datafusion::{Engine, EngineOptions};
use mep_graph::{
    Answers, Beside, ColumnFlows, Compiled, Compiler, FoundSources, Graph, IndirectSelection, LazyFlows,
    NamedSelectors, Node, NodeIndex, NodeKind, NodeSet, PublishWhen, SourceRows, Wanted, When, reading,
};
use mep_hive::{HiveLocation, HiveWarehouse};
use mep_lang::jinja::{Invocation, Templates};
use mep_lang::project::{self, LoadOptions, Problem, Problems, Project, SourceTable, WarehouseConfig};
use mep_local::warehouse::LocalWarehouse;
use mep_run::Loads;
use mep_run::event::{Event, Reporter};
use mep_run::session::RunContext;

/// How the project is rendered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rendering {
    /// As for a full refresh.
    pub full_refresh: bool,
    /// The logical date.
    pub date: Option<NaiveDate>,
}

/// Which nodes are meant, in the words of the selector grammar.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selectors<'a> {
    /// Nodes to take; empty: all.
    pub select: &'a [String],
    /// Nodes to leave out.
    pub exclude: &'a [String],
    /// A selector of `selectors.yml`.
    pub selector: Option<&'a str>,
    /// Which tests come with what they test.
    pub indirect: IndirectSelection,
    /// Types of nodes to take; empty: all.
    pub types: &'a [String],
    /// Types of nodes to leave out.
    pub other_types: &'a [String],
    /// These nodes alone, by unique id.
    pub only: Option<&'a [String]>,
}

/// A project, read.
///
/// ```no_run
/// use mep_app::{AppError, Opening, Rendering, Selectors, Workspace};
///
/// /// The SQL of everything below `models/marts`, checked against the columns of what it reads.
/// fn marts() -> Result<Vec<String>, AppError> {
///     let opening = Opening { project_dir: Some("shop".into()), ..Opening::default() };
///     let workspace = Workspace::open(&opening, "compile", Rendering::default())?;
///     let select = ["path:models/marts".to_owned()];
///     let nodes = workspace.select(Selectors { select: &select, ..Selectors::default() }, |node| !node.is_test())?;
///     let compiled = workspace.compile(&nodes)?;
///     Ok(compiled.models.into_values().map(|model| model.sql).collect())
/// }
/// ```
pub struct Workspace {
    /// The files.
    pub project: Project,
    /// The templates.
    pub templates: Templates,
    /// The graph.
    pub graph: Graph,
    /// The id of this call, which a run bears.
    pub run: RunId,
    /// As asked for.
    pub rendering: Rendering,
    /// What earlier runs left, where a selection may ask for it.
    pub beside: Option<Beside>,
    selectors: NamedSelectors,
    called_with: String,
    /// Answers nothing.
    nobody: Arc<dyn Answers>,
    /// The target's warehouse, once a command needed it.
    warehouse: OnceLock<Arc<dyn Warehouse>>,
    /// What stands in the place of the target's warehouse, where the project is tried over no rows.
    tried: Option<TriedProject>,
}

/// A project that is tried over no rows.
struct TriedProject {
    /// What its target's warehouse is.
    warehouse: WarehouseConfig,
    connected: OnceLock<Arc<dyn Warehouse>>,
    /// The folder that stands in the place of it, and goes with this.
    _folder: ScratchFolder,
}

/// Which project is opened, and with which of its targets.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Its folder; `None`: the one that the current folder lies in.
    pub project_dir: Option<PathBuf>,
    /// Where profiles.yml is, where not in the project or in its usual place.
    pub profiles_dir: Option<PathBuf>,
    /// Another profile than the project's.
    pub profile: Option<String>,
    /// Another target than the profile's.
    pub target: Option<String>,
    /// Values of vars, as YAML.
    pub vars: Option<String>,
    /// How many nodes are worked on at once.
    pub threads: Option<usize>,
    /// Whether a key that nothing reads is an error.
    pub is_strict: bool,
    /// Whether the rows that fail a test are kept, where its config does not say.
    pub store_failures: bool,
    /// Whether a text that cannot be read is an error of its node alone, for what works on nodes one by one.
    pub in_part: bool,
    /// Which rows its runs load: none of them where it is tried, in a warehouse of its own.
    pub loads: Loads,
    /// Which warnings are errors, where that is said; else the project's file says it.
    pub warn_options: Option<WarnOptions>,
    /// What this process was called with, as whoever waits for its lease is told.
    pub called_with: String,
}

impl Opening {
    /// The folder of the project.
    ///
    /// # Errors
    /// Where there is none.
    pub fn folder(&self) -> Result<PathBuf, Problem> {
        if let Some(folder) = &self.project_dir {
            if folder.is_dir() {
                return Ok(folder.clone());
            }
            let problem = Problem::new(format!("the project's folder {} does not exist", folder.display()));
            return Err(problem.help("give another --project-dir, or make a project with mep init"));
        }
        let here = std::env::current_dir().map_err(|error| {
            Problem::new(format!(
                "the current folder cannot be used: {}",
                mep_core::os_error::OsMessage(&error)
            ))
        })?;
        project::find_root(&here).ok_or_else(|| {
            Problem::new(format!("there is no project in {} or any folder above", here.display()))
                .help("go to a folder with dbt_project.yml, give --project-dir, or make one with mep init")
        })
    }

    /// Reads the project.
    ///
    /// # Errors
    /// All that is wrong with its files.
    pub fn project(&self) -> Result<Project, AppError> {
        Ok(project::load(&self.load_options()?)?)
    }

    /// Which project to read.
    ///
    /// # Errors
    /// Where there is none.
    pub fn load_options(&self) -> Result<LoadOptions, Problem> {
        Ok(LoadOptions {
            root: self.folder()?,
            profiles_dir: self.profiles_dir.clone(),
            profile: self.profile.clone(),
            target: self.target.clone(),
            vars: self.vars.clone(),
            threads: self.threads,
            is_strict: self.is_strict,
            store_failures: self.store_failures,
        })
    }
}

/// Tells what is not as it was meant, each with its place and how to go on; gives what of it is an error by what the user says.
fn warn<'a>(warnings: impl IntoIterator<Item = &'a Problem>) -> Problems {
    let mut errors = Problems::default();
    for warning in warnings {
        match warnings::fate(warning.warning_kind()) {
            WarningFate::Silent => continue,
            WarningFate::Error => {
                errors.push(warning.clone());
                continue;
            }
            WarningFate::Warn => {}
        }
        let place = warning
            .place()
            .map(|place| format!("{}:{}: ", place.text.path().display(), place.line_column().0));
        let help = warning.help_text().map(|help| format!("; {help}"));
        tracing::warn!("{}{warning}{}", place.unwrap_or_default(), help.unwrap_or_default());
    }
    errors
}

impl FoundSources for Workspace {
    fn rows_of(&self, table: &SourceTable, node: &Node) -> Result<SourceRows, Problem> {
        rows_of(self, table, node)
    }
}

impl Workspace {
    /// Reads the project and makes its graph.
    ///
    /// # Errors
    /// All that is wrong with its files.
    pub fn open(opening: &Opening, command: &str, rendering: Rendering) -> Result<Self, AppError> {
        let mut project = opening.project()?;
        let tried = (opening.loads == Loads::NoRows).then(|| {
            let folder = ScratchFolder::of(&project);
            let own = WarehouseConfig::Local { path: folder.path().to_owned() };
            let warehouse = std::mem::replace(&mut project.target.warehouse, own);
            TriedProject { warehouse, connected: OnceLock::new(), _folder: folder }
        });
        // What the command line says goes before what the project says.
        let options = opening.warn_options.clone().or_else(|| project.warn_options.clone());
        warnings::settle(options.unwrap_or_default());
        let mut errors = warn(&project.warnings);
        let run = RunId::generate();
        let now = Utc::now();
        let invocation = Invocation {
            run_started_at: now,
            logical_date: rendering.date.unwrap_or_else(|| now.date_naive()),
            full_refresh: rendering.full_refresh,
            invocation_id: run.to_string(),
            command: command.to_owned(),
        };
        let templates = Templates::new(&project, invocation)?;
        errors.extend(warn(&templates.warnings));
        let graph = Graph::as_far_as_read(&project, &templates)?;
        let graph = if opening.in_part { graph } else { graph.wholly_read()? };
        errors.extend(warn(graph.warnings()));
        errors.none_or(())?;
        let called_with = opening.called_with.clone();
        let selectors = NamedSelectors::of(&project.selectors)?;
        Ok(Self {
            project,
            templates,
            graph,
            run,
            rendering,
            beside: None,
            selectors,
            called_with,
            nobody: Arc::new(()),
            warehouse: OnceLock::new(),
            tried,
        })
    }

    /// Whether the project is tried over no rows, in a warehouse of its own.
    pub fn is_tried(&self) -> bool {
        self.tried.is_some()
    }

    /// Which rows its runs load.
    pub(super) fn loads(&self) -> Loads {
        if self.is_tried() { Loads::NoRows } else { Loads::AllRows }
    }

    /// The same, where a project of which nothing is meant has nothing to do: one of macros alone, as packages are.
    ///
    /// # Errors
    /// Where the words are wrong, or there are some and they take nothing.
    pub fn select_what_there_is(
        &self,
        selectors: Selectors<'_>,
        is_meant: impl Fn(&Node) -> bool,
    ) -> Result<NodeSet, AppError> {
        let Selectors { select, exclude, selector, types, other_types, only, .. } = &selectors;
        let is_open = select.is_empty() && exclude.is_empty() && selector.is_none() && only.is_none();
        if is_open && types.is_empty() && other_types.is_empty() && !self.graph.nodes().iter().any(&is_meant)
        {
            tracing::warn!("there is nothing to do: the project has nothing that this command works on");
            return Ok(NodeSet::new());
        }
        self.select(selectors, is_meant)
    }

    /// The nodes that the words take and of which `is_meant` holds.
    ///
    /// # Errors
    /// Where the words are wrong, or take nothing.
    pub fn select(
        &self,
        selectors: Selectors<'_>,
        is_meant: impl Fn(&Node) -> bool,
    ) -> Result<NodeSet, AppError> {
        let Selectors { select, exclude, selector, indirect, types, other_types, only } = selectors;
        let selection = self.graph.selected(Wanted {
            select,
            exclude,
            selector,
            indirect,
            named: Some(&self.selectors),
            beside: self.beside.as_ref(),
            columns: Some(&LazyFlows::new(&|| self.column_flows())),
        })?;
        let names = |types: &[String], node: &Node| types.iter().any(|word| word == node.resource_type());
        let is_any = types.is_empty() || types.iter().any(|word| word == "all" || word == "default");
        let is_meant = |node: &Node| {
            (is_any || names(types, node))
                && !names(other_types, node)
                && only.is_none_or(|ids| ids.iter().any(|id| id == node.id.as_str()))
                && is_meant(node)
        };
        let nodes: NodeSet =
            selection.nodes.iter().copied().filter(|index| is_meant(self.graph.node(*index))).collect();
        let unmatched = selection.unmatched.iter().map(|(criterion, near)| match near {
            Some(near) => format!("`{criterion}` matches no node; did you mean `{near}`?"),
            None => format!("`{criterion}` matches no node"),
        });
        let unmatched: Vec<String> = unmatched.collect();
        if nodes.is_empty() {
            let problem = Problem::new("the selection holds nothing that this command works on");
            return Err(match unmatched.as_slice() {
                [] => problem.help("see what there is with: mep ls").into(),
                said => problem.help(said.join("\n")).into(),
            });
        }
        match warnings::fate(WarningKind::NothingMatches) {
            WarningFate::Warn => unmatched.iter().for_each(|said| tracing::warn!("{said}")),
            WarningFate::Error => unmatched.into_iter().map(Problem::new).collect::<Problems>().none_or(())?,
            WarningFate::Silent => {}
        }
        Ok(nodes)
    }

    /// How the columns of all models come from one another, as the project is written.
    ///
    /// # Errors
    /// Where it does not compile.
    pub fn column_flows(&self) -> Result<ColumnFlows, Problems> {
        let has_columns = |(_, node): &(NodeIndex, &Node)| {
            !node.is_test() && !matches!(node.kind, NodeKind::Semantic(_) | NodeKind::Exposure { .. })
        };
        let nodes: NodeSet = self.graph.indexed().filter(has_columns).map(|(index, _)| index).collect();
        let compiled = self.compiler(&|_| None).compile(&nodes)?;
        Ok(ColumnFlows::of(&self.graph, &compiled))
    }

    /// The nodes, and the tests that some of them must pass before they are published.
    pub fn with_tests_before_publish(&self, nodes: &NodeSet) -> NodeSet {
        let is_tested =
            |index: &&NodeIndex| self.graph.node(**index).config.model().publish == PublishWhen::AfterTests;
        let tests = nodes.iter().filter(is_tested).flat_map(|index| self.graph.own_tests(*index));
        nodes.iter().copied().chain(tests).collect()
    }

    /// Compiles nodes and all that they need, but for what is broken, with no answer to what they ask.
    ///
    /// # Errors
    /// All that is wrong with the hooks before the run. What is wrong with those after it is told by whoever calls them.
    pub(super) fn compile_unanswered(&self, nodes: &NodeSet) -> Result<Compiled, AppError> {
        let mut without_effect = self.check_hooks(When::Before)?;
        without_effect.extend(self.check_hooks(When::After).unwrap_or_default());
        let compiled = self.compile_answered(nodes, &self.nobody);
        for said in without_effect.union(&compiled.without_effect) {
            if warnings::note(WarningKind::HookWithoutEffect) {
                tracing::warn!("of a hook, without effect here: {said}");
            }
        }
        Ok(warn(&compiled.warnings).none_or(compiled)?)
    }

    /// Compiles nodes and all that they need, but for what is broken and what needs that.
    pub(super) fn compile_answered(&self, nodes: &NodeSet, answers: &Arc<dyn Answers>) -> Compiled {
        self.with_compiler(answers, |compiler| compiler.compile_each(nodes))
    }

    /// Works with a compiler that knows what is stored.
    fn with_compiler<T>(&self, answers: &Arc<dyn Answers>, work: impl FnOnce(Compiler<'_>) -> T) -> T {
        // Most of what is compiled needs nothing that is stored, and then no warehouse to be reached.
        let warehouse = LazyCell::new(|| self.warehouse());
        let stored = |node: &Node| -> Option<SchemaRef> {
            let is_snapshot = matches!(node.kind, NodeKind::Snapshot { .. });
            let built_anew = !is_snapshot && node.config.full_refresh.unwrap_or(self.rendering.full_refresh);
            let relation = node.relation.as_ref().filter(|_| !built_anew)?;
            // Where the warehouse cannot be read, the run that follows stops with the reason.
            warehouse.as_ref().ok()?.read(relation).ok().flatten().map(|table| table.schema)
        };
        work(Compiler { answers, ..self.compiler(&stored) })
    }

    /// A compiler of this project, with no answer to what it asks.
    pub fn compiler<'a>(&'a self, stored: &'a dyn Fn(&Node) -> Option<SchemaRef>) -> Compiler<'a> {
        Compiler {
            project: &self.project,
            templates: &self.templates,
            graph: &self.graph,
            stored,
            found: self,
            answers: &self.nobody,
            serving: self,
        }
    }

    /// The target's warehouse.
    ///
    /// # Errors
    /// Where it cannot be reached.
    pub fn warehouse(&self) -> Result<Arc<dyn Warehouse>, AppError> {
        self.connected(&self.warehouse, &self.project.target.warehouse)
    }

    /// The warehouse that source tables are in which others publish: the target's, also where the project is tried in another one.
    ///
    /// # Errors
    /// Where it cannot be reached.
    pub fn sources_warehouse(&self) -> Result<Arc<dyn Warehouse>, AppError> {
        match &self.tried {
            Some(tried) => self.connected(&tried.connected, &tried.warehouse),
            None => self.warehouse(),
        }
    }

    fn connected(
        &self,
        place: &OnceLock<Arc<dyn Warehouse>>,
        config: &WarehouseConfig,
    ) -> Result<Arc<dyn Warehouse>, AppError> {
        if let Some(connected) = place.get() {
            return Ok(connected.clone());
        }
        let warehouse: Arc<dyn Warehouse> = match config {
            WarehouseConfig::Local { path } => Arc::new(self.local_warehouse(path)),
            WarehouseConfig::Hive(config) => Arc::new(HiveWarehouse::connect(&HiveLocation {
                metastore: &config.metastore,
                location: &config.location,
                hadoop_conf_dir: config.hadoop_conf_dir.as_deref(),
                schema: &self.project.target.schema,
                trino_catalog: &config.trino_catalog,
                timeout: Duration::from_secs(config.timeout),
            })?),
        };
        Ok(place.get_or_init(|| warehouse).clone())
    }

    /// Begins to read what a local warehouse holds of the nodes and all that they need, while other things are done: what was
    /// read of it and never changes need not be read again.
    pub fn read_ahead(&self, nodes: &NodeSet) {
        let WarehouseConfig::Local { path } = &self.project.target.warehouse else { return };
        let warehouse = self.local_warehouse(path);
        if self.warehouse.set(Arc::new(warehouse.clone())).is_err() {
            return;
        }
        let needed = self.graph.ancestors(nodes, None);
        let relations: Vec<Relation> =
            needed.iter().filter_map(|index| self.graph.node(*index).relation.clone()).collect();
        std::thread::spawn(move || {
            for relation in relations {
                // What cannot be read is told when it is needed.
                let _ = warehouse.read(&relation);
            }
        });
    }

    /// How long superseded content is kept, in days.
    pub fn retention_days(&self) -> u32 {
        self.project.target.retention_days
    }

    /// The embedded engine over the warehouse.
    ///
    /// # Errors
    /// Where it cannot be set up.
    pub fn engine(&self, warehouse: &Arc<dyn Warehouse>) -> Result<Engine, AppError> {
        let memory = self
            .project
            .target
            .memory
            .map_or(DEFAULT_MEMORY, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let options = EngineOptions { threads: cores(), memory, reading: reading(&self.project) };
        Ok(Engine::new(warehouse.clone(), options)?)
    }

    /// What a run of this project is carried out on.
    pub(super) fn run_context<'a>(
        &'a self,
        compiled: &'a Compiled,
        warehouse: &'a dyn Warehouse,
        engine: &'a dyn Executor,
        runtime: &'a tokio::runtime::Runtime,
    ) -> RunContext<'a> {
        RunContext {
            graph: &self.graph,
            compiled,
            warehouse,
            engine,
            runtime,
            run: &self.run,
            hooks: &(),
            scratches: self,
            serving: None,
        }
    }

    /// Takes the right to write.
    ///
    /// # Errors
    /// Where another run has it.
    pub fn lease(&self, warehouse: &dyn Warehouse) -> Result<Lease, AppError> {
        Ok(warehouse.lease(&self.holder())?)
    }

    /// Takes the right to write, and waits for it as long as is wanted where another run has it.
    ///
    /// # Errors
    /// Where another run has it for longer.
    pub fn lease_within(
        &self,
        warehouse: &dyn Warehouse,
        patience: Duration,
        reporter: &dyn Reporter,
    ) -> Result<Taken, AppError> {
        let take = || warehouse.lease(&self.holder());
        let waits = |holder: Option<&Holder>| {
            let holder = holder.map(ToString::to_string);
            reporter.report(Event::Waiting { holder: holder.as_deref(), seconds: patience.as_secs() });
        };
        Ok(take_within(patience, take, waits)?)
    }

    /// This process, as others are told of it.
    pub fn holder(&self) -> Holder {
        Holder {
            run: self.run.to_string(),
            pid: std::process::id(),
            since: Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            command: secrets::masked(&self.called_with).into_owned(),
        }
    }

    /// The local warehouse in a folder that is given relative to the project's.
    pub fn local_warehouse(&self, path: &Path) -> LocalWarehouse {
        let root = self.project.root.join(path);
        LocalWarehouse::new(std::path::absolute(&root).unwrap_or(root))
    }
}

/// What queries may hold where the target does not say.
const DEFAULT_MEMORY: usize = 2 << 30;

/// How many threads there are to work with.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The threads of queries.
///
/// # Errors
/// Where threads cannot be had.
pub fn runtime() -> Result<Arc<tokio::runtime::Runtime>, AppError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(cores()).thread_stack_size(STACK_BYTES).enable_all();
    // What a task panics with is told by whoever waits for it.
    let runtime = builder.on_thread_start(mep_core::guard::guard_this_thread).build();
    runtime.map(Arc::new).map_err(AppError::io("starting threads"))
}
