//! Warehouses of a call's own, below the target path and gone when it has ended: what unit tests of steps run in, and what is tried
//! over no rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::workspace::Workspace;
use mep_contract::warehouse::{RunId, Warehouse};
use mep_graph::{Compiled, Compiler, Graph, Node, NodeIndex, NodeSet};
use mep_lang::jinja::silently;
use mep_lang::project::{Problems, Project};
use mep_local::warehouse::LocalWarehouse;
use mep_run::build::BuildError;
use mep_run::{Scratch, Scratches};

/// The folder below the target path.
const SCRATCH: &str = "scratch";

/// A folder of a call's own, which goes with it.
pub(super) struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// One below the target path of a project.
    pub(super) fn of(project: &Project) -> Self {
        let folder = project.root.join(&project.target_path).join(SCRATCH).join(RunId::generate().as_str());
        Self(std::path::absolute(&folder).unwrap_or(folder))
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // What cannot be deleted stays where `mep clean` finds it.
        let _ = std::fs::remove_dir_all(&self.0);
        if let Some(above) = self.0.parent() {
            let _ = std::fs::remove_dir(above);
        }
    }
}

impl Scratches for Workspace {
    fn scratch(&self) -> Result<Scratch, BuildError> {
        let folder = ScratchFolder::of(&self.project);
        let warehouse: Arc<dyn Warehouse> = Arc::new(LocalWarehouse::new(folder.path()));
        let engine = self.engine(&warehouse).map_err(|error| BuildError::Plan(error.to_string()))?;
        Ok(Scratch { warehouse, engine: Box::new(engine), files: Box::new(folder) })
    }

    fn schema(&self) -> &str {
        &self.project.target.schema
    }

    fn compile(
        &self,
        graph: &Graph,
        node: NodeIndex,
        stored: &dyn Fn(&Node) -> Option<SchemaRef>,
    ) -> Result<Compiled, Problems> {
        silently(|| Compiler { graph, ..self.compiler(stored) }.compile(&NodeSet::from([node])))
    }
}
