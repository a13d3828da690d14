//! The compiled SQL, as files in the folders of the project.

use std::collections::HashSet;
use std::io;
use std::path::{Component, PathBuf};

use super::files;
use mep_core::fingerprint::Fingerprint;
use mep_core::path_name::PathName;
use mep_core::secrets;
use mep_graph::{Compiled, Graph, Node, NodeKind, TestDetail};
use mep_lang::project::Project;

/// Writes the SQL of every compiled model, snapshot and test below `<target path>/compiled`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_compiled(project: &Project, graph: &Graph, compiled: &Compiled) -> io::Result<()> {
    let mut checked: HashSet<PathBuf> = HashSet::new();
    let models = compiled.models.iter().map(|(index, model)| (*index, model.sql.as_str()));
    let tests = compiled.tests.iter().map(|(index, test)| (*index, test.sql.as_str()));
    let snapshots =
        compiled.snapshots.iter().map(|(index, snapshot)| (*index, snapshot.query.source.as_str()));
    for (index, sql) in models.chain(snapshots).chain(tests) {
        let below = project.target_path.join(compiled_path(project, graph.node(index)));
        if let Some(folder) = below.parent().filter(|folder| !checked.contains(*folder)) {
            project.folder().join(folder)?;
            checked.insert(folder.to_owned());
        }
        let path = project.root.join(below);
        let text = format!("{}\n", sql.trim_end());
        files::write_where_changed(&path, secrets::masked(&text).as_bytes())?;
    }
    Ok(())
}

/// Stand for `..` and for the root of the file system in the path of a file that lies outside the project.
const ABOVE: &str = "__above__";
const ROOT: &str = "__root__";

/// From this length on, a test's name is cut for its file, as dbt cuts it.
const LONG_NAME: usize = 64;

/// The name of a generic test's file, without its ending.
fn file_name(name: &str) -> String {
    if name.len() < LONG_NAME && PathName::new(name).is_ok() {
        return name.to_owned();
    }
    let plain = |found: char| if found.is_ascii_alphanumeric() { found } else { '_' };
    let head: String = name.chars().take(30).map(plain).collect();
    format!("{head}_{}", Fingerprint::of([name]).as_str())
}

/// Where a node's SQL is written, below the target path; the file of a generic test or a snapshot bears its name.
pub(super) fn compiled_path(project: &Project, node: &Node) -> PathBuf {
    let mut path = PathBuf::from("compiled").join(&project.name);
    for component in node.path.components() {
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
            path.join(format!("{}.sql", file_name(&node.name)))
        }
        NodeKind::Snapshot { .. } => path.join(format!("{}.sql", node.name)),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_test_is_one_name_whatever_the_test_is_called() {
        assert_eq!(file_name("unique_orders_id"), "unique_orders_id");
        for name in ["source_unique_../../orders_id", "..", "a\\b", &"long/".repeat(20)] {
            let file = file_name(name);
            assert!(PathName::new(&*file).is_ok() && file.len() < LONG_NAME + 8, "{file}");
        }
        assert_ne!(file_name("a/b"), file_name("a_b"));
        assert_ne!(file_name("a/b"), file_name("a\\b"));
    }
}
