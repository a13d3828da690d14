//! Tables as they were at a time or after a run.

use regex::Regex;
use serde_json::{Value as Json, json};

use crate::project::{DAY, Project};

/// A table, a view of it, what is stored nowhere, and a test that finds rows.
fn project() -> Project {
    let project = Project::with_listens();
    project.model(
        "plays",
        "{{ config(materialized='table') }}
        select song, count(*) as n from {{ source('events', 'listens') }} group by 1",
    );
    project.model("twice", "select song, n from {{ ref('plays') }} where n > 1");
    project.model(
        "in_between",
        "{{ config(materialized='ephemeral') }} select n + 1 as m from {{ ref('plays') }}",
    );
    project.file("tests/once.sql", "select song from {{ ref('plays') }} where n = 1");
    project
}

/// Runs, and gives the run's id.
fn run(project: &Project, file: &str, listens: &[(i64, i64, &str)]) -> String {
    project.listens(file, listens);
    project.succeed(&["run"]);
    metadata(project)["invocation_id"].as_str().unwrap().to_owned()
}

fn metadata(project: &Project) -> Json {
    let text = std::fs::read(project.path("target/run_results.json")).unwrap();
    serde_json::from_slice::<Json>(&text).unwrap()["metadata"].clone()
}

fn rows(project: &Project, words: &[&str], at: &str) -> Json {
    let all = [&["show", "--output", "json", "--limit", "-1", "--at", at], words].concat();
    serde_json::from_str(&project.print(&all)).unwrap()
}

/// The text without times.
fn timeless(text: &str) -> String {
    let time = Regex::new(r"\d{4}-\d\d-\d\dT[0-9:]+\.\d+Z").unwrap();
    time.replace_all(text, "[time]").into_owned()
}

const SONGS: &[&str] = &["--inline", "select * from {{ ref('plays') }} order by song"];

#[test]
fn a_table_is_read_as_it_was_after_each_run_and_at_each_time() {
    let project = project();
    let first = run(&project, "1.json", &[(0, 1, "a"), (1, 2, "b")]);
    let between = metadata(&project)["generated_at"].as_str().unwrap().to_owned();
    let second = run(&project, "2.json", &[(DAY, 1, "b")]);
    let third = run(&project, "3.json", &[(2 * DAY, 1, "c")]);
    let after = [
        (first.as_str(), json!([{"song": "a", "n": 1}, {"song": "b", "n": 1}])),
        (between.as_str(), json!([{"song": "a", "n": 1}, {"song": "b", "n": 1}])),
        (second.as_str(), json!([{"song": "a", "n": 1}, {"song": "b", "n": 2}])),
        (third.as_str(), json!([{"song": "a", "n": 1}, {"song": "b", "n": 2}, {"song": "c", "n": 1}])),
        ("9999-01-01", json!([{"song": "a", "n": 1}, {"song": "b", "n": 2}, {"song": "c", "n": 1}])),
    ];
    for (at, expected) in &after {
        assert_eq!(rows(&project, SONGS, at), *expected, "{at}");
    }
    // What is made of a table is made of what it was: a view, what is stored nowhere, a test.
    assert_eq!(rows(&project, &["--select", "twice"], &first), json!([]));
    assert_eq!(rows(&project, &["--select", "twice"], &second), json!([{"song": "b", "n": 2}]));
    assert_eq!(rows(&project, &["--select", "once"], &second), json!([{"song": "a"}]));
    let sum = [
        "--inline",
        "select sum(m) as m, (select count(*) from MAIN.Raw_Listens) as n from {{ ref('in_between') }}",
    ];
    assert_eq!(rows(&project, &sum, &second), json!([{"m": 5, "n": 3}]));
    // A model that says something else by now shows what it was all the same.
    project.model("plays", "{{ config(materialized='table') }} select 1 as x");
    assert_eq!(rows(&project, &["--select", "plays"], &first).as_array().unwrap().len(), 2);
    let shown = project.print(&["show", "--select", "twice", "--at", &second]);
    insta::assert_snapshot!(timeless(&shown), @r"
    +------+---+
    | song | n |
    +------+---+
    | b    | 2 |
    +------+---+
    1 row
    main.plays as published at [time] by run [run]
    main.twice as published at [time] by run [run]
    ");
    // A published time is one by which the content is found again.
    let published = Regex::new(r"plays as published at (\S+)").unwrap();
    let output = project.command(&["show", "--select", "twice", "--at", &second]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(rows(&project, SONGS, &published.captures(&text).unwrap()[1]), after[2].1);
}

#[test]
fn what_is_not_kept_is_said_with_what_is() {
    let project = project();
    let first = run(&project, "1.json", &[(0, 1, "a")]);
    run(&project, "2.json", &[(DAY, 1, "b")]);
    let fail = |at: &str| timeless(&project.fail(2, &["show", "--select", "plays", "--at", at]));
    insta::assert_snapshot!(fail("2018-11-01"), @r"
    error: what `main.plays` was at [time] is not kept
    help: it was not there yet, or what it was is deleted; kept is what was
          - published at [time] by run [run]
          - published at [time] by run [run]
    ");
    insta::assert_snapshot!(fail("0193a7e2-0000-7000-8000-000000000000"), @r"
    error: nothing is kept that the run [run] published
    help: it changed nothing, or what it published is deleted; the last runs of which something is kept:
          - [run], which began at [time]
          - [run], which began at [time]
    ");
    insta::assert_snapshot!(fail("yesterday"), @r"
    error: invalid value 'yesterday' for '--at <TIME OR RUN>': expected a day, a time or the id of a run, such as 2018-11-01, 2018-11-01T06:00:00Z or the invocation_id in run_results.json

    For more information, try '--help'.
    ");
    let asked =
        project.fail(2, &["show", "--at", &first, "--inline", "select * from information_schema.tables"]);
    insta::assert_snapshot!(asked, @r"
    error: `information_schema` says what tables are, not what they were
    help: ask it without --at
    ");
    project.succeed(&["clean", "--retention-days", "0"]);
    insta::assert_snapshot!(fail(&first), @r"
    error: what `main.plays` was at [time] is not kept
    help: it was not there yet, or what it was is deleted; kept is what was
          - published at [time] by run [run]
    ");
    assert_eq!(rows(&project, SONGS, "9999-01-01").as_array().unwrap().len(), 2);
    // Only so many contents are kept.
    for file in 3..13 {
        run(&project, &format!("{file}.json"), &[(file * DAY, 1, "a")]);
    }
    let said = fail("2018-11-01");
    assert_eq!(said.matches("published at").count(), 9, "{said}");
}
