//! The bundled project, as it lies in the repository, over files of events: its answers against ones that are counted
//! here from the same files, a second run that does nothing, and late files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike};
use serde_json::{Value as Json, json};

use crate::project::{Project, listing};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const TOPICS: [&str; 4] = ["listen_events", "page_view_events", "auth_events", "status_change_events"];

/// Calls of mep on the bundled project, with a warehouse and events of their own.
struct Bundled {
    scratch: Project,
    warehouse: &'static str,
    events: PathBuf,
}

impl Bundled {
    fn new(events: &Path) -> Self {
        Self { scratch: Project::new(), warehouse: "warehouse", events: events.to_owned() }
    }

    /// Over events of the simulator: few users, five days, some events sent twice.
    fn simulated(seed: &str) -> Self {
        Self::simulated_for(seed, "5")
    }

    /// The same for so many days.
    fn simulated_for(seed: &str, days: &str) -> Self {
        let scratch = Project::new();
        let words = ["generate", "--to", "simulated", "--users", "50", "--duplicates", "0.02"];
        scratch.succeed(&[&words[..], &["--days", days, "--seed", seed]].concat());
        let events = scratch.path("simulated");
        Self { scratch, warehouse: "warehouse", events }
    }

    #[track_caller]
    fn print(&self, words: &[&str]) -> (String, String) {
        let mut all = vec!["--project-dir", ROOT, "--target", "files"];
        all.extend(words);
        let mut command = self.scratch.command(&all);
        command.env("MEP_WAREHOUSE", self.scratch.path(self.warehouse)).env("MEP_EVENTS", &self.events);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}\n{said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    }

    fn rows(&self, sql: &str) -> Vec<Json> {
        let (printed, _) = self.print(&["show", "--inline", sql, "--limit", "-1", "--output", "json"]);
        serde_json::from_str(&printed).unwrap()
    }

    /// The values of the only row.
    fn row(&self, sql: &str) -> Vec<Json> {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows[0].as_object().unwrap().values().cloned().collect()
    }

    fn answers(&self) -> Json {
        let count = |table: &str| self.row(&format!("select count(*) from music.{table}"))[0].clone();
        let known = |table: &str| count(table).as_i64().unwrap() - 1;
        let by = |sql: &str| {
            let rows = self.rows(sql);
            let mut answer = serde_json::Map::new();
            for row in rows {
                let values: Vec<Json> = row.as_object().unwrap().values().cloned().collect();
                let key: Vec<String> = values[1..].iter().map(text).collect();
                answer.insert(key.join(" "), values[0].clone());
            }
            Json::Object(answer)
        };
        let month = "grain = 'month' and period_date = date '2018-11-01'";
        json!({
            "listens": count("fact_listen"),
            "page views": count("fact_page_view"),
            "auths": count("fact_auth"),
            "songs": known("dim_song"),
            "locations": known("dim_location"),
            "versions": known("dim_user"),
            "users": self.row("select count(distinct user_id) from music.dim_user")[0],
            "logged in in the month": self.row(&format!("select users from music.mart_logged_in_users where {month}"))[0],
            "logged in by week": by("select users, week from music.mart_logged_in_users where grain = 'week' order by week"),
            "songs by week": by("select songs_played, week from music.mart_songs_played where grain = 'week' order by week"),
            "top songs": by(&format!("select plays, artist, title from music.mart_top_songs where rank = 1 and {month} order by artist, title")),
            "top artists": by(&format!("select plays, artist from music.mart_top_artists where rank = 1 and {month} order by artist")),
            "top locations": by(&format!("select plays, city, state from music.mart_top_locations where rank = 1 and {month} order by city, state")),
            "current users": by("select users, gender, level from music.mart_users_by_gender_level order by gender, level"),
            "songs per listener": self.row(&format!("select songs_per_user from music.mart_songs_per_user where {month}"))[0],
        })
    }
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Each event of a topic once, however often it was sent.
fn events(folder: &Path, topic: &str) -> Vec<Json> {
    let mut lines = BTreeSet::new();
    for (path, ..) in listing(&folder.join(topic)) {
        let mut content = String::new();
        let file = fs::File::open(path).unwrap();
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut content).unwrap();
        lines.extend(content.lines().map(str::to_owned));
    }
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The values of some keys, as one text.
fn key(event: &Json, keys: &[&str]) -> String {
    keys.iter().map(|key| text(&event[*key])).collect::<Vec<_>>().join(" ")
}

fn week(event: &Json) -> String {
    DateTime::from_timestamp_millis(event["ts"].as_i64().unwrap()).unwrap().iso_week().week().to_string()
}

fn counts(keys: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Those with the highest count.
fn top(counts: &BTreeMap<String, usize>) -> BTreeMap<&String, usize> {
    let most = counts.values().max().copied().unwrap();
    counts.iter().filter(|(_, count)| **count == most).map(|(key, count)| (key, *count)).collect()
}

/// The same answers, counted from the files.
fn counted(folder: &Path) -> Json {
    let [listens, views, auths, changes] = TOPICS.map(|topic| events(folder, topic));
    let all = || listens.iter().chain(&views).chain(&auths).chain(&changes);
    let has_user = |event: &&Json| !event["userId"].is_null();
    let distinct = |keys: BTreeSet<String>| keys.len();
    let songs = listens.iter().chain(&views).filter(|event| !event["song"].is_null());
    let logins: BTreeSet<(String, String)> = auths
        .iter()
        .filter(|event| event["success"] == true)
        .filter(has_user)
        .map(|event| (key(event, &["userId"]), week(event)))
        .collect();
    let version = ["userId", "lastName", "firstName", "gender", "level", "registration"];
    let mut current: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for event in all().filter(has_user) {
        let (ts, status) = (event["ts"].as_i64().unwrap(), key(event, &["gender", "level"]));
        let entry = current.entry(key(event, &["userId"])).or_insert((ts, status.clone()));
        if ts >= entry.0 {
            *entry = (ts, status);
        }
    }
    let by_users: Vec<&Json> = listens.iter().filter(has_user).collect();
    let listeners = distinct(by_users.iter().map(|event| key(event, &["userId"])).collect());
    let of_listens = |keys: &[&str]| counts(listens.iter().map(|event| key(event, keys)));
    json!({
        "listens": listens.len(),
        "page views": views.len(),
        "auths": auths.len(),
        "songs": distinct(songs.map(|event| key(event, &["artist", "song", "duration"])).collect()),
        "locations": distinct(all().map(|event| key(event, &["city", "zip", "state", "lon", "lat"])).collect()),
        "versions": distinct(all().filter(has_user).map(|event| key(event, &version)).collect()),
        "users": current.len(),
        "logged in in the month": distinct(logins.iter().map(|(user, _)| user.clone()).collect()),
        "logged in by week": counts(logins.into_iter().map(|(_, week)| week)),
        "songs by week": counts(listens.iter().map(week)),
        "top songs": top(&of_listens(&["artist", "song"])),
        "top artists": top(&of_listens(&["artist"])),
        "top locations": top(&of_listens(&["city", "state"])),
        "current users": counts(current.into_values().map(|(_, status)| status)),
        "songs per listener": by_users.len() as f64 / listeners as f64,
    })
}

/// Answers that were worked out by other means over the real events of November 2018.
fn golden() -> Json {
    json!({
        "listens": 4_223,
        "page views": 4_965,
        "auths": 47,
        "songs": 3_470,
        "locations": 62,
        "versions": 96,
        "users": 89,
        "logged in in the month": 29,
        "logged in by week": {"44": 4, "45": 12, "46": 15, "47": 7},
        "songs by week": {"44": 410, "45": 1_257, "46": 1_958, "47": 598},
        "top songs": {"Dwight Yoakam You're The One": 23},
        "top artists": {"Coldplay": 34, "Kings Of Leon": 34},
        "top locations": {"Portland-South Portland ME": 409},
        "current users": {"F free": 37, "F paid": 13, "M free": 32, "M paid": 7},
        "songs per listener": 49.104_651,
    })
}

/// Without the digits of fractions that a sum's order decides.
fn rounded(mut answers: Json) -> Json {
    let share = answers["songs per listener"].as_f64().unwrap();
    answers["songs per listener"] = format!("{share:.6}").into();
    answers
}

#[test]
fn the_bundled_project_answers_as_counted_from_its_events_and_a_second_run_does_nothing() {
    let bundled = Bundled::simulated("1");
    let (_, said) = bundled.print(&["build", "--full-refresh"]);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("done in") && !last.contains("warned"), "{said}");
    assert_eq!(rounded(bundled.answers()), rounded(counted(&bundled.events)));
    let before = bundled.scratch.listing("warehouse");
    let (_, said) = bundled.print(&["build"]);
    assert!(said.contains(" current, ") && !said.contains(" built"), "{said}");
    assert_eq!(bundled.scratch.listing("warehouse"), before);
    let (plan, _) = bundled.print(&["plan"]);
    insta::assert_snapshot!(plan, @r"
    nothing to do: everything is as it should be
    6 streaming models of the project follow their sources with: mep stream
    ");
}

/// Twenty real days of events, where they are at hand; else it is said that simulated ones stand in for them.
fn real_events() -> Option<PathBuf> {
    let folder = std::env::var_os("MEP_TEST_REAL_EVENTS")
        .map_or_else(|| Path::new(ROOT).join("../shared/data/eventsim-2018-11"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    // Not by `println!`, which is heard only where a test fails.
    let said = "set MEP_TEST_REAL_EVENTS): simulated ones were taken instead";
    writeln!(&mut std::io::stderr(), "there are no real events in {} ({said}", folder.display()).unwrap();
    None
}

#[test]
fn the_bundled_project_gives_the_known_answers_over_real_events_or_else_counted_ones() {
    let (bundled, known) = if let Some(folder) = real_events() {
        (Bundled::new(&folder), golden())
    } else {
        let bundled = Bundled::simulated("2");
        let known = counted(&bundled.events);
        (bundled, known)
    };
    bundled.print(&["build"]);
    assert_eq!(rounded(counted(&bundled.events)), rounded(known.clone()));
    assert_eq!(rounded(bundled.answers()), rounded(known));
}

/// The rows of all tables that models make, each in order.
fn all_tables(bundled: &Bundled) -> BTreeMap<String, Vec<String>> {
    let left_out = ["config.materialized:view", "tag:streaming", "dim_time"];
    let words = [&["ls", "--resource-type", "model", "--exclude"], &left_out[..], &["--output", "name"]];
    let (tables, _) = bundled.print(&words.concat());
    let rows = tables.lines().map(|table| {
        let rows = bundled.rows(&format!("select * from music.{table}"));
        let mut rows: Vec<String> = rows.iter().map(Json::to_string).collect();
        rows.sort();
        (table.to_owned(), rows)
    });
    rows.collect()
}

/// Tables as they are, and as a full refresh into an empty warehouse makes them.
fn assert_equal_to_a_full_refresh(bundled: &mut Bundled) {
    let incremental = all_tables(bundled);
    bundled.warehouse = "fresh";
    bundled.print(&["run", "--quiet", "--full-refresh"]);
    for (table, fresh) in all_tables(bundled) {
        assert_eq!(incremental[&table], fresh, "{table}");
    }
    bundled.warehouse = "warehouse";
}

/// A folder into which files of events come one after another.
struct Arriving {
    from: PathBuf,
    to: PathBuf,
}

impl Arriving {
    /// Of the events of `bundled`, which from now on reads what has come.
    fn of(bundled: &mut Bundled) -> Self {
        let to = bundled.scratch.path("arrived");
        let from = std::mem::replace(&mut bundled.events, to.clone());
        for topic in TOPICS {
            fs::create_dir_all(to.join(topic)).unwrap();
        }
        Self { from, to }
    }

    /// The days of which there are files.
    fn days(&self) -> BTreeSet<String> {
        let files = TOPICS.iter().flat_map(|topic| listing(&self.from.join(topic)));
        files.map(|(path, ..)| path.file_name().unwrap().to_str().unwrap()[..10].to_owned()).collect()
    }

    fn comes(&self, topic: &str, day: &str) {
        let file = format!("{topic}/{day}.json.gz");
        if self.from.join(&file).exists() {
            fs::copy(self.from.join(&file), self.to.join(&file)).unwrap();
        }
    }
}

#[test]
fn days_that_come_late_leave_the_tables_of_a_full_refresh() {
    let mut bundled = Bundled::simulated("1");
    let arriving = Arriving::of(&mut bundled);
    for day in ["2018-11-04", "2018-11-02", "2018-11-05", "2018-11-01", "2018-11-03"] {
        for topic in TOPICS {
            arriving.comes(topic, day);
        }
        bundled.print(&["run", "--quiet"]);
    }
    assert_equal_to_a_full_refresh(&mut bundled);
}

/// The partitions of each model's table, with the run that built each.
fn built_by(bundled: &Bundled) -> BTreeMap<String, BTreeMap<String, String>> {
    let tables = fs::read_dir(bundled.scratch.path(bundled.warehouse).join("music")).unwrap();
    let tables = tables.filter_map(|entry| {
        let folder = entry.unwrap();
        let manifest: Json =
            serde_json::from_slice(&fs::read(folder.path().join("manifest.json")).unwrap()).unwrap();
        let name = folder.file_name().to_str().unwrap().to_owned();
        let partitions = manifest["partitions"].as_array().unwrap().iter().map(|entry| {
            let key = entry["key"].as_array().unwrap().iter().map(text).collect::<Vec<_>>().join("/");
            let ledger = entry["ledger"].as_u64().unwrap() as usize;
            (key, text(&manifest["ledgers"][ledger]["run"]))
        });
        (!name.starts_with("raw_")).then(|| (name, partitions.collect()))
    });
    tables.collect()
}

/// The partitions that a plan lists, by table; an unpartitioned table has one without a name.
fn planned(bundled: &Bundled) -> BTreeMap<String, BTreeSet<String>> {
    let (plan, _) = bundled.print(&["plan", "--output", "json"]);
    let plan: Json = serde_json::from_str(&plan).unwrap();
    let mut planned = BTreeMap::new();
    for step in plan["steps"].as_array().unwrap().iter().filter(|step| step["action"] == "build") {
        let keys = match step["partitions"].as_array() {
            Some(partitions) => partitions.iter().map(|build| text(&build["partition"])).collect(),
            None => BTreeSet::from([String::new()]),
        };
        planned.insert(text(&step["name"]), keys);
    }
    planned
}

#[test]
fn a_file_that_comes_five_days_late_builds_what_the_plan_had_listed_and_nothing_else() {
    let mut bundled = match real_events() {
        Some(folder) => Bundled::new(&folder),
        None => Bundled::simulated_for("3", "20"),
    };
    let arriving = Arriving::of(&mut bundled);
    let days: Vec<String> = arriving.days().into_iter().collect();
    assert_eq!(days.len(), 20);
    let (withheld, delivered) = (5, 10);
    for (number, day) in days.iter().enumerate() {
        for topic in TOPICS.iter().filter(|topic| **topic != "listen_events" || number != withheld) {
            arriving.comes(topic, day);
        }
        bundled.print(&["run", "--quiet"]);
        if number != delivered {
            continue;
        }
        arriving.comes("listen_events", &days[withheld]);
        let planned = planned(&bundled);
        let before = built_by(&bundled);
        bundled.print(&["run", "--quiet"]);
        let mut built: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (table, partitions) in built_by(&bundled) {
            let is_new = |(key, run): &(String, String)| before[&table].get(key) != Some(run);
            let keys: BTreeSet<String> = partitions.into_iter().filter(is_new).map(|(key, _)| key).collect();
            if !keys.is_empty() {
                built.insert(table, keys);
            }
        }
        // What depends on rows, and not on partitions, shows only once they are there: of these the plan says at most what is built.
        for (table, keys) in &built {
            assert!(planned.get(table).is_some_and(|planned| keys.is_subset(planned)), "{table}: {keys:?}");
        }
        assert_eq!(built["fact_listen"], BTreeSet::from([days[withheld].clone()]));
        for (table, keys) in built.iter().filter(|(_, keys)| keys.iter().any(|key| key.len() == 10)) {
            assert_eq!(*keys, BTreeSet::from([days[withheld].clone()]), "{table}");
        }
        assert!(!built.contains_key("fact_page_view") && !built.contains_key("fact_auth"), "{built:?}");
    }
    assert_equal_to_a_full_refresh(&mut bundled);
}

#[test]
fn the_bundled_project_builds_over_the_simulator_as_it_is() {
    let scratch = Project::new();
    let profiles = fs::read_to_string(Path::new(ROOT).join("profiles.yml")).unwrap();
    scratch.file(
        "profiles.yml",
        profiles
            .replace("path: .mep/local", "path: {warehouse}")
            .replace("{warehouse}", scratch.path("warehouse").to_str().unwrap()),
    );
    let here = scratch.path("");
    let said = scratch.succeed(&[
        "build",
        "--project-dir",
        ROOT,
        "--profiles-dir",
        here.to_str().unwrap(),
        "--full-refresh",
    ]);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("done in [time]: ") && !last.contains("warned"), "{said}");
}
