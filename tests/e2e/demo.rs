//! `stack/demo`: the whole pipeline at once, as a user starts and ends it.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::services::trino::Trino;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How far its ports lie from those of the services that all tests share.
const PORTS: u32 = 300;

/// A call of the demo on a data folder of its own.
fn demo(data: &Path, word: &str) -> Command {
    let shared = std::env::var("MEP_TEST_PORT_OFFSET").ok().and_then(|offset| offset.parse().ok());
    let offset: u32 = shared.unwrap_or(20_000) + PORTS;
    let mut command = Command::new(Path::new(ROOT).join("stack/demo"));
    command.arg(word).env("MEP", env!("CARGO_BIN_EXE_mep")).env("MEP_STACK_DATA", data);
    command.env("MEP_STACK_PORT_OFFSET", offset.to_string()).env("HADOOP_USER_NAME", "root");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The processes that bear the mark of a data folder: services in their arguments, mep in its environment.
fn processes_of(data: &Path) -> Vec<PathBuf> {
    let data = format!(":{}", data.display());
    let bears = |file: PathBuf| {
        let bytes = fs::read(file).unwrap_or_default();
        let words = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let mut marks =
            words.filter(|word| word.starts_with("-Dmep.stack=") || word.starts_with("MEP_STACK_PROCESS="));
        marks.any(|mark| mark.ends_with(&data))
    };
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes.filter(|path| bears(path.join("cmdline")) || bears(path.join("environ"))).collect()
}

/// Ends what the demo has started, also when an assertion fails.
struct Running(PathBuf);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = demo(&self.0, "stop").status();
    }
}

#[test]
#[ignore = "nightly: all services once more"]
fn the_demo_shows_todays_minutes_and_the_star_schema_and_leaves_nothing_running() {
    let data = Path::new(ROOT).join("target/stack-demo");
    assert!(demo(&data, "stop").status().unwrap().success());
    let _ = fs::remove_dir_all(&data);
    let running = Running(data.clone());
    let started = demo(&data, "start").output().unwrap();
    assert!(started.status.success(), "{}", said(&started));
    let told = String::from_utf8(started.stdout).unwrap();
    assert!(told.contains("Everything is up") && told.contains("mep reconcile"), "{told}");
    assert!(demo(&data, "status").status().unwrap().success());

    let settings = fs::read_to_string(data.join("env")).unwrap();
    let settings: BTreeMap<&str, &str> = settings.lines().filter_map(|line| line.split_once('=')).collect();
    let trino = Trino::new(settings["TRINO"]);
    let minutes = "select count(*) > 0, max(minute) <= current_timestamp from cassandra.music.listen_count_minute where day = current_date";
    assert_eq!(trino.rows(minutes), [["true", "true"]]);
    let days = "select count(distinct event_date) >= 6, max(event_date) >= date_add('day', -1, current_date) from music.fact_listen";
    assert_eq!(trino.rows(days), [["true", "true"]]);
    let charts = trino.rows(&fs::read_to_string(Path::new(ROOT).join("queries/song_chart.sql")).unwrap());
    assert!(!charts.is_empty());

    // What is sent goes on: another call changes nothing, and no event comes twice.
    let before = processes_of(&data);
    let again = demo(&data, "start").output().unwrap();
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(processes_of(&data), before);

    assert!(demo(&data, "stop").status().unwrap().success());
    drop(running);
    assert_eq!(processes_of(&data), Vec::<PathBuf>::new());
}

#[test]
fn the_demo_says_what_stands_in_its_way_before_it_starts_anything() {
    let folder = TempDir::new().unwrap();
    let data = fs::canonicalize(folder.path()).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = demo(&data, "start").env("METRICS_PORT", &port).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(said(&output).replace(&port, "[port]"), @"stack: the stream's metrics: port [port] is taken by another process; free it, or set METRICS_PORT or MEP_STACK_PORT_OFFSET");
    let output = demo(&data, "start").env("MEP", "/nowhere/mep").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(said(&output), @"stack: MEP=/nowhere/mep is no program; unset it, and mep is built");
    let output = demo(&data, "begin").output().unwrap();
    insta::assert_snapshot!(said(&output), @"stack: stack/demo [start|stop|status]");
    assert_eq!(processes_of(&data), Vec::<PathBuf>::new());
}
