//! The compiled SQL, as files in the folders of the project.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use super::compiled_paths::CompiledPaths;
use super::files;
use mep_core::secrets;
use mep_graph::{Compiled, Graph};
use mep_lang::project::Project;

/// Writes the SQL of every compiled model, snapshot and test below `<target path>/compiled`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_compiled(project: &Project, graph: &Graph, compiled: &Compiled) -> io::Result<()> {
    let mut checked: HashSet<PathBuf> = HashSet::new();
    let paths = CompiledPaths::of(project, graph);
    for (index, sql) in graph.indices().filter_map(|index| Some((index, compiled.sql(index)?))) {
        let below = project.target_path.join(paths.path(project, graph.node(index)));
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
