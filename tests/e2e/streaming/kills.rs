//! A stream that is killed at any time, over and over: its rows are those of the batch, and each event is taken, late or dead.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Into, Streaming, agrees, caught_up, counts, listen, project};
use crate::kafka::topic::Topic;

/// All places in the code where a stream can be killed.
pub(crate) const POINTS: [&str; 7] = [
    "stream-prepared",
    "stream-rows",
    "stream-late",
    "stream-committed",
    "local-published",
    "cassandra-some-rows",
    "cassandra-checkpoint-chunks",
];

/// Numbers that look random and are the same each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Events of about so many seconds from `second` on: some double, some late, some unreadable, some without a song.
pub(super) fn events(dice: &mut Dice, second: i64, seconds: u64) -> Vec<String> {
    let mut events = Vec::new();
    for _ in 0..40 {
        let song = ["a", "b", "c"][dice.below(3) as usize];
        let event = listen(second + dice.below(seconds) as i64, dice.below(50) as i64, song);
        match dice.below(20) {
            0 => events.push("{oops".to_owned()),
            1 => events.extend([event.clone(), event]),
            2 => events.push(listen((second - 3_000 + dice.below(60) as i64).max(0), 1, song)),
            3 => events.push(event.replace(&format!("\"{song}\""), "null")),
            _ => events.push(event),
        }
    }
    events
}

fn holds(into: Into, seed: u64, kill: impl Fn(usize, &mut Dice) -> Option<&'static str>, kills: usize) {
    let mut dice = Dice(seed);
    let topic = Topic::new(3);
    let project = project(&topic, into);
    let (mut sent, mut dead) = (0, BTreeSet::new());
    let mut next = [0_i64; 3];
    for round in 0..kills {
        let point = kill(round, &mut dice);
        let stream = Streaming::start(&project, &[], point);
        let pieces = 1 + dice.below(3);
        for _ in 0..pieces {
            let partition = dice.below(3) as i32;
            let events = events(&mut dice, round as i64 * 300, 240);
            for (at, event) in (next[partition as usize]..).zip(&events) {
                // What the models need for a key is there, or the event names no row.
                if event == "{oops" {
                    dead.insert((partition, at));
                }
            }
            next[partition as usize] += events.len() as i64;
            sent += events.len() as u64;
            topic.send(partition, &events);
            std::thread::sleep(Duration::from_millis(dice.below(500)));
        }
        if point.is_some() {
            let (code, said) = stream.end();
            assert_eq!(code, None, "{point:?} was not reached: {said}");
        } else {
            std::thread::sleep(Duration::from_millis(300 + dice.below(900)));
            stream.kill();
        }
    }
    let said = caught_up(&project);
    for (model, [read, taken, late, gone]) in counts(&said) {
        assert_eq!(read, sent, "{model}");
        assert_eq!(read, taken + late + gone, "{model}");
        assert!(gone >= dead.len() as u64, "{model}");
    }
    assert_eq!(counts(&said)["each"][3], dead.len() as u64);
    agrees(&project, &["late", "dead"]);
    Topic::named(&format!("{}_dead_letters", topic.name())).delete();
}

#[test]
fn at_each_named_place_into_local_tables() {
    let points = [POINTS[0], POINTS[1], POINTS[2], POINTS[3], POINTS[4]];
    holds(Into::Local, 1, |round, _| Some(points[round % points.len()]), 10);
}

#[test]
fn at_any_time_into_local_tables() {
    holds(Into::Local, 2, |_, _| None, 20);
}

#[test]
fn at_each_named_place_into_cassandra() {
    let points = [POINTS[0], POINTS[1], POINTS[2], POINTS[3], POINTS[5], POINTS[6]];
    holds(Into::Cassandra, 3, |round, _| Some(points[round % points.len()]), 6);
}

#[test]
fn at_any_time_into_cassandra() {
    holds(Into::Cassandra, 4, |_, _| None, 20);
}
