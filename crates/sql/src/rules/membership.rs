//! IN with a subquery is true, false or NULL.
//!
//! Where the engine cannot make a join of it, it asks whether an equal row is there, and takes a NULL that might be equal for
//! no. That decides nothing where only what is true counts: as a condition, on a side of AND and OR, as a branch of CASE. Anywhere
//! else (below NOT, IS NULL, a comparison, `coalesce`) the membership is spelled out here with EXISTS, which is never NULL. So
//! is NOT IN with a subquery that reads the query around it, for which the engine has no join.

use std::sync::Arc;

use crate::tree::{PlanWalk, TreeWalk};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, ExprSchema as _, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr, lit,
    not,
};

/// The plan in which conditions ask for membership as SQL means it.
///
/// # Errors
/// Where what is looked for holds a subquery itself, or a column from further out.
pub fn spell_out(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .map_up_with_subqueries(&mut |node| match node {
            LogicalPlan::Filter(filter) => of_filter(filter),
            other => Ok(Transformed::no(other)),
        })?
        .data)
}

fn of_filter(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let mut has_membership = |part: &Expr| Ok(matches!(part, Expr::InSubquery(_)));
    if !filter.predicate.any_node(&mut has_membership)? {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let schema = filter.input.schema().clone();
    let predicate = condition(filter.predicate, &schema, TruthPosition::Alone)?;
    Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?)))
}

/// Where a condition stands of which only counts whether it is true.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TruthPosition {
    /// It is the whole condition, or a part that all others are joined to by AND: the engine makes a join of it.
    Alone,
    /// Beside others.
    Beside,
}

fn condition(expression: Expr, schema: &DFSchema, standing: TruthPosition) -> Result<Expr> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let standing = if op == Operator::And { standing } else { TruthPosition::Beside };
            let left = condition(*left, schema, standing)?.into();
            let right = condition(*right, schema, standing)?.into();
            Ok(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::IsTrue(inner) => Ok(Expr::IsTrue(condition(*inner, schema, TruthPosition::Beside)?.into())),
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(membership) => {
                let negated = !membership.negated;
                condition(Expr::InSubquery(InSubquery { negated, ..membership }), schema, standing)
            }
            other => Ok(not(value(other, schema)?)),
        },
        Expr::InSubquery(membership) => {
            let is_join = standing == TruthPosition::Alone
                && membership.subquery.outer_ref_columns.is_empty()
                && is_of_columns(&membership.expr);
            if !membership.negated || is_join {
                return Ok(Expr::InSubquery(membership));
            }
            spelled_out(membership, schema)
        }
        Expr::Case(Case { expr: None, when_then_expr, else_expr }) => {
            let branches = when_then_expr.into_iter().map(|(when, then)| {
                let when = condition(*when, schema, TruthPosition::Beside)?;
                Ok((Box::new(when), Box::new(value(*then, schema)?)))
            });
            let otherwise = else_expr.map(|otherwise| value(*otherwise, schema)).transpose()?;
            Ok(Expr::Case(Case {
                expr: None,
                when_then_expr: branches.collect::<Result<_>>()?,
                else_expr: otherwise.map(Box::new),
            }))
        }
        other => value(other, schema),
    }
}

/// Whether what is looked for is computed of columns, whatever the optimizer makes of it. Of a constant the engine's join has no key, and without a
/// key it takes NULL for no.
fn is_of_columns(sought: &Expr) -> bool {
    use Operator::{Divide, Minus, Multiply, Plus, StringConcat};
    match sought {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_of_columns(&alias.expr),
        Expr::Cast(cast) => is_of_columns(&cast.expr),
        Expr::TryCast(cast) => is_of_columns(&cast.expr),
        Expr::Negative(inner) => is_of_columns(inner),
        Expr::BinaryExpr(BinaryExpr { left, op: Plus | Minus | Multiply | Divide | StringConcat, right }) => {
            is_of_columns(left) || is_of_columns(right)
        }
        _ => false,
    }
}

/// An expression that is computed of rows in which memberships are spelled out, whatever they are for.
///
/// # Errors
/// As [`spell_out`].
pub(super) fn in_value(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    let compared = expression.map_up(&mut |part| match part {
        Expr::SetComparison(comparison) => Ok(Transformed::yes(compared(comparison, schema)?)),
        other => Ok(Transformed::no(other)),
    })?;
    let spelled = value(compared.data, schema)?.map_down(&mut |part| match part {
        // As a branch of CASE: only what is true counts.
        Expr::InSubquery(membership) => {
            Ok(Transformed::new(Expr::Exists(equal(membership, schema)?), true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(spelled.data)
}

/// An expression whose NULL is another value than false.
fn value(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    let spelled = expression.map_down(&mut |part| match part {
        Expr::InSubquery(membership) => {
            Ok(Transformed::new(spelled_out(membership, schema)?, true, TreeNodeRecursion::Jump))
        }
        // Of its own, which a branch that is not taken does not reach.
        case @ Expr::Case(Case { expr: None, .. }) => Ok(Transformed::new(
            condition(case, schema, TruthPosition::Beside)?,
            true,
            TreeNodeRecursion::Jump,
        )),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(spelled.data)
}

/// `an equal row is there OR (NULL AND (it is NULL and there is a row OR a row is NULL))`.
fn spelled_out(membership: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let negated = membership.negated;
    let (sought, columns) = from_within(membership.expr.as_ref().clone(), schema)?;
    let subquery = membership.subquery.clone();
    let candidate = candidate(&subquery)?;
    let rows = subquery.subquery.clone();
    let null = LogicalPlanBuilder::from(rows.clone()).filter(candidate.is_null())?.build()?;
    let null = exists(&subquery, null, &[]);
    let any = if subquery.outer_ref_columns.is_empty() {
        // Asked once, and not of each row.
        membership.expr.as_ref().clone().is_null().and(Expr::Exists(exists(
            &subquery,
            Arc::unwrap_or_clone(rows),
            &[],
        )))
    } else {
        let any = LogicalPlanBuilder::from(rows).filter(sought.is_null())?.build()?;
        Expr::Exists(exists(&subquery, any, &columns))
    };
    let unknown = any.or(Expr::Exists(null));
    let found = Expr::Exists(equal(membership, schema)?);
    let membership = found.or(lit(ScalarValue::Boolean(None)).and(unknown));
    Ok(if negated { not(membership) } else { membership })
}

/// `an equal row is there`.
fn equal(membership: InSubquery, schema: &DFSchema) -> Result<Exists> {
    let InSubquery { expr, subquery, .. } = membership;
    let (sought, columns) = from_within(*expr, schema)?;
    let candidate = candidate(&subquery)?;
    let rows = LogicalPlanBuilder::from(subquery.subquery.clone()).filter(candidate.eq(sought))?.build()?;
    Ok(exists(&subquery, rows, &columns))
}

/// `x > ANY (SELECT …)`: a row for which it holds is there OR (NULL AND one for which it is not known). ALL is that there is no row for which
/// it does not hold.
fn compared(comparison: SetComparison, schema: &DFSchema) -> Result<Expr> {
    let SetComparison { expr, subquery, op, quantifier } = comparison;
    let (sought, columns) = from_within(*expr, schema)?;
    let holds = binary_expr(sought, op, candidate(&subquery)?);
    let is_of_all = quantifier == SetQuantifier::All;
    let decides =
        if is_of_all { Expr::IsFalse(holds.clone().into()) } else { Expr::IsTrue(holds.clone().into()) };
    let there_is = |condition: Expr| -> Result<Expr> {
        let rows = LogicalPlanBuilder::from(subquery.subquery.clone()).filter(condition)?.build()?;
        Ok(Expr::Exists(exists(&subquery, rows, &columns)))
    };
    let unknown = lit(ScalarValue::Boolean(None)).and(there_is(holds.is_null())?);
    let decided = there_is(decides)?.or(unknown);
    Ok(if is_of_all { not(decided) } else { decided })
}

/// The one column of a subquery.
fn candidate(subquery: &Subquery) -> Result<Expr> {
    if let Some(column) = subquery.subquery.schema().columns().into_iter().next() {
        Ok(Expr::Column(column))
    } else {
        plan_err!("a subquery of IN gives one column")
    }
}

/// That rows are there, which are picked by these further columns of the query around.
fn exists(subquery: &Subquery, rows: LogicalPlan, further: &[Expr]) -> Exists {
    let mut outer_ref_columns = subquery.outer_ref_columns.clone();
    outer_ref_columns
        .extend(further.iter().filter(|column| !subquery.outer_ref_columns.contains(column)).cloned());
    let subquery = Subquery { subquery: Arc::new(rows), outer_ref_columns, spans: subquery.spans.clone() };
    Exists { subquery, negated: false }
}

/// An expression as the subquery says it, and the columns that it reads of the query around it.
fn from_within(expression: Expr, schema: &DFSchema) -> Result<(Expr, Vec<Expr>)> {
    let mut columns: Vec<Expr> = Vec::new();
    let within = expression.map_up(&mut |part| match part {
        Expr::Column(column) => {
            let field = schema.field_from_column(&column)?;
            let outer = Expr::OuterReferenceColumn(field.clone(), column);
            if !columns.contains(&outer) {
                columns.push(outer.clone());
            }
            Ok(Transformed::yes(outer))
        }
        Expr::OuterReferenceColumn(..)
        | Expr::ScalarSubquery(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_) => {
            plan_err!("IN, ANY and ALL with a subquery ask here for a value that is read from further out; join the tables instead")
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok((within.data, columns))
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    const OUTER: &str = "(values (1, 1), (2, 1), (null, 1), (1, 2), (2, 2), (null, 3)) as t(x, k)";
    const INNER: &str = "(values (1, 1), (null, 2), (3, 2)) as s(y, k)";

    /// The rows of `x` and `k` for which a condition holds; `{all}` and `{own}` are subqueries.
    fn which(condition: &str) -> String {
        let condition = condition
            .replace("{all}", &format!("(select y from {INNER})"))
            .replace("{known}", &format!("(select y from {INNER} where y is not null)"))
            .replace("{none}", &format!("(select y from {INNER} where y > 9)"))
            .replace("{own}", &format!("(select y from {INNER} where s.k = t.k)"));
        rows(&format!("select coalesce(x, 0) * 10 + k as row from {OUTER} where {condition} order by 1"))
    }

    #[test]
    fn a_membership_that_is_not_known_is_null() {
        assert_eq!(which("(x in {all}) is null"), "1 3 21 22");
        assert_eq!(which("(x not in {all}) is null"), "1 3 21 22");
        assert_eq!(which("(x in {known}) is null"), "1 3");
        assert_eq!(which("(x not in {known}) is not true"), "1 3 11 12");
        assert_eq!(which("(x in {none}) is null"), "");
        assert_eq!(which("coalesce(x in {known}, k = 3)"), "3 11 12");
        assert_eq!(which("(x + 1 in {known}) = false"), "11 12");
    }

    #[test]
    fn a_constant_is_not_in_what_holds_a_null() {
        for sought in ["100", "coalesce(100, x)", "case when true then 100 else x end", "nullif(100, 3)"] {
            assert_eq!(which(&format!("{sought} not in {{all}}")), "", "{sought}");
            assert_eq!(which(&format!("{sought} not in {{known}}")), "1 3 11 12 21 22", "{sought}");
            assert_eq!(which(&format!("{sought} not in {{none}}")), "1 3 11 12 21 22", "{sought}");
            assert_eq!(which(&format!("k = 3 and {sought} not in {{known}}")), "3", "{sought}");
        }
        assert_eq!(which("3 not in {all}"), "");
        assert_eq!(which("3 not in {known}"), "");
        assert_eq!(which("cast(null as bigint) not in {known}"), "");
        assert_eq!(which("cast(null as bigint) not in {none}"), "1 3 11 12 21 22");
        assert_eq!(which("100 in {all}"), "");
        assert_eq!(which("3 in {all}"), "1 3 11 12 21 22");
    }

    #[test]
    fn not_in_beside_others_leaves_out_what_is_not_known() {
        assert_eq!(which("x not in {all} or k = 3"), "3");
        assert_eq!(which("x not in {known} or k = 3"), "3 21 22");
        assert_eq!(which("not (x in {known} or k = 2)"), "21");
        assert_eq!(which("x not in {none} and k = 1"), "1 11 21");
        assert_eq!(
            which("case when x not in {known} then true when x in {known} then false else k = 1 end"),
            "1 21 22"
        );
    }

    #[test]
    fn a_subquery_that_reads_the_query_around_it_is_asked_for_each_row() {
        assert_eq!(which("x in {own}"), "11");
        assert_eq!(which("x not in {own}"), "3 21");
        assert_eq!(which("not (x in {own})"), "3 21");
        assert_eq!(which("x not in {own} or k = 2"), "3 12 21 22");
        assert_eq!(which("(x in {own}) is null"), "1 12 22");
    }
}
