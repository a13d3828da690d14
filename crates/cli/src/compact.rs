//! compact: small files of tables, written anew as fewer and larger ones.

use serde_json::{Value as Json, json};

use super::arguments::{CompactArguments, Global, TextOrJson};
use super::exit::Exit;
use super::terminal::{Palette, Terminal};
use mep_app::compaction::{self, Fragmented, fragmented, has_table};
use mep_app::{AppError, Rendering};
use mep_core::quantity::{bytes, count, plural};
use mep_core::relation::Relation;
use mep_plan::FileSizes;
use mep_run::Compacted;

/// Compacts.
///
/// # Errors
/// Where another run holds the warehouse, or something cannot be read or written.
pub(super) fn compact(global: &Global, arguments: &CompactArguments) -> Result<Exit, AppError> {
    let workspace = super::opened(global, &arguments.selecting, "compact", Rendering::default())?;
    let nodes = workspace.select(arguments.selecting.selectors(), has_table)?;
    let warehouse = workspace.warehouse()?;
    let _lease = if arguments.dry_run { None } else { Some(workspace.lease(warehouse.as_ref())?) };
    let sizes = FileSizes { target: arguments.target_file_size, fewest: arguments.min_files };
    let found = fragmented(&workspace, warehouse.as_ref(), &nodes, sizes)?;
    if arguments.dry_run {
        super::print(&preview(&found, arguments.output))?;
        return Ok(Exit::Success);
    }
    let terminal = Terminal::new(global.log_format, global.quiet);
    let mut results = Vec::new();
    compaction::compact(&workspace, &found, sizes, |relation, compacted| {
        if compacted.partitions > 0 {
            terminal.say(&format!("{:>9}  {}", "compacted", said(relation, compacted)));
        }
        results.push(json!({"relation": relation.to_string(), "result": as_json(compacted)}));
    })?;
    if arguments.output == TextOrJson::Json {
        super::print(&format!("{:#}\n", json!({"tables": results})))?;
    } else if found.is_empty() {
        terminal.say(NOTHING);
    }
    Ok(Exit::Success)
}

const NOTHING: &str = "nothing to compact: no partition has that many small files";

fn said(relation: &Relation, compacted: &Compacted) -> String {
    format!(
        "{relation}  {} in {} became {}, {} became {}",
        plural(compacted.files_before as u64, "file"),
        plural(compacted.partitions as u64, "partition"),
        count(compacted.files_after as u64),
        bytes(compacted.bytes_before),
        bytes(compacted.bytes_after)
    )
}

fn as_json(compacted: &Compacted) -> Json {
    json!({
        "partitions": compacted.partitions,
        "files": {"before": compacted.files_before, "after": compacted.files_after},
        "bytes": {"before": compacted.bytes_before, "after": compacted.bytes_after},
    })
}

fn preview(found: &[Fragmented<'_>], output: TextOrJson) -> String {
    if output == TextOrJson::Json {
        let tables = found.iter().map(|small| {
            json!({
                "relation": small.relation.to_string(),
                "partitions": small.compaction.partitions.keys().map(ToString::to_string).collect::<Vec<_>>(),
                "files": small.compaction.files(),
                "bytes": small.compaction.bytes(),
            })
        });
        return format!("{:#}\n", json!({"tables": tables.collect::<Vec<_>>()}));
    }
    if found.is_empty() {
        return format!("{NOTHING}\n");
    }
    let palette = Palette::of_stdout();
    let names: Vec<String> = found.iter().map(|small| small.relation.to_string()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (small, name) in found.iter().zip(&names) {
        text.push_str(&format!(
            "{}  {}  {} in {}, {}  {}\n",
            palette.good("compact"),
            palette.strong(&format!("{name:<width$}")),
            plural(small.compaction.files() as u64, "file"),
            plural(small.compaction.partitions.len() as u64, "partition"),
            bytes(small.compaction.bytes()),
            palette.faint(&format!("({} {})", small.node.shown_kind(), small.node.shown_name())),
        ));
    }
    text
}
