//! Tables of the keys that a user's file may have. Reading checks by them, and the reference in docs/ is made of them.

/// A key, and what is to be known of it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What may stand behind it in words; empty where the shape says it, or where nothing comes of it.
    pub takes: &'static str,
    /// What may stand behind it.
    pub shape: Shape,
    /// What holds without it; empty where that is nothing.
    pub default: &'static str,
    /// What it says, in one line.
    pub doc: &'static str,
    /// What becomes of it where it is written.
    pub effect: Effect,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number,
    /// One of these words.
    Words(fn() -> Vec<&'static str>),
    /// A list of these; one alone may stand there without a list.
    OneOrMore(&'static Shape),
    /// A list of these.
    List(&'static Shape),
    /// Names of the user's own, each with this behind it.
    Mapping(&'static Shape),
    /// The keys of the sections of the reference that have these titles.
    Keys(&'static [&'static str]),
    /// A mapping whose `type` says which of these it is; of another type it may hold anything.
    ByType(&'static [(&'static str, Shape)]),
    /// One of these.
    Either(&'static [Shape]),
}

/// What becomes of a key that a user wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is read.
    Read,
    /// It is accepted without a word: nothing that a table holds comes of it in dbt either, or mep does it anyhow.
    Silent,
    /// It does something in dbt that mep does not do. No row is another without it, and that is told once.
    Told,
}

impl Key {
    /// The same, with what may stand behind it.
    #[must_use]
    pub const fn of(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// What may stand behind it, in words.
    pub fn takes(&self) -> String {
        match self.shape {
            Shape::Words(words) if self.takes.is_empty() => match &words()[..] {
                [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
                words => words.concat(),
            },
            _ => self.takes.to_owned(),
        }
    }

    /// What it says as a part of another sentence.
    pub fn told(&self) -> String {
        let sentence = self.doc.trim_end_matches('.');
        let second_is_large = sentence.chars().nth(1).is_some_and(char::is_uppercase);
        let mut letters = sentence.chars();
        match letters.next() {
            Some(first) if !second_is_large => first.to_lowercase().chain(letters).collect(),
            _ => sentence.to_owned(),
        }
    }
}

/// A key that mep reads.
pub const fn key(name: &'static str, takes: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, takes, shape: Shape::Any, default, doc, effect: Effect::Read }
}

/// A key that is accepted, since dbt has it, and that changes nothing that mep does.
pub const fn accepted(name: &'static str, doc: &'static str) -> Key {
    Key { name, takes: "", shape: Shape::Any, default: "", doc, effect: Effect::Silent }
}

/// A key that does something in dbt, and nothing here: a warning says so, with why no row is another for it.
pub const fn without_effect(name: &'static str, why: &'static str) -> Key {
    Key { name, takes: "", shape: Shape::Any, default: "", doc: why, effect: Effect::Told }
}

/// The key of this name.
pub fn find<'k>(keys: &'k [Key], name: &str) -> Option<&'k Key> {
    keys.iter().find(|key| key.name == name)
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
