//! What the database's catalog says of a table.

use super::PostgresError;
use super::connection::Snapshot;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL writes it.
    pub(super) written: String,
    /// The name of its type, or of what its domain or its list is of.
    base: String,
    is_list: bool,
}

/// Views and foreign tables are read as tables are.
const COLUMNS: &str = "select a.attname::text, format_type(a.atttypid, a.atttypmod), \
     coalesce(e.typname, d.typname, t.typname)::text, t.typelem <> 0 and t.typlen = -1 \
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace \
     join pg_type t on t.oid = a.atttypid left join pg_type d on d.oid = nullif(t.typbasetype, 0) \
     left join pg_type e on e.oid = nullif(t.typelem, 0) and t.typlen = -1 \
     where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped \
     order by a.attnum";
const TABLES: &str = "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace \
     where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f')";

/// The columns of a table, in their order; none where there is no such table.
pub(super) fn columns(
    snapshot: &mut Snapshot,
    schema: &str,
    table: &str,
) -> Result<Vec<FoundColumn>, PostgresError> {
    let rows = snapshot.rows("read the columns", COLUMNS, &[schema, table])?;
    let column = |row: &postgres::Row| FoundColumn {
        name: row.get(0),
        written: row.get(1),
        base: row.get(2),
        is_list: row.get(3),
    };
    Ok(rows.iter().map(column).collect())
}

/// The names of the tables of a schema.
pub(super) fn tables(snapshot: &mut Snapshot, schema: &str) -> Result<Vec<String>, PostgresError> {
    let rows = snapshot.rows("list the tables", TABLES, &[schema])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Of which a cursor can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CursorKind {
    /// A day, or a time without a zone.
    Day,
    /// A time with a zone, which has a day in UTC.
    Instant,
    /// A whole number.
    Number,
}

impl FoundColumn {
    /// What ranges of it are; `None` where it has none.
    pub(super) fn cursor(&self) -> Option<CursorKind> {
        match self.base.as_str() {
            _ if self.is_list => None,
            "date" | "timestamp" => Some(CursorKind::Day),
            "timestamptz" => Some(CursorKind::Instant),
            "int2" | "int4" | "int8" => Some(CursorKind::Number),
            _ => None,
        }
    }

    /// The type that a source declares it with.
    pub fn declared(&self) -> String {
        let one = match self.base.as_str() {
            "int2" => "smallint",
            "int4" | "oid" => "integer",
            "int8" => "bigint",
            "float4" => "real",
            "float8" => "double",
            "bool" => "boolean",
            "date" => "date",
            "time" => "time",
            "timestamp" => "timestamp",
            "timestamptz" => "timestamp with time zone",
            "bytea" => "binary",
            // With its digits, or as SQL has it without any.
            "numeric" => self.written.trim_end_matches("[]"),
            // Enumerations, JSON, UUIDs, addresses and all else as their text.
            _ => "varchar",
        };
        if self.is_list { format!("{one}[]") } else { one.to_owned() }
    }

    /// SQL of its value as JSON holds it, where it is to be a text or what it is.
    pub(super) fn value(&self, quoted: &str, is_text: bool) -> String {
        match self.base.as_str() {
            _ if is_text => format!("{quoted}::text"),
            "bytea" if !self.is_list => format!("translate(encode({quoted}, 'base64'), E'\\n', '')"),
            // As written it may hold line feeds.
            "json" => format!("{quoted}::jsonb"),
            _ => quoted.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(base: &str, written: &str, is_list: bool) -> FoundColumn {
        FoundColumn { name: "c".to_owned(), written: written.to_owned(), base: base.to_owned(), is_list }
    }

    #[test]
    fn a_type_is_declared_by_the_word_that_sources_have_for_it() {
        let declared = |base, written, is_list| column(base, written, is_list).declared();
        assert_eq!(declared("int8", "bigint", false), "bigint");
        assert_eq!(declared("numeric", "numeric(10,2)", false), "numeric(10,2)");
        assert_eq!(declared("numeric", "numeric(10,2)[]", true), "numeric(10,2)[]");
        assert_eq!(declared("mood", "app.mood", false), "varchar");
        assert_eq!(declared("timestamptz", "timestamp with time zone", false), "timestamp with time zone");
    }

    #[test]
    fn bytes_are_sent_as_json_holds_them_and_texts_as_the_database_writes_them() {
        assert_eq!(
            column("bytea", "bytea", false).value("\"c\"", false),
            "translate(encode(\"c\", 'base64'), E'\\n', '')"
        );
        assert_eq!(column("jsonb", "jsonb", false).value("\"c\"", true), "\"c\"::text");
        assert_eq!(column("json", "json", false).value("\"c\"", false), "\"c\"::jsonb");
        assert_eq!(column("int4", "integer", false).value("\"c\"", false), "\"c\"");
    }
}
