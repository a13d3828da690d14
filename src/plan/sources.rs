//! What the sources of a target hold, and what of it is to be landed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;

use super::landing::LandingPlan;
use crate::graph::{Compiled, Graph, Node, NodeKind};
use crate::project::{Problem, Problems, Project, SourceConnection, SourceTable};
use crate::relation::Relation;
use crate::source::files::{FilesSource, unread_folders as unread_folders_in};
use crate::source::simulated::SimulatedSource;
use crate::source::simulator;
use crate::source::{LandingTable, Source, SourceError};
use crate::warehouse::TableVersion;

/// A source table as the target connects it.
pub struct ConnectedSource {
    /// The node's index in the graph.
    pub node: usize,
    /// Where its rows go.
    pub table: LandingTable,
    /// Where its rows come from.
    pub source: Box<dyn Source>,
}

/// Connects the selected nodes that are sources.
///
/// # Errors
/// A problem for each that the target does not connect.
pub fn connect(
    project: &Project,
    graph: &Graph,
    compiled: &Compiled,
    nodes: impl IntoIterator<Item = usize>,
) -> Result<Vec<ConnectedSource>, Problems> {
    let mut connected = Vec::new();
    let mut problems = Problems::default();
    for index in nodes {
        let node = graph.node(index);
        let NodeKind::Source { index: of, .. } = &node.kind else { continue };
        let Some(table) = compiled.sources.get(&index) else { continue };
        match connect_one(project, &project.sources[*of], node, table) {
            Ok(source) => connected.push(ConnectedSource { node: index, table: table.clone(), source }),
            Err(problem) => problems.push(problem),
        }
    }
    problems.none_or(connected)
}

fn connect_one(
    project: &Project,
    declared: &SourceTable,
    node: &Node,
    table: &LandingTable,
) -> Result<Box<dyn Source>, Problem> {
    let target = &project.target;
    let Some(connection) = target.sources.get(&declared.source) else {
        let message =
            format!("the target `{}` does not say where the source `{}` is", target.name, declared.source);
        let problem = Problem::new(message).help(format!(
            "add it in profiles.yml, below `sources:` of `{}`: `{}: {{type: files, path: ...}}`",
            target.name, declared.source
        ));
        return Err(match &target.place {
            Some(place) => problem.at(place),
            None => problem,
        });
    };
    let at_table = |message: String| match &node.place {
        Some(place) => Problem::new(message).at(place),
        None => Problem::new(message),
    };
    match connection {
        SourceConnection::Files { path } => {
            let source = FilesSource::new(absolute(path), pattern(declared), table.schema.clone());
            Ok(Box::new(source.map_err(|error| at_table(error.to_string()))?))
        }
        SourceConnection::Simulator(config) => {
            let config = simulator::SimulatorConfig {
                seed: config.seed,
                start: config.start,
                days: config.days,
                users: config.users,
                growth: config.growth,
                attrition: config.attrition,
                duplicates: config.duplicates,
                mojibake: config.mojibake,
            };
            let source = SimulatedSource::new(config, &declared.name, &table.schema);
            Ok(Box::new(source.map_err(|error| at_table(error.to_string()))?))
        }
    }
}

/// For each place of files, the folders in it that no source table reads.
pub fn unread_folders(project: &Project) -> BTreeMap<PathBuf, Vec<String>> {
    let mut patterns: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for table in &project.sources {
        if let Some(SourceConnection::Files { path }) = project.target.sources.get(&table.source) {
            patterns.entry(absolute(path)).or_default().push(pattern(table));
        }
    }
    let unread = patterns.into_iter().filter_map(|(path, patterns)| {
        // Where the place cannot be listed, its tables say so.
        let folders = unread_folders_in(&path, &patterns).ok()?;
        (!folders.is_empty()).then_some((path, folders))
    });
    unread.collect()
}

fn pattern(table: &SourceTable) -> String {
    table.path.clone().unwrap_or_else(|| format!("{}/*", table.name))
}

/// A file's path is relative to where mep was called.
fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What is to be landed of each source, up to and including the logical date if there is one.
///
/// # Errors
/// Where a source cannot be asked what it holds.
pub fn plan_landings(
    sources: &[ConnectedSource],
    stored: &dyn Fn(&Relation) -> Option<TableVersion>,
    full_refresh: bool,
    until: Option<NaiveDate>,
) -> BTreeMap<usize, Result<LandingPlan, SourceError>> {
    let mut plans = BTreeMap::new();
    for connected in sources {
        let plan = connected.source.units().map(|units| {
            let landed = stored(&connected.table.raw);
            let fingerprint = connected.table.fingerprint();
            LandingPlan::new(units, landed.as_ref(), &fingerprint, full_refresh, until)
        });
        plans.insert(connected.node, plan);
    }
    plans
}
