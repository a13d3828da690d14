//! Many small files of a source share Parquet files, and everything else is as if each had its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::project::{DAY, NOVEMBER, Project, steps};

const MANY: i64 = 300;

/// The rows of a file: when, and which song; `None` for a line that is none.
type Lines = Vec<Option<(i64, String)>>;

/// What was landed of the source, by file: what is deleted there stays.
struct Story {
    project: Project,
    landed: BTreeMap<String, Lines>,
}

impl Story {
    fn new() -> Self {
        let project = Project::with_listens();
        project.model(
            "by_day",
            "{{ config(materialized='incremental', partition_by='event_date') }}
            select event_date, count(*) as plays, max(song) as song from {{ source('events', 'listens') }}
            group by event_date",
        );
        project.model(
            "by_file",
            "{{ config(materialized='incremental', partition_by=['event_date', 'batch']) }}
            select event_date, batch, ts, song from {{ source('events', 'listens') }}",
        );
        project.model(
            "songs",
            "{{ config(materialized='table') }}
            select song, count(*) as n, max(batch) as batch from {{ source('events', 'listens') }} group by song",
        );
        Self { project, landed: BTreeMap::new() }
    }

    fn write(&mut self, file: &str, lines: &[Option<(i64, &str)>]) {
        let text = |line: &Option<(i64, &str)>| match line {
            Some((at, song)) => {
                format!("{}\n", json!({"ts": NOVEMBER + at, "user_id": 1, "song": song, "seconds": 1.5}))
            }
            None => "{\"ts\": \n".to_owned(),
        };
        self.project.file(&format!("events/listens/{file}"), lines.iter().map(text).collect::<String>());
        let lines = lines.iter().map(|line| line.map(|(at, song)| (at, song.to_owned())));
        self.landed.insert(file.to_owned(), lines.collect());
    }

    fn delete(&self, file: &str) {
        std::fs::remove_file(self.project.path(format!("events/listens/{file}"))).unwrap();
    }

    /// The rows that are to be there, as (time, song, batch), and the files of rejected lines.
    fn expected(&self) -> (Vec<Json>, Vec<Json>) {
        let (mut rows, mut rejects) = (Vec::new(), Vec::new());
        for (file, lines) in &self.landed {
            let batch = format!("listens/{file}");
            for line in lines {
                match line {
                    Some((at, song)) => rows.push(json!({"ts": NOVEMBER + at, "song": song, "batch": batch})),
                    None => rejects.push(json!({"unit": batch, "batch": batch})),
                }
            }
        }
        rows.sort_by_key(|row| (row["ts"].as_i64(), row["batch"].to_string()));
        (rows, rejects)
    }

    /// Runs, and looks whether every row is there, once, under its file, in every table.
    #[track_caller]
    fn run(&self, words: &[&str]) -> String {
        let said = self.project.succeed(&[&["run"], words].concat());
        self.check();
        assert_eq!(self.project.plan(), Vec::<String>::new());
        said
    }

    #[track_caller]
    fn check(&self) {
        let (rows, rejects) = self.expected();
        for table in ["raw_listens", "by_file"] {
            let found =
                self.project.rows(&format!("select ts, song, batch from main.{table} order by ts, batch"));
            assert_eq!(found, json!(rows), "{table}");
        }
        let mut days: BTreeMap<i64, i64> = BTreeMap::new();
        let mut songs: BTreeMap<String, i64> = BTreeMap::new();
        for row in &rows {
            *days.entry((row["ts"].as_i64().unwrap() - NOVEMBER).div_euclid(DAY)).or_default() += 1;
            *songs.entry(row["song"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let found = self.project.rows("select plays from main.by_day order by event_date");
        let expected: Vec<Json> = days.values().map(|plays| json!({"plays": plays})).collect();
        assert_eq!(found, json!(expected));
        let found = self.project.rows("select song, n from main.songs order by song");
        let expected: Vec<Json> = songs.iter().map(|(song, n)| json!({"song": song, "n": n})).collect();
        assert_eq!(found, json!(expected));
        // What a single row is asked for by its file is found in a shared one.
        if let Some(row) = rows.last() {
            let file = row["batch"].as_str().unwrap();
            let found = self
                .project
                .rows(&format!("select ts, song, batch from main.raw_listens where batch = '{file}'"));
            assert!(found.as_array().unwrap().contains(row), "{found}");
        }
        let found = self.project.rows("select unit, batch from main.raw_listens_rejects order by unit, line");
        assert_eq!(found, json!(rejects));
    }

    /// The Parquet files that the manifest lists, as any reader would take them.
    fn files(&self, table: &str) -> BTreeSet<String> {
        let folder = format!("warehouse/main/{table}");
        let text = |name: &str| -> Json {
            serde_json::from_slice(&std::fs::read(self.project.path(format!("{folder}/{name}"))).unwrap())
                .unwrap()
        };
        let manifest = text("manifest.json");
        let mut files = Vec::new();
        for part in manifest["parts"].as_array().unwrap() {
            let listed = text(part.as_str().unwrap());
            files.extend(
                listed["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap().to_owned()),
            );
        }
        let distinct: BTreeSet<String> = files.iter().cloned().collect();
        assert_eq!(distinct.len(), files.len(), "a file twice");
        distinct
    }
}

fn name(file: i64) -> String {
    format!("{file:03}.json")
}

/// Three hundred files of a row each, of two days; every hundredth has a line that cannot be read too.
fn many() -> Story {
    let mut story = Story::new();
    for file in 0..MANY {
        let at = (file % 2) * DAY + file;
        let bad = (file % 100 == 50).then_some(None);
        let song = format!("song {}", file % 7);
        let lines: Vec<Option<(i64, &str)>> = std::iter::once(Some((at, song.as_str()))).chain(bad).collect();
        story.write(&name(file), &lines);
    }
    story.run(&[]);
    story
}

#[test]
fn files_of_a_source_are_replaced_deleted_and_late_one_by_one_though_they_share_parquet_files() {
    let mut story = many();
    // A file for each day and thread.
    assert!(story.files("raw_listens").len() <= 8 && story.files("raw_listens_rejects").len() <= 4);
    let first = story.project.print(&["show", "--inline", "select count(*) as n from main.raw_listens"]);
    let results = std::fs::read(story.project.path("target/run_results.json")).unwrap();
    let results: Json = serde_json::from_slice(&results).unwrap();
    let run = results["metadata"]["invocation_id"].as_str().unwrap().to_owned();
    // One is replaced: it alone has changed.
    story.write(&name(0), &[Some((5, "other")), Some((6, "another"))]);
    let plan = steps(&story.project.print(&["plan", "--output", "json"]));
    assert_eq!(plan[1], "by_day: build: raw_listens changed in 2018-11-01/listens/000.json");
    let said = story.run(&[]);
    assert!(said.contains("(1 changed)"), "{said}");
    // One is replaced while another that it shares a file with is gone.
    story.delete(&name(2));
    story.write(&name(4), &[Some((7, "third"))]);
    let said = story.run(&[]);
    assert!(said.contains("(1 changed)") && said.contains("no longer has listens/002.json"), "{said}");
    // One is gone, and nothing else happens.
    story.delete(&name(6));
    story.run(&[]);
    // One comes to be unreadable, and one that was partly so is readable.
    story.write(&name(8), &[None]);
    story.write(&name(50), &[Some((50, "mended"))]);
    story.run(&[]);
    // A late one, and one of a new day.
    story.write("late.json", &[Some((9, "late"))]);
    story.write("new.json", &[Some((2 * DAY, "new"))]);
    let said = story.run(&[]);
    assert!(said.contains("(2 new)"), "{said}");
    assert!(story.files("raw_listens").len() <= 8 + 5 + 3);
    // What is gone stays as it was landed, whatever is read again.
    let sources = std::fs::read_to_string(story.project.path("sources.yml")).unwrap();
    story.project.file("sources.yml", format!("{sources}          - {{name: device, data_type: varchar}}\n"));
    story.run(&[]);
    story.run(&["--full-refresh"]);
    // A deleted file that comes back with the same content but another time of change lands anew.
    story.write(&name(2), &[Some((2, "song 2"))]);
    story.run(&[]);
    let then = ["show", "--at", &run, "--inline", "select count(*) as n from main.raw_listens"];
    assert!(story.project.print(&then).starts_with(&first));
    story.project.succeed(&["clean", "--retention-days", "0"]);
    story.check();
}

#[test]
fn small_files_that_were_landed_run_by_run_are_compacted_across_batches() {
    let mut story = Story::new();
    for file in 0..12 {
        story.write(&name(file), &[Some((file % 2 * DAY + file, "a")), (file == 3).then_some((3, "b"))]);
        story.project.succeed(&["run", "--quiet"]);
    }
    story.check();
    assert_eq!((story.files("raw_listens").len(), story.files("raw_listens_rejects").len()), (13, 11));
    let said = story.project.succeed(&["compact", "--select", "source:events"]);
    assert!(said.contains("main.raw_listens  13 files in 13 partitions became 2"), "{said}");
    assert!(said.contains("main.raw_listens_rejects  11 files in 11 partitions became 1"), "{said}");
    story.check();
    assert_eq!(story.project.plan(), Vec::<String>::new());
    assert_eq!((story.files("raw_listens").len(), story.files("raw_listens_rejects").len()), (2, 1));
    let again = story.project.succeed(&["compact", "--select", "source:events"]);
    assert!(again.contains("nothing to compact"), "{again}");
    // Of columns that were declared since, files that stay as they were landed have none: they go into a file of their own.
    story.delete(&name(0));
    story.write(&name(1), &[Some((DAY + 1, "c"))]);
    let sources = std::fs::read_to_string(story.project.path("sources.yml")).unwrap();
    story.project.file("sources.yml", format!("{sources}          - {{name: device, data_type: varchar}}\n"));
    story.run(&[]);
    story.project.succeed(&["compact", "--select", "source:events", "--min-files", "2"]);
    story.run(&[]);
    assert!(story.files("raw_listens").len() <= 3);
}

#[test]
fn a_shared_file_that_is_damaged_is_an_error_with_a_way_on() {
    let mut story = many();
    for file in story.files("raw_listens") {
        std::fs::write(story.project.path(format!("warehouse/main/raw_listens/{file}")), "PAR1").unwrap();
    }
    story.write(&name(0), &[Some((5, "other"))]);
    let said = story.project.fail(1, &["run"]);
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(story.project.rows("select count(*) as n from main.by_day"), json!([{"n": 2}]));
    story.run(&["--full-refresh"]);
}
