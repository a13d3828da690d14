//! Values that an expression is computed of before there are rows.

use std::sync::Arc;

use arrow::array::{MapArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, exec_datafusion_err};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr, ExprSchemable};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::prelude::ident;
use mep_core::guard::guarded;

use super::is_fixed;

/// How many rows an expression is computed of, one by one.
pub(super) const ROWS: usize = 5;

/// Of whole numbers and others, of texts, and of all that is written as one text: some that most functions take.
const NUMBERS: [&str; ROWS] = ["1", "2020", "0", "4", "-1"];
const TEXTS: [&str; ROWS] = ["{}", "", "a", "2020-02-29 10:11:12", "10:11:12"];

/// The error of an expression that reads nothing.
pub(super) fn of_constant(expression: &Expr) -> Option<DataFusionError> {
    let physical = physical(expression, &Schema::empty())?;
    let failed = computed(physical.as_ref(), &Arc::new(Schema::empty()), &[]).err();
    failed.or_else(|| of_far_time(&value_of(expression)?))
}

/// The error of a time that tables cannot hold, which are in microseconds.
pub(super) fn of_far_time(value: &ScalarValue) -> Option<DataFusionError> {
    let DataType::Timestamp(_, zone) = value.data_type() else { return None };
    let is_held = value.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, zone)).is_ok();
    (!is_held).then(|| {
        exec_datafusion_err!("a timestamp lies between the years -290307 and 294246, and this one does not")
    })
}

/// The value of an expression that reads nothing, where it has one.
pub(super) fn value_of(expression: &Expr) -> Option<ScalarValue> {
    if let Expr::Literal(value, _) = expression {
        return Some(value.clone());
    }
    let empty = Arc::new(Schema::empty());
    let values =
        physical(expression, &empty)?.evaluate(&batch(&empty, &[]).ok()?).ok()?.into_array(1).ok()?;
    ScalarValue::try_from_array(&values, 0).ok()
}

/// The whole number that an expression comes to which reads nothing.
pub(super) fn whole_value(expression: &Expr) -> Option<i64> {
    if !is_fixed(expression) {
        return None;
    }
    match value_of(expression)?.cast_to(&DataType::Int64).ok()? {
        ScalarValue::Int64(value) => value,
        _ => None,
    }
}

/// Whether an expression that reads nothing is zero, as a number that has no infinity.
pub(super) fn is_zero(expression: &Expr) -> bool {
    value_of(expression).is_some_and(|value| {
        let data_type = value.data_type();
        let is_exact = data_type.is_integer() || data_type.is_decimal();
        is_exact && ScalarValue::new_zero(&data_type).is_ok_and(|zero| zero == value)
    })
}

/// The error that an expression has whatever its columns hold: that of the first of some rows, where all of them fail.
///
/// Its largest parts that are no constants are the columns of these rows.
pub(super) fn of_call(expression: &Expr, parts: &[&Expr], schema: &DFSchema) -> Option<DataFusionError> {
    let mut fields = Vec::new();
    let mut replaced = Vec::new();
    for part in parts {
        if is_fixed(part) {
            replaced.push((*part).clone());
            continue;
        }
        let name = format!("c{}", fields.len());
        fields.push(Field::new(&name, part.get_type(schema).ok()?, true));
        replaced.push(ident(name));
    }
    if fields.is_empty() {
        return of_constant(expression);
    }
    let expression = with_parts(expression, replaced)?;
    let schema = Arc::new(Schema::new(fields));
    let physical = physical(&expression, &schema)?;
    let mut first = None;
    for row in 0..ROWS {
        let types = schema.fields().iter().map(|field| field.data_type());
        let values: Vec<ScalarValue> = types.map(|of| value(of, row)).collect::<Option<_>>()?;
        let failed = computed(physical.as_ref(), &schema, &values).err()?;
        first.get_or_insert(failed);
    }
    first
}

fn with_parts(expression: &Expr, parts: Vec<Expr>) -> Option<Expr> {
    match expression {
        Expr::ScalarFunction(call) => {
            let mut call = call.clone();
            call.args = parts;
            Some(Expr::ScalarFunction(call))
        }
        _ => None,
    }
}

fn physical(expression: &Expr, schema: &Schema) -> Option<Arc<dyn PhysicalExpr>> {
    let schema = DFSchema::try_from(schema.clone()).ok()?;
    create_physical_expr(expression, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
        .ok()
}

/// Whether an expression can be computed of a row.
///
/// # Errors
/// Where it cannot. What the engine says of its own state is no error of the expression.
fn computed(
    expression: &dyn PhysicalExpr,
    schema: &Arc<Schema>,
    values: &[ScalarValue],
) -> Result<(), DataFusionError> {
    // Of a panic nothing is known: the values may be the reason.
    let evaluated = guarded(|| batch(schema, values).and_then(|batch| expression.evaluate(&batch)));
    match evaluated.unwrap_or_else(|_| Ok(ColumnarValue::Scalar(ScalarValue::Null))) {
        Err(error) if !matches!(error.find_root(), DataFusionError::Internal(_)) => Err(error),
        _ => Ok(()),
    }
}

fn batch(schema: &Arc<Schema>, values: &[ScalarValue]) -> Result<RecordBatch, DataFusionError> {
    let columns = values.iter().map(ScalarValue::to_array).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// A value of a type.
pub(super) fn value(of: &DataType, row: usize) -> Option<ScalarValue> {
    let said = match of {
        DataType::Null => return Some(ScalarValue::Null),
        DataType::List(element) => {
            let element = value(element.data_type(), row)?;
            let list = ScalarValue::new_list(std::slice::from_ref(&element), &element.data_type(), true);
            return Some(ScalarValue::List(list));
        }
        DataType::Map(entries, is_sorted) => {
            let DataType::Struct(fields) = entries.data_type() else { return None };
            let columns = fields.iter().map(|field| value(field.data_type(), row)?.to_array().ok());
            let columns = columns.collect::<Option<Vec<_>>>()?;
            let pair = StructArray::try_new(fields.clone(), columns, None).ok()?;
            let one = OffsetBuffer::from_lengths([1]);
            let map = MapArray::try_new(Arc::clone(entries), one, pair, None, *is_sorted).ok()?;
            return Some(ScalarValue::Map(Arc::new(map)));
        }
        DataType::Boolean => "true",
        DataType::Interval(_) => "1 day",
        DataType::Time32(_) | DataType::Time64(_) => "10:11:12",
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => "2020-02-29",
        of if of.is_numeric() => NUMBERS[row],
        _ => TEXTS[row],
    };
    let said = ScalarValue::Utf8(Some(said.to_owned()));
    said.cast_to(of).or_else(|_| ScalarValue::new_default(of)).ok()
}
