//! A column that tables are joined by with USING or NATURAL is written as what it is: that of the left side, of the right one in
//! a right join, and in a full join the first of both that is not NULL. The join says ON, and `*` its columns.
//!
//! The planner takes it for the column of one side. `k` and `a.k` are one to it then, which they are not in an outer join, and
//! where more than two tables are joined by a name, or it is read in a subquery or an ON, the name is ambiguous. This is done where
//! the columns of all tables are known ([columns](super::columns)); what is left is named by [joined](super::joined).

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Distinct, ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, OneOrManyWithParens,
    OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Statement as Tree, TableFactor, TableWithJoins,
    VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::columns::{self, ColumnSource, ColumnsOfTables, Relations, folded};
use super::visits::visit_mut;
use super::walk::{constraint, constraint_mut, own_expressions, selects_of};
use crate::offset;
use crate::problem::SqlProblem;

/// Writes out the joined columns in all SELECTs of a statement; `tables` says the columns of a table. Says what is wrong where they
/// cannot be written out, and a column and that of one side would be taken for one.
pub(crate) fn write_out_joined(
    statement: &mut Statement,
    tables: &ColumnsOfTables<'_>,
    sql: &str,
) -> Option<SqlProblem> {
    let Statement::Statement(tree) = statement else { return None };
    let Tree::Query(query) = tree.as_mut() else { return None };
    let mut any = AnyJoined { found: false };
    let _ = visit_mut(query, &mut any);
    if any.found {
        of_query(query, &Relations::new(tables));
        let mut search = TwoInOne { found: None };
        let _ = visit_mut(query, &mut search);
        return search.found.map(|column| two_in_one(&column, sql));
    }
    None
}

fn two_in_one(column: &Ident, sql: &str) -> SqlProblem {
    let start = offset(sql, column.span.start);
    SqlProblem {
        message: format!(
            "`{column}` of the outer join and `{column}` of one of its tables cannot be told apart here, since the columns of a table \
             that is joined are not known"
        ),
        range: Some(start..offset(sql, column.span.end).max(start)),
        help: Some(
            "name the table and its columns, t(a, b), or join ON and select coalesce(a.k, b.k)".to_owned(),
        ),
    }
}

/// A name that stands alone and with a table, in a SELECT whose joins could not be written out.
struct TwoInOne {
    found: Option<Ident>,
}

impl VisitorMut for TwoInOne {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if !select.from.iter().any(is_outer_by_names) {
            return ControlFlow::Continue(());
        }
        let mut spoken = Spoken::default();
        spoken.hear(&mut select.projection);
        spoken.hear(&mut select.group_by);
        spoken.hear(&mut select.having);
        spoken.hear(&mut select.qualify);
        spoken.hear(&mut select.distinct);
        let by_name = |column: &&Ident| select.from.iter().any(|from| may_join_by(from, &folded(column)));
        self.found =
            spoken.alone.iter().filter(|one| spoken.of_tables.contains(&folded(one))).find(by_name).cloned();
        if self.found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The names that a SELECT speaks of.
#[derive(Default)]
struct Spoken {
    alone: Vec<Ident>,
    of_tables: HashSet<String>,
}

impl Spoken {
    fn hear(&mut self, part: &mut impl VisitMut) {
        own_expressions(part, |expression| match expression {
            Expr::Identifier(column) => self.alone.push(column.clone()),
            Expr::CompoundIdentifier(parts) => self.of_tables.extend(parts.last().map(folded)),
            _ => {}
        });
    }
}

fn is_outer_by_names(from: &TableWithJoins) -> bool {
    use JoinOperator::{FullOuter, Left, LeftOuter, Right, RightOuter};
    is_joined_by_names(from)
        && from.joins.iter().any(|join| {
            matches!(join.join_operator, FullOuter(_) | Left(_) | LeftOuter(_) | Right(_) | RightOuter(_))
        })
}

fn may_join_by(from: &TableWithJoins, column: &str) -> bool {
    from.joins.iter().any(|join| match constraint(&join.join_operator) {
        Some(JoinConstraint::Natural) => true,
        Some(JoinConstraint::Using(names)) => {
            names.iter().any(|name| matches!(name.0.as_slice(), [part] if part.as_ident().map(folded).as_deref() == Some(column)))
        }
        _ => false,
    })
}

/// Whether any tables are joined by names. Most statements have none.
struct AnyJoined {
    found: bool,
}

impl VisitorMut for AnyJoined {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.found |= select.from.iter().any(is_joined_by_names);
        if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn is_joined_by_names(from: &TableWithJoins) -> bool {
    let in_brackets = |factor: &TableFactor| match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => is_joined_by_names(table_with_joins),
        _ => false,
    };
    in_brackets(&from.relation)
        || from.joins.iter().any(|join| {
            let by = constraint(&join.join_operator);
            matches!(by, Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
                || in_brackets(&join.relation)
        })
}

fn of_query(query: &mut Query, relations: &Relations<'_>) {
    let mut relations = relations.clone();
    if let Some(with) = &mut query.with {
        for cte in &mut with.cte_tables {
            if with.recursive {
                relations.add(&cte.alias, &cte.query);
            }
            of_query(&mut cte.query, &relations);
            relations.add(&cte.alias, &cte.query);
        }
    }
    selects_of(query, |select, order_by| {
        // Where a part is not known, all stays as it is.
        let _ = of_select(select, order_by, &relations);
    });
    let mut nested = Nested { relations: &relations, depth: 0 };
    let _ = visit_mut(&mut query.body, &mut nested);
    let _ = visit_mut(&mut query.order_by, &mut nested);
}

/// The queries within a query, each with the relations that it can read.
struct Nested<'a> {
    relations: &'a Relations<'a>,
    depth: usize,
}

impl VisitorMut for Nested<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if self.depth == 0 {
            of_query(query, self.relations);
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn of_select(select: &mut Select, order_by: Option<&mut OrderBy>, relations: &Relations<'_>) -> Option<()> {
    if !select.from.iter().any(is_joined_by_names) {
        return None;
    }
    let source = relations.source(&select.from)?;
    let merged = source.merged();
    let star = |item: &SelectItem| match item {
        SelectItem::Wildcard(options) => Star::of(options).is_some() && !source.has_nameless(),
        _ => true,
    };
    if !select.projection.iter().all(star) {
        return None;
    }
    let mut names = MergedNames { relations, merged: &merged, shadows: Vec::new(), kept: HashSet::new() };
    for from in &mut select.from {
        in_joins(from, &mut names)?;
    }
    let mut items = Vec::with_capacity(select.projection.len());
    for item in std::mem::take(&mut select.projection) {
        of_item(item, &source, &mut names, &mut items);
    }
    let outputs: HashSet<String> = items.iter().filter_map(output).collect();
    select.projection = items;
    let _ = visit_mut(&mut select.selection, &mut names);
    let _ = visit_mut(&mut select.group_by, &mut names);
    let _ = visit_mut(&mut select.having, &mut names);
    let _ = visit_mut(&mut select.named_window, &mut names);
    let _ = visit_mut(&mut select.qualify, &mut names);
    // DISTINCT ON knows the names that are given by AS alone.
    names.kept = select.projection.iter().filter_map(output_alias).collect();
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        let _ = visit_mut(keys, &mut names);
    }
    names.kept = outputs;
    let order_by = order_by?;
    if let OrderByKind::Expressions(keys) = &mut order_by.kind {
        let _ = visit_mut(keys, &mut names);
    }
    Some(())
}

/// The conditions of joins: each knows what stands before it.
fn in_joins(from: &mut TableWithJoins, names: &mut MergedNames<'_>) -> Option<ColumnSource> {
    let mut left = in_factor(&mut from.relation, names)?;
    for join in &mut from.joins {
        let right = in_factor(&mut join.relation, names)?;
        let (joined, condition) = columns::join_of(left, right, join)?;
        let by = constraint_mut(&mut join.join_operator)?;
        match by {
            JoinConstraint::On(on) => {
                let merged = joined.merged();
                let relations = names.relations;
                let mut here =
                    MergedNames { relations, merged: &merged, shadows: Vec::new(), kept: HashSet::new() };
                let _ = visit_mut(on, &mut here);
            }
            JoinConstraint::Using(_) | JoinConstraint::Natural => {
                *by = condition.map_or(JoinConstraint::None, JoinConstraint::On);
            }
            JoinConstraint::None => {}
        }
        left = joined;
    }
    Some(left)
}

fn in_factor(factor: &mut TableFactor, names: &mut MergedNames<'_>) -> Option<ColumnSource> {
    match factor {
        TableFactor::NestedJoin { table_with_joins, alias: None } => in_joins(table_with_joins, names),
        other => names.relations.of_factor(other),
    }
}

fn of_item(
    item: SelectItem,
    source: &ColumnSource,
    names: &mut MergedNames<'_>,
    items: &mut Vec<SelectItem>,
) {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => {
            items.push(match names.of(&column) {
                // It is called so already.
                Some(value @ Expr::CompoundIdentifier(_)) => SelectItem::UnnamedExpr(value),
                Some(expr) => SelectItem::ExprWithAlias { expr, alias: column },
                None => SelectItem::UnnamedExpr(Expr::Identifier(column)),
            });
        }
        SelectItem::Wildcard(options) => {
            let Some(star) = Star::of(&options) else { return items.push(SelectItem::Wildcard(options)) };
            for column in &source.columns {
                let Some(name) = &column.name else { continue };
                if star.without.contains(name) {
                    continue;
                }
                let alias = Ident::with_quote('"', name);
                items.push(match (star.instead.get(name), &column.value) {
                    (Some(other), _) => {
                        let mut expr = other.clone();
                        let _ = visit_mut(&mut expr, names);
                        SelectItem::ExprWithAlias { expr, alias }
                    }
                    (None, value @ Expr::CompoundIdentifier(_)) => SelectItem::UnnamedExpr(value.clone()),
                    (None, value) => SelectItem::ExprWithAlias { expr: value.clone(), alias },
                });
            }
        }
        mut other => {
            let _ = visit_mut(&mut other, names);
            items.push(other);
        }
    }
}

/// The name of a column that a SELECT gives.
fn output(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => Some(folded(column)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        _ => None,
    }
}

/// What stands after a star.
struct Star {
    without: HashSet<String>,
    instead: HashMap<String, Expr>,
}

impl Star {
    /// `None` where there is more than EXCLUDE, EXCEPT and REPLACE.
    fn of(options: &WildcardAdditionalOptions) -> Option<Self> {
        let mut star = Self { without: HashSet::new(), instead: HashMap::new() };
        let mut rest = options.clone();
        let name = |name: &ObjectName| match name.0.as_slice() {
            [part] => part.as_ident().map(folded),
            _ => None,
        };
        match rest.opt_exclude.take() {
            Some(ExcludeSelectItem::Single(one)) => star.without.extend([name(&one)?]),
            Some(ExcludeSelectItem::Multiple(all)) => {
                star.without.extend(all.iter().map(name).collect::<Option<Vec<_>>>()?);
            }
            None => {}
        }
        if let Some(except) = rest.opt_except.take() {
            star.without.insert(folded(&except.first_element));
            star.without.extend(except.additional_elements.iter().map(folded));
        }
        for item in rest.opt_replace.take().into_iter().flat_map(|replace| replace.items) {
            star.instead.insert(folded(&item.column_name), item.expr);
        }
        columns::is_plain(&rest).then_some(star)
    }
}

/// Writes out names that stand alone, also in the queries within that have no column of the name.
struct MergedNames<'a> {
    relations: &'a Relations<'a>,
    merged: &'a HashMap<String, Expr>,
    /// What names mean something else, in each query around and in each function of values.
    shadows: Vec<Shadow>,
    /// Names that are the output's.
    kept: HashSet<String>,
}

enum Shadow {
    Names(HashSet<String>),
    All,
}

impl MergedNames<'_> {
    fn of(&self, column: &Ident) -> Option<Expr> {
        let name = folded(column);
        let is_shadowed = self.shadows.iter().any(|shadow| match shadow {
            Shadow::Names(names) => names.contains(&name),
            Shadow::All => true,
        });
        if is_shadowed || (self.shadows.is_empty() && self.kept.contains(&name)) {
            return None;
        }
        let mut value = self.merged.get(&name)?.clone();
        let _ = visit_mut(&mut value, &mut At(column.span));
        Some(value)
    }

    fn shadow_of(&self, query: &Query) -> Shadow {
        let mut relations = self.relations.clone();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            relations.add(&cte.alias, &cte.query);
        }
        let mut names = HashSet::new();
        let mut parts = vec![query.body.as_ref()];
        while let Some(part) = parts.pop() {
            match part {
                SetExpr::Select(select) => {
                    let Some(source) = relations.source(&select.from) else { return Shadow::All };
                    names.extend(source.names().cloned());
                    names.extend(select.projection.iter().filter_map(output_alias));
                    let is_hidden = |(table, _): &(Vec<Ident>, _)| {
                        self.merged.values().any(|value| speaks_of(value, table))
                    };
                    if source.tables.iter().any(is_hidden) {
                        return Shadow::All;
                    }
                }
                SetExpr::SetOperation { left, right, .. } => parts.extend([left.as_ref(), right.as_ref()]),
                SetExpr::Query(_) | SetExpr::Values(_) => {}
                _ => return Shadow::All,
            }
        }
        Shadow::Names(names)
    }
}

fn output_alias(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// Whether a value names a column of a table by the name of this one.
fn speaks_of(value: &Expr, table: &[Ident]) -> bool {
    let mut search = value.clone();
    let mut of = Of { table: table.last().map(folded), found: false };
    let _ = visit_mut(&mut search, &mut of);
    of.found
}

struct Of {
    table: Option<String>,
    found: bool,
}

impl VisitorMut for Of {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expression {
            let table = parts.len().checked_sub(2).and_then(|at| parts.get(at)).map(folded);
            self.found |= table == self.table;
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for MergedNames<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let shadow = self.shadow_of(query);
        self.shadows.push(shadow);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.shadows.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::Lambda(lambda) = expression {
            let names = match &lambda.params {
                OneOrManyWithParens::One(one) => HashSet::from([folded(&one.name)]),
                OneOrManyWithParens::Many(all) => all.iter().map(|one| folded(&one.name)).collect(),
            };
            self.shadows.push(Shadow::Names(names));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        match expression {
            Expr::Lambda(_) => {
                self.shadows.pop();
            }
            Expr::Identifier(column) => {
                if let Some(value) = self.of(column) {
                    *expression = value;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Puts a value where a name stood.
struct At(Span);

impl VisitorMut for At {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expression {
            for part in parts {
                part.span = self.0;
            }
        }
        ControlFlow::Continue(())
    }
}
