//! What templates know of relations: they are mappings, and have columns before anything is built.

use super::{parse, sql};

#[test]
fn a_relation_is_a_mapping_and_a_key_of_one() {
    assert_eq!(
        sql(
            &[],
            "{% set r = ref('a') %}{{ r is mapping }} {{ r.get('metadata', {}).get('type', '').endswith('Relation') }} {{ r.is_cte }} {{ r }}"
        ),
        "True True False music.a"
    );
    assert_eq!(
        sql(
            &[],
            "{% set d = {} %}{% do d.update({ref('a'): 1}) %}{% do d.update({ref('b'): 2}) %}{{ d[ref('a')] }}{{ d[ref('b')] }} {{ ref('a') == ref('a') }} {{ ref('a') == ref('b') }}"
        ),
        "12 True False"
    );
}

#[test]
fn the_columns_of_an_input_are_known_when_names_are() {
    let text = "{% set columns = adapter.get_columns_in_relation(ref('song')) %}{% for c in columns %}{{ c.name }}:{{ c.quoted }}:{{ c.data_type }}:{{ c.is_string() }}{{ c.is_number() }} {% endfor %}";
    assert_eq!(
        sql(&[], text),
        "id:\"id\":bigint:FalseTrue song:\"song\":varchar:TrueFalse Price:\"Price\":decimal(10, 2):FalseTrue "
    );
    assert_eq!(sql(&[], "{{ get_columns_in_relation(this) | length }}"), "3");
    assert_eq!(parse(&[], text).refs.len(), 1);
}

#[test]
fn the_columns_of_what_is_no_input_are_not_to_be_had() {
    insta::assert_snapshot!(
        sql(&[], "{{ adapter.get_columns_in_relation(api.Relation.create(schema='music', identifier='other')) }}"),
        @r"
    problem: the columns of music.other are asked for, which is no input of this text
       at: models/m.sql:1:11 `.get_columns_in_relation(api.Relation.create(schema='music', identifier='other'))`
     help: make it one: name it by ref() or source()
    "
    );
    assert_eq!(sql(&[], "{{ adapter.get_relation(none, 'music', 'nothing') is none }}"), "True");
}

#[test]
fn types_and_names_of_dbt_s_api_are_there() {
    assert_eq!(
        sql(
            &[],
            "{{ api.Column.translate_type('string') }} {{ api.Column.numeric_type('numeric', 28, 6) }} {{ api.Relation.create(schema='s', identifier='t') }} {{ api.Column('a', 'integer').dtype }} {{ api.Relation.add_ephemeral_prefix('x') }}"
        ),
        "TEXT numeric(28,6) s.t INT __dbt__cte__x"
    );
}
