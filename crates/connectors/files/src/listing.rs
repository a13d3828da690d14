//! Which files a table has.
//!
//! Owns which names count as files of a table, and what makes a file's version. Comes in: the connection's folder and a
//! pattern. Goes out: units, sorted by id. Must not know: what a file holds.
//!
//! A pattern is a glob below the folder: `*` and `?` stay within a name, `**` goes through folders. Files that are not
//! finished or not meant as data are left out: names that begin with `.` or `_` (also of folders that a wildcard
//! matches), and the temporary names of copying tools (`*.tmp`, `*._COPYING_`).

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use globset::{GlobBuilder, GlobMatcher};
use md5::{Digest, Md5};
use walkdir::WalkDir;

use super::FilesError;
use mep_contract::source::unit::Unit;
use mep_core::fingerprint::hex;

/// The files below `root` that match `pattern` (`listen_events/*`, `**/*.json`), sorted by id: the path relative to
/// `root`, with forward slashes. A table whose folder is not there has no files.
///
/// # Errors
/// Where `root` is no folder, a folder of the table cannot be read, or the pattern is none.
pub(super) fn list(root: &Path, pattern: &str) -> Result<Vec<Unit>, FilesError> {
    check_root(root)?;
    let pattern = Pattern::new(pattern)?;
    let start = root.join(&pattern.folder);
    if is_missing(&start) {
        return Ok(Vec::new());
    }
    let walk = WalkDir::new(&start).min_depth(1).max_depth(pattern.depth).follow_links(true);
    let mut units = Vec::new();
    for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || is_data_name(entry.file_name()))
    {
        let found = entry.and_then(|entry| Ok((entry.metadata()?, entry.into_path())));
        match found {
            Ok((metadata, path)) if metadata.is_file() => units.extend(pattern.unit(root, &path, &metadata)?),
            Ok(_) => {}
            Err(error) if is_skipped(&error) => {}
            Err(error) => {
                let path = error.path().unwrap_or(&start).to_owned();
                let error =
                    error.into_io_error().unwrap_or_else(|| io::Error::other("links lead in a circle"));
                return Err(FilesError::Unreadable { path, error });
            }
        }
    }
    units.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(units)
}

/// The names of the folders in `root` that none of the patterns looks into, sorted: most likely a topic that was not
/// declared.
///
/// # Errors
/// Where `root` is no folder or cannot be read.
pub fn unread_folders(root: &Path, patterns: &[String]) -> Result<Vec<String>, FilesError> {
    check_root(root)?;
    let mut names = folders(root)?;
    names.retain(|name| !patterns.iter().any(|pattern| looks_into(pattern, name)));
    Ok(names)
}

/// Whether a pattern can match something below a folder of the root.
fn looks_into(pattern: &str, folder: &str) -> bool {
    let mut parts = pattern.split('/').filter(|part| !matches!(*part, "" | "."));
    let (first, has_more) = (parts.next().unwrap_or_default(), parts.next().is_some());
    if first.contains("**") {
        return true;
    }
    let glob = GlobBuilder::new(first).literal_separator(true).build();
    // What is no glob by itself, such as half of `{a/b,c}`, says nothing of the folder.
    has_more && glob.map_or(true, |glob| glob.compile_matcher().is_match(folder))
}

fn folders(root: &Path) -> Result<Vec<String>, FilesError> {
    let mut names = Vec::new();
    let unreadable = |error| FilesError::unreadable(root, error);
    for entry in root.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        if is_data_name(&name) && entry.path().is_dir() {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// What changes when a file's content may have changed.
pub(super) fn version(metadata: &Metadata) -> io::Result<String> {
    let modified = metadata.modified()?;
    // A time before 1970 counts backwards; the sign keeps it apart from its mirror image.
    let nanoseconds = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    };
    let mut hash = Md5::new();
    hash.update(metadata.len().to_le_bytes());
    hash.update(nanoseconds.to_le_bytes());
    Ok(hex(hash).as_str().to_owned())
}

fn check_root(root: &Path) -> Result<(), FilesError> {
    match root.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(FilesError::NotAFolder(root.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(FilesError::NoSuchFolder(root.to_owned()))
        }
        Err(error) => Err(FilesError::unreadable(root, error)),
    }
}

/// A pattern, split into where to look and what to find there.
struct Pattern {
    matcher: GlobMatcher,
    /// The part before the first wildcard.
    folder: PathBuf,
    /// How many levels below the folder a match can be.
    depth: usize,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, FilesError> {
        let error =
            |reason: &str| FilesError::Pattern { pattern: text.to_owned(), reason: reason.to_owned() };
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if text.starts_with('/') {
            return Err(error("it begins with `/`"));
        }
        if parts.contains(&"..") {
            return Err(error("it has `..`"));
        }
        if parts.is_empty() {
            return Err(error("it is empty"));
        }
        let matcher = GlobBuilder::new(&parts.join("/"))
            .literal_separator(true)
            .build()
            .map_err(|glob| error(&glob.kind().to_string()))?
            .compile_matcher();
        let is_plain = |part: &&&str| !part.contains(['*', '?', '[', '{', '\\']);
        let folders = &parts[..parts.len() - 1];
        let plain = folders.iter().take_while(is_plain).count();
        let has_any_depth = text.contains("**") || text.contains('{');
        let depth = if has_any_depth { usize::MAX } else { parts.len() - plain };
        Ok(Self { matcher, folder: parts[..plain].iter().collect(), depth })
    }

    /// The unit of a file, if the pattern matches it.
    fn unit(&self, root: &Path, path: &Path, metadata: &Metadata) -> Result<Option<Unit>, FilesError> {
        let Ok(relative) = path.strip_prefix(root) else { return Ok(None) };
        if !self.matcher.is_match(relative) {
            return Ok(None);
        }
        let parts: Option<Vec<&str>> = relative.iter().map(OsStr::to_str).collect();
        let id = parts.ok_or_else(|| FilesError::NotUtf8(path.to_owned()))?.join("/");
        let version = version(metadata).map_err(|error| FilesError::unreadable(path, error))?;
        let batch = Some(id.clone());
        Ok(Some(Unit { id, version, batch, bytes: Some(metadata.len()), day: None }))
    }
}

fn is_data_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !(name.starts_with(b".")
        || name.starts_with(b"_")
        || name.ends_with(b".tmp")
        || name.ends_with(b"._COPYING_"))
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether a file that cannot be looked at is none of the table's: a temporary name, or gone since its folder was read.
/// A link that leads nowhere is still there, and an error.
fn is_skipped(error: &walkdir::Error) -> bool {
    error.path().is_some_and(|path| !path.file_name().is_none_or(is_data_name) || is_missing(path))
}
