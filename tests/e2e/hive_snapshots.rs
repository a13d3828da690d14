//! Snapshots in a real Hive: the versions that dbt keeps, and a publish that is killed at any place.

use std::fmt::Write as _;

use serde_json::json;

use crate::services::NULL;
use crate::services::hive_project::HiveProject;

const SOURCES: &str = "\
sources:
  - name: events
    tables:
      - name: customers
        columns:
          - {name: id, data_type: bigint}
          - {name: city, data_type: varchar}
          - {name: changed, data_type: timestamp}
";

const BY_TIME: &str = "strategy='timestamp', updated_at='changed'";
const BY_CITY: &str = "strategy='check', check_cols=['city']";

/// A customer as the shop says that it is now: id, city, hour of November in which that changed.
type Customer = (i64, &'static str, u32);

fn shop(name: &str, config: &str) -> HiveProject {
    let hive = HiveProject::new(name);
    hive.project.file("sources.yml", SOURCES);
    let sql = format!(
        "{{% snapshot addresses %}}\n{{{{ config(unique_key='id', {config}) }}}}\nselect * from {{{{ source('events', 'customers') }}}}\n{{% endsnapshot %}}\n"
    );
    hive.project.file("snapshots/addresses.sql", sql);
    hive
}

fn customers(hive: &HiveProject, customers: &[Customer]) {
    let mut text = String::new();
    for (id, city, changed) in customers {
        let line = json!({"id": id, "city": city, "changed": format!("2018-11-01T{changed:02}:00:00")});
        writeln!(text, "{line}").unwrap();
    }
    hive.project.file("events/customers/all.json", text);
}

/// The hour of a time in November 2018; a time of the run is `now`.
fn shown(time: &str) -> &str {
    match time {
        NULL => "",
        time if time.starts_with("2018-11-01") => &time[11..13],
        _ => "now",
    }
}

/// The versions as an engine reads them, each as `id city from..to`, in order.
fn versions(rows: Vec<Vec<String>>) -> Vec<String> {
    let version = |row: Vec<String>| format!("{} {} {}..{}", row[0], row[1], shown(&row[2]), shown(&row[3]));
    rows.into_iter().map(version).collect()
}

fn query(hive: &HiveProject, more: &str) -> String {
    format!(
        "select id, city, dbt_valid_from, dbt_valid_to{more} from {}.addresses order by id, dbt_valid_from, dbt_valid_to",
        hive.schema
    )
}

/// The versions, of which mep, HiveServer2 and Trino must say the same.
#[track_caller]
fn seen(hive: &HiveProject) -> Vec<String> {
    let query = query(hive, "");
    let by_mep = versions(hive.mep("hive", &query));
    assert_eq!(versions(hive.hive(&query)), by_mep);
    assert_eq!(versions(hive.trino(&query)), by_mep);
    by_mep
}

#[test]
fn hive_keeps_a_version_of_what_changed_by_time_and_ends_what_is_gone() {
    let hive = shop("snapshot_time", &format!("{BY_TIME}, hard_deletes='invalidate'"));
    customers(&hive, &[(1, "Oslo", 1), (2, "Rome", 1), (3, "Kiel", 5)]);
    hive.succeed(&["snapshot"]);
    assert_eq!(seen(&hive), ["1 Oslo 01..", "2 Rome 01..", "3 Kiel 05.."]);
    customers(&hive, &[(1, "Bern", 4), (3, "Bonn", 3), (4, "Graz", 6)]);
    hive.succeed(&["snapshot"]);
    let expected = ["1 Oslo 01..04", "1 Bern 04..", "2 Rome 01..now", "3 Kiel 05..", "4 Graz 06.."];
    assert_eq!(seen(&hive), expected);
    // What was looked at already is not looked at again, and what comes back begins anew.
    let said = hive.succeed(&["snapshot"]);
    assert!(!said.contains("rows"), "{said}");
    customers(&hive, &[(1, "Bern", 4), (2, "Rome", 7), (3, "Bonn", 3), (4, "Graz", 6)]);
    hive.succeed(&["snapshot"]);
    let back =
        ["1 Oslo 01..04", "1 Bern 04..", "2 Rome 01..now", "2 Rome 07..", "3 Kiel 05..", "4 Graz 06.."];
    let mut found = seen(&hive);
    found.sort();
    let mut back = back.map(str::to_owned);
    back.sort();
    assert_eq!(found, back);
}

#[test]
fn hive_keeps_a_version_of_what_differs_and_says_what_was_deleted() {
    let hive = shop("snapshot_check", &format!("{BY_CITY}, hard_deletes='new_record'"));
    customers(&hive, &[(1, "Oslo", 1), (2, "Rome", 1)]);
    hive.succeed(&["snapshot"]);
    customers(&hive, &[(1, "Bern", 1)]);
    hive.succeed(&["snapshot"]);
    let rows = format!(
        "select id, city, dbt_is_deleted, dbt_valid_to is null from {}.addresses order by id, dbt_valid_from",
        hive.schema
    );
    let expected = [
        ["1", "Oslo", "False", "false"],
        ["1", "Bern", "False", "true"],
        ["2", "Rome", "False", "false"],
        ["2", "Rome", "True", "true"],
    ];
    for rows in [hive.mep("hive", &rows), hive.hive(&rows), hive.trino(&rows)] {
        assert_eq!(rows, expected);
    }
}

/// A snapshot's past is nowhere else, so a killed run must leave the old versions or the new ones.
#[test]
fn a_snapshot_in_hive_that_is_killed_anywhere_has_the_old_versions_or_the_new_ones() {
    let hive = shop("snapshot_killed", &format!("{BY_TIME}, hard_deletes='invalidate'"));
    customers(&hive, &[(1, "Oslo", 0), (9, "Rome", 0)]);
    hive.succeed(&["snapshot"]);
    let mut expected = vec!["1 Oslo 00..".to_owned(), "9 Rome 00..".to_owned()];
    assert_eq!(seen(&hive), expected);
    let points = ["build-before-publish", "hive-before-table", "hive-after-table"];
    for (hour, point) in (1..).zip(points.into_iter().chain(points)) {
        let city = if hour % 2 == 0 { "Oslo" } else { "Bern" };
        // One changes, one comes, and one of the round before goes.
        customers(&hive, &[(1, city, hour), (i64::from(hour) + 100, "Kiel", hour), (9, "Rome", 0)]);
        let old = expected.clone();
        let ends = expected.iter_mut().find(|version| version.starts_with("1 ") && version.ends_with(".."));
        write!(ends.unwrap(), "{hour:02}").unwrap();
        for version in expected.iter_mut().filter(|version| version.contains("Kiel")) {
            if version.ends_with("..") {
                version.push_str("now");
            }
        }
        expected.push(format!("1 {city} {hour:02}.."));
        expected.push(format!("{} Kiel {hour:02}..", hour + 100));
        let sorted = |mut versions: Vec<String>| {
            versions.sort();
            versions
        };
        hive.succeed(&["run", "--select", "source:events"]);
        let killed = hive.call(&["snapshot", "--select", "addresses"], Some(point));
        assert_eq!(killed.status.code(), None, "{point}: {killed:?}");
        let found = sorted(versions(hive.hive(&query(&hive, ""))));
        assert!(
            found == sorted(old.clone()) || found == sorted(expected.clone()),
            "{point}: {found:?} is neither {old:?} nor {expected:?}"
        );
        hive.succeed(&["snapshot"]);
        assert_eq!(sorted(seen(&hive)), sorted(expected.clone()), "{point}");
    }
}
