//! A rule of the engine that is held back from nodes for which it is wrong.

use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;

use super::mended_rule::{MendedRule, Rule};
use crate::tree::TreeWalk;

/// The rule without the nodes that `from` holds of.
pub(super) fn held_back(rule: Rule, from: fn(&LogicalPlan) -> bool) -> MendedRule {
    MendedRule::new(rule, move |rule, plan, config| {
        // A rule without an order looks at the whole plan by itself.
        let is_left = match rule.apply_order() {
            Some(_) => from(&plan),
            None => plan.any_node(&mut |node| Ok(from(node)))?,
        };
        if is_left { Ok(Transformed::no(plan)) } else { rule.rewrite(plan, config) }
    })
}
