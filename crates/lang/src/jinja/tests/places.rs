//! SQL is mapped back to the text that it came from.

use std::sync::Arc;

use super::{Names, SourceText, subject, templates};

/// The text that mep points at for a piece of the SQL.
fn pointed_at(macros: &[(&str, &str)], text: &str, needle: &str) -> String {
    let text = SourceText::new("models/m.sql", text);
    let rendered = templates(macros).render(&subject(&text), Arc::new(Names { incremental: false })).unwrap();
    let at = rendered.sql.find(needle).expect(&rendered.sql);
    let place = rendered.map.place(at..at + needle.len());
    assert_eq!(place.text, text);
    text.text()[place.span.start..place.span.end()].to_owned()
}

#[test]
fn copied_text_is_placed_to_the_byte() {
    let text = "{%- set l = ['a', 'b'] -%}\nselect\n  {%- for c in l %}\n  {{ c }} as x_{{ c }},\n  {%- endfor %}\n  wrong\nfrom {{ ref('t') }}";
    assert_eq!(pointed_at(&[], text, "wrong"), "wrong");
    assert_eq!(pointed_at(&[], text, "as x_"), "as x_");
}

#[test]
fn what_an_expression_gives_is_placed_at_the_expression() {
    assert_eq!(pointed_at(&[], "select * from {{ ref('t') }}", "music.t"), "ref('t')");
    assert_eq!(pointed_at(&[], "select * from {{ ref('t') }}", "t"), "t");
    assert_eq!(pointed_at(&[], "select {{ [1, [2]] }}", "[1, [2]]"), "[1, [2]]");
}

#[test]
fn what_a_macro_gives_is_placed_at_its_call() {
    let macros = [("macros/a.sql", "{% macro cast_it(x) %}cast({{ x }} as wrong){% endmacro %}")];
    assert_eq!(pointed_at(&macros, "select 1, {{ cast_it('a') }}, 2", "wrong"), "cast_it('a')");
    let block = "select {% call cast_it('a') %}{% endcall %}";
    let with_caller = [("macros/a.sql", "{% macro cast_it(x) %}{{ caller() }}wrong{% endmacro %}")];
    assert_eq!(pointed_at(&with_caller, block, "wrong"), "cast_it('a')");
}

#[test]
fn a_place_inside_a_loop_is_that_of_the_loop_s_body() {
    assert_eq!(
        pointed_at(&[], "{% for i in range(3) %}a{{ i }} wrong {% endfor %}", "a2 wrong"),
        "a{{ i }} wrong"
    );
}

#[test]
fn whitespace_control_does_not_shift_a_place() {
    assert_eq!(pointed_at(&[], "  {%- set x = 1 -%}  \n  one wrong  {{- x -}}  three", "wrong"), "wrong");
    assert_eq!(pointed_at(&[], "  {%- set x = 1 -%}  \n  one wrong  {{- x -}}  three", "three"), "three");
}

#[test]
fn a_captured_block_is_placed_where_it_is_printed() {
    let text = "{% set x %}select wrong{% endset %}with a as ({{ x }}) select 2";
    assert_eq!(pointed_at(&[], text, "wrong"), "x");
    assert_eq!(pointed_at(&[], text, "select 2"), "select 2");
}

#[test]
fn letters_beyond_ascii_do_not_shift_a_place() {
    let text = "-- é日本\n{# ü #}{% set e = ['ö'] %}select 'å', {{ e[0] }}, wrong";
    assert_eq!(pointed_at(&[], text, "wrong"), "wrong");
    assert_eq!(pointed_at(&[], text, "ö"), "e[0]");
    assert_eq!(pointed_at(&[], text, "'å'"), "'å'");
}

#[test]
fn raw_text_and_comments_do_not_shift_a_place() {
    let text = "{% raw %}{{ [not] }} {% endraw %}{# [ #}wrong";
    assert_eq!(pointed_at(&[], text, "wrong"), "wrong");
    assert_eq!(pointed_at(&[], text, "[not]"), "[not]");
}
