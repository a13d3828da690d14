//! What SQL reads is what the graph says that it reads.

use super::dag::Graph;
use super::node::{Node, NodeKind};
use mep_lang::jinja::Rendered;
use mep_lang::project::{Place, Problem};

/// Tells of a name that was asked for when the SQL was rendered, and not when the graph was made: the node would be
/// built too early, and be taken for up to date for ever.
///
/// # Errors
/// Where there is such a name.
pub(super) fn check(graph: &Graph, node: &Node, rendered: &Rendered) -> Result<(), Problem> {
    let needs = |is_it: &dyn Fn(&Node) -> bool| {
        let nodes = node.depends_on.iter().filter_map(|needed| graph.position(&needed.id));
        nodes.into_iter().any(|index| is_it(graph.node(index)))
    };
    for used in &rendered.refs {
        let is_it = |of: &Node| {
            let kinds =
                matches!(of.kind, NodeKind::Model { .. } | NodeKind::Seed { .. } | NodeKind::Snapshot { .. });
            kinds && of.reference_names().any(|name| name == used.name)
        };
        if !needs(&is_it) {
            let call = format!("ref('{}')", used.name);
            return Err(unknown(node, &call, &used.place));
        }
    }
    for used in &rendered.sources {
        let is_it = |of: &Node| {
            matches!(&of.kind, NodeKind::Source { source, .. } if *source == used.source)
                && of.name == used.table
        };
        if !needs(&is_it) {
            let call = format!("source('{}', '{}')", used.source, used.table);
            return Err(unknown(node, &call, &used.place));
        }
    }
    Ok(())
}

fn unknown(node: &Node, call: &str, place: &Place) -> Problem {
    let message = format!(
        "`{}` reads {call}, but did not when the graph was made: something in its Jinja has another value by now",
        node.name
    );
    let problem = Problem::new(message).at(place);
    problem.help(format!("declare it in a comment in the SQL: -- depends_on: {{{{ {call} }}}}"))
}
