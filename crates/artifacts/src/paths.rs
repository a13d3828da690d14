//! Paths of files as dbt's artifacts have them: within their package, and within the folder of their kind.

use std::path::{Path, PathBuf};

use mep_graph::Node;
use mep_lang::project::Project;

/// A file's path within its package.
pub(super) fn in_package<'p>(project: &Project, path: &'p Path) -> &'p Path {
    let within = project.packages.iter().find_map(|package| path.strip_prefix(&package.folder).ok());
    within.unwrap_or(path)
}

/// A node's file within the folder in which files of its kind are looked for: what its name in config says of the folders.
pub(super) fn in_resources(project: &Project, node: &Node) -> PathBuf {
    let path = in_package(project, &node.path);
    let folders = node.fqn.get(1..node.fqn.len().saturating_sub(1)).unwrap_or_default();
    let above: Vec<String> = path
        .parent()
        .map(|parent| parent.iter().map(|part| part.to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    // Of a file with several snapshots, its name stands among the folders.
    let most = folders.len();
    let kept = (0..=most).rev().find(|count| above.ends_with(&folders[..*count])).unwrap_or_default();
    let skipped = above.len() - kept;
    path.iter().skip(skipped).collect()
}
