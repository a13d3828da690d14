//! Whether a node is one that a word of a selection names.

use globset::{Glob, GlobBuilder};
use serde_json::Value as Json;

use super::super::node::{Node, NodeKind, TestDetail};
use super::criterion::{Criterion, Method};
use mep_lang::project::Problem;

/// A value that is compared with names: as it is, or as a glob where it has a wildcard.
pub(super) struct NamePattern<'a> {
    pub(super) text: &'a str,
    glob: Option<globset::GlobMatcher>,
}

impl<'a> NamePattern<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Problem> {
        let glob = has_wildcard(text).then(|| Glob::new(text).map(|glob| glob.compile_matcher()));
        let glob = glob.transpose().map_err(|error| {
            Problem::new(format!("the selector `{text}` is not a valid glob: {}", error.kind()))
        })?;
        Ok(Self { text, glob })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.text == name || self.glob.as_ref().is_some_and(|glob| glob.is_match(name))
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a node is one that a criterion names; what lies beside the graph is not looked at here.
pub(super) fn matches(node: &Node, criterion: &Criterion, pattern: &NamePattern<'_>) -> bool {
    match &criterion.method {
        Method::Unsaid if criterion.value.contains('/') => is_below(node, pattern),
        Method::Unsaid if [".sql", ".csv", ".yml", ".yaml"].iter().any(|end| pattern.text.ends_with(end)) => {
            is_file(node, pattern)
        }
        // A bare word never means a source or an exposure, as in dbt: those have methods of their own.
        Method::Unsaid | Method::Fqn => {
            !matches!(node.kind, NodeKind::Source { .. } | NodeKind::Semantic(_) | NodeKind::Exposure { .. })
                && is_fqn(node, pattern)
        }
        Method::Name => pattern.is(&node.name),
        Method::File => is_file(node, pattern),
        Method::Path => is_below(node, pattern),
        Method::Package => {
            pattern.text == "this" || node.fqn.first().is_some_and(|package| pattern.is(package))
        }
        Method::ResourceType => node.resource_type() == pattern.text,
        Method::Access => {
            matches!(node.kind, NodeKind::Model { .. }) && node.config.model().access.as_str() == pattern.text
        }
        Method::Semantic(word) => node.resource_type() == *word && is_in_package(node, pattern),
        Method::Group => node.config.group.as_deref().is_some_and(|group| pattern.is(group)),
        Method::Version => is_of_version(node, pattern.text),
        Method::Tag => node.config.tags.iter().any(|tag| pattern.is(tag)),
        Method::Exposure => {
            matches!(node.kind, NodeKind::Exposure { .. })
                && (pattern.is(&node.name) || pattern.is(&node.fqn.join(".")))
        }
        Method::Source => is_source(node, pattern),
        Method::TestType => match &node.kind {
            NodeKind::Test(TestDetail::Unit { .. }) => pattern.text == "unit",
            NodeKind::Test(TestDetail::Generic { .. }) => ["generic", "data"].contains(&pattern.text),
            NodeKind::Test(TestDetail::Singular { .. }) => ["singular", "data"].contains(&pattern.text),
            _ => false,
        },
        Method::UnitTest => node.is_unit_test() && is_in_package(node, pattern),
        Method::TestName => match &node.kind {
            NodeKind::Test(TestDetail::Generic { test, .. }) => pattern.is(test.package_and_name().1),
            _ => false,
        },
        Method::Config(key) => is_configured(node, key, pattern),
        Method::Column | Method::Result | Method::Selector | Method::SourceStatus | Method::State => false,
    }
}

/// Whether the value is the node's name, with the package's before it or without.
fn is_in_package(node: &Node, pattern: &NamePattern<'_>) -> bool {
    let package = node.fqn.first().map(String::as_str).unwrap_or_default();
    pattern.is(&node.name) || pattern.is(&format!("{package}.{}", node.name))
}

/// `latest`, `old`, `prerelease`: beside the latest version; `none`: a model without versions.
fn is_of_version(node: &Node, word: &str) -> bool {
    let is_model = matches!(node.kind, NodeKind::Model { .. });
    match (node.version(), word) {
        (None, word) => is_model && word == "none",
        (Some(version), "latest") => version.is_latest(),
        (Some(version), "old") => version.beside_latest().is_lt(),
        (Some(version), "prerelease") => version.beside_latest().is_gt(),
        (Some(_), _) => false,
    }
}

fn is_file(node: &Node, pattern: &NamePattern<'_>) -> bool {
    let name = node.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = node.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    pattern.is(&name) || pattern.is(&stem)
}

/// Whether the node's file is this one or lies below this folder.
fn is_below(node: &Node, pattern: &NamePattern<'_>) -> bool {
    let path = node.path.to_string_lossy();
    let wanted = pattern.text.trim_start_matches("./").trim_end_matches('/');
    if has_wildcard(wanted) {
        let glob = GlobBuilder::new(wanted).literal_separator(false).build();
        return glob.is_ok_and(|glob| glob.compile_matcher().is_match(path.as_ref()));
    }
    path == wanted || path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether the value is the node's name, or the head of its folders, with the project's name or without.
fn is_fqn(node: &Node, pattern: &NamePattern<'_>) -> bool {
    if pattern.is(&node.name)
        || node.version().is_some() && node.reference_names().any(|name| pattern.is(&name))
    {
        return true;
    }
    let parts: Vec<&str> = node.fqn.iter().flat_map(|part| part.split('.')).collect();
    let without_package = parts.get(1..).unwrap_or_default();
    is_head(&parts, pattern.text) || is_head(without_package, pattern.text)
}

fn is_head(parts: &[&str], wanted: &str) -> bool {
    let wanted: Vec<&str> = wanted.split('.').collect();
    if parts.len() < wanted.len() {
        return false;
    }
    for (index, (part, wanted_part)) in parts.iter().zip(&wanted).enumerate() {
        if has_wildcard(wanted_part) {
            let glob = Glob::new(&wanted[index..].join("."));
            return glob.is_ok_and(|glob| glob.compile_matcher().is_match(parts[index..].join(".")));
        }
        if part != wanted_part {
            return false;
        }
    }
    true
}

pub(super) fn source_name(node: &Node) -> Option<String> {
    matches!(node.kind, NodeKind::Source { .. }).then(|| node.shown_name())
}

/// `source`, `source.table`, or either after the package's name.
fn is_source(node: &Node, pattern: &NamePattern<'_>) -> bool {
    let NodeKind::Source { source, .. } = &node.kind else { return false };
    let package = node.fqn.first().map(String::as_str).unwrap_or_default();
    let full = node.shown_name();
    pattern.is(source) || pattern.is(&full) || pattern.is(&format!("{package}.{full}"))
}

/// Whether config at `a.b.c` is the value, or a list that holds it.
fn is_configured(node: &Node, key: &str, pattern: &NamePattern<'_>) -> bool {
    let mut parts = key.split('.');
    let Some(first) = parts.next() else { return false };
    if first == "materialized" {
        let materialized = matches!(node.kind, NodeKind::Model { .. });
        return materialized && pattern.is(node.config.materialized().as_str());
    }
    let mut value = node.config.raw.get(first);
    for part in parts {
        value = value.and_then(|value| value.get(part));
    }
    value.is_some_and(|value| holds(value, pattern))
}

/// Whether a value is, or a list or mapping holds, what is looked for.
fn holds(value: &Json, pattern: &NamePattern<'_>) -> bool {
    match value {
        Json::String(text) => pattern.is(text),
        Json::Array(many) => many.iter().any(|one| holds(one, pattern)),
        Json::Object(many) => many.contains_key(pattern.text),
        Json::Null => false,
        other => pattern.text.eq_ignore_ascii_case(&other.to_string()),
    }
}
