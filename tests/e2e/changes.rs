//! What is built anew when a file of the project changes, and why.

use serde_json::json;

use crate::project::{DAY, NOVEMBER, Project};

const LISTENS: &str = "{{ source('events', 'listens') }}";

/// A table over a view over the landed listens.
fn project() -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.model("songs", &format!("select song, event_date from {LISTENS}"));
    project
        .model("counts", "{{ config(materialized='table') }} select count(*) as n from {{ ref('songs') }}");
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
    project
}

#[test]
fn a_changed_view_is_replaced_and_what_reads_it_is_built_anew() {
    let project = project();
    project.model("songs", &format!("select song, event_date from {LISTENS} where song <> 'a'"));
    assert_eq!(
        project.plan(),
        ["songs: create: model changed at line 1", "counts: build: view songs changed at line 1"]
    );
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.counts"), json!([{"n": 1}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_model_is_built_from_the_views_of_the_project_even_where_they_are_not_selected() {
    let project = project();
    project.model("songs", &format!("select song, event_date from {LISTENS} where song <> 'a'"));
    project.succeed(&["run", "--select", "counts"]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.counts"), json!([{"n": 1}]));
}

#[test]
fn a_model_whose_inputs_are_not_there_names_them() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a")]);
    project.model("plays", &format!("{{{{ config(materialized='table') }}}} select song from {LISTENS}"));
    project.model("shown", "select song from {{ ref('plays') }}");
    project
        .model("counts", "{{ config(materialized='table') }} select count(*) as n from {{ ref('shown') }}");
    insta::assert_snapshot!(project.fail(1, &["run", "--select", "counts"]), @r"
        plan  1 table
       start  table counts
       error  table counts  [time]

    what failed:
      table counts
          it reads main.plays, which is not built yet: build it first, as in mep run --select +counts
    failed in [time]: 1 in error
    ");
    insta::assert_snapshot!(project.print(&["plan", "--select", "counts"]), @r"
    blocked  table counts    it reads main.plays, not built yet and not selected
    1 step
    ");
    insta::assert_snapshot!(project.fail(1, &["run", "--select", "shown"]), @r"
        plan  1 view
       start  view shown
       error  view shown  [time]

    what failed:
      view shown
          it reads main.plays, which is not built yet: build it first, as in mep run --select +shown
    failed in [time]: 1 in error
    ");
}

#[test]
fn a_view_whose_input_changed_its_columns_shows_the_new_ones() {
    let project = Project::new();
    project.model("base", "{{ config(materialized='table') }} select 1 as a");
    project.model("shown", "select * from {{ ref('base') }}");
    project.succeed(&["run"]);
    project.model("base", "{{ config(materialized='table') }} select 1 as a, 'x' as b");
    assert_eq!(project.plan(), ["base: build: model changed at line 1", "shown: create: model changed"]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select * from main.shown"), json!([{"a": 1, "b": "x"}]));
    project.model("base", "{{ config(materialized='table') }} select 2 as b");
    project.succeed(&["run", "--select", "base"]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select * from main.shown"), json!([{"b": 2}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_table_becomes_a_view_and_a_view_a_table() {
    let project = project();
    project.model(
        "songs",
        &format!("{{{{ config(materialized='table') }}}} select song, event_date from {LISTENS}"),
    );
    project.model("counts", "select count(*) as n from {{ ref('songs') }}");
    assert_eq!(project.plan(), ["songs: build: first run", "counts: create: model changed"]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.counts"), json!([{"n": 2}]));
    assert_eq!(project.plan(), [""; 0]);
    project.model(
        "songs",
        &format!("{{{{ config(materialized='ephemeral') }}}} select song, event_date from {LISTENS}"),
    );
    project.model(
        "counts",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, count(*) as n from {{ ref('songs') }} group by 1",
    );
    project.succeed(&["run"]);
    project.listens("2.json", &[(1, 1, "c")]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.counts order by event_date"), json!([{"n": 2}, {"n": 1}]));
}

#[test]
fn a_changed_partitioning_builds_the_table_anew() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    let model = |by: &str| {
        format!(
            "{{{{ config(materialized='incremental', partition_by={by}) }}}}
            select event_date, user_id, song from {LISTENS}"
        )
    };
    for by in ["'event_date'", "['event_date', 'user_id']", "'user_id'", "[]", "'event_date'"] {
        project.model("plays", &model(by));
        project.succeed(&["run"]);
        assert_eq!(
            project.rows("select event_date, user_id, song from main.plays order by song"),
            json!([{"event_date": "2018-11-01", "user_id": 1, "song": "a"},
                {"event_date": "2018-11-02", "user_id": 2, "song": "b"}]),
            "{by}"
        );
        assert_eq!(project.plan(), [""; 0], "{by}");
    }
}

#[test]
fn a_changed_variable_builds_the_models_that_use_it() {
    let project = Project::new();
    project.file("dbt_project.yml", "name: songs\nprofile: songs\nvars: {least: 1}\n");
    project.model("a", "{{ config(materialized='table') }} select {{ var('least') }} as x");
    project.model("b", "{{ config(materialized='table') }} select 1 as x");
    project.succeed(&["run"]);
    let said = project.succeed(&["run", "--vars", "{least: 2}"]);
    insta::assert_snapshot!(said, @r"
        plan  1 table; 1 current
       start  table a
          ok  table a  1 row, [size], [time]  (model changed at line 1)
     current  table b
    done in [time]: 1 built, 1 current
    ");
    assert_eq!(project.rows("select x from main.a"), json!([{"x": 2}]));
}

#[test]
fn a_source_that_declares_another_column_is_landed_anew() {
    let project = Project::with_listens();
    project.file(
        "events/listens/1.json",
        "{\"ts\": 1541030400000, \"user_id\": 1, \"song\": \"a\", \"city\": \"Oslo\"}\n",
    );
    project.model("cities", &format!("{{{{ config(materialized='table') }}}} select * from {LISTENS}"));
    project.succeed(&["run"]);
    declare_city(&project, "varchar");
    assert_eq!(
        project.plan(),
        ["events.listens: land: 1 read with another schema", "cities: build: model changed"]
    );
    project.succeed(&["run"]);
    assert_eq!(project.rows("select song, city from main.cities"), json!([{"song": "a", "city": "Oslo"}]));
    assert_eq!(project.plan(), [""; 0]);
}

/// A fact and tables below it, over listens in which stands a city that is not declared.
fn with_cities() -> Project {
    let project = with_columns();
    let line = |day: i64, city: &str| {
        let ts = NOVEMBER + day * DAY;
        json!({"ts": ts, "user_id": day, "song": "a", "seconds": 60.5, "city": city}).to_string()
    };
    project.file("events/listens/1.json", format!("{}\n{}\n", line(0, "Oslo"), line(1, "Rome")));
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
    project
}

/// Adds a column to the source that is declared.
pub(crate) fn declare_city(project: &Project, data_type: &str) {
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file("sources.yml", format!("{sources}          - {{name: city, data_type: {data_type}}}\n"));
}

#[test]
fn a_column_added_to_a_source_builds_only_what_reads_it() {
    let project = with_cities();
    declare_city(&project, "varchar");
    assert_eq!(project.plan(), ["events.listens: land: 1 read with another schema"]);
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
    project.model("cities", &format!("{{{{ config(materialized='table') }}}} select city from {LISTENS}"));
    assert_eq!(project.plan(), ["cities: build: first run"]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select city from main.cities order by 1"),
        json!([{"city": "Oslo"}, {"city": "Rome"}])
    );
    // A file that changes is still seen by all that reads it.
    project.listens("1.json", &[(0, 1, "b")]);
    project.succeed(&["run"]);
    assert_eq!(project.rows("select song from main.songs"), json!([{"song": "b"}]));
    assert_eq!(project.rows("select city from main.cities"), json!([{"city": null}]));
    assert_eq!(project.rows("select n from main.total"), json!([{"n": 1}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_row_that_is_rejected_with_and_without_an_added_column_builds_nothing() {
    let project = with_cities();
    let listens = std::fs::read_to_string(project.path("events/listens/1.json")).unwrap();
    project.file("events/listens/1.json", format!("{{\"ts\": 154\n{listens}"));
    project.succeed(&["run"]);
    declare_city(&project, "varchar");
    assert_eq!(project.plan(), ["events.listens: land: 1 read with another schema"]);
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_column_added_to_a_source_without_days_builds_only_what_reads_it() {
    let project = Project::with_listens();
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file("sources.yml", sources.replace("        event_time: ts\n", ""));
    let line = |user: i64| json!({"user_id": user, "song": "a", "city": "Oslo"}).to_string();
    project.file("events/listens/1.json", format!("{}\n{}\n{{\n", line(1), line(2)));
    project.model("users", &format!("{{{{ config(materialized='table') }}}} select user_id from {LISTENS}"));
    project.model("cities", &format!("{{{{ config(materialized='table') }}}} select * from {LISTENS}"));
    project.succeed(&["run"]);
    declare_city(&project, "varchar");
    assert_eq!(
        project.plan(),
        ["events.listens: land: 1 read with another schema", "cities: build: model changed"]
    );
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
    let sources = std::fs::read_to_string(project.path("sources.yml")).unwrap();
    project.file("sources.yml", sources.replace("city, data_type: varchar", "city, data_type: bigint"));
    let planned = project.plan();
    assert_eq!(planned.len(), 3, "{planned:?}");
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn rows_that_could_not_be_landed_anew_have_an_added_column_once_they_are() {
    let project = with_cities();
    project.listens("2.json", &[(0, 1, "c")]);
    project.succeed(&["run"]);
    let (file, away) = (project.path("events/listens/1.json"), project.path("1.json"));
    std::fs::rename(&file, &away).unwrap();
    declare_city(&project, "varchar");
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
    project.model("cities", &format!("{{{{ config(materialized='table') }}}} select city from {LISTENS}"));
    project.succeed(&["run"]);
    let cities = "select city from main.cities order by 1";
    assert_eq!(project.rows(cities), json!([{"city": null}, {"city": null}, {"city": null}]));
    std::fs::rename(&away, &file).unwrap();
    let planned = project.plan();
    assert_eq!(planned.len(), 2, "{planned:?}");
    project.succeed(&["run"]);
    assert_eq!(project.rows(cities), json!([{"city": "Oslo"}, {"city": "Rome"}, {"city": null}]));
    assert_eq!(project.rows("select n from main.total"), json!([{"n": 3}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_column_added_to_a_source_leaves_what_is_kept_as_it_was() {
    let project = with_cities();
    let kept = PLAYS.replace("partition_by", "on_code_change='keep', partition_by");
    project.model("plays", &kept.replace("song,", "upper(song) as song,"));
    declare_city(&project, "varchar");
    project.succeed(&["run"]);
    project.model("plays", &kept.replace("song,", "concat(song, city) as song,"));
    assert_eq!(project.plan(), [""; 0]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select song from main.plays order by event_date"),
        json!([{"song": "a"}, {"song": "a"}])
    );
}

#[test]
fn a_column_added_to_a_source_builds_all_that_reads_it_where_rows_are_rejected_for_it() {
    let project = with_cities();
    declare_city(&project, "bigint");
    let planned = project.plan();
    assert_eq!(planned.len(), 4, "{planned:?}");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.total"), json!([{"n": 0}]));
    assert_eq!(project.rows("select count(*) as n from main.plays"), json!([{"n": 0}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_deleted_model_leaves_its_table_and_nothing_breaks() {
    let project = project();
    std::fs::remove_file(project.path("models/counts.sql")).unwrap();
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.counts"), json!([{"n": 2}]));
}

#[test]
fn a_manifest_of_the_warehouse_that_cannot_be_read_stops_the_run() {
    let project = project();
    project.file("warehouse/main/counts/manifest.json", "{");
    insta::assert_snapshot!(project.fail(1, &["run"]), @r"error: the manifest [folder]/warehouse/main/counts/manifest.json cannot be read: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(project.fail(1, &["plan"]), @r"error: the manifest [folder]/warehouse/main/counts/manifest.json cannot be read: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(project.fail(1, &["show", "--select", "counts"]), @r"error: the manifest [folder]/warehouse/main/counts/manifest.json cannot be read: EOF while parsing an object at line 1 column 1");
}

#[test]
fn a_failed_landing_fails_the_run_and_skips_what_reads_it() {
    let project = project();
    project.model("apart", "{{ config(materialized='table') }} select 1 as x");
    std::fs::remove_dir_all(project.path("events")).unwrap();
    project.file("events", "no folder");
    insta::assert_snapshot!(project.fail(1, &["run"]), @r"
       error  source events.listens  [time]
        plan  1 table; 2 current
       start  table apart
          ok  table apart  1 row, [size], [time]  (first run)
     skipped  view songs  (because of events.listens)
     skipped  table counts  (because of songs)

    what failed:
      source events.listens
          [folder]/events is not a folder
    failed in [time]: 1 built, 1 in error, 2 skipped
    ");
    assert_eq!(project.rows("select n from main.counts"), json!([{"n": 2}]));
    assert_eq!(project.rows("select x from main.apart"), json!([{"x": 1}]));
}

#[test]
fn a_file_that_has_vanished_is_told_of_and_its_rows_stay() {
    let project = project();
    std::fs::remove_file(project.path("events/listens/1.json")).unwrap();
    insta::assert_snapshot!(project.succeed(&["run"]), @r"
     warning  events.listens no longer has listens/1.json; the rows that came from there are kept
     current  source events.listens
     current  view songs
     current  table counts
    done in [time]: 3 current
    ");
    assert_eq!(project.rows("select n from main.counts"), json!([{"n": 2}]));
}

/// A fact by day, with a table that reads two of its columns, and one that counts its rows.
fn with_columns() -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.model("plays", PLAYS);
    project.model(
        "songs",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, song, count(*) as n from {{ ref('plays') }} group by event_date, song",
    );
    project.model("total", "{{ config(materialized='table') }} select count(*) as n from {{ ref('plays') }}");
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
    project
}

const PLAYS: &str = "{{ config(materialized='incremental', partition_by='event_date') }}
select
    song,
    seconds,
    event_date
from {{ source('events', 'listens') }}";

#[test]
fn an_added_column_builds_only_what_uses_it() {
    let project = with_columns();
    project.model("plays", &PLAYS.replace("seconds,", "seconds,\n    user_id,"));
    assert_eq!(project.plan(), ["plays: build: model changed at line 5"]);
    project.succeed(&["run"]);
    assert_eq!(project.plan(), [""; 0]);
    assert_eq!(
        project.rows("select song, user_id from main.plays order by song"),
        json!([{"song": "a", "user_id": 1}, {"song": "b", "user_id": 2}])
    );
}

#[test]
fn a_changed_column_builds_only_what_uses_it() {
    let project = with_columns();
    project.model("plays", &PLAYS.replace("song,", "upper(song) as song,"));
    assert_eq!(
        project.plan(),
        ["plays: build: model changed at line 3", "songs: build: plays changed in 2018-11-01, 2018-11-02"]
    );
    project.succeed(&["run"]);
    assert_eq!(project.rows("select song from main.songs order by 1"), json!([{"song": "A"}, {"song": "B"}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn other_rows_build_all_that_reads_them() {
    let project = with_columns();
    project.model("plays", &format!("{PLAYS} where song <> 'a'"));
    let planned = project.plan();
    assert_eq!(planned.len(), 3, "{planned:?}");
    project.succeed(&["run"]);
    assert_eq!(project.rows("select n from main.total"), json!([{"n": 1}]));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn a_model_built_by_itself_leaves_what_reads_it_as_dirty_as_it_is() {
    let project = with_columns();
    project.model("plays", &PLAYS.replace("song,", "upper(song) as song,"));
    project.succeed(&["run", "--select", "plays"]);
    assert_eq!(project.plan(), ["songs: build: plays changed in 2018-11-01, 2018-11-02"]);
}

#[test]
fn names_of_tables_and_of_queries_within_have_no_meaning_that_builds_nothing_new() {
    let project = with_columns();
    project.model("plays", &PLAYS.replace("from", "-- where they come from\n  FROM"));
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn code_that_is_kept_builds_only_what_is_new_from_then_on() {
    let project = with_columns();
    let kept = PLAYS.replace("partition_by", "on_code_change='keep', partition_by");
    project.model("plays", &kept);
    assert_eq!(project.plan(), [""; 0]);
    let other = kept.replace("song,", "upper(song) as song,\n    user_id,");
    project.model("plays", &other);
    insta::assert_snapshot!(project.print(&["plan"]), @r"
    build  incremental plays  its columns  the stored ones are others
    1 step, 3 current
    ");
    project.listens("2.json", &[(2 * DAY, 3, "c")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select song, user_id from main.plays order by event_date"),
        json!([{"song": "a", "user_id": null}, {"song": "b", "user_id": null}, {"song": "C", "user_id": 3}])
    );
    assert_eq!(project.plan(), [""; 0]);
    project.listens("3.json", &[(1, 1, "d")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select song from main.plays order by event_date, song"),
        json!([{"song": "A"}, {"song": "D"}, {"song": "b"}, {"song": "C"}])
    );
    project.succeed(&["run", "--full-refresh"]);
    assert_eq!(
        project.rows("select count(distinct upper(song)) = count(distinct song) as x from main.plays"),
        json!([{"x": true}])
    );
}

/// A fact that looks up a name in a table that changes.
fn looking_up(config: &str) -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (DAY, 2, "b")]);
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n2,Bob\n");
    project.model(
        "plays",
        &format!(
            "{{{{ config(materialized='incremental', partition_by='event_date'{config}) }}}}
            select l.event_date, l.song, p.name from {LISTENS} l
            left join {{{{ ref('people') }}}} p on p.user_id = l.user_id"
        ),
    );
    project.succeed(&["build"]);
    project.file("seeds/people.csv", "user_id,name\n1,Anna\n2,Bob\n3,Cy\n");
    project.succeed(&["seed"]);
    project
}

#[test]
fn changes_of_a_table_that_are_ignored_build_nothing() {
    let project = looking_up(", changes={'people': 'ignore'}");
    assert_eq!(project.plan(), [""; 0]);
    project.listens("2.json", &[(2 * DAY, 3, "c")]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select name from main.plays order by event_date"),
        json!([{"name": "Ann"}, {"name": "Bob"}, {"name": "Cy"}])
    );
}

#[test]
fn changes_that_are_to_be_ignored_must_be_of_a_table_that_is_read() {
    let project = Project::new();
    project.model("shown", "select 1 as x");
    let model = |changes: &str| {
        let config = format!("materialized='table', changes={changes}");
        project.model("a", &format!("{{{{ config({config}) }}}} select x from {{{{ ref('shown') }}}}"));
        project.fail(2, &["compile"])
    };
    insta::assert_snapshot!(model("{'people': 'ignore'}"));
    insta::assert_snapshot!(model("{'shown': 'ignore'}"));
    insta::assert_snapshot!(model("{'shown': 'never'}"));
    insta::assert_snapshot!(model("['shown']"));
}

#[test]
fn a_model_with_increments_of_its_own_is_backfilled_where_that_is_asked_for() {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a")]);
    let model = |columns: &str| {
        project.model(
            "kept",
            &format!(
                "{{{{ config(materialized='incremental', on_schema_change='backfill') }}}}
                select {columns} from {LISTENS}
                {{% if is_incremental() %}} where ts > (select max(ts) from {{{{ this }}}}) {{% endif %}}"
            ),
        );
    };
    model("ts, song");
    project.succeed(&["run"]);
    model("ts, song, user_id");
    project.listens("2.json", &[(5, 2, "b")]);
    assert_eq!(project.plan()[1], "kept: build: its columns changed");
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select song, user_id from main.kept order by ts"),
        json!([{"song": "a", "user_id": 1}, {"song": "b", "user_id": 2}])
    );
    project.listens("3.json", &[(9, 3, "c")]);
    assert_eq!(project.plan()[1], "kept: increment: it keeps its own increments");
}

#[test]
fn a_changed_row_of_a_joined_table_builds_the_partitions_that_hold_its_key_and_no_others() {
    let project = looking_up("");
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n2,Bob\n");
    project.model(
        "names",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, name, count(*) as n from {{ ref('plays') }} group by event_date, name",
    );
    project.succeed(&["build"]);
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n2,Bo\n3,Cy\n");
    assert_eq!(
        project.plan(),
        [
            "people: load: file changed",
            "plays: build: people changed",
            "names: build: plays changed in 2018-11-01, 2018-11-02"
        ]
    );
    assert!(project.print(&["plan"]).contains("incremental plays  up to 2 partitions"));
    insta::assert_snapshot!(project.succeed(&["build"]), @r"
     current  source events.listens
        plan  2 incrementals, 1 seed, 4 partitions
       start  seed people
          ok  seed people  3 rows, [size], [time]  (file changed)
       start  incremental plays
          ok  incremental plays  1 row, [size], [time]  (people changed; 1 partition contains nothing that changed)
       start  incremental names
          ok  incremental names  1 row, [size], [time]  (plays changed in 2018-11-02; 1 partition contains nothing that changed)
    done in [time]: 3 built, 1 current
    ");
    assert_eq!(
        project.rows("select name from main.names order by 1"),
        json!([{"name": "Ann"}, {"name": "Bo"}])
    );
    assert_eq!(project.plan(), [""; 0]);
    // One that no listen bears the key of.
    project.file("seeds/people.csv", "user_id,name\n1,Ann\n2,Bo\n3,Cyd\n");
    let before = project.listing("warehouse/main/plays/data");
    let said = project.succeed(&["build"]);
    assert!(said.contains("(2 partitions contain nothing that changed)"), "{said}");
    assert_eq!(project.listing("warehouse/main/plays/data"), before);
    assert_eq!(project.plan(), [""; 0]);
    // Where the table was built by another run, what it held is not known.
    project.file("seeds/people.csv", "user_id,name\n1,Anna\n2,Bo\n");
    project.succeed(&["seed"]);
    project.succeed(&["run"]);
    assert_eq!(
        project.rows("select name from main.names order by 1"),
        json!([{"name": "Anna"}, {"name": "Bo"}])
    );
    assert_eq!(project.plan(), [""; 0]);
}
