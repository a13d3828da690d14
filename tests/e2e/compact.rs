//! Compacting: fewer files, and everything else as it was.

use serde_json::{Value as Json, json};

use crate::project::{DAY, Project, listing};

/// A landed table of several files in a partition, an appended one, and a table over both.
fn project() -> Project {
    let project = Project::with_listens();
    project.model(
        "kept",
        "{{ config(materialized='incremental', incremental_strategy='append') }}
        select ts, song from {{ source('events', 'listens') }}
        {% if is_incremental() %} where ts > (select max(ts) from {{ this }}) {% endif %}",
    );
    project.model(
        "below",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, batch, count(*) as n from {{ source('events', 'listens') }} group by event_date, batch",
    );
    project.model("seen", "select * from {{ ref('kept') }}");
    for run in 0..4 {
        let listens = [(run * DAY / 4, 1, "a"), (run * DAY / 4 + 1, 2, "b")];
        project.listens(&format!("{run}.json"), &listens);
        project.succeed(&["run"]);
    }
    project
}

fn files(project: &Project, table: &str) -> usize {
    let manifest = std::fs::read(project.path(format!("warehouse/main/{table}/manifest.json"))).unwrap();
    let manifest: Json = serde_json::from_slice(&manifest).unwrap();
    manifest["files"].as_array().unwrap().len()
}

fn all(project: &Project) -> Json {
    let kept = project.rows("select * from main.kept order by ts");
    let landed = project.rows("select * from main.raw_listens order by ts");
    json!([kept, landed, project.rows("select * from main.below order by event_date, batch")])
}

#[test]
fn small_files_become_one_and_nothing_else_changes() {
    let project = project();
    let before = all(&project);
    assert_eq!(files(&project, "kept"), 4);
    let listed = project.listing("warehouse");
    insta::assert_snapshot!(project.print(&["compact", "--dry-run"]), @r"
    compact  main.raw_listens  4 files in 4 partitions, [size]  (source events.listens)
    compact  main.kept         4 files in 1 partition, [size]  (incremental kept)
    ");
    assert_eq!(project.listing("warehouse"), listed);
    insta::assert_snapshot!(project.succeed(&["compact"]), @r"
    compacted  main.raw_listens  4 files in 4 partitions became 1, [size] became [size]
    compacted  main.kept  4 files in 1 partition became 1, [size] became [size]
    ");
    assert_eq!(files(&project, "kept"), 1);
    assert_eq!(all(&project), before);
    assert_eq!(project.plan(), ["kept: increment: it keeps its own increments"]);
    // Nothing lands twice, and the next increment joins what was compacted.
    project.listens("9.json", &[(2 * DAY, 3, "c")]);
    let said = project.succeed(&["run"]);
    assert!(said.contains("(1 new)") && said.contains("table") == said.contains("table below"), "{said}");
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 9}]));
    insta::assert_snapshot!(project.succeed(&["compact", "--min-files", "3"]), @"nothing to compact: no partition has that many small files");
}

#[test]
fn the_old_files_stay_until_they_are_cleaned() {
    let project = project();
    let before = listing(&project.path("warehouse/main/kept/data"));
    project.succeed(&["compact", "--select", "kept"]);
    for (path, ..) in &before {
        assert!(path.exists());
    }
    project.succeed(&["clean", "--retention-days", "0"]);
    assert_eq!(listing(&project.path("warehouse/main/kept/data")).len(), 1);
    assert_eq!(project.rows("select count(*) as n from main.kept"), json!([{"n": 8}]));
}

#[test]
fn files_are_ended_at_the_target_size_and_full_ones_left_alone() {
    let project = Project::with_listens();
    project.model(
        "numbers",
        "{{ config(materialized='incremental', incremental_strategy='append') }}
        select value as n, sha256(cast(value as varchar)) as hash from generate_series(1, 40000)
        {% if is_incremental() %} where true {% endif %}",
    );
    project.succeed(&["run"]);
    project.succeed(&["run"]);
    let before =
        project.rows("select count(*) as n, count(distinct hash) as m, sum(n) as s from main.numbers");
    let compact = ["compact", "--select", "numbers", "--target-file-size", "1MiB", "--output", "json"];
    let parts = files(&project, "numbers");
    project.succeed(&compact);
    let after = files(&project, "numbers");
    assert!(after <= parts && after > 1, "{parts} became {after}");
    let said: Json = serde_json::from_str(&project.print(&compact)).unwrap();
    let again = said["tables"].as_array().unwrap();
    assert!(again.iter().all(|table| table["result"]["partitions"] == 0), "{said}");
    assert_eq!(
        project.rows("select count(*) as n, count(distinct hash) as m, sum(n) as s from main.numbers"),
        before
    );
}

#[test]
fn a_killed_compaction_leaves_the_table_whole() {
    for (point, left) in [("publish-before-rename:1", 4), ("publish-after-rename:1", 1)] {
        let project = project();
        let before = all(&project);
        let killed = project.run_with(&["compact", "--select", "kept"], &[("MEP_FAIL_POINT", point)]);
        assert_eq!(killed.code, None);
        assert_eq!(files(&project, "kept"), left, "{point}");
        assert_eq!(all(&project), before);
        project.succeed(&["compact"]);
        assert_eq!((files(&project, "kept"), all(&project)), (1, before));
    }
}

#[test]
fn what_compact_is_asked_for_must_mean_something() {
    let project = project();
    let said = project.fail(2, &["compact", "--target-file-size", "large"]);
    insta::assert_snapshot!(said, @r"
    error: invalid value 'large' for '--target-file-size <SIZE>': expected a size such as 128MiB or 1GB

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.fail(2, &["compact", "--select", "seen", "--dry-run"]), @r"
    error: the selection holds nothing that this command works on
    help: see what there is with: mep ls
    ");
}
