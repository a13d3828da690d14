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
use crate::stories::{COLUMN_TYPES, RATES, TAKEN, load, take};

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

/// What depends on the day that it is.
const RECENT: &str = "select event_date, user_id, song from {{ ref('plays') }}
    where user_id % 3 <= cast(extract(day from current_date) as bigint) % 3";

const SEEN: &str = "select event_date, max(today) as today, count(*) as n
    from (select event_date, current_date as today from {{ ref('recent') }}) t group by event_date";

const EXTREMES: &str = "select min(rate) as lo, max(rate) as hi, count(*) as n from {{ ref('rates') }}";

/// All rows of all tables, each as text behind its table's name.
const ROWS: &str = "select r from (
    select concat_ws('|', 'raw', ts, user_id, coalesce(song, 'null'), event_date, batch) as r from {{schema}}.raw_listens
    union all select concat_ws('|', 'plays', ts, user_id, coalesce(song, 'null'), event_date) from {{schema}}.plays
    union all select concat_ws('|', 'users', user_id, first_day, songs) from {{schema}}.users
    union all select concat_ws('|', 'first', ts, user_id, coalesce(song, 'null'), event_date, first_day) from {{schema}}.with_first_day
    union all select concat_ws('|', 'month', month, plays) from {{schema}}.by_month
    union all select concat_ws('|', 'recent', event_date, user_id, coalesce(song, 'null')) from {{schema}}.recent
    union all select concat_ws('|', 'seen', event_date, today, n) from {{schema}}.seen
    union all select concat_ws('|', 'rates', cast(id as varchar), coalesce(cast(rate as varchar), 'null')) from {{schema}}.rates
    union all select concat_ws('|', 'extremes', coalesce(cast(lo as varchar), 'null'), coalesce(cast(hi as varchar), 'null'), n) from {{schema}}.extremes
) order by r";

#[derive(Clone, Debug)]
enum Happening {
    /// A file comes, or one that was there is written anew: (day, second, user, song), perhaps twice.
    Write { file: u8, events: Vec<(i64, i64, i64, Option<u8>)> },
    /// A model says something else.
    Edit { plays: usize, users: usize },
    /// The seed has other values, and its columns other types.
    Load { rates: usize, types: usize },
    /// The brackets of an expression of the snapshot are others.
    Take { to: usize },
    /// So many days pass.
    Wait { days: i64 },
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
    let load =
        (0..RATES.len(), 0..COLUMN_TYPES.len()).prop_map(|(rates, types)| Happening::Load { rates, types });
    let take = (0..TAKEN.len()).prop_map(|to| Happening::Take { to });
    let wait = (1..4_i64).prop_map(|days| Happening::Wait { days });
    prop_oneof![4 => write, 1 => edit, 2 => load, 1 => take, 2 => wait, 3 => killed, 2 => Just(Happening::Run)]
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
    table(hive, "recent", &by("event_date"), RECENT);
    table(hive, "seen", &by("event_date"), SEEN);
    table(hive, "extremes", "materialized='table'", EXTREMES);
}

fn check(happenings: &[Happening]) {
    static CASE: AtomicU32 = AtomicU32::new(0);
    let hive = HiveProject::with_clock(&format!("random{}", CASE.fetch_add(1, Ordering::Relaxed)));
    models(&hive, 0, 0);
    load(&hive.project, 0, 0);
    take(&hive.project, 0);
    let mut taken = 0;
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
            Happening::Load { rates, types } => load(&hive.project, *rates, *types),
            Happening::Take { to } => {
                taken = *to;
                take(&hive.project, taken);
            }
            Happening::Wait { days } => hive.wait(*days),
            Happening::Killed { point, times } => {
                let point = format!("{}:{times}", POINTS[*point]);
                let output = hive.call(&["build", "--quiet"], Some(&point));
                assert!(matches!(output.status.code(), None | Some(0)), "{output:?}");
            }
            Happening::Run => run(&hive, taken),
        }
    }
    run(&hive, taken);
    let schema = &hive.schema;
    let by_month = format!("select month, plays from {schema}.by_month order by month");
    assert_eq!(hive.trino(&by_month), hive.mep("hive", &by_month));
    let planned = hive.call(&["plan", "--output", "json"], None);
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    let steps = planned["steps"].as_array().unwrap();
    let actions = steps.iter().map(|step| (step["name"].to_string(), step["action"].to_string()));
    let mut actions: BTreeMap<String, String> = actions.collect();
    // What depends on the day is looked at anew in every run.
    actions.retain(|name, _| !["\"recent\"", "\"seen\""].contains(&name.as_str()));
    assert!(actions.values().all(|action| action == "\"current\""), "{actions:?}");
}

/// Runs, and compares all tables with those of a full refresh; of the snapshot, what is current with what it is of.
fn run(hive: &HiveProject, taken: usize) {
    hive.succeed(&["build", "--quiet"]);
    hive.succeed(&["build", "--quiet", "--full-refresh", "--target", "local", "--exclude", "taken"]);
    let schema = &hive.schema;
    let rows = ROWS.replace("{{schema}}", schema);
    assert_eq!(hive.mep("hive", &rows), hive.mep("local", &rows));
    // A row that is gone from the seed stays as it was seen last.
    let current = format!(
        "select id, rate, r from {schema}.taken
        where dbt_valid_to is null and id in (select cast(id as bigint) from {schema}.rates) order by id"
    );
    let of = TAKEN[taken].replace("main.rates", &format!("{schema}.rates"));
    assert_eq!(hive.mep("hive", &current), hive.mep("hive", &format!("{of} order by id")));
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
    check_at_once(24);
}

#[test]
#[ignore = "nightly: takes many minutes"]
fn whatever_happens_often_a_run_into_hive_leaves_the_rows_of_a_full_refresh() {
    check_at_once(200);
}
