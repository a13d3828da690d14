//! What some columns of a SELECT are made by: the parts of it that they need, and the columns that these read.
//!
//! A plan is walked from its end to the tables, with the columns that are wanted at each point. What no wanted column
//! needs is left out; what decides which rows there are (filters, joins, keys of groups) never is. So two SELECTs that
//! make a column in the same way have the same recipe for it, whatever else is beside it. The walk goes over the plan as
//! it was written, since an optimizer's form of it changes from release to release.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, Join, JoinType, LogicalPlan, Projection, TableScan, Window,
};

use super::alignment::{is_stored, relation};
use crate::fingerprint::Fingerprint;
use crate::relation::Relation;

/// What some columns are made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Of the parts of the SELECT that these columns need, through views.
    pub fingerprint: Fingerprint,
    /// The columns that these parts read, by table. A table of which only the number of rows counts has none.
    pub reads: BTreeMap<Relation, BTreeSet<String>>,
}

impl Recipe {
    /// The recipe of the columns at these positions of a plan that was made from SQL and not yet optimized; of no
    /// column: of which rows there are. `None` where the plan has a part whose text does not say all of it, such as a
    /// function that gives a table.
    pub fn of(plan: &LogicalPlan, columns: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut walk = Walk { parts: Vec::new(), reads: BTreeMap::new(), is_known: true };
        walk.plan(plan, &columns.into_iter().collect());
        let fingerprint = Fingerprint::of(walk.parts.iter().map(String::as_str));
        walk.is_known.then_some(Self { fingerprint, reads: walk.reads })
    }
}

/// Positions of columns in a schema.
type Positions = BTreeSet<usize>;

struct Walk {
    parts: Vec<String>,
    reads: BTreeMap<Relation, BTreeSet<String>>,
    is_known: bool,
}

impl Walk {
    fn say(&mut self, part: impl Into<String>) {
        self.parts.push(part.into());
    }

    fn plan(&mut self, plan: &LogicalPlan, wanted: &Positions) {
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection, wanted),
            LogicalPlan::Filter(filter) => {
                self.say("filter");
                let mut needed = wanted.clone();
                self.expression(&filter.predicate, filter.input.schema(), &mut needed);
                self.plan(&filter.input, &needed);
            }
            LogicalPlan::Window(window) => self.window(window, wanted),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, wanted),
            LogicalPlan::Sort(sort) => {
                self.say("sort");
                let mut needed = wanted.clone();
                for key in &sort.expr {
                    self.say(key.to_string());
                    self.expression(&key.expr, sort.input.schema(), &mut needed);
                }
                self.say(format!("{:?}", sort.fetch));
                self.plan(&sort.input, &needed);
            }
            LogicalPlan::Join(join) => self.join(join, wanted),
            LogicalPlan::Union(union) => {
                self.say(format!("union {}", union.inputs.len()));
                for input in &union.inputs {
                    self.plan(input, wanted);
                }
            }
            LogicalPlan::TableScan(scan) => self.scan(scan, wanted),
            LogicalPlan::EmptyRelation(empty) => self.say(format!("empty {}", empty.produce_one_row)),
            LogicalPlan::SubqueryAlias(alias) => {
                self.say(format!("as {}", alias.alias));
                self.plan(&alias.input, wanted);
            }
            LogicalPlan::Limit(limit) => {
                self.say("limit");
                for bound in [&limit.skip, &limit.fetch] {
                    self.say(bound.as_ref().map_or_else(String::new, |bound| bound.to_string()));
                }
                self.plan(&limit.input, wanted);
            }
            LogicalPlan::Values(values) => {
                self.say("values");
                for row in &values.values {
                    self.say(row.len().to_string());
                    for value in row {
                        self.expression(value, &values.schema, &mut Positions::new());
                    }
                }
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                self.say("distinct");
                self.plan(input, &all(input));
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on, wanted),
            LogicalPlan::RecursiveQuery(query) => {
                self.say(format!("recursive {} {}", query.name, query.is_distinct));
                self.plan(&query.static_term, &all(&query.static_term));
                self.plan(&query.recursive_term, &all(&query.recursive_term));
            }
            _ => self.is_known = false,
        }
    }

    fn projection(&mut self, projection: &Projection, wanted: &Positions) {
        self.say("select");
        let mut needed = Positions::new();
        for position in wanted {
            if let Some(expression) = projection.expr.get(*position) {
                self.say(projection.schema.field(*position).name());
                self.expression(expression, projection.input.schema(), &mut needed);
            }
        }
        self.plan(&projection.input, &needed);
    }

    /// The columns of the input come first, then those of the windows.
    fn window(&mut self, window: &Window, wanted: &Positions) {
        self.say("window");
        let width = window.input.schema().fields().len();
        let mut needed: Positions = wanted.range(..width).copied().collect();
        for position in wanted.range(width..) {
            if let Some(expression) = window.window_expr.get(position - width) {
                self.expression(expression, window.input.schema(), &mut needed);
            }
        }
        self.plan(&window.input, &needed);
    }

    /// The keys decide which groups there are, so all of them are needed.
    fn aggregate(&mut self, aggregate: &Aggregate, wanted: &Positions) {
        self.say("group");
        let mut needed = Positions::new();
        for key in &aggregate.group_expr {
            self.expression(key, aggregate.input.schema(), &mut needed);
        }
        self.say("of each");
        let keys = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
        for position in wanted.range(keys..) {
            if let Some(expression) = aggregate.aggr_expr.get(position - keys) {
                self.expression(expression, aggregate.input.schema(), &mut needed);
            }
        }
        self.plan(&aggregate.input, &needed);
    }

    fn join(&mut self, join: &Join, wanted: &Positions) {
        self.say(format!("{} join {:?} {}", join.join_type, join.null_equality, join.null_aware));
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let width = match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => 0,
            _ => left_schema.fields().len(),
        };
        let mut left: Positions = wanted.range(..width).copied().collect();
        let has = |position: &usize| *position < right_schema.fields().len();
        let mut right: Positions =
            wanted.range(width..).map(|position| position - width).filter(has).collect();
        for (of_left, of_right) in &join.on {
            self.expression(of_left, left_schema, &mut left);
            self.expression(of_right, right_schema, &mut right);
        }
        if let Some(filter) = &join.filter {
            self.say("on");
            self.text(filter, &mut |column| {
                match (left_schema.maybe_index_of_column(column), right_schema.maybe_index_of_column(column))
                {
                    (Some(position), _) => left.insert(position),
                    (None, Some(position)) => right.insert(position),
                    (None, None) => return false,
                };
                true
            });
        }
        self.plan(&join.left, &left);
        self.plan(&join.right, &right);
    }

    fn distinct_on(&mut self, on: &DistinctOn, wanted: &Positions) {
        self.say("distinct on");
        let schema = on.input.schema();
        let mut needed = Positions::new();
        for key in &on.on_expr {
            self.expression(key, schema, &mut needed);
        }
        for key in on.sort_expr.iter().flatten() {
            self.say(key.to_string());
            self.expression(&key.expr, schema, &mut needed);
        }
        self.say("select");
        for position in wanted {
            if let Some(expression) = on.select_expr.get(*position) {
                self.expression(expression, schema, &mut needed);
            }
        }
        self.plan(&on.input, &needed);
    }

    fn scan(&mut self, scan: &TableScan, wanted: &Positions) {
        if !is_stored(scan) {
            self.is_known = false;
            return;
        }
        self.say(format!("from {} {:?}", scan.table_name, scan.fetch));
        let mut needed = wanted.clone();
        for filter in &scan.filters {
            self.expression(filter, &scan.projected_schema, &mut needed);
        }
        let columns = self.reads.entry(relation(scan)).or_default();
        for position in needed {
            let field = scan.projected_schema.field(position);
            columns.insert(field.name().clone());
            self.parts.push(format!("{} {}", field.name(), field.data_type()));
        }
    }

    /// Notes an expression over columns of `schema`, and the positions of those that it needs.
    fn expression(&mut self, expression: &Expr, schema: &DFSchema, needed: &mut Positions) {
        self.text(expression, &mut |column| match schema.maybe_index_of_column(column) {
            Some(position) => {
                needed.insert(position);
                true
            }
            None => false,
        });
    }

    /// Notes an expression and the subqueries in it; `need` is told each column and says whether it knows it.
    fn text(&mut self, expression: &Expr, need: &mut dyn FnMut(&Column) -> bool) {
        self.say(expression.to_string());
        let mut subqueries = Vec::new();
        let mut is_known = true;
        // The closure returns no error, so neither does the walk.
        let _ = expression.apply(|part| {
            match part {
                Expr::Column(column) => is_known &= need(column),
                // One of a query further out is of no column here.
                Expr::OuterReferenceColumn(_, column) => {
                    need(column);
                }
                Expr::ScalarSubquery(subquery) => subqueries.push(subquery.subquery.clone()),
                Expr::Exists(exists) => subqueries.push(exists.subquery.subquery.clone()),
                Expr::InSubquery(within) => subqueries.push(within.subquery.subquery.clone()),
                Expr::SetComparison(comparison) => subqueries.push(comparison.subquery.subquery.clone()),
                Expr::ScalarVariable(..)
                | Expr::Unnest(_)
                | Expr::HigherOrderFunction(_)
                | Expr::Lambda(_)
                | Expr::LambdaVariable(_) => is_known = false,
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
        self.is_known &= is_known;
        for subquery in subqueries {
            for column in outer_columns(&subquery) {
                need(&column);
            }
            self.say("subquery");
            self.plan(&subquery, &all(&subquery));
            self.say("end");
        }
    }
}

fn all(plan: &LogicalPlan) -> Positions {
    (0..plan.schema().fields().len()).collect()
}

/// The columns of queries further out that a subquery speaks of, at any depth.
fn outer_columns(plan: &LogicalPlan) -> Vec<Column> {
    let mut columns = Vec::new();
    // The closures return no error, so neither does the walk.
    let _ = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part {
                    columns.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    columns
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::sql::scope::{DeclaredTable, Scope};

    fn scope() -> Scope {
        let scope = Scope::for_planning();
        for (name, columns) in [("raw", ["id", "ts", "city"]), ("dim", ["id", "title", "kind"])] {
            let fields = columns.map(|column| Field::new(column, DataType::Int64, true));
            let table = DeclaredTable::new(Arc::new(Schema::new(fields.to_vec())), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        scope
    }

    fn recipe(sql: &str, columns: &[usize]) -> Option<Recipe> {
        Recipe::of(&scope().plan(sql).unwrap(), columns.iter().copied())
    }

    /// The columns that the first column of a SELECT needs.
    fn reads(sql: &str) -> String {
        let reads = recipe(sql, &[0]).unwrap().reads;
        let tables = reads.into_iter().map(|(table, columns)| {
            format!("{table}: {}", columns.into_iter().collect::<Vec<_>>().join(" "))
        });
        tables.collect::<Vec<_>>().join(", ")
    }

    /// Whether two SELECTs make their first column in the same way.
    fn same(a: &str, b: &str) -> bool {
        recipe(a, &[0]).unwrap() == recipe(b, &[0]).unwrap()
    }

    #[test]
    fn what_is_beside_a_column_does_not_count() {
        assert!(same("select id from m.raw", "select id, ts + city as x from m.raw"));
        assert!(same("SELECT  id -- the key\nfrom m.raw", "select id from m.raw"));
        let grouped = "select id, count(*) n from m.raw group by id";
        assert!(same(grouped, "select id, count(*) n, max(ts) m from m.raw group by id"));
        assert!(same(
            "with x as (select id, ts from m.raw) select ts from x",
            "with x as (select id, city, ts from m.raw) select ts, city from x"
        ));
        assert!(same(
            "select id, row_number() over (order by ts) r from m.raw",
            "select id, row_number() over (order by city) r from m.raw"
        ));
    }

    #[test]
    fn what_makes_the_column_or_decides_the_rows_counts() {
        assert!(!same("select id from m.raw", "select id + 1 as id from m.raw"));
        assert!(!same("select id from m.raw", "select id from m.raw where city = 1"));
        assert!(!same("select id from m.raw", "select distinct id from m.raw"));
        assert!(!same("select distinct id, ts from m.raw", "select distinct id, city from m.raw"));
        assert!(!same(
            "select r.id from m.raw r join m.dim d on d.id = r.id",
            "select r.id from m.raw r left join m.dim d on d.id = r.id"
        ));
        assert!(!same(
            "select id, count(*) n from m.raw group by id",
            "select id, count(*) n from m.raw group by id, ts"
        ));
        assert!(!same(
            "select id from m.raw where ts > (select max(kind) from m.dim)",
            "select id from m.raw where ts > (select min(kind) from m.dim)"
        ));
        assert!(!same("select x from (values (1), (2)) t(x)", "select x from (values (1), (3)) t(x)"));
        assert!(!same("select id from m.raw limit 3", "select id from m.raw limit 4"));
    }

    #[test]
    fn swapped_names_count() {
        assert!(!same(
            "select a - b from (select id as a, ts as b from m.raw) x",
            "select a - b from (select id as b, ts as a from m.raw) x"
        ));
    }

    #[test]
    fn only_the_columns_that_are_needed_are_read() {
        assert_eq!(reads("select id, ts, city from m.raw"), "m.raw: id");
        assert_eq!(reads("select id from m.raw where city > 1 order by ts"), "m.raw: city id ts");
        assert_eq!(reads("select count(*) n from m.raw"), "m.raw: ");
        assert_eq!(
            reads("select d.title, r.ts from m.raw r left join m.dim d on d.id = r.id and d.kind > r.city"),
            "m.dim: id kind title, m.raw: city id"
        );
        assert_eq!(
            reads("select r.ts from m.raw r where exists (select 1 from m.dim d where d.id = r.city)"),
            "m.dim: id, m.raw: city ts"
        );
        assert_eq!(
            reads("select ts from m.raw union all select title from m.dim"),
            "m.dim: title, m.raw: ts"
        );
    }

    #[test]
    fn a_function_that_gives_a_table_is_not_known() {
        assert_eq!(recipe("select * from generate_series(1, 3)", &[0]), None);
    }
}
