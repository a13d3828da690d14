//! Arguments that say which nodes a command is about, and which times.

use std::path::PathBuf;

use chrono::NaiveDateTime;
use clap::{Args, ValueEnum};
use mep_app::Selectors;
use mep_artifacts::DeferredTo;
use mep_core::time_range::TimeRange;
use mep_graph::{IndirectSelection, time_of};
use mep_lang::project::Problem;

/// Which nodes.
#[derive(Args, Clone, Debug, Default)]
pub struct Selecting {
    /// Nodes to take: names, globs, +parents, children+, tag:, path:, source: and more; a space joins, a comma intersects.
    ///
    /// Also @both, column:fact_listen.song_id+, file:, exposure:, package:, config.key:, resource_type: and test_type:.
    #[arg(long, short, value_name = "SELECTOR", num_args = 1.., action = clap::ArgAction::Append)]
    #[arg(visible_alias = "models", short_alias = 'm')]
    pub select: Vec<String>,
    /// Nodes to leave out.
    #[arg(long, value_name = "SELECTOR", num_args = 1.., action = clap::ArgAction::Append)]
    pub exclude: Vec<String>,
    /// A selector of selectors.yml, in place of --select and --exclude.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["select", "exclude"])]
    pub selector: Option<String>,
    /// Which tests come with what they test.
    #[arg(long, value_name = "WHICH", default_value = "eager", env = "DBT_INDIRECT_SELECTION")]
    pub indirect_selection: WhichTests,
    /// The folder with the artifacts of an earlier state, for state:, result: and source_status:.
    #[arg(long, value_name = "FOLDER", env = "DBT_STATE")]
    pub state: Option<PathBuf>,
    /// Read what is not selected, and not built in this target, where the manifest in --state says that it was built.
    #[arg(long, env = "DBT_DEFER")]
    pub defer: bool,
    /// With --defer: read it there even where it is built in this target too.
    #[arg(long, env = "DBT_FAVOR_STATE")]
    pub favor_state: bool,
    /// The folder with the manifest for --defer, where that is not the one of --state.
    #[arg(long, value_name = "FOLDER", env = "DBT_DEFER_STATE")]
    pub defer_state: Option<PathBuf>,
    /// Only nodes of these types: model, seed, snapshot, source, test, unit_test, exposure, semantic_model, metric, saved_query.
    #[arg(long, value_name = "TYPE", num_args = 1.., action = clap::ArgAction::Append)]
    #[arg(visible_alias = "resource-types")]
    pub resource_type: Vec<String>,
    /// Nodes of other types alone.
    #[arg(long, value_name = "TYPE", num_args = 1.., action = clap::ArgAction::Append)]
    #[arg(visible_alias = "exclude-resource-types")]
    pub exclude_resource_type: Vec<String>,
    /// These nodes alone, by unique id.
    #[arg(skip)]
    pub only: Option<Vec<String>>,
}

/// Which tests come with what they test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WhichTests {
    /// Those of which any input is selected.
    #[default]
    Eager,
    /// Those of which all inputs are.
    Cautious,
    /// Those of which all inputs are, or are needed by what is.
    Buildable,
    /// None that is not named.
    Empty,
}

impl From<WhichTests> for IndirectSelection {
    fn from(which: WhichTests) -> Self {
        match which {
            WhichTests::Eager => Self::Eager,
            WhichTests::Cautious => Self::Cautious,
            WhichTests::Buildable => Self::Buildable,
            WhichTests::Empty => Self::Empty,
        }
    }
}

impl Selecting {
    /// The earlier state that what is not selected is read from.
    pub fn deferred_to(&self) -> Option<DeferredTo> {
        let folder = self.defer_state.as_ref().or(self.state.as_ref()).filter(|_| self.defer)?;
        Some(DeferredTo { folder: folder.clone(), is_favored: self.favor_state })
    }

    /// In the words of the selector grammar.
    pub fn selectors(&self) -> Selectors<'_> {
        Selectors {
            select: &self.select,
            exclude: &self.exclude,
            selector: self.selector.as_deref(),
            indirect: self.indirect_selection.into(),
            types: &self.resource_type,
            other_types: &self.exclude_resource_type,
            only: self.only.as_deref(),
        }
    }
}

/// The event times that microbatch models are run for.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct EventTimes {
    /// Run microbatch models for the batches from this time on: a day, or a day and a time, in UTC.
    #[arg(long, value_name = "TIME", requires = "event_time_end", value_parser = parse_time)]
    #[arg(conflicts_with = "full_refresh")]
    pub event_time_start: Option<NaiveDateTime>,
    /// Run microbatch models for the batches before this time.
    #[arg(long, value_name = "TIME", requires = "event_time_start", value_parser = parse_time)]
    pub event_time_end: Option<NaiveDateTime>,
}

pub(super) fn parse_time(text: &str) -> Result<NaiveDateTime, String> {
    time_of(text).ok_or_else(|| {
        "expected a day or a time in UTC, such as 2018-11-01 or 2018-11-01T06:00:00".to_owned()
    })
}

impl EventTimes {
    /// The stretch between both, where the user named one.
    ///
    /// # Errors
    /// Where it is empty.
    pub fn range(self) -> Result<Option<TimeRange>, Problem> {
        let Some((begin, end)) = self.event_time_start.zip(self.event_time_end) else { return Ok(None) };
        if begin >= end {
            let problem = Problem::new("`--event-time-start` is not before `--event-time-end`");
            return Err(problem.help("the end is the first time that is left out"));
        }
        Ok(Some(TimeRange { begin, end }))
    }
}
