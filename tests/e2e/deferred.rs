//! Reading what is not built in a target where an earlier state, in another schema, has it.

use std::fs;

use serde_json::{Value as Json, json};

use crate::project::Project;

const PROFILES: &str = "songs:
  target: dev
  outputs:
    prod: {type: local, path: warehouse, schema: prod, threads: 1}
    dev: {type: local, path: warehouse, schema: dev, threads: 1}
";

/// A seed, a table of it, a view of that and a table of the view, built in the target `prod`, whose artifacts are kept.
fn built_in_prod() -> Project {
    let project = Project::new();
    project
        .file("profiles.yml", PROFILES)
        .file("seeds/people.csv", "id,name\n1,Ann\n2,Bo\n")
        .model("named", "{{ config(materialized='table') }} select id, upper(name) as name from {{ ref('people') }}")
        .model("first_ones", "{{ config(materialized='view') }} select * from {{ ref('named') }} where id = 1")
        .model("counted", "{{ config(materialized='table') }} select count(*) as n, min(name) as name from {{ ref('first_ones') }}");
    project.succeed(&["build", "--target", "prod"]);
    fs::create_dir(project.path("kept")).unwrap();
    fs::copy(project.path("target/manifest.json"), project.path("kept/manifest.json")).unwrap();
    project
}

fn relation_in_manifest(project: &Project, id: &str) -> Json {
    let text = fs::read_to_string(project.path("target/manifest.json")).unwrap();
    serde_json::from_str::<Json>(&text).unwrap()["nodes"][id]["relation_name"].clone()
}

#[test]
fn what_is_not_selected_is_read_from_the_earlier_state_until_it_is_built_here() {
    let project = built_in_prod();
    let said = project.fail(1, &["run", "--select", "counted"]);
    assert!(said.contains("named"), "{said}");
    let defer = ["--defer", "--state", "kept"];
    project.succeed(&[&["run", "--select", "counted"][..], &defer].concat());
    assert_eq!(project.rows("select * from dev.counted"), json!([{"n": 1, "name": "ANN"}]));
    // The artifacts name what this target builds, so that a state that is kept of them is one of this target.
    assert_eq!(relation_in_manifest(&project, "model.songs.named"), json!("dev.named"));
    assert_eq!(relation_in_manifest(&project, "model.songs.counted"), json!("dev.counted"));

    // A table that is built here comes first, unless the state is favoured.
    project.file("seeds/people.csv", "id,name\n1,Cy\n");
    project.succeed(&["build", "--select", "people", "named"]);
    project.succeed(&[&["run", "--select", "counted"][..], &defer].concat());
    assert_eq!(project.rows("select name from dev.counted"), json!([{"name": "CY"}]));
    project.succeed(&[&["run", "--select", "counted", "--favor-state"][..], &defer].concat());
    assert_eq!(project.rows("select name from dev.counted"), json!([{"name": "ANN"}]));
    // What the state has not changes nothing in it.
    assert_eq!(
        project.rows("select name from prod.named order by 1"),
        json!([{"name": "ANN"}, {"name": "BO"}])
    );
    // Without --defer the tables of this target count again.
    project.succeed(&["run", "--select", "counted"]);
    assert_eq!(project.rows("select name from dev.counted"), json!([{"name": "CY"}]));
}

#[test]
fn a_source_that_a_deferred_node_fills_is_read_there_too() {
    let project = built_in_prod();
    project
        .file(
            "models/s.yml",
            "sources: [{name: crm, schema: \"{{ target.schema }}\", tables: [{name: people}]}]",
        )
        .model("ids", "{{ config(materialized='table') }} select id from {{ source('crm', 'people') }}");
    project.succeed(&["run", "--select", "ids", "--defer", "--defer-state", "kept"]);
    assert_eq!(project.rows("select count(*) as n from dev.ids"), json!([{"n": 2}]));
}

#[test]
fn a_plan_defers_and_retry_defers_as_the_call_did() {
    let project = built_in_prod();
    let plan = project.print(&["plan", "--select", "counted", "--defer", "--state", "kept"]);
    assert!(plan.contains("counted"), "{plan}");
    project.file("tests/none.sql", "select * from {{ ref('counted') }} where n = 1");
    project.fail(1, &["build", "--select", "counted", "--defer", "--state", "kept"]);
    project.file(
        "tests/none.sql",
        "select * from {{ ref('counted') }} join {{ ref('named') }} using (name) where n = 2",
    );
    project.succeed(&["retry"]);
}

#[test]
fn a_state_to_defer_to_must_be_there() {
    let project = built_in_prod();
    insta::assert_snapshot!(project.fail(2, &["run", "--defer"]), @r"
    error: --defer needs the manifest.json of the state that it defers to
    help: give --state and the folder that holds a copy of it
    ");
    insta::assert_snapshot!(project.fail(2, &["run", "--defer", "--defer-state", "nowhere"]), @"  error: there is no manifest.json in [folder]/nowhere");
}

#[test]
fn tables_of_an_earlier_state_are_cloned_and_go_on_from_there() {
    let project = Project::new();
    project
        .file("profiles.yml", PROFILES)
        .file("seeds/people.csv", "id,name\n1,Ann\n2,Bo\n")
        .model(
            "named",
            "{{ config(materialized='table') }} select id, upper(name) as name from {{ ref('people') }}",
        )
        .file(
            "snapshots/names.sql",
            "{% snapshot names %}{{ config(unique_key='id', strategy='check', check_cols='all') }}
            select * from {{ ref('people') }}{% endsnapshot %}",
        );
    project.succeed(&["build", "--target", "prod"]);
    project.file("seeds/people.csv", "id,name\n1,Ann\n2,Cy\n");
    project.succeed(&["build", "--target", "prod"]);
    fs::create_dir(project.path("kept")).unwrap();
    fs::copy(project.path("target/manifest.json"), project.path("kept/manifest.json")).unwrap();
    project.model("later", "{{ config(materialized='table') }} select 1 as n");
    insta::assert_snapshot!(project.fail(2, &["clone"]), @r"
    error: clone needs the manifest.json of the state whose tables it clones
    help: give --state and the folder that holds a copy of it
    ");
    insta::assert_snapshot!(project.succeed(&["clone", "--state", "kept"]), @r"
      cloned  dev.people  2 rows of prod.people
    left out  dev.later  is no table of the earlier state
      cloned  dev.named  2 rows of prod.named
      cloned  dev.names  3 rows of prod.names
    ");
    let history = "select id, name from SCHEMA.names order by id, dbt_valid_from";
    let of = |schema: &str| project.rows(&history.replace("SCHEMA", schema));
    assert_eq!(of("dev"), of("prod"));
    assert_eq!(of("dev").as_array().map(Vec::len), Some(3));
    // What is there stays, until it is to be cloned anew.
    project.file("seeds/people.csv", "id,name\n1,Ann\n2,Di\n");
    project.succeed(&["build"]);
    assert_eq!(of("dev").as_array().map(Vec::len), Some(4), "the history goes on");
    assert_eq!(project.rows("select name from dev.named where id = 2"), json!([{"name": "DI"}]));
    insta::assert_snapshot!(project.succeed(&["clone", "--state", "kept", "--select", "names", "later"]), @r"
    kept  dev.later  is there already; --full-refresh clones it anew
    kept  dev.names  is there already; --full-refresh clones it anew
    ");
    project.succeed(&["clone", "--state", "kept", "--full-refresh"]);
    assert_eq!(of("dev"), of("prod"));
}
