//! What mep says of a text that it cannot render.

use super::{SourceText, Templates, invocation, project, said, sql, subject};

#[test]
fn what_is_unknown_is_named_with_its_place_and_a_near_name() {
    insta::assert_snapshot!(sql(&[], "select 1\nfrom {{ reff('a') }}"), @r"
    problem: there is no function or macro `reff`
       at: models/m.sql:2:9 `reff('a')`
     help: did you mean `ref`?
    ");
    insta::assert_snapshot!(sql(&[], "select {{ unheard_of(1) }}"), @r"
    problem: there is no function or macro `unheard_of`
       at: models/m.sql:1:11 `unheard_of(1)`
     help: define it by a `macro` block in macros/
    ");
    insta::assert_snapshot!(sql(&[], "select {{ targett.name }}"), @r"
    problem: `targett` is not defined
       at: models/m.sql:1:11 `targett.name`
     help: did you mean `target`?
    ");
    insta::assert_snapshot!(sql(&[], "select {{ target.nme.x }}"), @r"
    problem: `target.nme` is not defined
       at: models/m.sql:1:17 `.nme.x`
     help: give it a value, or ask `target.nme is defined` first
    ");
    insta::assert_snapshot!(sql(&[], "select {{ 'a' | uper }}"), @r"
    problem: there is no filter `uper`
       at: models/m.sql:1:17 `uper`
     help: did you mean `upper`?
    ");
    insta::assert_snapshot!(sql(&[], "select {{ 'a'.uper() }}"), @r"
    problem: string has no method named uper
       at: models/m.sql:1:14 `.uper()`
    ");
    insta::assert_snapshot!(sql(&[], "select {{ 1 is stringy }}"), @r"
    problem: there is no test `stringy`
       at: models/m.sql:1:16 `stringy`
     help: did you mean `string`?
    ");
    insta::assert_snapshot!(sql(&[], "é é select {{ var('contry') }}"), @r"
    problem: the variable `contry` is not set
       at: models/m.sql:1:15 `var('contry')`
     help: did you mean `country`?
    ");
    insta::assert_snapshot!(sql(&[], "select {{ var('x') }}"), @r"
    problem: the variable `x` is not set
       at: models/m.sql:1:11 `var('x')`
     help: set it under `vars:` in dbt_project.yml or by --vars, or give a default: var('x', ...)
    ");
    insta::assert_snapshot!(sql(&[], "select {{ env_var('MEP_NO_SUCH') }}"), @r"
    problem: the environment variable `MEP_NO_SUCH` is not set
       at: models/m.sql:1:11 `env_var('MEP_NO_SUCH')`
     help: set it, or give a default: env_var('MEP_NO_SUCH', '...')
    ");
    insta::assert_snapshot!(sql(&[], "{{ adapter.dispatch('x')() }}"), @r"
    problem: there is no macro to dispatch `x` to: expected `mep__x`, `duckdb__x`, `default__x` in shop, dbt
       at: models/m.sql:1:11 `.dispatch('x')`
     help: define `default__x` in macros/
    ");
    insta::assert_snapshot!(sql(&[("macros/a.sql", "{% macro plus() %}{% endmacro %}")], "{{ shop.pluss() }}"), @r"
    problem: there is no macro `pluss`
       at: models/m.sql:1:8 `.pluss()`
     help: did you mean `plus`?
    ");
}

#[test]
fn wrong_arguments_are_named() {
    insta::assert_snapshot!(sql(&[], "select {{ ref() }}"), @r"
    problem: ref() takes the name of a model, found nothing
       at: models/m.sql:1:11 `ref()`
     help: write ref('model') or ref('project', 'model')
    ");
    insta::assert_snapshot!(sql(&[], "select {{ ref(1) }}"), @r"
    problem: ref() takes the name of a model, found 1
       at: models/m.sql:1:11 `ref(1)`
     help: write ref('model') or ref('project', 'model')
    ");
    insta::assert_snapshot!(sql(&[], "select {{ ref(nothing) }}"), @r"
    problem: ref() takes the name of a model, found an undefined value
       at: models/m.sql:1:11 `ref(nothing)`
     help: write ref('model') or ref('project', 'model')
    ");
    insta::assert_snapshot!(sql(&[], "select {{ ref('a', w=2) }}"), @r"
    problem: ref() takes no argument `w`
       at: models/m.sql:1:11 `ref('a', w=2)`
     help: write ref('model', v=2) for a version of a model
    ");
    insta::assert_snapshot!(sql(&[], "select {{ source('a') }}"), @r"
    problem: source() takes the name of a source and the name of a table, found 'a'
       at: models/m.sql:1:11 `source('a')`
     help: write source('source', 'table')
    ");
    insta::assert_snapshot!(sql(&[], "{{ config('table') }}"), @r"
    problem: config() takes keys and values, found 'table'
       at: models/m.sql:1:4 `config('table')`
     help: write config(materialized='table')
    ");
    insta::assert_snapshot!(sql(&[], "{{ config.require('x') }}"), @r"
    problem: the config `x` is required here
       at: models/m.sql:1:10 `.require('x')`
     help: set it: config(x=...)
    ");
    let macros = [("macros/a.sql", "{% macro plus(left, right=1) %}{% endmacro %}")];
    insta::assert_snapshot!(sql(&macros, "{{ plus(1, 2, 3) }}"), @r"
    problem: found 3 arguments, but the macro `plus` takes at most 2
       at: models/m.sql:1:4 `plus(1, 2, 3)`
     help: it takes `left`, `right`
    ");
    insta::assert_snapshot!(sql(&macros, "{{ plus(1, rigth=3) }}"), @r"
    problem: the macro `plus` has no parameter `rigth`
       at: models/m.sql:1:4 `plus(1, rigth=3)`
     help: did you mean `right`?
    ");
    insta::assert_snapshot!(sql(&macros, "{{ plus(1, zzz=3) }}"), @r"
    problem: the macro `plus` has no parameter `zzz`
       at: models/m.sql:1:4 `plus(1, zzz=3)`
     help: it takes `left`, `right`
    ");
    insta::assert_snapshot!(sql(&macros, "{{ plus(1, left=3) }}"), @r"
    problem: duplicate argument `left`
       at: models/m.sql:1:4 `plus(1, left=3)`
    ");
    insta::assert_snapshot!(sql(&macros, "{% call plus(1) %}x{% endcall %}"), @r"
    problem: the macro `plus` is called with a block but never uses `caller()`
       at: models/m.sql:1:9 `plus(1)`
     help: call it by {{ ... }}
    ");
}

#[test]
fn syntax_errors_have_their_place() {
    insta::assert_snapshot!(sql(&[], "{% if x %}\nselect 1"), @r"
    problem: syntax error: unexpected end of input, expected end of block
       at: models/m.sql:1:11 `
    select 1`
     help: close the block: {% end... %}
    ");
    insta::assert_snapshot!(sql(&[], "select {{ 1 + }}"), @r"
    problem: syntax error: unexpected end of variable block
       at: models/m.sql:1:15 `}}`
    ");
    insta::assert_snapshot!(sql(&[], "select {{ ref('a' }}"), @r"
    problem: syntax error: unexpected `}`, expected `,`
       at: models/m.sql:1:19 `}`
    ");
    insta::assert_snapshot!(sql(&[], "{% set l = [1, 2 %}"), @r"
    problem: syntax error: unexpected `}`
       at: models/m.sql:1:19 `}`
    ");
    insta::assert_snapshot!(sql(&[], "select 1\n{% endif %}"), @r"
    problem: `endif` closes nothing
       at: models/m.sql:2:4 `endif`
     help: remove it, or open the block that it closes
    ");
    insta::assert_snapshot!(sql(&[], "select {{ 'a }}"), @r"
    problem: syntax error: unexpected end of string
       at: models/m.sql:1:16 ``
    ");
}

#[test]
fn what_dbt_has_and_mep_has_not_says_so() {
    insta::assert_snapshot!(sql(&[], "{% snapshot s %}{% endsnapshot %}"), @r"
    problem: `{% snapshot %}` belongs in a file of its own
       at: models/m.sql:1:4 `snapshot`
     help: put the snapshot in snapshots/
    ");
    insta::assert_snapshot!(sql(&[], "{% materialization m, default %}{% endmaterialization %}"), @r"
    problem: `{% materialization %}` is not supported by mep
       at: models/m.sql:1:4 `materialization`
     help: use one of mep's own: view, table, incremental, ephemeral, streaming, history
    ");
    insta::assert_snapshot!(sql(&[], "{% test t(model) %}{% endtest %}"), @r"
    problem: `{% test %}` belongs in a file of its own
       at: models/m.sql:1:4 `test`
     help: put the test in tests/generic/ or macros/
    ");
    insta::assert_snapshot!(sql(&[], "{{ adapter.drop_relation(this) }}"), @r"
    problem: `adapter.drop_relation()` is not supported by mep
       at: models/m.sql:1:11 `.drop_relation(this)`
     help: mep makes and takes away tables by itself; ask for rows by `run_query`. `adapter` has `dispatch`, `type`, `quote`, `get_columns_in_relation` and `get_relation`
    ");
    insta::assert_snapshot!(sql(&[], "{{ dbt_utils.star(this) }}"), @r"
    problem: the package `dbt_utils` is not installed: there is no macro `dbt_utils.star`
       at: models/m.sql:1:13 `.star(this)`
     help: run `mep deps`, or put the macro `star` in macros/, and the call will find it
    ");
    insta::assert_snapshot!(sql(&[], "{{ modules.pytz.timezone('x') }}"), @r"
    problem: there is no time zone `x`
       at: models/m.sql:1:16 `.timezone('x')`
     help: write a name such as 'Europe/Stockholm'
    ");
    insta::assert_snapshot!(sql(&[], "{{ return(1) }}"), @r"
    problem: return() outside of a macro
       at: models/m.sql:1:4 `return(1)`
     help: print the value by {{ ... }}
    ");
    insta::assert_snapshot!(sql(&[], "{{ exceptions.raise_compiler_error('no good') }}"), @r"
    problem: no good
       at: models/m.sql:1:14 `.raise_compiler_error('no good')`
    ");
    insta::assert_snapshot!(sql(&[], "{% do var('countries')[:1].append(1) %}{% do range(3).append(1) %}"), @r"
    problem: `append()` cannot change this iterator
       at: models/m.sql:1:27 `.append(1)`
     help: give it a name by `{% set %}`, and change that
    ");
}

#[test]
fn an_error_in_a_macro_is_placed_in_the_macro_and_names_who_calls() {
    let macros = [
        ("macros/a.sql", "{% macro bad(x) %}\n  {{ nothing.here }}\n{% endmacro %}"),
        ("macros/b.sql", "{% macro calls() %}\n  {{ bad(1) }}{% endmacro %}"),
        (
            "macros/c.sql",
            "{% macro raises() %}é {{ exceptions.raise_compiler_error('no good') }}{% endmacro %}",
        ),
        ("macros/d.sql", "{% macro wrong() %}{{ bad(1, 2) }}{% endmacro %}"),
    ];
    insta::assert_snapshot!(sql(&macros, "select {{ bad(1) }}"), @r"
    problem: `nothing.here` is not defined
       at: macros/a.sql:2:6 `nothing.here`
    label: in a macro that models/m.sql calls at 1:11
     help: give it a value, or ask `nothing.here is defined` first
    ");
    insta::assert_snapshot!(sql(&macros, "é\nselect {{ calls() }}"), @r"
    problem: `nothing.here` is not defined
       at: macros/a.sql:2:6 `nothing.here`
    label: in a macro that models/m.sql calls at 2:11
     help: give it a value, or ask `nothing.here is defined` first
    ");
    insta::assert_snapshot!(sql(&macros, "select {{ raises() }}"), @r"
    problem: no good
       at: macros/c.sql:1:36 `.raise_compiler_error('no good')`
    label: in a macro that models/m.sql calls at 1:11
    ");
    insta::assert_snapshot!(sql(&macros, "select {{ wrong() }}"), @r"
    problem: found 2 arguments, but the macro `bad` takes at most 1
       at: macros/d.sql:1:23 `bad(1, 2)`
    label: in a macro that models/m.sql calls at 1:11
     help: it takes `x`
    ");
    insta::assert_snapshot!(sql(&macros, "{% set l = ['é'] %}{% set x = [1, bad(1)] %}"), @r"
    problem: `nothing.here` is not defined
       at: macros/a.sql:2:6 `nothing.here`
    label: in a macro that models/m.sql calls at 1:35
     help: give it a value, or ask `nothing.here is defined` first
    ");
}

#[test]
fn all_files_of_macros_are_checked_at_once() {
    let macros = [
        ("macros/a.sql", "{% macro one() %}{% endmacro %}\n{% macro two( %}{% endmacro %}"),
        ("macros/b.sql", "{% macro three() %}{{ [1 }}{% endmacro %}"),
        ("macros/c.sql", "{% macro four() %}{% endmacro %}"),
        ("macros/d.sql", "{% macro four() %}{% endmacro %}"),
        ("macros/e.sql", "{% materialization five, default %}{{ [1 }}{% endmaterialization %}"),
    ];
    let problems = Templates::new(&project(&macros), invocation()).err().unwrap();
    let said: Vec<String> = problems.iter().map(said).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    problem: syntax error: unexpected `%`, expected identifier
       at: macros/a.sql:2:15 `%`
    problem: syntax error: unexpected `}`, expected `,`
       at: macros/b.sql:1:26 `}`
    problem: the macro `four` is defined twice, first in macros/c.sql
       at: macros/d.sql:1:10 `four`
     help: give one of them another name
    problem: syntax error: unexpected `}`, expected `,`
       at: macros/e.sql:1:42 `}`
    ");
}

#[test]
fn materializations_are_read_and_never_asked() {
    let macros = [
        (
            "macros/a.sql",
            "{% materialization mine, default %}{{ nothing.here }}{% endmaterialization %}\n{% materialization mine, adapter='spark', supported_languages=['sql'] -%}{%- endmaterialization %}{% macro two() %}2{% endmacro %}",
        ),
        (
            "macros/b.sql",
            "{% materialization view, adapter='spark' %}{% endmaterialization %}\n{% materialization table, default %}{% endmaterialization %}",
        ),
    ];
    let templates = Templates::new(&project(&macros), invocation()).unwrap();
    let warned: Vec<String> = templates.warnings.iter().map(said).collect();
    insta::assert_snapshot!(warned.join("\n"), @r"
    problem: the materialization `table` changes nothing: mep makes that by itself
       at: macros/b.sql:2:20 `table`
     help: set config in its place, or take it away
    ");
    insta::assert_snapshot!(sql(&macros, "select {{ two() }} {{ 1 if 'a' in['a'] }}"), @"select 2 1");
}

#[test]
fn macros_by_which_dbt_would_work_otherwise_are_told_once_each() {
    let macros = [
        (
            "macros/names.sql",
            "{% macro generate_schema_name(name, node) %}x{% endmacro %}\n{% macro duckdb__generate_alias_name(a, b) %}x{% endmacro %}\n{% macro generate_database_name(a, b) %}x{% endmacro %}",
        ),
        ("macros/merge.sql", "{% macro spark__get_merge_sql(a) %}x{% endmacro %}"),
        ("macros/ref.sql", "{% macro ref(a) %}{{ builtins.ref(a) }}{% endmacro %}"),
        (
            "macros/tests.sql",
            "{% macro spark__test_unique(model, column_name) %}x{% endmacro %}{% macro default__test_unique(model, column_name) %}select 1{% endmacro %}{% test not_null(model, column_name) %}select 1{% endtest %}{% macro get_where_subquery(relation) %}x{% endmacro %}{% macro spark__cents(a) %}x{% endmacro %}{% macro cents(a) %}x{% endmacro %}",
        ),
    ];
    let templates = Templates::new(&project(&macros), invocation()).map_err(|problems| problems.to_string());
    let told: Vec<String> = templates
        .unwrap()
        .warnings
        .iter()
        .map(|warning| {
            let place = warning.place().unwrap();
            let (line, _) = place.line_column();
            format!("{}:{line}: {warning}\n    {}", place.text.path().display(), warning.help_text().unwrap())
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_not_defined_is_nothing_and_told_where_the_project_is_not_strict() {
    let mut project = project(&[("macros/a.sql", "{% macro far() %}<{{ zzz }}>{% endmacro %}")]);
    project.is_strict = false;
    let templates = Templates::new(&project, invocation()).unwrap();
    let parsed = |text: &str| {
        let text = SourceText::new("models/m.sql", text);
        let parsed = templates.parse(&subject(&text)).unwrap();
        parsed.missing.iter().map(said).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(parsed("select {{ targett }}{{ other }} {% if execute %}{{ targett }}{% endif %}"), @r"
    problem: `targett` is not defined: nothing stands in its place
       at: models/m.sql:1:11 `targett`
     help: did you mean `target`?
    ");
    insta::assert_snapshot!(parsed("{{ far() }}"), @r"
    problem: `zzz` is not defined: nothing stands in its place
       at: macros/a.sql:1:22 `zzz`
    label: in a macro that models/m.sql calls at 1:4
     help: give it a value, or ask `zzz is defined` first
    ");
    insta::assert_snapshot!(parsed("{{ nothing | upper }}{% for x in nothing %}{% endfor %}"), @r"
    problem: `nothing` is not defined: nothing stands in its place
       at: models/m.sql:1:14 `upper`
     help: give it a value, or ask `nothing is defined` first
    ");
    assert_eq!(parsed("{{ nothing | default('x') }}{{ 'y' if nothing }}"), "");
    let of_rows = "{% if execute %}{{ run_query('select ...').rows[7].x }}{% endif %}";
    assert_eq!(parsed(of_rows), "", "of rows nothing is known before they are there");
}
