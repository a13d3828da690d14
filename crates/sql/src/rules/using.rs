//! A column that tables are joined by with USING or NATURAL is one column: of the left side, of the right one in a right
//! join, and in a full join of whichever side has it.
//!
//! The planner takes the column of one side for it, whatever the join: the one that comes first, or in `*` the one whose
//! table's name does. What it resolved by itself carries no place in the SQL, which tells it from `a.k`, the column of that side.
//! Here the former become what SQL means by them.

use std::collections::HashMap;

use crate::tree::{PlanWalk, TreeWalk};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Distinct, Expr, Join, JoinConstraint, JoinType, LogicalPlan, Window};

/// The joined columns that a node gives, and what each is when it is not named with its table.
type Merged = HashMap<Column, Expr>;

/// The plan in which the columns of USING and NATURAL are those of SQL.
///
/// # Errors
/// Where a node cannot be built.
pub fn merge_keys(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut uses = false;
    plan.walk_with_subqueries(&mut |node| {
        uses |= matches!(node, LogicalPlan::Join(Join { join_constraint: JoinConstraint::Using, .. }));
        Ok(if uses { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if uses { Ok(of_node(plan)?.0) } else { Ok(plan) }
}

fn of_node(plan: LogicalPlan) -> Result<(LogicalPlan, Merged)> {
    let plan = within_subqueries(plan)?;
    if let LogicalPlan::Join(join) = plan {
        return of_join(join);
    }
    let mut merged = Merged::new();
    let plan = plan
        .replace_inputs(&mut |input| {
            let (input, of_input) = of_node(input)?;
            merged.extend(of_input);
            Ok(Transformed::yes(input))
        })?
        .data;
    if merged.is_empty() {
        return Ok((plan, merged));
    }
    let gives_its_input = matches!(
        plan,
        LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Distinct(Distinct::All(_))
    );
    let is_unnest = matches!(plan, LogicalPlan::Unnest(_));
    let plan = match plan {
        unnest if is_unnest => unnest,
        LogicalPlan::Window(window) => of_windows(window, &merged)?,
        other => replaced(other, &merged)?,
    };
    Ok((plan, if gives_its_input { merged } else { Merged::new() }))
}

/// The queries within the node's expressions are plans of their own.
fn within_subqueries(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.map_subqueries(|query| Ok(Transformed::yes(of_node(query)?.0)))?.data)
}

fn of_join(join: Join) -> Result<(LogicalPlan, Merged)> {
    let Join { left, right, on, filter, join_type, join_constraint, schema, null_equality, null_aware } =
        join;
    let (left, of_left) = of_node(std::sync::Arc::unwrap_or_clone(left))?;
    let (right, of_right) = of_node(std::sync::Arc::unwrap_or_clone(right))?;
    let mut merged = of_left.clone();
    merged.extend(of_right.clone());
    let filter = filter.map(|filter| in_expression(filter, &merged)).transpose()?;
    let uses = join_constraint == JoinConstraint::Using;
    let mut keys = Vec::with_capacity(on.len());
    for (of_one, of_other) in on {
        let one = in_expression(of_one.clone(), &of_left)?;
        let other = in_expression(of_other.clone(), &of_right)?;
        if uses {
            let key = match join_type {
                JoinType::Full => coalesce(vec![one.clone(), other.clone()]),
                JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                    other.clone()
                }
                JoinType::Inner
                | JoinType::Left
                | JoinType::LeftSemi
                | JoinType::LeftAnti
                | JoinType::LeftMark => one.clone(),
            };
            for known in merged.values_mut().filter(|known| **known == one || **known == other) {
                *known = key.clone();
            }
            for side in [of_one, of_other] {
                if let Expr::Column(column) = side {
                    merged.insert(column, key.clone());
                }
            }
        }
        keys.push((one, other));
    }
    merged.retain(|column, _| schema.has_column(column));
    // What is planned over this one, a view, is not to be merged again.
    let join_constraint = match join_type {
        JoinType::Inner | JoinType::Left
            if keys.iter().all(|(one, other)| matches!((one, other), (Expr::Column(_), Expr::Column(_)))) =>
        {
            join_constraint
        }
        _ => JoinConstraint::On,
    };
    let join = Join {
        left: left.into(),
        right: right.into(),
        on: keys,
        filter,
        join_type,
        join_constraint,
        schema,
        null_equality,
        null_aware,
    };
    Ok((LogicalPlan::Join(join), merged))
}

/// Windows that stand in one node are sorted in one way. Those over `a.k` and over `k` were put there as one column.
fn of_windows(window: Window, merged: &Merged) -> Result<LogicalPlan> {
    let window = match replaced(LogicalPlan::Window(window), merged)? {
        LogicalPlan::Window(window) if window.window_expr.len() > 1 => window,
        other => return Ok(other),
    };
    let mut plan = std::sync::Arc::unwrap_or_clone(window.input);
    for expression in window.window_expr {
        plan = LogicalPlan::Window(Window::try_new(vec![expression], plan.into())?);
    }
    Ok(plan)
}

fn replaced(plan: LogicalPlan, merged: &Merged) -> Result<LogicalPlan> {
    let names = NamePreserver::new(&plan);
    let replaced = plan.replace_expressions(&mut |expression| {
        if matches!(expression, Expr::GroupingSet(_)) {
            return in_grouping_set(expression, merged);
        }
        let name = names.save(&expression);
        let replaced = in_part(expression, merged)?;
        Ok(if replaced.transformed { replaced.update_data(|now| name.restore(now)) } else { replaced })
    })?;
    if replaced.transformed { replaced.data.recompute_schema() } else { Ok(replaced.data) }
}

/// A grouping set has no name of its own; the columns in it have.
fn in_grouping_set(sets: Expr, merged: &Merged) -> Result<Transformed<Expr>> {
    sets.map_up(&mut |part| match &part {
        Expr::Column(column) if column.spans().first().is_none() => match merged.get(column) {
            Some(key) if *key != part => {
                let key = key.clone().alias_qualified(column.relation.clone(), &column.name);
                Ok(Transformed::yes(key))
            }
            _ => Ok(Transformed::no(part)),
        },
        _ => Ok(Transformed::no(part)),
    })
}

fn in_expression(expression: Expr, merged: &Merged) -> Result<Expr> {
    Ok(in_part(expression, merged)?.data)
}

fn in_part(expression: Expr, merged: &Merged) -> Result<Transformed<Expr>> {
    expression.map_up(&mut |part| match &part {
        Expr::Column(column) if column.spans().first().is_none() => match merged.get(column) {
            Some(key) if *key != part => Ok(Transformed::yes(key.clone())),
            _ => Ok(Transformed::no(part)),
        },
        _ => Ok(Transformed::no(part)),
    })
}

#[cfg(test)]
mod tests {
    use arrow::json::ArrayWriter;

    use crate::Scope;

    /// The rows of a SELECT over `a (k, x, v)`, `b (k, x, w)` and `c (k, u)`.
    fn rows(sql: &str) -> String {
        let scope = Scope::for_planning();
        let sql = format!(
            "with a as (select * from (values (1, 'a', 10), (2, 'b', 20)) t(k, x, v)),
                  b as (select * from (values (2, 'b', 1), (3, 'c', 2)) t(k, x, w)),
                  c as (select * from (values (3, 7), (4, 8)) t(k, u)),
                  z as (select * from a)
             {sql}"
        );
        let plan = scope.plan(&sql).unwrap_or_else(|problem| panic!("{sql}: {problem:?}"));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let batches = runtime
            .block_on(async {
                scope.context().execute_logical_plan(plan.into_plan()).await.unwrap().collect().await
            })
            .unwrap();
        let mut writer = ArrayWriter::new(Vec::new());
        writer.write_batches(&batches.iter().collect::<Vec<_>>()).unwrap();
        writer.finish().unwrap();
        String::from_utf8(writer.into_inner()).unwrap().replace('"', "")
    }

    #[test]
    fn the_column_of_a_full_join_is_of_whichever_side_has_it() {
        for join in ["a full join b using (k, x)", "a natural full join b"] {
            assert_eq!(
                rows(&format!("select k, v, w from {join} order by k")),
                "[{k:1,v:10},{k:2,v:20,w:1},{k:3,w:2}]"
            );
            assert_eq!(
                rows(&format!("select * from {join} order by k")),
                "[{k:1,x:a,v:10},{k:2,x:b,v:20,w:1},{k:3,x:c,w:2}]"
            );
            assert_eq!(
                rows(&format!("select k, count(*) as n from {join} group by k having k > 2")),
                "[{k:3,n:1}]"
            );
            assert_eq!(rows(&format!("select sum(k) as s, max(x) as m from {join}")), "[{s:6,m:c}]");
            assert_eq!(
                rows(&format!("select distinct k + 1 as n from {join} order by n")),
                "[{n:2},{n:3},{n:4}]"
            );
            assert_eq!(
                rows(&format!("select w, row_number() over (order by k desc) as n from {join} order by n")),
                "[{w:2,n:1},{w:1,n:2},{n:3}]"
            );
            assert_eq!(
                rows(&format!("select distinct on (k) k, w from {join} order by k")),
                "[{k:1},{k:2,w:1},{k:3,w:2}]"
            );
            assert_eq!(
                rows(&format!(
                    "select k, count(*) as n from {join} group by rollup (k) order by k nulls last"
                )),
                "[{k:1,n:1},{k:2,n:1},{k:3,n:1},{n:3}]"
            );
        }
    }

    #[test]
    fn the_column_of_a_right_join_is_of_the_right_side() {
        for join in ["a right join b using (k, x)", "a natural right join b"] {
            assert_eq!(
                rows(&format!("select k, x, v, w from {join} order by k")),
                "[{k:2,x:b,v:20,w:1},{k:3,x:c,w:2}]"
            );
            assert_eq!(
                rows(&format!("select * from {join} order by k")),
                "[{k:2,x:b,v:20,w:1},{k:3,x:c,w:2}]"
            );
        }
    }

    #[test]
    fn a_filter_knows_the_joined_column() {
        assert_eq!(
            rows("select k, w from a full join b using (k, x) where k = 3 and x = 'c'"),
            "[{k:3,w:2}]"
        );
        assert_eq!(
            rows("select w from a as l right join b using (k) where k > 1 and l.k is null"),
            "[{w:2}]"
        );
        assert_eq!(
            rows("select v from a join b using (k) where k in (select k from b) and w = 1"),
            "[{v:20}]"
        );
    }

    #[test]
    fn a_column_named_with_its_table_is_of_that_side() {
        let join = "a full join b using (k)";
        assert_eq!(
            rows(&format!("select a.k as l, b.k as r, k from {join} order by k")),
            "[{l:1,k:1},{l:2,r:2,k:2},{r:3,k:3}]"
        );
        assert_eq!(rows(&format!("select w from {join} where a.k is null")), "[{w:2}]");
        assert_eq!(
            rows(&format!("select b.k as r, count(*) as n from {join} group by b.k order by r")),
            "[{r:2,n:1},{r:3,n:1},{n:1}]"
        );
        assert_eq!(
            rows(&format!("select coalesce(a.k, -1) as l, sum(k) over () as s from {join} order by l")),
            "[{l:-1,s:6},{l:1,s:6},{l:2,s:6}]"
        );
    }

    #[test]
    fn windows_over_a_column_and_over_that_of_one_side_are_two() {
        assert_eq!(
            rows(
                "select k, count(*) over (partition by k order by v) as n,
                        count(*) over (partition by a.k order by v) as l,
                        sum(v) over (partition by b.k order by v) as r
                 from a full join b using (k) order by k"
            ),
            "[{k:1,n:1,l:1,r:10},{k:2,n:1,l:1,r:20},{k:3,n:1,l:1}]"
        );
    }

    #[test]
    fn rows_are_ordered_by_the_column_of_the_side_that_is_named() {
        assert_eq!(
            rows("select w, v from a full join b using (k) order by b.k desc nulls last, k"),
            "[{w:2},{w:1,v:20},{v:10}]"
        );
    }

    #[test]
    fn the_column_of_a_left_join_is_of_the_left_side_whatever_the_tables_are_called() {
        assert_eq!(
            rows("select * from z left join b using (k, x) order by v"),
            "[{k:1,x:a,v:10},{k:2,x:b,v:20,w:1}]"
        );
        assert_eq!(rows("select k, w from z join b using (k)"), "[{k:2,w:1}]");
        assert_eq!(rows("select k from a left semi join b using (k)"), "[{k:2}]");
        assert_eq!(rows("select k from a right anti join b using (k)"), "[{k:3}]");
    }

    #[test]
    fn the_columns_of_one_table_are_all_of_that_table() {
        assert_eq!(rows("select b.* from z left join b using (k) order by z.v"), "[{},{k:2,x:b,w:1}]");
        assert_eq!(
            rows("select a.*, w from a full join b using (k) order by w nulls first"),
            "[{k:1,x:a,v:10},{k:2,x:b,v:20,w:1},{w:2}]"
        );
        assert_eq!(rows("select z.* from z right join b using (k) order by w"), "[{k:2,x:b,v:20},{}]");
        assert_eq!(
            rows("select a.*, w from a left join b using (k) order by v"),
            "[{k:1,x:a,v:10},{k:2,x:b,v:20,w:1}]"
        );
    }

    #[test]
    fn a_column_and_that_of_one_side_are_two() {
        let join = "a full join b using (k)";
        assert_eq!(
            rows(&format!("select sum(k) as s, sum(a.k) as l, sum(b.k) as r from {join}")),
            "[{s:6,l:3,r:5}]"
        );
        assert_eq!(
            rows(&format!(
                "select count(*) over (partition by k) as n, count(*) over (partition by coalesce(a.k, 1)) as l from {join} order by k"
            )),
            "[{n:1,l:2},{n:1,l:1},{n:1,l:2}]"
        );
        assert_eq!(
            rows(&format!("select k, a.k as l, count(*) as n from {join} group by k, a.k order by k")),
            "[{k:1,l:1,n:1},{k:2,l:2,n:1},{k:3,n:1}]"
        );
    }

    #[test]
    fn a_joined_column_is_known_wherever_it_stands() {
        let join = "a full join b using (k)";
        assert_eq!(
            rows(&format!("select k, u from {join} left join (select u from c) o on o.u = k + 4 order by k")),
            "[{k:1},{k:2},{k:3,u:7}]"
        );
        assert_eq!(
            rows(&format!(
                "select k from {join} where exists (select 1 from (select u from c) o where o.u = k + 4)"
            )),
            "[{k:3}]"
        );
        assert_eq!(rows("select k, w from a natural full join b where k > 2 and x = 'c'"), "[{k:3,w:2}]");
        assert_eq!(
            rows("select k, u from (a full join b using (k)) full join c using (k) where k > 2 order by k"),
            "[{k:3,u:7},{k:4,u:8}]"
        );
        assert_eq!(
            rows(
                "select * from (select k, v from a) a full join (select k, w from b) b using (k) full join c using (k) full join (select k as k, 1 as o from c) d using (k) order by k"
            ),
            "[{k:1,v:10},{k:2,v:20,w:1},{k:3,w:2,u:7,o:1},{k:4,u:8,o:1}]"
        );
        assert_eq!(
            rows(
                "select * exclude (k) from (select k, v from a) a full join (select k, w from b) b using (k) order by v, w"
            ),
            "[{v:10},{v:20,w:1},{w:2}]"
        );
    }

    #[test]
    fn where_a_table_s_columns_are_not_known_two_columns_of_one_name_are_refused() {
        let sql = "select sum(k) as s, sum(g.k) as l from (select 1 as k) g full join (select upper('a'), 1 as k) using (k)";
        let problem = Scope::for_planning().plan(sql).unwrap_err();
        assert!(problem.message.contains("cannot be told apart"), "{}", problem.message);
    }

    #[test]
    fn joins_follow_one_another() {
        assert_eq!(
            rows("select k, v, w, u from a full join b using (k) full join c using (k) order by k"),
            "[{k:1,v:10},{k:2,v:20,w:1},{k:3,w:2,u:7},{k:4,u:8}]"
        );
        assert_eq!(
            rows(
                "select * from (select k, v, w from a full join b using (k)) ab left join c using (k) order by k"
            ),
            "[{k:1,v:10},{k:2,v:20,w:1},{k:3,w:2,u:7}]"
        );
        assert_eq!(
            rows("select k, v, u from a join b using (k) full join c using (k) order by k"),
            "[{k:2,v:20},{k:3,u:7},{k:4,u:8}]"
        );
        assert_eq!(rows("select (select max(k) from b full join c using (k)) as m"), "[{m:4}]");
    }
}
