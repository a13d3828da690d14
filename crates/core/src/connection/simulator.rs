//! What the simulator is asked for.

use chrono::NaiveDate;

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
    /// Whether names come as UTF-8 read as Latin-1, as in the original pipeline.
    pub mojibake: bool,
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
