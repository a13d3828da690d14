//! The compiled SQL, as files in the folders of the project.

use std::io;
use std::path::PathBuf;

use super::files;
use crate::fingerprint::Fingerprint;
use crate::graph::{Compiled, Graph, Node, NodeKind, TestDetail};
use crate::project::Project;

/// Writes the SQL of every compiled model, snapshot and test below `<target path>/compiled`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_compiled(project: &Project, graph: &Graph, compiled: &Compiled) -> io::Result<()> {
    let root = project.root.join(&project.target_path);
    let models = compiled.models.iter().map(|(index, model)| (*index, model.sql.as_str()));
    let tests = compiled.tests.iter().map(|(index, test)| (*index, test.sql.as_str()));
    let snapshots =
        compiled.snapshots.iter().map(|(index, snapshot)| (*index, snapshot.query.source.as_str()));
    for (index, sql) in models.chain(snapshots).chain(tests) {
        let path = root.join(compiled_path(project, graph.node(index)));
        files::write_where_changed(&path, format!("{}\n", sql.trim_end()).as_bytes())?;
    }
    Ok(())
}

/// From this length on, a test's name is cut for its file, as dbt cuts it.
const LONG_NAME: usize = 64;

/// The name of a generic test's file, without its ending.
fn file_name(name: &str) -> String {
    if name.len() < LONG_NAME {
        return name.to_owned();
    }
    let head: String = name.chars().take(30).collect();
    format!("{head}_{}", Fingerprint::of([name]).as_str())
}

/// Where a node's SQL is written, below the target path; the file of a generic test or a snapshot bears its name.
pub(super) fn compiled_path(project: &Project, node: &Node) -> PathBuf {
    let path = PathBuf::from("compiled").join(&project.name).join(&node.path);
    match &node.kind {
        NodeKind::Test(TestDetail::Generic { .. }) => path.join(format!("{}.sql", file_name(&node.name))),
        NodeKind::Snapshot { .. } => path.join(format!("{}.sql", node.name)),
        _ => path,
    }
}
