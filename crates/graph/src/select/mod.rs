//! The selector grammar: from words to nodes.
//!
//! `name`, `folder.*`, `+parents`, `children+`, `2+both+3`, `@with_parents_of_children`, `method:value`; a space joins, a
//! comma intersects. The grammar and the methods are dbt's, and so is which tests come with what they test.

mod beside;
mod columns;
mod criterion;
mod matching;
mod spec;
mod yaml;

use super::dag::Graph;
use super::node::NodeId;
use super::node_index::{NodeIndex, NodeSet};
use mep_lang::project::{Problem, nearest};

pub use beside::{Beside, StateWords};
pub use columns::LazyFlows;
pub use spec::IndirectSelection;
pub use yaml::NamedSelectors;

use criterion::{Criterion, Method};
use matching::{NamePattern, matches, source_name};
use spec::SelectorSpec;

/// What words selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Indices of nodes.
    pub nodes: NodeSet,
    /// Criteria that stand for no node, each with a near name where there is one.
    pub unmatched: Vec<(String, Option<String>)>,
}

/// What is wanted, and what the words of it may look at beside the graph.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Nodes to take; none: the named selector, else all.
    pub select: &'a [String],
    /// Nodes to leave out.
    pub exclude: &'a [String],
    /// A selector of `selectors.yml`, in place of `select` and `exclude`.
    pub selector: Option<&'a str>,
    /// Which tests come with what they test.
    pub indirect: IndirectSelection,
    /// The selectors of `selectors.yml`.
    pub named: Option<&'a NamedSelectors>,
    /// What earlier runs left.
    pub beside: Option<&'a Beside>,
    /// How columns come from one another, found out where it is asked.
    pub columns: Option<&'a LazyFlows<'a>>,
}

/// Nodes that are taken, and tests of them of which not all inputs are: whoever joins selections looks at these again.
#[derive(Clone, Debug, Default)]
struct SelectedSet {
    direct: NodeSet,
    indirect: NodeSet,
}

impl Graph {
    /// The nodes that `select` takes (all, where it is empty) without those that `exclude` takes. A test belongs to what
    /// it tests: it is taken with any of the nodes that it depends on.
    ///
    /// # Errors
    /// Where a word is not of the grammar.
    pub fn select(&self, select: &[String], exclude: &[String]) -> Result<Selection, Problem> {
        self.selected(Wanted { select, exclude, ..Wanted::default() })
    }

    /// The nodes that are asked for.
    ///
    /// # Errors
    /// Where a word is not of the grammar, asks for what is not known, or names a selector that there is not.
    pub fn selected(&self, asked: Wanted<'_>) -> Result<Selection, Problem> {
        let spec = SelectorSpec::of(asked)?;
        let mut unmatched = Vec::new();
        let taken = self.taken(&spec, asked, &mut unmatched)?;
        Ok(Selection { nodes: taken.direct, unmatched })
    }

    fn taken(
        &self,
        spec: &SelectorSpec,
        asked: Wanted<'_>,
        unmatched: &mut Vec<(String, Option<String>)>,
    ) -> Result<SelectedSet, Problem> {
        let (parts, indirect) = match spec {
            SelectorSpec::All => {
                let direct: NodeSet = self.indices().collect();
                return Ok(SelectedSet { indirect: NodeSet::new(), direct });
            }
            SelectorSpec::One { criterion, indirect, .. } if criterion.method == Method::Column => {
                return Ok(self.with_tests(columns::reached(self, criterion, asked.columns)?, *indirect));
            }
            SelectorSpec::One { criterion, written, indirect } => {
                let matched = self.matching(criterion, asked)?;
                if matched.is_empty() {
                    unmatched.push((written.clone(), self.near(criterion)));
                }
                return Ok(self.with_tests(self.reached(criterion, &matched), *indirect));
            }
            SelectorSpec::Union(parts, indirect) | SelectorSpec::Intersection(parts, indirect) => {
                (parts, *indirect)
            }
            SelectorSpec::Without(both, indirect) => (both, *indirect),
        };
        let taken: Vec<SelectedSet> =
            parts.iter().map(|part| self.taken(part, asked, unmatched)).collect::<Result<_, _>>()?;
        let direct = spec.combined(taken.iter().map(|one| one.direct.clone()));
        let all = spec.combined(taken.iter().map(|one| one.direct.union(&one.indirect).copied().collect()));
        Ok(SelectedSet { direct: self.joined(direct, &all, indirect), indirect: all })
    }

    fn matching(&self, criterion: &Criterion, asked: Wanted<'_>) -> Result<NodeSet, Problem> {
        if criterion.method == Method::Selector {
            let selection = self.selected(Wanted {
                select: &[],
                exclude: &[],
                selector: Some(&criterion.value),
                ..asked
            })?;
            return Ok(selection.nodes);
        }
        if let Some(found) = beside::matching(self, criterion, asked.beside)? {
            return Ok(found);
        }
        let pattern = NamePattern::new(&criterion.value)?;
        let is_one = |(_, node): &(NodeIndex, &super::node::Node)| matches(node, criterion, &pattern);
        Ok(self.indexed().filter(is_one).map(|(index, _)| index).collect())
    }

    fn reached(&self, criterion: &Criterion, matched: &NodeSet) -> NodeSet {
        let mut reached = matched.clone();
        if criterion.childrens_parents {
            reached.extend(self.ancestors(&self.descendants(matched, None), None));
        }
        if let Some(steps) = criterion.parents {
            reached.extend(self.ancestors(matched, steps.0));
        }
        if let Some(steps) = criterion.children {
            reached.extend(self.descendants(matched, steps.0));
        }
        reached
    }

    /// The nodes with those of their tests that come with them.
    fn with_tests(&self, nodes: NodeSet, indirect: IndirectSelection) -> SelectedSet {
        if indirect == IndirectSelection::Empty {
            return SelectedSet { direct: nodes, indirect: NodeSet::new() };
        }
        let known = self.known_to_tests(&nodes, indirect);
        let tests = nodes.iter().flat_map(|node| self.children(*node)).copied();
        let (mut direct, mut later) = (nodes.clone(), NodeSet::new());
        for test in tests.filter(|child| self.node(*child).is_test()) {
            if indirect == IndirectSelection::Eager || self.tested(test).all(|input| known.contains(&input)) {
                direct.insert(test);
            } else {
                later.insert(test);
            }
        }
        SelectedSet { direct, indirect: later }
    }

    /// A selection that was joined of others, with the tests all of whose inputs are in it by now.
    fn joined(&self, mut nodes: NodeSet, among: &NodeSet, indirect: IndirectSelection) -> NodeSet {
        if matches!(indirect, IndirectSelection::Eager | IndirectSelection::Empty) {
            return nodes;
        }
        let known = self.known_to_tests(&nodes, indirect);
        let is_whole = |test: &&NodeIndex| {
            self.node(**test).is_test() && self.tested(**test).all(|input| known.contains(&input))
        };
        let more: Vec<NodeIndex> = among.iter().filter(is_whole).copied().collect();
        nodes.extend(more);
        nodes
    }

    /// What a test may depend on to come with these nodes.
    fn known_to_tests(&self, nodes: &NodeSet, indirect: IndirectSelection) -> NodeSet {
        let mut known = nodes.clone();
        if indirect == IndirectSelection::Buildable {
            known.extend(self.ancestors(nodes, None));
            known.extend(
                self.indexed().filter(|(_, node)| source_name(node).is_some()).map(|(index, _)| index),
            );
        }
        known
    }

    /// What a test reads; of a source table that a node builds, the table alone.
    fn tested(&self, test: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        let inputs = self.parents(test);
        let builds_another = |input: &NodeIndex| {
            inputs.iter().any(|other| self.node(*other).is_filled() && self.parents(*other).contains(input))
        };
        inputs.iter().copied().filter(move |input| !builds_another(input))
    }

    fn near(&self, criterion: &Criterion) -> Option<String> {
        let nodes = self.nodes().iter().filter(|node| !node.is_test());
        let value = criterion.value.as_str();
        match criterion.method {
            Method::Fqn | Method::Name | Method::Unsaid => {
                nearest(value, nodes.map(|node| node.name.as_str())).map(str::to_owned)
            }
            Method::Tag => {
                let tags = self.nodes().iter().flat_map(|node| &node.config.tags);
                nearest(value, tags.map(String::as_str)).map(|near| format!("tag:{near}"))
            }
            Method::Source => {
                let names: Vec<String> = nodes.filter_map(source_name).collect();
                nearest(value, names.iter().map(String::as_str)).map(|near| format!("source:{near}"))
            }
            _ => None,
        }
    }
}

/// The id of a node by its name, for words that must mean one node.
pub fn named<'g>(graph: &'g Graph, name: &str) -> Option<&'g NodeId> {
    graph.nodes().iter().find(|node| node.name == name && node.relation.is_some()).map(|node| &node.id)
}
