//! Rules of the plan that mend what the engine does otherwise than SQL means.
//!
//! One file a rule. Comes in: a logical plan. Goes out: one with the same columns. Must not know: projects, warehouses.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{Optimizer, OptimizerRule};

use self::held_back::held_back;

pub mod apart;
pub mod bounded_values;
pub mod coerced;
pub mod correlated;
pub mod date_interval;
pub mod division;
pub(crate) mod fallible;
pub mod floats;
pub mod guarded;
pub mod held_back;
pub mod intervals;
pub mod joined_values;
pub mod kept_above;
pub mod keys_of_sure;
pub mod marks;
pub mod membership;
mod mended_rule;
pub mod microseconds;
pub mod narrowing;
pub mod null_safe_keys;
pub mod numbers;
pub mod order_keys;
pub mod order_once;
mod outer_columns;
pub mod overflow;
pub(crate) mod parts;
pub mod places;
pub mod row_keys;
pub mod set_all;
pub mod using;
pub mod whole_days;

/// The plan of a query, just planned, as SQL means it.
///
/// # Errors
/// Where a mended node cannot be built.
pub fn mended(plan: LogicalPlan, reading: division::Meanings) -> Result<LogicalPlan> {
    let told = row_keys::as_written(apart::as_meant(plan)?)?;
    let keyed = set_all::number_equal_rows(using::merge_keys(told)?)?;
    let asked = membership::spell_out(correlated::keep_their_meaning(keyed)?)?;
    let ordered = order_once::order_once(marks::join_what_is_looked_for(asked)?)?;
    let joined = joined_values::as_texts(places::of_one_type(ordered)?)?;
    let replaced = division::replacing_all(joined, reading.replaces_all)?;
    numbers::meet(division::divided(replaced, reading.division)?)
}

/// The optimizer's rules for plans that are run.
pub fn of_execution() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = with_meaning(of_engine());
    rules.push(Arc::new(guarded::GuardedConditions));
    rules.push(Arc::new(bounded_values::RepeatedConstants));
    rules.push(Arc::new(order_keys::OrderedByColumns));
    rules
}

/// The optimizer's rules after which a plan, or a part of it, still gives the rows that SQL means when it is optimized once more to be run.
pub fn of_meaning() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    with_meaning(of_reading())
}

fn with_meaning(
    mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    for rule in &mut rules {
        match rule.name() {
            kept_above::MOVES_DOWN => *rule = Arc::new(kept_above::kept_above(Arc::clone(rule))),
            keys_of_sure::MAKES_KEYS => *rule = Arc::new(keys_of_sure::keys_of_sure(Arc::clone(rule))),
            _ => {}
        }
    }
    // Equal rows are grouped by then, and what is in a subquery is not yet a join.
    let grouped = rules.iter().position(|rule| rule.name() == "replace_distinct_aggregate");
    rules.insert(grouped.map_or(0, |at| at + 1), Arc::new(floats::ComparableFloats));
    rules.insert(0, Arc::new(whole_days::WholeDays));
    rules.insert(1, Arc::new(overflow::CheckedArithmetic));
    rules.insert(2, Arc::new(bounded_values::BoundedValues));
    rules.insert(3, Arc::new(floats::ComparableConstants));
    rules.insert(4, Arc::new(narrowing::NarrowingCasts));
    rules
}

/// The optimizer's rules for plans that are looked at, whose expressions stay in the operators of the SQL. They leave out nothing that decides
/// about rows.
pub fn of_reading() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = of_engine();
    // They count anew in each plan what they name, and what was named before would be taken for it.
    rules.retain(|rule| !NAMING.contains(&rule.name()));
    rules
}

/// Those of the optimizer's rules that decide what is read of a table.
pub fn of_scans() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = of_reading();
    rules.retain(|rule| SCANS.contains(&rule.name()));
    rules
}

/// The engine's rules that bring filters and columns down to tables.
const SCANS: [&str; 2] = ["push_down_filter", "optimize_projections"];

/// The engine's rules that name columns of their own in plans that are optimized already.
const NAMING: [&str; 3] =
    ["common_sub_expression_eliminate", "extract_leaf_expressions", "push_down_leaf_projections"];

/// The engine's rules, mended.
fn of_engine() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = Vec::new();
    for mut rule in Optimizer::new().rules {
        if null_safe_keys::RULES.contains(&rule.name()) {
            rule = Arc::new(held_back(rule, null_safe_keys::is_null_safe));
        }
        if row_keys::USED_BY.contains(&rule.name()) {
            rules.push(Arc::new(row_keys::CertainKeys));
        }
        if rule.name() == "eliminate_duplicated_expr" {
            rule = Arc::new(held_back(rule, row_keys::is_order));
        }
        if rule.name() == "single_distinct_aggregation_to_group_by" {
            rule = Arc::new(held_back(rule, has_plain_sum));
        }
        rules.push(rule);
    }
    rules
}

/// Whether a node sums: the sum of sums is a wider decimal than the sum, and of doubles another number.
fn has_plain_sum(node: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = node else { return false };
    aggregate.aggr_expr.iter().any(|expression| {
        let Expr::AggregateFunction(call) = expression.clone().unalias() else { return false };
        !call.params.distinct && call.func.name() == "sum"
    })
}

#[cfg(test)]
pub(crate) mod executed {
    use std::sync::Arc;

    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::runtime_env::RuntimeEnv;

    use crate::Scope;

    /// What is said of SQL that fails as it runs, or as it is optimized.
    pub(crate) fn failure(sql: &str) -> String {
        let scope = Scope::for_planning();
        let plan = scope.plan(sql).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let ran = runtime.block_on(async {
            scope.context().execute_logical_plan(plan.into_plan()).await.unwrap().collect().await
        });
        ran.unwrap_err().to_string()
    }

    /// The rows that SQL gives, each without blanks and bars.
    pub(crate) fn rows(sql: &str) -> String {
        rows_in(&Scope::for_planning(), sql)
    }

    /// The same, as several threads give them.
    pub(crate) fn rows_by_threads(sql: &str) -> String {
        rows_in(&Scope::new(4, Arc::new(RuntimeEnv::default())), sql)
    }

    /// The same, in a scope.
    pub(crate) fn rows_in(scope: &Scope, sql: &str) -> String {
        let plan = scope.plan(sql).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let batches = runtime
            .block_on(async { scope.context().execute_logical_plan(plan.into_plan()).await?.collect().await })
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let shown = pretty_format_batches(&batches).unwrap().to_string();
        let lines = shown.lines().filter(|line| line.starts_with('|')).skip(1);
        lines.map(|line| line.replace([' ', '|'], "")).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::executed::rows;

    #[test]
    fn sums_beside_distinct_ones_have_the_type_that_they_say() {
        let table = "(select cast(d as decimal(10, 2)) as d, cast(f as double) as f from (values (1.5, 0.1), (2.25, 0.2), (2.25, 0.2)) t(d, f))";
        assert_eq!(
            rows(&format!("select sum(d), sum(distinct d), arrow_typeof(sum(d)) from {table}")),
            "6.003.75Decimal128(20,2)"
        );
        assert_eq!(
            rows(&format!("select sum(f), sum(distinct d), count(distinct d) from {table}")),
            "0.53.752"
        );
        assert_eq!(rows(&format!("select max(f), count(distinct d) from {table}")), "0.22");
    }
}
