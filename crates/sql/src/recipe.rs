//! What some columns of a SELECT are made by: the parts of it that they need, and the columns that these read.
//!
//! A plan is walked from its end to the tables, with the columns that are wanted at each point. What no wanted column
//! needs is left out; what decides which rows there are (filters, joins, keys of groups) never is. So two SELECTs that
//! make a column in the same way have the same recipe for it, whatever else is beside it. The walk goes over the plan as
//! it was written, since an optimizer's form of it changes from release to release.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, Join, JoinType, LogicalPlan, Projection, TableScan, Window,
};

use super::alignment::{is_stored, relation};
use super::column_places::ColumnPlaces;
use super::structure::{self, NodeParts};
use crate::tree::{PlanWalk, TreeWalk};
use mep_core::fingerprint::{Fingerprint, Structure};
use mep_core::relation::Relation;

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
    /// column: of which rows there are. `None` where the plan has a part that is not known to say all of itself, such as a
    /// function that gives a table.
    pub fn of(plan: &LogicalPlan, columns: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut walk = Walk { structure: Structure::default(), reads: BTreeMap::new(), is_known: true };
        walk.plan(plan, &columns.into_iter().collect());
        walk.is_known.then(|| Self { fingerprint: walk.structure.fingerprint(), reads: walk.reads })
    }
}

/// Positions of columns in a schema.
type Positions = BTreeSet<usize>;

struct Walk {
    structure: Structure,
    reads: BTreeMap<Relation, BTreeSet<String>>,
    is_known: bool,
}

impl Walk {
    fn plan(&mut self, plan: &LogicalPlan, wanted: &Positions) {
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection, wanted),
            LogicalPlan::Filter(filter) => {
                self.structure.tag("filter");
                let mut needed = wanted.clone();
                self.expression(&filter.predicate, &ColumnPlaces::of(filter.input.schema()), &mut needed);
                self.plan(&filter.input, &needed);
            }
            LogicalPlan::Window(window) => self.window(window, wanted),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, wanted),
            LogicalPlan::Sort(sort) => {
                self.structure.tag("sort");
                let mut needed = wanted.clone();
                self.keys(&sort.expr, sort.input.schema(), &mut needed);
                self.fetch(sort.fetch);
                self.plan(&sort.input, &needed);
            }
            LogicalPlan::Join(join) => self.join(join, wanted),
            LogicalPlan::Union(union) => {
                self.structure.tag("union").count(union.inputs.len());
                for input in &union.inputs {
                    self.plan(input, wanted);
                }
            }
            LogicalPlan::TableScan(scan) => self.scan(scan, wanted),
            LogicalPlan::EmptyRelation(empty) => {
                self.structure.tag("empty").flag(empty.produce_one_row);
            }
            LogicalPlan::SubqueryAlias(alias) => {
                structure::table_reference(self.structure.tag("as"), &alias.alias);
                self.plan(&alias.input, wanted);
            }
            LogicalPlan::Limit(limit) => {
                self.structure.tag("limit");
                for bound in [&limit.skip, &limit.fetch] {
                    self.structure.flag(bound.is_some());
                    if let Some(bound) = bound {
                        self.expression(
                            bound,
                            &ColumnPlaces::of(limit.input.schema()),
                            &mut Positions::new(),
                        );
                    }
                }
                self.plan(&limit.input, wanted);
            }
            LogicalPlan::Values(values) => {
                self.structure.tag("values").count(values.values.len());
                for row in &values.values {
                    self.structure.count(row.len());
                    for value in row {
                        self.expression(value, &ColumnPlaces::of(&values.schema), &mut Positions::new());
                    }
                }
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                self.structure.tag("distinct");
                self.plan(input, &all(input));
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on, wanted),
            LogicalPlan::RecursiveQuery(query) => {
                self.structure.tag("recursive").text(&query.name).flag(query.is_distinct);
                self.plan(&query.static_term, &all(&query.static_term));
                self.plan(&query.recursive_term, &all(&query.recursive_term));
            }
            LogicalPlan::Repartition(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::Unnest(_) => self.is_known = false,
        }
    }

    fn fetch(&mut self, fetch: Option<usize>) {
        self.structure.flag(fetch.is_some()).count(fetch.unwrap_or_default());
    }

    /// What rows are ordered by, with the directions.
    fn keys(&mut self, keys: &[Sort], schema: &DFSchema, needed: &mut Positions) {
        self.structure.count(keys.len());
        for key in keys {
            self.structure.flag(key.asc).flag(key.nulls_first);
            self.expression(&key.expr, &ColumnPlaces::of(schema), needed);
        }
    }

    fn projection(&mut self, projection: &Projection, wanted: &Positions) {
        let places = ColumnPlaces::of(projection.input.schema());
        self.structure.tag("select").count(wanted.len());
        let mut needed = Positions::new();
        for position in wanted {
            if let Some(expression) = projection.expr.get(*position) {
                self.structure.text(projection.schema.field(*position).name());
                self.expression(expression, &places, &mut needed);
            }
        }
        self.plan(&projection.input, &needed);
    }

    /// The columns of the input come first, then those of the windows.
    fn window(&mut self, window: &Window, wanted: &Positions) {
        let places = ColumnPlaces::of(window.input.schema());
        let width = window.input.schema().fields().len();
        let mut needed: Positions = wanted.range(..width).copied().collect();
        self.structure.tag("window").count(wanted.len() - needed.len());
        for position in wanted.range(width..) {
            if let Some(expression) = window.window_expr.get(position - width) {
                self.expression(expression, &places, &mut needed);
            }
        }
        self.plan(&window.input, &needed);
    }

    /// The keys decide which groups there are, so all of them are needed.
    fn aggregate(&mut self, aggregate: &Aggregate, wanted: &Positions) {
        let places = ColumnPlaces::of(aggregate.input.schema());
        self.structure.tag("group").count(aggregate.group_expr.len());
        let mut needed = Positions::new();
        for key in &aggregate.group_expr {
            self.expression(key, &places, &mut needed);
        }
        let keys = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
        self.structure.count(wanted.range(keys..).count());
        for position in wanted.range(keys..) {
            if let Some(expression) = aggregate.aggr_expr.get(position - keys) {
                self.expression(expression, &places, &mut needed);
            }
        }
        self.plan(&aggregate.input, &needed);
    }

    fn join(&mut self, join: &Join, wanted: &Positions) {
        self.structure.tag("join").tag(structure::join_type(join.join_type));
        self.structure.tag(structure::null_equality(join.null_equality)).flag(join.null_aware);
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let (of_left_side, of_right_side) = (ColumnPlaces::of(left_schema), ColumnPlaces::of(right_schema));
        let width = match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => 0,
            _ => left_schema.fields().len(),
        };
        let mut left: Positions = wanted.range(..width).copied().collect();
        let has = |position: &usize| *position < right_schema.fields().len();
        let mut right: Positions =
            wanted.range(width..).map(|position| position - width).filter(has).collect();
        self.structure.count(join.on.len());
        for (of_left, of_right) in &join.on {
            self.expression(of_left, &of_left_side, &mut left);
            self.expression(of_right, &of_right_side, &mut right);
        }
        self.structure.flag(join.filter.is_some());
        if let Some(filter) = &join.filter {
            self.parts(filter, &mut |column| {
                match (of_left_side.find(column), of_right_side.find(column)) {
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
        self.structure.tag("distinct on").count(on.on_expr.len());
        let schema = on.input.schema();
        let places = ColumnPlaces::of(schema);
        let mut needed = Positions::new();
        for key in &on.on_expr {
            self.expression(key, &places, &mut needed);
        }
        self.keys(on.sort_expr.as_deref().unwrap_or_default(), schema, &mut needed);
        self.structure.count(wanted.len());
        for position in wanted {
            if let Some(expression) = on.select_expr.get(*position) {
                self.expression(expression, &places, &mut needed);
            }
        }
        self.plan(&on.input, &needed);
    }

    fn scan(&mut self, scan: &TableScan, wanted: &Positions) {
        if !is_stored(scan) {
            self.is_known = false;
            return;
        }
        structure::table_reference(self.structure.tag("from"), &scan.table_name);
        self.fetch(scan.fetch);
        self.structure.count(scan.filters.len());
        let mut needed = wanted.clone();
        for filter in &scan.filters {
            self.expression(filter, &ColumnPlaces::of(&scan.projected_schema), &mut needed);
        }
        let columns = self.reads.entry(relation(scan)).or_default();
        self.structure.count(needed.len());
        for position in needed {
            let field = scan.projected_schema.field(position);
            columns.insert(field.name().clone());
            structure::data_type(self.structure.text(field.name()), field.data_type());
        }
    }

    /// Notes an expression over columns at `places`, and the positions of those that it needs.
    fn expression(&mut self, expression: &Expr, places: &ColumnPlaces<'_>, needed: &mut Positions) {
        self.parts(expression, &mut |column| match places.find(column) {
            Some(position) => {
                needed.insert(position);
                true
            }
            None => false,
        });
    }

    /// Notes an expression and the subqueries in it; `need` is told each column and says whether it knows it.
    fn parts(&mut self, expression: &Expr, need: &mut dyn FnMut(&Column) -> bool) {
        let mut subqueries = Vec::new();
        let mut is_known = true;
        // The closure returns no error, so neither does the walk.
        let _ = expression.walk(&mut |part| {
            match structure::node(&mut self.structure, part) {
                NodeParts::All => {}
                NodeParts::AllBut(subquery) => subqueries.push(subquery.subquery.clone()),
                NodeParts::NotAll => is_known = false,
            }
            match part {
                Expr::Column(column) => is_known &= need(column),
                // One of a query further out is of no column here.
                Expr::OuterReferenceColumn(_, column) => {
                    need(column);
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
        self.is_known &= is_known;
        for subquery in subqueries {
            for column in outer_columns(&subquery) {
                need(&column);
            }
            self.structure.tag("subquery");
            self.plan(&subquery, &all(&subquery));
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
    let _ = plan.walk_with_subqueries(&mut |node| {
        node.walk_expressions(&mut |expression| {
            expression.walk(&mut |part| {
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
    use crate::scope::{DeclaredTable, Scope};

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

    /// Pairs that differ in nothing but brackets, or in what a text for people leaves out.
    const EDITS: [(&str, &str); 62] = [
        ("a - b + c", "a - (b + c)"),
        ("a - b - c", "a - (b - c)"),
        ("a / b * c", "a / (b * c)"),
        ("a / b / c", "a / (b / c)"),
        ("a * b % c", "a * (b % c)"),
        ("a % b % c", "a % (b % c)"),
        ("a + b + c", "a + (b + c)"),
        ("-a + b", "-(a + b)"),
        ("- a - b", "- (a - b)"),
        ("-a * b", "-(a * b)"),
        ("(a & b) | c", "a & (b | c)"),
        ("a << b << c", "a << (b << c)"),
        ("not a = 1 or b = 1", "not (a = 1 or b = 1)"),
        ("not a = 1 and b = 1", "not (a = 1 and b = 1)"),
        ("not p and q", "not (p and q)"),
        ("p or q and p", "(p or q) and p"),
        ("not p is null", "(not p) is null"),
        ("not p = q", "(not p) = q"),
        ("p = q = p", "p = (q = p)"),
        ("a = b is null", "a = cast(b is null as bigint)"),
        ("a + b is null", "a + cast(b is null as bigint)"),
        ("(p or q) is true", "p or q is true"),
        ("(p and q) is not false", "p and q is not false"),
        ("(p and q) is unknown", "p and q is unknown"),
        ("a between b and c + 1", "(a between b and c) = (1 = 1)"),
        ("a + 1 between b and c", "a + cast(1 between b and c as bigint)"),
        ("not a between b and c", "(not p) = (a between b and c)"),
        ("(p or a between 1 and 2) and q", "p or a between 1 and 2 and q"),
        ("a in (1, 2) or p", "a in (1, 2, 3) or p"),
        ("not a in (1, 2)", "not (a in (1, 2) and p)"),
        ("a in (b - (c + 1))", "a in (b - c + 1)"),
        ("s like t || '%'", "(s like t) || '%'"),
        ("not s like t or p", "not (s like t or p)"),
        ("s like t", "s ilike t"),
        ("s like t", "s like t escape '~'"),
        ("s || cast(a as varchar) || t", "s || (cast(a as varchar) || t)"),
        ("s || cast(a + b as varchar)", "s || cast(a as varchar) || cast(b as varchar)"),
        ("cast(a as integer) / b", "cast(a / b as integer)"),
        ("cast(a as integer)", "cast(a as smallint)"),
        ("cast(a as integer)", "try_cast(a as integer)"),
        ("cast(a as decimal(10, 2))", "cast(a as decimal(12, 2))"),
        ("a::integer + b::bigint", "(a::integer + b)::bigint"),
        ("case when a = 1 then b else c end + 1", "case when a = 1 then b else c + 1 end"),
        ("case a when 1 then b end", "case when a = 1 then b end"),
        (
            "case when p then a when q then b else c end",
            "case when p then a else case when q then b else c end end",
        ),
        ("case when p then a end", "case when p then a else null end"),
        ("d + interval '1 day' - interval '1 month'", "d + (interval '1 day' - interval '1 month')"),
        ("d - interval '1 month' + interval '1 month'", "d - (interval '1 month' + interval '1 month')"),
        ("d + interval '1 day'", "d + interval '24 hours'"),
        ("[a - b + c][1]", "[a - (b + c)][1]"),
        ("[a, b][c - 1 + 1]", "[a, b][c - (1 + 1)]"),
        ("named_struct('x', a - b + c)['x']", "named_struct('x', a - (b + c))['x']"),
        ("[[a], [b]]", "[[a, b]]"),
        ("abs(a - b) + c", "abs(a - b + c)"),
        ("abs(abs(a) - b)", "abs(abs(a - b))"),
        ("coalesce(a, b - c + 1)", "coalesce(a, b - (c + 1))"),
        ("round(a / b, 2)", "round(a / (b * 1), 2)"),
        ("1.0", "'1.0'"),
        ("1", "1.0"),
        ("0.0", "-0.0"),
        ("'a, b'", "concat('a', ', b')"),
        ("null", "cast(null as varchar)"),
    ];

    fn typed() -> Scope {
        let scope = Scope::for_planning();
        let of = |names: &[&str], data_type: DataType| {
            names.iter().map(|name| Field::new(*name, data_type.clone(), true)).collect::<Vec<_>>()
        };
        let mut fields = of(&["a", "b", "c"], DataType::Int64);
        fields.extend(of(&["p", "q"], DataType::Boolean));
        fields.extend(of(&["s", "t"], DataType::Utf8View));
        fields.extend(of(&["d"], DataType::Date32));
        let table = DeclaredTable::new(Arc::new(Schema::new(fields)), Vec::new());
        scope.register(&Relation::new("m", "x"), Arc::new(table)).unwrap();
        scope
    }

    /// What a SELECT is known by, and its plan, where it has one.
    fn known_by(scope: &Scope, sql: &str) -> Option<(Fingerprint, LogicalPlan)> {
        let plan = scope.plan(sql).ok()?;
        Some((Recipe::of(&plan, 0..plan.schema().fields().len())?.fingerprint, plan.into_plan()))
    }

    #[test]
    fn an_edit_of_brackets_alone_is_another_recipe_wherever_it_stands() {
        let scope = typed();
        let places: [fn(&str) -> String; 9] = [
            |it| format!("select {it} as r from m.x"),
            |it| format!("select a from m.x where coalesce(cast({it} as varchar), '') <> ''"),
            |it| {
                format!(
                    "select max({it}) as r, count(*) as n from m.x group by b having max({it}) is not null"
                )
            },
            |it| format!("select a, row_number() over (partition by {it} order by a) as r from m.x"),
            |it| {
                format!(
                    "select x.a from m.x join m.x y on x.a = y.a and y.b = (select max(length(cast({it} as varchar))) from m.x)"
                )
            },
            |it| format!("select a from m.x order by {it} limit 3"),
            |it| format!("select a from m.x where exists (select 1 from m.x where {it} is not null)"),
            |it| format!("select array_agg(a order by {it}) filter (where {it} is not null) as r from m.x"),
            |it| {
                format!(
                    "with e as (select {it} as r from m.x) select distinct r from e union all select r from e"
                )
            },
        ];
        let mut compared = 0;
        for place in places {
            for (one, other) in EDITS {
                let (one, other) = (place(one), place(other));
                // Not every expression may stand in every place.
                let (Some(a), Some(b)) = (known_by(&scope, &one), known_by(&scope, &other)) else { continue };
                // What is the same plan is the same: constants to partition by are none.
                if a.1 != b.1 {
                    assert_ne!(a.0, b.0, "{one} / {other}");
                    compared += 1;
                }
            }
        }
        assert!(compared > places.len() * EDITS.len() * 3 / 4, "{compared}");
    }

    #[test]
    fn what_a_window_or_an_aggregate_says_beside_its_arguments_counts() {
        let scope = typed();
        let all = [
            "sum(a) over (order by b)",
            "sum(a) over (order by b desc)",
            "sum(a) over (order by b nulls first)",
            "sum(a) over (partition by b)",
            "sum(a) over ()",
            "sum(a) over (order by b rows between 1 preceding and current row)",
            "sum(a) over (order by b rows between 2 preceding and current row)",
            "sum(a) over (order by b rows between current row and 1 following)",
            "sum(a) over (order by b groups between 1 preceding and current row)",
            "sum(a) over (order by b range between 1 preceding and current row)",
            "sum(a) filter (where p) over (order by b)",
            "first_value(a) ignore nulls over (order by b)",
            "first_value(a) respect nulls over (order by b)",
            "first_value(a) over (order by b)",
            "lag(a, 1) over (order by b)",
            "lag(a, 2) over (order by b)",
        ];
        let windows = all.map(|window| format!("select {window} as r from m.x"));
        let aggregates = [
            "sum(a)",
            "sum(distinct a)",
            "sum(a) filter (where p)",
            "sum(a) filter (where q)",
            "array_agg(a order by b)",
            "array_agg(a order by b desc)",
            "array_agg(a order by c)",
            "array_agg(distinct a)",
            "array_agg(a)",
            "first_value(a order by b)",
            "first_value(a order by b nulls first)",
        ];
        let aggregates = aggregates.map(|aggregate| format!("select {aggregate} as r from m.x"));
        let groups = [
            "b, c",
            "rollup(b, c)",
            "cube(b, c)",
            "grouping sets ((b, c))",
            "grouping sets ((b), (c))",
            "grouping sets ((b), (c), ())",
        ];
        let groups = groups.map(|group| format!("select count(*) as r from m.x group by {group}"));
        let all: Vec<String> = windows.into_iter().chain(aggregates).chain(groups).collect();
        let known: Vec<Fingerprint> =
            all.iter().map(|sql| known_by(&scope, sql).unwrap_or_else(|| panic!("{sql}")).0).collect();
        for (at, one) in known.iter().enumerate() {
            for (other, sql) in known[at + 1..].iter().zip(&all[at + 1..]) {
                assert_ne!(one, other, "{} / {sql}", all[at]);
            }
        }
    }
}
