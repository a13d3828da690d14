//! The names that dbt gives to uses of generic tests, so that selections and reports carry over.

use md5::{Digest, Md5};
use serde_json::Value as Json;

use mep_lang::project::TestUse;

/// What a generic test is attached to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attachment<'a> {
    /// The model's or seed's name; of a source table `source_<source>_<table>` without the first word.
    pub(super) name: &'a str,
    /// Whether it is a source table.
    pub(super) is_source: bool,
    /// The column.
    pub(super) column: Option<&'a str>,
}

/// The name of a use: the user's own, else of the test, what it tests, and its arguments in the order of their names.
pub(super) fn test_name(test: &TestUse, attachment: Attachment<'_>) -> String {
    if let Some(name) = &test.name {
        return name.clone();
    }
    let mut arguments: Vec<(&str, Json)> =
        test.arguments.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    if let Some(column) = attachment.column {
        arguments.push(("column_name", column.into()));
    }
    arguments.sort_by_key(|(a, _)| *a);
    let parts: Vec<String> =
        arguments.iter().flat_map(|(_, value)| flat(value)).map(|part| clean(&part)).collect();
    let prefix = if attachment.is_source { "source_" } else { "" };
    let test = test.test.value.replace('.', "_");
    let head = format!("{prefix}{test}_{}", attachment.name);
    if parts.is_empty() { head } else { format!("{head}_{}", parts.join("__")) }
}

/// Ten hex digits that tell apart uses of one name.
pub(super) fn digest(test: &TestUse, attachment: Attachment<'_>) -> String {
    let mut md5 = Md5::new();
    for part in [&test.test.value, attachment.name, attachment.column.unwrap_or_default()] {
        md5.update(part.as_bytes());
        md5.update([0]);
    }
    let mut arguments: Vec<String> =
        test.arguments.iter().map(|(key, value)| format!("{key}={value}")).collect();
    arguments.extend(test.config.iter().map(|(key, located)| format!("{key}={}", located.value)));
    for argument in arguments {
        md5.update(argument.as_bytes());
        md5.update([0]);
    }
    md5.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}

fn flat(value: &Json) -> Vec<String> {
    match value {
        Json::Array(parts) => parts.iter().map(text).collect(),
        Json::Object(parts) => parts.values().map(text).collect(),
        other => vec![text(other)],
    }
}

/// As Python prints it.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

/// Runs of other characters than letters of ASCII, digits and `_` become one `_`.
fn clean(part: &str) -> String {
    let mut cleaned = String::with_capacity(part.len());
    let mut within_run = false;
    for c in part.chars() {
        let plain = c.is_ascii_alphanumeric() || c == '_';
        if plain {
            cleaned.push(c);
        } else if !within_run {
            cleaned.push('_');
        }
        within_run = !plain;
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde_json::json;

    use super::*;
    use mep_lang::project::{Located, SourceText, Span};

    fn name(test: &str, arguments: &[(&str, Json)], name: &str, column: Option<&str>) -> String {
        let place = SourceText::new("schema.yml", "x").at(Span::default());
        let test = TestUse {
            test: Located { value: test.to_owned(), place },
            name: None,
            arguments: arguments.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            places: Vec::new(),
            config: IndexMap::new(),
            description: None,
        };
        test_name(&test, Attachment { name, is_source: false, column })
    }

    #[test]
    fn tests_are_named_as_dbt_names_them() {
        assert_eq!(name("unique", &[], "dim_song", Some("song_id")), "unique_dim_song_song_id");
        let arguments = [("to", json!("ref('dim_song')")), ("field", json!("song_id"))];
        let relationships = name("relationships", &arguments, "fact_listen", Some("song_id"));
        assert_eq!(relationships, "relationships_fact_listen_song_id__song_id__ref_dim_song_");
        let values = [("values", json!(["Logged In", "free"]))];
        assert_eq!(
            name("accepted_values", &values, "fact_listen", Some("auth")),
            "accepted_values_fact_listen_auth__Logged_In__free"
        );
    }
}
