//! airflow: the project as a DAG file.

use std::path::Path;

use super::arguments::{AirflowExport, ExportGrain, Global};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::AppError;
use mep_app::Rendering;
use mep_artifacts::airflow::{DagFile, Grain, Tasks, command_line};
use mep_lang::project::Problem;

/// Writes the DAG file.
///
/// # Errors
/// Where the project or the words are wrong, or the file cannot be written.
pub(super) fn export(global: &Global, arguments: &AirflowExport) -> Result<Exit, AppError> {
    let workspace = super::opened(global, &arguments.selecting, "airflow export", Rendering::default())?;
    let nodes = workspace.select(arguments.selecting.selectors(), |_| true)?;
    let grain = match arguments.by {
        ExportGrain::Model => Grain::Model,
        ExportGrain::Folder => Grain::Folder,
    };
    let tasks = Tasks::of(&workspace.graph, &nodes, grain, arguments.with_tests)?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    let file = DagFile {
        project: workspace.project.name.clone(),
        dag: dag_id(arguments.dag_id.as_deref().unwrap_or(&workspace.project.name))?,
        schedule: arguments.schedule.clone(),
        options: options(global),
        made_by: command_line(["mep"].into_iter().chain(words.iter().map(String::as_str))),
        tasks,
    };
    match &arguments.output {
        None => super::print(&file.text())?,
        Some(path) => {
            std::fs::write(path, file.text()).map_err(AppError::io(format!("writing {}", path.display())))?;
            let terminal = Terminal::new(global.log_format, global.quiet);
            terminal.say(&format!("wrote the dag {} to {}", file.dag, path.display()));
        }
    }
    Ok(Exit::Success)
}

/// What the export was told of the project and the target, each call is told.
fn options(global: &Global) -> Vec<String> {
    let path = |path: &Option<std::path::PathBuf>| path.as_deref().map(absolute);
    [
        ("--project-dir", path(&global.project_dir)),
        ("--profiles-dir", path(&global.profiles_dir)),
        ("--profile", global.profile.clone()),
        ("--target", global.target.clone()),
        ("--vars", global.vars.clone()),
        ("--threads", global.threads.map(|threads| threads.to_string())),
    ]
    .into_iter()
    .filter_map(|(option, value)| value.map(|value| [option.to_owned(), value]))
    .flatten()
    .collect()
}

/// Tasks are called in folders of their own.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

fn dag_id(name: &str) -> Result<String, Problem> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= 250 && name.chars().all(is_plain) {
        return Ok(name.to_owned());
    }
    let problem = Problem::new(format!("`{name}` cannot be the id of a dag"));
    Err(problem.help("give --dag-id up to 250 letters, digits, dashes, dots and underscores"))
}
