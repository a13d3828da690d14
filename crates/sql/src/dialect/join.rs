//! Joins, whose sides stand in one FROM where they can.

use std::collections::HashMap;

use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::{Join, LogicalPlan};

use super::expression::Writer;
use super::plan::Plans;
use super::select::{Select, SelectPiece};
use super::{Dialect, Result};

impl Plans {
    pub(super) fn join(&self, join: &Join) -> Result<Select> {
        let left = self.source(&join.left, &[])?;
        let right = self.source(&join.right, &left.aliases)?;
        let none = HashMap::new();
        let writer_left = self.writer(&left, join.left.schema(), &none);
        let writer_right = self.writer(&right, join.right.schema(), &none);
        let mut conditions = Vec::new();
        for (one, other) in &join.on {
            writer_left.comparable(one, "a join")?;
            let equal = match (join.null_equality, self.dialect) {
                (NullEquality::NullEqualsNothing, _) => "=",
                (NullEquality::NullEqualsNull, Dialect::Hive) => "<=>",
                (NullEquality::NullEqualsNull, Dialect::Trino) => "IS NOT DISTINCT FROM",
            };
            let (one, other) = (writer_left.expression(one)?, writer_right.expression(other)?);
            conditions.push(format!("{one} {equal} {other}"));
        }
        let columns: Vec<SelectPiece> = left.columns.iter().chain(&right.columns).cloned().collect();
        if let Some(filter) = &join.filter {
            let schema = join.left.schema().join(join.right.schema());
            let schema = schema.map_err(|error| self.refused(error.strip_backtrace()))?;
            conditions.push(Writer::new(self.dialect, &schema, &columns, &none).expression(filter)?);
        }
        let kind = match join.join_type {
            JoinType::Inner if conditions.is_empty() => "CROSS JOIN",
            JoinType::Inner => "JOIN",
            JoinType::Left => "LEFT JOIN",
            JoinType::Right => "RIGHT JOIN",
            JoinType::Full => "FULL JOIN",
            other => return Err(self.refused(format!("a {other} join"))),
        };
        if conditions.is_empty() && join.join_type != JoinType::Inner {
            conditions.push("TRUE".to_owned());
        }
        let mut from = format!(
            "{}\n{kind} {}",
            left.from.as_deref().unwrap_or_default(),
            right.from.as_deref().unwrap_or_default()
        );
        if !conditions.is_empty() {
            from.push_str(&format!(" ON {}", conditions.join(" AND ")));
        }
        let aliases = left.aliases.into_iter().chain(right.aliases).collect();
        Ok(Select::from(Some(from), aliases, columns))
    }

    /// One side of a join, under aliases that the other side does not have.
    fn source(&self, plan: &LogicalPlan, taken: &[String]) -> Result<Select> {
        let select = self.select(plan)?;
        let is_right = !taken.is_empty();
        let clashes = select.aliases.iter().any(|alias| taken.contains(alias));
        if select.is_source() && !clashes && (!is_right || select.aliases.len() == 1) {
            return Ok(select);
        }
        let wrapped = self.wrapped(&select, plan);
        if wrapped.aliases.iter().any(|alias| taken.contains(alias)) {
            return Ok(self.wrapped(&Select { called: None, ..wrapped }, plan));
        }
        Ok(wrapped)
    }
}
