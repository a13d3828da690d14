//! The selector grammar: from words to nodes.
//!
//! `name`, `folder.*`, `+parents`, `children+`, `2+both+3`, `@with_parents_of_children`, `method:value`; a space joins, a
//! comma intersects. The grammar and the methods are dbt's.

use globset::{Glob, GlobBuilder};
use serde_json::Value as Json;

use super::dag::Graph;
use super::node::{Node, NodeId, NodeKind, TestDetail};
use super::node_index::NodeSet;
use mep_lang::project::{Problem, nearest};

/// The methods that a criterion can begin with.
const METHODS: [&str; 17] = [
    "access",
    "config",
    "exposure",
    "file",
    "fqn",
    "group",
    "metric",
    "name",
    "package",
    "path",
    "resource_type",
    "saved_query",
    "semantic_model",
    "source",
    "tag",
    "test_type",
    "version",
];

/// What words selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Indices of nodes.
    pub nodes: NodeSet,
    /// Criteria that stand for no node, each with a near name where there is one.
    pub unmatched: Vec<(String, Option<String>)>,
}

impl Graph {
    /// The nodes that `select` takes (all, where it is empty) without those that `exclude` takes. A test belongs to what
    /// it tests: it is taken with any of the nodes that it depends on.
    ///
    /// # Errors
    /// Where a word is not of the grammar.
    pub fn select(&self, select: &[String], exclude: &[String]) -> Result<Selection, Problem> {
        let mut selection = Selection::default();
        if select.iter().all(|words| words.trim().is_empty()) {
            selection.nodes = self.indices().collect();
        } else {
            selection = self.union(select)?;
        }
        let excluded = self.union(exclude)?;
        selection.nodes.retain(|node| !excluded.nodes.contains(node));
        selection.unmatched.extend(excluded.unmatched);
        Ok(selection)
    }

    fn union(&self, words: &[String]) -> Result<Selection, Problem> {
        let mut union = Selection::default();
        for word in words.iter().flat_map(|words| words.split_whitespace()) {
            let mut intersection: Option<NodeSet> = None;
            for text in word.split(',').filter(|text| !text.is_empty()) {
                let criterion = Criterion::parse(text)?;
                let matched = self.matching(&criterion)?;
                if matched.is_empty() {
                    union.unmatched.push((text.to_owned(), self.near(&criterion)));
                }
                let reached = self.with_tests(self.reached(&criterion, &matched));
                intersection = Some(match intersection {
                    Some(before) => before.intersection(&reached).copied().collect(),
                    None => reached,
                });
            }
            union.nodes.extend(intersection.unwrap_or_default());
        }
        Ok(union)
    }

    fn matching(&self, criterion: &Criterion<'_>) -> Result<NodeSet, Problem> {
        let pattern = NamePattern::new(criterion.value)?;
        let matches = |node: &Node| matches(node, criterion, &pattern);
        Ok(self.indexed().filter(|(_, node)| matches(node)).map(|(index, _)| index).collect())
    }

    fn reached(&self, criterion: &Criterion<'_>, matched: &NodeSet) -> NodeSet {
        let mut reached = matched.clone();
        if criterion.childrens_parents {
            return self.ancestors(&self.descendants(matched, None), None);
        }
        if let Some(steps) = criterion.parents {
            reached.extend(self.ancestors(matched, steps.0));
        }
        if let Some(steps) = criterion.children {
            reached.extend(self.descendants(matched, steps.0));
        }
        reached
    }

    fn with_tests(&self, mut nodes: NodeSet) -> NodeSet {
        let tests: Vec<_> = nodes
            .iter()
            .flat_map(|node| self.children(*node))
            .copied()
            .filter(|child| self.node(*child).is_test())
            .collect();
        nodes.extend(tests);
        nodes
    }

    fn near(&self, criterion: &Criterion<'_>) -> Option<String> {
        let nodes = self.nodes().iter().filter(|node| !node.is_test());
        match criterion.method {
            Method::Fqn | Method::Name | Method::Unsaid => {
                nearest(criterion.value, nodes.map(|node| node.name.as_str())).map(str::to_owned)
            }
            Method::Tag => {
                let tags = self.nodes().iter().flat_map(|node| &node.config.tags);
                nearest(criterion.value, tags.map(String::as_str)).map(|near| format!("tag:{near}"))
            }
            Method::Source => {
                let names: Vec<String> = nodes.filter_map(source_name).collect();
                nearest(criterion.value, names.iter().map(String::as_str))
                    .map(|near| format!("source:{near}"))
            }
            _ => None,
        }
    }
}

/// How many steps; `None` for any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Distance(Option<usize>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method<'a> {
    /// No method was written: a path, a file or a name.
    Unsaid,
    Access,
    Config(&'a str),
    Exposure,
    Group,
    /// A part of dbt's semantic layer, by dbt's word for it.
    Semantic(&'a str),
    Version,
    File,
    Fqn,
    Name,
    Package,
    Path,
    ResourceType,
    Source,
    Tag,
    TestType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Criterion<'a> {
    method: Method<'a>,
    value: &'a str,
    parents: Option<Distance>,
    children: Option<Distance>,
    childrens_parents: bool,
}

impl<'a> Criterion<'a> {
    fn parse(text: &'a str) -> Result<Self, Problem> {
        let (rest, childrens_parents) = match text.strip_prefix('@') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (parents, rest) = match rest.split_once('+') {
            Some((digits, rest)) if digits.bytes().all(|c| c.is_ascii_digit()) => {
                (Some(Distance(digits.parse().ok())), rest)
            }
            _ => (None, rest),
        };
        let (children, rest) = match rest.rsplit_once('+') {
            Some((rest, digits)) if digits.bytes().all(|c| c.is_ascii_digit()) => {
                (Some(Distance(digits.parse().ok())), rest)
            }
            _ => (None, rest),
        };
        if rest.is_empty() {
            let problem = Problem::new(format!("the selector `{text}` names nothing"));
            return Err(problem.help("write a name, such as fact_listen+, or a method, such as tag:core"));
        }
        if childrens_parents && (parents.is_some() || children.is_some()) {
            let problem = Problem::new(format!("the selector `{text}` has both `@` and `+`"));
            return Err(
                problem.help("`@` stands for a node, its children, and all that those need: leave `+` out")
            );
        }
        let (method, value) = match rest.split_once(':') {
            Some((method, value)) => (Self::method(method, text)?, value),
            None => (Method::Unsaid, rest),
        };
        Ok(Self { method, value, parents, children, childrens_parents })
    }

    fn method(word: &'a str, text: &str) -> Result<Method<'a>, Problem> {
        if let Some(key) = word.strip_prefix("config.") {
            return Ok(Method::Config(key));
        }
        Ok(match word {
            "access" => Method::Access,
            "exposure" => Method::Exposure,
            "group" => Method::Group,
            "metric" => Method::Semantic("metric"),
            "saved_query" => Method::Semantic("saved_query"),
            "semantic_model" => Method::Semantic("semantic_model"),
            "version" => Method::Version,
            "file" => Method::File,
            "fqn" => Method::Fqn,
            "name" => Method::Name,
            "package" => Method::Package,
            "path" => Method::Path,
            "resource_type" => Method::ResourceType,
            "source" => Method::Source,
            "tag" => Method::Tag,
            "test_type" => Method::TestType,
            _ => {
                let problem = Problem::new(format!("the selector `{text}` has an unknown method `{word}`"));
                let known = METHODS.join(", ").replace("config", "config.<key>");
                return Err(match nearest(word, METHODS) {
                    Some(near) => problem.help(format!("did you mean `{near}:`? the methods are {known}")),
                    None => problem.help(format!("the methods are {known}")),
                });
            }
        })
    }
}

/// A value that is compared with names: as it is, or as a glob where it has a wildcard.
struct NamePattern<'a> {
    text: &'a str,
    glob: Option<globset::GlobMatcher>,
}

impl<'a> NamePattern<'a> {
    fn new(text: &'a str) -> Result<Self, Problem> {
        let glob = has_wildcard(text).then(|| Glob::new(text).map(|glob| glob.compile_matcher()));
        let glob = glob.transpose().map_err(|error| {
            Problem::new(format!("the selector `{text}` is not a valid glob: {}", error.kind()))
        })?;
        Ok(Self { text, glob })
    }

    fn is(&self, name: &str) -> bool {
        self.text == name || self.glob.as_ref().is_some_and(|glob| glob.is_match(name))
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn matches(node: &Node, criterion: &Criterion<'_>, pattern: &NamePattern<'_>) -> bool {
    match criterion.method {
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
            matches!(node.kind, NodeKind::Model { .. }) && node.config.access.as_str() == pattern.text
        }
        Method::Semantic(word) => {
            node.resource_type() == word && (pattern.is(&node.name) || pattern.is(&node.fqn.join(".")))
        }
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
        Method::Config(key) => is_configured(node, key, pattern),
    }
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

fn source_name(node: &Node) -> Option<String> {
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
        return materialized && pattern.is(node.config.materialized.as_str());
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

/// The id of a node by its name, for words that must mean one node.
pub fn named<'g>(graph: &'g Graph, name: &str) -> Option<&'g NodeId> {
    graph.nodes().iter().find(|node| node.name == name && node.relation.is_some()).map(|node| &node.id)
}
