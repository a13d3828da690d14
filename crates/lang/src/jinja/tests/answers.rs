//! What a text can do with the rows that it asked for.

use super::{parse, sql};

/// A text with the rows of a question in `t`.
fn of_table(text: &str) -> String {
    sql(&[], &format!("{{% set t = run_query('select ...') %}}{text}"))
}

#[test]
fn a_table_has_columns_and_rows_by_name_and_place() {
    for (text, is) in [
        ("{{ t.columns[0].values() | join(',') }}", "jazz,pop,pop"),
        ("{{ t.columns['n'].values() }}", "(2, 1, 3)"),
        ("{{ t.columns['kind'].values_distinct() | list }}", "['jazz', 'pop']"),
        ("{{ t.columns[1].values_sorted() }}", "(1, 2, 3)"),
        ("{{ t.columns[2].values_without_nulls() | length }}", "0"),
        ("{{ t.columns[0][-1] }}", "pop"),
        ("{% for c in t.columns %}{{ c.name }} {% endfor %}", "kind n last "),
        (
            "{% for name, c in t.columns.items() %}{{ name }}={{ c.values() | length }} {% endfor %}",
            "kind=3 n=3 last=3 ",
        ),
        ("{{ t.column_names | join(' ') }}", "kind n last"),
        (
            "{% for row in t.rows %}{{ row['kind'] }}{{ row.n }}{{ row[1] }} {% endfor %}",
            "jazz22 pop11 pop33 ",
        ),
        (
            "{% for kind, n, last in t %}{{ kind }}{{ n }}{{ last is none }} {% endfor %}",
            "jazz2True pop1True pop3True ",
        ),
        ("{{ t.rows | map(attribute=0) | list }}", "['jazz', 'pop', 'pop']"),
        (
            "{{ t.rows[0].values() }} {{ t.rows[0].dict() }}",
            "('jazz', 2, None) {'kind': 'jazz', 'n': 2, 'last': None}",
        ),
        ("{{ t.rows[0].get('n') }} {{ t.rows[0].get('m', 'x') }}", "2 x"),
        ("{{ t | length }} {{ t.rows | length }} {{ t.columns | length }}", "3 3 3"),
        ("{{ t[1].n + 1 }}", "2"),
        ("{% if t %}some{% endif %}", "some"),
        ("{% do t.print_table() %}", ""),
    ] {
        assert_eq!(of_table(text), is, "{text}");
    }
    assert_eq!(
        sql(
            &[],
            "{% set t = run_query('nothing') %}{{ t.columns[0].values() | length }}{% if t %}some{% endif %}"
        ),
        "0"
    );
}

#[test]
fn a_statement_keeps_its_rows_under_its_name() {
    let text = "{% call statement('kinds', fetch_result=true, auto_begin=false) %}select ...{% endcall %}\
                {% set r = load_result('kinds') %}{{ r['data'] | map(attribute=0) | list }} {{ r.table.columns[1].values()[0] }} \
                {{ load_result('others') is none }}";
    assert_eq!(sql(&[], text).trim(), "['jazz', 'pop', 'pop'] 2 True");
    let text = "{% call dbt.statement('kinds', fetch_result=true) %}{{ 'select' }}{% endcall %}{{ dbt.load_result('kinds').table | length }}";
    assert_eq!(sql(&[], text), "3");
}

#[test]
fn a_question_is_only_asked_once_names_are_known() {
    let text = "{{ run_query('select * from ' ~ ref('a')) }}{% if execute %}{% for k in run_query('refused').columns[7].values() %}{{ ref('b') }}{% endfor %}{% endif %}";
    let parsed = parse(&[], text);
    let refs: Vec<&str> = parsed.refs.iter().map(|used| used.name.as_str()).collect();
    assert_eq!(refs, ["a", "b"], "what stands in loops over rows is looked at too");
    insta::assert_snapshot!(sql(&[], "{{ run_query('refused') }}"), @r"
    problem: no such table
       at: models/m.sql:1:4 `run_query('refused')`
     help: build it
    ");
    insta::assert_snapshot!(of_table("{{ t.where(1) }}"), @r"
    problem: `where()` of a table of results is not supported by mep
       at: models/m.sql:1:42 `.where(1)`
     help: let the SQL that asks do it
    ");
}
