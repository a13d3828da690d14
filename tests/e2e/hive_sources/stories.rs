//! Whatever others do to the partitions of a table, a run leaves the rows of a full refresh.

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::SourceTables;

#[derive(Clone, Debug)]
enum Happening {
    /// Rows come to a partition, which may be new.
    Insert { day: u8, rows: Vec<(u8, u8)> },
    /// A partition has other rows.
    Overwrite { day: u8, rows: Vec<(u8, u8)> },
    /// A partition goes.
    Drop { day: u8 },
    /// A run, after which each table has the rows of a full refresh.
    Run,
}

fn happening() -> impl Strategy<Value = Happening> {
    let rows = || proptest::collection::vec((0..3_u8, 0..100_u8), 1..4);
    prop_oneof![
        3 => (1..5_u8, rows()).prop_map(|(day, rows)| Happening::Insert { day, rows }),
        2 => (1..5_u8, rows()).prop_map(|(day, rows)| Happening::Overwrite { day, rows }),
        1 => (1..5_u8).prop_map(|day| Happening::Drop { day }),
        3 => Just(Happening::Run),
    ]
}

fn values(rows: &[(u8, u8)]) -> String {
    let row = |(who, pages): &(u8, u8)| format!("({who}, {pages})");
    rows.iter().map(row).collect::<Vec<_>>().join(", ")
}

fn check(happenings: &[Happening]) {
    static CASE: AtomicU32 = AtomicU32::new(0);
    let tables = SourceTables::new(&format!("story{}", CASE.fetch_add(1, Ordering::Relaxed)), &["visits"]);
    tables.execute(
        "create external table crm.visits (who int, pages int) partitioned by (day date) stored as parquet",
    );
    tables
        .hive
        .project
        .model(
            "by_day",
            "{{ config(materialized='incremental', partition_by='day') }}
             select day, who, sum(pages) as pages from {{ source('crm', 'visits') }} group by day, who",
        )
        .model("people", "{{ config(materialized='table') }} select who, min(day) as first_day from {{ ref('by_day') }} group by who")
        .model(
            "since",
            "{{ config(materialized='incremental', partition_by='day') }}
             select v.day, v.who, v.pages, p.first_day from {{ source('crm', 'visits') }} v join {{ ref('people') }} p on p.who = v.who",
        );
    for happening in happenings {
        match happening {
            Happening::Insert { day, rows } => tables.execute(&format!(
                "insert into crm.visits partition (day = '2018-11-0{day}') values {}",
                values(rows)
            )),
            Happening::Overwrite { day, rows } => tables.execute(&format!(
                "insert overwrite table crm.visits partition (day = '2018-11-0{day}') values {}",
                values(rows)
            )),
            Happening::Drop { day } => {
                tables.execute(&format!(
                    "alter table crm.visits drop if exists partition (day = '2018-11-0{day}')"
                ));
            }
            Happening::Run => compare(&tables),
        }
    }
    compare(&tables);
}

/// A run leaves what Hive computes of the table itself.
fn compare(tables: &SourceTables) {
    tables.hive.succeed(&["run"]);
    assert_eq!(tables.planned(), [""; 0]);
    let schema = &tables.hive.schema;
    let by_day = "select day, who, sum(pages) as pages from crm.visits group by day, who";
    let people = format!("select who, min(day) as first_day from ({by_day}) d group by who");
    let since = format!(
        "select v.day, v.who, v.pages, p.first_day from crm.visits v join ({people}) p on p.who = v.who"
    );
    for (name, columns, sql) in [
        ("by_day", "day, who, pages", by_day),
        ("people", "who, first_day", &people),
        ("since", "day, who, pages, first_day", &since),
    ] {
        let built = tables.hive.hive(&format!("select {columns} from {schema}.{name} order by {columns}"));
        let expected = tables.in_hive(&format!("select {columns} from ({sql}) t order by {columns}"));
        assert_eq!(built, expected, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_others_do_a_run_leaves_the_rows_of_a_full_refresh(
        happenings in proptest::collection::vec(happening(), 3..8)
    ) {
        check(&happenings);
    }
}
