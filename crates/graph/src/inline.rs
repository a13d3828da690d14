//! Ephemeral models within the SQL that uses them: as CTEs before its own.

use std::collections::HashMap;

use super::node_index::NodeIndex;
use mep_sql::after_with;

/// An ephemeral model.
#[derive(Clone, Debug)]
pub(super) struct Ephemeral {
    /// The name of its CTE, as SQL writes it.
    pub(super) name: String,
    /// Its SQL, in which the ephemeral models that it reads are names.
    pub(super) sql: String,
    /// The ephemeral models that it reads.
    pub(super) within: Vec<NodeIndex>,
}

/// The SQL with the ephemeral models that it reads, and those that they read, as CTEs.
pub(super) fn with_ephemerals(
    sql: &str,
    reads: &[NodeIndex],
    ephemerals: &HashMap<NodeIndex, Ephemeral>,
) -> String {
    let mut ordered: Vec<NodeIndex> = Vec::new();
    for index in reads {
        collect(*index, ephemerals, &mut ordered);
    }
    if ordered.is_empty() {
        return sql.to_owned();
    }
    let ctes: Vec<String> = ordered
        .iter()
        .filter_map(|index| ephemerals.get(index))
        .map(|one| format!("{} as (\n{}\n)", one.name, one.sql.trim()))
        .collect();
    let ctes = ctes.join(",\n");
    match after_with(sql) {
        Some(at) => format!("{} {ctes},{}", &sql[..at], &sql[at..]),
        None => format!("with {ctes}\n{sql}"),
    }
}

/// What a CTE reads must stand before it.
fn collect(index: NodeIndex, ephemerals: &HashMap<NodeIndex, Ephemeral>, ordered: &mut Vec<NodeIndex>) {
    let Some(one) = ephemerals.get(&index).filter(|_| !ordered.contains(&index)) else { return };
    for within in &one.within {
        collect(*within, ephemerals, ordered);
    }
    ordered.push(index);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inlined(sql: &str) -> String {
        let one = |name: &str, sql: &str, within: &[NodeIndex]| Ephemeral {
            name: name.to_owned(),
            sql: sql.to_owned(),
            within: within.to_vec(),
        };
        let (first, second) = (NodeIndex::new(0), NodeIndex::new(1));
        let ephemerals = HashMap::from([
            (first, one("a", "select 1 as x", &[])),
            (second, one("b", "select x from a", &[first])),
        ]);
        with_ephemerals(sql, &[second], &ephemerals)
    }

    #[test]
    fn ephemeral_models_become_ctes_each_after_what_it_reads() {
        insta::assert_snapshot!(inlined("select x from b"), @r"
        with a as (
        select 1 as x
        ),
        b as (
        select x from a
        )
        select x from b
        ");
        insta::assert_snapshot!(inlined("-- with a comment\nWITH c as (select x from b) select * from c"), @r"
        -- with a comment
        WITH a as (
        select 1 as x
        ),
        b as (
        select x from a
        ), c as (select x from b) select * from c
        ");
    }
}
