//! A relation as templates see it.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::problem::unsupported;
use super::subject::Resolved;
use mep_core::relation::Relation;

/// Prints the name of what SQL reads, and knows the parts of the relation's own; `render()` is always all of it.
#[derive(Debug)]
pub(super) struct RelationValue(Resolved);

impl RelationValue {
    pub(super) fn of(resolved: Resolved) -> Value {
        Value::from_object(Self(resolved))
    }
}

impl Object for RelationValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "schema" => self.0.relation.schema.clone().into(),
            "identifier" | "name" | "table" => self.0.relation.name.clone().into(),
            "database" => Value::from(()),
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
                let schema = parts.get::<Option<bool>>("schema")?.unwrap_or(true);
                // There is no part above the schema to leave out.
                parts.get::<Option<bool>>("database")?;
                parts.assert_all_used()?;
                if schema {
                    return Ok(Self::of(self.0.clone()));
                }
                Ok(Self::of(Relation { schema: None, name: self.0.relation.name.clone() }.into()))
            }
            "quote" | "incorporate" | "is_table" | "is_view" => Err(unsupported(
                &format!("`{method}` of a relation"),
                "a relation has `schema` and `identifier`",
            )),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.part.as_ref().unwrap_or(&self.0.relation))
    }
}
