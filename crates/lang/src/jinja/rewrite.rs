//! dbt's Jinja as the template engine takes it.
//!
//! Some things are written anew, and the places remembered: a `{% test x(...) %}` block becomes a macro named `test_x`, and a
//! `{% materialization x, default %}` block one that nobody calls;
//! a list or mapping, and whatever `{% set %}` names, becomes one that `.append()` and `.update()` can change; an operator
//! that Python's times and formats have too becomes a call ([`Operators`](super::operators::Operators)). In files of macros, definitions get a name of their own ([`BODY`]), so
//! that every call goes by way of the global macro. And each text first includes the template that loads macros.

use std::collections::HashSet;
use std::ops::Range;

use minijinja::Error;

use super::called::MacroCall;
use super::problem::invalid_with_help;
use super::rewriter::Rewriter;
use super::tokens::tokens;
use crate::project::{TOO_DEEP, TemplateNesting};

/// Put before the name of a macro where a file of macros defines it.
pub(super) const BODY: &str = "mep_body_";

/// The name of the template that a text includes to be able to load macros.
pub(super) const LOADER: &str = "mep/loader";

/// A text after rewriting, what it says, and what was replaced.
#[derive(Clone, Debug, Default)]
pub(super) struct Rewritten {
    pub(super) text: String,
    /// In a file of macros: what it defines.
    pub(super) definitions: Vec<Definition>,
    /// In a file of macros: the ways of its own to make relations.
    pub(super) materializations: Vec<Materialization>,
    /// The calls of `ref`, `source` and `config`.
    pub(super) calls: Vec<GraphCall>,
    pub(super) edits: Vec<Edit>,
    /// How deep it nests. What nests too deep is not rewritten.
    pub(super) nesting: TemplateNesting,
}

/// A macro where it is defined.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) place: Range<usize>,
    /// From its first tag to its last.
    pub(super) block: Range<usize>,
    pub(super) parameters: Vec<Parameter>,
    /// Every name and text in it.
    pub(super) words: HashSet<String>,
    /// What it calls, each once.
    pub(super) calls: Vec<MacroCall>,
}

/// A `{% materialization %}` block.
#[derive(Clone, Debug)]
pub(super) struct Materialization {
    pub(super) name: String,
    /// For which adapter of dbt; `default` for all.
    pub(super) adapter: String,
    pub(super) place: Range<usize>,
}

/// A parameter of a macro.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) has_default: bool,
}

/// A call of a function that the graph is made of.
#[derive(Clone, Debug)]
pub(super) struct GraphCall {
    pub(super) function: &'static str,
    /// The texts among its arguments, without their quotes.
    pub(super) texts: Vec<Range<usize>>,
    /// The keys of its arguments, named or in a mapping.
    pub(super) keys: Vec<Range<usize>>,
}

#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) original: Range<usize>,
    pub(super) rewritten: Range<usize>,
}

impl Rewritten {
    /// Rewrites a model or a test.
    pub(super) fn of(text: &str) -> Self {
        Self::new(text, false)
    }

    /// Rewrites the model that stands in a part of a text.
    pub(super) fn of_part(text: &str, part: Range<usize>) -> Self {
        let mut rewritten = Self::new(text.get(part.clone()).unwrap_or_default(), false);
        let moved = |range: &mut Range<usize>| *range = range.start + part.start..range.end + part.start;
        rewritten.nesting.too_deep.iter_mut().for_each(moved);
        rewritten.edits.iter_mut().for_each(|edit| moved(&mut edit.original));
        for call in &mut rewritten.calls {
            call.texts.iter_mut().chain(&mut call.keys).for_each(moved);
        }
        rewritten.edits.insert(0, Edit { original: 0..part.start, rewritten: 0..0 });
        rewritten
    }

    /// Rewrites a file of macros.
    pub(super) fn of_macros(text: &str) -> Self {
        Self::new(text, true)
    }

    /// Rewrites a text that loads no macros.
    pub(super) fn without_macros(text: &str) -> String {
        Rewriter::new(text, &tokens(text)).without_macros().text
    }

    /// Rewrites an expression alone.
    pub(super) fn expression(text: &str) -> String {
        let (open, close) = ("{{ ", " }}");
        let whole = format!("{open}{text}{close}");
        let tokens = tokens(&whole);
        let rewritten = Rewriter::new(&whole, &tokens).without_macros().text;
        rewritten.strip_prefix(open).and_then(|text| text.strip_suffix(close)).unwrap_or(text).to_owned()
    }

    fn new(text: &str, is_macro_file: bool) -> Self {
        let nesting = TemplateNesting::of(text);
        if nesting.too_deep.is_some() {
            return Self { nesting, ..Self::default() };
        }
        let tokens = tokens(text);
        if tokens.is_empty() {
            return Self { text: text.to_owned(), nesting, ..Self::default() };
        }
        Self { nesting, ..Rewriter::new(text, &tokens).rewritten(is_macro_file) }
    }

    /// What the engine makes of the text, where it does not nest too deep.
    pub(super) fn parsed<T: Send>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        match &self.nesting.too_deep {
            Some(_) => Err(invalid_with_help(TOO_DEEP.0, TOO_DEEP.1)),
            None => self.nesting.with_room(|| parse(&self.text)),
        }
    }

    /// Where a range of the rewritten text stands in the original.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self.original_offset(range.start);
        start..self.original_offset(range.end).max(start)
    }

    fn original_offset(&self, offset: usize) -> usize {
        let after = self.edits.partition_point(|edit| edit.rewritten.start <= offset);
        match after.checked_sub(1).map(|index| &self.edits[index]) {
            Some(edit) if edit.rewritten.end <= offset => edit.original.end + (offset - edit.rewritten.end),
            Some(edit) => edit.original.start,
            None => offset,
        }
    }
}

impl Definition {
    /// Whether it takes arguments beyond its parameters.
    pub(super) fn takes_any(&self) -> bool {
        let is_own = |name: &str| self.parameters.iter().any(|parameter| parameter.name == name);
        !is_own("varargs")
            && !is_own("kwargs")
            && (self.words.contains("kwargs") || self.words.contains("varargs"))
    }
}
