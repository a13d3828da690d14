//! Data tests: what they find, what that means for a build, and with which code it ends.

use serde_json::{Value as Json, json};

use crate::project::Project;

/// Two tables, one after the other, with these tests of the first one's column.
fn project(tests: &str) -> Project {
    let project = Project::new();
    project.model(
        "first",
        "{{ config(materialized='table') }} select x from (values (1), (2), (2), (null)) as t (x)",
    );
    project
        .model("second", "{{ config(materialized='table') }} select count(*) as n from {{ ref('first') }}");
    project.model("apart", "select 1 as x");
    project.file(
        "models/schema.yml",
        format!("models:\n  - name: first\n    columns:\n      - name: x\n        data_tests: {tests}\n"),
    );
    project
}

/// How each test of the last call ended.
fn statuses(project: &Project) -> Json {
    let results = project.results();
    let tests = results
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| result["unique_id"].as_str().unwrap().starts_with("test."));
    tests.map(|result| json!([result["status"], result["failures"]])).collect()
}

#[test]
fn a_failing_test_keeps_the_children_from_being_built() {
    let project = project("[unique]");
    insta::assert_snapshot!(project.fail(1, &["build"]), @r"
        plan  2 tables, 1 view
       start  view apart
          ok  view apart  [time]  (first run)
       start  table first
          ok  table first  4 rows, [size], [time]  (first run)
        fail  test unique_first_x  1 failing row, [time]  (see them with: mep show --select unique_first_x --limit 20)
     skipped  table second  (because of unique_first_x)

    what failed:
      test unique_first_x
          1 failing row; see them with: mep show --select unique_first_x --limit 20
    failed in [time]: 2 built, 1 failed, 1 skipped
    ");
    assert!(!project.path("warehouse/main/second").exists());
    insta::assert_snapshot!(project.print(&["show", "--select", "unique_first_x"]), @r"
    +--------------+-----------+
    | unique_field | n_records |
    +--------------+-----------+
    | 2            | 2         |
    +--------------+-----------+
    1 row
    ");
    project.succeed(&["run"]);
    insta::assert_snapshot!(project.fail(1, &["test"]), @r"
        fail  test unique_first_x  1 failing row, [time]  (see them with: mep show --select unique_first_x --limit 20)

    what failed:
      test unique_first_x
          1 failing row; see them with: mep show --select unique_first_x --limit 20
    failed in [time]: 1 failed
    ");
}

#[test]
fn a_child_that_was_built_before_stays_as_it_was() {
    let project = project("[not_null]");
    project.model("first", "{{ config(materialized='table') }} select 1 as x");
    project.succeed(&["build"]);
    project.model(
        "first",
        "{{ config(materialized='table') }} select cast(null as bigint) as x union all select 2 as x",
    );
    project.fail(1, &["build"]);
    assert_eq!(project.rows("select n from main.second"), json!([{"n": 1}]));
    project.model("first", "{{ config(materialized='table') }} select 3 as x union all select 2 as x");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select n from main.second"), json!([{"n": 2}]));
}

#[test]
fn severity_and_thresholds_decide_what_failing_rows_mean() {
    for (config, code, expected) in [
        ("{}", 1, json!(["fail", 1])),
        ("{severity: warn}", 0, json!(["warn", 1])),
        ("{error_if: '>1'}", 0, json!(["warn", 1])),
        ("{error_if: '>1', warn_if: '>1'}", 0, json!(["pass", 1])),
        ("{where: 'x is not null'}", 0, json!(["pass", 0])),
        ("{fail_calc: 'count(*) * 10'}", 1, json!(["fail", 10])),
        ("{enabled: false}", 0, json!(null)),
    ] {
        let project = project(&format!("[{{not_null: {{config: {config}}}}}]"));
        let output = project.run(&["build"]);
        assert_eq!(output.code, Some(code), "{config}\n{}", output.stderr);
        assert_eq!(
            statuses(&project).as_array().unwrap().first().cloned().unwrap_or_default(),
            expected,
            "{config}"
        );
    }
    let project = project("[{accepted_values: {arguments: {values: [7]}, config: {limit: 1}}}]");
    project.fail(1, &["build"]);
    assert_eq!(statuses(&project), json!([["fail", 1]]));
}

#[test]
fn warnings_are_shown_and_do_not_fail_the_build() {
    let project = project("[{not_null: {config: {severity: warn}}}]");
    insta::assert_snapshot!(project.succeed(&["build"]), @r"
        plan  2 tables, 1 view
       start  view apart
          ok  view apart  [time]  (first run)
       start  table first
          ok  table first  4 rows, [size], [time]  (first run)
        warn  test not_null_first_x  1 failing row, [time]  (see them with: mep show --select not_null_first_x --limit 20)
       start  table second
          ok  table second  1 row, [size], [time]  (first run)
    done in [time]: 3 built, 1 warned
    ");
    insta::assert_snapshot!(project.succeed(&["build", "--quiet"]), @r"    warn  test not_null_first_x  1 failing row, [time]  (see them with: mep show --select not_null_first_x --limit 20)");
}

#[test]
fn fail_fast_begins_nothing_more() {
    let project = project("[]");
    project.model("apart", "{{ config(materialized='table') }} select 1 % x as x from (values (0)) as t (x)");
    let said = project.fail(1, &["build", "--fail-fast"]);
    insta::assert_snapshot!(said, @r"
        plan  3 tables
       start  table apart
       error  table apart  [time]
     skipped  table first  (the run was ended after a failure)
     skipped  table second  (the run was ended after a failure)

    what failed:
      table apart
          division by zero
          at models/apart.sql:1:43: 1 % x
          help: nullif(…, 0) around the divisor gives NULL there
    failed in [time]: 1 in error, 2 skipped
    ");
}

#[test]
fn each_generic_test_finds_what_it_is_for() {
    let project = project(
        "[unique, not_null, {accepted_values: {arguments: {values: [1, 2]}}}, {relationships: {arguments: {to: ref('apart'), field: x}}}]",
    );
    project.succeed(&["run"]);
    project.fail(1, &["test"]);
    assert_eq!(statuses(&project), json!([["fail", 1], ["fail", 1], ["pass", 0], ["fail", 2]]));
}

#[test]
fn a_test_of_ones_own_takes_arguments() {
    let project = project("[{at_least: {arguments: {least: 2}}}]");
    project.file(
        "tests/generic/at_least.sql",
        "{% test at_least(model, column_name, least=1) %}\nselect * from {{ model }} where {{ column_name }} < {{ least }}\n{% endtest %}\n",
    );
    project.fail(1, &["build"]);
    assert_eq!(statuses(&project), json!([["fail", 1]]));
}

#[test]
fn sources_ephemeral_models_and_views_are_tested_too() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (1, 1, "a")]);
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file(
        "sources.yml",
        sources.replace(
            "{name: song, data_type: varchar}",
            "{name: song, data_type: varchar, data_tests: [unique]}",
        ),
    );
    project.model(
        "inner",
        "{{ config(materialized='ephemeral') }} select song from {{ source('events', 'listens') }}",
    );
    project.model(
        "outer",
        "{{ config(materialized='ephemeral') }} select song from {{ ref('inner') }} where song is not null",
    );
    project.model("shown", "select song from {{ ref('outer') }}");
    project.model("below", "{{ config(materialized='table') }} select * from {{ ref('outer') }}");
    project.file(
        "models/schema.yml",
        "models:\n  - name: outer\n    columns: [{name: song, data_tests: [unique]}]\n  - name: shown\n    columns: [{name: song, data_tests: [unique, not_null]}]\n",
    );
    let said = project.fail(1, &["build"]);
    insta::assert_snapshot!(said, @r"
       start  source events.listens
          ok  source events.listens  2 rows, [size], [time]  (1 new)
        plan  1 table, 1 view
        fail  test source_unique_events_listens_song  1 failing row, [time]  (see them with: mep show --select source_unique_events_listens_song --limit 20)
     skipped  view shown  (because of source_unique_events_listens_song)
     skipped  test not_null_shown_song  (because of source_unique_events_listens_song)
     skipped  test unique_shown_song  (because of source_unique_events_listens_song)
     skipped  table below  (because of source_unique_events_listens_song)
        fail  test unique_outer_song  1 failing row, [time]  (see them with: mep show --select unique_outer_song --limit 20)

    what failed:
      test source_unique_events_listens_song
          1 failing row; see them with: mep show --select source_unique_events_listens_song --limit 20
      test unique_outer_song
          1 failing row; see them with: mep show --select unique_outer_song --limit 20
    failed in [time]: 1 built, 2 failed, 4 skipped
    ");
    project.succeed(&["run"]);
    project.fail(1, &["test"]);
    assert_eq!(statuses(&project), json!([["fail", 1], ["fail", 1], ["fail", 1], ["pass", 0]]));
}

#[test]
fn a_test_that_cannot_run_is_an_error_of_its_own() {
    let project = project("[unique]");
    insta::assert_snapshot!(project.fail(1, &["test"]), @r"
       error  test unique_first_x  [time]

    what failed:
      test unique_first_x
          it reads main.first, which is not built yet: build it first, as in mep run --select +unique_first_x
    failed in [time]: 1 in error
    ");
    project.file("tests/divided.sql", "select x from {{ ref('apart') }} where 1 / (x - 1) > 0");
    insta::assert_snapshot!(project.fail(1, &["build", "--select", "apart"]), @r"
        plan  1 view
       start  view apart
          ok  view apart  [time]  (first run)
       error  test divided  [time]

    what failed:
      test divided
          division by zero
          at tests/divided.sql:1:40: 1 / (x - 1)
          help: nullif(…, 0) around the divisor gives NULL there
    failed in [time]: 1 built, 1 in error
    ");
}

#[test]
fn a_query_that_fails_leaves_the_table_and_skips_what_reads_it() {
    let project = project("[]");
    project.succeed(&["build"]);
    project
        .model("first", "{{ config(materialized='table') }} select 1 % (x - 1) as x from {{ ref('apart') }}");
    insta::assert_snapshot!(project.fail(1, &["build"]), @r"
        plan  2 tables; 1 current
     current  view apart
       start  table first
       error  table first  [time]
     skipped  table second  (because of first)

    what failed:
      table first
          division by zero
          at models/first.sql:1:43: 1 % (x - 1)
          help: nullif(…, 0) around the divisor gives NULL there
    failed in [time]: 1 current, 1 in error, 1 skipped
    ");
    assert_eq!(project.rows("select n from main.second"), json!([{"n": 4}]));
    assert_eq!(project.rows("select count(*) as n from main.first"), json!([{"n": 4}]));
}
