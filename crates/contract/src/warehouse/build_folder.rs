//! The folders that builds leave their files in: `data/<run>`, or `data/<run>.<part>` where a run builds a table in parts.

use super::ledger::RunId;

/// The folder of a table's builds.
pub const DATA: &str = "data";

/// A new folder of a table's, which no other build writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFolder(String);

impl BuildFolder {
    /// The folder of a run.
    pub fn of(run: &RunId) -> Self {
        Self(format!("{DATA}/{run}"))
    }

    /// The folder of a part of what a run builds.
    pub fn part(run: &RunId, part: &str) -> Self {
        Self(format!("{DATA}/{run}.{part}"))
    }

    /// Its path in the table's folder.
    pub fn path(&self) -> &str {
        &self.0
    }
}

/// The name of the folder, below [`DATA`], that a file of a table lies in.
pub fn build_of(file: &str) -> Option<&str> {
    file.strip_prefix(DATA)?.strip_prefix('/')?.split('/').next()
}

/// Whether a run wrote a file, in its folder or in that of a part.
pub fn is_of_run(file: &str, run: &RunId) -> bool {
    let rest = build_of(file).and_then(|folder| folder.strip_prefix(run.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_which_run_wrote_it() {
        let (run, other) = (RunId::generate(), RunId::generate());
        let file = |folder: &BuildFolder| format!("{}/day=1/0.parquet", folder.path());
        assert!(is_of_run(&file(&BuildFolder::of(&run)), &run));
        assert!(is_of_run(&file(&BuildFolder::part(&run, "3.kept")), &run));
        assert!(!is_of_run(&file(&BuildFolder::of(&run)), &other));
        assert_eq!(build_of(&file(&BuildFolder::part(&run, "3"))), Some(format!("{run}.3").as_str()));
        assert_eq!(build_of("elsewhere/x.parquet"), None);
    }
}
