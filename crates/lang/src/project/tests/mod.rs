//! Projects in folders of their own, and what reading them says.

mod bundled;
mod files;
mod jinja;
mod profiles;
mod project_file;
mod properties;
mod sources;
mod yaml;

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

use super::{LoadOptions, Problem, Problems, Project, load};

const PROFILES: &str = "music:
  outputs:
    local:
      type: local
      path: .mep
      schema: music
";

/// A project on disk, named `shop`.
struct Folder {
    parent: TempDir,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self { parent: tempfile::tempdir().unwrap() };
        folder.write("profiles.yml", PROFILES.as_bytes());
        for (path, text) in files {
            folder.write(path, text.as_bytes());
        }
        folder
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.options().root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn options(&self) -> LoadOptions {
        LoadOptions { root: self.parent.path().join("shop"), ..LoadOptions::default() }
    }

    fn load(&self) -> Result<Project, Problems> {
        load(&self.options())
    }
}

/// Reads a project of these files.
fn loaded(files: &[(&str, &str)]) -> Project {
    Folder::new(files).load().map_err(|problems| shown(problems.iter())).unwrap()
}

/// What is wrong with a project of these files, to a strict reader.
fn problems(files: &[(&str, &str)]) -> String {
    let folder = Folder::new(files);
    let options = LoadOptions { is_strict: true, ..folder.options() };
    shown(load(&options).unwrap_err().iter())
}

/// What a project of these files is warned of.
fn warnings(files: &[(&str, &str)]) -> String {
    shown(&loaded(files).warnings)
}

/// Problems as a person reads them: where, what, how to go on.
fn shown<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let mut text = String::new();
    for problem in problems {
        if let Some(place) = problem.place() {
            let (line, column) = place.line_column();
            write!(text, "{}:{line}:{column}: ", place.text.path().display()).unwrap();
        }
        writeln!(text, "{problem}").unwrap();
        if let Some(help) = problem.help_text() {
            writeln!(text, "    {help}").unwrap();
        }
    }
    text
}

/// The text that a problem's place points at.
fn pointed_at(problem: &Problem) -> &str {
    let place = problem.place().unwrap();
    &place.text.text()[place.span.start..place.span.end()]
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
