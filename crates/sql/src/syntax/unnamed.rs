//! A subquery that stands in FROM without a name gets one where HAVING or QUALIFY speak of a name that an alias of the SELECT has too.
//!
//! The planner takes such a name for the column, as SQL means it, where the column has the name of a table before it; where it has none, for
//! the alias.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Select, SelectItem, Statement as Tree, TableAlias, TableFactor, TableWithJoins, VisitorMut,
};

use super::columns::folded;
use super::visits::visit_mut;
use super::walk::own_expressions;

/// Names subqueries, in all SELECTs of a statement.
pub(crate) fn name_unnamed(statement: &mut Statement) {
    if let Statement::Statement(tree) = statement {
        let tree: &mut Tree = tree;
        // The visitor breaks nowhere.
        let _ = visit_mut(tree, &mut WithoutNames);
    }
}

struct WithoutNames;

impl VisitorMut for WithoutNames {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if (select.having.is_some() || select.qualify.is_some()) && speaks_of_alias(select) {
            let mut names = 0;
            select.from.iter_mut().for_each(|from| name_all(from, &mut names));
        }
        ControlFlow::Continue(())
    }
}

fn speaks_of_alias(select: &mut Select) -> bool {
    let aliases: HashSet<String> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        })
        .collect();
    let mut found = false;
    let mut look = |expression: &mut Expr| {
        if let Expr::Identifier(name) = expression {
            found |= aliases.contains(&folded(name));
        }
    };
    own_expressions(&mut select.having, &mut look);
    own_expressions(&mut select.qualify, &mut look);
    found
}

fn name_all(from: &mut TableWithJoins, names: &mut usize) {
    let joined = from.joins.iter_mut().map(|join| &mut join.relation);
    for factor in std::iter::once(&mut from.relation).chain(joined) {
        match factor {
            TableFactor::Derived { alias: alias @ None, .. } => {
                let name = Ident::new(format!("__from{names}"));
                *alias = Some(TableAlias { explicit: false, name, columns: Vec::new(), at: None });
                *names += 1;
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => name_all(table_with_joins, names),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows;

    const T: &str = "(select x as a, z as c from (values (1, 2), (2, 3)) t(x, z))";

    #[test]
    fn a_column_of_an_unnamed_subquery_goes_before_an_alias() {
        let sql = format!("select a, sum(c) as c from {T} group by a having sum(c) > 2");
        assert_eq!(rows(&sql), "23");
        let sql = format!("select a, c + 1 as c from {T} group by a, c having c > 2");
        assert_eq!(rows(&sql), "24");
        let sql = format!("select a, -c as c from {T} qualify row_number() over (order by c) = 1");
        assert_eq!(rows(&sql), "1-2");
    }

    #[test]
    fn an_alias_that_is_no_column_is_an_alias() {
        let sql = format!("select a, sum(c) as d from {T} group by a having d > 2");
        assert_eq!(rows(&sql), "23");
        let sql = format!("select a, row_number() over (order by c) as n from {T} qualify n = 2");
        assert_eq!(rows(&sql), "22");
    }
}
