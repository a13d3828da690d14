//! An aggregate is ordered by each expression once.
//!
//! What comes a second time in an ORDER BY decides nothing. The engine leaves it out of the ordering and counts it all the same,
//! and ends with a panic: `first_value(v order by k, k)`, and DISTINCT ON, which it makes such aggregates of.

use crate::tree::{PlanWalk, TreeWalk};
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

/// The plan without the second of two equal expressions to order an aggregate by.
///
/// # Errors
/// Where a node cannot be built.
pub fn order_once(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.map_up_with_subqueries(&mut of_node)?.data)
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Distinct(Distinct::On(mut on)) => {
            let doubled = on.sort_expr.as_mut().is_some_and(leave_once);
            let node = LogicalPlan::Distinct(Distinct::On(on));
            Ok(if doubled { Transformed::yes(node) } else { Transformed::no(node) })
        }
        LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) => {
            let names = NamePreserver::new(&node);
            node.replace_expressions(&mut |expression| {
                let name = names.save(&expression);
                let once = expression.map_up(&mut |part| match part {
                    Expr::AggregateFunction(mut call) => {
                        let doubled = leave_once(&mut call.params.order_by);
                        let call = Expr::AggregateFunction(call);
                        Ok(if doubled { Transformed::yes(call) } else { Transformed::no(call) })
                    }
                    other => Ok(Transformed::no(other)),
                })?;
                Ok(if once.transformed { once.update_data(|now| name.restore(now)) } else { once })
            })
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Whether an expression came more than once, and does no more.
fn leave_once(order: &mut Vec<Sort>) -> bool {
    let before = order.len();
    let mut once: Vec<Sort> = Vec::with_capacity(before);
    for sort in order.drain(..) {
        if !once.iter().any(|earlier| earlier.expr == sort.expr) {
            once.push(sort);
        }
    }
    *order = once;
    order.len() < before
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    #[test]
    fn what_comes_twice_in_an_order_decides_nothing() {
        let t = "(values (1, 3), (1, 2), (2, 5)) t(k, v)";
        for (sql, is) in [
            (format!("select distinct on (k) k, v from {t} order by k, v, v"), "12 25"),
            (format!("select distinct on (k) k, v from {t} order by k, k, t.v desc, v"), "13 25"),
            (
                format!("select k, first_value(v order by v, v desc) as f from {t} group by k order by k"),
                "12 25",
            ),
            (format!("select last_value(v order by k, v, k) as l from {t}"), "5"),
            (format!("select array_agg(v order by v, v) as a from {t}"), "[2,3,5]"),
        ] {
            assert_eq!(rows(&sql), is, "{sql}");
        }
    }
}
