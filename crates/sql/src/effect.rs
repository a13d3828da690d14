//! What a statement of a hook does, by its first words: texts of other databases are not all read by mep's parser.

use std::ops::Range;

use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::syntax::Sql;

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementEffect {
    /// It reads.
    Reads,
    /// It does nothing to rows, and nothing here, and why.
    Nothing(&'static str),
    /// It changes what tables hold, or what SQL means; or that cannot be said.
    Changes,
}

const RIGHTS: &str = "rights are given where the tables are";
const LAYOUT: &str =
    "how rows lie on disk changes none of them, and a table's statistics are written with it";
const TRANSACTIONS: &str = "each table is published in one step";
const SCHEMAS: &str = "a schema is made with the first table in it";
const DESCRIPTIONS: &str = "descriptions are kept with the tables by mep";
const EXTENSIONS: &str = "there are no extensions to load";

/// First words, and what they do; the longest that fits says it.
const STATEMENTS: [(&str, StatementEffect); 31] = [
    ("select", StatementEffect::Reads),
    ("with", StatementEffect::Reads),
    ("values", StatementEffect::Reads),
    ("grant", StatementEffect::Nothing(RIGHTS)),
    ("revoke", StatementEffect::Nothing(RIGHTS)),
    ("deny", StatementEffect::Nothing(RIGHTS)),
    ("alter default privileges", StatementEffect::Nothing(RIGHTS)),
    ("analyze", StatementEffect::Nothing(LAYOUT)),
    ("analyse", StatementEffect::Nothing(LAYOUT)),
    ("vacuum", StatementEffect::Nothing(LAYOUT)),
    ("optimize", StatementEffect::Nothing(LAYOUT)),
    ("cluster", StatementEffect::Nothing(LAYOUT)),
    ("reindex", StatementEffect::Nothing(LAYOUT)),
    ("checkpoint", StatementEffect::Nothing(LAYOUT)),
    ("compute stats", StatementEffect::Nothing(LAYOUT)),
    ("create index", StatementEffect::Nothing(LAYOUT)),
    ("drop index", StatementEffect::Nothing(LAYOUT)),
    ("update statistics", StatementEffect::Nothing(LAYOUT)),
    ("begin", StatementEffect::Nothing(TRANSACTIONS)),
    ("start transaction", StatementEffect::Nothing(TRANSACTIONS)),
    ("commit", StatementEffect::Nothing(TRANSACTIONS)),
    ("end", StatementEffect::Nothing(TRANSACTIONS)),
    ("create schema", StatementEffect::Nothing(SCHEMAS)),
    ("create database if not exists", StatementEffect::Nothing(SCHEMAS)),
    ("comment on", StatementEffect::Nothing(DESCRIPTIONS)),
    ("install", StatementEffect::Nothing(EXTENSIONS)),
    ("load", StatementEffect::Nothing(EXTENSIONS)),
    ("explain analyze", StatementEffect::Changes),
    ("explain", StatementEffect::Nothing("it says how rows are computed, and computes none")),
    ("show", StatementEffect::Nothing("it says what there is, and changes nothing")),
    ("describe", StatementEffect::Nothing("it says what there is, and changes nothing")),
];

/// The statements of a text, each with where it stands and what it does. A text that cannot be read is one statement that changes
/// something.
pub fn statements(text: &str) -> Vec<(Range<usize>, StatementEffect)> {
    let Ok(tokens) = Tokenizer::new(&Sql, text).with_unescape(false).tokenize() else {
        return vec![(0..text.len(), StatementEffect::Changes)];
    };
    let mut found = Vec::new();
    let (mut at, mut start, mut words) = (0, None, Words::default());
    for token in &tokens {
        let end = at + token.to_string().len();
        match token {
            Token::Whitespace(_) => {}
            Token::SemiColon => {
                if let Some(start) = start.take() {
                    found.push((start..at, std::mem::take(&mut words).effect()));
                }
            }
            token => {
                start.get_or_insert(at);
                words.add(token);
            }
        }
        at = end;
    }
    found.extend(start.map(|start| (start..text.len(), words.effect())));
    found
}

/// The words of a statement.
#[derive(Default)]
struct Words {
    /// The first ones, in small letters.
    first: Vec<String>,
    /// Whether one of the others is of a statement that writes.
    writes: bool,
}

/// A SELECT that has one of these may write, as `with ... insert` and `select ... into` do.
const WRITES: [&str; 5] = ["insert", "update", "delete", "merge", "into"];

impl Words {
    fn add(&mut self, token: &Token) {
        let word = match token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
            _ => String::new(),
        };
        self.writes |= WRITES.contains(&word.as_str());
        if self.first.len() < 5 {
            self.first.push(word);
        }
    }

    fn effect(self) -> StatementEffect {
        let said = self.first.iter().filter(|word| *word != "unique" && *word != "concurrently");
        let said = said.map(String::as_str).collect::<Vec<_>>().join(" ");
        let starts = |words: &str| said == words || said.starts_with(&format!("{words} "));
        let fitting = STATEMENTS.iter().filter(|(words, _)| starts(words));
        match fitting.max_by_key(|(words, _)| words.len()) {
            Some((_, StatementEffect::Reads)) if self.writes => StatementEffect::Changes,
            Some((_, effect)) => *effect,
            None => StatementEffect::Changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<StatementEffect> {
        statements(text).into_iter().map(|(_, effect)| effect).collect()
    }

    #[test]
    fn what_changes_rows_is_told_from_what_does_not() {
        for text in [
            "grant select on t to role r",
            "GRANT SELECT ON t TO r",
            "-- a comment\nvacuum t",
            "analyze t compute statistics",
            "create schema if not exists s",
            "create unique index concurrently i on t (a)",
            "comment on table t is 'into; delete'",
        ] {
            assert!(matches!(of(text)[..], [StatementEffect::Nothing(_)]), "{text}");
        }
        for text in [
            "insert into t select 1",
            "with a as (select 1) insert into t select * from a",
            "select * into t from u",
            "delete from t",
            "create table t as select 1",
            "drop table t",
            "alter table t add column a int",
            "set timezone = 'UTC'",
            "call p()",
            "select 'open",
        ] {
            assert_eq!(of(text), [StatementEffect::Changes], "{text}");
        }
        assert_eq!(of("select 1"), [StatementEffect::Reads]);
        assert_eq!(of("select 'insert', \"into\" from t"), [StatementEffect::Reads]);
        assert!(of(" ; \n-- nothing\n").is_empty());
    }

    #[test]
    fn each_statement_has_its_place() {
        let text = "select 'é;'; drop table t ;";
        let found: Vec<&str> = statements(text).into_iter().map(|(range, _)| &text[range]).collect();
        assert_eq!(found, ["select 'é;'", "drop table t "]);
    }
}
