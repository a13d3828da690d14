//! How mep speaks: to people, to programs, quietly, and in no colours where nobody sees them.

use serde_json::Value as Json;

use crate::project::Project;

fn project() -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a")]);
    project.file("events/listens/2.json", "broken\n");
    project
        .model("plays", "{{ config(materialized='table') }} select * from {{ source('events', 'listens') }}");
    project.model(
        "broken",
        "{{ config(materialized='table') }} select 1 / (user_id - 1) as x from {{ ref('plays') }}",
    );
    project.file("models/schema.yml", "models:\n  - name: nothing\n  - name: plays\n    columns: [{name: song, data_tests: [{not_null: {config: {severity: warn}}}]}]\n");
    project
}

#[test]
fn lines_of_the_json_log_are_json() {
    let project = project();
    let output = project.run(&["build", "--log-format", "json"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    let lines: Vec<Json> = output
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events[..4], ["began", "started", "warning", "ended"]);
    assert!(
        lines.iter().any(|line| line["result"]["name"] == "broken" && line["result"]["status"] == "error")
    );
    assert!(lines.iter().any(|line| {
        line["message"].as_str().is_some_and(|said| said.contains("there is no model `nothing`"))
    }));
}

#[test]
fn quiet_says_only_what_went_wrong() {
    let project = project();
    insta::assert_snapshot!(project.fail(1, &["build", "--quiet"]), @r"
     warning  events.listens: 1 of 2 rows could not be read; they are in main.raw_listens_rejects with file, line and reason
       error  table broken  [time]

    what failed:
      table broken
          division by zero
          at models/broken.sql:1:43: 1 / (user_id - 1)
          help: nullif(…, 0) around the divisor gives NULL there
    rejected  events.listens: 1 of 2 rows by now, in main.raw_listens_rejects
    failed in [time]: 2 built, 1 passed, 1 in error
    ");
    std::fs::remove_file(project.path("models/broken.sql")).unwrap();
    std::fs::remove_file(project.path("models/schema.yml")).unwrap();
    // Rows that are rejected are something that went wrong, whenever that was.
    let said = "rejected  events.listens: 1 of 2 rows by now, in main.raw_listens_rejects\n";
    assert_eq!(project.succeed(&["build", "--quiet"]), said);
}

#[test]
fn results_as_json_go_to_standard_output_alone() {
    let project = project();
    let output = project.run(&["build", "--output", "json"]);
    let json: Json = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(json["success"], false);
    let status = |name: &str| {
        json["results"].as_array().unwrap().iter().find(|result| result["name"] == name).unwrap()["status"]
            .clone()
    };
    assert_eq!(
        (status("events.listens"), status("plays"), status("broken")),
        ("success".into(), "success".into(), "error".into())
    );
    assert!(output.stderr.contains("failed in [time]"));
}

#[test]
fn nothing_that_is_piped_has_escape_codes() {
    let project = project();
    for words in [
        &["build"][..],
        &["plan"],
        &["debug"],
        &["show", "--select", "plays"],
        &["ls", "--select", "none"],
        &["--help"],
        &["run", "--help"],
        &["nonsense"],
    ] {
        for variables in [&[][..], &[("NO_COLOR", "1")]] {
            let output = project.run_with(words, variables);
            assert!(
                !output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'),
                "{words:?} {output:?}"
            );
        }
    }
}

#[test]
fn the_version_is_told() {
    let project = Project::new();
    assert_eq!(project.print(&["--version"]), format!("mep {}\n", env!("CARGO_PKG_VERSION")));
    assert!(
        project.print(&["--help"]).contains("Exit codes:\n  0  all went well\n  1  a node or a test failed")
    );
}

#[test]
fn a_project_is_found_from_a_folder_within_it() {
    let project = project();
    let output =
        project.command(&["ls", "--output", "name"]).current_dir(project.path("models")).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("plays"));
    let nowhere = tempfile::tempdir().unwrap();
    let output = project.command(&["ls"]).current_dir(nowhere.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("there is no project in"), "{said}");
}
