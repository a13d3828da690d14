//! A project whose warehouse is the real Hive, in a schema of its own.

use std::process::Output as RawOutput;

use super::address;
use super::hive::Hive;
use super::trino::Trino;
use crate::clock::Clock;
use crate::project::Project;

/// The project of [`Project::with_listens`], in Hive.
pub(crate) struct HiveProject {
    pub(crate) project: Project,
    pub(crate) schema: String,
    hiveserver2: String,
    trino: Trino,
    /// What time its calls are told, where it is not that of the machine.
    clock: Option<Clock>,
}

impl HiveProject {
    /// A project in the schema `mep_<name>_<process>`, which no other test has.
    pub(crate) fn new(name: &str) -> Self {
        let schema = format!("mep_{name}_{}", std::process::id());
        let project = Project::with_listens();
        project.file(
            "profiles.yml",
            format!(
                "songs:
  target: hive
  outputs:
    hive:
      type: hive
      metastore: {}
      location: {}/warehouse/tests
      schema: {schema}
      threads: 2
      sources:
        events: {{type: files, path: events}}
    local:
      type: local
      path: local
      schema: {schema}
      sources:
        events: {{type: files, path: events}}
",
                address("MEP_TEST_METASTORE"),
                address("MEP_TEST_HDFS"),
            ),
        );
        let (hiveserver2, trino) = (address("MEP_TEST_HIVESERVER2"), Trino::new(&address("MEP_TEST_TRINO")));
        Self { project, schema, hiveserver2, trino, clock: None }
    }

    /// The same, whose calls are told another time.
    pub(crate) fn with_clock(name: &str) -> Self {
        Self { clock: Some(Clock::new()), ..Self::new(name) }
    }

    /// Lets so many days pass, where it is told another time.
    pub(crate) fn wait(&self, days: i64) {
        if let Some(clock) = &self.clock {
            clock.wait(days);
        }
    }

    /// A call that may be killed at a fail point.
    pub(crate) fn call(&self, words: &[&str], fail_point: Option<&str>) -> RawOutput {
        let mut command = self.project.command(words);
        command.env("HADOOP_USER_NAME", "root");
        if let Some(clock) = &self.clock {
            command.envs(clock.of_next_call());
        }
        if let Some(point) = fail_point {
            command.env("MEP_FAIL_POINT", point);
        }
        command.output().unwrap()
    }

    /// A call that must succeed; gives what it said.
    #[track_caller]
    pub(crate) fn succeed(&self, words: &[&str]) -> String {
        let output = self.call(words, None);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}\n{said}");
        said
    }

    /// A call that must end with a code; gives what it said, without the schema's name.
    #[track_caller]
    pub(crate) fn fail(&self, code: i32, words: &[&str]) -> String {
        let output = self.call(words, None);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
        said.replace(&self.schema, "[schema]")
    }

    /// What mep itself reads, as text.
    pub(crate) fn mep(&self, target: &str, sql: &str) -> Vec<Vec<String>> {
        let words = ["show", "--target", target, "--inline", sql, "--limit", "-1", "--output", "json"];
        let output = self.call(&words, None);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let rows: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => super::NULL.to_owned(),
            serde_json::Value::Number(number) if number.is_f64() => super::double(number.as_f64().unwrap()),
            other => other.to_string(),
        };
        rows.iter().map(|row| row.values().map(text).collect()).collect()
    }

    /// What HiveServer2 reads.
    pub(crate) fn hive(&self, sql: &str) -> Vec<Vec<String>> {
        Hive::connect(&self.hiveserver2).rows(sql)
    }

    /// What Trino reads.
    pub(crate) fn trino(&self, sql: &str) -> Vec<Vec<String>> {
        self.trino.rows(sql)
    }
}
