//! A unit test in dbt's words.

use serde_json::{Map, Value as Json, json};

use super::Described;
use super::node::{depends_on, version};
use mep_graph::{Node, csv_rows};
use mep_lang::project::{UnitRows, UnitTest};

/// What a unit test has that no other node has.
pub(super) fn add(json: &mut Json, described: Described<'_>, node: &Node, test: &UnitTest) {
    let tested = node.depends_on.first().and_then(|needed| described.graph.position(&needed.id));
    let tested = tested.map(|index| described.graph.node(index));
    json["name"] = test.name.value.clone().into();
    json["fqn"] = [&test.folders[..], &[test.model.value.clone(), test.name.value.clone()]].concat().into();
    json["model"] = test.model.value.clone().into();
    let given = test.inputs().map(|given| {
        let mut json = rows(&given.rows);
        json["input"] = given.input.value.clone().into();
        json
    });
    // dbt knows no tests of macros: what one is called with is given too.
    let arguments = test.of_macro.as_ref().filter(|of| !of.args.is_empty());
    let arguments =
        arguments.map(|of| json!({ "input": "args", "rows": [of.args], "format": "dict", "fixture": null }));
    json["given"] = given.chain(arguments).collect();
    // dbt has no steps, and no tests of macros: what stands last is what is expected, a text as one of SQL.
    let last = test.steps.iter().rev().find_map(|step| step.expect.as_ref());
    json["expect"] = match test.of_macro.as_ref().and_then(|of| of.text.as_ref()) {
        Some(text) => json!({ "format": "sql", "rows": text.value, "fixture": null }),
        None => rows(last.unwrap_or(&test.expect)),
    };
    let overrides = &test.overrides;
    let says = !(overrides.macros.is_empty() && overrides.vars.is_empty() && overrides.env_vars.is_empty());
    json["overrides"] = says
        .then(
            || json!({ "macros": overrides.macros, "vars": overrides.vars, "env_vars": overrides.env_vars }),
        )
        .into();
    json["depends_on"] = depends_on(node);
    let target = &described.project.target.schema;
    let schema = tested.map(|tested| {
        let own = tested.own_relation().and_then(|relation| relation.schema.clone());
        own.unwrap_or_else(|| target.clone())
    });
    json["schema"] = schema.into();
    json["version"] = tested.and_then(Node::version).map(|of| version(&of.version)).into();
    let list = |versions: &[String]| -> Json {
        if versions.is_empty() { Json::Null } else { versions.iter().map(|word| version(word)).collect() }
    };
    let is_said = !test.include.is_empty() || !test.exclude.is_empty();
    json["versions"] =
        is_said.then(|| json!({ "include": list(&test.include), "exclude": list(&test.exclude) })).into();
}

/// Rows, as they are read: those of CSV as mappings too.
fn rows(rows: &UnitRows) -> Json {
    let file = rows.place().text.path();
    let is_fixture = file.extension().is_some_and(|extension| extension == "csv" || extension == "sql");
    let fixture = file.file_stem().filter(|_| is_fixture).map(|stem| stem.to_string_lossy().into_owned());
    let (format, rows) = match rows {
        UnitRows::Listed(listed) => ("dict", whole_row_first(listed.value.iter().cloned())),
        UnitRows::Csv(text) => match csv_rows(&text.value) {
            Ok(read) => ("csv", whole_row_first(read)),
            // Compiling tells what is wrong with it.
            Err(_) => ("csv", text.value.as_str().into()),
        },
        UnitRows::Sql(text) => ("sql", text.value.as_str().into()),
    };
    json!({ "format": format, "rows": rows, "fixture": fixture })
}

/// dbt has the first row that lacks no value in the place of the first one, which tells it the columns.
fn whole_row_first(rows: impl IntoIterator<Item = indexmap::IndexMap<String, Json>>) -> Json {
    let mut rows: Vec<Map<String, Json>> = rows.into_iter().map(|row| row.into_iter().collect()).collect();
    if let Some(whole) = rows.iter().position(|row| row.values().all(|value| !value.is_null())) {
        rows.swap(0, whole);
    }
    rows.into_iter().map(Json::Object).collect()
}
