//! A condition that may fail stays above a join that leaves rows out, and beside the conditions that do.
//!
//! `from a join b on a.k = b.k where 10 / b.v > 1` asks the condition of joined rows. The engine moves it down to the rows of `b`, of
//! which the join would leave out the one that it fails of. What cannot fail is moved down as before; what may stays where the SQL has
//! it, as does a condition in ON, which is asked of the pairs that the keys leave. Keys themselves are computed of all rows of their
//! side, as in other engines, unless WHERE compares them above a join that has keys of its own.
//!
//! Below a group, a window or a projection, which leave no row out, a condition moves as long as all those beside it do.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinSide, Result};
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, Join, JoinType, LogicalPlan, lit};
use datafusion::optimizer::OptimizerConfig;

use super::fallible::may_fail;
use super::mended_rule::{MendedRule, Rule};

/// The engine's rule that moves conditions down.
pub const MOVES_DOWN: &str = "push_down_filter";

/// The rule that moves conditions down, of those that cannot fail.
pub(super) fn kept_above(rule: Rule) -> MendedRule {
    MendedRule::new(rule, |rule, plan, config| match plan {
        LogicalPlan::Filter(filter) => KeptAbove(rule).of_filter(filter, config),
        LogicalPlan::Join(join) => KeptAbove(rule).of_join(join, config),
        other => rule.rewrite(other, config),
    })
}

/// The engine's rule, used so.
struct KeptAbove<'a>(&'a Rule);

impl KeptAbove<'_> {
    fn of_filter(&self, filter: Filter, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let (mut conditions, mut input) =
            (split_conjunction_owned(filter.predicate.clone()), filter.input.clone());
        let mut is_merged = false;
        while let LogicalPlan::Filter(below) = input.as_ref() {
            // Those below come first.
            let mut all = split_conjunction_owned(below.predicate.clone());
            all.append(&mut conditions);
            conditions = all;
            input = Arc::clone(&below.input);
            is_merged = true;
        }
        let mut seen = HashSet::new();
        let is_new = |condition: &Expr| *condition != lit(true) && seen.insert(condition.clone());
        let conditions: Vec<Expr> = conditions.into_iter().filter(is_new).collect();
        let (sure, fallible) = divided(conditions, &input)?;
        if fallible.is_empty() && !is_merged && !matches!(input.as_ref(), LogicalPlan::Join(_)) {
            return self.0.rewrite(LogicalPlan::Filter(filter), config);
        }
        let input = Arc::unwrap_or_clone(input);
        let whole = |join: LogicalPlan| self.moved(&sure, &fallible, join, config);
        let moved = match input {
            LogicalPlan::Join(join) => {
                let (join, on) = without_fallible(join)?;
                let moved = whole(LogicalPlan::Join(join))?;
                moved.update_data(|plan| with_on(plan, on))
            }
            other => whole(other)?,
        };
        Ok(if is_merged { Transformed::yes(moved.data) } else { moved })
    }

    /// The conditions above a node, moved below it where they may be.
    fn moved(
        &self,
        sure: &[Expr],
        fallible: &[Expr],
        input: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let of_sure = match conjunction(sure.iter().cloned()) {
            Some(sure) => {
                let filter = Filter::new(sure, Arc::new(input.clone()));
                self.0.rewrite(LogicalPlan::Filter(filter), config)?
            }
            None => Transformed::no(input.clone()),
        };
        if fallible.is_empty() {
            return Ok(of_sure);
        }
        if let (LogicalPlan::Join(join), Some(side)) = (&of_sure.data, side_that_stays(&input)) {
            return Ok(Transformed::new(at_side(join.clone(), side, fallible), true, of_sure.tnr));
        }
        if may_all_move(&of_sure.data, &input) {
            let all = conjunction(sure.iter().chain(fallible).cloned()).unwrap_or_else(|| lit(true));
            return self.0.rewrite(LogicalPlan::Filter(Filter::new(all, Arc::new(input))), config);
        }
        Ok(of_sure.update_data(|plan| {
            let (kept, input) = match plan {
                LogicalPlan::Filter(filter) => (split_conjunction_owned(filter.predicate), filter.input),
                other => (Vec::new(), Arc::new(other)),
            };
            above(kept.into_iter().chain(fallible.iter().cloned()), input)
        }))
    }

    fn of_join(&self, join: Join, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let (join, on) = without_fallible(join)?;
        let moved = self.0.rewrite(LogicalPlan::Join(join), config)?;
        Ok(moved.update_data(|plan| with_on(plan, on)))
    }
}

pub(super) fn above(conditions: impl IntoIterator<Item = Expr>, input: Arc<LogicalPlan>) -> LogicalPlan {
    match conjunction(conditions) {
        Some(predicate) => LogicalPlan::Filter(Filter::new(predicate, input)),
        None => Arc::unwrap_or_clone(input),
    }
}

/// The side of a join of which all rows are in the output.
fn side_that_stays(node: &LogicalPlan) -> Option<JoinSide> {
    let LogicalPlan::Join(join) = node else { return None };
    match join.join_type {
        JoinType::Left | JoinType::LeftMark => Some(JoinSide::Left),
        JoinType::Right | JoinType::RightMark => Some(JoinSide::Right),
        _ => None,
    }
}

/// A join with what may fail asked of one side where it speaks of that alone, else above. The engine would ask it of the keys of the
/// other side too.
fn at_side(mut join: Join, side: JoinSide, fallible: &[Expr]) -> LogicalPlan {
    let of_side = if side == JoinSide::Left { &mut join.left } else { &mut join.right };
    let is_own = |condition: &&Expr| {
        let columns = condition.column_refs();
        !columns.is_empty() && columns.iter().all(|column| of_side.schema().has_column(column))
    };
    let (own, others): (Vec<&Expr>, Vec<&Expr>) = fallible.iter().partition(is_own);
    if !own.is_empty() {
        *of_side = Arc::new(above(own.into_iter().cloned(), Arc::clone(of_side)));
    }
    above(others.into_iter().cloned(), Arc::new(LogicalPlan::Join(join)))
}

/// Whether what may fail moves below a node too, where what cannot has moved, as far as it does: `of_sure` is what came of that.
fn may_all_move(of_sure: &LogicalPlan, node: &LogicalPlan) -> bool {
    let is_kept = matches!(of_sure, LogicalPlan::Filter(_));
    match node {
        // What they leave for a scan to do, they leave in one filter.
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Unnest(_) => false,
        LogicalPlan::Join(join) => {
            let is_product =
                matches!(of_sure, LogicalPlan::Join(join) if join.on.is_empty() && join.filter.is_none());
            join.join_type == JoinType::Inner && is_product
        }
        _ => !is_kept,
    }
}

/// Those of some conditions that cannot fail on the rows of a node, and those that may.
pub(super) fn divided(conditions: Vec<Expr>, input: &LogicalPlan) -> Result<(Vec<Expr>, Vec<Expr>)> {
    let (mut sure, mut fallible) = (Vec::new(), Vec::new());
    for condition in conditions {
        let of = if may_fail(&condition, input.schema().as_ref())? { &mut fallible } else { &mut sure };
        of.push(condition);
    }
    Ok((sure, fallible))
}

/// A join without what may fail of its ON, which is given beside it. Of a product all is asked of all pairs, wherever it stands.
fn without_fallible(mut join: Join) -> Result<(Join, Vec<Expr>)> {
    let Some(filter) = join.filter.take() else { return Ok((join, Vec::new())) };
    let schema = merge_schema(&[&join.left, &join.right]);
    let (mut sure, mut fallible) = (Vec::new(), Vec::new());
    for condition in split_conjunction_owned(filter.clone()) {
        let of = if may_fail(&condition, &schema)? { &mut fallible } else { &mut sure };
        of.push(condition);
    }
    let is_product = join.join_type == JoinType::Inner && join.on.is_empty() && sure.is_empty();
    if fallible.is_empty() || is_product {
        join.filter = Some(filter);
        return Ok((join, Vec::new()));
    }
    join.filter = conjunction(sure);
    Ok((join, fallible))
}

/// The plan whose join, at the top or below a filter, has some more conditions in its ON.
fn with_on(plan: LogicalPlan, on: Vec<Expr>) -> LogicalPlan {
    if on.is_empty() {
        return plan;
    }
    match plan {
        LogicalPlan::Join(mut join) => {
            join.filter = conjunction(join.filter.take().into_iter().chain(on));
            LogicalPlan::Join(join)
        }
        LogicalPlan::Filter(mut filter) => {
            filter.input = Arc::new(with_on(Arc::unwrap_or_clone(filter.input), on));
            LogicalPlan::Filter(filter)
        }
        // A join stays one, at most below a filter.
        other => above(on, Arc::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::{failure, rows, rows_by_threads};
    use crate::Scope;

    /// `b` has a row that no row of `a` is joined with, and that what is computed here fails of.
    const A: &str = "a as (select k, v from (values (1, 10), (2, 20), (3, 5)) t(k, v))";
    const B: &str = "b as (select k, s, v, n from (values (1, '5', 2, 1), (2, '20', 3, 2), (9, 'x', 0, 9223372036854775807)) t(k, s, v, n))";

    fn sql(select: &str) -> String {
        format!("with {A}, {B} {select}")
    }

    #[test]
    fn a_condition_is_asked_of_joined_rows_alone() {
        for condition in [
            "cast(b.s as int) > 1",
            "10 / b.v > 1",
            "10 % b.v < 5",
            "b.n + 1 > 1",
            "cast(b.s as int) > 1 and 10 / b.v > 1",
            "cast(b.s as int) > 1 and b.v > 0",
            "cast(b.s as int) > 1 or 10 / b.v > 1",
            "cast(b.s as int) between 5 and 20",
            "cast(b.s as int) in (5, 20)",
            "case when b.k > 0 then 10 / b.v else 1 end > 1",
            "a.v = cast(b.s as int) + 5 * (3 - 2 * b.k + b.k) - 5 or a.v = cast(b.s as int)",
        ] {
            for from in [
                "from a join b on a.k = b.k where {}",
                "from b join a on a.k = b.k where {}",
                "from a join b on a.k = b.k and {}",
                "from a, b where a.k = b.k and {}",
                "from a, b where {} and a.k = b.k",
                "from a join b using (k) where {}",
                "from a join b on a.k >= b.k and b.k >= a.k where {}",
                "from a left join b on a.k = b.k where {}",
                "from a left join b on a.k = b.k and {} where b.k is not null",
                "from b right join a on a.k = b.k where {}",
                "from (select b.*, a.v as av from b join a on a.k = b.k) b join a on a.k = b.k where {}",
                "from (select distinct a.k, b.s, b.v, b.n from a join b on a.k = b.k) b join a on a.k = b.k where {}",
            ] {
                let text =
                    sql(&format!("select a.k {} order by 1", from.replace("{}", &format!("({condition})"))));
                assert_eq!(rows(&text), "1 2", "{text}");
                assert_eq!(rows_by_threads(&text), "1 2", "{text}");
            }
            if condition.contains("a.v") {
                continue;
            }
            for where_ in [
                "from b where b.k in (select k from a) and {}",
                "from b where {} and exists (select 1 from a where a.k = b.k)",
                "from b where b.k not in (select 9) and {}",
                "from (select b.* from b left semi join a on a.k = b.k) b where {}",
                "from (select b.*, row_number() over (partition by k order by s) as r from b) b where r = 1 and b.k < 9 and {}",
            ] {
                let text = sql(&format!(
                    "select b.k {} order by 1",
                    where_.replace("{}", &format!("({condition})"))
                ));
                assert_eq!(rows(&text), "1 2", "{text}");
            }
        }
    }

    #[test]
    fn what_where_compares_above_keys_is_computed_of_joined_rows_alone() {
        for text in [
            "select a.k from a join b on a.k = b.k where a.v = cast(b.s as int)",
            "select a.k from a join b on a.k = b.k where a.v / 10 = cast(b.s as int) / 10 and b.k > 1",
            "select a.k from a left join b on a.k = b.k and cast(b.s as int) > 5 where a.v > 10",
            "select k from (select a.k, a.v from a left join b on a.k = b.k and 10 / b.v > 1) t where t.v in (20, 30)",
        ] {
            assert_eq!(rows(&sql(text)), "2", "{text}");
        }
    }

    #[test]
    fn a_condition_on_groups_and_windows_is_asked_of_those_that_others_leave() {
        for text in [
            "select k from (select k, s, count(*) as n from b group by k, s) t where n > 0 and k < 9 and cast(s as int) > 1 order by k",
            "select k from b group by k, s having count(*) > 0 and max(k) < 9 and cast(s as int) > 1 order by k",
            "select k from (select k, s, max(k) over (partition by s) as m from b) t where m < 9 and cast(s as int) > 1 order by k",
        ] {
            assert_eq!(rows(&sql(text)), "1 2", "{text}");
        }
    }

    #[test]
    fn a_row_that_is_joined_is_asked() {
        for text in [
            "select a.k from a join b on a.k < b.k where cast(b.s as int) > 1",
            "select b.k from b left join a on a.k = b.k where cast(b.s as int) > 1",
            "select a.k from a cross join b where cast(b.s as int) > 1",
            "select a.k from a left join b on a.k = b.k and a.v = cast(b.s as int)",
        ] {
            assert!(failure(&sql(text)).contains('x'), "{text}");
        }
    }

    /// The plan that is run in parts, as it is shown.
    fn plan(text: &str) -> String {
        let scope = Scope::for_planning();
        let (a, b) = (
            "a as (select cast(v as bigint) as k, cast(v as bigint) as v, cast(v as varchar) as s from range(9) r(v))",
            "b as (select * from a)",
        );
        let planned = scope.plan(&format!("with {a}, {b} {text}")).unwrap();
        scope.optimize_in_parts(&planned).unwrap().display_indent().to_string()
    }

    /// How deep the filters stand of whose text something is a part, and the first join.
    fn depths(text: &str, part: &str) -> (Vec<usize>, usize) {
        let plan = plan(text);
        let depth = |line: &&str| line.len() - line.trim_start().len();
        let filters = plan.lines().filter(|line| line.contains("Filter:") && line.contains(part));
        let join = plan.lines().find(|line| line.contains("Join")).map_or(0, |line| depth(&line));
        (filters.map(|line| depth(&line)).collect(), join)
    }

    #[test]
    fn what_cannot_fail_goes_below_the_join() {
        for (condition, part) in
            [("b.v > 5", "> Int64(5)"), ("b.v % 7 = 5", "% Int64(7)"), ("b.s like '%7'", "LIKE")]
        {
            let text = format!("select a.k from a join b on a.k = b.k where {condition} and 10 / b.v > 1");
            let (filters, join) = depths(&text, part);
            assert!(filters.iter().any(|filter| *filter > join), "{}", plan(&text));
            let (filters, join) = depths(&text, "Int64(10) /");
            assert!(!filters.is_empty() && filters.iter().all(|filter| *filter < join), "{}", plan(&text));
        }
        // What is known of one key is asked of the other too, but for what may fail of its rows.
        let text = "select a.k, b.v from a left join b on a.k = b.k where 10 / a.k > 1 and a.k > 2";
        let (filters, join) = depths(text, "Int64(10) /");
        assert_eq!(filters.len(), 1, "{}", plan(text));
        assert!(filters[0] > join, "{}", plan(text));
        // All rows of the first side are in the output of an outer join, so nothing is gained by waiting.
        let text = "select a.k, b.v from a left join b on a.k = b.k where 10 / a.v > 1";
        let (filters, join) = depths(text, "Int64(10) /");
        assert!(!filters.is_empty() && filters.iter().all(|filter| *filter > join), "{}", plan(text));
    }
}
