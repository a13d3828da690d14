//! What a statement of a hook does, by its first words: texts of other databases are not all read by mep's parser.

use std::ops::Range;

use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::syntax::Sql;

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
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
const STATEMENTS: [(&str, Effect); 31] = [
    ("select", Effect::Reads),
    ("with", Effect::Reads),
    ("values", Effect::Reads),
    ("grant", Effect::Nothing(RIGHTS)),
    ("revoke", Effect::Nothing(RIGHTS)),
    ("deny", Effect::Nothing(RIGHTS)),
    ("alter default privileges", Effect::Nothing(RIGHTS)),
    ("analyze", Effect::Nothing(LAYOUT)),
    ("analyse", Effect::Nothing(LAYOUT)),
    ("vacuum", Effect::Nothing(LAYOUT)),
    ("optimize", Effect::Nothing(LAYOUT)),
    ("cluster", Effect::Nothing(LAYOUT)),
    ("reindex", Effect::Nothing(LAYOUT)),
    ("checkpoint", Effect::Nothing(LAYOUT)),
    ("compute stats", Effect::Nothing(LAYOUT)),
    ("create index", Effect::Nothing(LAYOUT)),
    ("drop index", Effect::Nothing(LAYOUT)),
    ("update statistics", Effect::Nothing(LAYOUT)),
    ("begin", Effect::Nothing(TRANSACTIONS)),
    ("start transaction", Effect::Nothing(TRANSACTIONS)),
    ("commit", Effect::Nothing(TRANSACTIONS)),
    ("end", Effect::Nothing(TRANSACTIONS)),
    ("create schema", Effect::Nothing(SCHEMAS)),
    ("create database if not exists", Effect::Nothing(SCHEMAS)),
    ("comment on", Effect::Nothing(DESCRIPTIONS)),
    ("install", Effect::Nothing(EXTENSIONS)),
    ("load", Effect::Nothing(EXTENSIONS)),
    ("explain analyze", Effect::Changes),
    ("explain", Effect::Nothing("it says how rows are computed, and computes none")),
    ("show", Effect::Nothing("it says what there is, and changes nothing")),
    ("describe", Effect::Nothing("it says what there is, and changes nothing")),
];

/// The statements of a text, each with where it stands and what it does. A text that cannot be read is one statement that changes
/// something.
pub fn statements(text: &str) -> Vec<(Range<usize>, Effect)> {
    let Ok(tokens) = Tokenizer::new(&Sql, text).with_unescape(false).tokenize() else {
        return vec![(0..text.len(), Effect::Changes)];
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

    fn effect(self) -> Effect {
        let said = self.first.iter().filter(|word| *word != "unique" && *word != "concurrently");
        let said = said.map(String::as_str).collect::<Vec<_>>().join(" ");
        let starts = |words: &str| said == words || said.starts_with(&format!("{words} "));
        let fitting = STATEMENTS.iter().filter(|(words, _)| starts(words));
        match fitting.max_by_key(|(words, _)| words.len()) {
            Some((_, Effect::Reads)) if self.writes => Effect::Changes,
            Some((_, effect)) => *effect,
            None => Effect::Changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Effect> {
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
            assert!(matches!(of(text)[..], [Effect::Nothing(_)]), "{text}");
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
            assert_eq!(of(text), [Effect::Changes], "{text}");
        }
        assert_eq!(of("select 1"), [Effect::Reads]);
        assert_eq!(of("select 'insert', \"into\" from t"), [Effect::Reads]);
        assert!(of(" ; \n-- nothing\n").is_empty());
    }

    #[test]
    fn each_statement_has_its_place() {
        let text = "select 'é;'; drop table t ;";
        let found: Vec<&str> = statements(text).into_iter().map(|(range, _)| &text[range]).collect();
        assert_eq!(found, ["select 'é;'", "drop table t "]);
    }
}
