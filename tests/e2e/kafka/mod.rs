//! Landing from a real Kafka: each message exactly once, whatever happens in between, and never a gap in silence.

pub(crate) mod avro;
mod compacted;
mod landing;
mod lost;
mod sending;
pub(crate) mod topic;

use serde_json::Value as Json;

use crate::project::{DAY, NOVEMBER, Project};
use topic::Topic;

/// A source whose table `listens` is the messages of a topic.
pub(crate) const SOURCES: &str = "\
sources:
  - name: events
    tables:
      - name: listens
        event_time: ts
        topics: [TOPIC]
        columns:
          - {name: ts, data_type: bigint}
          - {name: user_id, data_type: bigint, constraints: [{type: not_null}]}
          - {name: song, data_type: varchar}
";

/// A project whose source `events.listens` is this topic, with one model over it.
fn project(topic: &Topic) -> Project {
    let project = Project::new();
    project.file("profiles.yml", profiles("")).file("sources.yml", SOURCES.replace("TOPIC", topic.name()));
    project.model(
        "by_day",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, count(*) as plays from {{ source('events', 'listens') }} group by event_date",
    );
    project
}

/// The profile, with more said of the connection.
fn profiles(more: &str) -> String {
    let target = |name: &str| {
        format!(
            "    {name}:\n      type: local\n      path: {name}\n      schema: main\n      threads: 2\n      sources:\n        \
             events: {{type: kafka, brokers: '{}'{more}}}\n",
            topic::brokers()
        )
    };
    format!("songs:\n  target: warehouse\n  outputs:\n{}{}", target("warehouse"), target("fresh"))
}

/// Lets the table take what is lost.
fn accept_lost(project: &Project, topic: &Topic) {
    let accepting = SOURCES.replace("topics: [TOPIC]", "topics: [TOPIC]\n        on_lost_offsets: accept");
    project.file("sources.yml", accepting.replace("TOPIC", topic.name()));
}

/// A listen, `day` days after the first of November.
fn listen(day: i64, user: i64, song: &str) -> String {
    serde_json::json!({"ts": NOVEMBER + day * DAY, "user_id": user, "song": song}).to_string()
}

/// The songs that were landed, in order, with how often.
fn songs(project: &Project) -> Vec<String> {
    let rows = project.rows("select song, count(*) as n from main.raw_listens group by song order by song");
    let song = |row: &Json| format!("{} x{}", row["song"].as_str().unwrap(), row["n"]);
    rows.as_array().unwrap().iter().map(song).collect()
}

/// The units in the record of what was landed: `id: rows`, in order.
fn units(project: &Project) -> Vec<String> {
    let mut units: Vec<String> = batches(project)
        .values()
        .flat_map(|batch| batch["units"].as_array().unwrap())
        .map(|unit| format!("{}: {}", unit["id"].as_str().unwrap(), unit["landed"]))
        .collect();
    units.sort();
    units
}

fn batches(project: &Project) -> serde_json::Map<String, Json> {
    let manifest = std::fs::read(project.path("warehouse/main/raw_listens/manifest.json")).unwrap();
    serde_json::from_slice::<Json>(&manifest).unwrap()["batches"].as_object().unwrap().clone()
}

/// What is said of a failed landing, without the name that a test's topic bears.
fn why(said: &str, topic: &Topic) -> String {
    let said = said.replace(topic.name(), "[topic]").replace(&topic::brokers(), "[brokers]");
    let why = said.split("source events.listens\n").nth(1).unwrap_or(&said);
    why.lines().next().unwrap_or_default().trim().to_owned()
}
