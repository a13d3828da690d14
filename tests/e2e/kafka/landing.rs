//! What is landed, and when.

use std::collections::BTreeSet;

use serde_json::json;

use super::{SOURCES, batches, listen, profiles, project, songs, units, why};
use crate::kafka::topic::Topic;

/// Without the topic's name.
fn short(units: Vec<String>, topic: &Topic) -> Vec<String> {
    units.into_iter().map(|unit| unit.replace(topic.name(), "t")).collect()
}

#[test]
fn each_run_lands_what_came_since_the_last_one_as_one_batch() {
    let topic = Topic::new(2);
    let project = project(&topic);
    topic.send(0, &[listen(0, 1, "a"), listen(1, 1, "b")]);
    topic.send(1, &[listen(0, 2, "c")]);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1", "b x1", "c x1"]);
    assert_eq!(short(units(&project), &topic), ["t/0@0-2: 2", "t/1@0-1: 1"]);
    assert_eq!(batches(&project).len(), 1);

    let before = project.listing("warehouse");
    project.succeed(&["run"]);
    assert_eq!(project.listing("warehouse"), before);
    assert_eq!(project.plan(), Vec::<String>::new());

    topic.send(1, &[listen(1, 2, "d"), listen(1, 2, "d")]);
    let plan = project.plan();
    assert_eq!(plan[0], "events.listens: land: 1 new");
    assert!(plan[1].starts_with("by_day: build: new rows of raw_listens in 2018-11-02/"), "{plan:?}");
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1", "b x1", "c x1", "d x2"]);
    assert_eq!(short(units(&project), &topic), ["t/0@0-2: 2", "t/1@0-1: 1", "t/1@1-3: 2"]);
    assert_eq!(
        project.rows("select event_date, plays from main.by_day order by 1"),
        json!([{"event_date": "2018-11-01", "plays": 2}, {"event_date": "2018-11-02", "plays": 3}])
    );
}

#[test]
fn an_empty_topic_lands_nothing_and_partitions_may_be_added() {
    let topic = Topic::new(1);
    let project = project(&topic);
    project.succeed(&["run"]);
    assert_eq!(short(units(&project), &topic), ["t/0@0-0: 0"]);
    topic.send(0, &[listen(0, 1, "a")]);
    topic.grow(2);
    topic.send(1, &[listen(0, 1, "b")]);
    project.succeed(&["run"]);
    assert_eq!(short(units(&project), &topic), ["t/0@0-0: 0", "t/0@0-1: 1", "t/1@0-1: 1"]);
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(songs(&project), ["a x1", "b x1"]);
}

#[test]
fn messages_that_cannot_be_read_are_kept_with_their_place_and_reason() {
    let topic = Topic::new(1);
    let project = project(&topic);
    let good = listen(0, 1, "a");
    let pretty = good.replace(',', ",\n  ");
    let values: [Option<&[u8]>; 8] = [
        Some(good.as_bytes()),
        None,
        Some(b"not json"),
        Some(b""),
        Some(pretty.as_bytes()),
        Some(b"{\"ts\": 1541030400000}"),
        Some(b"\xff"),
        Some(b"{\"ts\": 1541030400000, \"user_id\": 1}\n{\"ts\": 1541030400000, \"user_id\": 1}"),
    ];
    topic.send_values(0, &values);
    let said = project.succeed(&["run"]).replace(topic.name(), "[topic]");
    insta::assert_snapshot!(said.lines().find(|line| line.contains("warning")).unwrap_or(&said), @" warning  events.listens: 6 of 8 rows could not be read; they are in main.raw_listens_rejects with topic, partition, offset and reason");
    assert_eq!(songs(&project), ["a x2"]);
    let rejects = project.rows(
        "select \"partition\", \"offset\", line, reason, text from main.raw_listens_rejects order by \"offset\"",
    );
    let shown: Vec<String> = rejects.as_array().unwrap().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    {"partition":0,"offset":1,"line":null,"reason":"the message has no value (a tombstone)","text":""}
    {"partition":0,"offset":2,"line":null,"reason":"no JSON: expected a value, found `n` at column 1","text":"not json"}
    {"partition":0,"offset":3,"line":null,"reason":"the message is empty","text":""}
    {"partition":0,"offset":5,"line":null,"reason":"field \"user_id\" is missing","text":"{\"ts\": 1541030400000}"}
    {"partition":0,"offset":6,"line":null,"reason":"no UTF-8: the byte 0xFF at byte 1 of the line","text":"�"}
    {"partition":0,"offset":7,"line":null,"reason":"more than one JSON value on the line","text":"{\"ts\": 1541030400000, \"user_id\": 1}\r{\"ts\": 1541030400000, \"user_id\": 1}"}
    "#);
    let topics = project.rows("select distinct topic, unit from main.raw_listens_rejects");
    assert_eq!(topics, json!([{"topic": topic.name(), "unit": format!("{}/0@0-8", topic.name())}]));
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(project.rows("select count(*) as n from main.raw_listens_rejects"), json!([{"n": 6}]));
}

#[test]
fn days_after_the_logical_date_wait_and_land_later_once() {
    let topic = Topic::new(2);
    let project = project(&topic);
    topic.send(0, &[listen(0, 1, "a"), listen(2, 1, "c")]);
    topic.send(1, &[listen(0, 2, "b")]);
    let said = project.succeed(&["run", "--date", "2018-11-02"]);
    assert!(said.contains("1 rows of later days wait"), "{said}");
    assert_eq!(songs(&project), ["a x1", "b x1"]);
    // The other partition's messages expire; what waits is landed all the same.
    topic.expire(1, 1);
    topic.send(1, &[listen(3, 2, "d")]);
    project.succeed(&["run", "--date", "2018-11-03"]);
    assert_eq!(songs(&project), ["a x1", "b x1", "c x1"]);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1", "b x1", "c x1", "d x1"]);
}

#[test]
fn a_full_refresh_reads_everything_again_and_keeps_what_kafka_no_longer_holds() {
    let topic = Topic::new(1);
    let project = project(&topic);
    topic.send(0, &[listen(0, 1, "a"), listen(1, 1, "b")]);
    project.succeed(&["run"]);
    topic.send(0, &[listen(1, 1, "c")]);
    project.succeed(&["run"]);
    let batches_before: BTreeSet<String> = batches(&project).keys().cloned().collect();
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(batches(&project).keys().cloned().collect::<BTreeSet<_>>(), batches_before);
    topic.expire(0, 1);
    let said = project.succeed(&["run"]);
    assert!(!said.contains("warning"), "{said}");
    let said = project.succeed(&["run", "--full-refresh"]);
    insta::assert_snapshot!(said.lines().find(|line| line.contains("warning")).unwrap_or(&said), @" warning  events.listens: 1 unit cannot be read again, or share a batch with units that cannot; their rows are kept as landed");
    assert_eq!(songs(&project), ["a x1", "b x1", "c x1"]);
}

#[test]
fn another_schema_lands_what_is_held_anew_and_keeps_the_rest() {
    let topic = Topic::new(1);
    let project = project(&topic);
    let with_level = |song: &str| listen(0, 1, song).replace('}', ", \"level\": \"paid\"}");
    topic.send(0, &[with_level("a")]);
    project.succeed(&["run"]);
    topic.send(0, &[with_level("b")]);
    project.succeed(&["run"]);
    topic.expire(0, 1);
    let sources = SOURCES.replace("TOPIC", topic.name()) + "          - {name: level, data_type: varchar}\n";
    project.file("sources.yml", sources);
    let said = project.succeed(&["run"]);
    insta::assert_snapshot!(said.lines().find(|line| line.contains("warning")).unwrap_or(&said), @" warning  events.listens: 1 unit cannot be read again, or share a batch with units that cannot; their rows are kept as landed");
    let levels = || project.rows("select song, level from main.raw_listens order by song");
    assert_eq!(levels(), json!([{"song": "a", "level": null}, {"song": "b", "level": "paid"}]));
    let said = project.succeed(&["run"]);
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_new_column_comes_to_a_table_of_which_everything_has_expired() {
    let topic = Topic::new(1);
    let project = project(&topic);
    topic.send(0, &[listen(0, 1, "a")]);
    project.succeed(&["run"]);
    topic.expire(0, 1);
    let sources = SOURCES.replace("TOPIC", topic.name()) + "          - {name: level, data_type: varchar}\n";
    project.file("sources.yml", sources);
    project.model("levels", "select song, level from {{ source('events', 'listens') }}");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select * from main.levels"), json!([{"song": "a", "level": null}]));
    assert_eq!(project.plan(), Vec::<String>::new());
}

#[test]
fn transactions_count_once_they_are_committed() {
    let topic = Topic::new(1);
    let project = project(&topic);
    topic.send_in_transaction(0, &[listen(0, 1, "a")], true);
    topic.send_in_transaction(0, &[listen(0, 1, "never")], false);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1"]);
    project.succeed(&["run"]);
    topic.send_in_transaction(0, &[listen(0, 1, "never")], false);
    project.succeed(&["run"]);
    topic.send_in_transaction(0, &[listen(0, 1, "b")], true);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1", "b x1"]);
}

#[test]
fn a_run_that_is_killed_lands_each_message_once_all_the_same() {
    for place in ["landing-before-publish", "publish-before-rename", "publish-after-rename"] {
        let topic = Topic::new(2);
        let project = project(&topic);
        topic.send(0, &[listen(0, 1, "a"), "broken".to_owned()]);
        project.succeed(&["run"]);
        for times in 1..=3 {
            topic.send(1, &[listen(0, 1, &format!("b{times}"))]);
            let killed = project.run_with(&["run"], &[("MEP_FAIL_POINT", &format!("{place}:{times}"))]);
            assert!(killed.code.is_none() || killed.code == Some(0), "{killed:?}");
            project.succeed(&["run"]);
        }
        assert_eq!(songs(&project), ["a x1", "b1 x1", "b2 x1", "b3 x1"], "{place}");
        assert_eq!(project.rows("select count(*) as n from main.raw_listens_rejects"), json!([{"n": 1}]));
    }
}

#[test]
fn many_messages_land_as_a_fresh_warehouse_lands_them() {
    let topic = Topic::new(3);
    let project = project(&topic);
    for round in 0..3 {
        for partition in 0..3 {
            let some = (0..4_000).map(|n| listen(n % 5, n, &format!("{round}-{partition}-{n}")));
            topic.send(partition, &some.collect::<Vec<_>>());
        }
        project.succeed(&["run", "--quiet"]);
    }
    project.succeed(&["run", "--quiet", "--target", "fresh"]);
    let sum =
        "select count(*) as n, count(distinct song) as songs, sum(user_id) as users from main.raw_listens";
    let fresh = project.print(&["show", "--target", "fresh", "--inline", sum, "--output", "json"]);
    let fresh: serde_json::Value = serde_json::from_str(&fresh).unwrap();
    assert_eq!(project.rows(sum), fresh);
    assert_eq!(fresh[0]["songs"], 36_000);
}

#[test]
fn a_topic_or_broker_that_is_not_there_is_named() {
    let topic = Topic::new(1);
    let project = project(&topic);
    let misspelt = SOURCES.replace("TOPIC", &format!("{}x", topic.name()));
    project.file("sources.yml", misspelt);
    let said = why(&project.fail(1, &["run"]), &topic);
    let (start, end) = said.split_once("its topics are").unwrap();
    insta::assert_snapshot!(start, @"Kafka at [brokers] has no topic `[topic]x`;");
    assert!(end.trim_start().starts_with("[topic]"), "{end}");
    project.file("profiles.yml", profiles(", timeout: 1").replace(&super::topic::brokers(), "127.0.0.1:1"));
    insta::assert_snapshot!(why(&project.fail(1, &["run"]), &topic), @"cannot read the topics from Kafka at 127.0.0.1:1 (within 1 s): 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
    assert_eq!(project.run(&["debug"]).code, Some(1));
}

#[test]
fn a_broker_that_accepts_and_says_nothing_is_given_up_on() {
    let topic = Topic::new(1);
    let project = project(&topic);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    project.file("profiles.yml", profiles(", timeout: 1").replace(&super::topic::brokers(), &address));
    let began = std::time::Instant::now();
    let said = why(&project.fail(1, &["run"]), &topic).replace(&address, "[silent]");
    assert!(said.starts_with("cannot read the topics from Kafka at [silent] (within 1 s): "), "{said}");
    assert!(began.elapsed().as_secs() < 10);
    assert!(!project.path("warehouse/main/raw_listens").exists());
    let words = ["generate", "--to", "kafka", "--days", "1", "--users", "10"];
    let said = project.fail(1, &words).replace(&address, "[silent]");
    assert!(said.contains("cannot read the topics from Kafka at [silent]"), "{said}");
}

#[test]
fn a_column_named_for_the_key_or_time_of_a_message_is_null_and_why_is_said_at_its_place() {
    let topic = Topic::new(1);
    let project = project(&topic);
    let columns = "          - {name: kafka_key, data_type: varchar}\n          - {name: timestamp, data_type: bigint}\n";
    project.file("sources.yml", SOURCES.replace("TOPIC", topic.name()) + columns);
    topic.send(0, &[listen(0, 1, "a")]);
    let said = project.succeed(&["run"]);
    for (column, beside) in [("kafka_key", "key"), ("timestamp", "timestamp")] {
        let warning = format!("no row has a value for the column `{column}` (sources.yml:");
        let line = said.lines().find(|line| line.contains(&warning)).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(&format!("the {beside} of a message is not part of its value")), "{line}");
    }
    // One that messages carry lands.
    topic.send(0, &[listen(0, 2, "b").replace('{', "{\"timestamp\": 7, ")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select user_id, timestamp from main.raw_listens order by 1"),
        json!([{"user_id": 1, "timestamp": null}, {"user_id": 2, "timestamp": 7}])
    );
}
