//! The config of a node in dbt's words: what dbt has without a word of the user's, and what the user says over it.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use mep_graph::{FailuresKept, Node, NodeKind, TestDetail, python_quoted};
use mep_lang::project::Located;

/// The config of a model, seed or snapshot without a word of the user's.
fn of_relation() -> Json {
    json!({
        "enabled": true,
        "alias": null,
        "schema": null,
        "database": null,
        "tags": [],
        "meta": {},
        "group": null,
        "materialized": "view",
        "incremental_strategy": null,
        "batch_size": null,
        "lookback": 1,
        "begin": null,
        "persist_docs": {},
        "post-hook": [],
        "pre-hook": [],
        "quoting": {},
        "column_types": {},
        "full_refresh": null,
        "unique_key": null,
        "on_schema_change": "ignore",
        "on_configuration_change": "apply",
        "grants": {},
        "packages": [],
        "docs": {"show": true, "node_color": null},
        "contract": {"enforced": false, "alias_types": true},
        "event_time": null,
        "concurrent_batches": null,
    })
}

/// What the kind of a node adds to it, or has in its place.
fn defaults(node: &Node) -> Map<String, Json> {
    let (base, more) = match &node.kind {
        NodeKind::Model { .. } => (of_relation(), json!({ "access": "protected", "freshness": null })),
        NodeKind::Seed { .. } => {
            (of_relation(), json!({ "materialized": "seed", "delimiter": ",", "quote_columns": null }))
        }
        NodeKind::Snapshot { .. } => {
            let columns =
                ["dbt_valid_to", "dbt_valid_from", "dbt_scd_id", "dbt_updated_at", "dbt_is_deleted"];
            let columns: Map<String, Json> =
                columns.into_iter().map(|name| (name.to_owned(), Json::Null)).collect();
            let more = json!({
                "materialized": "snapshot",
                "strategy": null,
                "target_schema": null,
                "target_database": null,
                "updated_at": null,
                "check_cols": null,
                "snapshot_meta_column_names": columns,
                "dbt_valid_to_current": null,
            });
            (of_relation(), more)
        }
        NodeKind::Test(TestDetail::Unit { .. }) | NodeKind::Exposure { .. } => {
            (json!({}), json!({ "enabled": true, "tags": [], "meta": {} }))
        }
        NodeKind::Semantic(_) => {
            (json!({}), json!({ "enabled": true, "group": node.config.group, "meta": {} }))
        }
        NodeKind::Test(_) => {
            let more = json!({
                "enabled": true,
                "alias": null,
                "schema": super::node::TEST_SCHEMA,
                "database": null,
                "tags": [],
                "meta": {},
                "group": null,
                "materialized": "test",
                "severity": "ERROR",
                "store_failures": null,
                "store_failures_as": null,
                "where": null,
                "limit": null,
                "fail_calc": "count(*)",
                "warn_if": "!= 0",
                "error_if": "!= 0",
            });
            (json!({}), more)
        }
        NodeKind::Source { .. } => {
            let more = json!({
                "enabled": true,
                "event_time": null,
                "loaded_at_field": null,
                "loaded_at_query": null,
                "meta": {},
                "tags": [],
            });
            (json!({}), more)
        }
    };
    let mut all = Map::new();
    for part in [base, more] {
        if let Json::Object(part) = part {
            all.extend(part);
        }
    }
    all
}

/// The config of a node.
pub(super) fn config(node: &Node) -> Map<String, Json> {
    let mut config = defaults(node);
    for (key, value) in &node.config.raw {
        match (config.get_mut(key), value) {
            // Nothing in the place of a list or a mapping says nothing.
            (Some(Json::Array(_) | Json::Object(_)), Json::Null) => {}
            (Some(Json::Object(known)), Json::Object(said)) if key != "meta" => {
                known.extend(said.clone());
            }
            _ => {
                config.insert(key.clone(), value.clone());
            }
        }
    }
    config.insert("enabled".to_owned(), node.config.enabled.into());
    config.insert("tags".to_owned(), node.config.tags.clone().into());
    config.insert("meta".to_owned(), node.config.meta.clone());
    for (key, other, called) in [
        ("pre-hook", "pre_hook", &node.config.hooks.before),
        ("post-hook", "post_hook", &node.config.hooks.after),
    ] {
        config.remove(other);
        if config.contains_key(key) {
            config.insert(key.to_owned(), hooks(called));
        }
    }
    if matches!(node.kind, NodeKind::Model { .. }) {
        config.insert("materialized".to_owned(), node.config.materialized().as_str().into());
        config.insert("access".to_owned(), node.config.model().access.as_str().into());
        // `contract: true` says the same as `contract: {enforced: true}`.
        if !config.get("contract").is_some_and(Json::is_object) {
            config.insert("contract".to_owned(), json!({ "alias_types": true }));
        }
        config["contract"]["enforced"] = node.config.model().contract.into();
    }
    if matches!(node.kind, NodeKind::Semantic(_)) {
        config.remove("tags");
    }
    if matches!(node.kind, NodeKind::Test(TestDetail::Generic { .. } | TestDetail::Singular { .. })) {
        add_kept(&mut config, node);
    }
    // A long name of a test is cut for its alias, which dbt writes into its config.
    if matches!(node.kind, NodeKind::Test(TestDetail::Generic { .. }))
        && config.get("alias").is_none_or(Json::is_null)
    {
        let short = node.short_name();
        config.insert("alias".to_owned(), (short != node.name).then_some(short).into());
    }
    config
}

/// Each of the two words of what failing rows are kept as says the other.
fn add_kept(config: &mut Map<String, Json>, node: &Node) {
    let kept = node.config.test().store_failures_as.map(|kept| kept != FailuresKept::Ephemeral);
    if let Some(kept) = kept {
        config.insert("store_failures".to_owned(), kept.into());
    } else if let Some(kept) = node.config.test().store_failures {
        let word = if kept { "table" } else { "ephemeral" };
        config.insert("store_failures_as".to_owned(), word.into());
    }
}

fn hooks(called: &[Located<String>]) -> Json {
    called.iter().map(|hook| json!({ "sql": hook.value, "transaction": true, "index": null })).collect()
}

/// The config of a use of a test as dbt writes it behind the test's call: a text of Jinja.
pub(super) fn call(node: &Node, written: &IndexMap<String, Located<Json>>) -> String {
    /// What dbt writes first, in its order.
    const FIRST: [&str; 13] = [
        "severity",
        "tags",
        "enabled",
        "where",
        "limit",
        "warn_if",
        "error_if",
        "fail_calc",
        "store_failures",
        "store_failures_as",
        "meta",
        "database",
        "schema",
    ];
    let is_own = |located: &&Located<Json>| located.place.text.path() != Path::new("dbt_project.yml");
    let own = |key: &str| written.get(key).filter(is_own).map(|located| &located.value);
    let mut parts: Vec<String> = FIRST
        .into_iter()
        .filter_map(|key| Some(format!("{key}={}", literal(own(key).filter(|value| !value.is_null())?))))
        .collect();
    let short = node.short_name();
    match own("alias") {
        Some(alias) => parts.push(format!("alias={}", literal(alias))),
        None if short != node.name => parts.push(format!("alias=\"{short}\"")),
        None => {}
    }
    if parts.is_empty() { String::new() } else { format!("{{{{ config({}) }}}}", parts.join(",")) }
}

/// A value as Python writes it, but for texts, which are in double quotes.
fn literal(value: &Json) -> String {
    match value {
        Json::String(text) => format!("\"{}\"", text.replace('"', "\\\"")),
        other => python(other),
    }
}

fn python(value: &Json) -> String {
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::String(text) => python_quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let entry = |(key, value): (&String, &Json)| format!("'{key}': {}", python(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Json::Number(number) => number.to_string(),
    }
}
