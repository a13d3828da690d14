//! A Cassandra that is away: the warehouse is built all the same, and the rows are brought once it is back.

use super::{PLAYS, Serving, assert_same, listens, profiles};
use crate::project::{DAY, Project};
use crate::services::address;
use crate::services::outage::{Outage, Way};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_from_is_away_and_comes_back() {
    let outage = Outage::before(address("MEP_TEST_CASSANDRA")).await;
    let serving = Serving::of_node("away", &outage.address).await;
    let project = &serving.project;
    project.model("plays", PLAYS).model("songs", "{{ config(materialized='table') }} select song, sum(plays) as plays from {{ ref('plays') }} group by song");
    listens(project);
    outage.set(Way::Closed);
    let said = project.fail(1, &["run"]);
    assert!(said.contains("its rows could not be brought into cassandra"), "{said}");
    assert!(said.contains("the next run brings its rows there"), "{said}");
    // What reads the table in the warehouse is built.
    assert!(said.contains("ok  table songs"), "{said}");
    assert_eq!(serving.stored("plays", "song, user_id").len(), 28);
    // A plan says what it cannot tell.
    let planned = project.print(&["plan"]);
    assert!(planned.contains("what it lacks cannot be told"), "{planned}");
    outage.set(Way::Open);
    let planned = project.print(&["plan"]);
    assert!(
        planned.contains("28 rows anew") && planned.contains("into cassandra: the first time"),
        "{planned}"
    );
    let said = project.succeed(&["run"]);
    assert!(said.contains("into cassandra: 28 rows as plays (the first time)"), "{said}");
    let columns = "song, user_id, plays, last_ts, seconds";
    assert_same("plays", &serving.served("plays", columns).await, &serving.stored("plays", columns), "back");
    outage.set(Way::Closed);
    project.listens("1.json", &[(DAY, 1, "a")]);
    project.fail(1, &["run"]);
    outage.set(Way::Open);
    let planned = project.print(&["plan"]);
    assert!(planned.contains("serve  table plays") && planned.contains(" changed, "), "{planned}");
    project.succeed(&["retry"]);
    assert_same("plays", &serving.served("plays", columns).await, &serving.stored("plays", columns), "again");
    serving.end().await;
}

#[tokio::test]
async fn a_table_of_another_target_or_of_somebody_else_is_left_alone() {
    let serving = Serving::new("owners").await;
    listens(&serving.project);
    serving.project.succeed(&["run", "--select", "+plays"]);
    let other = Project::with_listens();
    other.file(
        "profiles.yml",
        profiles(&address("MEP_TEST_CASSANDRA"), &serving.cassandra.keyspace).replace("here", "there"),
    );
    other.model("plays", PLAYS);
    listens(&other);
    let said = other.fail(1, &["run"]);
    assert!(
        said.contains(
            "`plays` is served in this keyspace for main.plays of the project `songs` with the target `here`"
        ),
        "{said}"
    );
    serving
        .cassandra
        .run(&format!("CREATE TABLE {}.mine (song text PRIMARY KEY)", serving.cassandra.keyspace))
        .await;
    other.model("mine", PLAYS);
    let said = other.fail(1, &["run", "--select", "mine"]);
    assert!(said.contains("mine is in cassandra already, and mep does not serve a model by it"), "{said}");
    serving.end().await;
}
