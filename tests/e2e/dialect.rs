//! Views as other engines read them: the same rows as mep's own engine gives, construct by construct.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::datasource::MemTable;
use mep_core::relation::Relation;
use mep_graph::{Answers, Compiler, Graph, Materialization, Node};
use mep_lang::jinja::{Invocation, Templates};
use mep_lang::project::LoadOptions;
use mep_sql::dialect::{TranslatedView, hive_type};
use mep_sql::{DeclaredTable, Scope};

use crate::services::hive::Hive;
use crate::services::metastore::Metastore;
use crate::services::trino::Trino;
use crate::services::{NULL, address, double, timestamp};

/// The rows that every construct is tried on: ends of ranges, NULLs, times before 1970 and at the turn of a year,
/// texts with quotes, controls and mojibake of every depth.
const EVENTS: &str = r#"
select
    column1 as id,
    cast(column2 as integer) as n,
    cast(column3 as bigint) as ms,
    cast(column4 as double) as x,
    cast(column5 as varchar) as s,
    cast(column6 as boolean) as b,
    column7 as d,
    column8 as ts
from (values
    (1, 7, 1541255039123, 1.5, 'Björk', true, date '2018-11-03', cast('2018-11-03 14:23:59.123' as timestamp(3))),
    (2, -7, -1, -2.5, 'BjÃ¶rk', false, date '1969-12-31', cast('1969-12-31 23:59:59.999' as timestamp(3))),
    (3, 0, 0, 0.0, 'BjÃÂ¶rk', null, date '1970-01-01', cast('1970-01-01 00:00:00' as timestamp(3))),
    (4, null, null, null, null, true, null, null),
    (5, 2147483647, 253402300799999, 1000000.25, 'it''s a \ $ "q" ü𝄞', false, date '2021-01-03', cast('2021-01-03 23:00:00.001' as timestamp(3))),
    (6, -2147483648, -62135596800000, -0.5, '', true, date '2020-12-31', cast('2020-12-31 00:30:00' as timestamp(3))),
    (7, 1, 1583020800000, 123456789.0, 'Ã', true, date '2020-02-29', cast('2020-02-29 12:00:00.100' as timestamp(3))),
    (8, 7, 1546300800000, 2.0, '東京 Ã¶', false, date '2019-12-30', cast('2019-12-30 06:59:59.010' as timestamp(3))),
    (9, 60, 86399999, 3.0, 'ÃÂÃÂ©', null, date '1900-01-01', cast('1900-01-01 01:02:03' as timestamp(3)))
) as events"#;

/// What must be equal, each over `m.events`.
const CONSTRUCTS: &[&str] = &[
    "select id, n, ms, x, s, b, d, ts from m.events",
    "select id, n + 1 as a, n - ms as b, n * 2 as c, -n as d, n % 4 as e, n / 2 as f, ms / 1000 as g from m.events where id not in (5, 6)",
    "select id, x + 1 as a, x * 3 as b, x / 3 as c, cast(n as double) / 7 as d, cast(ms as double) / n as e from m.events",
    "select id, n = 7 as a, n <> 7 as b, n is distinct from 7 as c, n is not distinct from null as d, b is not true as e, b is false as f, not b as g from m.events",
    "select id from m.events where n between 0 and 7 and n in (0, 7, 60) or s like 'B%' or d is null",
    "select id, case when n > 0 then 'pos' when n < 0 then 'neg' end as a, case n when 7 then 1 else 0 end as b, coalesce(n, -1) as c, nullif(n, 7) as d from m.events",
    "select id, concat(s, '-', n) as a, s || '/' || n as b, character_length(s) as c, md5(s) as d, replace(s, 'r', '__') as e from m.events",
    r#"select id, 'it''s a \ $ "q" ü𝄞' as a, concat(chr(31), s) as b, cast(b as varchar) as c, cast(d as varchar) as e, cast(b as integer) as f from m.events"#,
    "select id, cast(x as bigint) as a, cast(round(x * 10) as bigint) as b, cast('12' as bigint) as c, cast(n as bigint) as d from m.events",
    "select id, to_timestamp_millis(ms) as a from m.events",
    "select id, date_trunc('second', ts) as a, date_trunc('minute', ts) as b, date_trunc('hour', ts) as c, date_trunc('day', ts) as d from m.events",
    "select id, date_trunc('week', ts) as a, date_trunc('month', ts) as b, date_trunc('quarter', ts) as c, date_trunc('year', ts) as d from m.events",
    "select id, cast(date_trunc('week', d) as timestamp(3)) as a, cast(date_trunc('quarter', d) as date) as b, cast(ts as date) as c from m.events",
    "select id, extract(year from d) as a, extract(quarter from ts) as b, extract(month from ts) as c, extract(day from d) as e, extract(hour from ts) as f, extract(minute from ts) as g, extract(second from ts) as h from m.events",
    "select id, extract(week from d) as a, extract(isodow from d) as b, extract(dow from ts) as c, extract(doy from d) as e, extract(isoyear from d) as f from m.events",
    "select id, ts + interval '1 day 1 hour 1 millisecond' as a, ts - interval '1 month' as b, d + interval '1 month' as c, d - interval '2 days' as e, d + 1 as f, d - n % 5 as g from m.events",
    "select id, hash_key(s) as a, surrogate_key(n, s, b, d, ms) as c from m.events",
    "select id, fix_mojibake(s) as s from m.events",
    "select fix_mojibake(s) as s, count(*) as c from m.events where fix_mojibake(s) <> '' group by fix_mojibake(s)",
    "select b, count(*) as a, count(n) as c, count(distinct n) as e, sum(n) as f, min(s) as g, max(ts) as h, min(d) as i, count(*) filter (where n > 0) as j from m.events group by b",
    "select count(*) as a, max(n) as b from m.events where id > 100",
    "select extract(year from d) as y, max(id) as id from m.events group by extract(year from d)",
    "select distinct b, n from m.events where n is null or n > 0",
    "select id, rank() over (order by n desc) as a, row_number() over (partition by b order by id) as c, lag(n) over (order by id) as e, lead(ts, 2) over (order by id) as f, sum(n) over (partition by b order by id) as g, count(*) over () as h from m.events where id not in (5, 6)",
    "with places as (select s, cast(rank() over (order by n desc nulls last, id) as integer) as place from m.events) select s, place from places where place <= 3",
    "select a.id, c.s from m.events as a left join m.events as c on a.n = c.id and c.b",
    "select a.id as a, c.id as c from m.events as a join m.events as c on a.b is not distinct from c.b and a.id < c.id",
    "select a.id as a, c.n as c from m.events as a full join (select n, count(*) as rows from m.events group by n) as c on a.id = c.n",
    "select a.id, c.id as other from m.events as a cross join m.events as c where c.id = 1",
    "select id, 'a' as kind, cast(null as integer) as week from m.events union all select id, s, n from m.events where n is not null",
    "select n from m.events union select n from m.events",
    "select id, n from m.events order by n desc nulls last, id limit 3",
    "select * exclude (ms) from m.events",
];

struct Case {
    sql: &'static str,
    name: String,
    text: TranslatedView,
    rows: Vec<Vec<String>>,
}

/// A schema of the metastore with the rows and a view of each construct.
struct Views {
    schema: String,
    cases: Vec<Case>,
}

impl Views {
    async fn new(engine: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let schema = format!("mep_dialect_{engine}_{}", since.as_millis());
        let scope = Scope::for_planning();
        let events = TranslatedView::of(&scope, &scope.plan(EVENTS).unwrap()).unwrap();
        let rows = collect(&scope, EVENTS).await;
        let table = MemTable::try_new(rows[0].schema(), vec![rows]).unwrap();
        scope.register(&Relation::new(&schema, "events"), Arc::new(table)).unwrap();

        let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
        hive.execute(&format!("CREATE DATABASE {schema}"));
        hive.execute(&format!("CREATE TABLE {schema}.events STORED AS PARQUET AS {}", events.hive));
        let metastore = Metastore::connect(&address("MEP_TEST_METASTORE"));
        let mut cases = Vec::new();
        for (index, sql) in CONSTRUCTS.iter().enumerate() {
            let own = sql.replace("m.events", &format!("{schema}.events"));
            let text = TranslatedView::of(&scope, &scope.plan(&own).unwrap())
                .unwrap_or_else(|error| panic!("{error}\n{sql}"));
            let name = format!("v{index}");
            metastore.create_view(&schema, &name, &text).await;
            let rows = sorted(collect(&scope, &own).await.iter().flat_map(texts).collect());
            cases.push(Case { sql, name, text, rows });
        }
        Self { schema, cases }
    }

    /// Reads each view and says where the rows are others than mep's.
    fn assert_same(
        &self,
        mut read: impl FnMut(&str) -> Result<Vec<Vec<String>>, String>,
        text: fn(&TranslatedView) -> &str,
    ) {
        let mut problems = Vec::new();
        for case in &self.cases {
            let found = read(&format!("SELECT * FROM {}.{}", self.schema, case.name)).map(sorted);
            if found.as_ref() != Ok(&case.rows) {
                let found = found.map_or_else(|error| error, |rows| table(&rows));
                let (sql, text) = (case.sql, text(&case.text));
                problems.push(format!("{sql}\n{text}\n-- mep:\n{}\n-- found:\n{found}", table(&case.rows)));
            }
        }
        let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
        hive.execute(&format!("DROP DATABASE {} CASCADE", self.schema));
        assert!(
            problems.is_empty(),
            "{} of {} differ\n\n{}",
            problems.len(),
            self.cases.len(),
            problems.join("\n\n")
        );
    }
}

fn table(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join(" | ")).collect::<Vec<_>>().join("\n")
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

async fn collect(scope: &Scope, sql: &str) -> Vec<RecordBatch> {
    let plan = scope.plan(sql).unwrap();
    scope.context().execute_logical_plan(plan.into_plan()).await.unwrap().collect().await.unwrap()
}

fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let columns: Vec<Vec<String>> =
        batch.columns().iter().map(|column| column_texts(column.as_ref())).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
}

fn column_texts(column: &dyn Array) -> Vec<String> {
    let text = |row: usize| {
        if column.is_null(row) {
            return NULL.to_owned();
        }
        let text = arrow::util::display::array_value_to_string(column, row).unwrap();
        match column.data_type() {
            DataType::Float64 => double(text.parse().unwrap()),
            DataType::Timestamp(..) => timestamp(&text.replace('T', " ")),
            _ => text,
        }
    };
    (0..column.len()).map(text).collect()
}

#[tokio::test]
async fn hive_reads_the_rows_that_mep_gives() {
    let views = Views::new("hive").await;
    let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
    assert_eq!(hive.rows(&format!("SHOW VIEWS IN {}", views.schema)).len(), CONSTRUCTS.len());
    views.assert_same(|sql| hive.try_rows(sql), |text| &text.hive);
}

#[tokio::test]
async fn trino_reads_the_rows_that_mep_gives() {
    let views = Views::new("trino").await;
    let trino = Trino::new(&address("MEP_TEST_TRINO"));
    let listed = format!("SELECT * FROM information_schema.views WHERE table_schema = '{}'", views.schema);
    assert_eq!(trino.rows(&listed).len(), CONSTRUCTS.len());
    views.assert_same(|sql| trino.try_rows(sql), |text| &text.trino);
}

#[tokio::test]
#[ignore = "nightly"]
async fn spark_reads_the_rows_that_mep_gives() {
    let views = Views::new("spark").await;
    let mut spark = Hive::connect(&address("MEP_TEST_SPARK"));
    assert_eq!(spark.rows(&format!("SHOW VIEWS IN {}", views.schema)).len(), CONSTRUCTS.len());
    views.assert_same(|sql| spark.try_rows(sql), |text| &text.hive);
}

#[test]
fn a_text_that_was_misread_more_often_than_a_view_undoes_fails_its_query() {
    let misread = |text: &str| text.bytes().map(char::from).collect::<String>();
    let thrice = misread(&misread(&misread("ö")));
    let scope = Scope::for_planning();
    let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
    let trino = Trino::new(&address("MEP_TEST_TRINO"));
    for (text, is_undone) in [(thrice.clone(), true), (misread(&thrice), false)] {
        let plan =
            scope.plan(&format!("select fix_mojibake(s) as s from (values ('{text}')) as v(s)")).unwrap();
        let view = TranslatedView::of(&scope, &plan).unwrap();
        let undone = vec![vec!["ö".to_owned()]];
        assert_eq!(hive.try_rows(&view.hive).is_ok_and(|rows| rows == undone), is_undone);
        assert!(is_undone || hive.try_rows(&view.hive).is_err());
        assert_eq!(trino.rows(&view.trino), undone);
    }
}

/// Whether the metastore keeps the texts of the project's views, and the engines take them, over tables without rows.
#[tokio::test]
async fn every_view_of_the_bundled_project_can_be_read() {
    let options = LoadOptions {
        root: env!("CARGO_MANIFEST_DIR").into(),
        profiles_dir: None,
        profile: None,
        target: Some("local".to_owned()),
        vars: None,
        threads: None,
        is_strict: false,
        store_failures: false,
    };
    let project = mep_lang::project::load(&options).unwrap();
    let now = chrono::Utc::now();
    let invocation = Invocation {
        run_started_at: now,
        logical_date: now.date_naive(),
        full_refresh: false,
        invocation_id: "dialect".to_owned(),
        command: "compile".to_owned(),
    };
    let templates = Templates::new(&project, invocation).unwrap();
    let graph = Graph::of(&project, &templates).unwrap();
    let all = graph.indices().collect();
    let nothing = |_: &Node| None;
    let nobody: std::sync::Arc<dyn Answers> = std::sync::Arc::new(());
    let compiler = Compiler {
        project: &project,
        templates: &templates,
        graph: &graph,
        stored: &nothing,
        found: &(),
        answers: &nobody,
        serving: &(),
    };
    let compiled = compiler.compile(&all).unwrap();

    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let schema = format!("mep_dialect_bundled_{}", since.as_millis());
    let scope = Scope::for_planning();
    let mut hive = Hive::connect(&address("MEP_TEST_HIVESERVER2"));
    hive.execute(&format!("CREATE DATABASE {schema}"));
    let mut tables: Vec<(Relation, SchemaRef)> =
        compiled.sources.values().map(|table| (table.raw.clone(), table.table_schema().unwrap())).collect();
    let mut views = Vec::new();
    for (index, model) in &compiled.models {
        let node = graph.node(*index);
        let relation = node.relation.clone().unwrap();
        match node.config.materialized() {
            Materialization::View => views.push((relation, model.sql.clone())),
            _ => tables.push((relation, model.schema.clone())),
        }
    }
    for (relation, columns) in tables {
        let names = columns.fields().iter().map(|field| {
            format!("`{}` {}", field.name().to_lowercase(), hive_type(field.data_type()).unwrap())
        });
        let names = names.collect::<Vec<_>>().join(", ");
        hive.execute(&format!("CREATE TABLE {schema}.{} ({names}) STORED AS PARQUET", relation.name));
        scope.register(&relation, Arc::new(DeclaredTable::new(columns, Vec::new()))).unwrap();
    }

    let metastore = Metastore::connect(&address("MEP_TEST_METASTORE"));
    let trino = Trino::new(&address("MEP_TEST_TRINO"));
    let own = project.target.schema.clone();
    assert!(views.len() > 8, "{}", views.len());
    for (relation, sql) in views {
        let plan = scope.plan(&sql).unwrap();
        let mut text =
            TranslatedView::of(&scope, &plan).unwrap_or_else(|error| panic!("{relation}: {error}"));
        text.hive = text.hive.replace(&format!("`{own}`."), &format!("`{schema}`."));
        text.trino = text.trino.replace(&format!("\"{own}\"."), &format!("\"{schema}\"."));
        metastore.create_view(&schema, &relation.name, &text).await;
        let read = format!("SELECT * FROM {schema}.{}", relation.name);
        // Planned and not run: Hive takes seconds for each stage of a query even of no rows.
        hive.execute(&format!("EXPLAIN {read}"));
        assert!(trino.rows(&read).is_empty(), "{relation}");
    }
    hive.execute(&format!("DROP DATABASE {schema} CASCADE"));
}
