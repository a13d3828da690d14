//! What mep has no way to build: it fails by itself, what reads it is skipped, and all else is built.

use crate::project::Project;

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
    insta::assert_snapshot!(project.fail(1, &["build"]), @r"
     WARN models/a.sql:1: `materialized_view` is built as a table: its rows are those of its SELECT when a run built it
       error  view m  [time]
       error  table p  [time]
     skipped  view q  (because of p)
        plan  1 table
       start  table a
          ok  table a  1 row, [size], [time]  (first run)

    what failed:
      view m
          `materialized` is `kept`, and mep makes relations in ways of its own alone (models/m.sql:1)
      table p
          a model in Python is not supported by mep (models/p.py:1)
    failed in [time]: 1 built, 2 in error, 1 skipped
    ");
    assert_eq!(project.rows("select * from main.a"), serde_json::json!([{"x": 1, "y": null}]));
    project.succeed(&["build", "--exclude", "p+", "m"]);
    project.fail(2, &["compile"]);
}
