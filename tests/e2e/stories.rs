//! Whatever is edited, declared, loaded and selected, on whichever day: the last run leaves the rows of a full refresh, and a
//! snapshot every version that it saw.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::clock::Clock;
use crate::identity::{EDITS, KEYED, KEYS, LISTENS, are_equal, by_day, keyed, project, sources, write};
use crate::project::Project;
use crate::random::check_cases;

#[derive(Clone, Debug)]
enum Happening {
    /// A file of the source is another one.
    Write { file: usize, seconds: i64, song: i64 },
    /// Columns of the source have other types.
    Declare { song: usize, seconds: usize },
    /// The brackets of an expression are others.
    Edit { model: usize, to: usize },
    /// The seed has other values.
    Load { rates: usize },
    /// The types of the seed's columns are declared, or are not any more.
    Type { types: usize },
    /// So many days pass.
    Wait { days: i64 },
    /// A build of some nodes or all.
    Build { select: Option<usize> },
}

const TYPES: [&str; 3] = ["varchar", "bigint", "double"];

/// Values of the seed: of whole numbers, with one that makes texts of them, with a fraction, too large for a bigint, with
/// none, of days, with more rows.
pub(crate) const RATES: [&str; 7] = [
    "id,rate\n1,10\n2,9\n",
    "id,rate\n1,10\n2,x9\n",
    "id,rate\n1,10\n2,9.5\n",
    "id,rate\n1,10\n2,12345678901234567890\n",
    "id,rate\n1,\n2,9\n",
    "id,rate\n1,2018-11-01\n2,2018-10-09\n",
    "id,rate\n1,010\n2,9\n3,8\n",
];

/// What is declared of the seed's types.
pub(crate) const COLUMN_TYPES: [&str; 4] =
    ["{}", "{rate: varchar}", "{id: varchar}", "{id: double, rate: varchar}"];

const SELECTIONS: [&str; 11] = [
    "least",
    "keyed",
    "letters",
    "m0 m2",
    "total",
    "rated",
    "extremes",
    "recent above",
    "taken",
    "seen",
    "rates",
];

fn happening() -> impl Strategy<Value = Happening> {
    let write = (0..KEYS.len(), 0..40_i64, 0..12_i64).prop_map(|(file, seconds, song)| Happening::Write {
        file,
        seconds,
        song,
    });
    let declare =
        (0..TYPES.len(), 1..TYPES.len()).prop_map(|(song, seconds)| Happening::Declare { song, seconds });
    // One more than the models is the snapshot.
    let edit = (0..=EDITS.len(), 0..2_usize).prop_map(|(model, to)| Happening::Edit { model, to });
    let load = (0..RATES.len()).prop_map(|rates| Happening::Load { rates });
    let types = (0..COLUMN_TYPES.len()).prop_map(|types| Happening::Type { types });
    let wait = (1..4_i64).prop_map(|days| Happening::Wait { days });
    let build =
        proptest::option::weighted(0.6, 0..SELECTIONS.len()).prop_map(|select| Happening::Build { select });
    prop_oneof![2 => write, 2 => declare, 2 => edit, 3 => load, 1 => types, 1 => wait, 6 => build]
}

/// What the snapshot is of: its brackets make another value, where the id is not 1.
pub(crate) const TAKEN: [&str; 2] = [
    "select cast(id as bigint) as id, cast(rate as varchar) as rate, cast(id as bigint) * 3 - 1 as r from main.rates",
    "select cast(id as bigint) as id, cast(rate as varchar) as rate, cast(id as bigint) * (3 - 1) as r from main.rates",
];

fn edit(project: &Project, model: usize, to: usize) {
    if let Some(edits) = EDITS.get(model) {
        let select = format!("select event_date, batch, {} as r from {LISTENS}", edits[to]);
        by_day(project, &format!("m{model}"), &select);
        return;
    }
    take(project, to);
}

/// Makes the snapshot one of another SELECT.
pub(crate) fn take(project: &Project, to: usize) {
    let select = TAKEN[to].replace("main.rates", "{{ ref('rates') }}");
    let config = "{{ config(strategy='check', unique_key='id', check_cols=['rate', 'r']) }}";
    project
        .file("snapshots/taken.sql", format!("{{% snapshot taken %}}{config} {select}{{% endsnapshot %}}"));
}

pub(crate) fn load(project: &Project, rates: usize, types: usize) {
    project.file("seeds/rates.csv", RATES[rates]);
    let types = COLUMN_TYPES[types];
    project.file(
        "seeds/schema.yml",
        format!("seeds:\n  - name: rates\n    config: {{column_types: {types}}}\n"),
    );
}

fn models(project: &Project) {
    keyed(project);
    let least = "select event_date, min(song) as lo, max(song) as hi, max(seconds) as s";
    by_day(project, "least", &format!("{least} from {LISTENS} group by 1"));
    by_day(
        project,
        "rated",
        &format!(
            "select l.event_date, l.user_id, max(r.rate) as hi, count(r.rate) as n from {LISTENS} l
            left join {{{{ ref('rates') }}}} r on cast(r.id as bigint) = l.user_id group by 1, 2"
        ),
    );
    let table = |name: &str, select: &str| {
        project.model(name, &format!("{{{{ config(materialized='table') }}}} {select}"));
    };
    table("extremes", "select min(rate) as lo, max(rate) as hi, max(id) as id from {{ ref('rates') }}");
    let remainder = "cast(extract(day from current_date) as bigint) % 3";
    by_day(
        project,
        "recent",
        &format!(
            "select event_date, user_id, seconds from {LISTENS} where cast(seconds as bigint) % 3 <= {remainder}"
        ),
    );
    table("above", "select event_date, count(*) as n from {{ ref('recent') }} group by 1");
    project.model("until", &format!("select event_date, current_date as today from {LISTENS}"));
    table("seen", "select max(today) as today, count(*) as n from {{ ref('until') }}");
}

const QUERIES: [&str; 7] = [
    "select * from main.least order by event_date",
    "select * from main.rated order by 1, 2",
    "select * from main.extremes",
    "select * from main.recent order by 1, 2, 3",
    "select * from main.above order by 1",
    "select * from main.seen",
    "select * from main.rates order by 1",
];

/// The versions of the snapshot's rows, as dbt's rules say: (what is current by id, all that were).
#[derive(Default)]
struct Versions {
    current: BTreeMap<i64, Json>,
    past: Vec<Json>,
}

impl Versions {
    fn look(&mut self, rows: &Json) {
        for row in rows.as_array().unwrap() {
            let before = self.current.insert(row["id"].as_i64().unwrap(), row.clone());
            self.past.extend(before.filter(|before| before != row));
        }
    }

    fn shown(&self) -> Vec<String> {
        let current = self.current.values().map(|row| format!("{row} current"));
        let mut shown: Vec<String> = self.past.iter().map(Json::to_string).chain(current).collect();
        shown.sort();
        shown
    }
}

fn kept(project: &Project) -> Vec<String> {
    let rows = project.rows("select id, rate, r, dbt_valid_to is null as current from main.taken");
    let shown = rows.as_array().unwrap().iter().map(|row| {
        let mark = if row["current"] == json!(true) { " current" } else { "" };
        format!("{}{mark}", json!({"id": row["id"], "rate": row["rate"], "r": row["r"]}))
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    shown
}

fn check(happenings: &[Happening]) {
    let project = project();
    let clock = Clock::new();
    let mut files: BTreeMap<usize, (i64, i64)> = BTreeMap::from([(0, (1, 1)), (1, (2, 10))]);
    let rewrite = |file: usize, (seconds, song): (i64, i64)| {
        // A text of digits is read as any of the types.
        let rows = [(0, 1, json!(song.to_string()), seconds), (1, 2, json!("9"), seconds + 7)];
        write(&project, &format!("{file}.json"), &rows);
    };
    for (file, values) in &files {
        rewrite(*file, *values);
    }
    models(&project);
    for model in 0..=EDITS.len() {
        edit(&project, model, 0);
    }
    let (mut rates, mut types, mut taken) = (0, 0, 0);
    load(&project, rates, types);
    let mut versions = Versions::default();
    let look = |versions: &mut Versions, taken: usize| versions.look(&project.rows(TAKEN[taken]));
    for happening in happenings {
        match *happening {
            Happening::Write { file, seconds, song } => {
                files.insert(file, (seconds, song));
                rewrite(file, (seconds, song));
            }
            Happening::Declare { song, seconds } => {
                project.file("sources.yml", sources(TYPES[song], TYPES[seconds]));
            }
            Happening::Edit { model, to } => {
                edit(&project, model, to);
                if model == EDITS.len() {
                    taken = to;
                }
            }
            Happening::Load { rates: to } => {
                rates = to;
                load(&project, rates, types);
            }
            Happening::Type { types: to } => {
                types = to;
                load(&project, rates, types);
            }
            Happening::Wait { days } => clock.wait(days),
            Happening::Build { select: None } => {
                clock.succeed(&project, &["build", "--quiet"]);
                look(&mut versions, taken);
            }
            Happening::Build { select: Some(select) } => {
                let mut words = vec!["build", "--quiet", "--select"];
                words.extend(SELECTIONS[select].split(' '));
                let output = clock.run(&project, &words);
                // Not every selection can be built before its inputs are.
                assert!(
                    matches!(output.code, Some(0..=2)) && !output.stderr.contains("panicked"),
                    "{output:?}"
                );
                if output.code == Some(0) && SELECTIONS[select] == "taken" {
                    look(&mut versions, taken);
                }
            }
        }
    }
    clock.succeed(&project, &["build", "--quiet"]);
    look(&mut versions, taken);
    assert_eq!(kept(&project), versions.shown());
    clock.succeed(
        &project,
        &["build", "--quiet", "--full-refresh", "--target", "fresh", "--exclude", "taken"],
    );
    let edited: Vec<String> = (0..EDITS.len())
        .map(|model| format!("select event_date, batch, r from main.m{model} order by 1, 2, 3"))
        .collect();
    let queries: Vec<&str> =
        QUERIES.into_iter().chain(KEYED).chain(edited.iter().map(String::as_str)).collect();
    are_equal(&project, &queries);
    let planned = clock.succeed(&project, &["plan", "--output", "json"]);
    let mut planned = crate::project::steps(&planned);
    planned.retain(|step| !step.contains("depends on the time of the run") && !step.starts_with("above:"));
    assert_eq!(planned, [""; 0]);
}

fn check_stories(cases: u32, seed: u64) {
    let story = proptest::collection::vec(happening(), 2..10);
    check_cases(cases, seed, &story, |happenings| check(&happenings));
}

#[test]
fn whatever_is_edited_loaded_and_selected_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_stories(12, 17);
}

#[test]
fn whatever_else_is_edited_loaded_and_selected_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_stories(12, 18);
}

#[test]
#[ignore = "nightly: a thousand stories take long"]
fn whatever_is_edited_a_thousand_times_the_last_run_leaves_the_rows_of_a_full_refresh() {
    check_stories(1000, 19);
}
