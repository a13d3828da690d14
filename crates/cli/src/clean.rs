//! clean: what no table points at any more, and the artifacts.

use std::time::Duration;

use super::arguments::{CleanArguments, Global};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::AppError;
use mep_app::{Rendering, Workspace};
use mep_artifacts as artifacts;
use mep_core::quantity::{bytes, plural};
use mep_run::drop_old_rejected;

/// Deletes.
///
/// # Errors
/// Where another run holds the warehouse, or something cannot be read or deleted.
pub(super) fn clean(global: &Global, arguments: &CleanArguments) -> Result<Exit, AppError> {
    let workspace = Workspace::open(&global.opening(), "clean", Rendering::default())?;
    let warehouse = workspace.warehouse()?;
    let _lease = workspace.lease(warehouse.as_ref())?;
    let days = arguments.retention_days.unwrap_or_else(|| workspace.retention_days());
    let retention = Duration::from_secs(u64::from(days) * 86_400);
    let rejected = drop_old_rejected(warehouse.as_ref(), &workspace.graph, retention)?;
    let cleaned = warehouse.clean(retention)?;
    let served = workspace.clean_served(retention)?;
    // The target path may be a folder that other tools write to as well, so only what mep wrote goes.
    for name in [
        "compiled",
        "docs/index.html",
        "manifest.json",
        "run_results.json",
        "semantic_manifest.json",
        "scratch",
        artifacts::TEST_RESULTS,
    ] {
        let path = workspace
            .project
            .artifact(name)
            .map_err(|outside| AppError::io("deleting the artifacts")(outside.into()))?;
        let deleted =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match deleted {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AppError::io(format!("deleting {}", path.display()))(error));
            }
            _ => {}
        }
    }
    let terminal = Terminal::new(global.log_format, global.quiet);
    if rejected > 0 {
        terminal.say(&format!("dropped {} of rejected rows", plural(rejected as u64, "table")));
    }
    if served > 0 {
        terminal.say(&format!(
            "dropped {} of cassandra that readers were led away from",
            plural(served as u64, "table")
        ));
    }
    terminal.say(&format!(
        "deleted {} ({}) that no table has pointed at for {}, and the artifacts",
        plural(cleaned.folders as u64, "folder"),
        bytes(cleaned.bytes),
        plural(u64::from(days), "day")
    ));
    Ok(Exit::Success)
}
