//! init: a new project that runs as it is.

use std::fs;
use std::path::Path;

use super::arguments::{Global, InitArguments};
use super::exit::Exit;
use super::terminal::Terminal;
use mep_app::AppError;
use mep_lang::project::Problem;

/// The files of a new project; `{name}` becomes its name.
const FILES: [(&str, &str); 7] = [
    ("dbt_project.yml", include_str!("starter/dbt_project.yml")),
    ("profiles.yml", include_str!("starter/profiles.yml")),
    ("sources.yml", include_str!("starter/sources.yml")),
    ("models/listens_by_day.sql", include_str!("starter/listens_by_day.sql")),
    ("models/top_artists.sql", include_str!("starter/top_artists.sql")),
    ("models/schema.yml", include_str!("starter/schema.yml")),
    (".gitignore", include_str!("starter/gitignore")),
];

/// Makes the files.
///
/// # Errors
/// Where the folder holds something already, or cannot be written.
pub(super) fn init(global: &Global, arguments: &InitArguments) -> Result<Exit, AppError> {
    let folder = &arguments.folder;
    let is_in_use =
        fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file();
    if is_in_use {
        let problem = Problem::new(format!("{} is not an empty folder", folder.display()));
        return Err(problem.help("give the path of a folder that is not there yet").into());
    }
    let name = project_name(folder);
    for (path, text) in FILES {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(AppError::io(format!("making {}", parent.display())))?;
        }
        fs::write(&path, text.replace("{name}", &name))
            .map_err(AppError::io(format!("writing {}", path.display())))?;
    }
    let terminal = Terminal::new(global.log_format, global.quiet);
    let step =
        if folder == Path::new(".") { String::new() } else { format!("\n  cd {}", for_the_shell(folder)) };
    terminal
        .say(&format!("made the project {name}; now:{step}\n  mep build\n  mep show --select top_artists"));
    Ok(Exit::Success)
}

/// A path as a shell takes it: in quotes where it needs them.
fn for_the_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// The folder's name as a name that SQL and Jinja take.
fn project_name(folder: &Path) -> String {
    let name = std::path::absolute(folder).ok();
    let name = name.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().to_lowercase());
    let name: String =
        name.unwrap_or_default().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("mep_{name}") }
}
