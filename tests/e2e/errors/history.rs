//! Histories whose config does not say what they are of.

use super::model;

/// What a build of a history with this config says.
#[track_caller]
fn history(config: &str) -> String {
    let columns = "user_id, ts, song";
    model(&format!(
        "{{{{ config(materialized='history', {config}) }}}}\nselect {columns}\nfrom {{{{ source('events', 'listens') }}}}"
    ))
}

#[test]
fn a_history_without_a_key_or_a_time_is_told_what_it_lacks() {
    insta::assert_snapshot!(history("tags='a'"), @r"
      error: a history needs `unique_key`
       ╭─[models/counts.sql:1:11]
     1 │ {{ config(materialized='history', tags='a') }}
       ·           ────────────
     2 │ select user_id, ts, song
       ╰────
      help: say which columns name what the events are about

      error: a history needs `valid_from`
       ╭─[models/counts.sql:1:11]
     1 │ {{ config(materialized='history', tags='a') }}
       ·           ────────────
     2 │ select user_id, ts, song
       ╰────
      help: say which column holds the time of the event

    2 problems
    ");
}

#[test]
fn columns_that_the_select_lacks_are_named_at_the_key_that_names_them() {
    insta::assert_snapshot!(history("unique_key='usr_id', valid_from='ts'"), @r"
     error: `unique_key` names `usr_id`, which is not a column of the model
      ╭─[models/counts.sql:1:35]
    1 │ {{ config(materialized='history', unique_key='usr_id', valid_from='ts') }}
      ·                                   ──────────
    2 │ select user_id, ts, song
      ╰────
     help: did you mean `user_id`?
    ");
    insta::assert_snapshot!(history("unique_key='user_id', valid_from='updated_at'"), @r"
     error: `valid_from` names `updated_at`, which is not a column of the model
      ╭─[models/counts.sql:1:57]
    1 │ {{ config(materialized='history', unique_key='user_id', valid_from='updated_at') }}
      ·                                                         ──────────
    2 │ select user_id, ts, song
      ╰────
     help: the columns are user_id, ts, song
    ");
    insta::assert_snapshot!(history("unique_key='user_id', valid_from='ts', check_cols=['song', 'artist']"), @r"
     error: `check_cols` names `artist`, which is not a column of the model
      ╭─[models/counts.sql:1:74]
    1 │ {{ config(materialized='history', unique_key='user_id', valid_from='ts', check_cols=['song', 'artist']) }}
      ·                                                                          ──────────
    2 │ select user_id, ts, song
      ╰────
     help: the columns are user_id, ts, song
    ");
    insta::assert_snapshot!(history("unique_key='user_id', valid_from='ts', partition_by='ts'"), @r"
     error: `partition_by` names `ts`, which is not a column of the model
      ╭─[models/counts.sql:1:74]
    1 │ {{ config(materialized='history', unique_key='user_id', valid_from='ts', partition_by='ts') }}
      ·                                                                          ────────────
    2 │ select user_id, ts, song
      ╰────
     help: the columns are user_id, song, valid_from, valid_to, is_current
    ");
}

#[test]
fn the_time_of_the_event_is_no_part_of_the_key() {
    insta::assert_snapshot!(history("unique_key=['user_id', 'ts'], valid_from='ts'"), @r"
     error: `unique_key` names `ts`, which is the time of the event
      ╭─[models/counts.sql:1:35]
    1 │ {{ config(materialized='history', unique_key=['user_id', 'ts'], valid_from='ts') }}
      ·                                   ──────────
    2 │ select user_id, ts, song
      ╰────
     help: each event would be a version by itself
    ");
}

#[test]
fn a_condition_of_deletion_is_checked_where_it_is_written() {
    insta::assert_snapshot!(history("unique_key='user_id', valid_from='ts', deleted_when='sonk is null'"), @r"
     error: `deleted_when`: there is no column `sonk` here
      ╭─[models/counts.sql:1:74]
    1 │ {{ config(materialized='history', unique_key='user_id', valid_from='ts', deleted_when='sonk is null') }}
      ·                                                                          ────────────
    2 │ select user_id, ts, song
      ╰────
     help: did you mean `song`?
    ");
    insta::assert_snapshot!(history("unique_key='user_id', valid_from='ts', deleted_when='song'"), @r"
     error: `deleted_when`: expected a condition, found SQL of type varchar
      ╭─[models/counts.sql:1:74]
    1 │ {{ config(materialized='history', unique_key='user_id', valid_from='ts', deleted_when='song') }}
      ·                                                                          ────────────
    2 │ select user_id, ts, song
      ╰────
     help: write one that is true for an event that deletes, such as op = 'delete'
    ");
}

#[test]
fn columns_that_a_history_adds_may_not_be_there() {
    let sql = "{{ config(materialized='history', unique_key='user_id', valid_from='ts') }}
select user_id, ts, song as valid_to from {{ source('events', 'listens') }}";
    insta::assert_snapshot!(model(sql), @r"
     error: a history adds the column `valid_to`, which the SELECT gives too
      ╭─[models/counts.sql:1:11]
    1 │ {{ config(materialized='history', unique_key='user_id', valid_from='ts') }}
      ·           ────────────
    2 │ select user_id, ts, song as valid_to from {{ source('events', 'listens') }}
      ╰────
     help: give it another name with `as`
    ");
}

#[test]
fn errors_in_the_events_are_pointed_at_as_in_any_model() {
    let sql = "{{ config(materialized='history', unique_key='user_id', valid_from='ts') }}
select user_id, ts, sonk from {{ source('events', 'listens') }}";
    insta::assert_snapshot!(model(sql), @r"
     error: there is no column `sonk` here
      ╭─[models/counts.sql:2:21]
    1 │ {{ config(materialized='history', unique_key='user_id', valid_from='ts') }}
    2 │ select user_id, ts, sonk from {{ source('events', 'listens') }}
      ·                     ────
      ╰────
     help: did you mean `song`?
    ");
}

#[test]
fn config_of_a_history_on_another_model_is_refused() {
    let sql = "{{ config(materialized='table', unique_key='user_id', valid_from='ts') }}
select user_id, ts from {{ source('events', 'listens') }}";
    insta::assert_snapshot!(model(sql), @r"
     error: `valid_from` belongs to materialized='history', and this is materialized='table'
      ╭─[models/counts.sql:1:55]
    1 │ {{ config(materialized='table', unique_key='user_id', valid_from='ts') }}
      ·                                                       ──────────
    2 │ select user_id, ts from {{ source('events', 'listens') }}
      ╰────
     help: take it away, or make the model a history
    ");
}
