//! Random numbers that depend on nothing but their key: SplitMix64, in integers.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a number is drawn for. Draws for different purposes do not depend on each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Catalogue = 1,
    Arrival,
    Profile,
    Life,
    Activity,
    Eagerness,
    Session,
    Resend,
}

/// A number for each (seed, purpose, a, b).
pub(super) fn hash(seed: u64, purpose: Purpose, a: u64, b: u64) -> u64 {
    let keyed = mix(seed.wrapping_add((purpose as u64).wrapping_mul(GOLDEN)));
    let keyed = mix(keyed ^ a.wrapping_mul(GOLDEN));
    mix(keyed.wrapping_add(b.wrapping_mul(GOLDEN)))
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(state: u64) -> Self {
        Self { state }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number in `0..bound`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        scale(self.next(), bound)
    }

    /// One of the items; `items` must not be empty.
    pub(super) fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u32) as usize]
    }
}

/// A number in `0..bound` from the upper half of a random number.
pub(super) fn scale(random: u64, bound: u32) -> u32 {
    (((random >> 32) * u64::from(bound)) >> 32) as u32
}

/// A probability, compared in integers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// The chance of a probability; what lies outside of 0 to 1 counts as the nearer end.
    pub(super) fn of(probability: f64) -> Self {
        Self((probability.clamp(0.0, 1.0) * 4_294_967_296.0) as u64)
    }

    /// Whether it happens, by the upper half of a random number.
    pub(super) fn hits(self, random: u64) -> bool {
        random >> 32 < self.0
    }

    /// The chance that one of two events happens that exclude each other.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_the_same_number_for_ever() {
        assert_eq!(hash(1, Purpose::Life, 2, 3), hash(1, Purpose::Life, 2, 3));
        assert_ne!(hash(1, Purpose::Life, 2, 3), hash(1, Purpose::Activity, 2, 3));
        assert_ne!(hash(1, Purpose::Life, 2, 3), hash(1, Purpose::Life, 3, 2));
        assert_eq!(Random::new(0).next(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn certain_and_impossible_chances_are_exact() {
        assert!(Chance::of(1.0).hits(u64::MAX));
        assert!(!Chance::of(0.0).hits(0));
    }
}
