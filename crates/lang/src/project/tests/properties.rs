//! Properties of models, seeds and singular tests, and exposures.

use serde_json::json;

use super::{loaded, problems, warnings};

#[test]
fn tests_have_many_forms() {
    let project = loaded(&[
        ("models/a.sql", ""),
        (
            "models/a.yml",
            "models:
  - name: a
    columns:
      - name: c
        data_tests:
          - unique
          - not_null:
          - accepted_values: {values: [1, 2], quote: false}
          - relationships:
              name: mine
              description: Theirs.
              arguments: {to: ref('b'), field: c}
              config: {severity: warn}
              where: c > 0
          - {name: other, test_name: pkg.in_range, min: 0, tags: [t]}
",
        ),
    ]);
    let tests = &project.models[0].properties.columns[0].tests;
    let names: Vec<&str> = tests.iter().map(|test| test.test.value.as_str()).collect();
    assert_eq!(names, ["unique", "not_null", "accepted_values", "relationships", "pkg.in_range"]);
    assert_eq!(json!(tests[2].arguments), json!({"values": [1, 2], "quote": false}));
    assert_eq!(json!(tests[3].arguments), json!({"to": "ref('b')", "field": "c"}));
    assert_eq!((tests[3].name.as_deref(), tests[3].description.as_deref()), (Some("mine"), Some("Theirs.")));
    let config: Vec<&str> = tests[3].config.keys().map(String::as_str).collect();
    assert_eq!(config, ["severity", "where"]);
    assert_eq!((tests[4].name.as_deref(), &tests[4].arguments["min"]), (Some("other"), &json!(0)));
    assert_eq!(tests[4].config["tags"].value, json!(["t"]));
    assert_eq!(tests[3].test.place.line_column(), (9, 13));
}

#[test]
fn entries_describe_models_seeds_and_tests() {
    let project = loaded(&[
        ("models/m.sql", ""),
        ("seeds/s.csv", ""),
        ("tests/t.sql", ""),
        (
            "models/all.yml",
            "version: 2
models:
  - name: m
    description: A model.
    meta: {owner: me}
    columns:
      - {name: c, description: A column., data_type: bigint, tags: [x], config: {tags: y}, quote: true,
         constraints: [{type: not_null}]}
seeds: [{name: s, config: {delimiter: ;}, tests: [unique]}]
data_tests: [{name: t, description: A test., config: {severity: warn}}]
macros: [{name: x, arguments: []}]
",
        ),
    ]);
    let model = &project.models[0].properties;
    assert_eq!(model.description.as_deref(), Some("A model."));
    assert_eq!(model.meta["owner"], "me");
    let column = &model.columns[0];
    assert_eq!((column.name.value.as_str(), column.is_not_null()), ("c", true));
    assert_eq!(column.data_type.as_ref().unwrap().value, "bigint");
    assert_eq!(column.tags, ["x", "y"]);
    assert_eq!(project.seeds[0].config["delimiter"].value, ";");
    assert_eq!(project.seeds[0].properties.tests.len(), 1);
    assert_eq!(project.tests[0].config["severity"].value, "warn");
    assert_eq!(project.tests[0].properties.description.as_deref(), Some("A test."));
}

#[test]
fn entries_of_what_does_not_exist_are_warned_of() {
    insta::assert_snapshot!(warnings(&[
        ("models/songs.sql", ""),
        ("seeds/days.csv", ""),
        (
            "models/a.yml",
            "models: [{name: song}, {name: days}, {name: quite_other}]\nseeds: [{name: songs}]\ntests: [{name: t}]",
        ),
    ]), @r"
    models/a.yml:1:17: there is no model `song`
        did you mean `songs`?
    models/a.yml:1:31: there is no model `days`
        it is a seed: describe it under `seeds:`
    models/a.yml:1:45: there is no model `quite_other`
    models/a.yml:2:16: there is no seed `songs`
        it is a model: describe it under `models:`
    models/a.yml:3:16: there is no test `t`
    ");
}

#[test]
fn a_model_has_one_entry() {
    insta::assert_snapshot!(problems(&[
        ("models/a.sql", ""),
        ("models/a.yml", "models: [{name: a}]"),
        ("models/b.yml", "models:\n  - {name: a}"),
    ]), @r"
    models/b.yml:2:12: two model entries are named `a`
        the first is in models/a.yml, line 1
    ");
}

#[test]
fn what_is_no_properties_file_is_told() {
    insta::assert_snapshot!(problems(&[
        ("models/a.yml", "version: 3\nmodel: []\ncolour: red\n"),
        ("models/b.yml", "- name: a"),
        (
            "models/c.yml",
            "unit_tests: [{name: a}]\nsemantic_models: [{name: a}]\nmetrics: [{name: a, type: simpel}]\ngroups: [{}]\n",
        ),
    ]), @r"
    models/a.yml:1:10: `version`: expected a whole number from 0 to 2, found `3`
    models/a.yml:2:1: unknown key `model` in a properties file
        did you mean `models`?
    models/a.yml:3:1: unknown key `colour` in a properties file
        the keys are models, seeds, snapshots, sources, exposures, semantic_models, metrics, saved_queries, groups, unit_tests, data_tests, tests, macros
    models/b.yml:1:1: expected a mapping, found a list
    models/c.yml:1:14: a unit test needs `model`
    models/c.yml:1:14: a unit test needs `expect`
        write expect: {rows: [...]}
    models/c.yml:2:19: a semantic model needs `model`
    models/c.yml:3:27: `type`: expected one of simple, ratio, cumulative, derived, conversion, found `simpel`
        did you mean `simple`?
    models/c.yml:4:10: a group needs `owner`
        write owner: {name: a_team}
    models/c.yml:4:10: a group needs `name`
    ");
}

#[test]
fn a_key_that_nothing_reads_is_warned_of_once_unless_the_reader_is_strict() {
    let files = [
        ("models/a.sql", ""),
        ("models/b.sql", ""),
        (
            "models/s.yml",
            "models: [{name: a, colour: red, columns: [{name: c, dat_type: int}]}, {name: b, colour: blue}]",
        ),
    ];
    insta::assert_snapshot!(warnings(&files), @r"
    models/s.yml:1:20: unknown key `colour` in the entry of a model
        did you mean `columns`? (it stands in another place too)
    models/s.yml:1:53: unknown key `dat_type` in a column
        did you mean `data_type`?
    ");
    assert!(problems(&files).contains("unknown key `dat_type`"));
}

#[test]
fn what_dbt_reads_and_mep_does_not_is_said_with_why_that_is_safe() {
    insta::assert_snapshot!(warnings(&[
        ("models/a.sql", ""),
        (
            "models/c.yml",
            "metrics: [{name: a, type: simple, filter: \"{{ Dimension('x') }}\"}]\nmodels: [{name: a, access: public, time_spine: {standard_granularity_column: day}}]\nfunctions: [{name: f}]",
        ),
    ]), @r"
    models/c.yml:2:36: `time_spine` has no effect here: metrics are not computed, and no table is another for them
    models/c.yml:3:1: `functions` has no effect here: no function is made; a model that calls one does not compile
    ");
}

#[test]
fn a_column_that_is_described_twice_has_the_tests_of_both() {
    let files = [
        ("models/a.sql", ""),
        (
            "models/s.yml",
            "models: [{name: a, columns: [{name: c, data_type: int, tests: [unique]}, {name: c, description: d, tests: [unique, not_null]}]}]",
        ),
    ];
    let project = loaded(&files);
    let columns = &project.models[0].properties.columns;
    assert_eq!(columns.len(), 1);
    assert_eq!(columns[0].description.as_deref(), Some("d"));
    assert!(columns[0].data_type.is_some());
    let tests: Vec<&str> = columns[0].tests.iter().map(|test| test.test.value.as_str()).collect();
    assert_eq!(tests, ["unique", "not_null"]);
    insta::assert_snapshot!(warnings(&files), @r"
    models/s.yml:1:81: two columns are named `c`
        the first is in models/s.yml, line 1
    ");
}

#[test]
fn entries_are_checked() {
    insta::assert_snapshot!(problems(&[
        ("models/a.sql", ""),
        (
            "models/a.yml",
            "models:
  - description: no name
  - b
  - name: a
    descripton: typo
    materialized: table
    versions: [{v: 1}, {}]
    description: [not, a, text]
    tags: {a: b}
    config: text
    columns:
      - name: 3
      - {name: c, data_typ: x}
      - {name: c}
      - {name: d, description: 12}
      -
      - name: e
        constraints: [{type: unique}, {type: not_nul}, {type: sorted}, not_null, {}]
    constraints: [{type: check}]
",
        ),
    ]), @r"
    models/a.yml:2:5: a model needs `name`
    models/a.yml:3:5: `models`: expected a mapping, found `b`
    models/a.yml:5:5: unknown key `descripton` in the entry of a model
        did you mean `description`?
    models/a.yml:6:5: unknown key `materialized` in the entry of a model
        put it under `config:`, as in `config: {materialized: ...}`
    models/a.yml:7:24: a version of a model needs `v`
        write v: 1
    models/a.yml:8:18: `description`: expected a text, found a list
    models/a.yml:9:11: `tags`: expected a text or a list of texts, found a mapping
    models/a.yml:10:13: `config`: expected a mapping, found `text`
    models/a.yml:12:15: `name`: expected a text, found `3`
        put it in quotes
    models/a.yml:13:19: unknown key `data_typ` in a column
        did you mean `data_type`?
    models/a.yml:15:32: `description`: expected a text, found `12`
        put it in quotes
    models/a.yml:16:8: `columns`: expected a mapping, found nothing
    models/a.yml:18:46: unknown constraint `not_nul`
        did you mean `not_null`?
    models/a.yml:18:63: unknown constraint `sorted`
        the constraints are not_null, unique, primary_key, foreign_key, check, custom
    models/a.yml:18:72: `constraints`: expected a mapping, found `not_null`
    models/a.yml:18:82: a constraint needs `type`
    models/a.yml:19:26: a constraint `check` needs `expression`
        write the condition, such as amount > 0
    ");
}

#[test]
fn tests_are_checked() {
    insta::assert_snapshot!(problems(&[
        ("models/a.sql", ""),
        (
            "models/a.yml",
            "models:
  - name: a
    tests: unique
    columns:
      - name: b
        tests:
          - 3
          - not_null:
            config: {severity: warn}
          - unique: warn
          - unique: {severity: warn, config: {severity: error}}
          - unique: {arguments: [a]}
      - {name: c, tests: [], data_tests: []}
",
        ),
    ]), @r"
    models/a.yml:3:12: `tests`: expected a list, found `unique`
    models/a.yml:7:13: `tests`: expected a test's name, or a name with arguments, found `3`
    models/a.yml:8:13: expected one test in a list's item, found 2 keys
        indent what belongs to `not_null` below it, or begin each test with `-`
    models/a.yml:10:21: `unique`: expected a mapping, found `warn`
    models/a.yml:11:57: expected `severity` in `config:` or beside it, found both
        take one of them away
    models/a.yml:12:33: `arguments`: expected a mapping, found a list
    models/a.yml:13:19: expected `data_tests` or its old name `tests`, found both
        move all under `data_tests`
    ");
}

#[test]
fn exposures_are_read_and_checked() {
    let project = loaded(&[(
        "models/e.yml",
        "exposures:
  - name: board
    type: dashboard
    url: https://example.com
    owner: {name: Me, email: me@example.com}
    depends_on: [ref('a'), \"source('s', 't')\"]
    tags: [x]
",
    )]);
    let exposure = &project.exposures[0];
    assert_eq!((exposure.name.as_str(), exposure.kind.as_str()), ("board", "dashboard"));
    assert_eq!(exposure.depends_on[1].value, "source('s', 't')");
    assert_eq!(
        (exposure.owner["name"].as_str(), exposure.tags.as_slice()),
        (Some("Me"), &["x".to_owned()][..])
    );
    insta::assert_snapshot!(problems(&[(
        "models/e.yml",
        "exposures:
  - {name: a, type: dashbord}
  - {name: a, type: ml, depends_on: ref('a'), owners: me}
  - {type: ml}
",
    )]), @r"
    models/e.yml:2:21: unknown type `dashbord` of an exposure
        did you mean `dashboard`?
    models/e.yml:3:12: two exposures are named `a`
        the first is in models/e.yml, line 2
    models/e.yml:3:37: `depends_on`: expected a list, found `ref('a')`
    models/e.yml:3:47: unknown key `owners` in an exposure
        did you mean `owner`?
    models/e.yml:4:5: an exposure needs `name`
    ");
}
