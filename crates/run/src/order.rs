//! Which steps a step must wait for.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;

use mep_graph::{Graph, NodeIndex, NodeMap, NodeSet, PublishWhen};
use mep_plan::Plan;

/// For each step, the steps that it must wait for: the nearest ones that its node needs, by way of nodes that the plan
/// leaves out, and the tests of all that it needs. What those wait for is not named again.
pub(super) fn dependencies(graph: &Graph, plan: &Plan) -> Vec<Vec<usize>> {
    let above = ancestors(graph);
    let mut step_of: NodeMap<Option<usize>> = graph.map(|_| None);
    for (index, step) in plan.steps.iter().enumerate() {
        step_of[step.node] = Some(index);
    }
    let tests: Vec<(usize, &[NodeIndex])> = plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| graph.node(step.node).is_test() && !graph.node(step.node).is_unit_test())
        .map(|(index, step)| (index, graph.parents(step.node)))
        .collect();
    let mut needs: Vec<Vec<usize>> = plan
        .steps
        .iter()
        .map(|step| {
            if graph.node(step.node).is_unit_test() {
                return Vec::new();
            }
            let nearest = nearest(graph, step.node, &step_of);
            let mut needs: Vec<usize> = nearest.iter().filter_map(|node| step_of[*node]).collect();
            if !graph.node(step.node).is_test() {
                let is_above = |tested: &[NodeIndex], node: NodeIndex| {
                    tested.iter().all(|one| above[node].contains(one.position()))
                };
                let of_inputs = tests.iter().filter(|(_, tested)| {
                    is_above(tested, step.node) && !nearest.iter().any(|node| is_above(tested, *node))
                });
                needs.extend(of_inputs.map(|(index, _)| *index));
                // A model is built once it has passed its unit tests.
                let own = graph.children(step.node).iter().filter(|child| graph.node(**child).is_unit_test());
                needs.extend(own.filter_map(|test| step_of[*test]));
            }
            needs
        })
        .collect();
    add_needs_of_tests(graph, plan, &step_of, &mut needs);
    needs
}

/// What is published after its tests waits for the other tables that these read, as far as none of those waits for it.
fn add_needs_of_tests(
    graph: &Graph,
    plan: &Plan,
    step_of: &NodeMap<Option<usize>>,
    needs: &mut [Vec<usize>],
) {
    for (index, step) in plan.steps.iter().enumerate() {
        if graph.node(step.node).config.model().publish != PublishWhen::AfterTests {
            continue;
        }
        let read: NodeSet = graph
            .own_tests(step.node)
            .into_iter()
            .flat_map(|test| graph.parents(test))
            .copied()
            .filter(|parent| *parent != step.node)
            .collect();
        let direct = read.iter().filter_map(|node| step_of[*node]);
        let through = read.iter().filter(|node| step_of[**node].is_none());
        let through = through.flat_map(|node| nearest(graph, *node, step_of));
        let wanted: BTreeSet<usize> = direct.chain(through.filter_map(|node| step_of[node])).collect();
        for other in wanted {
            if !needs[index].contains(&other) && !reaches(needs, other, index) {
                needs[index].push(other);
            }
        }
    }
}

/// Whether a step waits for another one, near or far.
fn reaches(needs: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(step) = open.pop() {
        if step == to {
            return true;
        }
        open.extend(needs[step].iter().copied().filter(|next| seen.insert(*next)));
    }
    false
}

/// For each node, all that it depends on, near and far.
fn ancestors(graph: &Graph) -> NodeMap<FixedBitSet> {
    let mut above = graph.map(|_| FixedBitSet::with_capacity(graph.nodes().len()));
    for index in graph.indices() {
        let mut own = std::mem::take(&mut above[index]);
        for parent in graph.parents(index) {
            own.union_with(&above[*parent]);
            own.insert(parent.position());
        }
        above[index] = own;
    }
    above
}

/// The nearest nodes above that have a step.
fn nearest(graph: &Graph, node: NodeIndex, step_of: &NodeMap<Option<usize>>) -> NodeSet {
    let mut found = NodeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<NodeIndex> = graph.parents(node).to_vec();
    while let Some(parent) = open.pop() {
        if step_of[parent].is_some() {
            found.insert(parent);
        } else if seen.insert(parent) {
            open.extend(graph.parents(parent));
        }
    }
    found
}
