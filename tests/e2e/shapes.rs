//! Shapes of models and of values that are rare, and must not give other rows or end a run.

use serde_json::json;

use crate::project::{DAY, Project};

const BY_DATE: &str = "{{ config(materialized='incremental', partition_by='event_date') }}\n";

#[test]
fn rows_without_a_match_are_kept_where_the_partition_comes_from_the_joined_side() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n3,Cat\n");
    project.model(
        "people_days",
        &format!(
            "{BY_DATE}select p.name, l.event_date from {{{{ ref('people') }}}} p
            left join {{{{ source('events', 'listens') }}}} l on l.user_id = p.user_id"
        ),
    );
    project.succeed(&["build"]);
    let rows = project.rows("select name, event_date from main.people_days order by name");
    assert_eq!(
        rows,
        json!([{"name": "Ann", "event_date": "2018-11-01"}, {"name": "Cat", "event_date": null}])
    );
    project.listens("2.json", &[(2 * DAY, 3, "c")]);
    project.succeed(&["build"]);
    let rows = project.rows("select name, event_date from main.people_days order by name");
    assert_eq!(
        rows,
        json!([{"name": "Ann", "event_date": "2018-11-01"}, {"name": "Cat", "event_date": "2018-11-03"}])
    );
}

#[test]
fn rows_of_both_sides_of_a_full_join_are_kept() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n3,Cat\n");
    project.model(
        "people_days",
        &format!(
            "{BY_DATE}select p.name, l.song, l.event_date from {{{{ source('events', 'listens') }}}} l
            full join {{{{ ref('people') }}}} p on l.user_id = p.user_id"
        ),
    );
    project.succeed(&["build"]);
    let rows = project.rows("select name, song from main.people_days order by name, song");
    assert_eq!(
        rows,
        json!([{"name": "Ann", "song": "a"}, {"name": "Cat", "song": null}, {"name": null, "song": "b"}])
    );
}

#[test]
fn rows_without_a_match_are_found_by_what_they_lack() {
    let project = Project::with_listens();
    project.model(
        "left_side",
        "{{ config(materialized='table') }}select * from (values (1, 'a'), (2, 'b')) t(k, name)",
    );
    project.model(
        "right_side",
        "{{ config(materialized='table') }}select * from (values (2, 'b'), (3, 'c'), (4, 'd')) t(k, name)",
    );
    for (model, condition) in [("unmatched", "l.name is null"), ("filled", "coalesce(l.name, 'x') = 'x'")] {
        project.model(
            model,
            &format!(
                "{{{{ config(materialized='table') }}}}select r.k, l.name as of_left, r.name as of_right
                from {{{{ ref('left_side') }}}} l right join {{{{ ref('right_side') }}}} r on l.k = r.k where {condition}"
            ),
        );
    }
    project.succeed(&["build"]);
    for model in ["unmatched", "filled"] {
        assert_eq!(
            project.rows(&format!("select k, of_left, of_right from main.{model} order by k")),
            json!([{"k": 3, "of_left": null, "of_right": "c"}, {"k": 4, "of_left": null, "of_right": "d"}]),
            "{model}"
        );
    }
}

#[test]
fn rows_whose_partition_value_is_null_are_kept_and_built_once() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.model(
        "halves",
        &format!(
            "{BY_DATE}select user_id, case when event_date > date '2018-11-01' then event_date end as event_date
            from {{{{ source('events', 'listens') }}}}"
        ),
    );
    project.model(
        "days",
        &format!("{BY_DATE}select event_date, count(*) as n from {{{{ ref('halves') }}}} group by 1"),
    );
    project.succeed(&["run"]);
    let rows = project.rows("select event_date, n from main.days order by n, event_date nulls first");
    assert_eq!(rows, json!([{"event_date": null, "n": 1}, {"event_date": "2018-11-02", "n": 1}]));
    assert_eq!(project.plan(), [""; 0]);
    project.listens("2.json", &[(5, 3, "c")]);
    project.succeed(&["run"]);
    let rows = project.rows("select event_date, n from main.days order by n desc");
    assert_eq!(rows, json!([{"event_date": null, "n": 2}, {"event_date": "2018-11-02", "n": 1}]));
}

#[test]
fn a_partition_that_its_input_has_lost_goes() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.model(
        "days",
        &format!(
            "{BY_DATE}select event_date, count(*) as n from {{{{ source('events', 'listens') }}}} group by 1"
        ),
    );
    project.model("weeks", "{{ config(materialized='table') }} select sum(n) as n from {{ ref('days') }}");
    project.succeed(&["run"]);
    project.listens("1.json", &[(0, 1, "a"), (1, 1, "a")]);
    assert_eq!(
        project.plan(),
        [
            "events.listens: land: 1 changed",
            "days: build: raw_listens changed in 2018-11-01/listens/1.json",
            "weeks: build: days changed in 2018-11-01; days lost rows in 2018-11-02"
        ]
    );
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select event_date, n from main.days"),
        json!([{"event_date": "2018-11-01", "n": 2}])
    );
    assert_eq!(project.rows("select n from main.weeks"), json!([{"n": 2}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn an_empty_source_gives_empty_tables_that_are_current_on_the_next_run() {
    let project = Project::with_listens();
    let listens = "{{ source('events', 'listens') }}";
    project.model("days", &format!("{BY_DATE}select event_date, count(*) as n from {listens} group by 1"));
    project.model(
        "all_listens",
        &format!("{{{{ config(materialized='table') }}}} select count(*) as n from {listens}"),
    );
    project.model("shown", &format!("select * from {listens}"));
    project.model(
        "parted",
        &format!("{{{{ config(materialized='table', partition_by='event_date') }}}} select * from {listens}"),
    );
    project.model(
        "by_time",
        &format!(
            "{BY_DATE}select user_id, cast(to_timestamp_millis(ts) as date) as event_date from {listens}"
        ),
    );
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.all_listens"), json!([{"n": 0}]));
    assert_eq!(project.rows("select * from main.days"), json!([]));
    assert_eq!(project.rows("select * from main.shown"), json!([]));
    assert_eq!(project.rows("select * from main.parted"), json!([]));
    assert_eq!(project.plan(), [""; 0]);
    project.listens("1.json", &[(0, 1, "a")]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.days"), json!([{"n": 1}]));
    assert_eq!(project.rows("select user_id from main.parted"), json!([{"user_id": 1}]));
    assert_eq!(project.rows("select event_date from main.by_time"), json!([{"event_date": "2018-11-01"}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_table_may_be_partitioned_and_is_built_as_a_whole() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.model(
        "parted",
        "{{ config(materialized='table', partition_by=['user_id', 'event_date']) }}
        select user_id, event_date, song from {{ source('events', 'listens') }}",
    );
    project.model(
        "below",
        "{{ config(materialized='incremental', partition_by='user_id') }}
        select user_id, count(*) as n from {{ ref('parted') }} group by 1",
    );
    project.succeed(&["run"]);
    assert!(
        project
            .listing("warehouse/main/parted")
            .iter()
            .any(|(path, ..)| { path.to_string_lossy().contains("user_id=1/event_date=2018-11-01/") })
    );
    project.listens("1.json", &[(DAY, 2, "c"), (DAY, 2, "b")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select user_id, song, event_date from main.parted order by song"),
        json!([
            {"user_id": 2, "song": "b", "event_date": "2018-11-02"},
            {"user_id": 2, "song": "c", "event_date": "2018-11-02"}
        ])
    );
    assert_eq!(project.rows("select user_id, n from main.below"), json!([{"user_id": 2, "n": 2}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn line_endings_semicolons_and_comments_at_the_end_do_not_matter() {
    let project = Project::new();
    project.model("one", "select 1 as x\r\n  -- the only one\r\n");
    // As Notepad saves it.
    project.model("two", "\u{feff}select x from {{ ref('one') }};\r\n\r\n");
    project
        .model("three", "{{ config(materialized='table') }}\r\nselect x from {{ ref('two') }}; -- at last");
    project.model(
        "four",
        "{{ config(materialized='ephemeral') }} select x + 1 as x from {{ ref('three') }} -- no more",
    );
    project.model("five", "{{ config(materialized='ephemeral') }} select x + 1 as x from {{ ref('four') }};");
    project.model("six", "{{ config(materialized='table') }} select x from {{ ref('five') }} /* done */;");
    project.file("tests/none.sql", "select * from {{ ref('six') }} where x <> 3;\n");
    project.file("tests/none_either.sql", "select * from {{ ref('five') }} where x <> 3 -- really");
    project.file("models/schema.yml", "\u{feff}models:\r\n  - name: two\r\n    columns:\r\n      - name: x\r\n        data_tests: [not_null]\r\n  - name: five\r\n    columns:\r\n      - {name: x, data_tests: [unique, {accepted_values: {arguments: {values: [3]}}}]}\r\n");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select x from {{ ref('six') }}"), json!([{"x": 3}]));
    assert_eq!(project.rows("select x from {{ ref('five') }};"), json!([{"x": 3}]));
    assert_eq!(project.print(&["show", "--select", "six", "--output", "json"]).trim(), r#"[{"x":3}]"#);
    assert_eq!(project.print(&["show", "--select", "two", "--output", "json"]).trim(), r#"[{"x":1}]"#);
}

#[test]
fn the_layout_of_the_sql_does_not_make_a_table_dirty() {
    let project = Project::new();
    project.model("one", "{{ config(materialized='table') }} select 1 as x");
    project.succeed(&["run"]);
    project.model("one", "{{ config(materialized='table') }}\r\nSELECT 1  AS x; -- one");
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn names_with_capitals_and_blanks_are_kept() {
    let project = Project::new();
    project.model(
        "people",
        r#"{{ config(materialized='table', alias='People') }} select 1 as "userId", 'x' as "Full Name""#,
    );
    project.model("names", r#"select "Full Name" as name, "userId" from {{ ref('people') }}"#);
    project.model(
        "parted",
        r#"{{ config(materialized='incremental', partition_by='userId') }} select "userId", name from {{ ref('names') }}"#,
    );
    project.succeed(&["run"]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select * from {{ ref('parted') }}"), json!([{"name": "x", "userId": 1}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn types_are_stored_as_they_are_computed() {
    let project = Project::new();
    project.model(
        "typed",
        "{{ config(materialized='table') }}
        select cast(12.345 as decimal(10, 3)) as price, timestamp '2018-11-01 10:00:00.123456' as at,
            date '2018-11-01' as day, cast(null as varchar) as nothing, true as yes, 1.5 as half,
            arrow_cast(7, 'UInt64') as big, 'ü' as letter, [1, 2] as list",
    );
    project.model("again", "{{ config(materialized='table') }} select * from {{ ref('typed') }}");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select * from main.again"),
        json!([{"price": 12.345, "at": "2018-11-01T10:00:00.123456", "day": "2018-11-01", "nothing": null,
            "yes": true, "half": 1.5, "big": 7, "letter": "ü", "list": [1, 2]}])
    );
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn any_type_of_value_can_name_a_partition() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a/b=c"), (DAY, 2, "")]);
    for (name, value) in [
        ("by_timestamp", "date_trunc('day', to_timestamp_millis(ts))"),
        ("by_month", "date_trunc('month', event_date)"),
        ("by_text", "song"),
        ("by_decimal", "cast(user_id as decimal(10, 2))"),
        ("by_truth", "user_id > 1"),
        ("by_day_number", "date_part('day', event_date)"),
        ("by_days_text", "cast(event_date as varchar)"),
        ("by_double", "cast(user_id as double) / 3"),
    ] {
        project.model(
            name,
            &format!(
                "{{{{ config(materialized='incremental', partition_by='p') }}}}
                select user_id, {value} as p from {{{{ source('events', 'listens') }}}}"
            ),
        );
    }
    project.succeed(&["run"]);
    project.listens("2.json", &[(2 * DAY, 1, "c"), (DAY + 1, 2, "é %")]);
    project.succeed(&["run"]);
    for name in [
        "by_timestamp",
        "by_month",
        "by_text",
        "by_decimal",
        "by_truth",
        "by_day_number",
        "by_days_text",
        "by_double",
    ] {
        let users =
            project.rows(&format!("select user_id, count(*) as n from main.{name} group by 1 order by 1"));
        assert_eq!(users, json!([{"user_id": 1, "n": 2}, {"user_id": 2, "n": 2}]), "{name}");
        let distinct = project.rows(&format!("select count(*) as n from main.{name} where p = p"));
        assert_eq!(distinct, json!([{"n": 4}]), "{name}");
    }
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_result_that_depends_on_the_time_of_the_run_is_built_on_every_run() {
    let project = Project::new();
    project.model("stamped", "{{ config(materialized='table') }} select now() as at");
    project.succeed(&["run"]);
    assert_eq!(project.plan(), ["stamped: build: depends on the time of the run"]);
}

#[test]
fn a_limit_and_an_order_do_not_let_partitions_be_built_alone() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.model(
        "last_two",
        &format!("{BY_DATE}select ts, song, event_date from {{{{ source('events', 'listens') }}}} order by ts desc limit 2"),
    );
    project.model(
        "not_last",
        &format!(
            "{BY_DATE}select ts, song, event_date from {{{{ source('events', 'listens') }}}}
            where event_date < (select max(event_date) from {{{{ source('events', 'listens') }}}})"
        ),
    );
    project.succeed(&["run"]);
    project.listens("2.json", &[(2 * DAY, 3, "c")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select song from main.last_two order by 1"),
        json!([{"song": "b"}, {"song": "c"}])
    );
    assert_eq!(
        project.rows("select song from main.not_last order by 1"),
        json!([{"song": "a"}, {"song": "b"}])
    );
}

#[test]
fn a_join_of_each_day_with_the_day_before_is_built_anew_where_either_changed() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b")]);
    project.model(
        "days",
        &format!(
            "{BY_DATE}select event_date, count(*) as n from {{{{ source('events', 'listens') }}}} group by 1"
        ),
    );
    project.model(
        "change",
        &format!(
            "{BY_DATE}select today.event_date, today.n, before.n as n_before from {{{{ ref('days') }}}} today
            left join {{{{ ref('days') }}}} before on before.event_date = today.event_date - interval '1 day'"
        ),
    );
    project.succeed(&["run"]);
    project.listens("2.json", &[(1, 1, "late")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select event_date, n, n_before from main.change order by 1"),
        json!([
            {"event_date": "2018-11-01", "n": 2, "n_before": null},
            {"event_date": "2018-11-02", "n": 1, "n_before": 2}
        ])
    );
}
