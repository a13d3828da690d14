//! How many decimals `round` and `trunc` leave is written in the type that they take.
//!
//! `round(price, 1)` has one decimal where the 1 is a literal. The analyzer casts it, and then the type has as many decimals as `price`;
//! the optimizer makes a literal of it again, and what was planned with the one type is run with the other and fails.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};

use super::parts::replaced;
use crate::tree::PlanWalk;

/// The plan in which nothing is left to cast.
///
/// # Errors
/// Where a mended node cannot be built.
pub fn of_one_type(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.map_up_with_subqueries(&mut of_node)?.data)
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    replaced(node, |part| places(part).is_some(), |part, _| Ok(of_expression(part)))
}

fn of_expression(mut part: Expr) -> Transformed<Expr> {
    let Some(places) = places(&part) else { return Transformed::no(part) };
    if let Expr::ScalarFunction(ScalarFunction { args, .. }) = &mut part {
        args[1] = lit(places);
    }
    Transformed::yes(part)
}

/// The decimals that a call leaves, where they are written as an integer of another type than the function takes.
fn places(part: &Expr) -> Option<i32> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = part else { return None };
    let ("round" | "trunc", [_, places]) = (func.name(), args.as_slice()) else { return None };
    match places {
        Expr::Literal(ScalarValue::Int64(Some(places)), _) => i32::try_from(*places).ok(),
        Expr::Negative(places) => match places.as_ref() {
            Expr::Literal(ScalarValue::Int64(Some(places)), _) => i32::try_from(-*places).ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    #[test]
    fn what_is_rounded_is_computed_with_and_compared() {
        let t = "(values (cast(1.25 as decimal(10,2)), 3), (-7.77, 2)) t(m, k)";
        assert_eq!(
            rows(&format!(
                "select round(m, 1) - k, round(m, 1) * k, abs(round(m, 0) + 1) from {t} order by k desc"
            )),
            "-1.73.92 -9.8-15.67"
        );
        assert_eq!(rows(&format!("select k from {t} where round(m, 1) = 1.3 or round(m, 0) = m")), "3");
        assert_eq!(
            rows(&format!("select round(m, 1), count(*) from {t} group by round(m, 1) order by 1")),
            "-7.81 1.31"
        );
        assert_eq!(rows(&format!("select sum(round(m, 1)), max(round(m, -1)) from {t}")), "-6.50");
    }
}
