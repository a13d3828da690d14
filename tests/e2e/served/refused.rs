//! What cannot be served is refused: at compile where that is known, else before anything is published.

use super::{PLAYS, Serving};
use crate::project::Project;

/// A project whose target has a connection that nothing here asks.
fn project() -> Project {
    let project = Project::with_listens();
    project.file("profiles.yml", super::profiles("127.0.0.1:1", "nowhere"));
    project
}

#[track_caller]
fn refused(project: &Project, sql: &str) -> String {
    project.model("plays", sql);
    project.fail(2, &["compile", "--strict"])
}

#[test]
fn what_cannot_be_served_is_refused_at_its_place() {
    let said = [
        PLAYS.replace("materialized='table'", "materialized='view'"),
        PLAYS.replace("materialized='table'", "materialized='ephemeral'"),
        PLAYS.replace("partition_key='song', ", ""),
        PLAYS.replace("partition_key='song'", "partition_key='songs'"),
        PLAYS.replace("clustering='user_id desc'", "clustering='song'"),
        PLAYS.replace("max(ts) as last_ts", "array_agg(ts) as all_ts"),
        PLAYS.replace("store='cassandra'", "store='scylla'"),
        PLAYS.replace("store='cassandra'", &format!("store='cassandra', alias='{}'", "x".repeat(48))),
    ]
    .map(|sql| refused(&project(), &sql));
    insta::assert_snapshot!(said.join("\n"));
    let elsewhere = Project::with_listens();
    insta::assert_snapshot!(refused(&elsewhere, PLAYS));
    let twice = project();
    twice.model("other", &PLAYS.replace("store=", "schema='b', alias='plays', store="));
    insta::assert_snapshot!(refused(&twice, PLAYS));
}

#[tokio::test]
async fn rows_without_a_key_of_their_own_are_not_published() {
    let serving = Serving::of_node("keys", &crate::services::address("MEP_TEST_CASSANDRA")).await;
    let project = &serving.project;
    project.listens("1.json", &[(0, 1, "a"), (1, 2, "a"), (2, 3, "b")]);
    let by_song = "{{ config(materialized='table', store='cassandra', partition_key='song') }} select ";
    let from = " from {{ source('events', 'listens') }}";
    project.model("plays", &format!("{by_song} song, user_id {from}"));
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said[said.find("what failed").unwrap()..].to_owned(), @r"
    what failed:
      table plays
          rows of the new content cannot be served by their key (song), so there is no table yet:
            1 key is that of several rows: (a) has 2 rows
    failed in [time]: 1 built, 1 in error
    ");
    project.model("plays", &format!("{by_song} nullif(song, 'b') as song, count(*) as n {from} group by 1"));
    let said = project.fail(1, &["run"]);
    assert!(said.contains("`song` is null: 1 row"), "{said}");
    assert!(said.contains("so there is no table yet"), "{said}");
    project.model(
        "plays",
        &format!("{by_song} replace(song, 'b', '') as song, count(*) as n {from} group by 1"),
    );
    assert!(project.fail(1, &["run"]).contains("`song` is empty, and all of the partition key: 1 row"));
    let by_time = by_song.replace("partition_key='song'", "partition_key='at'");
    project.model("plays", &format!("{by_time} to_timestamp_micros(ts * 1000 + user_id) as at {from}"));
    assert!(project.fail(1, &["run"]).contains("`at` has more than milliseconds"));
    project.model("plays", &format!("{by_song} song, count(*) as n {from} group by 1"));
    project.succeed(&["run"]);
    assert_eq!(serving.served("plays", "song, n").await, serving.stored("plays", "song, n"));
    // Rows that were published while the model was not served are looked at when they are to be.
    project.model("plays", &format!("{} song, user_id {from}", by_song.replace(", store='cassandra'", "")));
    project.succeed(&["run"]);
    project.model("plays", &format!("{by_song} song, user_id {from}"));
    let said = project.fail(1, &["run"]);
    assert!(said.contains("1 key is that of several rows: (a) has 2 rows"), "{said}");
    serving.end().await;
}
