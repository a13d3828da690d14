//! An expression as SQL.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, Like, Operator};

use super::select::SelectPiece;
use super::{Dialect, Result, Untranslatable, cast, function, literal, time, types};

/// Writes the expressions over one input.
pub(super) struct Writer<'a> {
    pub(super) dialect: Dialect,
    schema: &'a DFSchema,
    columns: &'a [SelectPiece],
    replaced: &'a HashMap<Expr, String>,
}

impl<'a> Writer<'a> {
    /// A writer over `columns`, which are those of `schema`; the expressions in `replaced` are written as that says.
    pub(super) fn new(
        dialect: Dialect,
        schema: &'a DFSchema,
        columns: &'a [SelectPiece],
        replaced: &'a HashMap<Expr, String>,
    ) -> Self {
        Self { dialect, schema, columns, replaced }
    }

    pub(super) fn refused(&self, construct: impl Into<String>) -> Untranslatable {
        Untranslatable::new(self.dialect, construct)
    }

    /// The expression's type.
    pub(super) fn type_of(&self, expr: &Expr) -> Result<DataType> {
        expr.get_type(self.schema).map_err(|error| self.refused(error.strip_backtrace()))
    }

    /// Refuses an expression whose values are not compared in the same way everywhere.
    pub(super) fn comparable(&self, expr: &Expr, what: &str) -> Result<()> {
        let data_type = self.type_of(expr)?;
        if types::is_comparable(&data_type) {
            return Ok(());
        }
        Err(self.refused(format!("`{what}` of a {data_type}")))
    }

    /// The expression as a column of a SELECT.
    pub(super) fn piece(&self, expr: &Expr) -> Result<SelectPiece> {
        match expr {
            Expr::Alias(alias) => self.piece(&alias.expr),
            Expr::Column(_) => self.column(expr).cloned(),
            other => self.expression(other).map(SelectPiece::expression),
        }
    }

    fn column(&self, expr: &Expr) -> Result<&'a SelectPiece> {
        let Expr::Column(column) = expr else { return Err(self.refused(expr.to_string())) };
        let index = self.schema.index_of_column(column).ok();
        index
            .and_then(|index| self.columns.get(index))
            .ok_or_else(|| self.refused(format!("the column `{column}`")))
    }

    /// The expression, which stands on its own: it needs no parentheses.
    pub(super) fn expression(&self, expr: &Expr) -> Result<String> {
        if let Some(sql) = self.replaced.get(expr) {
            return Ok(sql.clone());
        }
        match expr {
            Expr::Alias(alias) => self.expression(&alias.expr),
            Expr::Column(_) => Ok(self.column(expr)?.sql.clone()),
            Expr::Literal(value, _) => literal::constant(self.dialect, value),
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::Not(inner) => Ok(format!("(NOT {})", self.expression(inner)?)),
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => {
                Ok(format!("({} IS NULL)", self.expression(inner)?))
            }
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => {
                Ok(format!("({} IS NOT NULL)", self.expression(inner)?))
            }
            Expr::IsTrue(inner) => Ok(self.same(&self.expression(inner)?, "TRUE")),
            Expr::IsFalse(inner) => Ok(self.same(&self.expression(inner)?, "FALSE")),
            Expr::IsNotTrue(inner) => Ok(format!("(NOT {})", self.same(&self.expression(inner)?, "TRUE"))),
            Expr::IsNotFalse(inner) => Ok(format!("(NOT {})", self.same(&self.expression(inner)?, "FALSE"))),
            Expr::Negative(inner) if self.type_of(inner)?.is_signed_integer() => {
                Ok(format!("(- {})", self.expression(inner)?))
            }
            Expr::Between(between) => {
                self.comparable(&between.expr, "between")?;
                let not = if between.negated { "NOT " } else { "" };
                let (value, low, high) = (&between.expr, &between.low, &between.high);
                let (value, low, high) =
                    (self.expression(value)?, self.expression(low)?, self.expression(high)?);
                Ok(format!("({value} {not}BETWEEN {low} AND {high})"))
            }
            Expr::InList(list) => {
                self.comparable(&list.expr, "in")?;
                if list.list.iter().any(is_null) {
                    return Err(self.refused("`in` with a null in its list"));
                }
                let not = if list.negated { "NOT " } else { "" };
                Ok(format!("({} {not}IN ({}))", self.expression(&list.expr)?, self.list(&list.list)?))
            }
            Expr::Case(case) => self.case(case),
            Expr::Cast(inner) => cast::cast(self, &inner.expr, inner.field.data_type()),
            Expr::Like(like) => self.like(like),
            Expr::ScalarFunction(call) => function::call(self, call.func.name(), &call.args),
            Expr::TryCast(_) => Err(self.refused("`try_cast`")),
            Expr::SimilarTo(_) => Err(self.refused("`similar to`")),
            Expr::ScalarSubquery(_) => Err(self.refused("a subquery as a value").help("join it")),
            Expr::InSubquery(_) => Err(self.refused("`in` with a subquery").help("join it")),
            Expr::Exists(_) => Err(self.refused("`exists`").help("join it")),
            other => Err(self.refused(format!("`{other}`"))),
        }
    }

    /// Several expressions, with commas.
    pub(super) fn list(&self, exprs: &[Expr]) -> Result<String> {
        Ok(exprs.iter().map(|expr| self.expression(expr)).collect::<Result<Vec<_>>>()?.join(", "))
    }

    /// Whether two values are the same, where NULL is NULL.
    fn same(&self, left: &str, right: &str) -> String {
        match self.dialect {
            Dialect::Hive => format!("({left} <=> {right})"),
            Dialect::Trino => format!("({left} IS NOT DISTINCT FROM {right})"),
        }
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<String> {
        let BinaryExpr { left, op, right } = binary;
        let (left_type, right_type) = (self.type_of(left)?, self.type_of(right)?);
        let unequal = || {
            let problem = self.refused(format!("`{op}` of a {left_type} and a {right_type}"));
            if left_type.is_floating() && is_comparison(*op) {
                return problem
                    .help("-0.0 and NaN compare differently; compare whole numbers or make it a table");
            }
            problem
        };
        if let Some(sql) = time::arithmetic(self, binary)? {
            return Ok(sql);
        }
        let (one, other) = (self.expression(left)?, self.expression(right)?);
        if matches!(op, Operator::And | Operator::Or) {
            return Ok(format!("({one} {op} {other})"));
        }
        if !types::is_same(&left_type, &right_type) {
            return Err(unequal());
        }
        if is_comparison(*op) {
            if !types::is_comparable(&left_type) {
                return Err(unequal());
            }
            return Ok(match op {
                Operator::IsNotDistinctFrom => self.same(&one, &other),
                Operator::IsDistinctFrom => format!("(NOT {})", self.same(&one, &other)),
                Operator::NotEq => format!("({one} <> {other})"),
                op => format!("({one} {op} {other})"),
            });
        }
        match op {
            Operator::StringConcat if left_type.is_string() => Ok(match self.dialect {
                Dialect::Hive => format!("concat({one}, {other})"),
                Dialect::Trino => format!("({one} || {other})"),
            }),
            Operator::Plus | Operator::Minus | Operator::Multiply
                if left_type.is_signed_integer() || left_type == DataType::Float64 =>
            {
                Ok(format!("({one} {op} {other})"))
            }
            Operator::Modulo if left_type.is_signed_integer() => Ok(format!("({one} % {other})")),
            Operator::Divide if left_type.is_signed_integer() => Ok(match self.dialect {
                Dialect::Hive => {
                    format!("CAST(({one} div {other}) AS {})", types::name(self.dialect, &left_type)?)
                }
                Dialect::Trino => format!("({one} / {other})"),
            }),
            Operator::Divide if left_type == DataType::Float64 => self.quotient(left, right),
            _ => Err(unequal()),
        }
    }

    /// A quotient of doubles: Hive and Spark have NULL or an error where the divisor is 0.
    fn quotient(&self, left: &Expr, right: &Expr) -> Result<String> {
        let (one, other) = (self.expression(left)?, self.expression(right)?);
        if self.dialect == Dialect::Trino || is_nonzero(right) {
            return Ok(format!("({one} / {other})"));
        }
        if !is_whole(self, left)? || !is_whole(self, right)? {
            let problem = self.refused("`/` by a double that may be 0");
            return Err(problem.help("divide whole numbers as doubles: cast(a as double) / b"));
        }
        Ok(format!(
            "(CASE WHEN {other} <> 0.0E0 THEN {one} / {other} WHEN {other} IS NULL THEN NULL WHEN {one} > 0.0E0 THEN CAST('Infinity' AS double) WHEN {one} < 0.0E0 THEN CAST('-Infinity' AS double) WHEN {one} = 0.0E0 THEN CAST('NaN' AS double) END)"
        ))
    }

    fn case(&self, case: &Case) -> Result<String> {
        let mut sql = String::from("CASE");
        if let Some(value) = &case.expr {
            self.comparable(value, "case")?;
            sql.push_str(&format!(" {}", self.expression(value)?));
        }
        for (when, then) in &case.when_then_expr {
            sql.push_str(&format!(" WHEN {} THEN {}", self.expression(when)?, self.expression(then)?));
        }
        if let Some(otherwise) = &case.else_expr {
            sql.push_str(&format!(" ELSE {}", self.expression(otherwise)?));
        }
        Ok(sql + " END")
    }

    /// A pattern that is a text with `%` at its ends; the rest of the pattern language differs.
    fn like(&self, like: &Like) -> Result<String> {
        let pattern = constant_text(&like.pattern);
        let is_simple = pattern.is_some_and(|pattern| {
            let inner = pattern.strip_prefix('%').unwrap_or(&pattern);
            !inner.strip_suffix('%').unwrap_or(inner).contains(['%', '_', '\\'])
        });
        if like.case_insensitive || like.escape_char.is_some() || !is_simple {
            return Err(self.refused("a pattern of `like` other than a text with `%` at its ends"));
        }
        let not = if like.negated { "NOT " } else { "" };
        Ok(format!("({} {not}LIKE {})", self.expression(&like.expr)?, self.expression(&like.pattern)?))
    }
}

/// The value of a constant, also where its type was converted.
pub(super) fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Alias(alias) => constant(&alias.expr),
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Cast(cast) => constant(&cast.expr)?.cast_to(cast.field.data_type()).ok(),
        _ => None,
    }
}

/// The text of a constant.
pub(super) fn constant_text(expr: &Expr) -> Option<String> {
    constant(expr)?.try_as_str().flatten().map(str::to_owned)
}

fn is_null(expr: &Expr) -> bool {
    constant(expr).is_some_and(|value| value.is_null())
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// Whether a double is a constant other than 0.
fn is_nonzero(expr: &Expr) -> bool {
    matches!(constant(expr), Some(ScalarValue::Float64(Some(value))) if value != 0.0)
}

/// Whether a double is a whole number that was made one, so neither NaN nor -0.0.
fn is_whole(writer: &Writer<'_>, expr: &Expr) -> Result<bool> {
    match expr {
        Expr::Cast(inner) => Ok(writer.type_of(&inner.expr)?.is_integer()),
        _ => Ok(false),
    }
}
