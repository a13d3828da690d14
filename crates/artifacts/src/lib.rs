//! What other tools read of a project and its runs.
//!
//! Owns the files below the target path: the manifest, the results of the last run, the compiled SQL, in dbt's forms; the last
//! result of each test; and
//! the project as a DAG of Airflow.
//! Comes in: a graph, what was compiled, what came of a run. Goes out: files. Must not know: how anything is done.

pub mod airflow;

mod catalog;
mod compiled_paths;
mod compiled_sql;
mod files;
mod json_schema;
mod manifest;
pub mod openlineage;
mod paths;
mod run_results;
mod semantic_manifest;
mod sources;
mod state;
mod test_results;

pub use catalog::write_catalog;
pub use compiled_sql::write_compiled;
pub use files::write as write_file;
pub use json_schema::{YamlFile, json_schema};
pub use manifest::{Described, write_manifest};
pub use run_results::{CallArguments, DeferredTo, write_run};
pub use sources::{FreshnessResult, write_sources};
pub use state::{LastRun, StateError, beside, last_run, relations_of};
pub use test_results::{TEST_RESULTS, TestResult, TestResults};
