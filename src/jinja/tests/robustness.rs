//! Nothing that a text does brings mep down.

use super::{Templates, invocation, project, sql};

/// A thread has 2 MiB of stack unless it is asked for more.
fn on_a_small_stack(work: impl FnOnce() -> String + Send + 'static) -> String {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap()
}

#[test]
fn endless_recursion_ends_with_a_problem() {
    let said = on_a_small_stack(|| {
        let macros = [(
            "macros/a.sql",
            "{% macro ping(x) %}{% for i in [1] %}{% if true %}{{ pong(x) }}{% endif %}{% endfor %}{% endmacro %}\
             {% macro pong(x) %}{% set y %}{{ adapter.dispatch('ping')(x) }}{% endset %}{{ y }}{% endmacro %}\
             {% macro default__ping(x) %}{{ ping(x) }}{% endmacro %}",
        )];
        sql(&macros, "{{ ping(1) }}")
    });
    insta::assert_snapshot!(said, @r"
    problem: macros call each other more than 200 deep, at last `default__ping`
       at: macros/a.sql:1:150 `('ping')(x)`
    label: in a macro that models/m.sql calls at 1:4
     help: let the macro end its recursion by an `if`
    ");
}

#[test]
fn a_call_block_that_recurses_ends_with_a_problem() {
    let said = on_a_small_stack(|| {
        let macros = [(
            "macros/a.sql",
            "{% macro wrap() %}{% set inner = caller %}{% call wrap() %}{{ inner() }}{% endcall %}{% endmacro %}",
        )];
        sql(&macros, "{% call wrap() %}x{% endcall %}")
    });
    assert!(said.starts_with("problem: macros call each other more than 200 deep"), "{said}");
}

#[test]
fn a_macro_of_the_model_itself_that_recurses_ends_with_a_problem() {
    let said = on_a_small_stack(|| sql(&[], "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}"));
    insta::assert_snapshot!(said, @r"
    problem: blocks and macros nest too deep
       at: models/m.sql:1:20 `f(x)`
     help: let the recursion end by an `if`
    ");
}

#[test]
fn a_list_cannot_hold_itself() {
    let said = on_a_small_stack(|| sql(&[], "{% set l = [] %}{% do l.append(l) %}{{ l | length }}"));
    assert!(said.starts_with("problem: lists and mappings lie more than"), "{said}");
}

#[test]
fn deep_nesting_ends_with_a_problem() {
    let said = on_a_small_stack(|| sql(&[], &format!("{{{{ {}1{} }}}}", "[".repeat(3000), "]".repeat(3000))));
    assert!(said.starts_with("problem: the Jinja nests too deep here"), "{said}");
}

#[test]
fn broken_tags_are_problems_and_not_panics() {
    for text in [
        "{{",
        "{%",
        "{#",
        "{{ '",
        "{{ [ }}",
        "{{ ] }}",
        "{% raw %}{{",
        "{% set %}",
        "{% set x = %}",
        "{% set x = , %}",
        "{% macro %}",
        "{% macro m %}",
        "{{ {'a' }}",
        "{% set [a, b] = [1, 2] %}{{ a }",
        "{{ '\\",
        "{% endmacro %}",
        "{{ é",
        "{{ ref(",
        "{{ config(a= }}",
        "{{ - modules.datetime.timedelta( }}",
        "{%- -%}",
        "{{ ~ }}",
        "{{ modules }}",
    ] {
        sql(&[("macros/a.sql", "{% macro ok() %}{% endmacro %}")], text);
        let macros = [("macros/a.sql", text)];
        let _ = Templates::new(&project(&macros), invocation());
    }
}

#[test]
fn templates_are_used_from_several_threads() {
    const fn shared<T: Send + Sync>() {}
    const { shared::<Templates>() };
}
