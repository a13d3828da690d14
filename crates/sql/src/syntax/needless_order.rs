//! The order in which `count(distinct x order by y)` looks at its rows changes nothing, and the engine takes `y` for a second argument: it is left
//! out.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArgumentClause, FunctionArguments, Statement as Tree, VisitorMut,
};

use super::visits::visit_mut;

/// Leaves it out in all of a statement.
pub(crate) fn leave_out_needless_order(statement: &mut Statement) {
    if let Statement::Statement(tree) = statement {
        let tree: &mut Tree = tree;
        // The visitor breaks nowhere.
        let _ = visit_mut(tree, &mut Counted);
    }
}

struct Counted;

impl VisitorMut for Counted {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expression
            && call.over.is_none()
            && call.name.to_string().eq_ignore_ascii_case("count")
            && let FunctionArguments::List(list) = &mut call.args
        {
            list.clauses.retain(|clause| !matches!(clause, FunctionArgumentClause::OrderBy(_)));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows;

    #[test]
    fn what_is_counted_is_counted_in_any_order() {
        let t = "(values (1, 3), (2, 1), (1, 2), (null, 9)) t(x, y)";
        assert_eq!(
            rows(&format!(
                "select count(distinct x order by y) as n, count(x order by y desc) as m from {t}"
            )),
            "23"
        );
        assert_eq!(
            rows(&format!(
                "select y > 2 as f, count(distinct x order by y) as n from {t} group by 1 order by 1"
            )),
            "false2 true1"
        );
    }
}
