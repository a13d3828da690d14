//! Macros call each other across files, take blocks and return values.

use super::{parse, sql, templates};

#[test]
fn macros_call_each_other_across_files_and_return_values_of_any_type() {
    let macros = [
        ("macros/a.sql", "{% macro plus(x, y=2) %}{{ return(x + y) }}{% endmacro %}"),
        (
            "macros/b.sql",
            "{% macro twice(x) %}{% for i in [1] %}{% if x %}{% do return(plus(x, y=x)) %}{% endif %}{% endfor %}never\
             {% endmacro %}{% macro pair() %}{{ return(['p', {'q': 'r'}]) }}{% endmacro %}\
             {% macro nothing() %}{% do return(none) %}{% endmacro %}",
        ),
        ("macros/c.sql", "{% macro outer() %}{% set x = plus(1) %}after {{ x }}{% endmacro %}"),
    ];
    assert_eq!(
        sql(&macros, "{{ plus(1) }} {{ twice(5) + 1 }} {{ pair()[1].q }} {{ outer() }}"),
        "3 11 r after 3"
    );
    assert_eq!(
        sql(&macros, "{{ shop.plus(2) }} {{ nothing() is none }} {{ 'y' if plus(0) > 1 }}"),
        "4 True y"
    );
}

#[test]
fn a_macro_that_was_taken_over_from_a_package_is_found_by_the_package_s_name() {
    let macros = [("macros/a.sql", "{% macro star(x) %}{{ x }}.*{% endmacro %}")];
    assert_eq!(sql(&macros, "{{ dbt_utils.star(this) }}"), "music.m.*");
}

#[test]
fn dispatch_finds_the_adapter_s_macro_before_the_default_one() {
    let macros = [(
        "macros/c.sql",
        "{% macro name() %}{{ adapter.dispatch('name')() }}{% endmacro %}\
         {% macro default__name() %}{{ this.name }}{% endmacro %}\
         {% macro size(x) %}{{ return(adapter.dispatch('size', 'shop')(x)) }}{% endmacro %}\
         {% macro default__size(x) %}{{ return(x) }}{% endmacro %}{% macro mep__size(x) %}{{ return(x * 2) }}{% endmacro %}\
         {% macro again(x) %}{{ adapter.dispatch('size', macro_namespace='shop')(x) }}{% endmacro %}",
    )];
    assert_eq!(sql(&macros, "{{ name() }} {{ size(2) + 1 }} {{ again(3) }}"), "m 5 6");
}

#[test]
fn a_call_block_sees_its_own_text_and_takes_arguments() {
    let macros = [(
        "macros/d.sql",
        "{% macro wrap() %}<{{ caller() }}>{% endmacro %}\
         {% macro each(items) %}{% for item in items %}{{ caller(item, loop.index) }};{% endfor %}{% endmacro %}\
         {% macro outer() %}{% set inner = caller %}{% call wrap() %}{{ inner() }}!{% endcall %}{% endmacro %}",
    )];
    assert_eq!(
        sql(&macros, "{% set x = 1 %}{% call wrap() %}in {{ ref('a') }} {{ x }}{% endcall %}"),
        "<in music.a 1>"
    );
    assert_eq!(
        sql(
            &macros,
            "{% set k = 'k' %}{% call(item, n) each(['a', 'b']) %}{{ k }}{{ n }}{{ item }}{% endcall %}"
        ),
        "k1a;k2b;"
    );
    assert_eq!(sql(&macros, "{% call outer() %}deep{% endcall %}"), "<deep!>");
}

#[test]
fn a_macro_sees_the_model_but_not_the_model_s_variables() {
    let macros = [(
        "macros/a.sql",
        "{% macro m() %}{{ this.name }} {{ model.name }} {{ x is defined }}{% endmacro %}",
    )];
    assert_eq!(sql(&macros, "{% set x = 1 %}{{ m() }}"), "m m False");
}

#[test]
fn a_macro_takes_varargs_and_kwargs_where_it_reads_them() {
    let macros = [(
        "macros/a.sql",
        "{% macro all(x, y=0) %}{{ x }} {{ y }} {{ varargs }} {{ kwargs }}{% endmacro %}\
         {% macro rest() %}{{ kwargs.get('a', 'none') }}{% endmacro %}\
         {% macro pass() %}{{ all(*varargs, **kwargs) }}{% endmacro %}",
    )];
    assert_eq!(sql(&macros, "{{ all(1, 2, 3, z=4) }} {{ all(1) }}"), "1 2 (3,) {'z': 4} 1 0 () {}");
    assert_eq!(sql(&macros, "{{ rest(a=1) }}{{ rest() }} {{ pass(1, y=5) }}"), "1none 1 5 () {}");
}

#[test]
fn a_macro_changes_the_list_that_it_is_given() {
    let macros = [(
        "macros/a.sql",
        "{% macro add(list, item) %}{% do list.append(item) %}{% endmacro %}\
         {% macro fresh(list=[]) %}{% do list.append(1) %}{{ list }}{% endmacro %}",
    )];
    assert_eq!(sql(&macros, "{% set l = ['a'] %}{{ add(l, 'b') }}{{ l }}"), "['a', 'b']");
    assert_eq!(sql(&macros, "{{ fresh() }}{{ fresh() }}"), "[1][1]");
}

#[test]
fn macros_may_recurse() {
    let macros = [(
        "macros/a.sql",
        "{% macro down(n) %}{{ n }}{% if n > 0 %} {{ down(n - 1) }}{% endif %}{% endmacro %}\
         {% macro sum(n) %}{{ return(n + sum(n - 1) if n else 0) }}{% endmacro %}",
    )];
    assert_eq!(sql(&macros, "{{ down(3) }} {{ sum(100) }}"), "3 2 1 0 5050");
}

#[test]
fn a_ref_inside_a_macro_is_the_model_s() {
    let macros = [(
        "macros/a.sql",
        "{% macro union(names) %}{% for n in names %}select * from {{ ref(n) }} {% endfor %}{% endmacro %}",
    )];
    let parsed = parse(&macros, "{{ union(['a', 'b']) }}");
    assert_eq!(parsed.refs.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_project_replaces_a_built_in_test() {
    let templates = templates(&[("macros/a.sql", "{% test unique(model) %}select 1{% endtest %}")]);
    assert!(templates.has_macro("test_unique"));
    assert_eq!(templates.generic_tests().filter(|name| *name == "unique").count(), 1);
}
