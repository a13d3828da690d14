//! Which sessions a user has on a day, and when.

use std::sync::LazyLock;

use super::catalogue::Catalogue;
use super::population::{Population, Turn, UserDay, UserProfile};
use super::random::{Purpose, Random, hash};
use super::rhythm::{DAY, MOST_SESSIONS, Rhythm};
use super::state::PageState;
use super::walk::SessionWalk;

/// A session ends this long before the next begins, in seconds.
const SESSION_GAP: i64 = 1800;
/// A session has at least this long, in seconds.
const SHORTEST_SESSION: i64 = 600;
/// The part of a day, in seconds, that is left for a session that must not be cut.
const UNCUT: i64 = 3 * 3600;

/// All that sessions are made of.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) population: Population,
    pub(super) rhythm: Rhythm,
    pub(super) catalogue: &'static LazyLock<Catalogue>,
}

/// A user with sessions on a day.
#[derive(Debug)]
pub(super) struct Visits {
    pub(super) profile: UserProfile,
    standing: UserDay,
    user: u64,
    day: i64,
    /// Seconds of the sessions from start to end.
    spans: [(i64, i64); MOST_SESSIONS],
    count: usize,
}

impl World {
    /// The sessions of a user on a day; `None` if there are none.
    pub(super) fn visits(&self, user: u64, day: i64) -> Option<Visits> {
        let drawn = hash(self.seed, Purpose::Activity, user, day as u64);
        let eagerness = hash(self.seed, Purpose::Eagerness, user, 0) as u8;
        let count = self.rhythm.sessions(eagerness, self.population.is_weekend(day), drawn);
        if count == 0 && !self.population.may_turn(user, day) {
            return None;
        }
        let standing = self.population.standing(user, day)?;
        if count == 0 && standing.turn.is_none() {
            return None;
        }
        let profile = self.population.profile(user);
        let mut visits = Visits { profile, standing, user, day, spans: [(0, 0); MOST_SESSIONS], count: 0 };
        let mut random = Random::new(drawn);
        match standing.turn {
            None => self.ordinary(&mut visits, count, &mut random),
            Some(turn) => self.only(&mut visits, turn, &mut random),
        }
        Some(visits)
    }

    /// The events of the nth session.
    pub(super) fn walk(&self, visits: &Visits, nth: usize) -> (i64, SessionWalk<'_>) {
        let id = self.population.session_id(visits.user, visits.day, nth);
        let random = Random::new(hash(self.seed, Purpose::Session, id as u64, 0));
        (id, self.walk_from(visits, visits.spans[nth], random))
    }

    fn walk_from(&self, visits: &Visits, span: (i64, i64), random: Random) -> SessionWalk<'_> {
        let pace = self.rhythm.pace(visits.profile.pace);
        let songs = LazyLock::force(self.catalogue);
        SessionWalk::new((songs, &self.rhythm), visits.standing, pace, span, random)
    }

    fn ordinary(&self, visits: &mut Visits, count: usize, random: &mut Random) {
        let day = self.population.seconds(visits.day);
        let mut starts = [0; MOST_SESSIONS];
        let starts = &mut starts[..count];
        for start in starts.iter_mut() {
            *start = day.start + self.rhythm.start(random);
        }
        starts.sort_unstable();
        for &start in &*starts {
            if visits.count > 0 {
                let before = &mut visits.spans[visits.count - 1];
                let end = start - SESSION_GAP;
                if end - before.0 < SHORTEST_SESSION {
                    continue;
                }
                before.1 = end;
            }
            visits.spans[visits.count] = (start, day.end);
            visits.count += 1;
        }
    }

    /// One session, in which there is time for the turn.
    fn only(&self, visits: &mut Visits, turn: Turn, random: &mut Random) {
        let day = self.population.seconds(visits.day);
        let start = match turn {
            Turn::Registers => visits.profile.registration - self.seconds_to_registration(visits),
            Turn::ChangesLevel | Turn::Cancels => {
                let second = self.rhythm.start(random);
                day.start + if second > DAY - UNCUT { second - UNCUT } else { second }
            }
        };
        visits.spans[0] = (start, day.end);
        visits.count = 1;
    }

    /// How long a newcomer looks around before registering.
    fn seconds_to_registration(&self, visits: &Visits) -> i64 {
        let id = self.population.session_id(visits.user, visits.day, 0);
        let random = Random::new(hash(self.seed, Purpose::Session, id as u64, 0));
        let mut walk = self.walk_from(visits, (0, i64::MAX), random);
        walk.find(|event| event.state == PageState::SubmitRegistration).map_or(0, |event| event.second)
    }
}

impl Visits {
    /// The numbers of the sessions.
    pub(super) fn sessions(&self) -> core::ops::Range<usize> {
        0..self.count
    }
}
