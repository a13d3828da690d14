//! `column:node.column`: the node, and with `+` those that the column reaches or comes from.

use std::cell::OnceCell;
use std::fmt;

use super::super::column_flows::{ColumnFlows, Towards};
use super::super::dag::Graph;
use super::super::node_index::NodeSet;
use super::criterion::Criterion;
use mep_lang::project::{Problem, Problems};

/// How columns come from one another, which takes a compilation, and is found out once, where a selection asks.
pub struct LazyFlows<'a> {
    find: &'a dyn Fn() -> Result<ColumnFlows, Problems>,
    found: OnceCell<Result<ColumnFlows, Problems>>,
}

impl<'a> LazyFlows<'a> {
    /// What `find` finds.
    pub fn new(find: &'a dyn Fn() -> Result<ColumnFlows, Problems>) -> Self {
        Self { find, found: OnceCell::new() }
    }
}

impl fmt::Debug for LazyFlows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyFlows").field("found", &self.found).finish_non_exhaustive()
    }
}

/// The nodes that a criterion takes.
///
/// # Errors
/// Where there is no such column, or what is written does not compile.
pub(super) fn reached(
    graph: &Graph,
    criterion: &Criterion,
    columns: Option<&LazyFlows<'_>>,
) -> Result<NodeSet, Problem> {
    let asked = format!("the selector `column:{}`", criterion.value);
    let Some(columns) = columns else {
        return Err(Problem::new(format!("{asked} has no place here: nothing is compiled yet")));
    };
    let flows = columns.found.get_or_init(columns.find).as_ref();
    let flows = flows.map_err(|problems| {
        let first = problems.iter().next().map(ToString::to_string).unwrap_or_default();
        let problem = Problem::new(format!("{asked} needs a project that compiles: {first}"));
        problem.help("see all that is wrong with: mep compile")
    })?;
    let column = flows.column(graph, &criterion.value)?;
    let mut nodes = NodeSet::from([column.0]);
    if let Some(steps) = criterion.parents {
        nodes.extend(flows.nodes(graph, &column, Towards::Origins, steps.0));
    }
    if let Some(steps) = criterion.children {
        nodes.extend(flows.nodes(graph, &column, Towards::Uses, steps.0));
    }
    if criterion.childrens_parents {
        let uses = flows.nodes(graph, &column, Towards::Uses, None);
        nodes.extend(graph.ancestors(&uses, None));
    }
    Ok(nodes)
}
