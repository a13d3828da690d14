//! Aggregates, window functions and orders.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Sort, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::expression::{Writer, constant};
use super::{Dialect, Result};

/// An aggregate of a GROUP BY.
pub(super) fn aggregate(writer: &Writer<'_>, expr: &Expr) -> Result<String> {
    let call = match expr {
        Expr::Alias(alias) => return aggregate(writer, &alias.expr),
        Expr::AggregateFunction(call) => call,
        other => return Err(writer.refused(format!("the aggregate `{other}`"))),
    };
    let params = &call.params;
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(writer.refused(format!("`{}` with an order", call.func.name())));
    }
    called(writer, call.func.name(), &params.args, params.distinct, params.filter.as_deref())
}

fn called(
    writer: &Writer<'_>,
    name: &str,
    args: &[Expr],
    is_distinct: bool,
    filter: Option<&Expr>,
) -> Result<String> {
    let refused = |what: String| Err(writer.refused(what));
    let [arg] = args else { return refused(format!("`{name}` of several columns")) };
    let data_type = writer.type_of(arg)?;
    let is_all = constant(arg).is_some_and(|value| !value.is_null());
    match name {
        "count" if is_distinct => writer.comparable(arg, "count(distinct)")?,
        "count" => {}
        "min" | "max" if data_type == DataType::Boolean => return refused(format!("`{name}` of a boolean")),
        "min" | "max" => writer.comparable(arg, name)?,
        "sum" if data_type == DataType::Int64 => {}
        "sum" | "avg" => {
            let problem = writer.refused(format!("`{name}` of a {data_type}"));
            return Err(
                problem.help("the sum of doubles depends on the order of the rows; add whole numbers up")
            );
        }
        _ => return refused(format!("the aggregate `{name}`")),
    }
    let sql = match filter {
        _ if is_all && filter.is_none() => "*".to_owned(),
        Some(filter) => {
            format!("CASE WHEN {} THEN {} END", writer.expression(filter)?, writer.expression(arg)?)
        }
        None => writer.expression(arg)?,
    };
    let sql = if sql == "*" && (name != "count" || is_distinct) { writer.expression(arg)? } else { sql };
    Ok(format!("{name}({}{sql})", if is_distinct { "DISTINCT " } else { "" }))
}

/// A window function.
pub(super) fn window(writer: &Writer<'_>, expr: &Expr) -> Result<String> {
    let call = match expr {
        Expr::Alias(alias) => return window(writer, &alias.expr),
        Expr::WindowFunction(call) => call,
        other => return Err(writer.refused(format!("the window function `{other}`"))),
    };
    let params = &call.params;
    let name = call.fun.name();
    if params.null_treatment.is_some() || params.distinct {
        return Err(
            writer.refused(format!("the window function `{name}` with `distinct` or a treatment of nulls"))
        );
    }
    match &call.fun {
        WindowFunctionDefinition::AggregateUDF(_) => {
            let function = called(writer, name, &params.args, false, params.filter.as_deref())?;
            let over = over(writer, params, Some(&params.window_frame))?;
            Ok(format!("{function} OVER ({over})"))
        }
        WindowFunctionDefinition::WindowUDF(_) => {
            let over = over(writer, params, None)?;
            match name {
                "row_number" | "rank" | "dense_rank" => {
                    let sql = format!("{name}() OVER ({over})");
                    Ok(match writer.dialect {
                        Dialect::Hive => format!("CAST({sql} AS bigint)"),
                        Dialect::Trino => sql,
                    })
                }
                "lag" | "lead" => {
                    Ok(format!("{name}({}) OVER ({over})", neighbour(writer, name, &params.args)?))
                }
                _ => Err(writer.refused(format!("the window function `{name}`"))),
            }
        }
    }
}

/// The arguments of `lag` and `lead`: a column, how far away, what stands where there is none.
fn neighbour(writer: &Writer<'_>, name: &str, args: &[Expr]) -> Result<String> {
    let Some((value, rest)) = args.split_first() else {
        return Err(writer.refused(format!("`{name}` of nothing")));
    };
    let mut sql = writer.expression(value)?;
    let Some((distance, rest)) = rest.split_first() else { return Ok(sql) };
    let rows = match constant(distance) {
        Some(ScalarValue::Int64(Some(rows))) if rows >= 0 => rows,
        _ => return Err(writer.refused(format!("`{name}` by `{distance}`"))),
    };
    sql.push_str(&format!(", {rows}"));
    if rest.first().is_some_and(|default| !constant(default).is_some_and(|default| default.is_null())) {
        return Err(writer.refused(format!("`{name}` with a default")).help("use coalesce"));
    }
    Ok(sql)
}

fn over(writer: &Writer<'_>, params: &WindowFunctionParams, frame: Option<&WindowFrame>) -> Result<String> {
    let mut parts = Vec::new();
    if !params.partition_by.is_empty() {
        for expr in &params.partition_by {
            writer.comparable(expr, "partition by")?;
        }
        parts.push(format!("PARTITION BY {}", writer.list(&params.partition_by)?));
    }
    if !params.order_by.is_empty() {
        parts.push(order(writer, &params.order_by)?);
    }
    if let Some(frame) = frame {
        let is_all = frame.start_bound.is_unbounded() && frame.end_bound.is_unbounded();
        if !params.order_by.is_empty() {
            parts.push(frame_text(writer, frame)?);
        } else if !is_all && frame.units != WindowFrameUnits::Range {
            return Err(writer.refused("a window's frame without an order"));
        }
    }
    Ok(parts.join(" "))
}

/// An ORDER BY. The place of NULLs is always said, since engines differ.
pub(super) fn order(writer: &Writer<'_>, sorts: &[Sort]) -> Result<String> {
    let mut items = Vec::new();
    for sort in sorts {
        writer.comparable(&sort.expr, "order by")?;
        let direction = if sort.asc { "ASC" } else { "DESC" };
        let nulls = if sort.nulls_first { "FIRST" } else { "LAST" };
        items.push(format!("{} {direction} NULLS {nulls}", writer.expression(&sort.expr)?));
    }
    Ok(format!("ORDER BY {}", items.join(", ")))
}

fn frame_text(writer: &Writer<'_>, frame: &WindowFrame) -> Result<String> {
    let bound = |bound: &WindowFrameBound| {
        let rows = |rows: &ScalarValue| match (frame.units, rows) {
            (_, rows) if rows.is_null() => Ok("UNBOUNDED".to_owned()),
            (WindowFrameUnits::Rows, ScalarValue::UInt64(Some(rows))) => Ok(rows.to_string()),
            (units, rows) => Err(writer.refused(format!("the window's frame `{units}` by {rows}"))),
        };
        Ok(match bound {
            WindowFrameBound::Preceding(distance) => format!("{} PRECEDING", rows(distance)?),
            WindowFrameBound::CurrentRow => "CURRENT ROW".to_owned(),
            WindowFrameBound::Following(distance) => format!("{} FOLLOWING", rows(distance)?),
        })
    };
    let units = match frame.units {
        WindowFrameUnits::Rows => "ROWS",
        WindowFrameUnits::Range => "RANGE",
        WindowFrameUnits::Groups => return Err(writer.refused("a window's frame by groups")),
    };
    Ok(format!("{units} BETWEEN {} AND {}", bound(&frame.start_bound)?, bound(&frame.end_bound)?))
}
