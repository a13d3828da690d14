//! Which files lie in the folders of a table.
//!
//! Owns which of them hold rows. Must not know: what is in a file.

use crate::hdfs::Hdfs;
use mep_contract::warehouse::WarehouseError;

/// A file with rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HiveFile {
    /// Its absolute path.
    pub(super) path: String,
    /// Its size.
    pub(super) bytes: u64,
    /// When it was changed, in milliseconds since 1970.
    pub(super) modified: u64,
}

/// The files of a folder and those below it, in the order of their paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    /// Those that hold rows.
    pub(super) files: Vec<HiveFile>,
}

/// The files of several folders.
pub(super) struct Listing {
    /// As many, in the same order. One that is not there has no files.
    pub(super) folders: Vec<Folder>,
}

impl Listing {
    /// Lists folders.
    ///
    /// # Errors
    /// Where HDFS does not say what is in one.
    pub(super) fn of(hdfs: &Hdfs, folders: &[String]) -> Result<Self, WarehouseError> {
        let listed = hdfs.walk_all(folders)?;
        let folders = folders.iter().zip(listed).map(|(folder, entries)| {
            let holds_rows = |path: &str, bytes: u64| bytes > 0 && !is_hidden(folder, path);
            let files =
                entries.into_iter().filter(|entry| !entry.is_folder && holds_rows(&entry.path, entry.bytes));
            let mut files: Vec<HiveFile> = files
                .map(|entry| HiveFile { path: entry.path, bytes: entry.bytes, modified: entry.modified })
                .collect();
            files.sort_by(|one, other| one.path.cmp(&other.path));
            Folder { files }
        });
        Ok(Self { folders: folders.collect() })
    }
}

/// Whether a file is one that engines pass over: it, or a folder between, has a name that begins with a dot or an underscore, as what is
/// being written does.
fn is_hidden(folder: &str, path: &str) -> bool {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below.split('/').any(|name| name.starts_with(['.', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_is_passed_over() {
        let is_hidden = |path: &str| is_hidden("/w/_db/t", &format!("/w/_db/t/{path}"));
        assert!(!is_hidden("000000_0") && !is_hidden("union_1/part-0.parquet"));
        assert!(is_hidden("_SUCCESS") && is_hidden(".hive-staging_1/x") && is_hidden("a/_temporary/0/x"));
    }
}
