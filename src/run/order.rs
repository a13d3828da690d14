//! Which steps a step must wait for.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;

use crate::graph::Graph;
use crate::plan::Plan;

/// For each step, the steps that it must wait for: the nearest ones that its node needs, by way of nodes that the plan
/// leaves out, and the tests of all that it needs. What those wait for is not named again.
pub(super) fn dependencies(graph: &Graph, plan: &Plan) -> Vec<Vec<usize>> {
    let count = graph.nodes().len();
    let above = ancestors(graph);
    let mut step_of: Vec<Option<usize>> = vec![None; count];
    for (index, step) in plan.steps.iter().enumerate() {
        step_of[step.node] = Some(index);
    }
    let tests: Vec<(usize, &[usize])> = plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| graph.node(step.node).is_test())
        .map(|(index, step)| (index, graph.parents(step.node)))
        .collect();
    plan.steps
        .iter()
        .map(|step| {
            let nearest = nearest(graph, step.node, &step_of);
            let mut needs: Vec<usize> = nearest.iter().filter_map(|node| step_of[*node]).collect();
            if !graph.node(step.node).is_test() {
                let is_above =
                    |tested: &[usize], node: usize| tested.iter().all(|one| above[node].contains(*one));
                let of_inputs = tests.iter().filter(|(_, tested)| {
                    is_above(tested, step.node) && !nearest.iter().any(|node| is_above(tested, *node))
                });
                needs.extend(of_inputs.map(|(index, _)| *index));
            }
            needs
        })
        .collect()
}

/// For each node, all that it depends on, near and far.
fn ancestors(graph: &Graph) -> Vec<FixedBitSet> {
    let count = graph.nodes().len();
    let mut above: Vec<FixedBitSet> = Vec::with_capacity(count);
    for index in 0..count {
        let mut own = FixedBitSet::with_capacity(count);
        for parent in graph.parents(index) {
            own.union_with(&above[*parent]);
            own.insert(*parent);
        }
        above.push(own);
    }
    above
}

/// The nearest nodes above that have a step.
fn nearest(graph: &Graph, node: usize, step_of: &[Option<usize>]) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = graph.parents(node).to_vec();
    while let Some(parent) = open.pop() {
        if step_of[parent].is_some() {
            found.insert(parent);
        } else if seen.insert(parent) {
            open.extend(graph.parents(parent));
        }
    }
    found
}
