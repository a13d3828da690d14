//! Which partitions of the inputs a partition of the output depends on.
//!
//! Nobody declares it. A filter "partition column is not distinct from $1" is put on top of the plan and pushed down by
//! the optimizer, which knows what may pass a join, an aggregate, a window. A scan that receives it as
//! `f(its partition columns) is not distinct from $1` is aligned: for the output partition `x` it needs only its
//! partitions with `f = x`. A scan that does not receive it is not: a change in it makes every partition dirty.
//!
//! The filter must hold for NULL too. One that NULL fails, such as `=`, lets the optimizer turn an outer join into an
//! inner one, and the rows without a match, whose partition is NULL, would be nobody's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{
    BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown, TableScan,
};
use datafusion::sql::unparser::expr_to_sql;

use super::carried::{self, Keys};
use super::planned::SqlError;
use super::scope::{DeclaredTable, Scope};
use super::stored_types::stored_type;
use crate::tree::{PlanWalk, TreeWalk};
use mep_core::relation::Relation;

/// How the partitions of an output come from the partitions of its inputs.
#[derive(Clone, Debug)]
pub struct Alignment {
    /// Every scan of the plan.
    pub scans: Vec<ScanAlignment>,
    /// Which scans' partitions say what partitions of the output there are.
    pub keys: Keys,
    /// The partition columns, by their places, of which these scans' partitions give the value of every output row. Of the
    /// others there may be any values, which are known only when the rows are.
    pub told: Vec<usize>,
}

impl Alignment {
    /// That of a view over these tables: it has no partitions of its own.
    pub fn of_whole(tables: Vec<Relation>) -> Self {
        let scans = tables.into_iter().map(ScanAlignment::of_whole).collect();
        Self { scans, keys: Keys::Unknown, told: Vec::new() }
    }
}

/// How one scan's partitions give the output's.
#[derive(Clone, Debug)]
pub struct ScanAlignment {
    /// The table that is read.
    pub relation: Relation,
    /// For each partition column of the output, the expression over this table's partition columns that gives it;
    /// `None` where this scan's partitions say nothing of it.
    pub expressions: Vec<Option<Expr>>,
    /// Whether one of them stands for an expression over the time whose day a partition column holds.
    pub by_event_day: bool,
}

impl ScanAlignment {
    /// A table all of whose partitions each partition of the output depends on.
    pub fn of_whole(relation: Relation) -> Self {
        Self { relation, expressions: Vec::new(), by_event_day: false }
    }

    /// Of how many of the output's partition columns this table's partitions say the value.
    pub fn columns_told(&self) -> usize {
        self.expressions.iter().flatten().count()
    }

    /// Whether partitions of the output depend on some partitions of this table only.
    pub fn is_aligned(&self) -> bool {
        self.expressions.iter().any(Option::is_some)
    }

    /// For each partition column of the output, the SQL over this table's partition columns that gives it.
    pub fn by(&self) -> Vec<Option<String>> {
        let sql = |expression: &Expr| match expr_to_sql(expression) {
            Ok(sql) => sql.to_string(),
            Err(_) => expression.to_string(),
        };
        self.expressions.iter().map(|expression| expression.as_ref().map(sql)).collect()
    }

    /// For each of the table's partitions, the values that it gives to the output's partition columns, as text.
    ///
    /// The outer `Option` is `None` for a column that this scan says nothing of, the inner one is SQL's NULL.
    ///
    /// # Errors
    /// Where a value cannot be turned into the partition column's type.
    pub fn output_values(
        &self,
        scope: &Scope,
        schema: &Schema,
        partition_columns: &[String],
        keys: &[&[Option<String>]],
    ) -> Result<Vec<Option<Vec<Option<String>>>>, SqlError> {
        let batch = key_batch(schema, partition_columns, keys)?;
        let df_schema = DFSchema::try_from(batch.schema().as_ref().clone())?;
        let mut columns = Vec::new();
        for expression in &self.expressions {
            let Some(expression) = expression else {
                columns.push(None);
                continue;
            };
            let physical = scope.state().create_physical_expr(expression.clone(), &df_schema)?;
            let values = physical.evaluate(&batch)?.into_array(batch.num_rows())?;
            // A partition is named by the value that is stored, whose text can be another one.
            let stored = stored_type(values.data_type());
            let values = if stored == *values.data_type() { values } else { cast(&values, &stored)? };
            columns.push(Some(texts(&values)?));
        }
        Ok(columns)
    }
}

/// The values of an array as text, the way a cast to VARCHAR gives them, in which partition keys have them.
///
/// # Errors
/// Where a type has no text.
pub fn texts(values: &ArrayRef) -> Result<Vec<Option<String>>, SqlError> {
    let values = cast(values, &DataType::Utf8)?;
    let values = values.as_any().downcast_ref::<StringArray>();
    let values = values.ok_or_else(|| DataFusionError::Internal("a cast to text gave no text".to_owned()))?;
    Ok(values.iter().map(|value| value.map(str::to_owned)).collect())
}

fn key_batch(
    schema: &Schema,
    partition_columns: &[String],
    keys: &[&[Option<String>]],
) -> Result<RecordBatch, DataFusionError> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (index, name) in partition_columns.iter().enumerate() {
        let data_type = schema.field_with_name(name)?.data_type().clone();
        let texts: StringArray = keys.iter().map(|key| key.get(index).cloned().flatten()).collect();
        arrays.push(cast(&(Arc::new(texts) as ArrayRef), &data_type)?);
        fields.push(Field::new(name, data_type, true));
    }
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(keys.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
}

/// Derives how the output partitions of `plan`, named by `columns`, come from its inputs' partitions.
///
/// # Errors
/// Where a partition column is not in the output, or the optimizer fails.
pub fn derive(scope: &Scope, plan: &LogicalPlan, columns: &[String]) -> Result<Alignment, SqlError> {
    let mut filter: Option<Expr> = None;
    for (index, name) in columns.iter().enumerate() {
        let (qualifier, field) = plan.schema().qualified_field_with_unqualified_name(name)?;
        let field = Field::new(name, field.data_type().clone(), true);
        let probe = Expr::Placeholder(Placeholder::new_with_field(probe_id(index), Some(Arc::new(field))));
        let column = Expr::Column(Column::new(qualifier.cloned(), name));
        let is_same = datafusion::logical_expr::binary_expr(column, Operator::IsNotDistinctFrom, probe);
        filter = Some(match filter {
            Some(others) => others.and(is_same),
            None => is_same,
        });
    }
    let Some(filter) = filter else {
        return Ok(Alignment::of_whole(tables(plan)?));
    };
    let probed = LogicalPlanBuilder::from(plan.clone()).filter(filter)?.build()?;
    let optimized = scope.optimize(&probed)?;
    let wanted = columns.iter().map(|name| {
        let (qualifier, _) = optimized.schema().qualified_field_with_unqualified_name(name)?;
        Ok(Some(Expr::Column(Column::new(qualifier.cloned(), name))))
    });
    let wanted = wanted.collect::<Result<carried::Wanted, DataFusionError>>()?;
    let mut scans: Vec<ScanAlignment> = Vec::new();
    let keys = carried::follow(&optimized, &wanted, &mut |scan, wanted| {
        if !is_stored(scan) {
            return Ok(Keys::Unknown);
        }
        scans.push(align(scan, wanted));
        Ok(Keys::Scan(scans.len() - 1))
    })?;
    let is_told = |scan: usize, column: usize| {
        scans.get(scan).and_then(|scan| scan.expressions.get(column)).is_some_and(Option::is_some)
    };
    let told = (0..columns.len()).filter(|column| keys.say(*column, &is_told)).collect();
    // A scan that the optimizer found to give nothing under the probe still counts as read.
    for scan in unaligned(plan)? {
        if !scans.iter().any(|seen| seen.relation == scan.relation) {
            scans.push(scan);
        }
    }
    Ok(Alignment { scans, keys, told })
}

/// The tables that a plan reads, each once.
///
/// # Errors
/// None of its own; walking a plan returns a `Result`.
pub fn tables(plan: &LogicalPlan) -> Result<Vec<Relation>, SqlError> {
    let mut relations = Vec::new();
    plan.walk_with_subqueries(&mut |node| {
        if let LogicalPlan::TableScan(scan) = node
            && is_stored(scan)
        {
            let relation = relation(scan);
            if !relations.contains(&relation) {
                relations.push(relation);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(relations)
}

fn unaligned(plan: &LogicalPlan) -> Result<Vec<ScanAlignment>, SqlError> {
    Ok(tables(plan)?.into_iter().map(ScanAlignment::of_whole).collect())
}

fn probe_id(index: usize) -> String {
    format!("${}", index + 1)
}

/// Whether a table is scanned: what a function such as `generate_series` gives has no schema.
pub(super) fn is_stored(scan: &TableScan) -> bool {
    scan.table_name.schema().is_some()
}

/// The relation that is scanned.
pub(super) fn relation(scan: &TableScan) -> Relation {
    Relation { schema: scan.table_name.schema().map(str::to_owned), name: scan.table_name.table().to_owned() }
}

fn align(scan: &TableScan, wanted: &carried::Wanted) -> ScanAlignment {
    let mut aligned =
        ScanAlignment { expressions: vec![None; wanted.len()], ..ScanAlignment::of_whole(relation(scan)) };
    let filters: Vec<&Expr> = scan.filters.iter().flat_map(conjuncts).collect();
    for (index, wanted) in wanted.iter().enumerate() {
        let probe = probe_id(index);
        let pushed = filters.iter().filter_map(|filter| equal_to_probe(filter, &probe));
        let carried = wanted.iter().filter_map(unqualified);
        let mut told = pushed.chain(carried).filter_map(|expression| told_by_partitions(scan, expression));
        if let Some((expression, by_day)) = told.next() {
            aligned.expressions[index] = Some(expression);
            aligned.by_event_day |= by_day;
        }
    }
    aligned
}

/// What gives an expression over a table's columns for each of its partitions, and whether it stands for one over the time whose day
/// they hold.
fn told_by_partitions(scan: &TableScan, expression: Expr) -> Option<(Expr, bool)> {
    if is_given(scan, &expression) {
        return Some((expression, false));
    }
    let table = source_as_provider(&scan.source).ok()?;
    let by_day = table.downcast_ref::<DeclaredTable>()?.event_day()?.instead(&expression, &table.schema())?;
    is_given(scan, &by_day).then_some((by_day, true))
}

/// Whether the table's partitions give an expression over its columns: a constant, they all do.
fn is_given(scan: &TableScan, expression: &Expr) -> bool {
    carried::is_evaluable(expression)
        && (expression.column_refs().is_empty() || is_exact(scan, &expression.clone().is_null()))
}

fn conjuncts(filter: &Expr) -> Vec<&Expr> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let mut parts = conjuncts(left);
            parts.extend(conjuncts(right));
            parts
        }
        other => vec![other],
    }
}

/// Whether the table applies the filter exactly, which it does for partition columns alone.
pub(super) fn is_exact(scan: &TableScan, filter: &Expr) -> bool {
    let support = scan.source.supports_filters_pushdown(&[filter]);
    matches!(support.as_deref(), Ok([TableProviderFilterPushDown::Exact]))
}

/// The `f` of `f is not distinct from $n`, without the qualifiers of its columns; `f` must speak of some column, and only
/// deterministically.
fn equal_to_probe(filter: &Expr, probe: &str) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::IsNotDistinctFrom, right }) = filter else {
        return None;
    };
    let is_probe = |side: &Expr| matches!(side, Expr::Placeholder(placeholder) if placeholder.id == probe);
    let value = if is_probe(right) {
        left
    } else if is_probe(left) {
        right
    } else {
        return None;
    };
    if value.column_refs().is_empty() || value.is_volatile() {
        return None;
    }
    unqualified(value)
}

/// An expression over one table's columns, without the table's name.
fn unqualified(expression: &Expr) -> Option<Expr> {
    let unqualified = expression.clone().map_up(&mut |part| {
        Ok(match part {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::from_name(column.name))),
            other => Transformed::no(other),
        })
    });
    unqualified.ok().map(|transformed| transformed.data)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;
    use crate::event_day::EventDay;

    fn scope() -> Scope {
        scope_where(None)
    }

    /// A scope whose fact has the day of its time in a column, where that is said.
    fn scope_where(event_day: Option<EventDay>) -> Scope {
        let scope = Scope::for_planning();
        let raw = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("event_date", DataType::Date32, true),
            Field::new("batch", DataType::Utf8View, true),
        ]);
        let dim = Schema::new(vec![Field::new("id", DataType::Int64, true)]);
        let table = DeclaredTable::new(Arc::new(raw), vec!["event_date".into(), "batch".into()]);
        let table = table.by_day(event_day);
        scope.register(&Relation::new("m", "raw"), Arc::new(table)).unwrap();
        scope
            .register(&Relation::new("m", "dim"), Arc::new(DeclaredTable::new(Arc::new(dim), Vec::new())))
            .unwrap();
        scope
    }

    /// What each scan is aligned by, for a SELECT whose output is partitioned by `event_date`.
    fn aligned(sql: &str) -> String {
        aligned_by(sql, &["event_date"])
    }

    /// What each scan is aligned by, for a SELECT whose output is partitioned by these columns.
    fn aligned_by(sql: &str, columns: &[&str]) -> String {
        aligned_in(&scope(), sql, columns)
    }

    fn aligned_in(scope: &Scope, sql: &str, columns: &[&str]) -> String {
        let plan = scope.plan(sql).unwrap();
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let alignment = derive(scope, &plan, &columns).unwrap();
        let mut scans: Vec<String> = alignment
            .scans
            .iter()
            .map(|scan| {
                let by =
                    scan.expressions.iter().map(|by| by.as_ref().map_or("-".to_owned(), Expr::to_string));
                let by =
                    if scan.is_aligned() { by.collect::<Vec<_>>().join(" and ") } else { "all".to_owned() };
                format!("{}: {by}", scan.relation)
            })
            .collect();
        scans.sort();
        let told = match alignment.told.as_slice() {
            told if told.len() == columns.len() => String::new(),
            [] => " (unbounded)".to_owned(),
            told => format!(" (told: {told:?})"),
        };
        format!("{}{told}", scans.join(", "))
    }

    #[test]
    fn a_filter_passes_projections_aggregates_distincts_and_windows_by_the_key() {
        assert_eq!(aligned("select id, event_date from m.raw"), "m.raw: event_date");
        assert_eq!(
            aligned("select event_date, count(distinct id) n from m.raw group by event_date"),
            "m.raw: event_date"
        );
        assert_eq!(aligned("select distinct id, event_date from m.raw"), "m.raw: event_date");
        let windowed =
            "select event_date, row_number() over (partition by event_date, id order by ts) n from m.raw";
        assert_eq!(aligned(windowed), "m.raw: event_date");
    }

    #[test]
    fn what_is_said_by_the_time_is_aligned_where_the_day_says_it() {
        let by_day = [
            "select cast(ts as date) as event_date, id from m.raw",
            "select ts::date as event_date, count(*) as n from m.raw group by 1",
            "select date_trunc('month', ts) as event_date, count(distinct id) as n from m.raw group by 1",
            "select extract(year from ts) as event_date, id from m.raw",
            "select a.event_date, b.id from m.raw a join m.raw b on a.event_date = cast(b.ts as date) and a.id = b.id",
            "select a.event_date, b.n from m.raw a left join (select ts::date as day, count(*) as n from m.raw group by 1) b on b.day = a.event_date",
            "select cast(ts as date) as event_date, row_number() over (partition by cast(ts as date), id order by ts) as n from m.raw",
            "with days as (select cast(ts as date) as event_date, id from m.raw) select event_date, max(id) as last from days group by event_date",
            "select date_trunc('hour', ts) as event_date, id from m.raw",
            "select cast(ts + interval '1 hour' as date) as event_date, id from m.raw",
        ];
        let day = EventDay { time: "ts".to_owned(), day: "event_date".to_owned() };
        let scope = scope_where(Some(day));
        let aligned = by_day.into_iter().map(|sql| aligned_in(&scope, sql, &["event_date"]));
        let aligned: Vec<String> = aligned.collect();
        insta::assert_snapshot!(aligned.join("\n"), @r#"
        m.raw: event_date
        m.raw: event_date
        m.raw: date_trunc(Utf8("month"), CAST(event_date AS Timestamp(µs)))
        m.raw: date_part(Utf8("YEAR"), CAST(event_date AS Timestamp(µs)))
        m.raw: event_date, m.raw: event_date
        m.raw: event_date, m.raw: event_date
        m.raw: event_date
        m.raw: event_date
        m.raw: all (unbounded)
        m.raw: all (unbounded)
        "#);
    }

    #[test]
    fn a_window_over_all_days_is_not_aligned() {
        let windowed = "select event_date, row_number() over (partition by id order by ts) n from m.raw";
        assert_eq!(aligned(windowed), "m.raw: all (unbounded)");
    }

    #[test]
    fn a_joined_dimension_is_not_aligned_and_the_rows_stay_bounded_by_the_fact() {
        let joined = "select r.id, r.event_date from m.raw r left join m.dim d on d.id = r.id";
        assert_eq!(aligned(joined), "m.dim: all, m.raw: event_date");
    }

    #[test]
    fn a_key_from_the_side_of_a_join_that_can_be_missing_is_not_bounded() {
        let left = "select d.id, r.event_date from m.dim d left join m.raw r on d.id = r.id";
        assert_eq!(aligned(left), "m.dim: all, m.raw: all (unbounded)");
        let full = "select d.id, r.event_date from m.raw r full join m.dim d on d.id = r.id";
        assert_eq!(aligned(full), "m.dim: all, m.raw: all (unbounded)");
    }

    #[test]
    fn a_join_on_the_key_aligns_both_sides() {
        let joined = "select a.event_date, b.id from m.raw a join m.raw b on a.event_date = b.event_date";
        assert_eq!(aligned(joined), "m.raw: event_date, m.raw: event_date");
    }

    #[test]
    fn a_row_that_is_looked_for_by_the_key_is_aligned_whether_it_must_be_there_or_not() {
        let daily = "(select event_date as day, count(*) as n from m.raw group by event_date)";
        for sql in [
            format!("select a.event_date, a.id, b.n from m.raw a left join {daily} b on b.day = a.event_date"),
            format!("select a.event_date, a.id, b.n from {daily} b right join m.raw a on a.event_date = b.day"),
            format!("select coalesce(b.day, a.event_date) as event_date, n from m.raw a left join {daily} b on b.day = a.event_date"),
            format!("select a.event_date, a.id from m.raw a where exists (select 1 from {daily} b where b.day = a.event_date)"),
            format!("select a.event_date, a.id from m.raw a where not exists (select 1 from {daily} b where b.day = a.event_date and b.n > a.id)"),
            "select a.event_date, a.id from m.raw a where a.id in (select b.id from m.raw b where b.event_date = a.event_date)".to_owned(),
            "select a.event_date, a.id from m.raw a where a.id = 3 or a.id in (select b.id from m.raw b where b.event_date = a.event_date)".to_owned(),
            "select a.event_date, (select max(b.id) from m.raw b where b.event_date = a.event_date) as last from m.raw a".to_owned(),
            "select a.event_date, exists (select 1 from m.raw b where b.event_date = a.event_date and b.id > a.id) as any from m.raw a".to_owned(),
            "select a.event_date, case when a.id in (select b.id from m.raw b where b.event_date = a.event_date) then 1 end as found from m.raw a".to_owned(),
            format!("select a.event_date, b.n from m.raw a full join {daily} b on a.event_date = b.day where a.event_date is not null"),
            format!("select coalesce(a.event_date, b.day) as event_date, b.n from m.raw a full join {daily} b on a.event_date = b.day"),
            format!("select case when a.event_date is null then b.day else a.event_date end as event_date, b.n from m.raw a full join {daily} b on a.event_date = b.day"),
            "select event_date, count(*) as n from m.raw a full join m.raw b using (event_date) group by event_date".to_owned(),
        ] {
            assert_eq!(aligned(&sql), "m.raw: event_date, m.raw: event_date", "{sql}");
        }
        let three = "select event_date, a.id from m.raw a full join m.raw b using (event_date) full join m.raw c using (event_date)";
        assert_eq!(aligned(three), "m.raw: event_date, m.raw: event_date, m.raw: event_date");
    }

    #[test]
    fn what_reaches_rows_of_other_days_is_not_aligned() {
        for sql in [
            "select a.event_date, b.id from m.raw a left join m.raw b on b.event_date > a.event_date",
            "select a.event_date, a.id from m.raw a where exists (select 1 from m.raw b where b.id = a.id)",
            "select a.event_date, a.id from m.raw a left join (select event_date from m.raw order by id limit 9) b on b.event_date = a.event_date",
            "select a.event_date, b.total from m.raw a left join (select event_date, sum(count(*)) over () as total from m.raw group by event_date) b on b.event_date = a.event_date",
            "select a.event_date, b.id from m.raw a left join (select max(event_date) as day, max(id) as id from m.raw) b on b.day = a.event_date",
            "select a.event_date, a.id from m.raw a where a.event_date not in (select b.event_date from m.raw b)",
        ] {
            assert_eq!(aligned(sql), "m.raw: all, m.raw: event_date", "{sql}");
        }
        for sql in [
            "select b.event_date, a.id from m.raw a left join m.raw b on b.event_date = a.event_date",
            "select coalesce(b.event_date, date '2018-11-01') as event_date, a.id from m.raw a left join m.raw b on b.event_date = a.event_date",
            "select a.event_date, b.id from m.raw a full join m.raw b on b.event_date = a.event_date",
        ] {
            assert_eq!(aligned(sql), "m.raw: all, m.raw: all (unbounded)", "{sql}");
        }
    }

    #[test]
    fn groups_in_several_sets_and_the_first_row_of_each_are_aligned_where_the_day_is_a_key_of_all() {
        for sql in [
            "select event_date, id, count(*) as n from m.raw group by event_date, rollup (id)",
            "select event_date, id, batch, count(*) as n from m.raw group by event_date, cube (id, batch)",
            "select event_date, id, count(*) as n from m.raw group by grouping sets ((event_date), (event_date, id))",
            "select distinct on (event_date, id) event_date, id, ts from m.raw order by event_date, id, ts desc",
            "select id, max(event_date) as event_date from m.raw group by id, event_date",
        ] {
            assert_eq!(aligned(sql), "m.raw: event_date", "{sql}");
        }
        for sql in [
            "select event_date, id, count(*) as n from m.raw group by rollup (event_date, id)",
            "select event_date, id, count(*) as n from m.raw group by grouping sets ((event_date), (id))",
            "select distinct on (id) event_date, id, ts from m.raw order by id, ts desc",
            "select id, max(event_date) filter (where id > 3) as event_date from m.raw group by id, event_date",
        ] {
            assert_eq!(aligned(sql), "m.raw: all (unbounded)", "{sql}");
        }
    }

    #[test]
    fn a_table_may_tell_some_of_the_columns_and_a_constant_is_told_by_all() {
        let keys = ["event_date", "kind"];
        assert_eq!(
            aligned_by(
                "select a.event_date, a.batch as kind, b.id from m.raw a left join (select event_date, max(id) as id from m.raw group by event_date) b on b.event_date = a.event_date",
                &keys,
            ),
            "m.raw: event_date and -, m.raw: event_date and batch"
        );
        assert_eq!(
            aligned_by(
                "select event_date, 'a' as kind from m.raw union all select event_date, 'b' as kind from m.raw",
                &keys
            ),
            "m.raw: event_date and Utf8(\"a\"), m.raw: event_date and Utf8(\"b\")"
        );
        let joined = "select a.event_date, b.batch as kind from m.raw a join m.raw b on a.id = b.id";
        assert_eq!(aligned_by(joined, &keys), "m.raw: - and batch, m.raw: event_date and -");
        let counted = "select 'a' as kind, count(*) as n from m.raw";
        assert_eq!(aligned_by(counted, &["kind"]), "m.raw: Utf8(\"a\") (unbounded)");
        assert_eq!(
            aligned_by("select cast(random() as bigint) as kind from m.raw", &["kind"]),
            "m.raw: all (unbounded)"
        );
    }

    #[test]
    fn a_union_is_aligned_where_each_branch_is() {
        let both = "select id, event_date from m.raw union all select id, event_date from m.raw where id > 3";
        assert_eq!(aligned(both), "m.raw: event_date, m.raw: event_date");
        let one =
            "select id, event_date from m.raw union all select id, cast(ts as date) as event_date from m.raw";
        assert_eq!(aligned(one), "m.raw: all, m.raw: event_date (unbounded)");
    }

    #[test]
    fn a_coarser_key_is_a_function_of_the_finer_one() {
        let monthly =
            "select date_trunc('month', event_date) as event_date, count(*) n from m.raw group by 1";
        let found = aligned(monthly);
        assert!(found.contains("date_trunc(") && !found.contains("unbounded"), "{found}");
    }

    #[test]
    fn a_key_made_of_plain_columns_and_a_subquery_over_everything_are_not_aligned() {
        assert_eq!(aligned("select id, cast(ts as date) as event_date from m.raw"), "m.raw: all (unbounded)");
        let latest = "select id, event_date from m.raw where ts = (select max(ts) from m.raw)";
        assert_eq!(aligned(latest), "m.raw: all, m.raw: event_date");
    }

    #[test]
    fn the_values_that_partitions_give_are_evaluated() {
        let scope = scope();
        let sql = "select date_trunc('month', event_date) as event_date, count(*) n from m.raw group by 1";
        let plan = scope.plan(sql).unwrap();
        let alignment = derive(&scope, &plan, &["event_date".into()]).unwrap();
        let raw = Schema::new(vec![
            Field::new("event_date", DataType::Date32, true),
            Field::new("batch", DataType::Utf8View, true),
        ]);
        let key = [Some("2018-11-03".to_owned()), Some("b1".to_owned())];
        let columns = ["event_date".to_owned(), "batch".to_owned()];
        let values = alignment.scans[0].output_values(&scope, &raw, &columns, &[&key]).unwrap();
        let month = values[0].as_ref().unwrap()[0].clone().unwrap();
        assert!(month.starts_with("2018-11-01"), "{month}");
    }
}
