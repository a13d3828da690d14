//! Unit tests that are made of rows that are there: the first rows of what a model reads, and what the model gives for them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::json::writer::{JsonArray, WriterBuilder};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::error::AppError;
use super::query::Reader;
use super::workspace::Workspace;
use mep_contract::executor::EngineError;
use mep_contract::source::BATCH;
use mep_core::quantity::plural;
use mep_graph::{CompiledUnit, Graph, Materialization, Node, NodeIndex, NodeKind, NodeSet, tested_relation};
use mep_lang::project::{
    Located, Overrides, Problem, Project, SourceText, Span, UnitInput, UnitRows, UnitTest,
};

/// A unit test that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedTest {
    /// Its file, as the project names it.
    pub file: PathBuf,
    /// Its name.
    pub name: String,
    /// The rows of all inputs.
    pub given: usize,
    /// The rows that are expected.
    pub expected: usize,
}

impl Workspace {
    /// Writes a unit test of a model, made of the first rows of each of its inputs, into the folder of the model.
    ///
    /// # Errors
    /// Where there is no such model, it cannot be tested so, its inputs are not built, or the file is there.
    pub fn record(&self, model: &str, limit: usize) -> Result<RecordedTest, AppError> {
        let index = self.recordable(model)?;
        let node = self.graph.node(index);
        let name = format!("{}_recorded", node.name_with_version());
        let file = node.path.with_file_name(format!("{name}.yml"));
        let path = self.project.root.join(&file);
        if path.exists() {
            let problem = Problem::new(format!("{} is there already", file.display()));
            return Err(problem.help("delete it, or give it and its test another name").into());
        }
        let reader = Reader::open(self)?;
        let mut given = Vec::new();
        let mut seen = BTreeSet::new();
        for input in self.graph.parents(index) {
            if !seen.insert(tested_relation(self.graph.node(*input))) {
                continue;
            }
            let batches = reader.rows(&reader.node(*input)?, Some(limit))?;
            let mut rows = rows_of(&batches)?;
            if matches!(self.graph.node(*input).kind, NodeKind::Source { .. }) {
                // It names a run, and says nothing of the row.
                for row in &mut rows {
                    row.shift_remove(BATCH);
                }
            }
            given.push((written(node, self.graph.node(*input)), rows));
        }
        let mut expected = self.given_by(&reader, node, &name, &given)?;
        // A SELECT gives its rows in any order, and a file is to be the same each time.
        expected.sort_by_cached_key(|row| serde_json::to_string(row).unwrap_or_default());
        let text = text_of(node, &name, limit, &given, &expected);
        write_new(&path, &text).map_err(AppError::io("writing the unit test"))?;
        let given = given.iter().map(|(_, rows)| rows.len()).sum();
        Ok(RecordedTest { file, name, given, expected: expected.len() })
    }

    /// The model of a name, where a unit test can be made of it.
    fn recordable(&self, name: &str) -> Result<NodeIndex, Problem> {
        let is_it = |node: &Node| {
            matches!(node.kind, NodeKind::Model { .. })
                && (node.name_with_version() == name || node.reference_names().any(|known| known == name))
        };
        let Some((index, node)) = self.graph.indexed().find(|(_, node)| is_it(node)) else {
            let models = self.graph.nodes().iter().filter(|node| matches!(node.kind, NodeKind::Model { .. }));
            let problem = Problem::new(format!("there is no model `{name}`"));
            return Err(problem.did_you_mean(name, models.map(|node| node.name.as_str())));
        };
        if node.config.materialized() == Materialization::Streaming {
            let problem =
                Problem::new(format!("`{name}` is a streaming model, of which there are no unit tests"));
            return Err(problem.help("compare it with its SELECT over what is landed: mep reconcile"));
        }
        let is_own = node.fqn.first().is_some_and(|package| *package == self.project.name);
        if !is_own {
            let problem = Problem::new(format!("`{name}` is a model of a package"));
            return Err(problem.help("record models of the project itself: mep deps brings packages in anew"));
        }
        Ok(index)
    }

    /// What a model gives for rows: a unit test that expects nothing is compiled, and its SELECT run.
    fn given_by(
        &self,
        reader: &Reader<'_>,
        node: &Node,
        name: &str,
        given: &[(String, Vec<Row>)],
    ) -> Result<Vec<Row>, AppError> {
        let place = SourceText::new(node.path.clone(), "").at(Span::default());
        let located = |value: &str| Located { value: value.to_owned(), place: place.clone() };
        let listed = |rows: &[Row]| UnitRows::Listed(Located { value: rows.to_vec(), place: place.clone() });
        let given = given.iter().map(|(input, rows)| UnitInput {
            input: located(input),
            rows: listed(rows),
            replaces: false,
        });
        let test = UnitTest {
            name: located(name),
            model: located(&node.name),
            given: given.collect(),
            expect: listed(&[]),
            overrides: Overrides::default(),
            description: None,
            tags: Vec::new(),
            meta: IndexMap::new(),
            include: node.version().map(|version| version.version.clone()).into_iter().collect(),
            exclude: Vec::new(),
            folders: Vec::new(),
            steps: Vec::new(),
            full_refresh: true,
            of_macro: None,
        };
        let project = Project { unit_tests: vec![test], ..self.project.clone() };
        let graph = Graph::as_far_as_read(&project, &self.templates)?;
        let tests: NodeSet =
            graph.indexed().filter(|(_, node)| node.is_unit_test()).map(|(index, _)| index).collect();
        let nothing = |_: &Node| None;
        let compiler = mep_graph::Compiler { project: &project, graph: &graph, ..self.compiler(&nothing) };
        let compiled = compiler.compile(&tests)?;
        let unit = compiled.tests.into_values().find_map(|test| match test.unit {
            Some(CompiledUnit::Rows(rows)) => Some(rows.actual),
            _ => None,
        });
        let Some(sql) = unit else {
            let problem = Problem::new(format!("the SQL of `{}` depends on what its inputs hold", node.name));
            return Err(problem
                .help("write its test by hand, with `overrides` for the macros that ask")
                .into());
        };
        rows_of(&reader.rows(&super::query::Query::of(sql, node), None)?)
    }
}

type Row = IndexMap<String, Json>;

/// Rows as YAML has them.
fn rows_of(batches: &[RecordBatch]) -> Result<Vec<Row>, AppError> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut bytes);
    let rows: Vec<&RecordBatch> = batches.iter().filter(|batch| batch.num_rows() > 0).collect();
    writer.write_batches(&rows).and_then(|()| writer.finish()).map_err(EngineError::from)?;
    drop(writer);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let unread = |error: serde_json::Error| Problem::new(format!("the rows cannot be written down: {error}"));
    Ok(serde_json::from_slice(&bytes).map_err(unread)?)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// How a model names one of its inputs.
fn written(model: &Node, input: &Node) -> String {
    if let NodeKind::Source { source, .. } = &input.kind {
        return format!("source('{source}', '{}')", input.name);
    }
    let package = input.fqn.first().filter(|package| Some(*package) != model.fqn.first());
    let package = package.map(|package| format!("'{package}', ")).unwrap_or_default();
    let version = input.version().map(|version| format!(", v='{}'", version.version)).unwrap_or_default();
    format!("ref({package}'{}'{version})", input.name)
}

/// A value that is the same once the file is read, where Jinja in texts is rendered: a text that holds what opens a tag is written as a
/// text of Jinja.
fn kept(value: &Json) -> Json {
    match value {
        Json::String(text) if ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag)) => {
            Json::String(format!("{{{{ {} }}}}", Json::String(text.clone())))
        }
        Json::Array(items) => items.iter().map(kept).collect(),
        Json::Object(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), kept(value))).collect())
        }
        other => other.clone(),
    }
}

/// The file. A mapping of JSON is one of YAML.
fn text_of(node: &Node, name: &str, limit: usize, given: &[(String, Vec<Row>)], expected: &[Row]) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{words}");
    };
    let row = |row: &Row| {
        let kept: Row = row.iter().map(|(name, value)| (name.clone(), kept(value))).collect();
        serde_json::to_string(&kept).unwrap_or_default()
    };
    line(&format!(
        "# Written by `mep test --record`: the first {} of each input of `{}`, and what it gave for them.",
        plural(limit as u64, "row"),
        node.name
    ));
    line("unit_tests:");
    line(&format!("  - name: {name}"));
    line(&format!("    model: {}", node.name));
    if let Some(version) = node.version() {
        line(&format!("    versions: {{include: [{}]}}", version.version));
    }
    line("    given:");
    for (input, rows) in given {
        line(&format!("      - input: {input}"));
        line(if rows.is_empty() { "        rows: []" } else { "        rows:" });
        for one in rows {
            line(&format!("          - {}", row(one)));
        }
    }
    line("    expect:");
    line(if expected.is_empty() { "      rows: []" } else { "      rows:" });
    for one in expected {
        line(&format!("        - {}", row(one)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_holds_jinja_is_written_as_a_text_of_jinja() {
        assert_eq!(kept(&Json::from("a \"b\"")), Json::from("a \"b\""));
        assert_eq!(kept(&Json::from("say \"{{ x }}\"")), Json::from(r#"{{ "say \"{{ x }}\"" }}"#));
    }
}
