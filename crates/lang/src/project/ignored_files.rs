//! Files that `.dbtignore` leaves out: patterns as in `.gitignore`, relative to the project's folder.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::files::read_text;
use super::{Problem, Problems, Span};

/// The name of the file.
const FILE: &str = ".dbtignore";

/// What a project's `.dbtignore` leaves out; nothing where there is none.
pub(super) fn ignored_files(root: &Path, problems: &mut Problems) -> Gitignore {
    let location = root.join(FILE);
    if !location.is_file() {
        return Gitignore::empty();
    }
    let text = match read_text(&location, FILE) {
        Ok(text) => text,
        Err(problem) => {
            problems.push(problem);
            return Gitignore::empty();
        }
    };
    let mut builder = GitignoreBuilder::new("");
    let mut start = 0;
    for line in text.text().split_inclusive('\n') {
        if let Err(error) = builder.add_line(None, line.trim_end_matches(['\r', '\n'])) {
            let place = text.at(Span::range(start, start + line.trim_end().len()));
            problems.push(Problem::new(format!("this is no pattern of files: {error}")).at(&place));
        }
        start += line.len();
    }
    builder.build().unwrap_or_else(|error| {
        problems.push(Problem::new(format!("{FILE} cannot be used: {error}")));
        Gitignore::empty()
    })
}

/// Whether a file, named relative to the project's folder, is left out.
pub(super) fn leaves_out(ignored: &Gitignore, path: &str) -> bool {
    !ignored.is_empty() && ignored.matched_path_or_any_parents(path, false).is_ignore()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_left_out_as_git_leaves_them_out() {
        let folder = tempfile::tempdir().unwrap();
        let patterns = "# drafts\n*.draft.sql\nmodels/wip/\n!models/wip/kept.sql\n/seeds/*.csv\n";
        std::fs::write(folder.path().join(FILE), patterns).unwrap();
        let mut problems = Problems::default();
        let ignored = ignored_files(folder.path(), &mut problems);
        assert!(problems.is_empty(), "{problems}");
        let left_out = |path: &str| leaves_out(&ignored, path);
        assert!(left_out("models/a.draft.sql") && left_out("models/wip/deep/b.sql"));
        assert!(left_out("seeds/x.csv") && !left_out("seeds/more/x.csv") && !left_out("models/a.sql"));
    }
}
