//! `api` and columns, as templates see them: what is known of relations before anything is built.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::given::GivenArguments;
use super::problem::{invalid_with_help, unsupported};
use super::relation_value::{EPHEMERAL, RelationValue};
use mep_core::relation::Relation;

/// `api.Column`: a column of a relation.
#[derive(Debug)]
pub(super) struct ApiColumn {
    name: String,
    data_type: String,
    char_size: Option<u32>,
    precision: Option<u32>,
    scale: Option<u32>,
}

impl ApiColumn {
    pub(super) fn of(name: &str, data_type: &str) -> Value {
        Value::from_object(Self {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            char_size: None,
            precision: None,
            scale: None,
        })
    }

    /// The type with its sizes, as dbt names it of a column that was made of its parts.
    fn full_type(&self) -> String {
        match (self.char_size, self.precision, self.scale) {
            (Some(size), _, _) if self.is_string() => format!("character varying({size})"),
            (_, Some(precision), Some(scale)) if self.is_numeric() => {
                format!("{}({precision},{scale})", self.data_type)
            }
            _ => self.data_type.clone(),
        }
    }

    fn quoted(&self) -> String {
        quoted(&self.name)
    }

    /// The type without what stands in brackets.
    fn kind(&self) -> String {
        self.data_type.split('(').next().unwrap_or_default().trim().to_lowercase()
    }

    fn is_string(&self) -> bool {
        matches!(
            self.kind().as_str(),
            "text" | "varchar" | "character varying" | "character" | "char" | "string"
        )
    }

    fn is_float(&self) -> bool {
        matches!(self.kind().as_str(), "real" | "float" | "float4" | "float8" | "double" | "double precision")
    }

    fn is_integer(&self) -> bool {
        let kind = self.kind();
        let kind = kind.strip_suffix(" unsigned").unwrap_or(&kind);
        matches!(kind, "tinyint" | "smallint" | "integer" | "int" | "bigint" | "hugeint")
    }

    fn is_numeric(&self) -> bool {
        matches!(self.kind().as_str(), "numeric" | "decimal")
    }
}

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Object for ApiColumn {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "name" | "column" => self.name.as_str().into(),
            "quoted" => self.quoted().into(),
            "data_type" => self.full_type().into(),
            "dtype" => self.data_type.as_str().into(),
            "char_size" => self.char_size.into(),
            "numeric_precision" => self.precision.into(),
            "numeric_scale" => self.scale.into(),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let () = from_args(arguments)?;
        Ok(match method {
            "is_string" => self.is_string().into(),
            "is_float" => self.is_float().into(),
            "is_integer" => self.is_integer().into(),
            "is_numeric" => self.is_numeric().into(),
            "is_number" => (self.is_float() || self.is_integer() || self.is_numeric()).into(),
            // As dbt has it of a text without a size.
            "string_size" if self.is_string() => self.char_size.unwrap_or(256).into(),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Column {} ({})>", self.name, self.data_type)
    }
}

/// `api` and its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Whole,
    Relation,
    Column,
}

impl Object for Api {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (**self, key.as_str()?) {
            (Self::Whole, "Relation") => Some(Value::from_object(Self::Relation)),
            (Self::Whole, "Column") => Some(Value::from_object(Self::Column)),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        match **self {
            Self::Column => column(arguments),
            Self::Relation | Self::Whole => Err(unsupported("this call", "write api.Relation.create(...)")),
        }
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match (**self, method) {
            (Self::Whole, "Column") | (Self::Column, "create") => column(arguments),
            (Self::Relation, "create") => created(arguments),
            (Self::Relation, "add_ephemeral_prefix") => {
                let (name,): (&str,) = from_args(arguments)?;
                Ok(format!("{EPHEMERAL}{name}").into())
            }
            (Self::Column, "translate_type") => {
                let (name,): (&str,) = from_args(arguments)?;
                Ok(translated(name).into())
            }
            (Self::Column, "numeric_type") => {
                let (name, precision, scale): (&str, Option<u32>, Option<u32>) = from_args(arguments)?;
                Ok(match (precision, scale) {
                    (Some(precision), Some(scale)) => format!("{name}({precision},{scale})").into(),
                    _ => name.into(),
                })
            }
            (Self::Column, "string_type") => {
                let (size,): (u32,) = from_args(arguments)?;
                Ok(format!("character varying({size})").into())
            }
            _ => {
                let _ = state;
                Err(unsupported(
                    &format!("`{method}` of `api`"),
                    "mep has `api.Relation.create` and `api.Column`",
                ))
            }
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match **self {
            Self::Whole => "api",
            Self::Relation => "api.Relation",
            Self::Column => "api.Column",
        })
    }
}

/// `api.Column(column, dtype, char_size, numeric_precision, numeric_scale)`.
fn column(arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("Column", arguments)?;
    let (name, data_type) = (given.any("column")?, given.any("dtype")?);
    let size = |given: &mut GivenArguments<'_>, name: &str| -> Result<Option<u32>, Error> {
        Ok(given.number(name)?.and_then(|size| u32::try_from(size).ok()))
    };
    let char_size = size(&mut given, "char_size")?;
    let (precision, scale) = (size(&mut given, "numeric_precision")?, size(&mut given, "numeric_scale")?);
    given.end()?;
    match (name, data_type) {
        (Some(name), Some(data_type)) => Ok(Value::from_object(ApiColumn {
            name: name.to_string(),
            data_type: translated(&data_type.to_string()),
            char_size,
            precision,
            scale,
        })),
        _ => Err(invalid_with_help("a column has a name and a type", "write api.Column('name', 'varchar')")),
    }
}

/// A type as dbt's labels call it.
fn translated(name: &str) -> String {
    match name.to_uppercase().as_str() {
        "STRING" => "TEXT".to_owned(),
        "INTEGER" => "INT".to_owned(),
        upper @ ("TIMESTAMP" | "FLOAT" | "BOOLEAN") => upper.to_owned(),
        _ => name.to_owned(),
    }
}

/// `api.Relation.create(database, schema, identifier)`.
pub(super) fn created(arguments: &[Value]) -> Result<Value, Error> {
    let (positional, named): (minijinja::value::Rest<Value>, Kwargs) = from_args(arguments)?;
    let part = |at: usize, name: &str| -> Result<Option<String>, Error> {
        let found = match positional.get(at) {
            Some(found) => Some(found.clone()),
            None => named.get::<Option<Value>>(name)?,
        };
        Ok(found.filter(|value| !value.is_none() && !value.is_undefined()).map(|value| value.to_string()))
    };
    // A warehouse of mep has schemas alone.
    part(0, "database")?;
    let (schema, name) = (part(1, "schema")?, part(2, "identifier")?);
    match name {
        Some(name) => Ok(RelationValue::of(Relation { schema, name }.into())),
        None => Err(invalid_with_help(
            "a relation needs an identifier",
            "write api.Relation.create(schema='...', identifier='...')",
        )),
    }
}
