//! Which partitions of a model a change in a table that it joins can reach.
//!
//! A join looks rows of the table up by keys. A row on the other side whose keys no changed row bears comes out of the
//! join as before. So what a change reaches are the partitions of the rows on the other side that bear a changed key:
//! here it is said where these rows are, by which keys they are joined, and what their partition is in their columns.

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, NullEquality};
use datafusion::logical_expr::utils::{find_valid_equijoin_key_pair, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, ExprSchemable, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
};

use super::alignment::{is_stored, relation};
use super::names::quoted;
use super::planned::{PlannedQuery, SqlError};
use mep_core::relation::Relation;

/// One join by which a table is read.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The rows on the other side.
    pub rows: LogicalPlan,
    /// Their keys, each with the column of the table that it is compared with.
    pub keys: Vec<(Expr, String)>,
    /// Their partition: an expression for each partition column of the model.
    pub partition: Vec<Expr>,
}

impl Lookup {
    /// The columns of the table by which it is joined.
    pub fn key_columns(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(_, column)| column.as_str())
    }

    /// The partitions, each once, of the rows that bear one of the keys in `changed`, which has a column for each of
    /// [`Self::key_columns`]. They have the types of the model's partition columns as they are stored.
    ///
    /// # Errors
    /// Where a partition column is not there, or a key is not compared with what it was joined with.
    pub fn partitions_of(
        &self,
        changed: PlannedQuery,
        partition_columns: &[String],
        stored: &Schema,
    ) -> Result<PlannedQuery, SqlError> {
        let schema = self.rows.schema();
        let mut columns = Vec::new();
        let mut partition = Vec::new();
        for (number, (expression, name)) in self.partition.iter().zip(partition_columns).enumerate() {
            let stored = stored.field_with_name(name)?;
            let alias = format!("__p{number}");
            columns.push(expression.clone().cast_to(stored.data_type(), schema)?.alias(&alias));
            partition.push(Expr::Column(Column::from_name(alias)));
        }
        let mut compared = Vec::new();
        for (number, (expression, _)) in self.keys.iter().enumerate() {
            columns.push(expression.clone().alias(format!("__k{number}")));
            let key = Expr::Column(Column::from_name(format!("__k{number}")));
            compared.push(key.eq(Expr::Column(Column::from_name(changed_key(number)))));
        }
        let plan = LogicalPlanBuilder::from(self.rows.clone())
            .project(columns)?
            .join_on(changed.into_plan(), JoinType::LeftSemi, compared)?
            .project(partition)?
            .distinct()?
            .build()?;
        Ok(plan.into())
    }
}

/// The SELECT of the keys of the rows that are in one of two contents of a table and not, or not as often, in the other.
pub fn changed_keys<'c>(
    (before, now): (&Relation, &Relation),
    columns: impl IntoIterator<Item = &'c String>,
    keys: impl IntoIterator<Item = &'c str>,
) -> String {
    let columns: Vec<String> = columns.into_iter().map(|column| quoted(column)).collect();
    let columns = columns.join(", ");
    let key = |(number, key): (usize, &str)| format!("{} as {}", quoted(key), changed_key(number));
    let keys: Vec<String> = keys.into_iter().enumerate().map(key).collect();
    format!(
        "select distinct {} from (
            select {columns} from (
                select {columns}, 1 as __side from {now} union all select {columns}, -1 as __side from {before}
            ) group by {columns} having sum(__side) <> 0
        )",
        keys.join(", ")
    )
}

/// The name of a changed key's column.
fn changed_key(number: usize) -> String {
    format!("__c{number}")
}

/// Every join by which a plan, made from SQL and not yet optimized, reads a table; `None` where it reads it in another
/// way too, or where a join does not say which partitions its rows belong to.
pub fn lookups(plan: &LogicalPlan, table: &Relation, partition_columns: &[String]) -> Option<Vec<Lookup>> {
    let partition = partition_columns.iter().map(|name| {
        let (qualifier, _) = plan.schema().qualified_field_with_unqualified_name(name).ok()?;
        Some(Expr::Column(Column::new(qualifier.cloned(), name)))
    });
    let mut found = Vec::new();
    let partition: Option<Vec<Expr>> = partition.collect();
    descend(plan, partition?, table, &mut found)?;
    // What expressions read by subqueries is not found on the way down.
    (found.len() == scans(plan, table)).then_some(found)
}

fn scans(plan: &LogicalPlan, table: &Relation) -> usize {
    let mut count = 0;
    // The closure returns no error, so neither does the walk.
    let _ = plan.apply_with_subqueries(|node| {
        count += usize::from(is_scan_of(node, table));
        Ok(TreeNodeRecursion::Continue)
    });
    count
}

fn is_scan_of(plan: &LogicalPlan, table: &Relation) -> bool {
    matches!(plan, LogicalPlan::TableScan(scan) if is_stored(scan) && relation(scan) == *table)
}

/// Looks for joins with the table below a plan whose partition these expressions over its columns give.
fn descend(
    plan: &LogicalPlan,
    partition: Vec<Expr>,
    table: &Relation,
    found: &mut Vec<Lookup>,
) -> Option<()> {
    if scans(plan, table) == 0 {
        return Some(());
    }
    match plan {
        LogicalPlan::Projection(node) => {
            let below = replaced(partition, |column| {
                let position = node.schema.maybe_index_of_column(column)?;
                Some(node.expr.get(position)?.clone().unalias())
            })?;
            descend(&node.input, below, table, found)
        }
        LogicalPlan::Aggregate(node) => {
            let below = replaced(partition, |column| {
                let position = node.schema.maybe_index_of_column(column)?;
                Some(node.group_expr.get(position)?.clone().unalias())
            })?;
            let is_set = node.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)));
            if is_set { None } else { descend(&node.input, below, table, found) }
        }
        LogicalPlan::SubqueryAlias(node) => {
            descend(&node.input, at_same_place(partition, plan.schema(), node.input.schema())?, table, found)
        }
        LogicalPlan::Union(node) => node.inputs.iter().try_for_each(|input| {
            descend(input, at_same_place(partition.clone(), plan.schema(), input.schema())?, table, found)
        }),
        LogicalPlan::Filter(node) => descend(&node.input, partition, table, found),
        LogicalPlan::Window(node) => descend(&node.input, partition, table, found),
        LogicalPlan::Sort(node) if node.fetch.is_none() => descend(&node.input, partition, table, found),
        LogicalPlan::Distinct(Distinct::All(input)) => descend(input, partition, table, found),
        LogicalPlan::Join(join) => of_join(join, partition, table, found),
        _ => None,
    }
}

fn of_join(join: &Join, partition: Vec<Expr>, table: &Relation, found: &mut Vec<Lookup>) -> Option<()> {
    let (left, right) = (join.left.as_ref(), join.right.as_ref());
    for (within, rows) in [(right, left), (left, right)] {
        let is_left = std::ptr::eq(within, left);
        if scans(within, table) > 0
            && let Some(lookup) = lookup(join, is_left, within, rows, &partition, table)
        {
            found.push(lookup);
            // The rows may be made with the table too.
            return descend(rows, partition, table, found);
        }
    }
    let within = match (scans(left, table), scans(right, table)) {
        (_, 0) => left,
        (0, _) => right,
        _ => return None,
    };
    let is_told = partition.iter().all(|expression| is_of(expression, within.schema()));
    if is_told { descend(within, partition, table, found) } else { None }
}

/// The join as a lookup of rows of the table, where it is one.
fn lookup(
    join: &Join,
    is_left: bool,
    within: &LogicalPlan,
    rows: &LogicalPlan,
    partition: &[Expr],
    table: &Relation,
) -> Option<Lookup> {
    let looks_up = match join.join_type {
        JoinType::Inner => true,
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => !is_left,
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => is_left,
        JoinType::Full | JoinType::LeftMark | JoinType::RightMark => false,
    };
    let compares = join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware;
    if !looks_up || !compares || !partition.iter().all(|expression| is_of(expression, rows.schema())) {
        return None;
    }
    let mut keys = Vec::new();
    for (of_left, of_right) in equal_pairs(join) {
        let (of_table, of_rows) = if is_left { (of_left, of_right) } else { (of_right, of_left) };
        if let Some(column) = column_of_scan(within, &of_table, table)
            && !of_rows.is_volatile()
        {
            keys.push((of_rows, column));
        }
    }
    (!keys.is_empty()).then(|| Lookup { rows: rows.clone(), keys, partition: partition.to_vec() })
}

/// The pairs of expressions, of the left side and of the right, that must be equal for rows to be joined.
fn equal_pairs(join: &Join) -> Vec<(Expr, Expr)> {
    let mut pairs = join.on.clone();
    for condition in join.filter.iter().flat_map(|filter| split_conjunction(filter)) {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition
            && let Ok(Some(pair)) =
                find_valid_equijoin_key_pair(left, right, join.left.schema(), join.right.schema())
        {
            pairs.push(pair);
        }
    }
    pairs
}

/// The column of the table that an expression over a side of a join is, where each row of that side is made of one row
/// of the table.
fn column_of_scan(plan: &LogicalPlan, expression: &Expr, table: &Relation) -> Option<String> {
    let Expr::Column(column) = expression else { return None };
    let position = plan.schema().maybe_index_of_column(column)?;
    match plan {
        LogicalPlan::Projection(node) => {
            column_of_scan(&node.input, &node.expr.get(position)?.clone().unalias(), table)
        }
        LogicalPlan::SubqueryAlias(node) => {
            let below = Column::from(node.input.schema().qualified_field(position));
            column_of_scan(&node.input, &Expr::Column(below), table)
        }
        LogicalPlan::Filter(node) => column_of_scan(&node.input, expression, table),
        LogicalPlan::TableScan(scan) if is_scan_of(plan, table) => {
            Some(scan.projected_schema.field(position).name().clone())
        }
        _ => None,
    }
}

/// Whether an expression speaks of columns of this schema alone, and of some.
fn is_of(expression: &Expr, schema: &DFSchema) -> bool {
    let columns = expression.column_refs();
    !columns.is_empty() && columns.iter().all(|column| schema.maybe_index_of_column(column).is_some())
}

/// The expressions with each column as `by` says; `None` where it does not say one.
fn replaced(expressions: Vec<Expr>, by: impl Fn(&Column) -> Option<Expr>) -> Option<Vec<Expr>> {
    let mut is_complete = true;
    let replaced = expressions.into_iter().map(|expression| {
        expression.transform(|part| {
            let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
            if let Some(other) = by(column) {
                return Ok(Transformed::new(other, true, TreeNodeRecursion::Jump));
            }
            is_complete = false;
            Ok(Transformed::no(part))
        })
    });
    let replaced: Result<Vec<_>, _> = replaced.collect();
    let replaced = replaced.ok()?.into_iter().map(|expression| expression.data).collect();
    is_complete.then_some(replaced)
}

/// The expressions over the columns of another schema that has the same columns by other names.
fn at_same_place(expressions: Vec<Expr>, from: &DFSchema, to: &DFSchema) -> Option<Vec<Expr>> {
    replaced(expressions, |column| {
        let position = from.maybe_index_of_column(column)?;
        Some(Expr::Column(Column::from(to.qualified_field(position))))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::scope::{DeclaredTable, Scope};

    fn of(sql: &str) -> String {
        let scope = Scope::for_planning();
        for (name, columns) in [("fact", ["id", "day", "city"]), ("dim", ["key", "title", "country"])] {
            let fields = columns.map(|column| Field::new(column, DataType::Int64, true));
            let table = DeclaredTable::new(Arc::new(Schema::new(fields.to_vec())), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        let view = "select key as id, title * 2 as title from m.dim where country > 1";
        scope.register_view(&Relation::new("m", "titles"), scope.plan(view).unwrap()).unwrap();
        let plan = scope.plan(sql).unwrap();
        let Some(found) = lookups(&plan, &Relation::new("m", "dim"), &["day".to_owned()]) else {
            return "everything".to_owned();
        };
        let lines = found.iter().map(|lookup| {
            let keys = lookup.keys.iter().map(|(expression, column)| format!("{expression} = {column}"));
            format!("{} by {}", lookup.partition[0], keys.collect::<Vec<_>>().join(", "))
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_join_reaches_the_partitions_of_the_rows_that_bear_the_key() {
        assert_eq!(
            of("select f.day, d.title from m.fact f left join m.dim d on d.key = f.id"),
            "f.day by f.id = key"
        );
        assert_eq!(
            of("select f.day, d.title from m.dim d join m.fact f on d.key = f.id + 1"),
            "f.day by f.id + Int64(1) = key"
        );
        assert_eq!(
            of(
                "with x as (select day as d, id from m.fact) select d + 1 as day, max(title) as t from x join m.titles t using (id) group by d"
            ),
            "x.d + Int64(1) by x.id = key"
        );
        assert_eq!(
            of(
                "select f.day from m.fact f left join m.dim a on a.key = f.id left join m.dim b on b.key = f.city"
            ),
            "f.day by f.city = key; f.day by f.id = key"
        );
        assert_eq!(of("select day from m.fact f where exists (select 1 from m.dim)"), "everything");
    }

    #[test]
    fn what_is_read_in_another_way_reaches_everything() {
        assert_eq!(of("select f.day, d.title from m.fact f cross join m.dim d"), "everything");
        assert_eq!(of("select f.day, d.title from m.fact f left join m.dim d on d.key > f.id"), "everything");
        assert_eq!(of("select f.day, d.title from m.fact f full join m.dim d on d.key = f.id"), "everything");
        assert_eq!(of("select f.day, d.title from m.dim d left join m.fact f on d.key = f.id"), "everything");
        assert_eq!(of("select d.country as day from m.fact f join m.dim d on d.key = f.id"), "everything");
        assert_eq!(
            of(
                "select f.day, d.n from m.fact f join (select key, count(*) n from m.dim group by key) d on d.key = f.id"
            ),
            "everything"
        );
        assert_eq!(
            of(
                "select f.day from m.fact f join m.dim d on d.key = f.id where f.city < (select max(key) from m.dim)"
            ),
            "everything"
        );
        assert_eq!(of("select day from m.fact union all select key as day from m.dim"), "everything");
    }

    #[test]
    fn what_does_not_read_the_table_is_reached_by_nothing() {
        assert_eq!(of("select day from m.fact"), "");
    }
}
