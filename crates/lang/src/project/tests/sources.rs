//! Sources.

use serde_json::json;

use super::super::{OnLostOffsets, PinnedColumn};
use super::{loaded, problems};

#[test]
fn a_table_takes_on_what_its_source_says() {
    let project = loaded(&[
        ("dbt_project.yml", "name: shop\nsources: {shop: {raw: {+tags: [tree], +enabled: false}}}\n"),
        (
            "models/raw/s.yml",
            "sources:
  - name: events
    description: All of it.
    schema: ignored
    tags: [source]
    loaded_at_field: at
    config: {enabled: true}
    tables:
      - name: plays
        description: One for each.
        event_time: ts
        tags: [table]
        freshness: {warn_after: {count: 1, period: day}}
        columns: [{name: ts, constraints: [{type: not_null}]}]
      - {name: logins, land_as: landed, path: 'x/*.json', config: {event_time: at}}
      - {name: pages, identifier: page_views}
",
        ),
    ]);
    let [plays, logins, pages] = project.sources.as_slice() else { panic!("expected three tables") };
    assert_eq!(plays.tags, ["tree", "source", "table"]);
    assert_eq!(plays.config["enabled"].value, true);
    assert_eq!(plays.config["loaded_at_field"].value, "at");
    assert_eq!(plays.config["freshness"].value, json!({"warn_after": {"count": 1, "period": "day"}}));
    assert_eq!((plays.land_as.as_deref(), plays.path.as_deref()), (None, None));
    assert_eq!(plays.event_time.as_ref().unwrap().value, "ts");
    assert_eq!(plays.source_description.as_deref(), Some("All of it."));
    assert!(plays.properties.columns[0].is_not_null());
    assert_eq!((logins.land_as.as_deref(), logins.path.as_deref()), (Some("landed"), Some("x/*.json")));
    assert_eq!(logins.event_time.as_ref().unwrap().value, "at");
    assert_eq!(pages.identifier.as_deref(), Some("page_views"));
}

#[test]
fn a_source_can_stand_in_several_files() {
    let project = loaded(&[
        ("sources.yml", "sources: [{name: s, description: Both., tables: [{name: a}]}]"),
        ("models/s.yml", "sources: [{name: s, tables: [{name: b}]}]"),
    ]);
    let names: Vec<&str> = project.sources.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert!(project.sources.iter().all(|table| table.source_description.as_deref() == Some("Both.")));
}

#[test]
fn sources_are_checked() {
    insta::assert_snapshot!(problems(&[
        ("sources.yml", "sources:\n  - {name: s, tables: [{name: a}, {name: a}]}\n"),
        (
            "models/s.yml",
            "sources:
  - {name: s, tables: [{name: a, eventtime: ts, land_as: raw-a}]}
  - {name: t, table: [{name: a}]}
  - {tables: [{name: a}]}
  - {name: u, tables: [{description: a}, b]}
",
        ),
    ]), @r"
    models/s.yml:2:34: unknown key `eventtime` in a source table
        did you mean `event_time`?
    models/s.yml:2:58: expected a table's name of letters, digits and `_`, found `raw-a`
    models/s.yml:3:15: unknown key `table` in a source
        did you mean `tables`?
    models/s.yml:4:5: a source needs `name`
    models/s.yml:5:24: a source table needs `name`
    models/s.yml:5:42: `tables`: expected a mapping, found `b`
    sources.yml:2:31: two source tables are named `s.a`
        the first is in models/s.yml, line 2
    sources.yml:2:42: two source tables are named `s.a`
        the first is in models/s.yml, line 2
    ");
}

#[test]
fn a_table_may_name_its_topics() {
    let table = |topics: &str| {
        format!("sources: [{{name: s, tables: [{{name: a, topics: {topics}, on_lost_offsets: accept}}]}}]")
    };
    let project = loaded(&[("sources.yml", &table("[a.v1, a.v2]"))]);
    assert_eq!(project.sources[0].topics, ["a.v1", "a.v2"]);
    assert_eq!(project.sources[0].on_lost_offsets, Some(OnLostOffsets::Accept));
    insta::assert_snapshot!(problems(&[("sources.yml", &table("[a b, c, c, '']"))]), @r"
    sources.yml:1:49: expected a topic's name of letters, digits, `.`, `_` and `-`, found `a b`
    sources.yml:1:57: the topic `c` is named twice
    sources.yml:1:60: expected a topic's name of letters, digits, `.`, `_` and `-`, found ``
    ");
    insta::assert_snapshot!(problems(&[("sources.yml", &table("c").replace("accept", "maybe"))]), @"sources.yml:1:68: `on_lost_offsets`: expected fail or accept, found `maybe`");
}

#[test]
fn columns_are_pinned_into_the_file_that_is_otherwise_left_as_it_is() {
    let pinned = |yaml: &str| {
        let project = loaded(&[("dbt_project.yml", "name: shop\n"), ("models/s.yml", yaml)]);
        let columns = [("id", "bigint"), ("price", "decimal(9,2)"), ("on", "varchar[]")];
        let columns = columns
            .map(|(name, data_type)| PinnedColumn { name: name.to_owned(), data_type: data_type.to_owned() });
        let text = project.sources[0].pinned(&columns).map_err(|problem| problem.to_string()).unwrap();
        let again = loaded(&[("dbt_project.yml", "name: shop\n"), ("models/s.yml", &text)]);
        let read: Vec<_> = again.sources[0].properties.columns.iter().collect();
        let types: Vec<&str> =
            read.iter().filter_map(|column| Some(column.data_type.as_ref()?.value.as_str())).collect();
        assert_eq!(types.len(), 3, "{text}");
        assert_eq!(again.sources.len(), project.sources.len());
        text
    };
    let texts = [
        "# ours\nsources:\n  - name: events\n    tables:\n      - name: plays   # all of them\n        tags: [x]\n      - name: other\n",
        "sources:\n  - name: events\n    tables:\n      - name: plays",
        "sources: [{name: events, tables: [{name: 'plays', tags: [x]}, {name: other}]}]\n",
        "sources:\n  - name: events\n    tables:\n      - name: plays\n        columns:\n          - name: price\n            tests:\n              - unique\n          - description: The key.\n            name: \"id\"\n            tests: [not_null]\n\n      - name: other\n",
        "sources:\n  - name: events\n    tables:\n      - name: plays\n        columns:\n        - {name: id, tests: [unique, {accepted_values: {values: ['}']}}]}\n        - {name: price, data_type: double}\n      - name: other\n",
        "sources:\n  - name: events\n    tables:\n      - name: plays\n        columns: [{name: id}, {name: price, data_type: double}]\n      - name: other\n",
    ];
    insta::assert_snapshot!(texts.map(pinned).join("---\n"));
}

#[test]
fn what_files_are_is_said_by_a_table_over_its_connection_and_mistakes_have_their_place() {
    let files = |table: &str| {
        [
            ("dbt_project.yml", "name: shop\nprofile: p\n".to_owned()),
            (
                "profiles.yml",
                "p: {outputs: {dev: {type: local, path: w, schema: main, sources: {events: {type: files, path: e, format: csv, csv: {delimiter: ';', header: false}}}}}}\n"
                    .to_owned(),
            ),
            ("models/s.yml", format!("sources: [{{name: events, tables: [{{name: plays, {table}}}]}}]\n")),
        ]
    };
    let borrowed = |files: &[(&'static str, String); 3]| -> Vec<(&'static str, String)> { files.to_vec() };
    let read = |table: &str| {
        let files = borrowed(&files(table));
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let project = loaded(&files);
        project.files_reading(&project.sources[0]).map_err(|problem| problem.to_string())
    };
    let reading = read("csv: {header: true, null_text: ['NULL', ''], encoding: latin1}").unwrap();
    assert_eq!(reading.csv.delimiter, Some(b';'));
    assert_eq!(reading.csv.header, Some(true));
    assert_eq!(reading.csv.encoding.as_deref(), Some("windows-1252"));
    assert_eq!(reading.csv.null_text, Some(vec!["NULL".to_owned(), String::new()]));
    assert!(read("format: parquet, tags: []").unwrap().format.is_some());
    let wrong = [
        "format: orc",
        "format: cvs",
        "format: json, csv: {header: true}",
        "csv: {delimiter: '::', quote: x, comment: x, encoding: klingon, headers: true}",
        "csv: {delimiter: '', escape: 3, null_text: [NULL]}",
    ];
    let told: Vec<String> = wrong
        .iter()
        .map(|table| {
            let files = borrowed(&files(table));
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
            problems(&files)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n---\n"));
}
