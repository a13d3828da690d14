//! What every run and plan says of the rows of its sources that are rejected by now.

use std::fmt;

use serde::Serialize;

use mep_core::quantity::{count, plural};
use mep_graph::{Compiled, NodeSet};
use mep_plan::Rejects;
use mep_run::Session;

/// The rows of a source that are rejected by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceRejects {
    /// The source table, as it is shown.
    pub source: String,
    /// Rows that were read.
    pub read: u64,
    /// Those that are rejected.
    pub rejected: u64,
    /// The table that they are in.
    pub table: String,
}

impl SourceRejects {
    /// Those of the sources among these nodes and of those that the nodes descend from; none of which nothing is rejected.
    pub fn by_now(session: &Session<'_>, compiled: &Compiled, nodes: &NodeSet) -> Vec<Self> {
        let needed = session.graph.ancestors(nodes, None);
        let sources = needed.iter().filter_map(|index| Some((*index, compiled.sources.get(index)?)));
        let rejected = sources.filter_map(|(index, table)| {
            let Rejects { read, rejected } = Rejects::of(session.stored(&table.raw)?.as_ref());
            let source = session.graph.node(index).shown_name();
            (rejected > 0).then(|| Self { source, read, rejected, table: table.rejects.to_string() })
        });
        rejected.collect()
    }
}

impl fmt::Display for SourceRejects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, read, rejected, table } = self;
        let (rejected, read) = (count(*rejected), plural(*read, "row"));
        write!(f, "{source}: {rejected} of {read} by now, in {table}")
    }
}
