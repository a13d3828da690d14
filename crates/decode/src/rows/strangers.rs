//! The names of values that are read and that nothing declares.
//!
//! Owns a few of them, so that a column that no row has a value for can be told which name was perhaps meant. Comes in:
//! names, from any thread. Goes out: the names. Must not know: columns.

use parking_lot::Mutex;
use std::collections::BTreeSet;

/// How many names are kept: rows whose keys are data have no end of them.
const NAMES: usize = 100;
/// How many keys of a piece are looked at: later rows have the keys of the earlier ones.
const KEYS: usize = 1_000;
/// Names longer than this are no column's that was meant.
const LENGTH: usize = 100;

/// Names that nothing declares, of all that was read.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<BTreeSet<String>>);

impl Strangers {
    /// The names so far.
    pub fn names(&self) -> Vec<String> {
        self.0.lock().iter().cloned().collect()
    }

    /// These were met.
    pub fn add(&self, met: impl IntoIterator<Item = String>) {
        let mut names = self.0.lock();
        for name in met {
            if names.len() < NAMES {
                names.insert(name);
            }
        }
    }
}

/// Names that nothing declares, of one piece.
#[derive(Debug, Default)]
pub(super) struct Met {
    names: BTreeSet<String>,
    keys: usize,
}

impl Met {
    /// This key was met.
    #[inline]
    pub(super) fn note(&mut self, key: &str) {
        if self.keys < KEYS {
            self.keys += 1;
            if key.len() <= LENGTH && !self.names.contains(key) {
                self.names.insert(key.to_owned());
            }
        }
    }

    /// The names, which are forgotten here.
    pub(super) fn take(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.names)
    }
}
