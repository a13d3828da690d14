//! A name that becomes one component of a path.
//!
//! Owns which names a project may give to what becomes a file or folder. Must not know where these lie.

use std::fmt;

/// A name of a schema, table, test or file of the project: one component of a path, and never a way to another folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathName(String);

/// Why a text is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// It has no characters, or none that is seen.
    #[error("it is empty")]
    Empty,
    /// It begins with a dot: such files are hidden, and `.` and `..` are folders.
    #[error("it begins with a dot")]
    Dot,
    /// It has a character that separates folders, or that no file system takes.
    #[error("it holds {}", Shown(*.0))]
    Character(char),
    /// File systems take no longer one, once mep has put its endings to it.
    #[error("it is longer than {LONGEST} bytes")]
    Long,
}

/// The longest name, in bytes: file systems take 255, and mep puts endings to some.
const LONGEST: usize = 200;

/// What is said of a name that is none.
pub const HELP: &str =
    "a name becomes a folder or file: it may not be empty, begin with a dot, or hold `/` or `\\`";

impl PathName {
    /// The text as a name.
    ///
    /// # Errors
    /// Where it would be another path than one component.
    pub fn new(text: impl Into<String>) -> Result<Self, NotAName> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(NotAName::Empty);
        }
        if text.starts_with('.') {
            return Err(NotAName::Dot);
        }
        if let Some(found) = text.chars().find(|found| matches!(found, '/' | '\\') || found.is_control()) {
            return Err(NotAName::Character(found));
        }
        if text.len() > LONGEST {
            return Err(NotAName::Long);
        }
        Ok(Self(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<PathName> for String {
    fn from(name: PathName) -> Self {
        name.0
    }
}

struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_control() {
            write!(f, "the control character U+{:04X}", u32::from(self.0))
        } else {
            write!(f, "`{}`", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component_of_a_path_and_nothing_else() {
        for name in ["orders", "Orders 2024", "größe", "a.b", "a..b", "x=1", "..."].map(PathName::new) {
            match name {
                Ok(name) => assert_eq!(std::path::Path::new(name.as_str()).components().count(), 1),
                Err(error) => assert_eq!(error, NotAName::Dot),
            }
        }
        let refused = [
            ("", NotAName::Empty),
            ("  ", NotAName::Empty),
            (".", NotAName::Dot),
            ("..", NotAName::Dot),
            (".lease", NotAName::Dot),
            ("sales/2024", NotAName::Character('/')),
            ("/etc", NotAName::Character('/')),
            ("a\\b", NotAName::Character('\\')),
            ("a\0b", NotAName::Character('\0')),
            ("a\nb", NotAName::Character('\n')),
        ];
        for (text, error) in refused {
            assert_eq!(PathName::new(text), Err(error), "{text:?}");
        }
        assert_eq!(PathName::new("x".repeat(201)), Err(NotAName::Long));
        assert_eq!(NotAName::Character('\0').to_string(), "it holds the control character U+0000");
    }
}
