//! The part of a target that says where OpenLineage events go.

use std::path::PathBuf;

use super::item::Item;
use super::{Problem, Problems};
use mep_core::keys::{Key, Section, Shape, key};

const KEYS: [Key; 4] = [
    key("file", "file", "", "Where events are added, one a line, from the project's folder. This or `url`.")
        .of(Shape::Text),
    key(
        "url",
        "http://… or https://…",
        "",
        "The endpoint that events are posted to, with its path: `https://marquez/api/v1/lineage`.",
    )
    .of(Shape::Text),
    key(
        "api_key",
        "text",
        "",
        "The key for the endpoint, sent as a bearer token: take it from the environment by `env_var()`.",
    )
    .of(Shape::Text),
    key("namespace", "text", "mep", "The namespace of the jobs.").of(Shape::Text),
];

/// Where OpenLineage events go, and how jobs are named in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLineageConfig {
    /// Where they go.
    pub receiver: OpenLineageReceiver,
    /// The namespace of the jobs.
    pub namespace: String,
}

/// What takes OpenLineage events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenLineageReceiver {
    /// A file, one event a line; a relative path is relative to the project's root.
    File(PathBuf),
    /// An endpoint.
    Http {
        /// Its address, with the path.
        url: String,
        /// What is sent as a bearer token.
        api_key: Option<String>,
    },
}

pub(super) fn reference() -> Section {
    Section::of("openlineage of a target", &[&KEYS])
}

/// Reads it; `None`, with problems, where it cannot be.
pub(super) fn read_openlineage(item: Item<'_>, problems: &mut Problems) -> Option<OpenLineageConfig> {
    let mapping = item.mapping(problems);
    mapping.refuse_unknown("`openlineage`", &[&KEYS], problems);
    let mut text =
        |key: &str| mapping.get(key).and_then(|item| item.text(problems)).filter(|text| !text.is_empty());
    let (file, url, api_key, namespace) = (text("file"), text("url"), text("api_key"), text("namespace"));
    let receiver = match (file, url) {
        (Some(file), None) => OpenLineageReceiver::File(PathBuf::from(file)),
        (None, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => {
            OpenLineageReceiver::Http { url, api_key }
        }
        (None, Some(url)) => {
            let message = format!("`url`: expected http:// or https://, found `{url}`");
            problems.push(item.problem(message));
            return None;
        }
        _ => {
            let problem: Problem = item.problem("`openlineage` needs one of `file` and `url`");
            problems.push(problem);
            return None;
        }
    };
    Some(OpenLineageConfig { receiver, namespace: namespace.unwrap_or_else(|| "mep".to_owned()) })
}
