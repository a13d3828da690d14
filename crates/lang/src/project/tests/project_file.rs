//! `dbt_project.yml`.

use serde_json::json;

use super::{loaded, pointed_at, problems, warnings};

#[test]
fn folders_can_have_other_names() {
    let project = loaded(&[
        (
            "dbt_project.yml",
            "name: store
version: 1.0
config-version: 2
require-dbt-version: '>=1.0.0'
model-paths: [./sql/models/]
macro-paths: [m]
test-paths: [t]
seed-paths: [csv]
target-path: out
clean-targets: [out]
on-run-start: []
flags: {a: b}
",
        ),
        ("sql/models/a/b.sql", ""),
        ("m/m.sql", ""),
        ("t/t.sql", ""),
        ("csv/c.csv", ""),
        ("models/not_read.sql", ""),
    ]);
    assert_eq!(project.name, "store");
    assert_eq!(project.target_path.to_str(), Some("out"));
    assert_eq!(project.models[0].text.path().to_str(), Some("sql/models/a/b.sql"));
    assert_eq!(project.models[0].fqn, ["store", "a", "b"]);
    let counts = (project.models.len(), project.macros.len(), project.tests.len(), project.seeds.len());
    assert_eq!(counts, (1, 1, 1, 1));
}

#[test]
fn config_goes_from_less_to_more_specific() {
    let project = loaded(&[
        (
            "dbt_project.yml",
            "name: shop
models:
  +materialized: view
  +tags: all
  shop:
    +tags: [own]
    +meta: {a: 1, b: 1}
    marts:
      materialized: table
      meta: {b: 2}
      top:
        +tags: [top, own]
      deep:
        +schema: deep
seeds:
  shop:
    +column_types: {a: bigint}
tests:
  +severity: warn
  shop: {marts: {+limit: 5}}
",
        ),
        ("models/marts/top.sql", ""),
        ("models/marts/deep/x.sql", ""),
        ("seeds/s.csv", ""),
        ("tests/t.sql", ""),
        (
            "models/marts/schema.yml",
            "models:
  - {name: top, tags: [yml], config: {materialized: incremental, meta: {c: 3}, tags: late}, tests: [unique]}
",
        ),
    ]);
    let model = |name: &str| project.models.iter().find(|model| model.name == name).unwrap();
    let top = model("top");
    assert_eq!(top.config["materialized"].value, "incremental");
    assert_eq!(top.config["tags"].value, json!(["all", "own", "top", "yml", "late"]));
    assert_eq!(top.config["meta"].value, json!({"a": 1, "b": 2, "c": 3}));
    assert_eq!(model("x").config["schema"].value, "deep");
    assert_eq!(model("x").config["materialized"].value, "table");
    assert_eq!(project.seeds[0].config["column_types"].value, json!({"a": "bigint"}));
    assert_eq!(project.tests[0].config["severity"].value, "warn");
    let attached = &top.properties.tests[0].config;
    assert_eq!((&attached["severity"].value, &attached["limit"].value), (&json!("warn"), &json!(5)));
}

#[test]
fn config_knows_its_place() {
    let project =
        loaded(&[("dbt_project.yml", "name: shop\nmodels:\n  +materialized: table\n"), ("models/a.sql", "")]);
    let place = &project.models[0].config["materialized"].place;
    assert_eq!((place.text.path().to_str(), place.line_column()), (Some("dbt_project.yml"), (3, 18)));
}

#[test]
fn config_of_what_does_not_exist_is_warned_of() {
    insta::assert_snapshot!(warnings(&[
        (
            "dbt_project.yml",
            "name: shop\nmodels: {shop: {mart: {+tags: a}}, other: {+tags: b}}\nseeds: {shop: {+tags: c}}\n",
        ),
        ("models/marts/a.sql", ""),
    ]), @r"
    dbt_project.yml:2:17: the config of `mart` applies to no model
        did you mean `marts`?
    dbt_project.yml:2:36: the config of `other` applies to no model
    dbt_project.yml:3:9: the config of `shop` applies to no seed
    ");
}

#[test]
fn keys_are_checked() {
    insta::assert_snapshot!(problems(&[(
        "dbt_project.yml",
        "name: my-shop
model-path: [models]
source-paths: [models]
colour: red
target-path: [a]
seed-paths: 3
on-run-end: ['drop table x']
dispatch: [{macro_namespace: a}]
models: [a]
vars: 3
tests: {+severity: warn}
data_tests: {+severity: warn}
",
    )]), @r"
    dbt_project.yml:1:7: expected a project's name of letters, digits and `_`, found `my-shop`
    dbt_project.yml:2:1: unknown key `model-path` in a project
        did you mean `model-paths`?
    dbt_project.yml:4:1: unknown key `colour` in a project
        the keys are name, profile, model-paths, macro-paths, test-paths, seed-paths, docs-paths, snapshot-paths, target-path, vars, models, seeds, snapshots, tests, data_tests, sources, packages-install-path, on-run-start, on-run-end, dispatch
    dbt_project.yml:5:14: `target-path`: expected a text, found a list
    dbt_project.yml:6:13: `seed-paths`: expected a text or a list of texts, found `3`
    dbt_project.yml:9:9: `models`: expected a mapping, found a list
    dbt_project.yml:10:7: `vars`: expected a mapping, found `3`
    dbt_project.yml:11:1: expected `data_tests` or its old name `tests`, found both
        move all under `data_tests`
    ");
    insta::assert_snapshot!(problems(&[("dbt_project.yml", "version: 1")]), @r"dbt_project.yml:1:1: a project needs `name`");
    insta::assert_snapshot!(problems(&[("dbt_project.yml", "- a")]), @r"dbt_project.yml:1:1: expected a mapping, found a list");
}

#[test]
fn a_file_that_is_no_yaml_hides_nothing_else() {
    insta::assert_snapshot!(problems(&[
        ("dbt_project.yml", "name: [shop"),
        ("profiles.yml", "a: {}\nb: {}"),
        ("models/schema.yml", "modls: []"),
    ]), @r"
    dbt_project.yml:1:7: this is no YAML: unclosed bracket '['
    models/schema.yml:1:1: unknown key `modls` in a properties file
        did you mean `models`?
    ");
}

#[test]
fn a_problem_points_at_what_is_wrong() {
    let folder = super::Folder::new(&[("dbt_project.yml", "name: shop\nmodel-paths: {a: b}\n")]);
    let problems = folder.load().unwrap_err();
    assert_eq!(pointed_at(problems.iter().next().unwrap()), "{a: b}");
}

#[test]
fn folders_have_their_old_names_too() {
    let files = [
        ("dbt_project.yml", "name: shop\nsource-paths: [sql]\ndata-paths: [data]\nseed-paths: [seeds]\n"),
        ("sql/a.sql", ""),
        ("data/b.csv", ""),
    ];
    let project = loaded(&files);
    assert_eq!((project.models.len(), project.seeds.len()), (1, 0));
    insta::assert_snapshot!(warnings(&files), @r"
    dbt_project.yml:2:1: `source-paths` is the old name of `model-paths`
        write `model-paths`
    dbt_project.yml:3:1: `data-paths` is the old name of `seed-paths`, which is written too and counts
        take it away
    ");
}
