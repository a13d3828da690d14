//! Input that is broken: rows that cannot be read are kept with their reason and counted, and the run goes on.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Value as Json, json};

use crate::project::{DAY, NOVEMBER, Project};

const GOOD: &str = "{\"ts\": 1541030400000, \"user_id\": 1, \"song\": \"a\", \"seconds\": 1.5}\n";

/// A project with one model over the listens, so that the run has something to build.
fn project() -> Project {
    let project = Project::with_listens();
    project
        .model("plays", "{{ config(materialized='table') }} select * from {{ source('events', 'listens') }}");
    project
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The result of the landing as `--output json` tells it.
fn landing(project: &Project) -> Json {
    let printed = project.print(&["run", "--output", "json"]);
    let results: Json = serde_json::from_str(&printed).unwrap();
    results["results"].as_array().unwrap().iter().find(|result| result["kind"] == "source").unwrap().clone()
}

/// Rows landed and rejected, which the results, the tables and the record of the landing must agree on.
#[track_caller]
fn counts(project: &Project) -> (u64, u64) {
    let result = landing(project);
    let (landed, rejected) = (result["rows"].as_u64().unwrap(), result["rejected"].as_u64().unwrap());
    let stored = project.rows("select count(*) as n from main.raw_listens")[0]["n"].as_u64().unwrap();
    assert_eq!(stored, landed);
    if rejected > 0 {
        let kept = project.rows("select count(*) as n from main.raw_listens_rejects");
        assert_eq!(kept[0]["n"].as_u64().unwrap(), rejected);
    }
    let manifest = std::fs::read(project.path("warehouse/main/raw_listens/manifest.json")).unwrap();
    let manifest: Json = serde_json::from_slice(&manifest).unwrap();
    let units = manifest["batches"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|batch| batch["units"].as_array().unwrap());
    let sum = |key: &str| units.clone().map(|unit| unit[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("read"), sum("landed"), sum("rejected")), (landed + rejected, landed, rejected));
    (landed, rejected)
}

/// What is kept of the rows that could not be read.
fn rejects(project: &Project) -> String {
    let rows =
        project.rows("select unit, line, reason, text from main.raw_listens_rejects order by unit, line");
    let lines = rows.as_array().unwrap().iter().map(|row| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        format!("{}:{}: {} [{}]", text("unit"), row["line"], text("reason"), text("text"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn lines_that_cannot_be_read_are_kept_with_their_reason() {
    let project = project();
    let lines = [
        GOOD.trim(),
        "not json",
        "{\"ts\": 1541030400000",
        "[1, 2]",
        "{\"ts\": \"soon\", \"user_id\": 1}",
        "{\"ts\": 1541030400000, \"user_id\": \"x\"}",
        "{\"ts\": 1541030400000, \"song\": \"nobody's\"}",
        "{\"user_id\": 1, \"song\": \"never\"}",
        "{\"ts\": 1541030400000, \"user_id\": null}",
        "{\"ts\": -1, \"user_id\": 1}",
        "{\"ts\": 1541030400000, \"user_id\": 1, \"song\": {\"title\": \"a\"}}",
        "",
        "{\"ts\": 1541030400000, \"user_id\": 2, \"song\": null, \"seconds\": 3, \"unknown\": [1]}",
    ];
    project.file("events/listens/1.json", lines.join("\n"));
    let said = project.succeed(&["run"]);
    insta::assert_snapshot!(said, @r"
       start  source events.listens
     warning  events.listens: 10 of 12 rows could not be read; they are in main.raw_listens_rejects with file, line and reason
          ok  source events.listens  2 rows, 10 rejected, [size], [time]  (1 new)
        plan  1 table
       start  table plays
          ok  table plays  2 rows, [size], [time]  (first run)
    rejected  events.listens: 10 of 12 rows by now, in main.raw_listens_rejects
    done in [time]: 2 built
    ");
    insta::assert_snapshot!(rejects(&project), @r#"
    listens/1.json:2: no JSON: expected a value, found `n` at column 1 [not json]
    listens/1.json:3: no JSON: expected `,` or `}`, found the end of the line at column 21 [{"ts": 1541030400000]
    listens/1.json:4: not a JSON object, but a list [[1, 2]]
    listens/1.json:5: field "ts": expected bigint, found "soon" (string) [{"ts": "soon", "user_id": 1}]
    listens/1.json:6: field "user_id": expected bigint, found "x" (string) [{"ts": 1541030400000, "user_id": "x"}]
    listens/1.json:7: field "user_id" is missing [{"ts": 1541030400000, "song": "nobody's"}]
    listens/1.json:8: field "ts" is missing [{"user_id": 1, "song": "never"}]
    listens/1.json:9: field "user_id" is null, but required [{"ts": 1541030400000, "user_id": null}]
    listens/1.json:10: field "ts": the event time -1 is not in the years 1970 to 9999 [{"ts": -1, "user_id": 1}]
    listens/1.json:11: field "song": expected varchar, found an object [{"ts": 1541030400000, "user_id": 1, "song": {"title": "a"}}]
    "#);
    assert_eq!(
        project.rows("select user_id from main.plays order by 1"),
        json!([{"user_id": 1}, {"user_id": 2}])
    );
    project.succeed(&["run", "--full-refresh"]);
    std::fs::remove_dir_all(project.path("warehouse")).unwrap();
    assert_eq!(counts(&project), (2, 10));
    assert_eq!(project.results()[0]["adapter_response"]["rejected"], 10);
}

#[test]
fn a_truncated_archive_lands_what_can_be_read_of_it() {
    let project = project();
    let whole = gzipped(&GOOD.repeat(5_000));
    project.file("events/listens/cut.json.gz", &whole[..whole.len() / 2]);
    project.file("events/listens/whole.json.gz", gzipped(GOOD));
    let (landed, rejected) = counts(&project);
    assert!(landed > 1 && landed < 5_001, "{landed}");
    assert!(rejected == 1 || rejected == 2, "{rejected}");
    let reasons = project.rows("select distinct unit from main.raw_listens_rejects");
    assert_eq!(reasons, json!([{"unit": "listens/cut.json.gz"}]));
    assert!(
        rejects(&project).contains("the gzip stream ends early (truncated file?)"),
        "{}",
        rejects(&project)
    );
}

#[test]
fn a_file_that_is_mended_replaces_its_rows_and_its_rejects() {
    let project = project();
    project.file("events/listens/1.json", format!("{GOOD}broken\n"));
    project.file("events/listens/2.json", "broken as well\n");
    assert_eq!(counts(&project), (1, 2));
    project.file("events/listens/1.json", format!("{GOOD}{GOOD}"));
    let said = project.succeed(&["run"]);
    assert!(said.contains("(1 changed)"), "{said}");
    insta::assert_snapshot!(rejects(&project), @r"listens/2.json:1: no JSON: expected a value, found `b` at column 1 [broken as well]");
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 2}]));
}

#[test]
fn a_line_of_ten_megabytes_is_a_row_or_a_reject_like_any_other() {
    let project = project();
    let song = "x".repeat(10 << 20);
    project.file(
        "events/listens/1.json",
        format!("{GOOD}{{\"ts\": 1541030400000, \"user_id\": 2, \"song\": \"{song}\"}}\n{song}\n{GOOD}"),
    );
    assert_eq!(counts(&project), (3, 1));
    let longest = project.rows("select max(length(song)) as n from main.plays");
    assert_eq!(longest, json!([{"n": 10 << 20}]));
    let kept = project.rows("select line, length(text) as n from main.raw_listens_rejects");
    assert_eq!(kept, json!([{"line": 3, "n": 1024}]));
}

#[test]
fn an_empty_file_lands_as_no_rows_and_once() {
    let project = project();
    project
        .file("events/listens/1.json", "")
        .file("events/listens/2.json.gz", gzipped(""))
        .file("events/listens/3.json", "\n\n");
    assert_eq!(counts(&project), (0, 0));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn files_of_every_form_land_as_the_same_rows() {
    let project = project();
    project.file("events/listens/plain.json", GOOD);
    project.file("events/listens/gzip.json.gz", gzipped(GOOD));
    project.file("events/listens/zstd.json.zst", zstd::encode_all(GOOD.as_bytes(), 1).unwrap());
    project.file("events/listens/windows.json", format!("\u{feff}{}\r\n", GOOD.trim()));
    project.file("events/listens/unended.json", GOOD.trim());
    project.file("events/listens/named_wrong.gz", GOOD);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("song", Arc::new(StringArray::from(vec![Some("a"), None]))),
        ("TS", Arc::new(Int64Array::from(vec![NOVEMBER, NOVEMBER + DAY]))),
        ("user_id", Arc::new(Int64Array::from(vec![Some(1), None]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    );
    let batch = batch.unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    project.file("events/listens/table.parquet", &bytes);
    project.file("events/listens/half.parquet", &bytes[..bytes.len() / 2]);
    project.file("events/listens/_SUCCESS", "");
    project.file("events/listens/.hidden.json", "x");
    project.file("events/listens/4.json.tmp", "x");
    assert_eq!(counts(&project), (7, 2));
    let rows = project.rows("select distinct user_id, song, event_date, ts from main.plays");
    assert_eq!(rows, json!([{"user_id": 1, "song": "a", "event_date": "2018-11-01", "ts": NOVEMBER}]));
    let reasons = rejects(&project);
    let reasons = reasons.lines().map(|line| line.split(" (").next().unwrap()).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(reasons, @r#"
    listens/half.parquet:1: the Parquet file cannot be read
    listens/table.parquet:2: field "user_id" is null, but required [song=, TS=1541116800000, user_id=]
    "#);
}

#[test]
fn a_folder_that_no_source_table_reads_is_warned_of_once() {
    let project = project();
    project.file("events/listens/1.json", GOOD).file("events/lisens/2.json", GOOD);
    project
        .file("events/_tmp/3.json", GOOD)
        .file("events/.cache/3.json", GOOD)
        .file("events/other/4.json", GOOD);
    insta::assert_snapshot!(project.succeed(&["run"]), @r"
     warning  no source table reads lisens, other in [folder]/events: declare it under `sources:`, or move it away
       start  source events.listens
          ok  source events.listens  1 row, [size], [time]  (1 new)
        plan  1 table
       start  table plays
          ok  table plays  1 row, [size], [time]  (first run)
    done in [time]: 2 built
    ");
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file(
        "sources.yml",
        sources.replace(
            "        event_time: ts",
            "        event_time: ts\n        path: \"{listens,lisens,o*}/*\"",
        ),
    );
    let said = project.succeed(&["run"]);
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 3}]));
}

#[test]
fn a_folder_of_the_source_that_is_not_there_fails_the_run_and_names_it() {
    let project = project();
    std::fs::remove_dir_all(project.path("events")).unwrap();
    insta::assert_snapshot!(project.fail(1, &["run"]), @r"
       error  source events.listens  [time]
        plan  1 table
     skipped  table plays  (because of events.listens)

    what failed:
      source events.listens
          the folder [folder]/events does not exist
    failed in [time]: 1 in error, 1 skipped
    ");
    insta::assert_snapshot!(project.fail(2, &["plan"]), @r"  error: events.listens: the folder [folder]/events does not exist");
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_fails_the_landing_and_leaves_the_table() {
    let project = project();
    project.file("events/listens/1.json", GOOD);
    project.succeed(&["run"]);
    std::os::unix::fs::symlink("nowhere", project.path("events/listens/2.json")).unwrap();
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      source events.listens
          cannot read [folder]/events/listens/2.json: there is no such file or folder; make it, or correct the path
    failed in [time]: 1 in error, 1 skipped
    ");
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 1}]));
}

#[test]
fn a_query_that_needs_more_memory_than_it_may_have_says_how_to_give_it_more() {
    let project = Project::with_listens();
    let profiles = std::fs::read_to_string(project.path("profiles.yml")).unwrap();
    project.file("profiles.yml", profiles.replace("threads: 1\n", "threads: 1\n      memory: 1MiB\n"));
    let of_groups = "select k, count(distinct v) as n from (select value % 200000 as k, value as v from generate_series(1, 3000000)) as t \
                     group by k order by n limit 1";
    insta::assert_snapshot!(project.fail(1, &["show", "--inline", of_groups]), @r"
    error: the query needs more memory than the target's `memory` allows, for what cannot be put on disk
    help: raise it in profiles.yml (`memory: 4GiB`), or count distinct values of fewer groups at once
    ");
}
