//! Walks over plans and expressions, each compiled once.
//!
//! Owns the walks that stand in the place of DataFusion's [`TreeNode`], whose own are compiled anew for each closure: with some hundred and forty of them,
//! each through a few hundred functions, they were two thirds of what the crate takes to build. Here a closure is behind a pointer.
//! Must not know: what is looked for.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// What is done at a node; it says how the walk goes on.
type Look<'f, 'n, T> = dyn FnMut(&'n T) -> Result<TreeNodeRecursion> + 'f;
/// What a node is replaced by.
type Replace<'f, T> = dyn FnMut(T) -> Result<Transformed<T>> + 'f;

/// Walks over a plan without its subqueries, or over an expression.
pub(crate) trait TreeWalk: Sized {
    /// Looks at each node, from the top down.
    fn walk<'n>(&'n self, look: &mut Look<'_, 'n, Self>) -> Result<TreeNodeRecursion>;

    /// Whether it holds for any node.
    fn any_node(&self, holds: &mut dyn FnMut(&Self) -> Result<bool>) -> Result<bool>;

    /// Replaces each node once what is below it was.
    fn map_up(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>>;

    /// Replaces each node before what is below it.
    fn map_down(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>>;
}

/// Generic over the node alone, of which there are two.
impl<T: TreeNode> TreeWalk for T {
    fn walk<'n>(&'n self, look: &mut Look<'_, 'n, Self>) -> Result<TreeNodeRecursion> {
        self.apply(look)
    }

    fn any_node(&self, holds: &mut dyn FnMut(&Self) -> Result<bool>) -> Result<bool> {
        self.exists(holds)
    }

    fn map_up(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>> {
        self.transform_up(replace)
    }

    fn map_down(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>> {
        self.transform_down(replace)
    }
}

/// Walks over a plan with its subqueries, and over the expressions of one node.
pub(crate) trait PlanWalk: Sized {
    /// Looks at each node, from the top down, and at those of subqueries.
    fn walk_with_subqueries(
        &self,
        look: &mut dyn FnMut(&Self) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion>;

    /// Replaces each node, and those of subqueries, once what is below it was.
    fn map_up_with_subqueries(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>>;

    /// Looks at the expressions of this node.
    fn walk_expressions(
        &self,
        look: &mut dyn FnMut(&Expr) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion>;

    /// Replaces the expressions of this node.
    fn replace_expressions(self, replace: &mut Replace<'_, Expr>) -> Result<Transformed<Self>>;

    /// Replaces the inputs of this node.
    fn replace_inputs(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>>;
}

impl PlanWalk for LogicalPlan {
    fn walk_with_subqueries(
        &self,
        look: &mut dyn FnMut(&Self) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.apply_with_subqueries(look)
    }

    fn map_up_with_subqueries(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>> {
        self.transform_up_with_subqueries(replace)
    }

    fn walk_expressions(
        &self,
        look: &mut dyn FnMut(&Expr) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.apply_expressions(look)
    }

    fn replace_expressions(self, replace: &mut Replace<'_, Expr>) -> Result<Transformed<Self>> {
        self.map_expressions(replace)
    }

    fn replace_inputs(self, replace: &mut Replace<'_, Self>) -> Result<Transformed<Self>> {
        self.map_children(replace)
    }
}
