//! Defaults of parameters that name other parameters.

use std::ops::Range;

use super::tokens::{Token, TokenKind};

/// A default of a parameter that names an earlier one.
pub(super) struct LateDefault {
    pub(super) name: String,
    pub(super) expression: Range<usize>,
    /// With the sign before it.
    pub(super) range: Range<usize>,
}

impl LateDefault {
    /// The defaults of the parameters between two brackets that name a parameter before them.
    pub(super) fn all(text: &str, tokens: &[Token], brackets: Range<usize>) -> Vec<Self> {
        let (open, close) = (brackets.start, brackets.end);
        let word = |index: usize| tokens[index].text(text);
        let mut late = Vec::new();
        let (mut depth, mut before): (usize, Vec<&str>) = (0, Vec::new());
        let mut at = open + 1;
        while at < close {
            let name = at;
            let mut end = at;
            while end < close && !(depth == 0 && tokens[end].is(b',')) {
                match tokens[end].kind {
                    TokenKind::Symbol(b'(' | b'[' | b'{') => depth += 1,
                    TokenKind::Symbol(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                end += 1;
            }
            let has_default = end > name + 2 && tokens[name + 1].is(b'=');
            let names_earlier = |index: usize| {
                tokens[index].kind == TokenKind::Name
                    && before.contains(&word(index))
                    && word(index - 1) != "."
            };
            if has_default && (name + 2..end).any(names_earlier) {
                late.push(Self {
                    name: word(name).to_owned(),
                    expression: tokens[name + 2].start..tokens[end - 1].end,
                    range: tokens[name + 1].start..tokens[end - 1].end,
                });
            }
            before.push(word(name));
            at = end + 1;
        }
        late
    }
}
