//! What in a text is written anew.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::called;
use super::late_defaults::LateDefault;
use super::operators::{CalledOperator, Operators};
use super::rewrite::{BODY, Definition, Edit, GraphCall, Materialization, Parameter, Rewritten};
use super::tokens::{Token, TokenKind, closing, ends_value};

/// What every text begins with, so that it can load macros.
const PRELUDE: &str = "{% include 'mep/loader' %}";

/// Stands for a default that is worked out inside of a macro: a name that is never defined.
const MISSING: &str = "=__mep_missing";

/// The words that statements begin with.
const STATEMENTS: [&str; 26] = [
    "autoescape",
    "block",
    "break",
    "call",
    "continue",
    "do",
    "elif",
    "else",
    "endautoescape",
    "endblock",
    "endcall",
    "endfilter",
    "endfor",
    "endif",
    "endraw",
    "endset",
    "endwith",
    "extends",
    "filter",
    "for",
    "from",
    "if",
    "import",
    "include",
    "raw",
    "set",
];

/// What stands in the place of a range. Of those at one place, what closes comes first, then what opens, from the outside
/// in, then what stands for a token.
struct Replacement {
    range: Range<usize>,
    order: Rank,
    text: Cow<'static, str>,
}

/// How far out something is that begins at the same place as another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Closes,
    Moved,
    Statement,
    Key,
    Operator,
    Literal,
    Token,
}

/// Walks through a text's tokens and gathers what to replace.
pub(super) struct Rewriter<'a> {
    text: &'a str,
    tokens: &'a [Token],
    replacements: Vec<Replacement>,
    rewritten: Rewritten,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a [Token]) -> Self {
        Self { text, tokens, replacements: Vec::new(), rewritten: Rewritten::default() }
    }

    pub(super) fn rewritten(mut self, is_macro_file: bool) -> Rewritten {
        if is_macro_file {
            self.definitions();
        } else {
            self.replace(0..0, PRELUDE);
        }
        let inside = self.late_defaults();
        self.blanks();
        self.statements();
        self.conditional_calls();
        self.operators();
        self.expressions();
        // What was moved as it is, is written anew where it went.
        self.replacements.retain(|replacement| {
            replacement.order == Rank::Moved
                || inside.iter().all(|range| {
                    !(range.start < replacement.range.start && replacement.range.end <= range.end)
                })
        });
        self.finish()
    }

    /// Of a text that loads no macros.
    pub(super) fn without_macros(mut self) -> Rewritten {
        self.blanks();
        self.statements();
        self.conditional_calls();
        self.operators();
        self.expressions();
        self.finish()
    }

    /// A default that names an earlier parameter is worked out once that has its value: the engine works defaults out from
    /// the last one on. It moves into the macro: `{% if b is undefined %}{% set b = … %}{% endif %}`. Gives where such
    /// defaults stood.
    fn late_defaults(&mut self) -> Vec<Range<usize>> {
        let mut moved = Vec::new();
        for at in self.opens().collect::<Vec<_>>() {
            if !["macro", "test"].contains(&self.word(at + 1)) {
                continue;
            }
            let Some(close) = closing(self.tokens, at + 3) else { continue };
            let Some(end) =
                self.tokens.get(close + 1).filter(|token| token.kind == TokenKind::Close).copied()
            else {
                continue;
            };
            let late = LateDefault::all(self.text, self.tokens, at + 3..close);
            let mut set = String::new();
            for LateDefault { name, expression, range } in late {
                let expression = super::rewrite::Rewritten::expression(&self.text[expression]);
                set.push_str(&format!(
                    "{{% if {name} is undefined %}}{{% set {name} = {expression} %}}{{% endif "
                ));
                set.push_str("%}");
                self.replacements.push(Replacement {
                    range: range.clone(),
                    order: Rank::Moved,
                    text: MISSING.into(),
                });
                moved.push(range);
            }
            if !set.is_empty() {
                // What trims the text behind the macro's own tag does so behind the last of these.
                if end.text(self.text).starts_with('-') {
                    set.truncate(set.len() - 2);
                    set.push_str("-%}");
                }
                let range = end.end..end.end;
                self.replacements.push(Replacement { range, order: Rank::Moved, text: set.into() });
            }
        }
        moved
    }

    /// Blanks that the engine does not know: as in Python, any blank of Unicode is one within a tag.
    fn blanks(&mut self) {
        let within = |pair: &[Token]| (pair[0].kind != TokenKind::Close).then(|| pair[0].end..pair[1].start);
        for range in self.tokens.windows(2).filter_map(within).collect::<Vec<_>>() {
            let is_rare = |c: char| c.is_whitespace() && !matches!(c, ' ' | '\t' | '\r' | '\n');
            for (at, rare) in self.text[range.clone()].match_indices(is_rare) {
                let start = range.start + at;
                self.replace(start..start + rare.len(), " ");
            }
        }
    }

    fn replace(&mut self, range: Range<usize>, text: &'static str) {
        let order = if range.is_empty() { Rank::Statement } else { Rank::Token };
        self.replacements.push(Replacement { range, order, text: text.into() });
    }

    /// Puts tokens into brackets.
    fn enclose(&mut self, first: usize, last: usize, order: Rank, open: &'static str, close: &'static str) {
        let (start, end) = (self.tokens[first].start, self.tokens[last].end);
        self.replacements.push(Replacement { range: start..start, order, text: open.into() });
        self.replacements.push(Replacement { range: end..end, order: Rank::Closes, text: close.into() });
    }

    fn word(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| token.text(self.text))
    }

    /// The indexes of the tokens that open a statement.
    fn opens(&self) -> impl Iterator<Item = usize> + use<'_> {
        let is_open = |index: &usize| self.tokens[*index].kind == TokenKind::OpenStatement;
        (0..self.tokens.len()).filter(is_open)
    }

    /// Finds the macros and tests that a file defines; what is defined inside a macro is that macro's own.
    fn definitions(&mut self) {
        let mut open: Option<Definition> = None;
        let mut depth = 0_usize;
        let mut since = 0;
        for at in self.opens().collect::<Vec<_>>() {
            let is_test = match self.word(at + 1) {
                "macro" => false,
                "test" => true,
                "materialization" => {
                    self.materialization(at);
                    depth += 1;
                    continue;
                }
                "endmaterialization" => {
                    self.replace(self.tokens[at + 1].range(), "endmacro");
                    depth = depth.saturating_sub(1);
                    continue;
                }
                word @ ("endmacro" | "endtest") => {
                    if word == "endtest" {
                        self.replace(self.tokens[at + 1].range(), "endmacro");
                    }
                    depth = depth.saturating_sub(1);
                    if depth == 0
                        && let Some(mut definition) = open.take()
                    {
                        definition.words = self.words(since..at);
                        definition.calls = called::in_tokens(self.text, &self.tokens[since..at]);
                        let is_close = |token: &&Token| token.kind == TokenKind::Close;
                        let close = self.tokens[at..].iter().find(is_close);
                        definition.block.end = close.map_or(self.text.len(), |close| close.end);
                        self.keep(definition, since);
                    }
                    continue;
                }
                // What stands between the macros of a file is read by nobody.
                word if depth == 0 && !STATEMENTS.contains(&word) => {
                    let close = self.tokens[at..].iter().find(|token| token.kind == TokenKind::Close);
                    if let Some(close) = close.map(|close| close.end) {
                        self.replace(self.tokens[at].start..close, "");
                    }
                    continue;
                }
                _ => continue,
            };
            depth += 1;
            if depth > 1 || self.tokens.get(at + 2).is_none_or(|token| token.kind != TokenKind::Name) {
                continue;
            }
            let name = self.tokens[at + 2];
            if is_test {
                self.replace(self.tokens[at + 1].start..name.start, "macro mep_body_test_");
            } else {
                self.replace(name.start..name.start, BODY);
            }
            since = at + 3;
            open = Some(Definition {
                name: format!("{}{}", if is_test { "test_" } else { "" }, name.text(self.text)),
                place: name.range(),
                block: self.tokens[at].start..self.text.len(),
                parameters: self.parameters(since),
                words: HashSet::new(),
                calls: Vec::new(),
            });
        }
        if let Some(definition) = open {
            self.keep(definition, since);
        }
    }

    /// `{% materialization name, adapter='duckdb' %}` becomes a macro that nobody calls: what it does to the warehouse is mep's own.
    fn materialization(&mut self, at: usize) {
        let Some(name) = self.tokens.get(at + 2).filter(|token| token.kind == TokenKind::Name).copied()
        else {
            return;
        };
        let end = (at + 3..self.tokens.len()).find(|index| self.tokens[*index].kind == TokenKind::Close);
        let Some(end) = end else { return };
        self.replace(self.tokens[at + 1].start..name.start, "macro mep_body_materialization_");
        let close = self.tokens[end].start;
        if self.tokens[at + 3].is(b',') {
            self.replace(self.tokens[at + 3].range(), "(");
            self.replace(close..close, ")");
        } else {
            self.replace(close..close, "()");
        }
        let texts = self.tokens[at + 3..end].iter().filter(|token| token.kind == TokenKind::Text);
        let mut adapters = texts.take(1).map(|token| self.text[token.unquoted()].to_owned());
        let adapter = (self.word(at + 4) == "adapter").then(|| adapters.next()).flatten();
        self.rewritten.materializations.push(Materialization {
            name: name.text(self.text).to_owned(),
            adapter: adapter.unwrap_or_else(|| "default".to_owned()),
            place: name.range(),
        });
    }

    /// Keeps a definition. Where it reads `varargs` or `kwargs`, they become parameters that the call fills.
    fn keep(&mut self, definition: Definition, parenthesis: usize) {
        if definition.takes_any()
            && let Some(close) = closing(self.tokens, parenthesis)
        {
            let end = self.tokens[close].start;
            let more = if definition.parameters.is_empty() {
                "varargs=(), kwargs={}"
            } else {
                ", varargs=(), kwargs={}"
            };
            self.replace(end..end, more);
        }
        self.rewritten.definitions.push(definition);
    }

    fn words(&self, range: Range<usize>) -> HashSet<String> {
        let words = self.tokens[range].iter().filter_map(|token| match token.kind {
            TokenKind::Name => Some(token.text(self.text).to_owned()),
            TokenKind::Text => Some(self.text[token.unquoted()].to_owned()),
            _ => None,
        });
        words.collect()
    }

    fn parameters(&self, open: usize) -> Vec<Parameter> {
        let Some(close) = closing(self.tokens, open) else { return Vec::new() };
        let mut parameters = Vec::new();
        let mut depth = 0_usize;
        for index in open..close {
            match self.tokens[index].kind {
                TokenKind::Symbol(b'(' | b'[' | b'{') => depth += 1,
                TokenKind::Symbol(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                TokenKind::Name if depth == 1 && (self.tokens[index - 1].is(b',') || index == open + 1) => {
                    let has_default = self.tokens[index + 1].is(b'=');
                    parameters.push(Parameter { name: self.word(index).to_owned(), has_default });
                }
                _ => {}
            }
        }
        parameters
    }

    /// Gives what `{% set name = value %}` names to `__own`, which makes it changeable, and what a namespace is to hold to
    /// `__held`, which looks that it holds no namespace.
    fn statements(&mut self) {
        for at in self.opens().collect::<Vec<_>>() {
            if self.word(at + 1) != "set" {
                continue;
            }
            let mut depth = 0_usize;
            let mut top_level = |index: usize| {
                match self.tokens[index].kind {
                    TokenKind::Symbol(b'(' | b'[' | b'{') => depth += 1,
                    TokenKind::Symbol(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0
            };
            let statement =
                (at + 2..self.tokens.len()).take_while(|index| self.tokens[*index].kind != TokenKind::Close);
            let statement: Vec<(usize, bool)> = statement.map(|index| (index, top_level(index))).collect();
            let find = |symbol| {
                let found = statement.iter().find(|(index, top)| *top && self.tokens[*index].is(symbol));
                found.map(|(index, _)| *index)
            };
            let Some(assign) = find(b'=') else { continue };
            let has_comma = find(b',').is_some();
            let last = statement.last().map_or(assign, |(index, _)| *index);
            if last <= assign {
                continue;
            }
            let of_namespace = (at + 2..assign).any(|index| self.tokens[index].is(b'.'));
            let (open, close) = match (of_namespace, has_comma) {
                (false, false) => ("__own(", ")"),
                (false, true) => ("__own((", "))"),
                (true, false) => ("__held(", ")"),
                (true, true) => ("__held((", "))"),
            };
            self.enclose(assign + 1, last, Rank::Statement, open, close);
        }
    }

    /// `{% do a if b else c %}` becomes `{% do __do(a if b else c) %}`: the engine takes nothing but a call.
    fn conditional_calls(&mut self) {
        for at in self.opens().collect::<Vec<_>>() {
            if self.word(at + 1) != "do" {
                continue;
            }
            let is_open = |index: &usize| self.tokens[*index].kind != TokenKind::Close;
            let end = (at + 2..self.tokens.len()).take_while(is_open).last();
            let has_condition = |end: usize| (at + 3..end).any(|index| self.word(index) == "if");
            if let Some(end) = end.filter(|end| has_condition(*end)) {
                self.enclose(at + 2, end, Rank::Statement, "__do(", ")");
            }
        }
    }

    /// `a - b` becomes `__minus(a, b)`.
    fn operators(&mut self) {
        for CalledOperator { function, token, first, last } in Operators::of(self.text, self.tokens) {
            self.enclose(first, last, Rank::Operator, function, ")");
            self.replace(self.tokens[token].range(), ",");
        }
    }

    /// Finds literals of lists and mappings, and the calls of interest.
    fn expressions(&mut self) {
        let targets = self.targets();
        for (index, token) in self.tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Symbol(b'(')
                    if !targets.iter().any(|range| range.contains(&index)) && self.is_tuple(index) =>
                {
                    self.wrap(index, "__tuple(");
                }
                TokenKind::Symbol(b'[')
                    if !ends_value(self.text, self.tokens, index.wrapping_sub(1))
                        && !self.is_target(index) =>
                {
                    self.wrap(index, "__list(");
                }
                TokenKind::Symbol(b'{') => {
                    self.wrap(index, "__dict(");
                    self.keys(index);
                }
                // The engine has no sign before a number but minus.
                TokenKind::Symbol(b'+') if !ends_value(self.text, self.tokens, index.wrapping_sub(1)) => {
                    self.replace(token.range(), "");
                }
                TokenKind::Name => match token.text(self.text) {
                    "ref" => self.call("ref", index),
                    "source" => self.call("source", index),
                    "config" => self.call("config", index),
                    name @ ("run_started_at" | "invocation_id") => self.run_time(name, index),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// Whether a bracket opens a tuple: no call, and with a comma in it.
    fn is_tuple(&self, open: usize) -> bool {
        if ends_value(self.text, self.tokens, open.wrapping_sub(1)) {
            return false;
        }
        let Some(close) = closing(self.tokens, open) else { return false };
        let mut depth = 0_usize;
        self.tokens[open + 1..close].iter().any(|token| {
            match token.kind {
                TokenKind::Symbol(b'(' | b'[' | b'{') => depth += 1,
                TokenKind::Symbol(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.is(b',')
        })
    }

    /// Where names stand that a statement gives values to, which can be in brackets: `{% for (a, (b, c)) in rows %}`.
    fn targets(&self) -> Vec<Range<usize>> {
        let mut targets = Vec::new();
        for at in self.opens() {
            let end = (at..self.tokens.len()).find(|index| self.tokens[*index].kind == TokenKind::Close);
            let end = end.unwrap_or(self.tokens.len());
            match self.word(at + 1) {
                "for" => {
                    let names = (at + 2..end).find(|index| self.word(*index) == "in");
                    targets.push(at + 2..names.unwrap_or(end));
                }
                "call" if self.tokens.get(at + 2).is_some_and(|token| token.is(b'(')) => {
                    targets.extend(closing(self.tokens, at + 2).map(|close| at + 2..close));
                }
                "set" | "with" => {
                    let is_assigned = |open: &usize| {
                        let close =
                            self.tokens[*open].is(b'(').then(|| closing(self.tokens, *open)).flatten();
                        close
                            .is_some_and(|close| self.tokens.get(close + 1).is_some_and(|next| next.is(b'=')))
                    };
                    let groups = (at + 2..end).filter(is_assigned);
                    targets.extend(groups.filter_map(|open| Some(open..closing(self.tokens, open)?)));
                    // Names without brackets around all of them: `set a, (b, c) = …`.
                    if self.word(at + 1) == "set" {
                        let assigned = (at + 2..end).find(|index| self.tokens[*index].is(b'='));
                        targets.extend(assigned.map(|assigned| at + 2..assigned));
                    }
                }
                _ => {}
            }
        }
        targets
    }

    fn wrap(&mut self, open: usize, function: &'static str) {
        if let Some(close) = closing(self.tokens, open) {
            self.enclose(open, close, Rank::Literal, function, ")");
        }
    }

    /// Gives the keys of a mapping that are worked out to `__key`, which looks that they can be keys.
    fn keys(&mut self, open: usize) {
        let Some(close) = closing(self.tokens, open) else { return };
        let (mut depth, mut first) = (0_usize, Some(open + 1));
        for index in open + 1..close {
            match self.tokens[index].kind {
                TokenKind::Symbol(b'(' | b'[' | b'{') => depth += 1,
                TokenKind::Symbol(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                TokenKind::Symbol(b',') if depth == 0 => first = Some(index + 1),
                TokenKind::Symbol(b':') if depth == 0 => {
                    let Some(first) = first.take() else { continue };
                    let is_literal = matches!(self.tokens[first].kind, TokenKind::Text | TokenKind::Number);
                    if first >= index || is_literal && first + 1 == index {
                        continue;
                    }
                    self.enclose(first, index - 1, Rank::Key, "__key(", ")");
                }
                _ => {}
            }
        }
    }

    /// Whether a bracket is the target of `for` or `set`, as in `{% for [a, b] in pairs %}`.
    fn is_target(&self, index: usize) -> bool {
        matches!(self.word(index.wrapping_sub(1)), "for" | "set")
    }

    fn call(&mut self, function: &'static str, name: usize) {
        let open = name + 1;
        if self.tokens.get(open).is_none_or(|token| !token.is(b'(')) {
            return;
        }
        let Some(close) = closing(self.tokens, open) else { return };
        let mut call = GraphCall { function, texts: Vec::new(), keys: Vec::new() };
        for index in open + 1..close {
            let (token, next) = (self.tokens[index], self.tokens[index + 1]);
            match token.kind {
                TokenKind::Text if next.is(b':') => call.keys.push(token.unquoted()),
                TokenKind::Text => call.texts.push(token.unquoted()),
                TokenKind::Name if next.is(b'=') => call.keys.push(token.range()),
                _ => {}
            }
        }
        self.rewritten.calls.push(call);
    }

    /// What differs on every run is read by a call, so that the reading is noted: a macro's file looks up all names
    /// that it holds as soon as it is loaded.
    fn run_time(&mut self, name: &str, index: usize) {
        let is_shadowed = |definition: &Definition| definition.parameters.iter().any(|of| of.name == name);
        let is_name = self.tokens[index + 1..].first().is_none_or(|next| !next.is(b'='))
            && !matches!(self.word(index.wrapping_sub(1)), "." | "set" | "for");
        if is_name && !self.rewritten.definitions.iter().any(is_shadowed) {
            let function = if name == "invocation_id" { "__invocation_id()" } else { "__run_started_at()" };
            self.replace(self.tokens[index].range(), function);
        }
    }

    fn finish(mut self) -> Rewritten {
        // A range without a byte in it begins before one that has some.
        self.replacements.sort_by_key(|replacement| (replacement.range.start, replacement.order));
        let mut rewritten = self.rewritten;
        let more: usize = self.replacements.iter().map(|replacement| replacement.text.len()).sum();
        rewritten.text.reserve(self.text.len() + more);
        let mut copied = 0;
        for Replacement { range: original, text: replacement, .. } in self.replacements {
            rewritten.text.push_str(&self.text[copied..original.start]);
            // `in[…]` is two words.
            if replacement.starts_with("__") && rewritten.text.ends_with(is_of_word) {
                rewritten.text.push(' ');
            }
            let start = rewritten.text.len();
            rewritten.text.push_str(&replacement);
            copied = original.end;
            rewritten.edits.push(Edit { original, rewritten: start..rewritten.text.len() });
        }
        rewritten.text.push_str(&self.text[copied..]);
        rewritten
    }
}

/// Whether a character is part of a name.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
