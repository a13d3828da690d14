use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::*;
use crate::DeclaredTable;
use mep_core::relation::Relation;

fn scope() -> Scope {
    let scope = Scope::for_planning();
    let events = Schema::new(vec![
        Field::new("sessionId", DataType::Int32, true),
        Field::new("n", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("s", DataType::Utf8View, true),
        Field::new("b", DataType::Boolean, true),
        Field::new("d", DataType::Date32, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
    ]);
    let names = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("name", DataType::Utf8View, true),
    ]);
    let table = |schema| Arc::new(DeclaredTable::new(Arc::new(schema), Vec::new()));
    scope.register(&Relation::new("m", "events"), table(events)).unwrap();
    scope.register(&Relation::new("m", "names"), table(names)).unwrap();
    let view = "select n, count(*) as events from m.events group by n";
    let plan = scope.plan(view).unwrap();
    scope.register_view(&Relation::new("m", "by_n"), plan).unwrap();
    scope
}

fn texts(sql: &str) -> Result<TranslatedView, Untranslatable> {
    let scope = scope();
    let plan = scope.plan(sql).unwrap();
    TranslatedView::of(&scope, &plan)
}

/// The text of a view in both dialects.
fn both(sql: &str) -> String {
    let view = texts(sql).unwrap();
    format!("{}\n\n{}", view.hive, view.trino)
}

/// One expression over `m.events`, in both dialects.
fn expression(sql: &str) -> String {
    let view = texts(&format!("select {sql} as c from m.events")).unwrap();
    let only = |text: &str| {
        let text = text.trim_start_matches("SELECT\n  ");
        let end = text.rfind("\nFROM").unwrap();
        text[..end].replace("`events`.", "").replace("\"events\".", "").replace(['`', '"'], "")
    };
    format!("{}\n{}", only(&view.hive), only(&view.trino))
}

fn refused(sql: &str) -> String {
    texts(sql).unwrap_err().to_string()
}

#[test]
fn a_select_keeps_its_shape() {
    insta::assert_snapshot!(both("select \"sessionId\" as session_id, n + 1 as next from m.events where b and n > 2"), @r#"
    SELECT
      `events`.`sessionid` AS `session_id`,
      (`events`.`n` + 1L) AS `next`
    FROM `m`.`events` AS `events`
    WHERE (`events`.`b` AND (`events`.`n` > 2L))

    SELECT
      "events"."sessionid" AS "session_id",
      ("events"."n" + bigint '1') AS "next"
    FROM "m"."events" AS "events"
    WHERE ("events"."b" AND ("events"."n" > bigint '2'))
    "#);
    insta::assert_snapshot!(both("with loud as (select s, count(*) as plays, count(distinct n) as ns, max(ts) as last from m.events group by s) select s, plays, rank() over (order by plays desc) as place from loud where plays > 1"), @r#"
    SELECT
      `loud`.`s`,
      `loud`.`plays`,
      CAST(rank() OVER (ORDER BY `loud`.`plays` DESC NULLS FIRST) AS bigint) AS `place`
    FROM (
      SELECT
        `events`.`s`,
        count(*) AS `plays`,
        count(DISTINCT `events`.`n`) AS `ns`,
        max(`events`.`ts`) AS `last`
      FROM `m`.`events` AS `events`
      GROUP BY `events`.`s`
    ) AS `loud`
    WHERE (`loud`.`plays` > 1L)

    SELECT
      "loud"."s",
      "loud"."plays",
      rank() OVER (ORDER BY "loud"."plays" DESC NULLS FIRST) AS "place"
    FROM (
      SELECT
        "events"."s",
        count(*) AS "plays",
        count(DISTINCT "events"."n") AS "ns",
        max(CAST("events"."ts" AS timestamp(6))) AS "last"
      FROM "m"."events" AS "events"
      GROUP BY "events"."s"
    ) AS "loud"
    WHERE ("loud"."plays" > bigint '1')
    "#);
}

#[test]
fn views_are_read_by_their_names_and_joins_are_flat() {
    insta::assert_snapshot!(both("select a.n, a.events, b.name from m.by_n as a left join m.names as b on a.n = b.n and b.name <> ''"), @r#"
    SELECT
      `a`.`n`,
      `a`.`events`,
      `b`.`name`
    FROM `m`.`by_n` AS `a`
    LEFT JOIN `m`.`names` AS `b` ON ((`a`.`n` = `b`.`n`) AND (`b`.`name` <> ''))

    SELECT
      "a"."n",
      "a"."events",
      "b"."name"
    FROM "m"."by_n" AS "a"
    LEFT JOIN "m"."names" AS "b" ON (("a"."n" = "b"."n") AND ("b"."name" <> ''))
    "#);
}

#[test]
fn a_union_names_the_columns_of_each_of_its_selects_alike() {
    insta::assert_snapshot!(both("select 'a' as kind, n, cast(null as integer) as week from m.events union all select name, n, 1 from m.names"), @r#"
    SELECT
      `t1`.`kind` AS `kind`,
      `t1`.`n`,
      `t1`.`week` AS `week`
    FROM (
      SELECT
        'a' AS `kind`,
        `events`.`n`,
        CAST(NULL AS bigint) AS `week`
      FROM `m`.`events` AS `events`
      UNION ALL
      SELECT
        `names`.`name` AS `kind`,
        `names`.`n`,
        1L AS `week`
      FROM `m`.`names` AS `names`
    ) AS `t1`

    SELECT
      "t1"."kind" AS "kind",
      "t1"."n",
      "t1"."week" AS "week"
    FROM (
      SELECT
        'a' AS "kind",
        "events"."n",
        CAST(NULL AS bigint) AS "week"
      FROM "m"."events" AS "events"
      UNION ALL
      SELECT
        "names"."name" AS "kind",
        "names"."n",
        bigint '1' AS "week"
      FROM "m"."names" AS "names"
    ) AS "t1"
    "#);
}

#[test]
fn the_rows_that_a_limit_keeps_are_ordered() {
    insta::assert_snapshot!(both("select s, n from m.events order by n desc limit 3"), @r#"
    SELECT
      `t1`.`s`,
      `t1`.`n`
    FROM (
      SELECT
        `events`.`s`,
        `events`.`n`
      FROM `m`.`events` AS `events`
    ) AS `t1`
    ORDER BY `t1`.`n` DESC NULLS FIRST
    LIMIT 3

    SELECT
      "t1"."s",
      "t1"."n"
    FROM (
      SELECT
        "events"."s",
        "events"."n"
      FROM "m"."events" AS "events"
    ) AS "t1"
    ORDER BY "t1"."n" DESC NULLS FIRST
    LIMIT 3
    "#);
    insta::assert_snapshot!(refused("select s from m.events limit 3"), @"`limit` without `order by` has no known equal in hive and spark");
}

#[test]
fn constants_have_the_types_that_they_have_in_mep() {
    insta::assert_snapshot!(expression("1"), @r#"
    1L AS c
    bigint '1' AS c
    "#);
    insta::assert_snapshot!(expression("cast(-1 as integer)"), @r#"
    (-1) AS c
    (-1) AS c
    "#);
    insta::assert_snapshot!(expression("1.5e0"), @r#"
    1.5E0 AS c
    1.5E0 AS c
    "#);
    insta::assert_snapshot!(expression(r"'it''s a \ $ and ü𝄞'"), @r#"
    'it\'s a \\ \u0024 and \u00FC\uD834\uDD1E' AS c
    'it''s a \ $ and ü𝄞' AS c
    "#);
    insta::assert_snapshot!(expression("date '2018-11-03'"), @r#"
    DATE '2018-11-03' AS c
    DATE '2018-11-03' AS c
    "#);
    insta::assert_snapshot!(expression("cast('2018-11-03 14:23:59.5' as timestamp(3))"), @r#"
    TIMESTAMP '2018-11-03 14:23:59.500' AS c
    TIMESTAMP '2018-11-03 14:23:59.500' AS c
    "#);
}

#[test]
fn division_is_what_its_operands_make_it() {
    insta::assert_snapshot!(expression("n / 2"), @r#"
    CAST((n div 2L) AS bigint) AS c
    (n / bigint '2') AS c
    "#);
    insta::assert_snapshot!(expression("x / 2"), @r#"
    (x / 2E0) AS c
    (x / 2E0) AS c
    "#);
    insta::assert_snapshot!(expression("cast(n as double) / n"), @r#"
    (CASE WHEN CAST(n AS double) <> 0.0E0 THEN CAST(n AS double) / CAST(n AS double) WHEN CAST(n AS double) IS NULL THEN NULL WHEN CAST(n AS double) > 0.0E0 THEN CAST('Infinity' AS double) WHEN CAST(n AS double) < 0.0E0 THEN CAST('-Infinity' AS double) WHEN CAST(n AS double) = 0.0E0 THEN CAST('NaN' AS double) END) AS c
    (CAST(n AS double) / CAST(n AS double)) AS c
    "#);
    insta::assert_snapshot!(refused("select n / x as c from m.events"), @"`/` by a double that may be 0 has no known equal in hive and spark");
}

#[test]
fn texts_pass_over_null_where_mep_does() {
    insta::assert_snapshot!(expression("concat(s, '-', n)"), @r#"
    concat(coalesce(s, ''), '-', coalesce(CAST(n AS string), '')) AS c
    concat(coalesce(s, ''), '-', coalesce(CAST(n AS varchar), '')) AS c
    "#);
    insta::assert_snapshot!(expression("s || '-' || n"), @r#"
    concat(concat(s, '-'), CAST(n AS string)) AS c
    ((s || '-') || CAST(n AS varchar)) AS c
    "#);
    insta::assert_snapshot!(expression("s is not distinct from 'a'"), @r#"
    (s <=> 'a') AS c
    (s IS NOT DISTINCT FROM 'a') AS c
    "#);
}

#[test]
fn times_have_no_zone() {
    insta::assert_snapshot!(expression("to_timestamp_millis(n)"), @r#"
    CAST(concat(CAST(date_add(DATE '1970-01-01', CAST(((n - pmod(n, 86400000L)) div 86400000L) AS int)) AS string), ' ', lpad(CAST((pmod(n, 86400000L) div 3600000L) AS string), 2, '0'), ':', lpad(CAST((pmod(n, 3600000L) div 60000L) AS string), 2, '0'), ':', lpad(CAST((pmod(n, 60000L) div 1000L) AS string), 2, '0'), '.', lpad(CAST(pmod(n, 1000L) AS string), 3, '0')) AS timestamp) AS c
    (TIMESTAMP '1970-01-01 00:00:00.000' + n * INTERVAL '0.001' SECOND) AS c
    "#);
    insta::assert_snapshot!(expression("cast(date_trunc('hour', ts) as timestamp(3))"), @r#"
    CAST(concat(substr(CAST(ts AS string), 1, 13), ':00:00') AS timestamp) AS c
    CAST(date_trunc('hour', CAST(ts AS timestamp(6))) AS timestamp(3)) AS c
    "#);
    insta::assert_snapshot!(expression("cast(date_trunc('week', d) as timestamp(3))"), @r#"
    CAST(CAST(next_day(date_sub(CAST(CAST(d AS timestamp) AS date), 7), 'MO') AS date) AS timestamp) AS c
    CAST(date_trunc('week', CAST(d AS timestamp(6))) AS timestamp(3)) AS c
    "#);
    insta::assert_snapshot!(expression("extract(isodow from d)"), @r#"
    (((dayofweek(d) + 5) % 7) + 1) AS c
    CAST(day_of_week(d) AS integer) AS c
    "#);
    insta::assert_snapshot!(expression("extract(isoyear from ts)"), @r#"
    year(date_add(CAST(next_day(date_sub(CAST(ts AS date), 7), 'MO') AS date), 3)) AS c
    CAST(year_of_week(CAST(ts AS timestamp(6))) AS integer) AS c
    "#);
    insta::assert_snapshot!(expression("ts + interval '1 day 1 millisecond'"), @r#"
    (ts + INTERVAL '1 00:00:00.001000000' DAY TO SECOND) AS c
    (CAST(ts AS timestamp(6)) + BIGINT '86400001' * INTERVAL '0.001' SECOND) AS c
    "#);
    insta::assert_snapshot!(expression("d - interval '1 month'"), @r#"
    CAST((d - INTERVAL '1' MONTH) AS date) AS c
    date_add('month', -1, d) AS c
    "#);
    insta::assert_snapshot!(expression("d + 1"), @r#"
    date_add(d, CAST(1L AS int)) AS c
    date_add('day', bigint '1', d) AS c
    "#);
    insta::assert_snapshot!(refused("select cast(ts as timestamp(3)) as c from m.events"), @"a cast that cuts digits off a timestamp has no known equal in hive and spark");
}

#[test]
fn mojibake_is_undone_layer_by_layer() {
    let view = texts("select fix_mojibake(s) as s, n from m.events").unwrap();
    assert_eq!(view.hive.matches("decode(encode(").count(), mojibake::LAYERS);
    assert_eq!(view.hive.matches("assert_true").count(), 1);
}

#[test]
fn keys_are_hashes_of_texts() {
    insta::assert_snapshot!(expression("surrogate_key(n, s)"), @r#"
    CAST(conv(substr(md5(concat(coalesce(CAST(n AS string), '\u0000'), '\u001F', coalesce(s, '\u0000'))), 1, 16), 16, -10) AS bigint) AS c
    from_big_endian_64(substr(md5(to_utf8(concat(coalesce(CAST(n AS varchar), U&'\0000'), U&'\001F', coalesce(s, U&'\0000')))), 1, 8)) AS c
    "#);
    insta::assert_snapshot!(expression("hash_key(s)"), @r#"
    CAST(conv(substr(md5(s), 1, 16), 16, -10) AS bigint) AS c
    from_big_endian_64(substr(md5(to_utf8(s)), 1, 8)) AS c
    "#);
}

#[test]
fn what_is_not_known_to_be_equal_is_refused_by_name() {
    insta::assert_snapshot!(refused("select lower(s) as c from m.events"), @"the function `lower` has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select random() as c from m.events"), @"the function `random` has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select n from m.events where x > 1"), @"`>` of a Float64 and a Float64 has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select sum(x) as c from m.events"), @"`sum` of a Float64 has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select n from m.events where n in (select n from m.names)"), @"`in` with a subquery has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select try_cast(s as bigint) as c from m.events"), @"`try_cast` has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select n, \"sessionId\", 1 as sessionid from m.events"), @"a second column `sessionid` that differs in case alone has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select null as c from m.events"), @"a column that is always null and so has no type has no known equal in hive and spark");
    insta::assert_snapshot!(refused("select s like 'a_b' as c from m.events"), @"a pattern of `like` other than a text with `%` at its ends has no known equal in hive and spark");
}

#[test]
fn trino_reads_the_view_from_a_comment() {
    let view = texts("select n, ts from m.events").unwrap();
    let comment = view.presto_view("hive", "m");
    let encoded = comment.strip_prefix("/* Presto View: ").unwrap().strip_suffix(" */").unwrap();
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
    insta::assert_snapshot!(String::from_utf8(decoded).unwrap(), @r#"{"originalSql":"SELECT\n  \"events\".\"n\",\n  CAST(\"events\".\"ts\" AS timestamp(6)) AS \"ts\"\nFROM \"m\".\"events\" AS \"events\"","catalog":"hive","schema":"m","columns":[{"name":"n","type":"bigint","comment":null},{"name":"ts","type":"timestamp(6)","comment":null}],"comment":null,"owner":null,"runAsInvoker":true,"path":[]}"#);
}
