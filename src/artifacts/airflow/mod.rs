//! A project as a DAG of Airflow: one Python file, made of the graph alone.
//!
//! `tasks` says which calls of mep there are and what each comes after, `shell` and `python` write these down.

mod python;
mod shell;
mod tasks;

pub use python::DagFile;
pub use shell::command_line;
pub use tasks::{Grain, Tasks};
