//! Models that are run batch by batch of their event time, as dbt's microbatch strategy runs them.

use serde_json::json;

use crate::project::{DAY, Project};

const DAILY: &str = "materialized='incremental', incremental_strategy='microbatch', event_time='event_date', batch_size='day', begin='2018-11-01'";

/// A microbatch model over the listens, with this config beside that of a daily one.
fn daily(config: &str) -> String {
    format!(
        "{{{{ config({DAILY}{config}) }}}}
        select event_date, song, count(*) as n from {{{{ source('events', 'listens') }}}} group by event_date, song"
    )
}

const ROWS: &str = "select event_date, song, n from main.plays order by event_date, song";

fn project(config: &str) -> Project {
    let project = Project::with_listens();
    project.model("plays", &daily(config));
    project.listens("1.json", &[(0, 1, "a"), (1, 1, "a"), (DAY, 1, "b"), (3 * DAY, 2, "c")]);
    project
}

#[test]
fn the_first_run_has_a_batch_for_each_day_from_begin_and_the_next_one_those_that_are_due() {
    for config in ["", ", partition_by='event_date'", ", partition_by='song'"] {
        let project = project(config);
        insta::allow_duplicates! {
            insta::assert_snapshot!(project.print(&["plan", "--date", "2018-11-04"]), @r"
            land   source events.listens  1 unit     1 new
            build  incremental plays      4 batches  first run 2018-11-01 to 2018-11-04
            2 steps
            ");
        }
        project.succeed(&["run", "--date", "2018-11-04"]);
        let mut expected = vec![
            json!({"event_date": "2018-11-01", "song": "a", "n": 2}),
            json!({"event_date": "2018-11-02", "song": "b", "n": 1}),
            json!({"event_date": "2018-11-04", "song": "c", "n": 1}),
        ];
        assert_eq!(project.rows(ROWS), json!(expected), "{config}");
        // A row for the day before the latest one is within the lookback; one for the first day is not.
        project.listens("2.json", &[(5, 3, "late"), (3 * DAY + 5, 3, "late"), (4 * DAY, 3, "e")]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(project.print(&["plan", "--date", "2018-11-05"]), @r"
            land   source events.listens  1 unit     1 new
            build  incremental plays      2 batches  lookback 2018-11-04; not done yet 2018-11-05
            2 steps
            ");
        }
        project.succeed(&["run", "--date", "2018-11-05"]);
        expected.push(json!({"event_date": "2018-11-04", "song": "late", "n": 1}));
        expected.push(json!({"event_date": "2018-11-05", "song": "e", "n": 1}));
        assert_eq!(project.rows(ROWS), json!(expected), "{config}");
        project.succeed(&[
            "run",
            "--date",
            "2018-11-05",
            "--event-time-start",
            "2018-11-01",
            "--event-time-end",
            "2018-11-02",
        ]);
        expected.insert(1, json!({"event_date": "2018-11-01", "song": "late", "n": 1}));
        assert_eq!(project.rows(ROWS), json!(expected), "{config}");
        project.succeed(&["run", "--date", "2018-11-05", "--full-refresh"]);
        assert_eq!(project.rows(ROWS), json!(expected), "{config}");
    }
}

#[test]
fn a_batch_reads_only_its_own_time_of_inputs_with_an_event_time_unless_they_are_rendered() {
    let project = Project::with_listens();
    project.model(
        "seen",
        "{{ config(event_time='ts') }} select ts, song from {{ source('events', 'listens') }}",
    );
    project.model(
        "plays",
        &format!(
            "{{{{ config({DAILY}) }}}}
            select cast(to_timestamp_millis(min(seen.ts)) as date) as event_date, count(*) as own,
                (select count(*) from {{{{ ref('seen').render() }}}}) as total
            from {{{{ ref('seen') }}}}"
        ),
    );
    project.listens("1.json", &[(0, 1, "a"), (1, 1, "a"), (DAY, 1, "b")]);
    project.succeed(&["run", "--date", "2018-11-02"]);
    assert_eq!(
        project.rows("select * from main.plays order by 1"),
        json!([{"event_date": "2018-11-01", "own": 2, "total": 3},
            {"event_date": "2018-11-02", "own": 1, "total": 3}])
    );
}

#[test]
fn a_batch_that_fails_fails_alone_and_the_next_run_tries_it_again() {
    let project = project("");
    let dividing = "1 % case when min(song) = 'b' then 0 else 2 end as n";
    let sql = daily(", partition_by='event_date'");
    project.model("plays", &sql.replace("count(*) as n", dividing));
    project.model("below", "{{ config(materialized='table') }} select count(*) as n from {{ ref('plays') }}");
    insta::assert_snapshot!(project.fail(1, &["run", "--date", "2018-11-04"]), @r"
       start  source events.listens
          ok  source events.listens  4 rows, [size], [time]  (1 new)
        plan  1 incremental, 1 table
       start  incremental plays
       error  incremental plays  [time]
     skipped  table below  (because of plays)

    what failed:
      incremental plays
          1 of 4 batches failed; the others are published, and the next run tries again:
          2018-11-02: division by zero
            at models/plays.sql:2:34: 1 % case when min(song) = 'b' then 0 else 2 end
            help: nullif(…, 0) around the divisor gives NULL there
    failed in [time]: 1 built, 1 in error, 1 skipped
    ");
    assert_eq!(
        project.rows(ROWS),
        json!([{"event_date": "2018-11-01", "song": "a", "n": 1}, {"event_date": "2018-11-04", "song": "c", "n": 1}])
    );
    project.model("plays", &sql);
    let planned = project.print(&["plan", "--date", "2018-11-04", "--select", "plays"]);
    insta::assert_snapshot!(planned, @r"
    build  incremental plays  3 batches  not done yet 2018-11-02; lookback 2018-11-03 to 2018-11-04
    1 step
    ");
    project.succeed(&["run", "--date", "2018-11-04"]);
    assert_eq!(project.rows("select n from main.below"), json!([{"n": 3}]));
    // A batch that was done, and fails when it is run again, is not done any more.
    project.model("plays", &sql.replace("count(*) as n", &dividing.replace("'b'", "'c'")));
    project.fail(1, &["run", "--date", "2018-11-04"]);
    project.model("plays", &sql);
    let planned = project.print(&["plan", "--date", "2018-11-09", "--select", "plays"]);
    insta::assert_snapshot!(planned, @r"
    build  incremental plays  6 batches  not done yet 2018-11-04 to 2018-11-09
    1 step
    ");
}

#[test]
fn a_full_refresh_shows_readers_the_old_table_until_all_batches_are_done() {
    let project = project(", partition_by='event_date'");
    project.succeed(&["run", "--date", "2018-11-04"]);
    let before = project.rows(ROWS);
    let failing = daily(", partition_by='event_date'")
        .replace("count(*)", "1 % case when min(song) = 'c' then 0 else 2 end");
    project.model("plays", &failing);
    let said = project.fail(1, &["run", "--date", "2018-11-04", "--full-refresh"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      incremental plays
          1 of 4 batches failed, so the old table stays as it is:
          2018-11-04: division by zero
            at models/plays.sql:2:34: 1 % case when min(song) = 'c' then 0 else 2 end
            help: nullif(…, 0) around the divisor gives NULL there
    failed in [time]: 1 built, 1 in error
    ");
    assert_eq!(project.rows(ROWS), before);
}

#[test]
fn a_killed_run_goes_on_with_the_batches_that_are_not_done() {
    let project = project(", partition_by='event_date'");
    let killed =
        project.run_with(&["run", "--date", "2018-11-04"], &[("MEP_FAIL_POINT", "build-before-publish:3")]);
    assert_eq!(killed.code, None);
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 2}]));
    let planned = project.print(&["plan", "--date", "2018-11-04", "--select", "plays"]);
    insta::assert_snapshot!(planned, @r"
    build  incremental plays  2 batches  not done yet 2018-11-03 to 2018-11-04
    1 step
    ");
    project.succeed(&["run", "--date", "2018-11-04"]);
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 3}]));
    let explained = project.print(&["plan", "--explain", "--select", "plays"]);
    assert!(explained.contains("is run batch by batch of its event time"), "{explained}");
}

#[test]
fn batches_are_of_hours_months_and_years_too() {
    for (size, batches) in [("hour", 96), ("month", 1), ("year", 1)] {
        let project = Project::with_listens();
        let config = DAILY.replace("'day'", &format!("'{size}'")).replace("'event_date'", "'at'");
        project.model(
            "plays",
            &format!(
                "{{{{ config({config}, lookback=0) }}}}
                select to_timestamp_millis(ts) as at, song from {{{{ source('events', 'listens') }}}}"
            ),
        );
        project.listens("1.json", &[(0, 1, "a"), (DAY / 2, 1, "b"), (3 * DAY, 2, "c")]);
        let said = project.print(&["plan", "--date", "2018-11-04"]);
        assert!(said.contains(&format!("{batches} batch")), "{said}");
        project.succeed(&["run", "--date", "2018-11-04"]);
        assert_eq!(
            project.rows("select song from main.plays order by at"),
            json!([{"song": "a"}, {"song": "b"}, {"song": "c"}])
        );
        let said = project.print(&["plan", "--date", "2018-11-04", "--select", "plays"]);
        assert!(said.contains("1 batch"), "{said}");
    }
}

#[test]
fn what_a_microbatch_model_lacks_is_said_at_its_place() {
    let project = Project::with_listens();
    let said = |config: &str, columns: &str| {
        let config = format!("materialized='incremental', incremental_strategy='microbatch', {config}");
        project.model(
            "plays",
            &format!(
                "{{{{ config({config}) }}}} select {columns} from {{{{ source('events', 'listens') }}}}"
            ),
        );
        project.fail(2, &["compile"])
    };
    insta::assert_snapshot!(said("batch_size='day', begin='2018-11-01'", "*"), @r"
     error: a microbatch model needs `event_time`
      ╭─[models/plays.sql:1:39]
    1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', batch_size='day', begin='2018-11-01') }} select * from {{ source('events', 'listens') }}
      ·                                       ────────────────────
      ╰────
     help: name the column that says when a row's event happened: event_time='ts'
    ");
    insta::assert_snapshot!(said("event_time='ts', begin='2018-11-01'", "*"), @r"
     error: a microbatch model needs `batch_size`
      ╭─[models/plays.sql:1:39]
    1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', begin='2018-11-01') }} select * from {{ source('events', 'listens') }}
      ·                                       ────────────────────
      ╰────
     help: write hour, day, month or year
    ");
    insta::assert_snapshot!(said("event_time='ts', batch_size='day'", "*"), @r"
     error: a microbatch model needs `begin`
      ╭─[models/plays.sql:1:39]
    1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', batch_size='day') }} select * from {{ source('events', 'listens') }}
      ·                                       ────────────────────
      ╰────
     help: name the first day: begin='2018-11-01'
    ");
    insta::assert_snapshot!(said("event_time='song', batch_size='week', begin='soon', lookback='x'", "*"), @r"
      error: `batch_size`: expected one of hour, day, month, year, found `week`
       ╭─[models/plays.sql:1:93]
     1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', event_time='song', batch_size='week', begin='soon', lookback='x') }} select * from {{ source('events', 'listens') }}
       ·                                                                                             ──────────
       ╰────

      error: `begin`: expected a day or a time in UTC, such as 2018-11-01 or 2018-11-01T06:00:00, found `soon`
       ╭─[models/plays.sql:1:112]
     1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', event_time='song', batch_size='week', begin='soon', lookback='x') }} select * from {{ source('events', 'listens') }}
       ·                                                                                                                ─────
       ╰────

      error: `lookback`: expected a number of batches, found `x`
       ╭─[models/plays.sql:1:126]
     1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', event_time='song', batch_size='week', begin='soon', lookback='x') }} select * from {{ source('events', 'listens') }}
       ·                                                                                                                              ────────
       ╰────

    3 problems
    ");
    insta::assert_snapshot!(said("event_time='song', batch_size='day', begin='2018-11-01'", "*"), @r"
     error: `plays`: `event_time` names `song`, which is varchar; expected timestamp, date or bigint (epoch
     │ milliseconds)
      ╭─[models/plays.sql:1:74]
    1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', event_time='song', batch_size='day', begin='2018-11-01') }} select * from {{ source('events', 'listens') }}
      ·                                                                          ──────────
      ╰────
    ");
    insta::assert_snapshot!(said("event_time='ts', batch_size='day', begin='2018-11-01'", "{{ is_incremental() }} as x, ts"), @r"
     error: a microbatch model has no use for `is_incremental()`: what it reads is that of the batch already
      ╭─[models/plays.sql:1:39]
    1 │ {{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', batch_size='day', begin='2018-11-01') }} select {{ is_incremental() }} as x, ts from {{ source('events', 'listens') }}
      ·                                       ────────────────────
      ╰────
     help: take it away
    ");
}

#[test]
fn event_times_are_given_together_and_in_their_order() {
    let project = project("");
    let said =
        project.fail(2, &["run", "--event-time-start", "2018-11-02", "--event-time-end", "2018-11-02"]);
    insta::assert_snapshot!(said, @r"
    error: `--event-time-start` is not before `--event-time-end`
    help: the end is the first time that is left out
    ");
    let said = project.fail(2, &["run", "--event-time-start", "2018-11-02"]);
    assert!(said.contains("--event-time-end <TIME>"), "{said}");
    let both = ["--event-time-start", "2018-11-01", "--event-time-end", "2018-11-02", "--full-refresh"];
    let said = project.fail(2, &[&["run"], both.as_slice()].concat());
    assert!(said.contains("'--event-time-start <TIME>' cannot be used with '--full-refresh'"), "{said}");
}

#[test]
fn a_batch_whose_time_is_not_over_is_not_done() {
    let project = Project::with_listens();
    let today = chrono::Utc::now().date_naive();
    project.model("plays", &daily(", lookback=0").replace("2018-11-01", &today.to_string()));
    project.succeed(&["run"]);
    let planned = project.print(&["plan", "--select", "plays"]);
    assert!(planned.contains(&format!("1 batch  not done yet {today}")), "{planned}");
    project.succeed(&["run", "--date", &today.to_string()]);
    let planned = project.print(&["plan", "--select", "plays"]);
    assert!(planned.contains(&format!("1 batch  lookback {today}")), "{planned}");
}
