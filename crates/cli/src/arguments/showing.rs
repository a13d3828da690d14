//! Arguments of the commands that show what there is.

use std::path::PathBuf;

use super::TextOrJson;
use super::selecting::Selecting;
use clap::{Args, Subcommand, ValueEnum};
use mep_app::past::AsOf;

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

fn parse_as_of(text: &str) -> Result<AsOf, String> {
    AsOf::of_text(text).ok_or_else(|| {
        "expected a day, a time or the id of a run, such as 2018-11-01, 2018-11-01T06:00:00Z or the \
         invocation_id in run_results.json"
            .to_owned()
    })
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
