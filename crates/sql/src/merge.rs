//! New rows that take the place of stored ones by their key: the SELECTs of an increment by `merge` or `delete+insert`.
//!
//! Keys are compared so that NULL equals NULL. The user's predicates know the stored rows by the name `DBT_INTERNAL_DEST` and
//! the new ones by `DBT_INTERNAL_SOURCE`, as in dbt.

use mep_core::relation::Relation;

use super::names::{listed, quoted};

/// The names by which the user's predicates know the rows.
const STORED: &str = "dbt_internal_dest";
const NEW: &str = "dbt_internal_source";

/// Rows of a table and new ones, which are the same row where their key is the same.
#[derive(Clone, Debug)]
pub struct KeyedMerge<'a> {
    /// The stored rows.
    pub stored: &'a Relation,
    /// The new ones.
    pub new: Relation,
    /// The columns that name a row.
    pub key: &'a [String],
    /// Further conditions that must all hold, as the user wrote them.
    pub predicates: &'a [String],
}

impl KeyedMerge<'_> {
    /// How many new rows share their key with another.
    pub fn doubled(&self) -> String {
        format!(
            "select coalesce(sum(n), 0) as n from (select count(*) as n from {} group by {}) where n > 1",
            self.new,
            listed(self.key)
        )
    }

    /// The stored rows that no new row takes the place of, where both rows are looked at for it.
    pub fn kept_by_merge(&self) -> String {
        format!(
            "select {STORED}.* from {} as {STORED} left anti join {} as {NEW} on {}",
            self.stored,
            self.new,
            self.matching()
        )
    }

    /// The stored rows that stay once those are deleted for which the predicates hold, which see the stored row alone, and whose
    /// key a new row bears.
    pub fn kept_by_deletion(&self) -> String {
        let Some(predicates) = self.predicates() else { return self.kept_by_merge() };
        let Self { stored, new, .. } = self;
        format!(
            "select * from {stored} as {STORED} where ({predicates}) is not true
            union all
            select {STORED}.* from (
                select * from {stored} as {STORED} where ({predicates}) is true
            ) as {STORED}
            left anti join {new} as {NEW} on {}",
            self.same()
        )
    }

    /// The new rows with these columns, each with what the stored row of its key has in those that are not to be replaced.
    pub fn merged<'c>(
        &self,
        columns: impl IntoIterator<Item = &'c str>,
        is_new: impl Fn(&str) -> bool,
    ) -> String {
        let taken = columns.into_iter().map(|name| {
            let column = quoted(name);
            if is_new(name) {
                return format!("{NEW}.{column} as {column}");
            }
            format!(
                "case when {STORED}.__mep_is_stored then {STORED}.{column} else {NEW}.{column} end as {column}"
            )
        });
        let taken: Vec<String> = taken.collect();
        format!(
            "select {} from {} as {NEW} left join (select *, true as __mep_is_stored from {}) as {STORED} on {}",
            taken.join(", "),
            self.new,
            self.stored,
            self.matching()
        )
    }

    /// When a merge puts a new row in the place of a stored one.
    fn matching(&self) -> String {
        match self.predicates() {
            Some(predicates) => format!("{} and {predicates}", self.same()),
            None => self.same(),
        }
    }

    /// When a stored and a new row are the same one. In parentheses, since `and` binds closer than what stands behind `from`.
    fn same(&self) -> String {
        let same = |column: &String| {
            let column = quoted(column);
            format!("({STORED}.{column} is not distinct from {NEW}.{column})")
        };
        self.key.iter().map(same).collect::<Vec<_>>().join(" and ")
    }

    /// A line of its own ends what may end with a comment.
    fn predicates(&self) -> Option<String> {
        let predicates: Vec<String> =
            self.predicates.iter().map(|predicate| format!("({predicate}\n)")).collect();
        (!predicates.is_empty()).then(|| predicates.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge<'a>(stored: &'a Relation, key: &'a [String], predicates: &'a [String]) -> KeyedMerge<'a> {
        KeyedMerge { stored, new: Relation::new("dw", "new rows"), key, predicates }
    }

    #[test]
    fn names_are_quoted_and_predicates_stand_by_themselves() {
        let (stored, key) = (Relation::new("dw", "plays"), ["the key".to_owned(), "select".to_owned()]);
        let predicates = ["dbt_internal_dest.day > 1 or true -- all".to_owned()];
        insta::assert_snapshot!(merge(&stored, &key, &predicates).kept_by_merge(), @r#"
        select dbt_internal_dest.* from dw.plays as dbt_internal_dest left anti join dw."new rows" as dbt_internal_source on (dbt_internal_dest."the key" is not distinct from dbt_internal_source."the key") and (dbt_internal_dest."select" is not distinct from dbt_internal_source."select") and (dbt_internal_dest.day > 1 or true -- all
        )
        "#);
    }

    #[test]
    fn a_column_that_stays_is_taken_of_the_stored_row_where_there_is_one() {
        let (stored, key) = (Relation::new("dw", "plays"), ["id".to_owned()]);
        let merged = merge(&stored, &key, &[]).merged(["id", "first seen"], |name| name == "id");
        insta::assert_snapshot!(merged, @r#"select dbt_internal_source."id" as "id", case when dbt_internal_dest.__mep_is_stored then dbt_internal_dest."first seen" else dbt_internal_source."first seen" end as "first seen" from dw."new rows" as dbt_internal_source left join (select *, true as __mep_is_stored from dw.plays) as dbt_internal_dest on (dbt_internal_dest."id" is not distinct from dbt_internal_source."id")"#);
    }
}
