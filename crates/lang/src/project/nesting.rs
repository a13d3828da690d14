//! How deep the expressions of a template nest, found before the engine's parser takes them apart.
//!
//! The parser builds a tree of each expression and walks it by recursion. It bounds brackets, but not chains: a sum of
//! twenty thousand terms is a tree as deep, and would overflow the stack, which no error handling can catch.

use std::ops::Range;

/// No expression may nest deeper. Each operator of a chain counts, as each bracket does.
const MOST: usize = 2_000;
/// No `if` may have more branches.
const MOST_BRANCHES: usize = 500;
/// What nests deeper than this is parsed on a stack of its own.
const DEEP: usize = 150;
/// The size of that stack, of which only what is used takes memory.
const STACK: usize = 256 << 20;

/// How deep a template nests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateNesting {
    depth: usize,
    /// Where it nests deeper than it may.
    pub too_deep: Option<Range<usize>>,
}

impl TemplateNesting {
    /// Of a template.
    pub fn of(template: &str) -> Self {
        let mut scanner = TemplateScanner {
            text: template,
            bytes: template.as_bytes(),
            at: 0,
            branches: Vec::new(),
            found: Self::default(),
        };
        // What is malformed ends the scan: the parser ends there too.
        let _ = scanner.run();
        scanner.found
    }

    /// Parses it where there is room for that.
    pub fn with_room<T: Send>(&self, parse: impl FnOnce() -> T + Send) -> T {
        if self.depth <= DEEP {
            return parse();
        }
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(STACK);
            match builder.spawn_scoped(scope, parse) {
                Ok(parsed) => parsed.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(error) => std::panic::panic_any(format!("no thread could be started: {error}")),
            }
        })
    }
}

/// What to say of a template that nests too deep, and how to go on.
pub const TOO_DEEP: (&str, &str) = (
    "the Jinja nests too deep here, or is too long a chain",
    "take it apart by `{% set %}`, or write it as a loop",
);

/// A bracket or a tag, and the expression in it that is being read.
#[derive(Default)]
struct NestingLevel {
    /// Operators since the last comma.
    operators: usize,
    /// The depth of the deepest bracket among them.
    below: usize,
    /// The deepest of the expressions before the last comma.
    before: usize,
}

impl NestingLevel {
    fn depth(&self) -> usize {
        self.operators + self.below
    }

    fn next(&mut self) {
        self.before = self.before.max(self.depth());
        (self.operators, self.below) = (0, 0);
    }
}

struct TemplateScanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// For each open `if` its branches.
    branches: Vec<usize>,
    found: TemplateNesting,
}

impl TemplateScanner<'_> {
    fn run(&mut self) -> Option<()> {
        while self.found.too_deep.is_none() {
            let open = self.at + self.text.get(self.at..)?.find('{')?;
            self.at = open + 2;
            match self.bytes.get(open + 1)? {
                b'#' => self.at += self.text.get(self.at..)?.find("#}")? + 2,
                b'%' => {
                    self.statement(open);
                    self.tag(b"%}")?;
                    if self.word(open) == "raw" {
                        self.skip_raw()?;
                    }
                }
                b'{' => self.tag(b"}}")?,
                _ => self.at = open + 1,
            }
        }
        None
    }

    /// The first word of the statement that opens here.
    fn word(&self, open: usize) -> &str {
        let rest = self.text.get(open + 2..).unwrap_or_default();
        let rest = rest.trim_start_matches(['-', '+']).trim_start();
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
    }

    fn statement(&mut self, open: usize) {
        match self.word(open) {
            "if" => self.branches.push(0),
            "endif" => drop(self.branches.pop()),
            "elif" => {
                let Some(branches) = self.branches.last_mut() else { return };
                *branches += 1;
                let branches = *branches;
                self.found.depth = self.found.depth.max(branches);
                if branches > MOST_BRANCHES {
                    self.found.too_deep = Some(open..open + 2);
                }
            }
            _ => {}
        }
    }

    /// Reads up to the end of the tag.
    fn tag(&mut self, close: &[u8]) -> Option<()> {
        let mut levels = vec![NestingLevel::default()];
        loop {
            let start = self.at;
            let byte = *self.bytes.get(start)?;
            if levels.len() == 1 && self.bytes.get(start..)?.starts_with(close) {
                self.at += 2;
                return Some(());
            }
            self.at += 1;
            match byte {
                b'"' | b'\'' => self.skip_text(byte)?,
                b'(' | b'[' | b'{' => {
                    levels.last_mut()?.operators += 1;
                    levels.push(NestingLevel::default());
                }
                b')' | b']' | b'}' => {
                    let mut closed = levels.pop()?;
                    closed.next();
                    let around = levels.last_mut()?;
                    around.below = around.below.max(closed.before);
                }
                b',' | b':' => levels.last_mut()?.next(),
                b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'<' | b'>' | b'=' | b'!' | b'|' | b'.' => {
                    levels.last_mut()?.operators += 1;
                }
                byte if is_of_word(byte) => {
                    self.at +=
                        self.bytes.get(self.at..)?.iter().take_while(|byte| is_of_word(**byte)).count();
                    let word = self.text.get(start..self.at)?;
                    if matches!(word, "and" | "or" | "not" | "in" | "is" | "if" | "else") {
                        levels.last_mut()?.operators += 1;
                    }
                }
                _ => {}
            }
            let depth = levels.last()?.depth().max(levels.len());
            self.found.depth = self.found.depth.max(depth);
            if depth > MOST {
                self.found.too_deep = Some(start..self.at);
                return None;
            }
        }
    }

    fn skip_text(&mut self, quote: u8) -> Option<()> {
        loop {
            match *self.bytes.get(self.at)? {
                b'\\' => self.at += 2,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return Some(());
                    }
                }
            }
        }
    }

    fn skip_raw(&mut self) -> Option<()> {
        loop {
            let open = self.at + self.text.get(self.at..)?.find("{%")?;
            if self.word(open) == "endraw" {
                self.at = open;
                return Some(());
            }
            self.at = open + 2;
        }
    }
}

/// Bytes beyond ASCII belong to words, so that the scan never stops within a character.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_any_kind_are_found_and_long_lists_are_not_chains() {
        for chain in [
            "1 + ",
            "not ",
            "x.",
            "- ",
            "a and ",
            "x|upper|",
            "1 if a else ",
            "f(",
            "[",
            "a in ",
            "'a' ~ ",
            "2 ** ",
        ] {
            let text = format!("select {{{{ {} 1 }}}}", chain.repeat(20_000));
            assert!(TemplateNesting::of(&text).too_deep.is_some(), "{chain}");
        }
        let branches = format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}x".repeat(20_000));
        assert!(TemplateNesting::of(&branches).too_deep.is_some());
        let mixed = format!("{{{{ {}1{} }}}}", "(".repeat(90), format!("{})", " + 1".repeat(30)).repeat(90));
        assert!(TemplateNesting::of(&mixed).too_deep.is_some());
        for flat in ["{% set x = [1 + 1", "{{ f(a=1 + 1", "{% raw %} {{ 1 + 1"] {
            let text = format!("{flat}{}", ", 1 + 1".repeat(20_000));
            assert_eq!(TemplateNesting::of(&text).too_deep, None, "{flat}");
        }
        assert_eq!(TemplateNesting::of(&"{{ a + b }} ü {# { #}".repeat(20_000)).too_deep, None);
    }
}
