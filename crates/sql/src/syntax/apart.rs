//! Keys of groups, aggregates and windows that the planner would give one name are written apart: see [`crate::rules::apart`].
//!
//! It names them after their expressions, and leaves casts, brackets and what subqueries ask out. Those that are told apart by
//! nothing else have these parts put into a call, with a number for each way of writing them.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, GroupByExpr, Ident, NamedWindowDefinition, NamedWindowExpr, OrderBy, OrderByKind,
    Query, Select, SelectItem, Statement as Tree, UnaryOperator, Value, ValueWithSpan, Visitor, VisitorMut,
    WindowSpec, WindowType,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::columns::{call, folded};
use super::visits::{visit, visit_mut};
use super::walk::{own_expressions, selects_of};

/// The name of the call.
pub(crate) const APART: &str = "__apart";

/// Writes what would be of one name apart, in all SELECTs of a statement.
pub(crate) fn write_apart(statement: &mut Statement, is_scalar: &dyn Fn(&str) -> bool) {
    if let Statement::Statement(tree) = statement {
        let tree: &mut Tree = tree;
        // The visitor breaks nowhere.
        let _ = visit_mut(tree, &mut Queries { is_scalar });
    }
}

struct Queries<'a> {
    is_scalar: &'a dyn Fn(&str) -> bool,
}

impl VisitorMut for Queries<'_> {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        selects_of(query, |select, order_by| in_select(select, order_by, self.is_scalar));
        ControlFlow::Continue(())
    }
}

fn in_select(select: &mut Select, mut order_by: Option<&mut OrderBy>, is_scalar: &dyn Fn(&str) -> bool) {
    let mut named: Vec<Expr> = Vec::new();
    // The aggregates and windows of the SELECT.
    let mut gather = |expression: &mut Expr| {
        if let Expr::Function(function) = expression
            && (function.over.is_some() || !is_scalar(&function.name.to_string().to_lowercase()))
        {
            named.push(expression.clone());
        }
    };
    own_expressions(&mut select.projection, &mut gather);
    own_expressions(&mut select.having, &mut gather);
    own_expressions(&mut select.qualify, &mut gather);
    own_expressions(&mut select.distinct, &mut gather);
    if let Some(order_by) = &mut order_by {
        own_expressions(&mut **order_by, &mut gather);
    }
    named.extend(keys(select));
    if named.len() < 2 {
        return;
    }
    let windows = windows(select);
    let numbers = numbers(&named, &windows);
    if numbers.is_empty() {
        return;
    }
    let mut apart = |expression: &mut Expr| write_one_apart(expression, &numbers, &windows);
    own_expressions(&mut select.projection, &mut apart);
    own_expressions(&mut select.group_by, &mut apart);
    own_expressions(&mut select.having, &mut apart);
    own_expressions(&mut select.qualify, &mut apart);
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        own_expressions(keys, &mut apart);
    }
    if let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = &mut order_by {
        own_expressions(keys, &mut apart);
    }
}

/// What rows are grouped by, or the first ones taken of.
fn keys(select: &Select) -> Vec<Expr> {
    let mut keys = Vec::new();
    let mut open: Vec<&Expr> = match (&select.group_by, &select.distinct) {
        (_, Some(Distinct::On(keys))) | (GroupByExpr::Expressions(keys, _), _) => keys.iter().collect(),
        (GroupByExpr::All(_), _) => select.projection.iter().filter_map(value).collect(),
    };
    while let Some(key) = open.pop() {
        match key {
            Expr::Nested(inner) => open.push(inner),
            Expr::Tuple(all) => open.extend(all),
            Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
                open.extend(sets.iter().flatten());
            }
            Expr::Value(ValueWithSpan { value: Value::Number(at, _), .. }) => {
                let at = at.parse::<usize>().ok().and_then(|at| at.checked_sub(1));
                keys.extend(at.and_then(|at| select.projection.get(at)).and_then(value).cloned());
            }
            Expr::Identifier(name) => {
                keys.push(key.clone());
                keys.extend(select.projection.iter().filter_map(|item| match item {
                    SelectItem::ExprWithAlias { expr, alias } if folded(alias) == folded(name) => {
                        Some(expr.clone())
                    }
                    _ => None,
                }));
            }
            other => keys.push(other.clone()),
        }
    }
    keys
}

fn value(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => Some(value),
        _ => None,
    }
}

type NamedWindows = HashMap<String, WindowSpec>;

/// The windows that are known by a name.
fn windows(select: &Select) -> NamedWindows {
    let window = |NamedWindowDefinition(name, window): &NamedWindowDefinition| match window {
        NamedWindowExpr::WindowSpec(window) => Some((folded(name), window.clone())),
        NamedWindowExpr::NamedWindow(_) => None,
    };
    select.named_window.iter().filter_map(window).collect()
}

/// The expressions, as they are written, that others have the name of, each with a number.
fn numbers(expressions: &[Expr], windows: &NamedWindows) -> HashMap<String, usize> {
    let mut ways: HashMap<String, Vec<String>> = HashMap::new();
    for expression in expressions {
        let ways = ways.entry(written(expression, windows, false)).or_default();
        let way = written(expression, windows, true);
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    let of_one_name = ways.into_values().filter(|ways| ways.len() > 1).flatten();
    let in_order: HashSet<String> = of_one_name.collect();
    let mut in_order: Vec<String> = in_order.into_iter().collect();
    in_order.sort();
    in_order.into_iter().zip(1..).collect()
}

/// An expression as text, in which the same is always written in the same way; perhaps without what its name leaves out.
fn written(expression: &Expr, windows: &NamedWindows, is_whole: bool) -> String {
    let mut expression = expression.clone();
    while let Expr::Nested(inner) = expression {
        expression = *inner;
    }
    let _ = visit_mut(&mut expression, &mut WrittenOnce { windows, is_whole });
    expression.to_string()
}

struct WrittenOnce<'a> {
    windows: &'a NamedWindows,
    is_whole: bool,
}

impl VisitorMut for WrittenOnce<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expression {
            with_its_window(function, self.windows);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let other = match expression {
            Expr::Function(_) => within(expression).cloned(),
            Expr::Identifier(name) => Some(Expr::Identifier(plain(name))),
            Expr::CompoundIdentifier(parts) => parts.last().map(|name| Expr::Identifier(plain(name))),
            Expr::Cast { kind, data_type, .. } if self.is_whole => {
                if *kind == CastKind::DoubleColon {
                    *kind = CastKind::Cast;
                }
                if let DataType::Int(size) = data_type {
                    *data_type = DataType::Integer(*size);
                }
                None
            }
            Expr::Nested(expr) | Expr::UnaryOp { op: UnaryOperator::Plus, expr } => {
                Some(expr.as_ref().clone())
            }
            // What belongs together is shown, whether there were brackets or none were needed.
            Expr::BinaryOp { .. } if self.is_whole => Some(Expr::Nested(Box::new(expression.clone()))),
            Expr::Cast { expr, .. } | Expr::AtTimeZone { timestamp: expr, .. } if !self.is_whole => {
                Some(expr.as_ref().clone())
            }
            Expr::TypedString(typed) if !self.is_whole => Some(Expr::Value(typed.value.clone())),
            Expr::Subquery(_) if !self.is_whole => Some(Expr::Identifier(Ident::new("subquery"))),
            Expr::Exists { .. } | Expr::InSubquery { .. } if !self.is_whole => {
                Some(Expr::Identifier(Ident::new("asked")))
            }
            _ => None,
        };
        if let Some(other) = other {
            *expression = other;
        }
        ControlFlow::Continue(())
    }
}

fn plain(name: &Ident) -> Ident {
    Ident { value: folded(name), quote_style: None, span: Span::empty() }
}

fn with_its_window(function: &mut Function, windows: &NamedWindows) {
    if let Some(WindowType::NamedWindow(name)) = &function.over
        && let Some(window) = windows.get(&folded(name))
    {
        function.over = Some(WindowType::WindowSpec(window.clone()));
    }
}

/// Puts what is to be told apart of an expression into calls.
fn write_one_apart(expression: &mut Expr, numbers: &HashMap<String, usize>, windows: &NamedWindows) {
    if matches!(expression, Expr::Nested(_) | Expr::Value(_)) || within(expression).is_some() {
        return;
    }
    let Some(number) = numbers.get(&written(expression, windows, true)).copied() else { return };
    match expression {
        Expr::Function(function) => {
            with_its_window(function, windows);
            for part in parts(function) {
                if tells_apart(part) {
                    put(part, number);
                }
            }
        }
        other if tells_apart(other) => put(other, number),
        _ => {}
    }
}

/// What a call was put around.
fn within(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
            if name.to_string() == APART =>
        {
            match list.args.first() {
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(value))) => Some(value),
                _ => None,
            }
        }
        _ => None,
    }
}

fn put(expression: &mut Expr, number: usize) {
    let value = std::mem::replace(expression, Expr::Identifier(Ident::new(APART)));
    let number = Expr::Value(Value::Number(number.to_string(), false).with_empty_span());
    *expression = call(APART, vec![value, number]);
}

/// The expressions that a call speaks of.
fn parts(function: &mut Function) -> Vec<&mut Expr> {
    let mut parts = Vec::new();
    if let FunctionArguments::List(list) = &mut function.args {
        for arg in &mut list.args {
            let (FunctionArg::Named { arg, .. }
            | FunctionArg::ExprNamed { arg, .. }
            | FunctionArg::Unnamed(arg)) = arg;
            if let FunctionArgExpr::Expr(value) = arg {
                parts.push(value);
            }
        }
        for clause in &mut list.clauses {
            if let FunctionArgumentClause::OrderBy(keys) = clause {
                parts.extend(keys.iter_mut().map(|key| &mut key.expr));
            }
        }
    }
    parts.extend(function.filter.as_deref_mut());
    parts.extend(function.within_group.iter_mut().map(|key| &mut key.expr));
    if let Some(WindowType::WindowSpec(window)) = &mut function.over {
        parts.extend(window.partition_by.iter_mut());
        parts.extend(window.order_by.iter_mut().map(|key| &mut key.expr));
    }
    parts
}

/// Whether an expression has a part that its name leaves out.
fn tells_apart(expression: &Expr) -> bool {
    let mut search = Telling { found: false };
    let _ = visit(expression, &mut search);
    search.found
}

struct Telling {
    found: bool,
}

impl Visitor for Telling {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        self.found |= matches!(
            expression,
            Expr::Cast { .. }
                | Expr::BinaryOp { .. }
                | Expr::AtTimeZone { .. }
                | Expr::TypedString(_)
                | Expr::Subquery(_)
                | Expr::Exists { .. }
                | Expr::InSubquery { .. }
        );
        if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
