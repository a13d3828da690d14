//! Lines of text, split as Hive's LazySimpleSerDe splits them.
//!
//! Owns where a column of a line begins and ends. Comes in: lines. Goes out: for each column, its text in each line. Must not know: what the
//! text of a value means, which `text_value` says.

use arrow::array::ArrayRef;

use super::column_type::HiveType;
use super::fitted::Unfit;
use super::text_value::values;

/// The marks between the parts of a line, by depth: Ctrl-A between columns, Ctrl-B within a list, Ctrl-C between key and value, and so on.
const MARKS: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// How lines are split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextFormat {
    /// What stands between the parts of a line, by depth.
    pub(super) marks: Vec<u8>,
    /// What takes its meaning from the character behind it.
    pub(super) escape: Option<u8>,
    /// What stands for NULL.
    pub(super) null: Vec<u8>,
    /// Lines at the start of each file that are no rows.
    pub(super) header: usize,
    /// Whether the last column has all that is left of a line, marks and all.
    pub(super) last_takes_rest: bool,
}

impl Default for TextFormat {
    fn default() -> Self {
        Self { marks: MARKS.to_vec(), escape: None, null: b"\\N".to_vec(), header: 0, last_takes_rest: false }
    }
}

impl TextFormat {
    /// The values of some columns, which are known by their places and types, in lines of text.
    ///
    /// # Errors
    /// Where a text is not UTF-8.
    pub(super) fn columns(
        &self,
        lines: &[Vec<u8>],
        wanted: &[Option<(usize, &HiveType)>],
        all: usize,
    ) -> Result<Vec<Option<ArrayRef>>, Unfit> {
        let split: Vec<Vec<&[u8]>> = lines.iter().map(|line| self.split_line(line, all)).collect();
        let column = |wanted: &Option<(usize, &HiveType)>| {
            let Some((place, of)) = wanted else { return Ok(None) };
            let texts: Vec<Option<&[u8]>> =
                split.iter().map(|parts| self.or_null(parts.get(*place).copied())).collect();
            values(self, of, &texts, 1).map(Some)
        };
        wanted.iter().map(column).collect()
    }

    /// The parts of a line.
    fn split_line<'a>(&self, line: &'a [u8], all: usize) -> Vec<&'a [u8]> {
        let most = if self.last_takes_rest { all } else { usize::MAX };
        self.split_most(line, 0, most)
    }

    /// The parts of a text at a depth; at a depth that no marks are for, the text is its only part.
    pub(super) fn split<'a>(&self, text: &'a [u8], depth: usize) -> Vec<&'a [u8]> {
        self.split_most(text, depth, usize::MAX)
    }

    fn split_most<'a>(&self, text: &'a [u8], depth: usize, most: usize) -> Vec<&'a [u8]> {
        let Some(mark) = self.marks.get(depth) else { return vec![text] };
        let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
        while at < text.len() {
            if Some(text[at]) == self.escape {
                at += 2;
                continue;
            }
            if text[at] == *mark && parts.len() + 1 < most {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            at += 1;
        }
        parts.push(&text[start..]);
        parts
    }

    /// A text, or NULL where it stands for that.
    pub(super) fn or_null<'a>(&self, text: Option<&'a [u8]>) -> Option<&'a [u8]> {
        text.filter(|text| *text != self.null)
    }

    /// A text as it was before marks in it were escaped.
    pub(super) fn unescaped(&self, text: &[u8]) -> Vec<u8> {
        let Some(escape) = self.escape.filter(|escape| text.contains(escape)) else { return text.to_vec() };
        let mut plain = Vec::with_capacity(text.len());
        let mut rest = text.iter().copied();
        while let Some(byte) = rest.next() {
            if byte != escape {
                plain.push(byte);
                continue;
            }
            match rest.next() {
                Some(b'r') => plain.push(b'\r'),
                Some(b'n') => plain.push(b'\n'),
                Some(other) => plain.push(other),
                None => plain.push(escape),
            }
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(format: &TextFormat, text: &str, depth: usize) -> Vec<String> {
        let parts = format.split(text.as_bytes(), depth);
        parts.into_iter().map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_line_is_split_at_the_marks_of_its_depth() {
        let format = TextFormat::default();
        assert_eq!(parts(&format, "a\u{1}b\u{2}c\u{1}", 0), ["a", "b\u{2}c", ""]);
        assert_eq!(parts(&format, "b\u{2}c", 1), ["b", "c"]);
        assert_eq!(parts(&format, "", 0), [""]);
        assert_eq!(parts(&format, "a", 9), ["a"]);
    }

    #[test]
    fn what_is_escaped_is_no_mark() {
        let format = TextFormat { marks: vec![b','], escape: Some(b'\\'), ..TextFormat::default() };
        assert_eq!(parts(&format, "a\\,b,c\\", 0), ["a\\,b", "c\\"]);
        assert_eq!(format.unescaped(b"a\\,b\\n\\\\\\"), b"a,b\n\\\\");
        let rest = TextFormat { last_takes_rest: true, ..format };
        assert_eq!(rest.split_line(b"a,b,c", 2), [b"a".as_slice(), b"b,c"]);
    }
}
