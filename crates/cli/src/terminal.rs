//! What the terminal shows while nodes run: a bar and the nodes at work on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::arguments::LogFormat;
use super::error::each_shown;
use mep_app::SourceRejects;
use mep_core::quantity::{bytes, count, plural};
use mep_core::secrets;
use mep_core::warnings::{self, WarningKind};
use mep_lang::project::Problems;
use mep_run::event::{Event, NodeResult, PlanCounts, Reporter, Status};

/// Colours and whether to use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    coloured: bool,
}

impl Palette {
    /// Colour on a terminal, or where `CLICOLOR_FORCE` asks for it, and never where `NO_COLOR` is set.
    pub fn of_stderr() -> Self {
        Self::on_terminal(std::io::stderr().is_terminal())
    }

    /// The same for standard output.
    pub fn of_stdout() -> Self {
        Self::on_terminal(std::io::stdout().is_terminal())
    }

    fn on_terminal(is_terminal: bool) -> Self {
        Self { coloured: (is_terminal || is_set("CLICOLOR_FORCE")) && !is_set("NO_COLOR") }
    }

    /// No colour.
    pub fn plain() -> Self {
        Self { coloured: false }
    }

    /// Whether colours are used.
    pub fn is_coloured(self) -> bool {
        self.coloured
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what went well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For what needs a look.
    pub fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// For what went wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint("31;1", text)
    }

    /// For what matters less.
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For what matters most.
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Shows events.
pub struct Terminal {
    palette: Palette,
    format: LogFormat,
    quiet: bool,
    live: bool,
    bar: ProgressBar,
    running: Mutex<Vec<(String, u64)>>,
}

impl Terminal {
    /// A terminal on standard error.
    pub fn new(format: LogFormat, quiet: bool) -> Self {
        let live = format == LogFormat::Text && !quiet && std::io::stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        // The template is a literal that a test compiles.
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        Self { palette: Palette::of_stderr(), format, quiet, live, bar, running: Mutex::new(Vec::new()) }
    }

    /// Whether progress can be drawn over and over.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The colours of this terminal.
    pub fn palette(&self) -> Palette {
        self.palette
    }

    /// A line for people that is neither progress nor result.
    pub fn say(&self, line: &str) {
        if !self.quiet && self.format == LogFormat::Text {
            self.line(line);
        }
    }

    /// A line for people that is a warning: always told.
    pub fn warn(&self, line: &str) {
        if self.format == LogFormat::Text {
            self.line(line);
        }
    }

    /// Whether only warnings and what failed is told.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The last word of a command: always told where something failed.
    pub fn result(&self, text: &str, failed: bool) {
        if self.format == LogFormat::Text && (failed || !self.quiet) {
            self.line(text);
        }
    }

    fn line(&self, line: &str) {
        if self.live {
            self.bar.suspend(|| write_line(line));
        } else {
            write_line(line);
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn show_running(&self) {
        let running = self.running.lock();
        let names: Vec<String> = running
            .iter()
            .map(
                |(name, rows)| {
                    if *rows > 0 { format!("{name} ({} rows)", count(*rows)) } else { name.clone() }
                },
            )
            .collect();
        self.bar.set_message(names.join(", "));
    }

    fn text(&self, event: Event<'_>) {
        match event {
            Event::Began { nodes } => {
                self.bar.set_length(nodes as u64);
                if self.live {
                    self.bar.enable_steady_tick(Duration::from_millis(100));
                }
            }
            Event::Planned(counts) => {
                if let Some(line) = planned(counts) {
                    self.say(&line);
                }
            }
            Event::Started { name, kind } => {
                self.running.lock().push((name.to_owned(), 0));
                if self.live {
                    self.show_running();
                } else if !self.quiet && kind != "test" {
                    self.line(&format!("{:>8}  {kind} {name}", "start"));
                }
            }
            Event::Rows { name, rows } => {
                let mut running = self.running.lock();
                if let Some((_, seen)) = running.iter_mut().find(|(running, _)| running == name) {
                    *seen += rows;
                }
                drop(running);
                self.show_running();
            }
            Event::Ended(result) => {
                self.running.lock().retain(|(name, _)| *name != result.name);
                self.bar.inc(1);
                self.show_running();
                if !self.quiet || result.status.is_failure() || result.status == Status::Warn {
                    self.line(&ended(result, self.palette));
                }
            }
            Event::Waiting { holder, seconds } => self.say(&waiting(holder, seconds)),
            Event::Warning(text) => self.line(&format!("{}  {text}", self.palette.warning(" warning"))),
        }
    }
}

/// What is ahead; nothing where all is current.
fn planned(counts: &PlanCounts) -> Option<String> {
    let PlanCounts { steps, partitions, current } = counts;
    let mut parts: Vec<String> = steps.iter().map(|(kind, number)| plural(*number as u64, kind)).collect();
    if *partitions > 0 {
        parts.push(plural(*partitions as u64, "partition"));
    }
    let current = if *current > 0 { format!("; {current} current") } else { String::new() };
    (!steps.is_empty()).then(|| format!("{:>8}  {}{current}", "plan", parts.join(", ")))
}

/// The line of a run that waits for another one.
fn waiting(holder: Option<&str>, seconds: u64) -> String {
    format!(
        "{:>8}  up to {}: the warehouse is held by another run: {}",
        "wait",
        plural(seconds, "second"),
        holder.unwrap_or("unknown")
    )
}

const BAR: &str = "{spinner} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}";

/// A reader that has gone away, such as `head`, is no reason to fail.
fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", secrets::masked(line));
}

impl Reporter for Terminal {
    fn report(&self, event: Event<'_>) {
        let kind = match &event {
            Event::Warning(_) => Some(WarningKind::Run),
            Event::Ended(result) if result.status == Status::Warn => Some(WarningKind::TestWarns),
            _ => None,
        };
        let is_told = kind.is_none_or(warnings::note);
        if !is_told && matches!(event, Event::Warning(_)) {
            return;
        }
        match self.format {
            LogFormat::Text => self.text(event),
            LogFormat::Json => {
                if let Some(line) = json(event) {
                    write_line(&line);
                }
            }
        }
    }
}

/// The line of a node that has ended.
pub fn ended(result: &NodeResult, palette: Palette) -> String {
    let word = match result.status {
        Status::Success => palette.good("      ok"),
        Status::Current => palette.faint(" current"),
        Status::Pass => palette.good("    pass"),
        Status::Warn => palette.warning("    warn"),
        Status::Fail => palette.bad("    fail"),
        Status::Error => palette.bad("   error"),
        Status::Skipped => palette.warning(" skipped"),
        Status::Interrupted => palette.warning(" dropped"),
    };
    let mut facts = Vec::new();
    match result.status {
        Status::Success if result.kind != "view" => {
            facts.push(plural(result.rows, "row"));
            if result.rejected > 0 {
                facts.push(palette.warning(&format!("{} rejected", count(result.rejected))));
            }
            if result.partitions > 1 {
                facts.push(plural(result.partitions as u64, "partition"));
            }
            facts.push(bytes(result.bytes));
        }
        Status::Fail | Status::Warn if counts_rows(result) => {
            facts.push(plural(result.rows, "failing row"));
        }
        _ => {}
    }
    if result.status == Status::Current && result.rejected_by_now > 0 {
        facts.push(palette.warning(&format!("{} rejected by now", count(result.rejected_by_now))));
    }
    if !matches!(result.status, Status::Skipped | Status::Current) {
        facts.push(format!("{:.2}s", result.seconds));
    }
    let mut line = format!("{word}  {} {}", result.kind, palette.strong(&result.name));
    if !facts.is_empty() {
        line.push_str(&format!("  {}", facts.join(", ")));
    }
    // What takes several lines is told at the end.
    let is_short = |message: &&String| result.status != Status::Error && !message.contains('\n');
    if let Some(message) = result.message.as_ref().filter(is_short) {
        line.push_str(&palette.faint(&format!("  ({message})")));
    }
    line
}

/// Whether a test counts rows that fail it: a unit test shows how rows differ.
fn counts_rows(result: &NodeResult) -> bool {
    result.kind != "unit test"
}

/// The summary after the last node: what failed and why, then the numbers. What is wrong with nodes that do not compile, by
/// their unique ids, is shown where it stands in their files.
pub fn summary(
    results: &[NodeResult],
    broken: &BTreeMap<String, Problems>,
    rejected: &[SourceRejects],
    elapsed: Duration,
    palette: Palette,
) -> String {
    let mut text = String::new();
    let failed: Vec<&NodeResult> =
        results.iter().filter(|result| matches!(result.status, Status::Fail | Status::Error)).collect();
    if !failed.is_empty() {
        text.push_str(&format!("\n{}\n", palette.bad("what failed:")));
        for result in &failed {
            if let Some(problems) = broken.get(&result.unique_id) {
                text.push_str(&format!("  {} {}\n", result.kind, palette.strong(&result.name)));
                for line in each_shown(problems, palette).lines() {
                    text.push_str(format!("    {line}").trim_end());
                    text.push('\n');
                }
                continue;
            }
            let why = result.message.clone().unwrap_or_default();
            let why = match result.status {
                Status::Fail if counts_rows(result) => {
                    format!("{}; {why}", plural(result.rows, "failing row"))
                }
                _ => why,
            };
            let why = why.trim().replace('\n', "\n      ");
            text.push_str(&format!("  {} {}\n      {why}\n", result.kind, palette.strong(&result.name)));
        }
    }
    for line in rejected_lines(rejected, palette) {
        text.push_str(&format!("{line}\n"));
    }
    let number = |status: Status| results.iter().filter(|result| result.status == status).count();
    let mut counts = Vec::new();
    for (status, word) in [
        (Status::Success, "built"),
        (Status::Current, "current"),
        (Status::Pass, "passed"),
        (Status::Warn, "warned"),
        (Status::Fail, "failed"),
        (Status::Error, "in error"),
        (Status::Skipped, "skipped"),
        (Status::Interrupted, "interrupted"),
    ] {
        if number(status) > 0 {
            counts.push(format!("{} {word}", number(status)));
        }
    }
    if counts.is_empty() {
        counts.push("nothing to do".to_owned());
    }
    let verdict = if results.iter().any(|result| result.status.is_failure()) {
        palette.bad("failed")
    } else {
        palette.good("done")
    };
    text.push_str(&format!("{verdict} in {:.2}s: {}", elapsed.as_secs_f64(), counts.join(", ")));
    text
}

/// A line for each source of which rows are rejected by now.
pub fn rejected_lines(rejected: &[SourceRejects], palette: Palette) -> impl Iterator<Item = String> {
    rejected.iter().map(move |of| format!("{}  {of}", palette.warning("rejected")))
}

fn json(event: Event<'_>) -> Option<String> {
    let value = match event {
        Event::Began { nodes } => serde_json::json!({"event": "began", "nodes": nodes}),
        Event::Planned(counts) => serde_json::json!({"event": "planned", "counts": counts}),
        Event::Started { name, kind } => serde_json::json!({"event": "started", "name": name, "kind": kind}),
        Event::Rows { .. } => return None,
        Event::Ended(result) => serde_json::json!({"event": "ended", "result": result}),
        Event::Waiting { holder, seconds } => {
            serde_json::json!({"event": "waiting", "holder": holder, "seconds": seconds})
        }
        Event::Warning(text) => serde_json::json!({"event": "warning", "message": text}),
    };
    let mut value = value;
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    value.as_object_mut()?.insert("time".to_owned(), now.into());
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, kind: &str, status: Status) -> NodeResult {
        NodeResult::new("id", name, kind, status)
    }

    #[test]
    fn the_bar_is_a_valid_template() {
        ProgressStyle::with_template(BAR).unwrap();
    }

    #[test]
    fn a_node_that_ended_says_rows_bytes_and_time() {
        let mut built = result("fact_listen", "incremental", Status::Success);
        built.rows = 4223;
        built.partitions = 20;
        built.bytes = 217_000;
        built.seconds = 0.123;
        let plain = Palette::plain();
        insta::assert_snapshot!(ended(&built.clone().saying("first run"), plain), @"      ok  incremental fact_listen  4,223 rows, 20 partitions, 211.9 KiB, 0.12s  (first run)");
        let mut landed = built.clone();
        landed.rejected = 2;
        insta::assert_snapshot!(ended(&landed, plain), @"      ok  incremental fact_listen  4,223 rows, 2 rejected, 20 partitions, 211.9 KiB, 0.12s");
        insta::assert_snapshot!(ended(&result("dim_song", "table", Status::Current), plain), @" current  table dim_song");
        let mut failed = result("unique_dim_song", "test", Status::Fail);
        failed.rows = 1;
        insta::assert_snapshot!(ended(&failed, plain), @"    fail  test unique_dim_song  1 failing row, 0.00s");
    }

    #[test]
    fn the_summary_says_what_failed_and_why() {
        let results = [
            result("a", "table", Status::Success),
            result("b", "table", Status::Error).saying("division by zero"),
            result("c", "table", Status::Skipped),
        ];
        insta::assert_snapshot!(summary(&results, &BTreeMap::new(), &[], Duration::from_millis(1500), Palette::plain()), @"

        what failed:
          table b
              division by zero
        failed in 1.50s: 1 built, 1 in error, 1 skipped
        ");
    }
}
