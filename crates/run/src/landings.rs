//! Landing all selected sources, before anything is built from them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::carry_out::{NOT_BEGUN, presentation};
use super::event::{Event, NodeResult, Status};
use super::landing::{Landing, LandingError};
use super::rejects::TooManyRejected;
use super::session::Session;
use super::sources::ConnectedSource;
use mep_contract::source::{SourceError, Unit};
use mep_contract::warehouse::TableVersion;
use mep_core::interrupt;
use mep_graph::{NodeIndex, NodeSet};
use mep_plan::rejects::{Rejects, is_past};
use mep_plan::{LandingPlan, LandingReason, ShortUnit};

/// What came of the landings.
#[derive(Debug, Default)]
pub struct Landings {
    /// A result for each source.
    pub results: Vec<NodeResult>,
    /// The nodes whose landing failed.
    pub failed: NodeSet,
}

impl Session<'_> {
    /// Lands what the plans say, one source after another, each with all threads.
    pub fn land(
        &self,
        sources: &[ConnectedSource],
        mut plans: BTreeMap<NodeIndex, Result<LandingPlan, SourceError>>,
    ) -> Landings {
        let mut landings = Landings::default();
        for connected in sources {
            let began = Instant::now();
            if interrupt::is_requested() {
                landings.failed.insert(connected.node);
                let node = self.graph.node(connected.node);
                let (name, kind) = (node.shown_name(), node.shown_kind());
                let result = NodeResult::new(node.id.as_str(), &name, kind, Status::Skipped);
                let result = result.saying(NOT_BEGUN);
                self.reporter.report(Event::Ended(&result));
                landings.results.push(result);
                continue;
            }
            let Some(plan) = plans.remove(&connected.node) else { continue };
            let node = self.graph.node(connected.node);
            let (name, kind) = (node.shown_name(), node.shown_kind());
            let result = NodeResult::new(node.id.as_str(), &name, kind, Status::Success);
            let ended = match plan.map_err(LandingError::from) {
                Ok(plan) => {
                    self.tell(&name, &plan);
                    let stored = self.stored(&connected.table.raw);
                    if let Some(stored) = stored.filter(|_| plan.is_nothing()) {
                        unchanged(connected, &stored)
                            .map(|()| NodeResult { status: Status::Current, ..result.clone() })
                    } else {
                        self.reporter.report(Event::Started { name: &name, kind });
                        self.land_one(connected, &plan, result.clone())
                    }
                }
                Err(error) => Err(error),
            };
            let ended = ended.unwrap_or_else(|error| {
                landings.failed.insert(connected.node);
                let is_interrupted = matches!(error, LandingError::Interrupted);
                let status = if is_interrupted { Status::Interrupted } else { Status::Error };
                NodeResult { status, ..result }.saying(error.to_string())
            });
            let mut ended = ended.in_time(began.elapsed());
            let stored = self.stored(&connected.table.raw);
            ended.rejected_by_now = stored.map_or(0, |stored| Rejects::of(&stored).rejected);
            self.reporter.report(Event::Ended(&ended));
            landings.results.push(ended);
            if self.options.fail_fast && !landings.failed.is_empty() {
                break;
            }
        }
        landings
    }

    /// Tells what the user should know of a source before it is landed.
    fn tell(&self, name: &str, plan: &LandingPlan) {
        for warning in &plan.warnings {
            self.reporter.report(Event::Warning(&format!("{name}: {warning}")));
        }
        for note in plan.kept_notes(self.options.full_refresh) {
            self.reporter.report(Event::Warning(&format!("{name}: {note}")));
        }
        if plan.vanished.is_empty() {
            return;
        }
        let shown: Vec<&str> = plan.vanished.iter().take(3).map(String::as_str).collect();
        let more = plan.vanished.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        self.reporter.report(Event::Warning(&format!(
            "{name} no longer has {}{more}; the rows that came from there are kept",
            shown.join(", ")
        )));
    }

    fn land_one(
        &self,
        connected: &ConnectedSource,
        plan: &LandingPlan,
        mut result: NodeResult,
    ) -> Result<NodeResult, LandingError> {
        let to_land: Vec<Unit> = plan.land.iter().map(|(unit, _)| unit.clone()).collect();
        let name = result.name.clone();
        let node = self.graph.node(connected.node);
        let presentation = presentation(node);
        let landed = self.stored(&connected.table.raw);
        let landing = Landing {
            landed: landed.as_deref(),
            warehouse: self.warehouse,
            table: &connected.table,
            source: connected.source.as_ref(),
            units: &to_land,
            declared: &node.columns,
            presentation: &presentation,
            run: self.run,
            until: self.options.until,
            max_rejected: connected.max_rejected,
            threads: self.options.cores,
            progress: &|rows| self.reporter.report(Event::Rows { name: &name, rows }),
        };
        let (landed, table, warnings) = landing.land()?;
        for warning in warnings {
            self.reporter.report(Event::Warning(&format!("{name}: {warning}")));
        }
        self.published(&connected.table.raw, Arc::new(table))
            .map_err(|error| LandingError::Unreadable(error.to_string()))?;
        result.rows = landed.landed;
        result.rejected = landed.rejected;
        result.bytes = landed.bytes;
        result.partitions = landed.units;
        if landed.rejected > 0 {
            self.reporter.report(Event::Warning(&format!(
                "{name}: {} of {} rows could not be read; they are in {} with {} and reason",
                landed.rejected,
                landed.read,
                connected.table.rejects,
                connected.source.place_of_a_row()
            )));
        }
        for told in ShortUnit::told(&landed.short) {
            self.reporter.report(Event::Warning(&format!("{name}: {told}")));
        }
        let mut why = why(&plan.clone().without(landed.short.clone()));
        if landed.withheld > 0 {
            why.push_str(&format!("; {} rows of later days wait", landed.withheld));
        }
        Ok(result.saying(why))
    }
}

/// That nothing is to be landed, unless the table has more rejected rows than may be.
fn unchanged(connected: &ConnectedSource, stored: &TableVersion) -> Result<(), LandingError> {
    let all = Rejects::of(stored);
    match connected.max_rejected {
        Some(limit) if is_past(limit, Rejects::default(), all) => {
            Err(TooManyRejected::stored(limit, all, &connected.table.rejects).into())
        }
        _ => Ok(()),
    }
}

/// Why units are landed, with how many.
pub fn why(plan: &LandingPlan) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in &plan.land {
        let word = match reason {
            LandingReason::New => "new",
            LandingReason::Changed => "changed",
            LandingReason::SchemaChanged => "read with another schema",
            LandingReason::OtherSchemas => "read with other schemas of its messages",
            LandingReason::Rejected => "with rejected rows to try again",
            LandingReason::FullRefresh => "full refresh",
        };
        *counts.entry(word).or_default() += 1;
    }
    let mut parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if !plan.short.is_empty() {
        parts.push(format!("{} kept as landed, since the source has fewer of its rows", plan.short.len()));
    }
    if parts.is_empty() { "nothing there yet".to_owned() } else { parts.join(", ") }
}
