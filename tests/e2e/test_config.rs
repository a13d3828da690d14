//! Jinja in the config of tests, tests that share a name, and macros of a project in place of built-in ones.

use crate::project::Project;

fn project(tests: &str) -> Project {
    let project = Project::new();
    project.model(
        "plays",
        "{{ config(materialized='table') }} select * from (values (1, 'a', true), (1, 'b', false), (null, 'b', null)) as t (id, kind, loud)",
    );
    project.file("models/schema.yml", format!("models:\n  - name: plays\n    columns:\n{tests}"));
    project
}

/// Each test of a build with how it ended, in the order of their names.
fn endings(project: &Project, code: i32) -> String {
    let output = if code == 0 { project.succeed(&["build"]) } else { project.fail(code, &["build"]) };
    let tests = output.lines().filter(|line| line.contains(" test ") && !line.starts_with("  test"));
    let mut endings: Vec<String> =
        tests.map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")).collect();
    endings.sort();
    endings.join("\n")
}

#[test]
fn jinja_in_the_where_of_a_test_is_rendered() {
    let project = project(
        "      - name: id
        data_tests:
          - unique: {name: plain, config: {where: \"kind <> 'c'\"}}
          - unique: {name: by_var, config: {where: \"kind <> '{{ var('kind', 'c') }}'\"}}
          - unique: {name: by_ref, config: {where: \"id in (select id from {{ ref('plays') }})\"}}
          - unique: {name: none_left, config: {where: \"kind = '{{ var('kind', 'c') }}'\"}}
",
    );
    insta::assert_snapshot!(endings(&project, 1));
}

#[test]
fn jinja_in_the_config_of_a_test_is_rendered() {
    let project = project(
        "      - name: id
        data_tests:
          - not_null: {name: warns, severity: \"{{ 'error' if target.name == 'prod' else 'warn' }}\"}
          - not_null: {name: left_out, config: {enabled: \"{{ target.name == 'prod' }}\"}}
          - not_null: {name: few, config: {error_if: \">{{ var('most', 5) }}\"}}
          - not_null: {name: limited, config: {limit: \"{{ var('most', '3') }}\"}}
",
    );
    insta::assert_snapshot!(endings(&project, 1));
}

#[test]
fn the_config_of_a_test_macro_holds_where_its_use_says_nothing_else() {
    let project = project(
        "      - name: id
        data_tests:
          - lenient: {name: as_the_macro_says}
          - lenient: {name: as_the_use_says, config: {severity: error}}
",
    );
    project.file(
        "tests/generic/lenient.sql",
        "{% test lenient(model, column_name) %}{{ config(severity='warn') }}select * from {{ model }}{% endtest %}",
    );
    insta::assert_snapshot!(endings(&project, 1));
}

#[test]
fn columns_of_any_name_are_tested() {
    let project = Project::new();
    project.model(
        "odd",
        "{{ config(materialized='table') }} select 1 as \"two words\", 2 as \"2nd\", 3 as \"a.b\", 4 as \"Loud\", 5 as \"order\", true as yes",
    );
    project.file(
        "models/schema.yml",
        "models:
  - name: odd
    columns:
      - {name: two words, data_tests: [not_null, unique]}
      - {name: 2nd, quote: true, data_tests: [not_null]}
      - {name: a.b, data_tests: [not_null]}
      - {name: Loud, data_tests: [unique]}
      - {name: order, data_tests: [{accepted_values: {arguments: {values: [5]}}}]}
      - {name: YES, data_tests: [{accepted_values: {arguments: {values: [true, null]}}}]}
",
    );
    let output = project.succeed(&["build"]);
    assert!(output.contains("7 passed"), "{output}");
}

#[test]
fn a_test_of_relationships_looks_only_at_the_rows_of_its_where() {
    let project = project(
        "      - name: kind
        data_tests:
          - relationships: {name: found, config: {where: \"kind = 'a'\"}, arguments: {to: ref('kinds'), field: kind}}
          - relationships: {name: missing, config: {where: \"kind = 'b'\"}, arguments: {to: ref('kinds'), field: kind}}
",
    );
    project.model("kinds", "select 'a' as kind");
    insta::assert_snapshot!(endings(&project, 1));
}

#[test]
fn tests_that_share_a_name_can_be_selected_one_by_one() {
    let project = project(
        "      - name: id
        data_tests:
          - unique: {config: {where: \"kind = 'a'\"}}
          - unique: {config: {where: \"kind <> 'c'\"}}
",
    );
    let output = project.fail(1, &["build"]);
    let hint = output.split("see them with: mep ").nth(1).unwrap().split(" --limit").next().unwrap();
    let rows = project.print(&hint.split(' ').collect::<Vec<_>>());
    assert!(rows.contains("n_records"), "{rows}");
}

#[test]
fn macros_of_the_project_replace_those_of_built_in_tests() {
    let project = project("      - {name: id, data_tests: [unique, not_null]}\n");
    project.file(
        "macros/own.sql",
        "{% macro get_where_subquery(relation) %}(select * from {{ relation }} where kind = 'a') as rows_of{% endmacro %}
         {% macro default__test_not_null(model, column_name) %}select 1 as mine from {{ model }}{% endmacro %}",
    );
    insta::assert_snapshot!(endings(&project, 1));
}

#[test]
fn what_stands_under_execute_or_is_incremental_is_an_input() {
    let project = Project::new();
    project.model("later", "{{ config(materialized='table') }} select 1 as v");
    project.model(
        "earlier",
        "{{ config(materialized='table') }} {% if execute %}select v from {{ ref('later') }}{% else %}select 0 as v{% endif %}",
    );
    project.model(
        "added",
        "{{ config(materialized='incremental') }} select 1 as v {% if is_incremental() %}from {{ ref('earlier') }}{% endif %}",
    );
    insta::assert_snapshot!(project.print(&["ls", "--select", "later+"]));
    project.succeed(&["run"]);
    project.model("later", "{{ config(materialized='table') }} select 2 as v");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select v from {{ ref('earlier') }}"), serde_json::json!([{"v": 2}]));
}

#[test]
fn config_that_depends_on_execute_is_refused() {
    let project = Project::new();
    project.model("odd", "{% if execute %}{{ config(materialized='table') }}{% endif %}select 1 as v");
    insta::assert_snapshot!(project.fail(2, &["compile"]));
}

#[test]
fn an_input_that_the_graph_could_not_know_is_refused_with_a_way_on() {
    let project = Project::new();
    project.model("a", "select 1 as v");
    let sql = "{{ config(alias='other') }}{% if this.identifier == 'other' %}select v from {{ ref('a') }}{% else %}select 0 as v{% endif %}";
    project.model("b", sql);
    insta::assert_snapshot!(project.fail(2, &["compile"]));
    project.model("b", &format!("{sql} -- depends_on: {{{{ ref('a') }}}}"));
    project.succeed(&["compile"]);
}

#[test]
fn of_tests_of_one_name_the_rows_are_shown_that_fail_one_of_them() {
    let project = Project::new();
    project
        .model("a", "{{ config(materialized='table') }} select 1 as id, 'x' as kind union all select 1, 'y'");
    project.file(
        "models/s.yml",
        "models: [{name: a, columns: [{name: id, data_tests: [{unique: {config: {where: \"kind = 'x'\"}}}, unique]}]}]",
    );
    project.fail(1, &["build"]);
    let shown = project.run(&["show", "--select", "unique_a_id"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains("1 row"), "{}", shown.stdout);
    assert!(shown.stderr.contains("one of 2 tests of that name"), "{}", shown.stderr);
}
