//! Expressions as they are written out, and what is read of those that stand there.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, UnaryOperator, Value,
};

use super::super::columns::call;
use crate::calendar::CalendarUnit;

pub(super) fn cast_to(value: &Expr, data_type: DataType) -> Expr {
    cast_by(CastKind::Cast, value, data_type)
}

/// NULL where the value is none of the type.
pub(super) fn tried(value: &Expr, data_type: DataType) -> Expr {
    cast_by(CastKind::TryCast, value, data_type)
}

pub(super) fn cast_by(kind: CastKind, value: &Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind, expr: Box::new(value.clone()), data_type, array: false, format: None }
}

pub(super) fn operation(left: &Expr, op: BinaryOperator, right: &Expr) -> Expr {
    let nested = |side: &Expr| Box::new(Expr::Nested(Box::new(side.clone())));
    Expr::Nested(Box::new(Expr::BinaryOp { left: nested(left), op, right: nested(right) }))
}

pub(super) fn case(condition: &Expr, yes: &Expr, no: Option<&Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: condition.clone(), result: yes.clone() }],
        else_result: no.map(|no| Box::new(no.clone())),
    }
}

pub(super) fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).into())
}

pub(super) fn number(value: &str) -> Expr {
    Expr::Value(Value::Number(value.to_owned(), false).into())
}

pub(super) fn unnamed(value: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
}

/// A call in the place of another one.
pub(super) fn call_at(function: &Function, name: &str, given: Vec<Expr>) -> Expr {
    let mut made = call(name, given);
    if let (Expr::Function(made), Some(place)) = (&mut made, ident(&function.name)) {
        made.name =
            ObjectName(vec![ObjectNamePart::Identifier(Ident { value: name.to_owned(), ..place.clone() })]);
    }
    made
}

pub(super) fn rename(function: &mut Function, name: &str) {
    if let Some(ObjectNamePart::Identifier(ident)) = function.name.0.first_mut() {
        name.clone_into(&mut ident.value);
    }
}

pub(super) fn ident(name: &ObjectName) -> Option<&Ident> {
    match &name.0[..] {
        [ObjectNamePart::Identifier(ident)] => Some(ident),
        _ => None,
    }
}

/// A name without quotes and dots, in lower case.
pub(super) fn plain_name(name: &ObjectName) -> Option<String> {
    ident(name).filter(|ident| ident.quote_style.is_none()).map(|ident| ident.value.to_lowercase())
}

/// The arguments of a call that are expressions, where all are.
pub(super) fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(FunctionArgumentList { args, .. }) = &function.args else { return None };
    let expression = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    };
    args.iter().map(expression).collect()
}

/// A unit of time that is written as a name.
pub(super) fn bare_unit(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) if name.quote_style.is_none() => {
            // What `m` is, is for the function to refuse.
            let is_unit = CalendarUnit::named(&name.value).is_some() || name.value.eq_ignore_ascii_case("m");
            is_unit.then(|| name.value.clone())
        }
        _ => None,
    }
}

/// Whether a unit is written as a word: one letter is a column's name as well.
pub(super) fn is_word(expression: &Expr) -> bool {
    bare_unit(expression).is_some_and(|name| name.len() > 1)
}

pub(super) fn unit_of(expression: &Expr) -> Option<CalendarUnit> {
    bare_unit(expression).or_else(|| text_of(expression)).and_then(|name| CalendarUnit::named(&name))
}

pub(super) fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn whole_number(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        Expr::Nested(inner) => whole_number(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => whole_number(expr).and_then(i64::checked_neg),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => whole_number(expr),
        _ => None,
    }
}
