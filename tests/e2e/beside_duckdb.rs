//! Random SQL, run by mep and by DuckDB: the same rows, and what compiles runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use self::random_sql::{Random, Row, TABLES};

#[path = "../../crates/sql/src/keyed/tests/random_sql.rs"]
mod random_sql;

/// So many queries are models of one project. `MEP_TEST_QUERIES` asks for more in all, each a seed of its own.
const QUERIES: usize = 500;

#[test]
#[ignore = "installs DuckDB from PyPI"]
fn random_queries_give_the_rows_that_duckdb_gives() {
    let queries = queries(QUERIES);
    let folder = tempfile::tempdir().unwrap();
    for first in (1..=queries).step_by(QUERIES) {
        let count = QUERIES.min(queries + 1 - first);
        compared("compare.py", &folder.path().join("project"), &[first.to_string(), count.to_string()]);
    }
}

fn queries(unless_asked_for: usize) -> usize {
    let asked_for = std::env::var("MEP_TEST_QUERIES").ok().and_then(|count| count.parse().ok());
    asked_for.unwrap_or(unless_asked_for)
}

/// Runs a script of `tests/duckdb`, which must find nothing.
#[track_caller]
fn compared(script: &str, project: &Path, arguments: &[String]) {
    let python = crate::python_environment::programs("duckdb").join("python");
    let output = Command::new(&python)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/duckdb").join(script))
        .arg(env!("CARGO_BIN_EXE_mep"))
        .arg(project)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{failed}");
    eprintln!("{said}");
}

/// So many SELECTs stand over tables that change, and so often they do.
const KEPT_QUERIES: usize = 150;
const ROUNDS: usize = 5;

/// The files of each table, with their rows.
type Files = BTreeMap<&'static str, BTreeMap<String, Vec<Row>>>;

/// The next state of the files: one comes, or is written anew, of most tables.
fn changed(random: &mut Random, before: &Files) -> Files {
    let mut files = before.clone();
    for of_table in files.values_mut() {
        let name = match random.next(5) {
            0 => continue,
            1 | 2 if !of_table.is_empty() => random.next(of_table.len()),
            _ => of_table.len(),
        };
        of_table.insert(format!("{name}.json"), random_sql::rows(random, 6));
    }
    files
}

#[test]
#[ignore = "nightly: DuckDB"]
fn runs_after_changes_leave_the_rows_that_duckdb_makes_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(KEPT_QUERIES);
    for first in (1..=queries).step_by(KEPT_QUERIES) {
        let seeds = first..first + KEPT_QUERIES.min(queries + 1 - first);
        let selects: BTreeMap<String, String> = seeds
            .map(|seed| (format!("q{seed}"), random_sql::query(&mut Random::of(seed as u64)).0))
            .collect();
        let mut random = Random::of(first as u64);
        let mut files: Files = TABLES
            .iter()
            .map(|(table, _)| {
                (*table, BTreeMap::from([("0.json".to_owned(), random_sql::rows(&mut random, 12))]))
            })
            .collect();
        let mut rounds = vec![files.clone()];
        for _ in 1..ROUNDS {
            files = changed(&mut random, &files);
            rounds.push(files.clone());
        }
        let tables: BTreeMap<&str, [&str; 3]> = TABLES.into_iter().collect();
        let cases = serde_json::json!({"tables": tables, "queries": selects, "rounds": rounds});
        let path = folder.path().join("cases.json");
        std::fs::write(&path, cases.to_string()).unwrap();
        let path = path.to_string_lossy().into_owned();
        compared("increments.py", &folder.path().join("project"), &[path]);
    }
}
