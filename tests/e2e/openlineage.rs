//! What a run did, as OpenLineage events in a file and at an endpoint.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use serde_json::{Value as Json, json};

use crate::project::Project;

fn project(openlineage: &str) -> Project {
    let project = Project::with_listens();
    project.listens("1.json", &[(0, 1, "a"), (1, 2, "b")]);
    project.file("profiles.yml", format!("songs: {{target: dev, outputs: {{dev: {{type: local, path: warehouse, schema: main, threads: 1, openlineage: {openlineage}, sources: {{events: {{type: files, path: events}}}}}}}}}}"));
    project.model("plays", "select song, user_id from {{ ref('kept') }} where user_id > 0");
    project.model(
        "kept",
        "{{ config(materialized='table') }} select song, user_id from {{ source('events', 'listens') }}",
    );
    project.model("by_song", "{{ config(materialized='table') }} select upper(song) as song, count(*) as n from {{ ref('plays') }} group by song");
    project.file(
        "models/schema.yml",
        "models:\n  - name: by_song\n    description: Plays of each song.\n    columns: [{name: n, description: How many., data_tests: [not_null]}]\n",
    );
    project
}

fn events(project: &Project, file: &str) -> Vec<Json> {
    let text = fs::read_to_string(project.path(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What an event says, in a line.
fn told(event: &Json) -> String {
    let names = |key: &str| {
        let datasets = event[key].as_array().unwrap().iter();
        let name = |one: &Json| one["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        datasets.map(name).collect::<Vec<_>>().join(" ")
    };
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    format!(
        "{} {} [{}] -> [{}]",
        text(&event["eventType"]),
        text(&event["job"]["name"]),
        names("inputs"),
        names("outputs")
    )
}

#[test]
fn a_run_adds_events_to_a_file_with_columns_and_where_they_come_from() {
    let project = project("{file: target/lineage.ndjson, namespace: music}");
    project.succeed(&["build"]);
    let first = events(&project, "target/lineage.ndjson");
    let lines: Vec<String> = first.iter().map(told).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    START songs.build [] -> []
    START source.songs.events.listens [listens] -> []
    COMPLETE source.songs.events.listens [listens] -> [raw_listens]
    START model.songs.kept [raw_listens] -> []
    COMPLETE model.songs.kept [raw_listens] -> [kept]
    START model.songs.plays [kept] -> []
    COMPLETE model.songs.plays [kept] -> [plays]
    START model.songs.by_song [plays] -> []
    COMPLETE model.songs.by_song [plays] -> [by_song]
    START test.songs.not_null_by_song_n.24bfac953f [by_song] -> []
    COMPLETE test.songs.not_null_by_song_n.24bfac953f [by_song] -> []
    COMPLETE songs.build [] -> []
    ");
    let built = first.iter().find(|event| told(event).starts_with("COMPLETE model.songs.by_song")).unwrap();
    let parent = &built["run"]["facets"]["parent"];
    assert_eq!(parent["job"], json!({"namespace": "music", "name": "songs.build"}));
    assert_eq!(parent["run"]["runId"], first[0]["run"]["runId"]);
    let output = &built["outputs"][0];
    assert_eq!(output["namespace"], "file");
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 2);
    assert_eq!(
        output["facets"]["schema"]["fields"],
        json!([{"name": "song", "type": "varchar"}, {"name": "n", "type": "bigint", "description": "How many."}])
    );
    let lineage = &output["facets"]["columnLineage"];
    let of_song = &lineage["fields"]["song"]["inputFields"][0];
    assert_eq!(of_song["field"], "song");
    assert_eq!(of_song["transformations"], json!([{"type": "DIRECT", "subtype": "TRANSFORMATION"}]));
    assert!(lineage["dataset"].to_string().contains("GROUP_BY"), "{lineage}");
    let tested = first.iter().find(|event| told(event).starts_with("COMPLETE test.")).unwrap();
    let assertion = &tested["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0];
    assert_eq!((&assertion["success"], &assertion["column"]), (&json!(true), &json!("n")));

    // What was left as it was has no events; what fails says why.
    project.model(
        "by_song",
        "{{ config(materialized='table') }} select song, cast(song as bigint) as n from {{ ref('plays') }}",
    );
    project.fail(1, &["build"]);
    let all = events(&project, "target/lineage.ndjson");
    let second = &all[first.len()..];
    let lines: Vec<String> = second.iter().map(told).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    START songs.build [] -> []
    START model.songs.by_song [plays] -> []
    FAIL model.songs.by_song [plays] -> [by_song]
    FAIL songs.build [] -> []
    ");
    let failed = second.iter().find(|event| told(event).starts_with("FAIL model.songs.by_song")).unwrap();
    let message = failed["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(message.contains("by_song.sql"), "{message}");
}

#[test]
fn an_endpoint_is_sent_the_events_with_the_key_and_one_that_is_away_fails_no_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/lineage", listener.local_addr().unwrap());
    let taken = std::thread::spawn(move || {
        let mut taken = Vec::new();
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut request = String::new();
            while reader.read_line(&mut request).unwrap() > 2 {
                // Until the blank line.
            }
            let length = request
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            reader
                .get_mut()
                .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
            let event: Json = serde_json::from_slice(&body).unwrap();
            let is_last = event["job"]["name"] == "songs.run" && event["eventType"] == "COMPLETE";
            taken.push((request, event));
            if is_last {
                return taken;
            }
        }
        taken
    });
    let openlineage = format!("{{url: '{url}', api_key: \"{{{{ env_var('LINEAGE_KEY') }}}}\"}}");
    let project = project(&openlineage);
    let output = project.run_with(&["run"], &[("LINEAGE_KEY", "k3y-of-lineage")]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let taken = taken.join().unwrap();
    assert!(taken.iter().all(|(request, _)| request.contains("Bearer k3y-of-lineage")
        && request.starts_with("POST /api/v1/lineage ")));
    assert!(taken.len() > 4, "{taken:?}");
    let output = project.run_with(&["run"], &[("LINEAGE_KEY", "k3y-of-lineage")]);
    assert_eq!(output.code, Some(0));
    assert!(output.stderr.contains("openlineage events are lost"), "{}", output.stderr);
    assert!(!output.stderr.contains("k3y-of-lineage"), "{}", output.stderr);
}

#[test]
fn where_events_go_is_checked() {
    insta::assert_snapshot!(project("{}").fail(2, &["parse"]), @r"
    profiles.yml:1:107

      error: `openlineage` needs one of `file` and `url`
    ");
    insta::assert_snapshot!(project("{url: 'marquez:5000'}").fail(2, &["parse"]), @r"
    profiles.yml:1:107

      error: `url`: expected http:// or https://, found `marquez:5000`
    ");
    insta::assert_snapshot!(project("{file: a, adress: b}").fail(2, &["parse"]), @r"
    profiles.yml:1:117

      error: unknown key `adress` in `openlineage`
      help: the keys are file, url, api_key, namespace
    ");
}
