//! A plan: what is to be done with each node, in an order in which it can be done.

use super::batches::BatchPlan;
use super::landing::LandingPlan;
use super::partitions::{PartitionBuild, PartitionPlan};
use super::reason::Reason;
use mep_core::relation::Relation;
use mep_graph::NodeIndex;

/// What is to be done with a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It is as it should be.
    Current,
    /// Units of a source are landed.
    Land(LandingPlan),
    /// A seed is loaded.
    LoadSeed(Reason),
    /// A view is pointed at its SQL.
    CreateView(Reason),
    /// A table is built as a whole.
    BuildWhole(PartitionBuild),
    /// Some partitions are built, some taken away.
    BuildPartitions(PartitionPlan),
    /// The model's own increment is run.
    Increment,
    /// A snapshot is taken.
    Snapshot(PartitionBuild),
    /// The model is run for some batches, one after another.
    RunBatches(BatchPlan),
    /// What is to be done shows only once its inputs are built.
    AfterInputs,
    /// What its SQL is shows only once its inputs are built: it asks what they hold.
    AfterAnswers,
    /// It cannot be built: it reads tables that are not there and that this run does not make.
    Missing(Vec<Relation>),
    /// A test is run.
    Test,
}

impl Action {
    /// Whether carrying it out changes anything.
    pub fn changes_something(&self) -> bool {
        !matches!(self, Self::Current | Self::Test)
    }
}

/// One node's part of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The node's index in the graph.
    pub node: NodeIndex,
    /// What is to be done with it.
    pub action: Action,
}

/// What a run will do: a step for each selected node, each after those that it depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The step of a node.
    pub fn step(&self, node: NodeIndex) -> Option<&Step> {
        self.steps.iter().find(|step| step.node == node)
    }
}
