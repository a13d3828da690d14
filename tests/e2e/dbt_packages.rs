//! Packages: namespaces of macros, models and tests, found in their folder or brought there.

use serde_json::{Value as Json, json};

use crate::project::Project;

/// The rows of a model.
#[track_caller]
fn rows(project: &Project, model: &str) -> Json {
    let shown = project.run(&["show", "--select", model, "--output", "json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    serde_json::from_str(&shown.stdout).unwrap()
}

/// A package `tools` with macros, a model, a seed and a test, in the folder of a project.
fn package(project: &Project, folder: &str) {
    let file = |path: &str, text: &str| project.file(&format!("{folder}/{path}"), text);
    file(
        "dbt_project.yml",
        "name: tools\nvars: {unit: day, tools: {size: 3}}\nmodels: {tools: {+materialized: view, +tags: [of_tools]}}\n",
    );
    file(
        "macros/tools.sql",
        "{% macro twice(x) %}{{ return(adapter.dispatch('twice', 'tools')(x)) }}{% endmacro %}\n\
         {% macro default__twice(x) %}2 * {{ inner(x) }}{% endmacro %}\n\
         {% macro inner(x) %}({{ x }}){% endmacro %}\n\
         {% macro where_from() %}'tools'{% endmacro %}\n\
         {% macro calls_own() %}{{ where_from() }}{% endmacro %}\n\
         {% test at_most(model, column_name, most) %}select * from {{ model }} where {{ tools.inner(column_name) }} > {{ most }}{% endtest %}\n",
    );
    file(
        "models/sized.sql",
        "select {{ var('size') }} as size, '{{ var('unit') }}' as unit, n from {{ ref('numbers') }}",
    );
    file("models/schema.yml", "models:\n  - name: sized\n    columns: [{name: n, data_tests: [not_null]}]\n");
    file("seeds/numbers.csv", "n\n1\n2\n");
}

#[test]
fn a_package_is_a_namespace_of_macros_models_seeds_vars_and_tests() {
    let project = Project::new();
    package(&project, "dbt_packages/tools");
    project.file("packages.yml", "packages:\n  - package: acme/tools\n    version: 1.0.0\n");
    project.file(
        "dbt_project.yml",
        "name: songs\nprofile: songs\nvars: {tools: {unit: week}}\nmodels: {tools: {+materialized: table}}\n",
    );
    project.file("macros/own.sql", "{% macro where_from() %}'songs'{% endmacro %}");
    project.model(
        "plain",
        "select {{ tools.twice('n + 1') }} as twice, {{ tools.where_from() }} as a, {{ where_from() }} as b, \
         {{ tools.calls_own() }} as c, size, unit from {{ ref('sized') }} where n = 1 union all \
         select 0, null, null, null, size, unit from {{ ref('tools', 'sized') }} where n = 2",
    );
    project.file(
        "models/schema.yml",
        "models:\n  - name: plain\n    columns: [{name: twice, data_tests: [{tools.at_most: {arguments: {most: 4}}}]}]\n",
    );
    let said = project.succeed(&["build"]);
    assert!(!said.contains("warning"), "{said}");
    let mut found = rows(&project, "plain");
    found.as_array_mut().unwrap().sort_by_key(|row| row["twice"].as_i64());
    assert_eq!(
        found,
        json!([
            {"twice": 0, "a": null, "b": null, "c": null, "size": 3, "unit": "week"},
            {"twice": 4, "a": "tools", "b": "songs", "c": "tools", "size": 3, "unit": "week"},
        ])
    );
    let listed = project.run(&["ls", "--select", "package:tools", "--output", "name"]).stdout;
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["not_null_sized_n", "numbers", "sized"], "{listed}");
    project.succeed(&["build", "--select", "tag:of_tools"]);
}

#[test]
fn the_project_overrides_what_a_package_dispatches_in_the_order_that_it_says() {
    let project = Project::new();
    package(&project, "dbt_packages/tools");
    let other = "dbt_packages/shims";
    project.file(&format!("{other}/dbt_project.yml"), "name: shims\n");
    project.file(&format!("{other}/macros/m.sql"), "{% macro default__twice(x) %}20 * {{ x }}{% endmacro %}");
    project.model("m", "select {{ tools.twice(1) }} as n");
    project.succeed(&["run", "--select", "m"]);
    assert_eq!(rows(&project, "m"), json!([{"n": 2}]));
    project.file(
        "dbt_project.yml",
        "name: songs\nprofile: songs\ndispatch:\n  - {macro_namespace: tools, search_order: [shims, tools]}\n",
    );
    project.succeed(&["run", "--select", "m"]);
    assert_eq!(rows(&project, "m"), json!([{"n": 20}]));
    project.file("dbt_project.yml", "name: songs\nprofile: songs\n");
    project.file("macros/own.sql", "{% macro duckdb__twice(x) %}200 * {{ x }}{% endmacro %}");
    project.succeed(&["run", "--select", "m"]);
    assert_eq!(rows(&project, "m"), json!([{"n": 200}]));
}

#[test]
fn a_package_that_is_not_there_is_told_and_a_call_of_it_says_how_to_get_it() {
    let project = Project::new();
    project.file(
        "packages.yml",
        "packages:\n  - git: https://example.invalid/acme/dbt-tools.git\n    revision: 1.0.0\n",
    );
    project.model("m", "select {{ dbt_tools.twice(1) }} as n");
    let said = project.fail(2, &["compile"]);
    insta::assert_snapshot!(said);
    let said = project.fail(2, &["deps"]);
    assert!(said.contains("cannot fetch https://example.invalid/acme/dbt-tools.git"), "{said}");
    assert!(said.contains("copy the package's folder into dbt_packages/ yourself"), "{said}");
}

#[test]
fn deps_links_local_folders_and_fetches_repositories_and_locks_what_they_came_to() {
    let project = Project::new();
    package(&project, "vendor/tools");
    let git = |words: &[&str]| {
        let repository = project.path("elsewhere/dbt-more");
        std::fs::create_dir_all(&repository).unwrap();
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.invalid"])
            .args(words)
            .current_dir(repository)
            .output()
            .unwrap();
        assert!(done.status.success(), "{words:?} {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    project.file("elsewhere/dbt-more/dbt_project.yml", "name: more\n");
    project.file("elsewhere/dbt-more/macros/m.sql", "{% macro one() %}1{% endmacro %}");
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);
    let first = git(&["rev-parse", "HEAD"]);
    let url = project.path("elsewhere/dbt-more");
    project.file("packages.yml", format!("packages:\n  - local: vendor/tools\n  - git: {}\n", url.display()));
    project.succeed(&["deps"]);
    project.model("m", "select {{ more.one() }} as n, {{ tools.twice(2) }} as twice");
    project.succeed(&["run", "--select", "m"]);
    assert_eq!(rows(&project, "m"), json!([{"n": 1, "twice": 4}]));
    let lock = std::fs::read_to_string(project.path("package-lock.yml")).unwrap();
    assert!(lock.contains(&format!("revision: \"{first}\"")), "{lock}");

    // A later commit is not taken until it is asked for.
    project.file("elsewhere/dbt-more/macros/m.sql", "{% macro one() %}11{% endmacro %}");
    git(&["commit", "--quiet", "-am", "second"]);
    project.succeed(&["deps"]);
    project.succeed(&["run", "--select", "m"]);
    assert_eq!(rows(&project, "m"), json!([{"n": 1, "twice": 4}]));
    project.succeed(&["deps", "--upgrade"]);
    project.succeed(&["run", "--select", "m"]);
    assert_eq!(rows(&project, "m"), json!([{"n": 11, "twice": 4}]));
}
