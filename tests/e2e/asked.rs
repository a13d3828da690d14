//! Questions, which texts ask of tables while they are rendered, and hooks, which ask too.

use serde_json::{Value as Json, json};

use crate::project::Project;

/// The rows of a model.
#[track_caller]
fn rows(project: &Project, model: &str) -> Json {
    let shown = project.run(&["show", "--select", model, "--output", "json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    serde_json::from_str(&shown.stdout).unwrap()
}

/// A model that has a column for each kind that its input has, a table over it, and a test of both.
fn pivoted() -> Project {
    let project = Project::new();
    project.file("seeds/plays.csv", "kind,n\npop,1\njazz,2\n");
    project.model("sums", "select kind, sum(n) as n from {{ ref('plays') }} group by kind");
    project.model(
        "pivoted",
        "{{ config(materialized='table') }}\n\
         {% set kinds = run_query('select distinct kind from ' ~ ref('sums')) %}\n\
         select\n\
         {%- for kind in (kinds.columns[0].values() if execute else []) %}\n\
         sum(case when kind = '{{ kind }}' then n end) as {{ kind }},\n\
         {%- endfor %}\n\
         count(*) as kinds\n\
         from {{ ref('sums') }}",
    );
    project.model("over", "{{ config(materialized='table') }} select * from {{ ref('pivoted') }}");
    project.file(
        "models/schema.yml",
        "models:\n  - name: pivoted\n    columns: [{name: kinds, data_tests: [not_null]}]\n",
    );
    project
}

#[test]
fn what_is_asked_of_an_input_is_answered_once_it_is_built() {
    let project = pivoted();
    let said = project.run(&["compile"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stderr.contains("table pivoted asks what main.sums holds, and is rendered once that is built"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("not compiled: table over reads pivoted, which is not"), "{}", said.stderr);
    let plan = project.print(&["plan"]);
    assert!(plan.contains("depends on what its inputs hold"), "{plan}");

    project.succeed(&["build"]);
    assert_eq!(rows(&project, "over"), json!([{"jazz": 2, "pop": 1, "kinds": 2}]));
    assert!(project.print(&["plan"]).contains("nothing to do"), "all is answered of what is stored");
    assert!(!project.succeed(&["compile"]).contains("not compiled"));

    // Rows that give the same answer build the model as any changed input does; another answer gives it other columns.
    project.file("seeds/plays.csv", "kind,n\npop,1\njazz,2\nrock,7\n");
    assert!(project.print(&["plan"]).contains("depends on what its inputs hold"));
    project.succeed(&["run"]);
    let incremental = rows(&project, "over");
    assert_eq!(incremental, json!([{"jazz": 2, "pop": 1, "rock": 7, "kinds": 3}]));
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(rows(&project, "over"), incremental);
}

#[test]
fn what_fails_leaves_out_what_asks_it_and_says_why() {
    let project = pivoted();
    project.model("sums", "select kind, cast(kind as bigint) as n from {{ ref('plays') }}");
    project.file("models/schema.yml", "models:\n  - name: sums\n    config: {materialized: table}\n");
    let said = project.fail(1, &["run"]);
    assert_eq!(said.matches("because of sums").count(), 2, "{said}");
}

#[test]
fn a_model_that_is_wrong_once_it_is_rendered_fails_alone() {
    let project = pivoted();
    project.model("wrong", "{% set n = run_query('select count(*) as n from ' ~ ref('sums')) %}select column_{{ n.rows[0].n if execute else 0 }} from {{ ref('sums') }}");
    let said = project.fail(1, &["run"]);
    assert!(said.contains("column_2"), "{said}");
    assert_eq!(rows(&project, "over"), json!([{"jazz": 2, "pop": 1, "kinds": 2}]));
}

#[test]
fn what_is_selected_alone_is_answered_of_what_is_stored() {
    let project = pivoted();
    let said = project.fail(1, &["run", "--select", "pivoted"]);
    assert!(said.contains("not built yet: build"), "{said}");
    project.succeed(&["run", "--select", "plays", "sums"]);
    project.succeed(&["run", "--select", "pivoted"]);
    assert_eq!(rows(&project, "pivoted"), json!([{"jazz": 2, "pop": 1, "kinds": 2}]));
}

#[test]
fn only_inputs_are_asked_and_only_by_a_select() {
    let project = pivoted();
    let refused = |sql: &str| {
        project.model(
            "asks",
            &format!("{{% if execute %}}{{% do run_query({sql}) %}}{{% endif %}} select 1 as x"),
        );
        project.fail(2, &["compile"])
    };
    assert!(refused("'select * from main.sums'").contains("no input of this text"));
    assert!(refused("'drop table ' ~ ref('sums')").contains("expected a SELECT"));
    assert!(refused("'select nothing from ' ~ ref('sums')").contains("nothing"));
    assert!(refused("'select * from ' ~ this").contains("asks"), "its own rows depend on earlier runs");
}

#[test]
fn a_query_sees_the_graph_though_no_text_of_the_project_names_it() {
    let shown =
        pivoted().print(&["show", "--inline", "select {{ graph.nodes | length }} as n", "--output", "json"]);
    assert_eq!(serde_json::from_str::<Json>(&shown).unwrap(), json!([{"n": 5}]));
}

#[test]
fn hooks_are_called_around_what_is_built_and_around_the_run() {
    let project = pivoted();
    project.file(
        "dbt_project.yml",
        "name: songs\nprofile: songs\non-run-start: \"{{ log('begins with ' ~ graph.nodes | length, info=true) }}\"\n\
         on-run-end: [\"{{ told(results) }}\"]\nmodels: {songs: {+post-hook: 'grant select on {{ this }} to reader'}}\n",
    );
    project.file(
        "macros/told.sql",
        "{% macro told(results) %}{% for r in results %}{{ log(r.node.name ~ ' is ' ~ r.status, info=true) }}{% endfor %}{% endmacro %}\n\
         {% macro counted(relation, least) %}{% if execute %}\n\
         {% set n = run_query('select count(*) from ' ~ relation).columns[0].values()[0] %}\n\
         {{ log(relation ~ ' has ' ~ n, info=true) }}\n\
         {% if n < least %}{{ exceptions.raise_compiler_error('too few rows') }}{% endif %}{% endif %}{% endmacro %}\n\
         {% macro dropped() %}{% do run_query('drop table main.sums') %}{% endmacro %}\n",
    );
    project.model("sums", "{{ config(materialized='table', post_hook='{{ counted(this, 2) }}') }} select kind, sum(n) as n from {{ ref('plays') }} group by kind");
    let said = project.succeed(&["run"]);
    assert!(
        said.contains("begins with 5")
            && said.contains("main.sums has 2")
            && said.contains("sums is success"),
        "{said}"
    );
    assert_eq!(
        said.matches("rights are given where the tables are").count(),
        3,
        "once for each table: {said}"
    );

    project.file("seeds/plays.csv", "kind,n\npop,1\n");
    let said = project.fail(1, &["run"]);
    assert!(said.contains("a hook after it failed") && said.contains("too few rows"), "{said}");

    let called = project.succeed(&["run-operation", "counted", "--args", "{relation: main.sums, least: 1}"]);
    assert!(called.contains("main.sums has 1"), "{called}");
    assert!(project.fail(2, &["run-operation", "dropped"]).contains("`drop table main.sums` would change"));
    assert!(project.fail(2, &["run-operation", "count"]).contains("did you mean `counted`?"));
}

#[test]
fn a_package_that_writes_around_runs_is_told_and_not_called() {
    let project = pivoted();
    project
        .file("dbt_packages/records/dbt_project.yml", "name: records\non-run-end: [\"{{ records.kept(results) }}\"]\n")
        .file(
            "dbt_packages/records/macros/kept.sql",
            "{% macro kept(results) %}{% for r in results %}insert into records values ('{{ r.unique_id }}');{% endfor %}\
             insert into records values ('end'){% endmacro %}\n",
        )
        .file("packages.yml", "packages: [{local: dbt_packages/records}]\n")
        .file(
            "dbt_project.yml",
            "name: songs\nprofile: songs\non-run-start: \"{{ records.kept([]) }}\"\n",
        );
    let said = project.succeed(&["run"]);
    let told: Vec<&str> = said.lines().filter(|line| line.contains("is not called")).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    WARN dbt_project.yml:3: this hook of the package `records` is not called, since `insert into records values ('end')` would change what tables hold, or what SQL means: the package's tables have the rows of their SELECTs alone
    WARN dbt_packages/records/dbt_project.yml:2: this hook of the package `records` is not called, since `insert into records values ('end')` would change what tables hold, or what SQL means: the package's tables have the rows of their SELECTs alone
    ");
    let strictly = project.fail(2, &["--warn-error-options", "{error: [HookNotCalled]}", "run"]);
    assert!(strictly.contains("would change what tables hold"), "{strictly}");
    // What the project says itself is refused.
    project.file(
        "dbt_project.yml",
        "name: songs\nprofile: songs\non-run-end: \"insert into records {{ records.kept([]) }}\"\n",
    );
    assert!(project.fail(2, &["compile"]).contains("would change what tables hold"));
}
