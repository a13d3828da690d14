//! Ctrl-C and SIGTERM during a run.

use std::io::{BufRead, BufReader, Read as _};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::project::Project;

/// A run that is under way, and what it has said so far.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    /// A run that was begun, held at a place where one is named.
    fn begin(project: &Project, hold: Option<&str>) -> Self {
        let mut command = project.command(&["run"]);
        command.envs(hold.map(|hold| ("MEP_FAIL_POINT", hold))).stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, said: String::new() }
    }

    /// Waits until it says this.
    fn wait_for(&mut self, text: &str) {
        while !self.said.contains(text) {
            let read = self.stderr.read_line(&mut self.said).unwrap();
            assert!(read > 0, "{}", self.said);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; gives its exit code and what it said after what it has said so far.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

fn project() -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a")]);
    let table = |name: &str, select: &str| {
        project.model(name, &format!("{{{{ config(materialized='table') }}}} {select}"));
    };
    table("first", "select * from {{ source('events', 'listens') }}");
    table("second", "select * from {{ ref('first') }}");
    table("third", "select * from {{ ref('second') }}");
    project
}

#[test]
fn a_query_under_way_is_dropped_and_what_is_published_is_told() {
    let project = project();
    project.model(
        "second",
        "{{ config(materialized='table') }}
        select sum(n.value % 7) as x from {{ ref('first') }} cross join generate_series(1, 100000000000) as n",
    );
    let mut running = Running::begin(&project, None);
    running.wait_for("start  table second");
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::INT);
    let (code, said) = running.end();
    assert_eq!(code, Some(130), "{said}");
    let said = project.normalized(&said);
    insta::assert_snapshot!(said.split_once("interrupted: ").unwrap_or((&said, &said)).1, @r"
    what was published stays; the next run goes on from there:
      published: source events.listens, table first
      dropped: table second (interrupted; readers find what was there before)
      not begun: table third
    ");
    let statuses: Vec<String> = project
        .results()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(statuses, ["success", "success", "error", "skipped"]);
    project.model("second", "{{ config(materialized='table') }} select * from {{ ref('first') }}");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select song from main.third"), json!([{"song": "a"}]));
}

#[test]
fn what_does_not_stop_within_a_moment_is_left_where_it_is() {
    let project = project();
    let mut running = Running::begin(&project, Some("build-before-publish:2=wait"));
    running.wait_for("waiting at");
    running.signal(Signal::TERM);
    let (code, said) = running.end();
    assert_eq!(code, Some(130), "{said}");
    insta::assert_snapshot!(said, @r"
        stop  what is under way is dropped; once more ends mep at once
    interrupted: what was published stays; the next run goes on from there:
      published: source events.listens, table first
      still under way, so that readers find what was there before unless it was being published: table second
      not begun: table third
    ");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select song from main.third"), json!([{"song": "a"}]));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let project = project();
    let mut running = Running::begin(&project, Some("landing-before-publish=wait"));
    running.wait_for("waiting at");
    let began = Instant::now();
    running.signal(Signal::INT);
    running.wait_for("once more");
    running.signal(Signal::INT);
    let (code, said) = running.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(said.contains("not begun: table first, table second, table third"), "{said}");
    project.succeed(&["run"]);
}
