//! SQL as people write it for DuckDB and Snowflake: names in any case, aliases that are used beside where they are given, and texts
//! beside days.

use serde_json::json;

use crate::project::Project;

fn project() -> Project {
    let project = Project::new();
    project.file("seeds/s.csv", "Id,lastName,d,n\n1,Ann,2024-01-02,1.5\n2,Bo,2024-01-05,2\n");
    project.file("seeds/t.csv", "ID,size\n1,10\n2,20\n");
    project
}

#[test]
fn a_column_is_found_by_its_name_in_any_case() {
    let project = project();
    project
        .model("a", "select s.Id, s.LASTNAME as name, t.size from {{ ref('s') }} s join {{ ref('t') }} t on s.id = t.id where lastname <> 'Bo'")
        .model("b", "with c as (select * from {{ ref('s') }}) select count(LastName) as n from c group by ID having max(id) > 1 order by iD")
        .model("c", "{{ config(materialized='table') }} select id from {{ ref('s') }} where exists (select 1 from {{ ref('t') }} t where T.id = 2) order by id");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select * from main.a"), json!([{"Id": 1, "name": "Ann", "size": 10}]));
    assert_eq!(project.rows("select * from main.b"), json!([{"n": 1}]));
    assert_eq!(project.rows("select * from main.c order by id"), json!([{"Id": 1}, {"Id": 2}]));
    project.file("seeds/u.csv", "aB,Ab\n1,2\n").model("d", "select ab from {{ ref('u') }}");
    assert!(project.fail(2, &["compile"]).contains("there is no column `ab` here"));
}

#[test]
fn an_alias_stands_for_its_expression_beside_where_it_is_given() {
    let project = project();
    project
        .model("a", "select n * 2 as x, x + 1 as y, y as z from {{ ref('s') }} where x > 3")
        .model("b", "select n + 1 as n, n * 10 as m from {{ ref('s') }}")
        .model(
            "c",
            "select d as day, row_number() over (order by day desc) as at from {{ ref('s') }} qualify at = 1",
        );
    project.succeed(&["build"]);
    assert_eq!(project.rows("select x, y, z from main.a"), json!([{"x": 4.0, "y": 5.0, "z": 5.0}]));
    let of_column = json!([{"n": 2.5, "m": 15.0}, {"n": 3.0, "m": 20.0}]);
    assert_eq!(project.rows("select * from main.b order by 1"), of_column, "a column goes before an alias");
    assert_eq!(project.rows("select * from main.c"), json!([{"day": "2024-01-05", "at": 1}]));
    project.model("d", "select random() as r, r as q from {{ ref('s') }}");
    assert!(project.fail(2, &["compile"]).contains("there is no column `r` here"), "it would be drawn twice");
}

#[test]
fn a_text_beside_a_day_is_one() {
    let project = project();
    project.model("at", "select cast('2021-01-01 10:30' as timestamp) as t");
    project.model("a", "select coalesce(max(d), '1900-01-01') as a, coalesce(max(case when n > 9 then d end), '1900-01-01') as b from {{ ref('s') }}");
    project.succeed(&["build"]);
    assert_eq!(
        project.rows("select a, b, arrow_typeof(a) as t from main.a"),
        json!([{"a": "2024-01-05", "b": "1900-01-01", "t": "Date32"}])
    );
    assert_eq!(project.rows("select * from main.at"), json!([{"t": "2021-01-01T10:30:00"}]));
}
