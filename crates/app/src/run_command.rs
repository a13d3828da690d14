//! What run, build, test, seed and snapshot each work on.

use mep_graph::{Materialization, Node, NodeKind};

/// Which of the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunCommand {
    /// Sources, seeds and models.
    Run,
    /// The same with snapshots and tests.
    Build,
    /// Tests.
    Test,
    /// Seeds.
    Seed,
    /// Snapshots, and the sources that they are taken of.
    Snapshot,
}

impl RunCommand {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Run, Self::Build, Self::Test, Self::Seed, Self::Snapshot];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Build => "build",
            Self::Test => "test",
            Self::Seed => "seed",
            Self::Snapshot => "snapshot",
        }
    }

    /// Whether the command works on a node.
    pub fn works_on(self, node: &Node) -> bool {
        let builds = matches!(self, Self::Run | Self::Build);
        match node.kind {
            NodeKind::Model { .. } => builds && node.config.materialized() != Materialization::Ephemeral,
            NodeKind::Source { .. } => builds || self == Self::Snapshot,
            NodeKind::Snapshot { .. } => matches!(self, Self::Build | Self::Snapshot),
            NodeKind::Seed { .. } => builds || self == Self::Seed,
            NodeKind::Test(_) => matches!(self, Self::Build | Self::Test),
            NodeKind::Semantic(_) | NodeKind::Exposure { .. } => false,
        }
    }
}
