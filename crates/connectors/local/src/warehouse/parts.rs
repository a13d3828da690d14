//! How the entries of a long table are divided into files, so that a publish writes few of them.
//!
//! Owns which entries stay in the files that hold them, which go into new ones, and which stand in the manifest itself.
//! Must not know what entries are, or how files look.
//!
//! A part is never changed: where one of its entries is another one by now, what is left of it is written anew. What
//! changes often, the latest entries, stands in the manifest, which every publish writes. So a publish costs what
//! changed, and not what there is.

use std::collections::BTreeMap;

/// Entries that the manifest holds at most: from there on the earlier ones go into parts.
const MOST_IN_MANIFEST: usize = 96;
/// Entries that stay in the manifest when others go into parts: the latest, of which some will soon be others.
const LEFT_IN_MANIFEST: usize = 32;
/// Entries that a part holds at most.
const MOST_IN_PART: usize = 256;
/// A part of fewer entries is joined with others when new ones are written.
const SMALL: usize = 128;

/// Where each entry of a table is to stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntriesBySlice<'a, K, V> {
    /// The parts that stay as they are, by their place.
    pub(super) kept: Vec<usize>,
    /// The entries of each new part.
    pub(super) new: Vec<Vec<(&'a K, &'a V)>>,
    /// The entries that the manifest holds.
    pub(super) in_manifest: Vec<(&'a K, &'a V)>,
}

impl<'a, K: Ord, V: PartialEq> EntriesBySlice<'a, K, V> {
    /// Of all entries, of which `parts` hold some as they were before.
    pub(super) fn of(entries: &'a BTreeMap<K, V>, parts: &[&[(K, V)]]) -> Self {
        let holds = |part: &[(K, V)]| {
            let mut there = part.first().into_iter().flat_map(|(first, _)| entries.range(first..));
            part.iter().all(|entry| there.find(|(key, _)| **key >= entry.0) == Some((&entry.0, &entry.1)))
        };
        let mut kept: Vec<usize> =
            (0..parts.len()).filter(|part| !parts[*part].is_empty() && holds(parts[*part])).collect();
        let mut rest = not_in(entries, parts, &kept);
        if rest.len() <= MOST_IN_MANIFEST {
            return Self { kept, new: Vec::new(), in_manifest: rest };
        }
        kept.retain(|part| parts[*part].len() >= SMALL);
        rest = not_in(entries, parts, &kept);
        let in_manifest = rest.split_off(rest.len() - LEFT_IN_MANIFEST);
        let new = rest.chunks(MOST_IN_PART).map(<[_]>::to_vec).collect();
        Self { kept, new, in_manifest }
    }

    /// What does not stand in a kept part: all that can be new.
    pub(super) fn written(&self) -> impl Iterator<Item = &(&'a K, &'a V)> {
        self.new.iter().flatten().chain(&self.in_manifest)
    }
}

/// The entries that none of these parts holds, in their order.
fn not_in<'a, K: Ord, V>(
    entries: &'a BTreeMap<K, V>,
    parts: &[&[(K, V)]],
    kept: &[usize],
) -> Vec<(&'a K, &'a V)> {
    let mut held: Vec<&K> = kept.iter().flat_map(|part| parts[*part]).map(|(key, _)| key).collect();
    held.sort_unstable();
    let mut held = held.into_iter().peekable();
    entries.iter().filter(|(key, _)| held.next_if_eq(key).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Part = Vec<(u32, u32)>;

    /// Publishes these entries over these parts: the parts that are there then, and which of them are new.
    fn publish(entries: &BTreeMap<u32, u32>, parts: &[Part]) -> (Vec<Part>, usize, usize) {
        let slices: Vec<&[(u32, u32)]> = parts.iter().map(Vec::as_slice).collect();
        let division = EntriesBySlice::of(entries, &slices);
        let mut all: BTreeMap<u32, u32> = division.written().map(|(key, value)| (**key, **value)).collect();
        let mut count = division.written().count();
        let mut after: Vec<Part> = division.kept.iter().map(|part| parts[*part].clone()).collect();
        for part in &after {
            count += part.len();
            all.extend(part.iter().copied());
        }
        assert_eq!((&all, count), (entries, entries.len()), "each entry stands in one place");
        let new = division.new.iter().map(|part| part.iter().map(|(key, value)| (**key, **value)).collect());
        after.extend(new);
        assert!(after.iter().all(|part| part.len() <= MOST_IN_PART));
        assert!(division.in_manifest.len() <= MOST_IN_MANIFEST);
        (after, division.new.len(), division.in_manifest.len())
    }

    #[test]
    fn a_short_table_stands_in_its_manifest() {
        let entries: BTreeMap<u32, u32> = (0..MOST_IN_MANIFEST as u32).map(|key| (key, 0)).collect();
        assert_eq!(publish(&entries, &[]), (Vec::new(), 0, MOST_IN_MANIFEST));
    }

    #[test]
    fn a_day_more_writes_a_part_seldom_and_parts_stay_few() {
        let mut entries: BTreeMap<u32, u32> = BTreeMap::new();
        let (mut parts, mut written) = (Vec::new(), 0);
        for day in 0..1000_u32 {
            for late in day.saturating_sub(5)..=day {
                *entries.entry(late).or_default() = day;
            }
            let (after, new, _) = publish(&entries, &parts);
            parts = after;
            written += new;
        }
        assert!(parts.len() <= 8 && written <= 20, "{} parts, {written} written", parts.len());
    }

    #[test]
    fn a_change_in_the_past_writes_the_part_that_holds_it_and_no_other() {
        let mut entries: BTreeMap<u32, u32> = (0..1000).map(|key| (key, 0)).collect();
        let (parts, new, in_manifest) = publish(&entries, &[]);
        assert_eq!((new, in_manifest), (4, LEFT_IN_MANIFEST));
        entries.insert(300, 1);
        let (changed, new, _) = publish(&entries, &parts);
        assert_eq!((new, changed.iter().filter(|part| parts.contains(part)).count()), (1, 3));
        entries.retain(|key, _| *key >= 256);
        let (fewer, new, _) = publish(&entries, &changed);
        assert_eq!((fewer.len(), new), (3, 0));
    }
}
