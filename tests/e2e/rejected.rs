//! Rows that are rejected are told by every run and plan, tried again when that may help, and limited by `max_rejected`.

use serde_json::{Value as Json, json};

use crate::project::Project;

const GOOD: &str = "{\"ts\": 1541030400000, \"user_id\": 1, \"song\": \"a\"}\n";
const BAD: &str = "{\"ts\": 1541030400000, \"user_id\": \"x\"}\n";

fn project() -> Project {
    let project = Project::with_listens();
    project
        .model("plays", "{{ config(materialized='table') }} select * from {{ source('events', 'listens') }}");
    project
}

/// Says how many rows of the listens may be rejected.
fn limit(project: &Project, limit: &str) {
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    let lines = sources.lines().filter(|line| !line.contains("max_rejected"));
    let lines: Vec<String> = lines.map(|line| line.to_owned() + "\n").collect();
    let sources =
        lines.concat().replace("        event_time: ts\n", &format!("        event_time: ts\n{limit}"));
    project.file("sources.yml", sources);
}

fn plan(project: &Project) -> Json {
    serde_json::from_str(&project.print(&["plan", "--output", "json"])).unwrap()
}

#[test]
fn every_run_and_plan_says_how_many_rows_are_rejected_by_now() {
    let project = project();
    project.file("events/listens/1.json", BAD.repeat(3));
    project.succeed(&["run"]);
    insta::assert_snapshot!(project.succeed(&["run"]), @r"
     current  source events.listens  3 rejected by now
     current  table plays
    rejected  events.listens: 3 of 3 rows by now, in main.raw_listens_rejects
    done in [time]: 2 current
    ");
    insta::assert_snapshot!(project.print(&["plan"]), @r"
    rejected  events.listens: 3 of 3 rows by now, in main.raw_listens_rejects
    nothing to do
    ");
    // They are warnings, so that they are told however quiet.
    insta::assert_snapshot!(project.succeed(&["run", "--quiet"]), @"rejected  events.listens: 3 of 3 rows by now, in main.raw_listens_rejects");
    let said = project.succeed(&["run", "--select", "plays"]);
    assert!(said.contains("rejected  events.listens: 3 of 3 rows by now"), "{said}");
    project.file("events/listens/2.json", GOOD.repeat(2) + BAD);
    let said = project.succeed(&["build"]);
    assert!(
        said.contains("rejected  events.listens: 4 of 6 rows by now, in main.raw_listens_rejects"),
        "{said}"
    );
    let response = &project.results()[0]["adapter_response"];
    assert_eq!((&response["rejected"], &response["rejected_by_now"]), (&json!(1), &json!(4)));
    let printed: Json = serde_json::from_str(&project.print(&["run", "--output", "json"])).unwrap();
    let rejected =
        json!([{"source": "events.listens", "read": 6, "rejected": 4, "table": "main.raw_listens_rejects"}]);
    assert_eq!((&printed["rejected"], &plan(&project)["rejected"]), (&rejected, &rejected));
    // What is mended is read anew.
    project.file("events/listens/1.json", GOOD);
    project.file("events/listens/2.json", GOOD);
    let said = project.succeed(&["run"]);
    assert!(!said.contains("rejected"), "{said}");
    insta::assert_snapshot!(project.print(&["plan"]), @"nothing to do: everything is as it should be");
}

#[test]
fn a_landing_with_more_rejected_rows_than_may_be_fails_and_publishes_nothing() {
    let project = project();
    project.model("other", "{{ config(materialized='table') }} select 1 as x");
    project.file("events/listens/1.json", GOOD.repeat(2) + BAD);
    limit(&project, "        max_rejected: 1\n");
    project.succeed(&["run"]);
    let before = project.listing("warehouse/main/raw_listens");
    project.file("events/listens/2.json", GOOD.repeat(97) + &BAD.repeat(3));
    assert_eq!(
        plan(&project)["warnings"],
        json!([
            "events.listens: a run fails here: 4 of the 103 rows of the table are rejected, and `max_rejected` is 1"
        ])
    );
    project.model("other", "{{ config(materialized='table') }} select 2 as x");
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said, @r#"
       start  source events.listens
       error  source events.listens  [time]
        plan  1 table; 1 current
       start  table other
          ok  table other  1 row, [size], [time]  (model changed at line 1)
     skipped  table plays  (because of events.listens)

    what failed:
      source events.listens
          3 of 100 rows could not be read, and `max_rejected` is 1: nothing was landed; the first of them:
            listens/2.json line 98: field "user_id": expected bigint, found "x" (string)
            listens/2.json line 99: field "user_id": expected bigint, found "x" (string)
            listens/2.json line 100: field "user_id": expected bigint, found "x" (string)
          mend the rows or the declared columns, or raise `max_rejected`
    rejected  events.listens: 1 of 3 rows by now, in main.raw_listens_rejects
    failed in [time]: 1 built, 1 in error, 1 skipped
    "#);
    assert_eq!(
        project.listing("warehouse/main/raw_listens").len(),
        before.len() + 1,
        "the new files, to which nothing points"
    );
    assert_eq!(project.rows("select count(*) as n from main.raw_listens"), json!([{"n": 2}]));
    assert_eq!(project.rows("select count(*) as n from main.raw_listens_rejects"), json!([{"n": 1}]));
    assert_eq!(project.rows("select x from main.other"), json!([{"x": 2}]));
    project.fail(1, &["run"]);
    limit(&project, "        max_rejected: 4%\n");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 99}]));
}

#[test]
fn a_share_is_one_of_what_a_run_lands_and_of_all() {
    let project = project();
    limit(&project, "        max_rejected: 10%\n");
    project.file("events/listens/1.json", GOOD.repeat(1_000));
    project.succeed(&["run"]);
    project.file("events/listens/2.json", GOOD.repeat(8) + &BAD.repeat(2));
    let said = project.fail(1, &["run"]);
    assert!(
        said.contains("2 of 10 rows could not be read, and `max_rejected` is 10%: nothing was landed"),
        "{said}"
    );
    project.file("events/listens/2.json", GOOD.repeat(9) + BAD);
    project.succeed(&["run"]);
    // A limit that what was landed is past fails every run, until the rows or the limit are others.
    limit(&project, "        max_rejected: 0\n");
    let said = project.fail(1, &["run"]);
    assert!(said.contains("1 of the 1010 rows of the table are rejected, and `max_rejected` is 0; they are in main.raw_listens_rejects"), "{said}");
    limit(&project, "        max_rejected: null\n");
    project.succeed(&["run"]);
}

#[test]
fn a_limit_stands_at_the_source_the_table_or_in_config() {
    let project = project();
    project.file("events/listens/1.json", BAD);
    let of_source = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file("sources.yml", of_source.replace("    tables:", "    max_rejected: 0%\n    tables:"));
    project.fail(1, &["run"]);
    limit(&project, "        config: {max_rejected: 0}\n");
    project.fail(1, &["run"]);
    project.file("sources.yml", of_source.replace("    tables:", "    max_rejected: 0\n    tables:"));
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file(
        "sources.yml",
        sources.replace("        event_time: ts\n", "        event_time: ts\n        max_rejected: 1\n"),
    );
    project.succeed(&["run"]);
    limit(&project, "        max_rejected: 0.5\n");
    let said = project.fail(2, &["run"]);
    let expected = "`max_rejected`: expected a count such as 100 or a share such as 1%, found `0.5`";
    assert!(said.contains(expected) && said.contains("sources.yml:6:23"), "{said}");
}

#[test]
fn what_was_rejected_by_other_rules_of_reading_is_tried_again() {
    let project = project();
    project.file("events/listens/1.json", GOOD.to_owned() + BAD);
    project.file("events/listens/2.json", GOOD);
    project.succeed(&["run"]);
    // As a mep wrote it that did not note by which rules rows were rejected.
    let path = project.path("warehouse/main/raw_listens/manifest.json");
    let manifest = std::fs::read_to_string(&path).unwrap();
    assert!(manifest.contains(r#","rejected_by":2"#), "{manifest}");
    let body = manifest.split_once("\",").unwrap().1.replace(r#","rejected_by":2"#, "");
    std::fs::write(&path, format!("{{{}", body.replace(r#""format":3"#, r#""format":2"#))).unwrap();
    assert_eq!(project.plan(), ["events.listens: land: 1 with rejected rows to try again"]);
    project.succeed(&["run"]);
    assert_eq!(project.plan(), Vec::<String>::new());
}

#[test]
fn a_unit_of_the_same_version_with_fewer_rows_keeps_what_was_landed() {
    let project = project();
    let path = project.path("events/listens/1.json");
    project.file("events/listens/1.json", GOOD.repeat(3));
    project.file("events/listens/2.json", GOOD);
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    project.succeed(&["run"]);
    // Rows that are gone although the file looks the same, as on a disk that loses them.
    let gone = " ".repeat(GOOD.len() - 1) + "\n";
    std::fs::write(&path, GOOD.to_owned() + &gone.repeat(2)).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let said = project.succeed(&["run", "--full-refresh"]);
    assert!(said.contains("events.listens: 3 rows of listens/1.json were read when it was landed, but the source now has only 1 of them"), "{said}");
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 4}]));
    // A file that was changed is landed as it is.
    project.file("events/listens/1.json", GOOD);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 2}]));
}
