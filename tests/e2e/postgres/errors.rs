//! What is said where a database cannot be read.

use super::{Database, ORDERS, orders};

/// The reason that a run gives for the failure of its source.
fn why(database: &Database) -> String {
    let said = database.shown(&database.project.fail(1, &["run"]));
    let why = said.split("what failed:").nth(1).and_then(|failed| failed.lines().nth(2));
    why.unwrap_or(&said).trim().to_owned()
}

#[test]
fn a_table_or_column_that_is_not_there_is_named_with_what_was_perhaps_meant() {
    let database = Database::new(&ORDERS.replace("name: orders", "name: ordres"));
    database.execute("create table orders (id bigint, placed timestamptz, total numeric(9,2))");
    database.project.model("m", "select * from {{ source('shop', 'ordres') }}");
    insta::assert_snapshot!(why(&database), @"postgres: postgres at [postgres] has no table [schema].ordres; did you mean `orders`?");
    let database = orders();
    database.execute("alter table orders rename column total to totals");
    insta::assert_snapshot!(why(&database), @"postgres: the table [schema].orders has no column `total`; did you mean `totals`?");
}

#[test]
fn a_cursor_of_another_type_is_refused() {
    let database = orders();
    database.execute("alter table orders alter column placed type text");
    insta::assert_snapshot!(why(&database), @"postgres: `cursor: placed` of [schema].orders is of the type text; expected a date, a timestamp or a whole number");
}

#[test]
fn a_table_without_declared_columns_is_refused_with_the_way_on() {
    let database = Database::new("      - name: orders\n");
    database.project.model("m", "select * from {{ source('shop', 'orders') }}");
    insta::assert_snapshot!(database.shown(&database.project.fail(2, &["compile"])), @r#"
     error: the source table `orders` declares no columns
      ╭─[sources.yml:4:15]
    3 │     tables:
    4 │       - name: orders
      ·               ──────
      ╰────
     help: list its columns, each with a `data_type`; of files and of PostgreSQL `mep source infer` writes them
    "#);
}

#[test]
fn a_database_that_is_not_there_or_lets_nobody_in_is_told_with_its_reason() {
    let database = orders();
    let profiles = std::fs::read_to_string(database.project.path("profiles.yml")).unwrap();
    let (_, port) = super::place();
    database.project.file("profiles.yml", profiles.replace(&format!("port: {port}"), "port: 1"));
    insta::assert_snapshot!(why(&database), @"postgres: postgres at 127.0.0.1:1 cannot be reached: the connection is refused; look whether it runs there");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().port().to_string();
    let its = profiles.replace(&format!("port: {port}"), &format!("port: {silent}, connect_timeout: 1"));
    database.project.file("profiles.yml", its);
    let said = database.project.fail(1, &["run"]);
    assert!(
        said.contains(&format!("postgres at 127.0.0.1:{silent} cannot be reached: no answer for 1 second")),
        "{said}"
    );
    database.project.file("profiles.yml", profiles.replace("dbname: postgres", "dbname: nothing"));
    insta::assert_snapshot!(why(&database), @r#"postgres: nothing at [postgres] cannot be reached: database "nothing" does not exist"#);
    database.project.file("profiles.yml", profiles.replace("user: mep,", "sslmode: perhaps, prot: 5,"));
    insta::assert_snapshot!(database.shown(&database.project.fail(2, &["run"])), @r#"
    profiles.yml:10:15

      error: a connection of type `postgres` needs `user`

    profiles.yml:10:89

      error: `sslmode`: expected one of disable, prefer, require, verify-ca, verify-full, found `perhaps`

    profiles.yml:10:98

      error: unknown key `prot` in a connection of type `postgres`
      help: did you mean `port`?

    3 problems
    "#);
}

#[test]
fn a_stream_does_not_read_a_database() {
    let database = orders();
    database.project.file(
        "sources.yml",
        std::fs::read_to_string(database.project.path("sources.yml"))
            .unwrap()
            .replace("cursor: placed", "event_time: placed"),
    );
    database.project.model(
        "streamed",
        "{{ config(materialized='streaming', partition_key='id') }} select id, total from {{ source('shop', 'orders') }}",
    );
    let said = database.project.fail(2, &["stream", "--select", "streamed"]);
    assert!(
        said.contains("the source `shop` is a database, which does not go on: streaming models read Kafka"),
        "{said}"
    );
}
