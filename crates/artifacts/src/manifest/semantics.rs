//! Semantic models, metrics and saved queries in dbt's words: what the files say, with what dbt adds where they do not.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::Described;
use super::node::{depends_on, references};
use mep_graph::{Node, SemanticDetail};
use mep_lang::project::{Metric, SavedQuery, SemanticModel, SemanticWords, Semantics};

/// What such a node has that no other node has.
pub(super) fn add(json: &mut Json, described: Described<'_>, node: &Node, detail: SemanticDetail) {
    let semantics = &described.project.semantics;
    let said = match detail {
        SemanticDetail::Model(index) => {
            let model = &semantics.models[index];
            add_model(json, described, node, model);
            &model.said
        }
        SemanticDetail::Metric(index) => {
            let metric = &semantics.metrics[index];
            add_metric(json, semantics, metric);
            json["meta"] = node.config.meta.clone();
            &metric.said
        }
        SemanticDetail::SavedQuery(index) => {
            let query = &semantics.saved_queries[index];
            add_query(json, described, query);
            &query.said
        }
    };
    if !matches!(detail, SemanticDetail::Metric(_)) {
        json["description"] = said.description.clone().into();
        json["label"] = said.label.clone().into();
    }
    match detail {
        SemanticDetail::Model(_) => {}
        SemanticDetail::Metric(_) => json["tags"] = node.config.tags.clone().into(),
        SemanticDetail::SavedQuery(_) => {
            json["tags"] = node.config.tags.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        }
    }
    json["group"] = said.group.clone().into();
    json["refs"] = references(node);
    json["depends_on"] = depends_on(node);
}

/// Some keys of a mapping; nothing for those that it does not have.
fn taken(of: &Json, keys: &[&str]) -> Json {
    keys.iter().map(|key| ((*key).to_owned(), of[*key].clone())).collect::<Map<_, _>>().into()
}

/// What a mapping says of a key, else what dbt has without it.
fn or(of: &Json, key: &str, unsaid: impl Into<Json>) -> Json {
    of.get(key).filter(|said| !said.is_null()).cloned().unwrap_or_else(|| unsaid.into())
}

fn list(of: &Json) -> impl Iterator<Item = &Json> {
    of.as_array().into_iter().flatten()
}

/// A word in small letters, as dbt knows it.
fn word(of: &Json) -> Json {
    of.as_str().map(str::to_lowercase).into()
}

/// An expression is a text, whatever YAML makes of it.
fn text(of: &Json) -> Json {
    match of {
        Json::Null | Json::String(_) => of.clone(),
        other => other.to_string().into(),
    }
}

/// `28 days`, as a number and a word.
fn window(of: &Json) -> Json {
    const STANDARD: [&str; 10] = [
        "nanosecond",
        "microsecond",
        "millisecond",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
    ];
    let Some(text) = of.as_str() else { return Json::Null };
    let text = text.to_lowercase();
    let Some((count, granularity)) = text.split_once(' ') else { return Json::Null };
    let one = granularity.strip_suffix('s').filter(|one| STANDARD.contains(one) || *one == "year");
    match count.parse::<u64>() {
        Ok(count) => json!({ "count": count, "granularity": one.unwrap_or(granularity) }),
        Err(_) => Json::Null,
    }
}

/// One condition, or several of which all hold.
fn filter(of: &Json) -> Json {
    let one = |text: &Json| json!({ "where_sql_template": text });
    match of {
        Json::String(_) => json!({ "where_filters": [one(of)] }),
        Json::Array(many) => json!({ "where_filters": many.iter().map(one).collect::<Vec<_>>() }),
        _ => Json::Null,
    }
}

/// A name alone, or a mapping with it.
fn named(of: &Json) -> Json {
    match of {
        Json::String(name) => json!({ "name": name }),
        other => other.clone(),
    }
}

fn measure(of: &Json) -> Json {
    if of.is_null() {
        return Json::Null;
    }
    let of = named(of);
    let mut json = taken(&of, &["name", "alias", "fill_nulls_with"]);
    json["filter"] = filter(&of["filter"]);
    json["join_to_timespine"] = or(&of, "join_to_timespine", false);
    json
}

fn metric(of: &Json) -> Json {
    if of.is_null() {
        return Json::Null;
    }
    let of = named(of);
    let mut json = taken(&of, &["name", "alias", "offset_to_grain"]);
    json["filter"] = filter(&of["filter"]);
    json["offset_window"] = window(&of["offset_window"]);
    json
}

fn add_model(json: &mut Json, described: Described<'_>, node: &Node, model: &SemanticModel) {
    let written = &model.said.written;
    json["model"] = model.model.value.clone().into();
    let related = node.depends_on.first().and_then(|needed| described.graph.position(&needed.id));
    let related = related.map(|index| described.graph.node(index));
    let target = &described.project.target.schema;
    json["node_relation"] = related
        .map(|model| {
            let relation = model.own_relation();
            json!({
                "alias": relation.map_or_else(|| model.name_with_version(), |relation| relation.name.clone()),
                "schema_name": relation.and_then(|relation| relation.schema.as_ref()).unwrap_or(target),
                "database": null,
                "relation_name": relation.map(ToString::to_string),
            })
        })
        .into();
    let defaults = &written["defaults"];
    json["defaults"] = if defaults.is_null() { Json::Null } else { taken(defaults, &["agg_time_dimension"]) };
    json["entities"] = list(&written["entities"])
        .map(|entity| {
            let mut json = element(&model.said, entity, &["name", "description", "label", "role"]);
            json["type"] = word(&entity["type"]);
            json
        })
        .collect();
    json["measures"] =
        list(&written["measures"]).map(|measure| model_measure(&model.said, measure)).collect();
    json["dimensions"] = list(&written["dimensions"])
        .map(|dimension| {
            let mut json = element(&model.said, dimension, &["name", "description", "label"]);
            json["type"] = word(&dimension["type"]);
            json["is_partition"] = or(dimension, "is_partition", false);
            let params = &dimension["type_params"];
            json["type_params"] = if params.is_null() {
                Json::Null
            } else {
                let validity = &params["validity_params"];
                let is = |key: &str| or(validity, key, false);
                let validity = (!validity.is_null())
                    .then(|| json!({ "is_start": is("is_start"), "is_end": is("is_end") }));
                json!({ "time_granularity": word(&params["time_granularity"]), "validity_params": validity })
            };
            json
        })
        .collect();
    json["primary_entity"] = written["primary_entity"].clone();
}

/// What entities, dimensions and measures all have.
fn element(said: &SemanticWords, of: &Json, keys: &[&str]) -> Json {
    let mut json = taken(of, keys);
    json["expr"] = text(&of["expr"]);
    let mut meta: Map<String, Json> = said.meta.clone().into_iter().collect();
    meta.extend(of["config"]["meta"].as_object().cloned().unwrap_or_default());
    json["config"] = json!({ "meta": meta });
    json
}

fn model_measure(said: &SemanticWords, measure: &Json) -> Json {
    let mut json = element(said, measure, &["name", "description", "label", "agg_time_dimension"]);
    json["agg"] = word(&measure["agg"]);
    // dbt makes a metric of it, and then says no more of that here.
    json["create_metric"] = false.into();
    let params = &measure["agg_params"];
    json["agg_params"] = if params.is_null() {
        Json::Null
    } else {
        json!({
            "percentile": params["percentile"],
            "use_discrete_percentile": or(params, "use_discrete_percentile", false),
            "use_approximate_percentile": or(params, "use_approximate_percentile", false),
        })
    };
    let additive = &measure["non_additive_dimension"];
    json["non_additive_dimension"] = if additive.is_null() {
        Json::Null
    } else {
        json!({
            "name": additive["name"],
            "window_choice": word(&additive["window_choice"]),
            "window_groupings": or(additive, "window_groupings", json!([])),
        })
    };
    json
}

fn add_metric(json: &mut Json, semantics: &Semantics, of: &Metric) {
    let written = &of.said.written;
    let params = &written["type_params"];
    json["label"] = of.said.label.clone().unwrap_or_else(|| of.name.value.clone()).into();
    json["type"] = of.kind.to_lowercase().into();
    json["filter"] = filter(&written["filter"]);
    json["time_granularity"] = written["time_granularity"].clone();
    json["sources"] = json!([]);
    json["metrics"] = json!([]);
    let mut measures = Vec::new();
    add_measures(semantics, of, &mut measures, &mut Vec::new());
    let conversion = &params["conversion_type_params"];
    let conversion = (!conversion.is_null()).then(|| {
        json!({
            "base_measure": measure(&conversion["base_measure"]),
            "conversion_measure": measure(&conversion["conversion_measure"]),
            "entity": conversion["entity"],
            "calculation": or(conversion, "calculation", "conversion_rate"),
            "window": window(&conversion["window"]),
            "constant_properties": conversion["constant_properties"],
        })
    });
    let cumulative = &params["cumulative_type_params"];
    let own = |key: &str| if cumulative[key].is_null() { &params[key] } else { &cumulative[key] };
    let is_cumulative = of.kind.eq_ignore_ascii_case("cumulative");
    let cumulative = is_cumulative.then(|| {
        json!({
            "window": window(own("window")),
            "grain_to_date": own("grain_to_date"),
            "period_agg": or(cumulative, "period_agg", "first"),
            "metric": metric(&cumulative["metric"]),
        })
    });
    json["type_params"] = json!({
        "measure": measure(&params["measure"]),
        "input_measures": measures,
        "numerator": metric(&params["numerator"]),
        "denominator": metric(&params["denominator"]),
        "expr": text(&params["expr"]),
        "window": window(&params["window"]),
        "grain_to_date": params["grain_to_date"],
        "metrics": list(&params["metrics"]).map(metric).collect::<Vec<_>>(),
        "conversion_type_params": conversion,
        "cumulative_type_params": cumulative,
        "metric_aggregation_params": null,
    });
}

/// The measures that a metric is made of, by way of other metrics too.
fn add_measures<'m>(
    semantics: &'m Semantics,
    of: &'m Metric,
    found: &mut Vec<Json>,
    seen: &mut Vec<&'m str>,
) {
    if seen.contains(&of.name.value.as_str()) {
        return;
    }
    seen.push(&of.name.value);
    let params = &of.said.written["type_params"];
    let conversion = &params["conversion_type_params"];
    for own in [&params["measure"], &conversion["base_measure"], &conversion["conversion_measure"]] {
        add_new(measure(own), found);
    }
    for name in &of.metrics {
        match semantics.metrics.iter().find(|metric| metric.name.value == name.value) {
            Some(metric) => add_measures(semantics, metric, found, seen),
            // A measure of which its semantic model makes a metric.
            None => add_new(measure(&name.value.as_str().into()), found),
        }
    }
}

fn add_new(one: Json, found: &mut Vec<Json>) {
    if !one.is_null() && !found.contains(&one) {
        found.push(one);
    }
}

fn add_query(json: &mut Json, described: Described<'_>, query: &SavedQuery) {
    let written = &query.said.written;
    let params = &written["query_params"];
    json["query_params"] = json!({
        "metrics": query.metrics.iter().map(|metric| &metric.value).collect::<Vec<_>>(),
        "group_by": or(params, "group_by", json!([])),
        "where": filter(&params["where"]),
        "order_by": or(params, "order_by", json!([])),
        "limit": params["limit"],
    });
    let config = &written["config"];
    for key in ["export_as", "schema"] {
        json["config"][key] = config[key].clone();
    }
    json["config"]["cache"] = json!({ "enabled": or(&config["cache"], "enabled", false) });
    let target = described.project.target.schema.as_str();
    let export = |export: &Json| {
        let own = |key: &str| or(&export["config"], key, config[key].clone());
        let schema = own("schema");
        json!({
            "name": export["name"],
            "config": {
                "export_as": own("export_as"),
                "schema_name": if schema.is_null() { target.into() } else { schema },
                "alias": or(&export["config"], "alias", export["name"].clone()),
                "database": null,
            },
        })
    };
    json["exports"] = list(&written["exports"]).map(export).collect();
}
