//! Getting a package: linking a folder, fetching a repository, asking dbt's hub for one.

use std::path::{Path, PathBuf};
use std::process::Command;

use mep_lang::project::Packages;
use serde_json::Value as Json;

use super::version::latest;
use crate::error::AppError;

/// Where dbt's hub says what versions a package has.
const HUB: &str = "https://hub.getdbt.com/api/v1";

/// Why a package cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("cannot fetch {0}: neither an address nor a revision begins with `-`")]
    Flag(String),
    #[error("cannot fetch {of}: the program `{program}` is not there")]
    NoProgram { of: String, program: String },
    #[error("cannot fetch {of}: {program}: {said}")]
    Program { of: String, program: String, said: String },
    #[error("cannot fetch {of}: {reason}")]
    Folder { of: String, reason: std::io::Error },
    #[error("{of} has no folder {folder}")]
    NoFolder { of: String, folder: String },
    #[error("{0} is no package: it has no dbt_project.yml")]
    NoPackage(String),
    #[error("cannot put {of} into {}: {reason}", .at.display())]
    Put { of: String, at: PathBuf, reason: std::io::Error },
    #[error("expected a package of the hub as owner/name, found `{0}`")]
    Name(String),
    #[error("cannot fetch {of}: {reason}")]
    Answer { of: String, reason: serde_json::Error },
    #[error("the hub has no versions of {0}")]
    NoVersions(String),
    #[error("the hub has no version of {of} that is {asked}")]
    NoVersion { of: String, asked: String },
    #[error("the hub does not say where {of} {version} is")]
    NoPlace { of: String, version: String },
}

/// A package that was fetched.
pub(super) struct Fetched {
    pub(super) name: String,
    pub(super) commit: String,
}

/// The repository of a version of a package.
pub(super) struct Release {
    pub(super) url: String,
    pub(super) tag: String,
    pub(super) version: String,
}

/// Makes a folder known by another path; in place of what was there.
pub(super) fn link(folder: &Path, at: &Path) -> Result<(), AppError> {
    let failed = |error| AppError::io(format!("linking {}", at.display()))(error);
    let target = folder.canonicalize().map_err(failed)?;
    if at.canonicalize().is_ok_and(|there| there == target) {
        return Ok(());
    }
    remove(at).map_err(failed)?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(&target, at).map_err(failed)?;
    #[cfg(not(unix))]
    copy(&target, at).map_err(failed)?;
    Ok(())
}

#[cfg(not(unix))]
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let below = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &below)?;
        } else {
            std::fs::copy(entry.path(), below)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    let there = match std::fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if there.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}

/// Fetches a revision of a repository into the folder of packages, under the package's own name.
///
/// # Errors
/// Where it cannot be had.
pub(super) fn git(
    url: &str,
    revision: Option<&str>,
    subdirectory: Option<&str>,
    into: &Path,
) -> Result<Fetched, FetchError> {
    let aside = into.join(format!(".fetching-{}", std::process::id()));
    let fetched = fetched(url, revision, subdirectory, into, &aside);
    // What is left of it is of no use; what was fetched is not there any more.
    let _ = remove(&aside);
    fetched
}

fn fetched(
    url: &str,
    revision: Option<&str>,
    subdirectory: Option<&str>,
    into: &Path,
    aside: &Path,
) -> Result<Fetched, FetchError> {
    if url.starts_with('-') || revision.is_some_and(|revision| revision.starts_with('-')) {
        return Err(FetchError::Flag(url.to_owned()));
    }
    remove(aside).map_err(|reason| FetchError::Folder { of: url.to_owned(), reason })?;
    let at = |path: &Path| path.to_string_lossy().into_owned();
    called(Command::new("git").args(["clone", "--quiet", "--", url, &at(aside)]), url)?;
    if let Some(revision) = revision {
        called(Command::new("git").current_dir(aside).args(["checkout", "--quiet", revision]), url)?;
    }
    let commit = called(Command::new("git").current_dir(aside).args(["rev-parse", "HEAD"]), url)?;
    let package: PathBuf = subdirectory.map_or_else(|| aside.to_owned(), |folder| aside.join(folder));
    let inside = package.canonicalize().ok().zip(aside.canonicalize().ok());
    if inside.is_none_or(|(package, aside)| !package.starts_with(aside)) {
        let folder = subdirectory.unwrap_or_default().to_owned();
        return Err(FetchError::NoFolder { of: url.to_owned(), folder });
    }
    let name = Packages::name_of(&package).ok_or_else(|| FetchError::NoPackage(url.to_owned()))?;
    let place = into.join(&name);
    let moved = remove(&place)
        .and_then(|()| remove(&aside.join(".git")))
        .and_then(|()| std::fs::rename(&package, &place));
    moved.map_err(|reason| FetchError::Put { of: url.to_owned(), at: place, reason })?;
    Ok(Fetched { name, commit: commit.trim().to_owned() })
}

/// What a program says, where it succeeds.
fn called(command: &mut Command, of: &str) -> Result<String, FetchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    // Nobody is there to be asked for a password.
    let output = command.env("GIT_TERMINAL_PROMPT", "0").stdin(std::process::Stdio::null()).output();
    let of = of.to_owned();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(FetchError::NoProgram { of, program });
        }
        Err(error) => return Err(FetchError::Program { of, program, said: error.to_string() }),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said =
        said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim().to_owned();
    Err(FetchError::Program { of, program, said })
}

/// The release of dbt's hub that fits best.
///
/// # Errors
/// Where the hub cannot be asked, or has none that fits.
pub(super) fn of_hub(name: &str, asked: &[String]) -> Result<Release, FetchError> {
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_/.".contains(letter));
    if !is_plain || name.split('/').count() != 2 {
        return Err(FetchError::Name(name.to_owned()));
    }
    let address = format!("{HUB}/{name}.json");
    let said = called(Command::new("curl").args(["-fsSL", "--max-time", "60", &address]), name)?;
    let known: Json =
        serde_json::from_str(&said).map_err(|reason| FetchError::Answer { of: name.to_owned(), reason })?;
    release(name, &known, asked)
}

fn release(name: &str, known: &Json, asked: &[String]) -> Result<Release, FetchError> {
    let versions = known["versions"].as_object().ok_or_else(|| FetchError::NoVersions(name.to_owned()))?;
    let Some(version) = latest(versions.keys().map(String::as_str), asked) else {
        return Err(FetchError::NoVersion { of: name.to_owned(), asked: asked.join(", ") });
    };
    // https://codeload.github.com/OWNER/REPOSITORY/tar.gz/TAG
    let archive = versions[version]["downloads"]["tarball"].as_str().unwrap_or_default();
    let mut parts = archive.split("/tar.gz/");
    let (repository, tag) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if tag.is_empty() {
        return Err(FetchError::NoPlace { of: name.to_owned(), version: version.to_owned() });
    }
    let url = repository.replacen("codeload.", "", 1);
    let tag = tag.trim_start_matches("refs/tags/").to_owned();
    Ok(Release { url, tag, version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_release_of_the_hub_is_a_tag_of_a_repository() {
        let known = json!({"versions": {
            "1.1.0": {"downloads": {"tarball": "https://codeload.github.com/acme/dbt-tools/tar.gz/v1.1.0"}},
            "1.2.0": {"downloads": {"tarball": "https://codeload.github.com/acme/dbt-tools/tar.gz/refs/tags/1.2.0"}},
        }});
        let found = release("acme/tools", &known, &[">=1.0.0".to_owned()]).unwrap();
        assert_eq!((found.url.as_str(), found.tag.as_str()), ("https://github.com/acme/dbt-tools", "1.2.0"));
        let found = release("acme/tools", &known, &["1.1.0".to_owned()]).unwrap();
        assert_eq!((found.tag.as_str(), found.version.as_str()), ("v1.1.0", "1.1.0"));
        assert!(release("acme/tools", &known, &["3.0.0".to_owned()]).is_err());
    }
}
