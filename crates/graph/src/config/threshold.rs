//! From how many failing rows on a test warns or fails.

/// A comparison with a number of failing rows: `>10`, `!=0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    operator: ThresholdOperator,
    number: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThresholdOperator {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Threshold {
    /// Any failing row.
    pub const NOT_ZERO: Self = Self { operator: ThresholdOperator::NotEqual, number: 0 };

    /// Whether it is reached.
    pub fn holds(self, failures: i64) -> bool {
        match self.operator {
            ThresholdOperator::Greater => failures > self.number,
            ThresholdOperator::GreaterOrEqual => failures >= self.number,
            ThresholdOperator::Less => failures < self.number,
            ThresholdOperator::LessOrEqual => failures <= self.number,
            ThresholdOperator::Equal => failures == self.number,
            ThresholdOperator::NotEqual => failures != self.number,
        }
    }

    /// As config says it; `None` where it is no comparison.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let operators = [
            (">=", ThresholdOperator::GreaterOrEqual),
            ("<=", ThresholdOperator::LessOrEqual),
            ("!=", ThresholdOperator::NotEqual),
            ("<>", ThresholdOperator::NotEqual),
            ("==", ThresholdOperator::Equal),
            (">", ThresholdOperator::Greater),
            ("<", ThresholdOperator::Less),
            ("=", ThresholdOperator::Equal),
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
