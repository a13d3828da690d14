//! References, macros and config in models, and what they stand for.

use super::{model, refused};
use crate::project::Project;

#[test]
fn an_unknown_model_is_named_with_a_near_one() {
    let said = refused(&[
        ("models/plays.sql", "select 1 as x"),
        ("models/counts.sql", "select count(*) as n\nfrom {{ ref('play') }}\n"),
    ]);
    insta::assert_snapshot!(said, @r"
     error: there is no model or seed `play`
      ╭─[models/counts.sql:2:14]
    1 │ select count(*) as n
    2 │ from {{ ref('play') }}
      ·              ────
      ╰────
     help: did you mean `plays`?
    ");
    insta::assert_snapshot!(model("select * from {{ ref('listens') }}"), @r"
     error: there is no model or seed `listens`
      ╭─[models/counts.sql:1:23]
    1 │ select * from {{ ref('listens') }}
      ·                       ───────
      ╰────
     help: write source('events', 'listens')
    ");
}

#[test]
fn an_unknown_source_is_named_with_a_near_one() {
    insta::assert_snapshot!(model("select * from {{ source('events', 'listen') }}"), @r"
     error: there is no source table `events.listen`
      ╭─[models/counts.sql:1:36]
    1 │ select * from {{ source('events', 'listen') }}
      ·                                    ──────
      ╰────
     help: did you mean source('events', 'listens')?
    ");
    insta::assert_snapshot!(model("select * from {{ source('tables', 'customers') }}"), @r"
     error: there is no source table `tables.customers`
      ╭─[models/counts.sql:1:36]
    1 │ select * from {{ source('tables', 'customers') }}
      ·                                    ─────────
      ╰────
     help: declare it under `sources:` in a YAML file
    ");
}

#[test]
fn a_cycle_is_shown() {
    let said = refused(&[
        ("models/a.sql", "select * from {{ ref('c') }}"),
        ("models/b.sql", "select * from {{ ref('a') }}"),
        ("models/c.sql", "select * from {{ ref('b') }}"),
    ]);
    insta::assert_snapshot!(said, @r"
     error: a cycle: a -> c -> b -> a
      ╭─[models/a.sql:1:23]
    1 │ select * from {{ ref('c') }}
      ·                       ─
      ╰────
     help: take one of the references away
    ");
    insta::assert_snapshot!(model("select * from {{ ref('counts') }}"), @r"
     error: a cycle: counts -> counts
      ╭─[models/counts.sql:1:23]
    1 │ select * from {{ ref('counts') }}
      ·                       ──────
      ╰────
     help: take one of the references away
    ");
}

#[test]
fn an_unknown_macro_is_told_in_a_model_and_in_a_macro() {
    insta::assert_snapshot!(model("select {{ cents('price') }} as x"), @r"
     error: there is no function or macro `cents`
      ╭─[models/counts.sql:1:11]
    1 │ select {{ cents('price') }} as x
      ·           ──────────────
      ╰────
     help: define it by a `macro` block in macros/
    ");
    let said = refused(&[
        ("macros/money.sql", "{% macro cents(column) %}\n{{ hundreds(column) }} * 100\n{% endmacro %}\n"),
        ("models/counts.sql", "select {{ cents('1') }} as x"),
        ("models/others.sql", "select {{ cent('1') }} as x"),
    ]);
    insta::assert_snapshot!(said, @r"
      error: there is no function or macro `hundreds`
       ╭─[macros/money.sql:2:4]
     1 │ {% macro cents(column) %}
     2 │ {{ hundreds(column) }} * 100
       ·    ────────┬───────
       ·            ╰── in a macro that models/counts.sql calls at 1:11
     3 │ {% endmacro %}
       ╰────
      help: define it by a `macro` block in macros/

      error: there is no function or macro `cent`
       ╭─[models/others.sql:1:11]
     1 │ select {{ cent('1') }} as x
       ·           ─────────
       ╰────
      help: did you mean `cents`?

    2 problems
    ");
}

#[test]
fn jinja_that_cannot_be_parsed_is_pointed_at() {
    insta::assert_snapshot!(model("select {{ 1 + }} as x"), @r"
     error: syntax error: unexpected end of variable block
      ╭─[models/counts.sql:1:15]
    1 │ select {{ 1 + }} as x
      ·               ──
      ╰────
    ");
    insta::assert_snapshot!(model("{% if true %} select 1 as x"), @r"
     error: syntax error: unexpected end of input, expected end of block
      ╭─[models/counts.sql:1:14]
    1 │ {% if true %} select 1 as x
      ·              ──────────────
      ╰────
     help: close the block: {% end... %}
    ");
    insta::assert_snapshot!(refused(&[("macros/broken.sql", "{% macro a( %}{% endmacro %}")]), @r"
     error: syntax error: unexpected `%`, expected identifier
      ╭─[macros/broken.sql:1:13]
    1 │ {% macro a( %}{% endmacro %}
      ·             ─
      ╰────
    ");
}

#[test]
fn a_config_that_nothing_reads_is_told_once_and_the_model_is_built() {
    let project = Project::new();
    for name in ["a", "b"] {
        let sql = format!("{{{{ config(transient=true, colour='red') }}}} select '{name}' as x");
        project.model(name, &sql);
    }
    let said = project.run(&["build"]).stderr;
    assert_eq!(said.matches("`transient` has no effect here").count(), 1, "{said}");
    assert_eq!(said.matches("unknown config key `colour`").count(), 1, "{said}");
    assert!(project.run(&["ls", "--strict"]).code == Some(2));
}

#[test]
fn a_project_with_hooks_that_write_is_read_and_what_has_none_is_built() {
    let project = Project::new();
    project
        .model("a", "{{ config(post_hook='drop table x', pre_hook=[]) }} select 1 as x")
        .model("b", "select 2 as x");
    project.succeed(&["parse"]);
    assert!(project.fail(2, &["build"]).contains("`drop table x` would change what tables hold"));
    project.succeed(&["build", "--select", "b"]);
    project.file("dbt_project.yml", "name: songs\nprofile: songs\non-run-start: ['drop table y']\n");
    project.succeed(&["parse"]);
    assert!(project.fail(2, &["build", "--select", "b"]).contains("`drop table y` would change"));
}

#[test]
fn an_unknown_or_wrong_config_is_pointed_at() {
    insta::assert_snapshot!(model("{{ config(materialised='table') }} select 1 as x"), @r"
     error: unknown config key `materialised`
      ╭─[models/counts.sql:1:11]
    1 │ {{ config(materialised='table') }} select 1 as x
      ·           ────────────
      ╰────
     help: did you mean `materialized`?
    ");
    insta::assert_snapshot!(model("{{ config(materialized='tabel', pre_hook='drop table x') }} select 1 as x"), @r"
      error: `materialized`: expected one of view, table, incremental, ephemeral, streaming, history, found
      │ `tabel`
       ╭─[models/counts.sql:1:11]
     1 │ {{ config(materialized='tabel', pre_hook='drop table x') }} select 1 as x
       ·           ────────────
       ╰────
    ");
    let said = refused(&[
        ("models/counts.sql", "select 1 as x"),
        (
            "models/schema.yml",
            "models:\n  - name: counts\n    config:\n      materialised: table\n    colums: []\n",
        ),
    ]);
    insta::assert_snapshot!(said, @r"
     error: unknown key `colums` in the entry of a model
      ╭─[models/schema.yml:5:5]
    4 │       materialised: table
    5 │     colums: []
      ·     ──────
      ╰────
     help: did you mean `columns`?
    ");
    let said = refused(&[
        ("models/counts.sql", "select 1 as x"),
        (
            "dbt_project.yml",
            "name: songs\nprofile: songs\nmodel-path: [models]\nmodels:\n  +materialised: table\n",
        ),
    ]);
    insta::assert_snapshot!(said, @r"
     error: unknown key `model-path` in a project
      ╭─[dbt_project.yml:3:1]
    2 │ profile: songs
    3 │ model-path: [models]
      · ──────────
    4 │ models:
      ╰────
     help: did you mean `model-paths`?
    ");
}

#[test]
fn a_reference_to_a_disabled_model_is_told() {
    let said = refused(&[
        ("models/plays.sql", "{{ config(enabled=false) }} select 1 as x"),
        ("models/counts.sql", "select * from {{ ref('plays') }}"),
    ]);
    insta::assert_snapshot!(said, @r"
     error: `plays` is disabled
      ╭─[models/counts.sql:1:23]
    1 │ select * from {{ ref('plays') }}
      ·                       ─────
      ╰────
     help: enable it, or take the reference away
    ");
}

#[test]
fn a_missing_variable_is_told() {
    insta::assert_snapshot!(model("select '{{ env_var('COUNTRY') }}' as country"), @r"
     error: the environment variable `COUNTRY` is not set
      ╭─[models/counts.sql:1:12]
    1 │ select '{{ env_var('COUNTRY') }}' as country
      ·            ──────────────────
      ╰────
     help: set it, or give a default: env_var('COUNTRY', '...')
    ");
    insta::assert_snapshot!(model("select '{{ var('country') }}' as country"), @r"
     error: the variable `country` is not set
      ╭─[models/counts.sql:1:12]
    1 │ select '{{ var('country') }}' as country
      ·            ──────────────
      ╰────
     help: set it under `vars:` in dbt_project.yml or by --vars, or give a default: var('country', ...)
    ");
    let profiles =
        "songs:\n  outputs:\n    default: {type: local, path: \"{{ env_var('PLACE') }}\", schema: main}\n";
    insta::assert_snapshot!(refused(&[("profiles.yml", profiles)]), @r#"
   profiles.yml:3:34

     error: environment variable `PLACE` is not set
     help: set it, or give a default: env_var('PLACE', 'a default')
    "#);
}
