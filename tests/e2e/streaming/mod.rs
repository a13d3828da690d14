//! Streams from a real Kafka: into local tables, and into a real Cassandra.

pub(crate) mod kills;
mod limit;
mod living;
mod refused;
mod restarts;
mod schemas;
mod slow;
mod standby;

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::kafka::SOURCES;
use crate::kafka::topic::{self, Topic};
use crate::project::{NOVEMBER, Project};
use crate::services::address;

const BY_MINUTE: &str = "\
{{ config(materialized='streaming', partition_key='day', clustering=['minute desc', 'song'], allowed_lateness='2 minutes') }}
select
    cast(date_trunc('minute', to_timestamp_millis(ts)) as date) as day,
    date_trunc('minute', to_timestamp_millis(ts)) as minute,
    song, count(*) as plays, count(distinct user_id) as users, sum(user_id) as total, avg(user_id) as mean
from {{ source('events', 'listens') }}
group by date_trunc('minute', to_timestamp_millis(ts)), song
";

const POPULAR: &str = "\
{{ config(materialized='streaming', partition_key='start', clustering='song', allowed_lateness='2 minutes') }}
select tumble(to_timestamp_millis(ts), interval '5 minutes') as start, song, count(*) as plays
from {{ source('events', 'listens') }}
group by 1, 2 having count(*) > 3
";

const EACH: &str = "\
{{ config(materialized='streaming', partition_key='user_id', clustering=['ts desc', 'song']) }}
select user_id, to_timestamp_millis(ts) as ts, song
from {{ source('events', 'listens') }} where user_id % 2 = 0 and song is not null
";

/// Where rows of streaming models go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    Local,
    Cassandra,
}

/// A project with a topic and three streaming models over it; a keyspace of its own.
fn project(topic: &Topic, into: Into) -> Project {
    let cassandra = match into {
        Into::Local => None,
        Into::Cassandra => Some(address("MEP_TEST_CASSANDRA")),
    };
    project_at(topic, &topic::brokers(), cassandra.as_deref())
}

/// The same over these brokers, and into this Cassandra.
fn project_at(topic: &Topic, brokers: &str, cassandra: Option<&str>) -> Project {
    let project = Project::new();
    let cassandra = cassandra.map_or_else(String::new, |node| {
        let keyspace = keyspace(topic);
        format!("\n      streaming: {{type: cassandra, contact_points: '{node}', keyspace: {keyspace}}}")
    });
    project.file(
        "profiles.yml",
        format!(
            "songs:\n  target: here\n  outputs:\n    here:\n      type: local\n      path: warehouse\n      schema: main\n      threads: 2\n      \
             sources:\n        events: {{type: kafka, brokers: '{brokers}'}}{cassandra}\n",
        ),
    );
    project.file("sources.yml", SOURCES.replace("TOPIC", topic.name()));
    project.model("by_minute", BY_MINUTE).model("popular", POPULAR).model("each", EACH);
    project
}

fn keyspace(topic: &Topic) -> String {
    topic.name().replace('-', "_")
}

/// A listen so many seconds after the first of November.
fn listen(second: i64, user: i64, song: &str) -> String {
    serde_json::json!({"ts": NOVEMBER + second * 1_000, "user_id": user, "song": song}).to_string()
}

/// A stream that goes on, killed when dropped.
struct Streaming(Child);

impl Streaming {
    fn start(project: &Project, words: &[&str], fail_point: Option<&str>) -> Self {
        let mut command = project.command(&[&["stream", "--interval", "1"], words].concat());
        if let Some(point) = fail_point {
            command.env("MEP_FAIL_POINT", point);
        }
        Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Asks it to stop, and gives its code, what it said, and how long it took.
    fn stop(mut self) -> (Option<i32>, String, Duration) {
        let pid = rustix::process::Pid::from_raw(self.0.id() as i32).unwrap();
        let asked = Instant::now();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut said).unwrap();
        let code = self.0.wait().unwrap().code();
        (code, said, asked.elapsed())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a run says became of the events, by model: read, taken, late, dead.
fn counts(said: &str) -> BTreeMap<String, [u64; 4]> {
    let pattern =
        regex::Regex::new(r"(?m)^(\w+): read ([\d,]+) = taken ([\d,]+) \+ late ([\d,]+) \+ dead ([\d,]+)")
            .unwrap();
    let number = |text: &str| text.replace(',', "").parse().unwrap();
    let counts = pattern.captures_iter(said).map(|found| {
        (found[1].to_owned(), [number(&found[2]), number(&found[3]), number(&found[4]), number(&found[5])])
    });
    counts.collect()
}

/// What the next run says once it has read all.
fn caught_up(project: &Project) -> String {
    let mut said = String::new();
    // The lease of one that was killed lasts for half a minute.
    wait_until("the lease", Duration::from_mins(1), || {
        let output = project.run(&["run", "--select", "by_minute popular each"]);
        said = output.stderr;
        assert!(matches!(output.code, Some(0 | 3)), "{said}");
        output.code == Some(0)
    });
    said
}

/// Both sides beside each other.
fn reconciled(project: &Project) -> Json {
    let output = project.run(&["reconcile", "--output", "json", "--limit", "1000"]);
    assert!(matches!(output.code, Some(0 | 1)), "{}", output.stderr);
    serde_json::from_str(&output.stdout).unwrap()
}

/// Lands what there is, and says that both sides agree but for the causes that are given.
#[track_caller]
fn agrees(project: &Project, but_for: &[&str]) {
    project.succeed(&["run"]);
    let outcome = reconciled(project);
    for (model, compared) in outcome["models"].as_object().unwrap() {
        // Popular songs need more plays than some tests have.
        assert!(model == "popular" || compared["rows"].as_u64().unwrap() > 0, "{model} has no rows");
        for difference in compared["differences"].as_array().unwrap() {
            let cause = difference["cause"].as_str().unwrap_or("unknown");
            assert!(but_for.contains(&cause), "{model}: {difference:#}");
        }
    }
}

/// The numbers of a stream at this address; nothing where it does not answer.
fn scraped(address: &str) -> String {
    let answer = ureq::get(format!("http://{address}/metrics")).call();
    answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok()).unwrap_or_default()
}

/// The values of a number of a stream, of all that it is kept for.
fn values(scraped: &str, name: &str) -> Vec<f64> {
    let lines = scraped.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
