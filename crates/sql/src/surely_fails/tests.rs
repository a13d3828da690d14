use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use crate::{DeclaredTable, Scope};
use mep_core::relation::Relation;

/// What is said of a SELECT from `m.t (i integer, d double, m decimal(10, 2), s varchar, f boolean, day date, ts timestamp, l bigint[])`.
fn checked(sql: &str) -> String {
    let scope = Scope::for_planning();
    let list = DataType::List(Field::new_list_field(DataType::Int64, true).into());
    let of = [
        ("i", DataType::Int32),
        ("d", DataType::Float64),
        ("m", DataType::Decimal128(10, 2)),
        ("s", DataType::Utf8View),
        ("f", DataType::Boolean),
        ("day", DataType::Date32),
        ("ts", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("l", list),
    ];
    let fields: Vec<Field> = of.into_iter().map(|(name, of)| Field::new(name, of, true)).collect();
    let table = DeclaredTable::new(Arc::new(Schema::new(fields)), Vec::new());
    scope.register(&Relation::new("m", "t"), Arc::new(table)).unwrap();
    let executable = scope.plan(sql).and_then(|plan| scope.check_executable(&plan, sql));
    let Err(problem) = executable else { return "runs".to_owned() };
    let place = problem.range.map_or("nowhere", |range| &sql[range]);
    let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
    format!("{} [{place}]{help}", problem.message)
}

fn of_expression(expression: &str) -> String {
    checked(&format!("select {expression} as x from m.t"))
}

#[test]
fn what_says_how_a_function_computes_is_checked_before_the_run() {
    let of = [
        "date_trunc('foo', ts)",
        "date_part('foo', day)",
        "extract(century from ts)",
        "date_bin(interval '0 day', ts)",
        "tumble(ts, interval '0 seconds')",
        "to_char(ts, '%Q')",
        "strftime(day, '%Q')",
        "strptime(s, '%Q')",
        "try_strptime(s, '%')",
        "to_timestamp(s, '%Q')",
        "to_date(s, '%Q')",
        "ts at time zone 'Nowhere/Town'",
        "regexp_replace(s, '[', 'x')",
        "regexp_count(s, '[')",
        "regexp_like(s, 'a', 'q')",
        "regexp_extract(s, '(a)', 2)",
        "regexp_split_to_array(s, '[')",
        "json_extract(s, '$[')",
        "split_part(s, ',', 0)",
        "substr(s, 1, -1)",
        "encode(s, 'foo')",
        "digest(s, 'foo')",
        "array_sort(l, 'foo')",
        "array_slice(l, 1, 2, 0)",
        "range(i, i, 0)",
        "make_date(i, 13, 1)",
        "make_time(i, 61, 0)",
        "arrow_cast(ts, 'Timestamp(s, \"Nowhere/Town\")')",
        "array_position(l, 1, 0)",
        "array_resize(l, -1)",
        "array_resize(l, 1 - 3, 7)",
        "to_unixtime('2020', s)",
        "map(['a'], [i])[i]",
        "approx_percentile_cont(d, 0.5, 1000000000000)",
    ];
    insta::assert_snapshot!(of.map(of_expression).join("\n"));
}

#[test]
fn what_values_of_a_type_do_not_have_is_found_before_the_run() {
    let of = [
        "-ts",
        "-day",
        "f like null",
        "to_timestamp(f)",
        "to_date(f)",
        "to_timestamp(s, i)",
        "i << 100",
        "l[1] << -1",
        "s @> 'a'",
        "array_sum([l])",
        "array_scale([l], 2)",
        "map(['a'], [i])[1]",
        "percentile_cont(d, i) over ()",
        "to_timestamp(map(['a'], [i]))",
    ];
    insta::assert_snapshot!(of.map(of_expression).join("\n"));
}

#[test]
fn a_constant_that_is_computed_for_every_row_is_computed_before_the_run() {
    let of = [
        "1 / 0",
        "i / 0",
        "m / 0",
        "i % 0",
        "9223372036854775807 + 1",
        "decode('zz', 'hex')",
        "make_date(2021, 13, 1)",
        "sqrt(-1)",
        "json_array_length('no')",
        "map(['a', 'a'], [1, 2])",
        "date '2020-01-01' + 99999999999",
        "case when 1 / 0 > i then 1 end",
        "sum(i / 0)",
        "to_timestamp_seconds(9223372036854775807)",
        "min(map([s], [i]))",
        "max(map([s], [i])) over (order by i)",
    ];
    insta::assert_snapshot!(of.map(of_expression).join("\n"));
}

#[test]
fn what_may_never_be_computed_is_left_to_the_run() {
    for expression in [
        "case when false then 1 / 0 end",
        "case when i > 5 then 1 / 0 end",
        "case when i > 5 then cast(sqrt(-1) as varchar) else s end",
        "coalesce(i, 1 / 0)",
        "f and 1 / 0 > 1",
        "case when false then date_trunc('foo', ts) end",
        "sum(1 / 0) filter (where f)",
    ] {
        assert_eq!(of_expression(expression), "runs", "{expression}");
    }
    for sql in [
        "select 1 / 0 as x from m.t where f",
        "select 1 / 0 as x from m.t where false",
        "select 1 / 0 as x from m.t a join m.t b on a.i = b.i",
        "select 1 / 0 as x from m.t group by i having count(*) > 1",
        "select i from (select i, 1 / 0 as x, date_part('foo', ts) as p from m.t)",
        "select i from m.t where f and i = 1 / 0",
        "select 1 / 0 as x from m.t limit 0",
    ] {
        assert_eq!(checked(sql), "runs", "{sql}");
    }
}

#[test]
fn what_only_rows_decide_is_left_to_the_run() {
    for expression in [
        "d / 0",
        "i / i",
        "make_date(i, 2, 29)",
        "make_date(i, i, 31)",
        "strptime(s, '%d/%m/%Y')",
        "to_timestamp(s, '%d.%m.%Y')",
        "to_timestamp(s, '%Q', '%Y-%m-%d')",
        "to_unixtime(s)",
        "to_time(s)",
        "decode(s, 'hex')",
        "json_extract(s, '$.a.b')",
        "substr(s, i, i)",
        "lpad(s, -1)",
        "repeat(s, i)",
        "range(1, i)",
        "range(i, 99999999999)",
        "array_slice(l, 1, i)",
        "array_sort(l, 'desc', 'nulls first')",
        "array_to_string(l, ',')",
        "regexp_replace(s, s, s)",
        "regexp_like(s, 'a', 'i')",
        "ts at time zone 'Europe/Berlin'",
        "extract(epoch from ts)",
        "date_trunc('week', day)",
        "date_part('hour', day)",
        "-i",
        "-d",
        "s like '%x'",
        "chr(i)",
        "i << 40",
        "i << 7",
        "i >> 100",
        "l @> [1]",
        "array_position(l, 1, 2)",
        "array_resize(l, i)",
        "array_sum(l)",
        "array_distance(l, [1, 2, 3])",
        "map(['a'], [i])['a']",
        "map_extract(map(['a'], [i]), s)[1]",
        "max(l)",
        "count(distinct d order by ts)",
        "approx_percentile_cont(d, 0.5, 1000)",
        "percentile_cont(d, 0.5) over ()",
        "now() - interval '1 day'",
        "date_trunc('day', now())",
    ] {
        assert_eq!(of_expression(expression), "runs", "{expression}");
    }
}
