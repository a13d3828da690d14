//! Pinning the columns of source tables: what their files have by now is written down where the tables are declared.
//!
//! Owns which columns that are, and that a file which would then be read otherwise stays as it was. Comes in: source tables. Goes out:
//! the columns, and changed files. Must not know: how types are told by rows (`mep_files`), how YAML is changed (`mep_lang`).

use std::path::PathBuf;

use super::connect::inferred;
use super::error::AppError;
use super::workspace::{Opening, Workspace};
use mep_graph::{NodeIndex, NodeKind, NodeSet};
use mep_lang::project::{PinnedColumn, Problem, Problems, SourceTable};

/// A source table, and the columns that its files have.
#[derive(Clone, Debug)]
pub struct InferredTable {
    /// The table.
    pub node: NodeIndex,
    /// All its columns, with the types that they are declared with, or that all their values are of.
    pub columns: Vec<PinnedColumn>,
    /// Whether some of them are not declared, or without a type.
    pub is_new: bool,
    /// The file that declares it.
    pub file: PathBuf,
}

/// The columns of source tables that lie in files.
///
/// # Errors
/// Where none of them does, or its files cannot be read.
pub fn infer(workspace: &Workspace, nodes: &NodeSet) -> Result<Vec<InferredTable>, AppError> {
    let (mut tables, mut problems) = (Vec::new(), Problems::default());
    for index in nodes.iter().copied() {
        let Some(table) = source_of(workspace, index) else { continue };
        match inferred(&workspace.project, table) {
            None => {}
            Some(Ok(columns)) => {
                let is_typed = |pinned: &PinnedColumn| {
                    let mut declared = table.properties.columns.iter();
                    declared.any(|column| column.name.value == pinned.name && column.data_type.is_some())
                };
                let is_new = !columns.iter().all(is_typed);
                let file = table.place.text.path().to_owned();
                tables.push(InferredTable { node: index, columns, is_new, file });
            }
            Some(Err(problem)) => problems.push(problem),
        }
    }
    problems.none_or(())?;
    if tables.is_empty() {
        let problem =
            Problem::new("no source table that is selected lies in files of a connection of `type: files`");
        return Err(problem
            .help("select one of a source whose connection in profiles.yml is of that type")
            .into());
    }
    Ok(tables)
}

fn source_of(workspace: &Workspace, index: NodeIndex) -> Option<&SourceTable> {
    match &workspace.graph.node(index).kind {
        NodeKind::Source { index, .. } => workspace.project.sources.get(*index),
        _ => None,
    }
}

/// Writes the columns of a table into the file that declares it.
///
/// # Errors
/// Where the file is another one by now, cannot be written, or would be read otherwise than is meant; it is then as it was.
pub fn pin(opening: &Opening, workspace: &Workspace, inferred: &InferredTable) -> Result<(), AppError> {
    let Some(named) = source_of(workspace, inferred.node) else { return Ok(()) };
    // Another table of the same file may have been pinned meanwhile.
    let project = opening.project()?;
    let found = project.sources.iter().find(|table| table.source == named.source && table.name == named.name);
    let Some(table) = found else { return Ok(()) };
    let path = project.root.join(&inferred.file);
    let doing = |error| AppError::io("writing columns into the source's file")(error);
    let before = std::fs::read_to_string(&path).map_err(doing)?;
    if before != table.place.text.text() {
        let problem = Problem::new(format!("{} is not written as it is read", inferred.file.display()));
        return Err(problem.at(&table.place).help("declare its columns by hand").into());
    }
    let text = table.pinned(&inferred.columns)?;
    replace(&path, &text).map_err(doing)?;
    let is_as_meant = opening.project().is_ok_and(|project| {
        let again =
            project.sources.iter().find(|again| again.source == table.source && again.name == table.name);
        again.is_some_and(|again| {
            project.sources.len() == workspace.project.sources.len()
                && inferred.columns.iter().all(|pinned| {
                    let mut columns = again.properties.columns.iter();
                    columns.any(|column| column.name.value == pinned.name && column.data_type.is_some())
                })
        })
    });
    if is_as_meant {
        return Ok(());
    }
    replace(&path, &before).map_err(doing)?;
    let message = format!(
        "columns cannot be written into {} in the way that the source table `{}.{}` is written there",
        inferred.file.display(),
        table.source,
        table.name
    );
    let help = "declare them by hand; `mep source infer --dry-run` says which they are";
    Err(Problem::new(message).at(&table.place).help(help).into())
}

/// Writes a file as a whole or not at all.
fn replace(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, path.metadata()?.permissions())?;
    std::fs::rename(&beside, path)
}
