//! The tables that the text of a SELECT names, whether they are known or not.

use std::collections::BTreeSet;

use datafusion::common::TableReference;
use datafusion::sql::resolve::resolve_table_references;

use super::syntax;
use mep_core::relation::Relation;

/// The tables that SQL names; none where it cannot be read, which planning it tells.
pub fn named_tables(sql: &str) -> BTreeSet<Relation> {
    let Ok(statement) = syntax::statement(sql, syntax::NESTING) else { return BTreeSet::new() };
    let named = resolve_table_references(&statement, true).map(|(tables, _)| tables).unwrap_or_default();
    named.iter().map(relation).collect()
}

fn relation(named: &TableReference) -> Relation {
    Relation { schema: named.schema().map(str::to_owned), name: named.table().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_where_they_are_read_and_nowhere_else() {
        let sql =
            "with recent as (select * from s.a) select 's.c' as text from recent join \"s\".\"b\" using (k)";
        let named: Vec<String> = named_tables(sql).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["s.a", "s.b"]);
        assert!(named_tables("select from").is_empty());
    }
}
