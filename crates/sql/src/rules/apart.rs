//! Expressions that the planner gives one name are kept apart while it plans.
//!
//! It names the columns of groups, aggregates and windows after their expressions, and the names leave casts and brackets out:
//! `sum(k)` and `sum(cast(k as double))` are one name, as are `a - b + 1` and `a - (b + 1)`. What SQL says in two ways is put into
//! a call here ([`crate::syntax`] writes it), whose name says all, and which is taken away once all is planned.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, GroupingSet, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::parts;
use crate::syntax::APART;
use crate::tree::{PlanWalk, TreeWalk};

/// The function that stands around an expression, with a number of its own.
pub fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(ApartFunction { signature: Signature::any(2, Volatility::Immutable) })
}

/// The plan without such calls, its columns under the names that they were given.
///
/// # Errors
/// Where a node cannot be built.
pub fn as_meant(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut any = false;
    plan.walk_with_subqueries(&mut |node| {
        node.walk_expressions(&mut |expression| {
            any |= is_apart(expression)?;
            Ok(parts::until(any))
        })?;
        Ok(parts::until(any))
    })?;
    if !any {
        return Ok(plan);
    }
    Ok(plan
        .map_up_with_subqueries(&mut |node| {
            let names = NamePreserver::new(&node);
            node.replace_expressions(&mut |expression| {
                if !is_apart(&expression)? {
                    return Ok(Transformed::no(expression));
                }
                if let Expr::GroupingSet(sets) = expression {
                    return Ok(Transformed::yes(Expr::GroupingSet(in_sets(sets)?)));
                }
                let name = names.save(&expression);
                let meant = expression.map_up(&mut |part| Ok(without(part)))?;
                Ok(meant.update_data(|meant| name.restore(meant)))
            })
        })?
        .data)
}

fn is_apart(expression: &Expr) -> Result<bool> {
    expression.any_node(&mut |part| match part {
        Expr::ScalarFunction(call) => Ok(call.func.inner().is::<ApartFunction>()),
        _ => Ok(false),
    })
}

fn without(part: Expr) -> Transformed<Expr> {
    match part {
        Expr::ScalarFunction(mut call)
            if call.func.inner().is::<ApartFunction>() && !call.args.is_empty() =>
        {
            Transformed::yes(call.args.swap_remove(0))
        }
        other => Transformed::no(other),
    }
}

/// A set of groups has no name of its own; what it groups by has.
fn in_sets(sets: GroupingSet) -> Result<GroupingSet> {
    let key = |key: Expr| {
        if !is_apart(&key)? {
            return Ok(key);
        }
        let name = key.schema_name().to_string();
        Ok(key.map_up(&mut |part| Ok(without(part)))?.data.alias(name))
    };
    let keys = |keys: Vec<Expr>| keys.into_iter().map(key).collect::<Result<Vec<_>>>();
    Ok(match sets {
        GroupingSet::Rollup(all) => GroupingSet::Rollup(keys(all)?),
        GroupingSet::Cube(all) => GroupingSet::Cube(keys(all)?),
        GroupingSet::GroupingSets(sets) => {
            GroupingSet::GroupingSets(sets.into_iter().map(keys).collect::<Result<_>>()?)
        }
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ApartFunction {
    signature: Signature,
}

impl ScalarUDFImpl for ApartFunction {
    fn name(&self) -> &'static str {
        APART
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let [one, _] = types { Ok(one.clone()) } else { plan_err!("{APART} takes a value and a number") }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let [one, _] = arguments.arg_fields {
            Ok(Arc::clone(one))
        } else {
            plan_err!("{APART} takes a value and a number")
        }
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let [value, number] = arguments else { return Ok(APART.to_owned()) };
        // What belongs together is not always shown, and of a subquery nothing is.
        let mut is_half_shown = |part: &Expr| {
            Ok(matches!(
                part,
                Expr::BinaryExpr(_) | Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_)
            ))
        };
        Ok(if value.any_node(&mut is_half_shown)? { format!("{value} #{number}") } else { value.to_string() })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(value) = arguments.args.into_iter().next() {
            Ok(value)
        } else {
            plan_err!("{APART} takes a value and a number")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    const T: &str = "(values (1, true, 10), (2, false, 20), (2, true, null)) as t(k, f, v)";

    fn of(sql: &str) -> String {
        rows(&sql.replace("{t}", T))
    }

    #[test]
    fn groups_by_a_column_and_by_a_cast_of_it_are_two_keys() {
        for keys in ["cast(f as int), f", "f, f::integer", "1, 2", "a, b"] {
            assert_eq!(
                of(&format!(
                    "select cast(f as int) as a, f as b, count(*) as n from {{t}} group by {keys} order by 1"
                )),
                "0false1 1true2",
                "{keys}"
            );
        }
        assert_eq!(
            of(
                "select cast(f as int) as a, f as b, count(*) as n from {t} group by rollup (cast(f as int), f) having cast(f as int) = 1 order by cast(f as int), f nulls last"
            ),
            "1true2 12"
        );
        assert_eq!(
            of("select distinct on (cast(f as int), f) f, k from {t} order by cast(f as int), f, k"),
            "false2 true1"
        );
    }

    #[test]
    fn aggregates_and_windows_of_a_column_and_of_a_cast_of_it_are_two() {
        assert_eq!(
            of(
                "select sum(k) as a, sum(cast(k as double)) as b, count(distinct k) as c, count(distinct cast(k > 1 as int)) as d, count(distinct k > 1) as e from {t}"
            ),
            "55.0222"
        );
        assert_eq!(
            of(
                "select sum(k) over (partition by f order by v) as a, sum(k) over (partition by cast(f as int) order by v) as b, v from {t} order by v"
            ),
            "1110 2220 33"
        );
        assert_eq!(
            of(
                "select k, sum(v) over w as a, sum(v) over u as b from {t} window w as (partition by k), u as (partition by cast(k as varchar)) order by k, v"
            ),
            "11010 22020 22020"
        );
    }

    #[test]
    fn what_differs_by_brackets_or_in_a_subquery_is_two() {
        assert_eq!(of("select sum(v - k + 1) as a, sum(v - (k + 1)) as b from {t}"), "2925");
        assert_eq!(
            of(
                "select v - k + 1 as a, v - (k + 1) as b, count(*) as n from {t} group by v - k + 1, v - (k + 1) order by 1"
            ),
            "1081 19171 1"
        );
        assert_eq!(
            of(
                "select max((select max(k) from {t})) as a, max((select max(v) as k from {t})) as b, max((select min(k) from {t})) as c from {t}"
            ),
            "2201"
        );
    }
}
