//! Aggregates as engines write them.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArgumentClause, FunctionArguments, OrderByExpr, OrderByOptions,
};

use super::tree::{arguments, case, number, operation, rename, text, unnamed};

/// Aggregates of the row where another column is greatest or least.
pub(super) const EXTREMES: [(&str, bool); 6] = [
    ("max_by", false),
    ("arg_max", false),
    ("argmax", false),
    ("min_by", true),
    ("arg_min", true),
    ("argmin", true),
];

/// `string_agg` with what stands between the texts, and their order within the brackets.
pub(super) fn joined(function: &mut Function) {
    let order = std::mem::take(&mut function.within_group);
    let FunctionArguments::List(list) = &mut function.args else { return };
    if list.args.len() == 1 {
        list.args.push(unnamed(text(",")));
    }
    if !order.is_empty() {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
}

/// `count_if(condition)` counts the rows for which it holds.
pub(super) fn count_of_true(function: &mut Function) {
    let Some(given) = arguments(function) else { return };
    if let ([condition], FunctionArguments::List(list)) = (&given[..], &mut function.args) {
        list.args = vec![unnamed(case(condition, &number("1"), None))];
        rename(function, "count");
    }
}

/// The value of the row where another one is greatest or least; of equal ones, that of the least value.
pub(super) fn at_extreme(function: &mut Function, ascending: bool) {
    let Some(given) = arguments(function) else { return };
    let ([value, by], FunctionArguments::List(list), None) = (&given[..], &mut function.args, &function.over)
    else {
        return;
    };
    let order = |expr: &Expr, ascending| OrderByExpr {
        expr: expr.clone(),
        options: OrderByOptions { asc: Some(ascending), nulls_first: Some(false) },
        with_fill: None,
    };
    list.args = vec![unnamed(value.clone())];
    list.clauses.push(FunctionArgumentClause::OrderBy(vec![order(by, ascending), order(value, true)]));
    let is_there = |of: &Expr| Expr::IsNotNull(Box::new(Expr::Nested(Box::new(of.clone()))));
    let both = operation(&is_there(value), BinaryOperator::And, &is_there(by));
    let filter = match function.filter.take() {
        Some(filter) => operation(&filter, BinaryOperator::And, &both),
        None => both,
    };
    function.filter = Some(Box::new(filter));
    rename(function, "first_value");
}

/// `percentile_cont(0.5) within group (order by x) over (…)`: over a window, the engine takes the column as the first argument.
pub(super) fn percentile_over_window(function: &mut Function) {
    let Some(given) = arguments(function) else { return };
    let ([share], [OrderByExpr { expr, options, .. }], FunctionArguments::List(list)) =
        (&given[..], &function.within_group[..], &mut function.args)
    else {
        return;
    };
    if options.asc != Some(false) {
        list.args = vec![unnamed(expr.clone()), unnamed(share.clone())];
        function.within_group.clear();
    }
}
