//! The rows of a query that belong to some partitions of the table that is made of it.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};

use super::planned::{PlannedQuery, SqlError};

impl PlannedQuery {
    /// The rows of these partitions and no others. A key has a text for each partition column, `None` for NULL; `stored` are the
    /// columns of the table as they are stored.
    ///
    /// # Errors
    /// Where a partition column is not there, or a text is none of its type.
    pub fn of_partitions(
        self,
        partition_columns: &[String],
        stored: &Schema,
        keys: &[&[Option<String>]],
    ) -> Result<Self, SqlError> {
        let filter = is_one_of(&self, partition_columns, stored, keys)?;
        Ok(LogicalPlanBuilder::from(self.into_plan()).filter(filter)?.build()?.into())
    }
}

/// A filter that holds for the rows of these partitions and no others.
fn is_one_of(
    plan: &LogicalPlan,
    partition_columns: &[String],
    stored: &Schema,
    keys: &[&[Option<String>]],
) -> Result<Expr, SqlError> {
    let mut columns = Vec::new();
    for (index, name) in partition_columns.iter().enumerate() {
        let (qualifier, field) = plan.schema().qualified_field_with_unqualified_name(name)?;
        let column = Expr::Column(Column::new(qualifier.cloned(), name));
        // A partition is named by the value that is stored, which can be a coarser one than the query gives.
        let stored = stored.field_with_name(name)?.data_type();
        let is_same = field.data_type() == stored || *stored == DataType::Utf8View;
        let column = if is_same { column } else { cast(column, stored.clone()) };
        columns.push((index, column, if is_same { field.data_type().clone() } else { stored.clone() }));
    }
    let value = |key: &[Option<String>], index: usize| key.get(index).cloned().flatten();
    if let [(index, column, data_type)] = columns.as_slice() {
        let mut values = Vec::new();
        let mut filter: Option<Expr> = None;
        for key in keys {
            match value(key, *index) {
                Some(text) => values.push(lit(ScalarValue::Utf8(Some(text)).cast_to(data_type)?)),
                None => filter = Some(column.clone().is_null()),
            }
        }
        if !values.is_empty() {
            let is_in = column.clone().in_list(values, false);
            filter = Some(filter.map_or(is_in.clone(), |null| null.or(is_in)));
        }
        return Ok(filter.unwrap_or_else(|| lit(false)));
    }
    let mut any: Option<Expr> = None;
    for key in keys {
        let mut all: Option<Expr> = None;
        for (index, column, data_type) in &columns {
            let is = match value(key, *index) {
                Some(text) => column.clone().eq(lit(ScalarValue::Utf8(Some(text)).cast_to(data_type)?)),
                None => column.clone().is_null(),
            };
            all = Some(all.map_or(is.clone(), |all| all.and(is)));
        }
        if let Some(all) = all {
            any = Some(any.map_or(all.clone(), |any| any.or(all)));
        }
    }
    Ok(any.unwrap_or_else(|| lit(false)))
}
