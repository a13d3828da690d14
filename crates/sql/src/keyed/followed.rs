//! By which columns a change in a table can be followed, before there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, Result};
use datafusion::datasource::TableProvider;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{ChangedTable, Changes, Wanted};
use crate::alignment::{is_stored, relation};
use crate::planned::{PlannedQuery, SqlError};
use crate::scope::{DeclaredTable, Scope};
use crate::tree::PlanWalk;
use mep_core::relation::Relation;

/// Those of some columns of a SELECT by whose values it can be said which rows a change in a table reaches: rows of other values
/// stay as they are.
///
/// # Errors
/// Where the optimizer finds that the SELECT cannot run.
pub fn followed(
    scope: &Scope,
    query: &PlannedQuery,
    table: &Relation,
    columns: &[String],
) -> Result<Vec<String>, SqlError> {
    let plan = scope.optimize_in_parts(query)?;
    let mut wanted = Wanted::new();
    for name in columns {
        let (qualifier, _) = plan.schema().qualified_field_with_unqualified_name(name)?;
        wanted.push(Some(Expr::Column(Column::new(qualifier.cloned(), name))));
    }
    let mut changes = BTreeMap::new();
    if let Some(declared) = declared(&plan, table)? {
        let some = Some(declared.clone());
        changes.insert(table.clone(), ChangedTable { before: declared, gone: some.clone(), come: some });
    }
    let Some(touched) = Changes(changes).touched(&plan, &wanted)? else { return Ok(columns.to_vec()) };
    Ok(touched.told.iter().filter_map(|at| columns.get(*at).cloned()).collect())
}

/// A table of the columns that a plan scans of it, without rows.
fn declared(plan: &LogicalPlan, table: &Relation) -> Result<Option<Arc<dyn TableProvider>>> {
    let mut found: Option<Arc<dyn TableProvider>> = None;
    plan.walk_with_subqueries(&mut |node| {
        if let LogicalPlan::TableScan(scan) = node
            && is_stored(scan)
            && relation(scan) == *table
        {
            found = Some(Arc::new(DeclaredTable::new(scan.source.schema(), Vec::new())));
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    /// By which columns a change in `dim` can be followed.
    fn of(sql: &str) -> String {
        let scope = Scope::for_planning();
        for (name, columns) in [("fact", ["id", "day", "city"]), ("dim", ["key", "title", "country"])] {
            let fields = columns.map(|column| Field::new(column, DataType::Int64, true));
            let table = DeclaredTable::new(Arc::new(Schema::new(fields.to_vec())), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        let query = scope.plan(sql).unwrap();
        let columns: Vec<String> = query.output().fields().iter().map(|field| field.name().clone()).collect();
        followed(&scope, &query, &Relation::new("m", "dim"), &columns).unwrap().join(", ")
    }

    #[test]
    fn a_join_says_the_columns_of_the_rows_that_look_a_key_up() {
        assert_eq!(of("select f.day, d.title from m.fact f join m.dim d on d.key = f.id"), "day, title");
        assert_eq!(of("select f.day, d.title from m.fact f left join m.dim d on d.key = f.id"), "day");
        assert_eq!(
            of("select f.day, d.title from m.fact f join m.dim d on d.key between f.id and f.city"),
            "day, title"
        );
        assert_eq!(
            of("select day from m.fact f where exists (select 1 from m.dim d where d.key = f.id)"),
            "day"
        );
        assert_eq!(
            of(
                "select f.day, d.n from m.fact f join (select key, count(*) n from m.dim group by key) d on d.key = f.id"
            ),
            "day"
        );
    }

    #[test]
    fn groups_and_windows_say_what_they_are_made_by() {
        assert_eq!(of("select country, count(*) as n from m.dim group by country"), "country");
        assert_eq!(
            of("select key, country, rank() over (partition by country order by key) as place from m.dim"),
            "country"
        );
        assert_eq!(of("select day from m.fact union all select key as day from m.dim"), "day");
    }

    #[test]
    fn what_all_rows_decide_says_nothing() {
        assert_eq!(of("select max(key) as key from m.dim"), "");
        assert_eq!(of("select key, rank() over (order by title) as place from m.dim"), "");
        assert_eq!(of("select key from m.dim order by title limit 3"), "");
        assert_eq!(
            of(
                "select d.key from m.dim d join (select id from m.fact order by day limit 3) f on f.id = d.key"
            ),
            "key"
        );
        assert_eq!(of("select f.day from m.fact f where f.city < (select max(key) from m.dim)"), "");
    }
}
