//! source: how old the rows of source tables are, and which columns their files have.

use std::time::Instant;

use super::arguments::{Global, SourceFreshnessArguments, SourceInferArguments};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::freshness::{Freshness, SourceAge, ages, with_criteria};
use mep_app::pinning::{InferredTable, infer as inferred, pin};
use mep_app::{AppError, Rendering};
use mep_artifacts::{self as artifacts, FreshnessResult};
use mep_core::quantity::plural;
use mep_core::warnings::{self, WarningKind};
use mep_graph::{Compiled, NodeKind};
use mep_lang::project::Problem;

/// Asks for the latest row of each source table that says how old its rows may be.
///
/// # Errors
/// Where the project is wrong, or the warehouse cannot be read.
pub(super) fn freshness(global: &Global, arguments: &SourceFreshnessArguments) -> Result<Exit, AppError> {
    let began = Instant::now();
    let selecting = &arguments.selecting;
    let workspace = super::opened(global, selecting, "freshness", Rendering::default())?;
    let is_source = |node: &mep_graph::Node| matches!(node.kind, NodeKind::Source { .. });
    let nodes = workspace.select(selecting.selectors(), is_source)?;
    let asked = with_criteria(&workspace, &nodes)?;
    if asked.is_empty() {
        let problem = Problem::new("no source table that is selected says how old its rows may be");
        return Err(problem.help("give one `freshness` and a `loaded_at_field`").into());
    }
    let terminal = Terminal::new(global.log_format, global.quiet);
    let found = ages(&workspace, &asked)?;
    let results: Vec<FreshnessResult> = found.iter().map(result).collect();
    let mut has_failed = false;
    for (age, result) in found.iter().zip(&results) {
        let name = workspace.graph.node(age.node).shown_name();
        match &age.found {
            Ok(loaded) => {
                let line = format!(
                    "{:<5} {name}  the latest row is {} old",
                    word(loaded.freshness),
                    shown(loaded.age())
                );
                match loaded.freshness {
                    Freshness::Pass => terminal.say(&line),
                    Freshness::Warn if !warnings::note(WarningKind::StaleSource) => terminal.say(&line),
                    Freshness::Warn => terminal.warn(&line),
                    Freshness::Error => terminal.result(&line, true),
                }
                has_failed |= loaded.freshness == Freshness::Error;
            }
            Err(why) => {
                terminal.result(&format!("error {name}  {why}"), true);
                has_failed = true;
            }
        }
        debug_assert_eq!(age.node, result.node);
    }
    let path = match &arguments.output {
        Some(path) => path.clone(),
        None => workspace
            .project
            .artifact("sources.json")
            .map_err(|outside| AppError::io("writing sources.json")(outside.into()))?,
    };
    let compiled = Compiled::default();
    artifacts::write_sources(super::described(&workspace, &compiled), &results, began.elapsed(), &path)
        .map_err(AppError::io("writing sources.json"))?;
    terminal.say(&format!("looked at {}", plural(results.len() as u64, "source table")));
    Ok(if has_failed { Exit::Failed } else { Exit::Success })
}

/// Says which columns the files of source tables have, and writes them into the YAML that declares the tables.
///
/// # Errors
/// Where the project is wrong, files cannot be read, or a file of YAML cannot be written.
pub(super) fn infer(global: &Global, arguments: &SourceInferArguments) -> Result<Exit, AppError> {
    let workspace = super::opened(global, &arguments.selecting, "source", Rendering::default())?;
    let is_source = |node: &mep_graph::Node| matches!(node.kind, NodeKind::Source { .. });
    let nodes = workspace.select(arguments.selecting.selectors(), is_source)?;
    let tables = inferred(&workspace, &nodes)?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    let mut text = String::new();
    for table in &tables {
        let InferredTable { node, columns, is_new, file } = table;
        let name = workspace.graph.node(*node).shown_name();
        let outcome = match (is_new, arguments.dry_run) {
            (false, _) => format!("{name}  all {} have their types", plural(columns.len() as u64, "column")),
            (true, true) => format!("{name}  would be pinned in {}", file.display()),
            (true, false) => {
                pin(&global.opening(), &workspace, table)?;
                format!("{name}  pinned in {}", file.display())
            }
        };
        terminal.say(&outcome);
        let width = columns.iter().map(|column| column.name.chars().count()).max().unwrap_or_default();
        for column in columns.iter().filter(|_| *is_new) {
            text.push_str(&format!("{:<width$}  {}\n", column.name, column.data_type));
        }
    }
    super::print(&text)?;
    Ok(Exit::Success)
}

fn result(age: &SourceAge) -> FreshnessResult {
    let found = age.found.as_ref().map(|loaded| (loaded.at, loaded.asked, word(loaded.freshness)));
    FreshnessResult { node: age.node, took: age.took, found: found.map_err(ToString::to_string) }
}

fn word(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Pass => "pass",
        Freshness::Warn => "warn",
        Freshness::Error => "error",
    }
}

/// An age for people.
fn shown(age: std::time::Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
