//! A landing with more rejected rows than the project lets pass: which rows these are, and what is said of them.

use std::collections::BTreeSet;
use std::fmt;

use mep_contract::source::Reject;
use mep_lang::project::MaxRejected;
use mep_plan::rejects::{Rejects, is_past};

/// How many rejected rows are shown.
const SHOWN: usize = 3;

/// The rejected rows that come first.
#[derive(Debug, Default)]
pub(super) struct FirstRejects {
    rejects: Vec<Reject>,
}

/// Where a rejected row stands, as rows of a source are sorted.
fn place(reject: &Reject) -> (&str, Option<u64>, Option<i64>) {
    (&reject.unit, reject.line, reject.message.as_ref().map(|place| place.offset))
}

impl FirstRejects {
    /// One more was rejected.
    pub(super) fn add(&mut self, reject: &Reject) {
        let is_among_them =
            self.rejects.len() < SHOWN || self.rejects.last().is_some_and(|last| place(reject) < place(last));
        if is_among_them {
            self.rejects.push(Reject { text: String::new(), ..reject.clone() });
            self.rejects.sort_by(|a, b| place(a).cmp(&place(b)));
            self.rejects.truncate(SHOWN);
        }
    }

    /// These were rejected, too.
    pub(super) fn add_all(&mut self, others: Self) {
        self.rejects.extend(others.rejects);
    }

    /// Those of these units are not rejected, after all.
    pub(super) fn leave_out(&mut self, units: &BTreeSet<&str>) {
        self.rejects.retain(|reject| !units.contains(reject.unit.as_str()));
    }

    fn lines(&self) -> Vec<String> {
        let mut sorted: Vec<&Reject> = self.rejects.iter().collect();
        sorted.sort_by(|a, b| place(a).cmp(&place(b)));
        let line = |reject: &&Reject| {
            let place = match (&reject.message, reject.line) {
                (Some(message), _) => {
                    format!("{}/{} offset {}", message.topic, message.partition, message.offset)
                }
                (None, Some(line)) => format!("{} line {line}", reject.unit),
                (None, None) => reject.unit.clone(),
            };
            format!("{place}: {}", reject.reason)
        };
        sorted.iter().take(SHOWN).map(line).collect()
    }
}

/// That more rows are rejected than the project lets pass.
#[derive(Debug)]
pub struct TooManyRejected(String);

impl TooManyRejected {
    /// Those of a landing, of which nothing is published.
    pub(super) fn landing(limit: MaxRejected, landing: Rejects, all: Rejects, first: &FirstRejects) -> Self {
        let mut text = if limit.allows(landing.rejected, landing.read) {
            of_all(all)
        } else {
            format!("{} of {} rows could not be read", landing.rejected, landing.read)
        };
        text.push_str(&format!(", and `max_rejected` is {limit}: nothing was landed"));
        let lines = first.lines();
        if !lines.is_empty() {
            text.push_str(&format!("; the first of them:\n  {}", lines.join("\n  ")));
        }
        text.push_str(WAY_ON);
        Self(text)
    }

    /// What a run would say, where that many are expected.
    pub fn expected(limit: MaxRejected, landing: Rejects, all: Rejects) -> Option<Self> {
        let text = if limit.allows(landing.rejected, landing.read) || matches!(limit, MaxRejected::Rows(_)) {
            of_all(all)
        } else {
            format!("{} of {} rows cannot be read", landing.rejected, landing.read)
        };
        is_past(limit, landing, all).then(|| Self(format!("{text}, and `max_rejected` is {limit}")))
    }

    /// Those of a table to which nothing is added.
    pub(super) fn stored(limit: MaxRejected, all: Rejects, rejects: &mep_core::relation::Relation) -> Self {
        Self(format!("{}, and `max_rejected` is {limit}; they are in {rejects}{WAY_ON}", of_all(all)))
    }
}

fn of_all(all: Rejects) -> String {
    format!("{} of the {} rows of the table are rejected", all.rejected, all.read)
}

const WAY_ON: &str = "\nmend the rows or the declared columns, or raise `max_rejected`";

impl fmt::Display for TooManyRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TooManyRejected {}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(unit: &str, line: u64) -> Reject {
        let (text, reason) = ("{".to_owned(), format!("reason {line}"));
        Reject { unit: unit.to_owned(), line: Some(line), message: None, reason, text }
    }

    #[test]
    fn the_first_rejected_rows_are_told_whatever_order_they_are_met_in() {
        let mut first = FirstRejects::default();
        for line in (1..1_000).rev() {
            first.add(&reject("b.json", line));
        }
        first.add(&reject("a.json", 7));
        let rows = Rejects { read: 2_000, rejected: 1_000 };
        insta::assert_snapshot!(TooManyRejected::landing(MaxRejected::Share(1.0), rows, rows, &first), @r"
        1000 of 2000 rows could not be read, and `max_rejected` is 1%: nothing was landed; the first of them:
          a.json line 7: reason 7
          b.json line 1: reason 1
          b.json line 2: reason 2
        mend the rows or the declared columns, or raise `max_rejected`
        ");
        let all = Rejects { read: 5_000, rejected: 1_001 };
        let one = Rejects { read: 1, rejected: 1 };
        first.leave_out(&BTreeSet::from(["b.json"]));
        insta::assert_snapshot!(TooManyRejected::landing(MaxRejected::Rows(1_000), one, all, &first), @r"
        1001 of the 5000 rows of the table are rejected, and `max_rejected` is 1000: nothing was landed; the first of them:
          a.json line 7: reason 7
        mend the rows or the declared columns, or raise `max_rejected`
        ");
        let rejects = mep_core::relation::Relation::new("main", "raw_a_rejects");
        insta::assert_snapshot!(TooManyRejected::stored(MaxRejected::Rows(1_000), all, &rejects), @r"
        1001 of the 5000 rows of the table are rejected, and `max_rejected` is 1000; they are in main.raw_a_rejects
        mend the rows or the declared columns, or raise `max_rejected`
        ");
    }
}
