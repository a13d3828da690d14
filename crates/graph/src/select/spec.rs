//! A selection as a tree: words, and how they are joined.

use super::super::node_index::NodeSet;
use super::Wanted;
use super::criterion::Criterion;
use mep_lang::project::{Problem, nearest};

/// Which tests come with what they test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndirectSelection {
    /// Those of which any input is selected.
    #[default]
    Eager,
    /// Those of which all inputs are.
    Cautious,
    /// Those of which all inputs are, or are needed by what is.
    Buildable,
    /// None.
    Empty,
}

impl IndirectSelection {
    /// The words for them.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("eager", Self::Eager),
        ("cautious", Self::Cautious),
        ("buildable", Self::Buildable),
        ("empty", Self::Empty),
    ];

    /// What a word means.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, meant)| meant)
    }
}

/// A selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SelectorSpec {
    /// Every node.
    All,
    /// What one word takes.
    One { criterion: Criterion, written: String, indirect: IndirectSelection },
    /// What any part takes.
    Union(Vec<SelectorSpec>, IndirectSelection),
    /// What all parts take.
    Intersection(Vec<SelectorSpec>, IndirectSelection),
    /// What the first part takes and no other one.
    Without(Vec<SelectorSpec>, IndirectSelection),
}

impl SelectorSpec {
    /// What is asked for.
    ///
    /// # Errors
    /// Where a word is not of the grammar, or there is no such selector.
    pub(super) fn of(asked: Wanted<'_>) -> Result<Self, Problem> {
        let says = |words: &[String]| words.iter().any(|words| !words.trim().is_empty());
        if let Some(name) = asked.selector {
            let named = asked.named.and_then(|named| named.get(name));
            return named.cloned().ok_or_else(|| {
                let problem = Problem::new(format!("there is no selector `{name}` in selectors.yml"));
                let names: Vec<&str> = asked.named.into_iter().flat_map(|named| named.names()).collect();
                match nearest(name, names.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None if names.is_empty() => problem.help("the project has no selectors"),
                    None => problem.help(format!("the selectors are {}", names.join(", "))),
                }
            });
        }
        let included = if says(asked.select) {
            Self::of_words(asked.select, asked.indirect)?
        } else {
            let default = asked.named.filter(|_| !says(asked.exclude)).and_then(|named| named.preset());
            default.cloned().unwrap_or(Self::All)
        };
        if !says(asked.exclude) {
            return Ok(included);
        }
        let excluded = Self::of_words(asked.exclude, IndirectSelection::Eager)?;
        Ok(Self::Without(vec![included, excluded], asked.indirect))
    }

    fn of_words(words: &[String], indirect: IndirectSelection) -> Result<Self, Problem> {
        let words = words.iter().flat_map(|words| words.split_whitespace());
        Ok(Self::Union(words.map(|word| Self::of_word(word, indirect)).collect::<Result<_, _>>()?, indirect))
    }

    fn of_word(word: &str, indirect: IndirectSelection) -> Result<Self, Problem> {
        let parts = word.split(',').filter(|text| !text.is_empty());
        let parts: Vec<Self> = parts.map(|text| Self::criterion(text, indirect)).collect::<Result<_, _>>()?;
        Ok(Self::Intersection(parts, indirect))
    }

    /// What one word without commas takes.
    pub(super) fn criterion(text: &str, indirect: IndirectSelection) -> Result<Self, Problem> {
        Ok(Self::One { criterion: Criterion::parse(text)?, written: text.to_owned(), indirect })
    }

    /// What the parts come to together.
    pub(super) fn combined(&self, parts: impl Iterator<Item = NodeSet>) -> NodeSet {
        let combined = parts.reduce(|before, part| match self {
            Self::All | Self::One { .. } | Self::Union(..) => before.union(&part).copied().collect(),
            Self::Intersection(..) => before.intersection(&part).copied().collect(),
            Self::Without(..) => before.difference(&part).copied().collect(),
        });
        combined.unwrap_or_default()
    }
}
