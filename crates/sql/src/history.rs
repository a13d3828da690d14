//! From events to ranges of validity: a SELECT of events written into one that gives what was true of each key, and when.
//!
//! At one instant of a key the last event counts: by the columns that order events, then a deletion, then by all columns,
//! so that the result follows from the events alone and not from their order. Events that change nothing are part of the
//! version that holds; an event without a time holds since ever. Every window is partitioned by the key, so that a key
//! that holds the partition columns keeps the output's partitions apart.

use std::ops::Range;

use super::names::{listed, quoted};

/// The column with the time from which a version holds.
pub const VALID_FROM: &str = "valid_from";
/// The column with the time from which it does not any more; NULL while it does.
pub const VALID_TO: &str = "valid_to";
/// The column that says whether it still does.
pub const IS_CURRENT: &str = "is_current";

/// How the columns of a SELECT of events are to be taken.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a> {
    /// All columns, in order.
    pub columns: &'a [String],
    /// Those that name what the event is about.
    pub key: &'a [String],
    /// The one with the event's time.
    pub time: &'a str,
    /// Those that order events of one instant.
    pub sequence: &'a [String],
    /// Those whose change makes a version.
    pub versioned: &'a [String],
    /// SQL that holds for an event after which the key is no more.
    pub deleted_when: Option<&'a str>,
}

/// SQL of ranges, and where the SQL of the events stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// The SQL.
    pub sql: String,
    /// The bytes at which the SQL of the events stands.
    pub events: Range<usize>,
}

/// The SQL that gives the ranges of the events that `sql` gives.
pub fn ranges(sql: &str, events: &Events<'_>) -> Ranges {
    let head = "with __mep_events as (\n";
    let key = listed(events.key);
    let time = quoted(events.time);
    let deleted = events
        .deleted_when
        .map_or("false".to_owned(), |condition| format!("coalesce((\n{condition}\n), false)"));
    let is_same = |column: &String| events.key.contains(column) || column == events.time;
    let last_first: Vec<String> = events
        .sequence
        .iter()
        .map(|column| quoted(column))
        .chain(["__mep_deleted".to_owned()])
        .chain(events.columns.iter().filter(|column| !is_same(column)).map(|column| quoted(column)))
        .map(|column| format!("{column} desc nulls last"))
        .collect();
    let last_first = last_first.join(", ");
    let by_time = format!("over (partition by {key} order by {time} asc nulls first)");
    let differs = |column: &String| {
        // In brackets: all that follows DISTINCT FROM would be taken for its operand.
        let column = quoted(column);
        format!("({column} is distinct from lag({column}) {by_time})")
    };
    let changes: Vec<String> = events.versioned.iter().map(differs).collect();
    let changes = if changes.is_empty() { "false".to_owned() } else { changes.join("\n            or ") };
    let kept: Vec<String> =
        events.columns.iter().filter(|column| *column != events.time).map(|column| quoted(column)).collect();
    let tail = format!(
        "
),
__mep_marked as (
    select *, {deleted} as __mep_deleted from __mep_events
),
__mep_placed as (
    select *, row_number() over (partition by {key}, {time} order by {last_first}) as __mep_place
    from __mep_marked
),
__mep_compared as (
    select *, case
        when row_number() {by_time} = 1 then true
        when __mep_deleted or lag(__mep_deleted) {by_time} then __mep_deleted is distinct from lag(__mep_deleted) {by_time}
        else {changes}
        end as __mep_begins
    from __mep_placed where __mep_place = 1
),
__mep_ranges as (
    select *, lead({time}) {by_time} as __mep_valid_to from __mep_compared where __mep_begins
)
select
    {},
    {time} as {VALID_FROM},
    __mep_valid_to as {VALID_TO},
    __mep_valid_to is null as {IS_CURRENT}
from __mep_ranges where not __mep_deleted",
        kept.join(", ")
    );
    Ranges { sql: format!("{head}{sql}{tail}"), events: head.len()..head.len() + sql.len() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::{DeclaredTable, Scope, alignment};
    use mep_core::relation::Relation;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn ranges_of(sql: &str, key: &[&str]) -> Ranges {
        let columns = named(&["tenant", "id", "at", "city"]);
        let (key, versioned) = (named(key), named(&["city"]));
        let (time, deleted_when) = ("at", Some("city = 'none'"));
        ranges(
            sql,
            &Events {
                columns: &columns,
                key: &key,
                time,
                sequence: &[],
                versioned: &versioned,
                deleted_when,
            },
        )
    }

    #[test]
    fn the_events_stand_in_the_ranges_where_it_is_said() {
        let events = "select * from m.log";
        let ranges = ranges_of(events, &["id"]);
        assert_eq!(&ranges.sql[ranges.events], events);
    }

    #[test]
    fn partitions_stay_apart_where_the_key_holds_their_column_and_nowhere_else() {
        let scope = Scope::for_planning();
        let log = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("at", DataType::Int64, true),
            Field::new("city", DataType::Utf8View, true),
            Field::new("tenant", DataType::Utf8View, true),
        ]);
        let table = DeclaredTable::new(Arc::new(log), vec!["tenant".to_owned()]);
        scope.register(&Relation::new("m", "log"), Arc::new(table)).unwrap();
        let is_told = |key: &[&str]| {
            let plan = scope.plan(&ranges_of("select * from m.log", key).sql).unwrap();
            alignment::derive(&scope, &plan, &["tenant".to_owned()]).unwrap().told == [0]
        };
        assert!(is_told(&["tenant", "id"]));
        assert!(!is_told(&["id"]));
    }
}
