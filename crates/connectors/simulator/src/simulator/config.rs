//! What the simulator is asked for.

use chrono::{Days, NaiveDate};

/// The most users that there may be on the last day.
const MOST_USERS: f64 = 1e9;
/// The most days that there may be: a hundred years.
pub const MOST_DAYS: u32 = 36_525;

/// What the simulator is asked for. The same values give the same events, to the byte, on any machine.
///
/// A larger `days` adds days and changes none of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatorConfig {
    /// The seed of every random choice.
    pub seed: u64,
    /// The first UTC day.
    pub start: NaiveDate,
    /// How many days.
    pub days: u32,
    /// Users at the start.
    pub users: u64,
    /// New users per year, as a share of `users`.
    pub growth: f64,
    /// Users lost per year, as a share of those there.
    pub attrition: f64,
    /// The share of events that are sent twice.
    pub duplicates: f64,
    /// Whether names of artists and songs come as UTF-8 read as Latin-1, as in the original pipeline.
    pub mojibake: bool,
}

/// Why a configuration cannot be simulated.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ConfigError {
    /// The days are none, too many, or lie beyond the calendar.
    #[error("`days` is {0}; expected 1 to {MOST_DAYS}, ending within the calendar")]
    Days(u32),
    /// There are no users, or too many by the last day.
    #[error("`users` and `growth` give {0} users on the last day; expected 1 to 1000000000")]
    Users(f64),
    /// A growth that is no number or below 0.
    #[error("`growth` is {0}; expected 0 or more")]
    Growth(f64),
    /// A share outside of 0 to 1.
    #[error("`{name}` is {value}; expected 0 to 1")]
    Share {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },
}

impl SimulatorConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let last = self.start.checked_add_days(Days::new(u64::from(self.days)));
        let first = self.start.checked_sub_days(Days::new(1));
        if self.days == 0 || self.days > MOST_DAYS || last.is_none() || first.is_none() {
            return Err(ConfigError::Days(self.days));
        }
        if !self.growth.is_finite() || self.growth < 0.0 {
            return Err(ConfigError::Growth(self.growth));
        }
        for (name, value) in [("attrition", self.attrition), ("duplicates", self.duplicates)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(ConfigError::Share { name, value });
            }
        }
        let last_users = self.users as f64 + self.arrivals_per_day() * f64::from(self.days);
        if self.users == 0 || last_users > MOST_USERS {
            return Err(ConfigError::Users(last_users));
        }
        Ok(())
    }

    pub(super) fn arrivals_per_day(&self) -> f64 {
        self.users as f64 * self.growth / 365.0
    }
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            start: NaiveDate::from_ymd_opt(2018, 11, 1).unwrap_or_default(),
            days: 30,
            users: 1_000,
            growth: 0.1,
            attrition: 0.1,
            duplicates: 0.001,
            mojibake: true,
        }
    }
}
