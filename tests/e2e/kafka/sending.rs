//! generate --to kafka, and Avro messages.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_avro::schema::FingerprintStrategy;
use arrow_avro::writer::WriterBuilder;
use arrow_avro::writer::format::{AvroBinaryFormat, AvroFormat, AvroSoeFormat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

use super::{profiles, project, songs};
use crate::kafka::topic::{Topic, brokers};
use crate::project::{NOVEMBER, Project};

/// What the simulator's events are counted as in files.
fn counted_in_files(project: &Project, topic: &str) -> u64 {
    let words = ["generate", "--to", "files", "--days", "2", "--users", "200", "--compression", "none"];
    project.succeed(&words);
    let folder = project.path("files").join(topic);
    let lines =
        |file: std::fs::DirEntry| std::fs::read_to_string(file.path()).unwrap().lines().count() as u64;
    std::fs::read_dir(folder).unwrap().map(|file| lines(file.unwrap())).sum()
}

/// Lands the listens that were sent to topics of this prefix in `main.raw_listen_events`.
#[track_caller]
fn land_listens(project: &Project, prefix: &str) {
    project.file("profiles.yml", profiles(&format!(", topic_prefix: '{prefix}'")));
    let sources = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/sources.yml")).unwrap();
    project.file("sources.yml", sources);
    project.succeed(&["run", "--select", "source:events.listen_events"]);
}

#[test]
fn the_simulators_events_arrive_once_in_topics_that_are_made() {
    let topic = Topic::new(1);
    let project = Project::new();
    let prefix = format!("{}.", topic.name());
    let brokers = brokers();
    let words = [
        "generate",
        "--to",
        "kafka",
        "--brokers",
        &brokers,
        "--topic-prefix",
        &prefix,
        "--days",
        "2",
        "--users",
        "200",
        "--partitions",
        "3",
        "--topic",
        "listen_events",
        "auth_events",
    ];
    let said = project.succeed(&words).replace(topic.name(), "[topic]").replace(&brokers, "[brokers]");
    let listens = counted_in_files(&project, "listen_events");
    let expected = format!("[topic].listen_events: {listens} events");
    assert!(listens < 1_000 && said.contains(&expected), "{expected}\n{said}");

    // The events are years old, and would be deleted for it.
    let made = Topic::named(&format!("{prefix}listen_events"));
    assert_eq!(made.setting("retention.ms").as_deref(), Some("-1"));

    land_listens(&project, &prefix);
    let counted = project.rows("select count(*) as n from main.raw_listen_events");
    assert_eq!(counted, json!([{"n": listens}]));
    for name in ["listen_events", "auth_events"] {
        Topic::named(&format!("{prefix}{name}")).delete();
    }
}

/// Sends events in time until all up to now are sent, and is then told to stop.
fn send_up_to_now(project: &Project, words: &[&str]) -> String {
    let mut sending = project.command(words).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(sending.stderr.take().unwrap()).lines().map(Result::unwrap);
    for line in lines.by_ref() {
        said.push_str(&line);
        said.push('\n');
        if line.contains("up to now") {
            let pid = Pid::from_raw(i32::try_from(sending.id()).unwrap()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
        }
    }
    assert_eq!(sending.wait().unwrap().code(), Some(0), "{said}");
    said
}

#[test]
fn live_events_are_those_up_to_now_and_go_on_where_they_ended() {
    let topic = Topic::new(1);
    let project = Project::new();
    let prefix = format!("{}.", topic.name());
    let brokers = brokers();
    let start = (chrono::Utc::now().date_naive() - chrono::Days::new(1)).to_string();
    let simulated = ["--start", &start, "--users", "500", "--duplicates", "0", "--topic", "listen_events"];
    let to_kafka = ["generate", "--to", "kafka", "--live", "--brokers", &brokers, "--topic-prefix", &prefix];
    let words = [&to_kafka[..], &simulated].concat();
    let said =
        send_up_to_now(&project, &words).replace(topic.name(), "[topic]").replace(&brokers, "[brokers]");
    assert!(said.contains(&format!("sending the events from {start} on to Kafka at [brokers]")), "{said}");
    send_up_to_now(&project, &words);

    land_listens(&project, &prefix);
    let sent = project.rows("select ts, \"userId\" as u from main.raw_listen_events order by ts, u");
    let latest = sent.as_array().unwrap().last().unwrap()["ts"].as_i64().unwrap();
    assert!(latest <= chrono::Utc::now().timestamp_millis());

    project.succeed(
        &[&["generate", "--to", "files", "--days", "2", "--compression", "none"], &simulated[..]].concat(),
    );
    let mut expected = Vec::new();
    for file in std::fs::read_dir(project.path("files/listen_events")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        expected.extend(events.map(|event| json!({"ts": event["ts"], "u": event["userId"]})));
    }
    expected.retain(|event| event["ts"].as_i64().unwrap() <= latest);
    expected.sort_by_key(|event| (event["ts"].as_i64(), event["u"].as_i64()));
    assert!(expected.len() > 100, "{}", expected.len());
    assert_eq!(sent, Json::Array(expected));
    Topic::named(&format!("{prefix}listen_events")).delete();
}

#[test]
fn events_of_now_happen_when_they_are_due() {
    let topic = Topic::new(1);
    let project = Project::new();
    let prefix = format!("{}.", topic.name());
    let brokers = brokers();
    let now =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let began = now();
    let sending = [
        "generate",
        "--to",
        "kafka",
        "--brokers",
        &brokers,
        "--topic-prefix",
        &prefix,
        "--now",
        "--rate",
        "400",
    ];
    let said = project
        .succeed(&[&sending[..], &["--days", "1", "--users", "500", "--topic", "listen_events"]].concat());
    let ended = now();
    let sent = regex::Regex::new(r"listen_events: ([\d,]+) events").unwrap();
    let sent: i64 = sent.captures(&said).unwrap()[1].replace(',', "").parse().unwrap();
    land_listens(&project, &prefix);
    let times =
        project.rows("select min(ts) as first, max(ts) as last, count(*) as n from main.raw_listen_events");
    let [first, last, count] = ["first", "last", "n"].map(|name| times[0][name].as_i64().unwrap());
    assert_eq!(count, sent);
    assert!(began <= first && last <= ended, "{began} {first} {last} {ended}");
    // So many a second, whoever was quick.
    assert!((last - first - (sent - 1) * 1_000 / 400).abs() <= 20, "{sent} events in {} ms", last - first);
    Topic::named(&format!("{prefix}listen_events")).delete();
}

#[test]
fn generating_to_brokers_that_are_not_there_fails_and_says_so() {
    let project = Project::new();
    insta::assert_snapshot!(project.fail(2, &["generate", "--to", "kafka", "--days", "1"]), @r"
    error: the target `dev` has no connection of type `kafka`
    help: name the brokers with --brokers kafka-1:9092,kafka-2:9092
    ");
    insta::assert_snapshot!(project.fail(2, &["generate", "--to", "files", "--rate", "5"]), @r"
    error: --rate is for --to kafka, but the events go to files
    help: say --to kafka, or leave it out
    ");
    insta::assert_snapshot!(project.fail(2, &["generate", "--to", "files", "--live"]), @r"
    error: --live is for --to kafka, but the events go to files
    help: say --to kafka, or leave it out
    ");
}

const AVSC: &str = r#"{"type": "record", "name": "listen", "fields": [
    {"name": "ts", "type": "long"},
    {"name": "user_id", "type": ["null", "long"], "default": null},
    {"name": "song", "type": ["null", "string"], "default": null}
]}"#;

/// Each row as an Avro record.
fn records<F: AvroFormat>(rows: &[(i64, Option<i64>, &str)], strategy: FingerprintStrategy) -> Vec<Vec<u8>> {
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
    let users: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
    let songs: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.2)).collect::<StringArray>());
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("ts", times, false),
        ("user_id", users, true),
        ("song", songs, true),
    ])
    .unwrap();
    let builder = WriterBuilder::new(batch.schema().as_ref().clone()).with_fingerprint_strategy(strategy);
    let mut encoder = builder.build_encoder::<F>().unwrap();
    encoder.encode(&batch).unwrap();
    encoder.flush().iter().map(|record| record.to_vec()).collect()
}

const ROWS: [(i64, Option<i64>, &str); 3] =
    [(NOVEMBER, Some(1), "a"), (NOVEMBER, None, "nobody's"), (NOVEMBER, Some(2), "b")];

#[test]
fn avro_records_land_by_the_names_of_their_fields() {
    let topic = Topic::new(1);
    let project = project(&topic);
    project.file("avro/listens.avsc", AVSC);
    project.file("profiles.yml", profiles(", format: avro, schemas: avro"));
    let records = records::<AvroBinaryFormat>(&ROWS, FingerprintStrategy::Rabin);
    let too_long = [&records[0][..], b"!"].concat();
    let values: Vec<Option<&[u8]>> = records
        .iter()
        .map(|record| Some(record.as_slice()))
        .chain([Some(&records[0][..records[0].len() - 1]), Some(&too_long), None, Some(b"")])
        .collect();
    topic.send_values(0, &values);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1", "b x1"]);
    insta::assert_snapshot!(rejects(&project), @r#"
    1: field "user_id" is null, but required
    3: no Avro: the record ends early
    4: no Avro: bytes follow the record: 1
    5: the message has no value (a tombstone)
    6: no Avro: the record ends early
    "#);
}

#[test]
fn avro_records_may_come_with_the_id_of_their_schema() {
    let topic = Topic::new(1);
    let project = project(&topic);
    project.file("avro/listens.7.avsc", AVSC);
    project.file("profiles.yml", profiles(", format: avro, schemas: avro, wire: confluent"));
    let known = records::<AvroSoeFormat>(&ROWS[..1], FingerprintStrategy::Id(7));
    let unknown = records::<AvroSoeFormat>(&ROWS[..1], FingerprintStrategy::Id(8));
    topic.send_values(0, &[Some(&known[0]), Some(&unknown[0]), Some(b"{}"), Some(&known[0])]);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x2"]);
    insta::assert_snapshot!(rejects(&project), @r"
    1: no Avro: there is no schema for the id 8
    2: no Avro: expected a zero byte and the schema's id, found the byte 0x7B
    ");
    std::fs::remove_file(project.path("avro/listens.7.avsc")).unwrap();
    insta::assert_snapshot!(project.fail(2, &["run"]), @r"
     error: there is no Avro schema [folder]/avro/listens.avsc: write the schema that the messages of
     │ `listens` are written with
      ╭─[sources.yml:4:15]
    3 │     tables:
    4 │       - name: listens
      ·               ───────
    5 │         event_time: ts
      ╰────
    ");
}

fn rejects(project: &Project) -> String {
    let rows = project.rows("select \"offset\", reason from main.raw_listens_rejects order by \"offset\"");
    let line = |row: &Json| format!("{}: {}", row["offset"], row["reason"].as_str().unwrap());
    rows.as_array().unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
}
