//! Values of config that are one of a few words.

use mep_core::time_range::BatchSize;
use mep_sql::snapshot::HardDeletes;

/// A value that config says by a word.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// Each value by its word, in the order in which messages name them.
    const WORDS: &'static [(&'static str, Self)];

    /// The word that config uses.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

/// The words of a value.
pub(super) fn words_of<W: Word>() -> Vec<&'static str> {
    W::WORDS.iter().map(|(word, _)| *word).collect()
}

impl Word for BatchSize {
    const WORDS: &'static [(&'static str, Self)] =
        &[("hour", Self::Hour), ("day", Self::Day), ("month", Self::Month), ("year", Self::Year)];
}

impl Word for HardDeletes {
    const WORDS: &'static [(&'static str, Self)] =
        &[("ignore", Self::Ignore), ("invalidate", Self::Invalidate), ("new_record", Self::NewRecord)];
}
