//! From how many failing rows on a test warns or fails.

/// A comparison with a number of failing rows: `>10`, `!=0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    operator: Comparison,
    number: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Threshold {
    /// Any failing row.
    pub const NOT_ZERO: Self = Self { operator: Comparison::NotEqual, number: 0 };

    /// Whether it is reached.
    pub fn holds(self, failures: i64) -> bool {
        match self.operator {
            Comparison::Greater => failures > self.number,
            Comparison::GreaterOrEqual => failures >= self.number,
            Comparison::Less => failures < self.number,
            Comparison::LessOrEqual => failures <= self.number,
            Comparison::Equal => failures == self.number,
            Comparison::NotEqual => failures != self.number,
        }
    }

    /// As config says it; `None` where it is no comparison.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let operators = [
            (">=", Comparison::GreaterOrEqual),
            ("<=", Comparison::LessOrEqual),
            ("!=", Comparison::NotEqual),
            ("<>", Comparison::NotEqual),
            ("==", Comparison::Equal),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
            ("=", Comparison::Equal),
        ];
        let (word, operator) = operators.into_iter().find(|(word, _)| text.starts_with(word))?;
        let number = text[word.len()..].trim().parse().ok()?;
        Some(Self { operator, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_comparisons() {
        assert!(Threshold::parse(">10").unwrap().holds(11) && !Threshold::parse("> 10").unwrap().holds(10));
        assert!(Threshold::parse("!=0").unwrap().holds(1));
        assert_eq!(Threshold::parse("many"), None);
    }
}
