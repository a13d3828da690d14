//! source freshness: how old the rows of source tables are.

use std::time::Instant;

use super::arguments::{Global, SourceFreshnessArguments};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::freshness::{Freshness, SourceAge, ages, with_criteria};
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

fn result(age: &SourceAge) -> FreshnessResult {
    let found = age.found.as_ref().map(|loaded| (loaded.at, loaded.asked, word(loaded.freshness)));
    FreshnessResult { node: age.node, took: age.took, found: found.map_err(Clone::clone) }
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
