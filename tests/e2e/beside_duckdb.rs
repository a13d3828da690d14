//! Random SQL, run by mep and by DuckDB: the same rows, and what compiles runs.

use std::process::Command;

/// So many queries are models of one project. `MEP_TEST_QUERIES` asks for more in all, each a seed of its own.
const QUERIES: usize = 500;

#[test]
#[ignore = "installs DuckDB from PyPI"]
fn random_queries_give_the_rows_that_duckdb_gives() {
    let python = crate::python_environment::programs("duckdb").join("python");
    let queries: usize =
        std::env::var("MEP_TEST_QUERIES").ok().and_then(|count| count.parse().ok()).unwrap_or(QUERIES);
    let folder = tempfile::tempdir().unwrap();
    for first in (1..=queries).step_by(QUERIES) {
        let output = Command::new(&python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/duckdb/compare.py"))
            .arg(env!("CARGO_BIN_EXE_mep"))
            .arg(folder.path().join("project"))
            .args([first.to_string(), QUERIES.min(queries + 1 - first).to_string()])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{failed}");
    }
}
