//! Whatever happens to a table, and wherever runs are killed: the rows are those of the table.

use proptest::prelude::*;

use super::Database;
use crate::random::check_slow_cases;

/// Where a landing and what follows can end early.
const PLACES: [&str; 4] =
    ["landing-before-read", "landing-after-piece", "landing-before-publish", "build-before-publish"];

#[derive(Clone, Debug)]
enum Happening {
    Insert { day: Option<u8>, rows: u8 },
    Update { of: u8, total: u8 },
    Move { of: u8, day: Option<u8> },
    Delete { of: u8 },
    Truncate,
    Killed { place: usize, time: u8 },
    Run,
}

fn happening() -> impl Strategy<Value = Happening> {
    let day = || prop::option::weighted(0.9, 0..5_u8);
    prop_oneof![
        5 => (day(), 1..4_u8).prop_map(|(day, rows)| Happening::Insert { day, rows }),
        2 => (0..20_u8, 0..9_u8).prop_map(|(of, total)| Happening::Update { of, total }),
        2 => (0..20_u8, day()).prop_map(|(of, day)| Happening::Move { of, day }),
        2 => (0..20_u8).prop_map(|of| Happening::Delete { of }),
        1 => Just(Happening::Truncate),
        3 => (0..PLACES.len(), 1..3_u8).prop_map(|(place, time)| Happening::Killed { place, time }),
        3 => Just(Happening::Run),
    ]
}

fn tell(has_cursor: bool, story: &[Happening]) {
    let cursor = if has_cursor { "cursor: day, " } else { "" };
    let database = Database::new(&format!(
        "      - {{name: visits, {cursor}columns: [{{name: id, data_type: integer}}, {{name: day, data_type: date}}, {{name: total, data_type: integer}}]}}\n"
    ));
    database.execute("create table visits (id serial primary key, day date, total int)");
    let project = &database.project;
    project.model(
        "by_day",
        "{{ config(materialized='incremental', unique_key='day') }} select day, count(*) as visits, sum(total) as total from {{ source('shop', 'visits') }} where day is not null group by day",
    );
    let quoted = |day: Option<u8>| day.map_or("null".to_owned(), |day| format!("'2026-05-0{}'", day + 1));
    for happening in story.iter().chain([&Happening::Run]) {
        match happening {
            Happening::Insert { day, rows } => database.execute(&format!(
                "insert into visits (day, total) select {}, 1 from generate_series(1, {rows})",
                quoted(*day)
            )),
            Happening::Update { of, total } => {
                database.execute(&format!("update visits set total = {total} where id = {of}"));
            }
            Happening::Move { of, day } => {
                database.execute(&format!("update visits set day = {} where id = {of}", quoted(*day)));
            }
            Happening::Delete { of } => database.execute(&format!("delete from visits where id = {of}")),
            Happening::Truncate => database.execute("delete from visits"),
            Happening::Killed { place, time } => {
                let point = format!("{}:{time}", PLACES[*place]);
                let output = project.run_with(&["run", "--quiet"], &[("MEP_FAIL_POINT", &point)]);
                assert!(matches!(output.code, None | Some(0)), "{output:?}");
            }
            Happening::Run => {
                project.succeed(&["run", "--quiet"]);
                let said = |rows: serde_json::Value, columns: &[&str]| -> Vec<String> {
                    let text = |row: &serde_json::Value| {
                        columns
                            .iter()
                            .map(|name| row[*name].to_string())
                            .collect::<Vec<_>>()
                            .join("|")
                            .replace('"', "")
                    };
                    rows.as_array().unwrap().iter().map(text).collect()
                };
                let landed = said(
                    project.rows("select id, day, total from main.raw_visits order by id"),
                    &["id", "day", "total"],
                );
                let there: Vec<String> = database
                    .texts("select id || '|' || coalesce(day::text, 'null') || '|' || total from visits order by id")
                    .into_iter()
                    .flatten()
                    .collect();
                assert_eq!(landed, there, "{story:?}");
                let counted = said(
                    project.rows("select day, visits, total from main.by_day order by day"),
                    &["day", "visits", "total"],
                );
                let there: Vec<String> = database
                    .texts("select day || '|' || count(*) || '|' || sum(total) from visits where day is not null group by day order by day")
                    .into_iter()
                    .flatten()
                    .collect();
                assert_eq!(counted, there, "{story:?}");
            }
        }
    }
}

#[test]
fn whatever_happens_to_a_table_a_run_leaves_its_rows() {
    let story = (prop::bool::weighted(0.75), prop::collection::vec(happening(), 3..14));
    check_slow_cases(12, 0, 2026, &story, |(has_cursor, story)| tell(has_cursor, &story));
}

#[test]
#[ignore = "nightly: takes many minutes"]
fn whatever_happens_to_a_table_often_a_run_leaves_its_rows() {
    let story = (prop::bool::weighted(0.75), prop::collection::vec(happening(), 3..14));
    check_slow_cases(200, 0, 2027, &story, |(has_cursor, story)| tell(has_cursor, &story));
}
