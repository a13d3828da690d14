use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::*;
use crate::scope::DeclaredTable;

fn fields() -> Vec<Field> {
    vec![
        Field::new("ts", DataType::Int64, true),
        Field::new("song", DataType::Utf8View, true),
        Field::new("userId", DataType::Int64, true),
        Field::new("duration", DataType::Float64, true),
        Field::new("event_date", DataType::Date32, true),
    ]
}

fn scope() -> Scope {
    let scope = Scope::for_planning();
    let mut raw = fields();
    raw.push(Field::new("batch", DataType::Utf8View, true));
    let table = DeclaredTable::new(Arc::new(Schema::new(raw)), vec!["event_date".into(), "batch".into()]);
    scope.register(&Relation::new("m", "raw"), Arc::new(table)).unwrap();
    let songs = Schema::new(vec![
        Field::new("title", DataType::Utf8View, true),
        Field::new("genre", DataType::Utf8View, true),
    ]);
    scope
        .register(&Relation::new("m", "songs"), Arc::new(DeclaredTable::new(Arc::new(songs), Vec::new())))
        .unwrap();
    let sql = r#"select to_timestamp_millis(ts) as ts, song as title, "userId" as user_id, duration, event_date from m.raw"#;
    let plan = scope.plan(sql).unwrap();
    scope.register_view(&Relation::new("m", "stg"), plan).unwrap();
    scope
}

fn of(sql: &str) -> Result<StreamQuery, Refusal> {
    let scope = scope();
    let relation = Relation::new("m", "raw");
    let stream =
        StreamInput { relation: &relation, schema: Arc::new(Schema::new(fields())), event_time: Some("ts") };
    StreamQuery::of(&scope, &scope.plan(sql).unwrap(), &stream)
}

/// What a model that is accepted consists of.
fn shape(sql: &str) -> String {
    let query = of(sql).unwrap();
    let columns: Vec<String> = query
        .columns
        .iter()
        .map(|column| match (column.group, column.is_of_group) {
            (Some(group), _) => format!("{}=g{group}", column.name),
            (None, true) => format!("{}~", column.name),
            (None, false) => column.name.clone(),
        })
        .collect();
    let window = query.windowed.as_ref().map_or_else(String::new, |windowed| {
        let having = if windowed.has_filter { " having" } else { "" };
        format!(" | {} ms by g{}{having}", windowed.window.length, windowed.window.group)
    });
    let tables: Vec<String> = query.tables.iter().map(ToString::to_string).collect();
    format!("{}{window} | {}", columns.join(", "), tables.join(", "))
}

fn refused(sql: &str) -> String {
    let refusal = of(sql).unwrap_err();
    let place = refusal.range(sql).map_or("nowhere", |range| &sql[range]);
    format!("{place}: {}\n  {}", refusal.reason, refusal.help.as_deref().unwrap_or("-"))
}

#[test]
fn a_count_by_minute_through_a_view() {
    insta::assert_snapshot!(
        shape("select date_trunc('minute', ts) as minute, title, count(*) as n from m.stg group by 1, 2"),
        @"minute=g0, title=g1, n | 60000 ms by g0 | "
    );
}

#[test]
fn filters_expressions_joins_and_having() {
    let sql = "with plays as (
        select s.*, tumble(ts, interval '5 minutes') as start from m.stg s where duration > 10
    )
    select cast(start as date) as day, start, g.genre, count(distinct user_id) as users, avg(duration) as mean
    from plays left join m.songs g on g.title = plays.title
    group by start, g.genre having count(*) > 2";
    insta::assert_snapshot!(shape(sql), @"day~, start=g0, genre=g1, users, mean | 300000 ms by g0 having | m.songs");
}

#[test]
fn rows_without_groups() {
    insta::assert_snapshot!(
        shape("select ts, user_id from m.stg where title is not null"),
        @"ts~, user_id~ |"
    );
}

#[test]
fn the_shortest_of_several_windows_decides() {
    insta::assert_snapshot!(
        shape("select date_trunc('day', ts) as day, date_trunc('minute', ts) as minute, count(*) from m.stg group by 1, 2"),
        @"day=g0, minute=g1, count(*) | 60000 ms by g1 |"
    );
}

#[test]
fn what_cannot_be_kept_is_refused_with_its_reason_and_its_place() {
    let window = "date_trunc('minute', ts)";
    let all = [
        "select title, count(*) from m.stg group by title".to_owned(),
        format!("select {window} as m, count(*) from m.stg group by 1 order by 2"),
        format!("select {window} as m, count(*) from m.stg group by 1 limit 3"),
        "select distinct title from m.stg".to_owned(),
        "select title, row_number() over (partition by title order by ts) from m.stg".to_owned(),
        "select title from m.stg union all select title from m.stg".to_owned(),
        format!(
            "select m, max(n) from (select {window} as m, title, count(*) as n from m.stg group by 1, 2) group by m"
        ),
        format!("select {window} as m, median(duration) from m.stg group by 1"),
        format!("select {window} as m, sum(distinct duration) from m.stg group by 1"),
        "select date_trunc('month', ts) as m, count(*) from m.stg group by 1".to_owned(),
        "select tumble(ts, interval '1 month') as m, count(*) from m.stg group by 1".to_owned(),
        "select date_trunc('minute', to_timestamp_seconds(ts)) as m, count(*) from m.raw group by 1"
            .to_owned(),
        "select g.title, s.ts from m.songs g left join m.stg s on s.title = g.title".to_owned(),
        "select a.title from m.stg a join m.stg b on a.user_id = b.user_id".to_owned(),
        "select title from m.stg where duration > (select avg(duration) from m.stg)".to_owned(),
        "select title, now() as seen from m.stg".to_owned(),
        "select song, batch from m.raw".to_owned(),
    ];
    let all: Vec<String> = all.iter().map(|sql| refused(sql)).collect();
    insta::assert_snapshot!(all.join("\n"));
}
