//! Versions of models, groups and access, and the semantic layer: what names mean, and who may say them.

use crate::project::Project;

#[test]
fn a_reference_means_the_latest_version_or_the_one_that_it_says() {
    let project = Project::new();
    project.file("models/users_v1.sql", "select 1 as id, 'a' as name");
    project.file("models/users_two.sql", "select 2 as id, 'b' as name, true as is_new");
    project.model("latest", "select * from {{ ref('users') }}");
    project.model("first", "select * from {{ ref('users', v=1) }}");
    project.file(
        "models/schema.yml",
        "models:
  - name: users
    latest_version: 2
    config: {materialized: table}
    columns: [{name: id, data_tests: [unique]}, {name: name}]
    versions:
      - {v: 1, config: {materialized: view}, deprecation_date: 2020-01-01}
      - {v: 2, defined_in: users_two, columns: [{include: all, exclude: [name]}, {name: is_new}]}
",
    );
    project.succeed(&["build"]);
    let listed = |select: &str| project.print(&["ls", "--select", select, "--resource-type", "model"]);
    assert_eq!(listed("version:old"), "songs.users.v1\n");
    assert_eq!(listed("version:latest"), "songs.users.v2\n");
    assert!(project.print(&["show", "--inline", "select * from main.users_v2"]).contains("is_new"));
    assert!(project.print(&["show", "--select", "first"]).contains("| a "));
    project.model("first", "select * from {{ ref('users', v=3) }}");
    let failed = project.fail(2, &["parse"]);
    assert!(
        failed.contains("there is no version 3 of `users`") && failed.contains("the versions are 2, 1"),
        "{failed}"
    );
}

#[test]
fn a_private_model_is_for_its_group_alone() {
    let project = Project::new();
    project.model("secret", "select 1 as id");
    project.model("reader", "select * from {{ ref('secret') }}");
    let groups = |group: &str| {
        format!(
            "groups: [{{name: finance, owner: {{name: me}}}}, {{name: sales, owner: {{name: you}}}}]
models:
  - {{name: secret, access: private, group: finance}}
  - {{name: reader, config: {{group: {group}}}}}
"
        )
    };
    project.file("models/schema.yml", groups("sales"));
    let failed = project.fail(2, &["parse"]);
    let why =
        "model.songs.reader refers to model.songs.secret, which it may not: `secret` is private to the group";
    assert!(failed.contains(why) && failed.contains("models/reader.sql:1:"), "{failed}");
    project.file("models/schema.yml", groups("finance"));
    project.succeed(&["parse"]);
    project.file("models/schema.yml", groups("financ"));
    assert!(project.fail(2, &["parse"]).contains("did you mean `finance`?"));
}

#[test]
fn what_metrics_name_is_there() {
    let project = Project::new();
    project.model("orders", "select 1 as id, date '2024-01-01' as day");
    let metrics = |measure: &str| {
        format!(
            "semantic_models:
  - name: orders
    model: ref('orders')
    defaults: {{agg_time_dimension: day}}
    entities: [{{name: id, type: primary}}]
    dimensions: [{{name: day, type: time}}]
    measures: [{{name: order_count, agg: count, expr: id}}]
metrics:
  - {{name: orders_total, label: Orders, type: simple, type_params: {{measure: {measure}}}}}
saved_queries:
  - {{name: weekly, query_params: {{metrics: [orders_total]}}}}
"
        )
    };
    project.file("models/semantics.yml", metrics("order_cont"));
    let failed = project.fail(2, &["parse"]);
    assert!(
        failed.contains("there is no measure `order_cont`") && failed.contains("order_count"),
        "{failed}"
    );
    project.file("models/semantics.yml", metrics("order_count"));
    let listed = project.print(&["ls", "--select", "orders+", "saved_query:weekly"]);
    assert_eq!(
        listed,
        "metric:songs.orders_total\nsaved_query:songs.weekly\nsemantic_model:songs.orders\nsongs.orders\n"
    );
    project.succeed(&["build"]);
}
