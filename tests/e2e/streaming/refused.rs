//! What cannot be streamed is refused before anything is read, with its place.

use crate::project::Project;

fn refused(model: &str) -> String {
    let project = Project::with_listens();
    project.model("m", model);
    project.fail(2, &["compile"])
}

#[test]
fn a_model_that_cannot_be_kept_as_events_come() {
    let key = "{{ config(materialized='streaming', partition_key='day') }}\n";
    let all = [
        format!("{key}select cast(to_timestamp_millis(ts) as date) as day, count(*) as n\nfrom {{{{ source('events', 'listens') }}}}\ngroup by 1"),
        format!("{key}select song as day from {{{{ source('events', 'listens') }}}}\norder by 1"),
        "{{ config(materialized='streaming') }}\nselect song from {{ source('events', 'listens') }}".to_owned(),
        format!("{key}select date_trunc('day', to_timestamp_millis(ts)) as day, song, count(*) as n\nfrom {{{{ source('events', 'listens') }}}} group by 1, 2"),
        "{{ config(materialized='streaming', partition_key='n') }}\nselect date_trunc('day', to_timestamp_millis(ts)) as day, count(*) as n\nfrom {{ source('events', 'listens') }} group by 1".to_owned(),
        format!("{key}select 1 as day"),
        "{{ config(materialized='streaming', partition_key='day', ttl='soon') }}\nselect song as day from {{ source('events', 'listens') }}".to_owned(),
    ];
    let all: Vec<String> = all.iter().map(|model| refused(model)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_function_that_differs_each_time_wherever_it_is_called() {
    let key = "{{ config(materialized='streaming', partition_key='song') }}\n";
    for rest in [
        "where ts > extract(epoch from now())",
        "where user_id in (select generate_series from generate_series(1, cast(extract(day from current_date) as bigint)))",
        "where user_id in (select 1 limit cast(extract(day from current_date) as bigint))",
    ] {
        let said = refused(&format!("{key}select song from {{{{ source('events', 'listens') }}}}\n{rest}"));
        let reason = "it cannot be streamed: a function in it gives other values each time";
        assert!(said.contains(reason) && said.contains("take the time from the events"), "{rest}: {said}");
    }
}

#[test]
fn what_reads_a_streaming_model() {
    let project = Project::with_listens();
    project.model(
        "songs",
        "{{ config(materialized='streaming', partition_key='song') }}\nselect song from {{ source('events', 'listens') }}",
    );
    project.model("over", "select song\nfrom {{ ref('songs') }}");
    insta::assert_snapshot!(project.fail(2, &["compile"]));
}

#[test]
fn a_source_in_files_does_not_go_on() {
    let project = Project::with_listens();
    project.model(
        "songs",
        "{{ config(materialized='streaming', partition_key='song') }}\nselect song from {{ source('events', 'listens') }}",
    );
    insta::assert_snapshot!(project.fail(2, &["stream"]));
    // A run without a selection builds tables, and leaves streams alone.
    project.listens("a.json", &[(0, 1, "x")]);
    project.succeed(&["run"]);
}
