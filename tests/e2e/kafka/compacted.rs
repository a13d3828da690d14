//! Topics of which Kafka deletes messages in between: what was landed of them stays.

use std::time::Duration;

use serde_json::Value as Json;

use super::{SOURCES, listen, project, songs};
use crate::kafka::topic::Topic;

/// What a plan warns of.
fn warnings(project: &crate::project::Project) -> Vec<String> {
    let plan: Json = serde_json::from_str(&project.print(&["plan", "--output", "json"])).unwrap();
    let warnings = plan["warnings"].as_array().unwrap();
    warnings.iter().map(|warning| warning.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_kafka_compacts_after_it_was_landed_stays_landed() {
    let topic = Topic::compacted();
    let project = project(&topic);
    for round in 0..3 {
        let songs = (0..5).map(|user| (format!("user {user}"), listen(0, user, &format!("round {round}"))));
        topic.send_keyed(&songs.collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(300));
    }
    project.succeed(&["run"]);
    // One more begins another segment: Kafka compacts only those before it.
    topic.send_keyed(&[("last".to_owned(), listen(0, 9, "last"))]);
    let left = topic.wait_for_fewer_than(16);
    project.succeed(&["run"]);
    let all = ["last x1", "round 0 x5", "round 1 x5", "round 2 x5"];
    assert_eq!(songs(&project), all);

    let sources = SOURCES.replace("TOPIC", topic.name()) + "          - {name: level, data_type: varchar}\n";
    project.file("sources.yml", sources);
    let unit = format!("{}/0@0-15", topic.name());
    let expected = format!(
        "events.listens: 15 rows of {unit} were read when it was landed, but the source now has only {} of them; its rows, and those landed with it, are kept as landed",
        left - 1
    );
    assert_eq!(warnings(&project), std::slice::from_ref(&expected));
    let said = project.succeed(&["run"]);
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("1 read with another schema, 1 kept as landed"), "{said}");
    assert_eq!(songs(&project), all);
    assert_eq!(project.rows("select plays from main.by_day"), serde_json::json!([{"plays": 16}]));

    // That is noted, so that it is neither read nor told again.
    assert_eq!((project.plan(), warnings(&project)), (Vec::new(), Vec::new()));
    let said = project.succeed(&["run"]);
    assert!(!said.contains("warning"), "{said}");
    let said = project.succeed(&["run", "--full-refresh"]);
    assert!(said.contains("events.listens: 1 unit cannot be read again"), "{said}");
    assert_eq!(songs(&project), all);
}

#[test]
fn a_full_refresh_keeps_what_kafka_has_compacted() {
    let topic = Topic::compacted();
    let project = project(&topic);
    for round in 0..2 {
        let rows =
            [("one".to_owned(), listen(0, 1, &format!("round {round}"))), ("two".to_owned(), "{".to_owned())];
        topic.send_keyed(&rows);
        std::thread::sleep(Duration::from_millis(300));
    }
    project.succeed(&["run"]);
    topic.send_keyed(&[("last".to_owned(), listen(0, 9, "last"))]);
    topic.wait_for_fewer_than(5);
    let said = project.succeed(&["run", "--full-refresh"]);
    assert!(said.contains("are kept as landed"), "{said}");
    assert_eq!(songs(&project), ["last x1", "round 0 x1", "round 1 x1"]);
    assert_eq!(
        project.rows("select \"offset\" from main.raw_listens_rejects order by 1"),
        serde_json::json!([{"offset": 1}, {"offset": 3}])
    );
}

#[test]
fn rows_that_wait_for_a_later_date_are_not_passed_over_where_kafka_compacts_them() {
    let topic = Topic::compacted();
    let project = project(&topic);
    for day in 0..3 {
        topic.send_keyed(&[("one".to_owned(), listen(day, 1, &format!("day {day}")))]);
        std::thread::sleep(Duration::from_millis(300));
    }
    project.succeed(&["run", "--date", "2018-11-01"]);
    assert_eq!(songs(&project), ["day 0 x1"]);
    topic.send_keyed(&[("last".to_owned(), listen(2, 9, "last"))]);
    topic.wait_for_fewer_than(4);
    let said = project.fail(1, &["run"]).replace(topic.name(), "[topic]");
    assert!(said.contains("2 rows of [topic]/0@0-3 waited for a later --date"), "{said}");
    assert_eq!(songs(&project), ["day 0 x1"]);
    super::accept_lost(&project, &topic);
    project.succeed(&["run"]);
    assert_eq!(songs(&project), ["day 0 x1", "last x1"]);
}
