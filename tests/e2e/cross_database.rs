//! The macros by which dbt projects write SQL for any database.

use serde_json::{Value as Json, json};

use crate::project::Project;

/// Each call over one row, with what DuckDB gives for what dbt-duckdb makes of it.
const CALLS: &[(&str, &str)] = &[
    ("{{ dbt.datediff('d', 'ts', 'day') }}", "29"),
    ("{{ datediff('d', 'ts', 'hour') }}", "706"),
    // Saturday to Sunday.
    ("{{ dbt.datediff(\"date '2024-01-06'\", \"date '2024-01-07'\", 'week') }}", "1"),
    ("{{ dbt.datediff(\"date '2024-01-07'\", \"date '2024-01-13'\", 'week') }}", "0"),
    ("{{ dbt.datediff(first_date='d', second_date='ts', datepart='month') }}", "1"),
    ("cast({{ dbt.dateadd('month', 1, 'd') }} as date)", "\"2024-02-29\""),
    ("{{ dateadd(datepart='hour', interval='n', from_date_or_timestamp='ts') }}", "\"2024-02-29T13:30:00\""),
    ("cast({{ dbt.dateadd('quarter', -1, 'ts') }} as date)", "\"2023-11-29\""),
    ("cast({{ dbt.date_trunc('month', 'ts') }} as date)", "\"2024-02-01\""),
    ("{{ dbt.date(2024, 2, 29) }}", "\"2024-02-29\""),
    ("{{ dbt.last_day('d', 'quarter') }}", "\"2024-03-31\""),
    ("{{ last_day('ts', 'month') }}", "\"2024-02-29\""),
    ("{{ dbt.split_part('s', \"','\", 2) }}", "\"b\""),
    ("{{ dbt.split_part('s', \"','\", -1) }}", "\"c\""),
    ("{{ dbt.split_part('s', \"','\", 9) }}", "null"),
    ("substr({{ dbt.hash('n') }}, 1, 6)", "\"eccbc8\""),
    ("{{ dbt.safe_cast('s', dbt.type_int()) }}", "null"),
    ("{{ dbt.cast('n', api.Column.translate_type('string')) }}", "\"3\""),
    ("{{ dbt.cast_bool_to_text('n = 3') }}", "\"true\""),
    ("cast(n as {{ dbt.type_string() }})", "\"3\""),
    (
        "cast(n as {{ type_bigint() }}) + cast(n as {{ dbt.type_float() }}) + cast(n as {{ dbt.type_numeric() }})",
        "9.0",
    ),
    ("cast(d as {{ dbt.type_timestamp() }})", "\"2024-01-31T00:00:00\""),
    ("cast(1 as {{ dbt.type_boolean() }})", "true"),
    ("{{ dbt.concat(['s', \"'-'\", 's']) }}", "\"a,b,c-a,b,c\""),
    ("{{ dbt.length('s') }} + {{ dbt.position(\"'b'\", 's') }}", "8"),
    ("{{ dbt.replace('s', \"','\", \"''\") }} || {{ dbt.right('s', 1) }}", "\"abcc\""),
    ("{{ dbt.string_literal(dbt.escape_single_quotes(\"it's\")) }}", "\"it's\""),
    ("{{ dbt.array_append(dbt.array_construct([1, 2]), 'n') }}", "[1,2,3]"),
    ("{{ dbt.array_concat(dbt.array_construct(['n']), dbt.array_construct([4])) }}", "[3,4]"),
    ("{{ dbt.array_construct([], 'integer') }}", "[]"),
    (
        "(select {{ dbt.listagg('x', \"'-'\", 'order by x desc') }} from (values ('a'), ('b')) t(x))",
        "\"b-a\"",
    ),
    (
        "(select {{ dbt.listagg('x', \"'-'\", 'order by x', 2) }} from (values ('a'), ('b'), ('c')) t(x))",
        "\"a-b\"",
    ),
    ("(select {{ dbt.any_value('x') }} from (values (1), (1)) t(x))", "1"),
    ("(select {{ dbt.bool_or('x > 1') }} from (values (1), (2)) t(x))", "true"),
    ("(select count(*) from (select 1 as x {{ dbt.except() }} select 1 as x) as t)", "0"),
    ("(select count(*) from (select 1 as x {{ dbt.intersect() }} select 1 as x) as t)", "1"),
    (
        "{{ dbt.current_timestamp() }} is not null and {{ current_timestamp_backcompat() }} is not null",
        "true",
    ),
    ("(select max(generated_number) from ({{ dbt.generate_series(5) }}) as t)", "5"),
    ("{{ dbt.get_powers_of_two(9) }}", "4"),
    ("{{ dbt.get_intervals_between(\"date '2024-01-01'\", \"date '2024-01-05'\", 'day') }}", "4"),
];

#[test]
fn the_cross_database_macros_give_what_they_give_with_duckdb() {
    let project = Project::new();
    let columns: Vec<String> =
        CALLS.iter().enumerate().map(|(at, (call, _))| format!("{call} as c{at}")).collect();
    project.model(
        "all_of_them",
        &format!(
            "select {} from (values (date '2024-01-31', timestamp '2024-02-29 10:30:00', 3, 'a,b,c')) t(d, ts, n, s)",
            columns.join(",\n")
        ),
    );
    project.succeed(&["run"]);
    let shown = project.run(&["show", "--select", "all_of_them", "--output", "json"]).stdout;
    let rows: Json = serde_json::from_str(&shown).unwrap();
    for (at, (call, expected)) in CALLS.iter().enumerate() {
        let expected: Json = serde_json::from_str(expected).unwrap();
        assert_eq!(rows[0][format!("c{at}")], expected, "{call}");
    }
}

#[test]
fn a_date_spine_has_each_period_before_its_end_and_asks_no_warehouse() {
    let project = Project::new();
    project.model(
        "spine",
        "with days as ({{ dbt.date_spine('day', \"cast('2024-02-27' as date)\", \"cast('2024-03-02' as date)\") }}) \
         select count(*) as n, cast(max(date_day) as varchar) as latest from days",
    );
    project.model(
        "months",
        "{{ date_spine(datepart='month', start_date=\"cast('2024-01-31' as timestamp)\", end_date=\"cast('2024-05-01' as timestamp)\") }}",
    );
    project.succeed(&["run"]);
    let shown = |model: &str| -> Json {
        let shown = project.run(&["show", "--select", model, "--output", "json"]).stdout;
        serde_json::from_str(&shown).unwrap()
    };
    assert_eq!(shown("spine"), json!([{"n": 4, "latest": "2024-03-01"}]));
    assert_eq!(shown("months").as_array().map(Vec::len), Some(4));
}
