//! What `/` of two exact numbers gives: engines differ.
//!
//! PostgreSQL and Trino cut off, as the engine does: `7 / 2` is 3. DuckDB, Snowflake, BigQuery and Spark give 3.5, and SQL that was
//! written for one of them means that.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast, lit};

use super::parts::replaced;
use crate::tree::{PlanWalk, TreeWalk};

/// What `/` of two whole numbers is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Division {
    /// A whole number, cut off.
    #[default]
    Whole,
    /// A double, and so is that of decimals.
    Fraction,
}

/// What SQL means where engines read the same text otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meanings {
    /// What `/` of two whole numbers is.
    pub division: Division,
    /// Whether `regexp_replace` of three arguments replaces all that is found: in PostgreSQL and DuckDB the first alone, elsewhere all.
    pub replaces_all: bool,
}

/// The plan in which `regexp_replace` replaces all that is found, where no flags say what it does.
///
/// # Errors
/// Where a mended node cannot be built.
pub fn replacing_all(plan: LogicalPlan, replaces_all: bool) -> Result<LogicalPlan> {
    let is_replacing = |part: &Expr| match part {
        Expr::ScalarFunction(call) => call.func.name() == "regexp_replace" && call.args.len() == 3,
        _ => false,
    };
    if !replaces_all {
        return Ok(plan);
    }
    let made = plan.map_up_with_subqueries(&mut |node| {
        replaced(node, is_replacing, |part, _| match part {
            Expr::ScalarFunction(mut call) if is_replacing(&Expr::ScalarFunction(call.clone())) => {
                call.args.push(lit("g"));
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        })
    })?;
    Ok(made.data)
}

/// The plan in which `/` means what is said.
///
/// # Errors
/// Where a mended node cannot be built.
pub fn divided(plan: LogicalPlan, division: Division) -> Result<LogicalPlan> {
    if division == Division::Whole {
        return Ok(plan);
    }
    let mut has_changed = false;
    let made = plan.map_up_with_subqueries(&mut |node| {
        // What is above a node that changed has other types too.
        let node = if has_changed { node.recompute_schema()? } else { node };
        let made = replaced(node, is_division, in_fractions)?;
        has_changed |= made.transformed;
        if made.transformed { made.map_data(LogicalPlan::recompute_schema) } else { Ok(made) }
    });
    Ok(made?.data)
}

/// Whether a plan divides a whole number by another one.
///
/// # Errors
/// None of its own; to go through a plan returns a `Result`.
pub fn divides_whole_numbers(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.walk_with_subqueries(&mut |node| {
        let schema = merge_schema(&node.inputs());
        node.walk_expressions(&mut |expression| {
            expression.walk(&mut |part| {
                found |= operands(part).is_some_and(|operands| {
                    operands.iter().all(|of| of.get_type(&schema).is_ok_and(|of| of.is_integer()))
                });
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    Ok(found)
}

fn operands(part: &Expr) -> Option<[&Expr; 2]> {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => Some([left, right]),
        _ => None,
    }
}

fn is_division(part: &Expr) -> bool {
    operands(part).is_some()
}

#[expect(clippy::unnecessary_wraps, reason = "the parts of a node are replaced by what can fail")]
fn in_fractions(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_exact = |of: &Expr| of.get_type(schema).is_ok_and(|of| of.is_integer() || of.is_decimal());
    if !operands(&part).is_some_and(|operands| operands.into_iter().all(is_exact)) {
        return Ok(Transformed::no(part));
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else { return Ok(Transformed::no(part)) };
    let double = |of: Box<Expr>| Box::new(cast(*of, DataType::Float64));
    Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: double(left), op, right: double(right) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::rules::executed::rows_in;

    #[test]
    fn whole_numbers_give_what_the_dialect_says() {
        let sql = "with t(a, b) as (values (7, 2), (-7, 2)) select a / b, sum(a / b), a / 2.0 from t where a / b in (select 7 / 2) or a < 0 group by a, b order by a";
        let fractions =
            Scope::for_planning().reading(Meanings { division: Division::Fraction, replaces_all: false });
        insta::assert_snapshot!(rows_in(&Scope::for_planning(), sql), @"-3-3-3.5 333.5");
        insta::assert_snapshot!(rows_in(&fractions, sql), @"-3.5-3.5-3.5 3.53.53.5");
    }

    #[test]
    fn a_plan_says_whether_it_divides_whole_numbers() {
        let divides =
            |sql: &str| divides_whole_numbers(&Scope::for_planning().plan(sql).unwrap().into_plan()).unwrap();
        assert!(divides("select 1 from (values (7)) t(a) where exists (select 1 where a / 2 = 3)"));
        assert!(!divides("select a / 2.0, cast(a as double) / 2 from (values (7)) t(a)"));
    }

    #[test]
    fn what_a_pattern_finds_is_replaced_once_or_everywhere() {
        let sql =
            "select regexp_replace('a1b2', '[0-9]', '') as t, regexp_replace('a1b2', '[0-9]', '', 'g') as u";
        assert_eq!(rows_in(&Scope::for_planning(), sql), "ab2ab");
        let everywhere =
            Scope::for_planning().reading(Meanings { division: Division::Whole, replaces_all: true });
        assert_eq!(rows_in(&everywhere, sql), "abab");
    }
}
