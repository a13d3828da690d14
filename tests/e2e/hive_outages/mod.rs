//! Services that end, come back or run full while a run is under way, from Kafka into Hive: the run ends in good time, the next
//! one comes to the rows of an undisturbed run, and a query that HiveServer2 answers meanwhile shows old or new partitions.

mod reader;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::kafka::topic::Topic;
use crate::project::{DAY, NOVEMBER, Project};
use crate::services::hive::Hive;
use crate::services::own_stack::OwnStack;
use reader::{Reader, by_day, check};

/// One outage at a time, all in one stack, which ends with the tests' process.
static STACK: Mutex<Option<OwnStack>> = Mutex::new(None);

/// The same with two NameNodes behind one name.
static PAIR: Mutex<Option<OwnStack>> = Mutex::new(None);

const SERVICES: [&str; 4] = ["kafka", "hdfs", "metastore", "hiveserver2"];

/// However a run ends, it does so within this time of the outage.
const PATIENCE: Duration = Duration::from_mins(2);

/// Seconds that services may take to answer, in the profile.
const TIMEOUT: &str = "10";

/// How long a song's name is: more than one piece of messages is read.
const NAME: usize = 1000;

type Rows = Vec<Vec<String>>;

/// The turn of a test: all services are up when it begins.
struct Turn(MutexGuard<'static, Option<OwnStack>>);

impl Turn {
    fn take() -> Self {
        let mut stack = STACK.lock().unwrap_or_else(PoisonError::into_inner);
        match stack.as_ref() {
            Some(stack) => {
                for service in ["namenode", "datanode", "metastore"] {
                    stack.freeze(service, false);
                }
                stack.up(&SERVICES);
            }
            None => *stack = Some(OwnStack::start("stack-outages", &SERVICES)),
        }
        Self(stack)
    }

    /// A turn of the stack with two NameNodes.
    fn take_pair() -> Self {
        let mut stack = PAIR.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stack) = stack.as_ref() {
            stack.up(&SERVICES);
        } else {
            let named = [("MEP_STACK_NAMESERVICE", "pair")];
            *stack = Some(OwnStack::start_with("stack-pair", &SERVICES, &named));
        }
        Self(stack)
    }

    fn stack(&self) -> &OwnStack {
        self.0.as_ref().unwrap()
    }
}

/// A project from a topic of its own into a schema of its own.
struct Outage<'a> {
    stack: &'a OwnStack,
    project: Project,
    schema: String,
    topic: Topic,
    days: i64,
}

/// A run that stands still; a test that fails meanwhile ends it.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A name of digits that zstd cannot shorten much, so that a file is more than one piece of a block.
fn name(seed: i64) -> String {
    let mut state = seed as u64;
    let digits = (0..NAME).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + ((state >> 33) % 10) as u8)
    });
    digits.collect()
}

/// How a run ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl<'a> Outage<'a> {
    fn new(stack: &'a OwnStack, name: &str) -> Self {
        let topic = Topic::at(stack.address("KAFKA").to_owned(), 2);
        let schema = format!("mep_{name}_{}", std::process::id());
        let project = Project::with_listens();
        let kafka = format!("{{type: kafka, brokers: '{}', timeout: {TIMEOUT}}}", stack.address("KAFKA"));
        let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
        let topics = format!("event_time: ts\n        topics: [{}]", topic.name());
        let sources = sources.replace("event_time: ts", &topics);
        project.file("sources.yml", sources);
        project.file(
            "profiles.yml",
            format!(
                "songs:
  target: hive
  outputs:
    hive:
      type: hive
      metastore: {}
      location: {}/warehouse/tests
      hadoop_conf_dir: {}
      schema: {schema}
      timeout: {TIMEOUT}
      threads: 2
      sources:
        events: {kafka}
    hasty:
      type: hive
      metastore: {}
      location: {}/warehouse/tests
      schema: {schema}
      timeout: 4
      threads: 2
      sources:
        events: {kafka}
    local:
      type: local
      path: local
      schema: {schema}
      sources:
        events: {kafka}
",
                stack.address("METASTORE"),
                stack.address("HDFS"),
                stack.address("HADOOP_CONF_DIR"),
                stack.address("METASTORE"),
                stack.address("HDFS"),
            ),
        );
        project.model(
            "fact",
            "{{ config(materialized='incremental', partition_by='event_date') }}
             select event_date, user_id, count(*) as listens, min(substr(song, 1, 8)) as first_song
             from {{ source('events', 'listens') }} group by event_date, user_id",
        );
        project.model(
            "total",
            "{{ config(materialized='table') }} select sum(listens) as listens from {{ ref('fact') }}",
        );
        let mut outage = Self { stack, project, schema, topic, days: 0 };
        outage.deliver();
        outage.succeed(&["run"]);
        outage
    }

    /// More messages than are read at once: of a new day, and late ones of all days before.
    fn deliver(&mut self) {
        let day = self.days;
        self.days += 1;
        for partition in 0..2 {
            let listen = |number: i64| {
                let (of, user) =
                    if number % 10 == 0 { (number / 10 % (day + 1), 100 + day) } else { (day, number % 7) };
                let song = name(number * 7919 % 100_003);
                let at = NOVEMBER + of * DAY + number;
                serde_json::json!({"ts": at, "user_id": user, "song": song, "seconds": 60.5}).to_string()
            };
            self.topic.send(partition, &(0..5000).map(listen).collect::<Vec<String>>());
        }
    }

    /// Starts a run that stands still at a place.
    #[track_caller]
    fn start(&self, target: &str, place: &str) -> Held {
        let mut command = self.project.command(&["run", "--target", target]);
        command.env("HADOOP_USER_NAME", "root").env("MEP_FAIL_POINT", format!("{place}=stop"));
        let mut held = Held(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
        let child = &mut held.0;
        let state = format!("/proc/{}/stat", child.id());
        let began = Instant::now();
        // The state stands behind the name, which is in brackets.
        while !std::fs::read_to_string(&state).unwrap().contains(") T ") {
            assert!(began.elapsed() < PATIENCE, "the run did not come to {place}");
            if child.try_wait().unwrap().is_some() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("the run ended before {place}: {said}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        held
    }

    /// Lets a run go on to its end.
    fn go_on(mut held: Held) -> Ended {
        let child = &mut held.0;
        let pid = i32::try_from(child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::CONT).unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let reading = std::thread::spawn(move || {
            let mut said = String::new();
            lines.read_line(&mut said).unwrap();
            lines.read_to_string(&mut said).unwrap();
            said
        });
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("the run did not end within {PATIENCE:?}: {}", reading.join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        Ended { code: status.code(), said: reading.join().unwrap() }
    }

    #[track_caller]
    fn succeed(&self, words: &[&str]) {
        let output = self.project.command(words).env("HADOOP_USER_NAME", "root").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    fn facts(&self) -> String {
        let schema = &self.schema;
        format!("select event_date, user_id, listens, first_song from {schema}.fact")
    }

    /// What HiveServer2 reads, in order.
    fn hive(&self, sql: &str) -> Rows {
        let mut rows = Hive::connect(self.stack.address("HIVESERVER2")).rows(sql);
        rows.sort();
        rows
    }

    /// What mep reads from an undisturbed run into a warehouse of its own.
    fn undisturbed(&self, sql: &str) -> Rows {
        self.succeed(&["run", "--target", "local", "--full-refresh"]);
        let words = ["show", "--target", "local", "--inline", sql, "--limit", "-1", "--output", "json"];
        let shown: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(&self.project.print(&words)).unwrap();
        let text =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut rows: Rows = shown.iter().map(|row| row.values().map(text).collect()).collect();
        rows.sort();
        rows
    }

    /// A run that stands still at a place while `outage` happens, and `recovery` only when it has ended.
    fn run(
        &mut self,
        target: &str,
        place: &str,
        outage: impl FnOnce(&OwnStack),
        recovery: impl FnOnce(&OwnStack),
    ) -> Ended {
        let old = self.hive(&self.facts());
        self.deliver();
        let reader = Reader::start(self.stack.address("HIVESERVER2"), self.facts());
        let held = self.start(target, place);
        let began = Instant::now();
        outage(self.stack);
        let ended = Self::go_on(held);
        eprintln!("{place}: exit code {:?}\n{}", ended.code, ended.said);
        recovery(self.stack);
        let outage = began..Instant::now();
        self.succeed(&["run"]);
        let new = self.hive(&self.facts());
        let seen = reader.end();
        assert_eq!(new, self.undisturbed(&self.facts()), "{place}");
        let total = format!("select listens from {}.total", self.schema);
        assert_eq!(self.hive(&total), self.undisturbed(&total), "{place}");
        check(&seen, &outage, &by_day(&old), &by_day(&new));
        ended
    }
}

/// Ends a service and starts it again while a run stands still at each place, and then once more without starting it before
/// the run has ended.
fn restart(name: &str, service: &str, places: &[&str]) {
    let turn = Turn::take();
    let mut outage = Outage::new(turn.stack(), name);
    for place in places {
        let ended = outage.run(
            "hive",
            place,
            |stack| {
                stack.kill(&[service]);
                stack.up(&[service]);
            },
            |_| {},
        );
        expect_clear(&ended);
        let ended = outage.run("hive", place, |stack| stack.kill(&[service]), |stack| stack.up(&[service]));
        expect_clear(&ended);
    }
}

/// A run either succeeds or says why not.
#[track_caller]
fn expect_clear(ended: &Ended) {
    let said = &ended.said;
    match ended.code {
        Some(0) => {}
        Some(1) => assert!(said.contains("error") || said.contains("failed"), "{said}"),
        code => panic!("exit code {code:?}\n{said}"),
    }
    assert!(!said.contains("panicked") && !said.contains("cx:") && !said.contains("rpc_info"), "{said}");
}

#[test]
#[ignore = "nightly: restarts services"]
fn the_namenode_goes_and_comes_back() {
    restart(
        "namenode",
        "namenode",
        &["landing-after-piece", "landing-before-publish", "build-before-publish", "hive-before-swap"],
    );
}

#[test]
#[ignore = "nightly: restarts services"]
fn the_datanode_goes_and_comes_back() {
    restart(
        "datanode",
        "datanode",
        &["landing-after-piece", "landing-before-publish", "build-before-publish"],
    );
}

#[test]
#[ignore = "nightly: restarts services"]
fn the_only_datanode_is_lost_in_the_middle_of_a_block() {
    let turn = Turn::take();
    let mut outage = Outage::new(turn.stack(), "block");
    for back_at_once in [true, false] {
        let ended = outage.run(
            "hive",
            "hdfs-in-a-block",
            |stack| {
                stack.kill(&["datanode"]);
                if back_at_once {
                    stack.up(&["datanode"]);
                }
            },
            |stack| stack.up(&["datanode"]),
        );
        // What the DataNode had of the block is lost with it.
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        expect_clear(&ended);
    }
}

#[test]
#[ignore = "nightly: restarts services"]
fn the_active_namenode_is_lost_and_the_other_one_takes_over() {
    let turn = Turn::take_pair();
    let mut outage = Outage::new(turn.stack(), "pair");
    let (mut active, mut other) = ("namenode", "standby");
    for place in [
        "landing-after-piece",
        "hdfs-in-a-block",
        "landing-before-publish",
        "build-before-publish",
        "hive-before-swap",
    ] {
        let ended = outage.run(
            "hive",
            place,
            |stack| {
                stack.kill(&[active]);
                stack.hdfs(&["haadmin", "-transitionToActive", "--forceactive", other]);
            },
            // It comes back as the one that waits.
            |stack| stack.up(&[active]),
        );
        assert_eq!(ended.code, Some(0), "{place}: {}", ended.said);
        std::mem::swap(&mut active, &mut other);
    }
}

#[test]
#[ignore = "nightly: restarts services"]
fn the_metastore_goes_and_comes_back() {
    restart(
        "metastore",
        "metastore",
        &[
            "landing-after-piece",
            "hive-before-table",
            "hive-after-to-come",
            "hive-before-swap",
            "hive-after-swap",
        ],
    );
}

#[test]
#[ignore = "nightly: restarts services"]
fn the_broker_goes_and_comes_back() {
    restart("broker", "kafka", &["landing-before-read", "landing-after-piece"]);
}

#[test]
#[ignore = "nightly: restarts services"]
fn the_warehouse_runs_full() {
    let turn = Turn::take();
    let mut outage = Outage::new(turn.stack(), "full");
    let folder = format!("/warehouse/tests/{}.db", outage.schema);
    for place in ["landing-after-piece", "landing-before-publish"] {
        let ended = outage.run(
            "hive",
            place,
            |stack| stack.hdfs(&["dfsadmin", "-setSpaceQuota", "1", &folder]),
            |stack| stack.hdfs(&["dfsadmin", "-clrSpaceQuota", &folder]),
        );
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        assert!(ended.said.contains("The DiskSpace quota of"), "{}", ended.said);
        expect_clear(&ended);
    }
}

#[test]
#[ignore = "nightly: restarts services"]
fn a_service_that_stands_still_is_given_up_on() {
    let turn = Turn::take();
    let mut outage = Outage::new(turn.stack(), "frozen");
    for (service, place, silent) in [
        ("namenode", "landing-after-piece", "no answer from hdfs at "),
        ("datanode", "landing-after-piece", "no answer from hdfs at "),
        ("datanode", "landing-before-publish", "no answer from hdfs at "),
        ("metastore", "build-before-publish", "no answer from the hive metastore at "),
        ("metastore", "hive-before-swap", "no answer from the hive metastore at "),
    ] {
        let ended = outage.run(
            "hasty",
            place,
            |stack| stack.freeze(service, true),
            |stack| stack.freeze(service, false),
        );
        expect_clear(&ended);
        assert!(ended.said.contains(silent), "{service} at {place}: {}", ended.said);
    }
}
