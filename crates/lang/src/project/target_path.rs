//! `target-path`: the folder of artifacts, in which `mep clean` deletes. It lies within the project, apart from its files.

use std::path::{Component, Path, PathBuf};

use super::project_file::Folders;
use super::{Problem, Weight};

/// Where artifacts go, where nothing says otherwise.
pub(super) const DEFAULT: &str = "target";

/// The folder, relative to the root.
///
/// # Errors
/// Where it leads out of the project, or would mix what mep writes with what it reads.
pub(super) fn within(root: &Path, text: &str, folders: &Folders) -> Result<PathBuf, Problem> {
    let path = Path::new(text.trim());
    let path = std::path::absolute(root).ok().and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
    let mut within = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => within.push(name),
            Component::CurDir => {}
            _ => {
                let message =
                    format!("`target-path` leads out of the project: `{text}`; artifacts go to `{DEFAULT}`");
                let problem = Problem::new(message).weighing(Weight::Warning);
                return Err(problem.help("name a folder within the project: mep clean deletes what is there"));
            }
        }
    }
    if within.as_os_str().is_empty() {
        let problem = Problem::new("`target-path` is the project's own folder");
        return Err(problem.help("name a folder below it: mep clean deletes what is there"));
    }
    let own = folders.all().find(|own| {
        let own = Path::new(own);
        !own.as_os_str().is_empty() && (within.starts_with(own) || own.starts_with(&within))
    });
    if let Some(own) = own {
        let message = format!("`target-path` is `{text}`, and the project's own files are in `{own}`");
        return Err(Problem::new(message).help("name another folder: mep clean deletes what is there"));
    }
    Ok(within)
}
