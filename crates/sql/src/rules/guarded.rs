//! What may fail is computed only for rows that the conditions before it leave.
//!
//! SQL does not say in which order conditions are evaluated, but `k <> 0 and 10 / k > 1` divides by nothing in Postgres and DuckDB.
//! The engine evaluates both sides of AND and OR for all rows of a batch, unless few are left after the first, and makes AND and
//! OR of a CASE of truth values. Runs last of the optimizer's rules, once filters are where they stay.
//!
//! Of the conditions of a filter, or of a join's ON, those that cannot fail come first, whatever their order in the SQL: those of
//! views are merged with it.

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, binary_expr, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::fallible::may_fail;
use crate::tree::{PlanWalk, TreeWalk};

/// The rule.
#[derive(Debug)]
pub struct GuardedConditions;

/// Conditions that are guarded one by the other; of more, as a machine writes them, only by those that cannot fail.
const MOST_NESTED: usize = 32;

impl OptimizerRule for GuardedConditions {
    fn name(&self) -> &'static str {
        "guarded_conditions"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if matches!(plan, LogicalPlan::TableScan(_)) || !has_conditions(&plan)? {
            return Ok(Transformed::no(plan));
        }
        let inputs = plan.inputs();
        let schema = if inputs.is_empty() { plan.schema().as_ref().clone() } else { merge_schema(&inputs) };
        let names = NamePreserver::new(&plan);
        // The keys of a join are values; what else it asks is a condition.
        let values = match &plan {
            LogicalPlan::Filter(_) => 0,
            LogicalPlan::Join(join) => 2 * join.on.len(),
            _ => usize::MAX,
        };
        let mut place = 0;
        plan.replace_expressions(&mut |expression| {
            let is_condition = place >= values;
            place += 1;
            if !may_fail(&expression, &schema)? {
                return Ok(Transformed::no(expression));
            }
            let name = names.save(&expression);
            let bare = expression.map_up(&mut |part| Ok(without_guard(part)))?.data;
            let guarded = if is_condition { filter(bare, &schema)? } else { guarded(bare, &schema)? };
            Ok(Transformed::yes(name.restore(guarded)))
        })
    }
}

/// Whether there is an AND, an OR, or what the optimizer or this rule has made of one.
fn has_conditions(plan: &LogicalPlan) -> Result<bool> {
    let mut any = false;
    plan.walk_expressions(&mut |expression| {
        any |= expression.any_node(&mut |part| {
            Ok(matches!(
                part,
                Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) | Expr::Case(_)
            ))
        })?;
        Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(any)
}

/// A filter: rows for which it is NULL are left out too.
fn filter(predicate: Expr, schema: &DFSchema) -> Result<Expr> {
    let mut sure = Vec::new();
    let mut fallible = Vec::new();
    let mut rest = vec![predicate];
    while let Some(condition) = rest.pop() {
        rest.extend(split_conjunction_owned(condition).into_iter().rev());
        let Some(condition) = rest.pop() else { break };
        if let Some((when, then)) = only_where(&condition) {
            rest.push(then);
            rest.push(when);
            continue;
        }
        let condition = guarded(condition, schema)?;
        let list = if may_fail(&condition, schema)? { &mut fallible } else { &mut sure };
        if !list.contains(&condition) {
            list.push(condition);
        }
    }
    let only_if = |when: Expr, then: Expr| {
        Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(Box::new(when), Box::new(then))],
            else_expr: Some(Box::new(lit(false))),
        })
    };
    let nested = if fallible.len() <= MOST_NESTED {
        fallible.into_iter().rev().reduce(|after, before| only_if(before, after))
    } else {
        conjunction(fallible)
    };
    let predicate = match (conjunction(sure), nested) {
        (Some(sure), Some(nested)) => sure.clone().and(only_if(sure, nested)),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => lit(true),
    };
    Ok(predicate)
}

/// The conditions of which a CASE is both: `case when a then b else false end`, which a filter takes for `a and b`.
fn only_where(condition: &Expr) -> Option<(Expr, Expr)> {
    let Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(otherwise) }) = condition else {
        return None;
    };
    match (when_then_expr.as_slice(), otherwise.as_ref()) {
        ([(when, then)], Expr::Literal(ScalarValue::Boolean(Some(false) | None), _)) => {
            Some((when.as_ref().clone(), then.as_ref().clone()))
        }
        _ => None,
    }
}

/// An expression in which the second side of AND and OR is evaluated only where the first does not decide.
fn guarded(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    let guarded = expression.map_up(&mut |part| {
        let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) = part
        else {
            return Ok(Transformed::no(part));
        };
        if !may_fail(&right, schema)? {
            return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
        }
        Ok(Transformed::yes(with_guard(*left, op, *right)))
    })?;
    Ok(guarded.data)
}

/// An AND or OR as a CASE, which evaluates what follows for the rows that come to it. Where the left side is NULL, the right one
/// counts: NULL and false is false.
fn with_guard(left: Expr, op: Operator, right: Expr) -> Expr {
    let null = lit(ScalarValue::Boolean(None));
    let of_null = binary_expr(right.clone(), op, null);
    let (if_true, if_false) = if op == Operator::And { (right, lit(false)) } else { (lit(true), right) };
    Expr::Case(Case {
        expr: Some(Box::new(left)),
        when_then_expr: vec![
            (Box::new(lit(true)), Box::new(if_true)),
            (Box::new(lit(false)), Box::new(if_false)),
        ],
        else_expr: Some(Box::new(of_null)),
    })
}

/// The AND or OR that a guard was made of by an earlier pass of the optimizer.
fn without_guard(part: Expr) -> Transformed<Expr> {
    if let Expr::Case(Case { expr: Some(left), when_then_expr, else_expr: Some(otherwise) }) = &part
        && let Expr::BinaryExpr(BinaryExpr { left: right, op: op @ (Operator::And | Operator::Or), .. }) =
            otherwise.as_ref()
        && with_guard(left.as_ref().clone(), *op, right.as_ref().clone()) == part
        && !when_then_expr.is_empty()
    {
        return Transformed::yes(binary_expr(left.as_ref().clone(), *op, right.as_ref().clone()));
    }
    Transformed::no(part)
}
