//! Partitions that others add, rewrite and drop: what is built because of it, and nothing else.

use super::SourceTables;

/// A table of visits by day, and models over it: one that is aligned with its days, one that is not.
fn visits(name: &str) -> SourceTables {
    let tables = SourceTables::new(name, &["visits"]);
    tables.execute_all(&[
        "create external table crm.visits (who string, pages int) partitioned by (day date) stored as parquet",
        "insert into crm.visits partition (day = '2018-11-01') values ('ann', 1), ('bo', 2)",
        "insert into crm.visits partition (day = '2018-11-02') values ('ann', 3)",
        "insert into crm.visits partition (day = '2018-11-03') values ('cy', 4)",
    ]);
    tables
        .hive
        .project
        .model(
            "by_day",
            "{{ config(materialized='incremental', partition_by='day') }}
             select day, count(*) as visits, sum(pages) as pages from {{ source('crm', 'visits') }} group by day",
        )
        .model(
            "by_who",
            "{{ config(materialized='table') }} select who, sum(pages) as pages from {{ source('crm', 'visits') }} group by who",
        )
        .model("unrelated", "{{ config(materialized='table') }} select 1 as x");
    tables
}

/// What mep made of the table is what Hive makes of it.
#[track_caller]
fn same(tables: &SourceTables) {
    let schema = &tables.hive.schema;
    let days = tables.in_hive("select day, count(*), sum(pages) from crm.visits group by day order by day");
    assert_eq!(
        tables.hive.hive(&format!("select day, visits, pages from {schema}.by_day order by day")),
        days
    );
    let people = tables.in_hive("select who, sum(pages) from crm.visits group by who order by who");
    assert_eq!(tables.hive.hive(&format!("select who, pages from {schema}.by_who order by who")), people);
}

#[test]
fn what_others_do_to_a_partition_builds_what_depends_on_it_and_nothing_else() {
    let tables = visits("visits");
    tables.hive.succeed(&["run"]);
    same(&tables);
    assert_eq!(tables.planned(), [""; 0]);
    let reads = "insert into crm.visits partition (day = '2018-11-02') values ('dee', 5)";
    tables.execute(reads);
    insta::assert_snapshot!(tables.planned().join("\n"), @r"
    by_day: build: visits changed in 2018-11-02
    by_who: build: visits changed in 2018-11-02
    ");
    tables.hive.succeed(&["run"]);
    same(&tables);
    assert_eq!(tables.planned(), [""; 0]);
    tables.execute("insert overwrite table crm.visits partition (day = '2018-11-01') select 'ann', 7");
    tables.execute("insert into crm.visits partition (day = '2018-10-20') values ('late', 1)");
    insta::assert_snapshot!(tables.planned().join("\n"), @r"
    by_day: build: late rows of visits in 2018-10-20; visits changed in 2018-11-01
    by_who: build: new rows of visits in 2018-10-20; visits changed in 2018-11-01
    ");
    tables.hive.succeed(&["run"]);
    same(&tables);
    tables.execute("alter table crm.visits drop partition (day = '2018-11-03')");
    insta::assert_snapshot!(tables.planned().join("\n"), @r"
    by_day: build: no input gives them any more
    by_who: build: visits lost rows in 2018-11-03
    ");
    tables.hive.succeed(&["run"]);
    same(&tables);
    assert_eq!(tables.planned(), [""; 0]);
    let before = tables.hive.hive(&format!("select * from {}.by_day order by day", tables.hive.schema));
    tables.hive.succeed(&["run", "--full-refresh"]);
    same(&tables);
    assert_eq!(
        tables.hive.hive(&format!("select * from {}.by_day order by day", tables.hive.schema)),
        before
    );
}

#[test]
fn a_table_without_partitions_is_one_version() {
    let tables = SourceTables::new("whole", &["people"]);
    tables.execute_all(&[
        "create table crm.people (id int, name string) stored as parquet",
        "insert into crm.people values (1, 'Ann')",
    ]);
    tables
        .hive
        .project
        .model("names", "{{ config(materialized='table') }} select name from {{ source('crm', 'people') }}");
    tables.hive.succeed(&["run"]);
    assert_eq!(tables.planned(), [""; 0]);
    tables.execute("insert into crm.people values (2, 'Bo')");
    insta::assert_snapshot!(tables.planned().join("\n"), @"names: build: people changed");
    tables.hive.succeed(&["run"]);
    let names = format!("select name from {}.names order by name", tables.hive.schema);
    assert_eq!(tables.hive.hive(&names).concat(), ["Ann", "Bo"]);
    tables.execute("truncate table crm.people");
    tables.hive.succeed(&["run"]);
    assert_eq!(tables.hive.hive(&names), Vec::<Vec<String>>::new());
}

#[test]
fn declared_names_keep_their_case_and_tests_and_freshness_read_the_table() {
    let tables = SourceTables::new("declared", &[]);
    tables.execute_all(&[
        "create external table crm.orders (orderid bigint, placedat timestamp) partitioned by (day date) stored as parquet",
        "insert into crm.orders partition (day = '2018-11-01') values (1, timestamp '2018-11-01 10:00:00')",
    ]);
    tables.declare(
        "{name: orders, loaded_at_field: '\"placedAt\"', freshness: {warn_after: {count: 1, period: day}}, columns: [{name: orderId, data_type: bigint, data_tests: [unique, not_null]}, {name: placedAt, data_type: timestamp}]}",
    );
    tables.hive.project.model(
        "placed",
        "{{ config(materialized='incremental', partition_by='day') }}
         select day, \"orderId\" as id, \"placedAt\" as at from {{ source('crm', 'orders') }}",
    );
    let said = tables.hive.succeed(&["build"]);
    assert!(said.contains("pass  test source_unique_crm_orders_orderId"), "{said}");
    let placed = format!("select id, day from {}.placed", tables.hive.schema);
    assert_eq!(tables.hive.hive(&placed), [["1", "2018-11-01"]]);
    let output = tables.hive.call(&["source", "freshness"], None);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warn") && said.contains("crm.orders"), "{said}");
}
