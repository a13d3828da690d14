//! SpelledNames as people write them: a column by its name in any case, and an expression of a SELECT by the alias that an earlier one
//! has there (`select a * 2 as b, b + 1 as c`).
//!
//! Both are read so by DuckDB and Snowflake, and by no rule of the planner. A name that the planner knows is left as it is: what is
//! written out here had no meaning before. This is done where the columns of all tables are known ([columns](super::columns)).

use std::collections::{HashMap, HashSet};

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, JoinConstraint, ObjectName, ObjectNamePart, OrderBy, OrderByKind, Query,
    Select, SelectItem, SetExpr, Statement as Tree, TableFactor, TableWithJoins, VisitMut,
};

use super::columns::{ColumnSource, ColumnsOfTables, Relations, folded, is_name_of};
use super::walk::{constraint_mut, own_expressions};

/// Writes out the names of a statement that the planner would not know; whether there were any.
pub(crate) fn write_as_meant(statement: &mut Statement, tables: &ColumnsOfTables<'_>) -> bool {
    let Statement::Statement(tree) = statement else { return false };
    let Tree::Query(query) = tree.as_mut() else { return false };
    let mut changes = 0;
    of_query(query, &Relations::new(tables), &mut changes);
    changes > 0
}

fn of_query(query: &mut Query, relations: &Relations<'_>, changes: &mut usize) {
    let mut within = relations.clone();
    for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        of_query(&mut cte.query, &within, changes);
        within.add(&cte.alias, &cte.query);
    }
    let order_by = query.order_by.as_mut();
    of_body(&mut query.body, order_by, &within, changes);
}

fn of_body(
    body: &mut SetExpr,
    order_by: Option<&mut OrderBy>,
    relations: &Relations<'_>,
    changes: &mut usize,
) {
    // Set operations in a row lie in each other on the left.
    let mut parts = vec![(body, order_by)];
    while let Some((part, order_by)) = parts.pop() {
        match part {
            SetExpr::Select(select) => of_select(select, order_by, relations, changes),
            SetExpr::Query(query) => of_query(query, relations, changes),
            SetExpr::SetOperation { left, right, .. } => {
                parts.push((left, None));
                parts.push((right, None));
            }
            _ => {}
        }
    }
}

fn of_select(
    select: &mut Select,
    order_by: Option<&mut OrderBy>,
    relations: &Relations<'_>,
    changes: &mut usize,
) {
    select.from.iter_mut().for_each(|from| of_tables(from, relations, changes));
    select.from.iter_mut().for_each(|from| of_joined_names(from, relations, changes));
    let source = relations.source(&select.from);
    let known = source.as_ref().map(Known::of);
    let mut names =
        SpelledNames { known: known.as_ref(), aliases: HashMap::new(), left: MOST, relations, changes };
    for from in &mut select.from {
        for join in &mut from.joins {
            if let Some(JoinConstraint::On(condition)) = constraint_mut(&mut join.join_operator) {
                names.write(condition);
            }
        }
    }
    for item in &mut select.projection {
        match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                names.write(expr);
                names.give(alias, expr);
            }
            SelectItem::UnnamedExpr(expr) => {
                let name = match &*expr {
                    Expr::Identifier(name) => Some(name.clone()),
                    _ => None,
                };
                names.write(expr);
                if let Some(alias) = name.filter(|_| !matches!(expr, Expr::Identifier(_))) {
                    let expr = expr.clone();
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
            }
            _ => {}
        }
    }
    select.selection.iter_mut().for_each(|part| names.write(part));
    select.having.iter_mut().for_each(|part| names.write(part));
    select.qualify.iter_mut().for_each(|part| names.write(part));
    select.distinct.iter_mut().for_each(|part| names.write(part));
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        for key in keys {
            names.write(key);
        }
    }
    // The planner knows aliases there.
    names.aliases.clear();
    if let Some(OrderByKind::Expressions(keys)) = order_by.map(|order_by| &mut order_by.kind) {
        let given: HashSet<String> = select.projection.iter().filter_map(alias_of).collect();
        let keys = keys.iter_mut().map(|key| &mut key.expr);
        keys.filter(|key| !matches!(key, Expr::Identifier(name) if given.contains(&folded(name))))
            .for_each(|key| names.write(key));
    }
}

fn alias_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// The queries that stand as tables.
fn of_tables(from: &mut TableWithJoins, relations: &Relations<'_>, changes: &mut usize) {
    let joined = from.joins.iter_mut().map(|join| &mut join.relation);
    for factor in std::iter::once(&mut from.relation).chain(joined) {
        match factor {
            TableFactor::Derived { subquery, .. } => of_query(subquery, relations, changes),
            TableFactor::NestedJoin { table_with_joins, .. } => {
                of_tables(table_with_joins, relations, changes);
            }
            _ => {}
        }
    }
}

/// The names that tables are joined by, of which the columns are told by each table alone.
fn of_joined_names(from: &mut TableWithJoins, relations: &Relations<'_>, changes: &mut usize) {
    let factors = std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation));
    let sources: Option<Vec<ColumnSource>> = factors.map(|factor| relations.of_factor(factor)).collect();
    let Some(sources) = sources else { return };
    let known = Known::new(sources.iter().flat_map(ColumnSource::names));
    let written = |name: &ObjectName| match name.0.as_slice() {
        [ObjectNamePart::Identifier(one)] => known.spelling(one),
        _ => None,
    };
    for join in &mut from.joins {
        let Some(JoinConstraint::Using(names)) = constraint_mut(&mut join.join_operator) else { continue };
        for name in names {
            if let Some(spelled) = written(name) {
                *name = ObjectName(vec![ObjectNamePart::Identifier(spelled)]);
                *changes += 1;
            }
        }
    }
}

/// Columns, by their names in any case.
struct Known<'s> {
    exact: HashSet<&'s str>,
    /// By the name in small letters; `None` where several are alike.
    alike: HashMap<String, Option<&'s str>>,
    source: Option<&'s ColumnSource>,
}

impl<'s> Known<'s> {
    fn new(names: impl Iterator<Item = &'s String>) -> Self {
        let mut known = Self { exact: HashSet::new(), alike: HashMap::new(), source: None };
        for name in names {
            if known.exact.insert(name) {
                let alike = known.alike.entry(name.to_ascii_lowercase());
                alike.and_modify(|one| *one = None).or_insert(Some(name));
            }
        }
        known
    }

    fn of(source: &'s ColumnSource) -> Self {
        Self { source: Some(source), ..Self::new(source.names()) }
    }

    /// The name as the column has it, where it is written otherwise and means one column.
    fn spelling(&self, name: &Ident) -> Option<Ident> {
        if name.quote_style.is_some() || self.exact.contains(folded(name).as_str()) {
            return None;
        }
        let column = (*self.alike.get(&name.value.to_ascii_lowercase())?)?;
        Some(Ident { value: column.to_owned(), quote_style: Some('"'), span: name.span })
    }

    fn has(&self, name: &Ident) -> bool {
        self.exact.contains(folded(name).as_str())
    }
}

/// What names mean in a SELECT.
struct SpelledNames<'n, 'r> {
    /// The columns of its tables; `None` where they are not all known.
    known: Option<&'n Known<'n>>,
    aliases: HashMap<String, Expr>,
    /// How much may still be written out: aliases of aliases grow with each.
    left: usize,
    relations: &'n Relations<'r>,
    changes: &'n mut usize,
}

/// How many expressions may be written out in place of aliases in one SELECT.
const MOST: usize = 20_000;

/// Functions that give another value each time, so that an expression with one cannot stand twice.
const VOLATILE: [&str; 4] = ["random", "rand", "uuid", "gen_random_uuid"];

impl SpelledNames<'_, '_> {
    /// Makes the alias of an expression known to those that come after it.
    fn give(&mut self, alias: &Ident, expression: &Expr) {
        let mut given = expression.clone();
        let (mut size, mut is_volatile) = (0, false);
        own_expressions(&mut given, |part| {
            size += 1;
            if let Expr::Function(call) = part {
                is_volatile |= VOLATILE.contains(&call.name.to_string().to_ascii_lowercase().as_str());
            }
        });
        if !is_volatile && size <= self.left {
            self.left -= size;
            self.aliases.entry(folded(alias)).or_insert(given);
        }
    }

    fn write(&mut self, part: &mut impl VisitMut) {
        let (known, aliases, relations) = (self.known, &self.aliases, self.relations);
        let changes = &mut *self.changes;
        own_expressions(part, |expression| match expression {
            Expr::Subquery(query)
            | Expr::Exists { subquery: query, .. }
            | Expr::InSubquery { subquery: query, .. } => of_query(query, relations, changes),
            Expr::Identifier(name) => {
                let Some(known) = known else { return };
                if let Some(spelled) = known.spelling(name) {
                    *name = spelled;
                    *changes += 1;
                } else if !known.has(name)
                    && let Some(meant) = aliases.get(&folded(name))
                {
                    *expression = Expr::Nested(Box::new(meant.clone()));
                    *changes += 1;
                }
            }
            Expr::CompoundIdentifier(parts) => {
                let Some((last, table)) = parts.split_last_mut() else { return };
                let of = known.and_then(|known| known.source);
                let table = ObjectName(table.iter().cloned().map(ObjectNamePart::Identifier).collect());
                let found = of.and_then(|of| of.tables.iter().find(|(name, _)| is_name_of(&table, name)));
                let Some((_, columns)) = found else { return };
                if let Some(spelled) = Known::new(columns.iter().flatten()).spelling(last) {
                    *last = spelled;
                    *changes += 1;
                }
            }
            _ => {}
        });
    }
}
