//! debug: what is used, and whether it can be.

use super::arguments::Global;
use super::exit::Exit;
use super::terminal::Palette;
use mep_app::AppError;
use mep_app::connect::connect;
use mep_app::{Rendering, Workspace, cores};
use mep_core::quantity::plural;
use mep_graph::{NodeKind, NodeSet};
use mep_lang::project::SourceConnection;

/// Prints it.
///
/// # Errors
/// Where the project cannot be read.
pub(super) fn debug(global: &Global) -> Result<Exit, AppError> {
    let palette = Palette::of_stdout();
    let workspace = Workspace::open(&global.opening(), "debug", Rendering::default())?;
    let (project, target) = (&workspace.project, &workspace.project.target);
    let warehouse = workspace.warehouse()?;
    let mut text = format!(
        "mep        {}\nproject    {} in {}\nprofile    {}, target {}\nwarehouse  {} (schema {})\nthreads    {} at once on {}\n",
        env!("CARGO_PKG_VERSION"),
        project.name,
        project.root.display(),
        target.profile,
        target.name,
        warehouse.describe(),
        target.schema,
        plural(target.threads as u64, "node"),
        plural(cores() as u64, "core"),
    );
    for (name, connection) in &target.sources {
        let described = match connection {
            SourceConnection::Files { path, .. } => format!("files in {}", path.display()),
            SourceConnection::Kafka(config) => format!("kafka at {}", config.connection.place()),
            SourceConnection::Postgres(connection) => format!("postgres: {}", connection.place()),
            SourceConnection::Warehouse { schema: Some(schema) } => {
                format!("tables of the warehouse, in {schema}")
            }
            SourceConnection::Warehouse { schema: None } => "tables of the warehouse".to_owned(),
            SourceConnection::Simulator(config) => format!(
                "simulator, seed {}, {} from {}, {} users",
                config.seed,
                plural(u64::from(config.days), "day"),
                config.start,
                config.users
            ),
        };
        text.push_str(&format!("source     {name}: {described}\n"));
    }
    let mut all_well = true;
    let mut check = |what: &str, outcome: Result<String, String>| {
        all_well &= outcome.is_ok();
        let (mark, said) = match outcome {
            Ok(said) => (palette.good("ok"), said),
            Err(said) => (palette.bad("failed"), said),
        };
        text.push_str(&format!("{what:<10} {mark}  {said}\n"));
    };
    check(
        "lease",
        match workspace.lease(warehouse.as_ref()) {
            Ok(_) => Ok("the warehouse can be written".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    );
    check(
        "tables",
        match warehouse.relations() {
            Ok(relations) => Ok(format!("{} in the warehouse", relations.len())),
            Err(error) => Err(error.to_string()),
        },
    );
    let nodes: NodeSet = workspace
        .graph
        .indexed()
        .filter(|(_, node)| matches!(node.kind, NodeKind::Source { .. }))
        .map(|(index, _)| index)
        .collect();
    let compiled = workspace.compile(&nodes)?;
    match connect(project, &workspace.graph, &compiled, nodes) {
        Ok(sources) => {
            for connected in sources {
                let name = workspace.graph.node(connected.node).shown_name();
                check(
                    "read",
                    match connected.source.units(&[]) {
                        Ok(holding) => Ok(format!("{name}: {}", plural(holding.units.len() as u64, "unit"))),
                        Err(error) => Err(format!("{name}: {error}")),
                    },
                );
            }
        }
        Err(problems) => check("sources", Err(problems.to_string())),
    }
    super::print(&text)?;
    Ok(if all_well { Exit::Success } else { Exit::Failed })
}
