//! The docs: the page that is written, what it says where something cannot be known, the page that is served, and all of it
//! in a real browser (tests/browser).

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use flate2::read::ZlibDecoder;
use serde_json::{Value as Json, json};

use crate::project::{DAY, Output, Project};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn project() -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b"), (DAY, 3, "b")]);
    project.model(
        "plays",
        "select event_date, song, user_id from {{ source('events', 'listens') }} where song is not null",
    );
    project.model(
        "days",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, count(*) as n from {{ ref('plays') }} group by 1",
    );
    project.file(
        "models/schema.yml",
        "models:
  - name: days
    description: Plays of each day.
    columns:
      - {name: event_date, data_tests: [unique]}
      - {name: n, description: how many, data_tests: [{accepted_values: {values: [7], quote: false, config: {severity: warn}}}]}
      - {name: gone, description: no longer there}
",
    );
    project
}

/// What is embedded in a page.
#[track_caller]
fn site(page: &str) -> Json {
    let start = "<script id=\"data\" type=\"text/plain\">";
    let (_, rest) = page.split_once(start).unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    let packed = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    let mut text = String::new();
    ZlibDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn generated(project: &Project) -> Json {
    site(&fs::read_to_string(project.path("target/docs/index.html")).unwrap())
}

#[track_caller]
fn node<'a>(site: &'a Json, name: &str) -> &'a Json {
    site["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).unwrap()
}

/// What a call said, without what differs between machines.
fn said(output: &Output) -> String {
    let mut said = output.stderr.clone();
    for (pattern, name) in [(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "[time]"), (r"\d+(\.\d)? KiB", "[size]")] {
        said = regex::Regex::new(pattern).unwrap().replace_all(&said, name).into_owned();
    }
    said
}

#[test]
fn the_page_holds_what_is_known_of_tables_columns_and_tests() {
    let project = project();
    project.succeed(&["build"]);
    insta::assert_snapshot!(project.succeed(&["docs", "generate"]), @"wrote the docs of 3 nodes and 2 tests to [folder]/target/docs/index.html ([size])");
    let site = generated(&project);
    let days = node(&site, "days");
    assert_eq!(days["stored"]["state"], "table");
    assert_eq!((&days["stored"]["rows"], &days["stored"]["partition_count"]), (&json!(2), &json!(2)));
    assert_eq!(days["stored"]["partitions"][0]["key"], "2018-11-02");
    assert_eq!(days["stored"]["partitions"][0]["inputs"], json!({"main.raw_listens": 1}));
    assert!(days["stored"]["partitions"][0]["built"].as_i64().unwrap() > 1_700_000_000_000);
    let columns: Vec<_> =
        days["columns"].as_array().unwrap().iter().map(|column| (&column["name"], &column["type"])).collect();
    assert_eq!(
        columns,
        [
            (&json!("n"), &json!("bigint")),
            (&json!("event_date"), &json!("date")),
            (&json!("gone"), &Json::Null)
        ]
    );
    let listens = node(&site, "events.listens");
    assert_eq!(listens["stored"]["batches"][0]["landed"], 3);
    let test =
        |name: &str| site["tests"].as_array().unwrap().iter().find(|test| test["test"] == name).unwrap();
    assert_eq!(test("unique")["result"]["status"], "pass");
    assert_eq!(test("accepted_values")["result"]["status"], "warn");
    assert_eq!(test("accepted_values")["result"]["failures"], 2);
}

#[test]
fn columns_name_the_columns_that_they_come_from() {
    let project = project();
    project.succeed(&["docs", "generate"]);
    let site = generated(&project);
    let nodes = site["nodes"].as_array().unwrap();
    let names = |column: &Json| -> Vec<String> {
        let from = column["from"].as_array().cloned().unwrap_or_default();
        let name = |pair: &Json| {
            let node = &nodes[pair[0].as_u64().unwrap() as usize];
            let column = &node["columns"][pair[1].as_u64().unwrap() as usize];
            format!("{}.{}", node["name"].as_str().unwrap(), column["name"].as_str().unwrap())
        };
        from.iter().map(name).collect()
    };
    let columns = |name: &str| node(&site, name)["columns"].as_array().unwrap().clone();
    assert_eq!(names(&columns("days")[1]), ["plays.event_date"]);
    let song = columns("plays").into_iter().find(|column| column["name"] == "song").unwrap();
    assert_eq!(names(&song), ["events.listens.song"]);
}

#[test]
fn columns_that_come_through_ephemeral_models_name_what_these_read() {
    let project = project();
    project.model(
        "loud",
        "{{ config(materialized='ephemeral') }} select upper(song) as title from {{ ref('plays') }}",
    );
    project.model("titles", "select title from {{ ref('loud') }}");
    project.model("kept", "{{ config(materialized='table') }} select title from {{ ref('titles') }}");
    project.succeed(&["run"]);
    project.listens("2.json", &[(0, 4, "z")]);
    assert!(
        project
            .plan()
            .contains(&"kept: build: new rows of raw_listens in 2018-11-01/listens/2.json".to_owned()),
        "{:?}",
        project.plan()
    );
    project.succeed(&["docs", "generate"]);
    let site = generated(&project);
    let title = &node(&site, "titles")["columns"][0];
    let (from, nodes) = (&title["from"][0], site["nodes"].as_array().unwrap());
    let origin = &nodes[from[0].as_u64().unwrap() as usize];
    assert_eq!((&title["name"], &origin["name"]), (&json!("title"), &json!("plays")));
    assert_eq!(origin["columns"][from[1].as_u64().unwrap() as usize]["name"], "song");
}

#[test]
fn what_is_selected_alone_is_on_the_page() {
    let project = project();
    project.succeed(&["docs", "generate", "--select", "days", "--output", "days.html"]);
    let site = site(&fs::read_to_string(project.path("days.html")).unwrap());
    assert_eq!(site["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(site["tests"].as_array().unwrap().len(), 2);
    assert_eq!(site["nodes"][0]["parents"], json!([]));
    insta::assert_snapshot!(project.fail(2, &["docs", "generate", "--select", "nothing"]), @"
    error: the selection holds nothing that this command works on
    help: `nothing` matches no node
    ");
}

#[test]
fn a_table_that_cannot_be_read_is_not_taken_for_missing() {
    let project = project();
    project.succeed(&["build"]);
    project.file("warehouse/main/days/manifest.json", "{");
    let output = project.run(&["docs", "generate"]);
    assert_eq!(output.code, Some(0));
    insta::assert_snapshot!(said(&output), @r"
     WARN main.days could not be read, and what it holds is unknown: the manifest [folder]/warehouse/main/days/manifest.json cannot be read: EOF while parsing an object at line 1 column 1
    wrote the docs of 3 nodes and 2 tests to [folder]/target/docs/index.html ([size])
    ");
    let site = generated(&project);
    assert_eq!(node(&site, "days")["stored"]["state"], "unreadable");
    assert_eq!(node(&site, "events.listens")["stored"]["state"], "table");
    assert!(site["notices"][0].as_str().unwrap().contains("main.days could not be read"));
}

#[test]
fn a_warehouse_that_cannot_be_read_is_told_and_nothing_is_said_of_its_tables() {
    let project = project();
    project.succeed(&["build"]);
    fs::remove_dir_all(project.path("warehouse")).unwrap();
    project.file("warehouse", "no folder");
    let output = project.run(&["docs", "generate"]);
    assert_eq!(output.code, Some(0));
    insta::assert_snapshot!(said(&output), @r"
     WARN the warehouse was not read, so that whether tables are built, their rows, sizes and ages are unknown: listing [folder]/warehouse: a file stands where a folder is needed; move it away, or correct the path
    wrote the docs of 3 nodes and 2 tests to [folder]/target/docs/index.html ([size])
    ");
    let site = generated(&project);
    assert_eq!(site["warehouse"], Json::Null);
    assert_eq!(node(&site, "days")["stored"], json!({"state": "unread"}));
}

#[test]
fn the_warehouse_is_left_alone_where_that_is_asked_for() {
    let project = project();
    project.succeed(&["build"]);
    let output = project.run(&["docs", "generate", "--no-warehouse"]);
    insta::assert_snapshot!(said(&output), @r"
     WARN the warehouse was not read, so that whether tables are built, their rows, sizes and ages are unknown: it was called with --no-warehouse
    wrote the docs of 3 nodes and 2 tests to [folder]/target/docs/index.html ([size])
    ");
    assert_eq!(node(&generated(&project), "days")["stored"], json!({"state": "unread"}));
}

#[test]
fn results_that_cannot_be_read_are_told_and_not_taken_for_none() {
    let project = project();
    project.file("target/run_results.json", "[]");
    let output = project.run(&["docs", "generate"]);
    insta::assert_snapshot!(said(&output), @r"
     WARN the results of earlier runs are unknown: [folder]/target/run_results.json is not what a run of mep writes: invalid length 0, expected struct Artifact with 4 elements at line 1 column 2
    wrote the docs of 3 nodes and 2 tests to [folder]/target/docs/index.html ([size])
    ");
}

#[test]
fn what_a_test_found_is_told_after_runs_without_tests_too() {
    let project = project();
    project.succeed(&["build"]);
    project.listens("2.json", &[(2 * DAY, 1, "c")]);
    project.succeed(&["run"]);
    project.succeed(&["docs", "generate"]);
    let page = generated(&project);
    assert_eq!(page["last_run"]["command"], "run");
    let tests = page["tests"].as_array().unwrap();
    let found: Vec<&str> = tests.iter().map(|test| test["result"]["status"].as_str().unwrap()).collect();
    assert_eq!(found, ["pass", "warn"]);
    let (at, published) =
        (tests[0]["result"]["at"].as_i64(), node(&page, "days")["stored"]["published"].as_i64());
    assert!(at.unwrap() < published.unwrap(), "the table was built after its tests");

    project.file(
        "profiles.yml",
        fs::read_to_string(project.path("profiles.yml"))
            .unwrap()
            .replace("target: dev", "target: other")
            .replace("    dev:", "    other:"),
    );
    project.succeed(&["docs", "generate", "--no-warehouse"]);
    let page = generated(&project);
    assert_eq!(page["last_run"], Json::Null, "a run of another target is none of this one");
    assert_eq!(page["tests"][0]["result"], Json::Null);
}

#[test]
fn a_chart_that_is_declared_otherwise_than_charts_are_is_refused() {
    let project = project();
    let exposure = |meta: &str| {
        let text = format!(
            "exposures:\n  - name: board\n    type: dashboard\n    depends_on: [ref('days')]\n    meta: {{charts: {meta}}}\n"
        );
        project.file("models/exposures.yml", text);
        project.fail(2, &["docs", "generate"])
    };
    insta::assert_snapshot!(exposure("[{title: Plays, type: lines, sql: select 1}]"), @r#"
     error: the charts of the exposure `board`: unknown type `lines` of the chart `Plays`; the types are bar,
     │ line, us_states; did you mean `line`?
      ╭─[models/exposures.yml:2:11]
    1 │ exposures:
    2 │   - name: board
      ·           ─────
    3 │     type: dashboard
      ╰────
     help: write meta: {charts: [{title: Plays by day, type: line, sql: "select day, plays from
           {{ ref('plays') }}"}]}
    "#);
    insta::assert_snapshot!(exposure("[{title: Plays, type: line, query: select 1}]"), @r#"
     error: the charts of the exposure `board`: unknown key `query` of a chart; the keys are title, type, sql
      ╭─[models/exposures.yml:2:11]
    1 │ exposures:
    2 │   - name: board
      ·           ─────
    3 │     type: dashboard
      ╰────
     help: write meta: {charts: [{title: Plays by day, type: line, sql: "select day, plays from
           {{ ref('plays') }}"}]}
    "#);
    insta::assert_snapshot!(exposure("plays"), @r#"
     error: the charts of the exposure `board`: expected `charts` to be a list
      ╭─[models/exposures.yml:2:11]
    1 │ exposures:
    2 │   - name: board
      ·           ─────
    3 │     type: dashboard
      ╰────
     help: write meta: {charts: [{title: Plays by day, type: line, sql: "select day, plays from
           {{ ref('plays') }}"}]}
    "#);
    insta::assert_snapshot!(exposure("[{title: Plays, type: line}]"), @r#"
     error: the charts of the exposure `board`: a chart needs `sql`, a text
      ╭─[models/exposures.yml:2:11]
    1 │ exposures:
    2 │   - name: board
      ·           ─────
    3 │     type: dashboard
      ╰────
     help: write meta: {charts: [{title: Plays by day, type: line, sql: "select day, plays from
           {{ ref('plays') }}"}]}
    "#);
}

#[test]
fn a_chart_shows_what_its_query_gives_or_why_it_gives_nothing() {
    let project = project();
    project.file(
        "models/exposures.yml",
        "exposures:
  - name: board
    type: dashboard
    depends_on: [ref('days')]
    meta:
      charts:
        - {title: Plays, type: line, sql: \"select event_date, n from {{ ref('days') }} order by 1\"}
        - {title: Three, type: bar, sql: \"select 1 as a, 2 as b, 3 as c\"}
        - {title: Unknown, type: bar, sql: \"select x, n from {{ ref('days') }}\"}
        - {title: Nobody, type: bar, sql: \"select n, n from {{ ref('nobody') }}\"}
",
    );
    project.succeed(&["build"]);
    let output = project.run(&["docs", "generate"]);
    assert_eq!(output.code, Some(0));
    insta::assert_snapshot!(said(&output), @r"
     WARN the chart `Three` could not be drawn: expected two columns, a label and a number, found 3: a, b, c
     WARN the chart `Unknown` could not be drawn: there is no column `x` here; the columns are n, event_date
     WARN the chart `Nobody` could not be drawn: there is no model or seed `nobody`
    wrote the docs of 4 nodes and 2 tests to [folder]/target/docs/index.html ([size])
    ");
    let site = generated(&project);
    assert_eq!(site["charts"][0]["drawn"], json!({"rows": [["2018-11-01", 1.0], ["2018-11-02", 2.0]]}));
}

#[test]
fn a_port_that_is_taken_is_told() {
    let project = project();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = project.fail(1, &["docs", "serve", "--port", &port]).replace(&port, "[port]");
    insta::assert_snapshot!(said, @r"error: serving at 127.0.0.1:[port]; another --port may be free: the address is in use");
}

/// The scripts of tests/browser with a browser: each test in them must pass.
#[track_caller]
fn in_browser(script: &str, variables: &[(&str, &Path)]) {
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap"]).arg(Path::new(ROOT).join("tests/browser").join(script));
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| {
        panic!("node cannot be started ({error}): call tests/browser/prepare, which installs what the tests in a browser need")
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{script}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    // A script without tests would pass too.
    assert!(said.contains("# pass ") && !said.contains("# pass 0"), "{script}\n{said}");
}

/// The bundled project in a folder of its own, with the simulator as its source.
fn bundled() -> Project {
    let project = Project::new();
    for part in ["models", "macros", "tests", "dbt_project.yml", "profiles.yml", "sources.yml"] {
        for entry in walkdir::WalkDir::new(Path::new(ROOT).join(part)).into_iter().map(Result::unwrap) {
            let path = entry.path().strip_prefix(ROOT).unwrap();
            let is_of_project = path.extension().is_some_and(|kind| kind == "sql" || kind == "yml");
            let is_of_mep = path.starts_with("tests/e2e") || path.starts_with("tests/browser");
            if entry.file_type().is_file() && is_of_project && !is_of_mep {
                project.file(path.to_str().unwrap(), fs::read(entry.path()).unwrap());
            }
        }
    }
    project
}

/// Where pictures of pages are left for people to look at.
fn pictures() -> PathBuf {
    let folder = Path::new(ROOT).join("target/docs-pictures");
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_docs_of_the_bundled_project_are_used_in_a_browser() {
    let project = bundled();
    project.succeed(&["build"]);
    project.succeed(&["docs", "generate", "--output", "docs.html"]);
    in_browser("bundled.test.mjs", &[("MEP_DOCS", &project.path("docs.html")), ("MEP_SHOTS", &pictures())]);
}

#[test]
fn texts_that_try_to_be_markup_stay_text() {
    let project = Project::new();
    project.model("evil", "select 1 as \"<b>bold</b>\" -- </script><script>window.ran = 3</script>\n");
    project.file(
        "models/schema.yml",
        r#"models:
  - name: evil
    description: |
      <script>window.ran = 1</script> <img src=x onerror="window.ran = 2">
      [unsafe](javascript:window.ran=5) [data](data:text/html,<script>window.ran=6</script>)
      <iframe src="javascript:window.ran=7"></iframe> ![x](javascript:window.ran=8)
      [safe](https://example.com)
    columns:
      - {name: "<b>bold</b>", description: "</script><script>window.ran = 9</script>"}
exposures:
  - name: evil_board
    type: dashboard
    url: "javascript:window.ran=10"
    description: "<img src=x onerror='window.ran = 11'>"
    depends_on: [ref('evil')]
"#,
    );
    project.file("tests/evil_test.sql", "select 1 from {{ ref('evil') }} where '</script><b>' = ''");
    project.succeed(&["build"]);
    project.succeed(&["docs", "generate", "--output", "docs.html"]);
    let page = fs::read_to_string(project.path("docs.html")).unwrap();
    assert_eq!(page.matches("</script>").count(), 2);
    in_browser("hostile.test.mjs", &[("MEP_DOCS", &project.path("docs.html"))]);
}

/// Docs that are served, until dropped.
struct Served {
    process: Child,
    address: String,
}

impl Served {
    fn of(project: &Project) -> Self {
        let mut command = project.command(&["docs", "serve", "--port", "0"]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let told = lines.by_ref().map(Result::unwrap).find(|line| line.contains("http://")).unwrap();
        let (_, rest) = told.split_once("http://").unwrap();
        let address = format!("http://{}", rest.split_once(';').unwrap().0);
        assert!(address.starts_with("http://127.0.0.1:"), "{address}");
        // What it says later is read, so that it never waits for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn served_docs_follow_the_project_in_a_browser() {
    let project = Project::new();
    project.model("shown", "select 1 as one");
    let served = Served::of(&project);
    in_browser(
        "served.test.mjs",
        &[
            ("MEP_ADDRESS", Path::new(&served.address)),
            ("MEP_MODEL", &project.path("models/shown.sql")),
            ("MEP_YAML", &project.path("models/schema.yml")),
        ],
    );
}

#[test]
fn a_project_that_is_broken_from_the_start_is_served_with_its_problem() {
    let project = Project::new();
    project.model("shown", "select nothing from {{ ref('other') }}");
    let served = Served::of(&project);
    let changes = ureq::get(format!("{}/changes", served.address)).call().unwrap();
    let mut lines = BufReader::new(changes.into_body().into_reader()).lines().map(Result::unwrap);
    let told = lines.find(|line| line.contains("there is no model or seed")).unwrap();
    let told: Json = serde_json::from_str(told.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(told["version"], 0);
    project.model("shown", "select 1 as one");
    let told = lines.find(|line| line.contains("\"version\":1")).unwrap();
    assert!(told.contains("\"problem\":null"), "{told}");
    let page = ureq::get(&served.address).call().unwrap().body_mut().read_to_string().unwrap();
    assert_eq!(site(&page)["nodes"][0]["name"], "shown");
    assert!(page.contains("data-version=\"1\""));
}

#[test]
fn served_docs_are_shown_to_this_machine_alone() {
    let project = Project::new();
    project.model("shown", "select 1 as one");
    let served = Served::of(&project);
    let agent =
        ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let asked_as = |host: &str| {
        let mut answer = agent.get(&served.address).header("host", host).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    let (status, said) = asked_as("docs.example.com:8080");
    assert_eq!((status, said.as_str()), (403, "these docs are shown at 127.0.0.1 and localhost only\n"));
    assert_eq!(asked_as("localhost:8080").0, 200);
}

#[test]
fn served_docs_end_in_peace_when_told_to() {
    let project = Project::new();
    project.model("shown", "select 1 as one");
    let mut served = Served::of(&project);
    let pid = rustix::process::Pid::from_child(&served.process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(served.process.wait().unwrap().code(), Some(0));
}

#[test]
fn the_docs_of_two_thousand_models_with_six_thousand_tests_are_small() {
    let project = Project::new();
    let name = |layer: usize, number: usize| format!("model_{layer:02}_{number:03}");
    for layer in 0..20 {
        let mut properties = "models:\n".to_owned();
        for number in 0..100 {
            let name_here = name(layer, number);
            let sql = match layer.checked_sub(1) {
                None => format!("select {number} as id, cast({number} as bigint) as cents, 'free' as kind"),
                Some(before) => format!(
                    "with input as (\n    select id, cents, kind\n    from {{{{ ref('{}') }}}}\n    where cents > {number}\n)\n\nselect id, cents + {number} as cents, kind from input",
                    name(before, (number * 7) % 100)
                ),
            };
            project.model(&format!("layer_{layer:02}/{name_here}"), &sql);
            properties.push_str(&format!(
                "  - name: {name_here}\n    description: What {name_here} holds, one row for each id.\n    columns:\n      - {{name: id, description: Number of the row., data_tests: [unique, not_null]}}\n      - {{name: kind, data_tests: [{{accepted_values: {{values: [free, paid]}}}}]}}\n"
            ));
        }
        project.file(&format!("models/layer_{layer:02}/schema.yml"), properties);
    }
    project.succeed(&["docs", "generate"]);
    let site = generated(&project);
    assert_eq!(
        (site["nodes"].as_array().unwrap().len(), site["tests"].as_array().unwrap().len()),
        (2_000, 6_000)
    );
    let bytes = fs::metadata(project.path("target/docs/index.html")).unwrap().len();
    assert!(bytes < 1_000_000, "{bytes}");
}
