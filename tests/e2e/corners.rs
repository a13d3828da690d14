//! Names, places and numbers at the edge of what is allowed.

use std::fs;

use serde_json::json;

use crate::project::{DAY, Project};

const LISTENS: &str = "{{ source('events', 'listens') }}";

#[test]
fn names_of_files_may_hold_anything() {
    let project = Project::with_listens();
    for (number, name) in (0_i64..).zip([
        "a b.json",
        "50%.json",
        "a%20b.json",
        "x=y&z.json",
        "#1?.json",
        "ü [1].json",
        "it's \"q\".json",
    ]) {
        project.listens(name, &[(number, number, name)]);
    }
    project.model("plays", &format!("{{{{ config(materialized='incremental', partition_by='batch') }}}} select song, batch from {LISTENS}"));
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select count(*) as n from main.plays where batch = 'listens/' || song"),
        json!([{"n": 7}])
    );
    assert_eq!(project.plan(), [""; 0]);
    project.listens("a%20b.json", &[(1, 1, "x")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select batch from main.plays where song = 'x'"),
        json!([{"batch": "listens/a%20b.json"}])
    );
}

#[test]
fn a_project_may_lie_in_a_folder_of_any_name() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a")]);
    project.model("plays", &format!("{{{{ config(materialized='table') }}}} select song from {LISTENS}"));
    let profiles = fs::read_to_string(project.path("profiles.yml")).unwrap();
    project.file("profiles.yml", profiles.replace("path: warehouse", "path: \"ware house%20 é#1\""));
    project.succeed(&["build"]);
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(project.rows("select song from main.plays"), json!([{"song": "a"}]));
}

#[test]
fn names_of_ephemeral_models_keep_their_capitals() {
    let project = Project::new();
    project.model("Inner", "{{ config(materialized='ephemeral') }} select 1 as x");
    project.model("outer", "{{ config(materialized='table') }} select x from {{ ref('Inner') }}");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select x from {{ ref('outer') }}"), json!([{"x": 1}]));
    assert_eq!(project.rows("select x from {{ ref('Inner') }}"), json!([{"x": 1}]));
}

#[test]
fn an_ephemeral_model_that_begins_with_a_cte_can_be_read_by_one_that_does() {
    let project = Project::new();
    project.model("base", "{{ config(materialized='ephemeral') }} with t as (select 1 as x) select x from t");
    project.model("above", "{{ config(materialized='ephemeral') }} with t as (select x + 1 as x from {{ ref('base') }}) select x from t");
    project.model("top", "{{ config(materialized='table') }} with t as (select x + 1 as x from {{ ref('above') }}) select t.x, b.x as y from t cross join {{ ref('base') }} b");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select x, y from main.top"), json!([{"x": 3, "y": 1}]));
}

#[test]
fn a_source_without_an_event_time_lands_by_file() {
    let project = Project::with_listens();
    let sources = fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file("sources.yml", sources.replace("        event_time: ts\n", "        land_as: listened\n"));
    project.listens("1.json", &[(0, 1, "a")]);
    project.model("plays", &format!("{{{{ config(materialized='table') }}}} select song from {LISTENS}"));
    project.succeed(&["run"]);
    project.listens("1.json", &[(0, 1, "b")]);
    project.listens("2.json", &[(0, 1, "c")]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select song from main.plays order by 1"), json!([{"song": "b"}, {"song": "c"}]));
    assert_eq!(project.rows("select count(*) as n from main.listened"), json!([{"n": 2}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_schema_and_an_alias_of_ones_own_are_used() {
    let project = Project::new();
    project.model("one", "{{ config(materialized='table', schema='extra', alias='first') }} select 1 as x");
    project.model(
        "two",
        "{{ config(materialized='table') }} select x, '{{ ref('one') }}' as name from {{ ref('one') }}",
    );
    project.succeed(&["run"]);
    assert_eq!(project.rows("select x, name from main.two"), json!([{"x": 1, "name": "main_extra.first"}]));
    assert!(project.path("warehouse/main_extra/first/manifest.json").exists());
}

#[test]
fn hundreds_of_partitions_are_built_and_pruned() {
    let project = Project::new();
    project.model(
        "numbers",
        "{{ config(materialized='table', partition_by='n') }} select generate_series as n, generate_series % 3 as x from generate_series(1, 300)",
    );
    project.model("below", "{{ config(materialized='incremental', partition_by='n') }} select n, sum(x) as x from {{ ref('numbers') }} group by n");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select count(*) as rows, count(distinct n) as n, sum(x) as x from main.below"),
        json!([{"rows": 300, "n": 300, "x": 300}])
    );
    assert_eq!(project.rows("select x from main.below where n = 299"), json!([{"x": 2}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn what_depends_on_the_time_through_a_view_is_built_on_every_run() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b")]);
    project
        .model("recent", &format!("select *, now() as seen from {LISTENS} where event_date <= current_date"));
    project
        .model("counts", "{{ config(materialized='table') }} select count(*) as n from {{ ref('recent') }}");
    project.model("days", "{{ config(materialized='incremental', partition_by='event_date') }} select event_date, count(*) as n from {{ ref('recent') }} group by 1");
    project.succeed(&["run"]);
    let mut plan = project.plan();
    plan.sort();
    assert_eq!(
        plan,
        ["counts: build: depends on the time of the run", "days: build: depends on the time of the run"]
    );
}

#[test]
fn a_merge_without_a_key_appends_as_in_dbt() {
    for strategy in ["merge", "delete+insert"] {
        let project = Project::with_listens();
        project.listens("1.json", &[(0, 1, "a")]);
        project.model(
            "kept",
            &format!(
                "{{{{ config(materialized='incremental', incremental_strategy='{strategy}') }}}}
                select song from {LISTENS} {{% if is_incremental() %}} where ts > 0 {{% endif %}}"
            ),
        );
        project.succeed(&["run"]);
        project.succeed(&["run"]);
        assert_eq!(project.rows("select song from main.kept"), json!([{"song": "a"}, {"song": "a"}]));
    }
}

#[test]
fn a_derived_model_over_kept_increments_follows_them() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a")]);
    project.model(
        "kept",
        &format!(
            "{{{{ config(materialized='incremental', partition_by='event_date', incremental_strategy='append') }}}}
            select song, ts, event_date from {LISTENS}
            {{% if is_incremental() %}} where ts > (select max(ts) from {{{{ this }}}}) {{% endif %}}"
        ),
    );
    project.model("days", "{{ config(materialized='incremental', partition_by='event_date') }} select event_date, count(*) as n from {{ ref('kept') }} group by 1");
    project.succeed(&["run"]);
    project.listens("2.json", &[(1, 1, "b"), (DAY, 1, "c")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select event_date, n from main.days order by 1"),
        json!([{"event_date": "2018-11-01", "n": 2}, {"event_date": "2018-11-02", "n": 1}])
    );
    assert_eq!(
        project.plan(),
        [
            "kept: increment: it keeps its own increments",
            "days: build: the content of an input is known only once it is built"
        ]
    );
    assert!(project.succeed(&["run"]).contains("current  incremental days"));
}

#[test]
fn two_partition_columns_of_two_inputs_are_told_apart() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.model("users", &format!("{{{{ config(materialized='incremental', partition_by=['event_date', 'user_id']) }}}} select event_date, user_id, count(*) as n from {LISTENS} group by 1, 2"));
    project.model("pairs", "{{ config(materialized='incremental', partition_by=['user_id', 'event_date']) }} select a.user_id, b.event_date, a.n + b.n as n from {{ ref('users') }} a cross join {{ ref('users') }} b");
    project.succeed(&["run"]);
    project.listens("2.json", &[(DAY + 1, 2, "c")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select user_id, event_date, n from main.pairs order by 1, 2"),
        json!([
            {"user_id": 1, "event_date": "2018-11-01", "n": 2}, {"user_id": 1, "event_date": "2018-11-02", "n": 3},
            {"user_id": 2, "event_date": "2018-11-01", "n": 3}, {"user_id": 2, "event_date": "2018-11-02", "n": 4}
        ])
    );
}

#[test]
fn rare_types_are_stored_and_read_or_refused_before_anything_is_published() {
    let project = Project::new();
    project.model(
        "one",
        "{{ config(materialized='table') }}
        select cast('2018-11-01T10:00:00Z' as timestamp with time zone) as instant, cast('10:11:12' as time) as clock,
            named_struct('a', 1, 'b', [named_struct('c', 'x')]) as nested, make_array(make_array(1), [2, 3]) as lists,
            arrow_cast('x', 'Dictionary(Int32, Utf8)') as word, arrow_cast(7, 'UInt8') as small,
            arrow_cast(1.5, 'Decimal256(50, 2)') as wide, arrow_cast('2018-11-01', 'Date64') as day,
            arrow_cast(to_timestamp('2018-11-01T10:00:00'), 'Timestamp(Second, None)') as second,
            cast('x' as bytea) as bytes, map(['a'], [1]) as keyed",
    );
    project.model("two", "{{ config(materialized='table') }} select * from {{ ref('one') }}");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select * from main.two"),
        json!([{"instant": "2018-11-01T10:00:00", "clock": "10:11:12", "nested": {"a": 1, "b": [{"c": "x"}]},
            "lists": [[1], [2, 3]], "word": "x", "small": 7, "wide": 1.5, "day": "2018-11-01",
            "second": "2018-11-01T10:00:00", "bytes": "78", "keyed": {"a": 1}}])
    );
    assert_eq!(project.plan(), [""; 0]);
    project.model("two", "{{ config(materialized='table') }} select interval '3 days' as x");
    let said = project.fail(2, &["run"]);
    assert!(said.contains("column `x` is an interval"), "{said}");
    assert_eq!(project.rows("select count(clock) as n from main.two"), json!([{"n": 1}]));
}

#[test]
fn a_chain_of_thousands_of_terms_is_built_and_one_that_cannot_be_grouped_is_refused_at_its_place() {
    let project = Project::new();
    let any = (0..3000).map(|number| format!("x = {number}")).collect::<Vec<_>>().join(" or ");
    let all = (0..300).map(|number| format!("x <> {}", -number - 1)).collect::<Vec<_>>().join(" and ");
    let sum = vec!["x"; 3000].join(" + ");
    let union =
        (0..100).map(|number| format!("select {number} as x")).collect::<Vec<_>>().join(" union all ");
    project.model("numbers", &format!("{{{{ config(materialized='table') }}}} {union}"));
    project.model(
        "sums",
        &format!(
            "{{{{ config(materialized='table') }}}} select {sum} as s from {{{{ ref('numbers') }}}} where ({any}) and {all}"
        ),
    );
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select count(*) as n, sum(s) as s from main.sums"),
        json!([{"n": 100, "s": 3000 * (99 * 100 / 2)}])
    );
    project.model("sums", &format!("select 1 as a,\n  {} as b", vec!["1"; 600].join(" - ")));
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("nested more than 500 levels deep") && said.contains("sums.sql:2:3"), "{said}");
    project.model("sums", &format!("select {}1{} as b", "(".repeat(600), ")".repeat(600)));
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("nested more than 256 levels deep"), "{said}");
}

#[test]
fn views_may_stack_deep_and_what_would_read_them_in_too_many_ways_is_refused() {
    let project = Project::new();
    project.model("m0", "{{ config(materialized='table') }} select 1 as id, 2 as v");
    project.model("m1", "select id, v + 1 as v from {{ ref('m0') }}");
    for number in 2..60 {
        let (one, two) = (number - 1, number - 2);
        project.model(
            &format!("m{number}"),
            &format!("select a.id, a.v + b.v as v from {{{{ ref('m{one}') }}}} a join {{{{ ref('m{two}') }}}} b on a.id = b.id"),
        );
    }
    project.succeed(&["run"]);
    assert_eq!(project.rows("select v from {{ ref('m9') }}"), json!([{"v": 144}]));
    project.model("last", "{{ config(materialized='table') }} select * from {{ ref('m59') }}");
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("nodes; at most 20000 can be") && said.contains("last.sql"), "{said}");
    assert!(said.contains("one of the views that several ways lead through"), "{said}");
    let many: Vec<String> = (0..8_000).map(|n| format!("select {n} as n")).collect();
    project.model("last", &format!("{{{{ config(materialized='table') }}}} {}", many.join(" union all ")));
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("error: the plan has") && said.contains("as a seed or as VALUES"), "{said}");
}

#[test]
fn none_is_a_default_and_a_width_that_no_machine_has_is_refused_at_its_place() {
    let project = Project::new();
    project.model("a", "select '{{ var('name', none) }}' as name, '{{ var('other', '') }}' as other");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select name, other from main.a"), json!([{"name": "None", "other": ""}]));
    project.model("a", "select '{{ 'x' | indent(1000000000000000, true) }}' as name");
    let said = project.fail(2, &["compile"]);
    assert!(said.contains("expected widths of at most") && said.contains("a.sql:1:"), "{said}");
}

#[test]
fn views_that_each_join_the_two_before_are_compiled_in_a_moment() {
    let project = Project::new();
    project.model("v0", "{{ config(materialized='table') }} select 1 as id, 2 as v");
    project.model("v1", "select id, v + 1 as v from {{ ref('v0') }}");
    for number in 2..40 {
        let sql = format!(
            "select a.id, a.v - b.v as v from {{{{ ref('v{}') }}}} a join {{{{ ref('v{}') }}}} b on a.id = b.id",
            number - 1,
            number - 2
        );
        project.model(&format!("v{number}"), &sql);
    }
    let began = std::time::Instant::now();
    project.succeed(&["compile"]);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn what_no_model_reads_is_left_as_it_is_and_overridden_names_and_capitals_mean_what_they_mean() {
    let project = Project::new();
    project.file(
        "dbt_project.yml",
        "name: songs\nprofile: songs\nvars:\n  until: \"{{ no_such_function() }}\"\n",
    );
    project.file("sources.yml", "sources:\n  - name: raw\n    tables:\n      - name: never_read\n");
    project.file("seeds/given.csv", "v\n7\n");
    project.file(
        "macros/names.sql",
        "{% macro ref(name) %}{{ return(builtins.ref('b')) }}{% endmacro %}\n\
         {% macro source(name, table) %}{{ return(builtins.ref(table)) }}{% endmacro %}",
    );
    project.model("a", "select 1 as v").model("b", "select 2 as v");
    project.model("m", "select v from {{ ref('a') }} union all select v from {{ source('x', 'given') }}");
    project.model("n", "select count(*) as n from GENERATE_SERIES(1, 3)");
    project.succeed(&["build"]);
    assert_eq!(project.rows("select v from main.m order by v"), json!([{"v": 2}, {"v": 7}]));
    assert_eq!(project.rows("select n from main.n"), json!([{"n": 3}]));
}
