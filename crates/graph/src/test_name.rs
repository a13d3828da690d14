//! The names that dbt gives to uses of generic tests, so that selections and reports carry over.

use std::collections::BTreeMap;
use std::fmt::Write;

use md5::{Digest, Md5};
use serde_json::Value as Json;

use super::node::{Node, NodeId, NodeKind, TestDetail};
use mep_lang::project::TestUse;

/// What a generic test is attached to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attachment<'a> {
    /// The node's name; of a source table the table's alone.
    pub(super) name: &'a str,
    /// Of a model with versions, which one it is.
    pub(super) version: Option<&'a str>,
    /// Of a source table, the source.
    pub(super) source: Option<&'a str>,
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
    let head = head(test, attachment);
    if parts.is_empty() { head } else { format!("{head}_{}", parts.join("__")) }
}

/// What its name begins with: the test, with what is tested.
fn head(test: &TestUse, attachment: Attachment<'_>) -> String {
    let (package, name) = test.package_and_name();
    let package = package.map(|package| format!("{package}_")).unwrap_or_default();
    match (attachment.source, attachment.version) {
        (Some(source), _) => format!("{package}source_{name}_{source}_{}", attachment.name),
        (None, Some(version)) => format!("{package}{name}_{}_v{version}", attachment.name),
        (None, None) => format!("{package}{name}_{}", attachment.name),
    }
}

impl Node {
    /// The name as a file and an alias have it: that of a generic test is cut where it is long.
    pub fn short_name(&self) -> String {
        match &self.kind {
            NodeKind::Test(TestDetail::Generic { test, attached, .. }) => {
                short_name(test, tested(attached), &self.name)
            }
            _ => self.name.clone(),
        }
    }

    /// Of a generic test, `model` as dbt gives it to the test; nothing of any other node.
    pub fn tested_model(&self) -> String {
        match &self.kind {
            NodeKind::Test(TestDetail::Generic { attached, .. }) => tested_model(tested(attached)),
            _ => String::new(),
        }
    }
}

/// What is tested, by its id.
fn tested(attached: &NodeId) -> Attachment<'_> {
    let mut parts = attached.as_str().splitn(3, '.');
    let kind = parts.next().unwrap_or_default();
    let name = parts.nth(1).unwrap_or_default();
    let whole = Attachment { name, version: None, source: None, column: None };
    match kind {
        "source" => name.split_once('.').map_or(whole, |(source, name)| Attachment {
            name,
            source: Some(source),
            ..whole
        }),
        "model" => name.split_once(".v").map_or(whole, |(name, version)| Attachment {
            name,
            version: Some(version),
            ..whole
        }),
        _ => whole,
    }
}

/// A test's name as its file and its alias have it: one of 64 letters or more is cut, with a hash of all of it.
fn short_name(test: &TestUse, attachment: Attachment<'_>, full_name: &str) -> String {
    const LONGEST: usize = 64;
    if test.name.is_some() || full_name.len() < LONGEST {
        return full_name.to_owned();
    }
    let head: String = head(test, attachment).chars().take(30).collect();
    format!("{head}_{}", hex(&[full_name.as_bytes()], 16))
}

/// `model` as dbt gives it to the test: the rows that are tested, as a text of Jinja.
fn tested_model(Attachment { name, version, source, .. }: Attachment<'_>) -> String {
    match (source, version) {
        (Some(source), _) => format!("{{{{ get_where_subquery(source('{source}', '{name}')) }}}}"),
        (None, Some(version)) => {
            format!("{{{{ get_where_subquery(ref('{name}', version='{version}')) }}}}")
        }
        (None, None) => format!("{{{{ get_where_subquery(ref('{name}')) }}}}"),
    }
}

/// Ten hex digits that tell apart uses of one name, as dbt has them.
pub(super) fn dbt_digest(full_name: &str, test: &TestUse, attachment: Attachment<'_>) -> String {
    let (package, name) = test.package_and_name();
    let mut arguments: BTreeMap<&str, Json> =
        test.arguments.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    if let Some(column) = attachment.column {
        arguments.insert("column_name", column.into());
    }
    arguments.insert("model", tested_model(attachment).into());
    let arguments: Json = arguments.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let metadata = format!(
        "{{'kwargs': {}, 'name': {}, 'namespace': {}}}",
        repr(&arguments),
        python_quoted(name),
        python_quoted(package.unwrap_or("None"))
    );
    hex(&[full_name.as_bytes(), metadata.as_bytes()], 16).split_off(22)
}

/// Ten hex digits that tell apart uses that differ in their config alone.
pub(super) fn digest_with_config(test: &TestUse, attachment: Attachment<'_>) -> String {
    let mut text = format!("{}\0{}\0", dbt_digest("", test, attachment), attachment.name);
    for (key, located) in &test.config {
        // A text into a text cannot fail.
        let _ = write!(text, "{key}={}\0", located.value);
    }
    hex(&[text.as_bytes()], 5)
}

/// The MD5 of all parts together, the first `bytes` of it.
fn hex(parts: &[&[u8]], bytes: usize) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    md5.finalize().iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

/// As Python writes what dbt makes of a test's arguments before it hashes them: keys in their order, and all else as texts.
fn repr(value: &Json) -> String {
    match value {
        Json::Object(entries) => {
            let mut entries: Vec<(&String, &Json)> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entry = |(key, value): (&String, &Json)| format!("{}: {}", python_quoted(key), repr(value));
            format!("{{{}}}", entries.into_iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        other => python_quoted(&text(other)),
    }
}

/// A text in quotes, as Python's `repr` writes it.
pub fn python_quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c == quote => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{a0}' | '\u{ad}') => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
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

    fn used(test: &str, arguments: &[(&str, Json)]) -> TestUse {
        let place = SourceText::new("schema.yml", "x").at(Span::default());
        TestUse {
            test: Located { value: test.to_owned(), place },
            name: None,
            arguments: arguments.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            places: Vec::new(),
            config: IndexMap::new(),
            description: None,
        }
    }

    fn name(test: &str, arguments: &[(&str, Json)], name: &str, column: Option<&str>) -> String {
        test_name(&used(test, arguments), Attachment { name, version: None, source: None, column })
    }

    #[test]
    fn tests_of_a_version_have_dbts_ids() {
        let attached = NodeId::new("model.songs.m.v1");
        let attachment = Attachment { column: Some("id"), ..tested(&attached) };
        let unique = used("unique", &[]);
        let name = test_name(&unique, attachment);
        assert_eq!(name, "unique_m_v1_id");
        assert_eq!(dbt_digest(&name, &unique, attachment), "9d5a57269f");
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
