//! A stream whose source has more rows that cannot be read than may be: it ends before it writes what it read last, and goes on
//! from there once more may be.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Into, Streaming, agrees, counts, listen, project, scraped, values, wait_until};
use crate::kafka::SOURCES;
use crate::kafka::topic::Topic;
use crate::project::Project;

const METRICS: [&str; 2] = ["127.0.0.1:29482", "127.0.0.1:29483"];

/// Declares how many rows may be rejected.
fn limit(project: &Project, topic: &Topic, limit: &str) {
    let sources = SOURCES.replace("TOPIC", topic.name());
    let at = "        event_time: ts\n";
    project.file("sources.yml", sources.replace(at, &format!("{at}        max_rejected: {limit}\n")));
}

fn read(metrics: &str, events: f64) {
    wait_until("the commits", Duration::from_mins(1), || {
        let read = values(&scraped(metrics), "mep_stream_events_read_total");
        read.len() == 3 && read.iter().all(|read| (*read - events).abs() < 0.5)
    });
}

fn heard(project: &Project) -> Json {
    project.rows("select user_id, song from main.each order by ts, user_id")
}

/// That a stream ends by itself, for the limit.
#[track_caller]
fn ends_by_the_limit(project: &Project, stream: Streaming, told: &str) {
    let before = heard(project);
    let (code, said) = stream.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(told) && said.contains("nothing of what was read last is written"), "{said}");
    assert!(said.contains("raise `max_rejected`"), "{said}");
    assert_eq!(heard(project), before);
}

#[test]
fn a_stream_ends_when_more_is_rejected_than_may_be_and_goes_on_from_there_with_a_higher_limit() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    limit(&project, &topic, "1");
    let bad = || "{oops".to_owned();
    topic.send(0, &[listen(0, 2, "a"), bad(), listen(1, 4, "b")]);
    let stream = Streaming::start(&project, &["--metrics", METRICS[0]], None);
    read(METRICS[0], 3.0);
    let first = json!([{"user_id": 2, "song": "a"}, {"user_id": 4, "song": "b"}]);
    assert_eq!(heard(&project), first);

    // What comes with one too many is not written, whatever else it holds; nor is it by a stream that is started again.
    topic.send(0, &[listen(2, 6, "c"), bad(), listen(3, 8, "d")]);
    let told = "events that it has read are rejected, and `max_rejected` is 1";
    let (code, said) = stream.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(told), "{said}");
    assert_eq!(heard(&project), first);
    ends_by_the_limit(&project, Streaming::start(&project, &[], None), told);
    let output = project.run(&["run", "--select", "each"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert_eq!(heard(&project), first);

    // More may be: nothing is lost, and nothing counts twice.
    limit(&project, &topic, "2");
    let stream = Streaming::start(&project, &["--metrics", METRICS[1]], None);
    read(METRICS[1], 6.0);
    topic.send(0, &[listen(4, 10, "e")]);
    read(METRICS[1], 7.0);
    let (code, said, _) = stream.stop();
    assert_eq!((code, counts(&said)["each"]), (Some(0), [7, 5, 0, 2]), "{said}");
    let all = ["a", "b", "c", "d", "e"];
    let all: Vec<Json> =
        all.iter().zip(1..).map(|(song, number)| json!({"user_id": 2 * number, "song": song})).collect();
    assert_eq!(heard(&project), json!(all));
    agrees(&project, &[]);

    // A share is one of all that was read.
    limit(&project, &topic, "25%");
    topic.send(0, &[listen(5, 12, "f"), bad()]);
    ends_by_the_limit(
        &project,
        Streaming::start(&project, &[], None),
        "events that it has read are rejected, and `max_rejected` is 25%",
    );
    limit(&project, &topic, "34%");
    assert_eq!(counts(&super::caught_up(&project))["each"], [9, 6, 0, 3]);
    // The nightly run has a limit of its own landings, which is not looked at here.
    limit(&project, &topic, "null");
    agrees(&project, &[]);
}
