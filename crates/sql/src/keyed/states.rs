//! What is kept of groups so that rows can go from them too: how many rows a group has, and of each sum how many values are in it.
//!
//! A sum of values that went is subtracted; a group of which no row is left goes; a sum of which no value is left is NULL. A mean is the sum
//! and the count that the engine makes it of. What only grows (`min`, `max`) is kept as it is, and its groups can lose no rows.

use arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF, cast, lit, when,
};

use crate::exact_sum::exact_sum;
use crate::mean::Mean;

/// The decimals that hold any whole number.
const DIGITS_OF_WHOLE: DataType = DataType::Decimal128(20, 0);

/// Groups by what is kept of them.
#[derive(Clone, Debug)]
pub(super) struct GroupStates {
    /// The groups, with what tells them apart and then their states.
    pub(super) plan: LogicalPlan,
    keys: usize,
    /// How each aggregate is made of states.
    made: Vec<Made>,
}

/// How an aggregate is made of states, each by its place among them.
#[derive(Clone, Debug)]
enum Made {
    /// It is one.
    State(usize),
    /// A sum that is NULL where it has no value.
    Sum { total: usize, values: usize },
    /// A total by its number of values.
    Mean { total: usize, values: usize, of: DataType },
}

impl GroupStates {
    /// The states of groups; `None` where an aggregate has none.
    ///
    /// # Errors
    /// Where a plan cannot be made.
    pub(super) fn of(aggregate: &Aggregate) -> Result<Option<Self>> {
        let mut states = vec![count(lit(1_i64))];
        let mut made = Vec::new();
        for one in &aggregate.aggr_expr {
            let Some(one) = made_of(one, aggregate, &mut states)? else { return Ok(None) };
            made.push(one);
        }
        let plan = LogicalPlanBuilder::from(aggregate.input.as_ref().clone())
            .aggregate(aggregate.group_expr.clone(), states)?
            .build()?;
        Ok(Some(Self { plan, keys: aggregate.group_expr.len(), made }))
    }

    /// The aggregates, of stored states: columns of `plan` in its order, of whatever types they are stored with.
    ///
    /// # Errors
    /// Where a state cannot have its type again.
    pub(super) fn columns(&self, stored: &LogicalPlan) -> Result<Vec<Expr>> {
        let column = |at: usize| {
            let column = Expr::Column(Column::from(stored.schema().qualified_field(at)));
            column.cast_to(self.plan.schema().field(at).data_type(), stored.schema())
        };
        let state = |at: usize| column(self.keys + at);
        let keys = (0..self.keys).map(column);
        let made = self.made.iter().map(|made| match made {
            Made::State(at) => state(*at),
            Made::Sum { total, values } => when(state(*values)?.gt(lit(0_i64)), state(*total)?).end(),
            Made::Mean { total, values, of } => {
                let mean = ScalarUDF::from(Mean::new(of.clone()));
                Ok(mean.call(vec![state(*total)?, state(*values)?]))
            }
        });
        keys.chain(made).collect()
    }
}

fn made_of(one: &Expr, aggregate: &Aggregate, states: &mut Vec<Expr>) -> Result<Option<Made>> {
    let one = one.clone().unalias_nested().data;
    let Expr::AggregateFunction(AggregateFunction { func, params }) = &one else { return Ok(None) };
    let AggregateFunctionParams { args, distinct, filter, order_by, .. } = params;
    let mut keep = |state: Expr| {
        states.iter().position(|kept| *kept == state).unwrap_or_else(|| {
            states.push(state);
            states.len() - 1
        })
    };
    let ([value], true) = (args.as_slice(), order_by.is_empty()) else { return Ok(None) };
    if matches!(func.name(), "min" | "max" | "bool_and" | "bool_or") {
        return Ok(Some(Made::State(keep(one.clone()))));
    }
    if *distinct {
        return Ok(None);
    }
    let schema = aggregate.input.schema().as_ref();
    // What a FILTER leaves out is no value.
    let value = match filter {
        Some(filter) => when(filter.as_ref().clone(), value.clone()).end()?,
        None => value.clone(),
    };
    let data_type = value.get_type(schema)?;
    let (whole, is_decimal) = (data_type.is_integer(), matches!(data_type, DataType::Decimal128(..)));
    let is_summed = matches!(func.name(), "sum" | "avg") && (whole || is_decimal);
    if func.name() != "count" && !is_summed {
        return Ok(None);
    }
    let may_lack = value.nullable(schema)?;
    let values = if may_lack { keep(count(value.clone())) } else { 0 };
    if !is_summed {
        return Ok(Some(Made::State(values)));
    }
    // A total of which only the mean is wanted may be more than 64 bits hold.
    let (value, data_type) = if whole && func.name() == "avg" {
        (cast(value, DIGITS_OF_WHOLE), DIGITS_OF_WHOLE)
    } else {
        (value, data_type)
    };
    let zero = ScalarValue::new_zero(&data_type)?;
    // `coalesce`, in words that the optimizer leaves as they are.
    let present =
        if may_lack { when(value.clone().is_not_null(), value).otherwise(lit(zero))? } else { value };
    let total = keep(exact_sum(present));
    Ok(Some(if func.name() == "sum" {
        Made::Sum { total, values }
    } else {
        Made::Mean { total, values, of: one.get_type(schema)? }
    }))
}

/// What rows with signs add to the states of groups: the aggregates over them, in place of those over rows that only came; `None` where
/// one of the aggregates cannot lose rows, or where it is not known how many rows a group has.
///
/// # Errors
/// Where a plan cannot be made.
pub(super) fn with_signs(node: &Aggregate, sign: &Expr) -> Result<Option<SignedStates>> {
    let schema = node.input.schema().as_ref();
    let mut rows = None;
    let mut signed = Vec::new();
    for (at, one) in node.aggr_expr.iter().enumerate() {
        let one = one.clone().unalias_nested().data;
        let data_type = one.get_type(schema)?;
        let Expr::AggregateFunction(AggregateFunction { func, params }) = one else { return Ok(None) };
        let AggregateFunctionParams { args, distinct, filter, order_by, .. } = params;
        let ([value], None, false, true) = (args.as_slice(), filter, distinct, order_by.is_empty()) else {
            return Ok(None);
        };
        let value_type = value.get_type(schema)?;
        let may_lack = value.nullable(schema)?;
        let of_row = if func == count_udaf() {
            if may_lack {
                when(value.clone().is_not_null(), sign.clone()).otherwise(lit(0_i64))?
            } else {
                rows.get_or_insert(at);
                sign.clone()
            }
        } else if func.name() == "sum" && !may_lack && (value_type.is_integer() || value_type.is_decimal()) {
            let times = if value_type.is_integer() {
                cast(value.clone(), DIGITS_OF_WHOLE) * cast(sign.clone(), DataType::Decimal128(10, 0))
            } else {
                value.clone() * cast(sign.clone(), DataType::Decimal128(10, 0))
            };
            // One row that came or went, as nearly all are, costs no multiplication.
            when(sign.clone().eq(lit(1_i64)), cast(value.clone(), times_type(&value_type)))
                .otherwise(times)?
        } else {
            return Ok(None);
        };
        signed.push((of_row, data_type));
    }
    Ok(rows.map(|rows| SignedStates { signed, rows }))
}

/// The type in which values with signs are added.
fn times_type(of: &DataType) -> DataType {
    match of {
        DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
        _ => DataType::Decimal128(38, 0),
    }
}

/// Aggregates over rows with signs.
pub(super) struct SignedStates {
    /// What each adds up of a row, and the type that the sum of it is to have.
    pub(super) signed: Vec<(Expr, DataType)>,
    /// Which of them counts all rows.
    pub(super) rows: usize,
}
