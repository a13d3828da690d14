//! Whether the crates use one another as the map says: ARCHITECTURE.md names for each what it may use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// By crate, without `mep-`: the crates that the map lets it use.
fn mapped() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let table = text.split("| crate | owns |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let uses = names(cells.last().unwrap());
        names(cells[0]).into_iter().map(move |name| (name, uses.clone()))
    })
    .collect()
}

/// What stands between backticks.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// By crate, without `mep-`: the crates that its manifest names, tests apart.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version=1"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter_map(|package| {
            let name = package["name"].as_str()?.strip_prefix("mep-")?;
            let dependencies = package["dependencies"].as_array()?.iter();
            let uses = dependencies
                .filter(|dependency| dependency["kind"].is_null())
                .filter_map(|dependency| dependency["name"].as_str());
            Some((name.to_owned(), uses.map(str::to_owned).collect()))
        })
        .collect()
}

/// Those of ours, without `mep-`.
fn used() -> BTreeMap<String, BTreeSet<String>> {
    let of_ours = |names: BTreeSet<String>| -> BTreeSet<String> {
        names.iter().filter_map(|name| name.strip_prefix("mep-")).map(str::to_owned).collect()
    };
    dependencies().into_iter().map(|(name, uses)| (name, of_ours(uses))).collect()
}

#[test]
fn crates_use_only_what_the_map_lets_them_use() {
    let (mapped, used) = (mapped(), used());
    assert!(mapped.len() > 15, "the map was not read: {mapped:?}");
    assert_eq!(used, mapped, "left: what the manifests say; right: the map in ARCHITECTURE.md");
}

#[test]
fn how_plans_are_made_inside_is_known_to_sql_and_its_engine_alone() {
    let all = dependencies();
    let names =
        |(name, uses): (&String, &BTreeSet<String>)| uses.contains("datafusion").then(|| name.clone());
    let named: Vec<String> = all.iter().filter_map(names).collect();
    // The contract reads the SQL of declared types with its parser, and the sink makes arrays of its scalars: neither sees a plan.
    assert_eq!(named, ["cassandra", "contract", "datafusion", "sql"]);
}

/// The Markdown files that say how the code works.
fn guides() -> Vec<PathBuf> {
    let mut found = vec![Path::new(ROOT).join("ARCHITECTURE.md"), Path::new(ROOT).join("CONTRIBUTING.md")];
    let folders =
        ["crates", "crates/connectors", "crates/engines"].map(|folder| Path::new(ROOT).join(folder));
    for folder in folders {
        let crates = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("README.md"));
        found.extend(crates.filter(|path| path.is_file()));
    }
    found
}

#[test]
fn every_file_that_a_guide_names_is_there() {
    let mut looked_at = 0;
    for guide in guides() {
        let text = std::fs::read_to_string(&guide).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let is_path = |word: &&str| {
            let is_ours = ["crates/", "src/", "tests/", "docs/"].iter().any(|top| word.starts_with(top));
            is_ours && word.rsplit('/').next().is_some_and(|name| name.contains('.') && !name.contains(' '))
        };
        for path in quoted.filter(is_path) {
            looked_at += 1;
            assert!(
                Path::new(ROOT).join(path).is_file(),
                "{} names {path}, which is not there",
                guide.display()
            );
        }
    }
    assert!(looked_at > 40, "only {looked_at} names were found");
}
