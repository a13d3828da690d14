//! Lines of CSV, split as Hive's OpenCSVSerde splits them. All of its values are texts.

/// How lines are split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CsvFormat {
    /// What stands between columns.
    pub(super) separator: char,
    /// What stands around a column in which separators count as text.
    pub(super) quote: char,
    /// What takes its meaning from a quote or itself behind it.
    pub(super) escape: char,
    /// Lines at the start of each file that are no rows.
    pub(super) header: usize,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self { separator: ',', quote: '"', escape: '\\', header: 0 }
    }
}

impl CsvFormat {
    /// The columns of a line. A quote that is not closed ends with the line, as Hive reads lines one by one.
    pub(super) fn split(&self, line: &str) -> Vec<String> {
        let (mut columns, mut column, mut is_quoted) = (Vec::new(), String::new(), false);
        let mut rest = line.chars().peekable();
        while let Some(character) = rest.next() {
            let next = rest.peek().copied();
            let is_escapable = next.is_some_and(|next| next == self.quote || next == self.escape);
            if character == self.escape && self.escape != self.quote {
                // One that escapes nothing is left out all the same.
                if is_quoted && is_escapable {
                    column.extend(rest.next());
                }
            } else if character == self.quote && is_quoted && next == Some(self.quote) {
                column.extend(rest.next());
            } else if character == self.quote {
                is_quoted = !is_quoted;
            } else if character == self.separator && !is_quoted {
                columns.push(std::mem::take(&mut column));
            } else {
                column.push(character);
            }
        }
        columns.push(column);
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_hive_splits_it() {
        let split = |line: &str| CsvFormat::default().split(line);
        assert_eq!(split("a,b,"), ["a", "b", ""]);
        assert_eq!(split("\"a,b\",\"c\"\"d\",\"e\\\"f\""), ["a,b", "c\"d", "e\"f"]);
        assert_eq!(split("x\\y"), ["xy"]);
        assert_eq!(split(""), [""]);
        let other = CsvFormat { separator: ';', quote: '\'', ..CsvFormat::default() };
        assert_eq!(other.split("'a;b';c"), ["a;b", "c"]);
    }
}
