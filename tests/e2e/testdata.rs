//! Projects as data: each folder of `testdata/` is a project beside what it compiles to and what its plan is. Where a part of it does
//! not compile, beside the errors, the plan of the rest and what a build says.
//!
//! `MEP_UPDATE_TESTDATA=1 cargo test --test e2e testdata` writes what is found as what is expected; then read the diff.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::project::Project;

/// The texts below a folder, by their paths.
fn texts(folder: &Path) -> BTreeMap<PathBuf, String> {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap().to_owned();
            (path, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// What mep says of a project: the compiled SQL and the plan, or the error.
fn found(case: &Path) -> BTreeMap<PathBuf, String> {
    let project = Project::new();
    for (path, text) in texts(&case.join("project")) {
        project.file(&path.to_string_lossy(), text);
    }
    let compiled = project.run(&["compile"]);
    if compiled.code != Some(0) {
        let mut found = BTreeMap::from([("error.txt".into(), compiled.stderr)]);
        let plan = project.run(&["plan"]);
        // A project that cannot be read has no plan.
        if !plan.stdout.is_empty() {
            found.insert("plan.txt".into(), plan.stdout);
            found.insert("build.txt".into(), project.fail(2, &["build"]));
            found.insert("plan after a build.txt".into(), project.run(&["plan"]).stdout);
        }
        return found;
    }
    let below = texts(&project.path("target/compiled"));
    let mut found: BTreeMap<PathBuf, String> = below
        .into_iter()
        .map(|(path, text)| (Path::new("compiled").join(path), project.normalized(&text)))
        .collect();
    let warnings = compiled.stderr.lines().filter(|line| line.starts_with(" WARN"));
    let warnings: String = warnings.map(|line| format!("{line}\n")).collect();
    if !warnings.is_empty() {
        found.insert("warnings.txt".into(), warnings);
    }
    found.insert("plan.txt".into(), project.print(&["plan", "--explain"]));
    project.succeed(&["run"]);
    found.insert("plan after a run.txt".into(), project.print(&["plan"]));
    found
}

#[test]
fn projects_compile_and_plan_as_their_folders_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut cases: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() >= 5, "only {} projects were found", cases.len());
    let updates = std::env::var_os("MEP_UPDATE_TESTDATA").is_some();
    let mut differences = String::new();
    for case in cases {
        let (expected, found) = (texts(&case.join("expected")), found(&case));
        if updates {
            let _ = fs::remove_dir_all(case.join("expected"));
            for (path, text) in &found {
                let path = case.join("expected").join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            continue;
        }
        let paths = expected.keys().chain(found.keys()).collect::<std::collections::BTreeSet<_>>();
        for path in paths {
            let (expected, found) = (expected.get(path), found.get(path));
            if expected != found {
                let text =
                    |text: Option<&String>| text.map_or_else(|| "(no file)\n".to_owned(), String::clone);
                differences.push_str(&format!(
                    "{} of {}\n--- expected\n{}--- found\n{}\n",
                    path.display(),
                    case.file_name().unwrap().display(),
                    text(expected),
                    text(found)
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
