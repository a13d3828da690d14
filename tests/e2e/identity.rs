//! Nothing is known by a text made for people: an edit of brackets is an edit, partitions that are shown alike are two, rows
//! are known by the types that they are stored with, and the time of a run is found wherever SQL asks for it.

use serde_json::{Value as Json, json};

use crate::project::{DAY, NOVEMBER, Project};

pub(crate) const PROFILES: &str = "\
songs:
  target: dev
  outputs:
    dev: &dev
      type: local
      path: warehouse
      schema: main
      threads: 2
      sources:
        events: {type: files, path: events}
    fresh:
      type: local
      path: fresh
      schema: main
      threads: 2
      sources:
        events: {type: files, path: events}
";

pub(crate) const LISTENS: &str = "{{ source('events', 'listens') }}";

pub(crate) fn sources(song: &str, seconds: &str) -> String {
    format!(
        "sources:
  - name: events
    tables:
      - name: listens
        event_time: ts
        columns:
          - {{name: ts, data_type: bigint}}
          - {{name: user_id, data_type: bigint}}
          - {{name: song, data_type: {song}}}
          - {{name: seconds, data_type: {seconds}}}
"
    )
}

pub(crate) fn project() -> Project {
    let project = Project::new();
    project.file("profiles.yml", PROFILES).file("sources.yml", sources("varchar", "bigint"));
    project
}

pub(crate) fn by_day(project: &Project, name: &str, select: &str) {
    let config = "{{ config(materialized='incremental', partition_by='event_date') }}";
    project.model(name, &format!("{config} {select}"));
}

pub(crate) fn shown(project: &Project, target: &str, sql: &str) -> Json {
    let words = ["show", "--target", target, "--inline", sql, "--limit", "-1", "--output", "json"];
    serde_json::from_str(&project.print(&words)).unwrap()
}

/// That tables hold what a full refresh elsewhere gives.
pub(crate) fn are_fresh(project: &Project, queries: &[&str]) {
    project.succeed(&["run", "--quiet", "--full-refresh", "--target", "fresh"]);
    are_equal(project, queries);
}

/// That tables hold the same in both targets.
pub(crate) fn are_equal(project: &Project, queries: &[&str]) {
    for sql in queries {
        assert_eq!(shown(project, "dev", sql), shown(project, "fresh", sql), "{sql}");
    }
}

pub(crate) fn write(project: &Project, file: &str, rows: &[(i64, i64, Json, i64)]) {
    let line = |(day, user, song, seconds): &(i64, i64, Json, i64)| {
        let ts = NOVEMBER + day * DAY;
        format!("{}\n", json!({"ts": ts, "user_id": user, "song": song, "seconds": seconds}))
    };
    project.file(&format!("events/listens/{file}"), rows.iter().map(line).collect::<String>());
}

pub(crate) const EDITS: [[&str; 2]; 5] = [
    ["seconds - user_id + 1", "seconds - (user_id + 1)"],
    [
        "case when not user_id = 1 or seconds > 9 then 1 else 0 end",
        "case when not (user_id = 1 or seconds > 9) then 1 else 0 end",
    ],
    ["seconds / user_id * 2", "seconds / (user_id * 2)"],
    ["- seconds + user_id", "-(seconds + user_id)"],
    ["cast(seconds as double) / user_id", "cast(seconds / user_id as double)"],
];

#[test]
fn an_edit_of_brackets_builds_the_model_anew() {
    let project = project();
    write(&project, "1.json", &[(0, 1, json!("a"), 10), (1, 2, json!("b"), 25)]);
    let models = |which: usize| {
        for (number, edit) in EDITS.iter().enumerate() {
            let select = format!("select event_date, {} as r from {LISTENS}", edit[which]);
            by_day(&project, &format!("m{number}"), &select);
        }
        // Of a model with a function that gives a table, the SQL counts.
        let among = ["s.value - user_id + 1", "s.value - (user_id + 1)"][which];
        by_day(
            &project,
            "series",
            &format!("select event_date, {among} as r from {LISTENS} cross join generate_series(1, 2) s"),
        );
        let within = ["seconds - user_id + 1", "seconds - (user_id + 1)"][which];
        project.model("viewed", &format!("select event_date, {within} as r from {LISTENS}"));
        project.model(
            "listed",
            "{{ config(materialized='table') }} select event_date, unnest([r, r]) as r from {{ ref('viewed') }}",
        );
        project.file(
            "snapshots/taken.sql",
            format!(
                "{{% snapshot taken %}}{{{{ config(strategy='check', unique_key='user_id', check_cols=['r']) }}}}
                select user_id, {within} as r from {LISTENS}{{% endsnapshot %}}"
            ),
        );
    };
    models(0);
    project.succeed(&["run"]);
    project.succeed(&["snapshot"]);
    assert_eq!(project.plan(), [""; 0]);
    models(1);
    let planned = project.plan();
    assert_eq!(planned.len(), EDITS.len() + 3, "{planned:#?}");
    project.succeed(&["run"]);
    project.succeed(&["snapshot"]);
    let queries: Vec<String> = (0..EDITS.len())
        .map(|number| format!("m{number}"))
        .chain(["series".to_owned(), "viewed".to_owned(), "listed".to_owned()])
        .map(|name| format!("select event_date, r from main.{name} order by 1, 2"))
        .collect();
    are_fresh(&project, &queries.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        project.rows("select user_id, r from main.taken where dbt_valid_to is null order by 1"),
        json!([{"user_id": 1, "r": 8}, {"user_id": 2, "r": 22}])
    );
    models(1);
    assert_eq!(project.plan(), [""; 0]);
}

/// The values of a partition's two columns.
pub(crate) type Key = (Option<&'static str>, Option<&'static str>);

/// The partition that each file of the source becomes: pairs that are shown by one text, and texts that stand for NULL.
pub(crate) const KEYS: [Key; 10] = [
    (Some("a/b"), Some("c")),
    (Some("a"), Some("b/c")),
    (None, Some("x")),
    (Some("null"), Some("x")),
    (Some(""), Some("x")),
    (Some("%N"), Some("x")),
    (Some("x=y%2F"), Some("é/ü")),
    (Some("x=y/"), Some("é/ü")),
    (Some("*"), Some("__HIVE_DEFAULT_PARTITION__")),
    (Some("*"), None),
];

pub(crate) fn keyed(project: &Project) {
    let value = |value: Option<&str>| value.map_or("null".to_owned(), |value| format!("'{value}'"));
    let of = |which: fn(&Key) -> Option<&'static str>| {
        let whens = KEYS
            .iter()
            .enumerate()
            .map(|(number, key)| format!("when 'listens/{number}.json' then {}", value(which(key))));
        format!("case batch {} end", whens.collect::<Vec<_>>().join(" "))
    };
    let (p, q) = (of(|key| key.0), of(|key| key.1));
    project.model(
        "keyed",
        &format!(
            "{{{{ config(materialized='incremental', partition_by=['p', 'q']) }}}}
            select {p} as p, {q} as q, seconds from {LISTENS}"
        ),
    );
    project.model(
        "letters",
        "{{ config(materialized='incremental', partition_by='letter') }}
        select left(coalesce(p, 'null'), 1) as letter, sum(seconds) as s from {{ ref('keyed') }} group by 1",
    );
    project.model(
        "total",
        "{{ config(materialized='table') }} select sum(seconds) as s, count(p) as n, count(q) as m from {{ ref('keyed') }}",
    );
}

pub(crate) const KEYED: [&str; 3] = [
    "select p, q, seconds from main.keyed order by p, q, seconds",
    "select letter, s from main.letters order by 1",
    "select * from main.total",
];

#[test]
fn partitions_that_are_shown_alike_are_told_apart() {
    let project = project();
    for number in 0..KEYS.len() {
        write(&project, &format!("{number}.json"), &[(0, 1, json!(null), 1 << number)]);
    }
    keyed(&project);
    project.succeed(&["run"]);
    are_fresh(&project, &KEYED);
    for number in 0..KEYS.len() {
        write(&project, &format!("{number}.json"), &[(0, 1, json!(null), 1000 << number)]);
        project.succeed(&["run", "--quiet"]);
        are_fresh(&project, &KEYED);
        assert_eq!(project.plan(), [""; 0]);
    }
}

#[test]
fn what_was_built_before_a_column_was_landed_with_another_type_is_built_again_after() {
    let project = project();
    let texts = [(0, 1, json!("9"), 1), (0, 2, json!("10"), 2), (0, 3, json!("007"), 3)];
    write(&project, "1.json", &texts);
    project.file("sources.yml", sources("bigint", "bigint"));
    by_day(
        &project,
        "least",
        &format!("select event_date, min(song) as lo, max(song) as hi from {LISTENS} group by 1"),
    );
    project.model("shown", &format!("select event_date, song from {LISTENS}"));
    by_day(&project, "through", "select event_date, max(song) as hi from {{ ref('shown') }} group by 1");
    by_day(&project, "seconds", &format!("select event_date, max(seconds) as hi from {LISTENS} group by 1"));
    project.model(
        "whole",
        &format!(
            "{{{{ config(materialized='table') }}}} select max(song) as hi, count(*) as n from {LISTENS}"
        ),
    );
    project.model(
        "unnested",
        &format!("{{{{ config(materialized='table') }}}} select unnest([song]) as hi from {LISTENS}"),
    );
    project.succeed(&["run"]);
    let queries = [
        "select * from main.least order by event_date",
        "select * from main.through order by event_date",
        "select * from main.seconds order by event_date",
        "select * from main.whole",
        "select * from main.unnested order by hi",
    ];
    for song in ["varchar", "bigint", "varchar"] {
        project.file("sources.yml", sources(song, "bigint"));
        project.succeed(&["run", "--quiet", "--select", "least", "through", "seconds", "whole", "unnested"]);
        project.succeed(&["run", "--quiet"]);
        are_fresh(&project, &queries);
        assert_eq!(project.plan(), [""; 0]);
    }
    // The columns swap their types.
    write(&project, "1.json", &[(0, 1, json!("9"), 10), (0, 2, json!("10"), 9)]);
    project.succeed(&["run", "--quiet"]);
    project.file("sources.yml", sources("bigint", "varchar"));
    project.succeed(&["run", "--quiet", "--select", "least", "through", "seconds", "whole", "unnested"]);
    project.succeed(&["run", "--quiet"]);
    are_fresh(&project, &queries);
    // A column that was not landed yet.
    let renamed = sources("bigint", "varchar").replace("name: seconds", "name: length");
    project.file("sources.yml", renamed);
    project.file(
        "events/listens/1.json",
        json!({"ts": NOVEMBER, "user_id": 1, "song": 3, "length": "5"}).to_string(),
    );
    by_day(&project, "seconds", &format!("select event_date, max(length) as hi from {LISTENS} group by 1"));
    project.run(&["run", "--quiet", "--select", "seconds"]);
    project.succeed(&["run", "--quiet"]);
    are_fresh(&project, &queries);
}

#[test]
fn a_joined_table_whose_column_is_landed_with_another_type_builds_what_was_built_before() {
    let project = project();
    write(&project, "1.json", &[(0, 1, json!("9"), 1), (1, 2, json!("010"), 2)]);
    let facts = "facts";
    by_day(&project, facts, &format!("select event_date, user_id from {LISTENS}"));
    project.model(
        "names",
        &format!("{{{{ config(materialized='table') }}}} select user_id, song as name from {LISTENS}"),
    );
    by_day(
        &project,
        "joined",
        "select f.event_date, f.user_id, max(n.name) as name from {{ ref('facts') }} f
        left join {{ ref('names') }} n on n.user_id = f.user_id group by 1, 2",
    );
    project.succeed(&["run"]);
    for song in ["bigint", "varchar"] {
        project.file("sources.yml", sources(song, "bigint"));
        project.run(&["run", "--quiet", "--select", "joined"]);
        project.succeed(&["run", "--quiet", "--select", "names"]);
        project.run(&["run", "--quiet", "--select", "joined"]);
        project.succeed(&["run", "--quiet"]);
        are_fresh(
            &project,
            &["select * from main.joined order by user_id", "select * from main.names order by 1"],
        );
        assert_eq!(project.plan(), [""; 0]);
    }
}

#[test]
fn a_model_that_asks_for_the_time_within_a_call_is_built_by_each_run() {
    let project = project();
    write(&project, "1.json", &[(0, 1, json!("a"), 10)]);
    let table = |name: &str, select: &str| {
        project.model(name, &format!("{{{{ config(materialized='table') }}}} {select}"));
    };
    table(
        "days",
        "select generate_series from generate_series(date '2018-11-01', current_date, interval '1 year')",
    );
    table("some", "select value from range(1, 9) limit cast(extract(day from now()) as bigint)");
    project.model(
        "until",
        "select value as day from generate_series(date '2018-11-01', today(), interval '1 year')",
    );
    table("above", "select count(*) as n from {{ ref('until') }}");
    project.model(
        "inner",
        "{{ config(materialized='ephemeral') }} select * from range(0, cast(extract(day from now()) as bigint))",
    );
    table("around", "select count(*) as n from {{ ref('inner') }}");
    table(
        "fixed",
        "select value from generate_series(date '2018-11-01', date '2018-11-03', interval '1 day')",
    );
    project.succeed(&["run"]);
    let why = "depends on the time of the run";
    let mut planned = project.plan();
    planned.sort();
    assert_eq!(planned, ["above", "around", "days", "some"].map(|name| format!("{name}: build: {why}")));
}

#[test]
fn source_tables_that_would_be_known_by_one_name_are_refused() {
    let project = Project::new();
    let table = |source: &str, table: &str, land_as: &str| {
        format!(
            "  - name: {source}\n    tables: [{{name: {table}, land_as: {land_as}, columns: [{{name: a, data_type: bigint}}]}}]\n"
        )
    };
    project
        .file("sources.yml", format!("sources:\n{}{}", table("a.b", "c", "one"), table("a", "b.c", "other")));
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("two source tables are both known as `source.songs.a.b.c`"), "{said}");
}
