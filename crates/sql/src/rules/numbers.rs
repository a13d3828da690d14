//! Numbers of two kinds meet in the type that other engines give them.
//!
//! Where a decimal and a double are compared or merged, the engine makes decimals of 15 digits after the point of both: small
//! doubles become 0, and large ones, NaN and the infinite ones end the run. Elsewhere both are doubles. A number that is never
//! negative (`row_number()`) and one that may be become decimals, which divide otherwise than integers; here both are BIGINT.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, Case, InList, ScalarFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union, cast,
};

use super::parts::under_their_names;
use crate::tree::{PlanWalk, TreeWalk};

/// The functions that give one of their arguments.
const CHOOSE: [&str; 6] = ["coalesce", "nullif", "greatest", "least", "nvl", "ifnull"];

/// The plan in which they do.
///
/// # Errors
/// Where a mended node cannot be built.
pub fn meet(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut has_changed = false;
    let met = plan.map_up_with_subqueries(&mut |node| {
        // What is above a node that changed has other types too.
        let node = if has_changed { node.recompute_schema()? } else { node };
        let met = of_node(node)?;
        has_changed |= met.transformed;
        Ok(met)
    });
    Ok(met?.data)
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Union(union) if union.inputs.len() > 1 => of_union(LogicalPlan::Union(union)),
        LogicalPlan::Join(mut join) => {
            let mut changed = false;
            for (left, right) in &mut join.on {
                let types = [left.get_type(join.left.schema()), right.get_type(join.right.schema())];
                let [Ok(of_left), Ok(of_right)] = types else { continue };
                if let Some(common) = common(&[(of_left, false), (of_right, false)]) {
                    changed |= give(left, join.left.schema(), &common)?;
                    changed |= give(right, join.right.schema(), &common)?;
                }
            }
            let of_filter = in_expressions(LogicalPlan::Join(join))?;
            Ok(if changed { Transformed::yes(of_filter.data) } else { of_filter })
        }
        node => in_expressions(node),
    }
}

fn in_expressions(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if node.inputs().is_empty() {
        return Ok(Transformed::no(node));
    }
    let schema = merge_schema(&node.inputs());
    if !schema.fields().iter().any(|field| is_in_question(field.data_type())) {
        let mut casts = false;
        node.walk_expressions(&mut |expression| {
            casts |= expression.any_node(&mut |part| Ok(may_be_in_question(part)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !casts {
            return Ok(Transformed::no(node));
        }
    }
    let met = under_their_names(node, |_| Ok(true), |part| of_expression(part, &schema))?;
    if met.transformed { met.map_data(LogicalPlan::recompute_schema) } else { Ok(met) }
}

/// What may give such a number where no column is one.
fn may_be_in_question(part: &Expr) -> bool {
    matches!(
        part,
        Expr::Cast(_) | Expr::TryCast(_) | Expr::ScalarSubquery(_) | Expr::OuterReferenceColumn(..)
    )
}

fn is_in_question(data_type: &DataType) -> bool {
    data_type.is_floating() || *data_type == DataType::UInt64
}

fn of_expression(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut part = part;
    let changed = match &mut part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let computes = op.is_numerical_operators();
            if !computes && !op.supports_propagation() {
                return Ok(Transformed::no(part));
            }
            meet_all(&mut [left.as_mut(), right.as_mut()], schema, computes)?
        }
        Expr::Negative(value) => {
            value.get_type(schema).is_ok_and(|of| of == DataType::UInt64)
                && give(value, schema, &DataType::Int64)?
        }
        Expr::Between(Between { expr, low, high, .. }) => {
            meet_all(&mut [expr.as_mut(), low.as_mut(), high.as_mut()], schema, false)?
        }
        Expr::InList(InList { expr, list, .. }) => {
            let mut all: Vec<&mut Expr> = std::iter::once(expr.as_mut()).chain(list.iter_mut()).collect();
            meet_all(&mut all, schema, false)?
        }
        Expr::Case(Case { expr, when_then_expr, else_expr }) => {
            let mut compared: Vec<&mut Expr> = Vec::new();
            let mut given: Vec<&mut Expr> = Vec::new();
            let compares = expr.is_some();
            compared.extend(expr.as_deref_mut());
            for (when, then) in when_then_expr.iter_mut() {
                if compares {
                    compared.push(when);
                }
                given.push(then);
            }
            given.extend(else_expr.as_deref_mut());
            meet_all(&mut compared, schema, false)? | meet_all(&mut given, schema, false)?
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if CHOOSE.contains(&func.name()) => {
            let mut all: Vec<&mut Expr> = args.iter_mut().collect();
            meet_all(&mut all, schema, false)?
        }
        _ => false,
    };
    Ok(if changed { Transformed::yes(part) } else { Transformed::no(part) })
}

/// Gives operands their common type. Decimals and doubles that are computed with are right as they are.
fn meet_all(operands: &mut [&mut Expr], schema: &DFSchema, computes: bool) -> Result<bool> {
    let mut types = Vec::with_capacity(operands.len());
    for operand in operands.iter() {
        // What the analyzer refuses later, or knows more of.
        let Ok(data_type) = operand.get_type(schema) else { return Ok(false) };
        types.push((data_type, is_short_literal(operand)));
    }
    let Some(common) = common(&types) else { return Ok(false) };
    if computes && common == DataType::Float64 {
        return Ok(false);
    }
    let mut changed = false;
    for operand in operands.iter_mut() {
        changed |= give(operand, schema, &common)?;
    }
    Ok(changed)
}

/// The type in which numbers of these types meet, where the engine has another. A number that is written out, as in `price > 1.5`,
/// is one of the decimals beside it.
fn common(types: &[(DataType, bool)]) -> Option<DataType> {
    let any = |is: fn(&DataType) -> bool| types.iter().any(|(data_type, _)| is(data_type));
    let computed_float = types.iter().any(|(data_type, is_short)| data_type.is_floating() && !is_short);
    if computed_float && any(DataType::is_decimal) {
        return Some(DataType::Float64);
    }
    let unsigned = any(|data_type| *data_type == DataType::UInt64);
    let signed = any(DataType::is_signed_integer);
    (unsigned && signed && types.iter().all(|(data_type, _)| data_type.is_integer() || data_type.is_null()))
        .then_some(DataType::Int64)
}

/// Whether a double is written with so few digits that it is the same as a decimal.
fn is_short_literal(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => {
            let scaled = value * 1e6;
            value.abs() < 1e9 && (scaled - scaled.round()).abs() < 1e-3
        }
        Expr::Negative(inner) => is_short_literal(inner),
        _ => false,
    }
}

fn give(operand: &mut Expr, schema: &DFSchema, common: &DataType) -> Result<bool> {
    let is = operand.get_type(schema)?;
    let changes = match common {
        DataType::Float64 => is.is_decimal(),
        _ => is == DataType::UInt64,
    };
    if changes {
        let was = std::mem::take(operand);
        *operand = cast(was, common.clone());
    }
    Ok(changes)
}

fn of_union(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Union(mut union) = node else { return Ok(Transformed::no(node)) };
    let columns = union.inputs.iter().map(|input| input.schema().fields().len()).min().unwrap_or(0);
    let common: Vec<Option<DataType>> = (0..columns)
        .map(|at| {
            let types: Vec<_> = union
                .inputs
                .iter()
                .map(|input| (input.schema().field(at).data_type().clone(), false))
                .collect();
            common(&types)
        })
        .collect();
    if common.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    for input in &mut union.inputs {
        let mut changed = false;
        let mut given = Vec::with_capacity(columns);
        for (at, (qualifier, field)) in input.schema().iter().enumerate() {
            let column = Expr::Column(Column::from((qualifier, field)));
            let mut cast = column.clone();
            let changes = match common.get(at) {
                Some(Some(data_type)) => give(&mut cast, input.schema(), data_type)?,
                _ => false,
            };
            changed |= changes;
            given.push(if changes { cast.alias_qualified(qualifier.cloned(), field.name()) } else { column });
        }
        if changed {
            *input = LogicalPlanBuilder::from(input.as_ref().clone()).project(given)?.build()?.into();
        }
    }
    // A union says the types of its first input.
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(union.inputs)?)))
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    const T: &str = "(select cast(a as decimal(10,2)) as m, cast(b as double) as d from (values ('1.50', '1.5'), ('0.00', '1e-20'), ('2.00', 'nan'), ('3.00', '1e30')) v(a, b)) t";

    #[test]
    fn a_decimal_and_a_double_are_compared_as_doubles() {
        assert_eq!(
            rows(&format!("select m = d, m < d, d <= m, m is distinct from d from {T} order by m")),
            "falsetruefalsetrue truefalsetruefalse falsetruefalsetrue falsetruefalsetrue"
        );
        assert_eq!(rows(&format!("select count(*) from {T} where d in (m, 7) or m between d and d")), "1");
        assert_eq!(rows(&format!("select a.m from {T} join (select m from {T}) a on a.m = t.d")), "1.50");
    }

    #[test]
    fn a_decimal_and_a_double_are_merged_to_doubles() {
        assert_eq!(
            rows(&format!("select coalesce(nullif(m, m), d) from {T} order by d")),
            "1e-20 1.5 1e30 NaN"
        );
        assert_eq!(
            rows(&format!("select case when m > 1 then d else m end from {T} order by m")),
            "0.0 1.5 NaN 1e30"
        );
        assert_eq!(
            rows(&format!("select m from {T} union select d from {T} order by 1")),
            "0.0 1e-20 1.5 2.0 3.0 1e30 NaN"
        );
        assert_eq!(rows(&format!("select d from {T} except select m from {T} order by 1")), "1e-20 1e30 NaN");
    }

    #[test]
    fn a_number_that_is_written_out_is_a_decimal_beside_one() {
        assert_eq!(rows(&format!("select m from {T} where m = 1.5")), "1.50");
    }

    #[test]
    fn numbers_of_rows_are_integers_among_integers() {
        assert_eq!(rows("select coalesce(row_number() over (), 2) / 3"), "0");
        assert_eq!(
            rows("select x / 2 from (select row_number() over () as x union all select -1) order by 1"),
            "0 0"
        );
    }
}
