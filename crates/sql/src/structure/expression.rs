//! Expressions of plans, and what nodes of plans say beside their expressions.

use datafusion::common::{JoinType, NullEquality, TableReference};
use datafusion::logical_expr::expr::{
    AggregateFunctionParams, FieldMetadata, GroupingSet, Like, NullTreatment, SetQuantifier, Sort,
    WindowFunctionParams,
};
use datafusion::logical_expr::{
    Expr, Operator, Subquery, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::data_type::{data_type, field};
use super::literal::literal;
use crate::checked::Checked;
use crate::rules::narrowing::Narrowed;
use mep_core::fingerprint::Structure;

/// What one node of an expression says beside its children.
pub(crate) enum NodeParts<'a> {
    /// All of it.
    All,
    /// All of it but this query within it.
    AllBut(&'a Subquery),
    /// Not all of it: another expression may say the same.
    NotAll,
}

/// Adds one node of an expression without its children, but with how many there are of each kind: added in the order of a
/// walk from the top, the nodes of an expression say where each bracket stands.
pub(crate) fn node<'a>(structure: &mut Structure, expression: &'a Expr) -> NodeParts<'a> {
    match expression {
        Expr::Alias(alias) => {
            structure.tag("alias").text(&alias.name).flag(alias.relation.is_some());
            if let Some(relation) = &alias.relation {
                table_reference(structure, relation);
            }
            notes(structure, alias.metadata.as_ref());
        }
        Expr::Column(column) => {
            structure.tag("column").text(&column.name).flag(column.relation.is_some());
            if let Some(relation) = &column.relation {
                table_reference(structure, relation);
            }
        }
        Expr::OuterReferenceColumn(of, column) => {
            structure.tag("outer column").text(&column.name).flag(column.relation.is_some());
            if let Some(relation) = &column.relation {
                table_reference(structure, relation);
            }
            field(structure, of);
        }
        Expr::Literal(value, of) => {
            structure.tag("literal");
            notes(structure, of.as_ref());
            if !literal(structure, value) {
                return NodeParts::NotAll;
            }
        }
        Expr::BinaryExpr(binary) => {
            structure.tag("binary").tag(operator(binary.op));
        }
        Expr::Like(like) => pattern(structure.tag("like"), like),
        Expr::SimilarTo(like) => pattern(structure.tag("similar to"), like),
        Expr::Not(_) => tag(structure, "not"),
        Expr::IsNotNull(_) => tag(structure, "is not null"),
        Expr::IsNull(_) => tag(structure, "is null"),
        Expr::IsTrue(_) => tag(structure, "is true"),
        Expr::IsFalse(_) => tag(structure, "is false"),
        Expr::IsUnknown(_) => tag(structure, "is unknown"),
        Expr::IsNotTrue(_) => tag(structure, "is not true"),
        Expr::IsNotFalse(_) => tag(structure, "is not false"),
        Expr::IsNotUnknown(_) => tag(structure, "is not unknown"),
        Expr::Negative(_) => tag(structure, "negative"),
        Expr::Between(between) => {
            structure.tag("between").flag(between.negated);
        }
        Expr::Case(case) => {
            structure.tag("case").flag(case.expr.is_some());
            structure.count(case.when_then_expr.len()).flag(case.else_expr.is_some());
        }
        Expr::Cast(cast) => field(structure.tag("cast"), &cast.field),
        Expr::TryCast(cast) => field(structure.tag("try cast"), &cast.field),
        Expr::ScalarFunction(call) => {
            structure.tag("function").text(call.func.name()).count(call.args.len());
            if let Some(checked) = call.func.inner().downcast_ref::<Checked>() {
                checked.steps().for_each(|operation| _ = structure.tag(operation));
                data_type(structure, checked.returns());
            }
            if let Some(narrowed) = call.func.inner().downcast_ref::<Narrowed>() {
                structure.flag(narrowed.gives_null());
                data_type(structure, narrowed.to());
            }
        }
        Expr::AggregateFunction(call) => {
            structure.tag("aggregate").text(call.func.name());
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = &call.params;
            structure.count(args.len()).flag(*distinct).flag(filter.is_some());
            directions(structure, order_by);
            nulls(structure, *null_treatment);
        }
        Expr::WindowFunction(call) => {
            match &call.fun {
                WindowFunctionDefinition::AggregateUDF(of) => {
                    structure.tag("window aggregate").text(of.name())
                }
                WindowFunctionDefinition::WindowUDF(of) => structure.tag("window").text(of.name()),
            };
            let WindowFunctionParams {
                args,
                partition_by,
                order_by,
                window_frame,
                filter,
                null_treatment,
                distinct,
            } = &call.params;
            structure.count(args.len()).count(partition_by.len());
            structure.flag(*distinct).flag(filter.is_some());
            directions(structure, order_by);
            nulls(structure, *null_treatment);
            if !frame(structure, window_frame) {
                return NodeParts::NotAll;
            }
        }
        Expr::InList(within) => {
            structure.tag("in list").flag(within.negated).count(within.list.len());
        }
        Expr::Exists(exists) => {
            structure.tag("exists").flag(exists.negated);
            return NodeParts::AllBut(&exists.subquery);
        }
        Expr::InSubquery(within) => {
            structure.tag("in subquery").flag(within.negated);
            return NodeParts::AllBut(&within.subquery);
        }
        Expr::SetComparison(comparison) => {
            structure.tag("set comparison").tag(operator(comparison.op)).tag(match comparison.quantifier {
                SetQuantifier::Any => "any",
                SetQuantifier::All => "all",
            });
            return NodeParts::AllBut(&comparison.subquery);
        }
        Expr::ScalarSubquery(subquery) => {
            structure.tag("scalar subquery");
            return NodeParts::AllBut(subquery);
        }
        Expr::GroupingSet(sets) => match sets {
            GroupingSet::Rollup(keys) => {
                structure.tag("rollup").count(keys.len());
            }
            GroupingSet::Cube(keys) => {
                structure.tag("cube").count(keys.len());
            }
            GroupingSet::GroupingSets(sets) => {
                structure.tag("grouping sets").count(sets.len());
                for keys in sets {
                    structure.count(keys.len());
                }
            }
        },
        // Nothing of these comes into a plan that is stored, or the walk of plans does not know what they read.
        #[expect(deprecated)]
        Expr::Wildcard { .. }
        | Expr::ScalarVariable(..)
        | Expr::Placeholder(_)
        | Expr::Unnest(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => return NodeParts::NotAll,
    }
    NodeParts::All
}

fn tag(structure: &mut Structure, tag: &'static str) {
    structure.tag(tag);
}

fn notes(structure: &mut Structure, of: Option<&FieldMetadata>) {
    let notes = of.map(FieldMetadata::inner);
    structure.count(notes.map_or(0, |notes| notes.len()));
    for (key, value) in notes.into_iter().flatten() {
        structure.text(key).text(value);
    }
}

fn pattern(structure: &mut Structure, like: &Like) {
    let Like { negated, expr: _, pattern: _, escape_char, case_insensitive } = like;
    structure.flag(*negated).flag(*case_insensitive).flag(escape_char.is_some());
    if let Some(escape) = escape_char {
        structure.number(u32::from(*escape));
    }
}

/// Adds how many keys there are to order by, and which way each goes.
fn directions(structure: &mut Structure, keys: &[Sort]) {
    structure.count(keys.len());
    for key in keys {
        structure.flag(key.asc).flag(key.nulls_first);
    }
}

fn nulls(structure: &mut Structure, treatment: Option<NullTreatment>) {
    structure.tag(match treatment {
        None => "",
        Some(NullTreatment::RespectNulls) => "respect nulls",
        Some(NullTreatment::IgnoreNulls) => "ignore nulls",
    });
}

fn frame(structure: &mut Structure, frame: &WindowFrame) -> bool {
    structure.tag(match frame.units {
        WindowFrameUnits::Rows => "rows",
        WindowFrameUnits::Range => "range",
        WindowFrameUnits::Groups => "groups",
    });
    let mut bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(value) => literal(structure.tag("preceding"), value),
        WindowFrameBound::CurrentRow => {
            structure.tag("current row");
            true
        }
        WindowFrameBound::Following(value) => literal(structure.tag("following"), value),
    };
    let start = bound(&frame.start_bound);
    bound(&frame.end_bound) && start
}

/// Adds the name of a relation as a plan has it.
pub(crate) fn table_reference(structure: &mut Structure, table: &TableReference) {
    structure.name(table.catalog()).name(table.schema()).text(table.table());
}

/// The word for a kind of join.
pub(crate) fn join_type(of: JoinType) -> &'static str {
    match of {
        JoinType::Inner => "inner",
        JoinType::Left => "left",
        JoinType::Right => "right",
        JoinType::Full => "full",
        JoinType::LeftSemi => "left semi",
        JoinType::RightSemi => "right semi",
        JoinType::LeftAnti => "left anti",
        JoinType::RightAnti => "right anti",
        JoinType::LeftMark => "left mark",
        JoinType::RightMark => "right mark",
    }
}

/// The word for what NULL is equal to in a join.
pub(crate) fn null_equality(of: NullEquality) -> &'static str {
    match of {
        NullEquality::NullEqualsNothing => "null equals nothing",
        NullEquality::NullEqualsNull => "null equals null",
    }
}

fn operator(of: Operator) -> &'static str {
    match of {
        Operator::Eq => "=",
        Operator::NotEq => "!=",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Modulo => "%",
        Operator::And => "and",
        Operator::Or => "or",
        Operator::IsDistinctFrom => "is distinct from",
        Operator::IsNotDistinctFrom => "is not distinct from",
        Operator::RegexMatch => "~",
        Operator::RegexIMatch => "~*",
        Operator::RegexNotMatch => "!~",
        Operator::RegexNotIMatch => "!~*",
        Operator::LikeMatch => "~~",
        Operator::ILikeMatch => "~~*",
        Operator::NotLikeMatch => "!~~",
        Operator::NotILikeMatch => "!~~*",
        Operator::BitwiseAnd => "&",
        Operator::BitwiseOr => "|",
        Operator::BitwiseXor => "bit xor",
        Operator::BitwiseShiftRight => ">>",
        Operator::BitwiseShiftLeft => "<<",
        Operator::StringConcat => "||",
        Operator::AtArrow => "@>",
        Operator::ArrowAt => "<@",
        Operator::Arrow => "->",
        Operator::LongArrow => "->>",
        Operator::HashArrow => "#>",
        Operator::HashLongArrow => "#>>",
        Operator::AtAt => "@@",
        Operator::IntegerDivide => "div",
        Operator::HashMinus => "#-",
        Operator::AtQuestion => "@?",
        Operator::Question => "?",
        Operator::QuestionAnd => "?&",
        Operator::QuestionPipe => "?|",
        Operator::Colon => ":",
    }
}
