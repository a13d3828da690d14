//! Whatever happens, a run into a real Hive leaves the rows of a full refresh into an empty warehouse.
//!
//! The embedded warehouse has a thousand such cases (`promise`); here are fewer and smaller ones, since each call of a
//! metastore takes its time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use crate::hive_faults::POINTS;
use crate::project::{DAY, NOVEMBER};
use crate::random::check_slow_cases;
use crate::services::hive_project::HiveProject;

/// Cases that run at once, each in a schema of its own.
const AT_ONCE: u64 = 4;

const PLAYS: [&str; 3] = [
    "select distinct ts, user_id, song, event_date from {{ source('events', 'listens') }}",
    "select distinct ts, user_id, song, event_date from {{ source('events', 'listens') }} where user_id <> 2",
    "select distinct ts, user_id, upper(song) as song, event_date from {{ source('events', 'listens') }}",
];

const USERS: [&str; 2] = [
    "select user_id, min(event_date) as first_day, count(distinct song) as songs from {{ ref('plays') }} group by user_id",
    "select user_id, max(event_date) as first_day, count(song) as songs from {{ ref('plays') }} group by user_id",
];

const WITH_FIRST_DAY: &str = "select p.event_date, p.ts, p.user_id, p.song, u.first_day
    from {{ ref('plays') }} p left join {{ ref('users') }} u on u.user_id = p.user_id";

const BY_MONTH: &str = "select cast(date_trunc('month', event_date) as date) as month, count(*) as plays
    from {{ ref('plays') }} group by 1";

/// All rows of all tables, each as text behind its table's name.
const ROWS: &str = "select r from (
    select concat_ws('|', 'raw', ts, user_id, coalesce(song, 'null'), event_date, batch) as r from {{schema}}.raw_listens
    union all select concat_ws('|', 'plays', ts, user_id, coalesce(song, 'null'), event_date) from {{schema}}.plays
    union all select concat_ws('|', 'users', user_id, first_day, songs) from {{schema}}.users
    union all select concat_ws('|', 'first', ts, user_id, coalesce(song, 'null'), event_date, first_day) from {{schema}}.with_first_day
    union all select concat_ws('|', 'month', month, plays) from {{schema}}.by_month
) order by r";

#[derive(Clone, Debug)]
enum Happening {
    /// A file comes, or one that was there is written anew: (day, second, user, song), perhaps twice.
    Write { file: u8, events: Vec<(i64, i64, i64, Option<u8>)> },
    /// A model says something else.
    Edit { plays: usize, users: usize },
    /// A run, killed at a place when that is passed for the n-th time.
    Killed { point: usize, times: u32 },
    /// A run, after which each table has the rows of a full refresh.
    Run,
}

fn happening() -> impl Strategy<Value = Happening> {
    let event = (28..32_i64, 0..3_i64, 1..4_i64, proptest::option::weighted(0.8, 0..2_u8));
    let write = (0..3_u8, proptest::collection::vec(event, 0..8))
        .prop_map(|(file, events)| Happening::Write { file, events });
    let edit = (0..PLAYS.len(), 0..USERS.len()).prop_map(|(plays, users)| Happening::Edit { plays, users });
    let killed = (0..POINTS.len(), 1..4_u32).prop_map(|(point, times)| Happening::Killed { point, times });
    prop_oneof![4 => write, 1 => edit, 3 => killed, 2 => Just(Happening::Run)]
}

fn table(hive: &HiveProject, name: &str, config: &str, sql: &str) {
    hive.project.model(name, &format!("{{{{ config({config}) }}}}\n{sql}"));
}

fn models(hive: &HiveProject, plays: usize, users: usize) {
    let by = |column: &str| format!("materialized='incremental', partition_by='{column}'");
    table(hive, "plays", &by("event_date"), PLAYS[plays]);
    table(hive, "users", "materialized='table'", USERS[users]);
    table(hive, "with_first_day", &by("event_date"), WITH_FIRST_DAY);
    table(hive, "by_month", &by("month"), BY_MONTH);
}

fn check(happenings: &[Happening]) {
    static CASE: AtomicU32 = AtomicU32::new(0);
    let hive = HiveProject::new(&format!("random{}", CASE.fetch_add(1, Ordering::Relaxed)));
    models(&hive, 0, 0);
    for happening in happenings {
        match happening {
            Happening::Write { file, events } => {
                let mut lines = String::new();
                for (day, second, user, song) in events {
                    let ts = NOVEMBER + day * DAY + second * 1000;
                    let song = song.map(|song| format!("song {song}"));
                    let line = serde_json::json!({"ts": ts, "user_id": user, "song": song, "seconds": 1.5});
                    writeln!(lines, "{line}").unwrap();
                }
                hive.project.file(&format!("events/listens/{file}.json"), lines);
            }
            Happening::Edit { plays, users } => models(&hive, *plays, *users),
            Happening::Killed { point, times } => {
                let point = format!("{}:{times}", POINTS[*point]);
                let output = hive.call(&["run", "--quiet"], Some(&point));
                assert!(matches!(output.status.code(), None | Some(0)), "{output:?}");
            }
            Happening::Run => run(&hive),
        }
    }
    run(&hive);
    let schema = &hive.schema;
    let by_month = format!("select month, plays from {schema}.by_month order by month");
    assert_eq!(hive.trino(&by_month), hive.mep("hive", &by_month));
    let planned = hive.call(&["plan", "--output", "json"], None);
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    let steps = planned["steps"].as_array().unwrap();
    let actions = steps.iter().map(|step| (step["name"].to_string(), step["action"].to_string()));
    let actions: BTreeMap<String, String> = actions.collect();
    assert!(actions.values().all(|action| action == "\"current\""), "{actions:?}");
}

/// Runs, and compares all tables with those of a full refresh.
fn run(hive: &HiveProject) {
    hive.succeed(&["run", "--quiet"]);
    hive.succeed(&["run", "--quiet", "--full-refresh", "--target", "local"]);
    let rows = ROWS.replace("{{schema}}", &hive.schema);
    assert_eq!(hive.mep("hive", &rows), hive.mep("local", &rows));
}

fn check_at_once(cases: u32) {
    let happenings = proptest::collection::vec(happening(), 2..7);
    let share = cases.div_ceil(AT_ONCE as u32);
    std::thread::scope(|scope| {
        for seed in 0..AT_ONCE {
            let happenings = &happenings;
            scope.spawn(move || {
                check_slow_cases(share, 20, 2018 + seed, happenings, |happenings| check(&happenings));
            });
        }
    });
}

#[test]
fn whatever_happens_a_run_into_hive_leaves_the_rows_of_a_full_refresh() {
    check_at_once(50);
}
