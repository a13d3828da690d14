//! Times as people write them, in the one form that everything reads.

/// A time in full: month, day, hour, minute and second of two digits each, and no second left out (`2021-1-5 4:30` is
/// `2021-01-05 04:30:00`). What stands behind it, as parts of a second and a zone, stays. `None` where the text is in full
/// already, or no such time.
pub fn in_full(text: &str) -> Option<String> {
    let trimmed = text.trim();
    let (year, rest) = digits(trimmed, 4..=4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 1..=2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 1..=2)?;
    let (hour, rest) = digits(rest.strip_prefix([' ', 'T'])?, 1..=2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 1..=2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 1..=2)?,
        // Parts of a second stand behind a second.
        None if rest.is_empty() || rest.starts_with(['Z', 'z', '+', '-', ' ']) => ("00", rest),
        None => return None,
    };
    let separator = &trimmed[trimmed.find([' ', 'T'])?..][..1];
    let full = format!("{year}-{month:0>2}-{day:0>2}{separator}{hour:0>2}:{minute:0>2}:{second:0>2}{rest}");
    (full != text).then_some(full)
}

/// The digits that a text begins with, as many as there may be, and what follows them.
fn digits(text: &str, many: std::ops::RangeInclusive<usize>) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    many.contains(&end).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::in_full;

    #[test]
    fn what_is_left_out_of_a_time_is_written() {
        for (text, full) in [
            ("2020-02-04 4:30:21", "2020-02-04 04:30:21"),
            ("2020-2-4 4:3:1", "2020-02-04 04:03:01"),
            ("2020-02-04 04:30", "2020-02-04 04:30:00"),
            ("2020-02-04T4:30Z", "2020-02-04T04:30:00Z"),
            ("2020-02-04 4:30:21.5+02", "2020-02-04 04:30:21.5+02"),
        ] {
            assert_eq!(in_full(text).as_deref(), Some(full));
            assert_eq!(in_full(full), None);
        }
    }

    #[test]
    fn no_other_text_is_one() {
        for text in [
            "",
            "2020-02-04",
            "2020-02-04 4",
            "20-2-4 4:30",
            "2020-02-04 4:30.5",
            "2020-02-04 4:305",
            "4:30:21",
        ] {
            assert_eq!(in_full(text), None, "{text}");
        }
    }
}
