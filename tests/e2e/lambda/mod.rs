//! The bundled project, as it lies in the repository, from real Kafka into real Hive: every engine that shares the metastore
//! gives the answers that mep gives, and they are those of the same events read from files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use crate::project::Project;
use crate::services::hive::Hive;
use crate::services::trino::Trino;
use crate::services::{NULL, address};

mod calls;
mod dashboard;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Calls of mep on the bundled project, with topics, a schema and files of their own.
struct Lambda {
    scratch: Project,
    schema: String,
    events: PathBuf,
}

/// A relation and the query that tells one content of it from another: how many rows, and sums of their numbers.
struct Sums {
    relation: String,
    query: String,
}

impl Sums {
    /// The query as Hive and Spark quote names.
    fn in_hive(&self) -> String {
        self.query.replace('"', "`")
    }
}

impl Lambda {
    fn new(name: &str) -> Self {
        let scratch = Project::new();
        let events = scratch.path("events");
        Self { schema: format!("mep_{name}_{}", std::process::id()), scratch, events }
    }

    /// The environment that names the services, and what is this test's own in them.
    fn variables(&self) -> [(&'static str, String); 10] {
        let folder = |path: PathBuf| path.to_string_lossy().into_owned();
        [
            ("HADOOP_USER_NAME", "root".to_owned()),
            ("MEP_METASTORE", address("MEP_TEST_METASTORE")),
            ("MEP_LOCATION", format!("{}/warehouse/tests", address("MEP_TEST_HDFS"))),
            ("MEP_BROKERS", address("MEP_TEST_KAFKA")),
            ("MEP_CASSANDRA", address("MEP_TEST_CASSANDRA")),
            ("MEP_KEYSPACE", self.schema.clone()),
            ("MEP_SCHEMA", self.schema.clone()),
            ("MEP_TOPIC_PREFIX", format!("{}_", self.schema)),
            ("MEP_WAREHOUSE", folder(self.scratch.path("warehouse"))),
            ("MEP_EVENTS", folder(self.events.clone())),
        ]
    }

    #[track_caller]
    fn print(&self, words: &[&str]) -> (String, String) {
        let mut command = self.scratch.command(&[&["--project-dir", ROOT], words].concat());
        let output = command.envs(self.variables()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}\n{said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    }

    /// Sends days of events to Kafka, and writes the same to files.
    fn deliver(&self, days: &str) {
        let prefix = format!("{}_", self.schema);
        let simulated = ["--users", "60", "--seed", "7", "--days", days, "--duplicates", "0.02"];
        let to_kafka =
            ["--brokers", &address("MEP_TEST_KAFKA"), "--topic-prefix", &prefix, "--partitions", "3"];
        self.print(&[&["generate", "--to", "kafka"], &to_kafka[..], &simulated].concat());
        std::fs::remove_dir_all(&self.events).ok();
        self.print(&[&["generate", "--to", self.events.to_str().unwrap()], &simulated[..]].concat());
    }

    fn rows(&self, target: &str, sql: &str) -> Vec<Vec<String>> {
        let words = ["show", "--target", target, "--inline", sql, "--limit", "-1", "--output", "json"];
        let (printed, _) = self.print(&words);
        let rows: Vec<Map<String, Json>> = serde_json::from_str(&printed).unwrap();
        rows.iter().map(|row| row.values().map(plain).collect()).collect()
    }

    /// The models' relations, without what was landed.
    fn sums(&self) -> Vec<Sums> {
        let trino = Trino::new(&address("MEP_TEST_TRINO"));
        let (names, _) =
            self.print(&["ls", "--resource-type", "model", "--exclude", "tag:streaming", "--output", "name"]);
        names.lines().map(|name| self.sums_of(name, &trino)).collect()
    }

    fn sums_of(&self, relation: &str, trino: &Trino) -> Sums {
        let described = trino.rows(&format!("describe {}.{relation}", self.schema));
        let mut columns = vec!["count(*)".to_owned()];
        for column in described {
            let (name, data_type) = (format!("\"{}\"", column[0]), column[1].as_str());
            match data_type {
                // Sums of wide keys leave the range of bigint, so that a part of them stands for them.
                "integer" | "bigint" => columns.push(format!("sum({name} % 1000003)")),
                "varchar" => columns.push(format!("count({name}), min({name}), max({name})")),
                "date" => columns.push(format!("min({name}), max({name})")),
                _ => columns.push(format!("count({name})")),
            }
        }
        let query = format!("select {} from {}.{relation}", columns.join(", "), self.schema);
        Sums { relation: relation.to_owned(), query }
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => NULL.to_owned(),
        other => other.to_string(),
    }
}

/// The saved queries, with the names of a test's own tables, and a day of its events for today.
fn saved_queries(schema: &str, today: &str) -> BTreeMap<String, String> {
    let files =
        std::fs::read_dir(PathBuf::from(ROOT).join("queries")).unwrap().map(|entry| entry.unwrap().path());
    let queries =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "sql")).map(|path| {
            let sql = std::fs::read_to_string(&path).unwrap();
            let sql = sql
                .replace(".music.", &format!(".{schema}."))
                .replace("current_date", &format!("date '{today}'"));
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), sql)
        });
    queries.collect()
}

#[test]
fn trino_answers_over_the_speed_side_and_the_batch_side() {
    let lambda = Lambda::new("both");
    lambda.deliver("3");
    lambda.print(&["run", "--target", "lambda", "--select", "tag:streaming"]);
    lambda.print(&["run", "--target", "lambda", "--exclude", "marts"]);
    let (compared, _) = lambda.print(&["reconcile", "--target", "lambda", "--output", "json"]);
    let compared: Json = serde_json::from_str(&compared).unwrap();
    assert_eq!(compared["agrees"], true, "{compared:#}");
    let trino = Trino::new(&address("MEP_TEST_TRINO"));
    let raw = |sql: &str| lambda.rows("lambda", &sql.replace("raw_", &format!("{}.raw_", lambda.schema)));
    let today = "2018-11-02";
    let mut answers: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for (name, sql) in saved_queries(&lambda.schema, today) {
        let rows = trino.rows(&sql);
        assert!(!rows.is_empty(), "{name} gave no rows");
        answers.insert(name, rows);
    }
    let of_today = "from raw_listen_events where event_date = date '2018-11-02'";
    let songs = raw(&format!(
        "select fix_mojibake(song) as title, fix_mojibake(artist) as artist, count(*) as n {of_today} group by 1, 2 order by n desc, 1, 2 limit 10"
    ));
    assert_eq!(answers["song_chart"], songs);
    let states = raw(&format!(
        "select coalesce(state, 'unknown'), count(*) as n {of_today} group by 1 order by n desc, 1"
    ));
    assert_eq!(answers["activity_by_state"], states);
    let logins = "select count(*), count(distinct \"userId\") from (select distinct ts, \"userId\", \"sessionId\", \"itemInSession\" \
         from raw_auth_events where success and event_date = date '2018-11-02')";
    assert_eq!(answers["logins_today"], raw(logins));
    let both = &answers["today_beside_the_month"];
    let sides: Vec<&str> = both.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(sides, ["facts", "stream"]);
    assert_eq!(both[1][1], raw(&format!("select count(*) {of_today}"))[0][0]);
}

#[test]
fn kafka_to_hive_gives_every_engine_the_answers_that_files_give() {
    let lambda = Lambda::new("lambda");
    lambda.deliver("2");
    lambda.print(&["run", "--target", "lambda", "--full-refresh"]);
    // All of it once more with a day behind it: what came twice changes no fact, and the new day is added.
    lambda.deliver("3");
    let (_, said) = lambda.print(&["run", "--target", "lambda"]);
    assert!(said.contains("fact_listen"), "{said}");
    let (_, said) = lambda.print(&["run", "--target", "lambda"]);
    assert!(said.contains("39 current"), "{said}");
    lambda.print(&["run", "--target", "files", "--full-refresh"]);
    let trino = Trino::new(&address("MEP_TEST_TRINO"));
    let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
    let all = lambda.sums();
    assert!(all.len() > 30, "{}", all.len());
    for sums in all {
        let Sums { relation, query } = &sums;
        let expected = lambda.rows("lambda", query);
        let of_files = query.replace(&format!("from {}.", lambda.schema), "from music.");
        // Staging shows what was sent, as often as it was sent.
        if !relation.starts_with("stg_") {
            assert_eq!(lambda.rows("files", &of_files), expected, "{relation}: files");
        }
        assert_eq!(trino.rows(query), expected, "{relation}: trino");
        // HiveServer2 takes seconds for each: the facts, the dimensions and the views that answer the questions.
        if !relation.starts_with("int_") && !relation.starts_with("agg_") {
            assert_eq!(hive.rows(&sums.in_hive()), expected, "{relation}: hive");
        }
    }
}

/// What is served by key, beside the warehouse.
const SERVED: [&str; 3] = ["agg_top_songs", "agg_top_artists", "dim_user"];

#[test]
fn charts_and_users_are_served_from_cassandra_as_they_are_in_hive() {
    let lambda = Lambda::new("served");
    let trino = Trino::new(&address("MEP_TEST_TRINO"));
    let schema = &lambda.schema;
    // The second time by difference.
    for days in ["2", "3"] {
        lambda.deliver(days);
        let select = SERVED.map(|model| format!("+{model}")).join(" ");
        let (_, said) = lambda.print(&["run", "--target", "lambda", "--select", &select]);
        assert!(said.contains("into cassandra: "), "{said}");
        for model in SERVED {
            let led_to =
                format!("select table_name from cassandra.{schema}.mep_served where model = '{model}'");
            assert_eq!(trino.rows(&led_to), [[model]]);
            let query = lambda.sums_of(model, &trino).query;
            let expected = lambda.rows("lambda", &query);
            let from = format!("from {schema}.{model}");
            let of_cassandra = query.replace(&from, &format!("from cassandra.{schema}.{model}"));
            assert_eq!(trino.rows(&of_cassandra), expected, "{model}");
        }
    }
}

#[test]
#[ignore = "nightly: needs Spark's Thrift Server"]
fn spark_reads_every_relation_as_mep_does() {
    let lambda = Lambda::new("spark");
    lambda.deliver("2");
    lambda.print(&["run", "--target", "lambda", "--full-refresh"]);
    let mut spark = Hive::connect(&address("MEP_TEST_SPARK"));
    for sums in lambda.sums() {
        let expected = lambda.rows("lambda", &sums.query);
        assert_eq!(spark.rows(&sums.in_hive()), expected, "{}", sums.relation);
    }
}
