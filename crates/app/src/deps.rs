//! Packages: what a project's files name is brought into its folder of packages.
//!
//! Local folders are linked, repositories are fetched by `git`, and dbt's hub is asked by `curl` for the repository of a version. What they
//! came to is written to the lock file. Must not know: what packages hold.

mod fetch;
mod version;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mep_core::fingerprint::Fingerprint;
use mep_lang::project::{LoadOptions, PackageLock, PackageOrigin, Packages, Problem, WantedPackage};

use super::error::AppError;

/// A package that was brought in.
#[derive(Clone, Debug)]
pub struct BroughtIn {
    /// Its name.
    pub name: String,
    /// Where it came from, with the version or commit.
    pub from: PackageOrigin,
}

/// Brings all packages of a project in, those that packages name as well; as they were locked, unless `upgrade`.
///
/// # Errors
/// Where a file that names packages is wrong, or a package cannot be had.
pub fn bring_in(options: &LoadOptions, upgrade: bool) -> Result<Vec<BroughtIn>, AppError> {
    let root = &options.root;
    let named = Packages::read(options)?;
    let hash = hash(&named.wanted);
    let lock = PackageLock::read(root).filter(|lock| !upgrade && lock.hash == hash);
    let work = Work { root, into: root.join(&named.folder), lock };
    std::fs::create_dir_all(&work.into).map_err(AppError::io(format!("making {}", work.into.display())))?;
    let mut brought: Vec<BroughtIn> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    // A package may name others; one that is there already is not brought in again.
    let mut left: Vec<(PathBuf, WantedPackage)> =
        named.wanted.into_iter().rev().map(|package| (root.clone(), package)).collect();
    while let Some((named_in, package)) = left.pop() {
        if !seen.insert(package.from.to_string()) {
            continue;
        }
        let one = work.one(&named_in, &package)?;
        let folder = work.into.join(&one.name);
        let inner = Packages::of_package(&folder)?;
        let named_in = folder.canonicalize().unwrap_or(folder);
        left.extend(inner.into_iter().rev().map(|package| (named_in.clone(), package)));
        brought.push(one);
    }
    let packages = brought.iter().map(|one| one.from.clone()).collect();
    PackageLock { hash, packages }.write(root)?;
    Ok(brought)
}

fn hash(wanted: &[WantedPackage]) -> String {
    let all: Vec<String> = wanted.iter().map(|package| format!("{:?}", package.from)).collect();
    Fingerprint::of(all.iter().map(String::as_str)).as_str().to_owned()
}

struct Work<'a> {
    root: &'a Path,
    /// The folder of packages.
    into: PathBuf,
    lock: Option<PackageLock>,
}

impl Work<'_> {
    fn one(&self, named_in: &Path, package: &WantedPackage) -> Result<BroughtIn, AppError> {
        let failed = |error: fetch::FetchError| {
            let help = format!(
                "without a network, copy the package's folder into {}/ yourself",
                self.into.strip_prefix(self.root).unwrap_or(&self.into).display()
            );
            Problem::new(error.to_string()).at(&package.place).help(help)
        };
        let from = self.as_locked(&package.from);
        Ok(match from {
            PackageOrigin::Local(path) => {
                let folder = named_in.join(&path);
                let name = Packages::name_of(&folder).ok_or_else(|| {
                    Problem::new(format!(
                        "there is no package in {}: it has no dbt_project.yml",
                        path.display()
                    ))
                    .at(&package.place)
                })?;
                fetch::link(&folder, &self.into.join(&name))?;
                BroughtIn { name, from: PackageOrigin::Local(path) }
            }
            PackageOrigin::Git { url, revision, subdirectory } => {
                let subfolder = subdirectory.as_deref();
                let fetched = fetch::git(&url, revision.as_deref(), subfolder, &self.into).map_err(failed)?;
                let from = PackageOrigin::Git { url, revision: Some(fetched.commit), subdirectory };
                BroughtIn { name: fetched.name, from }
            }
            PackageOrigin::Hub { name, versions } => {
                let release = fetch::of_hub(&name, &versions).map_err(failed)?;
                let fetched =
                    fetch::git(&release.url, Some(&release.tag), None, &self.into).map_err(failed)?;
                BroughtIn {
                    name: fetched.name,
                    from: PackageOrigin::Hub { name, versions: vec![release.version] },
                }
            }
        })
    }

    /// The version or commit that a package was locked to.
    fn as_locked(&self, from: &PackageOrigin) -> PackageOrigin {
        let locked = self.lock.iter().flat_map(|lock| &lock.packages);
        let is_same = |other: &&PackageOrigin| match (from, other) {
            (PackageOrigin::Hub { name, .. }, PackageOrigin::Hub { name: other, .. }) => name == other,
            (
                PackageOrigin::Git { url, subdirectory, .. },
                PackageOrigin::Git { url: other, subdirectory: of, .. },
            ) => url == other && subdirectory == of,
            _ => false,
        };
        locked.into_iter().find(is_same).unwrap_or(from).clone()
    }
}
