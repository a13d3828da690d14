//! What a Hive warehouse is like after mep was killed, and while two runs want it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::project::DAY;
use crate::services::hive_project::HiveProject;

/// Every place at which a publish to Hive can end early.
pub(crate) const POINTS: [&str; 13] = [
    "landing-before-read",
    "landing-after-piece",
    "hdfs-in-a-block",
    "landing-before-publish",
    "build-before-publish",
    "hive-before-table",
    "hive-after-table",
    "hive-before-add",
    "hive-after-add",
    "hive-after-to-come",
    "hive-before-swap",
    "hive-after-swap",
    "hive-after-drop",
];

fn project(name: &str) -> HiveProject {
    let hive = HiveProject::new(name);
    hive.project.model(
        "fact",
        "{{ config(materialized='incremental', partition_by='event_date') }}
         select event_date, song, count(*) as listens from {{ source('events', 'listens') }} group by event_date, song",
    );
    hive.project.model(
        "total",
        "{{ config(materialized='table') }} select sum(listens) as listens from {{ ref('fact') }}",
    );
    hive
}

#[test]
fn wherever_a_run_is_killed_the_next_one_comes_to_the_rows_of_an_undisturbed_run() {
    check_kills("killed", 1);
}

#[test]
#[ignore = "nightly: takes minutes"]
fn wherever_a_run_is_killed_the_second_time_the_next_one_comes_to_the_rows_of_an_undisturbed_run() {
    check_kills("killed_twice", 2);
}

/// Kills a run at each place, at each of so many times that the place is reached, and runs again: the tables are then those of an
/// undisturbed run, and until then every partition that Hive shows is an old or a new one.
fn check_kills(name: &str, times: usize) {
    let hive = project(name);
    hive.project.listens("0.json", &[(0, 1, "A"), (DAY, 1, "B"), (3 * DAY, 4, "gone")]);
    hive.succeed(&["run"]);
    let facts =
        format!("select event_date, song, listens from {}.fact order by event_date, song", hive.schema);
    let mut reached = Vec::new();
    // On which day the file's row is: on the third or the fourth.
    let mut moved = 3;
    for (round, point) in POINTS.into_iter().enumerate() {
        for time in 1..=times {
            let before = hive.mep("hive", &facts);
            // A late row for an old day and a new day; and a file whose day goes away, where a publish only adds otherwise.
            let removes = !matches!(point, "hive-before-add" | "hive-after-add");
            let name = format!("{}.json", 1 + 2 * round + time);
            let day = DAY * (5 + 2 * i64::try_from(round).unwrap() + time as i64);
            hive.project.listens(&name, &[(1000, 2, "A"), (day, 3, "C")]);
            if removes {
                moved = 7 - moved;
                hive.project.listens("0.json", &[(0, 1, "A"), (DAY, 1, "B"), (moved * DAY, 4, "gone")]);
            }
            let killed = hive.call(&["run"], Some(&format!("{point}:{time}")));
            if killed.status.code().is_none() {
                reached.push(point);
            }
            let seen = hive.hive(&facts);
            hive.succeed(&["run"]);
            let after = hive.mep("hive", &facts);
            hive.succeed(&["run", "--target", "local", "--full-refresh"]);
            assert_eq!(after, hive.mep("local", &facts), "{point}:{time}");
            assert_eq!(after, hive.hive(&facts), "{point}:{time}");
            for row in &seen {
                assert!(before.contains(row) || after.contains(row), "{point}:{time}: hive showed {row:?}");
            }
        }
    }
    for point in POINTS {
        assert!(reached.contains(&point), "no run was killed at {point}");
    }
    let total = format!("select listens from {}.total", hive.schema);
    assert_eq!(hive.hive(&total), hive.mep("local", &total));
}

/// A run that holds the lease and waits before its first publish.
fn holding(hive: &HiveProject) -> Child {
    let mut command = hive.project.command(&["run"]);
    command.env("HADOOP_USER_NAME", "root").env("MEP_FAIL_POINT", "landing-before-publish=wait");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line == "waiting at landing-before-publish"));
    child
}

#[test]
fn a_second_run_exits_3_and_names_the_holder_and_a_killed_holder_is_no_obstacle() {
    let hive = project("lease");
    hive.project.listens("0.json", &[(0, 1, "A")]);
    let mut holder = holding(&hive);
    let said = hive.fail(3, &["run"]);
    assert!(said.contains("the warehouse is held by another run: `mep run` (process "), "{said}");
    assert!(said.contains(&format!("process {}", holder.id())), "{said}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    let said = hive.succeed(&["run"]);
    assert!(said.contains("the lease of `mep run`"), "{said}");
}

#[test]
fn a_metastore_that_is_not_there_stops_the_run() {
    let hive = project("absent");
    let profiles = std::fs::read_to_string(hive.project.path("profiles.yml")).unwrap();
    let address = crate::services::address("MEP_TEST_METASTORE");
    hive.project.file("profiles.yml", profiles.replace(&address, "thrift://127.0.0.1:1"));
    let said = hive.fail(1, &["run"]);
    assert!(said.starts_with("error: the hive metastore cannot be reached: 127.0.0.1:1: "), "{said}");
}

/// What a run says, within the limits of a `timeout` of one second, where something that accepts a connection and never
/// answers stands in the place of a service.
fn silenced(name: &str, service: &str) -> String {
    let hive = HiveProject::new(name);
    hive.project.listens("0.json", &[(0, 1, "A")]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let address = crate::services::address(service);
    let address = address.split_once("://").unwrap().1;
    let profiles = std::fs::read_to_string(hive.project.path("profiles.yml")).unwrap();
    let profiles = profiles.replace(address, &silent).replace("type: hive", "type: hive\n      timeout: 1");
    hive.project.file("profiles.yml", profiles);
    let began = Instant::now();
    let said = hive.fail(1, &["run"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    hive.project.normalized(&said.replace(&silent, "[silent]"))
}

#[test]
fn a_metastore_that_says_nothing_is_given_up_on() {
    let said = silenced("silent_metastore", "MEP_TEST_METASTORE");
    insta::assert_snapshot!(said, @"error: the hive metastore cannot be reached: [silent]: no answer from it within 1 s; see whether it is up, then run again, or raise the target's `timeout`");
}

#[test]
fn a_namenode_that_says_nothing_is_given_up_on() {
    let said = silenced("silent_namenode", "MEP_TEST_HDFS");
    // Which of the threads comes first is chance.
    let why = said.lines().find(|line| line.contains("no answer")).unwrap_or(&said).trim();
    let why = why.replace("/part1-0", "/part0-0");
    insta::assert_snapshot!(why, @"creating /warehouse/tests/[schema].db/raw_listens/data/[run]/event_date=2018-11-01/batch=listens%2F0.json/part0-0.parquet: no answer from hdfs at hdfs://[silent] within 1 s; see whether it is up, then run again, or raise the target's `timeout`");
}
