//! Whether a type's name says which type it is: nearly every name is given once in all crates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The sources of all crates, tests apart.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs")
            && name != "tests.rs"
            && !path.iter().any(|part| part == "tests")
        {
            found.push(path);
        }
    }
}

/// The name of a type that a line at the left margin defines.
fn defined(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest.split_once(' ').map_or(rest, |(_, rest)| rest),
        None => line,
    };
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    rest.split(|letter: char| !letter.is_alphanumeric()).next()
}

#[test]
fn a_name_stands_for_one_type() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates"), &mut files);
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for name in code.lines().filter_map(defined) {
            places.entry(name.to_owned()).or_default().push(path.clone());
        }
    }
    assert!(places.len() > 500, "only {} types were found", places.len());
    let all: usize = places.values().map(Vec::len).sum();
    let shared: BTreeMap<_, _> = places.into_iter().filter(|(_, places)| places.len() > 1).collect();
    let sharing: usize = shared.values().map(Vec::len).sum();
    assert!(
        sharing * 100 < all * 2,
        "{sharing} of {all} types share their name with another, 2 % at most may: {shared:#?}"
    );
}
