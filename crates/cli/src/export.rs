//! export: the rows of a model or of a query, for other programs.

use std::path::Path;

use super::arguments::{ExportArguments, Global, RowFormat};
use super::exit::Exit;
use super::show::the_ones;
use mep_app::export::{ExportCompression, ExportFile, ExportFormat, ExportTo};
use mep_app::query::Reader;
use mep_app::{AppError, Rendering, Workspace};
use mep_core::quantity::{bytes, plural};
use mep_lang::project::{Problem, SourceText};

/// Writes rows, and says where they are.
///
/// # Errors
/// Where there is no such model, the query is wrong or fails, or the file cannot be written.
pub(super) fn export(global: &Global, arguments: &ExportArguments) -> Result<Exit, AppError> {
    let (to, file) = destination(arguments)?;
    let workspace = Workspace::open(&global.opening_in_part(), "export", Rendering::default())?;
    let reader = match &arguments.at {
        Some(as_of) => Reader::as_of(&workspace, as_of)?,
        None => Reader::open(&workspace)?,
    };
    let query = match (&arguments.inline, &arguments.model) {
        (Some(query), _) => reader.inline(&SourceText::new("--inline", query.clone()))?,
        (None, Some(model)) => match the_ones(&workspace, model)?.as_slice() {
            [index] => reader.node(*index)?,
            _ => return Err(several_tests(model).into()),
        },
        (None, None) => return Err(Problem::new("expected a model or --inline").into()),
    };
    let exported = mep_app::export::export(&reader, &query, &to, file)?;
    let what = arguments.model.as_deref().unwrap_or("the query");
    if let ExportTo::File(path) = &to {
        let (rows, size) = (plural(exported.rows, "row"), bytes(exported.bytes));
        super::print(&format!("{what}: {rows} in {} ({size})\n", path.display()))?;
    }
    for read in reader.past().map(mep_app::past::Past::read).unwrap_or_default() {
        tracing::info!("{read}");
    }
    Ok(Exit::Success)
}

fn several_tests(name: &str) -> Problem {
    Problem::new(format!("several tests are called `{name}`"))
        .help("give the unique id of one: see mep ls --output json")
}

/// Where rows go, and as what.
fn destination(arguments: &ExportArguments) -> Result<(ExportTo, ExportFile), Problem> {
    let path = arguments.to.as_path();
    let format = arguments.format.map(|format| match format {
        RowFormat::Parquet => ExportFormat::Parquet,
        RowFormat::Csv => ExportFormat::Csv,
        RowFormat::Json => ExportFormat::Json,
        RowFormat::Ndjson => ExportFormat::Ndjson,
        RowFormat::Arrow => ExportFormat::Arrow,
    });
    if path == Path::new("-") {
        let Some(format) = format else {
            let problem = Problem::new("standard output has no name that says a format");
            return Err(problem.help("give one: --format parquet, csv, json, ndjson or arrow"));
        };
        return Ok((ExportTo::Stdout, ExportFile { format, compression: ExportCompression::None }));
    }
    if let Some((scheme, _)) = path.to_str().and_then(|path| path.split_once("://")) {
        let problem = Problem::new(format!("export writes files of this machine, and not to `{scheme}://`"));
        return Err(problem.help("hand the rows on to a program that does: --to - --format csv | …"));
    }
    let file = match (format, ExportFile::of_name(path)) {
        (None, Some(file)) => file,
        (Some(format), _) => ExportFile { format, compression: ExportCompression::of_name(path).0 },
        (None, None) => {
            let problem = Problem::new(format!("the name of {} does not say a format", path.display()));
            return Err(problem.help(
                "end it in .parquet, .csv, .json, .ndjson or .arrow, perhaps with .gz or .zst, or give --format",
            ));
        }
    };
    if file.format == ExportFormat::Parquet && file.compression != ExportCompression::None {
        let problem = Problem::new(
            "a Parquet file is compressed within, and cannot be read from outside compressed again",
        );
        return Err(problem.help("leave out .gz or .zst"));
    }
    Ok((ExportTo::File(path.to_owned()), file))
}
