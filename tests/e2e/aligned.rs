//! A day that changes builds the partitions of that day and no others, whatever shape a model has between its days and those
//! of what it reads; and the rows are those of a full refresh.

use serde_json::Value as Json;

use crate::project::{DAY, NOVEMBER, Project};

/// Each shape: its name, its partition columns, its SELECT over `plays` (by day), `by_day` (a row for each day) and `kinds`
/// (by day and kind).
const SHAPES: [(&str, &str, &str); 22] = [
    (
        "left_joined",
        "'event_date'",
        "select p.event_date, p.user_id, p.song, d.plays from {{ ref('plays') }} p
        left join {{ ref('by_day') }} d on d.event_date = p.event_date",
    ),
    (
        "left_joined_to_an_aggregate",
        "'event_date'",
        "select p.event_date, p.user_id, d.n from {{ ref('plays') }} p
        left join (select event_date as day, count(song) as n from {{ ref('plays') }} group by 1) d on d.day = p.event_date",
    ),
    (
        "right_joined",
        "'event_date'",
        "select p.event_date, p.user_id, d.plays from {{ ref('by_day') }} d
        right join {{ ref('plays') }} p on d.event_date = p.event_date and d.plays > 1",
    ),
    (
        "full_joined",
        "'event_date'",
        "select event_date, d.plays, a.n from {{ ref('by_day') }} d
        full join (select event_date, count(*) as n from {{ ref('plays') }} where song = 'a' group by 1) a using (event_date)",
    ),
    (
        "full_joined_thrice",
        "'event_date'",
        "select event_date, d.plays, a.n, k.kind from {{ ref('by_day') }} d
        full join (select event_date, count(*) as n from {{ ref('plays') }} where song = 'a' group by 1) a using (event_date)
        full join {{ ref('kinds') }} k using (event_date)",
    ),
    (
        "found",
        "'event_date'",
        "select p.event_date, p.user_id, p.song from {{ ref('plays') }} p
        where exists (select 1 from {{ ref('by_day') }} d where d.event_date = p.event_date and d.plays > 1)",
    ),
    (
        "not_found",
        "'event_date'",
        "select p.event_date, p.user_id, p.song from {{ ref('plays') }} p
        where not exists (select 1 from {{ ref('kinds') }} k
            where k.event_date = p.event_date and k.kind = p.song)",
    ),
    (
        "in_that_day",
        "'event_date'",
        "select p.event_date, p.user_id, p.song from {{ ref('plays') }} p
        where p.user_id in (select d.plays from {{ ref('by_day') }} d where d.event_date = p.event_date) or p.song = 'c'",
    ),
    (
        "in_rows_of_the_day",
        "'event_date'",
        "select p.event_date, p.user_id, p.song from {{ ref('plays') }} p
        where (p.event_date, p.user_id) in (select event_date, plays - 2 from {{ ref('by_day') }})",
    ),
    (
        "first_of_day",
        "'event_date'",
        "select distinct on (event_date, user_id) event_date, user_id, song from {{ ref('plays') }}
        order by event_date, user_id, song",
    ),
    (
        "rolled_up",
        "'event_date'",
        "select event_date, user_id, song, count(*) as n from {{ ref('plays') }} group by event_date, rollup (user_id, song)",
    ),
    (
        "by_two",
        "['event_date', 'kind']",
        "select k.event_date, k.kind, k.n, d.plays from {{ ref('kinds') }} k
        left join {{ ref('by_day') }} d on d.event_date = k.event_date",
    ),
    (
        "of_two_tables",
        "['event_date', 'kind']",
        "select d.event_date, k.kind, d.plays, k.share from {{ ref('by_day') }} d
        join {{ ref('shares') }} k on k.share <= d.plays",
    ),
    (
        "named",
        "['event_date', 'kind']",
        "select event_date, 'one' as kind, user_id from {{ ref('plays') }} where user_id = 1
        union all select event_date, 'all' as kind, plays from {{ ref('by_day') }}",
    ),
    (
        "by_the_day_of_the_time",
        "'day'",
        "select user_id, song, cast(to_timestamp_millis(ts) as date) as day from {{ source('events', 'listens') }}",
    ),
    (
        "counted_by_the_day_of_the_time",
        "'day'",
        "select date_trunc('day', to_timestamp_millis(ts))::date as day, count(distinct user_id) as n
        from {{ source('events', 'listens') }} where ts > 0 group by 1",
    ),
    (
        "joined_by_the_day_of_the_time",
        "'event_date'",
        "select d.event_date, d.plays, l.song from {{ ref('by_day') }} d
        left join {{ source('events', 'listens') }} l on cast(to_timestamp_millis(l.ts) as date) = d.event_date and l.user_id = 1",
    ),
    (
        "by_day_and_song",
        "['event_date', 'song']",
        "select event_date, song, user_id from {{ ref('plays') }}",
    ),
    (
        "some_by_day_and_song",
        "['event_date', 'song']",
        "select event_date, song, count(*) as n from {{ ref('plays') }} where user_id = 2 group by 1, 2",
    ),
    (
        "by_day_of_the_time_and_song",
        "['day', 'song']",
        "select cast(to_timestamp_millis(ts) as date) as day, song, user_id from {{ source('events', 'listens') }}",
    ),
    (
        "by_day_and_joined_kind",
        "['event_date', 'kind']",
        "select p.event_date, k.kind, p.song from {{ ref('plays') }} p join {{ ref('shares_of') }} k on k.share >= p.user_id",
    ),
    (
        "below_one_by_day_and_song",
        "['event_date', 'song']",
        "select event_date, song, max(user_id) as last from {{ ref('by_day_and_song') }} group by 1, 2",
    ),
];

const PROFILES: &str = "\
songs:
  target: dev
  outputs:
    dev: {type: local, path: warehouse, schema: main, threads: 2, sources: {events: {type: files, path: events}}}
    fresh: {type: local, path: fresh, schema: main, threads: 2, sources: {events: {type: files, path: events}}}
";

fn incremental(partition_by: &str, sql: &str) -> String {
    format!("{{{{ config(materialized='incremental', partition_by={partition_by}) }}}} {sql}")
}

fn project() -> Project {
    let project = Project::with_listens();
    project.file("profiles.yml", PROFILES);
    let plays = "select event_date, user_id, song from {{ source('events', 'listens') }}";
    project.model("plays", &incremental("'event_date'", plays));
    let by_day = "select event_date, count(*) as plays from {{ ref('plays') }} group by event_date";
    project.model("by_day", &incremental("'event_date'", by_day));
    // Its keys are those of a landed table, of which the batch is the one column of text.
    let kinds = "select event_date, batch as kind, count(*) as n from {{ source('events', 'listens') }} group by event_date, batch";
    project.model("kinds", &incremental("['event_date', 'kind']", kinds));
    let shares = "select 'few' as kind, 1 as share union all select 'many' as kind, 3 as share";
    project.model("shares_of", &format!("{{{{ config(materialized='table') }}}} {shares}"));
    let by_kind = "select 'few' as kind, share from {{ ref('shares_of') }} where kind = 'few'
        union all select 'many' as kind, share from {{ ref('shares_of') }} where kind = 'many'";
    project.model("shares", &incremental("'kind'", by_kind));
    for (name, partition_by, sql) in SHAPES {
        project.model(name, &incremental(partition_by, sql));
    }
    for day in 0..5 {
        let songs = ["a", "b", "c"].into_iter().cycle();
        let events: Vec<(i64, i64, &str)> =
            (0..=day).zip(songs).map(|(at, song)| (day * DAY + at, at % 3, song)).collect();
        project.listens(&format!("{day}.json"), &events);
    }
    project
}

fn plan(project: &Project) -> Vec<Json> {
    let plan: Json = serde_json::from_str(&project.print(&["plan", "--output", "json"])).unwrap();
    plan["steps"].as_array().unwrap().clone()
}

fn assert_as_refreshed(project: &Project) {
    project.succeed(&["run", "--quiet", "--full-refresh", "--target", "fresh"]);
    for (name, ..) in SHAPES {
        let rows = |target: &str| {
            let sql = format!("select * from main.{name}");
            let printed = project
                .print(&["show", "--target", target, "--inline", &sql, "--limit", "-1", "--output", "json"]);
            let mut rows: Vec<String> =
                serde_json::from_str::<Vec<Json>>(&printed).unwrap().iter().map(Json::to_string).collect();
            rows.sort();
            rows
        };
        let fresh = rows("fresh");
        assert!(!fresh.is_empty(), "{name}");
        assert_eq!(rows("dev"), fresh, "{name}");
    }
}

#[test]
fn a_day_that_changes_builds_the_partitions_of_that_day_in_every_shape() {
    let project = project();
    project.succeed(&["run", "--quiet"]);
    assert_eq!(project.plan(), [""; 0]);
    assert_as_refreshed(&project);
    project.listens("2.json", &[(2 * DAY, 2, "a"), (2 * DAY + 5, 1, "b")]);
    let steps = plan(&project);
    for (name, ..) in SHAPES {
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        if name.starts_with("below_") {
            assert_eq!(step["reason"], "the content of an input is known only once it is built");
            continue;
        }
        let built =
            step["partitions"].as_array().unwrap_or_else(|| panic!("{name} is built as a whole: {step}"));
        let built: Vec<&str> = built.iter().map(|one| one["partition"].as_str().unwrap()).collect();
        assert!(!built.is_empty(), "{name} is not built");
        assert!(built.iter().all(|key| key.starts_with("2018-11-03")), "{name}: {built:?}");
        assert_eq!(step["remove"], serde_json::json!([]), "{name}");
    }
    project.succeed(&["run", "--quiet"]);
    assert_eq!(project.plan(), [""; 0]);
    assert_as_refreshed(&project);
}

#[test]
fn days_that_come_and_rows_that_go_leave_the_rows_of_a_full_refresh_in_every_shape() {
    let project = project();
    project.succeed(&["run", "--quiet"]);
    project.listens("5.json", &[(7 * DAY, 2, "a"), (DAY, 1, "b")]);
    project.listens("0.json", &[(3 * DAY, 2, "c")]);
    project.succeed(&["run", "--quiet"]);
    assert_eq!(project.plan(), [""; 0]);
    assert_as_refreshed(&project);
}

#[test]
fn of_partitions_that_are_told_in_part_those_that_are_made_alike_are_built_together() {
    let project = Project::with_listens();
    project.file("profiles.yml", PROFILES);
    project.model(
        "by_song_and_day",
        &incremental(
            "['song', 'day']",
            "select user_id, song, cast(to_timestamp_millis(ts) as date) as day
            from {{ source('events', 'listens') }} where user_id > 0",
        ),
    );
    project.listens("0.json", &[(0, 1, "a"), (1, 2, "b")]);
    project.listens("1.json", &[(DAY, 0, "c")]);
    project.listens("2.json", &[(2 * DAY, 1, "a")]);
    project.succeed(&["run", "--quiet"]);
    assert_eq!(project.plan(), [""; 0]);
    // A day without rows is not built again, a song that a day has no more is gone, and one that comes is there.
    project.listens("0.json", &[(0, 1, "a"), (1, 3, "d")]);
    insta::assert_snapshot!(project.normalized(&project.print(&["plan", "--explain"])));
    insta::assert_snapshot!(project.normalized(&project.succeed(&["run"])));
    assert_eq!(project.plan(), [""; 0]);
    project.succeed(&["run", "--quiet", "--full-refresh", "--target", "fresh"]);
    let rows = |target: &str| {
        let sql = "select * from main.by_song_and_day order by day, song, user_id";
        project.print(&["show", "--target", target, "--inline", sql, "--limit", "-1"])
    };
    assert_eq!(rows("dev"), rows("fresh"));
}

const TWO_TIMES: &str = "\
sources:
  - name: events
    tables:
      - name: visits
        event_time: EVENT_TIME
        columns:
          - {name: began, data_type: bigint}
          - {name: ended, data_type: timestamp}
          - {name: page, data_type: varchar}
";

#[test]
fn days_of_another_time_than_the_declared_one_are_not_taken_for_its_days() {
    let project = Project::new();
    project.file("profiles.yml", PROFILES);
    let declare =
        |time: &str| project.file("sources.yml", TWO_TIMES.replace("EVENT_TIME", time)).path("sources.yml");
    declare("began");
    let sql = "select page, cast(ended as date) as day from {{ source('events', 'visits') }}";
    project.model("by_day", &incremental("'day'", sql));
    project.model("as_it_is", &format!("{{{{ config(materialized='view') }}}} {sql}"));
    let visit = |began: i64, ended: &str, page: &str| {
        format!("{}\n", serde_json::json!({"began": NOVEMBER + began, "ended": ended, "page": page}))
    };
    project.file("events/visits/0.json", visit(0, "2018-11-02 00:30:00", "a"));
    project.file("events/visits/1.json", visit(DAY, "2018-11-02 10:00:00", "b"));
    let is_as_it_is = |pages: &str| {
        let rows = |name: &str| project.rows(&format!("select day, page from main.{name} order by 1, 2"));
        let built = rows("by_day");
        assert_eq!(built, rows("as_it_is"));
        let found: Vec<&str> =
            built.as_array().unwrap().iter().filter_map(|row| row["page"].as_str()).collect();
        assert_eq!(found.join(""), pages);
    };
    project.succeed(&["run", "--quiet"]);
    is_as_it_is("ab");
    // The model alone is built over days of the earlier time.
    declare("ended");
    project.succeed(&["run", "--quiet", "--select", "by_day as_it_is"]);
    is_as_it_is("ab");
    project.succeed(&["run", "--quiet"]);
    is_as_it_is("ab");
    assert_eq!(project.plan(), [""; 0]);
    // Of a file that is gone the rows lie by the time that was declared when they were landed.
    std::fs::remove_file(project.path("events/visits/0.json")).unwrap();
    declare("began");
    project.file("events/visits/2.json", visit(2 * DAY, "2018-11-02 11:00:00", "c"));
    project.succeed(&["run", "--quiet"]);
    is_as_it_is("abc");
    declare("ended");
    project.file("events/visits/3.json", visit(3 * DAY, "2018-11-04 11:00:00", "d"));
    project.succeed(&["run", "--quiet"]);
    is_as_it_is("abcd");
    assert_eq!(project.plan(), [""; 0]);
}
