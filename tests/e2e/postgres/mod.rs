//! Tables of a real PostgreSQL as a source: each range whose rows changed is landed anew, and nothing else.

mod errors;
mod stories;
mod tls;
mod values;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use postgres::{Client, NoTls};
use serde_json::Value as Json;

use crate::project::Project;
use crate::services::address;

/// A schema of its own in the database of the tests, and a project over it.
pub(crate) struct Database {
    client: RefCell<Client>,
    schema: String,
    pub(super) project: Project,
}

impl Database {
    /// One with these source tables (YAML lists of keys), as the source `shop` of the targets `dev` and `fresh`.
    pub(crate) fn new(tables: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("shop_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (host, port) = place();
        let mut client =
            Client::connect(&format!("host={host} port={port} user=mep dbname=postgres"), NoTls).unwrap();
        client.batch_execute(&format!("create schema {schema}")).unwrap();
        let project = Project::new();
        let target = |name: &str| {
            format!(
                "    {name}:\n      type: local\n      path: {name}\n      schema: main\n      threads: 2\n      sources:\n        shop: \
                 {{type: postgres, host: {host}, port: {port}, dbname: postgres, user: mep, schema: {schema}}}\n"
            )
        };
        project
            .file(
                "profiles.yml",
                format!("songs:\n  target: dev\n  outputs:\n{}{}", target("dev"), target("fresh")),
            )
            .file("sources.yml", format!("sources:\n  - name: shop\n    tables:\n{tables}"));
        Self { client: RefCell::new(client), schema, project }
    }

    /// Has the database carry out statements, in which tables are those of the schema.
    pub(crate) fn execute(&self, sql: &str) {
        self.client
            .borrow_mut()
            .batch_execute(&format!("set search_path to {}; {sql}", self.schema))
            .unwrap();
    }

    /// Has the database carry out a statement that stands in no transaction.
    pub(super) fn execute_alone(&self, sql: &str) {
        self.client.borrow_mut().batch_execute(sql).unwrap();
    }

    /// What a query of one column of texts gives.
    pub(super) fn texts(&self, sql: &str) -> Vec<Option<String>> {
        let mut client = self.client.borrow_mut();
        client.batch_execute(&format!("set search_path to {}; set timezone to 'UTC'", self.schema)).unwrap();
        client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Where it is, as the page about it has it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        let (host, port) = place();
        [("PGHOST", host), ("PGPORT", port), ("SHOP_SCHEMA", self.schema.clone())]
    }

    /// What is said, without the names that differ from one test to the next.
    pub(super) fn shown(&self, said: &str) -> String {
        let (host, port) = place();
        self.project.normalized(
            &said.replace(&self.schema, "[schema]").replace(&format!("{host}:{port}"), "[postgres]"),
        )
    }

    /// The ids of the units that are landed, with how many rows each has.
    pub(super) fn units(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.project.path("dev/main")).unwrap() {
            let Ok(manifest) = std::fs::read(entry.unwrap().path().join("manifest.json")) else { continue };
            let manifest: Json = serde_json::from_slice(&manifest).unwrap();
            let batches = manifest["batches"].as_object().into_iter().flatten();
            let units = batches.flat_map(|(_, batch)| batch["units"].as_array().into_iter().flatten());
            found.extend(units.map(|unit| format!("{}: {}", unit["id"].as_str().unwrap(), unit["landed"])));
        }
        found.sort();
        found
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.client.borrow_mut().batch_execute(&format!("drop schema {} cascade", self.schema));
    }
}

/// Host and port of the database of the tests.
fn place() -> (String, String) {
    let address = address("MEP_TEST_POSTGRES");
    let (host, port) = address.split_once(':').unwrap();
    (host.to_owned(), port.to_owned())
}

const ORDERS: &str = "
      - name: orders
        cursor: placed
        columns:
          - {name: id, data_type: bigint}
          - {name: placed, data_type: timestamp}
          - {name: total, data_type: 'decimal(9,2)'}
";

fn orders() -> Database {
    let database = Database::new(ORDERS);
    database.execute(
        "create table orders (id bigint primary key, placed timestamptz, total numeric(9,2), note text);
         insert into orders values (1, '2026-05-01 10:00+00', 10, 'a'), (2, '2026-05-01 23:30+00', 20, 'b'), (3, '2026-05-02 00:30+00', 30, 'c')",
    );
    database.project.model("by_day", "{{ config(materialized='table') }} select cast(placed as date) as day, count(*) as orders, sum(total) as total from {{ source('shop', 'orders') }} group by 1");
    database
}

fn by_day(database: &Database) -> Json {
    database.project.rows("select * from main.by_day order by day")
}

#[test]
fn each_run_lands_the_ranges_whose_rows_changed_and_nothing_else() {
    let database = orders();
    let project = &database.project;
    project.succeed(&["run"]);
    assert_eq!(database.units(), ["orders placed=2026-05-01: 2", "orders placed=2026-05-02: 1"]);
    assert_eq!(project.plan(), Vec::<String>::new());
    // A column that is not declared is nobody's input.
    database.execute("update orders set note = 'z'");
    assert_eq!(project.plan(), Vec::<String>::new());
    database.execute("insert into orders values (4, '2026-05-03 12:00+00', 5, null), (5, null, 1, null)");
    let said = project.succeed(&["run"]);
    assert!(said.contains("source shop.orders  2 rows, 2 "), "{said}");
    // A late row, an update and a deletion, each in a range of its own.
    database.execute("insert into orders values (6, '2026-04-30 12:00+00', 7, null)");
    database.execute("update orders set total = 11 where id = 1");
    database.execute("delete from orders where id = 3");
    let said = project.succeed(&["run"]);
    assert!(said.contains("source shop.orders  3 rows, "), "{said}");
    assert_eq!(
        database.units(),
        [
            "orders placed=2026-04-30: 1",
            "orders placed=2026-05-01: 2",
            "orders placed=2026-05-02: 0",
            "orders placed=2026-05-03: 1",
            "orders placed=null: 1"
        ]
    );
    assert_eq!(
        by_day(&database),
        serde_json::json!([
            {"day": "2026-04-30", "orders": 1, "total": 7.0},
            {"day": "2026-05-01", "orders": 2, "total": 31.0},
            {"day": "2026-05-03", "orders": 1, "total": 5.0},
            {"day": null, "orders": 1, "total": 1.0},
        ])
    );
    let rows =
        project.print(&["show", "--inline", "select * from main.by_day order by day", "--output", "json"]);
    project.succeed(&["run", "--full-refresh", "--target", "fresh"]);
    let fresh = [
        "show",
        "--inline",
        "select * from main.by_day order by day",
        "--output",
        "json",
        "--target",
        "fresh",
    ];
    assert_eq!(rows, project.print(&fresh));
}

#[test]
fn numbers_are_divided_by_the_hundred_thousand_and_a_table_without_a_cursor_is_one_range() {
    let tables = "
      - {name: songs, cursor: id, columns: [{name: id, data_type: bigint}, {name: title, data_type: varchar}]}
      - {name: genres, columns: [{name: name, data_type: varchar}]}
";
    let database = Database::new(tables);
    database.execute(
        "create table songs (id bigint, title text); create table genres (name text);
         insert into songs values (-1, 'before'), (0, 'first'), (99999, 'last'), (100000, 'next'), (9223372036854775807, 'end');
         insert into genres values ('rock'), ('rock'), (null)",
    );
    let project = &database.project;
    project.model("counted", "{{ config(materialized='table') }} select (select count(*) from {{ source('shop', 'songs') }}) as songs, (select count(*) from {{ source('shop', 'genres') }}) as genres");
    project.succeed(&["run"]);
    assert_eq!(
        database.units(),
        [
            "genres: 3",
            "songs id=-100000: 1",
            "songs id=0: 2",
            "songs id=100000: 1",
            "songs id=9223372036854700000: 1"
        ]
    );
    assert_eq!(project.rows("select * from main.counted"), serde_json::json!([{"songs": 5, "genres": 3}]));
    database.execute("delete from genres");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select * from main.counted"), serde_json::json!([{"songs": 5, "genres": 0}]));
    assert_eq!(project.plan(), Vec::<String>::new());
}

#[test]
fn all_that_a_run_reads_is_of_one_moment() {
    let database = orders();
    let project = &database.project;
    let mut command = project.command(&["run"]);
    command.env("MEP_FAIL_POINT", "landing-before-read=stop").stderr(std::process::Stdio::piped());
    let mut run = command.spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(run.stderr.take().unwrap()));
    let mut lines = lines.map(Result::unwrap);
    assert!(lines.any(|line| line == "waiting at landing-before-read"));
    database.execute(
        "update orders set total = 1000; insert into orders values (9, '2026-05-01 01:00+00', 1, null)",
    );
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(run.wait().unwrap().success(), "{rest:?}");
    assert_eq!(
        by_day(&database),
        serde_json::json!([{"day": "2026-05-01", "orders": 2, "total": 30.0}, {"day": "2026-05-02", "orders": 1, "total": 30.0}])
    );
    project.succeed(&["run"]);
    assert_eq!(
        by_day(&database),
        serde_json::json!([{"day": "2026-05-01", "orders": 3, "total": 2001.0}, {"day": "2026-05-02", "orders": 1, "total": 1000.0}])
    );
}
