//! dbt's functions have dbt's meaning.

use serde_json::json;

use super::{parse, sql};

#[test]
fn ref_source_and_this_are_names_of_relations() {
    assert_eq!(
        sql(&[], "select * from {{ ref('a') }} join {{ source('e', 'b') }} join {{ ref('shop', 'c') }}"),
        "select * from music.a join music.raw_b join music.c"
    );
    assert_eq!(
        sql(
            &[],
            "{{ this }} {{ this.schema }} {{ this.identifier }} {{ this.table }} {{ this.include(schema=false) }}"
        ),
        "music.m music m m m"
    );
}

#[test]
fn a_ref_that_stands_for_a_part_is_all_of_it_when_it_is_rendered() {
    assert_eq!(
        sql(
            &[],
            "{% set r = ref('part_of_a') %}{{ r }} {{ r.include(database=false) }} {{ r.render() }} {{ r.schema }}.{{ r.identifier }}"
        ),
        "parts.a parts.a music.part_of_a music.part_of_a"
    );
}

#[test]
fn var_gives_the_project_s_value_else_the_default() {
    assert_eq!(sql(&[], "{{ var('country') }} {{ var('x', 'y') }} {{ var('x', default=3) }}"), "SE y 3");
    assert_eq!(sql(&[], "{% for c in var('countries') %}{{ c }};{% endfor %}"), "SE;NO;");
    assert_eq!(
        sql(&[], "{% set c = var('countries') %}{% do c.append('DK') %}{{ c }} {{ var.has_var('x') }}"),
        "['SE', 'NO', 'DK'] False"
    );
}

#[test]
fn config_is_readable_after_it_is_written() {
    assert_eq!(
        sql(
            &[],
            "{{ config(materialized='table') }}{{ config.get('materialized') }} {{ config.get('z', 'd') }} \
             {{ config.get('z', default='e') }} {{ config.require('materialized') }} {{ model.config.materialized }}"
        ),
        "table d e table table"
    );
}

#[test]
fn a_macro_sees_config_as_it_is_by_then() {
    let macros = [("macros/a.sql", "{% macro kind() %}{{ model.config.materialized }}{% endmacro %}")];
    let text = "{{ config(materialized='') }}{{ kind() }}{{ config(materialized='view') }}{{ kind() }} \
                {{ config(materialized='table') }}{{ kind() }}";
    assert_eq!(sql(&macros, text), "view table");
}

#[test]
fn config_keeps_types_from_calls_statements_mappings_and_macros() {
    let macros = [("macros/a.sql", "{% macro daily() %}{{ config(partition_by=['day']) }}{% endmacro %}")];
    let parsed = parse(
        &macros,
        "{{ config(enabled=false, lookback=3, ratio=0.5) }}{% do config({'meta': {'owner': none}}) %}{{ daily() }}",
    );
    let config: Vec<_> =
        parsed.config.iter().map(|(key, value)| (key.as_str(), value.value.clone())).collect();
    assert_eq!(
        config,
        [
            ("enabled", json!(false)),
            ("lookback", json!(3)),
            ("ratio", json!(0.5)),
            ("meta", json!({"owner": null})),
            ("partition_by", json!(["day"])),
        ]
    );
}

#[test]
fn the_second_pass_knows_the_run() {
    assert_eq!(
        sql(
            &[],
            "{% if is_incremental() %}new{% endif %} {{ execute }} {{ target.name }} {{ flags.FULL_REFRESH }}"
        ),
        "new True dev False"
    );
    assert_eq!(
        sql(&[], "{{ env_var('MEP_NO_SUCH', 'd') }}{{ log('x', info=True) }}{{ log('x', true) }}"),
        "d"
    );
    assert_eq!(sql(&[], "{{ tojson([1, true]) }} {{ fromjson('{\"a\": [2]}').a[0] }}"), "[1, true] 2");
    assert_eq!(
        sql(&[], "{{ zip([1, 2], ['a', 'b']) }} {{ set([1, 1, 2]) | length }}"),
        "[(1, 'a'), (2, 'b')] 2"
    );
    assert_eq!(
        sql(&[], "{{ adapter.quote('Name') }} {{ project_name }} {{ model.name }}"),
        "\"Name\" shop m"
    );
    assert_eq!(sql(&[], "{{ target.type }} {{ target.schema }}"), "duckdb music");
}

#[test]
fn times_are_formatted_and_moved_as_in_python() {
    assert_eq!(
        sql(&[], "{{ run_started_at.strftime('%Y%m%d %f') }} {{ run_started_at }} {{ logical_date }}"),
        "20181103 000000 2018-11-03 01:02:03+00:00 2018-11-02"
    );
    assert_eq!(sql(&[], "{{ run_started_at.isoformat() }}"), "2018-11-03T01:02:03+00:00");
    assert_eq!(
        sql(&[], "{{ (run_started_at - modules.datetime.timedelta(days=3)).strftime('%Y-%m-%d') }}"),
        "2018-10-31"
    );
    assert_eq!(
        sql(
            &[],
            "{% set day = run_started_at.date() -modules.datetime.timedelta(1) %}{{ day }} \
             {{ logical_date + modules.datetime.timedelta(hours=36) }} {{ modules.datetime.date.today() }}"
        ),
        "2018-11-02 2018-11-03 2018-11-03"
    );
    assert_eq!(
        sql(&[], "{{ modules.datetime.datetime.strptime('2018-11-03', '%Y-%m-%d').isoweekday() }}"),
        "6"
    );
}

#[test]
fn the_first_pass_finds_refs_sources_and_config_with_their_places() {
    let parsed = parse(
        &[],
        "{{ config(materialized='incremental', tags=['x']) }}\nselect * from {{ ref('a') }}, {{ source('e', 't') }}, \
         {{ ref(\"a\") }} {% if is_incremental() %}x{% endif %}",
    );
    assert_eq!(parsed.refs.len(), 1);
    assert_eq!(parsed.refs[0].name, "a");
    assert_eq!(parsed.refs[0].place.line_column(), (2, 23));
    assert_eq!((parsed.sources[0].source.as_str(), parsed.sources[0].table.as_str()), ("e", "t"));
    assert_eq!(parsed.sources[0].place.line_column(), (2, 47));
    assert_eq!(parsed.config["tags"].value, json!(["x"]));
    assert_eq!(parsed.config["materialized"].place.line_column(), (1, 11));
    assert!(parsed.uses_is_incremental);
    assert!(!parsed.uses_run_time);
}

#[test]
fn the_first_pass_finds_a_ref_that_a_loop_makes_by_its_name() {
    let parsed = parse(&[], "é {% for m in ['a', 'b'] %}{{ ref(m) }}{% endfor %}");
    let places: Vec<_> = parsed.refs.iter().map(|found| found.place.line_column()).collect();
    assert_eq!(places, [(1, 17), (1, 22)]);
}

#[test]
fn the_first_pass_finds_what_only_execution_reaches() {
    let parsed = parse(&[], "{% if execute %}{{ ref('a') }}{% else %}{{ ref('b') }}{% endif %}{{ execute }}");
    let names: Vec<_> = parsed.refs.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
}

#[test]
fn what_differs_on_every_run_is_noted() {
    assert!(parse(&[], "{{ run_started_at }}").uses_run_time);
    assert!(parse(&[], "{{ invocation_id }}").uses_run_time);
    assert!(parse(&[], "{{ modules.datetime.datetime.now() }}").uses_run_time);
    assert!(!parse(&[], "{{ logical_date }}").uses_run_time);
    let macros = [(
        "macros/a.sql",
        "{% macro now() %}{{ run_started_at }}{% endmacro %}{% macro other() %}{% endmacro %}",
    )];
    assert!(parse(&macros, "{{ now() }}").uses_run_time);
    assert!(!parse(&macros, "{{ other() }}").uses_run_time);
}

#[test]
fn what_a_text_keeps_in_the_graph_is_there_for_its_macros_and_for_no_other_text() {
    let macros = "{% macro kept() %}{% do graph.kept.update({'n': 1}) %}{{ graph['kept'].n }}{% endmacro %}";
    let text = "{{ graph.get('kept') }} {% do graph.setdefault('kept', {}) %}{{ kept() }} {{ 'kept' in graph }} {{ graph.nodes | length }}";
    let macros = [("macros/kept.sql", macros)];
    assert_eq!(sql(&macros, text), "None 1 True 0");
    assert_eq!(sql(&macros, "{{ graph.get('kept') }}"), "None");
}
