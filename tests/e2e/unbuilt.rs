//! What does not compile, and what mep has no way to build: it fails by itself, what reads it is skipped, and all else is built.

use serde_json::json;

use crate::project::Project;

const COUNTS: &str = "{{ config(materialized='table') }} select song, n from {{ ref('plays') }}";

#[test]
fn a_model_that_does_not_compile_keeps_its_table_and_is_built_once_it_does() {
    let project = Project::new();
    project.file("seeds/plays.csv", "song,n\na,1\n");
    project.model("counts", COUNTS);
    project.model("top", "{{ config(materialized='table') }} select max(n) as n from {{ ref('counts') }}");
    project.model("plain", "{{ config(materialized='table') }} select count(*) as n from {{ ref('plays') }}");
    project.succeed(&["build"]);
    project.file("seeds/plays.csv", "song,n\na,1\nb,2\n");
    project.model("counts", &COUNTS.replace("n from", "plays as n from"));
    let kept = ["warehouse/main/counts", "warehouse/main/top"].map(|table| project.listing(table));
    let plan = project.run(&["plan"]);
    insta::assert_snapshot!(plan.stdout, @r"
    load   seed plays               file changed
    build  table plain   all of it  plays changed [reads 2 rows, [size]]
    error  table counts             there is no column `plays` here (models/counts.sql:1)
    skip   table top                because of counts
    2 steps, 1 in error, 1 skipped
    ");
    assert_eq!(plan.code, Some(2));
    let planned =
        serde_json::from_str::<serde_json::Value>(&project.run(&["plan", "--output", "json"]).stdout);
    let planned = planned.unwrap();
    let step = planned["steps"].as_array().unwrap().iter().find(|step| step["name"] == "counts").unwrap();
    assert_eq!(step["action"], "error");
    insta::assert_snapshot!(project.fail(2, &["build"]), @r"
       error  table counts  [time]
     skipped  table top  (because of counts)
        plan  1 seed, 1 table
       start  seed plays
          ok  seed plays  2 rows, [size], [time]  (file changed)
       start  table plain
          ok  table plain  1 row, [size], [time]  (plays changed)

    what failed:
      table counts
          error: there is no column `plays` here
           ╭─[models/counts.sql:1:49]
         1 │ {{ config(materialized='table') }} select song, plays as n from {{ ref('plays') }}
           ·                                                 ─────
           ╰────
          help: the columns are song, n

    failed in [time]: 2 built, 1 in error, 1 skipped
    ");
    assert_eq!(kept, ["warehouse/main/counts", "warehouse/main/top"].map(|table| project.listing(table)));
    assert_eq!(project.rows("select n from main.plain"), json!([{"n": 2}]));
    let results = project.results();
    let result =
        results.as_array().unwrap().iter().find(|result| result["unique_id"] == "model.songs.counts");
    insta::assert_snapshot!(result.unwrap()["message"].as_str().unwrap(), @"models/counts.sql:1:49: there is no column `plays` here; the columns are song, n");
    // It is known to be stale, and so is what reads it.
    project.model("counts", COUNTS);
    assert_eq!(project.plan(), ["counts: build: plays changed", "top: build: counts changed"]);
    project.succeed(&["retry"]);
    assert_eq!(project.rows("select n from main.top"), json!([{"n": 2}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_broken_model_that_is_not_selected_is_no_error_and_failing_fast_begins_nothing() {
    let project = Project::new();
    project.model("good", "{{ config(materialized='table') }} select 1 as x");
    project.model("bad", "select {% if %} from {{ ref('good') }}");
    project.model("above", "{{ config(materialized='table') }} select y from {{ ref('good') }}");
    project.model("below", "select y from {{ ref('above') }}");
    project.succeed(&["compile", "--select", "good"]);
    insta::assert_snapshot!(project.fail(2, &["run", "--fail-fast"]), @r"
       error  view bad  [time]
       error  table above  [time]
     skipped  view below  (because of above)
     skipped  table good  (the run was ended after a failure)

    what failed:
      view bad
          error: syntax error: unexpected end of block
           ╭─[models/bad.sql:1:14]
         1 │ select {% if %} from {{ ref('good') }}
           ·              ──
           ╰────
          help: close the block: {% end... %}

      table above
          error: there is no column `y` here
           ╭─[models/above.sql:1:43]
         1 │ {{ config(materialized='table') }} select y from {{ ref('good') }}
           ·                                           ─
           ╰────
          help: the columns are x

    failed in [time]: 2 in error, 2 skipped
    ");
    project.succeed(&["run", "--select", "good"]);
    assert_eq!(project.rows("select x from {{ ref('good') }}"), json!([{"x": 1}]));
    insta::assert_snapshot!(project.fail(2, &["run", "--select", "below"]), @r"
       error  table above  [time]
     skipped  view below  (because of above)

    what failed:
      table above
          error: there is no column `y` here
           ╭─[models/above.sql:1:43]
         1 │ {{ config(materialized='table') }} select y from {{ ref('good') }}
           ·                                           ─
           ╰────
          help: the columns are x

    failed in [time]: 1 in error, 1 skipped
    ");
    // What looks at all of a project says all that is wrong with it.
    project.fail(2, &["parse"]);
    project.fail(2, &["ls"]);
}

#[test]
fn what_mep_refuses_keeps_only_what_reads_it_from_being_built() {
    let project = Project::new();
    project.model("a", "{{ config(materialized='materialized_view') }} select 1 as x, null as y");
    project.file("models/p.py", "def model(dbt, session):\n    return dbt.ref('a')\n");
    project.model("q", "select * from {{ ref('p') }}");
    project.model("m", "{{ config(materialized='kept') }} select * from {{ ref('a') }}");
    project.file(
        "macros/kept.sql",
        "{% materialization kept, default %}{{ nothing() }}{% endmaterialization %}",
    );
    insta::assert_snapshot!(project.fail(2, &["build"]), @r"
     WARN models/a.sql:1: `materialized_view` is built as a table: its rows are those of its SELECT when a run built it
       error  view m  [time]
       error  table p  [time]
     skipped  view q  (because of p)
        plan  1 table
       start  table a
          ok  table a  1 row, [size], [time]  (first run)

    what failed:
      view m
          error: `materialized` is `kept`, and mep makes relations in ways of its own alone
           ╭─[models/m.sql:1:11]
         1 │ {{ config(materialized='kept') }} select * from {{ ref('a') }}
           ·           ────────────
           ╰────
          help: write one of view, table, incremental, ephemeral, streaming, history

      table p
          error: a model in Python is not supported by mep
           ╭─[models/p.py:1:1]
         1 │ def model(dbt, session):
           · ▲
         2 │     return dbt.ref('a')
           ╰────
          help: write it as a SELECT, or leave it and what reads it to dbt

    failed in [time]: 1 built, 2 in error, 1 skipped
    ");
    assert_eq!(project.rows("select * from main.a"), serde_json::json!([{"x": 1, "y": null}]));
    project.succeed(&["build", "--exclude", "p+", "m"]);
    project.fail(2, &["compile"]);
}
