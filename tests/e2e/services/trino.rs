//! Trino, by its HTTP protocol.

use regex::{Captures, Regex};
use serde_json::Value as Json;

use super::{NULL, double, timestamp};

/// A coordinator.
pub(crate) struct Trino {
    url: String,
}

impl Trino {
    /// The coordinator at a URL.
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned() }
    }

    /// The rows of a query as text; names are looked up in the catalog `hive`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.try_rows(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// The rows of a query as text, or the server's message.
    pub(crate) fn try_rows(&self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let mut rows = Vec::new();
        let mut answer = self.post(sql)?;
        loop {
            if let Some(message) = answer["error"]["message"].as_str() {
                return Err(message.to_owned());
            }
            let types: Vec<&str> = answer["columns"]
                .as_array()
                .map(|columns| columns.iter().filter_map(|column| column["type"].as_str()).collect())
                .unwrap_or_default();
            for row in answer["data"].as_array().into_iter().flatten() {
                let values = row.as_array().into_iter().flatten().zip(&types);
                rows.push(values.map(|(value, of)| text(value, of)).collect());
            }
            let Some(next) = answer["nextUri"].as_str() else { return Ok(rows) };
            let mut response = ureq::get(next).call().map_err(|error| error.to_string())?;
            answer = json(&response.body_mut().read_to_string().map_err(|error| error.to_string())?)?;
        }
    }

    fn post(&self, sql: &str) -> Result<Json, String> {
        let mut response = ureq::post(format!("{}/v1/statement", self.url))
            .header("X-Trino-User", "mep")
            .header("X-Trino-Catalog", "hive")
            .header("X-Trino-Time-Zone", "UTC")
            .send(sql)
            .map_err(|error| error.to_string())?;
        json(&response.body_mut().read_to_string().map_err(|error| error.to_string())?)
    }
}

/// JSON in which fractions are texts, since reading them as numbers here can miss their last digit.
fn json(text: &str) -> Result<Json, String> {
    let token = Regex::new(r#""(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)"#).unwrap();
    let quoted = token.replace_all(text, |found: &Captures<'_>| match &found[0] {
        string if string.starts_with('"') => string.to_owned(),
        number => format!("\"{number}\""),
    });
    serde_json::from_str(&quoted).map_err(|error| error.to_string())
}

fn text(value: &Json, of: &str) -> String {
    match value {
        Json::Null => NULL.to_owned(),
        Json::String(text) if of.starts_with("timestamp") => timestamp(text),
        Json::String(text) if of == "double" => double(text.parse().unwrap()),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
