//! The page served on this machine: made anew whenever a file of the project changes, and open pages told so.
//!
//! A project with a problem is not an end: the last good page stays, with the problem on it, until it is mended.

use std::collections::hash_map::DefaultHasher;
use std::convert::Infallible;
use std::hash::{Hash as _, Hasher as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures::Stream;
use tokio::sync::watch;
use walkdir::WalkDir;

use mep_core::patient_listener::{PATIENCE, PatientListener};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// The endings of a project's files.
const ENDINGS: [&str; 5] = ["sql", "yml", "yaml", "csv", "md"];

/// What is watched: the project's files below `root` but hidden ones and those below `without`, and `also`.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The project's folder.
    pub root: PathBuf,
    /// Folders that mep writes to.
    pub without: Vec<PathBuf>,
    /// A file of that folder that is watched all the same.
    pub also: PathBuf,
}

/// The page by now.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// The last page that could be made.
    pub page: Arc<str>,
    /// Counts the pages.
    pub version: u64,
    /// What keeps a newer one from being made.
    pub problem: Option<String>,
}

/// Makes the page, or says why it cannot.
pub type Make = dyn Fn() -> Result<String, String> + Send + Sync;

/// Serves the page at 127.0.0.1 from now on; `began` is told the address. Ends only with an error, or when dropped.
///
/// # Errors
/// Where the port cannot be listened on.
pub async fn serve(
    port: u16,
    watched: Watched,
    waiting: String,
    make: Arc<Make>,
    began: impl FnOnce(SocketAddr),
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    began(listener.local_addr()?);
    let (sender, receiver) = watch::channel(Current { page: waiting.into(), ..Current::default() });
    let follow = follow(watched, make, sender);
    let router = Router::new().route("/", get(shown)).route("/changes", get(changes)).with_state(receiver);
    let router = router.layer(from_fn(asked_by_this_machine));
    tokio::select! {
        () = follow => Ok(()),
        served = axum::serve(PatientListener::new(listener), router) => served,
    }
}

async fn follow(watched: Watched, make: Arc<Make>, sender: watch::Sender<Current>) {
    let mut seen = None;
    loop {
        let look = watched.clone();
        // Both wait for the disk, and making a page for the warehouse.
        let state = tokio::task::spawn_blocking(move || look.state()).await.unwrap_or_default();
        if seen != Some(state) {
            seen = Some(state);
            let make = make.clone();
            let made = tokio::task::spawn_blocking(move || make()).await;
            let made = made.unwrap_or_else(|_| Err("making the page ended early: this is a bug".to_owned()));
            sender.send_modify(|current| match made {
                Ok(page) => {
                    let version = current.version + 1;
                    *current = Current { page: page.into(), version, problem: None };
                }
                Err(problem) => current.problem = Some(problem),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Watched {
    /// Stands for the files' names, sizes and times: another one where any of it changed.
    fn state(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let is_left_out = |path: &Path| {
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            is_hidden || self.without.iter().any(|folder| folder == path)
        };
        let is_of_project = |path: &Path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| ENDINGS.contains(&ending))
        };
        let below = WalkDir::new(&self.root).sort_by_file_name().into_iter();
        let below = below.filter_entry(|entry| entry.depth() == 0 || !is_left_out(entry.path()));
        let project = below.filter_map(Result::ok).filter(|entry| is_of_project(entry.path()));
        let also = WalkDir::new(&self.also).into_iter().filter_map(Result::ok);
        for entry in project.chain(also).filter(|entry| entry.file_type().is_file()) {
            let Ok(metadata) = entry.metadata() else { continue };
            (entry.path(), metadata.len(), metadata.modified().ok()).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A page of the web whose name was made to mean this machine is told nothing.
async fn asked_by_this_machine(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return (StatusCode::BAD_REQUEST, "expected one Host header\n").into_response();
    };
    let is_asked_for = request.uri().host().is_none_or(is_this_machine);
    if is_asked_for && host.to_str().is_ok_and(is_this_machine) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "these docs are shown at 127.0.0.1 and localhost only\n").into_response()
}

/// Whether a host, with or without a port, is a name of this machine.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => return false,
        None => host,
    };
    name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")
}

async fn shown(State(current): State<watch::Receiver<Current>>) -> impl IntoResponse {
    let page = {
        let now = current.borrow();
        // By this a page knows whether what it is told of is newer.
        now.page.replacen("data-version=\"\"", &format!("data-version=\"{}\"", now.version), 1)
    };
    ([("cache-control", "no-store")], Html(page))
}

/// The state of the page as it is now and whenever it changes, as server-sent events.
async fn changes(
    State(current): State<watch::Receiver<Current>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut current = current;
    current.mark_changed();
    let events = futures::stream::unfold(current, |mut current| async move {
        current.changed().await.ok()?;
        let told = {
            let now = current.borrow();
            serde_json::json!({"version": now.version, "problem": now.problem}).to_string()
        };
        Some((Ok(Event::default().data(told)), current))
    });
    // A sign of life before the connection is taken for one that stands still.
    Sse::new(events).keep_alive(KeepAlive::new().interval(PATIENCE / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for host in ["127.0.0.1", "localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:127.0.0.1", "localhost:80:80", "127.0.0.1.evil", "localhost:x"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn what_changes_the_page_is_seen_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |path: &str| folder.path().join(path);
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), text).unwrap();
        };
        let watched = Watched {
            root: folder.path().to_owned(),
            without: vec![path("target"), path("tables")],
            also: path("target/run_results.json"),
        };
        write("models/a.sql", "select 1");
        let before = watched.state();
        for unseen in ["target/compiled/a.sql", "tables/main/a/seed.csv", ".mep/b.sql", "events/1.json"] {
            write(unseen, "unseen");
        }
        assert_eq!(watched.state(), before);
        write("models/a.sql", "select 12");
        let changed = watched.state();
        assert_ne!(changed, before);
        write("target/run_results.json", "{}");
        assert_ne!(watched.state(), changed);
    }
}
