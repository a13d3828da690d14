//! Whether the same inputs can give other rows on another run: `now()`, `random()`.
//!
//! A plan alone does not say it: what a function that gives a table is called with is a value by the time that there is a
//! plan, and so is what stands after LIMIT or in a window's frame. So the words of the SQL are looked at, too.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::syntax::Sql;
use crate::tree::{PlanWalk, TreeWalk};

/// Functions that DataFusion calls stable, since their value is one within a query, and that differs between queries.
const OF_THE_TIME: [&str; 3] = ["now", "current_date", "current_time"];

/// The functions that are called without brackets.
const WITHOUT_BRACKETS: [&str; 5] =
    ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// Whether a plan can give other rows of the same inputs on another run.
pub fn is_volatile(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // The closures return no error, so neither does the walk.
    let _ = plan.walk_with_subqueries(&mut |node| {
        node.walk_expressions(&mut |expression| {
            expression.walk(&mut |part| {
                found |= is_volatile_call(part);
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    found
}

fn is_volatile_call(part: &Expr) -> bool {
    match part {
        Expr::ScalarFunction(call) => differs(call.func.name(), call.func.signature().volatility),
        Expr::AggregateFunction(call) => differs(call.func.name(), call.func.signature().volatility),
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(of) => differs(of.name(), of.signature().volatility),
            WindowFunctionDefinition::WindowUDF(of) => differs(of.name(), of.signature().volatility),
        },
        Expr::HigherOrderFunction(call) => differs(call.name(), call.func.signature().volatility),
        _ => false,
    }
}

/// Whether SQL calls a function that gives another value on another run, wherever in it. What merely looks so counts: a model
/// is then built more often than it must be.
pub(super) fn calls_volatile(state: &SessionState, sql: &str) -> bool {
    let Ok(tokens) = Tokenizer::new(&Sql, sql).tokenize() else { return false };
    let said: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    said.iter().enumerate().any(|(at, token)| {
        let Token::Word(word) = token else { return false };
        let name = word.value.to_ascii_lowercase();
        let is_called = matches!(said.get(at + 1), Some(Token::LParen));
        let is_of_a_table = at > 0 && matches!(said[at - 1], Token::Period);
        let is_bare =
            word.quote_style.is_none() && !is_of_a_table && WITHOUT_BRACKETS.contains(&name.as_str());
        (is_called || is_bare) && names_volatile(state, &name)
    })
}

/// Whether a function's name, or another name of it, is that of one which differs between runs.
fn names_volatile(state: &SessionState, name: &str) -> bool {
    let scalar = state.scalar_functions().get(name);
    let scalar = scalar.is_some_and(|of| differs(of.name(), of.signature().volatility));
    let aggregate = state.aggregate_functions().get(name);
    let aggregate = aggregate.is_some_and(|of| differs(of.name(), of.signature().volatility));
    let window = state.window_functions().get(name);
    let window = window.is_some_and(|of| differs(of.name(), of.signature().volatility));
    let higher = state.higher_order_functions().get(name);
    let higher = higher.is_some_and(|of| differs(of.name(), of.signature().volatility));
    scalar || aggregate || window || higher
}

/// Whether a function's value differs between runs. DataFusion also calls functions stable that merely read the session's
/// options, which are the same on every run; so those of the time are named.
fn differs(name: &str, volatility: Volatility) -> bool {
    match volatility {
        Volatility::Immutable => false,
        Volatility::Stable => OF_THE_TIME.contains(&name),
        Volatility::Volatile => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Scope;

    fn calls(sql: &str) -> bool {
        calls_volatile(&Scope::for_planning().state(), sql)
    }

    #[test]
    fn a_volatile_function_is_found_wherever_it_is_called() {
        for sql in [
            "select * from generate_series(date '2030-01-01', current_date, interval '1 day')",
            "select * from range(0, cast(random() * 9 as bigint))",
            "select * from range(0, (select extract(day from now())))",
            "select 1 limit cast(extract(day from current_date) as bigint)",
            "select 1 offset extract(day from now())",
            "select * from (values (now()), (null)) t(x)",
            "with d as (select * from generate_series(1, extract(day from Current_Timestamp))) select * from d",
            "select sum(a) filter (where b < NOW ()) from t",
            "select array_agg(a order by random()) from t",
            "select sum(a) over (order by b rows between extract(day from today()) preceding and current row) from t",
            "select unnest([current_date])",
            "select a from t join u on t.b < \"now\"()",
            "select array_transform([1], x -> x + random())",
            "select a from t group by a having max(b) < current_time",
            "select a from t order by uuid()",
            "select a from t where exists (select 1 from u where u.b > /* at */ now\n())",
            "select case when random() < 0.5 then 1 else 2 end",
        ] {
            assert!(calls(sql), "{sql}");
        }
    }

    #[test]
    fn columns_and_texts_that_are_named_alike_are_no_calls() {
        for sql in [
            "select now, random, uuid, t.today from t",
            "select t.current_date, \"current_date\" from t",
            "select 'now()' as x -- random()",
            "select a as now, lower(b) from t",
            "select date_trunc('day', ts), to_timestamp(a), from_unixtime(b) from t",
        ] {
            assert!(!calls(sql), "{sql}");
        }
    }

    /// A function that DataFusion adds is to be looked at: whether its value differs between runs.
    #[test]
    fn each_function_that_is_not_immutable_is_known_as_one_or_the_other() {
        let state = Scope::for_planning().state();
        let scalar = state.scalar_functions().values().map(|of| (of.name(), of.signature().volatility));
        let aggregate = state.aggregate_functions().values().map(|of| (of.name(), of.signature().volatility));
        let window = state.window_functions().values().map(|of| (of.name(), of.signature().volatility));
        let higher = state.higher_order_functions().values().map(|of| (of.name(), of.signature().volatility));
        let all: Vec<(&str, Volatility)> = scalar.chain(aggregate).chain(window).chain(higher).collect();
        let of = |wanted: Volatility| -> BTreeSet<&str> {
            all.iter().filter(|(_, volatility)| *volatility == wanted).map(|(name, _)| *name).collect()
        };
        assert_eq!(of(Volatility::Stable), BTreeSet::from(OF_THE_TIME));
        let volatile = of(Volatility::Volatile);
        assert_eq!(volatile, BTreeSet::from(["file_row_index", "input_file_name", "random", "uuid"]));
        for name in volatile.iter().chain(&OF_THE_TIME) {
            assert!(calls(&format!("select {name}()")), "{name}");
        }
        for name in WITHOUT_BRACKETS.into_iter().filter(|name| state.scalar_functions().contains_key(*name)) {
            assert!(calls(&format!("select {name}")), "{name}");
        }
    }
}
