//! Real Airflow: the DAGs in airflow/ and exported ones, called as a scheduler calls them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::project::{Output, Project};
use crate::python_environment::programs;

mod scheduler;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Airflow in a folder of its own, with the DAGs in it and the environment of its workers.
pub(crate) struct Airflow {
    scratch: Project,
    programs: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Airflow {
    /// With these DAG files.
    pub(crate) fn new(dags: &[(&str, &str)]) -> Self {
        let programs = programs("airflow");
        let scratch = Project::new();
        for (name, text) in dags {
            scratch.file(&format!("dags/{name}"), text);
        }
        let mep = Path::new(env!("CARGO_BIN_EXE_mep")).parent().unwrap();
        let path = format!("{}:{}:{}", programs.display(), mep.display(), std::env::var("PATH").unwrap());
        let folder = |name: &str| scratch.path(name).to_string_lossy().into_owned();
        let environment = [
            ("PATH", path),
            ("HOME", folder("")),
            ("AIRFLOW_HOME", folder("airflow")),
            ("AIRFLOW__CORE__DAGS_FOLDER", folder("dags")),
            ("AIRFLOW__CORE__LOAD_EXAMPLES", "False".to_owned()),
            ("AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY", "2".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let airflow = Self { scratch, programs, environment: environment.into() };
        airflow.succeed(&["db", "migrate"]);
        airflow
    }

    pub(crate) fn with(mut self, variables: &[(&str, &str)]) -> Self {
        self.environment
            .extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        let is_other = |name: &str| name.starts_with("MEP_") || name.starts_with("AIRFLOW_");
        for (name, _) in std::env::vars().filter(|(name, _)| is_other(name)) {
            command.env_remove(name);
        }
        command.args(words).envs(&self.environment).current_dir(self.scratch.path("")).stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, words: &[&str]) -> Output {
        let output = self.command(program, words).output().unwrap();
        Output {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    #[track_caller]
    pub(crate) fn succeed(&self, words: &[&str]) -> String {
        let output = self.run("airflow", words);
        assert_eq!(output.code, Some(0), "{words:?}\n{}{}", output.stdout, output.stderr);
        output.stdout
    }
}

/// The bundled project over files of events, as Airflow's workers and the test see it.
struct Bundled {
    events: Project,
}

impl Bundled {
    /// Five days of few users, of which the first two are there.
    fn new() -> Self {
        let events = Project::new();
        events.succeed(&["generate", "--to", "all", "--users", "50", "--days", "5"]);
        let bundled = Self { events };
        bundled.bring("2018-11-01");
        bundled.bring("2018-11-02");
        bundled
    }

    /// Puts a day's events where they are read.
    fn bring(&self, day: &str) {
        for topic in fs::read_dir(self.events.path("all")).unwrap() {
            let topic = topic.unwrap();
            let folder = self.events.path("there").join(topic.file_name());
            fs::create_dir_all(&folder).unwrap();
            let file = format!("{day}.json.gz");
            fs::copy(topic.path().join(&file), folder.join(&file)).unwrap();
        }
    }

    fn variables(&self, warehouse: &str) -> [(&'static str, String); 4] {
        let folder = |name: &str| self.events.path(name).to_string_lossy().into_owned();
        [
            ("MEP_PROJECT_DIR", ROOT.to_owned()),
            ("MEP_TARGET", "files".to_owned()),
            ("MEP_EVENTS", folder("there")),
            ("MEP_WAREHOUSE", folder(warehouse)),
        ]
    }

    #[track_caller]
    fn print(&self, warehouse: &str, words: &[&str]) -> String {
        let output = self.events.command(words).envs(self.variables(warehouse)).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}\n{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// All rows of all tables, sorted.
    fn tables(&self, warehouse: &str) -> BTreeMap<String, Vec<String>> {
        let selected = "config.materialized:table config.materialized:incremental";
        let names = self
            .print(warehouse, &["ls", "--select", selected, "--resource-type", "model", "--output", "name"]);
        let rows = |name: &str| {
            let printed =
                self.print(warehouse, &["show", "--select", name, "--limit", "-1", "--output", "json"]);
            let rows: Vec<Json> = serde_json::from_str(&printed).unwrap();
            let mut rows: Vec<String> = rows.iter().map(Json::to_string).collect();
            rows.sort();
            rows
        };
        names.lines().map(|name| (name.to_owned(), rows(name))).collect()
    }

    /// What a full refresh of events up to a day gives.
    fn tables_as_of(&self, day: &str) -> BTreeMap<String, Vec<String>> {
        let warehouse = format!("as of {day}");
        self.print(&warehouse, &["run", "--full-refresh", "--date", day]);
        self.tables(&warehouse)
    }

    fn airflow(&self, dags: &[(&str, &str)]) -> Airflow {
        let variables = self.variables("warehouse");
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Airflow::new(dags).with(&variables)
    }
}

pub(crate) const BUNDLED_DAGS: (&str, &str) =
    ("music_events.py", include_str!("../../../airflow/dags/music_events.py"));

#[test]
fn the_bundled_dags_and_an_exported_one_give_what_a_full_refresh_gives() {
    let bundled = Bundled::new();
    let words = ["airflow", "export", "--by", "folder", "--with-tests", "--dag-id", "by_folder"];
    let exported = bundled.print("warehouse", &words);
    let airflow = bundled.airflow(&[BUNDLED_DAGS, ("exported.py", &exported)]);
    airflow.succeed(&["dags", "test", "music_full_load"]);
    bundled.bring("2018-11-03");
    bundled.bring("2018-11-04");
    let log = airflow.succeed(&["dags", "test", "music_incremental_load", "2018-11-03"]);
    assert!(log.contains("ok  incremental fact_listen"), "{log}");
    // Colours and bars are for terminals.
    let said = log.lines().filter(|line| line.contains("SubprocessHook"));
    assert!(said.clone().count() > 100 && !log.contains('\u{1b}'), "{log}");
    assert_eq!(bundled.tables("warehouse"), bundled.tables_as_of("2018-11-03"));
    airflow.succeed(&["dags", "test", "by_folder", "2018-11-04"]);
    assert_eq!(bundled.tables("warehouse"), bundled.tables_as_of("2018-11-04"));
}

/// A project with names that mean something to shells, to Jinja and to Python.
fn oddly_named() -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (1, 2, "b")]);
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n2,Bo\n");
    project.model(
        "it's {{ odd }} + 2, [x]",
        "{{ config(materialized='table') }} select * from {{ source('events', 'listens') }}",
    );
    project.model(
        "through",
        "{{ config(materialized='ephemeral') }} select * from {{ ref(\"it's {{ odd }} + 2, [x]\") }}",
    );
    project.model("låtar", "{{ config(materialized='table') }} select name, song from {{ ref('through') }} join {{ ref('people') }} using (user_id)");
    project.model(
        "per_minute",
        "{{ config(materialized='streaming', partition_key='minute') }}
        select date_trunc('minute', to_timestamp_millis(ts)) as minute, count(*) as n
        from {{ source('events', 'listens') }} group by date_trunc('minute', to_timestamp_millis(ts))",
    );
    project.file(
        "models/schema.yml",
        "models:\n  - name: låtar\n    columns: [{name: name, data_tests: [unique, {relationships: {arguments: {to: ref('people'), field: name}}}]}]\n",
    );
    project
}

#[test]
fn an_exported_dag_runs_whatever_the_models_are_called() {
    let project = oddly_named();
    let exported = project.print(&["airflow", "export", "--with-tests", "--dag-id", "odd"]);
    insta::assert_snapshot!(tasks_of(&exported));
    let folder = project.path("").to_string_lossy().into_owned();
    let airflow = Airflow::new(&[("odd.py", &exported)]).with(&[("MEP_PROJECT_DIR", &folder)]);
    for words in [&["format", "--check", "--diff", "dags"][..], &["check", "dags"]] {
        let output = airflow.run("ruff", words);
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    }
    airflow.succeed(&["dags", "test", "odd", "2018-11-01"]);
    assert_eq!(
        project.rows("select name, song from main.\"låtar\" order by 1"),
        json!([{"name": "Ann", "song": "a"}, {"name": "Bo", "song": "b"}])
    );
    // What is wrong with the project does not get better by trying again.
    project.model("låtar", "select nothing from nowhere");
    let output = airflow.run("airflow", &["dags", "test", "odd", "2018-11-02"]);
    assert_ne!(output.code, Some(0));
    assert!(output.stdout.contains("AirflowFailException: the call or the project is wrong"), "{output:?}");
    assert!(!output.stdout.contains("UP_FOR_RETRY"), "{output:?}");
}

/// The part of a DAG file that says what the tasks are.
fn tasks_of(file: &str) -> String {
    let (_, tasks) = file.split_once("TASKS = {\n").unwrap();
    tasks.split_once("\n}\n").unwrap().0.to_owned()
}

#[test]
fn cosmos_makes_the_graphs_tasks_of_the_manifest() {
    let project = oddly_named();
    project.model(
        "through",
        "{{ config(materialized='view') }} select * from {{ source('events', 'listens') }}",
    );
    fs::remove_file(project.path("models/it's {{ odd }} + 2, [x].sql")).unwrap();
    project.succeed(&["compile"]);
    let airflow = Airflow::new(&[]);
    let folder = project.path("").to_string_lossy().into_owned();
    let script = format!("{ROOT}/tests/airflow/cosmos_tasks.py");
    let output = airflow.run("python", &[&script, &folder, env!("CARGO_BIN_EXE_mep")]);
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let tasks: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with("task ")).collect();
    insta::assert_snapshot!(tasks.join("\n"), @r"
    task låtar.run: fqn:songs.låtar after people.test, through_run
    task låtar.test: låtar after låtar.run
    task people.seed: fqn:songs.people after nothing
    task people.test: people after people.seed
    task through_run: fqn:songs.through after nothing
    ");
}

#[test]
fn folders_that_need_each_other_become_several_tasks() {
    let project = Project::with_listens();
    let table = "{{ config(materialized='table') }}";
    project.model("core/plays", &format!("{table} select * from {{{{ source('events', 'listens') }}}}"));
    project.model(
        "days/by_user",
        &format!("{table} select user_id, count(*) as n from {{{{ ref('plays') }}}} group by 1"),
    );
    project.model("core/users", &format!("{table} select user_id from {{{{ ref('by_user') }}}}"));
    project.model("core/one", &format!("{table} select 1 as user_id"));
    project.file(
        "snapshots/kept.yml",
        "snapshots:\n  - {name: kept, relation: ref('users'), config: {strategy: check, check_cols: all, unique_key: user_id}}\n",
    );
    project.file(
        "models/core/schema.yml",
        "models:\n  - name: plays\n    columns: [{name: user_id, data_tests: [{relationships: {arguments: {to: ref('users'), field: user_id}}}]}]\n",
    );
    let words =
        ["airflow", "export", "--by", "folder", "--with-tests", "--target", "dev", "--exclude", "source:*"];
    insta::assert_snapshot!(tasks_of(&project.print(&words)));
}

#[test]
fn what_cannot_be_exported_is_told() {
    let project = oddly_named();
    insta::assert_snapshot!(project.succeed(&["airflow", "export", "--output", "dag.py"]), @"wrote the dag songs to dag.py");
    insta::assert_snapshot!(project.fail(2, &["airflow", "export", "--dag-id", "my songs"]), @r"
    error: `my songs` cannot be the id of a dag
    help: give --dag-id up to 250 letters, digits, dashes, dots and underscores
    ");
    insta::assert_snapshot!(project.fail(1, &["airflow", "export", "--output", "none/dag.py"]), @"error: writing none/dag.py: there is no such file or folder; make it, or correct the path");
    project.model("a b", "select 1 as x").model("a+b", "select 1 as x");
    insta::assert_snapshot!(project.fail(2, &["airflow", "export"]), @r"
    error: no selector takes `a b` alone
    help: give it a name of letters, digits and underscores that nothing else has
    ");
}
