//! Who the users are, when they come, change their level and go: each a pure function of the seed and the user.
//!
//! Days count from the simulation's first; a user's day runs from 04:00 UTC to 04:00 UTC. So the first UTC day begins
//! with the end of the users' day -1.

use core::ops::Range;

use chrono::{Datelike, NaiveTime};

use super::SimulatorConfig;
use super::agents::AGENTS;
use super::catalogue::Popularity;
use super::config::arrivals_per_day;
use super::names::{MEN, SURNAMES, WOMEN};
use super::places::{Location, PLACES};
use super::random::{Chance, Purpose, Random, hash, scale};
use super::rhythm::{DAY, DAY_STARTS, MOST_SESSIONS};
use super::state::Tier;

/// The users' day that the first UTC day begins in.
pub(super) const FIRST_DAY: i64 = -1;
/// Users change at most once in this many days.
const EPOCH: i64 = 28;
const UPGRADES_PER_EPOCH: f64 = 0.02;
const DOWNGRADES_PER_EPOCH: f64 = 0.06;
const PAID_AT_START: f64 = 2.0 / 12.0;
/// How long before the start the earliest users registered, in seconds.
const REGISTERED_WITHIN: u32 = 3 * 365 * 86_400;
/// No one registers so early in the day that the session would have begun the day before.
const EARLIEST_REGISTRATION: u32 = 3 * 3600;

/// A change that a user makes at most one of on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Registers,
    ChangesLevel,
    Cancels,
}

/// How a user stands on a day: the level at its start, and what changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UserDay {
    pub(super) level: Tier,
    pub(super) turn: Option<Turn>,
}

/// What a user's events tell of them.
#[derive(Debug)]
pub(super) struct UserProfile {
    pub(super) id: i64,
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) gender: &'static str,
    /// Seconds since 1970.
    pub(super) registration: i64,
    pub(super) place: &'static Location,
    pub(super) agent: &'static str,
    /// The class of how long they stay on a page.
    pub(super) pace: u8,
}

/// All users that there ever are.
#[derive(Debug)]
pub(super) struct Population {
    seed: u64,
    users_at_start: u64,
    arrivals_per_day: f64,
    /// Seconds since 1970 of 00:00 UTC of the first day.
    start: i64,
    weekday_of_start: i64,
    cancels: Chance,
    upgrades: Chance,
    downgrades: Chance,
    paid_at_start: Chance,
    places: Popularity,
    /// The lowest session id of each day from [`FIRST_DAY`].
    session_ids: Vec<i64>,
}

impl Population {
    pub(super) fn new(config: &SimulatorConfig) -> Self {
        let stay = 1.0 - config.attrition;
        let mut population = Self {
            seed: config.seed,
            users_at_start: config.users,
            arrivals_per_day: arrivals_per_day(config),
            start: config.start.and_time(NaiveTime::MIN).and_utc().timestamp(),
            weekday_of_start: i64::from(config.start.weekday().num_days_from_monday()),
            cancels: Chance::of(1.0 - libm::pow(stay, EPOCH as f64 / 365.0)),
            upgrades: Chance::of(UPGRADES_PER_EPOCH),
            downgrades: Chance::of(DOWNGRADES_PER_EPOCH),
            paid_at_start: Chance::of(PAID_AT_START),
            places: Popularity::new(PLACES.len()),
            session_ids: Vec::new(),
        };
        let mut next = 1;
        for day in FIRST_DAY..i64::from(config.days) {
            population.session_ids.push(next);
            next += population.users_by(day) as i64 * MOST_SESSIONS as i64;
        }
        population
    }

    /// How many users have come by the end of a day. Users count from 0 in the order of their coming.
    pub(super) fn users_by(&self, day: i64) -> u64 {
        if day < 0 {
            return self.users_at_start;
        }
        let due = self.arrivals_per_day * (day + 1) as f64;
        let surely = due as u64;
        let last = u64::from(self.arrival(surely) < due);
        self.users_at_start + surely + last
    }

    /// Seconds since 1970 of a day of the users: from its start to its end.
    pub(super) fn seconds(&self, day: i64) -> Range<i64> {
        let start = self.start + day * DAY + DAY_STARTS;
        start..start + DAY
    }

    pub(super) fn is_weekend(&self, day: i64) -> bool {
        (self.weekday_of_start + day).rem_euclid(7) >= 5
    }

    /// An id that no other session has, for the nth of a day.
    pub(super) fn session_id(&self, user: u64, day: i64, nth: usize) -> i64 {
        let lowest = self.session_ids.get((day - FIRST_DAY) as usize).copied().unwrap_or_default();
        lowest + user as i64 * MOST_SESSIONS as i64 + nth as i64
    }

    /// Whether the user may have a turn on this day; a quick no for most.
    pub(super) fn may_turn(&self, user: u64, day: i64) -> bool {
        let since = self.since(user);
        let age = day - since;
        let drawn = self.epoch(user, age / EPOCH);
        let newcomer = age == 0 && user >= self.users_at_start;
        newcomer
            || (day_of_epoch(drawn) == age % EPOCH
                && self.cancels.or(self.downgrades).or(self.upgrades).hits(drawn))
    }

    /// How the user stands on a day; `None` before they come and after they cancelled.
    pub(super) fn standing(&self, user: u64, day: i64) -> Option<UserDay> {
        if user >= self.users_by(day) {
            return None;
        }
        let since = self.since(user);
        if user >= self.users_at_start && day == since {
            return Some(UserDay { level: Tier::Free, turn: Some(Turn::Registers) });
        }
        let mut level = self.first_level(user);
        for epoch in 0..=(day - since) / EPOCH {
            let drawn = self.epoch(user, epoch);
            let on = since + epoch * EPOCH + day_of_epoch(drawn);
            let turn = self.turn(level, drawn);
            match turn {
                Some(Turn::Cancels) if (FIRST_DAY..day).contains(&on) => return None,
                Some(Turn::ChangesLevel) if on < day => level = level.other(),
                Some(_) if on == day => return Some(UserDay { level, turn }),
                _ => {}
            }
        }
        Some(UserDay { level, turn: None })
    }

    pub(super) fn profile(&self, user: u64) -> UserProfile {
        let mut random = Random::new(hash(self.seed, Purpose::Profile, user, 0));
        let (gender, first_names) = if random.below(100) < 53 { ("F", WOMEN) } else { ("M", MEN) };
        UserProfile {
            id: user as i64 + 1,
            first_name: common(first_names, &mut random),
            last_name: common(SURNAMES, &mut random),
            gender,
            place: &PLACES[self.places.rank(&mut random)],
            agent: common(&AGENTS, &mut random),
            pace: random.next() as u8,
            registration: self.registration(user, random.next()),
        }
    }

    fn registration(&self, user: u64, drawn: u64) -> i64 {
        if user < self.users_at_start {
            return self.seconds(FIRST_DAY).start - 1 - i64::from(scale(drawn, REGISTERED_WITHIN));
        }
        let second = EARLIEST_REGISTRATION + scale(drawn, DAY as u32 - EARLIEST_REGISTRATION);
        self.seconds(self.since(user)).start + i64::from(second)
    }

    fn first_level(&self, user: u64) -> Tier {
        let drawn = hash(self.seed, Purpose::Life, user, u64::MAX);
        if user < self.users_at_start && self.paid_at_start.hits(drawn) { Tier::Paid } else { Tier::Free }
    }

    /// The day from which the user's epochs count: of registration, for those there at the start some day before it.
    fn since(&self, user: u64) -> i64 {
        if user < self.users_at_start {
            return FIRST_DAY - i64::from(scale(hash(self.seed, Purpose::Arrival, user, 0), EPOCH as u32));
        }
        let mut day = (self.arrival(user - self.users_at_start) / self.arrivals_per_day) as i64;
        // The division rounds; what counts is on which side of a day's end the arrival falls.
        while user >= self.users_by(day) {
            day += 1;
        }
        while day > 0 && user < self.users_by(day - 1) {
            day -= 1;
        }
        day
    }

    /// When a newcomer comes, where one comes per unit of time on average.
    fn arrival(&self, newcomer: u64) -> f64 {
        let part = hash(self.seed, Purpose::Arrival, self.users_at_start + newcomer, 0) >> 32;
        newcomer as f64 + part as f64 / 4_294_967_296.0
    }

    fn epoch(&self, user: u64, epoch: i64) -> u64 {
        hash(self.seed, Purpose::Life, user, epoch as u64)
    }

    fn turn(&self, level: Tier, drawn: u64) -> Option<Turn> {
        let changes = match level {
            Tier::Free => self.upgrades,
            Tier::Paid => self.downgrades,
        };
        if self.cancels.hits(drawn) {
            Some(Turn::Cancels)
        } else if self.cancels.or(changes).hits(drawn) {
            Some(Turn::ChangesLevel)
        } else {
            None
        }
    }
}

/// The day of an epoch on which a user changes: never the first, which may be that of registration.
fn day_of_epoch(drawn: u64) -> i64 {
    1 + i64::from(scale(drawn << 32, EPOCH as u32 - 1))
}

/// One of the items, the first ones more often.
fn common<'a>(items: &[&'a str], random: &mut Random) -> &'a str {
    let count = items.len() as u32;
    items[random.below(count).min(random.below(count)) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn population(growth: f64, attrition: f64) -> Population {
        let config =
            SimulatorConfig { users: 2_000, days: 365, growth, attrition, ..SimulatorConfig::default() };
        Population::new(&config)
    }

    #[test]
    fn a_year_of_growth_brings_its_share_of_the_users_at_the_start() {
        let population = population(0.5, 0.0);
        let users = population.users_by(364);
        assert!((2_999..=3_001).contains(&users), "{users}");
        for user in 2_000..users {
            let since = population.since(user);
            assert!(user < population.users_by(since));
            assert!(since == 0 || user >= population.users_by(since - 1));
        }
    }

    #[test]
    fn a_year_of_attrition_loses_its_share() {
        let population = population(0.0, 0.3);
        let lost = (0..2_000).filter(|user| population.standing(*user, 364).is_none()).count();
        assert!((540..660).contains(&lost), "{lost}");
    }

    #[test]
    fn the_level_of_a_day_follows_from_the_turns_before_it() {
        let population = population(0.5, 0.3);
        for user in 0..2_100 {
            let mut before: Option<UserDay> = None;
            for day in FIRST_DAY..365 {
                let now = population.standing(user, day);
                assert!(now.is_none_or(|standing| standing.turn.is_none() || population.may_turn(user, day)));
                match before {
                    None => {}
                    Some(UserDay { turn: Some(Turn::Cancels), .. }) => assert_eq!(now, None),
                    Some(UserDay { level, turn: Some(Turn::ChangesLevel) }) => {
                        assert_eq!(now.unwrap().level, level.other());
                    }
                    Some(UserDay { level, .. }) => assert_eq!(now.unwrap().level, level),
                }
                before = now;
            }
        }
    }
}
