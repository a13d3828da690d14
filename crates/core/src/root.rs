//! A folder that nothing written below it leaves.
//!
//! Owns how a path below the warehouse or the project is made: of plain names alone, and past no symbolic link that leads
//! elsewhere. Must not know what the files are.

use std::io;
use std::path::{Component, Path, PathBuf};

/// A folder below which mep writes and deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

/// Why a path is not below its root.
#[derive(Debug, thiserror::Error)]
pub enum Outside {
    /// It has `..`, or is absolute.
    #[error("{path} would lead out of {root}: nothing is written or deleted there")]
    Path {
        /// The path.
        path: PathBuf,
        /// The folder.
        root: PathBuf,
    },
    /// A link on the way leads elsewhere.
    #[error(
        "{link} is a symbolic link that leads out of {root}: nothing is written or deleted there; take it away"
    )]
    Link {
        /// The link.
        link: PathBuf,
        /// The folder.
        root: PathBuf,
    },
    /// It cannot be seen what is on the way.
    #[error("{path} cannot be looked at: {}", crate::os_error::OsMessage(.error))]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl From<Outside> for io::Error {
    fn from(outside: Outside) -> Self {
        let kind = match &outside {
            Outside::Io { error, .. } => error.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, outside.to_string())
    }
}

impl Root {
    /// The folder, which need not be there yet. That it is a link itself is its owner's choice.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path below, where neither its words nor links on the way lead out.
    ///
    /// # Errors
    /// Where they do.
    pub fn join(&self, below: impl AsRef<Path>) -> Result<PathBuf, Outside> {
        let below = below.as_ref();
        let mut path = self.0.clone();
        for component in below.components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::CurDir => continue,
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(Outside::Path { path: self.0.join(below), root: self.0.clone() });
                }
            }
            match path.symlink_metadata() {
                Ok(found) if found.is_symlink() => self.check_link(&path)?,
                Ok(_) => {}
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(Outside::Io { path, error }),
            }
        }
        Ok(path)
    }

    fn check_link(&self, link: &Path) -> Result<(), Outside> {
        let root = self.0.canonicalize().map_err(|error| Outside::Io { path: self.0.clone(), error })?;
        // One that leads nowhere would have a file made where it points.
        match link.canonicalize() {
            Ok(target) if target.starts_with(&root) => Ok(()),
            _ => Err(Outside::Link { link: link.to_owned(), root: self.0.clone() }),
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn words_do_not_lead_out() {
        let root = Root::new("/warehouse");
        assert_eq!(root.join("main/./orders").unwrap(), Path::new("/warehouse/main/orders"));
        for path in ["../x", "main/../../x", "/etc/passwd", "main/.."] {
            assert!(matches!(root.join(path), Err(Outside::Path { .. })), "{path}");
        }
    }

    #[test]
    fn links_do_not_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        let root = Root::new(folder.path().join("root"));
        fs::create_dir_all(root.path().join("within/deep")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, root.path().join("out")).unwrap();
        symlink(folder.path().join("nowhere"), root.path().join("dangling")).unwrap();
        symlink("within/deep", root.path().join("inside")).unwrap();
        assert!(root.join("inside/file").is_ok());
        for path in ["out", "out/file", "dangling", "dangling/file"] {
            assert!(matches!(root.join(path), Err(Outside::Link { .. })), "{path}");
        }
    }

    #[test]
    fn a_root_may_be_a_link_itself() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("disk/main")).unwrap();
        symlink(folder.path().join("disk"), folder.path().join("warehouse")).unwrap();
        symlink("main", folder.path().join("disk/other")).unwrap();
        assert!(Root::new(folder.path().join("warehouse")).join("other/t").is_ok());
    }
}
