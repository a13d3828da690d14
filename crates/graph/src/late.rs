//! What has to hold of texts that ask for rows: all that a plan needs is known before they are rendered.

use std::collections::BTreeSet;

use super::attached_tests::tested_relation;
use super::config::{Materialization, OnCodeChange, PublishWhen};
use super::dag::Graph;
use super::node::Node;
use super::node_index::NodeIndex;
use mep_core::relation::Relation;
use mep_lang::jinja::Rendered;
use mep_lang::project::{Place, Problem};

/// The relations that a node reads, by way of ephemeral models too.
pub(super) fn inputs(graph: &Graph, index: NodeIndex) -> BTreeSet<Relation> {
    let mut found = BTreeSet::new();
    let mut open: Vec<NodeIndex> = graph.parents(index).to_vec();
    while let Some(parent) = open.pop() {
        let node = graph.node(parent);
        if found.insert(tested_relation(node)) && node.config.materialized() == Materialization::Ephemeral {
            open.extend(graph.parents(parent));
        }
    }
    found
}

/// # Errors
/// Where a node can be none whose SQL depends on what its inputs hold. `asks`: it is the one that asks, and reads none that does.
pub(super) fn check(graph: &Graph, index: NodeIndex, asks: bool) -> Result<(), Problem> {
    let node = graph.node(index);
    let at = |problem: Problem, key: Option<&str>| {
        let place = key.and_then(|key| node.config.places.get(key)).or(node.place.as_ref());
        match place {
            Some(place) => problem.at(place),
            None => problem,
        }
    };
    if node.config.materialized() == Materialization::Streaming {
        let message = format!(
            "the SQL of the streaming model `{}` depends on what tables hold, and a stream's SQL stays as it is",
            node.name
        );
        return Err(at(Problem::new(message).help("write the values out"), Some("materialized")));
    }
    if asks && node.config.model().on_code_change == OnCodeChange::Keep {
        let message = format!(
            "`{}` asks for rows while it is rendered, and keeps what other SQL of it built: rows of its inputs could change \
             without a trace",
            node.name
        );
        let problem = Problem::new(message).help("take `on_code_change` away, or write the values out");
        return Err(at(problem, Some("on_code_change")));
    }
    let before = graph.parents(index).iter().map(|parent| graph.node(*parent));
    if asks
        && node.is_test()
        && let Some(tested) =
            before.into_iter().find(|of| of.config.model().publish == PublishWhen::AfterTests)
    {
        let message = format!(
            "the test `{}` asks for rows while it is rendered, and `{}` is published after its tests: its rows cannot be \
             asked for before that",
            node.name, tested.name
        );
        let problem = Problem::new(message).help("publish it at once, or write the values out");
        return Err(at(problem, None));
    }
    Ok(())
}

/// # Errors
/// Where a text that asks reads what the graph does not know as its input.
pub(super) fn check_reads(
    graph: &Graph,
    index: NodeIndex,
    reads: &[Relation],
    start: &Place,
) -> Result<(), Problem> {
    let inputs = inputs(graph, index);
    let own = tested_relation(graph.node(index));
    let Some(read) = reads.iter().find(|read| !inputs.contains(read) && **read != own) else {
        return Ok(());
    };
    let known = graph.nodes().iter().find(|node| node.relation.as_ref() == Some(read));
    let help = match known {
        Some(node) => {
            format!("declare it in a comment in the SQL: -- depends_on: {{{{ ref('{}') }}}}", node.name)
        }
        None => "name it by ref() or source()".to_owned(),
    };
    Err(Problem::new(format!("`{}` reads {read}, which is no input of it", graph.node(index).name))
        .at(start)
        .help(help))
}

/// # Errors
/// Where a text that asks says another config than it did before there was an answer.
pub(super) fn check_config(node: &Node, rendered: &Rendered) -> Result<(), Problem> {
    // These of all places add up; and a hook is called, and makes no table.
    const ADD_UP: [&str; 5] = ["tags", "pre_hook", "pre-hook", "post_hook", "post-hook"];
    let said = rendered.config.iter().filter(|(key, _)| !ADD_UP.contains(&key.as_str()));
    for (key, said) in said {
        if node.config.raw.get(key) != Some(&said.value) {
            let message = format!("the config `{key}` depends on what is asked of data");
            let problem = Problem::new(message).at(&said.place);
            return Err(problem.help("config is read before anything is built: say it outside of the `if`"));
        }
    }
    Ok(())
}
