//! Versions of packages, and the ranges in which a project asks for them.

/// A version: three numbers, and what stands after `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackageVersion {
    numbers: [u64; 3],
    /// A release is later than what comes before it.
    is_release: bool,
    before: String,
}

impl PackageVersion {
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let (numbers, before) = text.split_once('-').unwrap_or((text, ""));
        let mut parts = numbers.split('.').map(str::parse);
        let mut next = || parts.next().unwrap_or(Ok(0)).ok();
        let numbers = [next()?, next()?, next()?];
        Some(Self { numbers, is_release: before.is_empty(), before: before.to_owned() })
    }
}

/// The latest of these versions that fits all that is asked for: `1.1.1`, `>=1.0.0`, `<2.0.0`. One that comes before a release fits
/// only where it is asked for itself.
pub(super) fn latest<'a>(versions: impl Iterator<Item = &'a str>, asked: &[String]) -> Option<&'a str> {
    let asked: Vec<&str> = asked
        .iter()
        .flat_map(|asked| asked.split(','))
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect();
    let fits = |version: &PackageVersion| {
        let named =
            asked.iter().any(|one| PackageVersion::of(one.trim_start_matches('=')).as_ref() == Some(version));
        (version.is_release || named) && asked.iter().all(|one| within(version, one))
    };
    let known = versions.filter_map(|text| Some((PackageVersion::of(text)?, text)));
    known
        .filter(|(version, _)| fits(version))
        .max_by(|(one, _), (other, _)| one.cmp(other))
        .map(|(_, text)| text)
}

fn within(version: &PackageVersion, asked: &str) -> bool {
    let bound = |text: &str| PackageVersion::of(text);
    let compare: &dyn Fn(&PackageVersion) -> bool = if asked.starts_with(">=") {
        &|bound| version >= bound
    } else if asked.starts_with("<=") {
        &|bound| version <= bound
    } else if asked.starts_with('>') {
        &|bound| version > bound
    } else if asked.starts_with('<') {
        &|bound| version < bound
    } else {
        &|bound| version == bound
    };
    bound(asked.trim_start_matches(['<', '>', '='])).is_some_and(|bound| compare(&bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_within_the_ranges_is_taken_and_none_before_a_release_unless_it_is_named() {
        let versions = ["0.9.6", "1.0.0", "1.10.0", "1.2.0", "2.0.0-b1", "2.0.0"];
        for (asked, expected) in [
            (&[">=1.0.0", "<2.0.0"][..], Some("1.10.0")),
            (&[">=1.0.0,<1.5.0"], Some("1.2.0")),
            (&["1.0.0"], Some("1.0.0")),
            (&["=1.0.0"], Some("1.0.0")),
            (&["2.0.0-b1"], Some("2.0.0-b1")),
            (&[], Some("2.0.0")),
            (&[">2.0.0"], None),
            (&["<1"], Some("0.9.6")),
        ] {
            let asked: Vec<String> = asked.iter().map(|one| (*one).to_owned()).collect();
            assert_eq!(latest(versions.into_iter(), &asked), expected, "{asked:?}");
        }
    }
}
