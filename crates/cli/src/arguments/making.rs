//! Arguments of the commands that make files, or tidy up.

use std::path::PathBuf;

use super::selecting::Selecting;
use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};

/// Arguments of init.
#[derive(Args, Debug)]
pub struct InitArguments {
    /// The folder to make; its name becomes the project's.
    pub folder: PathBuf,
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

/// Arguments of schema.
#[derive(Args, Clone, Copy, Debug)]
pub struct SchemaArguments {
    /// The kind of file.
    #[arg(value_name = "FILE")]
    pub file: SchemaOf,
}

/// The kinds of YAML files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// The files beside models, seeds and tests: sources, columns, tests, exposures.
    Properties,
    /// The file dbt_project.yml.
    Project,
    /// The file profiles.yml.
    Profiles,
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
