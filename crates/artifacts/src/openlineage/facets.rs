//! The facets of OpenLineage that mep writes, each with the version of its schema.

use serde_json::{Map, Value as Json, json};

use super::PRODUCER;

/// A facet of a schema, with what it says.
fn facet(schema: &str, name: &str, says: Json) -> Json {
    let mut facet = Map::new();
    facet.insert("_producer".to_owned(), PRODUCER.into());
    let url = format!("https://openlineage.io/spec/facets/{schema}.json#/$defs/{name}");
    facet.insert("_schemaURL".to_owned(), url.into());
    if let Json::Object(says) = says {
        facet.extend(says);
    }
    Json::Object(facet)
}

/// The facets that every job has: what kind of job it is.
pub(super) fn job(kind: &str) -> Json {
    let says = json!({ "processingType": "BATCH", "integration": "MEP", "jobType": kind });
    json!({ "jobType": facet("2-0-3/JobTypeJobFacet", "JobTypeJobFacet", says) })
}

pub(super) fn sql(query: &str) -> Json {
    facet("1-1-0/SQLJobFacet", "SQLJobFacet", json!({ "query": query, "dialect": "mep" }))
}

pub(super) fn documentation(text: &str) -> Json {
    facet("1-1-0/DocumentationJobFacet", "DocumentationJobFacet", json!({ "description": text }))
}

pub(super) fn parent(run: &str, namespace: &str, name: &str) -> Json {
    let says = json!({ "run": { "runId": run }, "job": { "namespace": namespace, "name": name } });
    facet("1-1-0/ParentRunFacet", "ParentRunFacet", says)
}

pub(super) fn error(message: &str) -> Json {
    let says = json!({ "message": message, "programmingLanguage": "SQL" });
    facet("1-0-1/ErrorMessageRunFacet", "ErrorMessageRunFacet", says)
}

pub(super) fn schema(fields: &[Json]) -> Json {
    facet("1-1-1/SchemaDatasetFacet", "SchemaDatasetFacet", json!({ "fields": fields }))
}

pub(super) fn column_lineage(fields: &Map<String, Json>, dataset: &[Json]) -> Json {
    let says = json!({ "fields": fields, "dataset": dataset });
    facet("1-2-0/ColumnLineageDatasetFacet", "ColumnLineageDatasetFacet", says)
}

pub(super) fn output_statistics((rows, bytes): (u64, u64)) -> Json {
    let says = json!({ "rowCount": rows, "size": bytes });
    facet("1-0-2/OutputStatisticsOutputDatasetFacet", "OutputStatisticsOutputDatasetFacet", says)
}

pub(super) fn assertion(name: &str, passed: bool, column: Option<&str>) -> Json {
    let mut assertion = json!({ "assertion": name, "success": passed });
    if let Some(column) = column {
        assertion["column"] = column.into();
    }
    let says = json!({ "assertions": [assertion] });
    facet("1-0-1/DataQualityAssertionsDatasetFacet", "DataQualityAssertionsDatasetFacet", says)
}
