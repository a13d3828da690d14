//! The plans that the parts of a SELECT become.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, DataFusionError};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, Projection};

use super::shape::{holds_stream, towards};
use super::{OFFSET, PLACE, StreamInput};
use crate::scope::DeclaredTable;
use mep_core::relation::Relation;

/// The rows of a windowed model, and their groups.
pub(super) struct Keyed {
    /// The groups' expressions, then what the aggregates take, then which event it was.
    pub(super) rows: LogicalPlan,
    /// Groups of them.
    pub(super) aggregate: LogicalPlan,
    /// What `aggregate` reads.
    pub(super) relation: Relation,
}

/// The plan with the columns of which event it was behind its own.
pub(super) fn exposed(plan: &LogicalPlan, stream: &StreamInput<'_>) -> Result<LogicalPlan, DataFusionError> {
    if let LogicalPlan::TableScan(scan) = plan {
        let mut fields: Vec<Field> =
            stream.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new(PLACE, DataType::Int32, false));
        fields.push(Field::new(OFFSET, DataType::Int64, false));
        let table = DeclaredTable::new(Arc::new(Schema::new(fields)), Vec::new());
        let source = provider_as_source(Arc::new(table));
        return LogicalPlanBuilder::scan(scan.table_name.clone(), source, None)?.build();
    }
    let Some(next) = towards(plan, stream) else { return Ok(plan.clone()) };
    let below = exposed(next, stream)?;
    let mut expressions = plan.expressions();
    if matches!(plan, LogicalPlan::Projection(_)) {
        expressions.extend(hidden(&below)?);
    }
    let inputs = plan
        .inputs()
        .into_iter()
        .map(|input| if holds_stream(input, stream) { below.clone() } else { input.clone() });
    let inputs = inputs.collect();
    plan.with_new_exprs(expressions, inputs)
}

/// The columns that say which event a row is of.
fn hidden(plan: &LogicalPlan) -> Result<Vec<Expr>, DataFusionError> {
    [PLACE, OFFSET]
        .into_iter()
        .map(|name| {
            let (qualifier, field) = plan.schema().qualified_field_with_unqualified_name(name)?;
            Ok(Expr::Column(Column::new(qualifier.cloned(), field.name())))
        })
        .collect()
}

/// The exposed plan's columns in the order of the plan's, and those of the event behind them.
pub(super) fn in_order(plan: &LogicalPlan, exposed: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let mut expressions: Vec<Expr> = plan
        .schema()
        .iter()
        .map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name())))
        .collect();
    expressions.extend(hidden(&exposed)?);
    Ok(LogicalPlan::Projection(Projection::try_new(expressions, Arc::new(exposed))?))
}

/// Splits an aggregate from the expressions over the rows that it takes.
pub(super) fn keyed(aggregate: &Aggregate, stream: &StreamInput<'_>) -> Result<Keyed, DataFusionError> {
    let input = exposed(&aggregate.input, stream)?;
    let mut row = RowBuilder { expressions: Vec::new() };
    let groups: Vec<Expr> = aggregate
        .group_expr
        .iter()
        .enumerate()
        .map(|(index, group)| row.column(group.clone(), format!("g{index}")))
        .collect();
    let mut calls = Vec::new();
    for (index, expression) in aggregate.aggr_expr.iter().enumerate() {
        let Expr::AggregateFunction(call) = expression.clone().unalias_nested().data else {
            return Err(DataFusionError::Internal(format!("`{expression}` is no aggregate")));
        };
        let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = call.params;
        let args = args.into_iter().enumerate();
        let args = args.map(|(number, argument)| match argument {
            literal @ Expr::Literal(..) => literal,
            argument => row.column(argument, format!("a{index}_{number}")),
        });
        let args = args.collect();
        let filter = filter.map(|filter| Box::new(row.column(*filter, format!("f{index}"))));
        let params = AggregateFunctionParams { args, distinct, filter, order_by, null_treatment };
        let call = Expr::AggregateFunction(AggregateFunction { func: call.func, params });
        calls.push(call.alias(format!("v{index}")));
    }
    row.expressions.extend(hidden(&input)?);
    let rows = LogicalPlan::Projection(Projection::try_new(row.expressions, Arc::new(input))?);
    let relation = Relation { schema: None, name: "__rows".to_owned() };
    let schema = rows.schema().as_arrow().clone();
    let scan = LogicalPlanBuilder::scan(
        relation.name.clone(),
        provider_as_source(Arc::new(DeclaredTable::new(Arc::new(schema), Vec::new()))),
        None,
    )?;
    let aggregate = Aggregate::try_new(Arc::new(scan.build()?), groups, calls)?;
    Ok(Keyed { rows, aggregate: LogicalPlan::Aggregate(aggregate), relation })
}

/// The columns of a row, in the making.
struct RowBuilder {
    expressions: Vec<Expr>,
}

impl RowBuilder {
    /// Gives the row an expression as a column, and says how to read it.
    fn column(&mut self, expression: Expr, name: String) -> Expr {
        self.expressions.push(expression.unalias_nested().data.alias(name.clone()));
        Expr::Column(Column::new(Some("__rows"), name))
    }
}

/// The plan with the values of groups, `c0`, `c1`, …, in place of the aggregate.
pub(super) fn finish(
    plan: &LogicalPlan,
    aggregate: &Aggregate,
    values: &Relation,
) -> Result<LogicalPlan, DataFusionError> {
    if let LogicalPlan::Aggregate(_) = plan {
        let fields = aggregate.schema.fields().iter().enumerate();
        let fields: Vec<Field> = fields
            .map(|(index, field)| Field::new(format!("c{index}"), field.data_type().clone(), true))
            .collect();
        let table = DeclaredTable::new(Arc::new(Schema::new(fields)), Vec::new());
        let scan = LogicalPlanBuilder::scan(values.name.clone(), provider_as_source(Arc::new(table)), None)?;
        let columns = aggregate.schema.iter().enumerate().map(|(index, (qualifier, field))| {
            let column = Expr::Column(Column::new(Some(values.name.as_str()), format!("c{index}")));
            column.alias_qualified(qualifier.cloned(), field.name())
        });
        return scan.project(columns.collect::<Vec<_>>())?.build();
    }
    let inputs = plan.inputs().into_iter().map(|input| finish(input, aggregate, values));
    plan.with_new_exprs(plan.expressions(), inputs.collect::<Result<_, _>>()?)
}
