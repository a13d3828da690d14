//! Tables in a real Hive warehouse, as mep, HiveServer2 and Trino read them.

use serde_json::json;

use crate::changes::declare_city;
use crate::project::{DAY, NOVEMBER, steps};
use crate::services::NULL;
use crate::services::hive_project::HiveProject;

/// Listens of two days into a partitioned table, a table, and a view over both.
fn songs(name: &str) -> HiveProject {
    let hive = HiveProject::new(name);
    hive.project
        .listens("one.json", &[(0, 1, "Änglar"), (1000, 2, "B"), (DAY, 1, "it's \"C\"")])
        .model(
            "fact",
            "{{ config(materialized='incremental', partition_by='event_date') }}
             select ts, user_id as \"userId\", song, seconds, event_date,
                 to_timestamp_millis(ts) as at, cast(user_id as decimal(10, 2)) as amount
             from {{ source('events', 'listens') }}",
        )
        .model(
            "users",
            "{{ config(materialized='table') }}
             select \"userId\" as user_id, count(*) as listens, min(at) as first_at from {{ ref('fact') }} group by \"userId\"",
        )
        .model(
            "busy",
            "{{ config(materialized='view') }} select user_id, listens from {{ ref('users') }} where listens > 1",
        )
        .file(
            "models/schema.yml",
            "models:
  - name: fact
    description: What was heard.
    columns:
      - {name: song, description: Its title.}
",
        );
    hive
}

#[test]
fn every_engine_reads_the_same_rows() {
    let hive = songs("tables");
    hive.succeed(&["run"]);
    let schema = &hive.schema;
    let facts =
        format!("select event_date, userid, song, seconds, at, amount from {schema}.fact order by ts");
    let expected = [
        ["2018-11-01", "1", "Änglar", "60.5", "2018-11-01 00:00:00", "1"],
        ["2018-11-01", "2", "B", "60.5", "2018-11-01 00:00:01", "2"],
        ["2018-11-02", "1", "it's \"C\"", "60.5", "2018-11-02 00:00:00", "1"],
    ];
    let plain = |rows: Vec<Vec<String>>| -> Vec<Vec<String>> {
        let trim = |text: String| text.strip_suffix(".00").map(str::to_owned).unwrap_or(text);
        rows.into_iter().map(|row| row.into_iter().map(trim).collect()).collect()
    };
    assert_eq!(plain(hive.hive(&facts)), expected);
    assert_eq!(plain(hive.trino(&facts)), expected);
    let users = format!("select user_id, listens from {schema}.users order by user_id");
    for rows in [hive.hive(&users), hive.trino(&users), hive.mep("hive", &users)] {
        assert_eq!(rows, [["1", "2"], ["2", "1"]]);
    }
    let busy = format!("select user_id, listens from {schema}.busy");
    for rows in [hive.hive(&busy), hive.trino(&busy), hive.mep("hive", &busy)] {
        assert_eq!(rows, [["1", "2"]]);
    }
    let landed = format!(
        "select event_date, batch, count(*) from {schema}.raw_listens group by event_date, batch order by event_date"
    );
    for rows in [hive.hive(&landed), hive.trino(&landed), hive.mep("hive", &landed)] {
        assert_eq!(rows, [["2018-11-01", "listens/one.json", "2"], ["2018-11-02", "listens/one.json", "1"]]);
    }
}

#[test]
fn hive_knows_comments_partitions_and_how_many_rows_there_are() {
    let hive = songs("known");
    hive.succeed(&["run"]);
    let schema = &hive.schema;
    let partitions = hive.hive(&format!("show partitions {schema}.fact"));
    assert_eq!(partitions, [["event_date=2018-11-01"], ["event_date=2018-11-02"]]);
    let described: Vec<String> = hive
        .hive(&format!("describe formatted {schema}.fact"))
        .into_iter()
        .map(|row| row.join("|"))
        .collect();
    let has = |words: &[&str]| described.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["song", "string", "Its title."]), "{described:#?}");
    assert!(has(&["comment", "What was heard."]), "{described:#?}");
    assert!(has(&["EXTERNAL_TABLE"]), "{described:#?}");
    let explained =
        hive.hive(&format!("explain select * from {schema}.fact where event_date = date '2018-11-01'"));
    let explained: Vec<String> = explained.into_iter().map(|row| row.join("|")).collect();
    assert!(
        explained.iter().any(|line| line.contains("Num rows: 2") && line.contains("Basic stats: COMPLETE")),
        "{explained:#?}"
    );
    assert_eq!(hive.hive(&format!("select count(*) from {schema}.fact")), [["3"]]);
}

#[test]
fn a_second_run_writes_nothing_and_a_late_file_rebuilds_what_it_touches() {
    let hive = songs("second");
    hive.succeed(&["run"]);
    let said = hive.succeed(&["run"]);
    assert!(said.contains("nothing to do") || !said.contains("partition"), "{said}");
    hive.project.listens("two.json", &[(2000, 3, "late"), (2 * DAY, 3, "new")]);
    let planned = hive.call(&["plan", "--select", "fact"], None);
    let planned = String::from_utf8(planned.stdout).unwrap();
    hive.succeed(&["run"]);
    let schema = &hive.schema;
    let count =
        format!("select event_date, count(*) from {schema}.fact group by event_date order by event_date");
    let expected = [["2018-11-01", "3"], ["2018-11-02", "1"], ["2018-11-03", "1"]];
    for rows in [hive.hive(&count), hive.trino(&count), hive.mep("hive", &count)] {
        assert_eq!(rows, expected, "{planned}");
    }
    assert_eq!(
        hive.hive(&format!("select user_id, listens from {schema}.busy order by user_id")),
        [["1", "2"], ["3", "2"]]
    );
}

#[test]
fn a_column_is_added_and_a_type_widened_and_nothing_is_done_that_hive_cannot_read_back() {
    let hive = HiveProject::new("changes");
    let model = |columns: &str| {
        format!(
            "{{{{ config(materialized='incremental', partition_by='event_date') }}}}
             select {columns}, event_date from {{{{ source('events', 'listens') }}}}"
        )
    };
    hive.project.listens("one.json", &[(0, 1, "A"), (DAY, 2, "B")]);
    hive.project.model("fact", &model("cast(user_id as integer) as n"));
    hive.succeed(&["run"]);
    hive.project.model("fact", &model("song, cast(user_id as bigint) as n"));
    hive.succeed(&["run"]);
    let rows = format!("select n, song, event_date from {}.fact order by n", hive.schema);
    for rows in [hive.hive(&rows), hive.trino(&rows), hive.mep("hive", &rows)] {
        assert_eq!(rows, [["1", "A", "2018-11-01"], ["2", "B", "2018-11-02"]]);
    }
    hive.project.model("fact", &model("song, cast(user_id as varchar) as n"));
    let said = hive.fail(1, &["run"]);
    assert!(
        said.contains("[schema].fact cannot be changed like that in hive: column `n` is bigint there and becomes string; drop the table first, or give the model another name"),
        "{said}"
    );
    assert_eq!(hive.hive(&rows), [["1", "A", "2018-11-01"], ["2", "B", "2018-11-02"]]);
    hive.project.model(
        "fact",
        "{{ config(materialized='table') }} select song from {{ source('events', 'listens') }}",
    );
    let said = hive.fail(1, &["run"]);
    assert!(
        said.contains("it is a table partitioned by event_date there and becomes a table without partitions"),
        "{said}"
    );
}

#[test]
fn a_column_added_to_a_source_is_landed_anew_and_builds_nothing_that_does_not_read_it() {
    let hive = songs("added");
    let line = |day: i64, city: &str| {
        let ts = NOVEMBER + day * DAY;
        json!({"ts": ts, "user_id": 7, "song": "D", "seconds": 60.5, "city": city}).to_string()
    };
    hive.project.file("events/listens/two.json", format!("{}\n{}\n", line(0, "Malmö"), line(1, "Oslo")));
    hive.succeed(&["run"]);
    declare_city(&hive.project, "varchar");
    let planned =
        || steps(&String::from_utf8(hive.call(&["plan", "--output", "json"], None).stdout).unwrap());
    assert_eq!(planned(), ["events.listens: land: 2 read with another schema"]);
    hive.succeed(&["run"]);
    let schema = &hive.schema;
    let cities = format!(
        "select city, count(*) from {schema}.raw_listens where event_date >= date '2018-11-01' group by city order by city"
    );
    let expected = [["Malmö", "1"], ["Oslo", "1"], [NULL, "3"]];
    let in_hive = cities.replace("order by city", "order by city nulls last");
    for rows in [hive.hive(&in_hive), hive.trino(&cities), hive.mep("hive", &cities)] {
        assert_eq!(rows, expected);
    }
    assert_eq!(planned(), [""; 0]);
    let facts = format!("select count(*), count(distinct song) from {schema}.fact");
    for rows in [hive.hive(&facts), hive.trino(&facts), hive.mep("hive", &facts)] {
        assert_eq!(rows, [["5", "4"]]);
    }
}

#[test]
fn increments_of_their_own_keep_a_partition_in_one_folder() {
    let hive = HiveProject::new("increments");
    let model = |strategy: &str| {
        format!(
            "{{{{ config(materialized='incremental', partition_by='event_date', unique_key='n', incremental_strategy='{strategy}') }}}}
             select user_id as n, song, event_date from {{{{ source('events', 'listens') }}}}
             {{% if is_incremental() %}} where ts > (select max(ts) from {{{{ source('events', 'listens') }}}}) - 1 {{% endif %}}"
        )
    };
    hive.project.model("added", &model("append")).model("merged", &model("merge"));
    hive.project.listens("one.json", &[(0, 1, "A"), (1, 2, "B")]);
    hive.succeed(&["run"]);
    hive.project.listens("two.json", &[(5, 1, "C")]);
    hive.succeed(&["run"]);
    for (table, expected) in [("added", vec!["A", "B", "C"]), ("merged", vec!["B", "C"])] {
        let songs = format!("select song from {}.{table} order by song", hive.schema);
        for rows in [hive.hive(&songs), hive.trino(&songs), hive.mep("hive", &songs)] {
            assert_eq!(rows.concat(), expected, "{table}");
        }
    }
}

#[test]
fn a_table_that_somebody_else_made_is_left_alone() {
    let hive = HiveProject::new("foreign");
    hive.project.model("mine", "{{ config(materialized='table') }} select 1 as x");
    hive.project.model("other", "{{ config(materialized='table') }} select 1 as x");
    hive.succeed(&["run", "--select", "mine"]);
    let schema = &hive.schema;
    crate::services::hive::Hive::connect(&crate::services::address("MEP_TEST_HIVESERVER2"))
        .execute(&format!("create table {schema}.other (y int)"));
    let said = hive.fail(1, &["run"]);
    insta::assert_snapshot!(said, @"error: reading [schema].other: the hive metastore says: it was not made by mep: drop it, or give the model another name");
    assert_eq!(hive.hive(&format!("select y from {schema}.other")), Vec::<Vec<String>>::new());
}

#[test]
fn folders_that_nothing_points_at_go_after_the_retention_and_none_before() {
    let hive = songs("clean");
    hive.succeed(&["run"]);
    hive.project.listens("two.json", &[(2000, 3, "late")]);
    hive.succeed(&["run"]);
    let said = hive.succeed(&["clean"]);
    assert!(said.contains("deleted 0 folders"), "{said}");
    let said = hive.succeed(&["clean", "--retention-days", "0"]);
    assert!(!said.contains("deleted 0 folders"), "{said}");
    let count = format!("select count(*), sum(seconds) from {}.fact", hive.schema);
    for rows in [hive.hive(&count), hive.trino(&count), hive.mep("hive", &count)] {
        assert_eq!(rows, [["4", "242.0"]]);
    }
    assert!(hive.succeed(&["clean", "--retention-days", "0"]).contains("deleted 0 folders"));
}

#[test]
fn batches_of_event_time_replace_their_own_rows_in_any_partition() {
    for (name, partition_by) in [("by_day", "'event_date'"), ("by_song", "'song'"), ("whole", "[]")] {
        let hive = HiveProject::new(&format!("microbatch_{name}"));
        hive.project.model(
            "plays",
            &format!(
                "{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='event_date',
                batch_size='day', begin='2018-11-01', partition_by={partition_by}) }}}}
                select event_date, song, count(*) as n from {{{{ source('events', 'listens') }}}} group by event_date, song"
            ),
        );
        hive.project.listens("1.json", &[(0, 1, "a"), (1, 1, "b"), (DAY, 1, "a"), (3 * DAY, 1, "b")]);
        hive.succeed(&["run", "--date", "2018-11-04"]);
        hive.project.listens("2.json", &[(3 * DAY + 1, 1, "b"), (3 * DAY + 2, 1, "a"), (4 * DAY, 1, "a")]);
        hive.succeed(&["run", "--date", "2018-11-05"]);
        let rows = format!("select event_date, song, n from {}.plays order by event_date, song", hive.schema);
        let expected = [
            ["2018-11-01", "a", "1"],
            ["2018-11-01", "b", "1"],
            ["2018-11-02", "a", "1"],
            ["2018-11-04", "a", "1"],
            ["2018-11-04", "b", "2"],
            ["2018-11-05", "a", "1"],
        ];
        for rows in [hive.hive(&rows), hive.mep("hive", &rows)] {
            assert_eq!(rows, expected, "{partition_by}");
        }
        let planned = String::from_utf8(hive.call(&["plan", "--date", "2018-11-05"], None).stdout).unwrap();
        assert!(planned.contains("2 batches  lookback 2018-11-04 to 2018-11-05"), "{planned}");
    }
}

#[test]
fn a_delete_and_insert_and_a_merge_of_some_columns_rewrite_the_partitions() {
    let hive = HiveProject::new("rewritten");
    let model = |config: &str| {
        format!(
            "{{{{ config(materialized='incremental', partition_by='event_date', unique_key=['n', 'event_date'], {config}) }}}}
             select user_id as n, song, seconds, event_date from {{{{ source('events', 'listens') }}}}
             {{% if is_incremental() %}} where ts > (select max(ts) from {{{{ source('events', 'listens') }}}}) - 2 {{% endif %}}"
        )
    };
    hive.project.model("replaced", &model("incremental_strategy='delete+insert'"));
    hive.project.model("merged", &model("merge_exclude_columns=['song']"));
    hive.project.listens("one.json", &[(0, 1, "A"), (DAY, 1, "B"), (DAY + 1, 2, "C")]);
    hive.succeed(&["run"]);
    hive.project.listens("two.json", &[(DAY + 2, 1, "D"), (DAY + 3, 3, "E")]);
    hive.succeed(&["run"]);
    for (table, expected) in [("replaced", ["A", "C", "D", "E"]), ("merged", ["A", "B", "C", "E"])] {
        let songs = format!("select song from {}.{table} order by song", hive.schema);
        for rows in [hive.hive(&songs), hive.mep("hive", &songs)] {
            assert_eq!(rows.concat(), expected, "{table}");
        }
    }
}

#[test]
fn readers_find_the_old_content_where_the_new_fails_its_tests() {
    let hive = HiveProject::new("tested");
    hive.project.model(
        "plays",
        "{{ config(materialized='incremental', partition_by='event_date', publish='after_tests') }}
        select event_date, ts, nullif(song, '') as song from {{ source('events', 'listens') }}",
    );
    hive.project.file(
        "models/schema.yml",
        "models:\n  - name: plays\n    columns:\n      - name: song\n        data_tests: [not_null]\n",
    );
    hive.project.listens("1.json", &[(0, 1, ""), (DAY, 1, "b")]);
    hive.fail(1, &["run"]);
    hive.project.listens("1.json", &[(0, 1, "a"), (DAY, 1, "b")]);
    hive.succeed(&["run"]);
    hive.project.listens("2.json", &[(DAY + 1, 2, ""), (2 * DAY, 2, "c")]);
    let said = hive.fail(1, &["run"]);
    assert!(said.contains("not_null_plays_song: 1 failing row"), "{said}");
    let songs = format!("select song from {}.plays order by ts", hive.schema);
    for rows in [hive.hive(&songs), hive.mep("hive", &songs)] {
        assert_eq!(rows.concat(), ["a", "b"]);
    }
    let rejected = format!("select count(*) from {}.plays__rejected where song is null", hive.schema);
    for rows in [hive.hive(&rejected), hive.mep("hive", &rejected)] {
        assert_eq!(rows, [["1"]]);
    }
    let said = hive.succeed(&["clean", "--retention-days", "0"]);
    assert!(said.contains("dropped 1 table of rejected rows"), "{said}");
    hive.project.listens("2.json", &[(DAY + 1, 2, "c")]);
    hive.succeed(&["run"]);
    assert_eq!(hive.hive(&songs).concat(), ["a", "b", "c"]);
}

#[test]
fn what_a_first_build_left_behind_without_a_table_is_cleaned() {
    let hive = songs("unpublished");
    let killed = hive.call(&["run"], Some("build-before-publish:1"));
    assert_eq!(killed.status.code(), None);
    assert!(hive.succeed(&["clean"]).contains("deleted 0 folders"));
    assert!(!hive.succeed(&["clean", "--retention-days", "0"]).contains("deleted 0 folders"));
    assert!(hive.succeed(&["clean", "--retention-days", "0"]).contains("deleted 0 folders"));
    hive.succeed(&["run"]);
}

#[test]
fn a_compacted_partition_is_one_folder_with_the_same_rows() {
    let hive = HiveProject::new("compacted");
    // Its partitions are not told by those of the source: each thread writes its share of every one.
    hive.project.model(
        "plays",
        "{{ config(materialized='table', partition_by='event_date') }}
        select date '1970-01-01' + cast(user_id % 2 as integer) as event_date, user_id, song, count(*) as n
        from {{ source('events', 'listens') }} group by 1, 2, 3",
    );
    hive.project
        .model("total", "{{ config(materialized='table') }} select sum(n) as n from {{ ref('plays') }}");
    let listens: Vec<(i64, i64, &str)> = (0..200).map(|n| (n % 2 * DAY + n, n, "song")).collect();
    hive.project.listens("1.json", &listens);
    hive.succeed(&["run"]);
    let rows = format!(
        "select event_date, count(*), sum(n), sum(user_id) from {}.plays group by event_date order by 1",
        hive.schema
    );
    let before = hive.mep("hive", &rows);
    let files = || {
        let listed = hive.hive(&format!("select distinct INPUT__FILE__NAME from {}.plays", hive.schema));
        listed.len()
    };
    let parts = files();
    assert!(parts > 2, "{parts}");
    // Killed before the one call that readers notice, the table is what it was.
    let killed = hive.call(&["compact", "--select", "plays"], Some("hive-before-swap"));
    assert_eq!(killed.status.code(), None);
    assert_eq!((files(), hive.hive(&rows)), (parts, before.clone()));
    let said = hive.succeed(&["compact"]);
    assert!(said.contains(&format!("{parts} files in 2 partitions became 2")), "{said}");
    assert_eq!(files(), 2);
    for rows in [hive.hive(&rows), hive.mep("hive", &rows)] {
        assert_eq!(rows, before);
    }
    let planned = String::from_utf8(hive.call(&["plan"], None).stdout).unwrap();
    assert!(planned.contains("nothing to do"), "{planned}");
    hive.succeed(&["clean", "--retention-days", "0"]);
    assert_eq!(hive.hive(&rows), before);
}
