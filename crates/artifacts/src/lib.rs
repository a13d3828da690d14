//! What other tools read of a project and its runs.
//!
//! Owns the files below the target path: the manifest, the results of the last run, the compiled SQL, in dbt's forms; the last
//! result of each test; and
//! the project as a DAG of Airflow.
//! Comes in: a graph, what was compiled, what came of a run. Goes out: files. Must not know: how anything is done.

pub mod airflow;

mod compiled_sql;
mod files;
mod manifest;
mod run_results;
mod test_results;

pub use compiled_sql::write_compiled;
pub use files::write as write_file;
pub use manifest::write_manifest;
pub use run_results::write_run;
pub use test_results::{TEST_RESULTS, TestResult, TestResults};
