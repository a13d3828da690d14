//! SQL that means nothing, pointed at in the file that it came from.

use super::model;

#[test]
fn an_unknown_column_is_pointed_at_through_jinja() {
    let sql = "{% set column = 'songs' %}\nselect user_id,\n    {{ column }}\nfrom {{ source('events', 'listens') }}\n";
    insta::assert_snapshot!(model(sql), @r"
     error: there is no column `songs` here
      ╭─[models/counts.sql:3:8]
    2 │ select user_id,
    3 │     {{ column }}
      ·        ──────
    4 │ from {{ source('events', 'listens') }}
      ╰────
     help: did you mean `song`?
    ");
    let sql = "select user_id, sonk from {{ source('events', 'listens') }} where ts > 0";
    insta::assert_snapshot!(model(sql), @r"
     error: there is no column `sonk` here
      ╭─[models/counts.sql:1:17]
    1 │ select user_id, sonk from {{ source('events', 'listens') }} where ts > 0
      ·                 ────
      ╰────
     help: did you mean `song`?
    ");
}

#[test]
fn types_that_do_not_fit_are_pointed_at() {
    insta::assert_snapshot!(model("select song + user_id as x from {{ source('events', 'listens') }}"), @r"
     error: expressions have incompatible types
      ╭─[models/counts.sql:1:8]
    1 │ select song + user_id as x from {{ source('events', 'listens') }}
      ·        ──────────────
      ╰────
    ");
    insta::assert_snapshot!(model("select sum(song) as x from {{ source('events', 'listens') }}"), @r"
     error: `sum` takes decimal or bigint or double or interval, and not varchar
      ╭─[models/counts.sql:1:12]
    1 │ select sum(song) as x from {{ source('events', 'listens') }}
      ·            ────
      ╰────
    ");
}

#[test]
fn sql_that_cannot_be_parsed_is_pointed_at() {
    insta::assert_snapshot!(model("select count(* as n\nfrom {{ source('events', 'listens') }}"), @r"
     error: expected: ), found: as
      ╭─[models/counts.sql:1:16]
    1 │ select count(* as n
      ·                ──
    2 │ from {{ source('events', 'listens') }}
      ╰────
    ");
    insta::assert_snapshot!(model("select 1 as x; select 2 as x"), @r"
     error: expected one SELECT, found several statements
      ╭─[models/counts.sql:1:1]
    1 │ select 1 as x; select 2 as x
      · ▲
      ╰────
    ");
    insta::assert_snapshot!(model("create table x as select 1 as x"), @r"
     error: expected a SELECT, found another statement
      ╭─[models/counts.sql:1:1]
    1 │ create table x as select 1 as x
      · ▲
      ╰────
     help: a model is one SELECT; mep makes the table or view itself
    ");
    insta::assert_snapshot!(model("-- nothing yet\n"), @r"
     error: expected one SELECT, found nothing
      ╭─[models/counts.sql:1:1]
    1 │ -- nothing yet
      · ▲
      ╰────
    ");
}

#[test]
fn an_unknown_function_of_sql_is_named_with_a_near_one() {
    insta::assert_snapshot!(model("select uper(song) as x from {{ source('events', 'listens') }}"), @r"
     error: invalid function 'uper'
      ╭─[models/counts.sql:1:8]
    1 │ select uper(song) as x from {{ source('events', 'listens') }}
      ·        ────
      ╰────
     help: did you mean `upper`?
    ");
}

#[test]
fn a_partition_column_that_is_none_of_the_columns_is_told() {
    insta::assert_snapshot!(model("{{ config(materialized='incremental', partition_by='even_date') }}\nselect user_id, event_date from {{ source('events', 'listens') }}"), @r"
     error: `partition_by` names `even_date`, which is not a column of the model
      ╭─[models/counts.sql:1:39]
    1 │ {{ config(materialized='incremental', partition_by='even_date') }}
      ·                                       ────────────
    2 │ select user_id, event_date from {{ source('events', 'listens') }}
      ╰────
     help: did you mean `event_date`?
    ");
    insta::assert_snapshot!(model("{{ config(materialized='incremental', unique_key='id') }} select 1 as x"), @r"
     error: `unique_key` names `id`, which is not a column of the model
      ╭─[models/counts.sql:1:39]
    1 │ {{ config(materialized='incremental', unique_key='id') }} select 1 as x
      ·                                       ──────────
      ╰────
     help: the columns are x
    ");
    insta::assert_snapshot!(model("{{ config(materialized='table', partition_by='x') }} select 1 as x"), @r"
     error: `partition_by` names every column, so that files would hold none
      ╭─[models/counts.sql:1:33]
    1 │ {{ config(materialized='table', partition_by='x') }} select 1 as x
      ·                                 ────────────
      ╰────
     help: partition by fewer columns
    ");
    insta::assert_snapshot!(model("{{ config(materialized='table') }} select 1 as x, 2 as x"), @r"
     error: two columns are named `x`
      ╭─[models/counts.sql:1:48]
    1 │ {{ config(materialized='table') }} select 1 as x, 2 as x
      ·                                                ─
      ╰────
     help: give one of them another name: … as other_name
    ");
    insta::assert_snapshot!(model("{{ config(materialized='table') }} select [interval '1 day'] as x"), @r"
     error: column `x` is an interval, which a stored table cannot hold
      ╭─[models/counts.sql:1:35]
    1 │ {{ config(materialized='table') }} select [interval '1 day'] as x
      ·                                   ───────────────────────────────
      ╰────
     help: make it seconds: extract(epoch from x); or a text: cast(x as varchar)
    ");
}
