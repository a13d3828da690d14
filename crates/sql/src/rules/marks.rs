//! EXISTS, IN, ANY and ALL with a subquery stand wherever an expression can.
//!
//! The engine makes joins of those in WHERE, HAVING and QUALIFY alone. In a select list, a CASE of one, GROUP BY, ORDER BY, an
//! aggregate or a window the rows that the expression is computed of are joined here to what is looked for, and the join says of
//! each row whether it found something. What a subquery that reads nothing of the query around it finds is counted once.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Distinct, Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Subquery, lit, not,
};
use datafusion::optimizer::decorrelate::PullUpCorrelatedExpr;

use super::membership;
use super::outer_columns::OuterColumns;
use crate::tree::{PlanWalk, TreeWalk};

/// The plan in which they do, as far as there is a join for them.
///
/// # Errors
/// Where a node cannot be built.
pub fn join_what_is_looked_for(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut made = 0;
    Ok(plan.map_up_with_subqueries(&mut |node| of_node(node, &mut made))?.data)
}

fn of_node(node: LogicalPlan, made: &mut usize) -> Result<Transformed<LogicalPlan>> {
    if !looks_for(&node)? {
        return Ok(Transformed::no(node));
    }
    match node {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => of_join(join),
        LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Distinct(Distinct::On(_)) => of_values(node, made),
        other => Ok(Transformed::no(other)),
    }
}

fn looks_for(node: &LogicalPlan) -> Result<bool> {
    let mut any = false;
    node.walk_expressions(&mut |expression| {
        any |= is_asking(expression)?;
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    Ok(any)
}

fn is_asking(expression: &Expr) -> Result<bool> {
    expression.any_node(&mut |part| {
        Ok(matches!(part, Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)))
    })
}

/// What an inner join asks of its rows is a condition on them.
fn of_join(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let Some(filter) = join.filter.take() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
    let mut asked = Vec::new();
    let mut kept = Vec::new();
    for condition in split_conjunction_owned(filter) {
        if is_asking(&condition)? { asked.push(condition) } else { kept.push(condition) }
    }
    join.filter = conjunction(kept);
    let joined = LogicalPlan::Join(join);
    match conjunction(asked) {
        Some(asked) => {
            let filter = Filter::try_new(asked, joined.into())?;
            Ok(Transformed::yes(membership::spell_out(LogicalPlan::Filter(filter))?))
        }
        None => Ok(Transformed::no(joined)),
    }
}

fn of_values(node: LogicalPlan, made: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let [input] = node.inputs()[..] else { return Ok(Transformed::no(node)) };
    let schema = input.schema().clone();
    let mut rows = MarkedRows { plan: with_hidden(input, &node)?, made };
    let mut is_whole = true;
    let names = NamePreserver::new(&node);
    let is_sort = matches!(node, LogicalPlan::Sort(_));
    let replaced = node.clone().replace_expressions(&mut |expression| {
        if !is_asking(&expression)? {
            return Ok(Transformed::no(expression));
        }
        let name = names.save(&expression);
        let spelled = membership::in_value(expression, &schema)?;
        let found = spelled.map_up(&mut |part| {
            let Expr::Exists(Exists { subquery, negated }) = part else { return Ok(Transformed::no(part)) };
            Ok(if let Some(found) = rows.found(&subquery)? {
                Transformed::yes(if negated { not(found) } else { found })
            } else {
                is_whole = false;
                Transformed::no(Expr::Exists(Exists { subquery, negated }))
            })
        })?;
        Ok(if is_sort { found } else { found.update_data(|now| name.restore(now)) })
    })?;
    if !is_whole {
        return Ok(Transformed::no(node));
    }
    let above = match replaced.data {
        LogicalPlan::Distinct(Distinct::On(mut first)) => {
            first.input = rows.plan.into();
            LogicalPlan::Distinct(Distinct::On(first))
        }
        LogicalPlan::Sort(mut sort) => {
            sort.input = rows.plan.into();
            LogicalPlan::Sort(sort)
        }
        other => {
            let expressions = other.expressions();
            other.with_new_exprs(expressions, vec![rows.plan])?
        }
    };
    let gives_its_input = matches!(node, LogicalPlan::Sort(_) | LogicalPlan::Window(_));
    if !gives_its_input {
        return Ok(Transformed::yes(above));
    }
    let columns = node.schema().columns().into_iter().map(Expr::Column);
    Ok(Transformed::yes(LogicalPlanBuilder::from(above).project(columns)?.build()?))
}

/// What rows are ordered by may be read below the select list: it is given on for that.
fn with_hidden(input: &LogicalPlan, above: &LogicalPlan) -> Result<LogicalPlan> {
    let (LogicalPlan::Projection(list), LogicalPlan::Sort(_)) = (input, above) else {
        return Ok(input.clone());
    };
    let mut hidden: Vec<Expr> = Vec::new();
    above.apply_subqueries(|subquery| {
        for outer in subquery.all_out_ref_exprs() {
            if let Expr::OuterReferenceColumn(_, column) = outer
                && !is_in(&column, &list.schema)
                && is_in(&column, list.input.schema())
            {
                hidden.push(Expr::Column(column));
            }
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Jump)
    })?;
    if hidden.is_empty() {
        return Ok(input.clone());
    }
    let columns = list.expr.iter().cloned().chain(hidden);
    LogicalPlanBuilder::from(list.input.as_ref().clone()).project(columns)?.build()
}

/// The rows that expressions are computed of, with columns that say what was found for each.
struct MarkedRows<'a> {
    plan: LogicalPlan,
    made: &'a mut usize,
}

impl MarkedRows<'_> {
    /// Whether a subquery has rows, as an expression over the rows; `None` where no join says it.
    fn found(&mut self, subquery: &Subquery) -> Result<Option<Expr>> {
        let asked = without_list(&subquery.subquery);
        if let LogicalPlan::Union(union) = asked {
            let mut any = lit(false);
            for input in &union.inputs {
                let outer_ref_columns = input.all_out_ref_exprs();
                let one =
                    Subquery { subquery: input.clone(), outer_ref_columns, spans: subquery.spans.clone() };
                let Some(found) = self.found(&one)? else { return Ok(None) };
                any = any.or(found);
            }
            return Ok(Some(any));
        }
        *self.made += 1;
        let name = format!("__exists_{}", self.made);
        if subquery.outer_ref_columns.is_empty() {
            self.once(asked, &name).map(Some)
        } else {
            self.joined(asked, &name)
        }
    }

    /// What holds for all rows.
    fn once(&mut self, asked: &LogicalPlan, name: &str) -> Result<Expr> {
        let number = count(lit(1_i64));
        let counted = number.schema_name().to_string();
        let any = LogicalPlanBuilder::from(asked.clone())
            .limit(0, Some(1))?
            .aggregate(Vec::<Expr>::new(), vec![number])?
            .project(vec![Expr::Column(Column::new_unqualified(counted)).gt(lit(0_i64)).alias(name)])?
            .build()?;
        let subquery = Subquery {
            subquery: any.into(),
            outer_ref_columns: Vec::new(),
            spans: datafusion::common::Spans::new(),
        };
        let mut columns: Vec<Expr> = self.plan.schema().columns().into_iter().map(Expr::Column).collect();
        columns.push(Expr::ScalarSubquery(subquery).alias(name));
        self.plan = LogicalPlanBuilder::from(self.plan.clone()).project(columns)?.build()?;
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    /// What holds for some rows: those that a row of the subquery fits.
    fn joined(&mut self, asked: &LogicalPlan, name: &str) -> Result<Option<Expr>> {
        let (asked, outer) = OuterColumns::named(format!("{name}_of")).told_apart(asked.clone())?;
        let mut pull_up = PullUpCorrelatedExpr::new().with_exists_sub_query(true);
        let candidates = asked.rewrite(&mut pull_up)?.data;
        if !pull_up.can_pull_up || pull_up.pull_up_having_expr.is_some() {
            return Ok(None);
        }
        let Some(condition) = conjunction(pull_up.join_filters) else { return Ok(None) };
        let (around, within) = (self.plan.schema().clone(), candidates.schema().clone());
        let mut columns: Vec<Column> = Vec::new();
        for column in condition.column_refs() {
            match outer.meant(column) {
                Some(meant) if is_in(meant, &around) => {}
                None if is_in(column, &within) => columns.push(column.clone()),
                // It is from further out.
                _ => return Ok(None),
            }
        }
        columns.sort();
        let own = |column: &Column| {
            let at = columns.iter().position(|one| one == column)?;
            Some(Column::new(Some(name), format!("{name}_{at}")))
        };
        let mut list = vec![lit(true).alias(format!("{name}_row"))];
        for column in &columns {
            if let Some(Column { name, .. }) = own(column) {
                list.push(Expr::Column(column.clone()).alias(name));
            }
        }
        let condition = condition.map_up(&mut |part| {
            Ok(match &part {
                Expr::Column(column) => match outer.meant(column).cloned().or_else(|| own(column)) {
                    Some(column) => Transformed::yes(Expr::Column(column)),
                    None => Transformed::no(part),
                },
                _ => Transformed::no(part),
            })
        })?;
        let candidates = LogicalPlanBuilder::from(candidates).project(list)?.alias(name)?.build()?;
        self.plan = LogicalPlanBuilder::from(self.plan.clone())
            .join_on(candidates, JoinType::LeftMark, Some(condition.data))?
            .build()?;
        Ok(Some(Expr::Column(Column::new(Some(name), "mark"))))
    }
}

fn is_in(column: &Column, schema: &DFSchema) -> bool {
    schema.maybe_index_of_column(column).is_some()
}

/// A subquery without what says nothing of whether it has rows: its columns, their order, and that rows differ.
fn without_list(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Projection(node) => without_list(&node.input),
        LogicalPlan::SubqueryAlias(node) => without_list(&node.input),
        LogicalPlan::Subquery(node) => without_list(&node.subquery),
        LogicalPlan::Sort(node) if node.fetch != Some(0) => without_list(&node.input),
        LogicalPlan::Distinct(Distinct::All(input)) => without_list(input),
        LogicalPlan::Limit(node) if node.skip.is_none() && is_some_rows(node.fetch.as_deref()) => {
            without_list(&node.input)
        }
        other => other,
    }
}

fn is_some_rows(fetch: Option<&Expr>) -> bool {
    matches!(fetch, Some(Expr::Literal(ScalarValue::Int64(Some(1..)), _)))
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    const A: &str = "(values (1, 'a', 10), (2, 'b', 20), (4, 'd', null), (null, 'n', 5)) as a(k, x, v)";
    const B: &str = "(values (2, 'b', 1), (3, 'c', 2), (null, 'm', 9), (4, 'e', 3)) as b(k, y, w)";
    const C: &str = "(values (2), (5)) as c(k)";

    fn of(sql: &str) -> String {
        let tables = |sql: &str| sql.replace("{a}", A).replace("{b}", B).replace("{c}", C);
        rows(&tables(sql))
    }

    #[test]
    fn exists_is_a_column() {
        assert_eq!(
            of("select x, exists (select 1 from {b} where b.k = a.k) as e from {a} order by x"),
            "afalse btrue dtrue nfalse"
        );
        assert_eq!(
            of(
                "select x, not exists (select y as k from {b} where b.k < a.k and b.y <> a.x) as e from {a} order by x"
            ),
            "atrue btrue dfalse ntrue"
        );
        assert_eq!(
            of(
                "select x, exists (select 1 from {b}) as e, exists (select 1 from {b} where w > 100) as f from {a} order by x limit 1"
            ),
            "atruefalse"
        );
        assert_eq!(
            of(
                "select x, exists (select 1 from {b} where b.k = a.k union all select 1 from {c} where c.k = a.k + 1) from {a} order by x"
            ),
            "atrue btrue dtrue nfalse"
        );
        assert_eq!(
            of(
                "select x, exists (select 1 from {b} where b.k = a.k and exists (select 1 from {c} where c.k = b.k)) from {a} order by x"
            ),
            "afalse btrue dfalse nfalse"
        );
    }

    #[test]
    fn a_table_is_looked_up_in_itself() {
        let t = "with t as (select * from {a})";
        assert_eq!(
            of(&format!("{t} select x, k in (select k from t) as e from t order by x")),
            "atrue btrue dtrue n"
        );
        assert_eq!(
            of(&format!("{t} select x, exists (select 1 from t b where b.k > a.k) as e from t a order by x")),
            "atrue btrue dfalse nfalse"
        );
    }

    #[test]
    fn a_comparison_with_any_or_all_is_a_column() {
        let compared = |comparison: &str| of(&format!("select x, {comparison} as e from {{a}} order by x"));
        assert_eq!(compared("k > all (select k from {c})"), "afalse bfalse dfalse n");
        assert_eq!(compared("k >= any (select k from {c})"), "afalse btrue dtrue n");
        assert_eq!(compared("k < all (select k from {b})"), "a bfalse dfalse n");
        assert_eq!(compared("k < any (select k from {b} where k is null)"), "a b d n");
        assert_eq!(compared("k < all (select k from {c} where k > 9)"), "atrue btrue dtrue ntrue");
        assert_eq!(compared("k = any (select k from {c})"), "afalse btrue dfalse n");
        assert_eq!(compared("v > all (select w * 10 from {b} where b.k = a.k)"), "atrue btrue d ntrue");
        assert_eq!(of("select x from {a} order by k > all (select k from {c} where k < 5), x"), "a b d n");
    }

    #[test]
    fn membership_as_a_column_is_true_false_or_null() {
        assert_eq!(
            of(
                "select x, k in (select k from {b}) as e, k not in (select k from {c}) as f from {a} order by x"
            ),
            "atrue btruefalse dtruetrue n"
        );
        assert_eq!(
            of(
                "select x, coalesce(k in (select k from {c}), v = 5) as e, k in (select b.k from {b} where b.y = a.x) as f from {a} order by x"
            ),
            "afalsefalse btruetrue dfalsefalse ntruefalse"
        );
        assert_eq!(
            of("select x, case when k in (select k from {b}) then 'in' else 'out' end from {a} order by x"),
            "aout bin din nout"
        );
    }

    #[test]
    fn they_stand_in_orders_groups_aggregates_windows_and_joins() {
        let found = "exists (select 1 from {b} where b.k = a.k)";
        assert_eq!(of(&format!("select x from {{a}} order by {found} desc, x")), "b d a n");
        assert_eq!(
            of(&format!("select {found} as e, count(*) from {{a}} group by {found} order by 1")),
            "false2 true2"
        );
        assert_eq!(
            of(&format!(
                "select count(*) filter (where {found}), sum(case when k in (select k from {{c}}) then v else 1 end) from {{a}}"
            )),
            "223"
        );
        assert_eq!(
            of(&format!(
                "select x, row_number() over (partition by {found} order by x) as n from {{a}} order by x"
            )),
            "a1 b1 d2 n2"
        );
        assert_eq!(
            of("select x, w from {a} join {b} on a.k = b.k and exists (select 1 from {c} where c.k = a.k)"),
            "b1"
        );
    }
}
