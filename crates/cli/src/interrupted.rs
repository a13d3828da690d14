//! Ctrl-C and SIGTERM during a run: what is under way is dropped, what is published stays, and both are told.
//!
//! The first signal asks the run to end. What does not end within a moment is left where it is, as a kill would: nothing
//! points at what it wrote. A second signal ends the process at once.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::exit::Exit;
use super::terminal::Terminal;
use mep_core::interrupt;
use mep_graph::{Graph, NodeSet};
use mep_run::event::{Event, NodeResult, Reporter, Status};

/// How long what is under way may take to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Passes events on to the terminal, and remembers what came of each node.
pub(super) struct Recorder<'a> {
    terminal: &'a Terminal,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Kinds and names.
    begun: Vec<(String, String)>,
    ended: Vec<NodeResult>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, seen: Mutex::default() }
    }

    /// What is published of these nodes, and what is not.
    pub(super) fn told(&self, graph: &Graph, nodes: &NodeSet) -> String {
        let seen = self.seen.lock();
        let of = |statuses: &[Status]| {
            let ended = seen.ended.iter().filter(|result| statuses.contains(&result.status));
            ended.map(|result| format!("{} {}", result.kind, result.name)).collect::<Vec<_>>()
        };
        let dropped = seen.ended.iter().filter(|result| result.status == Status::Interrupted);
        let dropped = dropped.map(|result| {
            let why = result.message.as_deref().unwrap_or_default();
            format!("{} {} ({why})", result.kind, result.name)
        });
        let dropped: Vec<String> = dropped.collect();
        let has_ended = |name: &str| seen.ended.iter().any(|result| result.name == name);
        let still_under_way = seen.begun.iter().filter(|(_, name)| !has_ended(name));
        let is_begun = |name: &str| seen.begun.iter().any(|(_, begun)| begun == name) || has_ended(name);
        let mut not_begun = of(&[Status::Skipped]);
        not_begun.extend(
            nodes
                .iter()
                .map(|index| graph.node(*index))
                .filter(|node| !is_begun(&node.shown_name()))
                .map(|node| format!("{} {}", node.shown_kind(), node.shown_name())),
        );
        let lines = [
            ("published", of(&[Status::Success])),
            ("as it was, and current", of(&[Status::Current])),
            ("tested", of(&[Status::Pass, Status::Warn, Status::Fail])),
            ("failed", of(&[Status::Error])),
            ("dropped", dropped),
            (
                "still under way, so that readers find what was there before unless it was being published",
                still_under_way.map(|(kind, name)| format!("{kind} {name}")).collect(),
            ),
            ("not begun", not_begun),
        ];
        let mut text = "what was published stays; the next run goes on from there:".to_owned();
        for (what, names) in lines.iter().filter(|(_, names)| !names.is_empty()) {
            text.push_str(&format!("\n  {what}: {}", names.join(", ")));
        }
        text
    }
}

impl Reporter for Recorder<'_> {
    fn report(&self, event: Event<'_>) {
        {
            let mut seen = self.seen.lock();
            match event {
                Event::Started { name, kind } => seen.begun.push((kind.to_owned(), name.to_owned())),
                Event::Ended(result) => seen.ended.push(result.clone()),
                _ => {}
            }
        }
        self.terminal.report(event);
    }
}

/// Does work during which the signals ask it to end; `told` says what came of it where it does not.
pub(super) fn interruptible<T>(
    terminal: &Terminal,
    told: impl Fn() -> String + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let (is_over, over) = oneshot::channel::<()>();
    let (terminal, told) = (&terminal, &told);
    std::thread::scope(|scope| {
        let (is_listening, listening) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || listen(terminal, told, over, is_listening));
        // A signal that comes before it is listened for ends the process, which is as well.
        let _ = listening.recv();
        let done = work();
        drop(is_over);
        done
    })
}

fn listen(
    terminal: &Terminal,
    told: &impl Fn() -> String,
    mut over: oneshot::Receiver<()>,
    is_listening: std::sync::mpsc::Sender<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        let (Ok(mut interrupted), Ok(mut terminated)) = signals else { return };
        drop(is_listening);
        tokio::select! {
            _ = &mut over => return,
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        interrupt::request();
        terminal.say("    stop  what is under way is dropped; once more ends mep at once");
        tokio::select! {
            _ = &mut over => return,
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            () = tokio::time::sleep(GRACE) => {}
        }
        terminal.end();
        terminal.result(&format!("interrupted: {}", told()), true);
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
}
