//! A page's commands, run one after the other as a reader would run them, and what they print beside what the page shows.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use tempfile::TempDir;

use super::elsewhere;
use super::page::{Page, ROOT, Shown};
use crate::project::scratch;

/// Where the reader of a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// In an empty folder.
    Empty,
    /// In the bundled project, of which there are fewer days and users here.
    Bundled,
    /// In a copy of this folder of the project.
    Example(&'static str),
}

/// Commands that go on until they are told to stop, after so many seconds here.
/// The first that a command begins with counts: a keyspace that is made anew beside other tests takes its time.
const LASTING: [(&str, &str); 3] =
    [("mep stream --target", "20"), ("mep stream", "6"), ("mep docs serve", "2")];

/// A reader's shell, in a folder of its own.
pub(super) struct Shell {
    start: Start,
    folder: TempDir,
    environment: Vec<(String, String)>,
    /// What stands in the page, and what it is here: addresses, and names that are shared with other tests.
    in_place: Vec<(String, String)>,
}

impl Shell {
    pub(super) fn new(start: Start) -> Self {
        let folder = tempfile::Builder::new().prefix("mep-page").tempdir_in(scratch()).unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        match start {
            Start::Empty => {}
            Start::Bundled => bundled(&work),
            Start::Example(name) => copy(&Path::new(ROOT).join(name), &work),
        }
        fs::write(folder.path().join("at"), work.to_str().unwrap()).unwrap();
        Self { start, folder, environment: Vec::new(), in_place: Vec::new() }
    }

    pub(super) fn with_environment(mut self, variables: &[(&str, &str)]) -> Self {
        self.environment
            .extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// Each text of the commands that is here another one.
    pub(super) fn replacing(mut self, texts: &[(&str, &str)]) -> Self {
        self.in_place.extend(texts.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())));
        self
    }

    /// A path beside the reader's folder.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs what a page takes for granted, and gives what it prints.
    pub(super) fn succeed(&self, command: &str) -> String {
        let shown = Shown { line: 0, command: command.to_owned(), output: Vec::new(), end: 0 };
        self.run("beside the page", &shown).join("\n")
    }

    /// Writes the page's files and runs its commands, but for those that are run elsewhere.
    pub(super) fn read(&self, name: &str) {
        let page = Page::open(name);
        let (mut edits, mut ran) = (Vec::new(), 0);
        let mut sections = page.prose().into_iter().filter(|(_, line)| line.starts_with("## ")).peekable();
        for block in page.blocks() {
            // A section about the bundled project begins in its folder, wherever the last one went.
            while sections.next_if(|(line, _)| *line < block.line).is_some() {
                if self.start == Start::Bundled {
                    fs::write(self.path("at"), self.path("work")).unwrap();
                }
            }
            if let Some(file) = block.file {
                let path = self.at().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, block.lines.join("\n") + "\n").unwrap();
            }
            if block.language != "console" {
                continue;
            }
            for shown in block.commands() {
                if elsewhere::of(name, &shown.command).is_some() {
                    continue;
                }
                ran += 1;
                let found = self.run(name, &shown);
                if !is_shown(&shown, &found) {
                    edits.push((shown, found));
                }
            }
        }
        assert!(ran > 0, "{name}: no command is run here");
        if !edits.is_empty() && std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
            update(&page, &edits);
        } else if let Some((shown, found)) = edits.first() {
            panic!(
                "{name}:{}: `{}` prints otherwise than shown (INSTA_UPDATE=always writes it into the page)\n\
                 --- shown\n{}\n--- found\n{}",
                shown.line,
                shown.command,
                shown.output.join("\n"),
                found.join("\n")
            );
        }
    }

    /// Where the reader is now.
    fn at(&self) -> PathBuf {
        PathBuf::from(fs::read_to_string(self.path("at")).unwrap().trim())
    }

    /// What a command prints, on both outputs; it must end well.
    fn run(&self, name: &str, shown: &Shown) -> Vec<String> {
        let mut text = shown.command.clone();
        for (from, to) in &self.in_place {
            text = text.replace(from, to);
        }
        let lasting = LASTING.iter().find(|(command, _)| text.starts_with(command));
        if let Some((_, seconds)) = lasting {
            text = format!("timeout --preserve-status --signal=INT --kill-after=30 {seconds} {text}");
        }
        // The shell's state goes from one command to the next: its folder and what was exported.
        let script = format!(
            "exec 2>&1\nif [ -f \"$STATE/exports\" ]; then . \"$STATE/exports\"; fi\ncd \"$(cat \"$STATE/at\")\"\n{text}\n\
             code=$?\npwd > \"$STATE/at\"\nexport -p > \"$STATE/exports\"\nexit $code\n"
        );
        let mut command = Command::new("bash");
        command.args(["-c", &script]).current_dir(self.folder.path()).stdin(Stdio::null());
        for (variable, _) in std::env::vars().filter(|(variable, _)| variable.starts_with("MEP_")) {
            command.env_remove(variable);
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_mep")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let state = self.folder.path();
        command.env("PATH", path).env("HOME", state).env("STATE", state).env("LC_ALL", "C.UTF-8");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let ended_well = output.status.success() || lasting.is_some() && output.status.code() == Some(130);
        assert!(
            ended_well,
            "{name}:{}: `{}` ended with {}\n{text}",
            shown.line, shown.command, output.status
        );
        let text = text.replace(&format!("{}/work", state.display()), "~");
        text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// A copy of the bundled project with a few days of few users.
fn bundled(work: &Path) {
    let root = Path::new(ROOT);
    for name in ["macros", "models", "queries", "superset", "airflow"] {
        copy(&root.join(name), &work.join(name));
    }
    fs::create_dir(work.join("tests")).unwrap();
    for entry in fs::read_dir(root.join("tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            fs::copy(&path, work.join("tests").join(path.file_name().unwrap())).unwrap();
        }
    }
    for name in ["dbt_project.yml", "sources.yml"] {
        fs::copy(root.join(name), work.join(name)).unwrap();
    }
    let profiles = fs::read_to_string(root.join("profiles.yml")).unwrap();
    let smaller = profiles.replace("days: 30", "days: 3").replace("users: 1000", "users: 60");
    assert_ne!(smaller, profiles);
    fs::write(work.join("profiles.yml"), smaller).unwrap();
    symlink(root.join("stack"), work.join("stack")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().map(Result::unwrap) {
        let to = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Whether what was found is what is shown. Nothing shown says nothing; nodes that run at once may end in any order.
fn is_shown(shown: &Shown, found: &[String]) -> bool {
    let in_any_order = ["mep run", "mep build", "mep test", "mep snapshot"]
        .iter()
        .any(|command| shown.command.contains(command));
    let mut expected: Vec<String> = shown.output.iter().map(|line| steady(line)).collect();
    let mut found: Vec<String> = found.iter().map(|line| steady(line)).collect();
    let has_gap = expected.iter().any(|line| line == "...");
    if in_any_order && !has_gap {
        expected.sort();
        found.sort();
    }
    expected.is_empty() || lines_match(&expected, &found)
}

/// A line without what differs from run to run.
fn steady(line: &str) -> String {
    let mut text = line.trim_end().to_owned();
    for (pattern, name) in [(r"\b\d+\.\d\ds\b", "0.00s"), (r"\b\d+(\.\d)? (B|KiB|MiB)\b", "1 KiB")] {
        text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    text
}

/// `...` stands for any lines, `[..]` for anything in a line.
fn lines_match(expected: &[String], found: &[String]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "..." => {
            (0..=found.len()).any(|skipped| lines_match(rest, &found[skipped..]))
        }
        (Some((first, rest)), Some((line, others))) => {
            let parts: Vec<String> = first.split("[..]").map(regex::escape).collect();
            let pattern = format!("^{}$", parts.join(".*"));
            Regex::new(&pattern).unwrap().is_match(line) && lines_match(rest, others)
        }
        _ => false,
    }
}

/// Writes what was found into the page, in place of what it shows.
fn update(page: &Page, edits: &[(Shown, Vec<String>)]) {
    let mut lines: Vec<String> = page.text.lines().map(str::to_owned).collect();
    for (shown, found) in edits.iter().rev() {
        let first = shown.end - 1 - shown.output.len();
        lines.splice(first..shown.end - 1, found.iter().cloned());
    }
    fs::write(Path::new(ROOT).join(&page.name), lines.join("\n") + "\n").unwrap();
}

#[test]
fn gaps_stand_for_anything_and_times_for_each_other() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(lines_match(&lines("a\n...\nz [..]!"), &lines("a\nb\nc\nz 1!")));
    assert!(lines_match(&lines("a\n..."), &lines("a")));
    assert!(!lines_match(&lines("a\n...\nz"), &lines("a\nb")));
    assert_eq!(steady("ok 1.5 KiB, 0.12s"), steady("ok 712 B, 1.00s"));
}
