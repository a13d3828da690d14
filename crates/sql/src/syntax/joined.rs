//! A column of USING that stands alone is named with the first table of the join.
//!
//! The planner finds such a column in a select list, and takes it for an ambiguous one in WHERE, or where three tables are joined
//! by it. The name is given without a place, as the planner gives it, so that it is still told from one that the user wrote
//! (`rules::using`).

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ReplaceSelectElement,
    ReplaceSelectItem, Select, SelectItem, SelectItemQualifiedWildcardKind, Statement as Tree, TableFactor,
    VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::columns::is_plain;
use super::visits::visit_mut;
use super::walk::{constraint, own_expressions};

/// Names the joined columns in all SELECTs of a statement.
pub(crate) fn name_joined(statement: &mut Statement) {
    if let Statement::Statement(tree) = statement {
        let tree: &mut Tree = tree;
        // The visitor breaks nowhere.
        let _ = visit_mut(tree, &mut Selects);
    }
}

struct Selects;

impl VisitorMut for Selects {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let [from] = select.from.as_slice() else { return ControlFlow::Continue(()) };
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(table),
                options,
            ) = item
            {
                name_in_star(table, options, &from.relation, &from.joins);
            }
        }
        let mut keys = keys(&from.relation, &from.joins);
        if keys.is_empty() {
            return ControlFlow::Continue(());
        }
        name_keys(&keys, &mut select.selection);
        keys.retain(|key| key.joins > 1);
        if keys.is_empty() {
            return ControlFlow::Continue(());
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } =
                item
            {
                name_keys(&keys, expression);
            }
        }
        if let GroupByExpr::Expressions(expressions, _) = &mut select.group_by {
            name_keys(&keys, expressions);
        }
        name_keys(&keys, &mut select.having);
        name_keys(&keys, &mut select.qualify);
        ControlFlow::Continue(())
    }
}

/// In `b.*` the column is the one of `b`, also where it is NULL since `b` has no row there: it is written out, so that it is one
/// that the user named.
fn name_in_star(
    table: &ObjectName,
    options: &mut WildcardAdditionalOptions,
    first: &TableFactor,
    joins: &[Join],
) {
    let Some(table) = table.0.last().and_then(|part| part.as_ident()) else { return };
    if !is_plain(options) {
        return;
    }
    let is_it = |factor: &TableFactor| name(factor).is_some_and(|name| is_same(&name, table));
    let columns = if is_it(first) {
        joins.first().filter(|join| leaves_out_left(join)).and_then(using)
    } else {
        joins.iter().find(|join| is_it(&join.relation)).filter(|join| leaves_out_right(join)).and_then(using)
    };
    let element = |column: Ident| {
        let column = Ident { span: table.span, ..column };
        let named = Expr::CompoundIdentifier(vec![table.clone(), column.clone()]);
        Box::new(ReplaceSelectElement { expr: named, column_name: column, as_keyword: true })
    };
    let items: Vec<_> = columns.into_iter().flatten().map(element).collect();
    if !items.is_empty() {
        options.opt_replace = Some(ReplaceSelectItem { items });
    }
}

/// Whether rows have nothing of the left side.
fn leaves_out_left(join: &Join) -> bool {
    use JoinOperator::{FullOuter, Right, RightOuter};
    matches!(join.join_operator, Right(_) | RightOuter(_) | FullOuter(_))
}

/// Whether rows have nothing of the right side.
fn leaves_out_right(join: &Join) -> bool {
    use JoinOperator::{FullOuter, Left, LeftOuter};
    matches!(join.join_operator, Left(_) | LeftOuter(_) | FullOuter(_))
}

/// A column that tables are joined by.
struct JoinedKey {
    name: Ident,
    table: Ident,
    joins: usize,
}

/// The columns by which the first table is joined to the second one. Of others it is not known which table has them.
fn keys(first: &TableFactor, joins: &[Join]) -> Vec<JoinedKey> {
    let Some(table) = name(first) else { return Vec::new() };
    let Some((second, others)) = joins.split_first() else { return Vec::new() };
    let gives_left = !matches!(second.join_operator, JoinOperator::RightSemi(_) | JoinOperator::RightAnti(_));
    let Some(names) = using(second).filter(|_| gives_left) else { return Vec::new() };
    let key = |name: Ident| {
        let by_it =
            |join: &&Join| using(join).is_some_and(|names| names.iter().any(|one| one.value == name.value));
        let joins = 1 + others.iter().filter(by_it).count();
        JoinedKey { name, table: table.clone(), joins }
    };
    names.into_iter().map(key).collect()
}

fn using(join: &Join) -> Option<Vec<Ident>> {
    if matches!(join.join_operator, JoinOperator::CrossJoin(_)) {
        return None;
    }
    match constraint(&join.join_operator)? {
        JoinConstraint::Using(names) => {
            names.iter().map(|name| name.0.first().and_then(|part| part.as_ident()).cloned()).collect()
        }
        _ => None,
    }
}

fn name(table: &TableFactor) -> Option<Ident> {
    match table {
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => Some(alias.name.clone()),
            None => name.0.last().and_then(|part| part.as_ident()).cloned(),
        },
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|alias| alias.name.clone()),
        _ => None,
    }
}

/// Names the keys in the expressions of a part.
fn name_keys(keys: &[JoinedKey], part: &mut impl VisitMut) {
    own_expressions(part, |expression| {
        if let Expr::Identifier(column) = expression
            && let Some(key) = keys.iter().find(|key| is_same(&key.name, column))
        {
            let without_place = |ident: &Ident| Ident { span: Span::empty(), ..ident.clone() };
            *expression = Expr::CompoundIdentifier(vec![without_place(&key.table), without_place(&key.name)]);
        }
    });
}

fn is_same(one: &Ident, other: &Ident) -> bool {
    let folded = |ident: &Ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    };
    folded(one) == folded(other)
}
