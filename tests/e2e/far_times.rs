//! Times before 1677 and after 2262, which do not fit 64 bits of nanoseconds.

use serde_json::json;

use crate::project::{DAY, NOVEMBER, Project};

const LISTENS: &str = "{{ source('events', 'listens') }}";

/// Milliseconds of the first of January 2300.
const FAR: i64 = 10_413_792_000_000;

#[test]
fn a_time_of_any_year_from_1_to_9999_can_be_said_and_computed_with() {
    let project = Project::new();
    for (sql, value) in [
        ("timestamp '9999-12-31 23:59:59.999999'", "9999-12-31T23:59:59.999999"),
        ("cast('0001-01-01' as timestamp)", "0001-01-01T00:00:00"),
        ("cast(date '9999-12-31' as timestamp)", "9999-12-31T00:00:00"),
        ("coalesce(cast(null as timestamp), timestamp '9999-12-31')", "9999-12-31T00:00:00"),
        ("date_trunc('month', date '2300-02-03')", "2300-02-01T00:00:00"),
        ("date_trunc('week', timestamp '9999-12-31 10:00:00')", "9999-12-27T00:00:00"),
        ("date_trunc('quarter', timestamp '1600-05-06 07:08:09')", "1600-04-01T00:00:00"),
        ("date_bin(interval '15 minutes', timestamp '1600-05-06 07:08:09')", "1600-05-06T07:00:00"),
        ("tumble(timestamp '9999-12-31 10:11:12', interval '1 hour')", "9999-12-31T10:00:00"),
        ("timestamp '9999-12-30 00:00:00' + interval '1 day'", "9999-12-31T00:00:00"),
        ("timestamp '1000-01-01 00:00:00' - interval '1 month'", "0999-12-01T00:00:00"),
        ("to_timestamp('9999-12-31T01:02:03')", "9999-12-31T01:02:03"),
        ("to_timestamp(253402214400)", "9999-12-31T00:00:00"),
        ("to_timestamp(1541030400.5)", "2018-11-01T00:00:00.500"),
        ("to_timestamp_micros('9999-12-31')", "9999-12-31T00:00:00"),
        ("cast(253402214400 as timestamp)", "9999-12-31T00:00:00"),
        ("greatest(date '9999-12-31', timestamp '2018-11-01')", "9999-12-31T00:00:00"),
        ("case when true then date '9999-12-31' else timestamp '2018-11-01' end", "9999-12-31T00:00:00"),
    ] {
        assert_eq!(
            project.rows(&format!("select cast({sql} as varchar) as x")),
            json!([{"x": value}]),
            "{sql}"
        );
    }
    for (sql, value) in [
        ("date '9999-12-31' > timestamp '2018-11-01 00:00:00'", json!(true)),
        ("timestamp '2018-11-01' between date '0001-01-01' and date '9999-12-31'", json!(true)),
        ("timestamp '9999-12-31' in (date '2018-11-01', date '9999-12-31')", json!(true)),
        ("now() < date '9999-12-31'", json!(true)),
        ("extract(year from timestamp '9999-12-31')", json!(9999)),
        ("cast(extract(epoch from timestamp '0001-01-01') as bigint)", json!(-62_135_596_800_i64)),
        ("to_unixtime('9999-12-31')", json!(253_402_214_400_i64)),
        ("date '9999-12-31' - date '0001-01-01'", json!(3_652_058)),
    ] {
        assert_eq!(project.rows(&format!("select {sql} as x")), json!([{"x": value}]), "{sql}");
    }
    assert_eq!(
        project.rows("select cast(x as varchar) as x from (select timestamp '2018-11-01' as x union all select date '9999-12-31') order by 1"),
        json!([{"x": "2018-11-01T00:00:00"}, {"x": "9999-12-31T00:00:00"}])
    );
}

#[test]
fn one_event_of_a_far_year_is_landed_and_every_model_over_it_is_built_and_followed() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (FAR - NOVEMBER, 2, "b")]);
    let models = [
        ("months", "cast(date_trunc('month', event_date) as date)"),
        ("windows", "cast(date_bin(interval '7 days', cast(event_date as timestamp)) as date)"),
        ("days", "event_date"),
    ];
    for (name, day) in models {
        project.model(
            name,
            &format!("{{{{ config(materialized='incremental', partition_by='day') }}}} select {day} as day, count(*) as n from {LISTENS} group by 1"),
        );
    }
    project.succeed(&["run"]);
    let months = "select cast(day as varchar) as day, n from {{ ref('months') }} order by day";
    assert_eq!(project.rows(months), json!([{"day": "2018-11-01", "n": 1}, {"day": "2300-01-01", "n": 1}]));
    assert_eq!(project.plan(), [""; 0]);
    project.listens("2.json", &[(DAY, 3, "c"), (FAR - NOVEMBER + DAY, 3, "c")]);
    project.succeed(&["run"]);
    assert_eq!(project.rows(months), json!([{"day": "2018-11-01", "n": 2}, {"day": "2300-01-01", "n": 2}]));
}

#[test]
fn a_recursive_query_counts_up_times_of_any_year() {
    let project = Project::new();
    for (first, last) in [("2018-11-01", "2018-11-03"), ("9999-12-29", "9999-12-31")] {
        let sql = format!(
            "with recursive t as (select timestamp '{first} 00:00:00' as x union all select x + interval '1 day' from t where x < date '{last}') select min(x) as a, max(x) as b, count(*) as n from t"
        );
        let expected = json!([{"a": format!("{first}T00:00:00"), "b": format!("{last}T00:00:00"), "n": 3}]);
        assert_eq!(project.rows(&sql), expected);
    }
}

#[test]
fn a_series_of_times_that_cannot_be_counted_is_an_error_and_no_null() {
    let project = Project::new();
    let series = |year: i32| {
        format!("select range(timestamp '{year}-12-01', timestamp '{year}-12-03', interval '1 day') as x")
    };
    assert_eq!(project.rows(&series(2018)), json!([{"x": ["2018-12-01T00:00:00", "2018-12-02T00:00:00"]}]));
    let told = project.fail(2, &["show", "--inline", &series(9999)]);
    assert!(told.contains("a time is too far away to be computed"), "{told}");
}
