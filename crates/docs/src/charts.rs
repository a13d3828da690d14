//! Charts: queries that an exposure declares under `meta: {charts: […]}`, drawn from what the last run built.

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use super::site::{Chart, Drawn};
use mep_contract::executor::{EngineError, Executor};
use mep_core::keys::{self, Key, Section, Shape, key};
use mep_graph::{Graph, NodeIndex, NodeKind, NodeSet};
use mep_lang::project::{Exposure, Problem, Problems, Project, SourceText, nearest};

const KEYS: [Key; 3] = [
    key("title", "text", "needed", "What the chart shows.").of(Shape::Text),
    key("type", "", "needed", "How it is drawn.").of(Shape::Words(|| KINDS.to_vec())),
    key("sql", "query, with Jinja", "needed", "Its first column are the labels, its second one the numbers.")
        .of(Shape::Text),
];
const KINDS: [&str; 3] = ["bar", "line", "us_states"];
/// A chart of more than so many values says nothing to the eye.
const MOST_VALUES: usize = 1_000;

/// A chart as an exposure declares it.
#[derive(Debug)]
pub struct ChartSpec {
    /// The exposure's node.
    pub exposure: NodeIndex,
    /// What it shows.
    pub title: String,
    kind: &'static str,
    /// The query, with Jinja: its first column are the labels, its second one the numbers.
    pub sql: SourceText,
}

/// The keys of a chart.
pub fn reference() -> Section {
    Section::of("A chart, in the meta of an exposure", &[&KEYS])
}

/// The charts of these nodes' exposures.
///
/// # Errors
/// A problem for each that is not declared as charts are.
pub fn chart_specs(project: &Project, graph: &Graph, nodes: &NodeSet) -> Result<Vec<ChartSpec>, Problems> {
    let (mut specs, mut problems) = (Vec::new(), Problems::default());
    for node in nodes {
        let NodeKind::Exposure { index } = graph.node(*node).kind else { continue };
        let exposure = &project.exposures[index];
        let charts = match exposure.meta.get("charts") {
            None => continue,
            Some(Json::Array(charts)) => charts,
            Some(_) => {
                problems.push(misdeclared(exposure, "expected `charts` to be a list"));
                continue;
            }
        };
        for chart in charts {
            match spec(*node, exposure, chart) {
                Ok(spec) => specs.push(spec),
                Err(problem) => problems.push(*problem),
            }
        }
    }
    problems.none_or(specs)
}

fn spec(node: NodeIndex, exposure: &Exposure, chart: &Json) -> Result<ChartSpec, Box<Problem>> {
    let wrong = |what: String| Box::new(misdeclared(exposure, &what));
    let Some(written) = chart.as_object() else {
        return Err(wrong(format!("expected a chart with title, type and sql, found {chart}")));
    };
    if let Some(unknown) = written.keys().find(|key| !keys::has(&KEYS, key)) {
        return Err(wrong(format!(
            "unknown key `{unknown}` of a chart; the keys are {}",
            keys::names(&KEYS).collect::<Vec<_>>().join(", ")
        )));
    }
    let text = |key: &str| {
        let text = written.get(key).and_then(Json::as_str);
        text.ok_or_else(|| wrong(format!("a chart needs `{key}`, a text")))
    };
    let (title, kind, sql) = (text("title")?, text("type")?, text("sql")?);
    let known = KINDS.iter().find(|known| **known == kind).copied();
    let kind = known.ok_or_else(|| {
        let near = nearest(kind, KINDS).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        wrong(format!(
            "unknown type `{kind}` of the chart `{title}`; the types are {}{near}",
            KINDS.join(", ")
        ))
    })?;
    let sql = SourceText::new(format!("the chart `{title}`"), sql);
    Ok(ChartSpec { exposure: node, title: title.to_owned(), kind, sql })
}

fn misdeclared(exposure: &Exposure, what: &str) -> Problem {
    let problem = Problem::new(format!("the charts of the exposure `{}`: {what}", exposure.name));
    problem.at(&exposure.place).help(
        "write meta: {charts: [{title: Plays by day, type: line, sql: \"select day, plays from {{ ref('plays') }}\"}]}",
    )
}

/// Why a chart has no values.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChartError {
    /// The project or its warehouse does not give the query.
    #[error("{0}")]
    NoQuery(String),
    /// The query cannot be planned.
    #[error("{message}{}", .help.iter().map(|help| format!("; {help}")).collect::<String>())]
    Sql {
        /// What is wrong.
        message: String,
        /// How to go on, where something is known.
        help: Option<String>,
    },
    /// The query gives other columns than a chart has.
    #[error("expected two columns, a label and a number, found {}: {}", .0.len(), .0.join(", "))]
    Columns(Vec<String>),
    /// It fails on its rows.
    #[error("{0}")]
    Failed(String),
    /// It gives more values than say anything.
    #[error("the query gives more than {MOST_VALUES} rows; add a limit, or group them")]
    TooMany,
}

impl From<EngineError> for ChartError {
    fn from(error: EngineError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The chart, with the values of its query; `sql` is the query with its names resolved, or why there is none.
pub fn read_chart(
    spec: &ChartSpec,
    sql: Result<String, ChartError>,
    engine: &dyn Executor,
    runtime: &Runtime,
) -> Chart {
    let read = sql.and_then(|sql| values(&sql, engine, runtime));
    let (x, y, drawn) = match read {
        Ok((x, y, rows)) => (x, y, Drawn::Rows(rows)),
        Err(why) => (String::new(), String::new(), Drawn::Failed(why.to_string())),
    };
    Chart { title: spec.title.clone(), kind: spec.kind, x, y, sql: spec.sql.text().trim().to_owned(), drawn }
}

type Values = (String, String, Vec<(String, f64)>);

fn values(sql: &str, engine: &dyn Executor, runtime: &Runtime) -> Result<Values, ChartError> {
    let plan = engine.scope().plan(sql);
    let plan = plan.map_err(|problem| ChartError::Sql { message: problem.message, help: problem.help })?;
    let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
    let [x, y] = <[String; 2]>::try_from(names).map_err(ChartError::Columns)?;
    let plan = plan.limited(Some(MOST_VALUES + 1)).map_err(EngineError::from)?;
    let batches = runtime.block_on(engine.collect(plan))?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(pairs(batch).map_err(EngineError::from)?);
    }
    if rows.len() > MOST_VALUES {
        return Err(ChartError::TooMany);
    }
    Ok((x, y, rows))
}

/// The rows as labels and numbers; one without a number is left out.
fn pairs(batch: &RecordBatch) -> Result<Vec<(String, f64)>, arrow::error::ArrowError> {
    let (labels, numbers) =
        (cast(batch.column(0), &DataType::Utf8)?, cast(batch.column(1), &DataType::Float64)?);
    let (labels, numbers) = (labels.as_string::<i32>(), numbers.as_primitive::<Float64Type>());
    let row = |index: usize| {
        let label = if labels.is_null(index) { "none" } else { labels.value(index) };
        (numbers.is_valid(index) && numbers.value(index).is_finite())
            .then(|| (label.to_owned(), numbers.value(index)))
    };
    Ok((0..batch.num_rows()).filter_map(row).collect())
}
