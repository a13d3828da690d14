//! The words of the command line.

use std::path::PathBuf;

use chrono::{NaiveDate, NaiveDateTime};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mep_app::past::AsOf;
use mep_app::{Opening, Selectors};
use mep_artifacts::DeferredTo;

use mep_core::time_range::TimeRange;
use mep_core::warnings::WarnOptions;
use mep_graph::{IndirectSelection, time_of};
use mep_lang::project::{Problem, bytes_of};
use mep_run::Loads;

/// SQL models in, tables out: every incremental run gives the rows of a full refresh.
#[derive(Debug, Parser)]
#[command(name = "mep", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = super::exit::help())]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What all commands take.
    #[command(flatten)]
    pub global: Global,
}

/// What all commands take.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The folder of the project; without it, the nearest folder from here upward that holds one.
    #[arg(long, global = true, value_name = "FOLDER", env = "MEP_PROJECT_DIR", help_heading = "Project")]
    pub project_dir: Option<PathBuf>,
    /// The folder of profiles.yml; without it, the project's folder, then ~/.dbt.
    #[arg(long, global = true, value_name = "FOLDER", env = "MEP_PROFILES_DIR", help_heading = "Project")]
    pub profiles_dir: Option<PathBuf>,
    /// The profile to use, in place of the one that the project names.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Project")]
    pub profile: Option<String>,
    /// The output of the profile to work on.
    #[arg(long, short, global = true, value_name = "NAME", env = "MEP_TARGET", help_heading = "Project")]
    pub target: Option<String>,
    /// Variables, as a YAML mapping: '{country: SE}'.
    #[arg(long, global = true, value_name = "YAML", help_heading = "Project")]
    pub vars: Option<String>,
    /// How many nodes run at once, in place of the target's number.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Project")]
    pub threads: Option<u16>,
    /// Keys in the project's files that nothing reads are errors, and not warnings.
    #[arg(long, global = true, help_heading = "Project")]
    pub strict: bool,
    /// Warnings are errors: of the project's files before anything is done, of a run or a test at its end.
    #[arg(long, global = true, env = "DBT_WARN_ERROR", help_heading = "Project")]
    pub warn_error: bool,
    /// Which of them are, as a YAML mapping of names, mep's or dbt's: '{error: all, warn: [TestWarns], silence: [UnknownKey]}'.
    #[arg(
        long,
        global = true,
        value_name = "YAML",
        env = "DBT_WARN_ERROR_OPTIONS",
        help_heading = "Project"
    )]
    #[arg(conflicts_with = "warn_error")]
    pub warn_error_options: Option<String>,
    /// How progress is told on standard error.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub log_format: LogFormat,
    /// Only results and what went wrong.
    #[arg(long, short, global = true, help_heading = "Output")]
    pub quiet: bool,
    /// What the words about warnings say, once they are read.
    #[arg(skip)]
    pub warn_options: Option<WarnOptions>,
}

impl Global {
    /// Which project is opened, where a text that cannot be read matters to what works on its node alone.
    pub fn opening_in_part(&self) -> Opening {
        Opening { in_part: true, ..self.opening() }
    }

    /// Which project is opened.
    pub fn opening(&self) -> Opening {
        let words: Vec<String> = std::env::args().skip(1).collect();
        Opening {
            project_dir: self.project_dir.clone(),
            profiles_dir: self.profiles_dir.clone(),
            profile: self.profile.clone(),
            target: self.target.clone(),
            vars: self.vars.clone(),
            threads: self.threads.map(usize::from),
            is_strict: self.strict,
            store_failures: false,
            in_part: false,
            loads: Loads::AllRows,
            warn_options: self.warn_options.clone(),
            called_with: format!("mep {}", words.join(" ")),
        }
    }
}

/// How progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// What mep does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Land what is new in the sources, then build the models that it touches.
    Run(RunArguments),
    /// Run and test: seeds, snapshots, models and their tests, in the order of the graph.
    ///
    /// What fails its tests keeps what reads it from being built.
    Build(RunArguments),
    /// Run the tests over the tables as they are.
    ///
    /// With --record, write one.
    Test(TestArguments),
    /// Load the CSV files of seeds/.
    Seed(RunArguments),
    /// Take snapshots: keep the versions of the rows of their sources.
    Snapshot(RunArguments),
    /// Keep streaming models in step with their sources until told to stop.
    Stream(StreamArguments),
    /// Compare what streaming models wrote with the same SQL over what is landed.
    Reconcile(ReconcileArguments),
    /// Say what a run would do, partition by partition, and why; write nothing.
    Plan(PlanArguments),
    /// Call a macro by itself: its logic, what it logs, and what it asks of the tables.
    ///
    /// A macro that writes is refused.
    RunOperation(RunOperationArguments),
    /// Print rows of a model, or of a query over the models.
    Show(ShowArguments),
    /// Write the rows of a model, or of a query, as one file for other programs.
    ///
    /// The file is there as a whole or not at all.
    Export(ExportArguments),
    /// Do again what failed in the last run, or was not begun because of that.
    Retry(RetryArguments),
    /// Source tables.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Show where the values of a column come from, and where they go.
    Lineage(LineageArguments),
    /// List what is in the project.
    #[command(visible_alias = "list")]
    Ls(LsArguments),
    /// The project as one page, to be opened from disk or served.
    ///
    /// It says what each table is, where it comes from, how fresh and how well tested it is.
    #[command(subcommand)]
    Docs(DocsCommand),
    /// Check every model against its inputs, and write the compiled SQL.
    ///
    /// It goes below target/compiled. With --inline, the query is printed.
    Compile(CompileArguments),
    /// Read and check the project's files, without its SQL.
    Parse,
    /// Make a new project in a folder.
    Init(InitArguments),
    /// Show which project, profile and target are used, and whether they can be.
    Debug,
    /// Bring in the packages that packages.yml and dependencies.yml name.
    ///
    /// They go to dbt_packages/: folders are linked, repositories fetched by git. package-lock.yml says what they came to.
    Deps(DepsArguments),
    /// Write the tables that an earlier state has in another schema as those of this target.
    ///
    /// Snapshots and models that keep their own increments go on from there; other tables are built anew by the next run.
    Clone(CloneArguments),
    /// Write small files of tables anew as fewer and larger ones.
    ///
    /// Rows and versions stay the same, so that nothing is built because of it.
    Compact(CompactArguments),
    /// Delete files that no table points at any more, and the artifacts.
    ///
    /// Files younger than the target's retention stay, so that a reader that has begun can end.
    Clean(CleanArguments),
    /// Write the simulator's events to files, or send them to Kafka.
    Generate(GenerateArguments),
    /// Have Airflow call mep: a DAG made of the graph.
    #[command(subcommand)]
    Airflow(AirflowCommand),
    /// Print what makes a shell complete mep's words.
    Completions(CompletionsArguments),
    /// Write the manual pages, for packages.
    #[command(hide = true)]
    Man(ManArguments),
}

/// What is done with source tables.
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Ask how old the rows of source tables are that say how old they may be.
    Freshness(SourceFreshnessArguments),
    /// Write the columns that the files of source tables have into the YAML that declares the tables.
    Infer(SourceInferArguments),
}

/// Arguments of source infer.
#[derive(Args, Debug)]
pub struct SourceInferArguments {
    /// Which source tables; all that lie in files without this.
    #[command(flatten)]
    pub selecting: Selecting,
    /// Only say which columns there are, and change no file.
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of source freshness.
#[derive(Args, Debug)]
pub struct SourceFreshnessArguments {
    /// Which source tables; all of them without this.
    #[command(flatten)]
    pub selecting: Selecting,
    /// The file that is written; without it, sources.json in the target path.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of retry.
#[derive(Args, Debug)]
pub struct RetryArguments {
    /// The folder with the results of the run, in place of the target path.
    #[arg(long, value_name = "FOLDER", env = "DBT_STATE")]
    pub state: Option<PathBuf>,
    /// Begin nothing more once a node has failed.
    #[arg(long, short = 'x')]
    pub fail_fast: bool,
    /// For how many seconds to wait for another run that holds the warehouse.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
}

/// Arguments of lineage.
#[derive(Args, Debug)]
pub struct LineageArguments {
    /// The column: node.column, or source.table.column.
    #[arg(value_name = "COLUMN")]
    pub column: String,
    /// Only where it comes from.
    #[arg(long, conflicts_with = "downstream")]
    pub upstream: bool,
    /// Only where it goes.
    #[arg(long)]
    pub downstream: bool,
    /// Also the columns that decide which rows there are: of filters, joins and groups.
    #[arg(long)]
    pub rows: bool,
    /// The form of what is printed.
    #[arg(long, value_name = "FORMAT", default_value = "tree")]
    pub output: LineageOutput,
}

/// How lineage is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LineageOutput {
    /// For people.
    Tree,
    /// For programs.
    Json,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

/// What is done with the docs.
#[derive(Debug, Subcommand)]
pub enum DocsCommand {
    /// Write them to a file that needs no server and no network.
    Generate(Box<DocsGenerateArguments>),
    /// Serve them on this machine, and follow the project's files.
    Serve(DocsServeArguments),
}

/// Arguments of docs generate.
#[derive(Args, Debug)]
pub struct DocsGenerateArguments {
    /// Which nodes; all of them without this.
    #[command(flatten)]
    pub selecting: Selecting,
    /// The file; without it, docs/index.html in the target path.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave the warehouse alone: the docs then say nothing of rows, sizes and ages.
    #[arg(long)]
    pub no_warehouse: bool,
}

/// Arguments of docs serve.
#[derive(Args, Debug)]
pub struct DocsServeArguments {
    /// The port at 127.0.0.1; 0 takes one that is free.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// Leave the warehouse alone: the docs then say nothing of rows, sizes and ages.
    #[arg(long)]
    pub no_warehouse: bool,
}

/// Which nodes.
#[derive(Args, Clone, Debug, Default)]
pub struct Selecting {
    /// Nodes to take: names, globs, +parents, children+, tag:, path:, source: and more; a space joins, a comma intersects.
    ///
    /// Also @both, column:fact_listen.song_id+, file:, exposure:, package:, config.key:, resource_type: and test_type:.
    #[arg(long, short, value_name = "SELECTOR", num_args = 1.., action = clap::ArgAction::Append)]
    #[arg(visible_alias = "models", short_alias = 'm')]
    pub select: Vec<String>,
    /// Nodes to leave out.
    #[arg(long, value_name = "SELECTOR", num_args = 1.., action = clap::ArgAction::Append)]
    pub exclude: Vec<String>,
    /// A selector of selectors.yml, in place of --select and --exclude.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["select", "exclude"])]
    pub selector: Option<String>,
    /// Which tests come with what they test.
    #[arg(long, value_name = "WHICH", default_value = "eager", env = "DBT_INDIRECT_SELECTION")]
    pub indirect_selection: WhichTests,
    /// The folder with the artifacts of an earlier state, for state:, result: and source_status:.
    #[arg(long, value_name = "FOLDER", env = "DBT_STATE")]
    pub state: Option<PathBuf>,
    /// Read what is not selected, and not built in this target, where the manifest in --state says that it was built.
    #[arg(long, env = "DBT_DEFER")]
    pub defer: bool,
    /// With --defer: read it there even where it is built in this target too.
    #[arg(long, env = "DBT_FAVOR_STATE")]
    pub favor_state: bool,
    /// The folder with the manifest for --defer, where that is not the one of --state.
    #[arg(long, value_name = "FOLDER", env = "DBT_DEFER_STATE")]
    pub defer_state: Option<PathBuf>,
    /// Only nodes of these types: model, seed, snapshot, source, test, unit_test, exposure, semantic_model, metric, saved_query.
    #[arg(long, value_name = "TYPE", num_args = 1.., action = clap::ArgAction::Append)]
    #[arg(visible_alias = "resource-types")]
    pub resource_type: Vec<String>,
    /// Nodes of other types alone.
    #[arg(long, value_name = "TYPE", num_args = 1.., action = clap::ArgAction::Append)]
    #[arg(visible_alias = "exclude-resource-types")]
    pub exclude_resource_type: Vec<String>,
    /// These nodes alone, by unique id.
    #[arg(skip)]
    pub only: Option<Vec<String>>,
}

/// Which tests come with what they test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WhichTests {
    /// Those of which any input is selected.
    #[default]
    Eager,
    /// Those of which all inputs are.
    Cautious,
    /// Those of which all inputs are, or are needed by what is.
    Buildable,
    /// None that is not named.
    Empty,
}

impl From<WhichTests> for IndirectSelection {
    fn from(which: WhichTests) -> Self {
        match which {
            WhichTests::Eager => Self::Eager,
            WhichTests::Cautious => Self::Cautious,
            WhichTests::Buildable => Self::Buildable,
            WhichTests::Empty => Self::Empty,
        }
    }
}

impl Selecting {
    /// The earlier state that what is not selected is read from.
    pub fn deferred_to(&self) -> Option<DeferredTo> {
        let folder = self.defer_state.as_ref().or(self.state.as_ref()).filter(|_| self.defer)?;
        Some(DeferredTo { folder: folder.clone(), is_favored: self.favor_state })
    }

    /// In the words of the selector grammar.
    pub fn selectors(&self) -> Selectors<'_> {
        Selectors {
            select: &self.select,
            exclude: &self.exclude,
            selector: self.selector.as_deref(),
            indirect: self.indirect_selection.into(),
            types: &self.resource_type,
            other_types: &self.exclude_resource_type,
            only: self.only.as_deref(),
        }
    }
}

/// The event times that microbatch models are run for.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct EventTimes {
    /// Run microbatch models for the batches from this time on: a day, or a day and a time, in UTC.
    #[arg(long, value_name = "TIME", requires = "event_time_end", value_parser = parse_time)]
    #[arg(conflicts_with = "full_refresh")]
    pub event_time_start: Option<NaiveDateTime>,
    /// Run microbatch models for the batches before this time.
    #[arg(long, value_name = "TIME", requires = "event_time_start", value_parser = parse_time)]
    pub event_time_end: Option<NaiveDateTime>,
}

fn parse_time(text: &str) -> Result<NaiveDateTime, String> {
    time_of(text).ok_or_else(|| {
        "expected a day or a time in UTC, such as 2018-11-01 or 2018-11-01T06:00:00".to_owned()
    })
}

fn parse_as_of(text: &str) -> Result<AsOf, String> {
    AsOf::of_text(text).ok_or_else(|| {
        "expected a day, a time or the id of a run, such as 2018-11-01, 2018-11-01T06:00:00Z or the \
         invocation_id in run_results.json"
            .to_owned()
    })
}

impl EventTimes {
    /// The stretch between both, where the user named one.
    ///
    /// # Errors
    /// Where it is empty.
    pub fn range(self) -> Result<Option<TimeRange>, Problem> {
        let Some((begin, end)) = self.event_time_start.zip(self.event_time_end) else { return Ok(None) };
        if begin >= end {
            let problem = Problem::new("`--event-time-start` is not before `--event-time-end`");
            return Err(problem.help("the end is the first time that is left out"));
        }
        Ok(Some(TimeRange { begin, end }))
    }
}

/// Arguments of run, build, test, seed and snapshot.
#[derive(Args, Debug)]
pub struct RunArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selecting: Selecting,
    /// Build everything anew, aside, and swap it in at the end.
    #[arg(long, short)]
    pub full_refresh: bool,
    /// The logical date: sources are read up to and including this day.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<NaiveDate>,
    /// The event times that microbatch models are run for.
    #[command(flatten)]
    pub event_times: EventTimes,
    /// Begin nothing more once a node has failed.
    #[arg(long, short = 'x')]
    pub fail_fast: bool,
    /// Keep the rows that fail a test in a table of its own, unless its config says otherwise.
    #[arg(long)]
    pub store_failures: bool,
    /// What is tried.
    #[command(flatten)]
    pub trying: Trying,
    /// For how many seconds to wait for another run that holds the warehouse; tests need not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
    /// What is printed on standard output at the end.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: TextOrJson,
}

/// What a run is tried over.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Trying {
    /// Try what is selected, and all that it reads, over no rows: in a warehouse of its own, which is gone at the end. Nothing is
    /// published, and no artifact is written. With run, build and snapshot.
    #[arg(long, conflicts_with_all = ["defer", "store_failures"])]
    pub empty: bool,
}

/// Arguments of test.
#[derive(Args, Debug)]
pub struct TestArguments {
    /// What all runs take.
    #[command(flatten)]
    pub run: RunArguments,
    /// Write a unit test of this model: the first rows of its inputs as they are built, and what it gives for them.
    ///
    /// It goes beside the model, as <model>_recorded.yml; one that is there stays as it is.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["select", "exclude", "selector", "full_refresh"])]
    pub record: Option<String>,
    /// With --record: how many rows of each input.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "record")]
    pub limit: usize,
}

/// Arguments of stream.
#[derive(Args, Debug)]
pub struct StreamArguments {
    /// Which streaming models; all of them without this.
    #[command(flatten)]
    pub selecting: Selecting,
    /// Begin anew: with empty tables, from the first event that the source holds.
    #[arg(long, short)]
    pub full_refresh: bool,
    /// How often rows are written, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub interval: u64,
    /// After how many seconds without events a partition no longer holds windows open.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_after: u64,
    /// After how many seconds the tables that models join are read again.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub refresh_after: u64,
    /// Stand by while another process streams a model, and go on with it when that one ends.
    #[arg(long)]
    pub wait: bool,
    /// Where Prometheus finds the numbers, at /metrics.
    #[arg(long, value_name = "HOST:PORT")]
    pub metrics: Option<std::net::SocketAddr>,
    /// With the simulator: how many times as fast as the clock its time goes; 0 for as fast as it is read.
    #[arg(long, value_name = "TIMES", default_value_t = 3_600.0)]
    pub speed: f64,
}

/// Arguments of reconcile.
#[derive(Args, Debug)]
pub struct ReconcileArguments {
    /// Which streaming models; all of them without this.
    #[command(flatten)]
    pub selecting: Selecting,
    /// Compare what happened from this time on: a day, or a day and a time, in UTC.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<NaiveDateTime>,
    /// The share of a model's rows that may differ; past it the exit code is 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub tolerance: f64,
    /// How many differences of each model are printed.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
    /// The form of the result.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: TextOrJson,
}

/// Arguments of plan.
#[derive(Args, Debug)]
pub struct PlanArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selecting: Selecting,
    /// Plan a full refresh.
    #[arg(long, short)]
    pub full_refresh: bool,
    /// The logical date: sources are read up to and including this day.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<NaiveDate>,
    /// The event times that microbatch models are run for.
    #[command(flatten)]
    pub event_times: EventTimes,
    /// Say of each node, current ones too, how its partitions follow from its inputs', and each partition's reason.
    #[arg(long)]
    pub explain: bool,
    /// The form of the plan; JSON says all that --explain says.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: TextOrJson,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Arguments of run-operation.
#[derive(Args, Debug)]
pub struct RunOperationArguments {
    /// The macro, with the name of its package before it where it is of one: tools.check.
    #[arg(value_name = "MACRO")]
    pub name: String,
    /// Its arguments, as a YAML mapping: '{table: orders}'.
    #[arg(long, value_name = "YAML")]
    pub args: Option<String>,
}

/// Arguments of show.
#[derive(Args, Debug)]
pub struct ShowArguments {
    /// The model to show.
    #[arg(long, short, value_name = "MODEL", required_unless_present = "inline", conflicts_with = "inline")]
    pub select: Option<String>,
    /// A query, in which Jinja works as in a model.
    #[arg(long, value_name = "SQL")]
    pub inline: Option<String>,
    /// Read tables as they were at a time in UTC, at the end of a day, or after a run, by the `invocation_id` in `run_results.json`.
    #[arg(long, value_name = "TIME OR RUN", value_parser = parse_as_of)]
    pub at: Option<AsOf>,
    /// How many rows; -1 for all.
    #[arg(long, value_name = "N", default_value_t = 5, allow_negative_numbers = true)]
    pub limit: i64,
    /// A table for people, or one JSON array of objects.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: TextOrJson,
}

/// Arguments of export.
#[derive(Args, Debug)]
pub struct ExportArguments {
    /// The model.
    #[arg(value_name = "MODEL", required_unless_present = "inline", conflicts_with = "inline")]
    pub model: Option<String>,
    /// A query, in which Jinja works as in a model.
    #[arg(long, value_name = "SQL")]
    pub inline: Option<String>,
    /// The file, whose extensions say its format and compression (plays.csv.gz); - is standard output.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// The format, where the name of the file does not say it.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<RowFormat>,
    /// Read tables as they were at a time in UTC, at the end of a day, or after a run, by the `invocation_id` in `run_results.json`.
    #[arg(long, value_name = "TIME OR RUN", value_parser = parse_as_of)]
    pub at: Option<AsOf>,
}

/// How rows are written for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// Parquet.
    Parquet,
    /// Comma-separated values with a header; NULL is nothing, a text without characters is `""`.
    Csv,
    /// One JSON array of objects.
    Json,
    /// A JSON object a line.
    Ndjson,
    /// Arrow's file format; on standard output its stream format.
    Arrow,
}

/// Arguments of ls.
#[derive(Args, Debug)]
pub struct LsArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selecting: Selecting,
    /// How each is printed.
    #[arg(long, value_name = "FORMAT", default_value = "selector")]
    pub output: LsOutput,
    /// With --output json: the keys to print.
    #[arg(long, value_name = "KEY", num_args = 1.., action = clap::ArgAction::Append)]
    pub output_keys: Vec<String>,
}

/// How ls prints a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LsOutput {
    /// As a selector takes it: `music_events.core.fact_listen`.
    Selector,
    /// Its name alone.
    Name,
    /// Its file.
    Path,
    /// A JSON object a line.
    Json,
}

/// Arguments of compile.
#[derive(Args, Debug)]
pub struct CompileArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selecting: Selecting,
    /// Compile this query in place of the project's models, and print it.
    #[arg(long, value_name = "SQL")]
    pub inline: Option<String>,
    /// Compile as for a full refresh.
    #[arg(long, short)]
    pub full_refresh: bool,
}

/// Arguments of init.
#[derive(Args, Debug)]
pub struct InitArguments {
    /// The folder to make; its name becomes the project's.
    pub folder: PathBuf,
}

/// Arguments of clone.
#[derive(Args, Debug)]
pub struct CloneArguments {
    /// Which tables; all of them without this. --state says of which earlier state.
    #[command(flatten)]
    pub selecting: Selecting,
    /// Clone anew what this target has already.
    #[arg(long, short)]
    pub full_refresh: bool,
    /// The form of what is printed on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: TextOrJson,
}

/// Arguments of compact.
#[derive(Args, Debug)]
pub struct CompactArguments {
    /// Which tables; all of them without this.
    #[command(flatten)]
    pub selecting: Selecting,
    /// How large a file may become; one of less than half of that is small.
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_size)]
    pub target_file_size: u64,
    /// How many small files a partition must have to be compacted.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub min_files: usize,
    /// Say what would be compacted, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The form of what is printed on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: TextOrJson,
}

fn parse_size(text: &str) -> Result<u64, String> {
    let bytes = bytes_of(text).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "expected a size such as 128MiB or 1GB".to_owned())
}

/// Arguments of deps.
#[derive(Args, Debug)]
pub struct DepsArguments {
    /// Look for newer versions, in place of those that package-lock.yml says.
    #[arg(long)]
    pub upgrade: bool,
}

/// Arguments of clean.
#[derive(Args, Debug)]
pub struct CleanArguments {
    /// Keep what was superseded within so many days, in place of the target's retention.
    #[arg(long, value_name = "DAYS")]
    pub retention_days: Option<u32>,
}

/// Arguments of generate.
#[derive(Args, Debug)]
pub struct GenerateArguments {
    /// The folder, in which a folder for each topic is made, with a file for each day; or the word kafka.
    #[arg(long, value_name = "FOLDER|kafka")]
    pub to: PathBuf,
    /// To Kafka: the brokers, in place of those of the target's connection.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', help_heading = "To Kafka")]
    pub brokers: Vec<String>,
    /// What stands before a topic's name, in place of what the target's connection says.
    #[arg(long, value_name = "TEXT", help_heading = "To Kafka")]
    pub topic_prefix: Option<String>,
    /// Partitions of topics that are made; those that are there stay as they are.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=100_000), help_heading = "To Kafka")]
    pub partitions: i32,
    /// At most so many events a second.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "To Kafka")]
    pub rate: Option<u64>,
    /// Send each event when the clock comes to its time, until told to stop. What lies before now is sent at once, in the
    /// order of time, less what the topics hold already.
    #[arg(long, conflicts_with_all = ["rate", "days"], help_heading = "To Kafka")]
    pub live: bool,
    /// Each event happens when it is sent, or with --rate when it is due to be, in place of the simulator's time.
    #[arg(long, conflicts_with = "live", help_heading = "To Kafka")]
    pub now: bool,
    /// The seed of every random choice.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The first day [default: 2018-11-01; with --live, today].
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub start: Option<NaiveDate>,
    /// How many days.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub days: u32,
    /// Users at the start.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub users: u64,
    /// New users per year, as a share of those at the start.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub growth: f64,
    /// Users lost per year, as a share of those there.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub attrition: f64,
    /// The share of events that are sent twice.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    pub duplicates: f64,
    /// Write names that are not ASCII as UTF-8 read as Latin-1, as the original pipeline's generator does.
    #[arg(long)]
    pub mojibake: bool,
    /// Topics to write; all of them without this.
    #[arg(long, value_name = "TOPIC", num_args = 1.., action = clap::ArgAction::Append)]
    pub topic: Vec<String>,
    /// How the files are compressed.
    #[arg(long, value_name = "HOW", default_value = "gzip")]
    pub compression: FileCompression,
}

/// What there is for Airflow.
#[derive(Debug, Subcommand)]
pub enum AirflowCommand {
    /// Write a DAG file with a task for each source, seed, snapshot and model, in the order of the graph.
    ///
    /// Streaming models are left out. The options that say which project and which target become those of every task.
    Export(AirflowExport),
}

/// Arguments of airflow export.
#[derive(Args, Debug)]
pub struct AirflowExport {
    /// Which nodes.
    #[command(flatten)]
    pub selecting: Selecting,
    /// What one task builds.
    #[arg(long, value_name = "WHAT", default_value = "model")]
    pub by: ExportGrain,
    /// After each task, one that runs the tests of what it built; what fails keeps what comes after from being built.
    #[arg(long)]
    pub with_tests: bool,
    /// The DAG's name, in place of the project's.
    #[arg(long, value_name = "NAME")]
    pub dag_id: Option<String>,
    /// When it runs, as cron says it, in UTC; a run's date is the day of the interval that has ended.
    #[arg(long, value_name = "CRON", default_value = "0 0 * * *")]
    pub schedule: String,
    /// The file to write; standard output without this.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What a task of an exported DAG builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportGrain {
    /// One model.
    Model,
    /// The models of a folder.
    Folder,
}

/// Arguments of completions.
#[derive(Args, Debug)]
pub struct CompletionsArguments {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Arguments of man.
#[derive(Args, Debug)]
pub struct ManArguments {
    /// The folder, which is made where it is not there: a page for mep, and one for each command.
    pub folder: PathBuf,
}

/// How files of events are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileCompression {
    /// .json
    None,
    /// .json.gz
    Gzip,
    /// .json.zst
    Zstd,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn selectors_are_taken_as_dbt_takes_them() {
        let words = ["mep", "run", "--select", "a+", "tag:x", "--exclude", "b", "-s", "c", "--full-refresh"];
        let Command::Run(run) = Arguments::parse_from(words).command else { unreachable!() };
        assert_eq!(run.selecting.select, ["a+", "tag:x", "c"]);
        assert_eq!(run.selecting.exclude, ["b"]);
        assert!(run.full_refresh);
    }
}
