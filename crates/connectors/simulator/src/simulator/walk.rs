//! One session: the pages that a visitor goes through.

use super::catalogue::{Catalogue, Song};
use super::population::{Turn, UserDay};
use super::random::Random;
use super::rhythm::Rhythm;
use super::state::{Auth, PageState, Tier};

/// What has to happen in a session, happens this long before its end.
const RESERVE: i64 = 2 * 3600;

/// A page view, and what else it makes known.
#[derive(Debug)]
pub(super) struct PageView<'a> {
    /// Seconds since 1970.
    pub(super) second: i64,
    pub(super) item: i64,
    pub(super) state: PageState,
    /// The level before a change that this very event asks for.
    pub(super) level: Tier,
    /// What is played, on the page NextSong.
    pub(super) song: Option<&'a Song>,
    /// After a try to log in: whether the visitor is logged in now.
    pub(super) login: Option<bool>,
}

/// The events of a session, in order.
#[derive(Clone, Debug)]
pub(super) struct SessionWalk<'a> {
    catalogue: &'a Catalogue,
    rhythm: &'a Rhythm,
    random: Random,
    pace: u32,
    end: i64,
    /// Pages that must come one after the other, at the latest from an item or from a second on.
    script: &'static [PageState],
    script_item: i64,
    script_second: i64,
    /// The next event.
    state: Option<PageState>,
    second: i64,
    item: i64,
    level: Tier,
    /// The page that the visitor came from. A redirect does not count as an arrival: so, as in the original, going to
    /// Login straight after a login failed tells once more that it failed.
    came_from: Option<PageState>,
}

impl<'a> SessionWalk<'a> {
    /// A session from a second up to another, in which the standing's turn comes about.
    pub(super) fn new(
        (catalogue, rhythm): (&'a Catalogue, &'a Rhythm),
        standing: UserDay,
        pace: u32,
        (start, end): (i64, i64),
        mut random: Random,
    ) -> Self {
        let (first, script): (PageState, &[PageState]) = match (standing.turn, standing.level) {
            (None, _) => (PageState::first(&mut random), &[]),
            (Some(Turn::Registers), _) => {
                (PageState::GuestHome, &[PageState::Register, PageState::SubmitRegistration])
            }
            (Some(Turn::ChangesLevel), Tier::Free) => {
                (PageState::Home, &[PageState::Upgrade, PageState::SubmitUpgrade])
            }
            (Some(Turn::ChangesLevel), Tier::Paid) => {
                (PageState::Home, &[PageState::Downgrade, PageState::SubmitDowngrade])
            }
            (Some(Turn::Cancels), _) => (PageState::Home, &[PageState::Cancel]),
        };
        // The second of registration is given, so what comes before must not depend on the session's end.
        let (longest_prelude, script_second) =
            if standing.turn == Some(Turn::Registers) { (4, i64::MAX) } else { (8, end - RESERVE) };
        let script_item = i64::from(1 + random.below(longest_prelude));
        Self {
            catalogue,
            rhythm,
            random,
            pace,
            end,
            script,
            script_item,
            script_second,
            state: Some(first),
            second: start,
            item: 0,
            level: standing.level,
            came_from: None,
        }
    }

    fn advance(&mut self, from: PageState, song: Option<&Song>) {
        if matches!(from, PageState::SubmitUpgrade | PageState::SubmitDowngrade) {
            self.level = self.level.other();
        }
        self.item += 1;
        self.state = self.follow(from);
        let Some(to) = self.state else { return };
        if to.redirects() {
            self.second += 1;
            return;
        }
        self.came_from = Some(from);
        self.second += match song {
            Some(song) => song.seconds,
            None => self.rhythm.stay(self.pace, &mut self.random),
        };
    }

    fn follow(&mut self, from: PageState) -> Option<PageState> {
        let by_chance = from.next(self.level, &mut self.random);
        let Some((next, rest)) = self.script.split_first() else { return by_chance };
        let due = self.item >= self.script_item || self.second >= self.script_second;
        if from.redirects() || !due {
            let stays = |state: &PageState| state.auth() == from.auth() && *state != PageState::Logout;
            if let Some(state) = by_chance.filter(stays) {
                return Some(state);
            }
        }
        self.script = rest;
        self.script_item = 0;
        Some(*next)
    }
}

impl<'a> Iterator for SessionWalk<'a> {
    type Item = PageView<'a>;

    fn next(&mut self) -> Option<PageView<'a>> {
        let state = self.state.filter(|_| self.second < self.end)?;
        let song = (state == PageState::NextSong).then(|| self.catalogue.pick(&mut self.random));
        let event = PageView {
            second: self.second,
            item: self.item,
            state,
            level: self.level,
            song,
            login: (self.came_from == Some(PageState::Login)).then_some(state.auth() == Auth::LoggedIn),
        };
        self.advance(state, song);
        Some(event)
    }
}
