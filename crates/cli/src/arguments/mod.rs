//! The words of the command line.

mod making;
mod running;
mod selecting;
mod showing;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mep_app::Opening;
use mep_core::warnings::WarnOptions;
use mep_run::Loads;

pub use making::{
    AirflowCommand, AirflowExport, CleanArguments, CompletionsArguments, DepsArguments, ExportGrain,
    FileCompression, GenerateArguments, InitArguments, ManArguments, SchemaArguments, SchemaOf,
};
pub use running::{
    CloneArguments, CompactArguments, PlanArguments, ReconcileArguments, RetryArguments, RunArguments,
    RunOperationArguments, StreamArguments, TestArguments, Trying,
};
pub use selecting::{EventTimes, Selecting, WhichTests};
pub use showing::{
    CompileArguments, DocsCommand, DocsGenerateArguments, DocsServeArguments, ExportArguments,
    LineageArguments, LineageOutput, LsArguments, LsOutput, RowFormat, ShowArguments, SourceCommand,
    SourceFreshnessArguments, SourceInferArguments,
};

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
    /// Print the JSON schema of a project's YAML files, by which editors check and complete them.
    Schema(SchemaArguments),
    /// Print what makes a shell complete mep's words.
    Completions(CompletionsArguments),
    /// Write the manual pages, for packages.
    #[command(hide = true)]
    Man(ManArguments),
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people.
    Text,
    /// For programs.
    Json,
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
