//! What other programs read of a table beside runs, by the words of docs/reading.md.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::project::Project;

const READS: usize = 30;

/// The block of the page in this language.
fn block(language: &str) -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reading.md")).unwrap();
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// A table of so many days, of which another content has another number in every row.
fn model(project: &Project, days: usize, content: usize) {
    project.model(
        "days",
        &format!(
            "{{{{ config(materialized='table', partition_by='day') }}}}\n\
             select {content} as content, date '2024-01-01' + cast(value as int) as day \
             from generate_series(1, {days})"
        ),
    );
}

#[test]
fn a_program_that_reads_by_the_page_sees_one_content_of_a_long_table_beside_runs() {
    let project = Project::new();
    model(&project, 130, 0);
    project.succeed(&["run"]);
    let script = format!(
        "{}\nimport os, sys\n\
         for _ in sys.stdin:\n    \
             files = files_of('warehouse/main/days')\n    \
             print(' '.join(files) if all(os.path.exists(file) for file in files) else 'gone', flush=True)\n",
        block("python")
    );
    project.file("reader.py", script);
    let mut reader = std::process::Command::new("python3")
        .arg("reader.py")
        .current_dir(project.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut asks, answers) = (reader.stdin.take().unwrap(), reader.stdout.take().unwrap());
    let ended = AtomicBool::new(false);
    let lengths = [130, 200, 90, 160];
    let mut runs: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for content in 1.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                model(&project, lengths[content % lengths.len()], content);
                project.succeed(&["run"]);
            }
        });
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(answers));
        for read in 0.. {
            if read >= READS && runs.len() > 3 {
                break;
            }
            std::io::Write::write_all(&mut asks, b"\n").unwrap();
            let line = lines.next().unwrap().unwrap();
            let files: Vec<&str> = line.split(' ').collect();
            let of_runs: BTreeSet<&str> = files.iter().map(|file| file.split('/').nth(4).unwrap()).collect();
            assert_eq!(of_runs.len(), 1, "a mixed read: {line}");
            let distinct: BTreeSet<&&str> = files.iter().collect();
            assert_eq!(distinct.len(), files.len(), "a file twice: {line}");
            runs.entry((*of_runs.first().unwrap()).to_owned()).or_default().insert(files.len());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        ended.store(true, Ordering::Relaxed);
    });
    drop(asks);
    assert!(reader.wait().unwrap().success());
    for lengths_of_run in runs.values() {
        assert!(lengths_of_run.len() == 1 && lengths_of_run.iter().all(|length| lengths.contains(length)));
    }
}

#[test]
#[ignore = "nightly: DuckDB"]
fn duckdb_sees_one_content_though_a_run_publishes_between_its_statements() {
    let python = crate::python_environment::programs("dbt").join("python");
    for (days, content) in [(130, 1), (200, 2), (90, 3)] {
        let project = Project::new();
        model(&project, 130, 0);
        project.succeed(&["run"]);
        let sql = block("sql").replace(".mep/local/music/fact_listen/", "warehouse/main/days/");
        let sql = sql.replace("SELECT event_date, count(*)", "SELECT content, count(*)");
        let script = format!(
            "import duckdb, sys\nasked = duckdb.extract_statements({})\nconnection = duckdb.connect()\n\
             for statement in asked:\n    print(connection.execute(statement).fetchall(), flush=True)\n    input()\n",
            serde_json::json!(sql)
        );
        project.file("reader.py", script);
        let mut reader = std::process::Command::new(&python)
            .arg("reader.py")
            .current_dir(project.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut asks = reader.stdin.take().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader.stdout.take().unwrap()));
        let mut last = String::new();
        for statement in 0..5 {
            last = lines.next().unwrap().unwrap();
            if statement == 1 {
                model(&project, days, content);
                project.succeed(&["run"]);
            }
            std::io::Write::write_all(&mut asks, b"\n").unwrap();
        }
        assert_eq!(last, "[(0, 130)]");
        assert!(reader.wait().unwrap().success());
    }
}
