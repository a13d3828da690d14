//! Keys of joins are made of conditions in WHERE that cannot fail, or that there is no other key beside.
//!
//! A key is computed of all rows of its side. Where a join has keys of its own, a condition above it that may fail is asked of joined rows, as
//! it is written: see [`super::kept_above`].

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{JoinType, LogicalPlan, lit};

use super::kept_above::{above, divided};
use super::mended_rule::{MendedRule, Rule};
use crate::tree::PlanWalk;

/// The engine's rule that makes keys of the conditions above inner joins.
pub const MAKES_KEYS: &str = "eliminate_cross_join";

/// The rule that makes keys of conditions, of those in WHERE that cannot fail or that there is no other key beside.
pub(super) fn keys_of_sure(rule: Rule) -> MendedRule {
    MendedRule::new(rule, |rule, plan, config| {
        let apart = plan.map_up_with_subqueries(&mut |node| {
            Ok(set_apart(&node)?.map_or_else(|| Transformed::no(node), Transformed::yes))
        })?;
        let made = rule.rewrite(apart.data, config)?;
        Ok(Transformed::new(made.data, made.transformed || apart.transformed, made.tnr))
    })
}

/// A filter above an inner join with a condition, as two: what may fail above what cannot. `None` where it is one.
fn set_apart(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Filter(filter) = plan else { return Ok(None) };
    let LogicalPlan::Join(join) = filter.input.as_ref() else { return Ok(None) };
    if join.join_type != JoinType::Inner || (join.on.is_empty() && join.filter.is_none()) {
        return Ok(None);
    }
    let (mut sure, fallible) = divided(split_conjunction_owned(filter.predicate.clone()), &filter.input)?;
    if fallible.is_empty() {
        return Ok(None);
    }
    if sure.is_empty() {
        sure.push(lit(true));
    }
    let below = above(sure, Arc::clone(&filter.input));
    Ok(Some(above(fallible, Arc::new(below))))
}
