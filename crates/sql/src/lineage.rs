//! Column lineage: which columns of what a SELECT reads each of its columns takes its values from.
//!
//! Only where values come from counts here, not what decides which rows there are. It goes back to the next relation of
//! the project, view or table: a view is a step on the way, not looked through.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan};

use super::column_places::ColumnPlaces;
use crate::tree::TreeWalk;
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

/// What a column decides of the rows that a SELECT gives, whatever values these have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowUse {
    /// Rows are kept or left out by it.
    Filter,
    /// Rows are joined by it.
    Join,
    /// Rows are put together by it.
    Group,
}

/// The columns that decide which rows there are, and how.
pub type RowUses = BTreeMap<ColumnOf, BTreeSet<RowUse>>;

/// Which expressions hand the values of a column on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handing {
    /// All that are made of it.
    Any,
    /// Those that are the column, whatever its name becomes.
    AsItIs,
}

/// Where the values of each column of a plan come from, in the plan's order. The plan was made from SQL and not yet
/// optimized.
pub fn origins(plan: &LogicalPlan) -> Vec<Origins> {
    handed(plan, Handing::Any)
}

/// Of each column of a plan the columns whose values it has as they are: a part of its [`origins`].
pub fn copies(plan: &LogicalPlan) -> Vec<Origins> {
    handed(plan, Handing::AsItIs)
}

/// The columns by which a plan filters, joins and groups rows, of whatever it reads.
pub fn row_uses(plan: &LogicalPlan) -> RowUses {
    let mut uses = RowUses::new();
    add_row_uses(plan, &mut uses);
    uses
}

fn add_row_uses(plan: &LogicalPlan, uses: &mut RowUses) {
    // What a relation of the project is made of is its own.
    match plan {
        LogicalPlan::SubqueryAlias(alias) if of_project(&alias.alias).is_some() => return,
        LogicalPlan::TableScan(_) => return,
        _ => {}
    }
    let mut add = |found: Origins, how: RowUse| {
        for column in found {
            uses.entry(column).or_default().insert(how);
        }
    };
    let of = |expression: &Expr, places: &ColumnPlaces<'_>, below: &[Origins]| {
        of_expression(expression, places, below, Handing::Any)
    };
    match plan {
        LogicalPlan::Filter(filter) => {
            let below = origins(&filter.input);
            let places = ColumnPlaces::of(filter.input.schema());
            add(of(&filter.predicate, &places, &below), RowUse::Filter);
        }
        LogicalPlan::Join(join) => {
            let (left, right) = (origins(&join.left), origins(&join.right));
            let of_left = ColumnPlaces::of(join.left.schema());
            let of_right = ColumnPlaces::of(join.right.schema());
            for (one, other) in &join.on {
                add(of(one, &of_left, &left), RowUse::Join);
                add(of(other, &of_right, &right), RowUse::Join);
            }
            if let (Some(filter), Ok(schema)) = (&join.filter, join.left.schema().join(join.right.schema())) {
                add(of(filter, &ColumnPlaces::of(&schema), &[left, right].concat()), RowUse::Join);
            }
        }
        LogicalPlan::Aggregate(aggregate) => {
            let below = origins(&aggregate.input);
            let places = ColumnPlaces::of(aggregate.input.schema());
            for key in &aggregate.group_expr {
                add(of(key, &places, &below), RowUse::Group);
            }
        }
        _ => {}
    }
    for input in plan.inputs() {
        add_row_uses(input, uses);
    }
}

fn handed(plan: &LogicalPlan, how: Handing) -> Vec<Origins> {
    let origins = |plan: &LogicalPlan| handed(plan, how);
    let of_all = |expressions: &[Expr], input: &LogicalPlan| of_all(expressions, input, &origins(input), how);
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
            // What is below is asked once: of a stack of windows each would double the work.
            let mut all = origins(&window.input);
            let made = self::of_all(&window.window_expr, &window.input, &all, how);
            all.extend(made);
            all
        }
        LogicalPlan::Aggregate(aggregate) => {
            let below = origins(&aggregate.input);
            let of = |expressions: &[Expr]| self::of_all(expressions, &aggregate.input, &below, how);
            let mut all = of(&aggregate.group_expr);
            // Sets of keys bring a column of their own.
            all.resize(aggregate.schema.fields().len() - aggregate.aggr_expr.len(), Origins::new());
            all.extend(of(&aggregate.aggr_expr));
            all
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => origins(&join.left),
            JoinType::RightSemi | JoinType::RightAnti => origins(&join.right),
            // What says whether a row was found is made of no column.
            JoinType::LeftMark => [origins(&join.left), vec![Origins::new()]].concat(),
            JoinType::RightMark => [origins(&join.right), vec![Origins::new()]].concat(),
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

fn of_all(expressions: &[Expr], input: &LogicalPlan, below: &[Origins], how: Handing) -> Vec<Origins> {
    let places = ColumnPlaces::of(input.schema());
    expressions.iter().map(|expression| of_expression(expression, &places, below, how)).collect()
}

fn of_expression(expression: &Expr, places: &ColumnPlaces<'_>, below: &[Origins], how: Handing) -> Origins {
    let mut found = Origins::new();
    let named = std::iter::successors(Some(expression), |expression| match expression {
        Expr::Alias(alias) => Some(&alias.expr),
        _ => None,
    });
    if how == Handing::AsItIs && !matches!(named.last(), Some(Expr::Column(_))) {
        return found;
    }
    // The closure returns no error, so neither does the walk.
    let _ = expression.walk(&mut |part| {
        match part {
            Expr::Column(column) => {
                let position = places.find(column);
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
    fn stacks_of_windows_and_groups_are_looked_at_once_each() {
        let places = (0..40).map(|at| format!("row_number() over (order by id + {at}) as c{at}"));
        let places = places.collect::<Vec<_>>().join(", ");
        assert!(lineage(&format!("select {places} from m.raw")).ends_with("c39 <- raw.id"));
        let steps =
            (1..40).map(|at| format!("x{at} as (select id, max(v) as v from x{} group by id)", at - 1));
        let steps = steps.collect::<Vec<_>>().join(", ");
        assert_eq!(
            lineage(&format!("with x0 as (select id, ts as v from m.raw), {steps} select * from x39")),
            "id <- raw.id; v <- raw.ts"
        );
        assert_eq!(
            lineage("select r.id, exists (select 1 from m.dim d where d.id = r.id) as found from m.raw r"),
            "id <- raw.id; found <- "
        );
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
    fn what_is_copied_and_what_decides_rows_is_told_apart() {
        let scope = Scope::for_planning();
        for (name, columns) in [("raw", ["id", "ts", "city"]), ("dim", ["id", "title", "kind"])] {
            let fields = columns.map(|column| Field::new(column, DataType::Int64, true));
            let table = DeclaredTable::new(Arc::new(Schema::new(fields.to_vec())), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        let sql =
            "select d.title as called, r.ts + 1 as later, count(*) from m.raw r join m.dim d on d.id = r.city
            where r.id > 3 group by 1, 2";
        let plan = scope.plan(sql).unwrap();
        let shown = |origins: &Origins| -> Vec<String> {
            origins.iter().map(|origin| format!("{}.{}", origin.relation.name, origin.column)).collect()
        };
        let copied: Vec<Vec<String>> = copies(&plan).iter().map(shown).collect();
        assert_eq!(copied, [vec!["dim.title".to_owned()], vec![], vec![]]);
        let uses = row_uses(&plan);
        let told: Vec<String> = uses
            .iter()
            .map(|(column, how)| format!("{}.{} {how:?}", column.relation.name, column.column))
            .collect();
        assert_eq!(
            told,
            ["dim.id {Join}", "dim.title {Group}", "raw.city {Join}", "raw.id {Filter}", "raw.ts {Group}"]
        );
    }

    #[test]
    fn a_view_is_where_lineage_ends() {
        assert_eq!(lineage("select s.sum * 2 as twice from m.seen s where s.id > 1"), "twice <- seen.sum");
    }
}
