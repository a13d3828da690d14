//! Functions that fail of nothing but what says how they compute, and operations that values of a type do not have.

use arrow::array::timezone::Tz;
use arrow::datatypes::DataType;
use chrono::format::{Item, StrftimeItems};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DataFusionError, exec_datafusion_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator};

use super::{is_fixed, probes};
use crate::rules::parts;
use crate::sayings::TO_TIMES;
use crate::time_text::TimeReader;
use crate::tree::{PlanWalk, TreeWalk};
use crate::types_said::in_sql;

/// Functions of which some values of each type can be computed, unless what says how is wrong.
const BY_THEIR_WAYS: [&str; 39] = [
    "array_empty",
    "array_repeat",
    "array_resize",
    "array_slice",
    "array_sort",
    "array_to_string",
    "date_bin",
    "date_part",
    "date_trunc",
    "decode",
    "digest",
    "empty",
    "encode",
    "json_array_length",
    "json_extract",
    "json_extract_string",
    "lpad",
    "make_date",
    "make_time",
    "make_timestamp",
    "overlay",
    "regexp_count",
    "regexp_extract",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "regexp_split_to_array",
    "repeat",
    "rpad",
    "split_part",
    "strftime",
    "substr",
    "substring",
    "to_char",
    "to_hex",
    "try_strptime",
    "tumble",
    "union_tag",
];

/// Whether a function reads times of texts, which formats may follow.
fn reads_times(name: &str) -> bool {
    name == "to_time" || TO_TIMES.contains(&name)
}

/// Whether it is of a kind that is looked at here.
pub(super) fn is_one(part: &Expr) -> bool {
    match part {
        Expr::Negative(value) => !matches!(**value, Expr::Literal(..)),
        Expr::Like(_) => true,
        Expr::BinaryExpr(BinaryExpr { op, .. }) => contains(*op),
        Expr::Cast(Cast { field, .. }) => zone(field.data_type()).is_some(),
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            BY_THEIR_WAYS.contains(&name)
                || LISTS_OF_NUMBERS.contains(&name)
                || BY_ARGUMENTS.contains(&name)
                || reads_times(name)
                || ["strptime", "arrow_cast"].contains(&name)
                || is_series(name)
        }
        _ => false,
    }
}

/// The error that a part of an expression has for any values of its columns.
pub(super) fn error(part: &Expr, schema: &DFSchema) -> Option<DataFusionError> {
    match part {
        Expr::Negative(value) => {
            let of = value.get_type(schema).ok()?;
            let has_negative = of.is_numeric() || of.is_null() || matches!(of, DataType::Interval(_));
            (!has_negative)
                .then(|| plan_datafusion_err!("a value of type {} has no negative", in_sql(&of.to_string())))
        }
        Expr::Like(like) => {
            let of = like.expr.get_type(schema).ok()?;
            let has_none = of.is_numeric() || of.is_nested() || of.is_temporal() || of == DataType::Boolean;
            has_none.then(|| {
                plan_datafusion_err!(
                    "LIKE takes a text, and not {}: cast it to varchar",
                    in_sql(&of.to_string())
                )
            })
        }
        Expr::BinaryExpr(BinaryExpr { op, .. }) if contains(*op) => {
            Some(plan_datafusion_err!("`{op}` takes two lists: array_has(list, value) asks for one value"))
        }
        Expr::Cast(Cast { field, .. }) => of_zone(field.data_type()),
        Expr::ScalarFunction(call) if call.func.name() == "arrow_cast" => {
            of_zone(&part.get_type(schema).ok()?)
        }
        // A cast may have become a function by then.
        Expr::ScalarFunction(call) => {
            of_call(part, call, schema).or_else(|| of_zone(&part.get_type(schema).ok()?))
        }
        _ => None,
    }
}

fn of_zone(of: &DataType) -> Option<DataFusionError> {
    zone(of)?.parse::<Tz>().err().map(DataFusionError::from)
}

fn zone(of: &DataType) -> Option<&str> {
    match of {
        DataType::Timestamp(_, zone) => zone.as_deref(),
        _ => None,
    }
}

fn of_call(part: &Expr, call: &ScalarFunction, schema: &DFSchema) -> Option<DataFusionError> {
    let name = call.func.name();
    if let Some(error) = of_arguments(name, &call.args, schema) {
        return Some(error);
    }
    let rest = call.args.get(1..).unwrap_or_default();
    if reads_times(name) {
        let are_texts = call.args.iter().all(|format| format.get_type(schema).is_ok_and(|of| of.is_string()));
        if !rest.is_empty() && are_texts {
            return of_formats(rest, &|format| StrftimeItems::new(format).any(|item| item == Item::Error));
        }
    } else if name == "strptime" {
        return of_formats(rest, &|format| TimeReader::new(format).is_err());
    } else if is_series(name) {
        // Whether a series is too long, its ends decide.
        let is_step_alone =
            call.args.len() == 3 && !call.args[..2].iter().any(is_fixed) && is_fixed(&call.args[2]);
        if !is_step_alone {
            return None;
        }
    } else if !BY_THEIR_WAYS.contains(&name) {
        return None;
    }
    probes::of_call(part, &call.args.iter().collect::<Vec<_>>(), schema)
}

/// Functions of whose arguments some are wrong in a way that computing them would not tell from other values.
const BY_ARGUMENTS: [&str; 3] = ["array_position", "get_field", "to_unixtime"];

/// Functions that compute with the numbers of a list.
const LISTS_OF_NUMBERS: [&str; 10] = [
    "array_add",
    "array_avg",
    "array_distance",
    "array_normalize",
    "array_product",
    "array_scale",
    "array_subtract",
    "array_sum",
    "cosine_distance",
    "inner_product",
];

fn of_arguments(name: &str, arguments: &[Expr], schema: &DFSchema) -> Option<DataFusionError> {
    let type_of = |at: usize| arguments.get(at)?.get_type(schema).ok();
    let whole = |at: usize| probes::whole_value(arguments.get(at)?);
    match name {
        "array_resize" => whole(1)
            .filter(|length| *length < 0)
            .map(|length| exec_datafusion_err!("`{name}` cannot make a list of {length} elements")),
        "array_position" => whole(2)
            .filter(|from| *from < 1)
            .map(|from| exec_datafusion_err!("`{name}` counts from 1, and cannot begin at {from}")),
        "to_unixtime" => {
            let are_mixed = arguments.first().is_some_and(is_fixed) && !arguments.iter().all(is_fixed);
            are_mixed
                .then(|| plan_datafusion_err!("`{name}` reads a constant text by constant formats alone"))
        }
        "get_field" => {
            let DataType::Map(entries, _) = type_of(0)? else { return None };
            let DataType::Struct(fields) = entries.data_type() else { return None };
            let keys = fields.first()?.data_type();
            if !is_fixed(arguments.get(1)?) {
                return Some(plan_datafusion_err!(
                    "the key in brackets after a map is a constant: write map_extract(map, key)[1]"
                ));
            }
            let key = type_of(1)?;
            let is_comparable = key == *keys || (key.is_string() && keys.is_string());
            (!is_comparable).then(|| {
                let (key, keys) = (in_sql(&key.to_string()), in_sql(&keys.to_string()));
                plan_datafusion_err!(
                    "the keys of this map are {keys}, and not {key}: cast the key that is asked for"
                )
            })
        }
        _ if LISTS_OF_NUMBERS.contains(&name) => {
            let holds_lists = |at: usize| match type_of(at) {
                Some(
                    DataType::List(of)
                    | DataType::LargeList(of)
                    | DataType::ListView(of)
                    | DataType::FixedSizeList(of, _),
                ) => of.data_type().is_nested(),
                _ => false,
            };
            (0..arguments.len())
                .any(holds_lists)
                .then(|| plan_datafusion_err!("`{name}` takes lists of numbers, and not lists of lists"))
        }
        _ => None,
    }
}

/// Whether an operator asks if one value contains the other. Of lists, the planner makes a function of it.
fn contains(operator: Operator) -> bool {
    matches!(operator, Operator::AtArrow | Operator::ArrowAt)
}

/// The most groups of values that an approximate percentile keeps: it makes room for all of them before it sees a row.
const MOST_GROUPS: i64 = 100_000;

/// Makes sure that no aggregate makes more room than a machine has before it sees a row, and none compares values that have no order.
///
/// # Errors
/// Where one does.
pub(crate) fn check_aggregates(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    plan.walk_with_subqueries(&mut |node| {
        if matches!(node, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_)) {
            let schema = parts::read_by(node)?;
            node.walk_expressions(&mut |expression| {
                expression.walk(&mut |part| check_aggregate(part, &schema))
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn check_aggregate(part: &Expr, schema: &DFSchema) -> Result<TreeNodeRecursion, DataFusionError> {
    let (name, arguments) = match part {
        Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
        Expr::WindowFunction(call) => (call.fun.name(), &call.params.args),
        _ => return Ok(TreeNodeRecursion::Continue),
    };
    let groups_at = match name {
        // One map is the least of itself: only two are compared, and only when there are rows.
        "min" | "max"
            if holds_map(&arguments.first().map_or(Ok(DataType::Null), |of| of.get_type(schema))?) =>
        {
            return plan_err!("`{name}` compares values, and those of type map have no order");
        }
        "approx_percentile_cont" => 2,
        "approx_percentile_cont_with_weight" => 3,
        _ => return Ok(TreeNodeRecursion::Continue),
    };
    match arguments.get(groups_at).and_then(probes::whole_value) {
        Some(groups) if groups > MOST_GROUPS => plan_err!(
            "`{name}` keeps at most {MOST_GROUPS} groups of values, and not {groups}; percentile_cont is exact"
        ),
        _ => Ok(TreeNodeRecursion::Continue),
    }
}

/// Whether values of a type are maps, or hold some.
fn holds_map(of: &DataType) -> bool {
    match of {
        DataType::Map(..) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            holds_map(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| holds_map(field.data_type())),
        _ => false,
    }
}

fn is_series(name: &str) -> bool {
    name == "range" || name == "generate_series"
}

/// The error of formats that are constants, where none of them is one.
fn of_formats(formats: &[Expr], is_none: &dyn Fn(&str) -> bool) -> Option<DataFusionError> {
    let mut first = None;
    for format in formats {
        let value = is_fixed(format).then(|| probes::value_of(format)).flatten()?;
        let text = value.try_as_str().flatten()?;
        if !is_none(text) {
            return None;
        }
        first.get_or_insert_with(|| {
            exec_datafusion_err!("the format `{text}` has a part that is no part of a time")
        });
    }
    first
}
