//! The bundled project over raw tables that Hive itself loaded: the marts are those of the same events read from files.

use crate::project::{Project, steps};
use crate::services::address;
use crate::services::hive::Hive;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The topics, each with the form that its table has.
const TOPICS: [(&str, &str); 4] = [
    ("listen_events", "parquet"),
    ("page_view_events", "avro"),
    ("auth_events", "textfile"),
    ("status_change_events", "parquet"),
];

const MARTS: [&str; 8] = [
    "mart_level_changes",
    "mart_logged_in_users",
    "mart_songs_per_user",
    "mart_songs_played",
    "mart_top_artists",
    "mart_top_locations",
    "mart_top_songs",
    "mart_users_by_gender_level",
];

struct OverHive {
    scratch: Project,
    schema: String,
    events: String,
}

impl OverHive {
    #[track_caller]
    fn print(&self, words: &[&str]) -> String {
        let mut command = self.scratch.command(&[&["--project-dir", ROOT], words].concat());
        command
            .env("HADOOP_USER_NAME", "root")
            .env("MEP_METASTORE", address("MEP_TEST_METASTORE"))
            .env("MEP_LOCATION", format!("{}/warehouse/tests", address("MEP_TEST_HDFS")))
            .env("MEP_SCHEMA", &self.schema)
            .env("MEP_EVENTS_SCHEMA", &self.events)
            .env("MEP_WAREHOUSE", self.scratch.path("warehouse"))
            .env("MEP_EVENTS", self.scratch.path("simulated"));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}\n{said}\n{printed}");
        printed
    }

    /// The rows of a mart, in one order.
    fn rows(&self, target: &str, mart: &str) -> Vec<String> {
        let sql = format!("select * from {{{{ ref('{mart}') }}}}");
        let printed =
            self.print(&["show", "--target", target, "--inline", &sql, "--limit", "-1", "--output", "json"]);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&printed).unwrap();
        let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
        rows.sort();
        rows
    }

    /// Has Hive load the events into tables of its own. They come to it as a run of another project landed them.
    fn load(&self, landed: &str) {
        let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
        hive.execute("set hive.exec.dynamic.partition.mode=nonstrict");
        hive.execute(&format!("create database {}", self.events));
        for (topic, form) in TOPICS {
            let described = hive.rows(&format!("describe {landed}.raw_{topic}"));
            let columns: Vec<(String, String)> = described
                .iter()
                .map(|row| (row[0].trim().to_owned(), row[1].trim().to_owned()))
                .take_while(|(name, _)| name != "event_date")
                .collect();
            let declared: Vec<String> = columns.iter().map(|(name, of)| format!("`{name}` {of}")).collect();
            let names: Vec<String> = columns.iter().map(|(name, _)| format!("`{name}`")).collect();
            hive.execute(&format!(
                "create external table {}.{topic} ({}) partitioned by (event_date date) stored as {form}",
                self.events,
                declared.join(", ")
            ));
            hive.execute(&format!(
                "insert into {}.{topic} partition (event_date) select {}, event_date from {landed}.raw_{topic}",
                self.events,
                names.join(", ")
            ));
        }
    }
}

#[test]
fn the_marts_over_tables_of_hive_are_those_over_files() {
    let scratch = Project::new();
    let of_process = |name: &str| format!("mep_{name}_{}", std::process::id());
    let over = OverHive { scratch, schema: of_process("over_hive"), events: of_process("events") };
    let folder = over.scratch.path("simulated");
    let simulated = ["--users", "30", "--seed", "7", "--days", "3", "--duplicates", "0.02"];
    over.print(&[&["generate", "--to", folder.to_str().unwrap()], &simulated[..]].concat());
    let landed = of_process("landed");
    over.scratch.file(
        "loader/profiles.yml",
        format!(
            "music:\n  target: loader\n  outputs:\n    loader: {{type: hive, metastore: '{}', location: '{}/warehouse/tests', schema: {landed}, sources: {{events: {{type: files, path: '{}'}}}}}}\n",
            address("MEP_TEST_METASTORE"),
            address("MEP_TEST_HDFS"),
            folder.display()
        ),
    );
    let loader = over.scratch.path("loader");
    over.print(&["run", "--profiles-dir", loader.to_str().unwrap(), "--select", "source:events"]);
    over.load(&landed);
    over.print(&["run", "--target", "files"]);
    over.print(&["run", "--target", "hive_sources"]);
    let compare = || {
        for mart in MARTS {
            let expected = over.rows("files", mart);
            // So few users change no level in three days.
            assert!(!expected.is_empty() || mart == "mart_level_changes", "{mart}");
            assert_eq!(over.rows("hive_sources", mart), expected, "{mart}");
        }
    };
    compare();
    let planned = || steps(&over.print(&["plan", "--target", "hive_sources", "--output", "json"]));
    assert_eq!(planned(), [""; 0]);
    // Somebody loads a day's events once more: they are looked at, and what comes twice changes no fact.
    let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
    let names: Vec<String> = hive
        .rows(&format!("describe {}.listen_events", over.events))
        .iter()
        .map(|row| row[0].trim().to_owned())
        .take_while(|name| name != "event_date")
        .map(|name| format!("`{name}`"))
        .collect();
    hive.execute(&format!(
        "insert into {0}.listen_events partition (event_date = '2018-11-02') select {1} from {0}.listen_events where event_date = date '2018-11-02'",
        over.events,
        names.join(", ")
    ));
    let facts: Vec<String> = planned().into_iter().filter(|step| step.starts_with("fact_")).collect();
    assert_eq!(facts, ["fact_listen: build: listen_events changed in 2018-11-02"]);
    over.print(&["run", "--target", "hive_sources"]);
    compare();
}
