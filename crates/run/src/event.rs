//! What happens during a run, told as it happens, and what came of each node.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mep_core::os_error::plain;
use serde::Serialize;

use super::serving::ServedRowCounts;
use mep_graph::Graph;
use mep_plan::{Action, Plan};

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was built, landed or loaded.
    Success,
    /// It is as it should be: nothing was done.
    Current,
    /// A test found nothing wrong.
    Pass,
    /// A test found something, and its severity is `warn`.
    Warn,
    /// A test found something.
    Fail,
    /// It could not be built or tested.
    Error,
    /// It was not begun, because of another node.
    Skipped,
    /// The run was asked to end while it was under way.
    Interrupted,
}

impl Status {
    /// Whether the run as a whole counts as failed because of it.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Fail | Self::Error | Self::Skipped | Self::Interrupted)
    }

    /// Its word for programs, as it is written in JSON.
    pub fn word(self) -> String {
        let word = serde_json::to_value(self).ok();
        word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// What came of a node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeResult {
    /// The node's unique id.
    pub unique_id: String,
    /// The name that the terminal shows.
    pub name: String,
    /// `view`, `table`, `incremental`, `source`, `seed`, `test`.
    pub kind: String,
    /// How it ended.
    pub status: Status,
    /// Rows that were written; for a test, the rows that failed it.
    pub rows: u64,
    /// Rows of a source that could not be read.
    pub rejected: u64,
    /// Rows of a source that are rejected by now, those of earlier runs among them.
    pub rejected_by_now: u64,
    /// Bytes of the new files.
    pub bytes: u64,
    /// Partitions that were written or removed.
    pub partitions: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// When it ended, where it was begun.
    #[serde(skip)]
    pub ended: Option<DateTime<Utc>>,
    /// Why it was done, or why it failed.
    pub message: Option<String>,
    /// What was brought where its rows are served by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<ServedRowCounts>,
    /// Whether its table in the warehouse is as it should be though it failed: what reads it goes on.
    #[serde(skip)]
    pub stands: bool,
}

impl NodeResult {
    /// A result of which nothing but the name and the status is known.
    pub fn new(unique_id: &str, name: &str, kind: &str, status: Status) -> Self {
        Self {
            unique_id: unique_id.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            status,
            rows: 0,
            rejected: 0,
            rejected_by_now: 0,
            bytes: 0,
            partitions: 0,
            seconds: 0.0,
            ended: None,
            message: None,
            served: None,
            stands: false,
        }
    }

    /// The same with the time that it took: it has just ended.
    #[must_use]
    pub fn in_time(mut self, elapsed: Duration) -> Self {
        self.ended = Some(Utc::now());
        self.seconds = elapsed.as_secs_f64();
        self
    }

    /// Whether what reads it is left out because of it.
    pub fn cuts_off(&self) -> bool {
        matches!(self.status, Status::Error | Status::Fail | Status::Interrupted) && !self.stands
    }

    /// The same with a message.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = Some(plain(&message.into()).into_owned());
        self
    }
}

/// What is ahead, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanCounts {
    /// How many nodes of each kind have something to be done.
    pub steps: BTreeMap<&'static str, usize>,
    /// How many partitions are built or removed.
    pub partitions: usize,
    /// How many nodes are current.
    pub current: usize,
}

impl PlanCounts {
    /// Those of a plan; tests are not counted.
    pub fn of(graph: &Graph, plan: &Plan) -> Self {
        let mut counts = Self::default();
        for step in &plan.steps {
            match &step.action {
                Action::Test => continue,
                Action::Current => {
                    counts.current += 1;
                    continue;
                }
                Action::BuildPartitions(plan) => counts.partitions += plan.build.len() + plan.remove.len(),
                _ => {}
            }
            *counts.steps.entry(graph.node(step.node).shown_kind()).or_default() += 1;
        }
        counts
    }
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// So many nodes are ahead.
    Began {
        /// How many.
        nodes: usize,
    },
    /// The plan is made, of all that is no source.
    Planned(&'a PlanCounts),
    /// A node was begun.
    Started {
        /// Its name.
        name: &'a str,
        /// Its kind.
        kind: &'a str,
    },
    /// A node has come on by so many rows.
    Rows {
        /// Its name.
        name: &'a str,
        /// How many more.
        rows: u64,
    },
    /// A node has ended.
    Ended(&'a NodeResult),
    /// Another run holds the warehouse, and is waited for.
    Waiting {
        /// Who holds it, where that is known.
        holder: Option<&'a str>,
        /// For how long at most.
        seconds: u64,
    },
    /// Something that the user should know.
    Warning(&'a str),
}

/// Is told what happens.
pub trait Reporter: Sync {
    /// Takes note of an event. Called from several threads.
    fn report(&self, event: Event<'_>);
}

/// Tells nobody.
pub struct SilentReporter;

impl Reporter for SilentReporter {
    fn report(&self, _: Event<'_>) {}
}
