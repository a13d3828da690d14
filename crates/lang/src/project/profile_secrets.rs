//! Which values of `profiles.yml` are secret, so that mep never writes them out.
//!
//! A key whose name says so holds one, however it is written; and so does what comes from the environment, but for keys
//! that say where things are and are shown openly.

use super::strings::Strings;
use super::yaml::{Entry, Value, YamlNode};
use super::{Problems, SourceText};
use mep_core::secrets;

/// Keys whose values mep shows: where tables and sources are, and how much is done at once.
const OPEN: [&str; 40] = [
    "file",
    "url",
    "namespace",
    "type",
    "target",
    "schema",
    "path",
    "threads",
    "memory",
    "retention_days",
    "metastore",
    "location",
    "hadoop_conf_dir",
    "trino_catalog",
    "timeout",
    "brokers",
    "topic_prefix",
    "format",
    "schemas",
    "wire",
    "on_lost_offsets",
    "security_protocol",
    "sasl_mechanism",
    "ssl_ca_location",
    "ssl_certificate_location",
    "ssl_key_location",
    "contact_points",
    "keyspace",
    "local_dc",
    "consistency",
    "replication_factor",
    "start",
    "days",
    "users",
    "seed",
    "host",
    "port",
    "sslmode",
    "sslrootcert",
    "connect_timeout",
];

/// Keeps what a text looks to hold, before it is known to be YAML: a fault in it is told by quoting it.
pub(super) fn keep_of_text(text: &str) {
    for line in text.lines() {
        let mut rest = line;
        while let Some((key, value)) = rest.split_once(':') {
            let name = key.rsplit([',', '{', ' ', '\t']).find(|word| !word.is_empty()).unwrap_or_default();
            if secrets::is_secret_name(name.trim_matches(['"', '\''])) {
                let whole = value.trim();
                if !whole.contains("{{") {
                    keep_spelled(whole);
                    // Within braces, a value ends at a comma.
                    keep_spelled(whole.split([',', '}']).next().unwrap_or_default());
                    keep_spelled(whole.split(" #").next().unwrap_or_default());
                }
            }
            rest = value;
        }
    }
}

fn keep_spelled(value: &str) {
    let value = value.trim();
    secrets::keep(value);
    secrets::keep(value.trim_matches(['"', '\'', '*', '&', '!', '|', '>', '@', '`']));
}

/// Keeps the literal values below keys whose names say that they are secret, of all targets.
pub(super) fn keep_of_values(node: &YamlNode) {
    walk(node, false);
}

fn walk(node: &YamlNode, is_secret: bool) {
    match &node.value {
        Value::Text(text) | Value::Rendered(text) => {
            if is_secret && !text.contains("{{") {
                secrets::keep(text);
            }
            keep_of_url(text);
        }
        Value::Number(number) if is_secret => secrets::keep(&number.to_string()),
        Value::List(items) => items.iter().for_each(|item| walk(item, is_secret)),
        Value::Mapping(entries) => {
            for entry in entries {
                let is_mapping = matches!(entry.node.value, Value::Mapping(_));
                walk(&entry.node, !is_mapping && secrets::is_secret_name(&entry.key));
            }
        }
        _ => {}
    }
}

/// The password of a URL such as `https://user:password@host`.
fn keep_of_url(text: &str) {
    let Some((_, rest)) = text.split_once("://") else { return };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((user, _)) = authority.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        secrets::keep(password);
    }
}

/// Renders a target's strings, and keeps what of the environment fills keys that are not shown openly.
pub(super) fn render(strings: &Strings, file: &SourceText, node: &mut YamlNode, problems: &mut Problems) {
    // What chose the target is no secret of it.
    drop(strings.taken_of_environment());
    render_below(strings, file, node, false, problems);
    keep_of_values(node);
}

fn render_below(
    strings: &Strings,
    file: &SourceText,
    node: &mut YamlNode,
    is_open: bool,
    problems: &mut Problems,
) {
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                render_below(strings, file, item, is_open, problems);
            }
        }
        Value::Mapping(entries) => {
            for Entry { key, node, .. } in entries {
                render_below(strings, file, node, OPEN.contains(&key.as_str()), problems);
            }
        }
        _ => {
            strings.render(file, node, &[], problems);
            for (name, value) in strings.taken_of_environment() {
                if !is_open || secrets::is_secret_name(&name) {
                    secrets::keep(&value);
                }
            }
        }
    }
}
