//! The artifacts have dbt's own forms, and say of a project what dbt says of it.

use crate::project::Project;
use crate::python_environment::programs;

/// A project with one of everything that both tools make of the same files.
fn project() -> Project {
    let project = Project::new();
    let profiles = "\
songs:
  target: dev
  outputs:
    dev: {type: local, path: warehouse, schema: main, threads: 1}
    duck: {type: duckdb, path: 'songs.duckdb', schema: main, threads: 1}
";
    project
        .file("profiles.yml", profiles)
        .file(
            "dbt_project.yml",
            "name: songs\nprofile: songs\nversion: '1.0'\nmodels:\n  songs:\n    marts:\n      +materialized: table\n      +tags: [nightly]\n",
        )
        .file("seeds/plays.csv", "id,user_id,song\n1,1,a\n2,1,b\n3,2,a\n")
        .file("models/docs.md", "{% docs play %}One play of a song.{% enddocs %}\n")
        .file("macros/twice.sql", "{% macro twice(x) %}{{ add(x, x) }}{% endmacro %}\n{% macro add(a, b) %}({{ a }} + {{ b }}){% endmacro %}\n{% test is_small(model, column_name, most=10, note='') %}select * from {{ model }} where {{ column_name }} > {{ most }}{% endtest %}\n")
        .file("models/stg/stg_plays.sql", "select id, user_id, song from {{ ref('plays') }}\n")
        .file("models/marts/users.sql", "\n{{ config(meta={'owner': 'ada'}) }}\nselect user_id, {{ twice('count(*)') }} as plays from {{ ref('stg_plays') }} group by 1\n\n")
        .file("models/marts/gone.sql", "{{ config(enabled=false) }} select 1 as one from {{ ref('stg_plays') }}\n")
        .file("tests/all_counted.sql", "select * from {{ ref('users') }} where plays < 2\n")
        .file("snapshots/kept.sql", "{% snapshot kept %}{{ config(unique_key='user_id', strategy='check', check_cols='all', target_schema='main') }}select * from {{ ref('users') }}{% endsnapshot %}\n")
        .file(
            "models/schema.yml",
            "\
models:
  - name: stg_plays
    description: '{{ doc(\"play\") }}'
    columns:
      - name: id
        description: Which play.
        meta: {pii: false}
        data_tests:
          - unique
          - not_null
          - is_small:
              arguments: {most: 100, note: \"it's \\\"small\\\"\"}
          - accepted_values:
              arguments: {values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], quote: false}
              config: {severity: warn}
      - name: user_id
        data_tests:
          - relationships: {arguments: {to: ref('users'), field: user_id}}
          - is_small:
              name: users_are_few
  - name: users
exposures:
  - name: board
    label: The board
    type: dashboard
    maturity: high
    url: https://example.org
    owner: {name: Ada, email: ada@example.org}
    depends_on: [ref('users')]
",
        );
    project
}

#[test]
#[ignore = "nightly: dbt with DuckDB"]
fn the_artifacts_are_of_dbts_forms_and_say_what_dbt_says() {
    let project = project();
    project.succeed(&["build"]);
    project.succeed(&["docs", "generate"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dbt/artifacts.py");
    let mut command = std::process::Command::new(programs("dbt").join("python"));
    let output = command.arg(script).arg(project.path("")).arg("duck").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for name in ["manifest.json", "run_results.json", "catalog.json"] {
        assert!(told.contains(&format!("valid: {name}")), "{told}");
    }
}
