//! Arguments of the commands that build, test and stream.

use std::path::PathBuf;

use super::TextOrJson;
use super::selecting::{EventTimes, Selecting, parse_time};
use chrono::{NaiveDate, NaiveDateTime};
use clap::Args;
use mep_lang::project::bytes_of;

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
