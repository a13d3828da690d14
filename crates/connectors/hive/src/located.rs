//! Where the blocks of files are, asked once for each file: what the tables point at never changes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hdfs_native::file::FileReader;
use parking_lot::{Mutex, MutexGuard};

/// So many files are known at once; past it all are asked for anew.
const MOST: usize = 10_000;

/// Files that were read, by path.
#[derive(Default)]
pub(super) struct LocatedFiles(Mutex<HashMap<String, Arc<FileReader>>>);

impl fmt::Debug for LocatedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Located").finish_non_exhaustive()
    }
}

impl LocatedFiles {
    /// The file, where it was read before.
    pub(super) fn known(&self, path: &str) -> Option<Arc<FileReader>> {
        self.files().get(path).cloned()
    }

    /// Notes where a file is.
    pub(super) fn note(&self, path: &str, file: &Arc<FileReader>) {
        let mut files = self.files();
        if files.len() >= MOST {
            files.clear();
        }
        files.insert(path.to_owned(), file.clone());
    }

    /// Blocks can move: what was known of a file that could not be read does not count.
    pub(super) fn forget(&self, path: &str) {
        self.files().remove(path);
    }

    fn files(&self) -> MutexGuard<'_, HashMap<String, Arc<FileReader>>> {
        self.0.lock()
    }
}
