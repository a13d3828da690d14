//! A project in a folder of its own, and calls of mep in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::Value as Json;
use tempfile::TempDir;

const PROJECT: &str = "name: songs\nprofile: songs\n";

const PROFILES: &str = "\
songs:
  target: dev
  outputs:
    dev:
      type: local
      path: warehouse
      schema: main
      threads: 1
      sources:
        events: {type: files, path: events}
";

/// One source table: who listened to which song, and when.
const SOURCES: &str = "\
sources:
  - name: events
    tables:
      - name: listens
        event_time: ts
        columns:
          - {name: ts, data_type: bigint}
          - {name: user_id, data_type: bigint, constraints: [{type: not_null}]}
          - {name: song, data_type: varchar}
          - {name: seconds, data_type: double}
";

/// Milliseconds of the first of November 2018.
pub(crate) const NOVEMBER: i64 = 1_541_030_400_000;
pub(crate) const DAY: i64 = 86_400_000;

/// A folder with a project, deleted when dropped.
pub(crate) struct Project {
    folder: TempDir,
}

/// What a call of mep left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None` where it was killed.
    pub(crate) code: Option<i32>,
}

impl Project {
    /// A project without models or sources.
    pub(crate) fn new() -> Self {
        crate::reasons::are_told_at_once();
        let project = Self { folder: tempfile::Builder::new().prefix("mep").tempdir_in(scratch()).unwrap() };
        project.file("dbt_project.yml", PROJECT).file("profiles.yml", PROFILES);
        fs::create_dir(project.path("events")).unwrap();
        project
    }

    /// A project with the source `events.listens`, which lands in `raw_listens`.
    pub(crate) fn with_listens() -> Self {
        let project = Self::new();
        project.file("sources.yml", SOURCES);
        project
    }

    /// Where something of the project is.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file.
    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Writes a model.
    pub(crate) fn model(&self, name: &str, sql: &str) -> &Self {
        self.file(&format!("models/{name}.sql"), sql)
    }

    /// Writes a file of listens, each given as (milliseconds since the first of November 2018, user, song).
    pub(crate) fn listens(&self, file: &str, listens: &[(i64, i64, &str)]) -> &Self {
        let line = |(at, user, song): &(i64, i64, &str)| {
            format!(
                "{}\n",
                serde_json::json!({"ts": NOVEMBER + at, "user_id": user, "song": song, "seconds": 60.5})
            )
        };
        self.file(&format!("events/listens/{file}"), listens.iter().map(line).collect::<String>())
    }

    /// A call of mep in the project's folder, apart from the environment that the test runs in.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mep"));
        command.args(words).current_dir(self.folder.path()).env("HOME", self.folder.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEP_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Calls mep.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.run_with(words, &[])
    }

    /// Calls mep with variables of the environment.
    pub(crate) fn run_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let output = self.command(words).envs(variables.iter().copied()).output().unwrap();
        Output {
            stdout: self.normalized(&String::from_utf8(output.stdout).unwrap()),
            stderr: self.normalized(&String::from_utf8(output.stderr).unwrap()),
            code: output.status.code(),
        }
    }

    /// Calls mep, which must succeed; gives what it said on standard error.
    #[track_caller]
    pub(crate) fn succeed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.code, Some(0), "{words:?}\n{}{}", output.stdout, output.stderr);
        output.stderr
    }

    /// Calls mep, which must end with this code; gives what it said on standard error.
    #[track_caller]
    pub(crate) fn fail(&self, code: i32, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.code, Some(code), "{words:?}\n{}{}", output.stdout, output.stderr);
        output.stderr
    }

    /// Calls mep, which must succeed; gives what it printed on standard output.
    #[track_caller]
    pub(crate) fn print(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.code, Some(0), "{words:?}\n{}{}", output.stdout, output.stderr);
        output.stdout
    }

    /// All rows of a query.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Json {
        let printed = self.print(&["show", "--inline", sql, "--limit", "-1", "--output", "json"]);
        serde_json::from_str(&printed).unwrap()
    }

    /// The plan of a run, each step as `name: action: reason`, without those that are current.
    #[track_caller]
    pub(crate) fn plan(&self) -> Vec<String> {
        steps(&self.print(&["plan", "--output", "json"]))
    }

    /// The results of the last run as its artifact tells them.
    pub(crate) fn results(&self) -> Json {
        let text = fs::read(self.path("target/run_results.json")).unwrap();
        serde_json::from_slice::<Json>(&text).unwrap()["results"].clone()
    }

    /// Every file below a folder with what tells whether it was written anew.
    pub(crate) fn listing(&self, folder: &str) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
        listing(&self.path(folder))
    }

    /// The text without what differs between runs and machines.
    pub(crate) fn normalized(&self, text: &str) -> String {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let mut text = text.replace(&folder, "[folder]").replace(env!("CARGO_BIN_EXE_mep"), "mep");
        for (pattern, name) in [
            (r"\b\d+\.\d\ds\b", "[time]"),
            (r"\b\d+(\.\d)? (B|KiB|MiB)\b", "[size]"),
            (r"\b[0-9a-f]{32}\b", "[run]"),
            (r"process \d+", "process [pid]"),
            (r"since \d{4}-\d\d-\d\dT[0-9:]+Z", "since [time]"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
        }
        text
    }
}

/// Where projects are made: in memory where that is possible, since the runs sync every file, and a power cut is not
/// what is tested here.
pub(crate) fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Every file below a folder with what tells whether it was written anew.
pub(crate) fn listing(folder: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut files: Vec<_> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != ".lease")
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            (entry.into_path(), metadata.len(), metadata.modified().unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The steps of a plan that was printed as JSON which do something: name, action, reason.
pub(crate) fn steps(printed: &str) -> Vec<String> {
    let plan: Json = serde_json::from_str(printed).unwrap();
    let steps = plan["steps"].as_array().unwrap().iter().filter(|step| step["action"] != "current");
    let text = |step: &Json, key: &str| step[key].as_str().unwrap().to_owned();
    steps
        .map(|step| format!("{}: {}: {}", text(step, "name"), text(step, "action"), text(step, "reason")))
        .collect()
}
