//! Jinja within the strings of YAML.

use indexmap::IndexMap;
use serde_json::json;

use super::super::{LoadOptions, load};
use super::{Folder, loaded, problems, shown};

const SOURCES: &str = "sources:\n  - name: s\n    tables: [{name: t, path: \"{{ var('place') }}/x\"}]\n";

#[test]
fn vars_and_environment_are_rendered() {
    let project = loaded(&[
        (
            "dbt_project.yml",
            "name: shop\nvars: {place: here}\nmodels:\n  +schema: \"{{ env_var('CARGO_PKG_NAME') }}\"\n",
        ),
        ("models/a.sql", ""),
        ("sources.yml", SOURCES),
    ]);
    assert_eq!(project.models[0].config["schema"].value, "mep-lang");
    assert_eq!(project.sources[0].path.as_deref(), Some("here/x"));
}

#[test]
fn a_whole_expression_keeps_its_type() {
    let project = loaded(&[
        (
            "dbt_project.yml",
            "name: shop
vars: {on: true, list: [1, 2]}
models:
  +enabled: \"{{ var('on') }}\"
  +meta:
    list: \"{{ var('list') }}\"
    number: \"{{ env_var('MEP_NOT_SET', '12') | as_number }}\"
    is_local: \"{{ target.name == 'local' and target.schema == 'music' }}\"
    text: \"a{{ var('missing', 1) }}\"
",
        ),
        ("models/a.sql", ""),
    ]);
    let config = &project.models[0].config;
    assert_eq!(config["enabled"].value, true);
    let meta = json!({"list": [1, 2], "number": 12, "is_local": true, "text": "a1"});
    assert_eq!(config["meta"].value, meta);
}

#[test]
fn yaml_has_the_jinja_of_all_other_texts() {
    let project = loaded(&[
        (
            "dbt_project.yml",
            "name: shop
vars: {list: [1, 2], none_of: ~}
models:
  +meta:
    formatted: \"{{ '%s-%03d' % ('a', 7) }}\"
    listed: \"{{ [1, 2] + [3] }}\"
    mapped: \"{{ dict(a=1, b=var('none_of')) }}\"
    json: \"{{ {'b': 1, 'a': 2} | tojson }}x\"
    methods: \"{{ 'a.b'.partition('.')[2] }}{{ var('list') | map('string') | join('-') }}\"
    nothing: \"{{ var('missing', none) }}\"
",
        ),
        ("models/a.sql", ""),
    ]);
    let meta = json!({
        "formatted": "a-007",
        "listed": [1, 2, 3],
        "mapped": {"a": 1, "b": null},
        "json": r#"{"a": 2, "b": 1}x"#,
        "methods": "b1-2",
        "nothing": null,
    });
    assert_eq!(project.models[0].config["meta"].value, meta);
}

#[test]
fn arguments_of_tests_keep_their_jinja() {
    let project = loaded(&[
        ("models/a.sql", ""),
        (
            "models/a.yml",
            "models:
  - name: a
    description: in {{ 'braces' }}
    data_tests:
      - equal: {to: \"{{ ref('b') }}\", config: {where: \"day > '{{ var('day') }}'\"}}
",
        ),
    ]);
    let properties = &project.models[0].properties;
    assert_eq!(properties.description.as_deref(), Some("in braces"));
    assert_eq!(properties.tests[0].arguments["to"], "{{ ref('b') }}");
    assert_eq!(properties.tests[0].config["where"].value, "day > '{{ var('day') }}'");
}

#[test]
fn vars_of_the_command_line_win() {
    let folder = Folder::new(&[("dbt_project.yml", "name: shop\nvars: {a: 1, b: 2, shop: {b: 3, c: 4}}\n")]);
    let options = LoadOptions { vars: Some("{c: five, d: [6]}".to_owned()), ..folder.options() };
    let expected: IndexMap<String, serde_json::Value> = [
        ("a".to_owned(), json!(1)),
        ("b".to_owned(), json!(3)),
        ("c".to_owned(), json!("five")),
        ("d".to_owned(), json!([6])),
    ]
    .into();
    assert_eq!(load(&options).unwrap().vars, expected);
}

#[test]
fn vars_of_the_command_line_are_a_mapping() {
    let folder = Folder::new(&[]);
    let told = |vars: &str| {
        let options = LoadOptions { vars: Some(vars.to_owned()), ..folder.options() };
        shown(load(&options).unwrap_err().iter())
    };
    insta::assert_snapshot!(told("day"), @r"
    --vars:1:1: expected a mapping, found `day`
        write --vars '{name: value}'
    ");
    insta::assert_snapshot!(told("{day: 1"), @r"--vars:1:1: this is no YAML: unclosed bracket '{'");
}

#[test]
fn what_fails_is_told_at_its_place() {
    insta::assert_snapshot!(problems(&[(
        "sources.yml",
        "sources:
  - name: s
    tables:
      - name: t
        path: \"{{ env_var('MEP_NOT_SET') }}\"
      - {name: u, path: \"{{ var('day') }}\"}
      - {name: v, path: \"{{ day }}/x\"}
      - {name: w, path: \"{{ ref('x') }}\"}
      - {name: x, path: \"{{ var( }}\"}
      - {name: y, path: \"{% if %}\"}
",
    )]), @r"
    sources.yml:5:15: environment variable `MEP_NOT_SET` is not set
        set it, or give a default: env_var('MEP_NOT_SET', 'a default')
    sources.yml:6:25: var `day` is not set
        set it with --vars, or give a default: var('day', 'a default')
    sources.yml:7:25: the Jinja of this text fails: undefined value: `day` is undefined
        in YAML, Jinja knows env_var(), var(), target, project_name and run_started_at
    sources.yml:8:25: the Jinja of this text fails: unknown function: ref is unknown
        in YAML, Jinja knows env_var(), var(), target, project_name and run_started_at
    sources.yml:9:25: the Jinja of this text fails: syntax error: unexpected end of input, expected expression
        in YAML, Jinja knows env_var(), var(), target, project_name and run_started_at
    sources.yml:10:25: the Jinja of this text fails: syntax error: unexpected end of block
        in YAML, Jinja knows env_var(), var(), target, project_name and run_started_at
    ");
}

#[test]
fn a_var_with_a_typo_is_offered() {
    insta::assert_snapshot!(problems(&[
        ("dbt_project.yml", "name: shop\nvars: {places: 1}\n"),
        ("sources.yml", SOURCES),
    ]), @r"
    sources.yml:3:30: var `place` is not set
        did you mean `places`?
    ");
}

#[test]
fn descriptions_can_name_docs_blocks() {
    let project = loaded(&[
        ("models/a.sql", ""),
        (
            "models/docs.md",
            "# Docs\n{% docs song %}\nA *song*.\n{% enddocs %}\n{% docs day %}A day.{% enddocs %}",
        ),
        (
            "models/a.yml",
            "models: [{name: a, description: \"It: {{ doc('song') }} {{ doc('shop', 'day') }}\"}]",
        ),
    ]);
    assert_eq!(project.models[0].properties.description.as_deref(), Some("It: A *song*. A day."));
}

#[test]
fn docs_blocks_are_checked() {
    insta::assert_snapshot!(problems(&[
        ("models/a.sql", ""),
        ("models/docs.md", "{% enddocs %}{% docs song %}x{% enddocs %}\n{% docs song %}y{% enddocs %}\n{% docs end %}"),
        ("models/a.yml", "models: [{name: a, description: \"{{ doc('sogn') }}\"}]"),
    ]), @r"
    models/a.yml:1:33: there is no docs block `sogn`
        did you mean `song`?
    models/docs.md:1:1: expected a `docs` tag before this one, found none
    models/docs.md:2:1: two docs blocks are named `song`
        the first is in models/docs.md, line 1
    models/docs.md:3:1: the docs block `end` never ends
        end it with {% enddocs %}
    ");
}
