//! The types of sources and seeds: digits are kept, or the row says why it is not there.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{Int64Type, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value as Json, json};

use crate::project::Project;

/// A project with a source table `shop.sales` of these columns, and a model that shows all of it.
fn sales(columns: &[(&str, &str)]) -> Project {
    let project = Project::new();
    let columns: String = columns
        .iter()
        .map(|(name, data_type)| format!("          - {{name: {name}, data_type: \"{data_type}\"}}\n"))
        .collect();
    project.file(
        "sources.yml",
        format!("sources:\n  - name: events\n    tables:\n      - name: sales\n        columns:\n{columns}"),
    );
    project.model(
        "all_sales",
        "{{ config(materialized='table') }} select * from {{ source('events', 'sales') }}",
    );
    project
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// A file as Hive, Impala and old Spark write it: times as a Julian day and nanoseconds of it.
fn of_julian_days(days: &[u32], nanoseconds: u64) -> Vec<u8> {
    let schema = parse_message_type("message rows { required int64 number; required int96 at; }").unwrap();
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let numbers: Vec<i64> = (1..).take(days.len()).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
    column.close().unwrap();
    let times = days.iter().map(|day| {
        let mut time = Int96::new();
        time.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, *day);
        time
    });
    let times: Vec<Int96> = times.collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int96Type>().write_batch(&times, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

fn decimals(unscaled: &[i128], precision: u8, scale: i8) -> ArrayRef {
    let array: Decimal128Array = unscaled.iter().copied().map(Some).collect();
    Arc::new(array.with_data_type(DataType::Decimal128(precision, scale)))
}

fn reasons(project: &Project) -> Vec<String> {
    let rows = project.rows("select reason from main.raw_sales_rejects order by unit, line");
    rows.as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap().to_owned()).collect()
}

fn texts(project: &Project, column: &str, relation: &str) -> Json {
    project.rows(&format!("select cast({column} as varchar) as v from {relation} order by 1"))
}

#[test]
fn a_decimal_column_keeps_every_digit_whatever_it_is_read_from() {
    let project = sales(&[("price", "decimal(18,2)")]);
    project.file(
        "events/sales/1.json",
        "{\"price\": 9007199254740993.21}\n{\"price\": \"9007199254740993.22\"}\n{\"price\": 5e-1}\n{\"price\": \"\"}\n\
         {\"price\": 1.005}\n{\"price\": 12345678901234567}\n{\"price\": \"much\"}\n",
    );
    project.file(
        "events/sales/2.parquet",
        parquet(vec![("price", decimals(&[900_719_925_474_099_323_000, 1], 22, 5))]),
    );
    project.file(
        "events/sales/3.parquet",
        parquet(vec![("price", Arc::new(Float64Array::from(vec![0.1, 0.125])))]),
    );
    project.file("events/sales/4.parquet", parquet(vec![("price", Arc::new(Int64Array::from(vec![7])))]));
    project.file(
        "events/sales/5.parquet",
        parquet(vec![("price", Arc::new(StringArray::from(vec!["8.50", "x"])))]),
    );
    project.succeed(&["run"]);
    assert_eq!(
        texts(&project, "price", "main.all_sales"),
        json!([
            {"v": "0.10"}, {"v": "0.50"}, {"v": "7.00"}, {"v": "8.50"}, {"v": "9007199254740993.21"},
            {"v": "9007199254740993.22"}, {"v": "9007199254740993.23"}, {"v": null}
        ])
    );
    insta::assert_snapshot!(reasons(&project).join("\n"));
}

#[test]
fn a_number_that_a_double_would_change_is_no_double() {
    let project = sales(&[("price", "double")]);
    project.file(
        "events/sales/1.json",
        "{\"price\": 9007199254740993}\n{\"price\": 0.1}\n{\"price\": 9007199254740992}\n",
    );
    project.file(
        "events/sales/2.parquet",
        parquet(vec![("price", decimals(&[900_719_925_474_099_321, 125], 18, 2))]),
    );
    project.file(
        "events/sales/3.parquet",
        parquet(vec![("price", Arc::new(Int64Array::from(vec![9_007_199_254_740_993, 3])))]),
    );
    project.succeed(&["run"]);
    let rows = project.rows("select price from main.all_sales order by 1");
    assert_eq!(
        rows,
        json!([{"price": 0.1}, {"price": 1.25}, {"price": 3.0}, {"price": 9_007_199_254_740_992.0}])
    );
    insta::assert_snapshot!(reasons(&project).join("\n"));
}

#[test]
fn a_decimal_of_a_file_can_be_a_text_or_a_whole_number() {
    let project = sales(&[("text", "varchar"), ("number", "bigint")]);
    let columns = vec![("text", decimals(&[150, 7], 20, 2)), ("number", decimals(&[300, 350], 20, 2))];
    project.file("events/sales/1.parquet", parquet(columns));
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select text, number from main.all_sales"),
        json!([{"text": "1.50", "number": 3}])
    );
    insta::assert_snapshot!(reasons(&project).join("\n"), @r#"field "number": expected bigint, found 3.50"#);
}

#[test]
fn times_of_any_year_in_the_form_of_hive_and_impala_are_the_times_that_they_were() {
    let project = sales(&[("number", "bigint"), ("at", "timestamp")]);
    // 9999-12-31, 1000-01-01 and 1970-01-01.
    let days = [5_373_484, 2_086_303, 2_440_588];
    project.file("events/sales/1.parquet", of_julian_days(&days, 86_399_000_000_000));
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select at from main.all_sales order by number"),
        json!([{"at": "9999-12-31T23:59:59"}, {"at": "1000-01-01T23:59:59"}, {"at": "1970-01-01T23:59:59"}])
    );
}

#[test]
fn a_key_in_another_case_is_found_and_a_misspelled_column_is_warned_of_once() {
    let project = sales(&[("customerId", "bigint"), ("prise", "bigint"), ("seller", "varchar")]);
    project.file("events/sales/1.json", "{\"customerid\": 5, \"price\": 3}\n");
    insta::assert_snapshot!(project.succeed(&["run"]));
    assert_eq!(
        project.rows("select * from main.all_sales"),
        json!([{"customerId": 5, "prise": null, "seller": null, "batch": "sales/1.json"}])
    );
    project.file("events/sales/2.json", "{\"customerId\": 6, \"prise\": 4}\n");
    let said = project.succeed(&["run"]);
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn event_times_in_seconds_are_warned_of() {
    let project = Project::with_listens();
    project.model("plays", "select * from {{ source('events', 'listens') }}");
    project.file(
        "events/listens/1.json",
        "{\"ts\": 1541030400, \"user_id\": 1, \"song\": \"a\", \"seconds\": 1.5}\n",
    );
    let said = project.succeed(&["run"]);
    assert!(
        said.contains("all events are of the years before 1980, since `ts` is read as milliseconds"),
        "{said}"
    );
    assert_eq!(
        project.rows("select event_date from main.raw_listens"),
        json!([{"event_date": "1970-01-18"}])
    );
    // Some among others are seen, too.
    let later = "{\"ts\": 1541030400000, \"user_id\": 1, \"song\": \"a\"}\n".repeat(3);
    project.file(
        "events/listens/2.json",
        later.clone() + "{\"ts\": 1541030400, \"user_id\": 1, \"song\": \"a\"}\n",
    );
    let said = project.succeed(&["run"]);
    assert!(said.contains("1 of 4 events are of the years before 1980"), "{said}");
    project.file("events/listens/3.json", later);
    let said = project.succeed(&["run"]);
    assert!(!said.contains("before 1980"), "{said}");
}

#[test]
fn a_source_column_of_a_type_that_is_not_read_is_refused_at_its_place() {
    let project = sales(&[("opened", "interval")]);
    insta::assert_snapshot!(project.fail(2, &["compile"]));
    let project = sales(&[("price", "decimal(40,2)")]);
    insta::assert_snapshot!(project.fail(2, &["compile"]));
}

#[test]
fn a_seed_keeps_all_digits_of_its_numbers() {
    let project = Project::new();
    project.file(
        "seeds/cards.csv",
        "card,amount,share,code\n89014103211118510720,0.12345678901234567891,0.1,007\n89014103211118510721,2,0.30000000000000004,12\n",
    );
    project.file("seeds/long.csv", format!("id\n1{}\n", "0".repeat(20) + &"1".repeat(20)));
    project.succeed(&["seed"]);
    assert_eq!(
        project.rows(
            "select cast(card as varchar) as card, cast(amount as varchar) as amount, share, code, arrow_typeof(card) as t, \
             arrow_typeof(share) as u from {{ ref('cards') }} order by 1"
        ),
        json!([
            {"card": "89014103211118510720", "amount": "0.12345678901234567891", "share": 0.1, "code": "007", "t": "Decimal128(38, 0)", "u": "Float64"},
            {"card": "89014103211118510721", "amount": "2.00000000000000000000", "share": 0.300_000_000_000_000_04, "code": "12", "t": "Decimal128(38, 0)", "u": "Float64"}
        ])
    );
    assert_eq!(
        project.rows("select id from {{ ref('long') }}"),
        json!([{"id": "1".to_owned() + &"0".repeat(20) + &"1".repeat(20)}])
    );
}

#[test]
fn a_seed_takes_the_types_that_warehouses_have_and_refuses_a_value_that_would_lose_something() {
    let project = Project::new();
    project.file("seeds/t.csv", "a,b,c,d,e,f\n1.50,ab,2018-11-01 10:00:00+02:00,7,12,10:30:00\n");
    let declare = |types: &str| {
        project.file(
            "seeds/s.yml",
            format!("seeds:\n  - name: t\n    config:\n      column_types: {{{types}}}\n"),
        );
    };
    declare(
        "a: \"numeric(10,2)\", b: \"varchar(2)\", c: timestamptz, d: tinyint, e: \"character varying(5)\", f: time",
    );
    project.succeed(&["seed"]);
    assert_eq!(
        project.rows("select cast(a as varchar) as a, b, c, d, e, f from {{ ref('t') }}"),
        json!([{"a": "1.50", "b": "ab", "c": "2018-11-01T08:00:00", "d": 7, "e": "12", "f": "10:30:00"}])
    );
    declare("a: \"numeric(10,1)\"");
    project.file("seeds/t.csv", "a,b,c,d,e\n1.55,ab,2018-11-01 10:00:00+02:00,7,12\n");
    insta::assert_snapshot!(project.fail(2, &["compile"]));
    declare("b: \"varchar(1)\"");
    insta::assert_snapshot!(project.fail(2, &["compile"]));
    declare("b: \"polygon\"");
    insta::assert_snapshot!(project.fail(2, &["compile"]));
}
