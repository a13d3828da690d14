//! Tables that are served from a real Cassandra: what it holds after each run is what the warehouse holds, whatever was cut short.

pub(crate) mod kills;
mod outages;
mod refused;
mod runs;

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::project::{DAY, Project};
use crate::services::cassandra::Cassandra;
use crate::services::{NULL, address};

/// How often each user has listened to each song.
const PLAYS: &str = "\
{{ config(materialized='table', store='cassandra', partition_key='song', clustering='user_id desc') }}
select song, user_id, count(*) as plays, max(ts) as last_ts, sum(seconds) as seconds
from {{ source('events', 'listens') }} group by song, user_id
";

/// The songs of each day, of which runs build single days.
const DAYS: &str = "\
{{ config(materialized='incremental', partition_by='day', store='cassandra', partition_key=['day', 'song']) }}
select cast(event_date as varchar) as day, song, count(*) as plays, count(distinct user_id) as users
from {{ source('events', 'listens') }} group by event_date, song
";

/// What each user listened to last, and from when.
const LAST: &str = "\
{{ config(materialized='history', unique_key='user_id', valid_from='at', store='cassandra', partition_key='user_id', clustering='valid_from') }}
select user_id, song, to_timestamp_millis(ts) as at from {{ source('events', 'listens') }}
";

/// A model that is served, and the columns by which its rows are compared; all are integers and texts.
struct Served {
    name: &'static str,
    columns: &'static str,
}

const MODELS: [Served; 3] = [
    Served { name: "plays", columns: "song, user_id, plays, last_ts, seconds" },
    Served { name: "days", columns: "day, song, plays, users" },
    Served { name: "last_song", columns: "user_id, song, valid_from, valid_to, is_current" },
];

/// A project over a local warehouse whose tables are served from a keyspace of their own.
struct Serving {
    project: Project,
    cassandra: Cassandra,
}

impl Serving {
    /// Three models over listens.
    async fn new(name: &str) -> Self {
        let serving = Self::of_node(name, &address("MEP_TEST_CASSANDRA")).await;
        serving.project.model("plays", PLAYS).model("days", DAYS).model("last_song", LAST);
        serving
    }

    /// No models yet, and a Cassandra that is asked at this address.
    async fn of_node(name: &str, node: &str) -> Self {
        let cassandra = Cassandra::new(&format!("served_{name}")).await;
        let project = Project::with_listens();
        project.file("profiles.yml", profiles(node, &cassandra.keyspace));
        Self { project, cassandra }
    }

    /// The table that readers are led to.
    async fn table(&self, model: &str) -> String {
        self.cassandra.value(&format!("SELECT table_name FROM KS.mep_served WHERE model = '{model}'")).await
    }

    /// What Cassandra has of a model.
    async fn served(&self, model: &str, columns: &str) -> BTreeSet<String> {
        let table = self.table(model).await;
        let rows = self.cassandra.rows(&format!("SELECT {columns} FROM KS.{table}")).await;
        rows.into_iter().map(|row| row.join("|")).collect()
    }

    /// What the warehouse has of it, in the same words.
    fn stored(&self, model: &str, columns: &str) -> BTreeSet<String> {
        let rows = self.project.rows(&format!("select {columns} from main.{model}"));
        let names: Vec<&str> = columns.split(", ").collect();
        rows.as_array().unwrap().iter().map(|row| words(row, &names)).collect()
    }

    /// Says so of all models.
    async fn agrees(&self, when: &str) {
        for Served { name, columns } in MODELS {
            let (served, stored) = (self.served(name, columns).await, self.stored(name, columns));
            assert!(!stored.is_empty(), "{name} has no rows");
            assert_same(name, &served, &stored, when);
        }
    }

    /// The message of a model's result in the last run.
    fn message(&self, model: &str) -> String {
        let results = self.project.results();
        let mut of = results.as_array().unwrap().iter();
        let found = of.find(|one| one["unique_id"].as_str().unwrap().ends_with(&format!(".{model}")));
        found.unwrap()["message"].as_str().unwrap_or_default().to_owned()
    }

    async fn end(self) {
        self.cassandra.end().await;
    }
}

/// Says that both have the same rows.
#[track_caller]
fn assert_same(model: &str, served: &BTreeSet<String>, stored: &BTreeSet<String>, when: &str) {
    let lacks: Vec<&String> = stored.difference(served).collect();
    let more: Vec<&String> = served.difference(stored).collect();
    assert!(
        lacks.is_empty() && more.is_empty(),
        "{when}: {model} in cassandra lacks {lacks:?}, has also {more:?}"
    );
}

fn profiles(node: &str, keyspace: &str) -> String {
    format!(
        "songs:\n  target: here\n  outputs:\n    here:\n      type: local\n      path: warehouse\n      schema: main\n      threads: 2\n      \
         sources:\n        events: {{type: files, path: events}}\n      \
         streaming: {{type: cassandra, contact_points: '{node}', keyspace: {keyspace}, timeout: 20}}\n",
    )
}

/// A row of JSON in the words of the client of Cassandra.
fn words(row: &Json, names: &[&str]) -> String {
    let word = |name: &&str| match &row[*name] {
        Json::Null => NULL.to_owned(),
        Json::String(text) => milliseconds(text).unwrap_or_else(|| text.clone()),
        other => other.to_string(),
    };
    names.iter().map(word).collect::<Vec<_>>().join("|")
}

/// A time as milliseconds since 1970.
fn milliseconds(text: &str) -> Option<String> {
    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(time.and_utc().timestamp_millis().to_string())
}

/// Listens of three days by a few users to a few songs.
fn listens(project: &Project) {
    let of = |day: i64| -> Vec<(i64, i64, &str)> {
        (0..30).map(|n| (day * DAY + n * 60_000, n % 7, ["a", "b", "c", "d"][(n % 4) as usize])).collect()
    };
    for day in 0..3 {
        project.listens(&format!("{day}.json"), &of(day));
    }
}
