//! A stream that stands by for another one, one that begins before Cassandra is there, and what Kafka is told of how far it is.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::{Into, Streaming, agrees, counts, listen, project, project_at, scraped, values, wait_until};
use crate::kafka::topic::{self, Topic};
use crate::services::address;

/// Waits until a stream has committed so many events.
fn committed(metrics: &str, events: f64) {
    wait_until("the commits", Duration::from_mins(1), || {
        let numbers = scraped(metrics);
        let read = values(&numbers, "mep_stream_events_read_total");
        read.len() == 3 && read.iter().all(|read| (*read - events).abs() < 0.5)
    });
}

/// A first one is ended in some way, and the one that stood by goes on.
fn stands_by(into: Into, ports: [u16; 2], end: impl FnOnce(Streaming)) {
    let topic = Topic::new(1);
    let project = project(&topic, into);
    let [first_metrics, second_metrics] = ports.map(|port| format!("127.0.0.1:{port}"));
    topic.send(0, &[listen(0, 2, "a"), listen(61, 2, "b")]);
    let first = Streaming::start(&project, &["--metrics", &first_metrics], None);
    committed(&first_metrics, 2.0);
    let mut second = Streaming::start(&project, &["--wait", "--metrics", &second_metrics], None);
    wait_until("standing by", Duration::from_secs(20), || {
        scraped(&second_metrics).contains("mep_stream_waiting{of=\"by_minute\"} 1")
    });
    topic.send(0, &[listen(62, 4, "b")]);
    committed(&first_metrics, 3.0);
    assert!(second.0.try_wait().unwrap().is_none(), "it waits");
    end(first);
    let ended = Instant::now();
    topic.send(0, &[listen(130, 4, "c")]);
    committed(&second_metrics, 4.0);
    // That of a process that is no more ends by itself at the latest after half a minute, if not seen before.
    assert!(ended.elapsed() < Duration::from_secs(15), "{:?}", ended.elapsed());
    let (code, said, _) = second.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("by_minute: it is streamed by ") && said.contains("; standing by"), "{said}");
    assert_eq!(counts(&said)["each"], [4, 4, 0, 0]);
    agrees(&project, &[]);
}

#[test]
fn a_stream_that_stands_by_goes_on_when_the_first_one_is_killed() {
    stands_by(Into::Cassandra, [29_470, 29_471], Streaming::kill);
}

#[test]
fn a_stream_that_stands_by_goes_on_when_the_first_one_is_stopped() {
    stands_by(Into::Cassandra, [29_472, 29_473], |first| assert_eq!(first.stop().0, Some(0)));
}

#[test]
fn a_stream_into_local_tables_stands_by_too() {
    stands_by(Into::Local, [29_474, 29_475], Streaming::kill);
}

#[test]
fn a_stream_that_is_stopped_while_it_stands_by_has_done_nothing_wrong() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 2, "a")]);
    let first = Streaming::start(&project, &["--metrics", "127.0.0.1:29476"], None);
    committed("127.0.0.1:29476", 1.0);
    let second = Streaming::start(&project, &["--wait", "--metrics", "127.0.0.1:29477"], None);
    wait_until("standing by", Duration::from_secs(20), || {
        scraped("127.0.0.1:29477").contains("mep_stream_waiting{of=\"by_minute\"} 1")
    });
    let (code, said, took) = second.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(first.stop().0, Some(0));
}

#[test]
fn a_stream_that_begins_before_cassandra_is_there_waits_and_says_so() {
    let topic = Topic::new(1);
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nowhere.local_addr().unwrap().to_string();
    drop(nowhere);
    let project = project_at(&topic, &topic::brokers(), Some(&address));
    let mut stream = Streaming::start(&project, &[], None);
    std::thread::sleep(Duration::from_secs(3));
    assert!(stream.0.try_wait().unwrap().is_none(), "it waits");
    let (code, said, took) = stream.stop();
    assert_eq!(code, Some(1), "{said}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let waits = format!("by_minute: cassandra at {address} cannot be reached: ");
    assert!(said.lines().any(|line| line.contains(&waits) && line.ends_with("; trying again")), "{said}");
    assert!(said.contains("error: by_minute: cassandra at "), "{said}");
}

#[test]
fn kafka_is_told_how_far_each_model_is_and_lag_is_to_what_is_committed() {
    const METRICS: &str = "127.0.0.1:29478";
    let topic = Topic::new(2);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 1, "a"), listen(1, 2, "b")]);
    topic.send(1, &[listen(2, 3, "c")]);
    let stream = Streaming::start(&project, &["--metrics", METRICS], None);
    committed(METRICS, 3.0);
    wait_until("no lag", Duration::from_secs(20), || {
        values(&scraped(METRICS), "mep_stream_lag_events") == [0.0, 0.0]
    });
    let numbers = scraped(METRICS);
    assert_eq!(values(&numbers, "mep_stream_model_lag_events"), [0.0; 3]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    for at in values(&numbers, "mep_stream_last_commit_timestamp_seconds") {
        assert!((now - 60.0..=now + 1.0).contains(&at), "{at}, and it is {now}");
    }
    assert!(
        values(&numbers, "mep_stream_last_commit_age_seconds").iter().all(|age| (0.0..60.0).contains(age))
    );
    assert_eq!(stream.stop().0, Some(0));
    for model in ["by_minute", "popular", "each"] {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", topic::brokers())
            .set("group.id", format!("mep.songs.here.{model}"))
            .create()
            .unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic.name(), 0);
        asked.add_partition(topic.name(), 1);
        let told = consumer.committed_offsets(asked, Duration::from_secs(20)).unwrap();
        let told: Vec<Offset> = told
            .elements()
            .iter()
            .map(rdkafka::topic_partition_list::TopicPartitionListElem::offset)
            .collect();
        assert_eq!(told, [Offset::Offset(2), Offset::Offset(1)], "{model}");
    }
}

#[test]
fn the_consumer_group_tool_of_kafka_shows_where_each_model_is_and_its_lag() {
    const METRICS: &str = "127.0.0.1:29479";
    let topic = Topic::new(2);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 1, "a"), listen(1, 2, "b")]);
    topic.send(1, &[listen(2, 3, "c")]);
    let stream = Streaming::start(&project, &["--metrics", METRICS], None);
    committed(METRICS, 3.0);
    assert_eq!(stream.stop().0, Some(0));
    topic.send(1, &[listen(3, 3, "c"), listen(4, 3, "c")]);
    for model in ["by_minute", "popular", "each"] {
        let group = format!("mep.songs.here.{model}");
        let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/stack/kafka"))
            .args(["consumer-groups", "--describe", "--group", &group])
            .env("MEP_STACK_DATA", address("MEP_TEST_STACK"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        // Of a group that is named alike there may be topics of other tests.
        let shown = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let shown = shown.filter(|words| words.get(1) == Some(&topic.name()));
        let shown: BTreeSet<Vec<String>> =
            shown.map(|words| words[2..6].iter().map(|word| (*word).to_owned()).collect()).collect();
        // Partition, offset, end, lag.
        let expected = [["0", "2", "2", "0"], ["1", "1", "3", "2"]];
        let expected = expected.map(|words| words.map(str::to_owned).to_vec());
        assert_eq!(
            shown,
            BTreeSet::from(expected),
            "{group}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
