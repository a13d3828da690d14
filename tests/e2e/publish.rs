//! Models that are published only once they have passed their tests.

use serde_json::json;

use crate::project::{DAY, Project};

/// A table of listens by day that is published after its tests, and one that reads it.
fn project(config: &str, tests: &str) -> Project {
    let project = Project::with_listens();
    project.model(
        "plays",
        &format!(
            "{{{{ config({config}, publish='after_tests') }}}}
            select event_date, ts, nullif(song, '') as song from {{{{ source('events', 'listens') }}}}"
        ),
    );
    project.model("below", "{{ config(materialized='table') }} select count(*) as n from {{ ref('plays') }}");
    project.file(
        "models/schema.yml",
        format!("models:\n  - name: plays\n    columns:\n      - name: song\n        data_tests: {tests}\n"),
    );
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b")]);
    project
}

const DAILY: &str = "materialized='incremental', partition_by='event_date'";
const COUNT: &str = "select count(*) as n from main.plays";

#[test]
fn content_that_fails_a_test_is_not_published_and_the_next_run_tries_again() {
    for config in [DAILY, "materialized='table'"] {
        let project = project(config, "[not_null]");
        project.succeed(&["build"]);
        let before = project.listing("warehouse/main/below");
        project.listens("2.json", &[(DAY + 1, 2, ""), (2 * DAY, 2, "c")]);
        let said = project.fail(1, &["build"]);
        if config == DAILY {
            insta::assert_snapshot!(said, @r#"
               start  source events.listens
                  ok  source events.listens  2 rows, [size], [time]  (1 new)
                plan  1 incremental, 1 table, 2 partitions
               start  incremental plays
               error  incremental plays  [time]
             skipped  test not_null_plays_song  (because of plays)
             skipped  table below  (because of plays)

            what failed:
              incremental plays
                  1 test of the new content fails, so readers still find the old content:
                    not_null_plays_song: 1 failing row
                  see the rejected rows with: mep show --inline "select * from main.plays__rejected"
            failed in [time]: 1 built, 1 in error, 2 skipped
            "#);
        }
        assert_eq!(project.rows(COUNT), json!([{"n": 2}]));
        assert_eq!(project.listing("warehouse/main/below"), before);
        let rejected =
            project.rows("select song from main.plays__rejected where event_date > '2018-11-01' order by ts");
        assert_eq!(rejected, json!([{"song": "b"}, {"song": null}, {"song": "c"}]));
        let planned = project.plan();
        assert!(planned[0].starts_with("plays: build"), "{planned:?}");
        project.listens("2.json", &[(DAY + 1, 2, "now"), (2 * DAY, 2, "c")]);
        project.succeed(&["build"]);
        assert_eq!(project.rows(COUNT), json!([{"n": 4}]));
        assert_eq!(project.rows("select n from main.below"), json!([{"n": 4}]));
        assert!(!project.path("warehouse/main/plays__rejected").exists());
        assert_eq!(project.plan(), Vec::<String>::new());
    }
}

#[test]
fn a_run_without_tests_runs_those_of_a_model_that_is_published_after_them() {
    let project = project(DAILY, "[not_null, unique]");
    project.listens("2.json", &[(DAY + 1, 2, ""), (2 * DAY, 2, "a")]);
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said, @r#"
       start  source events.listens
          ok  source events.listens  4 rows, 2 partitions, [size], [time]  (2 new)
        plan  1 incremental, 1 table, 3 partitions
       start  incremental plays
       error  incremental plays  [time]
     skipped  table below  (because of plays)

    what failed:
      incremental plays
          2 tests of the new content fail, so there is no table yet:
            not_null_plays_song: 1 failing row
            unique_plays_song: 1 failing row
          see the rejected rows with: mep show --inline "select * from main.plays__rejected"
    failed in [time]: 1 built, 1 in error, 1 skipped
    "#);
    assert!(!project.path("warehouse/main/plays/manifest.json").exists());
    insta::assert_snapshot!(project.print(&["show", "--inline", "select song, event_date from main.plays__rejected order by ts"]), @r"
    +------+------------+
    | song | event_date |
    +------+------------+
    | a    | 2018-11-01 |
    | b    | 2018-11-02 |
    | null | 2018-11-02 |
    | a    | 2018-11-03 |
    +------+------------+
    4 rows
    ");
}

#[test]
fn each_test_runs_once_over_the_table_as_it_would_be() {
    let project = project(DAILY, "[not_null: {config: {severity: warn}}]");
    project.file("tests/few.sql", "select count(*) as n from {{ ref('plays') }} having count(*) > 3");
    project.file(
        "tests/same.sql",
        "select 1 as x from {{ ref('plays') }} p, {{ ref('below') }} b where b.n > 3 limit 1",
    );
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b"), (DAY + 1, 1, "")]);
    insta::assert_snapshot!(project.succeed(&["build"]), @r"
       start  source events.listens
          ok  source events.listens  3 rows, [size], [time]  (1 new)
        plan  1 incremental, 1 table, 2 partitions
       start  incremental plays
          ok  incremental plays  3 rows, 2 partitions, [size], [time]  (first run)
        pass  test few  [time]
        warn  test not_null_plays_song  1 failing row, [time]  (see them with: mep show --select not_null_plays_song --limit 20)
       start  table below
          ok  table below  1 row, [size], [time]  (first run)
        pass  test same  [time]
    done in [time]: 3 built, 2 passed, 1 warned
    ");
    // Old rows and new ones are too many together.
    project.listens("2.json", &[(2 * DAY, 2, "c")]);
    let said = project.fail(1, &["build"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r#"
      incremental plays
          1 test of the new content fails, so readers still find the old content:
            few: 1 failing row
          see the rejected rows with: mep show --inline "select * from main.plays__rejected"
    failed in [time]: 1 built, 1 in error, 4 skipped
    "#);
    assert_eq!(project.rows(COUNT), json!([{"n": 3}]));
}

#[test]
fn a_test_that_reads_another_table_waits_for_it() {
    let project = project(DAILY, "[{relationships: {to: ref('songs'), field: song}}]");
    project.model(
        "songs",
        "{{ config(materialized='table') }} select distinct song from {{ source('events', 'listens') }}",
    );
    project.succeed(&["build"]);
    project.listens("2.json", &[(2 * DAY, 2, "new")]);
    project.succeed(&["build"]);
    assert_eq!(project.rows(COUNT), json!([{"n": 3}]));
    let fresh = Project::with_listens();
    for file in ["models/plays.sql", "models/songs.sql", "models/schema.yml", "events/listens/1.json"] {
        fresh.file(file, std::fs::read(project.path(file)).unwrap());
    }
    let said = fresh.fail(1, &["run", "--select", "source:*", "plays"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      incremental plays
          its test relationships_plays_song__song__ref_songs_ reads main.songs, which is not built yet: build it first, or publish at once
    failed in [time]: 1 built, 1 in error
    ");
}

#[test]
fn a_killed_run_leaves_the_old_content_between_tests_and_publish() {
    let project = project("materialized='table'", "[not_null]");
    project.succeed(&["run"]);
    project.listens("2.json", &[(2 * DAY, 2, "c")]);
    let killed = project.run_with(&["run"], &[("MEP_FAIL_POINT", "build-before-publish:1")]);
    assert_eq!(killed.code, None);
    assert_eq!(project.rows(COUNT), json!([{"n": 2}]));
    project.succeed(&["run"]);
    assert_eq!(project.rows(COUNT), json!([{"n": 3}]));
}

#[test]
fn a_batch_that_fails_its_tests_is_kept_back_and_the_others_are_published() {
    let config = "materialized='incremental', incremental_strategy='microbatch', event_time='event_date', batch_size='day', begin='2018-11-01'";
    let project = project(config, "[not_null]");
    project.listens("2.json", &[(DAY + 1, 2, ""), (2 * DAY, 2, "c")]);
    let said = project.fail(1, &["run", "--date", "2018-11-03"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r#"
      incremental plays
          1 of 3 batches failed; the others are published, and the next run tries again:
          2018-11-02: 1 test of the new content fails, so readers still find the old content:
              not_null_plays_song: 1 failing row
            see the rejected rows with: mep show --inline "select * from main.plays__rejected"
    failed in [time]: 1 built, 1 in error, 1 skipped
    "#);
    assert_eq!(
        project.rows("select song from main.plays order by ts"),
        json!([{"song": "a"}, {"song": "c"}])
    );
    let rejected = project.rows("select count(*) as n from main.plays__rejected where song is null");
    assert_eq!(rejected, json!([{"n": 1}]));
}

#[test]
fn clean_takes_away_rejected_rows_and_the_folders_that_nothing_points_at() {
    let project = project(DAILY, "[not_null]");
    project.listens("2.json", &[(DAY + 1, 2, "")]);
    project.fail(1, &["run"]);
    assert!(!project.succeed(&["clean"]).contains("rejected"));
    assert!(project.path("warehouse/main/plays__rejected/manifest.json").exists());
    insta::assert_snapshot!(project.succeed(&["clean", "--retention-days", "0"]), @r"
    dropped 1 table of rejected rows
    deleted 1 folder ([size]) that no table has pointed at for 0 days, and the artifacts
    ");
    assert!(!project.path("warehouse/main/plays__rejected").exists());
}

#[test]
fn only_tables_can_be_published_after_their_tests() {
    let project = Project::new();
    project.model("seen", "{{ config(publish='after_tests') }} select 1 as x");
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: `publish` is about tables, and this model is view
      ╭─[models/seen.sql:1:11]
    1 │ {{ config(publish='after_tests') }} select 1 as x
      ·           ───────
      ╰────
     help: write materialized='table' or 'incremental', or take it away
    ");
    project.model("seen", "{{ config(materialized='table', publish='after_test') }} select 1 as x");
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: `publish`: expected one of at_once, after_tests, found `after_test`
      ╭─[models/seen.sql:1:33]
    1 │ {{ config(materialized='table', publish='after_test') }} select 1 as x
      ·                                 ───────
      ╰────
    ");
    project.model("seen", "{{ config(materialized='table', publish='after_tests') }} select 1 as x");
    project.model("seen__rejected", "{{ config(materialized='table') }} select 1 as x");
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: model.songs.seen__rejected is main.seen__rejected, which keeps the rows that fail the tests of
     │ model.songs.seen
      ╭─[models/seen__rejected.sql:1:1]
    1 │ {{ config(materialized='table') }} select 1 as x
      · ▲
      ╰────
     help: give it another `alias`
    ");
}
