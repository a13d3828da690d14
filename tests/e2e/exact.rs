//! Numbers that do not fit, conditions that guard others, and NaN.

use serde_json::json;

use crate::project::{DAY, Project};

const LISTENS: &str = "{{ source('events', 'listens') }}";

#[test]
fn arithmetic_that_does_not_fit_is_an_error_and_never_another_number() {
    let project = Project::new();
    project.model(
        "numbers",
        "{{ config(materialized='table') }} select * from (values (9223372036854775807, cast(1.1 as decimal(38, 19))), (1, cast(1.005 as decimal(38, 19)))) as t (v, d)",
    );
    project.succeed(&["run"]);
    for (sql, message) in [
        ("sum(v)", "bigint overflow: a sum is 9223372036854775808"),
        ("sum(distinct v)", "bigint overflow: a sum is 9223372036854775808"),
        ("max(v) + 1", "bigint overflow: 9223372036854775807 + 1"),
        ("max(v) * 2", "bigint overflow: 9223372036854775807 * 2"),
        ("-2 - max(v)", "bigint overflow: -2 - 9223372036854775807"),
        ("-(-max(v) - 1)", "bigint overflow"),
        ("max(d * d)", "decimal(38, 38) overflow"),
        (
            "sum(cast(99999999999999999999999999999999999999 as decimal(38, 0)))",
            "overflow: a sum does not fit",
        ),
    ] {
        let told = project.fail(1, &["show", "--inline", &format!("select {sql} as x from main.numbers")]);
        assert!(told.contains(message), "{sql}: {told}");
    }
    // What fails whatever rows there are is no SQL that could run.
    for (sql, message) in [
        ("cast(2147483647 as integer) + cast(1 as integer)", "integer overflow: 2147483647 + 1"),
        ("9223372036854775807 + 1", "bigint overflow: 9223372036854775807 + 1"),
    ] {
        let told = project.fail(2, &["show", "--inline", &format!("select {sql} as x from main.numbers")]);
        assert!(told.contains(message), "{sql}: {told}");
    }
    for (sql, value) in [
        ("sum(cast(v as decimal(38, 0)))", json!("9223372036854775808")),
        ("sum(v - 1)", json!(9_223_372_036_854_775_806_i64)),
        ("sum(case when v > 1 then v - 1 else -1 end)", json!(9_223_372_036_854_775_805_i64)),
    ] {
        let x = &project.rows(&format!("select cast({sql} as varchar) as x from main.numbers"))[0]["x"];
        assert_eq!(x.as_str().unwrap(), value.to_string().trim_matches('"'), "{sql}");
    }
    // What comes out in the end counts, not what is added first.
    assert_eq!(
        project.rows("select sum(x) as x from (values (9223372036854775807), (5), (-7)) as t (x)"),
        json!([{"x": 9_223_372_036_854_775_805_i64}])
    );
    assert_eq!(
        project.rows("select sum(v) over (order by v rows between current row and current row) as x from main.numbers order by x"),
        json!([{"x": 1}, {"x": i64::MAX}])
    );
}

#[test]
fn rows_with_nan_are_found_in_stored_tables() {
    let project = Project::new();
    project.model(
        "f",
        "{{ config(materialized='table') }} select k, cast(x as double) as x, cast(x as real) as r from (values (1, '1'), (2, '3'), (3, 'NaN'), (4, null)) as t (k, x)",
    );
    project.succeed(&["run"]);
    for (filter, keys) in [
        ("x > 5", json!([3])),
        ("x >= 5", json!([3])),
        ("r > 5", json!([3])),
        ("not x < 5", json!([3])),
        ("not (x between 0 and 5)", json!([3])),
        ("x not in (1, 3)", json!([3])),
        ("isnan(x)", json!([3])),
        ("x = cast('NaN' as double)", json!([3])),
        ("x is not null and x <> 1 and x <> 3", json!([3])),
        ("x < 5", json!([1, 2])),
    ] {
        let rows = project.rows(&format!("select k from main.f where {filter} order by k"));
        let found: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["k"].clone()).collect();
        assert_eq!(json!(found), keys, "{filter}");
    }
    assert_eq!(
        project.rows("select k from main.f where x is not null order by x desc limit 1"),
        json!([{"k": 3}])
    );
    assert_eq!(
        project.rows("select a.k from main.f a join main.f b on a.x = b.x where b.k = 3"),
        json!([{"k": 3}])
    );
}

#[test]
fn to_find_what_a_change_reaches_fails_nothing_that_a_full_refresh_does_not() {
    let project = Project::with_listens();
    let days = (0..12).map(|day| (day * DAY, 1, "7")).collect::<Vec<_>>();
    project.listens("1.json", &days).listens("2.json", &[(0, 2, "no number")]);
    project.file("seeds/songs.csv", "number,title\n7,seven\n8,eight\n");
    project
        .model("titles", "{{ config(materialized='table') }} select number, title from {{ ref('songs') }}");
    project.model(
        "plays",
        &format!("{{{{ config(materialized='incremental', partition_by='event_date') }}}} select l.event_date, l.song, t.title from {LISTENS} l left join {{{{ ref('titles') }}}} t on t.number = cast(l.song as bigint) where l.user_id = 1"),
    );
    project.succeed(&["build"]);
    project.file("seeds/songs.csv", "number,title\n7,seventh\n8,eight\n");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select distinct title from main.plays"), json!([{"title": "seventh"}]));
}

#[test]
fn what_may_fail_is_computed_only_where_the_conditions_beside_it_let_it() {
    let project = Project::new();
    project.model(
        "t",
        "{{ config(materialized='table') }} select * from (values (0, '0', true), (1, '1', true), (2, 'two', false), (null, null, null), (5, '5', false), (7, '7', true), (8, '8', true)) as t (k, s, b)",
    );
    project.model(
        "parts",
        "{{ config(materialized='incremental', partition_by='s') }} select k, s from {{ ref('t') }}",
    );
    project.model("some", "{{ config(materialized='view') }} select * from {{ ref('t') }} where k <> 0");
    project.succeed(&["run"]);
    for (sql, keys) in [
        ("k from main.t where k <> 0 and 10 / k > 4", json!([1, 2])),
        ("k from main.t where 10 / k > 4 and k <> 0", json!([1, 2])),
        ("k from main.some where 10 / k > 4", json!([1, 2])),
        ("k from main.t where k = 0 or 10 / k > 4", json!([0, 1, 2])),
        ("k from main.t where not (k = 0 or 10 % k <> 0)", json!([1, 2, 5])),
        ("k from main.t where case when k <> 0 then 10 / k > 4 else false end", json!([1, 2])),
        (
            "k from main.t where s <> 'two' and cast(s as bigint) <> 0 and 10 / cast(s as bigint) > 1",
            json!([1, 5]),
        ),
        ("k from main.t where s <> 'two' and s is not null and cast(s as double) in (1, 5)", json!([1, 5])),
        ("k from main.parts where s <> 'two' and cast(s as bigint) > 4", json!([5, 7, 8])),
        ("k from main.parts where cast(s as bigint) > 4 and s <> 'two'", json!([5, 7, 8])),
        ("a.k as k from main.t a join main.t b on a.k = b.k and b.k <> 0 and 10 / b.k > 4", json!([1, 2])),
        (
            "k from main.t a where exists (select 1 from main.t b where b.k = a.k and b.k <> 0 and 10 / b.k > 4)",
            json!([1, 2]),
        ),
        ("k from main.t group by k having count(*) = 1 and k <> 0 and 10 / k > 4", json!([1, 2])),
    ] {
        let rows = project.rows(&format!("select {sql} order by 1"));
        let found: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["k"].clone()).collect();
        assert_eq!(json!(found), keys, "{sql}");
    }
    // Where the first condition is NULL, the second one decides whether both are false.
    let rows = project.rows(
        "select k, k <> 0 and 10 / k > 4 as both, k = 0 or 10 / k > 4 as either, b and 10 / nullif(k, 0) > 4 as third from main.t where k < 6 or k is null order by k",
    );
    assert_eq!(
        rows,
        json!([
            {"k": 0, "both": false, "either": true, "third": null},
            {"k": 1, "both": true, "either": true, "third": true},
            {"k": 2, "both": true, "either": true, "third": false},
            {"k": 5, "both": false, "either": false, "third": false},
            {"k": null, "both": null, "either": null, "third": null},
        ])
    );
    assert_eq!(
        project.rows("select count(*) filter (where k <> 0 and 10 / k > 4) as n, sum(case when k <> 0 then 10 / k end) as s from main.t"),
        json!([{"n": 2, "s": 19}])
    );
    let told = project.fail(1, &["show", "--inline", "select k from main.t where 10 / k > 4"]);
    assert!(told.contains("division by zero"), "{told}");
}

#[test]
fn a_condition_that_may_fail_is_asked_of_joined_rows_in_every_run() {
    let project = Project::with_listens();
    project.file(
        "profiles.yml",
        "songs:\n  target: dev\n  outputs:\n    dev: {type: local, path: warehouse, schema: main, threads: 2, sources: {events: {type: files, path: events}}}\n    fresh: {type: local, path: fresh, schema: main, threads: 2, sources: {events: {type: files, path: events}}}\n",
    );
    let days: Vec<_> = (0..4).flat_map(|day| [(day * DAY, 1, "a"), (day * DAY + 1, 2, "b")]).collect();
    project.listens("1.json", &days);
    project.file("seeds/scores.csv", "song,score\na,5\nb,7\nnever,none\n");
    let config = |by: &str| format!("{{{{ config(materialized='incremental', partition_by='{by}') }}}}");
    let scores = "{{ ref('scores') }} s";
    let shapes = [
        (
            "joined",
            "event_date",
            format!(
                "select l.event_date, l.user_id, s.score from {LISTENS} l join {scores} on s.song = l.song where cast(s.score as int) > 5"
            ),
        ),
        (
            "outer_joined",
            "event_date",
            format!(
                "select l.event_date, l.user_id, s.score from {LISTENS} l left join {scores} on s.song = l.song and cast(s.score as int) > 5"
            ),
        ),
        (
            "grouped",
            "event_date",
            format!(
                "select l.event_date, s.song, count(*) as n from {LISTENS} l join {scores} on s.song = l.song where 10 / (cast(s.score as int) - 5) >= 3 and s.song <> 'a' group by l.event_date, s.song"
            ),
        ),
        (
            "found",
            "event_date",
            format!(
                "select l.event_date, l.user_id from {LISTENS} l where l.user_id in (select length(song) + 1 from {scores} where s.song < 'c' and cast(s.score as int) > 5)"
            ),
        ),
        (
            "by_score",
            "score",
            format!(
                "select cast(s.score as int) as score, count(*) as n from {LISTENS} l join {scores} on s.song = l.song group by 1"
            ),
        ),
    ];
    for (name, by, sql) in &shapes {
        project.model(name, &format!("{} {sql}", config(by)));
        project.model(&format!("{name}_by_key"), &format!("{{{{ config(materialized='table') }}}} {sql}"));
    }
    let build = || {
        project.succeed(&["build"]);
        project.succeed(&["build", "--full-refresh", "--target", "fresh"]);
        for (name, ..) in &shapes {
            for table in [(*name).to_owned(), format!("{name}_by_key")] {
                let rows = |target: &str| {
                    let sql = format!("select * from main.{table}");
                    let show =
                        ["show", "--target", target, "--inline", &sql, "--limit", "-1", "--output", "json"];
                    let shown: serde_json::Value = serde_json::from_str(&project.print(&show)).unwrap();
                    let mut rows: Vec<String> =
                        shown.as_array().unwrap().iter().map(ToString::to_string).collect();
                    rows.sort_unstable();
                    rows
                };
                assert_eq!(rows("dev"), rows("fresh"), "{table}");
                assert!(!rows("dev").is_empty(), "{table} has no rows");
            }
        }
    };
    build();
    project.listens("2.json", &[(2 * DAY + 5, 2, "b"), (7 * DAY, 1, "b")]);
    build();
    // What came joins nothing, and no number can be made of it.
    project.file("seeds/scores.csv", "song,score\na,5\nb,8\nnever,none\nnowhere,nothing\n");
    build();
    project.file("seeds/scores.csv", "song,score\na,6\nb,8\nnowhere,nothing at all\n");
    build();
}
