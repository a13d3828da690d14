//! The sources of a run: each as its target connects it, and what of it is to be landed.

use std::collections::BTreeMap;
use std::sync::Arc;

use mep_contract::source::{LandingTable, Source, SourceError};
use mep_contract::warehouse::TableVersion;
use mep_core::relation::Relation;
use mep_graph::NodeIndex;
use mep_lang::project::MaxRejected;
use mep_plan::{Asked, LandingPlan, recorded};

/// A source table as the target connects it.
pub struct ConnectedSource {
    /// The node's index in the graph.
    pub node: NodeIndex,
    /// Where its rows go.
    pub table: LandingTable,
    /// Where its rows come from.
    pub source: Box<dyn Source>,
    /// How many of its rows may be rejected.
    pub max_rejected: Option<MaxRejected>,
}

/// What is to be landed of each source.
///
/// # Errors
/// Where a source cannot be asked what it holds.
pub fn plan_landings(
    sources: &[ConnectedSource],
    stored: &dyn Fn(&Relation) -> Option<Arc<TableVersion>>,
    asked: Asked<'_>,
) -> BTreeMap<NodeIndex, Result<LandingPlan, SourceError>> {
    // All at once: to ask takes the time that the answers are under way.
    let holdings: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = sources
            .iter()
            .map(|connected| {
                let landed = stored(&connected.table.raw);
                let recorded = recorded(landed.as_deref());
                (connected, landed, scope.spawn(move || connected.source.units(&recorded)))
            })
            .collect();
        let answers = asking.into_iter().map(|(connected, landed, asked)| {
            let answer = asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (connected, landed, answer)
        });
        answers.collect()
    });
    let plans = holdings.into_iter().map(|(connected, landed, holding)| {
        let plan = holding.map(|holding| {
            let fingerprint = connected.table.fingerprint();
            let mut plan = LandingPlan::new(holding, landed.as_deref(), &fingerprint, asked);
            let declared = connected.table.table_schema().ok();
            plan.reshapes =
                landed.is_some_and(|landed| declared.is_some_and(|schema| schema != landed.schema));
            plan
        });
        (connected.node, plan)
    });
    plans.collect()
}
