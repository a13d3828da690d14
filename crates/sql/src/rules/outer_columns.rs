//! Columns of the query around a subquery, told apart from those within it.

use crate::tree::{PlanWalk, TreeWalk};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The columns of the query around a subquery that it reads, under names that nothing else has: both may read one table.
pub(super) struct OuterColumns {
    name: String,
    found: Vec<Column>,
}

impl OuterColumns {
    /// None yet, which will have names of this relation.
    pub(super) fn named(name: String) -> Self {
        Self { name, found: Vec::new() }
    }

    /// The subquery that reads them under those names.
    ///
    /// # Errors
    /// Where a node cannot be built.
    pub(super) fn told_apart(mut self, subquery: LogicalPlan) -> Result<(LogicalPlan, Self)> {
        let told = subquery.map_up(&mut |node| {
            node.replace_expressions(&mut |expression| {
                expression.map_up(&mut |part| {
                    let Expr::OuterReferenceColumn(field, column) = part else {
                        return Ok(Transformed::no(part));
                    };
                    let known = self.found.iter().position(|one| *one == column);
                    let at = known.unwrap_or_else(|| {
                        self.found.push(column);
                        self.found.len() - 1
                    });
                    let named = Column::new(Some(self.name.clone()), at.to_string());
                    Ok(Transformed::yes(Expr::OuterReferenceColumn(field, named)))
                })
            })
        })?;
        Ok((told.data, self))
    }

    /// Which column of the query around is meant by a name.
    pub(super) fn meant(&self, named: &Column) -> Option<&Column> {
        let relation = named.relation.as_ref()?;
        (relation.table() == self.name).then(|| self.found.get(named.name.parse::<usize>().ok()?))?
    }
}
