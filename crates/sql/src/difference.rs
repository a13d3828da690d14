//! The SQL of the difference between contents of a table whose rows are told apart by a key: the rows that are to be put, and the keys that
//! are to go.
//!
//! Both are aggregates, which can leave memory for the disk, unlike joins.

use super::names::quoted;

/// Two contents of a table, by the names of what they do not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentPair {
    /// The rows of the new content.
    pub come: String,
    /// Those of the old one; `None`: it was empty.
    pub gone: Option<String>,
}

/// A column, and whether two of its values that SQL holds to be equal can be told apart: zeros of both signs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedColumn {
    /// Its name.
    pub name: String,
    /// Whether it holds floats.
    pub is_float: bool,
}

/// The sign of a row, which no column's name is likely to be.
const SIGN: &str = "\"__mep_sign\"";

/// The rows of the new content that any of the old ones has not, each once.
pub fn rows_to_put(columns: &[ComparedColumn], pairs: &[ContentPair]) -> String {
    let names = listed(columns.iter().map(|column| column.name.as_str()));
    let texts: String = columns
        .iter()
        .filter(|column| column.is_float)
        .map(|column| format!(", cast({} as varchar)", quoted(&column.name)))
        .collect();
    let of_pair = |pair: &ContentPair| match &pair.gone {
        None => format!("select {names} from {}", pair.come),
        Some(gone) => format!(
            "select {names} from ({}) as signed group by {names}{texts} having sum({SIGN}) > 0",
            signed(&names, &pair.come, gone)
        ),
    };
    all_of(pairs.iter().map(of_pair))
}

/// The keys of the old contents that the new one has not, each once; `None` where all old ones were empty.
pub fn keys_to_go(key: &[String], pairs: &[ContentPair]) -> Option<String> {
    let names = listed(key.iter().map(String::as_str));
    let of_pair = |pair: &ContentPair| {
        let gone = pair.gone.as_ref()?;
        Some(format!(
            "select {names} from ({}) as signed group by {names} having max({SIGN}) < 0",
            signed(&names, &pair.come, gone)
        ))
    };
    let all: Vec<String> = pairs.iter().filter_map(of_pair).collect();
    (!all.is_empty()).then(|| all_of(all.into_iter()))
}

fn signed(names: &str, come: &str, gone: &str) -> String {
    format!("select {names}, 1 as {SIGN} from {come} union all select {names}, -1 as {SIGN} from {gone}")
}

/// The same row, or the same key, may be of several.
fn all_of(selects: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = selects.collect();
    match all.as_slice() {
        [one] => one.clone(),
        several => {
            let several: Vec<String> = several.iter().map(|one| format!("({one})")).collect();
            several.join(" union ")
        }
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(quoted).collect::<Vec<_>>().join(", ")
}

/// Some keys that more than one row has, with how many rows have each, and how many such keys there are in all.
pub fn shared_keys(table: &str, key: &[String]) -> String {
    let names = listed(key.iter().map(String::as_str));
    format!(
        "select {names}, \"__mep_rows\", count(*) over () as \"__mep_keys\" from (
    select {names}, count(*) as \"__mep_rows\" from {table} group by {names} having count(*) > 1
) as shared order by {names} limit 1"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::{DeclaredTable, Scope};
    use mep_core::relation::Relation;

    fn column(name: &str, is_float: bool) -> ComparedColumn {
        ComparedColumn { name: name.to_owned(), is_float }
    }

    #[test]
    fn it_is_sql_of_the_columns_that_there_are() {
        let scope = Scope::for_planning();
        let fields = vec![
            Field::new("Day", DataType::Date32, true),
            Field::new("order", DataType::Int64, true),
            Field::new("price", DataType::Float64, true),
        ];
        for name in ["new", "old", "older"] {
            let table = DeclaredTable::new(Arc::new(Schema::new(fields.clone())), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        let columns = [column("Day", false), column("order", false), column("price", true)];
        let key = ["Day".to_owned(), "order".to_owned()];
        let pair = |gone: Option<&str>| ContentPair { come: "m.new".into(), gone: gone.map(str::to_owned) };
        let (one, two) =
            (vec![pair(Some("m.old"))], vec![pair(None), pair(Some("m.old")), pair(Some("m.older"))]);
        for pairs in [&one, &two] {
            for (sql, wanted) in [(rows_to_put(&columns, pairs), 3), (keys_to_go(&key, pairs).unwrap(), 2)] {
                let planned = scope.plan(&sql).unwrap_or_else(|problem| panic!("{}: {sql}", problem.message));
                assert_eq!(planned.output().fields().len(), wanted, "{sql}");
            }
        }
        assert_eq!(keys_to_go(&key, &[pair(None)]), None);
        assert_eq!(rows_to_put(&columns[..1], &[pair(None)]), "select \"Day\" from m.new");
        let planned = scope.plan(&shared_keys("m.new", &key));
        assert!(planned.is_ok(), "{planned:?}");
    }
}
