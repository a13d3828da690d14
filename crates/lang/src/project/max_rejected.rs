//! `max_rejected`: how many rows of a source table may be rejected before its landing fails.

use std::fmt;

use serde_json::Value as Json;

/// How many rows of a source table may be rejected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejected {
    /// So many.
    Rows(u64),
    /// So many of a hundred that are read.
    Share(f64),
}

/// What is expected where it is written.
pub(super) const EXPECTED: &str = "a count such as 100 or a share such as 1%";

impl MaxRejected {
    /// Reads a value of a YAML file.
    pub(super) fn read(value: &Json) -> Option<Self> {
        let text = match value {
            Json::Number(number) => return number.as_u64().map(Self::Rows),
            Json::String(text) => text.trim(),
            _ => return None,
        };
        match text.strip_suffix('%') {
            None => text.parse().ok().map(Self::Rows),
            Some(share) => {
                let share: f64 = share.trim_end().parse().ok()?;
                (0.0..=100.0).contains(&share).then_some(Self::Share(share))
            }
        }
    }

    /// Whether so many of the rows that were read may be rejected.
    pub fn allows(self, rejected: u64, read: u64) -> bool {
        match self {
            Self::Rows(most) => rejected <= most,
            Self::Share(share) => rejected as f64 * 100.0 <= share * read as f64,
        }
    }
}

impl fmt::Display for MaxRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(most) => write!(f, "{most}"),
            Self::Share(share) => write!(f, "{share}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_a_count_or_a_share() {
        assert_eq!(MaxRejected::read(&json!(100)), Some(MaxRejected::Rows(100)));
        assert_eq!(MaxRejected::read(&json!("0")), Some(MaxRejected::Rows(0)));
        assert_eq!(MaxRejected::read(&json!("1%")), Some(MaxRejected::Share(1.0)));
        assert_eq!(MaxRejected::read(&json!(" 0.5 % ")), Some(MaxRejected::Share(0.5)));
        for wrong in
            [json!(-1), json!(0.01), json!("-1%"), json!("101%"), json!("NaN%"), json!("few"), json!([])]
        {
            assert_eq!(MaxRejected::read(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_share_of_no_rows_is_none() {
        assert!(MaxRejected::Share(0.0).allows(0, 0));
        assert!(MaxRejected::Share(1.0).allows(1, 100));
        assert!(!MaxRejected::Share(1.0).allows(1, 99));
        assert!(!MaxRejected::Rows(0).allows(1, 1_000_000));
    }
}
