//! Of a join by IS NOT DISTINCT FROM no key is one of `=`.
//!
//! The engine joins by keys of which all take NULL for equal to NULL, or none. A join that was made of IS NOT DISTINCT FROM was
//! given the `=` of a WHERE above it as one more key, and joined rows by their NULLs. Such an `=` stays a condition of the join.

use datafusion::common::NullEquality;
use datafusion::logical_expr::{Join, LogicalPlan};

/// The names of the rules that make keys.
pub const RULES: [&str; 2] = ["extract_equijoin_predicate", "eliminate_cross_join"];

/// Whether a node joins by IS NOT DISTINCT FROM: the rules are held back from it.
pub fn is_null_safe(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Join(Join { on, null_equality: NullEquality::NullEqualsNull, .. }) => !on.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    #[test]
    fn an_equation_beside_is_not_distinct_from_joins_no_nulls() {
        let tables = "(values (1, 10, 1), (null, 20, null), (3, 30, 4)) as a(k, v, w)";
        let other = "(values (1, 1), (null, null), (3, 4)) as b(k, w)";
        for join in ["join", "left join"] {
            assert_eq!(
                rows(&format!(
                    "select a.v from {tables} {join} {other} on a.k is not distinct from b.k where b.w = a.w order by 1"
                )),
                "10 30",
                "{join}"
            );
        }
        assert_eq!(
            rows(&format!(
                "select a.v, b.w from {tables} left join {other} on a.k is not distinct from b.k and a.w = b.w order by 1"
            )),
            "101 20 304"
        );
    }
}
