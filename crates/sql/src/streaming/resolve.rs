//! What a column is in terms of what lies below: through projections and aliases down to the scan.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::StreamColumn;
use crate::tree::TreeWalk;

/// An expression over a plan's output, over the columns of the scan that `towards` leads to. Columns of other scans stay.
pub(super) fn down<'p>(
    expression: Expr,
    plan: &'p LogicalPlan,
    towards: &dyn Fn(&'p LogicalPlan) -> Option<&'p LogicalPlan>,
) -> Result<Expr, DataFusionError> {
    let expression = match plan {
        LogicalPlan::TableScan(_) => return Ok(expression),
        LogicalPlan::Projection(node) => {
            replaced(expression, &node.schema, &|index| node.expr[index].clone())?
        }
        LogicalPlan::SubqueryAlias(node) => replaced(expression, &node.schema, &|index| {
            let (qualifier, field) = node.input.schema().qualified_field(index);
            Expr::Column(Column::new(qualifier.cloned(), field.name()))
        })?,
        _ => expression,
    };
    match towards(plan) {
        Some(input) => down(expression, input, towards),
        None => Ok(expression),
    }
}

fn replaced(
    expression: Expr,
    schema: &DFSchema,
    by: &dyn Fn(usize) -> Expr,
) -> Result<Expr, DataFusionError> {
    let replaced = expression.map_up(&mut |part| {
        let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
        Ok(match schema.maybe_index_of_column(column) {
            Some(index) => Transformed::yes(by(index).unalias_nested().data),
            None => Transformed::no(part),
        })
    });
    replaced.map(|replaced| replaced.data)
}

/// What each column of the model is, where `finish` reads groups' columns first and then aggregates.
pub(super) fn columns(finish: &LogicalPlan, groups: usize) -> Result<Vec<StreamColumn>, DataFusionError> {
    let mut columns = Vec::new();
    for (qualifier, field) in finish.schema().iter() {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let resolved = down(column, finish, &|plan| plan.inputs().into_iter().next())?;
        let resolved = resolved.unalias_nested().data;
        let index =
            |column: &Column| column.name.strip_prefix('c').and_then(|index| index.parse::<usize>().ok());
        let group = match &resolved {
            Expr::Column(column) => index(column).filter(|index| *index < groups),
            _ => None,
        };
        let is_of_group =
            resolved.column_refs().iter().all(|column| index(column).is_some_and(|index| index < groups));
        columns.push(StreamColumn { name: field.name().clone(), group, is_of_group });
    }
    Ok(columns)
}
