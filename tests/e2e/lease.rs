//! One run at a time writes to a warehouse.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::json;

use crate::project::Project;

/// A run that holds the lease, and waits just before it publishes its first table.
fn holding(project: &Project) -> Child {
    let mut command = project.command(&["run", "--select", "one"]);
    command.env("MEP_FAIL_POINT", "build-before-publish=wait").stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line == "waiting at build-before-publish"));
    child
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
