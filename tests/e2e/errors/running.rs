//! Queries that fail once there are rows: each says in plain words what failed, where in the project's files it can have come
//! from, and how to go on.

use crate::project::Project;

/// What of the engine no message may show.
const ENGINE: [&str; 12] = [
    "Optimizer rule",
    "External error",
    "xternal: ",
    "Arrow error",
    "arser error: ",
    "ast error: ",
    "ompute error: ",
    "Error during planning",
    "Execution error",
    "DataFusion",
    "not implemented",
    "os error",
];

fn project() -> Project {
    let project = Project::with_listens();
    project.listens("1.ndjson", &[(0, 1, "a"), (1, 0, "7"), (2, 2, "(")]);
    project
}

/// What a run says of one model that fails.
#[track_caller]
fn failing(sql: &str) -> String {
    let project = project();
    project.model("counts", &format!("{{{{ config(materialized='table') }}}}\n{sql}\n"));
    why(&project)
}

#[track_caller]
fn why(project: &Project) -> String {
    let said = project.fail(1, &["run", "--quiet"]);
    let why = said.split("what failed:\n").nth(1).unwrap_or(&said);
    let why = why.lines().take_while(|line| !line.starts_with("failed in")).collect::<Vec<_>>().join("\n");
    for words in ENGINE {
        assert!(!why.contains(words), "{words}: {why}");
    }
    why
}

const LISTENS: &str = "{{ source('events', 'listens') }}";

#[test]
fn what_fails_on_a_row_is_placed_in_the_model() {
    insta::assert_snapshot!(failing(&format!("select song,\n    10 / user_id as x\nfrom {LISTENS}")), @r"
    table counts
        division by zero
        at models/counts.sql:3:5: 10 / user_id
        help: nullif(…, 0) around the divisor gives NULL there
    ");
    insta::assert_snapshot!(failing(&format!("select cast(song as bigint) as x, try_cast(song as bigint) as y from {LISTENS}")), @r"
    table counts
        the text 'a' is no bigint
        at models/counts.sql:2:8: cast(song as bigint)
        help: try_cast(… as …) gives NULL there; or leave such rows out
    ");
    insta::assert_snapshot!(failing(&format!("select user_id + 9223372036854775807 as x from {LISTENS}")), @r"
    table counts
        bigint overflow: 1 + 9223372036854775807 does not fit
        at models/counts.sql:2:8: user_id + 9223372036854775807
        help: cast an operand to a wider type: bigint, or decimal(38, 0)
    ");
    insta::assert_snapshot!(failing(&format!("select (select song from {LISTENS}) as x")), @r"
    table counts
        a subquery that stands for one value gives several rows
        at models/counts.sql:2:9: select song from {{ source('events', 'listens')
        help: make it one: an aggregate such as max(…), or limit 1 with an order
    ");
    insta::assert_snapshot!(failing(&format!("select song ~ song as x from {LISTENS}")), @r"
    table counts
        `(` is not a valid regular expression: unclosed group
        at models/counts.sql:2:8: song ~ song
        help: a backslash takes the special meaning from a character: '\('
    ");
    insta::assert_snapshot!(failing(&format!("select to_timestamp(song) as x from {LISTENS}")), @r"
    table counts
        the text 'a' is no timestamp: timestamp must contain at least 10 characters
        at models/counts.sql:2:8: to_timestamp(song)
        help: a timestamp reads as in '2024-05-01 10:30:00'; try_cast(… as …) gives NULL there; or leave such rows out
    ");
    insta::assert_snapshot!(failing(&format!("select 1 / user_id as x, 2 % user_id as y from {LISTENS}")), @r"
    table counts
        division by zero
        in one of these:
          models/counts.sql:2:8: 1 / user_id
          models/counts.sql:2:26: 2 % user_id
        help: nullif(…, 0) around the divisor gives NULL there
    ");
}

#[test]
fn what_fails_within_a_macro_or_a_view_is_placed_where_it_is_written() {
    let project = project();
    project
        .file("macros/share.sql", "{% macro share(of) %}100 / {{ of }}{% endmacro %}")
        .model("shares", &format!("select song, {{{{ share('user_id') }}}} as x from {LISTENS}"))
        .model("kept", "{{ config(materialized='table') }} select * from {{ ref('shares') }}");
    insta::assert_snapshot!(why(&project), @r"
    table kept
        division by zero
        at models/shares.sql:1:17: share('user_id')
        help: nullif(…, 0) around the divisor gives NULL there
    ");
}

#[test]
fn a_file_of_the_warehouse_that_is_gone_or_damaged_is_named_with_what_builds_it_anew() {
    let project = project();
    project.model("kept", &format!("{{{{ config(materialized='table') }}}} select * from {LISTENS}")).model(
        "counts",
        "{{ config(materialized='table') }} select song, count(*) as n from {{ ref('kept') }} group by song",
    );
    project.succeed(&["run"]);
    let folder = project.path("warehouse/main/kept/data");
    let file = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let file = file.map(walkdir::DirEntry::into_path).find(|path| path.extension().is_some()).unwrap();
    let refresh = ["run", "--quiet", "--full-refresh", "--select", "counts"];
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = project.fail(1, &refresh);
    std::fs::remove_file(&file).unwrap();
    let gone = project.fail(1, &refresh);
    for (said, word) in [(damaged, "is damaged"), (gone, "is gone")] {
        assert!(said.contains(word) && said.contains("mep run --full-refresh --select kept"), "{said}");
        assert!(ENGINE.iter().all(|words| !said.contains(words)), "{said}");
    }
}

#[test]
fn a_query_that_is_shown_fails_at_its_place() {
    let project = project();
    project.succeed(&["run"]);
    let query = format!("select song, 1 / user_id as x from {LISTENS}");
    insta::assert_snapshot!(project.fail(1, &["show", "--inline", &query]), @r"
     error: division by zero
      ╭─[--inline:1:14]
    1 │ select song, 1 / user_id as x from {{ source('events', 'listens') }}
      ·              ───────────
      ╰────
     help: nullif(…, 0) around the divisor gives NULL there
    ");
}

#[test]
fn a_column_that_a_stored_table_lacks_is_placed_where_the_model_reads_it() {
    let project = project();
    let table = |sql: &str| format!("{{{{ config(materialized='table') }}}}\n{sql}\n");
    project.model("plays", &table(&format!("select song from {LISTENS}")));
    project.model("first", "{{ config(materialized='ephemeral') }} select 1 as n");
    project.succeed(&["run"]);
    project.model("plays", &table(&format!("select song, user_id from {LISTENS}")));
    project.model("counts", &table("select song, n,\n  user_id from {{ ref('plays') }}, {{ ref('first') }}"));
    let said = project.fail(1, &["run", "--quiet", "--select", "counts"]);
    assert!(said.contains("at models/counts.sql:3:3: user_id\n"), "{said}");
}
