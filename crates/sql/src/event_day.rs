//! What a partition column that holds the UTC day of a time says of expressions over the time.
//!
//! A landed table is partitioned by the day of its event time. A model that is written for another tool knows nothing of that
//! column, and says the day by the time: `cast(ts as date)`, `date_trunc('month', ts)`. What depends on the day alone is
//! the same of the midnight that begins it, so that the partitions give it.

use crate::tree::TreeWalk;
use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, TryCast, cast, lit};

/// Which column of a table holds a time, and which partition column the UTC day of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDay {
    /// The time: a timestamp, or whole milliseconds since 1970.
    pub time: String,
    /// Its UTC day.
    pub day: String,
}

impl EventDay {
    /// An expression over the table's columns with the day in place of the time; `None` where it speaks of no time, or of
    /// more of it than its day.
    pub fn instead(&self, expression: &Expr, schema: &Schema) -> Option<Expr> {
        if !speaks_of(expression, &self.time) {
            return None;
        }
        let said = expression.clone().map_down(&mut |part| {
            Ok(match self.of_day(&part, schema) {
                Some(other) => Transformed::new(other, true, TreeNodeRecursion::Jump),
                None => Transformed::no(part),
            })
        });
        said.ok().map(|said| said.data).filter(|said| !speaks_of(said, &self.time))
    }

    /// What holds of the days of all rows for which a filter holds; `None` where the filter says nothing of them.
    pub fn implied(&self, filter: &Expr, schema: &Schema) -> Option<Expr> {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                match (self.implied(left, schema), self.implied(right, schema)) {
                    (Some(left), Some(right)) => Some(left.and(right)),
                    (one, other) => one.or(other),
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Some(self.implied(left, schema)?.or(self.implied(right, schema)?))
            }
            other => {
                let is_of_days =
                    |said: &Expr| said.column_refs().iter().all(|column| column.name == self.day);
                self.instead(other, schema).filter(is_of_days).or_else(|| self.compared(other, schema))
            }
        }
    }

    /// What a comparison of the time with constants says of the day.
    fn compared(&self, filter: &Expr, schema: &Schema) -> Option<Expr> {
        let day = |time: &Expr| self.day_of(time, schema);
        let days = match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (day, value, op) = match (day(left), day(right)) {
                    (Some(day), None) => (day, midnight(right)?, *op),
                    (None, Some(day)) => (day, midnight(left)?, op.swap()?),
                    _ => return None,
                };
                match op {
                    Operator::Gt | Operator::GtEq => day.gt_eq(value),
                    Operator::Lt | Operator::LtEq => day.lt_eq(value),
                    Operator::Eq => day.eq(value),
                    _ => return None,
                }
            }
            Expr::Between(Between { expr, negated: false, low, high }) => {
                day(expr)?.between(midnight(low)?, midnight(high)?)
            }
            Expr::InList(InList { expr, list, negated: false }) => {
                day(expr)?.in_list(list.iter().map(midnight).collect::<Option<_>>()?, false)
            }
            _ => return None,
        };
        // A number that is past all days has none.
        let unknown = days.column_refs().into_iter().next().cloned();
        Some(days.or(Expr::Column(unknown?).is_null()))
    }

    /// The day's column, where an expression is the time.
    fn day_of(&self, expression: &Expr, schema: &Schema) -> Option<Expr> {
        match expression {
            Expr::Column(column) if column.name == self.time => Some(self.day_beside(column)),
            Expr::Cast(Cast { expr, field }) => {
                let from = time_unit(&expr.get_type(&of_table(expr, schema)?).ok()?)?;
                (time_unit(field.data_type())? >= from).then(|| self.day_of(expr, schema)).flatten()
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
                ("to_timestamp_millis" | "epoch_ms", [Expr::Column(column)])
                    if column.name == self.time && self.is_number(schema) =>
                {
                    Some(self.day_beside(column))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn day_beside(&self, time: &Column) -> Expr {
        Expr::Column(Column::new(time.relation.clone(), self.day.clone()))
    }

    fn is_number(&self, schema: &Schema) -> bool {
        schema.field_with_name(&self.time).is_ok_and(|field| *field.data_type() == DataType::Int64)
    }

    /// What depends on nothing but the day of the time, over the day.
    fn of_day(&self, part: &Expr, schema: &Schema) -> Option<Expr> {
        match part {
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
                if *field.data_type() == DataType::Date32 =>
            {
                timestamp(expr, schema).and_then(|_| self.day_of(expr, schema))
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                let name = func.name();
                let at = match (name, args.as_slice()) {
                    ("date_trunc" | "date_part", [grain, _]) if is_of_days(grain) => Some(1),
                    ("strftime", [_, format]) if is_format_of_days(format) => Some(0),
                    ("dayname" | "monthname" | "last_day", [_]) => Some(0),
                    _ => None,
                };
                let midnight = at.and_then(|at| {
                    let time = args.get(at)?;
                    let data_type = timestamp(time, schema)?;
                    Some((at, cast(self.day_of(time, schema)?, data_type)))
                });
                midnight.map(|(at, midnight)| {
                    let mut args = args.clone();
                    args[at] = midnight;
                    Expr::ScalarFunction(ScalarFunction { func: func.clone(), args })
                })
            }
            _ => None,
        }
    }
}

/// The type of an expression that is a timestamp.
fn timestamp(expression: &Expr, schema: &Schema) -> Option<DataType> {
    let data_type = expression.get_type(&of_table(expression, schema)?).ok()?;
    time_unit(&data_type).map(|_| data_type)
}

fn speaks_of(expression: &Expr, column: &str) -> bool {
    expression.column_refs().iter().any(|found| found.name == column)
}

/// The columns under the names that an expression calls them by.
fn of_table(expression: &Expr, schema: &Schema) -> Option<DFSchema> {
    let relation = expression.column_refs().into_iter().find_map(|column| column.relation.clone());
    match relation {
        Some(relation) => DFSchema::try_from_qualified_schema(relation, schema).ok(),
        None => DFSchema::try_from(schema.clone()).ok(),
    }
}

/// How many digits of a second a timestamp has, whose day is that of UTC.
fn time_unit(data_type: &DataType) -> Option<u8> {
    let DataType::Timestamp(unit, zone) = data_type else { return None };
    if !zone.as_deref().is_none_or(|zone| ["UTC", "+00:00"].contains(&zone)) {
        return None;
    }
    match unit {
        TimeUnit::Second => None,
        TimeUnit::Millisecond => Some(3),
        TimeUnit::Microsecond => Some(6),
        TimeUnit::Nanosecond => Some(9),
    }
}

/// The day of a constant time.
fn midnight(value: &Expr) -> Option<Expr> {
    const MILLIS_PER_DAY: i64 = 86_400_000;
    let Expr::Literal(value, _) = value else { return None };
    let (count, per_day) = match value {
        ScalarValue::Int64(count) | ScalarValue::TimestampMillisecond(count, _) => (count, MILLIS_PER_DAY),
        ScalarValue::TimestampMicrosecond(count, _) => (count, MILLIS_PER_DAY * 1_000),
        ScalarValue::TimestampNanosecond(count, _) => (count, MILLIS_PER_DAY * 1_000_000),
        _ => return None,
    };
    let day = i32::try_from((*count)?.div_euclid(per_day)).ok()?;
    Some(lit(ScalarValue::Date32(Some(day))))
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// Whether a grain of time is a day or longer, or says which day it is.
fn is_of_days(grain: &Expr) -> bool {
    const GRAINS: [&str; 12] = [
        "day",
        "week",
        "month",
        "quarter",
        "year",
        "decade",
        "century",
        "millennium",
        "dow",
        "doy",
        "isodow",
        "isoyear",
    ];
    text(grain).is_some_and(|grain| GRAINS.contains(&grain.to_lowercase().as_str()))
}

/// Whether all that a format writes is of the day.
fn is_format_of_days(format: &Expr) -> bool {
    const OF_DAYS: &str = "YmdyjGgCBbhaAuwUWV%";
    let Some(format) = text(format) else { return false };
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter == '%' {
            let Some(next) = letters.next() else { return false };
            let specifier = if next == '-' { letters.next() } else { Some(next) };
            if !specifier.is_some_and(|specifier| OF_DAYS.contains(specifier)) {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Field;
    use datafusion::logical_expr::LogicalPlan;

    use super::*;
    use crate::scope::{DeclaredTable, Scope};
    use mep_core::relation::Relation;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("ms", DataType::Int64, true),
            Field::new("event_date", DataType::Date32, true),
        ])
    }

    fn of(time: &str, condition: &str) -> (Expr, EventDay) {
        let scope = Scope::for_planning();
        let table = DeclaredTable::new(Arc::new(schema()), vec!["event_date".to_owned()]);
        scope.register(&Relation::new("m", "raw"), Arc::new(table)).unwrap();
        let plan = scope.plan(&format!("select id from m.raw where {condition}")).unwrap().into_plan();
        let plan = scope.state().optimize(&plan).unwrap();
        let mut filters = Vec::new();
        plan.walk(&mut |node| {
            if let LogicalPlan::TableScan(scan) = node {
                filters.clone_from(&scan.filters);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        (
            filters.into_iter().reduce(Expr::and).unwrap(),
            EventDay { time: time.to_owned(), day: "event_date".to_owned() },
        )
    }

    fn implied(time: &str, condition: &str) -> String {
        let (filter, day) = of(time, condition);
        day.implied(&filter, &schema()).map_or_else(|| "-".to_owned(), |implied| implied.to_string())
    }

    #[test]
    fn what_depends_on_the_day_alone_is_told_by_the_day() {
        let of_time = [
            "cast(ts as date) = '2024-03-01'",
            "ts::date in ('2024-03-01', '2024-03-02')",
            "date_trunc('month', ts) = '2024-03-01'",
            "extract(year from ts) = 2024 and id > 3",
            "strftime(ts, '%Y-%m') = '2024-03'",
            "cast(ts as date) + 1 = '2024-03-01' or cast(ts as date) is null",
        ];
        let told: Vec<String> = of_time.iter().map(|condition| implied("ts", condition)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        m.raw.event_date = Date32("2024-03-01")
        m.raw.event_date IN ([Date32("2024-03-01"), Date32("2024-03-02")])
        date_trunc(Utf8("month"), CAST(m.raw.event_date AS Timestamp(µs))) = TimestampMicrosecond(1709251200000000, None)
        (m.raw.event_date >= Date32("2024-01-01") OR m.raw.event_date IS NULL) AND (m.raw.event_date <= Date32("2025-01-01") OR m.raw.event_date IS NULL)
        strftime(CAST(m.raw.event_date AS Timestamp(µs)), Utf8View("%Y-%m")) = Utf8View("2024-03")
        m.raw.event_date + IntervalMonthDayNano("IntervalMonthDayNano { months: 0, days: 1, nanoseconds: 0 }") = Date32("2024-03-01") OR m.raw.event_date IS NULL
        "#);
        insta::assert_snapshot!(implied("ms", "cast(to_timestamp_millis(ms) as date) = '2024-03-01'"), @r#"m.raw.event_date = Date32("2024-03-01")"#);
    }

    #[test]
    fn a_comparison_with_a_constant_bounds_the_days() {
        let of_time = [
            "ts >= '2024-03-01 10:00:00'",
            "ts < '2024-03-01' and ts > '2024-02-01'",
            "ts between '2024-03-01' and '2024-03-02 01:00:00'",
            "'1969-12-31 23:00:00' >= ts",
        ];
        let told: Vec<String> = of_time.iter().map(|condition| implied("ts", condition)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        m.raw.event_date >= Date32("2024-03-01") OR m.raw.event_date IS NULL
        (m.raw.event_date <= Date32("2024-03-01") OR m.raw.event_date IS NULL) AND (m.raw.event_date >= Date32("2024-02-01") OR m.raw.event_date IS NULL)
        (m.raw.event_date >= Date32("2024-03-01") OR m.raw.event_date IS NULL) AND (m.raw.event_date <= Date32("2024-03-02") OR m.raw.event_date IS NULL)
        m.raw.event_date <= Date32("1969-12-31") OR m.raw.event_date IS NULL
        "#);
        insta::assert_snapshot!(implied("ms", "ms >= 86400000"), @r#"m.raw.event_date >= Date32("1970-01-02") OR m.raw.event_date IS NULL"#);
    }

    #[test]
    fn what_asks_for_more_than_the_day_is_not_told() {
        for condition in [
            "date_trunc('hour', ts) = '2024-03-01'",
            "strftime(ts, '%Y-%m-%d %H') = '2024-03-01 01'",
            "extract(hour from ts) = 3",
            "cast(ts as date) = '2024-03-01' or id = 3",
            "cast(ts as date) = cast(ts + interval '1 hour' as date)",
            "id = 3",
            "ts <> '2024-03-01'",
            "not (ts > '2024-03-01')  and id = 4 or id = 5",
        ] {
            assert_eq!(implied("ts", condition), "-", "{condition}");
        }
        assert_eq!(implied("ms", "cast(to_timestamp_seconds(ms) as date) = '2024-03-01'"), "-");
    }
}
