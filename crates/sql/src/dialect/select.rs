//! One SELECT as it grows, clause by clause.

use super::Dialect;
use super::literal::identifier;

/// What a column of a SELECT is, as SQL.
#[derive(Clone, Debug)]
pub(super) struct SelectPiece {
    pub(super) sql: String,
    /// Whether it only names a column, so that writing it twice costs nothing.
    pub(super) is_name: bool,
}

impl SelectPiece {
    pub(super) fn name(sql: String) -> Self {
        Self { sql, is_name: true }
    }

    pub(super) fn expression(sql: String) -> Self {
        Self { sql, is_name: false }
    }
}

/// How far a SELECT has grown: SQL evaluates its clauses in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// A FROM and perhaps a WHERE.
    Rows,
    /// With a GROUP BY or aggregates.
    Grouped,
    /// With window functions.
    Windowed,
    /// With DISTINCT.
    Distinct,
    /// With a LIMIT.
    Limited,
}

/// One SELECT.
#[derive(Clone, Debug)]
pub(super) struct Select {
    pub(super) from: Option<String>,
    /// The aliases in FROM.
    pub(super) aliases: Vec<String>,
    /// For each column of the plan that this SELECT stands for, what it is.
    pub(super) columns: Vec<SelectPiece>,
    pub(super) filters: Vec<String>,
    pub(super) groups: Vec<String>,
    /// Whether it has aggregates and no GROUP BY, and so gives one row.
    pub(super) is_one_group: bool,
    pub(super) tail: Option<String>,
    pub(super) stage: Stage,
    /// What the model's author calls it.
    pub(super) called: Option<String>,
}

impl Select {
    /// The rows of a source.
    pub(super) fn from(from: Option<String>, aliases: Vec<String>, columns: Vec<SelectPiece>) -> Self {
        Self {
            from,
            aliases,
            columns,
            filters: Vec::new(),
            groups: Vec::new(),
            is_one_group: false,
            tail: None,
            stage: Stage::Rows,
            called: None,
        }
    }

    /// Whether its FROM can stand in a larger one.
    pub(super) fn is_source(&self) -> bool {
        self.stage == Stage::Rows
            && self.filters.is_empty()
            && self.from.is_some()
            && self.columns.iter().all(|column| column.is_name)
    }

    /// The SELECT as SQL, its columns named.
    pub(super) fn statement(&self, dialect: Dialect, names: &[String]) -> String {
        let mut sql = String::from("SELECT");
        if self.stage == Stage::Distinct {
            sql.push_str(" DISTINCT");
        }
        let items: Vec<String> =
            self.columns.iter().zip(names).map(|(column, name)| item(dialect, column, name)).collect();
        sql.push_str(&format!("\n  {}", items.join(",\n  ")));
        if let Some(from) = &self.from {
            sql.push_str(&format!("\nFROM {from}"));
        }
        if !self.filters.is_empty() {
            sql.push_str(&format!("\nWHERE {}", self.filters.join("\n  AND ")));
        }
        if !self.groups.is_empty() {
            sql.push_str(&format!("\nGROUP BY {}", self.groups.join(", ")));
        }
        if let Some(tail) = &self.tail {
            sql.push_str(&format!("\n{tail}"));
        }
        sql
    }
}

fn item(dialect: Dialect, column: &SelectPiece, name: &str) -> String {
    let name = identifier(dialect, name);
    if column.is_name && column.sql.ends_with(&format!(".{name}")) {
        return column.sql.clone();
    }
    format!("{} AS {name}", column.sql)
}

/// A query as a source in FROM.
pub(super) fn subquery(statement: &str, alias: &str) -> String {
    // Texts hold no line breaks, those are escaped: so each line can be indented.
    format!("(\n  {}\n) AS {alias}", statement.replace('\n', "\n  "))
}
