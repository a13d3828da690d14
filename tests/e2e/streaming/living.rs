//! A stream as it lives: stopped, held, late events, dead letters, new partitions, numbers for Prometheus.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};

use super::{Into, Streaming, agrees, counts, listen, project, reconciled, wait_until};
use crate::kafka::topic::{self, Topic};
use crate::project::Project;

/// A test of the model `each`, which other songs than `a` fail.
const ONLY_A: &str =
    "models:\n  - {name: each, columns: [{name: song, data_tests: [{accepted_values: {values: [a]}}]}]}\n";

/// How many rows a local table of a streaming model has.
fn rows(project: &Project, table: &str) -> u64 {
    let output = project.run(&[
        "show",
        "--inline",
        &format!("select count(*) as n from main.{table}"),
        "--output",
        "json",
    ]);
    serde_json::from_str::<serde_json::Value>(&output.stdout)
        .ok()
        .and_then(|rows| rows[0]["n"].as_u64())
        .unwrap_or(0)
}

#[test]
fn a_stream_goes_on_until_it_is_told_to_stop_and_the_next_one_from_there() {
    let topic = Topic::new(2);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 1, "a"), listen(61, 2, "b")]);
    let stream = Streaming::start(&project, &[], None);
    wait_until("the first rows", Duration::from_secs(20), || rows(&project, "by_minute") == 2);
    // While it goes on, another one is told who has it.
    let second = project.run(&["stream", "--select", "by_minute"]);
    assert_eq!(second.code, Some(3));
    insta::assert_snapshot!(second.stderr.lines().last().unwrap_or_default());
    topic.send(1, &[listen(62, 3, "b"), "{oops".to_owned(), listen(130, 3, "c")]);
    wait_until("what came later", Duration::from_secs(20), || rows(&project, "by_minute") == 3);
    let (code, said, took) = stream.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(counts(&said)["by_minute"], [5, 4, 0, 1]);
    let said = project.succeed(&["run", "--select", "tag:none by_minute popular each"]);
    assert_eq!(counts(&said)["by_minute"], [5, 4, 0, 1], "nothing is read twice");
    agrees(&project, &[]);
    dead_letters(&topic, &["1/1"]);
}

/// The places that the topic of dead letters has messages of.
fn dead_letters(of: &Topic, expected: &[&str]) {
    let name = format!("{}_dead_letters", of.name());
    let topic = Topic::named(&name);
    let consumer: BaseConsumer = rdkafka::config::ClientConfig::new()
        .set("bootstrap.servers", topic::brokers())
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[topic.name()]).unwrap();
    let mut found = std::collections::BTreeSet::new();
    wait_until("the dead letters", Duration::from_secs(30), || {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
            assert_eq!(message.payload(), Some(&b"{oops"[..]));
            assert!(message.headers().is_some_and(|headers| headers.count() == 1));
            found.insert(key.trim_start_matches(of.name()).trim_start_matches('/').to_owned());
        }
        found.len() >= expected.len()
    });
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    drop(consumer);
    topic.delete();
}

#[test]
fn an_event_whose_window_is_closed_is_late_and_the_batch_has_it() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 1, "a"), listen(600, 1, "a")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    // The first window ended nine minutes before the last event, and lateness is two.
    topic.send(0, &[listen(1, 2, "a"), listen(590, 2, "b")]);
    let said = project.succeed(&["run", "--select", "by_minute popular each"]);
    assert_eq!(counts(&said)["by_minute"], [4, 3, 1, 0]);
    assert_eq!(counts(&said)["each"], [4, 4, 0, 0], "rows without windows are never late");
    agrees(&project, &["late"]);
    let outcome = reconciled(&project);
    assert_eq!(outcome["agrees"], false);
    insta::assert_snapshot!(format!("{:#}", outcome["models"]["by_minute"]["differences"]));
    let tolerant = project.run(&["reconcile", "--tolerance", "0.5"]);
    assert_eq!(tolerant.code, Some(0), "{}", tolerant.stderr);
}

#[test]
fn what_happened_before_a_time_is_left_out_of_the_comparison_on_request() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 2, "a"), listen(600, 2, "a")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    topic.send(0, &[listen(1, 2, "a")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    project.succeed(&["run"]);
    let words = ["reconcile", "--select", "by_minute each"];
    assert_eq!(project.run(&words).code, Some(1));
    let since = project.run(&[&words[..], &["--since", "2018-11-01T00:00:30"]].concat());
    assert_eq!(since.code, Some(0), "{}", since.stderr);
    insta::assert_snapshot!(since.stdout, @r"
    agrees  by_minute: 1 row, 1 equal, 0 differ
        compared are events since 2018-11-01 00:00:30
    agrees  each: 1 row, 1 equal, 0 differ
        compared are events since 2018-11-01 00:00:30
    ");
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file("sources.yml", sources.replace("event_time: ts", ""));
    insta::assert_snapshot!(project.fail(2, &["reconcile", "--select", "each", "--since", "2018-11-01"]), @r"
    error: main.raw_listens has no `event_time`, so nothing says which of its rows are of events since 2018-
    │ 11-01 00:00:00
    help: compare all of them, or name the column in the source's YAML: `event_time: ts`
    ");
}

#[test]
fn rows_that_expired_in_cassandra_are_not_missed() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Cassandra);
    for (name, model) in [("by_minute", super::BY_MINUTE), ("each", super::EACH)] {
        project.model(
            name,
            &model.replace("materialized='streaming'", "materialized='streaming', ttl='2 seconds'"),
        );
    }
    topic.send(0, &[listen(0, 2, "a"), listen(600, 2, "a")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    project.succeed(&["run"]);
    wait_until("the end of the rows", Duration::from_secs(20), || {
        rows(&project, "by_minute") + rows(&project, "each") == 0
    });
    let compared = project.run(&["reconcile"]);
    assert_eq!(compared.code, Some(0), "{}{}", compared.stdout, compared.stderr);
    let since = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
    insta::assert_snapshot!(since.replace_all(&compared.stdout, "[time]"), @r"
    agrees  by_minute: 0 rows, 0 equal, 0 differ
        compared are events since [time]
    agrees  each: 0 rows, 0 equal, 0 differ
        compared are events since [time]
    agrees  popular: 0 rows, 0 equal, 0 differ
    ");
}

#[test]
fn a_stream_that_is_ahead_of_what_is_landed_agrees_as_far_as_that_goes() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 2, "a"), listen(600, 2, "a")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    agrees(&project, &[]);
    // The landed events have not passed the ninth minute by the lateness of two, nor the eleventh at all.
    topic.send(0, &[listen(545, 2, "b"), listen(661, 2, "b")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    let ahead = project.run(&["reconcile", "--select", "by_minute each"]);
    assert_eq!(ahead.code, Some(0), "{}", ahead.stderr);
    insta::assert_snapshot!(ahead.stdout, @r"
    agrees  by_minute: 4 rows, 2 equal, 0 differ, 2 not landed yet
        the stream is 2 events ahead of what is landed
    agrees  each: 4 rows, 2 equal, 0 differ, 2 not landed yet
        the stream is 2 events ahead of what is landed
    ");
    agrees(&project, &[]);
}

#[test]
fn what_a_stream_keeps_in_cassandra_is_shown_and_tested_by_its_name() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Cassandra);
    project.file("models/schema.yml", ONLY_A);
    let test = ["test", "--select", "each"];
    let said = project.fail(1, &test);
    assert!(said.contains("it reads main.each, which is not built yet"), "{said}");
    topic.send(0, &[listen(0, 2, "a"), listen(1, 4, "a")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    project.succeed(&test);
    topic.send(0, &[listen(2, 4, "b")]);
    project.succeed(&["run", "--select", "by_minute popular each"]);
    // Nothing is landed: what is shown is what the stream wrote.
    let shown = project.print(&["show", "--select", "each", "--output", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&shown).unwrap();
    assert_eq!(rows.len(), 3, "{shown}");
    assert_eq!(self::rows(&project, "each where song = 'a'"), 2);
    let said = project.fail(1, &test);
    assert!(said.contains("1 "), "{said}");
    let failures = project.print(&["show", "--select", "accepted_values_each_song__a", "--output", "json"]);
    assert!(failures.contains("\"b\""), "{failures}");
}

#[test]
fn a_build_tests_what_a_stream_has_written_once_it_has_caught_up() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    project.file("models/schema.yml", ONLY_A);
    topic.send(0, &[listen(0, 2, "a")]);
    let left_out = project.succeed(&["build"]);
    let says = "3 streaming models of the project follow their sources with: mep stream; their tests run with: mep test";
    assert!(left_out.contains(says) && !left_out.contains("accepted_values"), "{left_out}");
    let said = project.succeed(&["build", "--select", "each"]);
    assert!(said.contains("accepted_values_each_song__a"), "{said}");
    topic.send(0, &[listen(1, 2, "b")]);
    let said = project.fail(1, &["build", "--select", "each"]);
    assert_eq!(counts(&said)["each"], [2, 2, 0, 0]);
    assert_eq!(rows(&project, "each"), 2);
}

#[test]
fn partitions_that_come_to_be_are_read_and_tables_are_made_anew_on_request() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 1, "a")]);
    let stream = Streaming::start(&project, &[], None);
    wait_until("the first row", Duration::from_secs(20), || rows(&project, "by_minute") == 1);
    topic.grow(3);
    topic.send(2, &[listen(61, 2, "b")]);
    wait_until("a row of the new partition", Duration::from_secs(40), || rows(&project, "by_minute") == 2);
    let (code, said, _) = stream.stop();
    assert_eq!((code, counts(&said)["each"]), (Some(0), [2, 2, 0, 0]), "{said}");
    let said = project.succeed(&["run", "--select", "by_minute popular each", "--full-refresh"]);
    assert_eq!(counts(&said)["by_minute"], [2, 2, 0, 0]);
    agrees(&project, &[]);
    // Another SQL has other states: it is not mixed with those of the checkpoint.
    project.model("by_minute", &super::BY_MINUTE.replace("sum(user_id) as total", "min(user_id) as total"));
    insta::assert_snapshot!(
        project.fail(1, &["run", "--select", "by_minute"]).lines().last().unwrap_or_default()
    );
}

#[test]
fn a_topic_that_was_made_anew_is_not_taken_for_the_one_that_was_read() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    let words = ["run", "--select", "by_minute popular each"];
    topic.send(0, &[listen(0, 1, "a"), listen(1, 1, "a")]);
    project.succeed(&words);
    topic.send(0, &[listen(2, 1, "a")]);
    assert_eq!(counts(&project.succeed(&words))["by_minute"], [3, 3, 0, 0]);
    topic.delete();
    topic.create(1);
    topic.send(0, &[listen(0, 1, "a"), listen(1, 1, "a"), listen(2, 1, "b"), listen(3, 1, "b")]);
    let said =
        project.fail(1, &words).replace(topic.name(), "[topic]").replace(&topic::brokers(), "[brokers]");
    insta::assert_snapshot!(said.lines().last().unwrap_or_default(), @"error: [topic]/0 of Kafka at [brokers] holds another message than the one that the stream has read at offset 2: the topic was created again. Delete the stream's checkpoint and its table to begin anew with what there is: mep stream --full-refresh");
    let said = project.succeed(&[&words[..], &["--full-refresh"]].concat());
    assert_eq!(counts(&said)["by_minute"], [4, 4, 0, 0]);
}

#[test]
fn a_plan_says_what_becomes_of_streaming_models() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    let plan = project.run(&["plan", "--select", "by_minute popular"]);
    insta::assert_snapshot!(plan.stdout, @r"
    stream  streaming by_minute    up to what its source holds when it runs
    stream  streaming popular      up to what its source holds when it runs
    2 steps
    ");
    let plan = project.run(&["plan"]);
    insta::assert_snapshot!(plan.stdout.lines().last().unwrap_or_default(), @"3 streaming models of the project follow their sources with: mep stream");
    let plan = project.run(&["plan", "--select", "each", "--output", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["steps"][0]["action"], "stream");
}

#[test]
fn the_numbers_are_there_for_prometheus() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    topic.send(0, &[listen(0, 1, "a"), "{oops".to_owned()]);
    let stream = Streaming::start(&project, &["--metrics", "127.0.0.1:29464"], None);
    let scraped = || {
        let answer = ureq::get("http://127.0.0.1:29464/metrics").call();
        answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok()).unwrap_or_default()
    };
    wait_until("the numbers", Duration::from_secs(20), || {
        scraped().contains("mep_stream_events_dead_total{model=\"by_minute\"} 1\n")
    });
    assert!(
        scraped()
            .contains(&format!("mep_stream_next_offset{{topic=\"{}\",partition=\"0\"}} 2\n", topic.name()))
    );
    assert_eq!(stream.stop().0, Some(0));
    dead_letters(&topic, &["0/1"]);
}

#[test]
fn a_joined_table_is_read_again_while_the_stream_goes_on() {
    let topic = Topic::new(1);
    let project = project(&topic, Into::Local);
    project.file("seeds/genres.csv", "song,genre\na,jazz\n");
    project.model(
        "by_genre",
        "{{ config(materialized='streaming', partition_key='minute', clustering='genre') }}
        select date_trunc('minute', to_timestamp_millis(ts)) as minute, coalesce(g.genre, 'unknown') as genre, count(*) as plays
        from {{ source('events', 'listens') }} as l left join {{ ref('genres') }} as g on g.song = l.song
        group by 1, 2",
    );
    let genres = || {
        let sql = "select genre, plays from main.by_genre order by minute, genre";
        let output = project.run(&["show", "--inline", sql, "--output", "json", "--limit", "-1"]);
        serde_json::from_str::<serde_json::Value>(&output.stdout)
            .map(|rows| rows.to_string())
            .unwrap_or_default()
    };
    assert!(project.fail(2, &["stream", "--select", "by_genre"]).contains("mep run --select genres"));
    project.succeed(&["seed"]);
    topic.send(0, &[listen(0, 1, "a"), listen(1, 1, "b")]);
    let stream = Streaming::start(&project, &["--select", "by_genre", "--refresh-after", "1"], None);
    let before = r#"[{"genre":"jazz","plays":1},{"genre":"unknown","plays":1}]"#;
    wait_until("the first rows", Duration::from_secs(30), || genres() == before);
    project.file("seeds/genres.csv", "song,genre\na,jazz\nb,folk\n");
    project.succeed(&["seed"]);
    std::thread::sleep(Duration::from_secs(4));
    topic.send(0, &[listen(61, 1, "b")]);
    let after = r#"[{"genre":"jazz","plays":1},{"genre":"unknown","plays":1},{"genre":"folk","plays":1}]"#;
    wait_until("the new genre", Duration::from_secs(30), || genres() == after);
    assert_eq!(stream.stop().0, Some(0));
}

#[test]
fn how_far_a_stream_of_simulated_days_is_behind_is_not_said_in_events() {
    let project = Project::new();
    let profiles = |days: u32| {
        format!(
            "songs:
  target: dev
  outputs:
    dev:
      type: local
      path: warehouse
      schema: main
      sources:
        events: {{type: simulator, users: 50, days: {days}}}
"
        )
    };
    let sources = "\
sources:
  - name: events
    tables:
      - name: listen_events
        event_time: ts
        columns: [{name: ts, data_type: bigint}]
";
    project.file("profiles.yml", profiles(1)).file("sources.yml", sources);
    project.model(
        "by_minute",
        "{{ config(materialized='streaming', partition_key='minute') }}
select date_trunc('minute', to_timestamp_millis(ts)) as minute, count(*) as plays
from {{ source('events', 'listen_events') }} group by 1",
    );
    project.succeed(&["run", "--select", "by_minute"]);
    project.file("profiles.yml", profiles(2));
    project.succeed(&["run", "--select", "source:events"]);
    let compared = project.run(&["reconcile"]);
    assert_eq!(compared.code, Some(1), "{}", compared.stderr);
    assert!(compared.stdout.contains("    the stream is behind what is landed\n"), "{}", compared.stdout);
}
