//! One run at a time writes to a warehouse.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::json;

use crate::project::Project;

/// A run that holds the lease, and waits just before it publishes its first table.
fn holding(project: &Project) -> Child {
    held_at(project, "build-before-publish=wait").0
}

/// The same, held in this way; and the lines that it says from then on.
fn held_at(project: &Project, how: &str) -> (Child, Lines) {
    let mut command = project.command(&["run", "--select", "one"]);
    command.env("MEP_FAIL_POINT", how).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.by_ref().map(Result::unwrap).any(|line| line == "waiting at build-before-publish"));
    (child, lines)
}

type Lines = std::io::Lines<BufReader<std::process::ChildStderr>>;

/// A run that waits for the holder, and what it said of that.
fn waiting(project: &Project) -> (Child, String) {
    let mut child = project.command(&["run", "--wait", "60"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    (child, project.normalized(&said))
}

#[test]
fn a_second_run_is_told_who_holds_the_warehouse_until_the_holder_is_gone() {
    let project = Project::new();
    project.model("one", "{{ config(materialized='table') }} select 1 as x");
    project.file("seeds/people.csv", "name\nAnn\n");
    project.succeed(&["run"]);
    project.model("one", "{{ config(materialized='table') }} select 2 as x");
    let mut holder = holding(&project);
    let held = project.fail(3, &["run"]);
    insta::assert_snapshot!(held, @r"error: the warehouse is held by another run: `mep run --select one` (process [pid], run [run], since [time])");
    assert_eq!(project.fail(3, &["build", "--full-refresh"]), held);
    assert_eq!(project.fail(3, &["seed"]), held);
    assert_eq!(project.fail(3, &["clean"]), held);
    let debug = project.run(&["debug"]);
    assert_eq!(debug.code, Some(1));
    assert!(debug.stdout.contains("lease      failed  the warehouse is held by another run"), "{debug:?}");
    // Readers need no lease, and see what was published last.
    assert_eq!(project.rows("select x from main.one"), json!([{"x": 1}]));
    assert_eq!(project.plan(), ["one: build: model changed at line 1"]);
    project.succeed(&["compile"]);
    project.print(&["ls"]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    project.succeed(&["run"]);
    assert_eq!(project.rows("select x from main.one"), json!([{"x": 2}]));
}

#[test]
fn a_run_that_may_wait_begins_once_the_holder_is_gone() {
    let project = Project::new();
    project.model("one", "{{ config(materialized='table') }} select 1 as x");
    let mut holder = holding(&project);
    let (mut waiting, said) = waiting(&project);
    insta::assert_snapshot!(said, @"    wait  up to 60 seconds: the warehouse is held by another run: `mep run --select one` (process [pid], run [run], since [time])");
    let held = project.fail(3, &["build", "--wait", "1", "--log-format", "json"]);
    assert!(held.contains(r#""event":"waiting","holder":"`mep run --select one`"#), "{held}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    assert_eq!(project.rows("select x from main.one"), json!([{"x": 1}]));
}

#[test]
fn a_run_that_waited_builds_on_what_the_holder_left() {
    let project = Project::new();
    let sql = "{{ config(materialized='incremental', incremental_strategy='append') }}
select {{ 2 if is_incremental() else 1 }} as x";
    project.model("one", sql);
    let (mut holder, lines) = held_at(&project, "build-before-publish=stop");
    let (mut waiting, _) = waiting(&project);
    let pid = rustix::process::Pid::from_child(&holder);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    lines.for_each(|line| _ = line.unwrap());
    assert_eq!(holder.wait().unwrap().code(), Some(0));
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    assert_eq!(project.rows("select x from main.one order by x"), json!([{"x": 1}, {"x": 2}]));
}

#[test]
fn runs_of_two_warehouses_do_not_hold_each_other_up() {
    let project = Project::new();
    project.model("one", "{{ config(materialized='table') }} select 1 as x");
    let profiles = std::fs::read_to_string(project.path("profiles.yml")).unwrap();
    let other = profiles.split_once("    dev:").unwrap().1.replace("warehouse", "other");
    project.file("profiles.yml", format!("{profiles}    other:{other}"));
    let mut holder = holding(&project);
    project.succeed(&["run", "--target", "other"]);
    holder.kill().unwrap();
    holder.wait().unwrap();
}
