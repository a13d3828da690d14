//! Avro messages whose schemas come later, or become others.

use serde_json::json;

use super::{profiles, project};
use crate::kafka::topic::Topic;
use crate::project::{DAY, NOVEMBER, Project};

const NARROW: &str = r#"{"type": "record", "name": "listen", "fields": [
    {"name": "ts", "type": "long"}, {"name": "user_id", "type": "long"}]}"#;

/// A schema with a third field of this name.
pub(crate) fn wide(name: &str) -> String {
    let third = format!(r#", {{"name": "{name}", "type": "string"}}]"#);
    NARROW.replace(']', &third)
}

/// A number as Avro writes it.
fn long(value: i64) -> Vec<u8> {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// A message by the schema of this id, which has a song where it is wide.
pub(crate) fn message(id: u32, day: i64, user: i64, song: Option<&str>) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(id.to_be_bytes());
    message.extend([long(NOVEMBER + day * DAY), long(user)].concat());
    if let Some(song) = song {
        message.extend(long(song.len() as i64));
        message.extend(song.as_bytes());
    }
    message
}

pub(crate) fn send(topic: &Topic, messages: &[Vec<u8>]) {
    topic.send_values(0, &messages.iter().map(|message| Some(message.as_slice())).collect::<Vec<_>>());
}

pub(crate) fn avro_project(topic: &Topic) -> Project {
    let project = project(topic);
    project.file("profiles.yml", profiles(", format: avro, schemas: schemas, wire: confluent"));
    project.file("schemas/listens.1.avsc", NARROW);
    project.model(
        "songs",
        "{{ config(materialized='table') }}
        select user_id, song from {{ source('events', 'listens') }}",
    );
    project
}

/// The rows of an incremental run, which must be those that a fresh warehouse gets.
#[track_caller]
fn songs(project: &Project) -> serde_json::Value {
    let sql = "select user_id, song from main.songs order by user_id";
    project.succeed(&["run", "--target", "fresh", "--full-refresh"]);
    let fresh = project.print(&["show", "--target", "fresh", "--inline", sql, "--output", "json"]);
    let rows = project.rows(sql);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&fresh).unwrap(), rows);
    rows
}

#[test]
fn messages_whose_schema_comes_later_are_landed_once_it_is_there() {
    let topic = Topic::new(1);
    let project = avro_project(&topic);
    send(&topic, &[message(1, 0, 1, None), message(7, 0, 2, Some("a"))]);
    project.succeed(&["run"]);
    send(&topic, &[message(1, 1, 3, None)]);
    project.succeed(&["run"]);
    assert_eq!(project.plan(), Vec::<String>::new());

    project.file("schemas/listens.7.avsc", wide("song"));
    let plan = project.plan();
    assert_eq!(plan[0], "events.listens: land: 1 with rejected rows to try again");
    let said = project.succeed(&["run"]);
    assert!(said.contains("(1 with rejected rows to try again)") && !said.contains("rejected  "), "{said}");
    assert_eq!(
        songs(&project),
        json!([{"user_id": 1, "song": null}, {"user_id": 2, "song": "a"}, {"user_id": 3, "song": null}])
    );
    assert_eq!(project.rows("select * from main.raw_listens_rejects"), json!([]));

    // A schema that no message bears, or the same one in other words, changes nothing.
    project.file("schemas/listens.8.avsc", wide("artist"));
    project.file("schemas/listens.7.avsc", wide("song").replace(": ", ":\n"));
    assert_eq!(project.plan(), Vec::<String>::new());

    // Another one reads the same messages to other rows.
    project.file("schemas/listens.7.avsc", wide("artist"));
    let plan = project.plan();
    assert_eq!(plan[0], "events.listens: land: 1 read with other schemas of its messages");
    project.succeed(&["run"]);
    assert_eq!(songs(&project)[1], json!({"user_id": 2, "song": null}));
    assert_eq!(project.plan(), Vec::<String>::new());
}

#[test]
fn what_is_rejected_whatever_the_schemas_are_is_not_read_over_and_over() {
    let topic = Topic::new(1);
    let project = avro_project(&topic);
    let mut messages: Vec<Vec<u8>> = (100..200).map(|id| message(id, 0, 1, None)).collect();
    messages.push(b"none".to_vec());
    send(&topic, &messages);
    project.succeed(&["run"]);
    assert_eq!(project.plan(), Vec::<String>::new());
    project.file("schemas/listens.150.avsc", NARROW);
    assert_eq!(project.plan()[0], "events.listens: land: 1 with rejected rows to try again");
    let said = project.succeed(&["run"]);
    assert!(
        said.contains("rejected  events.listens: 100 of 101 rows by now, in main.raw_listens_rejects"),
        "{said}"
    );
    assert_eq!(project.plan(), Vec::<String>::new());
}

#[test]
fn messages_whose_schema_comes_after_they_expired_stay_rejected_and_that_is_told() {
    let topic = Topic::new(1);
    let project = avro_project(&topic);
    send(&topic, &[message(1, 0, 1, None), message(7, 0, 2, Some("a"))]);
    project.succeed(&["run"]);
    topic.expire(0, 1);
    project.file("schemas/listens.7.avsc", wide("song"));
    let said = project.succeed(&["run"]);
    assert!(said.contains("events.listens: rejected rows of 1 unit might be readable now"), "{said}");
    assert!(said.contains("rejected  events.listens: 1 of 2 rows by now"), "{said}");
}
