//! A strict scanner of JSON in which a line end is never white space.
//!
//! Owns the grammar of JSON text (RFC 8259) and where in a line it is broken. Comes in: UTF-8 text and a position.
//! Goes out: tokens that borrow from the text, or a [`Fault`]. Must not know: columns, types, batches.
//!
//! The scanner never steps over a line feed, so that no value can reach from one line into the next, whatever a
//! damaged line looks like.

use super::column::is_changed;

/// How deep lists and objects may be nested within a row.
pub(super) const DEPTH_LIMIT: usize = 128;

/// What a place in JSON is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceUnit {
    /// A line.
    Line,
    /// A value, over as many lines as it takes.
    Value,
}

impl PlaceUnit {
    fn word(self) -> &'static str {
        match self {
            Self::Line => "column",
            Self::Value => "character",
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Line => "the end of the line",
            Self::Value => "the end of the value",
        }
    }
}

/// Why a line is not the JSON that was expected.
#[derive(Debug)]
pub(super) enum Fault {
    /// Something else stands where `expected` should.
    Unexpected {
        /// What the grammar asks for.
        expected: &'static str,
        /// Where the scanner stopped, as an offset into the text.
        at: usize,
    },
    /// An escape names half of a character only.
    LoneSurrogate {
        /// Where the escape stands.
        at: usize,
    },
    /// Lists and objects are nested deeper than [`DEPTH_LIMIT`].
    TooDeep,
}

impl Fault {
    /// The reason in words; `line_start` is the offset at which the line, or the value that is written over several, begins.
    pub(super) fn describe(&self, text: &str, line_start: usize, unit: PlaceUnit) -> String {
        match *self {
            Self::TooDeep => format!("nested deeper than {DEPTH_LIMIT} levels"),
            Self::LoneSurrogate { at } => {
                format!(
                    "no JSON: half of a surrogate pair at {} {}",
                    unit.word(),
                    column(text, line_start, at)
                )
            }
            Self::Unexpected { expected, at } => {
                let found = text.get(at..).and_then(|rest| rest.chars().next());
                let found = match found {
                    None | Some('\n') => unit.end().to_owned(),
                    Some('\r') if matches!(text.as_bytes().get(at + 1), None | Some(b'\n')) => {
                        unit.end().to_owned()
                    }
                    // So a line end is kept where a value is written over several lines.
                    Some('\r') if unit == PlaceUnit::Value => "a line end".to_owned(),
                    Some(c) if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
                    Some(c) => format!("`{c}`"),
                };
                format!(
                    "no JSON: expected {expected}, found {found} at {} {}",
                    unit.word(),
                    column(text, line_start, at)
                )
            }
        }
    }
}

/// The column of an offset, in characters from 1.
fn column(text: &str, line_start: usize, at: usize) -> usize {
    text.get(line_start..at).map_or(0, |before| before.chars().count()) + 1
}

/// Where a string's content is; [`JsonScanner::text`] gives it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// No escape: from and to where in the text itself.
    Plain(usize, usize),
    /// Unescaped: from and to where in the scratch string.
    Unescaped(usize, usize),
}

impl Default for Text {
    fn default() -> Self {
        Self::Plain(0, 0)
    }
}

/// A value of one level: lists and objects are checked and stepped over.
#[derive(Clone, Copy, Debug)]
pub(super) enum JsonValue<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as written.
    Number(&'a str),
    /// A string.
    Text(Text),
    /// A list, as it is written.
    List(Text),
    /// An object, as it is written.
    Object(Text),
}

/// The first characters of a text: as much as a reason can bear.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A position in a text of lines.
#[derive(Debug)]
pub(super) struct JsonScanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    scratch: String,
}

impl<'a> JsonScanner<'a> {
    /// Starts at the text's beginning.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, scratch: String::new() }
    }

    /// The offset of the next byte.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Reads on from an offset of the current line that was read before.
    pub(super) fn go_back_to(&mut self, position: usize) {
        self.at = position;
    }

    /// Whether all is read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The content of a string that this scanner gave since the scratch was cleared.
    #[inline]
    pub(super) fn text(&self, text: Text) -> &str {
        match text {
            Text::Plain(start, end) => &self.text[start..end],
            Text::Unescaped(start, end) => &self.scratch[start..end],
        }
    }

    /// A value in words, as part of a reason.
    pub(super) fn describe(&self, value: &JsonValue<'_>) -> String {
        match *value {
            JsonValue::Null => "null".to_owned(),
            JsonValue::Bool(value) => value.to_string(),
            JsonValue::Number(number) => shortened(number),
            JsonValue::Text(text) => format!("\"{}\" (string)", shortened(self.text(text))),
            JsonValue::List(_) => "a list".to_owned(),
            JsonValue::Object(_) => "an object".to_owned(),
        }
    }

    /// A text without the white space around it.
    pub(super) fn trimmed(&self, text: Text) -> Text {
        let said = self.text(text);
        let before = said.len() - said.trim_start().len();
        let length = said.trim().len();
        match text {
            Text::Plain(start, _) => Text::Plain(start + before, start + before + length),
            Text::Unescaped(start, _) => Text::Unescaped(start + before, start + before + length),
        }
    }

    /// Keeps a text that does not stand in the scanner's own, as one of its strings.
    pub(super) fn keep(&mut self, text: &str) -> Text {
        let start = self.scratch.len();
        self.scratch.push_str(text);
        Text::Unescaped(start, self.scratch.len())
    }

    /// Forgets the unescaped strings of the last line.
    pub(super) fn clear_scratch(&mut self) {
        self.scratch.clear();
    }

    /// Steps to the next line; gives the offset of this line's end, without `\n`.
    pub(super) fn finish_line(&mut self) -> usize {
        let end = self.text[self.at..].find('\n').map_or(self.bytes.len(), |length| self.at + length);
        self.at = self.bytes.len().min(end + 1);
        end
    }

    /// Steps over the line feed, if one comes next.
    pub(super) fn step_over_line_feed(&mut self) {
        self.at += usize::from(self.bytes.get(self.at) == Some(&b'\n'));
    }

    /// The next byte that is no white space; `None` at the end of the line.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                None | Some(b'\n') => return None,
                Some(byte) => return Some(*byte),
            }
        }
    }

    /// Steps over `byte`, after white space.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    /// Steps over `byte` if it comes next, after white space.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps over these bytes if they come next, after white space.
    #[inline]
    pub(super) fn take_all(&mut self, bytes: &[u8]) -> bool {
        let found = self.peek().is_some() && self.bytes[self.at..].starts_with(bytes);
        self.at += if found { bytes.len() } else { 0 };
        found
    }

    /// The fault that something else than `expected` comes next.
    pub(super) fn unexpected(&self, expected: &'static str) -> Fault {
        Fault::Unexpected { expected, at: self.at }
    }

    /// A key of an object and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Text, Fault> {
        self.expect(b'"', "a key in quotes")?;
        let key = self.string()?;
        self.expect(b':', "`:` after a key")?;
        Ok(key)
    }

    /// Any value. Those within lists and objects are checked, but not given.
    pub(super) fn value(&mut self) -> Result<JsonValue<'a>, Fault> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string().map(JsonValue::Text)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(JsonValue::Number),
            Some(b'n') => self.literal("null", JsonValue::Null),
            Some(b't') => self.literal("true", JsonValue::Bool(true)),
            Some(b'f') => self.literal("false", JsonValue::Bool(false)),
            Some(b'{') => self.nested().map(JsonValue::Object),
            Some(b'[') => self.nested().map(JsonValue::List),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// The list or object that begins here, checked.
    fn nested(&mut self) -> Result<Text, Fault> {
        let start = self.at;
        self.skip_nested()?;
        Ok(Text::Plain(start, self.at))
    }

    /// A string without escapes, if one comes next; else nothing is read.
    #[inline]
    pub(super) fn plain_text(&mut self) -> Option<Text> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        let end = special(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(Text::Plain(start, end))
    }

    /// A number of digits alone that `T` holds, if one comes next and a comma or an end follows it at once; else nothing is read.
    #[inline]
    pub(super) fn plain_whole<T: TryFrom<i64>>(&mut self) -> Option<T> {
        let first = self.peek()?;
        let mut at = self.at;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(at) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            at += 1;
        }
        // Any number of eighteen digits is an i64.
        let digits = at - self.at;
        let is_plain = matches!(digits, 1..=18) && (first != b'0' || digits == 1);
        if !is_plain || !matches!(self.bytes.get(at), Some(b',' | b'}')) {
            return None;
        }
        let value = T::try_from(value).ok()?;
        self.at = at;
        Some(value)
    }

    /// A number that a double holds, if one comes next; else nothing is read.
    #[inline]
    pub(super) fn plain_double(&mut self) -> Option<f64> {
        self.peek().filter(|byte| matches!(byte, b'-' | b'0'..=b'9'))?;
        let start = self.at;
        let number = self.number().ok();
        let double: Option<f64> = number.and_then(|number| number.parse().ok());
        let double =
            double.filter(|double| double.is_finite() && !number.is_some_and(|n| is_changed(n, *double)));
        if double.is_none() {
            self.at = start;
        }
        double
    }

    fn literal(&mut self, word: &'static str, value: JsonValue<'a>) -> Result<JsonValue<'a>, Fault> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.unexpected("a value"))
        }
    }

    #[inline]
    fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected("a digit")) } else { Ok(()) }
    }

    /// The rest of a string whose opening quote is read.
    fn string(&mut self) -> Result<Text, Fault> {
        let start = self.at;
        self.at = special(self.bytes, start);
        if self.bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Text::Plain(start, self.at - 1));
        }
        let scratch_start = self.scratch.len();
        let mut plain = start;
        loop {
            self.scratch.push_str(&self.text[plain..self.at]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::Unescaped(scratch_start, self.scratch.len()));
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    self.scratch.push(character);
                }
                _ => return Err(self.unexpected("the string's end")),
            }
            plain = self.at;
            self.at = special(self.bytes, plain);
        }
    }

    /// The character of an escape, which begins at the current backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        self.at += 1;
        let character = match self.bytes.get(self.at) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => return Err(self.unexpected("an escape such as `\\n`")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, Fault> {
        self.at += 1;
        let first = self.hex4()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let is_high = (0xD800..0xDC00).contains(&first);
        if is_high && self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return char::from_u32(code).ok_or(Fault::LoneSurrogate { at: start });
            }
        }
        Err(Fault::LoneSurrogate { at: start })
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).and_then(|byte| char::from(*byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.unexpected("four hex digits"))?;
            self.at += 1;
        }
        Ok(code)
    }

    /// Checks and steps over the list or object that begins here, without recursion.
    fn skip_nested(&mut self) -> Result<(), Fault> {
        let mut open = Vec::new();
        loop {
            let is_value_done = match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    open.push(b'}');
                    if self.take(b'}') {
                        open.pop();
                        true
                    } else {
                        self.key()?;
                        false
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    open.push(b']');
                    let is_empty = self.take(b']');
                    if is_empty {
                        open.pop();
                    }
                    is_empty
                }
                _ => {
                    self.value()?;
                    true
                }
            };
            if open.len() >= DEPTH_LIMIT {
                return Err(Fault::TooDeep);
            }
            if is_value_done && self.close(&mut open)? {
                return Ok(());
            }
        }
    }

    /// After a value within lists and objects: the comma, or as many ends as come. True when all are closed.
    fn close(&mut self, open: &mut Vec<u8>) -> Result<bool, Fault> {
        while let Some(&end) = open.last() {
            if self.take(end) {
                open.pop();
            } else if end == b'}' {
                self.expect(b',', "`,` or `}`")?;
                self.key()?;
                return Ok(false);
            } else {
                self.expect(b',', "`,` or `]`")?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The offset of the next quote, backslash or control character at or after `from`; the length if there is none.
///
/// Eight bytes at a time: the mask's lowest set bit is exact, since a borrow only travels upwards from a true match.
fn special(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let mask = (quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGHS;
        if mask != 0 {
            return at + mask.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}
