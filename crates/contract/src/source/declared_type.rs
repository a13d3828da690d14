//! The types that columns of sources and seeds are declared with, in the words of SQL.
//!
//! Owns which name of a type means which Arrow type, in whatever dialect a project comes from. Comes in: the name as
//! written. Goes out: the type, or why a column cannot have it. Must not know: values.
//!
//! | declared | stored |
//! |---|---|
//! | `tinyint`, `smallint`, `integer`, `bigint` and their other names | as that; unsigned ones as the next larger type |
//! | `real`, `float`, `float4`; `double`, `double precision`, `float8` | 32 bits; 64 bits |
//! | `decimal(p,s)`, `numeric(p,s)`, `dec`, `number` | as that, at most 38 digits; without any, as in SQL, `decimal(38,10)` |
//! | `varchar(n)`, `char(n)`, `text`, `string`, `json`, `uuid` | text as it is written |
//! | `date`; `timestamp`, `datetime` | a day; a time in UTC to the microsecond |
//! | `time` | a time of day |
//! | `binary`, `bytes`, `bytea`, `blob` | bytes; of sources alone |
//! | `bigint[]`, `struct<a bigint>`, `map<varchar, bigint>` and their other names (`nested_type.rs`) | as that; of sources alone |
//! | `timestamp with time zone`, `timestamptz` | the same: a value at an offset is brought to UTC |

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::sql::sqlparser::ast::{self, CharacterLength, ExactNumberInfo, TimezoneInfo};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::nested_type::{NestedName, nested_name};

/// How long the name of a type may be that holds no others. Nothing that a column can have is longer.
const NAME_LIMIT: usize = 100;
/// How deep lists, structures and maps may lie in one another.
const DEPTH: usize = 16;
/// The most digits that a decimal has.
const DIGITS: u64 = 38;
/// What `decimal` alone means in SQL.
const PLAIN_DECIMAL: DataType = DataType::Decimal128(38, 10);

/// A type that a column is declared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredType {
    /// What its values are kept as.
    pub data_type: DataType,
    /// How many characters a text may have, where that is declared.
    pub length: Option<u64>,
}

/// Why a column cannot have a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// There is no such type.
    #[error(
        "unknown type `{data_type}` of column `{column}`; expected one of bigint, integer, smallint, tinyint, double, real, decimal(p,s), boolean, varchar, date, timestamp{also}"
    )]
    Unknown {
        /// The column.
        column: String,
        /// The type as declared.
        data_type: String,
        /// What else such a column can be.
        also: &'static str,
    },
    /// There is such a type, but not for columns that are read.
    #[error("column `{column}` cannot be read as `{data_type}`: {why}")]
    Unreadable {
        /// The column.
        column: String,
        /// The type as declared.
        data_type: String,
        /// What is in the way, and how to go on.
        why: &'static str,
    },
}

impl TypeError {
    /// The column.
    pub fn column(&self) -> &str {
        match self {
            Self::Unknown { column, .. } | Self::Unreadable { column, .. } => column,
        }
    }
}

/// The type of a column that is declared as `name`.
///
/// # Errors
/// Where there is no such type, or rows are not read into it.
pub fn declared_type(column: &str, name: &str) -> Result<DeclaredType, TypeError> {
    let of_text = |length| Ok(DeclaredType { data_type: DataType::Utf8, length });
    let parsed = parsed(name);
    let outcome = match &parsed {
        Some(ast::DataType::Custom(object, arguments)) => custom(&object.to_string(), arguments),
        Some(parsed) => match text_length(parsed) {
            Some(length) => return of_text(length),
            None => known(parsed),
        },
        None => Err(None),
    };
    outcome.map(|data_type| DeclaredType { data_type, length: None }).map_err(|why| {
        let (column, data_type) = (column.to_owned(), name.to_owned());
        match why {
            Some(why) => TypeError::Unreadable { column, data_type, why },
            None => TypeError::Unknown { column, data_type, also: "" },
        }
    })
}

/// The type of a column of a source that is declared as `name`.
///
/// # Errors
/// Where there is no such type, or rows are not read into it.
pub fn declared_row_type(column: &str, name: &str) -> Result<DataType, TypeError> {
    row_type(column, name, name, 0)
}

/// The type of a column, or of a part of it that is called `part`.
fn row_type(column: &str, name: &str, part: &str, depth: usize) -> Result<DataType, TypeError> {
    let refused = |why| TypeError::Unreadable { column: column.to_owned(), data_type: name.to_owned(), why };
    let nullable = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
    let within = |part: &str| row_type(column, name, part, depth + 1);
    if depth > DEPTH {
        return Err(refused(TOO_DEEP));
    }
    Ok(match nested_name(part) {
        Some(NestedName::List(item)) => DataType::List(nullable("item", within(item)?)),
        Some(NestedName::Struct(fields)) => {
            let mut of: Vec<Arc<Field>> = Vec::new();
            for (name, data_type) in fields {
                let is_twice = of.iter().any(|field| field.name().to_lowercase() == name.to_lowercase());
                if is_twice {
                    return Err(refused("two of its fields have one name, but for its case"));
                }
                of.push(nullable(&name, within(data_type)?));
            }
            DataType::Struct(Fields::from(of))
        }
        Some(NestedName::Map(key, value)) => {
            let key = within(key)?;
            if !matches!(key, DataType::Utf8) && !key.is_integer() {
                return Err(refused("keys of a map are varchar or whole numbers"));
            }
            let entries = [Arc::new(Field::new("key", key, false)), nullable("value", within(value)?)];
            let entries = Field::new("entries", DataType::Struct(Fields::from(entries.to_vec())), false);
            DataType::Map(Arc::new(entries), false)
        }
        None if parsed(part).is_some_and(|parsed| is_binary(&parsed)) => DataType::Binary,
        // How long a text may be says nothing here, as in SQL: no row is refused for it.
        None => match declared_type(column, part) {
            Ok(declared) => declared.data_type,
            Err(TypeError::Unreadable { why, .. }) => return Err(refused(why)),
            Err(TypeError::Unknown { .. }) => {
                let (column, data_type) = (column.to_owned(), part.to_owned());
                return Err(TypeError::Unknown { column, data_type, also: OF_SOURCES });
            }
        },
    })
}

fn is_binary(parsed: &ast::DataType) -> bool {
    use ast::DataType as T;
    matches!(
        parsed,
        T::Bytea
            | T::Bytes(_)
            | T::Binary(_)
            | T::Varbinary(_)
            | T::Blob(_)
            | T::TinyBlob
            | T::MediumBlob
            | T::LongBlob
    )
}

fn parsed(name: &str) -> Option<ast::DataType> {
    if name.len() > NAME_LIMIT {
        return None;
    }
    // dbt's adapters take a quoted name as well.
    let name = name.trim();
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    // `GenericDialect` is the one that models are read in.
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(name).ok()?;
    let parsed = parser.parse_data_type().ok()?;
    let is_all = parser.peek_token().token == datafusion::sql::sqlparser::tokenizer::Token::EOF;
    is_all.then_some(parsed)
}

/// Of a type of text, how many characters it may have; `None` for other types.
#[expect(clippy::option_option, reason = "no text, and a text of any length, are two answers")]
fn text_length(parsed: &ast::DataType) -> Option<Option<u64>> {
    use ast::DataType as T;
    Some(match parsed {
        T::Character(length)
        | T::Char(length)
        | T::CharacterVarying(length)
        | T::CharVarying(length)
        | T::Varchar(length)
        | T::Nvarchar(length) => match length {
            Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
            Some(CharacterLength::Max) | None => None,
        },
        T::CharacterLargeObject(length)
        | T::CharLargeObject(length)
        | T::Clob(length)
        | T::String(length) => *length,
        T::Text | T::TinyText | T::MediumText | T::LongText | T::JSON | T::JSONB | T::Uuid => None,
        _ => return None,
    })
}

/// A reason why a type is not read; `None`: there is no such type.
type TypeRefusal = Option<&'static str>;

const WIDE: TypeRefusal = Some("a decimal(p,s) has 1 to 38 digits, none or some of them behind the point");
/// What columns of sources can be, and those of seeds cannot.
const OF_SOURCES: &str =
    ", time, binary, or a list (bigint[]), struct<name type, ...> or map<varchar, type> of them";
const TOO_DEEP: &str = "lists, structures and maps lie in one another too deep";
const ZONED_TIME: TypeRefusal = Some("a time of day has no time zone; declare it as varchar");
const BYTES: TypeRefusal = Some("only rows of sources hold bytes; declare it as varchar");
const NESTED: TypeRefusal =
    Some("only rows of sources hold lists, structures and maps; declare it as varchar");
const OPEN: TypeRefusal = Some(
    "it does not say what it holds; declare a list (bigint[]), struct<name type, ...> or map<varchar, type>",
);
const INTERVAL: TypeRefusal = Some("rows hold no intervals; declare it as varchar or as a number of seconds");

#[expect(clippy::match_same_arms, reason = "each kind of type stands by itself")]
fn known(parsed: &ast::DataType) -> Result<DataType, TypeRefusal> {
    use ast::DataType as T;
    Ok(match parsed {
        T::TinyInt(_) => DataType::Int8,
        T::SmallInt(_) | T::Int2(_) | T::Int16 | T::TinyIntUnsigned(_) | T::UTinyInt | T::UInt8 => {
            DataType::Int16
        }
        T::Int(_)
        | T::Integer(_)
        | T::Int4(_)
        | T::Int32
        | T::MediumInt(_)
        | T::SmallIntUnsigned(_)
        | T::USmallInt
        | T::Int2Unsigned(_)
        | T::UInt16
        | T::MediumIntUnsigned(_) => DataType::Int32,
        T::BigInt(_)
        | T::Int8(_)
        | T::Int64
        | T::Signed
        | T::SignedInteger
        | T::IntUnsigned(_)
        | T::IntegerUnsigned(_)
        | T::Int4Unsigned(_)
        | T::UInt32 => DataType::Int64,
        T::BigIntUnsigned(_)
        | T::UBigInt
        | T::Int8Unsigned(_)
        | T::UInt64
        | T::Unsigned
        | T::UnsignedInteger => DataType::Decimal128(20, 0),
        T::HugeInt | T::Int128 => DataType::Decimal128(38, 0),
        T::Real | T::Float4 | T::Float32 => DataType::Float32,
        // As in SQL: the number says how many bits there are to be.
        T::Float(ExactNumberInfo::Precision(25..)) => DataType::Float64,
        T::Float(_) => DataType::Float32,
        T::Double(_) | T::DoublePrecision | T::Float8 | T::Float64 => DataType::Float64,
        T::Decimal(of) | T::Numeric(of) | T::Dec(of) | T::BigNumeric(of) | T::BigDecimal(of) => decimal(*of)?,
        T::Boolean | T::Bool => DataType::Boolean,
        T::Date | T::Date32 => DataType::Date32,
        T::Datetime(_) | T::Datetime64(..) | T::TimestampNtz(_) => timestamp(),
        T::Timestamp(
            _,
            TimezoneInfo::None
            | TimezoneInfo::WithoutTimeZone
            | TimezoneInfo::WithTimeZone
            | TimezoneInfo::Tz,
        ) => timestamp(),
        T::Nullable(inner) | T::LowCardinality(inner) => return known(inner),
        T::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Time64(TimeUnit::Nanosecond)
        }
        T::Time(..) => return Err(ZONED_TIME),
        T::Interval { .. } => return Err(INTERVAL),
        bytes if is_binary(bytes) => return Err(BYTES),
        T::Array(_) | T::Map(..) | T::Struct(..) | T::Tuple(_) | T::Nested(_) | T::Union(_) => {
            return Err(NESTED);
        }
        _ => return Err(None),
    })
}

/// Names that SQL's grammar does not know, and warehouses do.
fn custom(name: &str, arguments: &[String]) -> Result<DataType, TypeRefusal> {
    let numbers: Option<Vec<u64>> = arguments.iter().map(|argument| argument.trim().parse().ok()).collect();
    Ok(match (name.to_ascii_lowercase().as_str(), numbers.as_deref()) {
        ("long", Some([])) => DataType::Int64,
        ("short", Some([])) => DataType::Int16,
        ("byteint" | "byte", Some([])) => DataType::Int8,
        ("number", Some([])) => PLAIN_DECIMAL,
        ("number", Some([precision])) => decimal(ExactNumberInfo::Precision(*precision))?,
        ("number", Some([precision, scale])) => {
            let scale = i64::try_from(*scale).map_err(|_| WIDE)?;
            decimal(ExactNumberInfo::PrecisionAndScale(*precision, scale))?
        }
        ("money" | "smallmoney", Some([])) => DataType::Decimal128(19, 4),
        (
            "timestamp_ntz" | "timestamp_ltz" | "timestamp_tz" | "timestampltz" | "datetime2"
            | "smalldatetime" | "datetimeoffset",
            Some([] | [_]),
        ) => timestamp(),
        ("variant" | "object" | "super", _) => return Err(OPEN),
        _ => return Err(None),
    })
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

fn decimal(of: ExactNumberInfo) -> Result<DataType, TypeRefusal> {
    let (precision, scale) = match of {
        ExactNumberInfo::None => return Ok(PLAIN_DECIMAL),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    let scale = u64::try_from(scale).map_err(|_| WIDE)?;
    if !(1..=DIGITS).contains(&precision) || scale > precision {
        return Err(WIDE);
    }
    let small = |number: u64| u8::try_from(number).map_err(|_| WIDE);
    let (precision, scale) = (small(precision)?, small(scale)?);
    Ok(DataType::Decimal128(precision, scale.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_sources_hold_bytes_times_lists_structures_and_maps() {
        let names = [
            "time",
            "bytea",
            "varbinary(10)",
            "decimal(9,2)[]",
            "array<struct<a: int, b timestamp[]>>",
            "map(varchar, double)",
            "row(a bigint, \"B c\" date)",
            "map<double, int>",
            "struct<a int, A int>",
            "struct<a inte>",
            "struct<a interval>",
            "array",
        ];
        let said = |name| match declared_row_type("c", name) {
            Ok(data_type) => data_type.to_string(),
            Err(error) => error.to_string(),
        };
        let lines: Vec<String> = names.into_iter().map(|name| format!("{name}: {}", said(name))).collect();
        insta::assert_snapshot!(lines.join("\n"));
        assert!(declared_row_type("c", &format!("int{}", "[]".repeat(10_000))).is_err());
    }

    fn said(name: &str) -> String {
        match declared_type("c", name) {
            Ok(DeclaredType { data_type, length: None }) => data_type.to_string(),
            Ok(DeclaredType { data_type, length: Some(length) }) => format!("{data_type} of {length}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_type_is_known_by_the_names_that_warehouses_have_for_it() {
        let names = [
            "BIGINT",
            "long",
            "int8",
            "int64",
            "integer",
            "int",
            "int4",
            "int32",
            "smallint",
            "int2",
            "int16",
            "tinyint",
            "double",
            "double precision",
            "float8",
            "float64",
            "real",
            "float",
            "float4",
            "float32",
            "float(53)",
            "boolean",
            "bool",
            "date",
            "timestamp",
            "timestamp(6)",
            "datetime",
            "timestamptz",
            "timestamp_ntz",
            "timestamp with time zone",
            "timestamp without time zone",
            "varchar",
            "string",
            "text",
            "json",
            "uuid",
            "varchar(36)",
            "varchar (36)",
            "char(2)",
            "character varying(20)",
            "nvarchar(max)",
            "\"varchar\"",
            "decimal",
            "numeric(10,2)",
            "decimal( 18 , 4 )",
            "dec(5)",
            "number(38,0)",
            "bigint unsigned",
        ];
        let lines: Vec<String> = names.iter().map(|name| format!("{name}: {}", said(name))).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_type_that_rows_are_not_read_into_is_refused_with_its_reason() {
        let names = [
            "bigit",
            "",
            "varchar(",
            "varchar(3) x",
            "decimal(39,2)",
            "decimal(5,6)",
            "numeric(0)",
            "decimal(5,-1)",
            "timetz",
            "interval",
            "bytea",
            "integer[]",
            "struct<a int>",
            "point",
        ];
        let lines: Vec<String> = names.iter().map(|name| said(name)).collect();
        insta::assert_snapshot!(lines.join("\n"));
        assert!(said(&"array<".repeat(10_000)).starts_with("unknown type"));
    }
}
