//! Models that keep their own increments with `is_incremental()`, as dbt runs them.

use serde_json::json;

use crate::project::{DAY, Project};

/// A model over the listens that are newer than what it holds, with this config and these columns.
fn newer(config: &str, columns: &str) -> String {
    format!(
        "{{{{ config(materialized='incremental', {config}) }}}}
        select {columns} from {{{{ source('events', 'listens') }}}}
        {{% if is_incremental() %}} where ts > (select max(ts) from {{{{ this }}}}) {{% endif %}}"
    )
}

const LATEST: &str = "nullif(song, '') as song, user_id, ts";

fn built(config: &str) -> Project {
    let project = Project::with_listens();
    project.model("kept", &newer(config, LATEST));
    project.listens("1.json", &[(0, 1, "a"), (1, 1, ""), (2, 1, "b")]);
    project.succeed(&["run"]);
    project
}

#[test]
fn append_adds_the_new_rows_and_looks_at_no_key() {
    let project = built("incremental_strategy='append'");
    project.listens("2.json", &[(10, 2, "a"), (-5, 2, "late")]);
    assert_eq!(project.plan()[1], "kept: increment: it keeps its own increments");
    project.succeed(&["run"]);
    let rows = project.rows("select song, user_id from main.kept order by ts");
    assert_eq!(
        rows,
        json!([{"song": "a", "user_id": 1}, {"song": null, "user_id": 1}, {"song": "b", "user_id": 1},
            {"song": "a", "user_id": 2}])
    );
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 5}]));
}

#[test]
fn merge_replaces_the_rows_of_the_same_key_and_null_is_a_key() {
    let project = built("unique_key='song'");
    project.listens("2.json", &[(10, 2, "a"), (11, 2, ""), (12, 2, "c")]);
    project.succeed(&["run"]);
    let rows = project.rows("select song, user_id from main.kept order by ts");
    assert_eq!(
        rows,
        json!([{"song": "b", "user_id": 1}, {"song": "a", "user_id": 2}, {"song": null, "user_id": 2},
            {"song": "c", "user_id": 2}])
    );
}

#[test]
fn a_key_of_several_columns_is_the_same_where_all_of_them_are() {
    for strategy in ["merge", "delete+insert"] {
        let project = built(&format!("unique_key=['song', 'user_id'], incremental_strategy='{strategy}'"));
        project.listens("2.json", &[(10, 1, "a"), (11, 1, ""), (12, 2, "a")]);
        project.succeed(&["run"]);
        let rows = project.rows("select song, user_id, ts - 1541030400000 as at from main.kept order by ts");
        assert_eq!(
            rows,
            json!([{"song": "b", "user_id": 1, "at": 2}, {"song": "a", "user_id": 1, "at": 10},
                {"song": null, "user_id": 1, "at": 11}, {"song": "a", "user_id": 2, "at": 12}])
        );
    }
}

#[test]
fn merge_refuses_a_key_that_is_doubled_among_the_new_rows_and_leaves_the_table() {
    let project = built("unique_key=['song', 'user_id'], incremental_strategy='merge'");
    project.listens("2.json", &[(10, 2, "a"), (11, 2, "a"), (12, 2, "c")]);
    insta::assert_snapshot!(project.fail(1, &["run"]), @r"
       start  source events.listens
          ok  source events.listens  3 rows, [size], [time]  (1 new)
        plan  1 incremental
       start  incremental kept
       error  incremental kept  [time]

    what failed:
      incremental kept
          2 new rows share their unique key (song, user_id) with another: make the key unique, or use incremental_strategy='delete+insert'
    failed in [time]: 1 built, 1 in error
    ");
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 3}]));
}

#[test]
fn a_key_may_have_several_columns() {
    for strategy in ["merge", "delete+insert"] {
        let project = built(&format!("unique_key=['song', 'user_id'], incremental_strategy='{strategy}'"));
        project.listens("2.json", &[(10, 1, "a"), (11, 1, ""), (12, 2, "b")]);
        project.succeed(&["run"]);
        let rows = project.rows("select song, user_id, ts - 1541030400000 as at from main.kept order by ts");
        assert_eq!(
            rows,
            json!([{"song": "b", "user_id": 1, "at": 2}, {"song": "a", "user_id": 1, "at": 10},
                {"song": null, "user_id": 1, "at": 11}, {"song": "b", "user_id": 2, "at": 12}])
        );
    }
}

#[test]
fn a_merge_replaces_only_the_columns_that_it_is_told_to() {
    for config in ["merge_update_columns=['ts']", "merge_exclude_columns=['user_id']"] {
        let project = built(&format!("unique_key='song', {config}"));
        project.listens("2.json", &[(10, 2, "a"), (11, 2, ""), (12, 2, "c")]);
        project.succeed(&["run"]);
        let rows = project.rows("select song, user_id, ts - 1541030400000 as at from main.kept order by ts");
        assert_eq!(
            rows,
            json!([{"song": "b", "user_id": 1, "at": 2}, {"song": "a", "user_id": 1, "at": 10},
                {"song": null, "user_id": 1, "at": 11}, {"song": "c", "user_id": 2, "at": 12}])
        );
    }
}

#[test]
fn predicates_narrow_which_stored_rows_are_replaced() {
    for (strategy, predicate) in
        [("merge", "DBT_INTERNAL_DEST.ts > 1541030400000"), ("delete+insert", "ts > 1541030400000")]
    {
        let project = built(&format!(
            "unique_key='song', incremental_strategy='{strategy}', incremental_predicates=['{predicate}']"
        ));
        project.listens("2.json", &[(10, 2, "a"), (11, 2, "b")]);
        project.succeed(&["run"]);
        let rows = project.rows("select song, user_id from main.kept order by ts");
        assert_eq!(
            rows,
            json!([{"song": "a", "user_id": 1}, {"song": null, "user_id": 1}, {"song": "a", "user_id": 2},
                {"song": "b", "user_id": 2}]),
            "{strategy}"
        );
    }
}

#[test]
fn a_predicate_that_means_nothing_fails_and_leaves_the_table() {
    let project = built("unique_key='song', incremental_predicates=['DBT_INTERNAL_DEST.day > 1']");
    project.listens("2.json", &[(10, 2, "a")]);
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      incremental kept
          incremental_predicates: there is no column `dbt_internal_dest.day` here
    failed in [time]: 1 built, 1 in error
    ");
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 3}]));
}

#[test]
fn delete_and_insert_without_a_key_adds_the_rows() {
    let project = built("incremental_strategy='delete+insert'");
    project.listens("2.json", &[(10, 2, "a")]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 4}]));
}

#[test]
fn config_that_the_strategy_would_not_look_at_is_refused() {
    let project = Project::with_listens();
    let said = |config: &str| {
        project.model("kept", &newer(config, LATEST));
        project.fail(2, &["compile"])
    };
    insta::assert_snapshot!(said("unique_key='sung'"), @r"
     error: `unique_key` names `sung`, which is not a column of the model
      ╭─[models/kept.sql:1:39]
    1 │ {{ config(materialized='incremental', unique_key='sung') }}
      ·                                       ──────────
    2 │         select nullif(song, '') as song, user_id, ts from {{ source('events', 'listens') }}
      ╰────
     help: did you mean `song`?
    ");
    insta::assert_snapshot!(said("unique_key='song', merge_update_columns=['tss']"), @r"
     error: `merge_update_columns` names `tss`, which is not a column of the model
      ╭─[models/kept.sql:1:58]
    1 │ {{ config(materialized='incremental', unique_key='song', merge_update_columns=['tss']) }}
      ·                                                          ────────────────────
    2 │         select nullif(song, '') as song, user_id, ts from {{ source('events', 'listens') }}
      ╰────
     help: did you mean `ts`?
    ");
    insta::assert_snapshot!(said("merge_exclude_columns=['ts']"), @r"
     error: `merge_exclude_columns` is about a merge, which this model does not do
      ╭─[models/kept.sql:1:39]
    1 │ {{ config(materialized='incremental', merge_exclude_columns=['ts']) }}
      ·                                       ─────────────────────
    2 │         select nullif(song, '') as song, user_id, ts from {{ source('events', 'listens') }}
      ╰────
     help: a merge needs is_incremental() in the SQL, a unique_key, and no other incremental_strategy
    ");
    insta::assert_snapshot!(said("unique_key='song', merge_update_columns=['ts'], merge_exclude_columns=['ts']"), @r"
     error: `merge_update_columns` and `merge_exclude_columns` say the same in two ways
      ╭─[models/kept.sql:1:87]
    1 │ {{ config(materialized='incremental', unique_key='song', merge_update_columns=['ts'], merge_exclude_columns=['ts']) }}
      ·                                                                                       ─────────────────────
    2 │         select nullif(song, '') as song, user_id, ts from {{ source('events', 'listens') }}
      ╰────
     help: keep one of them
    ");
    insta::assert_snapshot!(said("incremental_strategy='append', incremental_predicates='ts > 1'"), @r"
     error: `incremental_predicates` narrow what a merge or delete+insert replaces, which this model does not
     │ do
      ╭─[models/kept.sql:1:70]
    1 │ {{ config(materialized='incremental', incremental_strategy='append', incremental_predicates='ts > 1') }}
      ·                                                                      ──────────────────────
    2 │         select nullif(song, '') as song, user_id, ts from {{ source('events', 'listens') }}
      ╰────
     help: both need is_incremental() in the SQL and a unique_key
    ");
    insta::assert_snapshot!(said("incremental_strategy='my_own'"), @r"
     error: `incremental_strategy`: expected one of append, merge, delete+insert, insert_overwrite, microbatch,
     │ derived, found `my_own`
      ╭─[models/kept.sql:1:39]
    1 │ {{ config(materialized='incremental', incremental_strategy='my_own') }}
      ·                                       ────────────────────
    2 │         select nullif(song, '') as song, user_id, ts from {{ source('events', 'listens') }}
      ╰────
    ");
}

#[test]
fn delete_and_insert_takes_a_doubled_key() {
    let project = built("unique_key='song', incremental_strategy='delete+insert'");
    project.listens("2.json", &[(10, 2, "a"), (11, 3, "a")]);
    project.succeed(&["run"]);
    let rows = project.rows("select song, user_id from main.kept order by ts");
    assert_eq!(
        rows,
        json!([{"song": null, "user_id": 1}, {"song": "b", "user_id": 1}, {"song": "a", "user_id": 2},
            {"song": "a", "user_id": 3}])
    );
}

#[test]
fn insert_overwrite_replaces_the_partitions_that_new_rows_fall_into() {
    let project = Project::with_listens();
    project.model("kept", &newer("partition_by='event_date'", "song, ts, event_date"));
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b")]);
    project.succeed(&["run"]);
    project.listens("2.json", &[(DAY + 1, 2, "c"), (2 * DAY, 2, "d")]);
    project.succeed(&["run"]);
    let rows = project.rows("select song, event_date from main.kept order by ts");
    assert_eq!(
        rows,
        json!([{"song": "a", "event_date": "2018-11-01"}, {"song": "c", "event_date": "2018-11-02"},
            {"song": "d", "event_date": "2018-11-03"}])
    );
}

#[test]
fn a_merge_into_a_partitioned_table_finds_the_key_in_any_partition() {
    let project = Project::with_listens();
    project.model("kept", &newer("partition_by='event_date', unique_key='song'", "song, ts, event_date"));
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b")]);
    project.succeed(&["run"]);
    project.listens("2.json", &[(2 * DAY, 2, "a")]);
    project.succeed(&["run"]);
    let rows = project.rows("select song, event_date from main.kept order by ts");
    assert_eq!(
        rows,
        json!([{"song": "b", "event_date": "2018-11-02"}, {"song": "a", "event_date": "2018-11-03"}])
    );
}

#[test]
fn an_increment_without_new_rows_writes_nothing_and_leaves_what_is_below_current() {
    let project = built("unique_key='song'");
    project.model("below", "{{ config(materialized='table') }} select count(*) as n from {{ ref('kept') }}");
    project.succeed(&["run"]);
    let before = project.listing("warehouse");
    let said = project.succeed(&["run"]);
    assert!(said.contains("current  table below"), "{said}");
    assert_eq!(project.listing("warehouse"), before);
    project.listens("2.json", &[(10, 2, "new")]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.below"), json!([{"n": 4}]));
}

#[test]
fn full_refresh_false_guards_a_table_from_a_full_refresh() {
    let project = built("incremental_strategy='append', full_refresh=false");
    project.file("events/listens/1.json", "");
    project.listens("2.json", &[(10, 2, "c")]);
    project.succeed(&["run", "--full-refresh"]);
    let rows = project.rows("select song from main.kept order by ts");
    assert_eq!(rows, json!([{"song": "a"}, {"song": null}, {"song": "b"}, {"song": "c"}]));
}

/// After a first run with song, user and time, a run of a model with these columns instead.
fn after_change(on_schema_change: &str, columns: &str) -> Project {
    let config = format!("incremental_strategy='append', on_schema_change='{on_schema_change}'");
    let project = built(&config);
    project.model("kept", &newer(&config, columns));
    project.listens("2.json", &[(10, 2, "c")]);
    project
}

#[test]
fn a_changed_column_list_is_ignored_where_columns_only_come() {
    let project = after_change("ignore", "nullif(song, '') as song, user_id, ts, seconds");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select * from main.kept where user_id = 2"),
        json!([{"song": "c", "user_id": 2, "ts": 1_541_030_400_010_i64}])
    );
}

#[test]
fn a_changed_column_list_fails_where_it_should() {
    let project = after_change("fail", "song, ts, seconds");
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      incremental kept
          the model's columns are not those of the stored table: it adds seconds and lacks user_id. Set on_schema_change to append_new_columns or sync_all_columns, or run with --full-refresh
    failed in [time]: 1 built, 1 in error
    ");
    let project = after_change("ignore", "song, ts");
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      incremental kept
          the model's columns are not those of the stored table: it lacks user_id. Set on_schema_change to append_new_columns or sync_all_columns, or run with --full-refresh
    failed in [time]: 1 built, 1 in error
    ");
    let project = after_change("sync_all_columns", "song, user_id, cast(ts as varchar) as ts");
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      incremental kept
          column `ts` is bigint in the stored table and varchar in the model: cast it, or run with --full-refresh
    failed in [time]: 1 built, 1 in error
    ");
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 3}]));
}

#[test]
fn new_columns_are_appended_and_missing_ones_kept() {
    let project = after_change("append_new_columns", "song, ts, seconds");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select song, user_id, seconds from main.kept where ts >= 1541030400002 order by ts"),
        json!([{"song": "b", "user_id": 1, "seconds": null}, {"song": "c", "user_id": null, "seconds": 60.5}])
    );
}

#[test]
fn all_columns_are_synchronized() {
    let project = after_change("sync_all_columns", "song, ts, seconds");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select * from main.kept where ts >= 1541030400002 order by ts"),
        json!([{"song": "b", "ts": 1_541_030_400_002_i64, "seconds": null},
            {"song": "c", "ts": 1_541_030_400_010_i64, "seconds": 60.5}])
    );
}

#[test]
fn a_changed_partitioning_of_kept_increments_asks_for_a_full_refresh() {
    let project = Project::with_listens();
    let columns = "song, ts, event_date";
    project.model("kept", &newer("incremental_strategy='append'", columns));
    project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b")]);
    project.succeed(&["run"]);
    project.model("kept", &newer("incremental_strategy='append', partition_by='event_date'", columns));
    project.listens("2.json", &[(2 * DAY, 1, "c")]);
    let said = project.fail(1, &["run"]);
    insta::assert_snapshot!(said.split("what failed:").nth(1).unwrap(), @r"
      incremental kept
          the stored table is partitioned by nothing, the model by event_date: run with --full-refresh
    failed in [time]: 1 built, 1 in error
    ");
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 2}]));
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 3}]));
}
