//! What can be simulated of what is asked for.

use chrono::Days;

use mep_core::connection::SimulatorConfig;

/// The most users that there may be on the last day.
const MOST_USERS: f64 = 1e9;
/// The most days that there may be: a hundred years.
pub const MOST_DAYS: u32 = 36_525;

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

pub(super) fn check(config: &SimulatorConfig) -> Result<(), ConfigError> {
    let last = config.start.checked_add_days(Days::new(u64::from(config.days)));
    let first = config.start.checked_sub_days(Days::new(1));
    if config.days == 0 || config.days > MOST_DAYS || last.is_none() || first.is_none() {
        return Err(ConfigError::Days(config.days));
    }
    if !config.growth.is_finite() || config.growth < 0.0 {
        return Err(ConfigError::Growth(config.growth));
    }
    for (name, value) in [("attrition", config.attrition), ("duplicates", config.duplicates)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(ConfigError::Share { name, value });
        }
    }
    let last_users = config.users as f64 + arrivals_per_day(config) * f64::from(config.days);
    if config.users == 0 || last_users > MOST_USERS {
        return Err(ConfigError::Users(last_users));
    }
    Ok(())
}

pub(super) fn arrivals_per_day(config: &SimulatorConfig) -> f64 {
    config.users as f64 * config.growth / 365.0
}
