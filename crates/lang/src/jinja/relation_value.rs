//! A relation as templates see it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Enumerator, Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::Dict;
use super::subject::Resolved;
use mep_core::relation::Relation;

/// What stands before the name of an ephemeral model.
pub(super) const EPHEMERAL: &str = "__dbt__cte__";

/// Prints the name of what SQL reads, and knows the parts of the relation's own; `render()` is always all of it.
#[derive(Debug)]
pub(super) struct RelationValue(Resolved);

impl RelationValue {
    pub(super) fn of(resolved: Resolved) -> Value {
        Value::from_object(Self(resolved))
    }

    /// The same with other names, of a mapping that holds them.
    fn with_path(&self, path: &Value) -> Result<Value, Error> {
        let part = |name: &str| -> Result<Option<String>, Error> {
            if path.is_none() {
                return Ok(None);
            }
            let part = path.get_attr(name)?;
            Ok((!part.is_none() && !part.is_undefined()).then(|| part.to_string()))
        };
        let (schema, name) = (part("schema")?, part("identifier")?);
        if schema.is_none() && name.is_none() {
            return Ok(Self::of(self.0.clone()));
        }
        let Relation { schema: own_schema, name: own_name } = self.0.relation.clone();
        Ok(Self::of(Relation { schema: schema.or(own_schema), name: name.unwrap_or(own_name) }.into()))
    }

    /// The relation that a value is.
    pub(super) fn relation(value: &Value) -> Option<Relation> {
        Some(value.downcast_object_ref::<Self>()?.0.relation.clone())
    }
}

impl Object for RelationValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    // As in dbt, a relation is a mapping, which is how macros know one.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["path", "type", "metadata"])
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let of = |relation: &Relation| (relation.schema.clone(), relation.name.clone());
        Some(of(&self.0.relation).cmp(&of(&other.downcast_ref::<Self>()?.0.relation)))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "schema" => self.0.relation.schema.clone().into(),
            "identifier" | "name" | "table" => self.0.relation.name.clone().into(),
            "database" => Value::from(()),
            "type" => "table".into(),
            "is_table" => true.into(),
            "is_view" => false.into(),
            "is_cte" => self.0.relation.name.starts_with(EPHEMERAL).into(),
            "metadata" => Dict::with([("type", "MepRelation".into())]),
            "path" => Dict::with([
                ("database", Value::from(())),
                ("schema", self.0.relation.schema.clone().into()),
                ("identifier", self.0.relation.name.clone().into()),
            ]),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "render" => Ok(self.0.relation.to_string().into()),
            "include" => {
                let (parts,): (Kwargs,) = from_args(arguments)?;
                let part = |name| parts.get::<Option<bool>>(name).map(|part| part.unwrap_or(true));
                // There is no part above the schema to leave out.
                let (_, schema, identifier) = (part("database")?, part("schema")?, part("identifier")?);
                parts.assert_all_used()?;
                match (schema, identifier) {
                    (true, true) => Ok(Self::of(self.0.clone())),
                    (true, false) => Ok(self.0.relation.schema.clone().unwrap_or_default().into()),
                    (false, true) => {
                        Ok(Self::of(Relation { schema: None, name: self.0.relation.name.clone() }.into()))
                    }
                    (false, false) => Ok("".into()),
                }
            }
            // SQL takes a name in quotes only where it needs them, and that is known when it is printed.
            "quote" | "without_quote" => Ok(Self::of(self.0.clone())),
            // mep has one for all schemas.
            "information_schema" => {
                let (view,): (Option<&str>,) = from_args(arguments)?;
                let schema = "information_schema".to_owned();
                Ok(match view {
                    Some(view) => {
                        Self::of(Relation { schema: Some(schema), name: view.to_lowercase() }.into())
                    }
                    None => schema.into(),
                })
            }
            "without_identifier" => Ok(self.0.relation.schema.clone().unwrap_or_default().into()),
            "incorporate" | "replace_path" => {
                let (parts,): (Kwargs,) = from_args(arguments)?;
                let path = match method {
                    "incorporate" => {
                        // What kind of relation it is changes nothing of its name.
                        parts.get::<Option<Value>>("type")?;
                        let path = parts.get::<Option<Value>>("path")?.unwrap_or_else(|| Value::from(()));
                        parts.assert_all_used()?;
                        path
                    }
                    _ => parts.into(),
                };
                self.with_path(&path)
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.part.as_ref().unwrap_or(&self.0.relation))
    }
}
