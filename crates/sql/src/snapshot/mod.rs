//! The SQL of a snapshot: which versions of rows a look at their source ends and begins.
//!
//! What is a change, and what the columns that are added mean, is as in dbt.

mod changes;

use super::names::{listed, quoted};
use changes::Changes;

/// What becomes of the version of a row that the source does not give any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HardDeletes {
    /// It stays current.
    #[default]
    Ignore,
    /// It ends.
    Invalidate,
    /// It ends, and one begins that says that the row is deleted.
    NewRecord,
}

/// The names of the columns that a snapshot adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedColumns {
    /// Names the version.
    pub scd_id: String,
    /// The time of the change that began the version.
    pub updated_at: String,
    /// From when the version holds.
    pub valid_from: String,
    /// From when it does not any more.
    pub valid_to: String,
    /// Whether the version stands for a deletion, `True` or `False`.
    pub is_deleted: String,
}

impl AddedColumns {
    /// dbt's names.
    pub const NAMES: [&str; 5] =
        ["dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_is_deleted"];

    /// The column that dbt calls so.
    pub fn named(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "dbt_scd_id" => &mut self.scd_id,
            "dbt_updated_at" => &mut self.updated_at,
            "dbt_valid_from" => &mut self.valid_from,
            "dbt_valid_to" => &mut self.valid_to,
            "dbt_is_deleted" => &mut self.is_deleted,
            _ => return None,
        })
    }
}

impl Default for AddedColumns {
    fn default() -> Self {
        let [scd_id, updated_at, valid_from, valid_to, is_deleted] = Self::NAMES.map(str::to_owned);
        Self { scd_id, updated_at, valid_from, valid_to, is_deleted }
    }
}

/// How it is told that a row is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This column of the source is later than the beginning of the current version.
    Later {
        /// The column.
        updated_at: String,
    },
    /// One of these columns differs.
    Differs {
        /// The columns.
        columns: Vec<String>,
        /// The column with the time of the change, in place of the time of the run.
        updated_at: Option<String>,
    },
}

/// What a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotQuery {
    /// The SELECT that gives the rows as they are.
    pub source: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Those that name a row.
    pub key: Vec<String>,
    /// What is a change.
    pub change: Change,
    /// What becomes of rows that are gone.
    pub hard_deletes: HardDeletes,
    /// SQL of the end of a current version's range; `None`: NULL.
    pub valid_to_current: Option<String>,
    /// The names of the columns that are added.
    pub names: AddedColumns,
}

/// The table that versions are kept in.
#[derive(Clone, Copy, Debug)]
pub struct StoredVersions<'a> {
    /// Its name, as SQL writes it.
    pub table: &'a str,
    /// Its columns.
    pub columns: &'a [String],
}

impl SnapshotQuery {
    /// The columns that are added, in order.
    pub fn added(&self) -> Vec<&str> {
        let names = &self.names;
        let mut added: Vec<&str> = vec![&names.scd_id, &names.updated_at, &names.valid_from, &names.valid_to];
        if self.hard_deletes == HardDeletes::NewRecord {
            added.push(&names.is_deleted);
        }
        added
    }

    /// The versions that all rows of the source begin. `now` is the time of the run, in microseconds.
    pub fn first(&self, now: i64) -> String {
        let mut select: Vec<String> = self.columns.iter().map(|column| quoted(column)).collect();
        let time = "__mep_updated_at";
        select.extend(self.added_as([&self.scd_id(quoted, time), time, time, &self.end(), "'False'"]));
        format!(
            "with {}\nselect\n    {}\nfrom __mep_source",
            self.with_source(&instant(now)),
            select.join(",\n    ")
        )
    }

    /// The current versions that end, as they are to be stored, and those that begin.
    pub fn changes(&self, stored: StoredVersions<'_>, now: i64) -> String {
        Changes { query: self, stored, now: instant(now) }.sql()
    }

    /// The stored versions without the current ones of the keys in `changes`.
    pub fn kept(&self, stored: &str, changes: &str) -> String {
        let current = self.is_current("s.");
        format!("select s.* from {stored} s left anti join {changes} n on {} and {current}", self.is_same())
    }

    /// How many keys have more than one current version in `changes`.
    pub fn doubled(&self, changes: &str) -> String {
        format!(
            "select count(*) as n from (select 1 from {changes} where {} group by {} having count(*) > 1)",
            self.is_current(""),
            listed(&self.key)
        )
    }

    /// The source with the time of each row's change, and how often its key is there.
    fn with_source(&self, now: &str) -> String {
        let updated_at = match &self.change {
            Change::Later { updated_at } | Change::Differs { updated_at: Some(updated_at), .. } => {
                timestamp(&quoted(updated_at))
            }
            Change::Differs { updated_at: None, .. } => now.to_owned(),
        };
        format!(
            "__mep_rows as (
{}
),
__mep_source as (
    select *, {updated_at} as __mep_updated_at, count(*) over (partition by {}) as __mep_copies
    from __mep_rows
)",
            self.source,
            listed(&self.key)
        )
    }

    /// The added columns with these values.
    fn added_as(&self, values: [&str; 5]) -> Vec<String> {
        let added = self.added().into_iter().zip(values);
        added.map(|(column, value)| format!("{value} as {}", quoted(column))).collect()
    }

    /// As dbt makes it: a hash of the key and the time of the change.
    fn scd_id(&self, column: impl Fn(&str) -> String, time: &str) -> String {
        let text = |sql: &str| format!("coalesce(cast({sql} as varchar), '')");
        let mut parts: Vec<String> = self.key.iter().map(|name| text(&column(name))).collect();
        parts.push(text(time));
        format!("md5({})", parts.join(" || '|' || "))
    }

    /// The end of a current version's range.
    fn end(&self) -> String {
        timestamp(self.valid_to_current.as_deref().unwrap_or("null"))
    }

    fn is_current(&self, prefix: &str) -> String {
        let valid_to = format!("{prefix}{}", quoted(&self.names.valid_to));
        match &self.valid_to_current {
            Some(end) => format!("({valid_to} is null or {valid_to} = {})", timestamp(end)),
            None => format!("{valid_to} is null"),
        }
    }

    /// Whether `s` and `n` are of the same key.
    fn is_same(&self) -> String {
        let same = |column: &String| {
            let column = quoted(column);
            // In brackets: all that follows DISTINCT FROM would be taken for its operand.
            format!("(s.{column} is not distinct from n.{column})")
        };
        let same: Vec<String> = self.key.iter().map(same).collect();
        same.join(" and ")
    }
}

fn instant(microseconds: i64) -> String {
    format!("to_timestamp_micros({microseconds})")
}

/// SQL of a time as the added columns hold it.
pub fn timestamp(sql: &str) -> String {
    format!("arrow_cast({sql}, 'Timestamp(Microsecond, None)')")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::logical_expr::LogicalPlan;

    use super::*;
    use crate::tree::PlanWalk;
    use crate::{DeclaredTable, Scope};
    use mep_core::relation::Relation;

    /// A scope with a source and the table of its versions, and a snapshot of it.
    fn scope(hard_deletes: HardDeletes) -> (Scope, SnapshotQuery, Vec<String>) {
        let scope = Scope::for_planning();
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let given = ["id", "city"].map(|name| Field::new(name, DataType::Utf8View, true));
        let names = AddedColumns::default();
        let added = [
            Field::new(&names.scd_id, DataType::Utf8View, true),
            Field::new(&names.updated_at, time.clone(), true),
            Field::new(&names.valid_from, time.clone(), true),
            Field::new(&names.valid_to, time, true),
        ];
        let stored: Vec<Field> = given.iter().chain(&added).cloned().collect();
        let columns = stored.iter().map(|field| field.name().clone()).collect();
        for (name, fields) in [("source", given.to_vec()), ("stored", stored)] {
            let table = DeclaredTable::new(Arc::new(Schema::new(fields)), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        let query = SnapshotQuery {
            source: "select * from m.source".to_owned(),
            columns: vec!["id".to_owned(), "city".to_owned()],
            key: vec!["id".to_owned()],
            change: Change::Differs { columns: vec!["city".to_owned()], updated_at: None },
            hard_deletes,
            valid_to_current: None,
            names,
        };
        (scope, query, columns)
    }

    fn scans(plan: &LogicalPlan, table: &str) -> usize {
        let mut scans = 0;
        plan.walk_with_subqueries(&mut |node| {
            scans +=
                usize::from(matches!(node, LogicalPlan::TableScan(scan) if scan.table_name.table() == table));
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        scans
    }

    #[test]
    fn a_look_reads_the_source_once_and_joins_by_the_hash_of_the_key() {
        for hard_deletes in [HardDeletes::Ignore, HardDeletes::Invalidate, HardDeletes::NewRecord] {
            let (scope, query, columns) = scope(hard_deletes);
            let sql = query.changes(StoredVersions { table: "m.stored", columns: &columns }, 0);
            let plan = scope.optimize(&scope.plan(&sql).unwrap()).unwrap();
            assert_eq!((scans(&plan, "source"), scans(&plan, "stored")), (1, 1));
            let shown = plan.display_indent().to_string();
            assert!(shown.contains("Full Join: s.id = n.id"), "{shown}");
            assert_eq!(plan.schema().fields().len(), 2 + query.added().len());
        }
    }

    #[test]
    fn the_first_look_and_the_later_ones_give_the_same_columns() {
        let (scope, query, columns) = scope(HardDeletes::NewRecord);
        let names = |sql: &str| -> Vec<String> {
            let plan = scope.plan(sql).unwrap();
            plan.schema().fields().iter().map(|field| field.name().clone()).collect()
        };
        let changes = query.changes(StoredVersions { table: "m.stored", columns: &columns }, 0);
        assert_eq!(names(&query.first(0)), names(&changes));
    }
}
