//! The ranges that a table is divided into, and what tells whether the rows of one are others by now.
//!
//! With a cursor a range is a day (in UTC) or a hundred thousand numbers; rows without a value of it are a range of their own. Without one the
//! table is one range. The version of a range is the number of its rows and the sum of their hashes, which the database computes: the order
//! of rows does not matter, and two sets of rows that differ have the same version with a probability of one in 2⁶⁴.

use super::PostgresError;
use super::catalog::CursorKind;
use super::connection::{Snapshot, literal, quoted};

/// How many numbers are in a range.
const NUMBERS: i64 = 100_000;
/// The version of a range without rows.
pub(super) const NO_ROWS: &str = "0.0";
/// What the range is called that is the whole table.
const WHOLE: &str = "all";
/// What the range is called of rows without a value of the cursor.
const MISSING: &str = "null";

/// A column by which a table is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Its name in the database.
    pub(super) column: String,
    /// What ranges of it are.
    pub(super) kind: CursorKind,
}

/// A range of a table, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableRange {
    /// What it is called: a day, the first of its numbers.
    pub(super) name: String,
    /// Stands for its rows.
    pub(super) version: String,
}

/// The ranges of a table that have rows, in their order; a table without a cursor is always one.
pub(super) fn ranges(
    snapshot: &mut Snapshot,
    from: &str,
    columns: &[String],
    cursor: Option<&Cursor>,
) -> Result<Vec<TableRange>, PostgresError> {
    let rows = snapshot.rows("ask what the table holds", &query(from, columns, cursor), &[])?;
    let range = |row: &postgres::Row| TableRange {
        name: row.get(0),
        version: format!("{}.{}", row.get::<_, i64>(1), row.get::<_, &str>(2)),
    };
    Ok(rows.iter().map(range).collect())
}

fn query(from: &str, columns: &[String], cursor: Option<&Cursor>) -> String {
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let hashes = "count(*)::bigint, coalesce(sum(hashtextextended(mep_row, 0)::numeric), 0)::text";
    let rows = format!("row({})::text as mep_row", columns.join(", "));
    match cursor {
        None => format!("select '{WHOLE}'::text, {hashes} from (select {rows} from {from}) as mep_rows"),
        Some(cursor) => format!(
            "select coalesce(mep_range::text, '{MISSING}'), {hashes} from (select {} as mep_range, {rows} from {from}) as mep_rows \
             group by mep_range order by mep_range",
            cursor.range()
        ),
    }
}

/// The condition of the rows of a range.
pub(super) fn condition(name: &str, cursor: Option<&Cursor>) -> String {
    let Some(cursor) = cursor else { return "true".to_owned() };
    let column = quoted(&cursor.column);
    if name == MISSING {
        return format!("{column} is null");
    }
    match cursor.kind {
        CursorKind::Number => {
            // The name is a number that the database wrote.
            let first: i64 = name.parse().unwrap_or_default();
            let last = first.saturating_add(NUMBERS - 1);
            format!("{column} between {first} and {last}")
        }
        CursorKind::Day | CursorKind::Instant if name.contains("infinity") => {
            format!("{column} = {}", literal(name))
        }
        CursorKind::Day => format!("{column} >= date {0} and {column} < date {0} + 1", literal(name)),
        // The session's zone is UTC.
        CursorKind::Instant => {
            format!(
                "{column} >= timestamptz {0} and {column} < timestamptz {0} + interval '1 day'",
                literal(name)
            )
        }
    }
}

impl Cursor {
    /// SQL of the range that a row is in.
    fn range(&self) -> String {
        let column = quoted(&self.column);
        match self.kind {
            CursorKind::Day => format!("{column}::date"),
            CursorKind::Instant => format!("({column} at time zone 'UTC')::date"),
            CursorKind::Number => format!("floor({column}::numeric / {NUMBERS})::bigint * {NUMBERS}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_range_are_found_by_bounds_that_an_index_knows() {
        let of = |kind, name| condition(name, Some(&Cursor { column: "At".to_owned(), kind }));
        assert_eq!(of(CursorKind::Number, "-100000"), "\"At\" between -100000 and -1");
        assert_eq!(
            of(CursorKind::Day, "2018-11-03"),
            "\"At\" >= date '2018-11-03' and \"At\" < date '2018-11-03' + 1"
        );
        assert_eq!(of(CursorKind::Instant, "infinity"), "\"At\" = 'infinity'");
        assert_eq!(of(CursorKind::Instant, "null"), "\"At\" is null");
        assert_eq!(condition("all", None), "true");
    }
}
