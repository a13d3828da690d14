//! Tables of the keys that a user's file may have. Reading checks by them, and the reference in docs/ is made of them.

/// A key, and what is to be known of it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What may stand behind it; empty where it is accepted and changes nothing that mep does.
    pub takes: &'static str,
    /// What holds without it; empty where that is nothing.
    pub default: &'static str,
    /// What it says, in one line.
    pub doc: &'static str,
}

/// A key that mep reads.
pub const fn key(name: &'static str, takes: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, takes, default, doc }
}

/// A key that is accepted, since dbt has it, and that changes nothing that mep does.
pub const fn accepted(name: &'static str, doc: &'static str) -> Key {
    Key { name, takes: "", default: "", doc }
}

/// Whether one of these is so named.
pub fn has(keys: &[Key], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}

/// The names, in their order.
pub fn names(keys: &[Key]) -> impl Iterator<Item = &str> + Clone {
    keys.iter().map(|key| key.name)
}

/// A part of the reference: the keys of one mapping.
#[derive(Clone, Debug)]
pub struct Section {
    /// What the mapping is.
    pub title: String,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Whether these are keys of dbt that mep refuses, since leaving them out silently would change results.
    pub are_refused: bool,
}

impl Section {
    /// Keys that a mapping may have.
    pub fn of(title: &str, keys: &[&[Key]]) -> Self {
        Self { title: title.to_owned(), keys: keys.concat(), are_refused: false }
    }

    /// Keys that a mapping must not have.
    pub fn refused(title: &str, keys: &[Key]) -> Self {
        Self { title: title.to_owned(), keys: keys.to_vec(), are_refused: true }
    }
}
