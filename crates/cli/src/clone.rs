//! clone: tables of an earlier state, written as those of this target.

use serde_json::json;

use super::arguments::{CloneArguments, Global, TextOrJson};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::cloning::{Cloned, can_be_cloned, clone_tables};
use mep_app::{AppError, Rendering};
use mep_core::quantity::plural;
use mep_lang::project::Problem;

/// Clones.
///
/// # Errors
/// Where there is no earlier state, another run holds the warehouse, or something cannot be read or written.
pub(super) fn clone(global: &Global, arguments: &CloneArguments) -> Result<Exit, AppError> {
    let Some(state) = &arguments.selecting.state else {
        let problem = Problem::new("clone needs the manifest.json of the state whose tables it clones");
        return Err(problem.help("give --state and the folder that holds a copy of it").into());
    };
    let workspace = super::opened(global, &arguments.selecting, "clone", Rendering::default())?;
    let nodes = workspace.select(arguments.selecting.selectors(), can_be_cloned)?;
    let earlier = super::relations_of(&workspace, state)?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    let mut results = Vec::new();
    clone_tables(&workspace, &nodes, &earlier, arguments.full_refresh, |relation, cloned| {
        let (word, said) = match cloned {
            Cloned::Table { from, rows } => {
                ("cloned", format!("{relation}  {} of {from}", plural(*rows, "row")))
            }
            Cloned::IsThere => {
                ("kept", format!("{relation}  is there already; --full-refresh clones it anew"))
            }
            Cloned::NotInState => ("left out", format!("{relation}  is no table of the earlier state")),
        };
        terminal.say(&format!("{word:>9}  {said}"));
        let from = if let Cloned::Table { from, .. } = cloned { Some(from.to_string()) } else { None };
        results.push(json!({"relation": relation.to_string(), "result": word, "from": from}));
    })?;
    if arguments.output == TextOrJson::Json {
        super::print(&format!("{:#}\n", json!({"tables": results})))?;
    }
    Ok(Exit::Success)
}
