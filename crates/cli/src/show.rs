//! show: rows of a model, of the rows that fail a test, or of a query.

use arrow::array::RecordBatch;
use arrow::json::writer::{JsonArray, WriterBuilder};
use arrow::util::pretty::pretty_format_batches_with_options;

use super::arguments::{Global, Selecting, ShowArguments, TextOrJson};
use super::exit::Exit;
use mep_app::past::Past;
use mep_app::query::Reader;
use mep_app::{AppError, Rendering, Workspace};
use mep_contract::executor::EngineError;
use mep_graph::NodeIndex;
use mep_lang::project::{Problem, SourceText};

/// Prints rows.
///
/// # Errors
/// Where there is no such node, the query is wrong, or it fails.
pub(super) fn show(global: &Global, arguments: &ShowArguments) -> Result<Exit, AppError> {
    let workspace = Workspace::open(&global.opening_in_part(), "show", Rendering::default())?;
    let open = |workspace| match &arguments.at {
        Some(as_of) => Reader::as_of(workspace, as_of),
        None => Reader::open(workspace),
    };
    let (reader, query) = match (&arguments.inline, &arguments.select) {
        (Some(query), _) => {
            let reader = open(&workspace)?;
            let query = reader.inline(&SourceText::new("--inline", query.clone()))?;
            (reader, query)
        }
        (None, Some(words)) => {
            let index = the_one(&workspace, words)?;
            let reader = open(&workspace)?;
            let query = reader.node(index)?;
            (reader, query)
        }
        (None, None) => return Err(Problem::new("expected --select or --inline").into()),
    };
    let batches = reader.rows(&query, usize::try_from(arguments.limit).ok())?;
    let text = match arguments.output {
        TextOrJson::Json => as_json(&batches)?,
        TextOrJson::Text => as_table(&batches)? + &said_of_past(reader.past()),
    };
    super::print(&text)?;
    Ok(Exit::Success)
}

/// Which contents of which tables were read.
fn said_of_past(past: Option<&Past>) -> String {
    past.map(Past::read).unwrap_or_default().iter().map(|read| format!("{read}\n")).collect()
}

/// The one node that the words take.
fn the_one(workspace: &Workspace, words: &str) -> Result<NodeIndex, AppError> {
    // Tests may share a name; their ids differ.
    if let Some((index, _)) = workspace.graph.indexed().find(|(_, node)| node.id.as_str() == words) {
        return Ok(index);
    }
    let selecting = Selecting { select: vec![words.to_owned()], ..Selecting::default() };
    let nodes = workspace.select(selecting.selectors(), |node| node.name == words || !node.is_test())?;
    let [index] = nodes.iter().copied().collect::<Vec<_>>()[..] else {
        let names: Vec<&str> = nodes.iter().map(|index| workspace.graph.node(*index).name.as_str()).collect();
        let problem = Problem::new(format!("`{words}` selects {} nodes: {}", names.len(), names.join(", ")));
        return Err(problem.help("show prints one: select it by its name").into());
    };
    Ok(index)
}

fn as_json(batches: &[RecordBatch]) -> Result<String, AppError> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut bytes);
    let rows: Vec<&RecordBatch> = batches.iter().filter(|batch| batch.num_rows() > 0).collect();
    let written = writer.write_batches(&rows).and_then(|()| writer.finish());
    written.map_err(EngineError::from)?;
    drop(writer);
    if bytes.is_empty() {
        bytes.extend_from_slice(b"[]");
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.push('\n');
    Ok(text)
}

fn as_table(batches: &[RecordBatch]) -> Result<String, AppError> {
    let options = arrow::util::display::FormatOptions::default().with_null("null");
    let table = pretty_format_batches_with_options(batches, &options);
    let table = table.map_err(EngineError::from)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    Ok(format!("{table}\n{}\n", mep_core::quantity::plural(rows as u64, "row")))
}
