//! The JSON schemas of YAML files, held against files by a validator of Python's: what mep reads they take, and what it tells of they find.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::Project;
use crate::python_environment::programs;

/// What the schema of a kind of file says of these files.
fn said(kind: &str, files: &[PathBuf]) -> Vec<String> {
    let project = Project::new();
    project.file("schema.json", project.print(&["schema", kind]));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/airflow/yaml_schemas.py");
    let mut command = Command::new(programs("airflow").join("python"));
    let output = command.arg(script).arg(project.path("schema.json")).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The YAML files of this project and of the test projects, by kind.
fn own_files() -> [(&'static str, Vec<PathBuf>); 3] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut kinds = [("properties", Vec::new()), ("project", Vec::new()), ("profiles", Vec::new())];
    for folder in ["models", "testdata"] {
        for entry in walkdir::WalkDir::new(root.join(folder)).into_iter().map(Result::unwrap) {
            let is_expected = entry.path().components().any(|part| part.as_os_str() == "expected");
            let is_yaml = entry.path().extension().is_some_and(|extension| extension == "yml");
            if is_yaml && !is_expected {
                let name = entry.file_name().to_string_lossy().into_owned();
                let kind = match name.as_str() {
                    "packages.yml" => continue,
                    "dbt_project.yml" => 1,
                    "profiles.yml" => 2,
                    _ => 0,
                };
                kinds[kind].1.push(entry.into_path());
            }
        }
    }
    kinds[0].1.push(root.join("sources.yml"));
    kinds[1].1.push(root.join("dbt_project.yml"));
    kinds[2].1.push(root.join("profiles.yml"));
    kinds
}

#[test]
fn the_schemas_take_the_files_of_the_bundled_project() {
    for (kind, files) in own_files() {
        assert!(!files.is_empty(), "{kind}");
        assert_eq!(said(kind, &files), Vec::<String>::new(), "{kind}");
    }
}

#[test]
fn a_slip_of_the_pen_is_found_by_the_schema_at_its_place() {
    let project = Project::new();
    let text = "version: 2\nmodels:\n  - name: a\n    descripton: x\n    columns:\n      - name: id\n        data_tests: [unique]\n    \
                config:\n      materialized: tabel\n      enabled: maybe\n      meta: {anything: [1]}\n      tags: [x, y]\n  - description: none\n";
    project.file("slips.yml", text);
    project.file("right.yml", "models:\n  - name: a\n    description:\n    config: {enabled: \"{{ var('x') }}\", materialized: table}\n");
    let files = [project.path("slips.yml"), project.path("right.yml")];
    let folder = project.path("").to_string_lossy().into_owned();
    let mut found: Vec<String> =
        said("properties", &files).iter().map(|line| line.replace(&folder, "")).collect();
    found.sort();
    insta::assert_snapshot!(found.join("\n"), @r"
    slips.yml: models/0/config/enabled: 'maybe' is not valid under any of the given schemas
    slips.yml: models/0/config/materialized: 'tabel' is not valid under any of the given schemas
    slips.yml: models/0: Additional properties are not allowed ('descripton' was unexpected)
    slips.yml: models/1: 'name' is a required property
    ");
}
