//! What mep says of a project that is wrong: all of it at once, each problem with its place, before anything is written.

mod arguments;
mod calls;
mod files;
mod history;
mod jinja;
mod running;
mod snapshots;
mod sql;

use crate::project::Project;

/// What compiling a project with these files says, which must end with the code for a wrong project.
#[track_caller]
fn refused(files: &[(&str, &str)]) -> String {
    let project = Project::with_listens();
    for (path, text) in files {
        project.file(path, text);
    }
    refusal(&project, &["compile", "--strict"])
}

#[track_caller]
fn refusal(project: &Project, words: &[&str]) -> String {
    let said = project.fail(2, words);
    assert!(!project.path("warehouse").exists() && !project.path("target").exists(), "something was written");
    said
}

/// What compiling one model says.
#[track_caller]
fn model(sql: &str) -> String {
    refused(&[("models/counts.sql", sql)])
}

#[test]
fn all_problems_are_told_at_once() {
    let said = refused(&[
        ("models/a.sql", "select * from {{ ref('nothing') }}"),
        ("models/b.sql", "{{ config(colour='red') }} select 1 as x"),
        ("models/c.sql", "select {{ unknown() }} as x"),
        ("models/schema.yml", "models:\n  - name: a\n    columns: [{name: x, data_tests: [uniqe]}]\n"),
    ]);
    insta::assert_snapshot!(said, @r"
      error: there is no function or macro `unknown`
       ╭─[models/c.sql:1:11]
     1 │ select {{ unknown() }} as x
       ·           ─────────
       ╰────
      help: define it by a `macro` block in macros/

      error: there is no test `uniqe`
       ╭─[models/schema.yml:3:38]
     2 │   - name: a
     3 │     columns: [{name: x, data_tests: [uniqe]}]
       ·                                      ─────
       ╰────
      help: did you mean `unique`?

      error: unknown config key `colour`
       ╭─[models/b.sql:1:11]
     1 │ {{ config(colour='red') }} select 1 as x
       ·           ──────
       ╰────
      help: keys for your own use belong under `meta`

      error: there is no model or seed `nothing`
       ╭─[models/a.sql:1:23]
     1 │ select * from {{ ref('nothing') }}
       ·                       ───────
       ╰────

    4 problems
    ");
    let said = refused(&[
        ("models/a.sql", "select nothing as x from {{ source('events', 'listens') }}"),
        ("models/b.sql", "select songs as x from {{ source('events', 'listens') }}"),
        ("models/c.sql", "select y from {{ ref('a') }}"),
    ]);
    insta::assert_snapshot!(said, @r"
      error: there is no column `nothing` here
       ╭─[models/a.sql:1:8]
     1 │ select nothing as x from {{ source('events', 'listens') }}
       ·        ───────
       ╰────
      help: the columns are ts, user_id, song, seconds, event_date, batch

      error: there is no column `songs` here
       ╭─[models/b.sql:1:8]
     1 │ select songs as x from {{ source('events', 'listens') }}
       ·        ─────
       ╰────
      help: did you mean `song`?

    2 problems
    ");
}
