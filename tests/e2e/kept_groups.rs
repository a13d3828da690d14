//! What a table ranks, or counts but once, is made of groups that are kept beside it and carried on by each day that comes.

use serde_json::Value as Json;

use crate::project::{DAY, Project};

const PROFILES: &str = "\
songs:
  target: dev
  outputs:
    dev: {type: local, path: warehouse, schema: main, threads: 2, sources: {events: {type: files, path: events}}}
    fresh: {type: local, path: fresh, schema: main, threads: 2, sources: {events: {type: files, path: events}}}
";

/// Tables that are built as a whole, each with the groups that are kept with it.
const TABLES: [(&str, usize, &str); 5] = [
    (
        "favourites",
        1,
        "select user_id, song, plays from (
            select user_id, song, plays, rank() over (partition by user_id order by plays desc) as place
            from (select user_id, song, count(*) as plays from {{ ref('plays') }} group by user_id, song)
        ) where place = 1",
    ),
    ("listeners", 1, "select song, count(distinct user_id) as users from {{ ref('plays') }} group by song"),
    (
        "shares",
        2,
        "select s.song, s.plays, d.days from (select song, count(*) as plays from {{ ref('plays') }} group by song) s
        join (select song, count(distinct event_date) as days from {{ ref('plays') }} group by song) d on d.song = s.song",
    ),
    // Groups that are joined with a table which changes, and grouped again: the lower ones are kept.
    (
        "firsts",
        1,
        "select first, plays, rank() over (order by plays desc) as place from (
            select songs.first, sum(of_user.plays) as plays
            from (select user_id, song, count(*) as plays from {{ ref('plays') }} group by user_id, song) of_user
            join {{ ref('songs') }} songs on songs.song = of_user.song group by songs.first
        )",
    ),
    // Nothing but groups: they are the table.
    ("songs", 0, "select song, count(*) as plays, min(event_date) as first from {{ ref('plays') }} group by song"),
];

fn project() -> Project {
    let project = Project::with_listens();
    project.file("profiles.yml", PROFILES);
    project.model(
        "plays",
        "{{ config(materialized='incremental', partition_by='event_date') }}
        select event_date, user_id, song from {{ source('events', 'listens') }}",
    );
    for (name, _, sql) in TABLES {
        project.model(name, &format!("{{{{ config(materialized='table') }}}} {sql}"));
    }
    for day in 0..4 {
        let of = |user: i64| {
            (day * DAY + user, user, ["a", "b", "c", "d"][usize::try_from((user * 7 + day) % 4).unwrap()])
        };
        project.listens(&format!("{day}.json"), &(0..200).map(of).collect::<Vec<_>>());
    }
    project
}

/// The groups that are kept with a table, each by the files that it has.
fn groups(project: &Project, table: &str) -> Vec<Vec<String>> {
    let path = project.path(format!("warehouse/main/{table}/manifest.json"));
    let manifest: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let groups = manifest["groups"].as_array().cloned().unwrap_or_default();
    let files = |groups: &Json| {
        let files = groups["files"].as_array().unwrap().iter();
        files.map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    groups.iter().map(files).collect()
}

fn assert_as_refreshed(project: &Project) {
    project.succeed(&["run", "--quiet", "--full-refresh", "--target", "fresh"]);
    for (name, ..) in TABLES {
        let rows = |target: &str| {
            let sql = format!("select * from main.{name} order by 1, 2");
            project
                .print(&["show", "--target", target, "--inline", &sql, "--limit", "-1", "--output", "json"])
        };
        assert_eq!(rows("dev"), rows("fresh"), "{name}");
    }
}

#[test]
fn groups_are_kept_with_what_is_made_of_them_and_carried_on() {
    let project = project();
    project.succeed(&["run", "--quiet"]);
    for (name, count, _) in TABLES {
        assert_eq!(groups(&project, name).len(), count, "{name}");
    }
    let before = groups(&project, "favourites");
    project.listens("4.json", &[(4 * DAY, 3, "b"), (4 * DAY + 1, 3, "b"), (4 * DAY + 2, 900, "z")]);
    let printed = project.succeed(&["run"]);
    let line = printed.lines().find(|line| line.contains("ok  table favourites")).unwrap();
    assert!(line.contains("its groups were carried on"), "{printed}");
    assert_ne!(groups(&project, "favourites"), before);
    assert_eq!(groups(&project, "favourites").len(), 1);
    assert_as_refreshed(&project);
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn groups_from_which_rows_went_are_made_again() {
    let project = project();
    project.succeed(&["run", "--quiet"]);
    // A file that holds other rows now, and one more.
    project.listens("1.json", &[(DAY, 3, "b"), (DAY + 1, 5, "d")]);
    project.listens("4.json", &[(4 * DAY, 3, "a")]);
    project.succeed(&["run", "--quiet"]);
    assert_as_refreshed(&project);
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn groups_whose_files_are_lost_are_made_of_all_rows() {
    let project = project();
    project.succeed(&["run", "--quiet"]);
    for file in groups(&project, "favourites").concat() {
        std::fs::remove_file(project.path(format!("warehouse/main/favourites/{file}"))).unwrap();
    }
    project.listens("4.json", &[(4 * DAY, 3, "b")]);
    project.succeed(&["run", "--quiet"]);
    assert_as_refreshed(&project);
    assert_eq!(groups(&project, "favourites").len(), 1);
}

#[test]
fn of_many_groups_the_files_without_changed_ones_stay_whatever_comes_and_goes() {
    let project = project();
    let day = |day: i64, users: std::ops::Range<i64>, song: &'static str| {
        project.listens(
            &format!("{day}.json"),
            &users.map(|user| (day * DAY + user, user, song)).collect::<Vec<_>>(),
        );
    };
    day(4, 1_000..31_000, "b");
    project.succeed(&["run", "--quiet"]);
    let before = groups(&project, "favourites").concat();
    assert!(before.len() > 3, "{before:?}");
    let kept = |before: &[String]| {
        groups(&project, "favourites").concat().iter().filter(|file| before.contains(file)).count()
    };
    // Rows of one group that there is, of one between others, and of one behind all.
    project.listens("5.json", &[(5 * DAY, 1_500, "b"), (5 * DAY, 1_500, "a"), (5 * DAY, 90_000, "a")]);
    project.succeed(&["run", "--quiet"]);
    assert_as_refreshed(&project);
    assert!(kept(&before) + 2 >= before.len(), "{before:?}");
    // Some of them go again, and groups that no file had before come behind all.
    let before = groups(&project, "favourites").concat();
    project.listens("5.json", &[(5 * DAY, 1_500, "c"), (5 * DAY, 95_000, "a")]);
    project.succeed(&["run", "--quiet"]);
    assert_as_refreshed(&project);
    assert!(kept(&before) > 0, "{before:?}");
    // Groups of all files go.
    day(4, 1_000..2_000, "d");
    project.succeed(&["run", "--quiet"]);
    assert_as_refreshed(&project);
    assert_eq!(project.plan(), [""; 0]);
}

#[test]
fn groups_stay_where_old_builds_are_cleaned_away() {
    let project = project();
    project.succeed(&["run", "--quiet"]);
    project.listens("4.json", &[(4 * DAY, 3, "b")]);
    project.succeed(&["run", "--quiet"]);
    project.succeed(&["clean", "--retention-days", "0"]);
    let kept = groups(&project, "favourites").concat();
    assert!(!kept.is_empty());
    for file in kept {
        assert!(project.path(format!("warehouse/main/favourites/{file}")).exists(), "{file}");
    }
    project.listens("5.json", &[(5 * DAY, 3, "b")]);
    project.succeed(&["run", "--quiet"]);
    assert_as_refreshed(&project);
}

#[test]
fn what_fails_above_its_groups_is_told_with_its_place() {
    let project = project();
    project.model(
        "broken",
        "{{ config(materialized='table') }}
        select song, 10 / (plays - plays) as nothing, rank() over (order by plays) as place
        from (select song, count(*) as plays from {{ ref('plays') }} group by song)",
    );
    let printed = project.fail(1, &["run"]);
    assert!(printed.contains("models/broken.sql:2:"), "{printed}");
}
