//! `model` and `context`: what a text sees of its node, and of all names.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::{Dict, List, of_json};
use super::given::Given;
use super::macros::Macro;
use super::scope::RenderScope;

/// `context`: all names that the text sees, as a mapping.
#[derive(Debug)]
pub(super) struct Names(pub(super) Arc<RenderScope>);

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str().filter(|name| !name.starts_with("__"))?;
        let found = self.0.get_value_by_str(name);
        found.or_else(|| self.0.shared.macros.get(name).map(Macro::value))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let macros = self.0.shared.macros.names().map(Value::from);
        Enumerator::Values(NAMES.into_iter().map(Value::from).chain(macros).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get" => {
                let mut given = Given::of(method, arguments)?;
                let (key, default) = (given.needed("key")?, given.next("default")?);
                given.end()?;
                Ok(self.get_value(&key).or(default).unwrap_or_else(|| Value::from(())))
            }
            "keys" | "values" | "items" => Err(Error::from(ErrorKind::UnknownMethod)),
            // `context.given(1)` calls the macro.
            name => match self.get_value(&name.into()) {
                Some(found) => found.call(state, arguments),
                None => Err(Error::from(ErrorKind::UnknownMethod)),
            },
        }
    }
}

/// The names of a text's own that `context` shows.
const NAMES: [&str; 20] = [
    "adapter",
    "api",
    "builtins",
    "config",
    "execute",
    "flags",
    "invocation_id",
    "logical_date",
    "model",
    "modules",
    "project_name",
    "ref",
    "run_started_at",
    "schema",
    "source",
    "target",
    "this",
    "var",
    "exceptions",
    "is_incremental",
];

/// `model`: what is known of it when it is asked, since macros see it from when they are loaded.
#[derive(Debug)]
pub(super) struct Model(pub(super) Arc<RenderScope>);

impl Object for Model {
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&[
            "name",
            "unique_id",
            "resource_type",
            "fqn",
            "schema",
            "alias",
            "original_file_path",
            "path",
            "package_name",
            "tags",
            "config",
            "database",
            "language",
            "meta",
            "refs",
            "sources",
            "raw_code",
            "description",
            "columns",
            "depends_on",
            "version",
            "latest_version",
            "access",
            "group",
        ])
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let about = &self.0.about;
        Some(match key.as_str()? {
            "name" => about.name.as_str().into(),
            "unique_id" => about.unique_id.as_str().into(),
            "resource_type" => about.resource_type.as_str().into(),
            "fqn" => about.fqn.iter().map(String::as_str).collect(),
            "schema" => about.this.schema.clone().into(),
            "alias" => about.this.name.as_str().into(),
            "original_file_path" => about.path.as_str().into(),
            "path" => about.path.split_once('/').map_or(about.path.as_str(), |(_, path)| path).into(),
            "package_name" => about.package.as_str().into(),
            "tags" => about.config.get("tags").map_or_else(|| List::of(Vec::new()), of_json),
            "meta" => about.config.get("meta").map_or_else(|| Dict::of(IndexMap::new()), of_json),
            "group" | "access" => about.config.get(key.as_str()?).map_or_else(|| Value::from(()), of_json),
            "version" => about.version().map_or_else(|| Value::from(()), Value::from),
            "database" | "latest_version" => Value::from(()),
            "language" => "sql".into(),
            "description" => about.description.as_str().into(),
            "columns" => of_json(&about.columns),
            "raw_code" => about.raw.as_str().into(),
            "refs" => {
                let refs = self.0.noted().refs.clone();
                List::of(
                    refs.into_iter()
                        .map(|(package, name)| {
                            Dict::with([
                                ("name", name.into()),
                                ("package", package.into()),
                                ("version", Value::from(())),
                            ])
                        })
                        .collect(),
                )
            }
            "sources" => {
                let sources = self.0.noted().sources.clone();
                let pair = |(source, table): (String, String)| List::of(vec![source.into(), table.into()]);
                List::of(sources.into_iter().map(pair).collect())
            }
            "depends_on" => Dict::with([("macros", List::of(Vec::new())), ("nodes", List::of(Vec::new()))]),
            "config" => {
                let noted = self.0.noted();
                let entries = about.config.iter().chain(&noted.config);
                Dict::of(entries.map(|(key, value)| (Value::from(key.as_str()), of_json(value))).collect())
            }
            _ => return None,
        })
    }
}
