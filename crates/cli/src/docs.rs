//! docs: the project as one page, in a file or served.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::{DocsCommand, DocsGenerateArguments, DocsServeArguments, Global, Selecting};
use super::error::{shown, shown_problems};
use super::exit::Exit;
use super::terminal::{Palette, Terminal};
use mep_app::AppError;
use mep_app::query::register_all;
use mep_app::{Rendering, Workspace, runtime};
use mep_artifacts as artifacts;
use mep_contract::warehouse::Warehouse;
use mep_core::quantity::{bytes, plural};
use mep_core::secrets;
use mep_docs::{
    Chart, ChartError, ChartSpec, Holdings, Results, Site, SiteInputs, catalog, chart_specs, gather,
    live_page, page, read_chart, results, server,
};
use mep_graph::{Compiled, Node, NodeIndex};
use mep_lang::project::{Project, WarehouseConfig};

/// Writes the page, or serves it.
///
/// # Errors
/// All that is wrong with the project, and where the page cannot be written or served.
pub(super) fn docs(global: &Global, command: &DocsCommand) -> Result<Exit, AppError> {
    match command {
        DocsCommand::Generate(arguments) => generate(global, arguments),
        DocsCommand::Serve(arguments) => serve(global, arguments),
    }
}

fn generate(global: &Global, arguments: &DocsGenerateArguments) -> Result<Exit, AppError> {
    let workspace = super::opened(global, &arguments.selecting, "docs", Rendering::default())?;
    let Looked { site, catalog, compiled } =
        looked(&workspace, &arguments.selecting, arguments.no_warehouse)?;
    for notice in &site.notices {
        tracing::warn!("{notice}");
    }
    for (title, why) in site
        .charts
        .iter()
        .map(|placed| &placed.chart)
        .filter_map(|chart| Some((&chart.title, chart.failure()?)))
    {
        tracing::warn!("the chart `{title}` could not be drawn: {why}");
    }
    let page = page(&site);
    let path: PathBuf = match &arguments.output {
        Some(path) => path.clone(),
        None => workspace
            .project
            .artifact("docs/index.html")
            .map_err(|outside| AppError::io("writing the docs")(outside.into()))?,
    };
    artifacts::write_file(&path, page.as_bytes()).map_err(AppError::io("writing the docs"))?;
    let described = super::described(&workspace, &compiled);
    artifacts::write_manifest(described)
        .and_then(|()| artifacts::write_catalog(described, catalog))
        .map_err(AppError::io("writing the artifacts"))?;
    let terminal = Terminal::new(global.log_format, global.quiet);
    terminal.say(&format!(
        "wrote the docs of {} and {} to {} ({})",
        plural(site.nodes.len() as u64, "node"),
        plural(site.tests.len() as u64, "test"),
        path.display(),
        bytes(page.len() as u64)
    ));
    Ok(Exit::Success)
}

/// What is known once the warehouse was looked at.
struct Looked {
    site: Site,
    catalog: Json,
    compiled: Compiled,
}

/// What the page says, and the catalog.
fn looked(workspace: &Workspace, selecting: &Selecting, no_warehouse: bool) -> Result<Looked, AppError> {
    let nodes = workspace.select(selecting.selectors(), |node| !node.is_test())?;
    let specs = chart_specs(&workspace.project, &workspace.graph, &nodes)?;
    let nothing = |_: &Node| None;
    let compiled = if no_warehouse {
        workspace.compiler(&nothing).compile(&nodes)?
    } else {
        workspace.compile(&nodes)?
    };
    let warehouse = if no_warehouse { None } else { Some(workspace.warehouse()) };
    let holdings = match &warehouse {
        None => Holdings::Unknown { why: "it was called with --no-warehouse".to_owned() },
        Some(Err(error)) => Holdings::Unknown { why: error.to_string() },
        Some(Ok(warehouse)) => Holdings::read(warehouse.as_ref(), &workspace.graph, &nodes),
    };
    let mut notices = holdings.notices();
    let folder = workspace.project.root.join(&workspace.project.target_path);
    let results = results(&folder, &workspace.project.target.name).unwrap_or_else(|error| {
        notices.push(format!("the results of earlier runs are unknown: {error}"));
        Results::default()
    });
    let charts = match (&warehouse, &holdings) {
        (Some(Ok(warehouse)), Holdings::Known { .. }) => charts(workspace, &specs, warehouse)?,
        _ => Vec::new(),
    };
    let known = SiteInputs {
        project: &workspace.project,
        graph: &workspace.graph,
        compiled: &compiled,
        holdings: &holdings,
        results: &results,
    };
    let site = gather(known, &nodes, charts, notices);
    let catalog = catalog(known, &nodes, &site);
    Ok(Looked { site, catalog, compiled })
}

/// The charts, each with its values or with why it has none.
fn charts(
    workspace: &Workspace,
    specs: &[ChartSpec],
    warehouse: &Arc<dyn Warehouse>,
) -> Result<Vec<(NodeIndex, Chart)>, AppError> {
    if specs.is_empty() {
        return Ok(Vec::new());
    }
    let (engine, runtime) = (workspace.engine(warehouse)?, runtime()?);
    let registered = register_all(&workspace.graph, warehouse.as_ref(), &engine);
    let registered = registered.map_err(|error| ChartError::NoQuery(error.to_string()));
    let nothing = |_: &Node| None;
    let read = |spec: &ChartSpec| {
        let rendered = workspace.compiler(&nothing).query(&spec.sql);
        let rendered =
            rendered.map(|rendered| rendered.sql).map_err(|problem| ChartError::NoQuery(problem.to_string()));
        (spec.exposure, read_chart(spec, registered.clone().and(rendered), &engine, &runtime))
    };
    Ok(specs.iter().map(read).collect())
}

/// What is watched. Where the project is broken, its folders are not known, and the usual one is left out.
fn watched(root: PathBuf, project: Option<&Project>) -> server::Watched {
    let target = root.join(project.map_or(Path::new("target"), |project| &project.target_path));
    let mut without = vec![target.clone()];
    if let Some(WarehouseConfig::Local { path }) = project.map(|project| &project.target.warehouse) {
        without.push(root.join(path));
    }
    server::Watched { root, without, also: target.join("run_results.json") }
}

fn serve(global: &Global, arguments: &DocsServeArguments) -> Result<Exit, AppError> {
    let project = global.opening().folder()?;
    let root = std::path::absolute(&project).map_err(AppError::io("finding the project's folder"))?;
    let watched = watched(root, global.opening().project().ok().as_ref());
    let terminal = Terminal::new(global.log_format, global.quiet);
    let (owned, no_warehouse) = (global.clone(), arguments.no_warehouse);
    let make = move || {
        let made = Workspace::open(&owned.opening(), "docs", Rendering::default())
            .and_then(|workspace| looked(&workspace, &Selecting::default(), no_warehouse))
            .map(|looked| looked.site);
        let said = Terminal::new(owned.log_format, owned.quiet);
        match made {
            Ok(site) => {
                said.say(&format!("made the docs of {}", plural(site.nodes.len() as u64, "node")));
                Ok(live_page(Some(&site)))
            }
            Err(error) => {
                said.say(shown(&error, Palette::of_stderr()).trim_end());
                let shown = match &error {
                    AppError::Problems(problems) => shown_problems(problems, Palette::plain()),
                    other => other.to_string(),
                };
                Err(secrets::masked(&shown).into_owned())
            }
        }
    };
    let began = |address| terminal.say(&format!("the docs are at http://{address}; Ctrl-C ends this"));
    runtime()?.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).map_err(AppError::io("waiting for signals"))?;
        let served = server::serve(arguments.port, watched, live_page(None), Arc::new(make), began);
        tokio::select! {
            served = served => served.map_err(AppError::io(format!(
                "serving at 127.0.0.1:{}; another --port may be free", arguments.port
            ))),
            _ = tokio::signal::ctrl_c() => Ok(()),
            _ = terminated.recv() => Ok(()),
        }
    })?;
    Ok(Exit::Success)
}
