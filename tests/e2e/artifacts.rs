//! The artifacts have dbt's own forms, and say of a project what dbt says of it.

use crate::project::Project;
use crate::python_environment::programs;

/// Both tools build into a target of their own.
const PROFILES: &str = "\
songs:
  target: dev
  outputs:
    dev: {type: local, path: warehouse, schema: main, threads: 1}
    duck: {type: duckdb, path: 'songs.duckdb', schema: main, threads: 1}
";

/// A project with one of everything that both tools make of the same files.
fn project() -> Project {
    let project = Project::new();
    project
        .file("profiles.yml", PROFILES)
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

/// A project with what dbt knows of models beside their SQL.
fn governed() -> Project {
    let project = Project::new();
    project
        .file("profiles.yml", PROFILES)
        .file("dbt_project.yml", "name: songs\nprofile: songs\nversion: '1.0'\n")
        .file("seeds/plays.csv", "id,user_id,song\n1,1,a\n2,2,b\n")
        .file("tests/fixtures/rows.csv", "id,user_id\n1,\n2,3\n")
        .file("models/marts/m_v1.sql", "select id, user_id from {{ ref('plays') }}\n")
        .file(
            "models/marts/m_v2.sql",
            "{{ config(materialized='table') }} select id, user_id from {{ ref('plays') }}\n",
        )
        .file("models/marts/reader.sql", "select id from {{ ref('m', v=1) }} union all select id from {{ ref('m') }}\n")
        .file("models/spine.sql", "select date '2024-01-01' as day\n")
        .file("models/spine.yml", "models:\n  - name: spine\n    time_spine: {standard_granularity_column: day}\n    columns: [{name: day, granularity: day}]\n")
        .file(
            "models/marts/schema.yml",
            "\
groups:
  - name: finance
    owner: {name: me, email: me@example.org, channel: money}
    description: The money.
    config: {meta: {a: 1}}
models:
  - name: m
    latest_version: 2
    access: public
    config: {group: finance, contract: {enforced: true}}
    constraints:
      - {type: check, expression: \"id > 0 and 'a' <> 'b'\", name: positive}
      - {type: foreign_key, columns: [user_id], to: ref('plays'), to_columns: [user_id], warn_unsupported: false}
    columns:
      - name: id
        data_type: bigint
        constraints: [{type: not_null}]
        data_tests: [unique, {relationships: {arguments: {to: ref('plays'), field: id}}}]
      - {name: user_id, data_type: bigint}
    versions:
      - {v: 1, deprecation_date: 2035-01-01}
      - {v: 2}
unit_tests:
  - name: ids
    model: m
    description: What is read is given.
    config: {tags: [quick], meta: {k: v}}
    given: [{input: ref('plays'), rows: [{id: 1, user_id: null}, {id: 2, user_id: 3}]}]
    expect: {format: csv, fixture: rows}
    overrides: {vars: {x: 1}}
    versions: {include: [2]}
semantic_models:
  - name: reads
    model: ref('m', v=1)
    description: Reads.
    defaults: {agg_time_dimension: read_day}
    entities: [{name: id, type: primary}]
    dimensions:
      - {name: read_day, type: time, type_params: {time_granularity: day}}
      - {name: kind, type: categorical, expr: user_id}
    measures: [{name: counted, agg: count, expr: 1}, {name: users, agg: count_distinct, expr: user_id, label: Us}]
    config: {group: finance, meta: {q: 1}}
metrics:
  - name: users_total
    label: Users
    type: simple
    type_params: {measure: {name: users, filter: \"{{ Dimension('id__kind') }} = 1\"}}
    filter: x = 1
    tags: [t]
    config: {meta: {z: 1}}
  - {name: users_month, label: Month, type: cumulative, type_params: {measure: users, window: 28 days}}
  - name: share
    label: Share
    description: Of all.
    type: ratio
    type_params: {numerator: users_total, denominator: {name: all_reads, offset_window: 1 month}}
  - {name: all_reads, label: All, type: simple, type_params: {measure: counted}}
saved_queries:
  - name: weekly
    description: Each week.
    query_params: {metrics: [users_total], group_by: [\"TimeDimension('metric_time', 'day')\"], where: [a = 1, b = 2]}
    exports: [{name: weekly_out, config: {export_as: table}}]
    config: {tags: [b, a]}
",
        );
    project
}

#[test]
#[ignore = "nightly: dbt with DuckDB"]
fn the_artifacts_are_of_dbts_forms_and_say_what_dbt_says() {
    for (project, has_metrics) in [(project(), false), (governed(), true)] {
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
        assert_eq!(told.contains("valid: semantic_manifest.json"), has_metrics, "{told}");
    }
}
