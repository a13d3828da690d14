//! Runs that are not disturbed: what is brought, what is left as it is, and where readers are led.

use std::time::Duration;

use super::{PLAYS, Serving, assert_same, listens};
use crate::project::DAY;

#[tokio::test]
async fn what_changed_is_put_and_what_is_gone_goes() {
    let serving = Serving::new("runs").await;
    let project = &serving.project;
    listens(project);
    let plan = project.plan();
    assert!(plan.iter().any(|step| step.starts_with("plays: build")), "{plan:?}");
    let planned = project.print(&["plan"]);
    assert!(planned.contains("into cassandra, once it is published"), "{planned}");
    let said = project.succeed(&["run"]);
    assert!(said.contains("into cassandra: 28 rows as plays (the first time)"), "{said}");
    serving.agrees("the first run").await;
    let written = "SELECT song, user_id, writetime(plays) FROM KS.plays";
    assert!(serving.cassandra.rows(written).await.iter().all(|row| row[2] == "1"));

    // Nothing new: nothing is written, and nothing is begun.
    let said = project.succeed(&["run"]);
    assert!(!said.contains("cassandra") && said.contains("4 current"), "{said}");
    assert!(project.print(&["plan"]).contains("nothing to do"));

    // One row more often, one row less, on one day.
    project.listens("1.json", &[(DAY, 1, "a"), (DAY + 1, 99, "new")]);
    let said = project.succeed(&["run"]);
    serving.agrees("a file that changed").await;
    let days = serving.message("days");
    assert!(days.ends_with("into cassandra: 2 changed, 3 gone"), "{days}\n{said}");
    let second: Vec<Vec<String>> = serving.cassandra.rows(written).await;
    assert!(second.iter().any(|row| row[2] == "2") && second.iter().any(|row| row[2] == "1"), "{second:?}");
    let served = &project.results();
    let counts = served.as_array().unwrap().iter().find_map(|one| {
        (one["unique_id"].as_str()?.rsplit('.').next() == Some("days"))
            .then(|| one["adapter_response"]["served"].clone())
    });
    assert_eq!(counts.unwrap(), serde_json::json!({"table": "days", "changed": 2, "gone": 3, "anew": null}));

    // Compacting leaves the rows as they are.
    project.listens("3.json", &[(DAY, 3, "a")]);
    project.succeed(&["run"]);
    project.succeed(&["compact", "--select", "days"]);
    let said = project.succeed(&["run"]);
    serving.agrees("compacted").await;
    assert!(
        !said.contains("into cassandra: 0 changed, 0 gone") || serving.message("days").contains("0 changed")
    );
    serving.end().await;
}

#[tokio::test]
async fn a_full_refresh_and_another_shape_go_into_a_new_generation() {
    let serving = Serving::new("generations").await;
    let project = &serving.project;
    listens(project);
    project.succeed(&["run"]);
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(serving.table("plays").await, "plays_g2");
    assert!(serving.message("plays").ends_with("as plays_g2 (full refresh)"), "{}", serving.message("plays"));
    serving.agrees("a full refresh").await;
    // Readers that have begun to ask the old one can end.
    assert_eq!(serving.cassandra.rows("SELECT song FROM KS.plays").await.len(), 28);

    // A new column, of which all rows have a value at once.
    project.model("plays", &PLAYS.replace("count(*) as plays,", "count(*) as plays, min(ts) as first_ts,"));
    project.succeed(&["run"]);
    assert_eq!(serving.table("plays").await, "plays_g3");
    let columns = "song, user_id, plays, first_ts";
    let (served, stored) = (serving.served("plays", columns).await, serving.stored("plays", columns));
    assert_same("plays", &served, &stored, "a new column");

    // Another key.
    project.model(
        "plays",
        &PLAYS
            .replace("partition_key='song', clustering='user_id desc'", "partition_key=['user_id', 'song']"),
    );
    project.succeed(&["run"]);
    assert_eq!(serving.table("plays").await, "plays_g4");
    serving.agrees("another key").await;

    // What readers were led away from goes with the retention.
    let said = project.succeed(&["clean"]);
    assert!(!said.contains("cassandra"), "{said}");
    let said = project.succeed(&["clean", "--retention-days", "0"]);
    assert!(said.contains("dropped 5 tables of cassandra"), "{said}");
    let tables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = '";
    let tables = serving.cassandra.rows(&format!("{tables}{}'", serving.cassandra.keyspace)).await;
    let mut tables: Vec<String> =
        tables.into_iter().flatten().filter(|name| !name.starts_with("mep_")).collect();
    tables.sort();
    assert_eq!(tables, ["days_g2", "last_song_g2", "plays_g4"]);
    serving.agrees("cleaned").await;
    serving.end().await;
}

#[tokio::test]
async fn content_that_the_warehouse_keeps_no_more_is_brought_anew() {
    let serving = Serving::new("forgotten").await;
    let project = &serving.project;
    listens(project);
    project.succeed(&["run"]);
    project.model("plays", &PLAYS.replace(", store='cassandra'", ""));
    project.listens("1.json", &[(DAY, 1, "a")]);
    project.succeed(&["run"]);
    project.succeed(&["clean", "--retention-days", "0"]);
    project.model("plays", PLAYS);
    project.succeed(&["run"]);
    let message = serving.message("plays");
    assert!(message.ends_with("as plays_g2 (what it had is no longer kept in the warehouse)"), "{message}");
    serving.agrees("brought anew").await;

    // A table that is gone is made again.
    serving.cassandra.run(&format!("DROP TABLE {}.plays_g2", serving.cassandra.keyspace)).await;
    project.succeed(&["run"]);
    assert_eq!(serving.table("plays").await, "plays_g3");
    serving.agrees("made again").await;
    serving.end().await;
}

#[tokio::test]
async fn rows_live_for_their_time_after_they_were_written() {
    let serving = Serving::new("ttl").await;
    let project = &serving.project;
    listens(project);
    project.model("plays", &PLAYS.replace("store='cassandra',", "store='cassandra', ttl='20 seconds',"));
    project.succeed(&["run", "--select", "+plays"]);
    let ttl = "SELECT ttl(plays) FROM KS.plays";
    let lives: Vec<String> = serving.cassandra.rows(ttl).await.into_iter().flatten().collect();
    assert_eq!(lives.len(), 28);
    assert!(lives.iter().all(|left| (1..=20).contains(&left.parse::<i64>().unwrap())), "{lives:?}");
    let began = std::time::Instant::now();
    while !serving.cassandra.rows(ttl).await.is_empty() {
        assert!(began.elapsed() < Duration::from_mins(2), "rows live on");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // What is as it was is not written again; what changes is.
    project.listens("3.json", &[(DAY, 1, "e")]);
    project.succeed(&["run", "--select", "+plays"]);
    assert_eq!(serving.cassandra.rows("SELECT song FROM KS.plays").await, [["e"]]);
    assert_eq!(serving.stored("plays", "song, user_id").len(), 29);
    serving.end().await;
}
