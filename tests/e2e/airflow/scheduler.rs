//! The bundled DAGs under Airflow's own scheduler.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value as Json;

use super::{Airflow, BUNDLED_DAGS, Bundled};

/// A scheduler with what it needs. All of it ends when this is dropped.
struct Scheduler {
    airflow: Airflow,
    services: Vec<Child>,
}

impl Scheduler {
    fn start(airflow: Airflow) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let airflow = airflow.with(&[
            ("AIRFLOW__API__HOST", "127.0.0.1"),
            ("AIRFLOW__API__PORT", &port),
            ("AIRFLOW__API__WORKERS", "1"),
            ("AIRFLOW__API_AUTH__JWT_SECRET", &"secret".repeat(12)),
            ("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", &format!("http://127.0.0.1:{port}/execution/")),
            ("AIRFLOW__CORE__EXECUTOR", "LocalExecutor"),
            ("AIRFLOW__CORE__PARALLELISM", "4"),
            ("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True"),
        ]);
        let mut scheduler = Self { airflow, services: Vec::new() };
        // The scheduler's own server of logs would be open to the network.
        for words in [&["api-server"][..], &["scheduler", "--skip-serve-logs"], &["dag-processor"]] {
            let log = File::create(scheduler.airflow.scratch.path(format!("{}.log", words[0]))).unwrap();
            let mut command = scheduler.airflow.command("airflow", words);
            command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
            scheduler.services.push(command.spawn().unwrap());
        }
        scheduler.until("the dags are read", |scheduler| {
            let listed = scheduler.airflow.run("airflow", &["dags", "list", "--output", "json"]);
            listed.stdout.contains("music_incremental_load")
        });
        scheduler
    }

    /// Waits for something that must come.
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(
                began.elapsed() < Duration::from_mins(5),
                "{what}: not within five minutes\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn logs(&self) -> String {
        let names = ["api-server", "scheduler", "dag-processor"];
        names
            .map(|name| fs::read_to_string(self.airflow.scratch.path(format!("{name}.log"))).unwrap())
            .concat()
    }

    /// The states of a DAG's runs, by the run's logical date.
    fn runs(&self, dag: &str) -> Vec<(String, String)> {
        let listed = self.airflow.run("airflow", &["dags", "list-runs", dag, "--output", "json"]).stdout;
        let Some(begin) = listed.find("[{") else { return Vec::new() };
        let runs: Vec<Json> = serde_json::from_str(&listed[begin..]).unwrap();
        let text = |run: &Json, key: &str| run[key].as_str().unwrap_or_default().to_owned();
        let mut runs: Vec<_> = runs
            .iter()
            .map(|run| (text(run, "logical_date").chars().take(10).collect(), text(run, "state")))
            .collect();
        runs.sort();
        runs
    }

    /// What a DAG's task logged in one of its tries, in whichever run.
    fn log_of_try(&self, dag: &str, task: &str, number: u32) -> Option<String> {
        let end = format!("task_id={task}/attempt={number}.log");
        let logs = self.airflow.scratch.path(format!("airflow/logs/dag_id={dag}"));
        let files = walkdir::WalkDir::new(logs).into_iter().filter_map(Result::ok);
        let mut found = files.filter(|file| file.path().to_string_lossy().ends_with(&end));
        found.next().map(|file| fs::read_to_string(file.path()).unwrap())
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        for service in &mut self.services {
            let _ = kill_process_group(Pid::from_child(service), Signal::KILL);
            let _ = service.wait();
        }
    }
}

/// A run that holds the warehouse and stands still; and what it goes on to say.
fn holder(bundled: &Bundled) -> (Child, BufReader<ChildStderr>) {
    let mut command = bundled.events.command(&["run", "--select", "dim_time"]);
    command.envs(bundled.variables("warehouse")).env("MEP_FAIL_POINT", "build-before-publish=stop");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    assert!(said.by_ref().lines().map(Result::unwrap).any(|line| line == "waiting at build-before-publish"));
    (child, said)
}

#[test]
#[ignore = "nightly: a minute of waiting for the lease, and Airflow's services"]
fn a_load_that_finds_the_warehouse_held_is_tried_again_and_a_backfill_gives_its_last_days_tables() {
    let bundled = Bundled::new();
    let scheduler = Scheduler::start(bundled.airflow(&[BUNDLED_DAGS]));
    let (mut holder, mut said) = holder(&bundled);
    scheduler.airflow.succeed(&["dags", "unpause", "music_full_load"]);
    scheduler.airflow.succeed(&["dags", "unpause", "music_incremental_load"]);
    scheduler
        .until("the second try", |scheduler| scheduler.log_of_try("music_full_load", "load", 2).is_some());
    let first = scheduler.log_of_try("music_full_load", "load", 1).unwrap();
    assert!(first.contains("the warehouse is held by another run: `mep run --select dim_time`"), "{first}");
    // Every night's load waits for the full one.
    assert_eq!(scheduler.log_of_try("music_incremental_load", "load", 1), None);
    kill_process(Pid::from_child(&holder), Signal::CONT).unwrap();
    std::io::copy(&mut said, &mut std::io::sink()).unwrap();
    assert_eq!(holder.wait().unwrap().code(), Some(0));
    scheduler.until("the full load", |scheduler| {
        scheduler.runs("music_full_load").iter().any(|(_, state)| state == "success")
    });
    scheduler.until("last night's load", |scheduler| {
        scheduler.runs("music_incremental_load").iter().any(|(_, state)| state == "success")
    });
    for day in ["2018-11-03", "2018-11-04", "2018-11-05"] {
        bundled.bring(day);
    }
    let days = ["--from-date", "2018-11-03", "--to-date", "2018-11-04"];
    let words = ["backfill", "create", "--dag-id", "music_incremental_load"];
    scheduler.airflow.succeed(&[&words[..], &days].concat());
    scheduler.until("the backfill", |scheduler| {
        let runs = scheduler.runs("music_incremental_load");
        let is_done = |day: &str| runs.contains(&(day.to_owned(), "success".to_owned()));
        is_done("2018-11-03") && is_done("2018-11-04")
    });
    assert_eq!(bundled.tables("warehouse"), bundled.tables_as_of("2018-11-04"));
}
