//! The lines of a file, as Hadoop takes them apart.

use std::io::{self, BufRead, BufReader, Read};

/// Lines that are given out at once.
const LINES: usize = 8192;
/// The longest line.
const LONGEST: usize = 256 << 20;

/// Lines, many at once: each ends at a line feed, a carriage return, or both.
pub(super) struct Lines {
    bytes: BufReader<Box<dyn Read + Send>>,
    /// Lines at the start that are left out.
    skipped: usize,
    /// Whether a line feed that comes first belongs to the line before.
    after_return: bool,
}

impl Lines {
    /// Those of a file, without its header.
    pub(super) fn new(bytes: Box<dyn Read + Send>, header: usize) -> Self {
        Self { bytes: BufReader::with_capacity(1 << 20, bytes), skipped: header, after_return: false }
    }

    /// The next line; `None` at the end.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut is_any = false;
        loop {
            let there = self.bytes.fill_buf()?;
            if there.is_empty() {
                return Ok(is_any.then_some(line));
            }
            if std::mem::take(&mut self.after_return) && there[0] == b'\n' {
                self.bytes.consume(1);
                continue;
            }
            is_any = true;
            let Some(end) = there.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                let length = there.len();
                line.extend_from_slice(there);
                self.bytes.consume(length);
                if line.len() > LONGEST {
                    return Err(io::Error::other("it has a line of more than 256 MiB"));
                }
                continue;
            };
            line.extend_from_slice(&there[..end]);
            self.after_return = there[end] == b'\r';
            self.bytes.consume(end + 1);
            return Ok(Some(line));
        }
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<Vec<u8>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            match self.line() {
                Ok(Some(_)) if self.skipped > 0 => self.skipped -= 1,
                Ok(Some(line)) => lines.push(line),
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        (!lines.is_empty()).then_some(Ok(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static str, header: usize) -> Vec<String> {
        let lines = Lines::new(Box::new(text.as_bytes()), header);
        let lines = lines.flat_map(|lines| lines.unwrap());
        lines.map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn a_line_ends_as_hadoop_ends_it() {
        assert_eq!(lines("a\nb\r\nc\rd", 0), ["a", "b", "c", "d"]);
        assert_eq!(lines("a\n\n\r\n", 0), ["a", "", ""]);
        assert_eq!(lines("", 0), [""; 0]);
        assert_eq!(lines("h\nh\na\n", 2), ["a"]);
    }
}
