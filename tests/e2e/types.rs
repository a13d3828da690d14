//! The type of a column: what compile says, what is stored, and what names a partition are the same.

use crate::project::{DAY, Project};

/// Expressions over `t (k bigint, v bigint, d date, s text, x double, c decimal(8, 2), at timestamp)`.
const SHAPES: [&str; 46] = [
    "case when k = 1 then 1 else 2.5 end",
    "case when k = 1 then 2.5 else 1 end",
    "case when k = 1 then v else c end",
    "case when k = 1 then c else x end",
    "case when k = 1 then d else at end",
    "case when k = 1 then at else d end",
    "case when k = 1 then null else d end",
    "case when k = 1 then null when k = 2 then 1 else 2.5 end",
    "case k when 1 then 1 when 2 then 2.5 end",
    "case when k = 1 then cast(v as int) else v end",
    "case when k = 1 then arrow_cast('a', 'LargeUtf8') else s end",
    "case when k = 1 then case when v > 10 then 1 else c end else x end",
    "coalesce(null, v, c)",
    "coalesce(cast(null as int), x)",
    "coalesce(d, at)",
    "nullif(v, 2.5)",
    "nullif(c, 1)",
    "greatest(v, c)",
    "least(v, 2.5, c)",
    "greatest(d, at)",
    "nvl(v, c)",
    "nvl2(s, v, c)",
    "(case when k = 1 then 1 else 2.5 end) + 1",
    "v + c",
    "c * v",
    "v / 2",
    "v / c",
    "v % 7",
    "v = c",
    "k in (1, 2.5)",
    "v between 1 and 2.5",
    "d between at and date '2030-01-01'",
    "[v, c]",
    "[1, 2.5, v]",
    "[d, at]",
    "struct(v, c)",
    "sum(case when k = 1 then 1 else 2.5 end) over (partition by k)",
    "max(case when k = 1 then d else at end) over ()",
    "first_value(case when k = 1 then v else c end) over (order by k)",
    "lag(v, 1, 0) over (order by k)",
    "avg(v) over ()",
    "(select max(case when b.k = 1 then 1 else 2.5 end) from t b)",
    "(select count(*) from t b where b.k = t.k)",
    "d + interval '36 hours'",
    "d + interval '1 day'",
    "at - interval '1 month'",
];

/// Whole SELECTs over `t` that give `k` and `r`.
const QUERIES: [&str; 20] = [
    "select k, v as r from t union all select 0, 2.5",
    "select k, 1 as r from t union all select k, c from t union all select k, x from t",
    "select k, d as r from t union all select k, at from t",
    "select k, at as r from t union all select 0, d from t",
    "select k, null as r from t union all select k, c from t",
    "select k, cast(v as smallint) as r from t union select k, v from t",
    "select k, v as r from t union select 9, 2.5",
    "select k, v as r from t intersect select k, 10.0 from t",
    "select k, v as r from t except select k, 20.0 from t",
    "select k, v as r from t except all select k, c from t",
    "select column1 as k, column2 as r from (values (1, 1), (2, 2.5), (3, null))",
    "select column1 as k, column2 as r from (values (1, date '2018-11-01'), (2, timestamp '2018-11-02 10:00:00'))",
    "select k, sum(case when v > 10 then 1 else 2.5 end) as r from t group by k",
    "select case when k = 1 then 1 else 2.5 end as k, count(*) as r from t group by 1",
    "with u as (select k, case when k = 1 then 1 else 2.5 end as r from t) select k, r * 2 as r from u where r > 1",
    "select k, r from (select k, v as r from t union all select k, c from t) order by r limit 3",
    "select a.k, coalesce(a.v, b.r) as r from t a full join (select 3 as k, 2.5 as r) b on a.k = b.k",
    "select k, r from (select k, v as r from t) a full join (select 3.5 as k) b using (k)",
    "select distinct k, case when k = 1 then d else at end as r from t",
    "select k, unnest([v, c]) as r from t",
];

const T: &str = "select * from (values \
    (cast(1 as bigint), cast(10 as bigint), date '2018-11-01', 'a', 1.5e0, cast(2.25 as decimal(8, 2)), timestamp '2018-11-01 10:00:00'), \
    (2, 20, date '2018-11-02', 'b', 0.25e0, 3.75, timestamp '2018-11-02 12:30:00')) t(k, v, d, s, x, c, at)";

fn shown(project: &Project, sql: &str) -> String {
    let output = project.run(&["show", "--limit", "-1", "--output", "json", "--inline", sql]);
    assert_eq!(output.code, Some(0), "{sql}\n{}{}", output.stdout, output.stderr);
    output.stdout
}

#[test]
fn what_compiles_is_built_with_the_rows_that_the_query_shows() {
    let project = Project::new();
    let mut queries: Vec<String> =
        SHAPES.iter().map(|shape| format!("select k, {shape} as r from t")).collect();
    queries.extend(QUERIES.map(str::to_owned));
    let over_t = |query: &String| match query.strip_prefix("with ") {
        Some(rest) => format!("with t as ({T}), {rest}"),
        None => format!("with t as ({T}) {query}"),
    };
    let queries: Vec<String> = queries.iter().map(over_t).collect();
    for (number, sql) in queries.iter().enumerate() {
        project.model(&format!("m{number}"), &format!("{{{{ config(materialized='table') }}}}\n{sql}"));
        project.model(&format!("v{number}"), sql);
        project.model(
            &format!("w{number}"),
            &format!("{{{{ config(materialized='table') }}}}\nselect k, r from {{{{ ref('v{number}') }}}}"),
        );
    }
    project.succeed(&["compile"]);
    project.succeed(&["run"]);
    let rows = |from: &str| -> Vec<String> {
        let shown: serde_json::Value =
            serde_json::from_str(&shown(&project, &format!("select k, r from ({from})"))).unwrap();
        let mut rows: Vec<String> = shown.as_array().unwrap().iter().map(ToString::to_string).collect();
        rows.sort_unstable();
        rows
    };
    let all = |table: &dyn Fn(usize, &str) -> String| -> Vec<Vec<String>> {
        queries.iter().enumerate().map(|(number, sql)| rows(&table(number, sql))).collect()
    };
    let inline = all(&|_, sql| sql.to_owned());
    let stored = all(&|number, _| format!("select * from {{{{ ref('m{number}') }}}}"));
    let through_view = all(&|number, _| format!("select * from {{{{ ref('w{number}') }}}}"));
    for (number, sql) in queries.iter().enumerate() {
        assert_eq!(stored[number], inline[number], "{sql}");
        assert_eq!(through_view[number], inline[number], "{sql}");
    }
}

/// Expressions over the columns of a source of which the values name partitions.
const PARTITIONS: [&str; 24] = [
    "arrow_cast(event_date, 'Date64')",
    "cast(event_date as timestamp)",
    "arrow_cast(ts, 'Timestamp(Millisecond, None)')",
    "arrow_cast(ts * 1000000 + 123, 'Timestamp(Nanosecond, None)')",
    "arrow_cast(ts, 'Timestamp(Millisecond, Some(\"UTC\"))')",
    "arrow_cast(ts / 1000, 'Timestamp(Second, None)')",
    "arrow_cast(user_id, 'UInt64')",
    "arrow_cast(user_id, 'UInt8')",
    "arrow_cast(user_id, 'Int8')",
    "arrow_cast(user_id, 'Float32')",
    "case when user_id = 1 then 0.0 when user_id = 2 then -0.0 else 'NaN' end",
    "case when user_id = 1 then cast(0.0 as double) when user_id = 2 then cast('-0' as double) else cast('NaN' as double) end",
    "cast(user_id as decimal(10, 3))",
    "user_id = 1",
    "arrow_cast(song, 'Dictionary(Int32, Utf8)')",
    "arrow_cast(song, 'LargeUtf8')",
    "case when user_id = 1 then 1 else 2.5 end",
    "case when user_id = 1 then event_date else timestamp '2018-11-05 10:00:00' end",
    "coalesce(nullif(song, 'one'), null)",
    "event_date + interval '1 day'",
    "event_date + interval '6 hours'",
    "cast(arrow_cast(ts, 'Timestamp(Millisecond, None)') as time)",
    "date_trunc('month', event_date)",
    "to_char(event_date, '%Y/%m')",
];

#[test]
fn whatever_names_a_partition_is_found_again() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "one"), (1_500, 2, "two"), (DAY, 1, "three"), (DAY + 7, 3, "")]);
    for (number, shape) in PARTITIONS.iter().enumerate() {
        project.model(
            &format!("p{number}"),
            &format!(
                "{{{{ config(materialized='incremental', partition_by=['p']) }}}}\n\
                 select user_id, {shape} as p from {{{{ source('events', 'listens') }}}}"
            ),
        );
    }
    project.succeed(&["run"]);
    project.listens("2.json", &[(DAY, 2, "four"), (2 * DAY + 40_000_000, 3, "five")]);
    project.succeed(&["run"]);
    for (number, shape) in PARTITIONS.iter().enumerate() {
        let inline = format!("select user_id, {shape} as p from {{{{ source('events', 'listens') }}}}");
        let counted = |from: &str| {
            shown(
                &project,
                &format!(
                    "select user_id, count(*) as n, count(distinct p) as p from ({from}) group by user_id order by user_id"
                ),
            )
        };
        let stored = counted(&format!("select * from {{{{ ref('p{number}') }}}}"));
        assert_eq!(stored, counted(&inline), "{shape}");
    }
}

#[test]
fn what_cannot_name_a_partition_is_refused_before_the_run() {
    for (shape, is) in [
        ("arrow_cast(song, 'Binary')", "bytea"),
        ("[user_id]", "bigint[]"),
        ("struct(user_id, song)", "Struct"),
        ("event_date - date '2018-01-01'", ""),
    ] {
        let project = Project::with_listens();
        project.model(
            "p",
            &format!(
                "{{{{ config(materialized='incremental', partition_by=['p']) }}}}\n\
                 select user_id, {shape} as p from {{{{ source('events', 'listens') }}}}"
            ),
        );
        let output = project.run(&["compile"]);
        assert!(
            output.code == Some(0) && is.is_empty() || output.stderr.contains(is),
            "{shape}: {}",
            output.stderr
        );
        assert!(is.is_empty() || output.stderr.contains("cannot name"), "{shape}: {}", output.stderr);
    }
}

#[test]
fn what_cannot_be_executed_is_refused_before_the_run_at_its_place() {
    let project = Project::with_listens();
    project.model(
        "best",
        "select user_id,\n  (select max(b.seconds) from {{ source('events', 'listens') }} b where b.ts < a.ts) as best\n\
         from {{ source('events', 'listens') }} a",
    );
    project.file(
        "tests/none.sql",
        "select a.song from {{ source('events', 'listens') }} a left join {{ source('events', 'listens') }} b\n\
         on a.ts = b.ts and exists (select 1 from {{ source('events', 'listens') }} c where c.user_id = b.user_id)",
    );
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("models/best.sql:2:"), "{said}");
    assert!(said.contains("tests/none.sql:2:"), "{said}");
    assert!(said.contains("this subquery cannot be executed"), "{said}");
}
