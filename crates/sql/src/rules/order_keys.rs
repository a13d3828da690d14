//! What rows are ordered by is a column.
//!
//! The engine checks of a plan that the rows of a sort, a window or an ordered aggregate come in the order that it asked for. For
//! that it asks each function whether it keeps the order of what it is given: `sqrt`, `ln` and their like answer with an error
//! where that may be out of their domain, and so does a comparison of what a function gives. Then an order that is there is
//! not found, and the plan is refused, by chance only where it is run by several threads. A column has no such questions: all
//! other keys are computed below. Runs once the conditions in them are guarded.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{Sort as SortKey, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, Sort, Window};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::comparable::Comparable;
use crate::tree::TreeWalk;

/// The rule.
#[derive(Debug)]
pub struct OrderedByColumns;

impl OptimizerRule for OrderedByColumns {
    fn name(&self) -> &'static str {
        "ordered_by_columns"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Sort(sort) => of_sort(sort),
            LogicalPlan::Window(window) => of_window(window),
            LogicalPlan::Aggregate(aggregate) => of_aggregate(aggregate),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn of_sort(Sort { mut expr, input, fetch }: Sort) -> Result<Transformed<LogicalPlan>> {
    let mut keys = OrderKeys::above(&input);
    for key in &mut expr {
        keys.take(&mut key.expr);
    }
    if keys.computed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Sort(Sort { expr, input, fetch })));
    }
    let columns = columns_of(&input);
    let sorted = LogicalPlan::Sort(Sort { expr, input: keys.below(input)?.into(), fetch });
    let plan = LogicalPlan::Projection(Projection::try_new(columns, sorted.into())?);
    Ok(Transformed::yes(plan))
}

fn of_window(window: Window) -> Result<Transformed<LogicalPlan>> {
    let mut keys = OrderKeys::above(&window.input);
    let window_expr = with_keys(&LogicalPlan::Window(window.clone()), &window.window_expr, &mut keys)?;
    if keys.computed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    let columns = window.schema.columns().into_iter().map(Expr::Column).collect();
    let windowed = LogicalPlan::Window(Window::try_new(window_expr, keys.below(window.input)?.into())?);
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, windowed.into())?)))
}

fn of_aggregate(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let mut keys = OrderKeys::above(&aggregate.input);
    let plan = LogicalPlan::Aggregate(aggregate.clone());
    let aggr_expr = with_keys(&plan, &aggregate.aggr_expr, &mut keys)?;
    if keys.computed.is_empty() {
        return Ok(Transformed::no(plan));
    }
    let input = keys.below(aggregate.input)?.into();
    let aggregate = Aggregate::try_new(input, aggregate.group_expr, aggr_expr)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

/// The expressions of a node, under their names, with columns for what windows and aggregates in them are ordered by.
fn with_keys(node: &LogicalPlan, expressions: &[Expr], keys: &mut OrderKeys) -> Result<Vec<Expr>> {
    let names = NamePreserver::new(node);
    let replaced = expressions.iter().map(|expression| {
        let name = names.save(expression);
        let replaced = expression.clone().map_up(&mut |part| Ok(in_call(part, keys)))?;
        Ok(if replaced.transformed { name.restore(replaced.data) } else { replaced.data })
    });
    replaced.collect()
}

fn in_call(part: Expr, keys: &mut OrderKeys) -> Transformed<Expr> {
    let mut any = false;
    let part = match part {
        Expr::WindowFunction(mut call) => {
            let WindowFunction { params, .. } = call.as_mut();
            for key in &mut params.partition_by {
                any |= keys.take(key);
            }
            for SortKey { expr, .. } in &mut params.order_by {
                any |= keys.take(expr);
            }
            Expr::WindowFunction(call)
        }
        // Of WITHIN GROUP, what is ordered by is what is aggregated.
        Expr::AggregateFunction(mut call) if !call.func.supports_within_group_clause() => {
            for SortKey { expr, .. } in &mut call.params.order_by {
                any |= keys.take(expr);
            }
            Expr::AggregateFunction(call)
        }
        other => return Transformed::no(other),
    };
    Transformed::new_transformed(part, any)
}

/// What rows are ordered by and is computed below.
struct OrderKeys {
    first: usize,
    computed: Vec<Expr>,
}

impl OrderKeys {
    fn above(input: &LogicalPlan) -> Self {
        Self { first: input.schema().fields().len(), computed: Vec::new() }
    }

    /// Leaves a column for a key that is to be computed, and says whether it is one.
    fn take(&mut self, key: &mut Expr) -> bool {
        if is_known(key) || has_subquery(key) {
            return false;
        }
        let at = self.computed.iter().position(|known| known == key).unwrap_or_else(|| {
            self.computed.push(key.clone());
            self.computed.len() - 1
        });
        *key = Expr::Column(self.column(at));
        true
    }

    fn column(&self, at: usize) -> Column {
        Column::new_unqualified(format!("__order_key_{}", self.first + at))
    }

    /// The input with the keys as its last columns.
    fn below(self, input: Arc<LogicalPlan>) -> Result<LogicalPlan> {
        let mut columns = columns_of(&input);
        for (at, key) in self.computed.iter().enumerate() {
            columns.push(key.clone().alias(self.column(at).name));
        }
        Ok(LogicalPlan::Projection(Projection::try_new(columns, input)?))
    }
}

fn columns_of(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

/// Whether the engine has no questions about the order of an expression.
fn is_known(key: &Expr) -> bool {
    match key {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Alias(alias) => is_known(&alias.expr),
        Expr::ScalarFunction(call) => call.func.inner().is::<Comparable>() && call.args.iter().all(is_known),
        _ => false,
    }
}

fn has_subquery(key: &Expr) -> bool {
    key.any_node(&mut |part| {
        Ok(matches!(
            part,
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::OuterReferenceColumn(..)
        ))
    })
    .unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows_by_threads;

    /// The rows of a SELECT over `a (k, d, t)`, as several threads give them.
    fn rows(sql: &str) -> String {
        rows_by_threads(&format!(
            "with a as (select k, d, t from (values (1, 9.0, 'b'), (2, -4.0, 'a'), (3, 1.0, 'ab'), (4, 4.0, 'b')) v(k, d, t))
             {sql}"
        ))
    }

    #[test]
    fn rows_are_ordered_by_functions_of_a_narrower_domain() {
        assert_eq!(rows("select k from a order by sqrt(abs(d)) desc, k"), "1 2 4 3");
        assert_eq!(rows("select k from a order by ln(abs(d)), k limit 2 offset 1"), "2 4");
        assert_eq!(rows("select k from a order by length(t) * 2 > k, k limit 3"), "2 4 1");
        assert_eq!(
            rows(
                "select x.k from a x full join a y on x.k = y.k where y.t <> 'ab' order by sqrt(abs(y.d)), x.k limit 2"
            ),
            "2 4"
        );
    }

    #[test]
    fn windows_are_over_functions_of_a_narrower_domain() {
        assert_eq!(
            rows("select row_number() over (order by sqrt(abs(d)), k) as n from a order by k"),
            "4 2 1 3"
        );
        assert_eq!(
            rows(
                "select sum(k) over (partition by sqrt(abs(d))) as n, count(*) over (partition by ln(abs(d)) order by k desc) as m from a order by k"
            ),
            "11 62 31 61"
        );
    }

    #[test]
    fn aggregates_are_ordered_by_functions_of_a_narrower_domain() {
        assert_eq!(rows("select array_agg(k order by ln(d + 10), k) as n from a"), "[2,3,4,1]");
        assert_eq!(
            rows("select t, first_value(k order by sqrt(abs(d)) desc) as n from a group by t order by t"),
            "a2 ab3 b1"
        );
        assert_eq!(rows("select distinct on (sqrt(abs(d))) k from a order by sqrt(abs(d)), k"), "3 2 1");
    }
}
