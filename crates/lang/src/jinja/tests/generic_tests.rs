//! Uses of generic tests become SELECTs of the rows that fail.

use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use serde_json::json;

use super::{Names, TestSubject, said, templates};
use crate::project::{Located, SourceText, Span, TestUse};
use mep_core::relation::Relation;

const MACROS: [(&str, &str); 2] = [
    (
        "tests/generic/positive.sql",
        "{% test positive(model, column_name) %}select * from {{ model }} where {{ column_name }} <= 0{% endtest %}\
         {% test no_rows(model) %}select * from {{ model }}{% endtest %}\
         {% test any_key(model) %}{{ kwargs.get('key', column_name) }}{% endtest %}",
    ),
    (
        "macros/same.sql",
        "{% test same_rows(model, other=none) %}{{ rows_of(other or 'whole') }}{% endtest %}\
         {% macro rows_of(name) %}{{ ref(name) }}{% endmacro %}\
         {% macro test_broken(model) %}{{ nothing.here }}{% endmacro %}",
    ),
];

static NO_CONFIG: LazyLock<IndexMap<String, serde_json::Value>> = LazyLock::new(IndexMap::new);

const YAML: &str = "  - test:\n      to: ref('dim')\n";

fn used(test: &str, arguments: &[(&str, serde_json::Value)]) -> TestUse {
    let place = SourceText::new("models/schema.yml", YAML).at(Span { start: 4, len: 4 });
    TestUse {
        test: Located { value: test.to_owned(), place },
        name: None,
        arguments: arguments.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        places: Vec::new(),
        config: IndexMap::new(),
        description: None,
    }
}

fn about<'a>(test: &'a TestUse, column: Option<&'a str>) -> TestSubject<'a> {
    let relation = Relation::new("music", "m");
    TestSubject { test, relation, column, is_boolean: false, config: &NO_CONFIG, unique_id: "t" }
}

fn select_of(subject: &TestSubject<'_>) -> String {
    match templates(&MACROS).render_test(subject, Arc::new(Names { incremental: false })) {
        Ok(rendered) => rendered.sql.split_whitespace().collect::<Vec<_>>().join(" "),
        Err(problem) => said(&problem),
    }
}

fn select(test: &str, arguments: &[(&str, serde_json::Value)]) -> String {
    let test = used(test, arguments);
    select_of(&about(&test, Some("id")))
}

/// What the first pass says of a use that does not fit.
fn refused(test: &str, column: Option<&str>, arguments: &[(&str, serde_json::Value)]) -> String {
    let test = used(test, arguments);
    said(&templates(&MACROS).parse_test(&about(&test, column)).unwrap_err())
}

#[test]
fn the_four_built_in_tests() {
    insta::assert_snapshot!(select("unique", &[]), @"select id as unique_field, count(*) as n_records from music.m where id is not null group by id having count(*) > 1");
    insta::assert_snapshot!(select("accepted_values", &[("values", json!(["it's", "b"]))]), @"select id as value_field, count(*) as n_records from music.m where id not in ('it''s', 'b') group by id");
    insta::assert_snapshot!(select("accepted_values", &[("values", json!([1, true])), ("quote", json!(false))]), @"select id as value_field, count(*) as n_records from music.m where id not in (1, True) group by id");
    insta::assert_snapshot!(select("relationships", &[("to", json!("ref('dim')")), ("field", json!("key"))]), @"select child.from_field from (select id as from_field from music.m where id is not null) as child left join (select key as to_field from music.dim) as parent on child.from_field = parent.to_field where parent.to_field is null");
    let not_null = used("not_null", &[]);
    let config = IndexMap::from([("where".to_owned(), json!("id > 3"))]);
    insta::assert_snapshot!(select_of(&TestSubject { config: &config, ..about(&not_null, Some("id")) }), @"select id from (select * from music.m where id > 3) dbt_subquery where id is null");
}

#[test]
fn tests_of_the_project() {
    insta::assert_snapshot!(select("positive", &[]), @"select * from music.m where id <= 0");
    insta::assert_snapshot!(select("shop.positive", &[]), @"select * from music.m where id <= 0");
    insta::assert_snapshot!(select("any_key", &[("key", json!("{{ var('country') }}"))]), @"SE");
}

#[test]
fn arguments_that_hold_jinja_are_evaluated() {
    let select = |to: &str| select("relationships", &[("to", json!(to)), ("field", json!("key"))]);
    insta::assert_snapshot!(select("{{ ref('dim') }}"), @"select child.from_field from (select id as from_field from music.m where id is not null) as child left join (select key as to_field from music.dim) as parent on child.from_field = parent.to_field where parent.to_field is null");
    insta::assert_snapshot!(select("source('s', 't')"), @"select child.from_field from (select id as from_field from music.m where id is not null) as child left join (select key as to_field from music.raw_t) as parent on child.from_field = parent.to_field where parent.to_field is null");
    insta::assert_snapshot!(select("other.{{ var('country') }}"), @"select child.from_field from (select id as from_field from music.m where id is not null) as child left join (select key as to_field from other.SE) as parent on child.from_field = parent.to_field where parent.to_field is null");
    insta::assert_snapshot!(select("{{ rows_of('x') }}"), @"select child.from_field from (select id as from_field from music.m where id is not null) as child left join (select key as to_field from music.x) as parent on child.from_field = parent.to_field where parent.to_field is null");
}

#[test]
fn each_argument_calls_macros_anew() {
    let both =
        [("to", json!("{{ rows_of('x') }}")), ("field", json!("{{ rows_of('y') }}.k{{ rows_of('z') }}"))];
    insta::assert_snapshot!(select("relationships", &both), @"select child.from_field from (select id as from_field from music.m where id is not null) as child left join (select music.y.kmusic.z as to_field from music.x) as parent on child.from_field = parent.to_field where parent.to_field is null");
}

#[test]
fn the_first_pass_notes_refs_of_arguments_and_of_the_macros_behind() {
    let templates = templates(&MACROS);
    let relationships = used("relationships", &[("to", json!("ref('dim')")), ("field", json!("key"))]);
    let parsed = templates.parse_test(&about(&relationships, Some("id"))).unwrap();
    assert_eq!(parsed.refs[0].name, "dim");
    assert_eq!(parsed.refs[0].place.line_column(), (2, 16));
    let same_rows = used("same_rows", &[]);
    let parsed = templates.parse_test(&about(&same_rows, None)).unwrap();
    assert_eq!(parsed.refs[0].name, "whole");
    assert_eq!(parsed.refs[0].place.line_column(), (1, 5));
}

#[test]
fn a_use_that_does_not_fit_is_refused_in_the_first_pass() {
    insta::assert_snapshot!(refused("uniqe", Some("id"), &[]), @r"
    problem: there is no test `uniqe`
       at: models/schema.yml:1:5 `test`
     help: did you mean `unique`?
    ");
    insta::assert_snapshot!(refused("unheard_of", Some("id"), &[]), @r"
    problem: there is no test `unheard_of`
       at: models/schema.yml:1:5 `test`
     help: define it by a `{% test unheard_of(model, column_name) %}` block in tests/generic/
    ");
    insta::assert_snapshot!(refused("accepted_values", Some("id"), &[("vales", json!([1]))]), @r"
    problem: the test `accepted_values` has no parameter `vales`
       at: models/schema.yml:1:5 `test`
     help: did you mean `values`?
    ");
    insta::assert_snapshot!(refused("unique", Some("id"), &[("colour", json!(1))]), @r"
    problem: the test `unique` has no parameter `colour`
       at: models/schema.yml:1:5 `test`
     help: it takes `model`, `column_name`
    ");
    insta::assert_snapshot!(refused("accepted_values", Some("id"), &[]), @r"
    problem: the test `accepted_values` needs the argument `values`
       at: models/schema.yml:1:5 `test`
     help: write `values:` below the test's name
    ");
    insta::assert_snapshot!(refused("unique", None, &[]), @r"
    problem: the test `unique` needs the argument `column_name`
       at: models/schema.yml:1:5 `test`
     help: put the test below a column, or give it `column_name`
    ");
    insta::assert_snapshot!(refused("no_rows", Some("id"), &[]), @r"
    problem: the test `no_rows` is not about a column: it has no parameter `column_name`
       at: models/schema.yml:1:5 `test`
     help: put it among the tests of the table, or give its macro the parameter
    ");
    insta::assert_snapshot!(refused("relationships", Some("id"), &[("to", json!("ref()")), ("field", json!(1))]), @r"
    problem: the test `relationships`: ref() takes the name of a model, found nothing
       at: models/schema.yml:1:5 `test`
     help: write ref('model') or ref('project', 'model')
    ");
    insta::assert_snapshot!(refused("relationships", Some("id"), &[("to", json!("{{ reff('x') }}")), ("field", json!(1))]), @r"
    problem: the test `relationships`: there is no function or macro `reff`
       at: models/schema.yml:1:5 `test`
     help: did you mean `ref`?
    ");
}

#[test]
fn an_error_in_a_test_names_its_macro() {
    let broken = used("broken", &[]);
    insta::assert_snapshot!(select_of(&about(&broken, None)), @r"
    problem: the test `broken`: `nothing.here` is not defined (macros/same.sql:1)
       at: models/schema.yml:1:5 `test`
     help: give it a value, or ask `nothing.here is defined` first
    ");
}
