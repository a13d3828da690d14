//! The types of Hive's columns, as the metastore writes them.
//!
//! Owns what each is in memory. Must not know: where values come from.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use mep_core::fingerprint::Structure;

/// How deep types may lie in one another: far more than any table has, and far less than the stack holds.
const DEEPEST: usize = 64;
/// The most digits that a decimal has.
const DIGITS: u8 = 38;

/// A type of Hive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HiveType {
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    /// Of so many digits, some of them behind the point.
    Decimal(u8, u8),
    String,
    /// Of at most so many characters.
    Varchar(usize),
    /// Of exactly so many characters: what is shorter has spaces behind it.
    Char(usize),
    Binary,
    Date,
    Timestamp,
    Array(Box<HiveType>),
    Map(Box<HiveType>, Box<HiveType>),
    Struct(Vec<(String, HiveType)>),
}

impl HiveType {
    /// Reads a type.
    ///
    /// # Errors
    /// The part of it that mep has no type for.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let parsed = parse(&mut rest, 0)?;
        if rest.is_empty() { Ok(parsed) } else { Err(text.trim().to_owned()) }
    }

    /// What a column of it is in memory.
    pub(super) fn of_column(&self) -> DataType {
        match self.of_value() {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => other,
        }
    }

    /// What a value of it is within another one.
    fn of_value(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(digits, scale) => DataType::Decimal128(*digits, scale.cast_signed()),
            Self::String | Self::Varchar(_) | Self::Char(_) => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Array(item) => DataType::List(Arc::new(Field::new_list_field(item.of_value(), true))),
            Self::Map(key, value) => DataType::Map(entries(key, value), false),
            Self::Struct(fields) => DataType::Struct(
                fields.iter().map(|(name, of)| Field::new(name, of.of_value(), true)).collect::<Fields>(),
            ),
        }
    }

    /// Adds it to what something is made of.
    pub(super) fn add_to(&self, parts: &mut Structure) {
        match self {
            Self::Boolean => parts.tag("boolean"),
            Self::TinyInt => parts.tag("tinyint"),
            Self::SmallInt => parts.tag("smallint"),
            Self::Int => parts.tag("int"),
            Self::BigInt => parts.tag("bigint"),
            Self::Float => parts.tag("float"),
            Self::Double => parts.tag("double"),
            Self::Decimal(digits, scale) => parts.tag("decimal").number(*digits).number(*scale),
            Self::String => parts.tag("string"),
            Self::Varchar(length) => parts.tag("varchar").count(*length),
            Self::Char(length) => parts.tag("char").count(*length),
            Self::Binary => parts.tag("binary"),
            Self::Date => parts.tag("date"),
            Self::Timestamp => parts.tag("timestamp"),
            Self::Array(item) => {
                item.add_to(parts.tag("array"));
                parts
            }
            Self::Map(key, value) => {
                key.add_to(parts.tag("map"));
                value.add_to(parts);
                parts
            }
            Self::Struct(fields) => {
                parts.tag("struct").count(fields.len());
                for (name, of) in fields {
                    of.add_to(parts.text(name));
                }
                parts
            }
        };
    }
}

/// The entries of a map.
pub(super) fn entries(key: &HiveType, value: &HiveType) -> Arc<Field> {
    let fields = vec![Field::new("key", key.of_value(), false), Field::new("value", value.of_value(), true)];
    Arc::new(Field::new("entries", DataType::Struct(fields.into()), false))
}

/// Reads a type from the start of a text, and leaves what follows it.
fn parse(rest: &mut &str, depth: usize) -> Result<HiveType, String> {
    let word = word(rest);
    let unknown = || Err(word.to_owned());
    if depth > DEEPEST {
        return unknown();
    }
    Ok(match word.to_ascii_lowercase().as_str() {
        "boolean" => HiveType::Boolean,
        "tinyint" => HiveType::TinyInt,
        "smallint" => HiveType::SmallInt,
        "int" | "integer" => HiveType::Int,
        "bigint" => HiveType::BigInt,
        "float" => HiveType::Float,
        "double" | "double precision" => HiveType::Double,
        "string" => HiveType::String,
        "binary" => HiveType::Binary,
        "date" => HiveType::Date,
        "timestamp" => HiveType::Timestamp,
        "decimal" => match numbers(rest).as_deref() {
            // Hive's own default.
            None => HiveType::Decimal(10, 0),
            Some([digits]) => decimal(*digits, 0)?,
            Some([digits, scale]) => decimal(*digits, *scale)?,
            Some(_) => return unknown(),
        },
        "varchar" => HiveType::Varchar(length(rest, word)?),
        "char" => HiveType::Char(length(rest, word)?),
        "array" => {
            take(rest, '<', word)?;
            let item = parse(rest, depth + 1)?;
            take(rest, '>', word)?;
            HiveType::Array(Box::new(item))
        }
        "map" => {
            take(rest, '<', word)?;
            let key = parse(rest, depth + 1)?;
            take(rest, ',', word)?;
            let value = parse(rest, depth + 1)?;
            take(rest, '>', word)?;
            HiveType::Map(Box::new(key), Box::new(value))
        }
        "struct" => {
            take(rest, '<', word)?;
            let mut fields = Vec::new();
            loop {
                let (name, after) = rest.split_once(':').ok_or(word)?;
                *rest = after;
                fields.push((name.trim().trim_matches('`').to_lowercase(), parse(rest, depth + 1)?));
                if take(rest, ',', word).is_err() {
                    break;
                }
            }
            take(rest, '>', word)?;
            HiveType::Struct(fields)
        }
        _ => return unknown(),
    })
}

/// The name of a type, which may be of several words.
fn word<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|character: char| "<>(),:".contains(character)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    word.trim()
}

fn take(rest: &mut &str, mark: char, of: &str) -> Result<(), String> {
    *rest = rest.trim_start().strip_prefix(mark).ok_or(of)?;
    Ok(())
}

/// What stands in brackets behind a type's name, where there are any.
fn numbers(rest: &mut &str) -> Option<Vec<u64>> {
    let (inner, after) = rest.strip_prefix('(')?.split_once(')')?;
    *rest = after;
    inner.split(',').map(|number| number.trim().parse().ok()).collect()
}

fn length(rest: &mut &str, of: &str) -> Result<usize, String> {
    match numbers(rest).as_deref() {
        Some([length]) => usize::try_from(*length).map_err(|_| of.to_owned()),
        _ => Err(of.to_owned()),
    }
}

fn decimal(digits: u64, scale: u64) -> Result<HiveType, String> {
    let unknown = || format!("decimal({digits},{scale})");
    let (digits, scale) =
        (u8::try_from(digits).map_err(|_| unknown())?, u8::try_from(scale).map_err(|_| unknown())?);
    if digits == 0 || digits > DIGITS || scale > digits {
        return Err(unknown());
    }
    Ok(HiveType::Decimal(digits, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_the_metastore_writes_them() {
        let names = [
            "int",
            "decimal(10,2)",
            "decimal",
            "char(3)",
            "varchar(20)",
            "timestamp",
            "array<map<string,struct<a:int,B c:array<decimal(38,0)>>>>",
            "struct<`x y`:binary>",
        ];
        let lines: Vec<String> = names.iter().map(|name| format!("{name}: {}", shown(name))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        int: Int32
        decimal(10,2): Decimal128(10, 2)
        decimal: Decimal128(10, 0)
        char(3): Utf8View
        varchar(20): Utf8View
        timestamp: Timestamp(µs)
        array<map<string,struct<a:int,B c:array<decimal(38,0)>>>>: List(Map("entries": non-null Struct("key": non-null Utf8, "value": Struct("a": Int32, "b c": List(Decimal128(38, 0)))), unsorted))
        struct<`x y`:binary>: Struct("x y": Binary)
        "#);
    }

    #[test]
    fn a_type_that_mep_has_not_is_named() {
        let names = [
            "uniontype<int,string>",
            "timestamp with local time zone",
            "interval_day_time",
            "array<void>",
            "decimal(39,0)",
            "char",
            "array<int",
            "int x",
            "struct<a>",
            "",
        ];
        let lines: Vec<String> = names.iter().map(|name| format!("{name}: {}", shown(name))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        uniontype<int,string>: not `uniontype`
        timestamp with local time zone: not `timestamp with local time zone`
        interval_day_time: not `interval_day_time`
        array<void>: not `void`
        decimal(39,0): not `decimal(39,0)`
        char: not `char`
        array<int: not `array`
        int x: not `int x`
        struct<a>: not `struct`
        : not ``
        ");
        assert!(HiveType::parse(&"array<".repeat(10_000)).is_err());
    }

    fn shown(name: &str) -> String {
        match HiveType::parse(name) {
            Ok(found) => found.of_column().to_string(),
            Err(part) => format!("not `{part}`"),
        }
    }
}
