//! stream: streaming models, kept in step with their sources; and how streams are shown, for run too.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::arguments::{Global, StreamArguments};
use super::exit::Exit;
use super::stream_metrics;
use super::stream_view::StreamView;
use super::terminal::Terminal;
use mep_app::streams::{CATCHING_UP, Streams};
use mep_app::{AppError, Rendering, cores, is_streaming, runtime};
use mep_core::quantity::{count, plural};
use mep_stream::{Counts, JobOptions, Until};

/// How long the ends of threads are waited for once the streams have ended.
const LAST_THREADS: Duration = Duration::from_millis(500);

/// Streams until told to stop.
///
/// # Errors
/// Where the streams cannot begin, or one of them ends early.
pub(super) fn stream(global: &Global, arguments: &StreamArguments) -> Result<Exit, AppError> {
    let rendering = Rendering { full_refresh: arguments.full_refresh, date: None };
    let workspace = super::opened_as(&global.opening_in_part(), &arguments.selecting, "stream", rendering)?;
    let nodes = workspace.select(arguments.selecting.selectors(), is_streaming)?;
    let compiled = workspace.compile(&nodes)?;
    let options = JobOptions {
        interval: Duration::from_secs(arguments.interval),
        interval_behind: CATCHING_UP,
        idle_after: Duration::from_secs(arguments.idle_after),
        threads: cores(),
        until: Until::Stopped,
        anew: arguments.full_refresh,
        refresh_after: Duration::from_secs(arguments.refresh_after),
        stands_by: arguments.wait,
    };
    let terminal = Terminal::new(global.log_format, global.quiet);
    let streams = Streams { workspace: &workspace, compiled: &compiled, nodes: &nodes };
    let speed = Some(arguments.speed).filter(|speed| *speed > 0.0);
    shown_run(&streams, options, speed, arguments.metrics, &terminal)?;
    Ok(Exit::Success)
}

/// Carries streams on, shows how far they are, and says at the end what became of the events.
///
/// # Errors
/// Where the streams cannot begin, or one of them ends early: the others are ended, too.
pub(super) fn shown_run(
    streams: &Streams<'_>,
    options: JobOptions,
    speed: Option<f64>,
    metrics: Option<SocketAddr>,
    terminal: &Terminal,
) -> Result<BTreeMap<String, Counts>, AppError> {
    let connected = streams.connect(speed)?;
    for job in &connected.jobs {
        let names: Vec<&str> = job.models.iter().map(|model| model.spec.name.as_str()).collect();
        let place = job.models.first().map(|model| model.sink.describe()).unwrap_or_default();
        terminal.say(&format!("{} into {place}: {}", job.source.describe(), names.join(", ")));
    }
    terminal.end();
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        if let Some(address) = metrics {
            let listening = stream_metrics::serve(address, connected.progress.clone()).await;
            let address = listening.map_err(AppError::io(format!("listening on {address}")))?;
            terminal.say(&format!("metrics at http://{address}/metrics"));
        }
        let told_to_end = told_to_end()?;
        let view = StreamView::start(connected.progress.clone(), terminal.is_live());
        let outcome = connected.carry_on(options, told_to_end).await;
        view.end();
        outcome
    });
    let counts = connected.counts();
    let early = connected.progress.now().early;
    drop(connected);
    // A thread may still wait for a server that does not answer, and has nothing to do any more.
    if let Some(runtime) = Arc::into_inner(runtime) {
        runtime.shutdown_timeout(LAST_THREADS);
    }
    for (model, counts) in &counts {
        let line = format!(
            "{model}: read {} = taken {} + late {} + dead {}; {} written",
            count(counts.read),
            count(counts.taken),
            count(counts.late),
            count(counts.dead),
            plural(counts.written, "row")
        );
        // What could not be read is told to whoever wants to hear of warnings alone, too.
        if counts.dead > 0 { terminal.warn(&line) } else { terminal.say(&line) }
    }
    for (source, early) in early {
        terminal.warn(&format!(
            "{}  {source}: {} of the years before 1980, since `{}` is read as milliseconds since 1970; if it is in seconds, let what writes it write milliseconds, or a timestamp in ISO 8601 and declare it as timestamp",
            terminal.palette().warning(" warning"),
            plural(early.events, "event"),
            early.column
        ));
    }
    outcome.map(|()| counts)
}

/// Ends with the first signal that asks the process to end.
fn told_to_end() -> Result<impl Future<Output = ()>, AppError> {
    let mut terminated = signal(SignalKind::terminate()).map_err(AppError::io("listening for signals"))?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(AppError::io("listening for signals"))?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}
