//! Writing a file so that a reader sees the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use mep_core::os_error::OsMessage;

/// Writes the file anew, by way of one beside it.
///
/// # Errors
/// Where it, or its folder, cannot be written; the error names it.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let next = path.with_extension(format!("{}.next", std::process::id()));
    replace(path, &next, content).map_err(|error| {
        // It may not be there, and the first error is the one to tell.
        let _ = fs::remove_file(&next);
        io::Error::new(error.kind(), format!("{}: {}", path.display(), OsMessage(&error)))
    })
}

/// Writes the file where it is not there, or holds something else: of thousands of files, most are as they were.
///
/// # Errors
/// Where it, or its folder, cannot be written; the error names it.
pub(super) fn write_where_changed(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::read(path) {
        Ok(there) if there == content => Ok(()),
        _ => write(path, content),
    }
}

fn replace(path: &Path, next: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // One that a killed process left, or a link that would lead elsewhere.
    match fs::remove_file(next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(next)?;
    file.write_all(content)?;
    drop(file);
    fs::rename(next, path)
}
