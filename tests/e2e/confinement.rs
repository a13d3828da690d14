//! Names, paths and links of a project lead nowhere but into its own folders.

use std::fs;
use std::os::unix::fs::symlink;

use crate::project::Project;

/// A project within a folder that it must not touch, where there is more.
fn nested() -> Project {
    let project = Project::new();
    project.file("elsewhere/manifest.json", "mine").file("elsewhere/compiled/mine.sql", "mine");
    project.file("inner/dbt_project.yml", "name: songs\nprofile: songs\n");
    project.file(
        "inner/profiles.yml",
        "songs: {target: dev, outputs: {dev: {type: local, path: warehouse, schema: main, threads: 1}}}\n",
    );
    project
}

/// What is beside the project's folder.
fn beside(project: &Project) -> Vec<std::path::PathBuf> {
    let of = |folder: &str| project.listing(folder).into_iter().map(|(path, _, _)| path);
    let mut all: Vec<_> = of("").filter(|path| !path.starts_with(project.path("inner"))).collect();
    all.sort();
    all
}

fn untouched(project: &Project, before: &[std::path::PathBuf]) {
    assert_eq!(beside(project), before);
    assert_eq!(fs::read_to_string(project.path("elsewhere/manifest.json")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(project.path("elsewhere/compiled/mine.sql")).unwrap(), "mine");
}

const INNER: &str = "--project-dir=inner";

#[test]
fn names_that_are_no_names_are_refused_at_their_place() {
    let project = nested();
    let before = beside(&project);
    project.file("inner/models/a.sql", "{{ config(materialized='table') }} select 1 as x");
    for config in [
        "alias='../../../outside/evil'",
        "alias='../main/a'",
        "alias='/tmp/absolute'",
        "alias='sales/2024'",
        "alias=''",
        "alias='.'",
        "alias='..'",
        "alias='.hidden'",
        "alias='a\\\\b'",
        "schema='x/../../../schema'",
        "schema='a/b'",
    ] {
        let sql = format!("{{{{ config(materialized='table', {config}) }}}}\nselect 2 as x");
        project.file("inner/models/b.sql", sql);
        for command in ["compile", "run"] {
            let said = project.fail(2, &[command, INNER]);
            assert!(said.contains("cannot be `") && said.contains("models/b.sql:1:"), "{config}: {said}");
        }
    }
    fs::remove_file(project.path("inner/models/b.sql")).unwrap();
    for target_schema in ["../outside", "a/b", ".."] {
        let snapshot = format!(
            "{{% snapshot s %}}{{{{ config(strategy='check', unique_key='x', check_cols='all', \
             target_schema='{target_schema}') }}}} select 1 as x{{% endsnapshot %}}"
        );
        project.file("inner/snapshots/s.sql", snapshot);
        assert!(project.fail(2, &["snapshot", INNER]).contains("cannot be `"));
    }
    untouched(&project, &before);
}

#[test]
fn names_of_tests_snapshots_and_sources_are_those_of_files() {
    let project = nested();
    let before = beside(&project);
    project.file("inner/models/a.sql", "select 1 as x");
    for yaml in [
        "models: [{name: a, columns: [{name: x, data_tests: [{unique: {name: ../../../../../../stolen}}]}]}]",
        "snapshots: [{name: ../../stolen, relation: ref('a'), config: {alias: s, strategy: check, unique_key: x, check_cols: all}}]",
        "sources: [{name: s, tables: [{name: ../../stolen}]}]",
    ] {
        project.file("inner/models/schema.yml", yaml);
        let said = project.fail(2, &["compile", INNER]);
        assert!(said.contains("stolen") && said.contains("models/schema.yml:1:"), "{said}");
    }
    untouched(&project, &before);
}

#[test]
fn two_nodes_are_never_one_table_nor_one_that_is_kept_beside_another() {
    let project = Project::with_listens();
    project.model("a", "{{ config(alias='t') }} select 1 as x");
    project.model("b", "{{ config(alias='t') }} select 2 as x");
    project.model("c", "{{ config(alias='raw_listens_rejects') }} select 2 as x");
    let said = project.fail(2, &["compile"]);
    for expected in [
        "model.songs.a and model.songs.b would both be main.t",
        "model.songs.c is main.raw_listens_rejects, which keeps what could not be read of",
        "models/c.sql:1:1",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_target_path_stays_within_the_project_and_apart_from_its_files() {
    let project = nested();
    let before = beside(&project);
    project.file("inner/models/a.sql", "select 1 as x");
    let absolute = project.path("elsewhere");
    for path in ["../elsewhere", absolute.to_str().unwrap(), "a/../../../elsewhere"] {
        project.file("inner/dbt_project.yml", format!("name: songs\nprofile: songs\ntarget-path: {path}\n"));
        for command in ["compile", "clean"] {
            let said = project.succeed(&[command, INNER]);
            assert!(said.contains("dbt_project.yml:3: `target-path` leads out of the project"), "{said}");
        }
    }
    for path in [".", "models", "models/out"] {
        project.file("inner/dbt_project.yml", format!("name: songs\nprofile: songs\ntarget-path: {path}\n"));
        for command in ["clean", "compile"] {
            let said = project.fail(2, &[command, INNER]);
            assert!(said.contains("target-path") && said.contains("dbt_project.yml:3:"), "{said}");
        }
    }
    let inside = project.path("inner/out/put");
    for path in ["out/put", inside.to_str().unwrap()] {
        project.file("inner/dbt_project.yml", format!("name: songs\nprofile: songs\ntarget-path: {path}\n"));
        project.succeed(&["compile", INNER]);
        assert!(inside.join("compiled/songs/models/a.sql").exists());
        project.succeed(&["clean", INNER]);
        assert!(!inside.join("compiled").exists());
    }
    untouched(&project, &before);
}

#[test]
fn models_outside_the_project_are_compiled_within_it() {
    let project = nested();
    for (path, file) in
        [(project.path("shared").to_str().unwrap().to_owned(), "a"), ("../beside".to_owned(), "b")]
    {
        let own = if file == "a" { "shared/a.sql" } else { "beside/b.sql" };
        project.file(own, "select {{ 1 + 1 }} as x -- the source");
        let config = format!("name: songs\nprofile: songs\nmodel-paths: ['{path}']\n");
        project.file("inner/dbt_project.yml", config);
        let before = beside(&project);
        project.succeed(&["compile", INNER]);
        project.succeed(&["run", INNER]);
        assert_eq!(beside(&project), before);
        let source = fs::read_to_string(project.path(own)).unwrap();
        assert_eq!(source, "select {{ 1 + 1 }} as x -- the source");
    }
}

#[test]
fn links_do_not_lead_out_of_the_warehouse_or_the_target_folder() {
    let project = nested();
    let before = beside(&project);
    project.file("inner/models/a.sql", "{{ config(materialized='table') }} select 1 as x");
    for link in ["inner/target", "inner/target/compiled", "inner/warehouse/main", "inner/warehouse/main/a"] {
        for folder in ["inner/target", "inner/warehouse"] {
            let folder = project.path(folder);
            if folder.is_symlink() {
                fs::remove_file(folder).unwrap();
            } else if folder.exists() {
                fs::remove_dir_all(folder).unwrap();
            }
        }
        let path = project.path(link);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(project.path("elsewhere"), &path).unwrap();
        let run = project.run(&["run", INNER]);
        assert_ne!(run.code, Some(0), "{link}");
        assert!(run.stderr.contains("symbolic link"), "{link}: {}", run.stderr);
        // Whether it is refused or leaves the link alone, nothing behind it goes.
        project.run(&["clean", "--retention-days", "0", INNER]);
        untouched(&project, &before);
    }
}
