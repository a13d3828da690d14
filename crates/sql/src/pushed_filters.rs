//! Filters are pushed down a physical plan only where each column has a name of its own.
//!
//! The engine finds the column of a filter in the rows below by its name, and takes the first one: above
//! `x right join y on x.k = y.k`, `x.day is null` became `y.day is null` and was asked of the rows of `y`. What is pushed by the logical
//! plan knows the tables, so that little is left for this. The top of a plan is asked nothing from above: it may have a name twice.
//!
//! A filter that may fail and stands above a join or a group stays there, as it does in the logical plan ([`crate::rules`]).

use std::collections::HashSet;
use std::sync::Arc;

use super::checked::Checked;
use super::rules::fallible;
use super::whole_sort_keys::{self, WholeSortKeys};
use crate::tree::TreeWalk;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

/// The rules for physical plans, in which those that push filters are held back, and first rows are looked for by all keys.
pub(super) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let of = |rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>| {
        if rule.name().starts_with("FilterPushdown") {
            Arc::new(ByUniqueNames(rule)) as Arc<dyn PhysicalOptimizerRule + Send + Sync>
        } else {
            rule
        }
    };
    let mut rules: Vec<_> = PhysicalOptimizer::new().rules.into_iter().map(of).collect();
    let sorted = rules.iter().position(|rule| rule.name() == whole_sort_keys::AFTER);
    rules.insert(sorted.map_or(rules.len(), |at| at + 1), Arc::new(WholeSortKeys));
    rules
}

#[derive(Debug)]
struct ByUniqueNames(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for ByUniqueNames {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self.below(plan, config)? {
            PushedPart::Open(plan) => self.0.optimize(plan, config),
            PushedPart::Done(plan) => Ok(plan),
        }
    }
}

/// A part of a plan.
enum PushedPart {
    /// All its columns have names of their own, and the rule is yet to look at it.
    Open(Arc<dyn ExecutionPlan>),
    /// The rule has looked at what it may.
    Done(Arc<dyn ExecutionPlan>),
}

impl ByUniqueNames {
    fn below(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<PushedPart> {
        let below = plan.children().into_iter().map(|input| self.below(Arc::clone(input), config));
        let below: Vec<PushedPart> = below.collect::<Result<_>>()?;
        if below.iter().all(|part| matches!(part, PushedPart::Open(_))) {
            if !has_unique_names(plan.as_ref()) {
                return Ok(PushedPart::Done(self.0.optimize(plan, config)?));
            }
            if !stays(&plan)? {
                return Ok(PushedPart::Open(plan));
            }
        }
        let inputs = below.into_iter().map(|part| match part {
            PushedPart::Open(input) => self.0.optimize(input, config),
            PushedPart::Done(input) => Ok(input),
        });
        let inputs: Vec<_> = inputs.collect::<Result<_>>()?;
        Ok(PushedPart::Done(replace_children_if_necessary(plan, inputs)?))
    }
}

fn has_unique_names(plan: &dyn ExecutionPlan) -> bool {
    let schema = plan.schema();
    let mut names = HashSet::with_capacity(schema.fields().len());
    schema.fields().iter().all(|field| names.insert(field.name().clone()))
}

/// Whether it is a filter that may fail, on rows that what stands below it leaves.
fn stays(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else { return Ok(false) };
    let mut leaves_rows_out = |node: &Arc<dyn ExecutionPlan>| {
        let is_join = node.children().len() > 1 && !node.is::<UnionExec>();
        Ok(is_join || node.is::<AggregateExec>())
    };
    Ok(filter.input().any_node(&mut leaves_rows_out)?
        && may_fail(filter.predicate(), filter.input().as_ref())?)
}

/// Whether evaluating an expression is an error for some rows of an input.
fn may_fail(expression: &Arc<dyn PhysicalExpr>, input: &dyn ExecutionPlan) -> Result<bool> {
    let schema = input.schema();
    expression.any_node(&mut |part| {
        if let Some(binary) = part.downcast_ref::<BinaryExpr>() {
            let is_constant = binary
                .right()
                .downcast_ref::<Literal>()
                .is_some_and(|divisor| fallible::is_nonzero(divisor.value()));
            let divides = matches!(binary.op(), Operator::Divide | Operator::Modulo);
            return Ok(divides && !is_constant && !binary.left().data_type(&schema)?.is_floating());
        }
        if let Some(cast) = part.downcast_ref::<CastExpr>() {
            return Ok(fallible::may_not_fit(&cast.expr().data_type(&schema)?, cast.cast_type()));
        }
        let Some(call) = part.downcast_ref::<ScalarFunctionExpr>() else { return Ok(false) };
        let is_constant: Vec<bool> = call.args().iter().map(|argument| argument.is::<Literal>()).collect();
        Ok(call.fun().inner().is::<Checked>() || fallible::name_may_fail(call.fun().name(), &is_constant))
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows_by_threads;

    /// The rows of a SELECT over `x (k, d)` and `y (k, d)`, as several threads give them.
    fn rows(sql: &str) -> String {
        rows_by_threads(&format!(
            "with x as (select k, d from (values (1, 10), (2, 20), (3, null)) v(k, d)),
                  y as (select k, d from (values (2, 7), (2, 8), (4, 9), (5, 6), (3, 5)) v(k, d))
             {sql}"
        ))
    }

    #[test]
    fn a_filter_is_asked_of_the_table_that_it_names() {
        for y in ["y", "(select k, max(d) as d from y group by k, d)", "(select distinct * from y)"] {
            let join = format!("x right join {y} y on x.k = y.k");
            assert_eq!(rows(&format!("select count(*) from {join} where x.d is null")), "3", "{y}");
            assert_eq!(
                rows(&format!("select count(*) from {join} where y.k = 2 and (x.d = 20 or y.d = 3)")),
                "2",
                "{y}"
            );
            assert_eq!(rows(&format!("select count(*) from {join} where coalesce(x.d, 30) < 9")), "0", "{y}");
            assert_eq!(
                rows(&format!("select count(*) from {join} where coalesce(x.d, 30) > 25")),
                "3",
                "{y}"
            );
        }
        assert_eq!(
            rows("select y.k, y.d from x full join y on x.k = y.k where x.k is null order by 1"),
            "49 56"
        );
    }
}
