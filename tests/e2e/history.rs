//! Histories: what was true of each key and when, from the events alone, whenever they came.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::project::{DAY, NOVEMBER, Project};
use crate::random::check_cases;

/// Users by what they listen to: no user is a user too, and silence is a song like any other.
const LISTENING: &str = "\
{{ config(materialized='history', unique_key='user_id', valid_from='ts', deleted_when=\"song = 'gone'\") }}
select nullif(user_id, 0) as user_id, ts, nullif(song, '') as song from {{ source('events', 'listens') }}";

/// The same within each day, so that a day is a partition.
const LISTENING_BY_DAY: &str = "\
{{ config(materialized='history', unique_key=['event_date', 'user_id'], valid_from='ts', partition_by='event_date') }}
select event_date, nullif(user_id, 0) as user_id, ts, nullif(song, '') as song
from {{ source('events', 'listens') }}";

fn project() -> Project {
    let project = Project::with_listens();
    project.model("listening", LISTENING).model("listening_by_day", LISTENING_BY_DAY);
    project
}

/// The ranges of a user, each as `from..to song`, in seconds since the first of November.
#[track_caller]
fn ranges(project: &Project, user: &str) -> Vec<String> {
    let sql = format!(
        "select valid_from, valid_to, song, is_current from main.listening
        where user_id is not distinct from {user} order by valid_from nulls first"
    );
    let seconds = |value: &Json| value.as_i64().map(|at| ((at - NOVEMBER) / 1000).to_string());
    let shown = |row: &Json| {
        assert_eq!(row["is_current"].as_bool().unwrap(), row["valid_to"].is_null(), "{row}");
        let from = seconds(&row["valid_from"]).unwrap_or_default();
        let to = seconds(&row["valid_to"]).unwrap_or_default();
        format!("{from}..{to} {}", row["song"].as_str().unwrap_or("silence"))
    };
    project.rows(&sql).as_array().unwrap().iter().map(shown).collect()
}

#[test]
fn a_version_begins_with_the_event_that_changes_something_and_ends_with_the_next_or_with_a_deletion() {
    let project = project();
    project.listens(
        "1.json",
        &[
            (1000, 1, "a"),
            (2000, 1, "a"),
            (3000, 1, ""),
            (4000, 1, ""),
            (5000, 1, "a"),
            (6000, 1, "gone"),
            (7000, 1, "gone"),
            (8000, 1, "a"),
            (1000, 0, "b"),
            (2000, 0, "c"),
            (5000, 2, "gone"),
        ],
    );
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["1..3 a", "3..5 silence", "5..6 a", "8.. a"]);
    assert_eq!(ranges(&project, "null"), ["1..2 b", "2.. c"]);
    assert_eq!(ranges(&project, "2"), [""; 0]);
}

#[test]
fn late_events_split_the_ranges_anew_and_nothing_new_writes_nothing() {
    let project = project();
    project.listens("1.json", &[(1000, 1, "a"), (9000, 1, "c")]);
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["1..9 a", "9.. c"]);
    project.listens("2.json", &[(5000, 1, "b"), (6000, 1, "a"), (0, 1, "c")]);
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["0..1 c", "1..5 a", "5..6 b", "6..9 a", "9.. c"]);
    let before = project.listing("warehouse");
    project.succeed(&["run"]);
    assert_eq!(project.listing("warehouse"), before);
    assert_eq!(project.plan(), Vec::<String>::new());
}

#[test]
fn of_the_events_of_one_instant_the_last_one_counts_by_sequence_then_deletion_then_columns() {
    let project = Project::with_listens();
    project.model("listening", LISTENING);
    project.listens("1.json", &[(1000, 1, "b"), (1000, 1, "a"), (1000, 2, "z"), (1000, 2, "gone")]);
    project.listens("2.json", &[(1000, 1, ""), (2000, 1, "a")]);
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["1..2 b", "2.. a"]);
    assert_eq!(ranges(&project, "2"), [""; 0]);
    let by_sequence = LISTENING
        .replace("valid_from='ts'", "valid_from='ts', sequence_by='place'")
        .replace("ts, nullif", "ts, case song when 'a' then 2 else 1 end as place, nullif");
    project.model("listening", &by_sequence);
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["1.. a"]);
}

#[test]
fn an_event_without_a_time_holds_since_ever() {
    let project = Project::with_listens();
    project.model("listening", &LISTENING.replace(" ts,", " nullif(ts, 1541030401000) as ts,"));
    project.listens("1.json", &[(2000, 1, "b"), (1000, 1, "a"), (1000, 2, "a")]);
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["..2 a", "2.. b"]);
    assert_eq!(ranges(&project, "2"), [".. a"]);
}

#[test]
fn check_cols_says_what_makes_a_version_and_the_rest_is_of_its_first_event() {
    let project = Project::with_listens();
    let sql =
        "{{ config(materialized='history', unique_key='user_id', valid_from='ts', check_cols=['song']) }}
        select user_id, ts, song, ts % 10000 as detail from {{ source('events', 'listens') }}";
    project.model("listening", sql);
    project.listens("1.json", &[(1000, 1, "a"), (2000, 1, "a"), (3000, 1, "b")]);
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["1..3 a", "3.. b"]);
    let details = project.rows("select detail from main.listening order by valid_from");
    assert_eq!(details, json!([{"detail": 1000}, {"detail": 3000}]));
    project.model("listening", &sql.replace("['song']", "'all'"));
    project.succeed(&["run"]);
    assert_eq!(ranges(&project, "1"), ["1..2 a", "2..3 a", "3.. b"]);
}

#[test]
fn a_change_of_the_events_or_of_what_makes_a_version_is_told_at_its_line() {
    let project = Project::with_listens();
    let sql = LISTENING.replace(" from {{", "\nfrom {{");
    project.model("listening", &sql);
    project.listens("1.json", &[(1000, 1, "a")]);
    project.succeed(&["run"]);
    project.model("listening", &sql.replace("deleted_when", "sequence_by='song', deleted_when"));
    assert_eq!(project.plan(), ["listening: build: model changed at line 1"]);
    project.model("listening", &format!("{sql} where seconds > 0"));
    assert_eq!(project.plan(), ["listening: build: model changed at line 3"]);
}

#[test]
fn partitions_of_the_key_are_rebuilt_one_by_one() {
    let project = project();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "a"), (2 * DAY, 1, "b")]);
    project.succeed(&["run"]);
    project.listens("late.json", &[(DAY + 1000, 1, "c")]);
    let plan = project.print(&["plan", "--select", "source:events listening_by_day"]);
    insta::assert_snapshot!(project.normalized(&plan), @r"
    land   source events.listens     1 unit       1 new
    build  history listening_by_day  1 partition  late rows of raw_listens in 2018-11-02/listens/late.json [reads 1 row, [size]]
    2 steps
    ");
    project.succeed(&["run"]);
    let rows = project.rows("select event_date, song from main.listening_by_day order by valid_from");
    assert_eq!(
        rows,
        json!([{"event_date": "2018-11-01", "song": "a"}, {"event_date": "2018-11-02", "song": "a"},
            {"event_date": "2018-11-02", "song": "c"}, {"event_date": "2018-11-03", "song": "b"}])
    );
}

#[test]
fn a_history_stands_over_ephemeral_models_and_models_read_its_columns() {
    let project = Project::with_listens();
    project.model(
        "said",
        "{{ config(materialized='ephemeral') }} select user_id, ts, song from {{ source('events', 'listens') }}",
    );
    project.model(
        "listening",
        "{{ config(materialized='history', unique_key='user_id', valid_from='ts') }}
        with named as (select user_id, ts, song from {{ ref('said') }}) -- all of them
        select * from named; -- and no more",
    );
    project.model(
        "current_song",
        "{{ config(materialized='table') }}
        select user_id, song, valid_from from {{ ref('listening') }} where is_current and valid_to is null",
    );
    project.listens("1.json", &[(1000, 1, "a"), (2000, 1, "b")]);
    project.succeed(&["run"]);
    let rows = project.rows("select user_id, song from main.current_song");
    assert_eq!(rows, json!([{"user_id": 1, "song": "b"}]));
}

#[test]
fn the_compiled_sql_says_how_ranges_are_made() {
    let project = project();
    insta::assert_snapshot!(project.print(&["compile", "--select", "listening"]), @r#"
    with __mep_events as (

    select nullif(user_id, 0) as user_id, ts, nullif(song, '') as song from main.raw_listens
    ),
    __mep_marked as (
        select *, coalesce((
    song = 'gone'
    ), false) as __mep_deleted from __mep_events
    ),
    __mep_placed as (
        select *, row_number() over (partition by "user_id", "ts" order by __mep_deleted desc nulls last, "song" desc nulls last) as __mep_place
        from __mep_marked
    ),
    __mep_compared as (
        select *, case
            when row_number() over (partition by "user_id" order by "ts" asc nulls first) = 1 then true
            when __mep_deleted or lag(__mep_deleted) over (partition by "user_id" order by "ts" asc nulls first) then __mep_deleted is distinct from lag(__mep_deleted) over (partition by "user_id" order by "ts" asc nulls first)
            else ("song" is distinct from lag("song") over (partition by "user_id" order by "ts" asc nulls first))
            end as __mep_begins
        from __mep_placed where __mep_place = 1
    ),
    __mep_ranges as (
        select *, lead("ts") over (partition by "user_id" order by "ts" asc nulls first) as __mep_valid_to from __mep_compared where __mep_begins
    )
    select
        "user_id", "song",
        "ts" as valid_from,
        __mep_valid_to as valid_to,
        __mep_valid_to is null as is_current
    from __mep_ranges where not __mep_deleted
    "#);
}

#[derive(Clone, Debug)]
struct Event {
    day: i64,
    second: i64,
    user: i64,
    song: u8,
}

const SONGS: [&str; 4] = ["", "a", "b", "gone"];

fn event() -> impl Strategy<Value = Event> {
    (0..3_i64, 0..5_i64, 0..3_i64, 0..4_u8).prop_map(|(day, second, user, song)| Event {
        day,
        second,
        user,
        song,
    })
}

/// The events of a file, and where the run after it is killed, if it is.
type Arrival = (Vec<Event>, Option<(usize, u32)>);

fn files() -> impl Strategy<Value = Vec<Arrival>> {
    let killed = proptest::option::weighted(0.4, (0..PLACES.len(), 1..4_u32));
    proptest::collection::vec((proptest::collection::vec(event(), 0..8), killed), 1..5)
}

const PLACES: [&str; 3] = ["build-before-publish", "publish-before-rename", "publish-after-rename"];

/// One range: user, from, to, song; what is absent is 0, the end of time, or silence.
type Range = (i64, i64, i64, String);

/// The ranges as one would find them by hand: through the instants of each user, from the first to the last.
fn by_hand(events: &[&Event]) -> BTreeSet<Range> {
    let mut instants: BTreeMap<i64, BTreeMap<i64, &str>> = BTreeMap::new();
    for event in events {
        let at = NOVEMBER + event.day * DAY + event.second * 1000;
        let song = SONGS[usize::from(event.song)];
        let last = instants.entry(event.user).or_default().entry(at).or_insert(song);
        *last = std::cmp::max_by_key(*last, song, |song| (*song == "gone", *song));
    }
    let mut ranges = BTreeSet::new();
    for (user, instants) in instants {
        let mut open: Option<(i64, &str)> = None;
        for (at, song) in instants {
            if let Some((from, before)) = open.filter(|(_, before)| *before != song) {
                ranges.insert((user, from, at, before.to_owned()));
                open = None;
            }
            if open.is_none() && song != "gone" {
                open = Some((at, song));
            }
        }
        ranges.extend(open.map(|(from, song)| (user, from, i64::MAX, song.to_owned())));
    }
    ranges
}

fn stored(project: &Project, target: &str) -> (BTreeSet<Range>, Json) {
    let rows = |sql: &str| -> Json {
        let words = ["show", "--target", target, "--inline", sql, "--limit", "-1", "--output", "json"];
        serde_json::from_str(&project.print(&words)).unwrap()
    };
    let ranges = rows("select user_id, valid_from, valid_to, song from main.listening");
    let range = |row: &Json| {
        let number = |key: &str, absent: i64| row[key].as_i64().unwrap_or(absent);
        let song = row["song"].as_str().unwrap_or_default().to_owned();
        (number("user_id", 0), number("valid_from", 0), number("valid_to", i64::MAX), song)
    };
    let rows_of = ranges.as_array().unwrap();
    let found: BTreeSet<Range> = rows_of.iter().map(range).collect();
    assert_eq!(found.len(), rows_of.len(), "{ranges}");
    let by_day = rows("select * from main.listening_by_day order by event_date, user_id, valid_from");
    (found, by_day)
}

fn check(files: &[Arrival]) {
    let project = project();
    let fresh = "    fresh:\n      type: local\n      path: fresh\n      schema: main\n      sources:\n        events: {type: files, path: events}\n";
    let profiles = std::fs::read_to_string(project.path("profiles.yml")).unwrap();
    project.file("profiles.yml", format!("{profiles}{fresh}"));
    for (index, (events, killed)) in files.iter().enumerate() {
        let listens: Vec<(i64, i64, &str)> = events
            .iter()
            .map(|event| (event.day * DAY + event.second * 1000, event.user, SONGS[usize::from(event.song)]))
            .collect();
        project.listens(&format!("{index}.json"), &listens);
        let point = killed.map(|(place, times)| format!("{}:{times}", PLACES[place]));
        let variables: Vec<_> = point.iter().map(|point| ("MEP_FAIL_POINT", point.as_str())).collect();
        let output = project.run_with(&["run", "--quiet"], &variables);
        assert!(output.code == Some(0) || killed.is_some() && output.code.is_none(), "{output:?}");
    }
    project.succeed(&["run", "--quiet"]);
    project.succeed(&["run", "--quiet", "--full-refresh", "--target", "fresh"]);
    let kept = stored(&project, "dev");
    assert_eq!(kept, stored(&project, "fresh"));
    let events: Vec<&Event> = files.iter().flat_map(|(events, _)| events).collect();
    assert_eq!(kept.0, by_hand(&events));
}

#[test]
fn whatever_order_events_come_in_the_ranges_are_those_found_by_hand() {
    check_cases(20, 2018, &files(), |files| check(&files));
}

#[test]
#[ignore = "nightly: takes many minutes"]
fn whatever_order_many_events_come_in_the_ranges_are_those_found_by_hand() {
    check_cases(200, 2019, &files(), |files| check(&files));
}
