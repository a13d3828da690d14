//! Where operators stand between two values, and how far these values reach.
//!
//! The engine's own operators know numbers and its own texts and lists; Python's also know times and formats. Which values
//! stand there shows when a template is rendered, so each operator becomes a call of a function that looks.

use std::ops::Range;

use super::tokens::{Token, TokenKind, closing, ends_value};

/// An operator that becomes a call of a function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CalledOperator {
    /// The function, with the bracket that opens its arguments.
    pub(super) function: &'static str,
    /// The token of the operator.
    pub(super) token: usize,
    /// The first token of its left value.
    pub(super) first: usize,
    /// The last token of its right value.
    pub(super) last: usize,
}

/// A token, or all that a pair of brackets holds.
#[derive(Clone, Copy)]
struct OperandUnit {
    first: usize,
    last: usize,
}

/// Finds the operators of all tags of a text; an outer one comes before those in its values.
pub(super) struct Operators<'a> {
    text: &'a str,
    tokens: &'a [Token],
    found: Vec<CalledOperator>,
    /// Whether the text names lengths of time, which can be multiplied and divided.
    names_lengths: bool,
}

/// Words that end an expression of numbers and begin another one.
const BETWEEN: [&str; 7] = ["and", "or", "not", "in", "if", "else", "elif"];

impl<'a> Operators<'a> {
    pub(super) fn of(text: &'a str, tokens: &'a [Token]) -> Vec<CalledOperator> {
        let names_lengths = tokens.iter().any(|token| token.text(text) == "timedelta");
        let mut operators = Self { text, tokens, found: Vec::new(), names_lengths };
        let mut ranges = Vec::new();
        operators.read(0..tokens.len(), &mut ranges);
        while let Some(range) = ranges.pop() {
            operators.read(range, &mut ranges);
        }
        operators.found
    }

    /// Reads one level of brackets, and notes what the brackets in it hold.
    fn read(&mut self, range: Range<usize>, inner: &mut Vec<Range<usize>>) {
        let mut run: Vec<OperandUnit> = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let last = match self.tokens[at].kind {
                TokenKind::Symbol(b'(' | b'[' | b'{') => closing(self.tokens, at).unwrap_or(at),
                _ => at,
            };
            if last > at {
                inner.push(at + 1..last);
            }
            if last == at && self.is_between(at, &run) {
                self.sums(&std::mem::take(&mut run));
            } else {
                run.push(OperandUnit { first: at, last });
            }
            at = last + 1;
        }
        self.sums(&run);
    }

    fn is_between(&self, at: usize, run: &[OperandUnit]) -> bool {
        let token = self.tokens[at];
        match token.kind {
            TokenKind::OpenStatement
            | TokenKind::OpenExpression
            | TokenKind::Close
            | TokenKind::Symbol(b',' | b':' | b'=' | b'<' | b'>' | b'!') => true,
            // `x is not none` is a test of `x`, which binds closer than any operator here.
            TokenKind::Name => {
                let word = token.text(self.text);
                let after_is = run.last().is_some_and(|unit| self.word(unit.last) == "is");
                BETWEEN.contains(&word) && !(word == "not" && after_is)
                    || at
                        .checked_sub(1)
                        .is_some_and(|open| self.tokens[open].kind == TokenKind::OpenStatement)
            }
            _ => false,
        }
    }

    fn word(&self, index: usize) -> &str {
        self.tokens[index].text(self.text)
    }

    /// Whether a unit is an operator with a value before it.
    fn operator<'w>(&self, run: &[OperandUnit], at: usize, words: &[&'w str]) -> Option<&'w str> {
        let unit = run[at];
        let is_symbol =
            matches!(self.tokens[unit.first].kind, TokenKind::Symbol(_)) && unit.first == unit.last;
        let before = run.get(at.checked_sub(1)?)?;
        let word = words.iter().find(|word| **word == self.word(unit.first))?;
        (is_symbol && ends_value(self.text, self.tokens, before.last)).then_some(*word)
    }

    /// `a - b + c`: from the left; what stands between two of them is read by [`Self::texts`].
    fn sums(&mut self, run: &[OperandUnit]) {
        self.chain(run, &["-", "+"]);
        self.parts(run, &["-", "+"], Self::texts);
    }

    /// `a ~ b`, which binds closer than a sum.
    fn texts(&mut self, run: &[OperandUnit]) {
        self.parts(run, &["~"], |this, run| this.chain(run, &["*", "/", "//", "%"]));
    }

    fn parts(
        &mut self,
        run: &[OperandUnit],
        words: &[&str],
        mut read: impl FnMut(&mut Self, &[OperandUnit]),
    ) {
        let mut start = 0;
        for at in 0..run.len() {
            if self.operator(run, at, words).is_some() {
                read(self, &run[start..at]);
                start = at + 1;
            }
        }
        read(self, &run[start..]);
    }

    /// Notes the operators of one strength in a run, the last one first, since it is the outermost.
    fn chain(&mut self, run: &[OperandUnit], words: &[&str]) {
        let operators: Vec<(usize, &str)> =
            (0..run.len()).filter_map(|at| Some((at, self.operator(run, at, words)?))).collect();
        for (number, (at, word)) in operators.iter().enumerate().rev() {
            let next = operators.get(number + 1).map_or(run.len(), |(next, _)| *next);
            let (left, right) = (&run[..*at], &run[at + 1..next]);
            let Some(last) = right.last() else { continue };
            let function = match *word {
                "-" if !self.is_literal(right) && !self.is_number(left) => "__minus(",
                "+" if !self.is_literal(right) && !self.is_number(left) => "__plus(",
                "%" if !self.is_number(left) => "__percent(",
                "*" if self.names_lengths && !(self.is_literal(left) && self.is_literal(right)) => "__times(",
                "/" if self.names_lengths && !self.is_literal(left) => "__over(",
                "//" if self.names_lengths && !self.is_literal(left) => "__floor(",
                _ => continue,
            };
            self.found.push(CalledOperator {
                function,
                token: run[*at].first,
                first: run[0].first,
                last: last.last,
            });
        }
    }

    /// Whether a value is written as a number, which Python's times and formats have no operator with.
    fn is_number(&self, run: &[OperandUnit]) -> bool {
        matches!(run, [unit] if self.tokens[unit.first].kind == TokenKind::Number)
    }

    fn is_literal(&self, run: &[OperandUnit]) -> bool {
        self.is_number(run) || matches!(run, [unit] if self.tokens[unit.first].kind == TokenKind::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jinja::tokens::tokens;

    /// The operators with their values, as they are read.
    fn read(expression: &str) -> Vec<String> {
        let text = format!("{{{{ {expression} }}}}");
        let tokens = tokens(&text);
        let between = |from: usize, to: usize| text[tokens[from].start..tokens[to].end].to_owned();
        let shown = |operator: &CalledOperator| {
            let CalledOperator { function, token, first, last } = operator;
            format!("{function}{}, {})", between(*first, token - 1), between(token + 1, *last))
        };
        Operators::of(&text, &tokens).iter().map(shown).collect()
    }

    #[test]
    fn operators_bind_as_in_jinja() {
        assert_eq!(read("a - b"), ["__minus(a, b)"]);
        assert_eq!(read("a - b + c"), ["__plus(a - b, c)", "__minus(a, b)"]);
        assert_eq!(read("a - b * c % d"), ["__minus(a, b * c % d)", "__percent(b * c, d)"]);
        assert_eq!(read("a - b ~ c % d"), ["__minus(a, b ~ c % d)", "__percent(c, d)"]);
        assert_eq!(
            read("a.b(1)[2]|f(3) - -x.y if n - m == p - q else r"),
            ["__minus(a.b(1)[2]|f(3), -x.y)", "__minus(n, m)", "__minus(p, q)"]
        );
        assert_eq!(read("a - b is not none and not c - d"), ["__minus(a, b is not none)", "__minus(c, d)"]);
    }

    #[test]
    fn values_in_brackets_are_read_by_themselves() {
        assert_eq!(read("f(a - b, k=c - d)[e - g:]"), ["__minus(e, g)", "__minus(a, b)", "__minus(c, d)"]);
        assert_eq!(
            read("(a - b) % {'k': c + d}"),
            ["__percent((a - b), {'k': c + d})", "__plus(c, d)", "__minus(a, b)"]
        );
    }

    #[test]
    fn a_text_that_names_lengths_of_time_can_multiply_them() {
        assert_eq!(read("timedelta(1) * n"), ["__times(timedelta(1), n)"]);
        assert_eq!(read("2 * d / timedelta(1)"), ["__over(2 * d, timedelta(1))", "__times(2, d)"]);
        assert!(read("n * m").is_empty());
    }

    #[test]
    fn what_only_numbers_have_is_left_to_the_engine() {
        assert!(read("a - 1 + 2").is_empty());
        assert!(read("10 % a * -b ** c // d").is_empty());
        assert!(read("-a").is_empty());
        assert_eq!(read("a - 1 - b"), ["__minus(a - 1, b)"]);
    }
}
