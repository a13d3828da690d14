//! Column lineage: which columns of what a SELECT reads each of its columns takes its values from.
//!
//! Only where values come from counts here, not what decides which rows there are. It goes back to the next relation of
//! the project, view or table: a view is a step on the way, not looked through.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan};

use mep_core::relation::Relation;

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnOf {
    /// The relation.
    pub relation: Relation,
    /// The column's name.
    pub column: String,
}

/// Where the values of one column come from.
pub type Origins = BTreeSet<ColumnOf>;

/// Where the values of each column of a plan come from, in the plan's order. The plan was made from SQL and not yet
/// optimized.
pub fn origins(plan: &LogicalPlan) -> Vec<Origins> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => match of_project(&alias.alias) {
            Some(relation) => columns_of(&relation, plan.schema()),
            None => origins(&alias.input),
        },
        LogicalPlan::TableScan(scan) => match of_project(&scan.table_name) {
            Some(relation) => columns_of(&relation, &scan.projected_schema),
            None => nothing(plan),
        },
        LogicalPlan::Projection(projection) => of_all(&projection.expr, &projection.input),
        LogicalPlan::Window(window) => {
            let mut all = origins(&window.input);
            all.extend(of_all(&window.window_expr, &window.input));
            all
        }
        LogicalPlan::Aggregate(aggregate) => {
            let mut all = of_all(&aggregate.group_expr, &aggregate.input);
            // Sets of keys bring a column of their own.
            all.resize(aggregate.schema.fields().len() - aggregate.aggr_expr.len(), Origins::new());
            all.extend(of_all(&aggregate.aggr_expr, &aggregate.input));
            all
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => origins(&join.left),
            JoinType::RightSemi | JoinType::RightAnti => origins(&join.right),
            JoinType::LeftMark | JoinType::RightMark => nothing(plan),
            _ => [origins(&join.left), origins(&join.right)].concat(),
        },
        LogicalPlan::Union(union) => {
            let mut all = nothing(plan);
            for input in &union.inputs {
                for (column, more) in all.iter_mut().zip(origins(input)) {
                    column.extend(more);
                }
            }
            all
        }
        LogicalPlan::Distinct(Distinct::On(on)) => of_all(&on.select_expr, &on.input),
        LogicalPlan::Distinct(Distinct::All(input)) => origins(input),
        LogicalPlan::Filter(node) => origins(&node.input),
        LogicalPlan::Sort(node) => origins(&node.input),
        LogicalPlan::Limit(node) => origins(&node.input),
        LogicalPlan::Subquery(node) => origins(&node.subquery),
        LogicalPlan::RecursiveQuery(query) => origins(&query.static_term),
        LogicalPlan::Unnest(unnest) => {
            let input = origins(&unnest.input);
            let of = |position: &usize| input.get(*position).cloned().unwrap_or_default();
            unnest.dependency_indices.iter().map(of).collect()
        }
        _ => nothing(plan),
    }
}

/// The relation that a reference names, where it names one of the project: aliases in SQL have no schema.
fn of_project(reference: &TableReference) -> Option<Relation> {
    let schema = reference.schema()?.to_owned();
    Some(Relation { schema: Some(schema), name: reference.table().to_owned() })
}

fn columns_of(relation: &Relation, schema: &DFSchema) -> Vec<Origins> {
    let column = |name: &String| ColumnOf { relation: relation.clone(), column: name.clone() };
    schema.fields().iter().map(|field| Origins::from([column(field.name())])).collect()
}

fn nothing(plan: &LogicalPlan) -> Vec<Origins> {
    vec![Origins::new(); plan.schema().fields().len()]
}

fn of_all(expressions: &[Expr], input: &LogicalPlan) -> Vec<Origins> {
    let below = origins(input);
    expressions.iter().map(|expression| of_expression(expression, input.schema(), &below)).collect()
}

fn of_expression(expression: &Expr, schema: &DFSchema, below: &[Origins]) -> Origins {
    let mut found = Origins::new();
    // The closure returns no error, so neither does the walk.
    let _ = expression.apply(|part| {
        match part {
            Expr::Column(column) => {
                let position = schema.maybe_index_of_column(column);
                found
                    .extend(position.and_then(|position| below.get(position)).into_iter().flatten().cloned());
            }
            Expr::ScalarSubquery(subquery) => {
                found.extend(origins(&subquery.subquery).into_iter().flatten());
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::scope::{DeclaredTable, Scope};

    fn lineage(sql: &str) -> String {
        let scope = Scope::for_planning();
        for (name, columns) in [("raw", ["id", "ts", "city"]), ("dim", ["id", "title", "kind"])] {
            let fields = columns.map(|column| Field::new(column, DataType::Int64, true));
            let table = DeclaredTable::new(Arc::new(Schema::new(fields.to_vec())), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        let view = "select id, ts + city as sum from m.raw";
        scope.register_view(&Relation::new("m", "seen"), scope.plan(view).unwrap()).unwrap();
        let plan = scope.plan(sql).unwrap();
        let names = plan.schema().fields().iter().map(|field| field.name().clone());
        let lines = names.zip(origins(&plan)).map(|(name, origins)| {
            let columns = origins.iter().map(|origin| format!("{}.{}", origin.relation.name, origin.column));
            format!("{name} <- {}", columns.collect::<Vec<_>>().join(" "))
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn values_are_followed_through_joins_groups_windows_and_unions() {
        assert_eq!(
            lineage(
                "with x as (select r.id, r.ts - d.kind as gap, d.title from m.raw r join m.dim d on d.id = r.city)
                select title, max(gap) as gap, count(*) as n from x group by title"
            ),
            "title <- dim.title; gap <- dim.kind raw.ts; n <- "
        );
        assert_eq!(
            lineage("select id, row_number() over (partition by city order by ts) as place from m.raw"),
            "id <- raw.id; place <- raw.city raw.ts"
        );
        assert_eq!(
            lineage("select id as x from m.raw union all select kind from m.dim"),
            "x <- dim.kind raw.id"
        );
        assert_eq!(lineage("select (select max(kind) from m.dim) as top from m.raw"), "top <- dim.kind");
    }

    #[test]
    fn a_view_is_where_lineage_ends() {
        assert_eq!(lineage("select s.sum * 2 as twice from m.seen s where s.id > 1"), "twice <- seen.sum");
    }
}
