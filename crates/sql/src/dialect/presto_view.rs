//! A view as Trino and Presto keep it in a metastore: JSON in base64 in a comment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::ViewColumn;

/// What Trino knows of a view.
#[derive(Clone, Copy, Debug)]
pub struct PrestoView<'a> {
    /// The SELECT, in Trino's dialect.
    pub sql: &'a str,
    /// The catalog in which the SELECT's names are looked up.
    pub catalog: &'a str,
    /// The schema in which the view stands.
    pub schema: &'a str,
    /// The view's columns.
    pub columns: &'a [ViewColumn],
}

impl PrestoView<'_> {
    /// The table parameters by which Trino tells such a view from one of Hive.
    pub const PARAMETERS: [(&'static str, &'static str); 2] =
        [("presto_view", "true"), ("comment", "Presto View")];

    /// The metastore's `viewOriginalText`. The view runs as who reads it, as views do in Hive and Spark.
    pub fn encode(&self) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|column| json!({"name": column.name, "type": column.trino_type, "comment": null}))
            .collect();
        let definition = json!({
            "originalSql": self.sql,
            "catalog": self.catalog,
            "schema": self.schema,
            "columns": columns,
            "comment": null,
            "owner": null,
            "runAsInvoker": true,
            "path": [],
        });
        format!("/* Presto View: {} */", STANDARD.encode(definition.to_string()))
    }
}
