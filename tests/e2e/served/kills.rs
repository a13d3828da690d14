//! Runs that are killed while rows are brought: what the next one leaves is what the warehouse holds.

use proptest::prelude::*;

use super::{DAYS, LAST, PLAYS, Serving, assert_same, listens};
use crate::project::DAY;
use crate::random::check_slow_cases;

/// All places in the code where bringing rows can be killed, beside those where any rows are written.
pub(crate) const POINTS: [&str; 4] = ["serving-noted", "serving-begun", "serving-rows", "serving-completed"];

/// Places where a run of the stories is killed: before a table is published, after it, and while its rows are brought.
const PLACES: [&str; 7] = [
    POINTS[0],
    POINTS[1],
    POINTS[2],
    POINTS[3],
    "cassandra-some-rows",
    "build-before-publish",
    "publish-after-rename",
];

#[tokio::test]
async fn at_each_named_place_the_next_run_completes_the_difference() {
    let serving = Serving::new("places").await;
    let project = &serving.project;
    listens(project);
    project.succeed(&["run"]);
    for (round, place) in PLACES.into_iter().enumerate() {
        let mut kills = 0;
        for times in 1..=3 {
            let (round, song) = (round as i64, format!("{place}-{times}"));
            // Another content of each table, also where the one before was brought in part.
            project.listens("1.json", &[(DAY + round, 1, "a"), (DAY + 1 + times, 2, &song)]);
            let killed = project.run_with(&["run"], &[("MEP_FAIL_POINT", &format!("{place}:{times}"))]);
            kills += usize::from(killed.code.is_none());
        }
        assert!(kills > 0, "{place} was never passed");
        project.succeed(&["run"]);
        serving.agrees(place).await;
    }
    assert_eq!(serving.table("plays").await, "plays");
    serving.end().await;
}

#[tokio::test]
async fn a_new_generation_that_was_cut_short_is_not_shown_and_completed_by_the_next_run() {
    let serving = Serving::new("cut_short").await;
    let project = &serving.project;
    listens(project);
    project.succeed(&["run"]);
    let columns = "song, user_id, plays, last_ts, seconds";
    let before = serving.served("plays", columns).await;
    project.listens("1.json", &[(DAY, 1, "a"), (DAY + 1, 2, "first")]);
    let killed = project.run_with(
        &["run", "--full-refresh", "--select", "plays+", "source:events"],
        &[("MEP_FAIL_POINT", "serving-rows")],
    );
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!(serving.table("plays").await, "plays");
    assert_same("plays", &serving.served("plays", columns).await, &before, "cut short");
    // Rows of what was cut short that the table has no more are to go.
    project.listens("1.json", &[(DAY, 1, "a")]);
    project.succeed(&["run"]);
    assert_eq!(serving.table("plays").await, "plays_g2");
    serving.agrees("completed").await;
    serving.end().await;
}

/// What happens in a story.
#[derive(Clone, Debug)]
enum Happening {
    /// The listens of a file are others.
    File { file: u8, listens: Vec<(i64, i64, u8)> },
    /// A run, which is killed at the n-th time that it comes to a place.
    Killed { place: usize, times: u32, anew: bool },
    /// A run that is not.
    Run,
    /// A model has a column more, or less.
    Column,
}

fn happening() -> impl Strategy<Value = Happening> {
    let listen = (0..3 * DAY / 3_600_000, 0..4_i64, 0..4_u8)
        .prop_map(|(hour, user, song)| (hour * 3_600_000, user, song));
    prop_oneof![
        5 => (0..3_u8, prop::collection::vec(listen, 1..12))
            .prop_map(|(file, listens)| Happening::File { file, listens }),
        5 => (0..PLACES.len(), 1..4_u32, prop::bool::weighted(0.15))
            .prop_map(|(place, times, anew)| Happening::Killed { place, times, anew }),
        2 => Just(Happening::Run),
        1 => Just(Happening::Column),
    ]
}

#[test]
fn whatever_is_killed_the_next_run_leaves_the_rows_of_the_warehouse() {
    check_stories(6, 2018);
}

#[test]
#[ignore = "nightly: takes many minutes"]
fn whatever_is_killed_often_the_next_run_leaves_the_rows_of_the_warehouse() {
    check_stories(60, 2019);
}

fn check_stories(cases: u32, seed: u64) {
    let story = prop::collection::vec(happening(), 3..14);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    check_slow_cases(cases, 0, seed, &story, |story| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        runtime.block_on(tell(seed, number, &story));
    });
}

async fn tell(seed: u64, number: usize, story: &[Happening]) {
    let serving = Serving::new(&format!("story_{seed}_{number}")).await;
    let project = &serving.project;
    listens(project);
    let mut has_more = false;
    for (at, happening) in story.iter().enumerate() {
        match happening {
            Happening::File { file, listens } => {
                let songs = ["a", "b", "c", "z"];
                let listens: Vec<(i64, i64, &str)> =
                    listens.iter().map(|(ms, user, song)| (*ms, *user, songs[*song as usize])).collect();
                project.listens(&format!("{file}.json"), &listens);
            }
            Happening::Killed { place, times, anew } => {
                let words: &[&str] = if *anew { &["run", "--full-refresh"] } else { &["run"] };
                let point = format!("{}:{times}", PLACES[*place]);
                let output = project.run_with(words, &[("MEP_FAIL_POINT", &point)]);
                assert!(matches!(output.code, None | Some(0)), "{output:?}");
                if output.code == Some(0) {
                    serving.agrees(&format!("step {at} of {story:?}")).await;
                }
            }
            Happening::Run => {
                project.succeed(&["run"]);
                serving.agrees(&format!("step {at} of {story:?}")).await;
            }
            Happening::Column => {
                has_more = !has_more;
                let more =
                    if has_more { "count(*) as plays, min(ts) as first_ts," } else { "count(*) as plays," };
                project.model("plays", &PLAYS.replace("count(*) as plays,", more));
                project.model("days", DAYS).model("last_song", LAST);
            }
        }
    }
    project.succeed(&["run"]);
    serving.agrees(&format!("the end of {story:?}")).await;
    let said = project.succeed(&["run"]);
    assert!(!said.contains("into cassandra"), "{said}");
    serving.end().await;
}
