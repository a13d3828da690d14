//! An incremental run gives exactly the rows of a full refresh, and a reader never sees half a table: whatever came late,
//! twice or changed, and wherever runs were killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value as Json;

use crate::project::{DAY, NOVEMBER, Project};
use crate::random::check_cases;

/// Where runs are killed.
const PLACES: [&str; 7] = [
    "landing-before-read",
    "landing-after-piece",
    "landing-before-publish",
    "build-after-chunk",
    "build-before-publish",
    "publish-before-rename",
    "publish-after-rename",
];

const PROFILES: &str = "\
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

/// Each shape that a model can have between its input's partitions and its own.
const MODELS: [(&str, &str); 19] = [
    ("plays", EDITS[1].1[0]),
    ("titled", EDITS[0].1[0]),
    (
        "by_day",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, count(*) as plays, count(distinct user_id) as users, count(title) as titles
        from {{ ref('titled') }} group by event_date",
    ),
    (
        "by_month",
        "{{ config(materialized='incremental', partition_by='month') }}
        select cast(date_trunc('month', event_date) as date) as month, count(*) as plays,
            count(distinct user_id) as users
        from {{ ref('titled') }} group by 1",
    ),
    ("users", EDITS[2].1[0]),
    (
        "both",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, 'song' as kind, user_id, ts from {{ ref('plays') }} where song is not null
        union all
        select event_date, 'silence' as kind, user_id, ts from {{ ref('titled') }} where title is null",
    ),
    (
        "ranked",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, user_id, ts, song,
            row_number() over (partition by event_date, user_id order by ts, song) as place
        from {{ ref('plays') }}",
    ),
    (
        "all_columns",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select * from {{ source('events', 'listens') }}",
    ),
    (
        "with_first_day",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select p.event_date, p.ts, p.user_id, p.song, u.first_day, u.songs
        from {{ ref('plays') }} p left join {{ ref('users') }} u on u.user_id = p.user_id",
    ),
    (
        "beside_its_day",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select p.event_date, p.ts, p.user_id, d.plays,
            (select count(*) from {{ ref('titled') }} t where t.event_date = p.event_date) as more
        from {{ ref('plays') }} p left join {{ ref('by_day') }} d on d.event_date = p.event_date and d.titles > 1
        where not exists (select 1 from {{ ref('by_day') }} o where o.event_date = p.event_date and o.users = p.user_id)",
    ),
    (
        "either_day",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, s.n, t.m from
            (select event_date, count(*) as n from {{ ref('plays') }} where song = 'song 1' group by 1) s
        full join (select event_date, count(*) as m from {{ ref('titled') }} where title is null group by 1) t using (event_date)",
    ),
    (
        "first_and_rolled_up",
        "{{ config(materialized='incremental', partition_by=['event_date', 'kind']) }}
        select event_date, 'all' as kind, user_id, count(*) as n from {{ ref('plays') }} group by event_date, rollup (user_id)
        union all
        select event_date, 'first' as kind, user_id, seconds from (
            select distinct on (event_date, user_id) event_date, user_id, cast(ts % 1000007 as bigint) as seconds
            from {{ ref('titled') }} order by event_date, user_id, ts)",
    ),
    (
        "by_batch",
        "{{ config(materialized='incremental', partition_by=['event_date', 'batch']) }}
        select l.event_date, l.batch, l.ts, l.user_id, d.users from {{ source('events', 'listens') }} l
        left join {{ ref('by_day') }} d on d.event_date = l.event_date",
    ),
    (
        "by_two_tables",
        "{{ config(materialized='incremental', partition_by=['event_date', 'batch']) }}
        select d.event_date, b.batch, d.plays, b.n from {{ ref('by_day') }} d
        join (select batch, count(*) as n from {{ source('events', 'listens') }} group by batch) b on b.n <= d.plays",
    ),
    (
        "songs",
        "{{ config(materialized='table') }}
        select song, count(*) as plays, min(ts) as first, max(user_id) as user_id from {{ ref('plays') }} group by song
        union all select 'song 9', 0, null, null",
    ),
    (
        "versions",
        "{{ config(materialized='table') }}
        select user_id, ts, song, lead(ts) over (partition by user_id order by ts, song) as till from {{ ref('plays') }}",
    ),
    (
        "favourites",
        "{{ config(materialized='table') }}
        select user_id, song, n from (
            select user_id, song, count(*) as n, rank() over (partition by user_id order by count(*) desc) as place
            from {{ ref('plays') }} group by user_id, song)
        where place <= 2",
    ),
    (
        "listeners",
        "{{ config(materialized='table') }}
        select s.song, s.plays, u.songs, u.first_day from {{ ref('songs') }} s left join {{ ref('users') }} u on u.user_id = s.user_id
        where exists (select 1 from {{ ref('titled') }} t where t.user_id = u.user_id) or s.plays = 0",
    ),
    (
        "within_version",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select p.event_date, p.user_id, p.ts, v.ts as since from {{ ref('plays') }} p
        left join {{ ref('versions') }} v on v.user_id = p.user_id and p.ts >= v.ts and (p.ts < v.till or v.till is null)",
    ),
];

/// What models say, before and after changes: of rows, of a column, of a column that nothing reads, of nothing.
const EDITS: [(&str, [&str; 4]); 3] = [
    (
        "titled",
        [
            "select ts, user_id, upper(song) as title, event_date from {{ ref('plays') }}",
            "select ts, user_id, upper(song) as title, event_date from {{ ref('plays') }} where user_id <> 2",
            "select ts, user_id, upper(song) as title, event_date, seconds from {{ ref('plays') }}",
            "select ts, user_id, concat(song, '!') as title, event_date from {{ ref('plays') }} -- with a mark",
        ],
    ),
    (
        "plays",
        [
            "{{ config(materialized='incremental', partition_by='event_date') }}
            select distinct ts, user_id, song, seconds, event_date from {{ source('events', 'listens') }}",
            "{{ config(materialized='incremental', partition_by='event_date') }}
            select distinct ts, user_id, song, seconds * 2 as seconds, event_date from {{ source('events', 'listens') }}",
            "{{ config(materialized='incremental', partition_by='event_date') }}
            select distinct ts, user_id, song, seconds, event_date, 1 as one from {{ source('events', 'listens') }}",
            "{{ config(materialized='incremental', partition_by='event_date') }}
            select distinct ts, user_id, nullif(song, 'song 1') as song, seconds, event_date
            from {{ source('events', 'listens') }}",
        ],
    ),
    (
        "users",
        [
            "{{ config(materialized='table', publish='after_tests') }}
            select user_id, count(distinct song) as songs, min(event_date) as first_day
            from {{ ref('plays') }} group by user_id",
            "{{ config(materialized='table', publish='after_tests') }}
            select user_id, count(song) as songs, min(event_date) as first_day, max(event_date) as last_day
            from {{ ref('plays') }} group by user_id",
            "{{ config(materialized='table', publish='after_tests') }}
            select user_id, count(distinct song) as songs, max(event_date) as first_day
            from {{ ref('plays') }} group by user_id",
            "{{ config(materialized='table', publish='after_tests') }}
            select user_id, count(distinct song) as songs, min(event_date) as first_day, sum(seconds) as seconds
            from {{ ref('plays') }} group by user_id",
        ],
    ),
];

/// What the source declares, before and after changes: one more column, one for which rows are rejected, another type.
const DECLARED: [&str; 4] = [
    "",
    "          - {name: device, data_type: varchar}\n",
    "          - {name: device, data_type: bigint}\n",
    "          - {name: device, data_type: varchar}\n          - {name: second, data_type: double}\n",
];

/// The user whose events have a device that is no number.
const WITH_DEVICE: i64 = 3;

/// The tests that a table must pass before it is published.
const TESTS: &str = "
models:
  - name: users
    columns:
      - name: user_id
        data_tests: [unique, not_null]
";

/// What runs are given to select.
const SELECTIONS: [&str; 6] = ["by_day", "titled+", "plays", "+users", "source:events", "by_month both"];

const COLUMNS: [(&str, &[&str]); 19] = [
    ("raw_listens", &["ts", "user_id", "song", "seconds", "event_date", "batch"]),
    ("plays", &["ts", "user_id", "song", "seconds", "event_date"]),
    ("by_day", &["event_date", "plays", "users", "titles"]),
    ("by_month", &["month", "plays", "users"]),
    ("users", &["user_id", "songs", "first_day"]),
    ("both", &["event_date", "kind", "user_id", "ts"]),
    ("ranked", &["event_date", "user_id", "ts", "song", "place"]),
    ("all_columns", &["ts", "user_id", "song", "seconds", "event_date", "batch"]),
    ("with_first_day", &["event_date", "ts", "user_id", "song", "first_day", "songs"]),
    ("beside_its_day", &["event_date", "ts", "user_id", "plays", "more"]),
    ("either_day", &["event_date", "n", "m"]),
    ("first_and_rolled_up", &["event_date", "kind", "user_id", "n"]),
    ("by_batch", &["event_date", "batch", "ts", "user_id", "users"]),
    ("by_two_tables", &["event_date", "batch", "plays", "n"]),
    ("songs", &["song", "plays", "first", "user_id"]),
    ("versions", &["user_id", "ts", "song", "till"]),
    ("favourites", &["user_id", "song", "n"]),
    ("listeners", &["song", "plays", "songs", "first_day"]),
    ("within_version", &["event_date", "user_id", "ts", "since"]),
];

fn project() -> Project {
    let project = Project::with_listens();
    project.file("profiles.yml", PROFILES);
    for (name, sql) in MODELS {
        project.model(name, sql);
    }
    project.file("models/schema.yml", TESTS);
    project
}

/// All rows of all tables of a target, each as text behind its table's name, in order.
fn all_rows(project: &Project, target: &str) -> Vec<String> {
    let selects: Vec<String> = COLUMNS
        .iter()
        .map(|(table, columns)| {
            let columns = columns.iter().map(|column| format!("coalesce(cast({column} as varchar), 'null')"));
            format!(
                "select concat_ws('|', '{table}', {}) as r from main.{table}",
                columns.collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    let sql = format!("select r from ({}) order by r", selects.join(" union all "));
    let printed =
        project.print(&["show", "--target", target, "--inline", &sql, "--limit", "-1", "--output", "json"]);
    let rows: Vec<BTreeMap<String, String>> = serde_json::from_str(&printed).unwrap();
    rows.into_iter().flat_map(BTreeMap::into_values).collect()
}

#[derive(Clone, Debug)]
struct Event {
    day: i64,
    second: i64,
    user: i64,
    song: Option<u8>,
}

#[derive(Clone, Debug)]
enum Happening {
    /// A file comes, or one that was there is written anew. An event that stands in it twice is a doubled line.
    Write { file: u8, events: Vec<Event>, broken_line: bool },
    /// Files are compacted, killed at a place of the publish when that is passed for the n-th time.
    Compact { killed: Option<(usize, u32)> },
    /// The source declares other columns.
    Declare { to: usize },
    /// A model says something else.
    Edit { model: usize, to: usize },
    /// A run of some nodes or all, killed at a place when that is passed for the n-th time.
    Run { select: Option<usize>, killed: Option<(usize, u32)> },
}

/// Days lie on both sides of the end of a month.
fn event() -> impl Strategy<Value = Event> {
    (26..34_i64, 0..4_i64, 0..4_i64, proptest::option::weighted(0.8, 0..3_u8))
        .prop_map(|(day, second, user, song)| Event { day, second: second * 20_000, user, song })
}

fn happening() -> impl Strategy<Value = Happening> {
    let events = proptest::collection::vec(event(), 0..12);
    let write = (0..5_u8, events, proptest::bool::weighted(0.2))
        .prop_map(|(file, events, broken_line)| Happening::Write { file, events, broken_line });
    let killed = proptest::option::weighted(0.6, (0..PLACES.len(), 1..9_u32));
    let select = proptest::option::weighted(0.3, 0..SELECTIONS.len());
    let run = (select, killed).prop_map(|(select, killed)| Happening::Run { select, killed });
    let killed = proptest::option::weighted(0.4, (PLACES.len() - 2..PLACES.len(), 1..4_u32));
    let compact = killed.prop_map(|killed| Happening::Compact { killed });
    let edit = (0..EDITS.len(), 0..4_usize).prop_map(|(model, to)| Happening::Edit { model, to });
    let declare = (0..DECLARED.len()).prop_map(|to| Happening::Declare { to });
    prop_oneof![6 => write, 5 => run, 3 => edit, 2 => compact, 2 => declare]
}

fn write(project: &Project, file: u8, events: &[Event], broken_line: bool) {
    let mut text = String::new();
    for event in events {
        let at = NOVEMBER + event.day * DAY + event.second * 1000;
        let song = event.song.map(|song| format!("song {song}"));
        let device = (event.user == WITH_DEVICE).then_some("a");
        let line = serde_json::json!({"ts": at, "user_id": event.user, "song": song, "seconds": 60.25, "device": device});
        text.push_str(&line.to_string());
        text.push('\n');
    }
    if broken_line {
        text.push_str("{\"ts\": 1541");
    }
    project.file(&format!("events/listens/{file}.json"), text);
}

/// Plays by day, counted here from what the files hold and the models let through.
fn plays_by_day(
    files: &BTreeMap<u8, Vec<Event>>,
    edited: [usize; 3],
    declared: usize,
) -> BTreeMap<String, usize> {
    let [titled, plays, _] = edited;
    let plays: BTreeSet<_> = files
        .values()
        .flatten()
        .filter(|event| titled != 1 || event.user != 2)
        .filter(|event| declared != 2 || event.user != WITH_DEVICE)
        .map(|event| {
            let song = event.song.filter(|song| plays != 3 || *song != 1);
            (event.day, event.second, event.user, song)
        })
        .collect();
    let mut days = BTreeMap::new();
    for (day, ..) in plays {
        let date = chrono::DateTime::from_timestamp_millis(NOVEMBER + day * DAY).unwrap().date_naive();
        *days.entry(date.to_string()).or_default() += 1;
    }
    days
}

/// Asks for rows to be kept by key, and for files of source tables to share Parquet files, even where it is not worth it, as
/// it never is in tables of some rows.
const ALWAYS: [&str; 4] = ["", "by-key", "shared-files", "by-key,shared-files"];

fn check(happenings: &[Happening], always: usize) {
    let project = project();
    let always = [("MEP_ALWAYS", ALWAYS[always])];
    let mut files: BTreeMap<u8, Vec<Event>> = BTreeMap::new();
    let (mut edited, mut declared) = ([0; 3], 0);
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    for happening in happenings {
        match happening {
            Happening::Write { file, events, broken_line } => {
                write(&project, *file, events, *broken_line);
                files.insert(*file, events.clone());
            }
            Happening::Declare { to } => {
                declared = *to;
                project.file("sources.yml", format!("{sources}{}", DECLARED[*to]));
            }
            Happening::Edit { model, to } => {
                edited[*model] = *to;
                project.model(EDITS[*model].0, EDITS[*model].1[*to]);
            }
            Happening::Compact { killed } => {
                let point = killed.map(|(place, times)| format!("{}:{times}", PLACES[place]));
                let variables: Vec<_> =
                    point.iter().map(|point| ("MEP_FAIL_POINT", point.as_str())).collect();
                let output = project.run_with(&["compact", "--quiet", "--min-files", "2"], &variables);
                assert!(output.code == Some(0) || killed.is_some(), "{output:?}");
            }
            Happening::Run { select, killed } => {
                let mut words = vec!["run", "--quiet"];
                words.extend(select.iter().flat_map(|select| ["--select", SELECTIONS[*select]]));
                let point = killed.map(|(place, times)| format!("{}:{times}", PLACES[place]));
                let point = point.iter().map(|point| ("MEP_FAIL_POINT", point.as_str()));
                let variables: Vec<_> = always.iter().copied().chain(point).collect();
                let output = project.run_with(&words, &variables);
                // Not every selection can be built before its inputs are.
                let is_expected = match output.code {
                    None => killed.is_some(),
                    Some(code) => code == 0 || (code == 1 && select.is_some()),
                };
                assert!(is_expected, "{output:?}");
            }
        }
    }
    assert_eq!(project.run_with(&["run", "--quiet"], &always).code, Some(0));
    project.succeed(&["run", "--quiet", "--full-refresh", "--target", "fresh"]);
    assert_eq!(all_rows(&project, "dev"), all_rows(&project, "fresh"));
    if declared > 0 {
        let devices = |target: &str| {
            let sql = "select ts, user_id, device, batch from main.all_columns order by ts, user_id, batch";
            let words = ["show", "--target", target, "--inline", sql, "--limit", "-1", "--output", "json"];
            project.print(&words)
        };
        assert_eq!(devices("dev"), devices("fresh"));
    }
    let counted = project.rows("select event_date, plays from main.by_day order by 1");
    let expected: Vec<Json> = plays_by_day(&files, edited, declared)
        .into_iter()
        .map(|(day, plays)| serde_json::json!({"event_date": day, "plays": plays}))
        .collect();
    assert_eq!(counted, Json::Array(expected));
    assert_eq!(project.plan(), Vec::<String>::new());
}

fn check_stories(cases: u32, seed: u64) {
    let story = (proptest::collection::vec(happening(), 2..9), 0..ALWAYS.len());
    check_cases(cases, seed, &story, |(happenings, always)| check(&happenings, always));
}

/// Some cases, in four tests so that several cores share them.
fn check_quarter(seed: u64) {
    check_stories(20, seed);
}

#[test]
#[ignore = "nightly: a thousand stories take half an hour"]
fn whatever_happens_a_thousand_times_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_stories(1000, 2017);
}

#[test]
fn whatever_happens_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_quarter(2018);
}

#[test]
fn whatever_else_happens_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_quarter(2019);
}

#[test]
fn whatever_happens_once_more_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_quarter(2020);
}

#[test]
fn whatever_happens_last_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_quarter(2021);
}

#[test]
fn every_fail_point_of_the_source_is_a_place_where_runs_are_killed_here() {
    let mut found = BTreeSet::new();
    for entry in walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")) {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let calls = text.split("fail_point::reached(\"").skip(1);
            found.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    let of_hive = crate::hive_faults::POINTS.map(str::to_owned);
    let of_streams = crate::streaming::kills::POINTS.map(str::to_owned);
    let of_serving = crate::served::kills::POINTS.map(str::to_owned);
    let of_tables = crate::hive_sources::POINTS.map(str::to_owned);
    let places = PLACES.map(str::to_owned).into_iter().chain(of_hive).chain(of_streams);
    let killed: BTreeSet<String> = places.chain(of_serving).chain(of_tables).collect();
    assert_eq!(found, killed);
}

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).unwrap();
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The rows of each table, so that each can be found to be whole.
fn by_table(rows: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        tables.entry(row.split('|').next().unwrap().to_owned()).or_default().push(row.clone());
    }
    tables
}

#[test]
fn a_reader_after_a_kill_at_any_place_sees_whole_tables_and_the_next_run_completes() {
    let project = project();
    let songs = [(0, 1, "a"), (DAY, 2, "b"), (DAY + 1, 2, "c")];
    project.listens("1.json", &songs);
    project.succeed(&["run"]);
    let old = by_table(&all_rows(&project, "dev"));
    copy(&project.path("warehouse"), &project.path("before"));
    project.listens("2.json", &[(DAY, 1, "late"), (2 * DAY, 3, "new")]);
    project.succeed(&["run"]);
    let new = by_table(&all_rows(&project, "dev"));
    for (table, rows) in &old {
        assert_ne!(new.get(table), Some(rows), "{table} is the same before and after");
    }
    for place in PLACES {
        let mut kills = 0;
        for times in 1.. {
            copy(&project.path("before"), &project.path("warehouse"));
            let killed = project.run_with(&["run"], &[("MEP_FAIL_POINT", &format!("{place}:{times}"))]);
            if killed.code == Some(0) {
                break;
            }
            assert_eq!(killed.code, None, "{killed:?}");
            kills += 1;
            for (table, rows) in by_table(&all_rows(&project, "dev")) {
                let is_whole = [&old, &new].iter().any(|tables| tables.get(&table) == Some(&rows));
                assert!(is_whole, "{place}:{times}: {table}: {rows:?}");
            }
            project.succeed(&["run", "--quiet"]);
            assert_eq!(by_table(&all_rows(&project, "dev")), new, "{place}:{times}");
        }
        assert!(kills > 0, "{place} was never passed");
    }
}
