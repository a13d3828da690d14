//! Writing a file so that a reader sees the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes the file anew, by way of one beside it.
///
/// # Errors
/// Where it, or its folder, cannot be written.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let next = path.with_extension(format!("{}.next", std::process::id()));
    let mut file = File::create(&next)?;
    file.write_all(content)?;
    drop(file);
    fs::rename(&next, path)
}
