//! Values of a file as a column of a table has them, by Hive's rules.
//!
//! Owns which types of files are read as which types of Hive. Comes in: an array. Goes out: one of the column's type. Must not know: the
//! form of the file.
//!
//! | in the table | in the file |
//! |---|---|
//! | a whole number | any whole number; one that the type cannot hold is NULL, as in Hive |
//! | float, double | the same, a float for a double, a whole number for a double |
//! | decimal | a decimal or whole number; one with more digits than the type has is NULL, as in Hive |
//! | string, varchar, char | text, and bytes that are UTF-8; a varchar is cut, a char has its spaces |
//! | timestamp | a time of any unit, to the microsecond |
//! | array, map, struct | the same, of such types; fields by name in any case, NULL where the file has none |

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit, TimestampNanosecondType};

use super::column_type::{HiveType, entries};

/// Why values are not those of a column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// Files with values of one type are not read as another.
    #[error("it has {found} where the table has {wanted}, and mep does not read the one as the other")]
    Type {
        /// That of the file.
        found: DataType,
        /// That of the table.
        wanted: DataType,
    },
    /// A text is not UTF-8.
    #[error("it has a text that is not UTF-8")]
    NotUtf8,
    /// The library that holds values refuses these.
    #[error("{0}")]
    Refused(String),
}

impl From<arrow::error::ArrowError> for Unfit {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// The values as a column of the type has them.
///
/// # Errors
/// Where the file has values that are not read as this type.
pub(super) fn fitted(found: &ArrayRef, wanted: &HiveType) -> Result<ArrayRef, Unfit> {
    let value = fitted_value(found, wanted)?;
    let data_type = wanted.of_column();
    if *value.data_type() == data_type { Ok(value) } else { Ok(cast(&value, &data_type)?) }
}

/// The values as they lie within others.
pub(super) fn fitted_value(found: &ArrayRef, wanted: &HiveType) -> Result<ArrayRef, Unfit> {
    let of = found.data_type();
    let unfit = || Unfit::Type { found: of.clone(), wanted: wanted.of_column() };
    let or_null = |to: &DataType| {
        Ok(cast_with_options(found, to, &CastOptions { safe: true, ..CastOptions::default() })?)
    };
    let is_whole = of.is_integer();
    match wanted {
        _ if *of == DataType::Null => Ok(new_null_array(&plain(wanted), found.len())),
        HiveType::Boolean if *of == DataType::Boolean => Ok(found.clone()),
        HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt if is_whole => {
            or_null(&plain(wanted))
        }
        HiveType::Float if *of == DataType::Float32 => Ok(found.clone()),
        HiveType::Double if is_whole || matches!(of, DataType::Float32 | DataType::Float64) => {
            or_null(&DataType::Float64)
        }
        HiveType::Decimal(..) if is_whole || of.is_decimal() => or_null(&plain(wanted)),
        HiveType::String => text(found).ok_or_else(unfit)?,
        HiveType::Varchar(length) => Ok(cut(&text(found).ok_or_else(unfit)??, *length)),
        HiveType::Char(length) => Ok(padded(&text(found).ok_or_else(unfit)??, *length)),
        HiveType::Binary if is_binary(of) => Ok(cast(found, &DataType::Binary)?),
        HiveType::Date if *of == DataType::Date32 => Ok(found.clone()),
        HiveType::Timestamp => match of {
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                let nanoseconds = found.as_primitive::<TimestampNanosecondType>();
                let microseconds = nanoseconds
                    .unary::<_, arrow::datatypes::TimestampMicrosecondType>(|time| time.div_euclid(1_000));
                Ok(Arc::new(microseconds))
            }
            // A zone says how a time is shown; what is stored is the time in UTC.
            DataType::Timestamp(unit, _) => {
                let in_utc = cast(found, &DataType::Timestamp(*unit, None))?;
                Ok(cast(&in_utc, &plain(wanted))?)
            }
            _ => Err(unfit()),
        },
        HiveType::Array(item) => match of {
            DataType::List(_) | DataType::LargeList(_) => {
                let list = if let DataType::LargeList(field) = of {
                    cast(found, &DataType::List(field.clone()))?
                } else {
                    found.clone()
                };
                let list = list.as_list::<i32>();
                let values = fitted_value(list.values(), item)?;
                let field = Arc::new(Field::new_list_field(plain(item), true));
                Ok(Arc::new(ListArray::try_new(
                    field,
                    list.offsets().clone(),
                    values,
                    list.nulls().cloned(),
                )?))
            }
            _ => Err(unfit()),
        },
        HiveType::Map(key, value) => {
            let map = found.as_map_opt().ok_or_else(unfit)?;
            let (keys, values) = (fitted_value(map.keys(), key)?, fitted_value(map.values(), value)?);
            let field = entries(key, value);
            let DataType::Struct(fields) = field.data_type() else { return Err(unfit()) };
            let of_map = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(field, offsets, of_map, nulls, false)?))
        }
        HiveType::Struct(wanted_fields) => {
            let whole = found.as_struct_opt().ok_or_else(unfit)?;
            let columns = wanted_fields.iter().map(|(name, of)| match position(whole.fields(), name) {
                Some(at) => fitted_value(whole.column(at), of),
                None => Ok(new_null_array(&plain(of), whole.len())),
            });
            let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
            let DataType::Struct(fields) = plain(wanted) else { return Err(unfit()) };
            let nulls = whole.nulls().cloned();
            Ok(Arc::new(StructArray::try_new_with_length(fields, columns, nulls, whole.len())?))
        }
        _ => Err(unfit()),
    }
}

/// Where a field of this name is, in any case.
pub(super) fn position(fields: &Fields, name: &str) -> Option<usize> {
    let same = fields.iter().position(|field| field.name() == name);
    same.or_else(|| fields.iter().position(|field| field.name().to_lowercase() == name))
}

/// The type of a value within others.
fn plain(wanted: &HiveType) -> DataType {
    match wanted.of_column() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other,
    }
}

fn is_binary(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    )
}

/// ValueTexts, where there are any.
fn text(found: &ArrayRef) -> Option<Result<ArrayRef, Unfit>> {
    match found.data_type() {
        DataType::Utf8 => Some(Ok(found.clone())),
        DataType::LargeUtf8 | DataType::Utf8View => Some(cast(found, &DataType::Utf8).map_err(Unfit::from)),
        of if is_binary(of) => {
            let strict = CastOptions { safe: false, ..CastOptions::default() };
            let bytes = cast(found, &DataType::Binary).map_err(Unfit::from);
            Some(bytes.and_then(|bytes| {
                cast_with_options(&bytes, &DataType::Utf8, &strict).map_err(|_| Unfit::NotUtf8)
            }))
        }
        _ => None,
    }
}

/// ValueTexts of at most so many characters.
fn cut(texts: &ArrayRef, length: usize) -> ArrayRef {
    let texts = texts.as_string::<i32>();
    if texts.iter().flatten().all(|text| text.len() <= length) {
        return Arc::new(texts.clone());
    }
    Arc::new(texts.iter().map(|text| text.map(|text| first(text, length))).collect::<StringArray>())
}

/// ValueTexts of just so many characters, with spaces behind those that are shorter.
fn padded(texts: &ArrayRef, length: usize) -> ArrayRef {
    let padded = texts.as_string::<i32>().iter().map(|text| {
        text.map(|text| {
            let text = first(text, length);
            let missing = length.saturating_sub(text.chars().count());
            format!("{text}{}", " ".repeat(missing))
        })
    });
    Arc::new(padded.collect::<StringArray>())
}

fn first(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}
