//! One word of a selection: a method, a value, and how far it reaches.

use mep_lang::project::{Problem, nearest};

/// The methods that a criterion can begin with.
const METHODS: [&str; 24] = [
    "access",
    "column",
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
    "result",
    "saved_query",
    "selector",
    "semantic_model",
    "source",
    "source_status",
    "state",
    "tag",
    "test_name",
    "test_type",
    "unit_test",
    "version",
];

/// How many steps; `None` for any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Distance(pub(super) Option<usize>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// No method was written: a path, a file or a name.
    Unsaid,
    Access,
    /// A column, and what it reaches.
    Column,
    Config(String),
    Exposure,
    File,
    Fqn,
    Name,
    Group,
    Package,
    Path,
    ResourceType,
    Result,
    Selector,
    /// A part of dbt's semantic layer, by dbt's word for it.
    Semantic(&'static str),
    Source,
    SourceStatus,
    State,
    Tag,
    TestName,
    TestType,
    UnitTest,
    Version,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Criterion {
    pub(super) method: Method,
    pub(super) value: String,
    pub(super) parents: Option<Distance>,
    pub(super) children: Option<Distance>,
    pub(super) childrens_parents: bool,
}

impl Criterion {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
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
        Ok(Self { method, value: value.to_owned(), parents, children, childrens_parents })
    }

    /// The method that a word means; `text` is what it stands in.
    pub(super) fn method(word: &str, text: &str) -> Result<Method, Problem> {
        if let Some(key) = word.strip_prefix("config.") {
            return Ok(Method::Config(key.to_owned()));
        }
        Ok(match word {
            "access" => Method::Access,
            "column" => Method::Column,
            "exposure" => Method::Exposure,
            "file" => Method::File,
            "fqn" => Method::Fqn,
            "metric" => Method::Semantic("metric"),
            "name" => Method::Name,
            "group" => Method::Group,
            "package" => Method::Package,
            "path" => Method::Path,
            "resource_type" => Method::ResourceType,
            "result" => Method::Result,
            "saved_query" => Method::Semantic("saved_query"),
            "selector" => Method::Selector,
            "semantic_model" => Method::Semantic("semantic_model"),
            "source" => Method::Source,
            "source_status" => Method::SourceStatus,
            "state" => Method::State,
            "tag" => Method::Tag,
            "test_name" => Method::TestName,
            "test_type" => Method::TestType,
            "unit_test" => Method::UnitTest,
            "version" => Method::Version,
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
