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
    let limit = usize::try_from(arguments.limit).ok();
    let (reader, batches) = match (&arguments.inline, &arguments.select) {
        (Some(query), _) => {
            let reader = open(&workspace)?;
            let query = reader.inline(&SourceText::new("--inline", query.clone()))?;
            let batches = reader.rows(&query, limit)?;
            (reader, batches)
        }
        (None, Some(words)) => {
            let nodes = the_ones(&workspace, words)?;
            let reader = open(&workspace)?;
            let batches = rows_of_first(&workspace, &reader, &nodes, limit)?;
            (reader, batches)
        }
        (None, None) => return Err(Problem::new("expected --select or --inline").into()),
    };
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

/// The node that the words take, or the tests of one name.
///
/// # Errors
/// Where they take none, or several others.
pub(super) fn the_ones(workspace: &Workspace, words: &str) -> Result<Vec<NodeIndex>, AppError> {
    // Tests may share a name; their ids differ.
    if let Some((index, _)) = workspace.graph.indexed().find(|(_, node)| node.id.as_str() == words) {
        return Ok(vec![index]);
    }
    let selecting = Selecting { select: vec![words.to_owned()], ..Selecting::default() };
    let nodes = workspace.select(selecting.selectors(), |node| node.name == words || !node.is_test())?;
    let node = |index: &NodeIndex| workspace.graph.node(*index);
    if nodes.len() > 1 && !nodes.iter().all(|index| node(index).is_test() && node(index).name == words) {
        let names: Vec<&str> = nodes.iter().map(|index| node(index).name.as_str()).collect();
        let problem = Problem::new(format!("`{words}` selects {} nodes: {}", names.len(), names.join(", ")));
        return Err(problem.help("one is meant: select it by its name").into());
    }
    Ok(nodes.into_iter().collect())
}

/// The rows of the first node that has some. Of several tests it is said which one they are of.
fn rows_of_first(
    workspace: &Workspace,
    reader: &Reader<'_>,
    nodes: &[NodeIndex],
    limit: Option<usize>,
) -> Result<Vec<RecordBatch>, AppError> {
    let mut first = Vec::new();
    for (at, index) in nodes.iter().enumerate() {
        let batches = reader.rows(&reader.node(*index)?, limit)?;
        if nodes.len() == 1 || batches.iter().any(|batch| batch.num_rows() > 0) {
            if nodes.len() > 1 {
                let id = workspace.graph.node(*index).id.as_str();
                tracing::info!("these rows fail {id}, one of {} tests of that name", nodes.len());
            }
            return Ok(batches);
        }
        if at == 0 {
            first = batches;
        }
    }
    Ok(first)
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
