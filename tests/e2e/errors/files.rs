//! YAML, names, sources and tests.

use super::refused;
use crate::project::Project;

#[test]
fn yaml_that_cannot_be_parsed_is_pointed_at() {
    insta::assert_snapshot!(refused(&[("models/schema.yml", "models:\n  - name: a\n   description: b\n")]), @r"
     error: this is no YAML: while parsing a block collection, did not find expected '-' indicator
      ╭─[models/schema.yml:3:4]
    2 │   - name: a
    3 │    description: b
      ·    ▲
      ╰────
    ");
    insta::assert_snapshot!(refused(&[("models/schema.yml", "models: counts\n")]), @r"
     error: `models`: expected a list, found `counts`
      ╭─[models/schema.yml:1:9]
    1 │ models: counts
      ·         ──────
      ╰────
    ");
    insta::assert_snapshot!(refused(&[("dbt_project.yml", "name: [\n")]), @r"
     error: this is no YAML: unclosed bracket '['
      ╭─[dbt_project.yml:1:7]
    1 │ name: [
      ·       ▲
      ╰────
    ");
}

#[test]
fn two_nodes_of_one_name_are_told() {
    let said = refused(&[("models/a/plays.sql", "select 1 as x"), ("models/b/plays.sql", "select 2 as x")]);
    insta::assert_snapshot!(said, @r"
     error: two models are named `plays`
      ╭─[models/b/plays.sql:1:1]
    1 │ select 2 as x
      · ▲
      ╰────
     help: the first is models/a/plays.sql; give one of them another file name, or disable it
    ");
    let said = refused(&[("models/plays.sql", "select 1 as x"), ("seeds/plays.csv", "x\n1\n")]);
    insta::assert_snapshot!(said, @r"
     error: a seed and a model are named `plays`
      ╭─[models/plays.sql:1:1]
    1 │ select 1 as x
      · ▲
      ╰────
     help: the first is seeds/plays.csv; give one of them another file name, or disable it
    ");
    let said = refused(&[
        ("models/plays.sql", "select 1 as x"),
        ("models/others.sql", "{{ config(alias='plays') }} select 1 as x"),
    ]);
    insta::assert_snapshot!(said, @r"
     error: model.songs.others and model.songs.plays would both be main.plays
      ╭─[models/plays.sql:1:1]
    1 │ select 1 as x
      · ▲
      ╰────
     help: give one of them another `alias` or `schema`
    ");
}

#[test]
fn a_wrong_declaration_of_a_source_is_told() {
    let declared = |columns: &str| {
        let sources = format!(
            "sources:\n  - name: events\n    tables:\n      - name: listens\n        event_time: ts\n        columns: {columns}\n"
        );
        refused(&[
            ("sources.yml", &sources),
            ("models/counts.sql", "select * from {{ source('events', 'listens') }}"),
        ])
    };
    insta::assert_snapshot!(declared("[]"), @r"
     error: the source table `listens` declares no columns
      ╭─[sources.yml:4:15]
    3 │     tables:
    4 │       - name: listens
      ·               ───────
    5 │         event_time: ts
      ╰────
     help: list its columns, each with a `data_type`; of files and of PostgreSQL `mep source infer` writes them
    ");
    insta::assert_snapshot!(declared("[{name: ts, data_type: bigit}]"), @r"
     error: unknown type `bigit` of column `ts`; expected one of bigint, integer, smallint, tinyint, double,
     │ real, decimal(p,s), boolean, varchar, date, timestamp, time, binary, or a list (bigint[]), struct<name
     │ type, ...> or map<varchar, type> of them
      ╭─[sources.yml:6:41]
    5 │         event_time: ts
    6 │         columns: [{name: ts, data_type: bigit}]
      ·                                         ─────
      ╰────
    ");
    insta::assert_snapshot!(declared("[{name: ts, data_type: varchar}]"), @r"
     error: the event time `ts` is Utf8; expected bigint (epoch milliseconds) or timestamp
      ╭─[sources.yml:5:21]
    4 │       - name: listens
    5 │         event_time: ts
      ·                     ──
    6 │         columns: [{name: ts, data_type: varchar}]
      ╰────
    ");
    insta::assert_snapshot!(declared("[{name: at, data_type: bigint}]"), @r"
     error: the event time `ts` is not among the declared columns
      ╭─[sources.yml:5:21]
    4 │       - name: listens
    5 │         event_time: ts
      ·                     ──
    6 │         columns: [{name: at, data_type: bigint}]
      ╰────
    ");
    insta::assert_snapshot!(declared("[{name: ts}]"), @r"
     error: column `ts` has no `data_type`
      ╭─[sources.yml:6:26]
    5 │         event_time: ts
    6 │         columns: [{name: ts}]
      ·                          ──
      ╰────
     help: say how it is read: bigint, varchar, double, ...
    ");
    insta::assert_snapshot!(declared("[{name: ts, data_type: bigint}, {name: batch, data_type: bigint}]"), @r"
     error: the declared column `batch` has the name of a column that landing adds: declare it under another
     │ name
      ╭─[sources.yml:4:15]
    3 │     tables:
    4 │       - name: listens
      ·               ───────
    5 │         event_time: ts
      ╰────
    ");
}

#[test]
fn a_wrong_test_is_told() {
    let tested = |test: &str| {
        let schema = format!(
            "models:\n  - name: counts\n    columns:\n      - name: x\n        data_tests:\n          - {test}\n"
        );
        refused(&[("models/schema.yml", &schema), ("models/counts.sql", "select 1 as x")])
    };
    insta::assert_snapshot!(tested("uniqe"), @r"
     error: there is no test `uniqe`
      ╭─[models/schema.yml:6:13]
    5 │         data_tests:
    6 │           - uniqe
      ·             ─────
      ╰────
     help: did you mean `unique`?
    ");
    insta::assert_snapshot!(tested("accepted_values: {arguments: {value: [1]}}"), @r"
     error: the test `accepted_values` has no parameter `value`
      ╭─[models/schema.yml:6:50]
    5 │         data_tests:
    6 │           - accepted_values: {arguments: {value: [1]}}
      ·                                                  ───
      ╰────
     help: did you mean `values`?
    ");
    insta::assert_snapshot!(tested("relationships: {arguments: {to: ref('nothing'), field: x}}"), @r"
     error: there is no model or seed `nothing`: the test that names it is left out
      ╭─[models/schema.yml:6:50]
    5 │         data_tests:
    6 │           - relationships: {arguments: {to: ref('nothing'), field: x}}
      ·                                                  ───────
      ╰────
    ");
    insta::assert_snapshot!(tested("not_null: {config: {severity: fatal}}"), @r"
     error: `severity`: expected one of error, warn, found `fatal`
      ╭─[models/schema.yml:6:43]
    5 │         data_tests:
    6 │           - not_null: {config: {severity: fatal}}
      ·                                           ─────
      ╰────
    ");
    insta::assert_snapshot!(refused(&[
        ("models/counts.sql", "select 1 as x"),
        ("tests/nothing.sql", "select * from {{ ref('counts') }} where y > 1")
    ]), @r"
     error: there is no column `y` here
      ╭─[tests/nothing.sql:1:41]
    1 │ select * from {{ ref('counts') }} where y > 1
      ·                                         ─
      ╰────
     help: the columns are x
    ");
}

#[test]
fn properties_of_what_is_not_there_are_warned_of() {
    let project = Project::new();
    project.model("counts", "select 1 as x");
    project.file("models/schema.yml", "models:\n  - name: count\n  - name: counts\n");
    insta::assert_snapshot!(project.succeed(&["run"]), @r"
     WARN models/schema.yml:2: there is no model `count`; did you mean `counts`?
        plan  1 view
       start  view counts
          ok  view counts  [time]  (first run)
    done in [time]: 1 built
    ");
}
