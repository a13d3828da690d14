//! Questions: SELECTs whose rows decide what SQL is rendered.
//!
//! Their rows come in an order that is the same whenever the tables hold the same, so that the SQL is the same too: what an ORDER BY
//! leaves open is decided by the columns, and what a LIMIT takes with it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{
    Expr, Limit, LogicalPlan, LogicalPlanBuilder, Projection, Sort, SubqueryAlias,
};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::planned::{PlannedQuery, SqlError};
use super::scope::Scope;
use super::syntax::Sql;
use mep_core::relation::Relation;

/// The schema in which SQL finds what there is.
pub const INFORMATION_SCHEMA: &str = "information_schema";

impl PlannedQuery {
    /// The same rows, in one order however they are computed.
    ///
    /// # Errors
    /// None of its own; building a plan returns a `Result`.
    pub fn in_one_order(self) -> Result<Self, SqlError> {
        Ok(ordered(self.into_plan())?.into())
    }
}

fn ordered(plan: LogicalPlan) -> Result<LogicalPlan, SqlError> {
    Ok(match plan {
        LogicalPlan::Limit(limit) => {
            let input = Arc::new(ordered(Arc::unwrap_or_clone(limit.input))?);
            LogicalPlan::Limit(Limit { input, ..limit })
        }
        LogicalPlan::Sort(mut sort) => {
            sort.expr.extend(by_columns(&sort.input));
            LogicalPlan::Sort(Sort { ..sort })
        }
        LogicalPlan::Projection(projection) if is_sorted(&projection.input) => {
            let input = Arc::new(ordered(Arc::unwrap_or_clone(projection.input))?);
            LogicalPlan::Projection(Projection::try_new(projection.expr, input)?)
        }
        LogicalPlan::SubqueryAlias(alias) if is_sorted(&alias.input) => {
            let input = Arc::new(ordered(Arc::unwrap_or_clone(alias.input))?);
            LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(input, alias.alias)?)
        }
        other => {
            let order = by_columns(&other);
            if order.is_empty() { other } else { LogicalPlanBuilder::from(other).sort(order)?.build()? }
        }
    })
}

/// Whether the rows come in an order that the SQL asks for.
fn is_sorted(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Limit(limit) => is_sorted(&limit.input),
        LogicalPlan::Projection(projection) => is_sorted(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_sorted(&alias.input),
        _ => false,
    }
}

/// An order by all columns that have one.
fn by_columns(plan: &LogicalPlan) -> Vec<datafusion::logical_expr::expr::Sort> {
    let has_order = |kind: &DataType| !kind.is_nested();
    let fields = plan.schema().iter().filter(|(_, field)| has_order(field.data_type()));
    fields.map(|(of, field)| Expr::Column(Column::from((of, field.as_ref()))).sort(true, false)).collect()
}

impl Scope {
    /// Makes rows known under a name.
    ///
    /// # Errors
    /// Where the catalog refuses, which in-memory catalogs do not.
    pub fn register_rows(&self, relation: &Relation, rows: RecordBatch) -> Result<(), SqlError> {
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        self.register(relation, Arc::new(table))
    }
}

/// The SQL without the database that stands before `information_schema`: there is one, and it has no name. `None` where the SQL does
/// not name that schema.
pub fn of_information_schema(sql: &str) -> Option<String> {
    let tokens = Tokenizer::new(&Sql, sql).with_unescape(false).tokenize().ok()?;
    let is_it = |token: &Token| match token {
        Token::Word(word) => word.value.eq_ignore_ascii_case(INFORMATION_SCHEMA),
        _ => false,
    };
    let is_named = |at: usize| is_it(&tokens[at]) && matches!(tokens.get(at + 1), Some(Token::Period));
    let named: Vec<usize> = (0..tokens.len()).filter(|at| is_named(*at)).collect();
    if named.is_empty() {
        return None;
    }
    let has_database = |at: &&usize| {
        **at >= 2 && matches!(tokens[**at - 1], Token::Period) && matches!(tokens[**at - 2], Token::Word(_))
    };
    let left_out: Vec<usize> = named.iter().filter(has_database).flat_map(|at| [at - 2, at - 1]).collect();
    let kept = tokens.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
    Some(kept.map(|(_, token)| token.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{Field, Int64Type, Schema};

    fn rows(sql: &str) -> Vec<i64> {
        let scope = Scope::for_planning();
        let schema =
            Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Int64, true)]);
        let column = |values: Vec<i64>| Arc::new(Int64Array::from(values));
        let batch =
            RecordBatch::try_new(Arc::new(schema), vec![column(vec![3, 1, 2, 1]), column(vec![0, 9, 0, 4])]);
        scope.register_rows(&Relation::new("s", "t"), batch.unwrap()).unwrap();
        let plan = scope.plan(sql).unwrap().in_one_order().unwrap();
        let found = futures::executor::block_on(async {
            scope.context().execute_logical_plan(plan.into_plan()).await.unwrap().collect().await.unwrap()
        });
        found.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    #[test]
    fn rows_come_in_one_order_whatever_the_sql_leaves_open() {
        assert_eq!(rows("select a from s.t"), [1, 1, 2, 3]);
        assert_eq!(rows("select a from s.t limit 2"), [1, 1]);
        assert_eq!(rows("select b from s.t order by a"), [4, 9, 0, 0]);
        assert_eq!(rows("select b, a from s.t order by a desc limit 3"), [0, 0, 4]);
        assert_eq!(rows("select q.b from (select * from s.t) q order by q.a limit 1"), [4]);
        assert_eq!(rows("select a from s.t where false"), [] as [i64; 0]);
    }

    #[test]
    fn the_database_before_the_information_schema_is_left_out() {
        let of = |sql: &str| of_information_schema(sql);
        assert_eq!(of("select * from t"), None);
        assert_eq!(of("select 'information_schema.tables'"), None);
        let (with, without) = (
            "select 'it''s' from None.information_schema.tables -- x",
            "select 'it''s' from information_schema.tables -- x",
        );
        assert_eq!(of(with).as_deref(), Some(without));
        let quoted = r#"select * from "db"."INFORMATION_SCHEMA"."columns""#;
        assert_eq!(of(quoted).as_deref(), Some(r#"select * from "INFORMATION_SCHEMA"."columns""#));
    }
}
