//! A part of the users.

use core::ops::Range;

/// One of several parts of the users, so that parts can be made at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// All users.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Every shard of a count, in order; none of 0.
    pub fn all(count: u32) -> impl Iterator<Item = Self> {
        (0..count).map(move |index| Self { index, count })
    }

    /// The users, out of so many, that are in this shard.
    pub(super) fn of(self, users: u64) -> Range<u64> {
        let upto = |index: u32| (u128::from(users) * u128::from(index) / u128::from(self.count)) as u64;
        upto(self.index)..upto(self.index + 1)
    }
}
