//! The words inside a text's Jinja tags, and where they stand.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `{%`, with its minus or plus.
    OpenStatement,
    /// `{{`, with its minus or plus.
    OpenExpression,
    /// `%}` or `}}`, with its minus or plus.
    Close,
    /// A name or keyword.
    Name,
    /// A quoted text, with its quotes.
    Text,
    Number,
    /// An operator or bracket, by its first byte; some are two bytes long.
    Symbol(u8),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }

    pub(super) fn text(self, text: &str) -> &str {
        &text[self.start..self.end]
    }

    /// Whether this is that operator or bracket, one byte long.
    pub(super) fn is(self, symbol: u8) -> bool {
        self.kind == TokenKind::Symbol(symbol) && self.end - self.start == 1
    }

    /// What stands between the quotes of a text.
    pub(super) fn unquoted(self) -> Range<usize> {
        self.start + 1..self.end - 1
    }
}

/// All tokens of a text, without comments and `{% raw %}` blocks. What is malformed ends the list: the engine's own
/// parser says what is wrong there.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0, tokens: Vec::new() };
    lexer.run();
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(open) = self.text[self.at..].find('{').map(|found| self.at + found) {
            self.at = open + 2;
            let kind = match self.bytes.get(open + 1) {
                Some(b'%') => TokenKind::OpenStatement,
                Some(b'{') => TokenKind::OpenExpression,
                Some(b'#') => {
                    let Some(end) = self.text[self.at..].find("#}") else { return };
                    self.at += end + 2;
                    continue;
                }
                _ => {
                    self.at = open + 1;
                    continue;
                }
            };
            if matches!(self.bytes.get(self.at), Some(b'-' | b'+')) {
                self.at += 1;
            }
            let first = self.tokens.len() + 1;
            self.push(kind, open);
            if self.tag(kind).is_none() {
                return;
            }
            let is_raw = kind == TokenKind::OpenStatement
                && self.tokens.get(first).is_some_and(|token| token.text(self.text) == "raw");
            if is_raw && self.skip_raw().is_none() {
                return;
            }
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, start, end: self.at });
    }

    /// Reads up to the end of the tag.
    fn tag(&mut self, open: TokenKind) -> Option<()> {
        let close: &[u8] = if open == TokenKind::OpenStatement { b"%}" } else { b"}}" };
        let mut depth = 0_usize;
        loop {
            let start = self.at;
            let rest = &self.bytes[start..];
            let byte = *rest.first()?;
            if depth == 0 {
                let sign = usize::from(matches!(byte, b'-' | b'+'));
                if rest[sign..].starts_with(close) {
                    self.at += sign + 2;
                    self.push(TokenKind::Close, start);
                    return Some(());
                }
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0B | 0x0C => self.at += 1,
                byte if !byte.is_ascii() && self.blank().is_some() => self.at += self.blank()?,
                b'"' | b'\'' => {
                    self.at += 1 + quoted(&rest[1..], byte)?;
                    self.push(TokenKind::Text, start);
                }
                b'0'..=b'9' => {
                    self.at += length(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                    self.push(TokenKind::Number, start);
                }
                byte if byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii() => {
                    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || is_beyond_ascii(c);
                    let rest = &self.text[start..];
                    self.at += rest.find(|c| !name(c)).unwrap_or(rest.len());
                    self.push(TokenKind::Name, start);
                }
                _ => {
                    match byte {
                        b'(' | b'[' | b'{' => depth += 1,
                        b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
                        _ => {}
                    }
                    let two = [b"==", b"!=", b"<=", b">=", b"**", b"//"];
                    self.at += 1 + usize::from(two.iter().any(|two| rest.starts_with(*two)));
                    self.push(TokenKind::Symbol(byte), start);
                }
            }
        }
    }

    /// How long the blank is that stands here, where it is one that few have: as in Python, any blank of Unicode is one.
    fn blank(&self) -> Option<usize> {
        let next = self.text.get(self.at..)?.chars().next()?;
        next.is_whitespace().then(|| next.len_utf8())
    }

    /// Goes to the tag that ends a `{% raw %}` block.
    fn skip_raw(&mut self) -> Option<()> {
        loop {
            let open = self.at + self.text[self.at..].find("{%")?;
            let inner = self.text[open + 2..].trim_start_matches(['-', '+']).trim_start();
            if inner.starts_with("endraw") {
                self.at = open;
                return Some(());
            }
            self.at = open + 2;
        }
    }
}

/// Whether a character is a part of a name though it is none of ASCII.
fn is_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace()
}

fn length(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !belongs(*byte)).unwrap_or(bytes.len())
}

/// How long a quoted text is, with its closing quote.
fn quoted(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Whether a value ends with this token, so that a bracket after it is an index, and a sign an operator.
pub(super) fn ends_value(text: &str, tokens: &[Token], index: usize) -> bool {
    let Some(token) = tokens.get(index) else { return false };
    match token.kind {
        TokenKind::Name => {
            let after_open =
                index.checked_sub(1).is_some_and(|before| tokens[before].kind == TokenKind::OpenStatement);
            let keywords = ["in", "not", "and", "or", "is", "if", "else"];
            !after_open && !keywords.contains(&token.text(text))
        }
        TokenKind::Text | TokenKind::Number | TokenKind::Symbol(b')' | b']' | b'}') => true,
        _ => false,
    }
}

/// For each opening bracket the index of the token that closes it.
pub(super) fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            TokenKind::Symbol(b'(' | b'[' | b'{') => depth += 1,
            TokenKind::Symbol(b')' | b']' | b'}') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            TokenKind::Close => return None,
            _ => {}
        }
    }
    None
}
