//! Source tables as dbt has them: with no columns declared, built by the project itself, or in files that DuckDB would read.

use serde_json::json;

use crate::project::{DAY, Project};

const PROFILES: &str = "songs: {target: dev, outputs: {dev: {type: local, path: warehouse, schema: main, threads: 1, \
                        sources: {shop: {type: files, path: shop}}}}}";

fn project() -> Project {
    let project = Project::new();
    project.file("profiles.yml", PROFILES);
    project
}

#[test]
fn a_source_that_a_seed_fills_reads_the_seed() {
    let project = project();
    project
        .file("seeds/guests.csv", "id,name\n1,Ann\n2,Bo\n")
        .file("dbt_project.yml", "name: songs\nprofile: songs\nseeds: {+schema: raw}\n")
        .file(
            "models/s.yml",
            "sources: [{name: hotel, schema: MAIN_raw, tables: [{name: people, identifier: guests, columns: [{name: id, tests: [unique]}]}]}]",
        )
        .model("names", "{{ config(materialized='table') }} select name from {{ source('hotel', 'people') }}");
    let said = project.succeed(&["build"]);
    assert!(said.contains("pass  test source_unique_hotel_people_id"), "{said}");
    assert_eq!(project.rows("select * from main.names order by 1"), json!([{"name": "Ann"}, {"name": "Bo"}]));
    project.file("seeds/guests.csv", "id,name\n1,Cy\n");
    let said = project.succeed(&["build"]);
    assert!(said.contains("ok  table names"), "what a seed fills is an input: {said}");
}

#[test]
fn files_of_a_source_without_declared_columns_are_loaded_as_they_are() {
    let project = project();
    project
        .file("shop/orders.csv", "id,placed,total\n1,2024-05-01,1.5\n2,2024-05-02 10:30,2\n")
        .file("shop/events/a.json", "{\"id\": 1, \"day\": \"2024-05-01\", \"tags\": [\"x\"]}\n{\"id\": 2, \"kind\": \"y\"}\n")
        .file("shop/listed.json", "[{\"id\": 1}, {\"id\": 2}]")
        .file(
            "models/s.yml",
            "sources: [{name: shop, tables: [{name: orders, columns: [{name: id}, {name: total, data_type: 'decimal(9,2)'}]}, {name: events}, {name: listed}]}]",
        )
        .model("o", "select * from {{ source('shop', 'orders') }}")
        .model("e", "select * from {{ source('shop', 'events') }}")
        .model("l", "select sum(id) as n from {{ source('shop', 'listed') }}");
    project.succeed(&["build"]);
    assert_eq!(
        project.rows("select * from main.o order by id"),
        json!([
            {"id": 1, "placed": "2024-05-01T00:00:00", "total": 1.5},
            {"id": 2, "placed": "2024-05-02T10:30:00", "total": 2.0}
        ])
    );
    assert_eq!(
        project.rows("select * from main.e order by id"),
        json!([
            {"id": 1, "day": "2024-05-01", "tags": ["x"], "kind": null},
            {"id": 2, "day": null, "tags": null, "kind": "y"}
        ])
    );
    assert_eq!(project.rows("select * from main.l"), json!([{"n": 3}]));
    assert_eq!(project.plan(), Vec::<String>::new());
    project.file("shop/orders.csv", "id,placed,total\n3,2024-05-03 00:00,4\n");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select id from main.o"), json!([{"id": 3}]));
}

#[test]
fn an_external_location_is_read_as_dbt_duckdb_reads_it() {
    let project = project();
    project
        .file("lake/games.csv", "a\n1\n")
        .file("lake/more/x.csv", "a;b\n1;01\n")
        .file("lake/more/y.csv", "b;a\n02;2\n")
        .file(
            "models/s.yml",
            "sources:\n  - name: lake\n    meta: {external_location: 'lake/{name}.csv'}\n    tables:\n      - name: games\n      - name: more\n        config: {meta: {external_location: \"read_csv('lake/{name}/*.csv', delim=';', union_by_name=true)\"}}\n      - name: gone\n      - name: far\n        meta: {external_location: 's3://bucket/{name}.parquet'}\n",
        )
        .model("g", "select * from {{ source('lake', 'games') }}")
        .model("m", "select * from {{ source('lake', 'more') }}");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select * from main.g"), json!([{"a": 1}]));
    assert_eq!(
        project.rows("select * from main.m order by a"),
        json!([{"a": 1, "b": "01"}, {"a": 2, "b": "02"}])
    );
    project.model("f", "select * from {{ source('lake', 'far') }}");
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: `external_location` of `lake.far`: `s3://bucket/far.parquet` is not on this machine, and only files
     │ that are can be read
       ╭─[models/s.yml:10:15]
     9 │       - name: far
    10 │         meta: {external_location: 's3://bucket/{name}.parquet'}
       ·               ─────────────────────────────────────────────────
       ╰────
     help: write a path of Parquet, CSV or JSON on this machine, or a call such as read_csv('data/*.csv')
    ");
    project.model("f", "select * from {{ source('lake', 'gone') }}");
    insta::assert_snapshot!(project.normalized(&project.fail(2, &["compile"])), @r"
     error: the source table `lake.gone` has no files
      ╭─[models/s.yml:3:11]
    2 │   - name: lake
    3 │     meta: {external_location: 'lake/{name}.csv'}
      ·           ──────────────────────────────────────
    4 │     tables:
      ╰────
     help: looked for [folder]/lake/gone.csv
    ");
}

#[test]
fn folders_of_an_external_location_are_columns_as_duckdb_has_them() {
    let project = project();
    project
        .file("lake/days/n=1/d=2024-01-05/x.csv", "a,a\n1,2\n")
        .file("lake/days/n=2/d=2024-01-06/x.csv", "a,a\n3,4\n")
        .file("lake/both/x.csv", "a\n1\n")
        .file("lake/mixed/n=01/x.csv", "a\n1\n")
        .file("lake/mixed/other/x.csv", "a\n2\n")
        .file(
            "models/s.yml",
            "sources:\n  - name: lake\n    tables:\n      - name: days\n        meta: {external_location: 'lake/days/*/*/*.csv'}\n      - name: none\n        meta: {external_location: \"read_csv('lake/days/*/*/*.csv', hive_partitioning=false)\"}\n      - name: both\n        meta: {external_location: \"read_csv(['lake/both/x.csv', 'lake/mixed/other/*.csv'])\"}\n      - name: mixed\n        meta: {external_location: 'lake/mixed/*/*.csv'}\n      - name: strict\n        meta: {external_location: \"read_csv('lake/mixed/*/*.csv', hive_partitioning=true)\"}\n",
        )
        .model("days_read", "select a, a_1, cast(d as varchar) as d, n + 1 as n from {{ source('lake', 'days') }}")
        .model("none_read", "select * from {{ source('lake', 'none') }}")
        .model("both_read", "select * from {{ source('lake', 'both') }}")
        .model("mixed_read", "select * from {{ source('lake', 'mixed') }}");
    project.succeed(&["build"]);
    assert_eq!(
        project.rows("select * from main.days_read order by a"),
        json!([{"a": 1, "a_1": 2, "d": "2024-01-05", "n": 2}, {"a": 3, "a_1": 4, "d": "2024-01-06", "n": 3}])
    );
    assert_eq!(
        project.rows("select * from main.none_read order by a"),
        json!([{"a": 1, "a_1": 2}, {"a": 3, "a_1": 4}])
    );
    assert_eq!(project.rows("select * from main.mixed_read order by a"), json!([{"a": 1}, {"a": 2}]));
    assert_eq!(project.rows("select * from main.both_read order by a"), json!([{"a": 1}, {"a": 2}]));
    assert_eq!(project.plan(), Vec::<String>::new());
    project.model("strict_read", "select * from {{ source('lake', 'strict') }}");
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("each file lies in folders of the same names: expected `n`"), "{said}");
}

#[test]
fn a_table_that_is_nowhere_stops_what_reads_it_alone() {
    let project = project();
    project
        .file("models/s.yml", "sources: [{name: a, tables: [{name: t}, {name: u, columns: [{name: x, data_type: int}]}]}, {name: b, tables: [{name: t}]}]")
        .model("one", "select 1 as x");
    project.succeed(&["build"]);
    project.model("two", "select * from {{ source('b', 't') }}");
    let nowhere = "nothing says where the rows of the source table `b.t` come from";
    let said = project.fail(2, &["build"]);
    assert!(said.contains(nowhere) && said.contains("skipped  view two"), "{said}");
    assert!(project.fail(2, &["compile"]).contains(nowhere));
    project.succeed(&["compile", "--select", "one"]);
    project.succeed(&["build", "--select", "one"]);
}

#[test]
fn a_file_that_is_not_what_its_sample_said_loads_nothing() {
    let project = project();
    project
        .file("shop/orders.csv", "id\n1\n")
        .file("models/s.yml", "sources: [{name: shop, tables: [{name: orders, columns: [{name: id, data_type: int}, {name: note}]}]}]")
        .model("o", "select * from {{ source('shop', 'orders') }}");
    project.succeed(&["build"]);
    project.file("shop/orders.csv", "id\n1\nx\n");
    insta::assert_snapshot!(project.fail(1, &["build"]).lines().find(|line| line.contains("line 3")).unwrap_or_default(), @"      orders.csv: line 3: column `id`: `x` is no integer: declare its `data_type` in the source's `columns`");
}

#[test]
fn a_table_of_another_project_is_read_where_it_is_and_what_changed_in_it_builds_what_depends_on_it() {
    let theirs = Project::with_listens();
    theirs
        .listens("one.json", &[(0, 1, "A"), (DAY, 2, "B")])
        .model(
            "visits",
            "{{ config(materialized='incremental', partition_by='day') }}
             select event_date as day, user_id as who from {{ source('events', 'listens') }}",
        )
        .model("seen", "select who from {{ ref('visits') }}");
    theirs.succeed(&["build"]);
    let ours = Project::new();
    let profiles = |schema: &str| {
        format!(
            "songs: {{target: dev, outputs: {{dev: {{type: local, path: {}, schema: ours, threads: 1, sources: {{crm: {{type: warehouse, schema: {schema}}}}}}}}}}}",
            theirs.path("warehouse").display()
        )
    };
    ours.file("profiles.yml", profiles("main"));
    ours.file("models/s.yml", "sources: [{name: crm, tables: [{name: visits, columns: [{name: who, data_tests: [not_null]}]}]}]").model(
        "by_day",
        "{{ config(materialized='incremental', partition_by='day') }} select day, count(*) as n from {{ source('crm', 'visits') }} group by day",
    );
    let said = ours.succeed(&["build"]);
    assert!(said.contains("pass  test source_not_null_crm_visits_who"), "{said}");
    let counted = || ours.rows("select cast(day as varchar) as day, n from ours.by_day order by day");
    assert_eq!(counted(), json!([{"day": "2018-11-01", "n": 1}, {"day": "2018-11-02", "n": 1}]));
    assert_eq!(ours.plan(), Vec::<String>::new());
    theirs.listens("two.json", &[(DAY + 1, 3, "C")]);
    theirs.succeed(&["build"]);
    assert_eq!(ours.plan(), ["by_day: build: visits changed in 2018-11-02"]);
    ours.succeed(&["run"]);
    assert_eq!(counted(), json!([{"day": "2018-11-01", "n": 1}, {"day": "2018-11-02", "n": 2}]));
    // Over no rows, the table has none either, and nothing of what it is tried in stays.
    ours.succeed(&["build", "--empty"]);
    assert_eq!(counted(), json!([{"day": "2018-11-01", "n": 1}, {"day": "2018-11-02", "n": 2}]));
    ours.file("models/s.yml", "sources: [{name: crm, tables: [{name: visits}, {name: seen}]}]");
    ours.model("s", "select * from {{ source('crm', 'seen') }}");
    insta::assert_snapshot!(ours.fail(2, &["compile"]), @r"
     error: main.seen cannot be read where it is: it is a view, which is read where its own project is: have
     │ that project build it as a table
      ╭─[models/s.yml:1:55]
    1 │ sources: [{name: crm, tables: [{name: visits}, {name: seen}]}]
      ·                                                       ────
      ╰────
    ");
    ours.file("models/s.yml", "sources: [{name: crm, tables: [{name: visits}, {name: sean}]}]");
    ours.model("s", "select * from {{ source('crm', 'sean') }}");
    insta::assert_snapshot!(ours.fail(2, &["compile"]), @r"
     error: nothing says where the rows of the source table `crm.sean` come from
      ╭─[models/s.yml:1:55]
    1 │ sources: [{name: crm, tables: [{name: visits}, {name: sean}]}]
      ·                                                       ────
      ╰────
     help: say in profiles.yml, below `sources:` of the target `dev`, where its files are: `crm: {type: files,
           path: ...}`; or give it an `external_location`; or have a seed or model built as crm.sean, or that
           table there in the warehouse
    ");
}
