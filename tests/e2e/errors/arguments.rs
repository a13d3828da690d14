//! What is wrong in an argument of a generic test is placed in the argument, where the user wrote it.

use crate::project::Project;

/// What a compile says of a test of `song`, where one test is written in YAML.
#[track_caller]
fn tested(test: &str) -> String {
    let project = Project::with_listens();
    project.model("plays", "select song, user_id from {{ source('events', 'listens') }}").file(
        "models/schema.yml",
        format!("models:\n  - name: plays\n    columns:\n      - name: song\n        data_tests:\n          - {test}\n"),
    );
    project.fail(2, &["compile"])
}

#[test]
fn sql_and_jinja_in_an_argument_are_pointed_at_in_the_yaml_file() {
    insta::assert_snapshot!(tested("not_null: {config: {where: \"sonng = 'a'\"}}"), @r#"
     error: there is no column `sonng` here
      ╭─[models/schema.yml:6:41]
    5 │         data_tests:
    6 │           - not_null: {config: {where: "sonng = 'a'"}}
      ·                                         ──┬──
      ·                                           ╰── in the SQL of `not_null_plays_song`
      ╰────
     help: did you mean `song`?
    "#);
    insta::assert_snapshot!(tested("not_null: {config: {where: \"user_id > {{ limit() }}\"}}"), @r#"
     error: the test `not_null`: there is no function or macro `limit`
      ╭─[models/schema.yml:6:40]
    5 │         data_tests:
    6 │           - not_null: {config: {where: "user_id > {{ limit() }}"}}
      ·                                        ─────────────────────────
      ╰────
     help: define it by a `macro` block in macros/
    "#);
    insta::assert_snapshot!(tested("relationships: {arguments: {to: ref('plays'), field: sonng}}"), @r"
     error: there is no column `sonng` here
      ╭─[models/schema.yml:6:66]
    5 │         data_tests:
    6 │           - relationships: {arguments: {to: ref('plays'), field: sonng}}
      ·                                                                  ──┬──
      ·                                                                    ╰── in the SQL of `relationships_plays_song__sonng__ref_plays_`
      ╰────
     help: did you mean `song`?
    ");
    insta::assert_snapshot!(tested("not_null:\n              config:\n                where: >\n                  user_id > 1\n                  and cast('x' as bigint) = 1"), @r"
     error: the text 'x' is no bigint
       ╭─[models/schema.yml:9:19]
     8 │                 where: >
     9 │                   user_id > 1
       ·                   ─────┬─────
       ·                        ╰── in the SQL of `not_null_plays_song`
    10 │                   and cast('x' as bigint) = 1
       ╰────
     help: try_cast(… as …) gives NULL there; or leave such rows out
    ");
}
