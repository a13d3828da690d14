//! The dashboard in real Superset: imported, and looked at in a browser.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::{Lambda, ROOT, saved_queries};
use crate::project::Project;
use crate::python_environment::programs;
use crate::services::address;
use crate::services::trino::Trino;

/// Superset in a folder of its own. What it serves ends when this is dropped.
struct Superset {
    home: Project,
    programs: PathBuf,
    served: Option<Child>,
}

impl Superset {
    /// With this bundle imported.
    fn with(bundle: &Path) -> Self {
        let superset = Self { home: Project::new(), programs: programs("superset"), served: None };
        let who = ["--username", "admin"];
        let person =
            ["--firstname", "A", "--lastname", "B", "--email", "a@example.com", "--password", "admin"];
        superset.succeed(&["db", "upgrade"]);
        superset.succeed(&[&["fab", "create-admin"][..], &who, &person].concat());
        superset.succeed(&["init"]);
        superset.succeed(&[&["import-dashboards", "--path", bundle.to_str().unwrap()][..], &who].concat());
        superset
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(words).current_dir(self.home.path("")).stdin(Stdio::null());
        command
            .env("SUPERSET_HOME", self.home.path(""))
            .env("SUPERSET_CONFIG_PATH", format!("{ROOT}/tests/superset/superset_config.py"))
            .env("FLASK_APP", "superset.app:create_app()");
        command
    }

    #[track_caller]
    fn succeed(&self, words: &[&str]) {
        let output = self.command("superset", words).output().unwrap();
        assert!(output.status.success(), "{words:?}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What each chart of the dashboard shows, once all are drawn.
    fn look(&mut self, picture: &Path) -> Vec<Json> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let words = ["run", "--host", "127.0.0.1", "--port", &port.to_string(), "--with-threads"];
        let log = std::fs::File::create(self.home.path("log")).unwrap();
        let mut command = self.command("superset", &words);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.served = Some(command.spawn().unwrap());
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_mins(2), "Superset does not listen");
            std::thread::sleep(Duration::from_millis(500));
        }
        let script = format!("{ROOT}/tests/superset/look.py");
        let address = format!("http://127.0.0.1:{port}");
        let mut command = self.command("python", &[&script, &address, picture.to_str().unwrap()]);
        let output = command.env("CHROMIUM", chromium()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Superset {
    fn drop(&mut self) {
        if let Some(served) = &mut self.served {
            let _ = served.kill();
            let _ = served.wait();
        }
    }
}

fn chromium() -> PathBuf {
    let named = std::env::var_os("MEP_TEST_CHROMIUM").map(PathBuf::from);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found =
        || std::env::split_paths(&folders).map(|folder| folder.join("chromium")).find(|path| path.is_file());
    named.or_else(found).unwrap_or_else(|| panic!("install chromium, or set MEP_TEST_CHROMIUM to it"))
}

/// The bundle as it is made, over a test's own tables, with a day of its events for today.
fn bundle(lambda: &Lambda, today: &str) -> PathBuf {
    for (name, sql) in saved_queries(&lambda.schema, today) {
        lambda.scratch.file(&format!("queries/{name}.sql"), sql);
    }
    let copied = Command::new("cp")
        .args(["-r", &format!("{ROOT}/superset")])
        .arg(lambda.scratch.path(""))
        .status()
        .unwrap();
    assert!(copied.success());
    let bundle = lambda.scratch.path("music_events.zip");
    let trino = address("MEP_TEST_TRINO");
    let trino = format!("tests@{}", trino.trim_start_matches("http://"));
    let made = Command::new(lambda.scratch.path("superset/bundle"))
        .arg(&bundle)
        .env("MEP_TRINO", trino)
        .status()
        .unwrap();
    assert!(made.success());
    bundle
}

#[test]
#[ignore = "nightly: Superset over all services"]
fn the_dashboard_shows_what_the_saved_queries_give() {
    let lambda = Lambda::new("dashboard");
    lambda.deliver("3");
    lambda.print(&["run", "--target", "lambda", "--select", "tag:streaming"]);
    lambda.print(&["run", "--target", "lambda", "--select", "+fact_listen"]);
    let today = "2018-11-02";
    let mut superset = Superset::with(&bundle(&lambda, today));
    let folder = PathBuf::from(ROOT).join("target/superset");
    let charts = superset.look(&folder.join("dashboard.png"));
    let trino = Trino::new(&address("MEP_TEST_TRINO"));
    let queries = saved_queries(&lambda.schema, today);
    let answers = |name: &str| trino.rows(&queries[name]);
    let text = |title: &str| {
        let chart = charts.iter().find(|chart| chart["title"] == title).unwrap();
        chart["text"].as_str().unwrap().trim_start_matches(title).trim().to_owned()
    };
    assert_eq!(text("Users logged in today"), answers("logins_today")[0][1]);
    assert_eq!(text("Listens in the last hour"), answers("listens_last_hour")[0][0]);
    let songs = text("Songs of the day");
    for row in answers("song_chart") {
        assert!(row.iter().all(|value| songs.contains(value.as_str())), "{row:?}\n{songs}");
    }
    let is_drawn = |chart: &&Json| chart["drawings"].as_u64() > Some(0);
    let drawn: Vec<&str> =
        charts.iter().filter(is_drawn).map(|chart| chart["title"].as_str().unwrap()).collect();
    insta::assert_snapshot!(drawn.join("\n"), @r"
    Listens per minute
    Plan by gender
    Activity by state
    Listeners by gender
    Listeners by plan
    Artists of the day
    Today beside the month
    ");
    let errors: Vec<&Json> = charts
        .iter()
        .filter(|chart| chart["errors"].as_array().is_some_and(|errors| !errors.is_empty()))
        .collect();
    assert_eq!(errors, [&Json::Null; 0]);
}
