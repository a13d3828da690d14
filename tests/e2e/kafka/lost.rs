//! Offsets that are gone, and topics that are not what they were.

use super::{accept_lost, listen, project, songs, units, why};
use crate::kafka::topic::Topic;

#[test]
fn offsets_that_expired_before_they_were_landed_stop_the_landing_until_that_is_accepted() {
    let topic = Topic::new(1);
    let project = project(&topic);
    topic.send(0, &[listen(0, 1, "a")]);
    project.succeed(&["run"]);
    topic.send(0, &[listen(0, 1, "b"), listen(0, 1, "c"), listen(0, 1, "d")]);
    topic.expire(0, 3);
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(why(&said, &topic), @"offsets 1 to 2 of [topic]/0 expired before they were landed: Kafka holds it from 3 on. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    assert_eq!(songs(&project), ["a x1"]);
    accept_lost(&project, &topic);
    let said = project.succeed(&["run"]).replace(topic.name(), "[topic]");
    insta::assert_snapshot!(said.lines().find(|line| line.contains("warning")).unwrap_or(&said), @" warning  events.listens: offsets 1 to 2 of [topic]/0 expired before they were landed: Kafka holds it from 3 on (accepted: `on_lost_offsets: accept`)");
    assert_eq!(songs(&project), ["a x1", "d x1"]);
    // The gap is noted, so that it is none any more.
    project.file("sources.yml", super::SOURCES.replace("TOPIC", topic.name()));
    let said = project.succeed(&["run"]);
    assert!(!said.contains("warning"), "{said}");
    let units = units(&project);
    assert!(units.contains(&format!("{}/0@1-3: 0", topic.name())), "{units:?}");
}

#[test]
fn a_topic_that_was_made_anew_is_noticed_however_far_it_has_grown() {
    let topic = Topic::new(1);
    let project = project(&topic);
    topic.send(0, &[listen(0, 1, "a"), listen(0, 1, "b")]);
    project.succeed(&["run"]);
    topic.delete();
    topic.create(1);
    topic.send(0, &[listen(1, 1, "c")]);
    insta::assert_snapshot!(why(&project.fail(1, &["run"]), &topic), @"[topic]/0 is not the partition that was landed: offsets up to 2 were landed, but it ends at 1; the topic was deleted and created again, or truncated. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    topic.send(0, &[listen(1, 1, "d"), listen(1, 1, "e")]);
    insta::assert_snapshot!(why(&project.fail(1, &["run"]), &topic), @"[topic]/0 is not the partition that was landed: the last message that was landed is no longer the same; the topic was deleted and created again, or truncated. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    insta::assert_snapshot!(why(&project.fail(2, &["plan"]), &topic), @"error: events.listens: [topic]/0 is not the partition that was landed: the last message that was");
    assert_eq!(songs(&project), ["a x1", "b x1"]);
    accept_lost(&project, &topic);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1", "b x1", "c x1", "d x1", "e x1"]);
    project.file("sources.yml", super::SOURCES.replace("TOPIC", topic.name()));
    topic.send(0, &[listen(1, 1, "f")]);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["a x1", "b x1", "c x1", "d x1", "e x1", "f x1"]);
}
