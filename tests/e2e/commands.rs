//! Commands beside run and build, and how all of them speak.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::project::{DAY, Project, listing};

fn project() -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b"), (DAY, 3, "b")]);
    project.model("shown", "select song, user_id, event_date from {{ source('events', 'listens') }}");
    project.model(
        "days",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, count(*) as n from {{ ref('shown') }} group by 1",
    );
    project
}

#[test]
fn a_new_project_builds_as_it_is() {
    let project = Project::new();
    insta::assert_snapshot!(project.succeed(&["init", "my-songs"]), @r"
    made the project my_songs; now:
      cd my-songs
      mep build
      mep show --select top_artists
    ");
    let here = project.path("my-songs");
    let here = here.to_str().unwrap();
    let said = project.succeed(&["build", "--project-dir", here]);
    assert!(said.contains("done in [time]: 3 built, 4 passed"), "{said}");
    let top = project.print(&[
        "show",
        "--project-dir",
        here,
        "--select",
        "top_artists",
        "--limit",
        "-1",
        "--output",
        "json",
    ]);
    assert_eq!(serde_json::from_str::<Json>(&top).unwrap().as_array().unwrap().len(), 10);
    insta::assert_snapshot!(project.fail(2, &["init", "my-songs"]), @r"
    error: my-songs is not an empty folder
    help: give the path of a folder that is not there yet
    ");
}

#[test]
fn what_init_says_to_type_is_right_for_a_folder_with_blanks() {
    let project = Project::new();
    insta::assert_snapshot!(project.succeed(&["init", "Anna's müsic 2"]), @r"
    made the project anna_s_m_sic_2; now:
      cd 'Anna'\''s müsic 2'
      mep build
      mep show --select top_artists
    ");
    project.succeed(&["build", "--project-dir", project.path("Anna's müsic 2").to_str().unwrap()]);
}

#[test]
fn what_failed_is_told_even_where_the_artifacts_cannot_be_written() {
    let project = Project::new();
    project.model("numbers", "{{ config(materialized='table') }} select 1 as x");
    project.file("tests/none.sql", "select x from {{ ref('numbers') }}");
    project.file("target", "not a folder");
    let said = project.fail(1, &["build", "--quiet"]);
    let (before, after) = said.split_once("failed in ").unwrap();
    assert!(before.contains("test none\n      1 failing row"), "{said}");
    assert!(after.contains("error: writing the artifacts: "), "{said}");
    assert!(after.contains("/target/manifest.json: "), "{said}");
}

#[test]
fn debug_says_what_is_used_and_whether_it_can_be() {
    let project = project();
    let cores = std::thread::available_parallelism().unwrap().get();
    let said = project
        .print(&["debug"])
        .replace(&format!("on {cores} core"), "on [n] core")
        .replace("cores", "core");
    insta::assert_snapshot!(said.replace(env!("CARGO_PKG_VERSION"), "[version]"), @r"
    mep        [version]
    project    songs in [folder]
    profile    songs, target dev
    warehouse  [folder]/warehouse (schema main)
    threads    1 node at once on [n] core
    source     events: files in events
    lease      ok  the warehouse can be written
    tables     ok  0 in the warehouse
    read       ok  events.listens: 1 unit
    ");
    std::fs::remove_dir_all(project.path("events")).unwrap();
    let output = project.run(&["debug"]);
    assert_eq!(output.code, Some(1));
    assert!(
        output
            .stdout
            .contains("read       failed  events.listens: the folder [folder]/events does not exist")
    );
}

#[test]
fn plan_says_what_a_run_would_do_and_why_and_does_nothing() {
    let project = project();
    insta::assert_snapshot!(project.print(&["plan"]), @r"
    land    source events.listens  1 unit        1 new
    create  view shown                           first run
    build   incremental days       2 partitions  first run
    3 steps
    ");
    assert!(!project.path("warehouse").exists() && !project.path("target").exists());
    project.succeed(&["run"]);
    let before = project.listing("");
    insta::assert_snapshot!(project.print(&["plan"]), @r"nothing to do: everything is as it should be");
    insta::assert_snapshot!(project.print(&["plan", "--full-refresh"]), @r"
    land   source events.listens  1 unit        1 full refresh
    build  incremental days       2 partitions  full refresh
    2 steps, 1 current
    ");
    assert_eq!(project.listing(""), before);
    project.listens("2.json", &[(2, 1, "late")]);
    insta::assert_snapshot!(project.print(&["plan"]), @r"
    land   source events.listens  1 unit       1 new
    build  incremental days       1 partition  late rows of raw_listens in 2018-11-01/listens/2.json [reads 1 row, [size]]
    2 steps, 1 current
    ");
    let json: Json =
        serde_json::from_str(&project.print(&["plan", "--output", "json", "-s", "days"])).unwrap();
    assert_eq!(json["steps"].as_array().unwrap().len(), 1);
}

#[test]
fn what_a_plan_says_is_what_the_run_does() {
    let project = project();
    project.succeed(&["run"]);
    project.listens("2.json", &[(2, 1, "late"), (5 * DAY, 1, "new")]);
    let plan: Json = serde_json::from_str(&project.print(&["plan", "--output", "json"])).unwrap();
    let planned: BTreeSet<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["action"] != "current")
        .map(|step| step["unique_id"].as_str().unwrap())
        .collect();
    let days = plan["steps"].as_array().unwrap().iter().find(|step| step["name"] == "days").unwrap();
    let partitions: Vec<&str> = days["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|build| build["partition"].as_str().unwrap())
        .collect();
    assert_eq!(partitions, ["2018-11-01", "2018-11-06"]);
    project.succeed(&["run"]);
    let results = project.results();
    let done: BTreeSet<&str> = results
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| result["adapter_response"]["current"] == false)
        .map(|result| result["unique_id"].as_str().unwrap())
        .collect();
    assert_eq!(done, planned);
    let built =
        results.as_array().unwrap().iter().find(|result| result["unique_id"] == "model.songs.days").unwrap();
    assert_eq!(built["adapter_response"]["partitions"], 2);
}

#[test]
fn clean_takes_away_what_no_table_points_at_and_the_artifacts() {
    let project = project();
    project.succeed(&["run"]);
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.succeed(&["run"]);
    let before = project.listing("warehouse").len();
    insta::assert_snapshot!(project.succeed(&["clean"]), @r"deleted 0 folders ([size]) that no table has pointed at for 7 days, and the artifacts");
    assert_eq!(project.listing("warehouse").len(), before);
    assert!(!project.path("target/manifest.json").exists() && !project.path("target/compiled").exists());
    let said = project.succeed(&["clean", "--retention-days", "0"]);
    insta::assert_snapshot!(said, @r"deleted 1 folder ([size]) that no table has pointed at for 0 days, and the artifacts");
    assert!(project.listing("warehouse").len() < before);
    assert_eq!(project.rows("select sum(n) as n from main.days"), json!([{"n": 2}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn compile_writes_the_sql_and_prints_that_of_one_model() {
    let project = project();
    project.file("tests/none.sql", "select * from {{ ref('days') }} where n < 1");
    insta::assert_snapshot!(project.succeed(&["compile"]), @r"compiled and checked 2 models (1 of them views), 1 test and 0 seeds in [time]; the SQL is in target/compiled");
    let compiled = std::fs::read_to_string(project.path("target/compiled/songs/models/days.sql")).unwrap();
    insta::assert_snapshot!(compiled.trim(), @r"select event_date, count(*) as n from main.shown group by 1");
    assert!(project.path("target/compiled/songs/tests/none.sql").exists());
    assert!(!project.path("warehouse").exists());
    insta::assert_snapshot!(project.print(&["compile", "--select", "shown"]), @r"select song, user_id, event_date from main.raw_listens");
    insta::assert_snapshot!(project.print(&["compile", "--inline", "select * from {{ ref('days') }}"]), @r"select * from main.days");
    insta::assert_snapshot!(project.succeed(&["parse"]), @r"read 2 models, 1 test, 1 source table and 0 seeds in [time]");
}

#[test]
fn show_prints_rows_of_a_model_a_query_and_a_test() {
    let project = project();
    project.file(
        "tests/few.sql",
        "select song, count(*) as n from {{ ref('shown') }} group by 1 having count(*) > 1",
    );
    let said = project.fail(2, &["show", "--inline", "select * from {{ ref('days') }}"]);
    insta::assert_snapshot!(said, @r"
     error: table 'main.days' not found
      ╭─[--inline:1:18]
    1 │ select * from {{ ref('days') }}
      ·                  ───────────
      ╰────
     help: it may not be built yet: see mep run
    ");
    project.succeed(&["run"]);
    let days = "select event_date, n from {{ ref('days') }} order by 1";
    insta::assert_snapshot!(project.print(&["show", "--inline", days]), @r"
    +------------+---+
    | event_date | n |
    +------------+---+
    | 2018-11-01 | 1 |
    | 2018-11-02 | 2 |
    +------------+---+
    2 rows
    ");
    insta::assert_snapshot!(project.print(&["show", "--select", "few"]), @r"
    +------+---+
    | song | n |
    +------+---+
    | b    | 2 |
    +------+---+
    1 row
    ");
    assert!(project.print(&["show", "--select", "shown", "--limit", "1"]).ends_with("\n1 row\n"));
    insta::assert_snapshot!(project.print(&["show", "--inline", "select null as x, 'ü' as y", "--output", "json"]), @r#"[{"x":null,"y":"ü"}]"#);
    assert_eq!(
        project
            .print(&["show", "--select", "shown", "--output", "json", "--limit", "-1"])
            .matches("song")
            .count(),
        3
    );
    assert_eq!(project.rows("select 1 as x where false"), json!([]));
    insta::assert_snapshot!(project.print(&["show", "--inline", "select 1 as x where false"]), @r"
    +---+
    | x |
    +---+
    +---+
    0 rows
    ");
    insta::assert_snapshot!(project.fail(2, &["show", "--select", "days shown"]), @r"
    error: `days shown` selects 2 nodes: shown, days
    help: one is meant: select it by its name
    ");
    // A model that is not built as the project says is worked out anew.
    project.model("shown", "select 'none' as song");
    assert_eq!(
        project.print(&["show", "--select", "shown", "--output", "json"]).trim(),
        r#"[{"song":"none"}]"#
    );
}

#[test]
fn generate_writes_the_same_bytes_for_the_same_seed() {
    let project = Project::new();
    let generate = |to: &str, more: &[&str]| {
        let mut words = vec!["generate", "--to", to, "--users", "20", "--days", "2"];
        words.extend(more);
        project.succeed(&words)
    };
    insta::assert_snapshot!(generate("a", &["--compression", "none"]).replace(char::is_numeric, "9"), @r"wrote 99 events in 9 files ([size]) to a");
    generate("b", &["--compression", "none"]);
    generate("c", &["--compression", "none", "--seed", "2"]);
    let bytes = |folder: &str| {
        let files = listing(&project.path(folder)).into_iter().map(|(path, ..)| path);
        let relative = |path: &Path| path.strip_prefix(project.path(folder)).unwrap().to_owned();
        files.map(|path| (relative(&path), std::fs::read(&path).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(bytes("a"), bytes("b"));
    assert_ne!(bytes("a"), bytes("c"));
    generate("d", &["--compression", "gzip", "--topic", "listen_events"]);
    generate("e", &["--compression", "zstd", "--topic", "listen_events"]);
    let names = |folder: &str| {
        bytes(folder).into_iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("d"), ["listen_events/2018-11-01.json.gz", "listen_events/2018-11-02.json.gz"]);
    assert_eq!(names("e"), ["listen_events/2018-11-01.json.zst", "listen_events/2018-11-02.json.zst"]);
    let plain =
        bytes("a").into_iter().find(|(path, _)| path.ends_with("listen_events/2018-11-01.json")).unwrap().1;
    assert_eq!(zstd::decode_all(bytes("e")[0].1.as_slice()).unwrap(), plain);
    insta::assert_snapshot!(project.fail(2, &["generate", "--to", "f", "--topic", "listen_event"]), @r"
    error: the simulator has no topic `listen_event`
    help: did you mean `listen_events`?
    ");
    insta::assert_snapshot!(project.fail(2, &["generate", "--to", "f", "--growth", "-1"]), @r"
    error: unexpected argument '-1' found

    Usage: mep generate [OPTIONS] --to <FOLDER|kafka>

    For more information, try '--help'.
    ");
}

#[test]
fn what_a_profile_says_of_paths_holds_wherever_mep_is_called() {
    let project = project();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = project.command(&["run", "--project-dir", project.path("").to_str().unwrap()]);
    let output = command.current_dir(elsewhere.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_logical_date_lands_the_days_up_to_it() {
    let project = Project::new();
    let here = project.path("p");
    let here = here.to_str().unwrap();
    project.succeed(&["init", "p"]);
    project.succeed(&["run", "--project-dir", here, "--date", "2018-11-02"]);
    let days =
        |sql: &str| project.print(&["show", "--project-dir", here, "--inline", sql, "--output", "json"]);
    let last = "select max(event_date) as last from p.listens_by_day";
    assert_eq!(days(last).trim(), r#"[{"last":"2018-11-02"}]"#);
    project.succeed(&["run", "--project-dir", here]);
    assert_eq!(days(last).trim(), r#"[{"last":"2018-11-07"}]"#);
}

/// Models that depend on the landed listens by day, by week, by day with a seed beside it, and as a whole.
fn explained() -> Project {
    let project = project();
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n2,Bob\n");
    project.model(
        "weeks",
        "{{ config(materialized='incremental', partition_by='week') }}
        select cast(date_trunc('week', event_date) as date) as week, sum(n) as n from {{ ref('days') }} group by 1",
    );
    project.model(
        "named",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select s.event_date, s.song, p.name from {{ ref('shown') }} s left join {{ ref('people') }} p on p.user_id = s.user_id",
    );
    project.model("total", "{{ config(materialized='table') }} select count(*) as n from {{ ref('shown') }}");
    project.model(
        "first_days",
        "{{ config(materialized='incremental', partition_by='first_day') }}
        select song, min(event_date) as first_day from {{ ref('shown') }} group by song",
    );
    project.succeed(&["build"]);
    project
}

#[test]
fn a_plan_is_explained_by_what_each_model_reads_and_by_each_partition() {
    let project = explained();
    project.listens("2.json", &[(1, 1, "late"), (9 * DAY, 1, "new")]);
    project.file("seeds/people.csv", "user_id,name\n1,Anna\n2,Bob\n");
    insta::assert_snapshot!(project.print(&["plan", "--explain"]));
    let json: Json = serde_json::from_str(&project.print(&["plan", "--output", "json"])).unwrap();
    let steps = json["steps"].as_array().unwrap();
    let step = |name: &str| steps.iter().find(|step| step["name"] == name).unwrap().clone();
    assert_eq!(
        step("weeks")["inputs"],
        json!([{"relation": "main.days", "by": ["CAST(date_trunc('week', CAST(event_date AS TIMESTAMP)) AS DATE)"],
            "columns": ["event_date", "n"], "looked_up": false, "changes": "rebuild"}])
    );
    assert_eq!(step("named")["inputs"][0]["by"], Json::Null);
    assert_eq!(
        step("days")["partitions"][0],
        json!({"partition": "2018-11-01", "why": "late rows of raw_listens in 2018-11-01/listens/2.json",
            "reason": {"kind": "inputs_changed", "tables": {"main.raw_listens": {"new": [], "changed": [], "gone": [],
                "late": ["2018-11-01/listens/2.json"]}}},
            "reads": step("days")["partitions"][0]["reads"]})
    );
    project.succeed(&["build"]);
    assert_eq!(project.plan(), [""; 0]);
    insta::assert_snapshot!(project.print(&["plan", "--explain", "--select", "first_days"]), @r"
    current  incremental first_days
        is built as a whole: no input's partitions say which of the model's partitions they feed
        reads raw_listens  all of it; event_date, song
    nothing to do: everything is as it should be
    ");
}

#[test]
fn compiled_files_are_written_where_they_change() {
    let project = Project::with_listens();
    project.model("one", "select 1 as a").model("two", "select 2 as b");
    project.succeed(&["compile"]);
    let before = project.listing("target/compiled");
    project.succeed(&["compile"]);
    assert_eq!((project.listing("target/compiled"), before.len()), (before.clone(), 2));
    project.model("two", "select 3 as b");
    std::fs::remove_file(project.path("target/compiled/songs/models/one.sql")).unwrap();
    project.succeed(&["compile"]);
    let after = project.listing("target/compiled");
    assert!(after.len() == 2 && after.iter().all(|file| !before.contains(file)), "{after:?}");
    let text = std::fs::read_to_string(project.path("target/compiled/songs/models/two.sql")).unwrap();
    assert_eq!(text, "select 3 as b\n");
}
