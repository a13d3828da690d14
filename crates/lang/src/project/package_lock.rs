//! `package-lock.yml`: which packages a project's files came to, so that another machine gets the same.

use std::fmt::Write as _;
use std::path::Path;

use super::files::read_text;
use super::item::Item;
use super::packages::read_all;
use super::{PackageOrigin, Problem, Problems, yaml};

/// The file's name.
pub const LOCK_FILE: &str = "package-lock.yml";

/// What packages a project was resolved to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageLock {
    /// A hash of what the project names: where it is another one, the lock does not hold.
    pub hash: String,
    /// The packages, each with a version or commit.
    pub packages: Vec<PackageOrigin>,
}

impl PackageLock {
    /// The lock in a project's folder; `None` where there is none that can be read.
    pub fn read(root: &Path) -> Option<Self> {
        let text = read_text(&root.join(LOCK_FILE), LOCK_FILE).ok()?;
        let mut told = Problems::default();
        let node = yaml::parse(&text, &mut told)?;
        let mapping = Item::file(&text, &node).mapping(&mut told);
        let hash = mapping.get("mep_hash")?.text(&mut told)?;
        let packages = read_all(mapping.get("packages")?, &mut told);
        Some(Self { hash, packages: packages.into_iter().map(|package| package.from).collect() })
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, root: &Path) -> Result<(), Problem> {
        let mut text = String::from("packages:\n");
        let mut say = |begin: &str, key: &str, value: &str| {
            // Writing to a text does not fail.
            let _ = writeln!(text, "  {begin} {key}: {}", serde_json::json!(value));
        };
        for package in &self.packages {
            match package {
                PackageOrigin::Hub { name, versions } => {
                    say("-", "package", name);
                    say(" ", "version", &versions.join(","));
                }
                PackageOrigin::Git { url, revision, subdirectory } => {
                    say("-", "git", url);
                    if let Some(revision) = revision {
                        say(" ", "revision", revision);
                    }
                    if let Some(folder) = subdirectory {
                        say(" ", "subdirectory", folder);
                    }
                }
                PackageOrigin::Local(path) => say("-", "local", &path.to_string_lossy()),
            }
        }
        let _ = writeln!(text, "mep_hash: {}", self.hash);
        let written = std::fs::write(root.join(LOCK_FILE), text);
        written.map_err(|error| {
            Problem::new(format!("cannot write {LOCK_FILE}: {}", mep_core::os_error::OsMessage(&error)))
        })
    }
}
