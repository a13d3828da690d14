//! Unit tests beyond dbt's: of several runs, of macros, those that are written from rows that are there; and runs over no rows.

use crate::project::Project;

const DAYS: &str = "{{ config(materialized='incremental', partition_by='event_date') }}
select event_date, count(*) as listens from {{ source('events', 'listens') }} group by event_date";

/// A test of days: one, an earlier one that comes late, a run without anything new.
fn late_days(last: &str) -> String {
    format!(
        "unit_tests:
  - name: late_days
    model: days
    steps:
      - name: day one
        given:
          - input: source('events', 'listens')
            rows: [{{ts: 1541116800000, user_id: 1, song: a}}, {{ts: 1541116800001, user_id: 2, song: a}}]
        expect: {{rows: [{{event_date: 2018-11-02, listens: 2}}]}}
      - name: a late day
        given:
          - {{input: \"source('events', 'listens')\", format: csv, rows: \"ts,user_id\\n1541030400000,1\\n1541116800002,3\\n\"}}
      - name: a rerun
        expect: {{rows: [{{event_date: 2018-11-01, listens: 1}}, {{event_date: 2018-11-02, listens: {last}}}]}}
"
    )
}

#[test]
fn steps_run_a_model_by_its_strategy_and_leave_nothing_behind() {
    let project = Project::with_listens();
    project.model("days", DAYS).file("models/unit.yml", late_days("3"));
    insta::assert_snapshot!(project.succeed(&["test"]), @r"
       start  unit test late_days
        pass  unit test late_days  [time]
    done in [time]: 1 passed
    ");
    assert!(!project.path("warehouse").exists() && !project.path("target/scratch").exists());
    project.file("models/unit.yml", late_days("4"));
    insta::assert_snapshot!(project.fail(1, &["test", "--select", "unit_test:late_days"]), @r"
       start  unit test late_days
        fail  unit test late_days  [time]

    what failed:
      unit test late_days
          after step 3 (a rerun): actual differs from expected:
          
          @@,event_date,listens
            ,2018-11-01,1
          → ,2018-11-02,4→3
    failed in [time]: 1 failed
    ");
    let said = project.fail(2, &["show", "--select", "late_days"]);
    assert!(said.contains("mep test --select unit_test:late_days"), "{said}");
}

#[test]
fn a_table_that_is_no_full_refresh_fails_its_steps() {
    let project = Project::new();
    project.file("seeds/orders.csv", "id,day\n");
    project.file(
        "seeds/schema.yml",
        "seeds: [{name: orders, config: {column_types: {id: bigint, day: date}}}]\n",
    );
    project.model(
        "latest",
        "{{ config(materialized='incremental', unique_key='id') }}
select id, day from {{ ref('orders') }}
{% if is_incremental() %}where day > (select max(day) from {{ this }}){% endif %}",
    );
    let test = |more: &str| {
        format!(
            "unit_tests:
  - name: lost
    model: latest
{more}    steps:
      - given: [{{input: ref('orders'), rows: [{{id: 1, day: 2018-11-02}}]}}]
      - given: [{{input: ref('orders'), rows: [{{id: 2, day: 2018-11-01}}, {{id: 3, day: 2018-11-03}}]}}]
        expect: {{rows: [{{id: 1}}, {{id: 3}}]}}
"
        )
    };
    project.file("models/unit.yml", test(""));
    insta::assert_snapshot!(project.fail(1, &["test"]), @r"
       start  unit test lost
        fail  unit test lost  [time]

    what failed:
      unit test lost
          the table after the last step, beside what a full refresh of the same inputs gives, differs:
          
          @@ ,id,day
             ,1 ,2018-11-02
          ---,2 ,2018-11-01
             ,3 ,2018-11-03
          
          its `is_incremental()` says itself which rows it takes: leave it to mep and take it out, or, where that is meant, write `full_refresh: false` in the test
    failed in [time]: 1 failed
    ");
    project.file("models/unit.yml", test("    full_refresh: false\n"));
    project.succeed(&["test"]);
}

#[test]
fn histories_snapshots_and_batches_have_steps_too() {
    let project = Project::with_listens();
    project.model(
        "users",
        "{{ config(materialized='history', unique_key='user_id', valid_from='at') }}
select user_id, song, cast(to_timestamp_millis(ts) as timestamp) as at from {{ source('events', 'listens') }}",
    );
    project.model(
        "batches",
        "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', begin='2018-11-01', batch_size='day') }}
select cast(to_timestamp_millis(ts) as timestamp) as at, song from {{ source('events', 'listens') }}",
    );
    project.model(
        "songs",
        "select song, max(seconds) as seconds from {{ source('events', 'listens') }} group by song",
    );
    project.file(
        "snapshots/songs.yml",
        "snapshots: [{name: songs_seen, relation: ref('songs'), config: {unique_key: song, strategy: check, check_cols: all}}]\n",
    );
    project.file(
        "models/unit.yml",
        "unit_tests:
  - name: versions
    model: users
    steps:
      - given: [{input: \"source('events', 'listens')\", rows: [{ts: 1541030400000, user_id: 1, song: a}, {ts: 1541030402000, user_id: 1, song: c}]}]
        expect: {rows: [{user_id: 1, song: a}, {user_id: 1, song: c}]}
      - given: [{input: \"source('events', 'listens')\", rows: [{ts: 1541030401000, user_id: 1, song: b}]}]
        expect: {rows: [{song: a}, {song: b}, {song: c}]}
  - name: by_batch
    model: batches
    steps:
      - date: 2018-11-01
        given: [{input: \"source('events', 'listens')\", rows: [{ts: 1541030400000, user_id: 1, song: a}]}]
        expect: {rows: [{song: a}]}
      - date: 2018-11-02
        given: [{input: \"source('events', 'listens')\", rows: [{ts: 1541116800000, user_id: 1, song: b}]}]
        expect: {rows: [{song: a}, {song: b}]}
  - name: seen
    model: songs_seen
    steps:
      - given: [{input: ref('songs'), rows: [{song: a, seconds: 1}, {song: b, seconds: 2}]}]
        expect: {rows: [{song: a, seconds: 1}, {song: b, seconds: 2}]}
      - given: [{input: ref('songs'), replace: true, rows: [{song: a, seconds: 3}, {song: b, seconds: 2}]}]
        expect: {rows: [{song: a, seconds: 1}, {song: a, seconds: 3}, {song: b, seconds: 2}]}
",
    );
    insta::assert_snapshot!(project.succeed(&["test"]), @r"
       start  unit test versions
        pass  unit test versions  [time]
       start  unit test by_batch
        pass  unit test by_batch  [time]
       start  unit test seen
        pass  unit test seen  [time]
    done in [time]: 3 passed
    ");
}

#[test]
fn inputs_of_steps_may_be_views_ephemeral_seeds_and_tables_of_partitions() {
    let project = Project::new();
    project.file("seeds/names.csv", "song,name\n");
    project.file(
        "seeds/schema.yml",
        "seeds: [{name: names, config: {column_types: {song: varchar, name: varchar}}}]\n",
    );
    project.file("seeds/raw.csv", "song,day,n\na,2018-11-01,1\n");
    project.model("viewed", "select song, day, n from {{ ref('raw') }}");
    project.model(
        "inlined",
        "{{ config(materialized='ephemeral') }} select song, 2 as factor from {{ ref('raw') }}",
    );
    project.model(
        "by_day",
        "{{ config(materialized='incremental', partition_by='day') }} select song, n, day from {{ ref('viewed') }}",
    );
    project.model(
        "all_of_it",
        "{{ config(materialized='incremental', partition_by='day') }}
select b.song, v.n as viewed, i.factor, n.name, b.day from {{ ref('by_day') }} b
left join {{ ref('viewed') }} v on v.song = b.song left join {{ ref('inlined') }} i on i.song = b.song
left join {{ ref('names') }} n on n.song = b.song",
    );
    project.file(
        "models/unit.yml",
        "unit_tests:
  - name: joined
    model: all_of_it
    given:
      - {input: ref('names'), format: sql, rows: \"select 'a' as song, 'A' as name union all select 'b', 'B'\"}
    steps:
      - given:
          - {input: ref('by_day'), rows: [{song: a, n: 1, day: 2018-11-01}, {song: b, n: 1, day: 2018-11-02}]}
          - {input: ref('viewed'), rows: [{song: a, n: 7}]}
          - {input: ref('inlined'), rows: [{song: b, factor: 3}]}
        expect:
          rows:
            - {song: a, viewed: 7, factor: null, name: A, day: 2018-11-01}
            - {song: b, viewed: null, factor: 3, name: B, day: 2018-11-02}
      - name: a name changes
        given: [{input: ref('names'), replace: true, rows: [{song: a, name: AA}, {song: b, name: B}]}]
        expect: {rows: [{song: a, name: AA}, {song: b, name: B}]}
      - name: a day goes
        given: [{input: ref('by_day'), replace: true, rows: [{song: b, n: 2, day: 2018-11-02}]}]
        expect: {rows: [{song: b, name: B}]}
      - name: nothing is left
        given: [{input: ref('by_day'), replace: true, rows: []}]
        expect: {rows: []}
",
    );
    project.succeed(&["test"]);
}

#[test]
fn steps_that_cannot_be_run_are_told_with_a_way_on() {
    let project = Project::with_listens();
    project.model("days", DAYS);
    project.model("all_of_it", "select song from {{ source('events', 'listens') }}");
    let of = |model: &str, rest: &str| format!("unit_tests:\n  - name: x\n    model: {model}\n{rest}");
    let given = "given: [{input: \"source('events', 'listens')\", rows: [{ts: 1, user_id: 1}]}]";
    let cases = [
        of("all_of_it", &format!("    steps: [{{{given}, expect: {{rows: []}}}}]\n")),
        of("days", "    steps: [{expect: {rows: []}}]\n"),
        of("days", &format!("    steps: [{{{given}}}]\n")),
        of("days", &format!("    steps: [{{{given}, date: soon, expect: {{rows: []}}}}]\n")),
        of("days", &format!("    expect: {{rows: []}}\n    steps: [{{{given}, expect: {{rows: []}}}}]\n")),
        of("days", "    steps: [{given: [{input: this, rows: []}], expect: {rows: []}}]\n"),
        of(
            "days",
            "    steps: [{given: [{input: \"source('events', 'listens')\", rows: [{event_date: 2018-11-01}]}], expect: {rows: []}}]\n",
        ),
        "unit_tests: [{name: x, macro: doubl, expect: {text: a}}]\n".to_owned(),
        "unit_tests: [{name: x, macro: double, model: days, expect: {text: a}}]\n".to_owned(),
        "unit_tests: [{name: x, macro: double, args: {column: a}, expect: {rows: []}}]\n".to_owned(),
        "unit_tests: [{name: x, macro: double, expect: {text: a, whitespace: some}}]\n".to_owned(),
    ];
    project.file("macros/double.sql", "{% macro double(column) %}{{ column }} * 2{% endmacro %}");
    let mut said = String::new();
    for case in cases {
        project.file("models/unit.yml", &case);
        said.push_str(&project.fail(2, &["compile"]));
    }
    insta::assert_snapshot!(said, @r#"
     error: the unit test `x` has steps, and `all_of_it` is a view: no run leaves rows that the next one finds
      ╭─[models/unit.yml:3:12]
    2 │   - name: x
    3 │     model: all_of_it
      ·            ─────────
    4 │     steps: [{given: [{input: "source('events', 'listens')", rows: [{ts: 1, user_id: 1}]}], expect: {rows: []}}]
      ╰────
     help: take `steps` away: write `given`, and the rows that the SELECT gives under `expect`

     error: the unit test `x`: no step gives rows for source('events', 'listens')
      ╭─[models/unit.yml:2:11]
    1 │ unit_tests:
    2 │   - name: x
      ·           ─
    3 │     model: days
      ╰────
     help: write an `input` for it under `given` of the first step, with `rows: []` for none

     error: none of the steps says what the table has after it
      ╭─[models/unit.yml:4:12]
    3 │     model: days
    4 │     steps: [{given: [{input: "source('events', 'listens')", rows: [{ts: 1, user_id: 1}]}]}]
      ·            ────────────────────────────────────────────────────────────────────────────────
      ╰────
     help: write expect: {rows: [...]} in one of them

     error: `date`: expected a day such as 2018-11-01, found `soon`
      ╭─[models/unit.yml:4:98]
    3 │     model: days
    4 │     steps: [{given: [{input: "source('events', 'listens')", rows: [{ts: 1, user_id: 1}]}], date: soon, expect: {rows: []}}]
      ·                                                                                                  ────
      ╰────

     error: a unit test has `expect`, or `steps` that have one each
      ╭─[models/unit.yml:4:13]
    3 │     model: days
    4 │     expect: {rows: []}
      ·             ──────────
    5 │     steps: [{given: [{input: "source('events', 'listens')", rows: [{ts: 1, user_id: 1}]}], expect: {rows: []}}]
      ╰────
     help: move it into the step after which the table has these rows

     error: the steps of a unit test begin with no table, so that `this` has no rows
      ╭─[models/unit.yml:4:30]
    3 │     model: days
    4 │     steps: [{given: [{input: this, rows: []}], expect: {rows: []}}]
      ·                              ────
      ╰────
     help: write a first step whose rows come to these

     error: the rows of source('events', 'listens') have a column `event_date`, and there is no such column
      ╭─[models/unit.yml:4:67]
    3 │     model: days
    4 │     steps: [{given: [{input: "source('events', 'listens')", rows: [{event_date: 2018-11-01}]}], expect: {rows: []}}]
      ·                                                                   ──────────────────────────
      ╰────
     help: the columns are ts, user_id, song, seconds

     error: there is no macro `doubl`
      ╭─[models/unit.yml:1:31]
    1 │ unit_tests: [{name: x, macro: doubl, expect: {text: a}}]
      ·                               ─────
      ╰────
     help: did you mean `double`?

     error: a unit test of a macro has no `model`
      ╭─[models/unit.yml:1:46]
    1 │ unit_tests: [{name: x, macro: double, model: days, expect: {text: a}}]
      ·                                              ────
      ╰────
     help: a test is of a model, with rows, or of a macro, with `args`

     error: the unit test `x`: expected: an SQL statement, found: a
      ╭─[models/unit.yml:1:21]
    1 │ unit_tests: [{name: x, macro: double, args: {column: a}, expect: {rows: []}}]
      ·                     ─
      ╰────
     help: the text of the macro is no SELECT by itself: compare it with expect: {text: ...}

     error: `whitespace`: expected any or exact, found `some`
      ╭─[models/unit.yml:1:69]
    1 │ unit_tests: [{name: x, macro: double, expect: {text: a, whitespace: some}}]
      ·                                                                     ────
      ╰────
    "#);
}

#[test]
fn macros_are_tested_by_their_text_or_by_their_rows() {
    let project = Project::new();
    project.file(
        "macros/cents.sql",
        "{% macro cents(column, digits=2) %}
  round({{ column }} / 100.0,
        {{ digits }})
{% endmacro %}
{% macro numbers(up_to) %}{% for n in range(up_to) %}select {{ n }} as n{% if not loop.last %} union all {% endif %}{% endfor %}{% endmacro %}
{% macro limited() %}{% if target.name == 'dev' %}limit {{ var('rows', 10) }}{% endif %}{% endmacro %}",
    );
    project.file(
        "models/unit.yml",
        "unit_tests:
  - {name: words, macro: cents, args: {column: amount}, expect: {text: 'round(amount / 100.0, 2)'}}
  - {name: exactly, macro: cents, args: {column: amount}, expect: {text: 'round(amount / 100.0, 2)', whitespace: exact}}
  - {name: rows, macro: numbers, args: {up_to: 2}, expect: {rows: [{n: 0}, {n: 1}]}}
  - {name: with_a_var, macro: limited, overrides: {vars: {rows: 5}}, expect: {text: limit 5}}
",
    );
    insta::assert_snapshot!(project.fail(1, &["test"]), @r"
       start  unit test words
        pass  unit test words  [time]
       start  unit test exactly
        fail  unit test exactly  [time]
       start  unit test rows
        pass  unit test rows  [time]
       start  unit test with_a_var
        pass  unit test with_a_var  [time]

    what failed:
      unit test exactly
          actual differs from expected:
          
          --- round(amount / 100.0, 2)
          +++
          +++   round(amount / 100.0,
          +++         2)
          +++
    failed in [time]: 3 passed, 1 failed
    ");
    insta::assert_snapshot!(project.print(&["ls", "--select", "unit_test:w*"]), @r"
    songs.cents.words
    songs.limited.with_a_var
    ");
    // A macro's test stops nothing but itself.
    project.model("one", "select 1 as n");
    assert!(project.fail(1, &["build"]).contains("ok  view one"));
}

#[test]
fn a_unit_test_is_written_from_rows_that_are_there() {
    let project = Project::with_listens();
    project.model("valid", "select song, count(*) as listens from {{ source('events', 'listens') }} where user_id > 0 group by song");
    project.listens("a.json", &[(0, 1, "a"), (1, 2, "it's"), (2, 0, "b")]);
    project.succeed(&["run"]);
    insta::assert_snapshot!(project.succeed(&["test", "--record", "valid", "--limit", "5"]), @r"
    wrote models/valid_recorded.yml: 3 rows of inputs, 2 rows expected
    run it with: mep test --select unit_test:valid_recorded
    ");
    let written = std::fs::read_to_string(project.path("models/valid_recorded.yml")).unwrap();
    insta::assert_snapshot!(written, @r#"
    # Written by `mep test --record`: the first 5 rows of each input of `valid`, and what it gave for them.
    unit_tests:
      - name: valid_recorded
        model: valid
        given:
          - input: source('events', 'listens')
            rows:
              - {"ts":1541030400000,"user_id":1,"song":"a","seconds":60.5,"event_date":"2018-11-01"}
              - {"ts":1541030400001,"user_id":2,"song":"it's","seconds":60.5,"event_date":"2018-11-01"}
              - {"ts":1541030400002,"user_id":0,"song":"b","seconds":60.5,"event_date":"2018-11-01"}
        expect:
          rows:
            - {"song":"a","listens":1}
            - {"song":"it's","listens":1}
    "#);
    project.succeed(&["test", "--select", "unit_test:valid_recorded"]);
    insta::assert_snapshot!(project.fail(2, &["test", "--record", "valid"]), @r"
    error: models/valid_recorded.yml is there already
    help: delete it, or give it and its test another name
    ");
    insta::assert_snapshot!(project.fail(2, &["test", "--record", "vald"]), @r"
    error: there is no model `vald`
    help: did you mean `valid`?
    ");
}

#[test]
fn a_project_is_tried_over_no_rows_and_nothing_is_published() {
    let project = Project::with_listens();
    project.file("seeds/names.csv", "song,name\na,A\n");
    project.model("days", DAYS);
    project.model("named", "{{ config(materialized='table') }} select l.song, n.name from {{ source('events', 'listens') }} l join {{ ref('names') }} n on n.song = l.song");
    project.file(
        "models/schema.yml",
        "models: [{name: named, columns: [{name: song, data_tests: [not_null]}]}]\n",
    );
    project.listens("a.json", &[(0, 1, "a")]);
    insta::assert_snapshot!(project.succeed(&["build", "--empty"]), @r"
       start  source events.listens
          ok  source events.listens  0 rows, [size], [time]  (nothing there yet)
        plan  1 incremental, 1 seed, 1 table
       start  seed names
          ok  seed names  0 rows, [size], [time]  (first run)
       start  incremental days
          ok  incremental days  0 rows, [size], [time]  (first run)
       start  table named
          ok  table named  0 rows, [size], [time]  (first run)
        pass  test not_null_named_song  [time]
    done in [time]: 4 built, 1 passed
    nothing is published: this was tried over no rows, in a warehouse of its own
    ");
    assert!(!project.path("warehouse").exists() && !project.path("target/run_results.json").exists());
    project.succeed(&["build"]);
    project.succeed(&["run", "--empty", "--select", "named"]);
    assert!(project.print(&["show", "--select", "named"]).contains("1 row"));
    assert!(project.succeed(&["build"]).contains("current"));
    // What fails on any rows fails over none.
    project.model("named", "{{ config(materialized='table') }} select cast('x' as bigint) as n from {{ ref('names') }} having count(*) = 0");
    let said = project.fail(2, &["run", "--empty", "--select", "named"]);
    assert!(said.contains("the text 'x' is no bigint"), "{said}");
    insta::assert_snapshot!(project.fail(2, &["test", "--empty"]), @r"
    error: mep test has no use for --empty
    help: try a project over no rows with: mep build --empty
    ");
}

#[test]
fn warnings_are_errors_where_the_user_says_so() {
    let project = Project::new();
    project.file("seeds/numbers.csv", "id\n1\n1\n");
    let schema = "seeds: [{name: numbers, colums: [], columns: [{name: id, data_tests: [{unique: {config: {severity: warn}}}]}]}, {name: gone}]\n";
    project.file("seeds/schema.yml", schema);
    project.succeed(&["build"]);
    insta::assert_snapshot!(project.fail(2, &["build", "--warn-error"]), @r"
      error: unknown key `colums` in the entry of a seed
       ╭─[seeds/schema.yml:1:25]
     1 │ seeds: [{name: numbers, colums: [], columns: [{name: id, data_tests: [{unique: {config: {severity: warn}}}]}]}, {name: gone}]
       ·                         ──────
       ╰────
      help: did you mean `columns`?

      error: there is no seed `gone`
       ╭─[seeds/schema.yml:1:120]
     1 │ seeds: [{name: numbers, colums: [], columns: [{name: id, data_tests: [{unique: {config: {severity: warn}}}]}]}, {name: gone}]
       ·                                                                                                                        ────
       ╰────

    2 problems
    ");
    let options = |of: &str| project.run(&["build", "--warn-error-options", of]);
    let run = options("{error: all, warn: [UnknownKey, NoNodeForYamlKey]}");
    assert_eq!(run.code, Some(1));
    insta::assert_snapshot!(run.stderr, @r"
     WARN seeds/schema.yml:1: unknown key `colums` in the entry of a seed; did you mean `columns`?
     WARN seeds/schema.yml:1: there is no seed `gone`
     current  seed numbers
        warn  test unique_numbers_id  1 failing row, [time]  (see them with: mep show --select unique_numbers_id --limit 20)
    done in [time]: 1 current, 1 warned
    1 warning is an error by --warn-error, --warn-error-options or `flags`
    ");
    let run = options("{error: [TestWarns], silence: [UnknownKey, EntryOfNothing], warn: [LogTestResult]}");
    assert_eq!(run.code, Some(0));
    assert!(!run.stderr.contains("colums") && !run.stderr.contains("gone"), "{}", run.stderr);
    assert_eq!(options("{error: [DepsUnpinned]}").code, Some(0));
    let wrong = ["{error: [NoNodeForYamKey]}", "{errors: all}", "{warn: all}", "[a]"];
    let said: String = wrong.iter().map(|of| options(of).stderr).collect();
    insta::assert_snapshot!(said, @r#"
     error: --warn-error-options: there is no warning `NoNodeForYamKey`
     help: did you mean `NoNodeForYamlKey`?

     error: --warn-error-options: unknown key `errors` of the options of warnings
     help: the keys are error, warn and silence

     error: --warn-error-options: `warn`: expected a list of names of warnings, found "all"
     help: write {error: [NoNodeForYamlKey]}, or the like

     error: expected a mapping, found a list
      ╭─[--warn-error-options:1:1]
    1 │ [a]
      · ───
      ╰────
     help: write --warn-error-options '{name: value}'
    "#);
    // What the project says, and the command line over it.
    project.file(
        "dbt_project.yml",
        "name: songs\nprofile: songs\nflags: {warn_error_options: {error: [NoNodeForYamlKey]}}\n",
    );
    project.fail(2, &["parse"]);
    assert_eq!(options("{error: []}").code, Some(0));
    project.file(
        "dbt_project.yml",
        "name: songs\nprofile: songs\nflags: {warn_error_options: {error: [Gone]}}\n",
    );
    insta::assert_snapshot!(project.fail(2, &["parse"]), @r"
     error: there is no warning `Gone`
      ╭─[dbt_project.yml:3:29]
    2 │ profile: songs
    3 │ flags: {warn_error_options: {error: [Gone]}}
      ·                             ───────────────
      ╰────
     help: docs/reference/commands.md lists mep's names and dbt's of the same
    ");
}

#[test]
fn contracts_of_views_hold_and_those_of_ephemeral_models_list_columns() {
    let project = Project::new();
    project.model("e", "{{ config(materialized='ephemeral') }} select 1 as id");
    project.model("v", "select * from {{ ref('e') }}");
    let models = |e: &str, v: &str| {
        format!(
            "models:\n  - {{name: e, config: {{contract: {{enforced: true}}}}{e}}}\n  - {{name: v, config: {{contract: {{enforced: true}}}}{v}}}\n"
        )
    };
    let right = ", columns: [{name: id, data_type: bigint}]";
    // As dbt has it, nothing is compared with the columns of what makes no relation.
    project.file("models/schema.yml", models(", columns: [{name: other}]", right));
    project.succeed(&["run"]);
    project.file("models/schema.yml", models("", ", columns: [{name: id, data_type: varchar}]"));
    insta::assert_snapshot!(project.fail(2, &["compile"]), @r"
     error: `e` has an enforced contract, and no columns in YAML
      ╭─[models/schema.yml:2:34]
    1 │ models:
    2 │   - {name: e, config: {contract: {enforced: true}}}
      ·                                  ────────────────
    3 │   - {name: v, config: {contract: {enforced: true}}, columns: [{name: id, data_type: varchar}]}
      ╰────
     help: list its `columns`, each with a `data_type`
    ");
}
