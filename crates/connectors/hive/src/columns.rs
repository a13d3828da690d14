//! Columns as Hive has them, and which changes of them Hive can read back.

use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use hive_metastore::FieldSchema;
use pilota::FastStr;

use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::presentation::Presentation;

/// A column's type in Hive; `None` where Hive has none.
pub(super) fn hive_type(data_type: &DataType) -> Option<String> {
    Some(match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Millisecond | TimeUnit::Nanosecond, None) => {
            "timestamp".to_owned()
        }
        DataType::Decimal128(precision, scale) if *scale >= 0 => format!("decimal({precision},{scale})"),
        DataType::List(item) | DataType::LargeList(item) => {
            format!("array<{}>", hive_type(item.data_type())?)
        }
        DataType::Struct(fields) => {
            let fields: Option<Vec<String>> = fields
                .iter()
                .map(|field| {
                    Some(format!("{}:{}", field.name().to_lowercase(), hive_type(field.data_type())?))
                })
                .collect();
            format!("struct<{}>", fields?.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let (key, value) = (hive_type(fields[0].data_type())?, hive_type(fields[1].data_type())?);
                format!("map<{key},{value}>")
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// A table's columns, the partition columns apart, each with its comment.
///
/// # Errors
/// Where Hive has no such type, or two names differ in their case alone: Hive's names have none.
pub(super) fn hive_columns(
    schema: &SchemaRef,
    partition_columns: &[String],
    presentation: &Presentation,
) -> Result<(Vec<FieldSchema>, Vec<FieldSchema>), WarehouseError> {
    let mut columns: Vec<FieldSchema> = Vec::new();
    let mut partitions = Vec::new();
    for field in schema.fields() {
        let column = hive_column(field, presentation)?;
        if columns.iter().chain(&partitions).any(|other: &FieldSchema| other.name == column.name) {
            return Err(WarehouseError::HiveColumn {
                column: field.name().clone(),
                reason: "another column has this name but for its case, which hive does not keep".to_owned(),
            });
        }
        if partition_columns.contains(field.name()) { partitions.push(column) } else { columns.push(column) }
    }
    Ok((columns, partitions))
}

fn hive_column(field: &Field, presentation: &Presentation) -> Result<FieldSchema, WarehouseError> {
    let data_type = hive_type(field.data_type()).ok_or_else(|| WarehouseError::HiveColumn {
        column: field.name().clone(),
        reason: match field.data_type() {
            DataType::Time32(_) | DataType::Time64(_) => {
                "hive has no type for a time of day: cast it, or declare the source's column, as varchar"
                    .to_owned()
            }
            other => format!("hive has no type for {other}: cast it"),
        },
    })?;
    Ok(FieldSchema {
        name: Some(FastStr::from_string(field.name().to_lowercase())),
        r#type: Some(FastStr::from_string(data_type)),
        comment: presentation.columns.get(field.name()).map(FastStr::new),
    })
}

/// The first change that readers could not read the stored files by, as words; `None` where they can read all of them.
///
/// Columns are found by name in Parquet, so that they may come, go and change places. A type may become wider.
pub(super) fn unreadable_change(stored: &[FieldSchema], new: &[FieldSchema]) -> Option<String> {
    for column in new {
        let before = stored.iter().find(|before| before.name == column.name);
        let (Some(from), Some(to)) = (before.and_then(|before| before.r#type.as_ref()), &column.r#type)
        else {
            continue;
        };
        if from != to && !is_wider(from, to) {
            let name = column.name.clone().unwrap_or_default();
            return Some(format!("column `{name}` is {from} there and becomes {to}"));
        }
    }
    None
}

/// Whether Hive, Spark and Trino read Parquet of the type `from` as `to`.
fn is_wider(from: &str, to: &str) -> bool {
    const WHOLE: [&str; 4] = ["tinyint", "smallint", "int", "bigint"];
    let rank = |name: &str| WHOLE.iter().position(|whole| *whole == name);
    match (rank(from), rank(to)) {
        (Some(from), Some(to)) => from < to,
        _ => (from, to) == ("float", "double"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;

    fn columns(fields: Vec<Field>) -> Result<Vec<FieldSchema>, WarehouseError> {
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        hive_columns(&schema, &[], &Presentation::default()).map(|(columns, _)| columns)
    }

    #[test]
    fn types_have_hive_s_names() {
        let entry = DataType::Struct(
            vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int32, true)].into(),
        );
        let types = [
            DataType::Utf8View,
            DataType::Decimal128(20, 0),
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::List(Arc::new(Field::new("item", DataType::Float64, true))),
            DataType::Map(Arc::new(Field::new("entries", entry, false)), false),
        ];
        let names: Vec<String> = types.iter().filter_map(hive_type).collect();
        assert_eq!(names, ["string", "decimal(20,0)", "timestamp", "array<double>", "map<string,int>"]);
        assert_eq!(hive_type(&DataType::Duration(TimeUnit::Second)), None);
    }

    #[test]
    fn names_that_differ_in_case_alone_and_types_without_a_name_are_refused() {
        let same = columns(vec![
            Field::new("userId", DataType::Int64, true),
            Field::new("userid", DataType::Int64, true),
        ]);
        insta::assert_snapshot!(same.unwrap_err(), @"column `userid`: another column has this name but for its case, which hive does not keep");
        let zoned = columns(vec![Field::new(
            "t",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            true,
        )]);
        insta::assert_snapshot!(zoned.unwrap_err(), @r#"column `t`: hive has no type for Timestamp(µs, "UTC"): cast it"#);
    }

    #[test]
    fn a_type_may_become_wider_and_nothing_else() {
        let one = |data_type| columns(vec![Field::new("n", data_type, true)]).unwrap();
        assert_eq!(unreadable_change(&one(DataType::Int32), &one(DataType::Int64)), None);
        assert_eq!(unreadable_change(&one(DataType::Float32), &one(DataType::Float64)), None);
        assert_eq!(
            unreadable_change(&one(DataType::Int64), &one(DataType::Int32)).as_deref(),
            Some("column `n` is bigint there and becomes int")
        );
        assert!(unreadable_change(&one(DataType::Int64), &one(DataType::Utf8)).is_some());
    }
}
