//! A Cassandra that is slow, small, or stands still by turns: a stream gets through, in bounded memory, and says meanwhile what waits.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::restarts::{MEMORY, resident};
use super::{Streaming, agrees, counts, listen, project_at, scraped, values, wait_until};
use crate::kafka::topic::Topic;
use crate::project::Project;
use crate::services::own_stack::OwnStack;

/// One test at a time, all in one stack, which ends with the tests' process.
static STACK: Mutex<Option<OwnStack>> = Mutex::new(None);

const SERVICES: [&str; 2] = ["kafka", "cassandra"];

/// How many events wait of each of three partitions.
const EVENTS: i64 = 40_000;

/// How many models there are over them.
const MODELS: usize = 5;

const BY_USER: &str = "\
{{ config(materialized='streaming', partition_key='day', clustering=['minute', 'user_id'], allowed_lateness='2 minutes') }}
select
    cast(date_trunc('minute', to_timestamp_millis(ts)) as date) as day,
    date_trunc('minute', to_timestamp_millis(ts)) as minute, user_id, count(*) as plays
from {{ source('events', 'listens') }} group by date_trunc('minute', to_timestamp_millis(ts)), user_id
";

const BY_HOUR: &str = "\
{{ config(materialized='streaming', partition_key='hour', clustering='song', allowed_lateness='2 minutes') }}
select date_trunc('hour', to_timestamp_millis(ts)) as hour, song, count(*) as plays
from {{ source('events', 'listens') }} group by 1, 2
";

fn stack() -> MutexGuard<'static, Option<OwnStack>> {
    let mut stack = STACK.lock().unwrap_or_else(PoisonError::into_inner);
    if stack.is_none() {
        let heap = [("CASSANDRA_HEAP", "384m")];
        *stack = Some(OwnStack::start_with("stack-slow", &SERVICES, &heap));
    }
    stack
}

/// A topic in which many events wait that give about as many rows, and five models over it.
fn project(stack: &OwnStack, more: &str) -> (Topic, Project) {
    let brokers = stack.address("KAFKA");
    let topic = Topic::at(brokers.to_owned(), 3);
    for partition in 0..3 {
        let events = (0..EVENTS).map(|number| {
            let song = format!("song {}", number % 977);
            listen(number / 10, number * 2 + i64::from(partition), &song)
        });
        topic.send(partition, &events.collect::<Vec<_>>());
    }
    let project = project_at(&topic, brokers, Some(stack.address("CASSANDRA")));
    let profiles = std::fs::read_to_string(project.path("profiles.yml")).unwrap();
    project.file("profiles.yml", profiles.replace("type: cassandra,", &format!("type: cassandra, {more}")));
    project.model("by_user", BY_USER).model("by_hour", BY_HOUR);
    (topic, project)
}

/// Ten turns of twelve seconds of which Cassandra answers in the last one; gives the most memory that the stream took, in megabytes,
/// and after each turn how many models have committed and what is behind.
fn ten_turns(stack: &OwnStack, stream: &Streaming, metrics: &str) -> (u64, Vec<(usize, f64)>) {
    let (mut most, mut turns) = (0, Vec::new());
    for turn in 0..10 {
        std::thread::sleep(Duration::from_secs(11));
        most = most.max(resident(stream.0.id()));
        let numbers = scraped(metrics);
        let epochs = values(&numbers, "mep_stream_epoch");
        let committed = epochs.iter().filter(|epoch| **epoch > 0.0).count();
        let lag: f64 = values(&numbers, "mep_stream_lag_events").iter().sum();
        eprintln!("turn {turn}: {committed} models, lag {lag}, {most} MB");
        turns.push((committed, lag));
        stack.freeze("cassandra", false);
        std::thread::sleep(Duration::from_secs(1));
        stack.freeze("cassandra", turn < 9);
    }
    (most, turns)
}

/// All is committed soon after the turns, in little memory, once, and agrees with what a run lands.
fn gets_through(project: &Project, stream: Streaming, metrics: &str, most: u64) {
    wait_until("all models", Duration::from_mins(1), || {
        let lag = values(&scraped(metrics), "mep_stream_model_lag_events");
        lag.len() == MODELS && lag.iter().all(|lag| *lag == 0.0)
    });
    let (code, said, _) = stream.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("trying again"), "{said}");
    assert!(most < MEMORY, "{most} MB");
    assert_eq!(counts(&said)["by_minute"], [3 * EVENTS.unsigned_abs(), 3 * EVENTS.unsigned_abs(), 0, 0]);
    agrees(project, &[]);
}

#[test]
#[ignore = "nightly: makes a service stand still for two minutes"]
fn a_stream_commits_into_a_cassandra_that_answers_one_second_in_twelve() {
    const METRICS: &str = "127.0.0.1:29468";
    let stack = stack();
    let stack = stack.as_ref().unwrap();
    stack.freeze("cassandra", false);
    let (_topic, project) = project(stack, "");
    let stream = Streaming::start(&project, &["--metrics", METRICS], None);
    // It has begun, and perhaps read something.
    wait_until("its beginning", Duration::from_mins(1), || {
        values(&scraped(METRICS), "mep_stream_epoch").len() == MODELS
    });
    stack.freeze("cassandra", true);
    let (most, turns) = ten_turns(stack, &stream, METRICS);
    assert!(turns.iter().any(|(_, lag)| *lag > 0.0), "what is read and not committed is behind: {turns:?}");
    assert!(turns.last().unwrap().0 >= 2, "models commit one after another: {turns:?}");
    gets_through(&project, stream, METRICS, most);
}

#[test]
#[ignore = "nightly: makes a service stand still for two minutes"]
fn a_stream_begins_at_a_cassandra_that_answers_one_second_in_twelve() {
    const METRICS: &str = "127.0.0.1:29467";
    let stack = stack();
    let stack = stack.as_ref().unwrap();
    let (_topic, project) = project(stack, "");
    // From the first moment on: all tables are yet to be made.
    stack.freeze("cassandra", true);
    let stream = Streaming::start(&project, &["--metrics", METRICS], None);
    let (most, _) = ten_turns(stack, &stream, METRICS);
    gets_through(&project, stream, METRICS, most);
}

#[test]
#[ignore = "nightly: a Cassandra of its own, in little memory"]
fn a_cassandra_in_little_memory_gets_all_rows_whatever_the_bound() {
    const METRICS: &str = "127.0.0.1:29469";
    let stack = stack();
    let stack = stack.as_ref().unwrap();
    stack.freeze("cassandra", false);
    for concurrency in [1, 2_048] {
        let (_topic, project) = project(stack, &format!("concurrency: {concurrency},"));
        let stream = Streaming::start(&project, &["--metrics", METRICS], None);
        let mut most = 0;
        wait_until("all models", Duration::from_mins(3), || {
            most = most.max(resident(stream.0.id()));
            let lag = values(&scraped(METRICS), "mep_stream_model_lag_events");
            lag.len() == MODELS && lag.iter().all(|lag| *lag == 0.0)
        });
        let (code, said, _) = stream.stop();
        assert_eq!(code, Some(0), "{said}");
        assert!(most < MEMORY, "{most} MB");
        agrees(&project, &[]);
    }
}
