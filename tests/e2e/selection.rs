//! The selector grammar, over a small graph.

use serde_json::Value as Json;

use crate::project::Project;

/// `events.listens` -> plays -> (by_day -> report, by_song), people (a seed) -> by_day.
fn project() -> Project {
    let project = Project::with_listens();
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n");
    project.file(
        "models/staging/plays.sql",
        "{{ config(tags=['daily', 'raw']) }} select * from {{ source('events', 'listens') }}",
    );
    project.file(
        "models/marts/by_day.sql",
        "{{ config(materialized='table', tags='daily', meta={'owner': 'ann'}) }}
        select event_date, count(*) as n from {{ ref('plays') }} join {{ ref('people') }} using (user_id) group by 1",
    );
    project.file("models/marts/by_song.sql", "select song, count(*) as n from {{ ref('plays') }} group by 1");
    project.file(
        "models/marts/report.sql",
        "{{ config(materialized='table') }} select sum(n) as n from {{ ref('by_day') }}",
    );
    project.file(
        "models/schema.yml",
        "models:\n  - name: by_day\n    columns: [{name: n, data_tests: [not_null]}]\n\
         exposures:\n  - name: board\n    type: dashboard\n    owner: {name: Ann}\n    depends_on: [ref('report')]\n",
    );
    project.file("tests/some_plays.sql", "select 1 as x from {{ ref('plays') }} where ts < 0");
    project
}

fn names(project: &Project, words: &[&str]) -> String {
    let mut all = vec!["ls", "--output", "name"];
    all.extend(words);
    project.print(&all).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn words_select_nodes_as_in_dbt() {
    let project = project();
    for (select, expected) in [
        ("plays", "plays some_plays"),
        ("by_*", "by_day by_song not_null_by_day_n"),
        ("marts", "by_day by_song not_null_by_day_n report"),
        ("marts.*", "by_day by_song not_null_by_day_n report"),
        ("songs.marts.report", "report"),
        ("+by_day", "by_day listens not_null_by_day_n people plays some_plays"),
        ("1+report", "by_day not_null_by_day_n report"),
        ("2+report+1", "board by_day not_null_by_day_n people plays report some_plays"),
        ("by_day+", "board by_day not_null_by_day_n report"),
        ("plays+1", "by_day by_song not_null_by_day_n plays some_plays"),
        ("@by_song", "by_song listens plays some_plays"),
        ("@people", "board by_day listens not_null_by_day_n people plays report some_plays"),
        ("tag:daily", "by_day not_null_by_day_n plays some_plays"),
        ("tag:daily,tag:raw", "plays some_plays"),
        ("tag:daily,marts", "by_day not_null_by_day_n"),
        ("path:models/staging", "plays some_plays"),
        ("models/marts/by_song.sql", "by_song"),
        ("by_song.sql", "by_song"),
        ("source:events", "listens"),
        ("source:events.listens+1", "listens plays some_plays"),
        ("config.materialized:table", "by_day not_null_by_day_n report"),
        ("config.meta.owner:ann", "by_day not_null_by_day_n"),
        ("resource_type:seed", "people"),
        ("test_type:singular", "some_plays"),
        ("test_type:generic", "not_null_by_day_n"),
        ("exposure:board", "board"),
        ("+exposure:board,resource_type:seed", "people"),
        ("report by_song", "by_song report"),
        ("package:songs,report", "report"),
    ] {
        assert_eq!(names(&project, &["--select", select]), expected, "{select}");
    }
}

#[test]
fn what_is_excluded_is_left_out() {
    let project = project();
    assert_eq!(names(&project, &["--exclude", "plays+", "test_type:singular"]), "listens people");
    assert_eq!(names(&project, &["--select", "marts", "--exclude", "tag:daily"]), "by_song report");
    assert_eq!(names(&project, &["-s", "report", "-s", "by_song", "--exclude", "report"]), "by_song");
}

#[test]
fn nodes_of_one_type_can_be_asked_for() {
    let project = project();
    assert_eq!(names(&project, &["--resource-type", "seed", "source"]), "listens people");
    assert_eq!(names(&project, &["--resource-type", "test", "--select", "plays"]), "some_plays");
    insta::assert_snapshot!(project.fail(2, &["ls", "--resource-type", "modell"]), @r"
    error: unknown resource type `modell`
    help: did you mean `model`?
    ");
}

#[test]
fn ls_prints_selectors_paths_and_json() {
    let project = project();
    insta::assert_snapshot!(project.print(&["ls"]), @r"
    exposure:songs.board
    songs.marts.by_day
    songs.marts.by_song
    songs.marts.report
    songs.not_null_by_day_n
    songs.people
    songs.some_plays
    songs.staging.plays
    source:songs.events.listens
    ");
    insta::assert_snapshot!(project.print(&["ls", "--output", "path"]), @r"
    models/marts/by_day.sql
    models/marts/by_song.sql
    models/marts/report.sql
    models/schema.yml
    models/staging/plays.sql
    seeds/people.csv
    sources.yml
    tests/some_plays.sql
    ");
    let json = project.print(&["ls", "--output", "json", "--select", "by_day", "--resource-type", "model"]);
    let json: Json = serde_json::from_str(&json).unwrap();
    insta::assert_snapshot!(format!("{json:#}"), @r#"
    {
      "name": "by_day",
      "resource_type": "model",
      "package_name": "songs",
      "original_file_path": "models/marts/by_day.sql",
      "unique_id": "model.songs.by_day",
      "alias": "by_day",
      "schema": "main",
      "fqn": [
        "songs",
        "marts",
        "by_day"
      ],
      "tags": [
        "daily"
      ],
      "config": {
        "materialized": "table",
        "tags": [
          "daily"
        ],
        "meta": {
          "owner": "ann"
        },
        "enabled": true
      },
      "depends_on": {
        "macros": [],
        "nodes": [
          "model.songs.plays",
          "seed.songs.people"
        ]
      },
      "description": null
    }
    "#);
    let keys =
        project.print(&["ls", "--output", "json", "--output-keys", "name", "resource_type", "-s", "people"]);
    insta::assert_snapshot!(keys, @r#"{"name":"people","resource_type":"seed"}"#);
}

#[test]
fn what_ls_prints_can_be_given_to_select() {
    let project = project();
    for line in project.print(&["ls"]).lines() {
        let selected = project.print(&["ls", "--select", line]);
        assert!(selected.lines().any(|selected| selected == line), "{line}: {selected}");
    }
}

#[test]
fn a_selection_of_nothing_is_an_error_with_a_near_name() {
    let project = project();
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "by_dya"]), @r"
    error: the selection holds nothing that this command works on
    help: `by_dya` matches no node; did you mean `by_day`?
    ");
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "tag:dayly"]), @r"
    error: the selection holds nothing that this command works on
    help: `tag:dayly` matches no node; did you mean `tag:daily`?
    ");
    insta::assert_snapshot!(project.fail(2, &["run", "--select", "source:events.listen"]), @r"
    error: the selection holds nothing that this command works on
    help: `source:events.listen` matches no node; did you mean `source:events.listens`?
    ");
    insta::assert_snapshot!(project.fail(2, &["seed", "--select", "plays"]), @r"
    error: the selection holds nothing that this command works on
    help: see what there is with: mep ls
    ");
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "tagg:daily"]), @r"
    error: the selector `tagg:daily` has an unknown method `tagg`
    help: did you mean `tag:`? the methods are access, column, config.<key>, exposure, file, fqn, group,
          metric, name, package, path, resource_type, result, saved_query, selector, semantic_model, source,
          source_status, state, tag, test_name, test_type, unit_test, version
    ");
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "+"]), @r"
    error: the selector `+` names nothing
    help: write a name, such as fact_listen+, or a method, such as tag:core
    ");
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "@plays+"]), @r"
    error: the selector `@plays+` has both `@` and `+`
    help: `@` stands for a node, its children, and all that those need: leave `+` out
    ");
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "state:modified"]), @r"
    error: the selector `state:` needs the manifest.json of an earlier call
    help: give --state and the folder that holds a copy of it
    ");
    let output = project.run(&["ls", "--output", "name", "--select", "report", "by_dya"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "report\n"));
    insta::assert_snapshot!(output.stderr, @r" WARN `by_dya` matches no node; did you mean `by_day`?");
}

#[test]
fn selections_have_names_and_tests_come_as_they_are_asked_for() {
    let project = project();
    project.file(
        "selectors.yml",
        "\
selectors:
  - name: daily
    definition: {method: tag, value: daily, exclude: [{method: fqn, value: plays}]}
  - name: most
    default: true
    definition:
      union:
        - {method: selector, value: daily}
        - {method: fqn, value: plays, parents: true, indirect_selection: empty}
        - exclude: [{resource_type: test}]
",
    );
    assert_eq!(names(&project, &["--selector", "daily"]), "by_day not_null_by_day_n");
    assert_eq!(names(&project, &[]), "by_day listens plays");
    assert_eq!(
        names(&project, &["--select", "selector:daily", "--indirect-selection", "empty"]),
        "by_day not_null_by_day_n"
    );
    assert_eq!(names(&project, &["--select", "by_day", "--indirect-selection", "empty"]), "by_day");
    assert_eq!(names(&project, &["--select", "by_day", "--exclude-resource-type", "test"]), "by_day");
    assert!(project.fail(2, &["ls", "--selector", "dail"]).contains("did you mean `daily`?"));
    project
        .file("tests/both.sql", "select 1 as x from {{ ref('by_song') }} join {{ ref('report') }} using (n)");
    let cautious = ["--select", "by_song", "--indirect-selection", "cautious"];
    assert_eq!(names(&project, &cautious), "by_song");
    assert_eq!(
        names(&project, &["--select", "by_song", "report", "--indirect-selection", "cautious"]),
        "both by_song report"
    );
    assert_eq!(names(&project, &["--select", "by_song"]), "both by_song");
}

#[test]
fn what_changed_since_an_earlier_state_is_selected() {
    let project = project();
    project.file("macros/one.sql", "{% macro one() %}1{% endmacro %}");
    project.model("marts/ones", "select {{ one() }} as one");
    project.succeed(&["parse"]);
    std::fs::create_dir(project.path("before")).unwrap();
    std::fs::copy(project.path("target/manifest.json"), project.path("before/manifest.json")).unwrap();
    let changed = |what: &str| {
        let words = ["--select", what, "--state", "before", "--indirect-selection", "empty"];
        let all = [&["ls", "--output", "name"][..], &words[..]].concat();
        project.run(&all).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(changed("state:modified"), "");
    project.model("marts/by_song", "select song, count(*) as times from {{ ref('plays') }} group by 1");
    project.model("marts/more", "select 1 as one");
    project.file("macros/one.sql", "{% macro one() %}2 - 1{% endmacro %}");
    assert_eq!(changed("state:modified"), "by_song more ones");
    assert_eq!(
        (changed("state:new"), changed("state:modified.macros")),
        ("more".to_owned(), "ones".to_owned())
    );
    assert_eq!(changed("state:modified.configs"), "more");
    assert!(changed("state:unmodified").contains("by_day"));
}

#[test]
fn what_failed_is_done_again() {
    let project = project();
    project.listens("a.json", &[(0, 1, "x")]);
    project.file("models/marts/by_song.sql", "select cast(song as int) as n from {{ ref('plays') }}");
    project.file(
        "models/marts/after.sql",
        "{{ config(materialized='table') }} select * from {{ ref('by_song') }}",
    );
    assert_eq!(project.run(&["run"]).code, Some(1));
    project.file("models/marts/by_song.sql", "select 1 as n from {{ ref('plays') }}");
    let again = project.run(&["retry"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stderr.contains("after") && !again.stderr.contains("report"), "{}", again.stderr);
    assert!(project.run(&["retry"]).stderr.contains("nothing to do"));
}

#[test]
fn the_age_of_sources_is_asked_of_their_rows() {
    let project = project();
    project.listens("a.json", &[(0, 1, "x")]);
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    let aged = sources.replace(
        "        event_time: ts\n",
        "        event_time: ts\n        loaded_at_field: to_timestamp_millis(ts)\n        freshness: {warn_after: {count: 1, period: day}}\n",
    );
    project.file("sources.yml", aged);
    project.succeed(&["run"]);
    let looked = project.run(&["source", "freshness"]);
    assert_eq!(looked.code, Some(0), "{}", looked.stderr);
    let found: Json =
        serde_json::from_slice(&std::fs::read(project.path("target/sources.json")).unwrap()).unwrap();
    let result = &found["results"][0];
    assert_eq!(
        (&result["status"], &result["max_loaded_at"]),
        (&"warn".into(), &"2018-11-01T00:00:00.000000Z".into())
    );
    assert_eq!(result["criteria"]["warn_after"]["count"], 1);
}

#[test]
fn a_column_is_followed_both_ways() {
    let project = project();
    project.listens("a.json", &[(0, 1, "x")]);
    insta::assert_snapshot!(project.print(&["lineage", "by_song.song"]), @r"
    comes from by_song.song
      plays.song (direct)
        events.listens.song (direct)
    goes to by_song.song
    ");
    insta::assert_snapshot!(project.print(&["lineage", "report.n", "--upstream", "--rows"]), @r"
    comes from report.n
      by_day.n (transformed)
        people.user_id (join)
        plays.event_date (group)
        plays.user_id (join)
    ");
}

#[test]
fn a_column_selects_what_it_reaches_and_not_all_that_reads_its_table() {
    let project = project();
    for (select, expected) in [
        ("column:plays.song", "plays some_plays"),
        ("column:plays.song+", "by_song plays some_plays"),
        // It joins, and so decides which rows there are.
        ("column:plays.user_id+", "board by_day not_null_by_day_n plays report some_plays"),
        ("column:plays.user_id+1", "by_day not_null_by_day_n plays some_plays"),
        ("column:people.name+", "people"),
        ("+column:by_song.song", "by_song listens plays some_plays"),
        ("column:events.listens.song+", "by_song listens plays some_plays"),
        ("@column:plays.song", "by_song listens plays some_plays"),
    ] {
        assert_eq!(names(&project, &["--select", select]), expected, "{select}");
    }
    assert_eq!(
        names(&project, &["--select", "by_*", "--exclude", "column:plays.song+"]),
        "by_day not_null_by_day_n"
    );
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "column:plays.sogn+"]), @r"
    error: `plays` has no column `sogn`
    help: did you mean `song`?
    ");
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "column:plays"]), @r"
    error: expected a column, found `plays`
    help: write node.column, such as fact_listen.song_id
    ");
    project.model("wrong", "select nothing from {{ ref('plays') }}");
    insta::assert_snapshot!(project.fail(2, &["ls", "--select", "column:plays.song+"]), @r"
    error: the selector `column:plays.song` needs a project that compiles: there is no column `nothing` here
    help: see all that is wrong with: mep compile
    ");
}

#[test]
fn what_is_built_alone_of_an_input_with_other_columns_says_what_to_build_as_well() {
    let project = Project::new();
    let table = |name: &str, sql: &str| {
        project.model(name, &format!("{{{{ config(materialized='table') }}}} {sql}"));
    };
    table("days", "select '1' as day, 1 as n");
    project.model("seen", "select day, n from {{ ref('days') }}");
    table("last", "select max(day) as day from {{ ref('seen') }}");
    project.succeed(&["run", "--quiet"]);
    table("days", "select date '2024-05-01' as day, 1 as n");
    let said = project.fail(1, &["run", "--quiet", "--select", "last"]);
    assert!(said.contains("`days` is stored with another column `day` than its SQL gives now"), "{said}");
    assert!(said.contains("--select +last"), "{said}");
    project.succeed(&["run", "--quiet", "--select", "+last"]);
    assert_eq!(project.rows("select day from main.last"), serde_json::json!([{"day": "2024-05-01"}]));
}
