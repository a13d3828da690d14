//! The files of a project: which there are, in an order that is the same on every machine, and their text.

use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::project_file::FILE as PROJECT_FILE;
use super::{Problem, Problems, SourceText};
use mep_core::os_error::OsMessage;

/// A file below one of the project's folders.
#[derive(Clone, Debug)]
pub(super) struct FoundFile {
    /// Where to open it.
    pub(super) location: PathBuf,
    /// Its path relative to the root, with forward slashes.
    pub(super) path: String,
    /// The folders between the project's folder and the file.
    pub(super) folders: Vec<String>,
    /// The name without its extension.
    pub(super) stem: String,
    /// The extension in lower case; empty where there is none.
    pub(super) extension: String,
}

impl FoundFile {
    pub(super) fn is_yaml(&self) -> bool {
        matches!(self.extension.as_str(), "yml" | "yaml")
    }

    /// Whether it holds rows for unit tests.
    pub(super) fn is_fixture(&self) -> bool {
        self.folders.iter().any(|folder| folder == "fixtures")
            && matches!(self.extension.as_str(), "csv" | "sql")
    }

    /// The project's name, the folders, then the stem.
    pub(super) fn fqn(&self, project: &str) -> Vec<String> {
        let mut fqn = vec![project.to_owned()];
        fqn.extend(self.folders.iter().cloned());
        fqn.push(self.stem.clone());
        fqn
    }

    /// Reads the text; a problem where that cannot be done.
    pub(super) fn read(&self) -> Result<SourceText, Problem> {
        read_text(&self.location, &self.path)
    }
}

/// Reads a file that messages call by `name`.
pub(super) fn read_text(location: &Path, name: &str) -> Result<SourceText, Problem> {
    let bytes = std::fs::read(location)
        .map_err(|error| Problem::new(format!("cannot read {name}: {}", OsMessage(&error))))?;
    match String::from_utf8(bytes) {
        // What editors on Windows may put before a text, to say that it is UTF-8.
        Ok(text) => Ok(SourceText::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text))),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let problem =
                Problem::new(format!("{name} is not UTF-8: the byte at {at} belongs to no character"));
            Err(problem.help("save it as UTF-8"))
        }
    }
}

/// Every file below the folders, each once; not hidden ones, nor those of a project within. A folder that does not exist holds none.
pub(super) fn below(root: &Path, folders: &[String], problems: &mut Problems) -> Vec<FoundFile> {
    let mut found: Vec<FoundFile> = Vec::new();
    for folder in folders {
        if root.join(folder).is_dir() {
            walk(root, folder, &mut found, problems);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    found
}

fn walk(root: &Path, folder: &str, found: &mut Vec<FoundFile>, problems: &mut Problems) {
    let start = root.join(folder);
    let belongs = |entry: &walkdir::DirEntry| {
        let is_hidden = || entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_another_project = || entry.file_type().is_dir() && entry.path().join(PROJECT_FILE).exists();
        entry.depth() == 0 || !(is_hidden() || is_another_project())
    };
    for entry in WalkDir::new(&start).follow_links(true).into_iter().filter_entry(belongs) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(Problem::new({
                    let said = error
                        .io_error()
                        .map_or_else(|| error.to_string(), |error| OsMessage(error).to_string());
                    format!("cannot read the folder {folder}: {said}")
                }));
                continue;
            }
        };
        if !entry.file_type().is_file() {
            continue;
        }
        if let Some(file) = found_file(folder, &start, entry.path()) {
            found.push(file);
        } else {
            let name = entry.path().display();
            problems.push(Problem::new(format!("the file name {name} is not UTF-8")).help("rename it"));
        }
    }
}

fn found_file(folder: &str, start: &Path, location: &Path) -> Option<FoundFile> {
    let inside = location.strip_prefix(start).ok()?;
    let mut folders: Vec<String> = Vec::new();
    for part in inside.parent()?.components() {
        folders.push(part.as_os_str().to_str()?.to_owned());
    }
    let name = inside.file_name()?.to_str()?;
    let stem = inside.file_stem()?.to_str()?.to_owned();
    let extension = inside.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let mut path = slashed(Path::new(folder));
    for part in folders.iter().map(String::as_str).chain([name]) {
        if !path.is_empty() && !path.ends_with('/') {
            path.push('/');
        }
        path.push_str(part);
    }
    Some(FoundFile {
        location: location.to_owned(),
        path,
        folders,
        stem,
        extension: extension.to_ascii_lowercase(),
    })
}

/// A path with forward slashes and without `.` parts.
pub(super) fn slashed(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().to_string_lossy().replace('\\', "/")
}

/// The files that lie in the root itself.
pub(super) fn in_root(root: &Path, problems: &mut Problems) -> Vec<FoundFile> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(Problem::new(format!(
                "cannot read the folder {}: {}",
                root.display(),
                OsMessage(&error)
            )));
            return Vec::new();
        }
    };
    let locations = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let visible = locations.filter(|path| path.is_file());
    let mut found: Vec<FoundFile> = visible.filter_map(|path| found_file("", root, &path)).collect();
    found.retain(|file| !file.path.starts_with('.'));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// What `work` makes of each item, in their order, on all cores.
pub(super) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if items.len() < 2 || threads == 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    std::thread::scope(|scope| {
        let chunks = items.chunks(items.len().div_ceil(threads));
        let workers: Vec<_> =
            chunks.map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Vec<R>>())).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<R>>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect()
    })
}
