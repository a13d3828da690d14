//! A stream of Avro messages whose schema comes after them.

use serde_json::{Value as Json, json};

use super::{Duration, Streaming, counts, scraped, values, wait_until};
use crate::kafka::avro::{avro_project, message, send, wide};
use crate::kafka::topic::Topic;

#[test]
fn a_schema_that_comes_while_a_stream_goes_on_is_read_by_and_what_came_before_it_is_dead() {
    const METRICS: &str = "127.0.0.1:29480";
    let topic = Topic::new(1);
    let project = avro_project(&topic);
    project.model(
        "heard",
        "{{ config(materialized='streaming', partition_key='user_id') }}
        select user_id, song from {{ source('events', 'listens') }}",
    );
    let is_read = |events: f64| {
        wait_until("the commits", Duration::from_mins(1), || {
            values(&scraped(METRICS), "mep_stream_events_read_total") == [events]
        });
    };
    send(&topic, &[message(1, 0, 1, None), message(7, 0, 2, Some("a"))]);
    let stream = Streaming::start(&project, &["--metrics", METRICS], None);
    is_read(2.0);
    project.file("schemas/listens.7.avsc", wide("song"));
    send(&topic, &[message(7, 0, 3, Some("b")), message(1, 0, 4, None)]);
    is_read(4.0);
    let (code, said, _) = stream.stop();
    assert_eq!((code, counts(&said)["heard"]), (Some(0), [4, 3, 0, 1]), "{said}");
    // That a message is dead is told however quiet.
    let said = project.run(&["run", "--quiet", "--select", "heard"]).stderr;
    assert_eq!(said.trim_end(), "heard: read 4 = taken 3 + late 0 + dead 1; 3 rows written");

    // The nightly run has it, which is seen, and a stream that begins anew has it, too.
    project.succeed(&["run"]);
    let differences = || -> Json {
        let output = project.run(&["reconcile", "--output", "json"]);
        serde_json::from_str::<Json>(&output.stdout).unwrap()["models"]["heard"]["differences"].clone()
    };
    let missing = differences();
    assert_eq!(missing.as_array().map(Vec::len), Some(1), "{missing:#}");
    let missing = &missing[0];
    assert_eq!((&missing["kind"], &missing["rows"]), (&json!("only_batch"), &json!(1)), "{missing:#}");
    project.succeed(&["run", "--select", "heard", "--full-refresh"]);
    assert_eq!(differences(), json!([]));
}
