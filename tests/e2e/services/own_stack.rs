//! Services that a test may end and start, apart from those that other tests use.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How far the ports of each stack lie from those of the services that all tests share.
const PORTS: [(&str, u32); 4] =
    [("stack-outages", 100), ("stack-restarts", 200), ("stack-pair", 300), ("stack-slow", 400)];

/// Services with a data folder and ports of their own, which start empty.
pub(crate) struct OwnStack {
    data: PathBuf,
    settings: BTreeMap<String, String>,
    /// The services end when this is closed, so they do so too when the tests' process is killed.
    _until: ChildStdin,
    _runner: Child,
}

impl OwnStack {
    /// Starts services in `target/<name>`; waits for an earlier stack of this name to end.
    pub(crate) fn start(name: &str, services: &[&str]) -> Self {
        Self::start_with(name, services, &[])
    }

    /// The same with settings of the stack.
    pub(crate) fn start_with(name: &str, services: &[&str], settings: &[(&str, &str)]) -> Self {
        let shared = std::env::var("MEP_TEST_PORT_OFFSET").ok().and_then(|offset| offset.parse().ok());
        let (_, ports) = PORTS.iter().find(|(of, _)| *of == name).unwrap();
        let offset: u32 = shared.unwrap_or(20_000) + ports;
        let mut runner = Command::new(Path::new(ROOT).join("tests/with_services"))
            .args(["--own", name])
            .args(services)
            .args(["--", "sh", "-c", "cat \"$MEP_TEST_STACK/env\" && echo ready && cat > /dev/null"])
            .env("MEP_TEST_PORT_OFFSET", offset.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(runner.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut settings = BTreeMap::new();
        let mut is_ready = false;
        for line in said {
            is_ready = line == "ready";
            if is_ready {
                break;
            }
            if let Some((name, value)) = line.split_once('=') {
                settings.insert(name.to_owned(), value.to_owned());
            }
        }
        assert!(is_ready, "the services {services:?} did not start; see {ROOT}/target/{name}/logs");
        let data = Path::new(ROOT).join("target").join(name);
        Self { data, settings, _until: runner.stdin.take().unwrap(), _runner: runner }
    }

    /// The address of a service.
    pub(crate) fn address(&self, service: &str) -> &str {
        &self.settings[service]
    }

    /// Starts those of these services that do not run, and waits until they answer.
    pub(crate) fn up(&self, services: &[&str]) {
        self.must("up", services);
    }

    /// Ends services as kill -9 would.
    pub(crate) fn kill(&self, services: &[&str]) {
        self.must("kill", services);
    }

    /// Makes a service stand still, so that it takes connections and never answers; or lets it go on.
    pub(crate) fn freeze(&self, service: &str, is_frozen: bool) {
        let pid = std::fs::read_to_string(self.data.join("pids").join(service)).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        let sent = kill_process(pid, if is_frozen { Signal::STOP } else { Signal::CONT });
        // One that is gone stands still no more.
        assert!(!is_frozen || sent.is_ok(), "{service} cannot be made to stand still: {sent:?}");
    }

    /// HDFS's own tools.
    pub(crate) fn hdfs(&self, words: &[&str]) {
        self.must("hdfs", words);
    }

    fn must(&self, script: &str, words: &[&str]) {
        let output: Output = Command::new(Path::new(ROOT).join("stack").join(script))
            .args(words)
            .env("MEP_STACK_DATA", &self.data)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "stack/{script} {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
