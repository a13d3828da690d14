//! Columns as properties files describe them.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::config_tree::Config;
use super::constraints::read_constraints;
use super::docs::{Docs, written_twice};
use super::item::Mapping;
use super::test_uses::read_tests;
use super::{Column, Problems, TestUse, Weight};
use mep_core::keys::{Key, Section, Shape, accepted, key, without_effect};

const KEYS: [Key; 19] = [
    key("name", "name", "needed", "The column's name.").of(Shape::Text),
    key("description", "text", "", "What it is; may name a `docs` block.").of(Shape::Text),
    key(
        "data_type",
        "type of SQL",
        "",
        "Of a source's column: its type, which what lands is read as: `bigint`, `integer`, `smallint`, `tinyint`, `decimal(p,s)`, `double`, `real`, `boolean`, `varchar`, `date`, `time`, `timestamp`, `binary`, a list (`bigint[]`), `struct<a bigint>` or `map<varchar, bigint>`, by any name that SQL has for it. A value that would lose digits is a reject. Without types, a source in files has the columns and types of its files.",
    )
    .of(Shape::Text),
    key(
        "constraints",
        "list of constraints",
        "",
        "Of a model with a contract: what is promised of its rows. Of a source's column, `not_null` rejects rows without a value.",
    ).of(Shape::List(&Shape::Keys(&["A constraint of a model or of a column"]))),
    key("tests", "list of tests", "", "The old name of `data_tests`.").of(Shape::List(&Shape::Any)),
    key(
        "data_tests",
        "list of tests",
        "",
        "Tests of the column: unique, not_null, accepted_values, relationships, or your own.",
    ).of(Shape::List(&Shape::Any)),
    key("tags", "text or list", "", "Words of your own.").of(Shape::OneOrMore(&Shape::Text)),
    key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any)),
    key("quote", "true or false", "where needed", "Whether tests write the name in quotes.").of(Shape::Boolean),
    key("config", "mapping", "", "`tags`, `meta` and `quote`, once more.").of(Shape::Mapping(&Shape::Any)),
    accepted("docs", "Of dbt's own docs."),
    without_effect("granularity", METRICS),
    without_effect("dimension", METRICS),
    without_effect("entity", METRICS),
    without_effect("policy_tags", "Who may see a column is for the warehouse to say."),
    without_effect("column_mask", "Who may see a column is for the warehouse to say."),
    without_effect("databricks_tags", "Labels are for the warehouse's own lists."),
    without_effect("codec", "How rows lie on disk changes none of them."),
    without_effect("encode", "How rows lie on disk changes none of them."),
];
const METRICS: &str = "Metrics are not computed, and no table is another for them.";
const CONFIG_KEYS: [Key; 3] = [
    key("tags", "text or list", "", "Words of your own.").of(Shape::OneOrMore(&Shape::Text)),
    key("meta", "mapping", "", "Data of your own.").of(Shape::Mapping(&Shape::Any)),
    key("quote", "true or false", "where needed", "Whether tests write the name in quotes.")
        .of(Shape::Boolean),
];

/// The keys of a column.
pub(super) fn reference() -> Section {
    Section::of("A column", &[&KEYS])
}

/// Reads `columns:` of a table.
pub(super) fn read_columns(
    table: Mapping<'_>,
    test_config: &Config,
    docs: &Docs,
    problems: &mut Problems,
) -> Vec<Column> {
    let Some(columns) = table.get("columns") else { return Vec::new() };
    let mut read: Vec<Column> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for column in columns.mappings(problems) {
        // Of a version: which columns of its model it takes.
        if column.get("include").is_some() && column.get("name").is_none() {
            continue;
        }
        let Some(column) = read_column(column, test_config, docs, problems) else { continue };
        let known = places.get(&column.name.value).and_then(|at| read.get_mut(*at));
        if let Some(first) = known {
            let problem = written_twice("columns", &first.name.value, &column.name.place, &first.name.place);
            problems.push(problem.weighing(Weight::Warning));
            // As in dbt: what is said last of a column counts, and all of its tests are run.
            merge(first, column);
        } else {
            places.insert(column.name.value.clone(), read.len());
            read.push(column);
        }
    }
    read
}

/// Puts a column over the one of its name.
fn merge(known: &mut Column, column: Column) {
    let earlier = std::mem::replace(known, column);
    known.description = known.description.take().or(earlier.description);
    known.data_type = known.data_type.take().or(earlier.data_type);
    known.constraints.splice(0..0, earlier.constraints);
    known.quote |= earlier.quote;
    let later = std::mem::replace(&mut known.tests, earlier.tests);
    let is_new = |test: &TestUse| !known.tests.iter().any(|one| is_same_test(one, test));
    let later: Vec<TestUse> = later.into_iter().filter(is_new).collect();
    known.tests.extend(later);
}

/// Whether two uses are of one test with the same arguments and name, so that one of them says nothing.
fn is_same_test(one: &TestUse, other: &TestUse) -> bool {
    one.test.value == other.test.value && one.arguments == other.arguments && one.name == other.name
}

fn read_column(
    column: Mapping<'_>,
    test_config: &Config,
    docs: &Docs,
    problems: &mut Problems,
) -> Option<Column> {
    column.check_keys("a column", &[&KEYS], problems);
    let mut quote = column.get("quote").and_then(|item| item.boolean(problems));
    let mut tags = column.get("tags").map(|item| item.words(problems)).unwrap_or_default();
    let mut meta = column.get("meta").map_or_else(IndexMap::new, |item| item.data(problems));
    if let Some(config) = column.get("config") {
        let config = config.mapping(problems);
        config.check_keys("the config of a column", &[&CONFIG_KEYS], problems);
        tags.extend(config.get("tags").map(|item| item.words(problems)).unwrap_or_default());
        meta.extend(config.get("meta").map_or_else(IndexMap::new, |item| item.data(problems)));
        quote = quote.or_else(|| config.get("quote")?.boolean(problems));
    }
    let name = column.required("name", "a column", problems)?;
    Some(Column {
        description: docs.description(column.get("description"), problems),
        data_type: column.get("data_type").and_then(|item| item.located_text(problems)),
        constraints: read_constraints(column, Some(&name), problems),
        tests: read_tests(column, test_config, docs, problems),
        tags,
        quote: quote == Some(true),
        meta,
        name,
    })
}
