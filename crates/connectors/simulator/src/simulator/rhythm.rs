//! How often users come, at what time of day, and how long they stay on a page.

use super::random::{Random, scale};

/// Seconds from 00:00 UTC to the start of a user's day: when the fewest are about.
pub(super) const DAY_STARTS: i64 = 4 * 3600;
/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// The most sessions that a user has in a day.
pub(super) const MOST_SESSIONS: usize = 4;
/// The longest stay on a page, in seconds.
pub(super) const LONGEST_STAY: u32 = 1800;

/// Users fall into this many classes of eagerness, and again of pace; a byte of a random number says which.
const CLASSES: usize = 256;
const START_STEPS: usize = 4096;
const STAY_STEPS: usize = 1024;

const DAYS_BETWEEN_SESSIONS: f64 = 7.0;
const SESSIONS_SPREAD: f64 = 0.8;
const WEEKEND_DAMPING: f64 = 0.5;
const DAILY_SWING: f64 = 0.6;
const LOWEST_MINUTE: f64 = 3.5 * 60.0;
const MEAN_STAY: f64 = 90.0;
const STAY_SPREAD: f64 = 0.4;

/// Tables of the distributions, so that drawing from them takes integers only.
#[derive(Debug)]
pub(super) struct Rhythm {
    /// For weekdays and weekends, by class: `2^32 * P(sessions of a day <= n)` for n from 0.
    sessions: [Vec<[u64; MOST_SESSIONS]>; 2],
    /// Minutes after the start of the user's day, by rank.
    start_minutes: Vec<u32>,
    /// Thousandths of the mean stay, by rank.
    stays: Vec<u32>,
    /// Seconds of the mean stay, by class.
    paces: Vec<u32>,
}

impl Rhythm {
    pub(super) fn new() -> Self {
        let rates = log_normal(1.0 / DAYS_BETWEEN_SESSIONS, SESSIONS_SPREAD);
        let sessions =
            [1.0, WEEKEND_DAMPING].map(|damping| rates.iter().map(|rate| poisson(rate * damping)).collect());
        let stays = (0..STAY_STEPS)
            .map(|step| (-1000.0 * libm::log(1.0 - middle(step, STAY_STEPS))) as u32)
            .collect();
        let paces = log_normal(MEAN_STAY, STAY_SPREAD).iter().map(|seconds| *seconds as u32).collect();
        Self { sessions, start_minutes: start_minutes(), stays, paces }
    }

    /// How many sessions a user has on a day.
    pub(super) fn sessions(&self, eagerness: u8, weekend: bool, random: u64) -> usize {
        let thresholds = &self.sessions[usize::from(weekend)][usize::from(eagerness)];
        thresholds.iter().take_while(|threshold| random >> 32 >= **threshold).count()
    }

    /// Seconds after the start of the user's day.
    pub(super) fn start(&self, random: &mut Random) -> i64 {
        let minute = *random.choose(&self.start_minutes);
        i64::from(minute * 60 + random.below(60))
    }

    /// Mean seconds that a user stays on a page.
    pub(super) fn pace(&self, class: u8) -> u32 {
        self.paces[usize::from(class)]
    }

    /// Seconds on a page.
    pub(super) fn stay(&self, pace: u32, random: &mut Random) -> i64 {
        let thousandths = self.stays[scale(random.next(), STAY_STEPS as u32) as usize];
        i64::from((pace * thousandths / 1000).min(LONGEST_STAY))
    }
}

/// The middle of a step, between 0 and 1.
fn middle(step: usize, steps: usize) -> f64 {
    (step as f64 + 0.5) / steps as f64
}

/// The chances of at most 0, 1, 2, ... sessions.
fn poisson(rate: f64) -> [u64; MOST_SESSIONS] {
    let mut exactly = libm::exp(-rate);
    let mut at_most = 0.0;
    let mut thresholds = [0; MOST_SESSIONS];
    for (count, threshold) in thresholds.iter_mut().enumerate() {
        at_most += exactly;
        exactly *= rate / (count + 1) as f64;
        *threshold = (at_most * 4_294_967_296.0) as u64;
    }
    thresholds
}

/// A value for each class, log-normal with this mean.
fn log_normal(mean: f64, sigma: f64) -> Vec<f64> {
    (0..CLASSES)
        .map(|class| {
            let z = normal_quantile(middle(class, CLASSES));
            mean * libm::exp(sigma * z - sigma * sigma / 2.0)
        })
        .collect()
}

/// How many standard deviations a share of a normal distribution lies below.
fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let z = f64::midpoint(low, high);
        if 0.5 * libm::erfc(-z / core::f64::consts::SQRT_2) < share {
            low = z;
        } else {
            high = z;
        }
    }
    low
}

/// The minute in which each of equally likely starts falls: a sine over the day.
fn start_minutes() -> Vec<u32> {
    const MINUTES: usize = 24 * 60;
    let mut cumulated = Vec::with_capacity(MINUTES);
    let mut sum = 0.0;
    for minute in 0..MINUTES {
        let past_lowest = (minute as f64 + (DAY_STARTS / 60) as f64 - LOWEST_MINUTE) / MINUTES as f64;
        sum += 1.0 - DAILY_SWING * libm::cos(2.0 * core::f64::consts::PI * past_lowest);
        cumulated.push(sum);
    }
    (0..START_STEPS)
        .map(|step| {
            let share = middle(step, START_STEPS) * sum;
            cumulated.partition_point(|upto| *upto < share) as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_is_symmetric_and_right_at_two_sigma() {
        assert!((normal_quantile(0.977_249_868) - 2.0).abs() < 1e-6);
        assert!((normal_quantile(0.2) + normal_quantile(0.8)).abs() < 1e-9);
    }

    #[test]
    fn users_come_about_weekly_and_half_as_often_on_weekends() {
        let rhythm = Rhythm::new();
        let mut random = Random::new(7);
        let mut means = [0.0; 2];
        for (weekend, mean) in means.iter_mut().enumerate() {
            let sessions: usize =
                (0..200_000).map(|n| rhythm.sessions((n % 256) as u8, weekend == 1, random.next())).sum();
            *mean = sessions as f64 / 200_000.0;
        }
        assert!((means[0] * 7.0 - 1.0).abs() < 0.05, "{means:?}");
        assert!((means[1] * 14.0 - 1.0).abs() < 0.05, "{means:?}");
    }

    #[test]
    fn three_times_as_many_come_in_the_afternoon_as_in_the_night() {
        let rhythm = Rhythm::new();
        let starts = |hours: core::ops::Range<u32>| {
            rhythm.start_minutes.iter().filter(|minute| hours.contains(&((*minute / 60 + 4) % 24))).count()
        };
        assert!(starts(15..17) > 3 * starts(2..4));
    }
}
