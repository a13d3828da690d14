//! Which files belong to a project.

use super::super::find_root;
use super::{Folder, loaded, shown};

#[test]
fn a_project_needs_no_file_but_profiles() {
    let project = loaded(&[]);
    assert_eq!(project.name, "shop");
    assert_eq!(project.target_path.to_str(), Some("target"));
    assert!(project.models.is_empty() && project.sources.is_empty() && project.warnings.is_empty());
}

#[test]
fn files_come_in_the_order_of_their_paths() {
    let project = loaded(&[
        ("models/z.sql", "select 1"),
        ("models/a/y.SQL", "select 1"),
        ("models/a/.hidden.sql", "?"),
        ("models/a/notes.txt", "?"),
        ("macros/m.sql", ""),
        ("tests/generic/g.sql", ""),
        ("tests/b/t.sql", ""),
        ("seeds/s/x.csv", "a\n1\n"),
    ]);
    let paths: Vec<_> = project.models.iter().map(|model| model.text.path().to_str().unwrap()).collect();
    assert_eq!(paths, ["models/a/y.SQL", "models/z.sql"]);
    assert_eq!(project.models[0].fqn, ["shop", "a", "y"]);
    assert_eq!(project.tests[0].fqn, ["shop", "b", "t"]);
    assert_eq!(project.seeds[0].fqn, ["shop", "s", "x"]);
    let macros: Vec<_> = project.macros.iter().map(|file| file.path().to_str().unwrap()).collect();
    assert_eq!(macros, ["macros/m.sql", "tests/generic/g.sql"]);
}

#[test]
fn a_project_within_is_another_project() {
    let project = loaded(&[
        ("tests/fixture/dbt_project.yml", "name: other"),
        ("tests/fixture/models/a.sql", "select 1"),
        ("tests/own.sql", "select 1"),
    ]);
    assert_eq!(project.tests.len(), 1);
}

#[test]
fn yaml_in_the_root_about_other_things_is_left_alone() {
    let project = loaded(&[
        ("docker-compose.yml", "services: {a: 1}\nservices: twice"),
        ("mine.yml", "theme: dark\ntheme: light"),
        ("sources.yml", ""),
    ]);
    assert!(project.warnings.is_empty());
}

#[test]
fn text_that_is_not_utf8_names_its_file() {
    let folder = Folder::new(&[("models/a.sql", "select 1")]);
    folder.write("models/b.sql", b"select '\xff'");
    folder.write("models/c.yml", b"\xff");
    folder.write("dbt_project.yml", b"name: \xff");
    insta::assert_snapshot!(shown(folder.load().unwrap_err().iter()), @r"
    dbt_project.yml is not UTF-8: the byte at 6 belongs to no character
        save it as UTF-8
    models/c.yml is not UTF-8: the byte at 0 belongs to no character
        save it as UTF-8
    models/b.sql is not UTF-8: the byte at 8 belongs to no character
        save it as UTF-8
    ");
}

#[test]
fn a_model_in_python_is_a_model() {
    let project = loaded(&[("models/a.py", "def model(dbt, session): ...")]);
    assert!(project.models[0].is_python() && project.warnings.is_empty());
}

#[test]
fn a_root_is_known_by_its_files() {
    let folder = Folder::new(&[("models/a/b.sql", "")]);
    let root = folder.options().root;
    assert_eq!(find_root(&root.join("models/a")), Some(root.clone()));
    let inner = root.join("models/inner");
    folder.write("models/inner/dbt_project.yml", b"");
    assert_eq!(find_root(&inner), Some(inner));
    std::fs::remove_file(root.join("profiles.yml")).unwrap();
    assert_eq!(find_root(&root.join("models/a")), None);
}
