//! What a terminal shows of streams while they go on; elsewhere, a line in the log once in a while.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::Palette;
use mep_core::quantity::count;
use mep_stream::{Now, Progress};

/// How often the view is drawn.
const DRAW: Duration = Duration::from_millis(500);

/// How often a line is logged where there is no terminal.
const LOG: Duration = Duration::from_secs(10);

/// The view, on a task of its own.
pub(super) struct StreamView {
    bar: ProgressBar,
    task: tokio::task::JoinHandle<()>,
}

impl StreamView {
    /// Begins to show.
    pub(super) fn start(progress: Arc<Progress>, is_live: bool) -> Self {
        let is_live = is_live && std::io::stderr().is_terminal();
        let target = if is_live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let shown = bar.clone();
        let task = tokio::spawn(async move {
            let mut before = (0_u64, progress.seconds());
            loop {
                tokio::time::sleep(if is_live { DRAW } else { LOG }).await;
                let now = progress.now();
                let seconds = progress.seconds();
                let rate = (now.read - before.0) as f64 / (seconds - before.1).max(0.001);
                before = (now.read, seconds);
                if is_live {
                    shown.set_message(drawn(&now, Utc::now(), rate, Palette::of_stderr()));
                    shown.tick();
                } else {
                    log(&now, rate);
                }
            }
        });
        Self { bar, task }
    }

    /// Takes the view away.
    pub(super) fn end(self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

fn log(now: &Now, rate: f64) {
    let (lag, at) = (now.whole_lag(), Utc::now());
    tracing::info!(read = now.read, rate = rate.round(), lag, "streaming");
    for (model, shown) in &now.models {
        let counts = shown.counts;
        tracing::info!(
            model,
            read = counts.read,
            taken = counts.taken,
            late = counts.late,
            dead = counts.dead,
            written = counts.written,
            open_windows = shown.open_windows,
            lag = now.lag_of(model),
            last_commit = format!("{} s ago", shown.commit_age(at).num_seconds()),
            closed_until = clock(shown.closed_until),
            "streaming"
        );
    }
}

/// The view as lines.
fn drawn(now: &Now, at: DateTime<Utc>, rate: f64, palette: Palette) -> String {
    let mut lines = Vec::new();
    lines.push(format!(
        "{} events/s, {} read, {} not committed",
        palette.strong(&count(rate.round() as u64)),
        count(now.read),
        count(now.whole_lag())
    ));
    for (partition, shown) in now.partitions.iter().filter(|(partition, _)| now.lag(partition) > 0).take(8) {
        lines.push(palette.faint(&format!(
            "  {partition} read up to {}, {} not committed",
            shown.next,
            count(now.lag(partition))
        )));
    }
    let width = now.models.keys().map(|name| name.chars().count()).max().unwrap_or_default();
    lines.push(palette.faint(&format!(
        "{:width$}  {:>12} {:>12} {:>8} {:>8} {:>8} {:>10}  closed until",
        "model", "taken", "rows", "late", "dead", "windows", "committed"
    )));
    for (model, shown) in &now.models {
        let counts = shown.counts;
        let number = |value: u64, wide: usize| format!("{:>wide$}", count(value));
        let warned = |value: u64| {
            let text = number(value, 8);
            if value > 0 { palette.warning(&text) } else { text }
        };
        lines.push(format!(
            "{model:width$}  {} {} {} {} {} {:>10}  {}",
            number(counts.taken, 12),
            number(counts.written, 12),
            warned(counts.late),
            warned(counts.dead),
            number(shown.open_windows as u64, 8),
            format!("{} s ago", shown.commit_age(at).num_seconds()),
            clock(shown.closed_until)
        ));
    }
    for (source, early) in &now.early {
        let events = count(early.events);
        lines.push(palette.warning(&format!(
            "{source}: {events} of the years before 1980: is `{}` in milliseconds?",
            early.column
        )));
    }
    for (who, why) in &now.waiting {
        lines.push(palette.warning(&format!("{who} waits: {why}")));
    }
    lines.join("\n")
}

fn clock(millis: Option<i64>) -> String {
    let time = millis.and_then(DateTime::from_timestamp_millis);
    time.map_or_else(|| "-".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_contract::source::tail::Offsets;
    use mep_contract::source::tail::StreamPartition;
    use mep_stream::{Counts, ModelProgress, PartitionProgress};

    #[test]
    fn the_view_shows_rate_lag_and_what_became_of_events() {
        let mut now = Now { read: 1_234_567, ..Now::default() };
        let partition = StreamPartition { topic: "listen_events".into(), number: 0 };
        now.partitions.insert(partition.clone(), PartitionProgress { next: 40, end: Some(1_040) });
        now.committed.insert("logins".to_owned(), Offsets::from([(partition, 30)]));
        let counts = Counts { read: 50, taken: 40, late: 7, dead: 3, written: 12 };
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let shown = ModelProgress {
            counts,
            closed_until: Some(1_541_030_400_000),
            open_windows: 3,
            epoch: 9,
            began: at(1_000),
            last_commit: Some(at(1_060)),
        };
        now.models.insert("listen_count_minute".to_owned(), shown);
        now.models
            .insert("logins".to_owned(), ModelProgress { began: at(1_000), ..ModelProgress::default() });
        now.waiting.insert("logins".to_owned(), "no connection".to_owned());
        insta::assert_snapshot!(drawn(&now, at(1_063), 51_234.4, Palette::plain()));
    }
}
