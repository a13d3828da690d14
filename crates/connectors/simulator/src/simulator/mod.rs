//! The simulator: events of a made-up music service.
//!
//! Owns the users, songs and pages of the service, and the four streams of events that come of them, as the original
//! pipeline's generator has them. Comes in: a configuration, a UTC day and a shard of the users. Goes out: Arrow batches
//! of a topic, or their JSON. Must not know: projects, SQL, where rows go.
//!
//! The events of a day are a pure function of the configuration and the day: no day needs those before it, and shards
//! can be made in any order and on any machine. Each random choice hashes what it is about, and all that decides is
//! computed in integers, in exactly rounded operations or in software ([`libm`]), so results never differ by platform.

mod agents;
mod catalogue;
mod config;
mod names;
mod ndjson;
mod places;
mod population;
mod random;
mod rhythm;
mod rows;
mod shard;
mod state;
#[cfg(test)]
mod tests;
mod topic;
mod visits;
mod walk;
mod words;

use core::ops::Range;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;

pub use config::{ConfigError, MOST_DAYS};
pub use mep_core::connection::SimulatorConfig;
pub use ndjson::write_ndjson;
pub use shard::Shard;
pub use topic::Topic;

use catalogue::Catalogue;
use population::Population;
use random::Chance;
use rhythm::{DAY, DAY_STARTS, Rhythm};
use rows::TopicBatch;
use topic::TopicRow;
use visits::World;

/// A made-up music service, whose events can be asked for by day.
#[derive(Debug)]
pub struct Simulator {
    config: SimulatorConfig,
    world: World,
}

impl Simulator {
    /// Makes what all days share: songs, places, and the tables to draw from.
    ///
    /// # Errors
    /// Where the configuration makes no sense.
    pub fn new(config: SimulatorConfig) -> Result<Self, ConfigError> {
        config::check(&config)?;
        let world = World {
            seed: config.seed,
            population: Population::new(&config),
            rhythm: Rhythm::new(),
            catalogue: Catalogue::shared(config.mojibake),
        };
        Ok(Self { config, world })
    }

    /// The UTC days that there are events of.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> + use<> {
        self.config.start.iter_days().take(self.config.days as usize)
    }

    /// Makes the events of a UTC day, of a shard of the users and of some topics, and hands them to `sink` in batches of
    /// at most `batch_rows` rows.
    ///
    /// The rows of a topic are the same, in the same order, whatever other topics are asked for and however large the
    /// batches are; the shards of a count, one after the other, give the rows of the whole. A user's rows are ordered by
    /// time, users follow each other. A day that is none of [`Self::days`] has no events.
    ///
    /// # Errors
    /// What `sink` returns; it ends the generation.
    pub fn generate<E: From<ArrowError>>(
        &self,
        day: NaiveDate,
        shard: Shard,
        topics: &[Topic],
        batch_rows: usize,
        sink: &mut dyn FnMut(Topic, RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(day) = self.number_of(day) else { return Ok(()) };
        let duplicates = Chance::of(self.config.duplicates);
        let mut outlets: Vec<TopicBatch> = topics
            .iter()
            .map(|topic| TopicBatch::new(*topic, self.config.seed, duplicates, batch_rows))
            .collect();
        let midnight = self.world.population.seconds(day).start - DAY_STARTS;
        let night = midnight..midnight + DAY_STARTS;
        let rest = night.end..midnight + DAY;
        for user in shard.of(self.world.population.users_by(day)) {
            self.send(user, day - 1, &night, &mut outlets, sink)?;
            self.send(user, day, &rest, &mut outlets, sink)?;
        }
        for rows in outlets.iter_mut().filter(|rows| !rows.is_empty()) {
            sink(rows.topic, rows.take()?)?;
        }
        Ok(())
    }

    fn number_of(&self, day: NaiveDate) -> Option<i64> {
        let number = (day - self.config.start).num_days();
        (0..i64::from(self.config.days)).contains(&number).then_some(number)
    }

    /// Sends the events of a user's day that lie within the seconds given.
    fn send<E: From<ArrowError>>(
        &self,
        user: u64,
        day: i64,
        within: &Range<i64>,
        outlets: &mut [TopicBatch],
        sink: &mut dyn FnMut(Topic, RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(visits) = self.world.visits(user, day) else { return Ok(()) };
        for nth in visits.sessions() {
            let (session, walk) = self.world.walk(&visits, nth);
            for event in walk.take_while(|event| event.second < within.end) {
                if event.second < within.start {
                    continue;
                }
                let row = TopicRow { profile: &visits.profile, session, event: &event };
                for rows in outlets.iter_mut().filter(|rows| rows.topic.carries(&event)) {
                    for _ in 0..rows.times(&row) {
                        rows.push(&row);
                        if rows.is_full() {
                            sink(rows.topic, rows.take()?)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
