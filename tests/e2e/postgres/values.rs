//! Values of every type, as the database has them, and the types that `mep source infer` writes.

use super::Database;

/// Columns with their types, and rows of them; each column is read as the type that `infer` gives it, and as a text.
const COLUMNS: &str = "
    small smallint, whole integer, large bigint, exact numeric(20,4), any_exact numeric, single real, double double precision,
    yes boolean, words text, some_words varchar(20), padded char(5), day date, moment timestamp, instant timestamptz, clock time,
    bytes bytea, id uuid, document json, tree jsonb, mood mood, address inet, span interval, numbers integer[], names text[],
    times timestamptz[]";
const ROWS: &str = r#"
    (1, 2, 3, 1234567890123456.7891, 0.5, 1.5, 0.1, true, 'a "quoted" text', 'b', 'c', '2026-05-01', '2026-05-01 10:00:00.123456', '2026-05-01 12:00:00+02',
     '23:59:59.5', '\x00ff10', '9f0c0c52-3b9f-4a43-8ad4-5d6f8a1e2b11', E'{"a":\n  1, "a": 2}', '{"b": [1, null]}', 'sad', '10.0.0.1/8', '1 day 02:00:00',
     '{1,NULL,3}', '{x,"y, z",NULL}', '{2026-05-01 00:00+00}'),
    (-32768, -2147483648, -9223372036854775808, -1.0001, -7, -0.25, -1e308, false, E'line\nfeed \\ tab\t', 'ünï', 'ab', '1582-10-04', '0001-01-01 00:00:00', '1969-12-31 23:59:59.999999Z',
     '00:00', '', '00000000-0000-0000-0000-000000000000', '[]', '{}', 'happy', '::1', '-1 mon', '{}', '{}', '{}'),
    (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)"#;

fn every_type() -> Database {
    let database = Database::new("      - name: every_type\n");
    database.execute(&format!(
        "create type mood as enum ('sad', 'happy'); create table every_type ({COLUMNS}); insert into every_type values {ROWS}"
    ));
    database
}

#[test]
fn infer_writes_the_types_of_the_catalog_and_their_values_are_landed() {
    let database = every_type();
    let project = &database.project;
    project.succeed(&["source", "infer"]);
    insta::assert_snapshot!(std::fs::read_to_string(project.path("sources.yml")).unwrap(), @r#"
    sources:
      - name: shop
        tables:
          - name: every_type
            columns:
              - name: small
                data_type: smallint
              - name: whole
                data_type: integer
              - name: large
                data_type: bigint
              - name: exact
                data_type: "numeric(20,4)"
              - name: any_exact
                data_type: numeric
              - name: single
                data_type: real
              - name: double
                data_type: double
              - name: "yes"
                data_type: boolean
              - name: words
                data_type: varchar
              - name: some_words
                data_type: varchar
              - name: padded
                data_type: varchar
              - name: day
                data_type: date
              - name: moment
                data_type: timestamp
              - name: instant
                data_type: "timestamp with time zone"
              - name: clock
                data_type: time
              - name: bytes
                data_type: binary
              - name: id
                data_type: varchar
              - name: document
                data_type: varchar
              - name: tree
                data_type: varchar
              - name: mood
                data_type: varchar
              - name: address
                data_type: varchar
              - name: span
                data_type: varchar
              - name: numbers
                data_type: "integer[]"
              - name: names
                data_type: "varchar[]"
              - name: times
                data_type: "timestamp with time zone[]"
    "#);
    project.model(
        "all_of_it",
        "{{ config(materialized='table') }} select * from {{ source('shop', 'every_type') }}",
    );
    project.succeed(&["run"]);
    let rows = project.rows("select * from main.all_of_it order by small");
    insta::assert_snapshot!(serde_json::to_string_pretty(&rows).unwrap(), @r#"
    [
      {
        "small": -32768,
        "whole": -2147483648,
        "large": -9223372036854775808,
        "exact": -1.0001,
        "any_exact": -7.0,
        "single": -0.25,
        "double": -1e+308,
        "yes": false,
        "words": "line\nfeed \\ tab\t",
        "some_words": "ünï",
        "padded": "ab",
        "day": "1582-10-04",
        "moment": "0001-01-01T00:00:00",
        "instant": "1969-12-31T23:59:59.999999",
        "clock": "00:00:00",
        "bytes": "",
        "id": "00000000-0000-0000-0000-000000000000",
        "document": "[]",
        "tree": "{}",
        "mood": "happy",
        "address": "::1/128",
        "span": "P-1M",
        "numbers": [],
        "names": [],
        "times": [],
        "batch": "all"
      },
      {
        "small": 1,
        "whole": 2,
        "large": 3,
        "exact": 1234567890123456.8,
        "any_exact": 0.5,
        "single": 1.5,
        "double": 0.1,
        "yes": true,
        "words": "a \"quoted\" text",
        "some_words": "b",
        "padded": "c",
        "day": "2026-05-01",
        "moment": "2026-05-01T10:00:00.123456",
        "instant": "2026-05-01T10:00:00",
        "clock": "23:59:59.500",
        "bytes": "00ff10",
        "id": "9f0c0c52-3b9f-4a43-8ad4-5d6f8a1e2b11",
        "document": "{\"a\":\n  1, \"a\": 2}",
        "tree": "{\"b\": [1, null]}",
        "mood": "sad",
        "address": "10.0.0.1/8",
        "span": "P1DT2H",
        "numbers": [
          1,
          null,
          3
        ],
        "names": [
          "x",
          "y, z",
          null
        ],
        "times": [
          "2026-05-01T00:00:00"
        ],
        "batch": "all"
      },
      {
        "small": null,
        "whole": null,
        "large": null,
        "exact": null,
        "any_exact": null,
        "single": null,
        "double": null,
        "yes": null,
        "words": null,
        "some_words": null,
        "padded": null,
        "day": null,
        "moment": null,
        "instant": null,
        "clock": null,
        "bytes": null,
        "id": null,
        "document": null,
        "tree": null,
        "mood": null,
        "address": null,
        "span": null,
        "numbers": null,
        "names": null,
        "times": null,
        "batch": "all"
      }
    ]
    "#);
    assert_eq!(project.plan(), Vec::<String>::new());
}

#[test]
fn whatever_a_column_is_it_can_be_read_as_the_text_that_the_database_writes() {
    let database = every_type();
    let names: Vec<String> = database
        .texts("select attname::text from pg_attribute where attrelid = 'every_type'::regclass and attnum > 0 order by attnum")
        .into_iter()
        .flatten()
        .collect();
    let columns: Vec<String> =
        names.iter().map(|name| format!("{{name: {name}, data_type: varchar}}")).collect();
    let table = format!(
        "sources:\n  - name: shop\n    tables:\n      - {{name: every_type, columns: [{}]}}\n",
        columns.join(", ")
    );
    let project = &database.project;
    project.file("sources.yml", table);
    project.model(
        "texts",
        "{{ config(materialized='table') }} select * from {{ source('shop', 'every_type') }}",
    );
    project.succeed(&["run"]);
    for name in names {
        let found = project.rows(&format!("select {name} as v from main.texts order by small nulls last"));
        let found: Vec<Option<String>> =
            found.as_array().unwrap().iter().map(|row| row["v"].as_str().map(str::to_owned)).collect();
        let expected =
            database.texts(&format!("select {name}::text as v from every_type order by small nulls last"));
        if name != "span" {
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn what_a_column_cannot_hold_is_a_reject_with_its_range_and_reason() {
    let database = Database::new(
        "      - {name: odd, columns: [{name: n, data_type: integer}, {name: at, data_type: timestamp}, {name: f, data_type: double}]}\n",
    );
    database.execute(
        "create table odd (n bigint, at timestamptz, f float8);
         insert into odd values (1, '2026-05-01', 1.5), (3000000000, '2026-05-01', 1), (2, 'infinity', 1), (3, null, 'NaN')",
    );
    let project = &database.project;
    project.model("kept", "{{ config(materialized='table') }} select * from {{ source('shop', 'odd') }}");
    let said = project.succeed(&["run"]);
    assert!(said.contains("rejected"), "{said}");
    let rejects = project.print(&[
        "show",
        "--inline",
        "select unit, line, reason from main.raw_odd_rejects order by line",
        "--limit",
        "-1",
    ]);
    insta::assert_snapshot!(rejects, @r#"
    +------+------+----------------------------------------------------------------------+
    | unit | line | reason                                                               |
    +------+------+----------------------------------------------------------------------+
    | odd  | 2    | field "n": integer out of range, found 3000000000                    |
    | odd  | 3    | field "at": expected timestamp (ISO 8601), found "infinity" (string) |
    | odd  | 4    | field "f": expected double, found "NaN" (string)                     |
    +------+------+----------------------------------------------------------------------+
    3 rows
    "#);
    insta::assert_snapshot!(project.rows("select * from main.kept order by n"), @r#"
    [{"n":1,"at":"2026-05-01T00:00:00","f":1.5,"batch":"all"}]
    "#);
}
