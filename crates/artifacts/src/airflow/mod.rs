//! A project as a DAG of Airflow: one Python file, made of the graph alone.
//!
//! `tasks` says which calls of mep there are and what each comes after, `shell` and `python` write these down.

mod python;
mod shell;
mod tasks;

pub use python::DagFile;
pub use shell::command_line;
pub use tasks::{Grain, Tasks};

#[cfg(test)]
mod tests {
    #[test]
    fn the_bundled_dags_call_mep_as_exported_ones_do() {
        let (_, class) = include_str!("head.py").split_once("class Mep").unwrap();
        assert!(include_str!("../../../../airflow/dags/music_events.py").contains(class.trim_end()));
    }
}
