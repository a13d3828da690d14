//! Columns as properties files describe them.

use indexmap::IndexMap;

use super::config_tree::Config;
use super::docs::{Docs, written_twice};
use super::item::Mapping;
use super::test_uses::read_tests;
use super::{Column, Problem, Problems, TestUse, Weight};
use mep_core::keys::{Key, Section, accepted, key, without_effect};

const KEYS: [Key; 19] = [
    key("name", "name", "needed", "The column's name."),
    key("description", "text", "", "What it is; may name a `docs` block."),
    key(
        "data_type",
        "type of SQL",
        "",
        "Of a source's column: its type, which what lands is read as: `bigint`, `integer`, `smallint`, `tinyint`, `decimal(p,s)`, `double`, `real`, `boolean`, `varchar`, `date` or `timestamp`, by any name that SQL has for it. A value that would lose digits is a reject.",
    ),
    key(
        "constraints",
        "list of {type: not_null}",
        "",
        "Of a source's column: a row without a value is rejected.",
    ),
    key("tests", "list of tests", "", "The old name of `data_tests`."),
    key(
        "data_tests",
        "list of tests",
        "",
        "Tests of the column: unique, not_null, accepted_values, relationships, or your own.",
    ),
    key("tags", "text or list", "", "Words of your own."),
    key("meta", "mapping", "", "Data of your own."),
    key("quote", "true or false", "where needed", "Whether tests write the name in quotes."),
    key("config", "mapping", "", "`tags`, `meta` and `quote`, once more."),
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
    key("tags", "text or list", "", "Words of your own."),
    key("meta", "mapping", "", "Data of your own."),
    key("quote", "true or false", "where needed", "Whether tests write the name in quotes."),
];

/// Constraints that mep cannot enforce, and the data test that can.
const NOT_ENFORCED: [(&str, &str); 5] = [
    ("unique", "use the data test `unique`"),
    ("primary_key", "use the data tests `unique` and `not_null`"),
    ("foreign_key", "use the data test `relationships`"),
    ("check", "use a test of your own in tests/"),
    ("custom", "use a test of your own in tests/"),
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
    for column in columns.mappings(problems) {
        let Some(column) = read_column(column, test_config, docs, problems) else { continue };
        if let Some(first) = read.iter().find(|known| known.name.value == column.name.value) {
            let problem = written_twice("columns", &first.name.value, &column.name.place, &first.name.place);
            problems.push(problem.weighing(Weight::Warning));
            // As in dbt: what is said last of a column counts, and all of its tests are run.
            merge(&mut read, column);
        } else {
            read.push(column);
        }
    }
    read
}

/// Puts a column over the one of its name.
fn merge(read: &mut [Column], column: Column) {
    let Some(known) = read.iter_mut().find(|known| known.name.value == column.name.value) else { return };
    let earlier = std::mem::replace(known, column);
    known.description = known.description.take().or(earlier.description);
    known.data_type = known.data_type.take().or(earlier.data_type);
    known.not_null |= earlier.not_null;
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
    Some(Column {
        name: column.required("name", "a column", problems)?,
        description: docs.description(column.get("description"), problems),
        data_type: column.get("data_type").and_then(|item| item.located_text(problems)),
        not_null: read_constraints(column, problems),
        tests: read_tests(column, test_config, docs, problems),
        tags,
        quote: quote == Some(true),
        meta,
    })
}

/// Whether a `not_null` is among the constraints; the others are told of.
fn read_constraints(column: Mapping<'_>, problems: &mut Problems) -> bool {
    let Some(constraints) = column.get("constraints") else { return false };
    let mut not_null = false;
    for constraint in constraints.mappings(problems) {
        let Some(kind) = constraint.required("type", "a constraint", problems) else { continue };
        if kind.value == "not_null" {
            not_null = true;
            continue;
        }
        problems.push(refused(&kind.value).at(&kind.place));
    }
    not_null
}

fn refused(constraint: &str) -> Problem {
    if let Some((name, help)) = NOT_ENFORCED.iter().find(|(name, _)| *name == constraint) {
        return Problem::new(format!("the constraint `{name}` is not supported by mep")).help(*help);
    }
    let problem = Problem::new(format!("unknown constraint `{constraint}`"));
    let problem = problem.help("the only constraint is not_null; for others use data tests");
    problem.did_you_mean(constraint, ["not_null"])
}

/// Tells of constraints of a whole table, none of which mep enforces.
pub(super) fn refuse_table_constraints(table: Mapping<'_>, problems: &mut Problems) {
    let written = table.items().filter(|(key, item)| key.text == "constraints" && !item.is_empty());
    for (key, _) in written {
        let problem = key.problem("constraints of a whole table are not supported by mep");
        problems.push(problem.help("use data tests, or a `not_null` constraint of a column"));
    }
}
