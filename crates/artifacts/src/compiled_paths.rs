//! Where the compiled SQL of each node is written, in dbt's places.

use std::collections::HashMap;
use std::path::{Component, PathBuf};

use super::paths::in_package;
use mep_core::path_name::PathName;
use mep_graph::{Graph, Node, NodeKind, TestDetail};
use mep_lang::project::Project;

/// Stand for `..` and for the root of the file system in the path of a file that lies outside the project.
const ABOVE: &str = "__above__";
const ROOT: &str = "__root__";

/// The files of all nodes.
pub(super) struct CompiledPaths {
    /// How many tests want a file.
    wanted: HashMap<PathBuf, usize>,
}

impl CompiledPaths {
    /// Those of a graph.
    pub(super) fn of(project: &Project, graph: &Graph) -> Self {
        let mut wanted: HashMap<PathBuf, usize> = HashMap::new();
        for node in graph.nodes().iter().filter(|node| node.is_test()) {
            *wanted.entry(plain(project, node)).or_default() += 1;
        }
        Self { wanted }
    }

    /// Where a node's SQL is written, below the target path. Tests of one name, of which dbt writes the last one, have a file each.
    pub(super) fn path(&self, project: &Project, node: &Node) -> PathBuf {
        let path = plain(project, node);
        if self.wanted.get(&path).is_none_or(|wanted| *wanted < 2) {
            return path;
        }
        let id = node.id.as_str();
        let digest = match &node.kind {
            // Unit tests of one name are of several models.
            NodeKind::Test(TestDetail::Unit { .. }) => id.split('.').nth(2),
            _ => id.rsplit('.').next(),
        };
        let digest = digest.unwrap_or_default();
        path.with_extension(format!("{digest}.sql"))
    }
}

/// The file of a generic test or a snapshot bears its name.
fn plain(project: &Project, node: &Node) -> PathBuf {
    let mut path = PathBuf::from("compiled").join(project.package_of(&node.path));
    for component in in_package(project, &node.path).components() {
        match component {
            Component::Normal(name) => path.push(name),
            // Files that lie outside the project have theirs within the target folder all the same.
            Component::ParentDir => path.push(ABOVE),
            Component::RootDir | Component::Prefix(_) => path.push(ROOT),
            Component::CurDir => {}
        }
    }
    match &node.kind {
        NodeKind::Test(TestDetail::Generic { .. } | TestDetail::Unit { .. }) => {
            path.join(format!("{}.sql", file_name(&node.short_name())))
        }
        NodeKind::Snapshot { .. } => path.join(format!("{}.sql", node.name)),
        _ => path,
    }
}

/// The name of a generic test's file, without its ending.
fn file_name(name: &str) -> String {
    const MOST: usize = 64;
    if name.len() < MOST && PathName::new(name).is_ok() {
        return name.to_owned();
    }
    let plain = |found: char| if found.is_ascii_alphanumeric() { found } else { '_' };
    let head: String = name.chars().take(30).map(plain).collect();
    format!("{head}_{}", mep_core::fingerprint::Fingerprint::of([name]).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_test_is_one_name_whatever_the_test_is_called() {
        assert_eq!(file_name("unique_orders_id"), "unique_orders_id");
        for name in ["source_unique_../../orders_id", "..", "a\\b", &"long/".repeat(20)] {
            let file = file_name(name);
            assert!(PathName::new(&*file).is_ok() && file.len() < 72, "{file}");
        }
        assert_ne!(file_name("a/b"), file_name("a_b"));
        assert_ne!(file_name("a/b"), file_name("a\\b"));
    }
}
